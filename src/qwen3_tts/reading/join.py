"""Segments become one wave: the pause at each seam, and no click in it.

A pause counts from the last sound of one segment to the first of the next. The model's own silence
is part of it: what is missing is added as zeros, what is too much is cut out of the middle, so
pauses never pile up. Waves are float32 [N]; everything streams, and what comes out does not depend
on how the waves were cut into pieces.
"""

from dataclasses import dataclass, fields
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.reading.matching import window_powers
from qwen3_tts.types import Wave

Owner = TypeVar("Owner")
GapKind = Literal["start", "none", "clause", "sentence", "paragraph", "section", "end"]
Range = tuple[float, float]  # seconds, least and most
Loud = NDArray[np.bool_]  # of windows

WINDOW_S = 0.01
# A decoder may begin with a crackle of 10 ms, well before the first sound. So speech begins with
# the first loud window of which most of the next 50 ms are loud.
ONSET_WINDOWS, ONSET_LOUD = 5, 3
CRACKLE_WINDOWS = 2  # of silence behind one; the burst of a plosive is nearer to what follows
LEAD_S = 0.08  # kept of the silence before speech, as a soft beginning may be in there
LONGEST_FADE_S = 0.005
LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True)
class Gap:
    """What lies between two segments: a kind of pause, or `seconds` of an exact one."""

    kind: GapKind = "none"
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 <= self.seconds <= LONGEST_PAUSE_S:
            raise InvalidRequest(
                f"a pause of {self.seconds:g} s is not in 0..{LONGEST_PAUSE_S:g} s"
            )


@dataclass(frozen=True)
class Joins:
    """The least and the most seconds of each kind of pause, and what else happens at a seam.

    "none" is where a text had to be cut inside a clause. `match_db` is the most that a segment is
    made louder or softer to be like the ones before; 0 leaves all as they are. Raises
    `InvalidRequest` for values that make no sense.
    """

    start: Range = (0.0, 0.3)
    none: Range = (0.0, 0.12)
    clause: Range = (0.08, 0.25)
    sentence: Range = (0.15, 0.35)
    paragraph: Range = (0.5, 0.7)
    section: Range = (1.0, 1.5)
    end: Range = (0.0, 0.5)
    fade_s: float = 0.004
    match_db: float = 6.0

    def __post_init__(self) -> None:
        for field in fields(self)[:7]:
            least, most = getattr(self, field.name)
            if not 0 <= least <= most <= LONGEST_PAUSE_S:
                raise InvalidRequest(
                    f"the pause `{field.name}` is {least:g}..{most:g} s; it must be two numbers "
                    f"in 0..{LONGEST_PAUSE_S:g}, the smaller one first"
                )
        if not 0 <= self.fade_s <= LONGEST_FADE_S:
            raise InvalidRequest(f"fade_s is {self.fade_s:g}, allowed: 0 to {LONGEST_FADE_S:g}")
        if not 0 <= self.match_db <= 20:
            raise InvalidRequest(f"match_db is {self.match_db:g}, allowed: 0 to 20")

    def samples(self, gap: Gap, silent: int, rate: int) -> int:
        """How long the pause is to be, where the segments bring `silent` samples of their own."""
        if gap.seconds is not None:
            return round(gap.seconds * rate)
        pause: Range = getattr(self, gap.kind)
        least, most = pause
        return max(round(least * rate), min(silent, round(most * rate)))


@dataclass(frozen=True, eq=False)
class Sound(Generic[Owner]):
    """A piece of what is heard; silence that was added has no owner."""

    wave: Wave
    owner: Owner | None


