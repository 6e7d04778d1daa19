"""Reading with the fake engine: order, streaming, retries, memory, ends; and what is refused."""

import gc
import threading
import time
import tracemalloc
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.backends.fake_sound import FRAME, RATE
from qwen3_tts.errors import (
    InvalidRequest,
    InvalidText,
    StreamFailed,
    UnknownVoice,
    UnsupportedRequest,
)
from qwen3_tts.reading import making
from qwen3_tts.reading.join import Joins
from qwen3_tts.reading.making import Places
from qwen3_tts.reading.plan import ReadSegment
from qwen3_tts.reading.reader import ReadChunk, ReadOptions, read
from qwen3_tts.reading.spoken import Spoken
from qwen3_tts.types import Speech, SpeechRequest, Voice, Wave
from tests.reading.simple_text import segments

TEXT = "Hello there. How are you today?\n\nFine, thanks. And you? Well enough, I should say."
PLAIN = Joins(match_db=0, fade_s=0)  # nothing is changed, silence is only added


def whole(chunks: Sequence[ReadChunk]) -> Wave:
    return np.concatenate([chunk.wave for chunk in chunks])


def read_all(
    synth: FakeSynthesizer, text: str = TEXT, voice: str | Voice | None = "ann", **options: object
) -> list[ReadChunk]:
    return list(read(synth, segments(text), voice, options=ReadOptions(**options)))


@pytest.fixture
def synth() -> Iterator[FakeSynthesizer]:
    synth = FakeSynthesizer()
    yield synth
    synth.close(drain=False)


def test_every_segment_once_in_order_with_its_pauses(synth: FakeSynthesizer) -> None:
    chunks = read_all(synth, joins=PLAIN)
    places, expected = Places(0), []
    for segment in segments(TEXT):
        seed = places.seed_of(segment.text, places.next(segment.text), 0)
        sound = expected_wave(segment.text, seed=seed, voice="ann")
        sound = np.frombuffer(pcm16(sound), "<i2") / np.float32(32768)  # as files have them
        silence_s = {"sentence": 0.15, "paragraph": 0.5, "end": 0.0}[segment.after.kind]
        expected += [sound, np.zeros(round(silence_s * RATE), np.float32)]
    # A tone of some voices is so soft that ends of it count as silence; none of these.
    assert np.array_equal(whole(chunks), np.concatenate(expected))
    at_s = 0.0
    for chunk in chunks:
        assert chunk.start_s == pytest.approx(at_s, abs=1e-9)
        at_s += len(chunk.wave) / RATE
    made = [chunk.segment.index for chunk in chunks if chunk.made and chunk.segment]
    assert made == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("streamed", ["first", "all", "none"])
@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("ahead", [0, 2])
def test_the_same_reading_however_it_is_made(
    synth: FakeSynthesizer, streamed: str, parallel: int, ahead: int
) -> None:
    """But for loudness, which cannot be matched where sound has left already."""
    joins = Joins(match_db=0)
    expected = whole(read_all(synth, streamed="none", joins=joins))
    options = {"streamed": streamed, "parallel": parallel, "ahead": ahead, "joins": joins}
    assert np.array_equal(whole(read_all(synth, **options)), expected)


def test_the_first_sound_leaves_before_the_first_segment_is_made() -> None:
    synth = FakeSynthesizer(first_audio_s=0.0, frame_s=0.02, chunk_plan=(1,))
    chunks = read(synth, segments("A sentence of some length is read here. Second."), "ann")
    begun = time.monotonic()
    first = next(chunks)
    assert first.segment is not None
    assert first.segment.index == 0
    assert time.monotonic() - begun < 0.4  # all of it takes 0.8 s
    assert first.made is None
    assert synth.finished == 0
    chunks.close()


def test_the_next_segment_is_made_while_one_is_listened_to(synth: FakeSynthesizer) -> None:
    chunks = read(synth, segments("One. Two. Three. Four. Five."), "ann")
    for chunk in chunks:
        if chunk.made and chunk.segment:
            # Its last sound is heard when the next segment begins, and then one more is made.
            index, deadline = chunk.segment.index, time.monotonic() + 5
            while synth.finished < min(index + 2, 5) and time.monotonic() < deadline:
                time.sleep(0.001)
            assert min(index + 2, 5) <= synth.finished <= index + 3


