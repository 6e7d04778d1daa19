"""Requests in, speech out: waves, batches of every size, voices in context, bfloat16."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine import priming, row
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.slots import Slots
from qwen3_tts.types import Sampling, Speech, SpeechRequest, Voice
from tests.engine.ending import likely_to_end

FRAME = 1920
# Float32 leaves the wave of the random codec, which peaks near 0.5, about 1e-6 from float64; two
# ways to decode it are at most a few times that apart.
CLOSE = 1e-5


def request(text: str, **given: Any) -> SpeechRequest:
    return SpeechRequest(text, **{"seed": 3, "max_frames": 5, **given})


def same(a: Speech, b: Speech) -> None:
    assert np.array_equal(a.codes, b.codes)
    np.testing.assert_allclose(a.wave, b.wave, rtol=0, atol=CLOSE)
    assert (a.seed, a.finish_reason, a.sample_rate) == (b.seed, b.finish_reason, b.sample_rate)


@pytest.fixture(scope="module")
def ending(preset: Qwen3Synthesizer) -> Qwen3Synthesizer:
    return likely_to_end(preset)


def test_speech_is_the_decoded_codes(preset: Qwen3Synthesizer) -> None:
    (speech,) = preset.synthesize_batch([request("Hello.", voice="ryan")])
    assert speech.codes.shape == (5, 16)
    assert speech.codes.dtype == np.int64
    assert speech.wave.shape == (5 * FRAME,)
    assert speech.wave.dtype == np.float32
    assert speech.sample_rate == preset.sample_rate == 24_000
    assert (speech.seed, speech.finish_reason) == (3, "length")
    assert np.array_equal(speech.wave, preset.codec.decode(speech.codes))
    assert 0.01 < np.abs(speech.wave).max() < 1


def test_timing_adds_up(preset: Qwen3Synthesizer) -> None:
    speech = preset.synthesize("Hello.", seed=1, max_frames=5)
    t = speech.timing
    assert 0 < t.queued_s <= t.prefill_s <= t.first_frame_s <= t.codes_s
    assert t.codes_s <= t.first_audio_s <= t.total_s  # nobody listened before the end
    assert t.frames == 5
    assert t.audio_s == speech.duration_s == 0.4
    assert t.x_realtime == t.audio_s / t.total_s


def test_equal_seeds_are_equal_speech(preset: Qwen3Synthesizer) -> None:
    first = preset.synthesize("Hello.", seed=11, max_frames=5)
    again = preset.synthesize("Hello.", seed=11, max_frames=5)
    other = preset.synthesize("Hello.", seed=12, max_frames=5)
    assert np.array_equal(first.codes, again.codes)
    assert np.array_equal(first.wave, again.wave)
    assert not np.array_equal(first.codes, other.codes)


def test_a_drawn_seed_repeats_the_speech(preset: Qwen3Synthesizer) -> None:
    first = preset.synthesize("Hello.", max_frames=4)
    assert np.array_equal(
        preset.synthesize("Hello.", seed=first.seed, max_frames=4).codes, first.codes
    )


def test_greedy_speech_needs_no_seed(preset: Qwen3Synthesizer) -> None:
    greedy = Sampling(greedy=True, predictor_greedy=True)
    first = preset.synthesize("Hello.", sampling=greedy, seed=1, max_frames=4)
    other = preset.synthesize("Hello.", sampling=greedy, seed=2, max_frames=4)
    assert np.array_equal(first.codes, other.codes)


MIXED = [
    request("One.", voice="ryan", language="english", seed=1),
    request("A text of another length.", voice="eric", seed=2, text_first=False, max_frames=12),
    request("Two.", voice="", instruct="Speak up.", sampling=Sampling(top_k=5, top_p=0.9)),
    request("Three.", voice="dylan", max_frames=1, sampling=Sampling(greedy=True)),
    request("One.", voice="ryan", language="english", seed=4, max_frames=20),
]


@pytest.mark.parametrize("max_rows", [1, 2, 8])
def test_a_batch_gives_each_request_its_own_speech(ending: Qwen3Synthesizer, max_rows: int) -> None:
    e = ending.engine
    engine = Engine(e.model, e.codec, e.planner, EngineOptions(max_rows=max_rows))
    speeches = engine.run(MIXED)
    assert {speech.finish_reason for speech in speeches} == {"stop", "length"}
    for asked, speech in zip(MIXED, speeches, strict=True):
        same(speech, e.run([asked])[0])
        stopped_early = speech.timing.frames < (asked.max_frames or 0)
        assert (speech.finish_reason == "stop") == stopped_early


def test_a_batch_of_cloned_voices(base: Qwen3Synthesizer, icl_voice: Voice, x_voice: Voice) -> None:
    requests = [
        request("One.", voice=icl_voice),
        request("Two, and more.", voice=x_voice, text_first=True),
        request("Three, and a longer text.", voice=icl_voice, text_first=True, max_frames=2),
    ]
    for asked, speech in zip(requests, base.synthesize_batch(requests), strict=True):
        same(speech, base.synthesize_batch([asked])[0])


def test_designed_voices_follow_their_instruction(design: Qwen3Synthesizer) -> None:
    requests = [request("One.", instruct=text) for text in ("An old man.", "A child.", None)]
    speeches = design.synthesize_batch(requests)
    for asked, speech in zip(requests, speeches, strict=True):
        same(speech, design.synthesize_batch([asked])[0])
    assert len({speech.codes.tobytes() for speech in speeches}) == 3


def test_no_requests_are_no_speech(preset: Qwen3Synthesizer) -> None:
    assert preset.synthesize_batch([]) == []


def test_synthesize_is_a_batch_of_one(preset: Qwen3Synthesizer) -> None:
    given: dict[str, Any] = {
        "voice": "eric",
        "language": "Chinese",
        "instruct": "Fast.",
        "sampling": Sampling(top_k=9),
        "seed": 8,
        "max_frames": 3,
        "text_first": False,
    }
    same(
        preset.synthesize("Hello.", **given),
        *preset.synthesize_batch([SpeechRequest("Hello.", **given)]),
    )


@pytest.mark.parametrize("piece", [1, 3, 64])
def test_speech_in_context_continues_its_reference(
    base: Qwen3Synthesizer, icl_voice: Voice, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wave is that of reference and speech together, cut at R * 1920 samples."""
    monkeypatch.setattr(priming, "PIECE", piece)
    monkeypatch.setattr(row, "WHOLE_PIECE", piece)
    e = base.engine
    engine = Engine(e.model, e.codec, e.planner, e.options)
    speech = engine.run([request("Hi.", voice=icl_voice)])[0]
    assert icl_voice.codes is not None
    whole = base.codec.decode(np.concatenate([icl_voice.codes, speech.codes]))
    cut = len(icl_voice.codes) * FRAME
    np.testing.assert_allclose(speech.wave, whole[cut:], rtol=0, atol=CLOSE)
    alone = base.codec.decode(speech.codes)
    assert np.abs(speech.wave - alone).max() > 100 * CLOSE  # the reference is heard in the speech


