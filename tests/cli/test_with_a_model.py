"""Commands over tiny random checkpoints: the same results as the Python interface gives."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.audio.files import pcm16, read_audio, write_audio
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.types import Voice
from qwen3_tts.weights import transfer
from tests.cli.conftest import Run
from tests.conftest import WriteCheckpoint

CPU = ("--device", "cpu")


def test_say_gives_what_python_gives(
    cli: Run, checkpoint: WriteCheckpoint, preset: Qwen3Synthesizer
) -> None:
    expected = preset.synthesize(
        "Hello there.", voice="ryan", language="en", instruct="Warmly.", seed=3, max_frames=6
    )
    words = ["--voice", "ryan", "--language", "en", "--instruct", "Warmly.", "--seed", 3]
    model = ("--model", checkpoint("custom_voice", wide=True))
    ran = cli(
        *("say", "Hello there.", *words, *CPU, *model),
        *("--max-frames", 6, "--json", "--save-codes", "c.npy"),
    )
    assert ran.code == 0, ran.err
    assert np.array_equal(np.load("c.npy"), expected.codes)
    wave, rate = read_audio(Path("speech.wav"))
    assert rate == expected.sample_rate
    assert pcm16(wave) == pcm16(expected.wave)
    result = json.loads(ran.out)
    assert (result["frames"], result["finish_reason"]) == (6, expected.finish_reason)


def test_a_cloned_voice_and_its_file_speak_alike(
    cli: Run, checkpoint: WriteCheckpoint, base: Qwen3Synthesizer, recording, icl_voice: Voice
) -> None:
    write_audio("me.wav", *recording, subtype="FLOAT")
    words = ("say", "Hello.", "--model", checkpoint("base"), *CPU, "--seed", 5, "--max-frames", 4)
    clone = ("--ref-audio", "me.wav", "--ref-text", icl_voice.text, "--save-voice", "me.voice")
    assert cli(*words, *clone, "-o", "a.wav").code == 0
    assert cli(*words, "--voice-file", "me.voice", "-o", "b.wav").code == 0
    assert Path("a.wav").read_bytes() == Path("b.wav").read_bytes()
    expected = base.synthesize("Hello.", voice=icl_voice, seed=5, max_frames=4)
    assert pcm16(read_audio(Path("a.wav"))[0]) == pcm16(expected.wave)


def test_codec_gives_what_python_gives(
    cli: Run, checkpoint: WriteCheckpoint, base: Qwen3Synthesizer, recording
) -> None:
    write_audio("in.wav", *recording, subtype="FLOAT")
    model = ("--model", checkpoint("base"), *CPU)
    codes = cli("codec", "encode", "in.wav", "-o", "-", *model).out
    expected = base.codec.encode(recording)
    assert np.array_equal(np.load(io.BytesIO(codes)), expected)
    wave = cli("codec", "decode", "-", "-o", "-", *model, stdin=codes).out
    assert pcm16(read_audio(wave)[0]) == pcm16(base.codec.decode(expected))
    outside = io.BytesIO()
    np.save(outside, np.full((2, 16), 5000))
    ran = cli("codec", "decode", "-", *model, stdin=outside.getvalue())
    assert (ran.code, ran.err) == (1, "qwen3-tts: codes must lie in 0..2047, got 5000..5000\n")


REFUSED = [
    ("custom_voice", ["--voice", "nobody"], "voice 'nobody' is unknown; have: aiden, "),
    ("custom_voice", ["--language", "klingon"], "language 'klingon' is unknown"),
    ("custom_voice", ["--temperature", "0"], "temperature is 0, allowed: 1e-6 to 100"),
    ("custom_voice", ["--top-p", "1.5"], "top_p is 1.5, allowed: 0 to 1"),
    ("custom_voice", ["--predictor-top-k", "-1"], "predictor_top_k is -1, allowed: 0"),
    ("custom_voice", ["--temperature", "nan"], "temperature is nan"),
    ("custom_voice", ["--seed", "-1"], "seed is -1, allowed"),
    ("custom_voice", ["--max-frames", "0"], "max_frames is 0, allowed: 1 or more"),
    ("custom_voice", ["--ref-audio", "me.wav"], "load a base checkpoint"),
    ("base", ["--voice", "ryan"], "it clones: pass --ref-audio FILE or --voice-file FILE"),
    ("base", [], "it clones: pass --ref-audio FILE or --voice-file FILE"),
    ("base", ["--ref-audio", "me.wav", "--instruct", "x"], "a base checkpoint takes no instruct"),
    ("voice_design", ["--voice", "ryan"], "has no preset voices"),
    ("custom_voice", ["--device", "cuda:99"], "device 'cuda:99' is not available here"),
]


@pytest.mark.parametrize(("kind", "words", "part"), REFUSED, ids=str)
def test_what_the_model_cannot_do_is_said_before_it_is_loaded(
    cli: Run,
    checkpoint: WriteCheckpoint,
    recording,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    words: list[str],
    part: str,
) -> None:
    monkeypatch.setattr(qwen3_tts, "load", None)
    write_audio("me.wav", *recording)
    ran = cli("say", "hello", "--model", checkpoint(kind), *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, b"", 1), ran.err
    assert ran.err.startswith("qwen3-tts: ")
    assert part in ran.err


def test_a_model_that_is_not_there(
    cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(transfer, "cache_folder", lambda: tmp_path / "cache")
    Path("empty").mkdir()
    for words, code in (
        (["--model", "absent/folder/deep"], "model_not_found"),
        (["--model", "empty"], "model_not_found"),
        (["--model", "someone/some-model", "--offline"], "hub_offline"),
    ):
        for command in (["say", "hello"], ["voices"], ["codec", "encode", "me.wav"]):
            write_audio("me.wav", np.zeros(2400, dtype=np.float32), 24_000)
            ran = cli(*command, *words, "--json")
            assert (ran.code, ran.out, ran.err.count("\n")) == (1, b"", 1), ran.err
            assert json.loads(ran.err)["error"]["code"] == code


def test_the_warning_of_an_ignored_instruction_comes_once(
    cli: Run, checkpoint: WriteCheckpoint
) -> None:
    words = ("say", "hello", "--instruct", "Warmly.", "--max-frames", 2, "--quiet", *CPU)
    ran = cli(*words, "--model", checkpoint("custom_voice"))
    assert ran.code == 0
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("qwen3-tts: warning: instruct is ignored: the 0.6B")


def test_a_reader_that_goes_away(checkpoint: WriteCheckpoint) -> None:
    """As in `qwen3-tts say ... -o - | head -c 100`: a header, then a quiet end."""
    words = ["say", "hello", "-o", "-", "--max-frames", "30", "--quiet", *CPU]
    command = [sys.executable, "-m", "qwen3_tts", *words]
    with subprocess.Popen(
        [*command, "--model", checkpoint("custom_voice")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        pipesize=4096,  # less than the shortest speech, 2 frames, so that the writer notices
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        head = process.stdout.read(100)
        process.stdout.close()
        errors = process.stderr.read()
    assert (head[:4], head[8:12]) == (b"RIFF", b"WAVE")
    assert (process.returncode, errors) == (141, b"")