class Joiner(Generic[Owner]):
    """`begin` a segment, `push` its wave in pieces, `end` it; after the last one `finish`."""

    def __init__(self, rate: int, joins: Joins):
        self.rate, self.joins = rate, joins
        self._window = round(WINDOW_S * rate)
        self._fade = _fade_in(round(joins.fade_s * rate))
        self._gap = Gap("start")
        self._gap_is_open = True  # until the next sound
        self._rest = _nothing()  # less than a window
        self._lead = _nothing()  # silence before the first sound of a segment
        self._held = _nothing()  # the end of what was heard: a fade's length, then silence
        self._silent = 0  # samples of silence at its end
        self._old: Owner | None = None  # whose they are
        self._owner: Owner | None = None
        self._started = False
        self._quiet_power = 0.0

    @property
    def heard(self) -> bool:
        """Whether the segment that was begun last has had any sound."""
        return self._started

    def begin(self, owner: Owner, gap: Gap, quiet_db: float) -> None:
        """The next segment, after `gap`. What lies under `quiet_db` is silence."""
        self._gap = _joined(self._gap, gap) if self._gap_is_open else gap
        self._gap_is_open = True
        self._owner, self._started = owner, False
        self._quiet_power = 10 ** (quiet_db / 10)

    def push(self, wave: Wave) -> list[Sound[Owner]]:
        """The next samples [N] of any number; what can be heard by now."""
        wave = np.concatenate([self._rest, wave])
        whole = len(wave) // self._window * self._window
        self._rest = wave[whole:]
        loud = window_powers(wave[:whole], self._window) >= self._quiet_power
        return self._take(wave[:whole], loud, self._window, last=False)

    def end(self) -> list[Sound[Owner]]:
        """The segment is over. One without any sound leaves nothing but its gaps."""
        rest, self._rest = self._rest, _nothing()
        loud = np.zeros(0, bool)
        if len(rest):
            loud = np.array([float(np.mean(rest**2)) >= self._quiet_power])
        sounds = self._take(rest, loud, len(rest) or self._window, last=True)
        self._lead = _nothing()
        return sounds

    def finish(self, gap: Gap | None = None) -> list[Sound[Owner]]:
        """The rest, and the silence at the end: an exact one, or up to that of `Joins.end`."""
        gap = gap if gap is not None and gap.seconds is not None else Gap("end")
        if self._gap_is_open:
            gap = _joined(self._gap, gap)
        return self._close(_nothing(), gap, 0)[0]

    def _take(self, wave: Wave, loud: Loud, newest: int, last: bool) -> list[Sound[Owner]]:
        """Whole windows, and at the end one of `newest` samples that is not."""
        sounds: list[Sound[Owner]] = []
        if not self._started:
            self._lead = wave = np.concatenate([self._lead, wave])
            power = window_powers(wave, self._window) >= self._quiet_power
            loud = np.concatenate([power, loud[-1:]]) if len(wave) % self._window else power
            first = _onset(loud, last)
            if first is None:
                return []
            start = first * self._window
            quiet = _quiet_before(loud, first) * self._window
            pause, lead = self._close(wave[start - quiet : start], self._gap, start)
            sounds += pause
            wave, loud = np.concatenate([lead, wave[start:]]), loud[first:]
            wave = _faded(wave, self._fade)
            self._started, self._gap_is_open, self._lead = True, False, _nothing()
            self._old = self._owner
        if len(wave):
            self._held = np.concatenate([self._held, wave])
            self._silent = self._silence(loud, newest)
        keep = self._silent + max(1, len(self._fade))  # so the end of each is told by its owner
        if len(self._held) > keep:
            sounds.append(Sound(self._held[:-keep], self._old))
            self._held = self._held[len(self._held) - keep :].copy()  # lets go of the rest
        return sounds

    def _silence(self, loud: Loud, newest: int) -> int:
        """Samples at the end that are silent, after new windows, the last of which has `newest`."""
        after = len(loud) if not loud.any() else len(loud) - 1 - int(np.flatnonzero(loud)[-1])
        added = (after - 1) * self._window + newest if after else 0
        return added if loud.any() else self._silent + added

    def _close(self, lead: Wave, gap: Gap, before: int) -> tuple[list[Sound[Owner]], Wave]:
        """The seam: the end of the old segment and the pause, and what is left of `lead`.

        `before` counts the samples of the new segment before its first sound.
        """
        wanted = self.joins.samples(gap, self._silent + before, self.rate)
        lead = lead[len(lead) - min(len(lead), round(LEAD_S * self.rate), wanted) :]
        silent = min(self._silent, wanted - len(lead))
        old = self._held[: len(self._held) - self._silent + silent]
        sounds: list[Sound[Owner]] = []
        if len(old):
            sounds.append(Sound(_faded(old[::-1], self._fade)[::-1], self._old))
        if added := wanted - len(lead) - silent:
            sounds.append(Sound(np.zeros(added, np.float32), None))
        self._held, self._silent = _nothing(), 0
        return sounds, lead


def _onset(loud: Loud, last: bool) -> int | None:
    """The window in which speech begins, None where that is not known yet."""
    if not len(loud):
        return None
    counts = np.convolve(loud, np.ones(ONSET_WINDOWS, int))[ONSET_WINDOWS - 1 :]
    sure = np.flatnonzero(loud & (counts >= ONSET_LOUD))
    if len(sure):
        return int(sure[0])
    if last and loud.any():  # shorter than that altogether
        return int(np.flatnonzero(loud)[0])
    return None


def _quiet_before(loud: Loud, first: int) -> int:
    """Windows of silence just before speech; all that there are, if a sound is nearer than two."""
    earlier = np.flatnonzero(loud[:first])
    quiet = first - 1 - int(earlier[-1]) if len(earlier) else first
    return quiet if quiet >= CRACKLE_WINDOWS else first


def _joined(one: Gap, other: Gap) -> Gap:
    """One gap for two with nothing heard between them: exact ones add up, else the larger."""
    if one.seconds is not None and other.seconds is not None:
        return Gap(other.kind, min(one.seconds + other.seconds, LONGEST_PAUSE_S))
    if one.seconds is not None or other.seconds is not None:
        return one if one.seconds is not None else other
    order = ("end", "start", "none", "clause", "sentence", "paragraph", "section")
    return max(one, other, key=lambda gap: order.index(gap.kind))


def _fade_in(length: int) -> Wave:
    rising = np.sin(np.pi / 2 * (np.arange(length) + 0.5) / max(1, length)) ** 2
    return rising.astype(np.float32)


def _faded(wave: Wave, fade: Wave) -> Wave:
    """A copy that begins softly."""
    faded, length = wave.copy(), min(len(wave), len(fade))
    faded[:length] *= fade[:length]
    return faded


def _nothing() -> Wave:
    return np.zeros(0, np.float32)
