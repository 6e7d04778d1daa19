"""Errors of two kinds at once: this package's, and the built-in one the official package raises."""

from collections.abc import Iterator
from contextlib import contextmanager

from qwen3_tts.errors import InvalidRequest


class CompatError(InvalidRequest, ValueError):
    """A value that is not allowed; `code` is that of the error it stands for."""


class CompatTypeError(InvalidRequest, TypeError):
    """An argument of a wrong type, or a keyword that does not exist."""


@contextmanager
def official_kinds() -> Iterator[None]:
    """Raise any `InvalidRequest` from inside as a `CompatError` of the same message and code."""
    try:
        yield
    except (CompatError, CompatTypeError):
        raise
    except InvalidRequest as error:
        both = CompatError(str(error))
        both.code = error.code
        raise both from error
