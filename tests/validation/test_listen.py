"""The recogniser on a teacher that can be understood, and the whole script on a random checkpoint.

Skipped, saying so, where flite or pocketsphinx is not installed.
"""

import json
from pathlib import Path
from typing import Any

import listen
import numpy as np
import pytest
from listening import recogniser, teacher, ways
from listening.recogniser import hear_all, word_error

import qwen3_tts
from qwen3_tts.audio.files import read_audio
from qwen3_tts.types import Sampling
from tests.conftest import WriteCheckpoint

needs_recogniser = pytest.mark.skipif(
    not recogniser.available(), reason="pocketsphinx is not installed"
)
Waves = list[np.ndarray]


@needs_recogniser
def test_the_teacher_is_understood(said: Waves, texts: list[str]) -> None:
    """A few plain words, of which one may go wrong; of the other sentence's nearly all."""
    assert word_error(said, teacher.RATE, texts) < 0.2
    assert word_error(said, teacher.RATE, texts[::-1]) > 0.7


@needs_recogniser
def test_a_sentence_is_heard_alike_whatever_came_before_it(said: Waves) -> None:
    there = hear_all(said, teacher.RATE)
    assert hear_all(said[::-1], teacher.RATE) == there[::-1]
    assert hear_all(said, teacher.RATE, workers=2) == there


@needs_recogniser
@pytest.mark.parametrize("length", [0, 1, 24_000])
def test_nothing_is_heard_in_silence(length: int) -> None:
    assert hear_all([np.zeros(length, dtype=np.float32)], 24_000) == [""]


def test_loudness_does_not_reach_the_recogniser() -> None:
    """A quarter is exact in floating point, so the same samples must come out."""
    wave = np.random.default_rng(1).normal(0, 0.1, 4800).astype(np.float32)
    assert recogniser.prepared(wave / 4, 24_000) == recogniser.prepared(wave, 24_000)


def test_the_teacher_says_the_same_again_and_each_voice_otherwise(
    said: Waves, texts: list[str]
) -> None:
    np.testing.assert_array_equal(teacher.speak(texts[1], "rms"), said[1])
    assert len(teacher.speak(texts[1], "slt")) != len(said[1])


def test_a_voice_that_flite_lacks_is_refused(said: Waves) -> None:
    with pytest.raises(OSError, match="no voice 'nobody'; it has kal"):
        teacher.speak("Hello.", "nobody")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """The script's last line."""
    listen.main([str(argument) for argument in arguments])
    result: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return result


@pytest.fixture
def few(texts: list[str], tmp_path: Path) -> Path:
    """A file of two sentences."""
    path = tmp_path / "sentences.txt"
    path.write_text("\n".join(texts[:2]) + "\n\n", encoding="utf-8")
    return path


@needs_recogniser
def test_the_teacher_alone(
    said: Waves, texts: list[str], few: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, "--what", "teacher", "--sentences", few)
    assert list(result["conditions"]) == ["teacher"]
    figures = result["conditions"]["teacher"]
    expected = word_error(said[:2], teacher.RATE, texts[:2])
    assert figures["word_error"] == round(expected, 4)
    assert (figures["mel_cepstral_db"], figures["duration_ratio"]) == (0, 1)
    assert (figures["speaker_nearest"], figures["ends"]) == (1, None)


