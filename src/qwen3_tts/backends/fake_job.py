"""One request to a fake engine: its text, how far it has come, and what comes next."""

import math
import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from qwen3_tts.backends.fake_sound import FRAME, RATE, Commands, Timbre, codes_of, sound_of, tones
from qwen3_tts.engine.stream import Channel, Outcome, TextFeed
from qwen3_tts.errors import InvalidText, OutOfMemory, StreamError, StreamFailed
from qwen3_tts.types import AudioChunk, Timing

FRAME_S = FRAME / RATE
BUDGET_FRAMES = 750  # where the guard stops a text without an end: a minute
LONGEST_FRAMES = 8191  # where it ends with the guard off
UNBOUNDED = 2**31

Ending = tuple[int, str | StreamError]  # after how many frames, and finish reason or error


@dataclass(frozen=True)
class FakePace:
    """How fast sound is made: the first chunk `first_audio_s` after a row was given, any other
    `frame_s` per frame after the one before it. With 0 all of it is there at once."""

    frames_per_char: int = 1
    first_audio_s: float = 0.0
    frame_s: float = 0.0
    chunk_plan: tuple[int, ...] = (1, 2, 4, 8, 12)
    text_timeout_s: float = 30.0
    faults: str = ""  # commands that hold for every text


class Owner(Protocol):
    def complaint(self) -> str | None: ...
    def touch(self, job: "FakeJob") -> None: ...


