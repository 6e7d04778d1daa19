"""The checkpoint inside the package: small, complete, and it really speaks."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts import SpeechRequest
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.train.recipe.sentences import held_out_english

FOLDER = Path(qwen3_tts.__file__).parent / "nano"
SENTENCES = held_out_english()[:12]
WORDS_S = (0.15, 0.6)  # seconds a word may take: the teachers need 0.3


@pytest.fixture(scope="module")
def nano() -> Qwen3Synthesizer:
    return qwen3_tts.load("nano")


@pytest.fixture(scope="module")
def spoken(nano: Qwen3Synthesizer) -> list[qwen3_tts.Speech]:
    """Twelve sentences as anyone would ask for them, in turns with the text first and fed along."""
    return nano.synthesize_batch(
        [SpeechRequest(text, seed=i, text_first=i % 2 == 0) for i, text in enumerate(SENTENCES)]
    )


def test_it_is_small() -> None:
    size_bytes = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    assert size_bytes <= 20e6


def test_it_knows_when_to_stop(spoken: list[qwen3_tts.Speech]) -> None:
    assert [speech.finish_reason for speech in spoken] == ["stop"] * len(spoken)
    assert [speech.retries for speech in spoken] == [0] * len(spoken)  # no guard fired
    for text, speech in zip(SENTENCES, spoken, strict=True):
        assert WORDS_S[0] < speech.duration_s / len(text.split()) < WORDS_S[1], text


def test_streamed_it_sounds_the_same(nano: Qwen3Synthesizer) -> None:
    whole = nano.synthesize(SENTENCES[0], seed=3)
    pieces = [chunk.wave for chunk in nano.stream(SENTENCES[0], seed=3)]
    assert len(pieces) > 2
    # float32 sums of another shape; one wrong code is off by over 1e-2
    np.testing.assert_allclose(np.concatenate(pieces), whole.wave, atol=1e-5)


def test_text_may_come_in_pieces(nano: Qwen3Synthesizer) -> None:
    whole = nano.synthesize(SENTENCES[1], seed=4, text_first=False)
    with nano.open_stream(seed=4) as stream:
        for start in range(0, len(SENTENCES[1]), 5):
            stream.feed(SENTENCES[1][start : start + 5])
    assert np.array_equal(stream.result().codes, whole.codes)


def test_its_voices_differ(nano: Qwen3Synthesizer) -> None:
    """One says it lower than another: medians of the pitch tell them apart."""
    import torch

    from qwen3_tts.train.features import pitch_track

    def pitch_hz(voice: str) -> float:
        speech = nano.synthesize(SENTENCES[2], voice=voice, seed=5)
        frames = len(speech.wave) // 1920 * 1920
        log_pitch, voicing = pitch_track(torch.from_numpy(speech.wave[:frames]))
        return 100 * float(log_pitch[voicing > 0.5].median().exp())

    voices = {"rms", "slt", "awb"}
    low, middle, high = sorted(pitch_hz(voice) for voice in voices)
    assert high > 1.3 * low, (low, middle, high)
    assert len({nano.synthesize("Yes.", voice=v, seed=0).codes.tobytes() for v in voices}) == 3


@pytest.mark.skipif(find_spec("pocketsphinx") is None, reason="pocketsphinx is not installed")
def test_most_words_are_understood(spoken: list[qwen3_tts.Speech]) -> None:
    """By a small recogniser; docs/nano.md has the figure of all held-out sentences. The bound is
    far from it, as twelve sentences scatter, and far from the 1.0 of noise."""
    from listening.recogniser import word_error

    assert word_error([speech.wave for speech in spoken], 24_000, SENTENCES) < 0.6
