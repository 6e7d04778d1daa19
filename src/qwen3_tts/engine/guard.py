"""Notice speech that does not end: a frame budget from the text, loops of codes, long silence.

Now and then a talker misses the end of speech and drones, repeats itself or stays silent. None of
the three guards fires on normal speech, and each tells how many frames are worth keeping. All is
counting: no torch, no clock. One `Guard` belongs to one request.
"""

import math
import unicodedata
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.errors import InvalidRequest, StreamFailed
from qwen3_tts.prompt.languages import ISO_639

FRAMES_PER_S = 12.5
POLICIES = ("stop", "retry", "error", "off")
MAX_RETRIES = 2  # a third failure in a row is the text's doing

# Slow reading, milliseconds per character. Estimates, not measurements: 0.6 times the usual rate
# of read speech (syllables a second without pauses, Pellegrino et al. 2011: Japanese 7.8, Spanish
# 7.8, French 7.2, Italian 7.0, English 6.2, German 6.0, Mandarin 5.2; Korean, Portuguese and
# Russian guessed from their neighbours), over the letters that a syllable is written with.
LETTER_MS = {
    "english": 95,  # 3.7 slow syllables a second, 2.9 letters each
    "german": 95,  # 3.6, 2.9
    "french": 85,  # 4.3, 2.8: many letters are silent
    "italian": 100,  # 4.2, 2.4
    "spanish": 95,  # 4.7, 2.3
    "portuguese": 105,  # 4.2, 2.3
    "russian": 105,  # 3.9, 2.4
}
OTHER_LETTER_MS = 110  # language left open, or letters inside a text in another script
IDEOGRAPH_MS = {"chinese": 330}  # one syllable, 3.1 a second
OTHER_IDEOGRAPH_MS = 430  # in Japanese two morae or more
KANA_MS = 220  # one mora, 4.7 a second
HANGUL_MS = 270  # one syllable, 3.7 a second
OTHER_SCRIPT_MS = 170  # many leave vowels unwritten, or write one sign for a syllable
CAPITAL_MS = 250  # abbreviations are spelled
NUMERAL_MS = 800  # digits become words, at worst two for one digit
SYMBOL_MS = 600  # "%", "=", an emoji: one spoken word
SENTENCE_MS, CLAUSE_MS, SPACE_MS = 600, 300, 50  # pauses
SENTENCE_ENDS = frozenset(".!?:;…\n。！？：；．।؟۔")
CLAUSE_ENDS = frozenset(",-–—~、，،・·〜～")

GENEROUS = 3.0  # times slow reading: nobody who speaks with feeling is cut off
INSTRUCTED = 4.5  # "very slowly, with long pauses"
FLOOR_S = 4.0  # the least budget, and the budget of every single character
FASTEST = 3.0  # slow reading over this: in less time the text cannot have been said

# Held vowels and pauses inside speech repeat a first code for some 15 frames (1.2 s) at most; a
# broken clone was seen to repeat one 59 times.
LOOP_FRAMES = 25  # 2 s
LONGEST_CYCLE = 12  # frames: 0.96 s, a word or two
CYCLES = 4  # a word said three times is speech, and even that is not the same codes for 2 s

# Pauses inside speech reach about 1 s (1.04 s was seen). -50 dBFS is below a quiet room as
# recorded, and 30 dB below speech.
SILENCE_S = 2.0
SILENCE_DBFS = -50.0
WINDOW_S = 0.02


def frame_budget(text: str, language: str, instruct: bool = False) -> int:
    """Frames that no normal reading of `text` needs; at least 50 (4 s).

    `language` is a name or an ISO code; any other, such as "Auto", counts as the slowest. Adding
    to a text never lowers its budget.
    """
    return _budget(slow_reading_s(text, language), instruct)


def _budget(reading_s: float, instruct: bool) -> int:
    times = INSTRUCTED if instruct else GENEROUS
    return math.ceil(max(times * reading_s, FLOOR_S) * FRAMES_PER_S)


def slow_reading_s(text: str, language: str) -> float:
    """Seconds that a slow reader takes. A run of pauses, or of one symbol, counts once."""
    return SlowReader(language).read(text)


