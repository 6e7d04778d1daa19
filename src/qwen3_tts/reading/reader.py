"""Read text of any length aloud, segment by segment, with memory for a few of them.

    for chunk in read(tts, plan(prepare(text).pieces), "ryan"):
        play(chunk.wave)

One segment is made while the last is listened to. The first leaves while it is made, so sound
begins as early as for a short text; the others are whole before they are heard, so that each can be
made again if it went wrong, and be as loud as the rest.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from qwen3_tts.audio.speed import TimeStretch
from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.errors import InvalidRequest, InvalidText
from qwen3_tts.reading.cache import SegmentCache
from qwen3_tts.reading.context import Context, Restart, chosen_context, goes_on
from qwen3_tts.reading.join import Gap, Joiner, Joins, Sound
from qwen3_tts.reading.making import Maker, Making, Places, Workshop
from qwen3_tts.reading.matching import Loudness
from qwen3_tts.reading.plan import ReadSegment
from qwen3_tts.types import Sampling, SpeechRequest, Voice, Wave

Streamed = Literal["first", "all", "none"]
MOST_PARALLEL, MOST_AHEAD, MOST_RETRIES = 64, 64, 10
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class ReadOptions:
    """How a text is read. Raises `InvalidRequest` for values out of range.

    `streamed` says whose sound leaves while it is made: of "first" segment, of "all" (where making
    is hardly faster than listening; no retries and no matching of loudness then), or of "none",
    which makes every sample the same in every run. `ahead` segments are made while one is listened
    to, `parallel` of them at once; with more than one, samples may differ in their last bit from
    run to run, as shared steps round differently. `retries` is how often a segment is made again
    that ran away, broke off or stayed silent. `context` and `restart`: see `reading.context`.
    `model` tells the cache which weights speak, and how they are run.
    """

    language: str = "Auto"
    instruct: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    text_first: bool | None = None
    priority: str = "normal"
    seed: int = 0
    context: Context = "auto"
    restart: Restart = "paragraph"
    streamed: Streamed = "first"
    ahead: int = 1
    parallel: int = 1
    retries: int = 2
    joins: Joins = field(default_factory=Joins)
    model: str = ""

    def __post_init__(self) -> None:
        if self.streamed not in ("first", "all", "none"):
            raise InvalidRequest(f"streamed {self.streamed!r} is unknown; have: first, all, none")
        for name, least, most in (
            ("seed", 0, MAX_SEED),
            ("ahead", 0, MOST_AHEAD),
            ("parallel", 1, MOST_PARALLEL),
            ("retries", 0, MOST_RETRIES),
        ):
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise InvalidRequest(f"{name} is {value!r}, allowed: {least} to {most}")


@dataclass(frozen=True)
class Made:
    """How a segment came about; `fault` is what is wrong with it all the same (`Spoken.fault`)."""

    seed: int
    attempts: int
    cached: bool
    seconds: float  # as the model made it
    gain_db: float
    fault: str | None


@dataclass(frozen=True, eq=False)
class ReadChunk:
    """A piece of the reading; all of them put together are the whole.

    `segment` is whose sound it is, None for silence between two. The last chunk of a segment tells
    how it was `made`; it may be empty.
    """

    wave: Wave  # [n]
    start_s: float  # where it begins in the reading
    segment: ReadSegment | None
    made: Made | None = None


def read(
    synth: Synthesizer,
    segments: Iterable[ReadSegment],
    voice: Voice | str | None = None,
    *,
    options: ReadOptions | None = None,
    cache: SegmentCache | None = None,
) -> Iterator[ReadChunk]:
    """Read segments in order; see `plan` for where they come from.

    Raises `InvalidRequest` for what cannot be, at once or when the first segment is made;
    `InvalidText` where there is nothing to read, and `StreamError` for what fails on the way.
    Closing the iterator stops what is being made.
    """
    options = options or ReadOptions()
    if cache is not None and not options.model:
        raise InvalidRequest("a cache needs `model` in the options: which weights speak, and how")
    request = SpeechRequest(
        text="",
        voice=voice,
        language=options.language,
        instruct=options.instruct,
        sampling=options.sampling,
        text_first=options.text_first,
        priority=options.priority,
        guard="stop",  # a spoken that ran away is made again here, with a seed that can be repeated
    )
    context = chosen_context(options.context, synth.kind, voice)
    places = Places(options.seed)
    maker = Maker(
        synth,
        request,
        places,
        context=context,
        retries=options.retries,
        cache=cache,
        model=options.model,
    )
    gain_db = (voice.gain_db if isinstance(voice, Voice) else None) or 0.0
    assembly = _Assembly(synth.sample_rate, options.joins, gain_db)
    return _read(maker, _makings(segments, places, context, options), assembly, options)


def _read(
    maker: Maker, makings: Iterable[Making], assembly: "_Assembly", options: ReadOptions
) -> Iterator[ReadChunk]:
    last = None
    with Workshop(maker, ahead=options.ahead, parallel=options.parallel) as workshop:
        for making in workshop.run(makings):
            yield from assembly.add(making)
            last = making.segment
    if last is None:
        raise InvalidText("there is nothing to read; give at least one word to speak")
    yield from assembly.finish(last.after)


def _makings(
    segments: Iterable[ReadSegment], places: Places, context: Context, options: ReadOptions
) -> Iterator[Making]:
    before: Making | None = None
    for segment in segments:
        follows = goes_on(segment, options.restart) and context != "none"
        wanted = options.streamed == "all" or (options.streamed == "first" and before is None)
        making = Making(
            segment,
            places.next(segment.text),
            streamed=wanted and segment.rate == 1,  # a stretch needs the whole of it
            before=before if follows else None,
        )
        yield making
        before = making


class _Assembly:
    """Segments on their way out: how loud, how fast, and what lies between them.

    `gain_db` is the voice's own, the same for all of them.
    """

    def __init__(self, rate: int, joins: Joins, gain_db: float):
        self.rate, self.gain_db, self.samples = rate, gain_db, 0
        self.joiner = Joiner[ReadSegment](rate, joins)
        self.loudness = Loudness(joins.match_db)
        self.ended: tuple[ReadSegment, Made] | None = None  # its last sound is still held back

    def add(self, making: Making) -> Iterator[ReadChunk]:
        segment, loudness = making.segment, self.loudness
        gain_db = self.gain_db + segment.volume_db
        self.joiner.begin(segment, segment.before, loudness.quiet_db + gain_db)
        if making.streamed:
            for wave in making.heard():
                yield from self._out(self.joiner.push(_louder(wave, gain_db)))
            spoken = making.spoken.result()
            loudness.hear(spoken.wave, self.rate)
        else:
            spoken = making.spoken.result()
            wave = _stretched(spoken.wave, self.rate, segment.rate)
            gain_db = loudness.gain_db(wave, self.rate, gain_db)
            yield from self._out(self.joiner.push(_louder(wave, gain_db)))
        yield from self._out(self.joiner.end())
        fault = spoken.fault(segment.text)
        made = Made(spoken.seed, spoken.attempts, spoken.cached, spoken.seconds, gain_db, fault)
        if self.joiner.heard:
            self.ended = segment, made
        else:
            yield ReadChunk(np.zeros(0, np.float32), self.samples / self.rate, segment, made)

    def finish(self, gap: Gap) -> Iterator[ReadChunk]:
        yield from self._out(self.joiner.finish(gap))

    def _out(self, sounds: Iterable[Sound[ReadSegment]]) -> Iterator[ReadChunk]:
        for sound in sounds:
            made = None
            if self.ended is not None and sound.owner is self.ended[0]:
                made, self.ended = self.ended[1], None
            yield ReadChunk(sound.wave, self.samples / self.rate, sound.owner, made)
            self.samples += len(sound.wave)


def _louder(wave: Wave, gain_db: float) -> Wave:
    if not gain_db:
        return wave
    louder: Wave = np.clip(wave * np.float32(10 ** (gain_db / 20)), -1.0, 1.0)
    return louder


def _stretched(wave: Wave, sample_rate: int, rate: float) -> Wave:
    stretch = TimeStretch(sample_rate, rate)
    return np.concatenate([stretch.push(wave), stretch.finish()])