def test_in_context_equals_the_cut_to_a_millionth(
    base: Qwen3Synthesizer, icl_voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where both decodes begin a piece at the cut, the same sums are done in the same order."""
    assert icl_voice.codes is not None
    e, R = base.engine, len(icl_voice.codes)
    monkeypatch.setattr(priming, "PIECE", R)
    monkeypatch.setattr(row, "WHOLE_PIECE", R)
    codec = type(e.codec)(e.codec.model, R)
    asked = request("Hi.", voice=icl_voice, max_frames=R)
    speech = Engine(e.model, codec, e.planner, e.options).run([asked])[0]
    whole = codec.decode(np.concatenate([icl_voice.codes, speech.codes]))
    np.testing.assert_allclose(speech.wave, whole[R * FRAME :], rtol=0, atol=1e-6)


def test_threads_may_share_a_model(preset: Qwen3Synthesizer) -> None:
    requests = [request("Hello.", seed=seed, max_frames=3) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda r: preset.synthesize_batch([r])[0], requests))
    for asked, speech in zip(requests, together, strict=True):
        same(speech, preset.synthesize_batch([asked])[0])


def test_a_refused_request_stops_the_batch_before_it_starts(preset: Qwen3Synthesizer) -> None:
    """Requests are checked in order before any is spoken, so nothing is spoken for nothing."""
    started = []
    engine = Engine(*[getattr(preset.engine, n) for n in ("model", "codec", "planner", "options")])
    engine.loop.submit = lambda *given: started.append(given)  # type: ignore[assignment, method-assign]
    with pytest.raises(Exception, match="text is empty"):
        engine.run([request("Hello."), request("")])
    assert started == []


KINDS = [
    ("base", False),
    ("base", True),
    ("custom_voice", False),
    ("custom_voice", True),
    ("voice_design", True),
]


@pytest.mark.parametrize(("kind", "wide"), KINDS)
def test_bfloat16_speaks_with_every_kind(
    kind: str, wide: bool, model: Any, recording: tuple[np.ndarray, int]
) -> None:
    """Valid codes and a finite wave; the codec stays float32, so codes decode as ever."""
    synthesizer: Qwen3Synthesizer = model(kind, wide, "bfloat16")
    voices: list[Any] = [None]
    if kind == "base":
        voices = [
            synthesizer.clone_voice(recording, text="A word."),
            synthesizer.clone_voice(recording),
        ]
    requests = [request("Hello.", voice=voice, seed=2) for voice in voices]
    requests += [
        replace(r, text="Another, longer text.", text_first=not r.text_first) for r in requests
    ]
    for speech in synthesizer.synthesize_batch(requests):
        assert speech.codes.shape == (5, 16)
        assert 0 <= speech.codes.min() <= speech.codes.max() < 2048
        assert np.isfinite(speech.wave).all()
        assert np.abs(speech.wave).max() > 0.01
    if kind != "base":
        alone = synthesizer.codec.decode(speech.codes)
        np.testing.assert_allclose(speech.wave, alone, rtol=0, atol=CLOSE)


def test_bfloat16_scores_are_near_float32(model: Any, x_voice: Voice) -> None:
    """The first hidden state of both: a wrong cast would be off by far more than roundings."""
    states = []
    for dtype in ("float32", "bfloat16"):
        engine = model("base", False, dtype).engine
        job = engine.planner.plan(request("Hello there.", voice=x_voice))
        rows, prompt = Slots(engine.loop.slots.runner, engine.codec.decoder, 1), job.prompt
        rows.start(0, job.sampling, job.seed)
        assert prompt.speaker_at is not None
        with torch.inference_mode():
            rows.read(0, prompt.text_ids, prompt.codes, (prompt.speaker_at, x_voice.vector))
        states.append(rows.state.hidden[0].float())
    error = (states[1] - states[0]).norm() / states[0].norm()
    # Some 60 roundings of 2^-8 at random (three layers of about 20 steps): 8 * 2^-8 = 3% at most.
    assert error < 0.03