class SlowReader:
    """Adds up the seconds that a slow reader takes, for a text in pieces."""

    def __init__(self, language: str):
        name = language.strip().lower()
        self.language = ISO_639.get(name.replace("_", "-").split("-")[0], name)
        self.total_ms, self.run = 0, ""

    def read(self, text: str) -> float:
        """Go on with `text`; the seconds of all so far."""
        for char in text:
            cost_ms, run = _cost(char, self.language)
            if not run or run != self.run:
                self.total_ms += cost_ms
            self.run = run
        return self.total_ms / 1000


def _cost(char: str, language: str) -> tuple[int, str]:
    """Milliseconds of one character, and the run it belongs to ("" for none)."""
    if char in SENTENCE_ENDS:
        return SENTENCE_MS, "sentence"
    if char in CLAUSE_ENDS:
        return CLAUSE_MS, "clause"
    kind = unicodedata.category(char)
    if kind in ("Zs", "Zl", "Zp", "Cc", "Ps", "Pe", "Pi", "Pf") or char in "'\"":
        return SPACE_MS, "space"
    if kind[0] in "PS":
        return SYMBOL_MS, char
    if kind[0] == "C":  # invisible
        return 0, ""
    if kind[0] == "N":
        return NUMERAL_MS, ""
    return CAPITAL_MS if kind in ("Lu", "Lt") else _letter_ms(char, language), ""


def _letter_ms(char: str, language: str) -> int:
    name = unicodedata.name(char, "").removeprefix("HALFWIDTH ").removeprefix("FULLWIDTH ")
    if name.startswith(("LATIN", "CYRILLIC", "GREEK", "COMBINING")):
        return LETTER_MS.get(language, OTHER_LETTER_MS)
    if name.startswith(("CJK", "IDEOGRAPHIC")):
        return IDEOGRAPH_MS.get(language, OTHER_IDEOGRAPH_MS)
    if name.startswith(("HIRAGANA", "KATAKANA")):
        return KANA_MS
    return HANGUL_MS if name.startswith("HANGUL") else OTHER_SCRIPT_MS


