"""Lengths of time as SSML and `[pause:...]` write them, and how much silence a text may ask for."""

import re

from qwen3_tts.errors import InvalidRequest

LONGEST_PAUSE_S = 20.0  # one pause
MOST_SILENCE_S = 600.0  # all pauses of a text together
STRENGTHS = {
    "none": 0.0,
    "x-weak": 0.1,
    "weak": 0.25,
    "medium": 0.5,
    "strong": 1.0,
    "x-strong": 2.0,
}
DEFAULT_PAUSE_S = STRENGTHS["medium"]
_TIME = re.compile(r"\+?(\d{0,6}(?:\.\d{1,6})?)\s?(ms|s|sec|seconds?)?", re.ASCII | re.IGNORECASE)


def seconds(written: str) -> float | None:
    """`500ms`, `1.5s` or `1.5` (seconds); None for anything else."""
    match = _TIME.fullmatch(written.strip())
    if match is None or not any(char.isdigit() for char in match[1]):
        return None
    number = float(match[1])
    return number / 1000 if (match[2] or "").lower() == "ms" else number


class Silence:
    """Counts the silence of one text. Raises `InvalidRequest` when it is too much."""

    def __init__(self) -> None:
        self._total_s = 0.0

    def allow(self, pause_s: float) -> float:
        if pause_s > LONGEST_PAUSE_S:
            raise InvalidRequest(
                f"a pause of {pause_s:g} s is too long; a pause is at most {LONGEST_PAUSE_S:g} s"
            )
        self._total_s += pause_s
        if self._total_s > MOST_SILENCE_S:
            raise InvalidRequest(
                f"the pauses come to more than {MOST_SILENCE_S:g} s in all; leave some out"
            )
        return pause_s
