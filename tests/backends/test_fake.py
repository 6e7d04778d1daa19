"""The fake engine: the protocol, exact tones, refusals, and faults on demand."""

import asyncio
import inspect
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from qwen3_tts.backends.base import SpeechTextStream, Synthesizer
from qwen3_tts.backends.fake import VECTOR_SIZE, FakeSynthesizer, expected_wave
from qwen3_tts.errors import (
    InvalidAudio,
    InvalidRequest,
    InvalidSampling,
    InvalidText,
    InvalidVoice,
    OutOfMemory,
    SpeechError,
    StreamFailed,
    UnknownLanguage,
    UnknownVoice,
    UnsupportedRequest,
)
from qwen3_tts.types import Sampling, Speech, SpeechRequest, Voice

FRAME = 1920
SOON_S = 5.0  # far above what a loaded machine needs, far below a patience of 30 s
VOICE = Voice(np.linspace(0, 1, VECTOR_SIZE, dtype=np.float32))


@contextmanager
def fake(kind: str = "custom_voice", **options: Any) -> Iterator[FakeSynthesizer]:
    engine = FakeSynthesizer(kind, **options)
    try:
        yield engine
    finally:
        engine.close(drain=False)
        assert (engine.active, engine.queued) == (0, 0)


async def taken(stream: Any) -> list[np.ndarray]:
    return [chunk.wave async for chunk in stream]


# the protocol


def test_signatures_are_those_of_the_protocol() -> None:
    methods = inspect.getmembers(Synthesizer, inspect.isfunction)
    public = {name: method for name, method in methods if not name.startswith("_")}
    assert set(public) >= {"stream", "open_stream", "count_tokens", "complaint", "close"}
    for name, method in public.items():
        ours = inspect.signature(getattr(FakeSynthesizer, name))
        assert ours.parameters == inspect.signature(method).parameters, name
    values = inspect.getmembers(Synthesizer, lambda member: isinstance(member, property))
    with fake() as engine:
        assert all(hasattr(engine, name) for name, _ in values)
        members = {name for name in dir(SpeechTextStream) if not name.startswith("_")}
        with engine.stream("Hi.") as whole, engine.open_stream() as open_text:
            assert members - {"feed", "end"} <= set(dir(whole))
            assert members <= set(dir(open_text))
            open_text.feed("Hi.")


def test_what_it_says_of_itself() -> None:
    with fake() as preset, fake("base") as base, fake("voice_design") as design:
        assert preset.voices == ["ann", "bob", "carl", "dora"]
        assert (base.voices, design.voices) == ([], [])
        assert preset.languages == ["chinese", "english", "german"]
        assert (preset.kind, base.kind, design.kind) == ("custom_voice", "base", "voice_design")
        assert preset.count_tokens(" two  words ") == 2


# its sound


def test_every_way_gives_the_wave_that_was_promised() -> None:
    text = "Every character lasts a frame, in Ελληνικά and 中文 too."
    wanted = expected_wave(text, seed=7, voice="bob")
    assert len(wanted) == len(text) * FRAME
    with fake() as engine:
        waves = [
            engine.synthesize(text, seed=7, voice="BOB").wave,
            engine.stream(text, seed=7, voice="bob").result().wave,
            np.concatenate([chunk.wave for chunk in engine.stream(text, seed=7, voice="bob")]),
            np.concatenate(asyncio.run(taken(engine.stream(text, seed=7, voice="bob")))),
            engine.synthesize_batch([SpeechRequest(text, seed=7, voice="bob")])[0].wave,
            fed(engine, list(text), seed=7, voice="bob").wave,
        ]
    assert all(np.array_equal(wave, wanted) for wave in waves)


def fed(engine: FakeSynthesizer, pieces: list[str], **options: Any) -> Speech:
    stream = engine.open_stream(**options)
    for piece in pieces:
        stream.feed(piece)
    stream.end()
    return stream.result()


def test_seed_voice_and_text_are_all_heard() -> None:
    with fake("base") as engine:
        said = engine.synthesize("Hello.", seed=3, voice=VOICE)
    assert np.array_equal(said.wave, expected_wave("Hello.", seed=3, voice=VOICE))
    other = Voice(np.linspace(0, 1.001, VECTOR_SIZE, dtype=np.float32))
    waves = [
        expected_wave(text, seed=seed, voice=voice).tobytes()
        for text in ("Hello.", "Hallo.", "Hello!")
        for seed in range(20)
        for voice in ("ann", "bob", "", VOICE, other)
    ]
    assert len(set(waves)) == len(waves)
    assert 0.05 < np.abs(said.wave).max() <= 1.0