@needs_recogniser
def test_every_way_with_a_random_checkpoint(
    said: Waves,
    few: Path,
    tmp_path: Path,
    checkpoint: WriteCheckpoint,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Codes of the encoder, given as codes made elsewhere, are the encoder's own row again."""
    pytest.importorskip("matplotlib")
    folder = checkpoint("custom_voice", wide=True)
    codec = qwen3_tts.load_codec(folder, device="cpu")
    codes = [codec.encode(wave, teacher.RATE) for wave in said[:2]]
    np.savez(tmp_path / "codes.npz", *codes)
    result = run(
        capsys, "--model", folder, "--sentences", few, "--codes", tmp_path / "codes.npz",
        "--limit", 1, "--max-frames", 6, "--threads", 1, "--wavs", tmp_path / "wavs",
        "--pictures", tmp_path / "pictures", "--details", tmp_path / "details.jsonl",
    )  # fmt: skip
    conditions = result["conditions"]
    speech = ["speech, text first", "speech, text along"]
    assert list(conditions) == ["teacher", "resynthesis", "encoder", *speech]
    same = [dict(conditions[name], x_realtime=None) for name in ("resynthesis", "encoder")]
    assert same[0] == same[1]
    for name in speech:
        figures = conditions[name]
        assert figures["finish"] == {"length": 1}  # random weights do not end by themselves
        assert (figures["ends"], figures["guards"]) == (0, 0)
        assert figures["word_error"] > 0.7
        assert figures["x_realtime"] > 0
    wave, rate = read_audio(tmp_path / "wavs" / "000-speech-text-along.wav")
    assert (len(wave), rate) == (6 * 1920, 24_000)
    assert len(list((tmp_path / "wavs").iterdir())) == len(conditions)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["000.png"]
    lines = (tmp_path / "details.jsonl").read_text(encoding="utf-8").splitlines()
    assert [list(json.loads(line)["heard"]) for line in lines] == [list(conditions)]


@needs_recogniser
def test_a_base_checkpoint_clones_the_teacher(
    said: Waves, few: Path, checkpoint: WriteCheckpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(
        capsys, "--model", checkpoint("base"), "--sentences", few, "--what", "teacher,speech",
        "--limit", 1, "--max-frames", 4, "--threads", 1,
    )  # fmt: skip
    assert list(result["conditions"]) == ["teacher", "speech, text first", "speech, text along"]
    by = {figures["speaker_by"] for figures in result["conditions"].values()}
    assert by == {"speaker encoder"}


def test_codes_are_found_in_a_corpus_by_text_and_speaker(tmp_path: Path) -> None:
    """One frame of codes a row, each row its own number."""
    entries = [
        {"text": "One.", "speaker": "slt", "start": 0, "samples": 2 * 1920},
        {"text": "Two.", "speaker": "rms", "start": 2 * 1920, "samples": 3 * 1920},
        {"text": "One.", "speaker": "rms", "start": 5 * 1920, "samples": 1920},
    ]
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    (tmp_path / "utterances.jsonl").write_text(lines, encoding="utf-8")
    rows = np.arange(6, dtype=np.int16)[:, None].repeat(16, axis=1)
    np.save(tmp_path / "codes.npy", rows)
    one, two = ways.read_codes(tmp_path / "codes.npy", ["One.", "Two."], tmp_path, "rms")
    assert (one[:, 0].tolist(), two[:, 15].tolist()) == ([5], [2, 3, 4])
    with pytest.raises(ValueError, match=r"lacks 1 sentences of slt, as 'Two\.'"):
        ways.read_codes(tmp_path / "codes.npy", ["One.", "Two."], tmp_path, "slt")


def test_too_few_codes_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "codes.npz", np.zeros((2, 16), dtype=np.int64))
    with pytest.raises(ValueError, match="codes of 1 sentences, not 2"):
        ways.read_codes(tmp_path / "codes.npz", ["One.", "Two."], None, "rms")


def test_options_are_read() -> None:
    options = listen.parse(["--sampling", "temperature=0.7,predictor_top_k=20", "--what", "speech"])
    assert options.sampling == Sampling(temperature=0.7, predictor_top_k=20)
    assert options.what == ("speech",)


@pytest.mark.parametrize(
    "wrong", [["--what", "song"], ["--sampling", "warmth=1"], ["--sampling", "temperature"]]
)
def test_wrong_options_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        listen.parse(wrong)
    assert wrong[0] in capsys.readouterr().err


def test_what_cannot_be_done_is_said() -> None:
    assert listen.skipped(listen.parse([])) == ["without --model there is only the teacher to hear"]
    assert listen.skipped(listen.parse(["--model", "nano"])) == [
        "without --codes there is no resynthesis from given codes"
    ]
    assert listen.skipped(listen.parse(["--what", "teacher"])) == []
