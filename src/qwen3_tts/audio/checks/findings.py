"""What a check found: a code for machines, and for people a sentence and what to do about it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing about a recording or its transcript.

    `severity` is "error" where a clone will most likely be bad, "warning" where it may be worse
    than it could be, and "info" where nothing has to be done. `value` is what was measured, in the
    unit the message names; None where nothing was.
    """

    code: str
    severity: Severity
    message: str
    advice: str
    value: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as JSON has it."""
        return asdict(self)


def codes(findings: Iterable[Finding]) -> set[str]:
    """The codes of these findings."""
    return {finding.code for finding in findings}