class Moody(FakeSynthesizer):
    """Ends the first takes of every text as `faults` say, and counts who is at work."""

    def __init__(self, faults: Sequence[str], **options: object):
        super().__init__(**options)
        self.faults, self.tries = faults, dict[str, int]()

    def synthesize_batch(self, requests: Sequence[SpeechRequest]) -> list[Speech]:
        spoken = super().synthesize_batch(requests)
        for number, request in enumerate(requests):
            tries = self.tries[request.text] = self.tries.get(request.text, 0) + 1
            if tries <= len(self.faults):
                spoken[number] = self._spoilt(spoken[number], self.faults[tries - 1])
        return spoken

    def _spoilt(self, speech: Speech, fault: str) -> Speech:
        if fault == "silent":
            return replace(speech, wave=np.zeros_like(speech.wave))
        if fault == "short":
            return replace(speech, wave=speech.wave[: len(speech.wave) // 5])
        return replace(speech, finish_reason=fault)


@pytest.mark.parametrize(
    ("faults", "attempts", "chosen", "left"),
    [
        ([], 1, 0, None),
        (["guard:loop"], 2, 1, None),
        (["silent", "short"], 3, 2, None),
        (["guard:loop", "guard:silence", "guard:budget"], 3, 1, "guard:silence"),
        (["short", "silent", "silent"], 3, 0, "short"),
    ],
)
def test_what_went_wrong_is_made_again(
    faults: list[str], attempts: int, chosen: int, left: str | None
) -> None:
    synth = Moody(faults)
    text = "A sentence of some length."
    chunks = read_all(synth, text, streamed="none")
    made = chunks[-1].made
    assert made is not None
    assert (made.attempts, made.fault) == (attempts, left)
    assert made.seed == Places(0).seed_of(text, 0, chosen)
    assert [request.seed for request in synth.requests] == [
        Places(0).seed_of(text, 0, attempt) for attempt in range(attempts)
    ]
    assert all(request.guard == "stop" for request in synth.requests)


def test_a_segment_that_stays_silent_is_told_and_left_out() -> None:
    chunks = read_all(Moody(["silent"] * 3), "One. Two.", streamed="none")
    assert [chunk.made.fault for chunk in chunks if chunk.made] == ["silent", "silent"]
    assert not any(chunk.wave.any() for chunk in chunks)


def test_speech_that_runs_away_ends() -> None:
    synth = FakeSynthesizer()
    chunks = read_all(synth, "[endless] Go.", retries=1, streamed="first")
    assert chunks[-1].made is not None
    assert chunks[-1].made.fault == "guard:budget"


def test_seeds_hang_on_the_text_and_how_often_it_came() -> None:
    def seeds(texts: Sequence[str], seed: int = 0) -> dict[tuple[str, int], int]:
        places, found = Places(seed), {}
        for text in texts:
            count = places.next(text)
            found[text, count] = places.seed_of(text, count, 0)
        return found

    before = seeds(["One.", "No.", "Two.", "No.", "Three."])
    after = seeds(["New.", "One.", "No.", "Changed.", "No.", "Three."])
    assert {key: after[key] for key in before if key in after} == {
        key: seed for key, seed in before.items() if key[0] != "Two."
    }
    assert len(set(before.values())) == 5
    assert before.items() & seeds(["One.", "No."], seed=1).items() == set()
    places = Places(0)
    for number in range(5_000):
        places.next(str(number))
    assert len(places._seen) == making.REMEMBERED


def test_language_rate_and_volume_of_a_segment(synth: FakeSynthesizer) -> None:
    parts = [
        ReadSegment(0, "Eins zwei drei.", language="german"),
        ReadSegment(1, "Slowly spoken.", rate=0.5),
        ReadSegment(2, "Softly spoken.", volume_db=-12.0, language="klingon"),  # which it lacks
    ]
    options = ReadOptions(language="english", joins=Joins(match_db=0, end=(0, 0)), streamed="none")
    chunks = list(read(synth, parts, "ann", options=options))
    assert [request.language for request in synth.requests] == ["german", "english", "english"]
    lengths = [0, 0, 0]
    peaks = [0.0, 0.0, 0.0]
    for chunk in chunks:
        if chunk.segment:
            lengths[chunk.segment.index] += len(chunk.wave)
            peaks[chunk.segment.index] = max(
                peaks[chunk.segment.index], float(np.abs(chunk.wave).max())
            )
    assert lengths == [15 * FRAME, 28 * FRAME, 14 * FRAME]
    soft = synth.requests[2]
    loud = expected_wave(soft.text, seed=soft.seed or 0, voice="ann")
    assert peaks[2] == pytest.approx(float(np.abs(loud).max()) * 10 ** (-12 / 20), rel=1e-3)


def test_the_gain_of_a_voice_is_the_same_everywhere() -> None:
    synth = FakeSynthesizer("base")
    voice = Voice(np.linspace(0, 1, 8, dtype=np.float32))
    joins = Joins(match_db=0)
    plain = whole(read_all(synth, voice=voice, joins=joins))
    softer = whole(read_all(synth, voice=replace(voice, gain_db=-6.0), joins=joins))
    assert np.allclose(softer, plain * 10 ** (-6 / 20), atol=1e-6)


def words(count: int) -> Iterator[ReadSegment]:
    """A text of some length, never all of it in memory."""
    for number in range(count // 10):
        yield ReadSegment(number, f"Sentence {number} has ten words, as all the others here have.")


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> "weakref.WeakSet[Spoken]":
    """All finished segments that are still held by somebody."""
    alive: weakref.WeakSet[Spoken] = weakref.WeakSet()
    make = making.Maker.make

    def counted(self: making.Maker, *rest: object) -> Spoken:
        spoken = make(self, *rest)
        alive.add(spoken)
        return spoken

    monkeypatch.setattr(making.Maker, "make", counted)
    return alive


@pytest.mark.parametrize(("count", "parallel"), [(10_000, 1), (2_000, 4)])
def test_memory_stays_flat_over_ten_thousand_words(
    count: int, parallel: int, live: "weakref.WeakSet[Spoken]"
) -> None:
    """Ten thousand words are 75 minutes of sound, 430 MB as float32."""
    synth = FakeSynthesizer()
    options = ReadOptions(streamed="none", parallel=parallel)
    most, samples, peaks = 0, 0, []
    tracemalloc.start()
    try:
        for chunk in read(synth, words(count), "ann", options=options):
            samples += len(chunk.wave)
            if chunk.made and chunk.segment and chunk.segment.index % (count // 40) == 0:
                most = max(most, len(live))
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    assert samples / RATE > 0.4 * count
    assert most <= parallel + 4
    assert len(peaks) == 4
    assert max(peaks) < 40e6
    assert peaks[-1] < 1.2 * peaks[1]  # the first is that of a single segment


def test_leaving_early_stops_the_work(synth: FakeSynthesizer) -> None:
    before = threading.active_count()
    chunks = read(synth, words(100_000), "ann", options=ReadOptions(streamed="none"))
    for _ in range(5):
        next(chunks)
    chunks.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before + 1 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert threading.active_count() <= before + 1  # the fake engine's own
    started = synth.started
    time.sleep(0.05)
    assert synth.started == started <= 10


def test_a_reading_that_is_dropped_holds_nothing(
    synth: FakeSynthesizer, live: "weakref.WeakSet[Spoken]"
) -> None:
    chunks = read(synth, words(1_000), "ann")
    next(chunks)
    del chunks
    gc.collect()
    deadline = time.monotonic() + 5
    while live and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not live


@pytest.mark.parametrize("fault", ["[fail:3]", "[oom:3]"])
@pytest.mark.parametrize("streamed", ["first", "none"])
def test_an_engine_that_fails_ends_the_reading(fault: str, streamed: str) -> None:
    chunks = read(
        FakeSynthesizer(),
        segments(f"First sentence. {fault} second."),
        "ann",
        options=ReadOptions(streamed=streamed),
    )
    with pytest.raises(StreamFailed, match="after 3 frames"):
        list(chunks)


def test_an_engine_that_others_keep_busy_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "LONGEST_WAIT_S", 0.02)
    synth = FakeSynthesizer(max_rows=1, max_queue=0)
    other = synth.stream("[hang]", voice="bob")
    chunks = read(synth, segments("One. Two."), "ann", options=ReadOptions(streamed="none"))
    threading.Timer(0.15, other.cancel).start()
    begun = time.monotonic()
    assert [chunk.made.fault for chunk in chunks if chunk.made] == [None, None]
    assert time.monotonic() - begun > 0.1


def test_what_is_refused(synth: FakeSynthesizer) -> None:
    with pytest.raises(UnknownVoice, match="'nobody' is unknown"):
        read_all(synth, voice="nobody")
    with pytest.raises(InvalidText, match="nothing to read"):
        list(read(synth, [], "ann"))
    with pytest.raises(UnsupportedRequest, match="needs a base checkpoint"):
        read(synth, segments(TEXT), "ann", options=ReadOptions(context="rolling"))
    for name, value in (
        *(("seed", -1), ("seed", True), ("ahead", 65), ("parallel", 0), ("retries", 11)),
        *(("streamed", "some"), ("seed", 1.5)),
    ):
        with pytest.raises(InvalidRequest, match=name):
            ReadOptions(**{name: value})
    for name in ("context", "restart"):
        with pytest.raises(InvalidRequest, match=f"{name} 'x' is unknown"):
            list(read(synth, segments(TEXT), "ann", options=ReadOptions(**{name: "x"})))