class LoopDetector:
    """Fires when the first codes of the last frames go round in a cycle of 1 to 12 frames.

    A cycle must have come `CYCLES` times and have lasted `LOOP_FRAMES`. First codes carry what is
    said, and whole frames in a cycle are first codes in a cycle, so the others are not looked at.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.keep_frames = 0  # once it has fired: up to the end of the first round
        self._last: deque[int] = deque(maxlen=LONGEST_CYCLE)  # newest first
        self._same = [0] * LONGEST_CYCLE  # frames in a row equal to the one n + 1 before

    def add(self, codes: Sequence[int]) -> bool:
        """Take one frame of codes; True when it completes a loop."""
        first, fired = int(codes[0]), False
        self.frames += 1
        for n, before in enumerate(self._last, start=1):
            self._same[n - 1] = self._same[n - 1] + 1 if before == first else 0
            lasted = self._same[n - 1] + n
            if not fired and lasted >= max(CYCLES * n, LOOP_FRAMES):
                fired, self.keep_frames = True, self.frames - lasted + n
        self._last.appendleft(first)
        return fired


class SilenceDetector:
    """Fires after 2 s below -50 dBFS that follow speech, all of it with the text used up."""

    def __init__(self, sample_rate: int):
        self.sample_rate = sample_rate
        self.samples = 0  # taken so far
        self.quiet = 0  # windows in a row
        self.counted = 0  # those of them that came with the text used up
        self._window = round(WINDOW_S * sample_rate)
        self._spoken = False
        self._rest = np.zeros(0, dtype=np.float32)  # samples of a window not complete yet
        self._quiet_sum = 10 ** (SILENCE_DBFS / 10) * self._window  # of squares in a window

    def add(self, samples: NDArray[np.floating], text_exhausted: bool) -> bool:
        """Take decoded samples, [N] in -1..1, in pieces of any size; True when silence is long."""
        self.samples += len(samples)
        joined = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        whole = len(joined) // self._window * self._window
        self._rest = joined[whole:]
        windows = joined[:whole].reshape(-1, self._window)
        fired = False
        for squares in np.einsum("wn,wn->w", windows, windows).tolist():
            quiet = squares < self._quiet_sum
            self._spoken |= not quiet
            self.quiet = self.quiet + 1 if quiet and self._spoken else 0
            self.counted = self.counted + 1 if self.quiet and text_exhausted else 0
            fired |= self.counted * WINDOW_S >= SILENCE_S
        return fired


@dataclass(frozen=True)
class Verdict:
    """What ended a request, what to do, and how many of its frames are worth keeping."""

    finish_reason: str  # "length" or "guard:budget", "guard:loop", "guard:silence"
    action: str  # "stop", "retry" with a new seed, or "error"
    keep_frames: int

    def error(self) -> StreamFailed:
        kept_s = self.keep_frames / FRAMES_PER_S
        return StreamFailed(
            f"speech ran away ({self.finish_reason}) after {kept_s:.1f} s; try another seed, "
            'or guard policy "retry" or "stop"'
        )


class Guard:
    """All guards of one request. Raises `InvalidRequest` for an unknown policy.

    `max_frames` is the request's own limit, which is never above what the positions allow:
    reaching it is "length", an end like any other. `limited` says that the caller chose it: then it
    takes the place of the budget. Who chose it, or the seed (`fixed`), wants this very speech: no
    retry then, and none once sound has left.
    """

    def __init__(
        self,
        text: str,
        language: str,
        *,
        instruct: bool = False,
        max_frames: int,
        sample_rate: int,
        policy: str = "retry",
        limited: bool = False,
        fixed: bool = False,
    ):
        if policy not in POLICIES:
            raise InvalidRequest(f"guard policy {policy!r} is unknown; have: {', '.join(POLICIES)}")
        self.reader, self.instruct, self.reading_s = SlowReader(language), instruct, 0.0
        self.text_open = False  # more text may come: until it has ended, nothing is too long
        self.max_frames, self.limited, self.policy, self.fixed = max_frames, limited, policy, fixed
        self.retries = 0
        self.sound_left = False  # set it when the first chunk goes to the caller
        self._loop, self._silence = LoopDetector(), SilenceDetector(sample_rate)
        self.extend(text)

    @property
    def budget(self) -> int:
        """Frames that no normal reading of the text so far needs, or those that were asked for."""
        return self.max_frames if self.limited else _budget(self.reading_s, self.instruct)

    def extend(self, text: str) -> None:
        """More text to speak, where it arrives in pieces."""
        self.reading_s = self.reader.read(text)

    def restart(self) -> None:
        """Begin again after the verdict "retry", with no frames."""
        assert not self.sound_left, "sound has left already"
        self.retries += 1
        self._loop, self._silence = LoopDetector(), SilenceDetector(self._silence.sample_rate)

    def frame(self, codes: Sequence[int]) -> Verdict | None:
        """Take one frame of codes; a verdict when it should be the last one."""
        looped, frames = self._loop.add(codes), self._loop.frames
        if looped and self.policy != "off":
            return self._verdict("guard:loop", self._loop.keep_frames)
        if frames >= self.max_frames:
            return Verdict("length", "stop", frames)
        if self.policy == "off" or self.text_open:
            return None
        return self._verdict("guard:budget", frames) if frames >= self.budget else None

    def sound(self, samples: NDArray[np.floating], text_exhausted: bool) -> Verdict | None:
        """Take decoded samples [N]; `text_exhausted` when no text is left to feed to the model.

        With the whole text in the prompt that says little, so the detector also waits until the
        text can have been said.
        """
        if self.policy == "off":
            return None
        least_samples = self.reading_s / FASTEST * self._silence.sample_rate
        exhausted = text_exhausted and self._silence.samples >= least_samples
        if not self._silence.add(samples, exhausted):
            return None
        heard_s = self._silence.samples / self._silence.sample_rate - self._silence.quiet * WINDOW_S
        return self._verdict("guard:silence", math.ceil(heard_s * FRAMES_PER_S))

    def _verdict(self, finish_reason: str, keep_frames: int) -> Verdict:
        action = self.policy
        fixed = self.fixed or self.limited
        if action == "retry" and (fixed or self.sound_left or self.retries >= MAX_RETRIES):
            action = "stop"
        return Verdict(finish_reason, action, keep_frames)