class FakeFeed(TextFeed):
    """Text on its way from a caller to the fake, which needs no ids."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ids: list[int] = []
        self.text = ""
        self.ended = self.has_words = False

    def feed(self, text: str) -> None:
        check_characters(text)
        with self.lock:
            if self.ended:
                raise InvalidText("text was fed after end(); open a new stream for it")
            self.text += text
            self.has_words |= bool(text.strip())

    def end(self) -> None:
        with self.lock:
            self.ended = True


def check_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        unit = ord(text[error.start])
        raise InvalidText(
            f"the text has a lone surrogate U+{unit:04X} at character {error.start}; "
            "only whole Unicode characters are allowed"
        ) from None


@dataclass(eq=False)
class FakeJob:
    """Times are readings of the monotonic clock. It is the `Health` of its channel."""

    owner: Owner
    pace: FakePace
    text: str
    timbre: Timbre
    seed: int
    max_frames: int | None
    guard: str
    priority: str
    feed: FakeFeed | None = None
    made_s: float = field(default_factory=time.monotonic)
    started_s: float | None = None  # a row was given
    due_s: float = 0.0  # when the next chunk comes
    coming: int = 0  # its frames
    event: int = 0  # the number of the event that is awaited; older ones are void
    frames: int = 0  # sent
    sent_s: list[float] = field(default_factory=list)  # of each chunk, since `made_s`
    dry_s: float = math.inf  # when a player has played all it was given, since `made_s`
    underrun_s: float = 0.0

    def __post_init__(self) -> None:
        self.channel = Channel(self, self.feed)
        self.text_ended = self.feed is None
        self.commands = Commands.of(self.pace.faults + self.text)

    def complaint(self) -> str | None:
        return self.owner.complaint()

    def wake(self) -> None:
        self.owner.touch(self)

    def look_ahead(self, now_s: float) -> float | None:
        """Take the text that came, and decide on the next chunk. Returns when to `advance`."""
        self._read()
        if self.commands.hang:
            return None
        end, plan = self.ending(), self.pace.chunk_plan
        left = (UNBOUNDED if end is None else end[0]) - self.frames
        wanted = plan[min(len(self.sent_s), len(plan) - 1)]
        self.coming = max(0, min(wanted, left, self._spoken() - self.frames))
        if not self.coming and left > 0:
            return now_s + self.pace.text_timeout_s
        self.due_s = self._due_s(now_s)
        return self.due_s

    def advance(self, now_s: float) -> str | StreamError | None:
        """Send the next chunk. Returns how the speech ended, None while it goes on."""
        end = self.ending()
        if end is not None and self.frames + self.coming >= end[0]:
            self._send(now_s, final=isinstance(end[1], str))
            return end[1]
        if not self.coming:
            return "text_timeout"
        self._send(now_s, final=False)
        return None

    def ending(self) -> Ending | None:
        """The first of all ends there are, None while the text is open and nothing else ends it."""
        spoken = self._spoken() if self.text_ended else UNBOUNDED
        ends: list[Ending] = []
        if (at := self.commands.fail_at) is not None:
            ends.append((min(at, spoken), StreamFailed(f"failed after {at} frames, as told")))
        if (at := self.commands.oom_at) is not None:
            ends.append((min(at, spoken), OutOfMemory(f"no memory after {at} frames, as told")))
        if not self.commands.endless and self.text_ended:
            ends.append((spoken, "stop"))
        if self.max_frames is not None:
            ends.append((self.max_frames, "length"))
        elif self.commands.endless:
            ends.append(self._runaway())
        return min(ends, key=lambda end: end[0]) if ends else None

    def outcome(self, reason: str, now_s: float) -> Outcome:
        chosen = tones(self.text, self.timbre, self.pace.frames_per_char, 0, self.frames)
        queued_s = (self.started_s or now_s) - self.made_s
        first_s = self.sent_s[0] if self.sent_s else 0.0
        timing = Timing(
            queued_s=queued_s,
            prefill_s=queued_s,
            first_frame_s=first_s,
            first_audio_s=first_s,
            codes_s=now_s - self.made_s,
            total_s=now_s - self.made_s,
            frames=self.frames,
            audio_s=self.frames * FRAME_S,
            underrun_s=self.underrun_s,
            chunk_s=tuple(self.sent_s),
        )
        return Outcome(codes_of(chosen, self.timbre), self.seed, reason, timing)

    def _read(self) -> None:
        if self.feed is None:
            return
        _, new, self.text_ended = self.feed.take()
        if new:
            self.text += new
            self.commands = Commands.of(self.pace.faults + self.text)

    def _spoken(self) -> int:
        """Frames that the text so far is good for."""
        endless = self.commands.endless and self.text
        return UNBOUNDED if endless else len(self.text) * self.pace.frames_per_char

    def _runaway(self) -> Ending:
        if self.guard == "off":
            return LONGEST_FRAMES, "length"
        if self.guard == "error":
            return BUDGET_FRAMES, StreamFailed("speech ran away: more than its text needs")
        return BUDGET_FRAMES, "guard:budget"

    def _due_s(self, now_s: float) -> float:
        """Kept by a clock of its own, so that what comes late does not delay what follows."""
        slow_s = self.commands.slow_s
        if not self.sent_s:
            assert self.started_s is not None
            first_s = self.pace.first_audio_s if slow_s is None else self.coming * slow_s
            return max(now_s if self.feed else 0.0, self.started_s + first_s)
        before_s = max(self.due_s, now_s) if self.feed else self.due_s  # its text may be new
        return before_s + self.coming * (self.pace.frame_s if slow_s is None else slow_s)

    def _send(self, now_s: float, final: bool) -> None:
        start, stop = self.frames, self.frames + self.coming
        if not self.coming and not final:
            return
        wave = sound_of(
            tones(self.text, self.timbre, self.pace.frames_per_char, start, stop), self.timbre
        )
        at_s = now_s - self.made_s
        if self.coming:
            self.underrun_s += max(0.0, at_s - self.dry_s)
            begins_s = at_s if math.isinf(self.dry_s) else max(self.dry_s, at_s)
            self.dry_s = begins_s + self.coming * FRAME_S
        self.channel.put(AudioChunk(wave, len(self.sent_s), start * FRAME_S, final))
        self.sent_s.append(at_s)
        self.frames, self.coming = stop, 0