def test_an_unseeded_stream_tells_its_seed() -> None:
    with fake() as engine:
        first, second = engine.synthesize("Hi"), engine.synthesize("Hi")
    assert first.seed != second.seed  # by chance once in 2**32 runs
    assert np.array_equal(first.wave, expected_wave("Hi", seed=first.seed))


def test_chunks_grow_and_add_up() -> None:
    with fake(frames_per_char=2) as engine:
        stream = engine.stream("x" * 20, seed=1)
        chunks = list(stream)
    sizes = [len(chunk.wave) // FRAME for chunk in chunks]
    assert sizes == [1, 2, 4, 8, 12, 12, 1]
    assert [chunk.is_final for chunk in chunks] == [False] * 6 + [True]
    assert [chunk.start_s for chunk in chunks] == [sum(sizes[:i]) * 0.08 for i in range(7)]
    assert stream.finish_reason == "stop"
    assert stream.codes.shape == (40, 16)
    assert stream.timing.frames == 40
    assert len(stream.timing.chunk_s) == 7


def test_max_frames_cuts() -> None:
    with fake() as engine:
        said = engine.synthesize("abcdef", seed=1, max_frames=4)
    assert said.finish_reason == "length"
    assert np.array_equal(said.wave, expected_wave("abcdef", seed=1)[: 4 * FRAME])


def test_text_is_spoken_as_it_comes() -> None:
    with fake() as engine:
        stream = engine.open_stream(seed=5)
        stream.feed("abc")
        first = [next(stream), next(stream)]
        assert [len(chunk.wave) // FRAME for chunk in first] == [1, 2]
        stream.feed("de")
        stream.end()
        rest = stream.result()
        whole = np.concatenate([*(chunk.wave for chunk in first), rest.wave])
        assert np.array_equal(whole, expected_wave("abcde", seed=5))
        assert rest.finish_reason == "stop"


def test_a_text_that_stops_coming() -> None:
    with fake(text_timeout_s=0.02) as engine:
        stream = engine.open_stream()
        stream.feed("abc")
        assert stream.result().finish_reason == "text_timeout"
        assert engine.finished == 1


def test_open_streams_without_words_or_with_text_first() -> None:
    with fake() as engine:
        with pytest.raises(UnsupportedRequest):
            engine.open_stream(text_first=True)
        with pytest.raises(InvalidText):
            fed(engine, [" ", "\n"])
        assert (engine.active, engine.failed) == (0, 1)


def test_pace() -> None:
    with fake(first_audio_s=0.03, frame_s=0.01) as engine:
        began_s = time.monotonic()
        stream = engine.stream("x" * 7)
        list(stream)
        took_s = time.monotonic() - began_s
    chunk_s = stream.timing.chunk_s
    assert took_s >= chunk_s[-1] >= 0.09  # of chunks of 1, 2 and 4 frames the first comes at once
    assert chunk_s[0] >= 0.03
    assert chunk_s[1] >= 0.05
    dry_s = max(chunk_s[0] + 0.08, chunk_s[1]) + 0.16
    gaps_s = max(0, chunk_s[1] - chunk_s[0] - 0.08) + max(0, chunk_s[2] - dry_s)
    assert stream.timing.underrun_s == pytest.approx(gaps_s)


# what is refused


@pytest.mark.parametrize(
    ("kind", "text", "options", "error"),
    [
        ("custom_voice", "", {}, InvalidText),
        ("custom_voice", " \n", {}, InvalidText),
        ("custom_voice", "\ud800", {}, InvalidText),
        ("custom_voice", 3, {}, InvalidText),
        ("custom_voice", "Hi", {"voice": "eve"}, UnknownVoice),
        ("custom_voice", "Hi", {"voice": 3}, UnknownVoice),
        ("custom_voice", "Hi", {"voice": VOICE}, UnsupportedRequest),
        ("base", "Hi", {}, UnsupportedRequest),
        ("base", "Hi", {"voice": "ann"}, UnsupportedRequest),
        ("base", "Hi", {"voice": Voice(np.zeros(3))}, InvalidVoice),
        ("base", "Hi", {"voice": VOICE, "instruct": "softly"}, UnsupportedRequest),
        ("voice_design", "Hi", {"voice": "ann"}, UnsupportedRequest),
        ("custom_voice", "Hi", {"language": "klingon"}, UnknownLanguage),
        ("custom_voice", "Hi", {"seed": -1}, InvalidSampling),
        ("custom_voice", "Hi", {"max_frames": 0}, InvalidSampling),
        ("custom_voice", "Hi", {"sampling": Sampling(temperature=-1)}, InvalidSampling),
        ("custom_voice", "Hi", {"priority": "urgent"}, InvalidRequest),
        ("custom_voice", "Hi", {"guard": "dog"}, InvalidRequest),
    ],
)
def test_refusals(kind: str, text: Any, options: Any, error: type[SpeechError]) -> None:
    with fake(kind) as engine:
        with pytest.raises(error):
            engine.stream(text, **options)
        assert engine.started == engine.active == 0


def test_cloning() -> None:
    wave = np.linspace(-0.5, 0.5, 24_000, dtype=np.float32)
    with fake("base") as engine:
        said = {"language": "en", "name": "me", "check": False}
        voice = engine.clone_voice((wave, 24_000), "What it says.", **said)
        checked = engine.clone_voice((wave, 24_000), "What it says.", warn=False)
        alone = engine.clone_voice((wave, 24_000), mode="x_vector", check=False)
        assert checked.checks is not None
        assert "too_short" in {finding["code"] for finding in checked.checks["findings"]}
        assert voice.checks is None
        assert (voice.mode, voice.text, voice.name) == ("icl", "What it says.", "me")
        assert voice.codes is not None
        assert voice.codes.shape == (12, 16)
        assert (alone.mode, alone.text) == ("x_vector", None)
        assert np.array_equal(voice.vector, alone.vector)
        assert engine.encoder_calls == 3
        assert len(engine.synthesize("Hi", voice=voice).wave) == 2 * FRAME
        for recording in (b"no audio", (wave[:100], 24_000)):
            with pytest.raises(InvalidAudio):
                engine.clone_voice(recording)
        with pytest.raises(InvalidVoice):
            engine.clone_voice((wave, 24_000), mode="icl")
        assert engine.encoder_calls == 3
    with fake() as engine, pytest.raises(UnsupportedRequest):
        engine.clone_voice((wave, 24_000))


# faults on demand


@pytest.mark.parametrize(("command", "error"), [("fail", StreamFailed), ("oom", OutOfMemory)])
@pytest.mark.parametrize("frames", [0, 3, 1000])
def test_it_fails_as_told(command: str, error: type[SpeechError], frames: int) -> None:
    text = f"Now [{command}:{frames}] comes."
    with fake() as engine:
        stream, wanted = engine.stream(text, seed=1), min(frames, len(text)) * FRAME
        got = 0
        while got < wanted:
            got += len(next(stream).wave)
        assert got == wanted
        with pytest.raises(error):
            next(stream)
        assert (engine.active, engine.failed, engine.finished) == (0, 1, 0)
        with pytest.raises(error):
            fed(engine, list(text))


def test_endless_texts_end_in_the_guard() -> None:
    with fake() as engine:
        limited = engine.synthesize("[endless]", seed=1, max_frames=40)
        guarded = engine.synthesize("[endless]", seed=1)
        with pytest.raises(StreamFailed):
            engine.synthesize("[endless]", guard="error")
    assert (limited.finish_reason, guarded.finish_reason) == ("length", "guard:budget")
    assert len(limited.wave) == 40 * FRAME
    assert np.array_equal(guarded.wave, expected_wave("[endless]", seed=1, frames=750))


def test_slow_texts_and_faults_for_all() -> None:
    with fake(faults=("[slow:0.02]", "[fail:3]")) as engine:
        began_s = time.monotonic()
        with pytest.raises(StreamFailed):
            engine.synthesize("abcdef")
    assert time.monotonic() - began_s >= 3 * 0.02


def test_a_breakdown_fails_all_and_is_told() -> None:
    with fake(max_rows=1) as engine:
        streams = [engine.stream("[hang]") for _ in range(3)]
        engine.break_down("a wire is loose")
        assert engine.complaint() == "a wire is loose"
        for stream in streams:
            with pytest.raises(StreamFailed, match="wire"):
                next(stream)
        with pytest.raises(StreamFailed, match="wire"):
            engine.stream("Hi")
        assert (engine.started, engine.failed) == (1, 3)
        engine.repair()
        assert engine.complaint() is None
        assert engine.synthesize("Hi").finish_reason == "stop"
