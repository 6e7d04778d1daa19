"""The sound of segments, made in threads of their own while others are listened to.

`Workshop` keeps the order and the threads, `Maker` makes one segment: from the cache, or with the
synthesizer, again with other seeds if that cannot be right.
"""

import hashlib
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.errors import Cancelled, Overloaded
from qwen3_tts.reading.cache import SegmentCache, segment_key
from qwen3_tts.reading.context import Context, voice_after
from qwen3_tts.reading.plan import ReadSegment
from qwen3_tts.reading.spoken import Spoken, worth
from qwen3_tts.types import Speech, SpeechRequest, Voice, Wave

SEEDS = 2**32
# For an engine that others keep busy: seconds between tries, and in all for one segment.
SHORTEST_WAIT_S, LONGEST_WAIT_S, PATIENCE_S = 0.1, 5.0, 120.0
REMEMBERED = 1_024  # different texts, of which the newest count how often they came


class Places:
    """Seeds from a run's seed and a segment's place: its text, and how often that came before.

    So the same text in the same book is read alike in every run, a refrain is not, and a line that
    is put in or taken out changes the seeds of no others.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def next(self, text: str) -> int:
        """Which time this text comes, from 0; of the last thousand texts."""
        name = hashlib.blake2b(text.encode(), digest_size=8).digest()
        count = self._seen.pop(name, -1) + 1
        self._seen[name] = count
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return count

    def seed_of(self, text: str, time: int, attempt: int) -> int:
        place = f"{self.seed} {time} {attempt} {text}"
        return int.from_bytes(hashlib.blake2b(place.encode(), digest_size=8).digest()) % SEEDS


@dataclass(eq=False)
class Making:
    """One segment under way. `streamed`: its sound leaves in `pieces` while it is made."""

    segment: ReadSegment
    time: int  # which time its text comes
    streamed: bool
    before: "Making | None"  # whose sound it follows; let go of as soon as that has been heard
    spoken: "Future[Spoken]" = field(default_factory=Future)
    pieces: "queue.SimpleQueue[Wave | None]" = field(default_factory=queue.SimpleQueue)

    def heard(self) -> Iterator[Wave]:
        """The sound [n] while it is made. Raises what making it raised."""
        while (piece := self.pieces.get()) is not None:
            yield piece
        self.spoken.result()


class Maker:
    """Makes segments as `request` says, but for text, language, seed and voice."""

    def __init__(
        self,
        synth: Synthesizer,
        request: SpeechRequest,
        places: Places,
        *,
        context: Context,
        retries: int,
        cache: SegmentCache | None,
        model: str,
    ):
        self.synth, self.request, self.places = synth, request, places
        self.context, self.retries, self.cache, self.model = context, retries, cache, model

    def make(self, making: Making, stopped: threading.Event) -> Spoken:
        request = self._request(making)
        key = segment_key(self.model, request, self.retries) if self.cache else ""
        spoken = self.cache.get(key) if self.cache else None
        if spoken is None:
            spoken = self._streamed(making, request, stopped) if making.streamed else None
            spoken = spoken or self._chosen(making, request, stopped)
            if self.cache:
                self.cache.put(key, spoken)
        elif making.streamed:
            making.pieces.put(spoken.wave)
        return spoken

    def _request(self, making: Making) -> SpeechRequest:
        segment, voice = making.segment, self.request.voice
        before, making.before = making.before, None
        if before is not None and isinstance(voice, Voice):
            spoken = before.spoken.result()
            voice = voice_after(voice, self.context, segment, before.segment, spoken)
        return replace(
            self.request,
            text=segment.text,
            language=self._language(segment.language),
            voice=voice,
            seed=self.places.seed_of(segment.text, making.time, 0),
        )

    def _language(self, tagged: str | None) -> str:
        """What a text says of itself counts where the model speaks that language."""
        return tagged if tagged in self.synth.languages else self.request.language

    def _chosen(self, making: Making, request: SpeechRequest, stopped: threading.Event) -> Spoken:
        """The first that has nothing wrong, else the best of `retries` + 1."""
        best, least = None, 0
        for attempt in range(self.retries + 1):
            if stopped.is_set():
                raise Cancelled("the reading was given up")
            seed = self.places.seed_of(request.text, making.time, attempt)
            speech = self._speech(replace(request, seed=seed), stopped)
            spoken = Spoken.of(
                speech.wave,
                speech.sample_rate,
                speech.codes,
                seed=speech.seed,
                finish_reason=speech.finish_reason,
                attempts=attempt + 1,
            )
            value = worth(spoken.fault(request.text))
            if best is None or value < least:
                best, least = spoken, value
            if not value:
                break
        assert best is not None
        return replace(best, attempts=attempt + 1)

    def _speech(self, request: SpeechRequest, stopped: threading.Event) -> Speech:
        """Whole and alone in the engine, where samples do not hang on the clock. A queue that is
        full of others' requests is waited for."""
        waited_s = 0.0
        while True:
            try:
                return self.synth.synthesize_batch([request])[0]
            except Overloaded as error:
                if waited_s > PATIENCE_S:
                    raise
                wait_s = min(max(error.retry_after_s, SHORTEST_WAIT_S), LONGEST_WAIT_S)
                waited_s += wait_s
                if stopped.wait(wait_s):
                    raise Cancelled("the reading was given up") from None

    def _streamed(self, making: Making, request: SpeechRequest, stopped: threading.Event) -> Spoken:
        """What has been heard cannot be taken back, so it is spoken once."""
        waves: list[NDArray[np.int16]] = []
        with self.synth.stream(
            request.text,
            voice=request.voice,
            language=request.language,
            instruct=request.instruct,
            sampling=request.sampling,
            seed=request.seed,
            text_first=request.text_first,
            priority=request.priority,
            guard=request.guard,
        ) as stream:
            for chunk in stream:
                if stopped.is_set():
                    raise Cancelled("the reading was given up")
                pcm = np.frombuffer(pcm16(chunk.wave), "<i2")
                waves.append(pcm)
                making.pieces.put(pcm.astype(np.float32) / np.float32(32768))
            pcm = np.concatenate(waves) if waves else np.zeros(0, np.int16)
            reason = stream.finish_reason
            return Spoken(pcm, stream.sample_rate, stream.codes, stream.seed, reason)


class Workshop:
    """Segments in order, each with the next `ahead` of them in hand, by `parallel` threads.

    Close it, or use it as a context: what has not been begun is dropped, what has been is left to
    end by itself.
    """

    def __init__(self, maker: Maker, *, ahead: int, parallel: int):
        self._maker, self._under_way = maker, ahead + parallel
        self._work: queue.SimpleQueue[Making | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"reading {number}", daemon=True)
            for number in range(parallel)
        ]

    def __enter__(self) -> "Workshop":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        for _ in self._threads:
            self._work.put(None)

    def run(self, makings: Iterable[Making]) -> Iterator[Making]:
        """Hand out each as soon as it is its turn; its sound may still be under way."""
        waiting: deque[Making] = deque()
        for making in makings:
            self._work.put(making)
            waiting.append(making)
            if len(waiting) >= self._under_way:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()

    def _run(self) -> None:
        while (making := self._work.get()) is not None:
            try:
                if self._stopped.is_set():
                    raise Cancelled("the reading was given up")
                making.spoken.set_result(self._maker.make(making, self._stopped))
            except BaseException as error:  # the border of a thread: the caller meets it
                making.spoken.set_exception(error)
            making.pieces.put(None)
            del making  # a thread that waits holds no sound
