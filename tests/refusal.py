"""A refusal: exactly this error, in one line that names what was given, then what is allowed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from qwen3_tts.errors import SpeechError


@contextmanager
def refused(kind: type[SpeechError], *parts: str) -> Iterator[None]:
    """The block raises exactly this error, whose one line has all of these parts in this order."""
    with pytest.raises(SpeechError) as caught:
        yield
    assert type(caught.value) is kind
    message = str(caught.value)
    assert message.strip()
    assert "\n" not in message
    start = 0
    for part in parts:
        start = message.find(part, start)
        assert start >= 0, f"{part!r} is not in {message!r}"
        start += len(part)
