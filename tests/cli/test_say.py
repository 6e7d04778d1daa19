"""`say` over the fake synthesizer: what reaches it, what comes out, what is refused first."""

import io
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile

import qwen3_tts
from qwen3_tts.audio.files import read_audio, write_audio
from qwen3_tts.cli.main import main
from qwen3_tts.types import Sampling, Voice
from qwen3_tts.version import __version__
from tests.cli.conftest import Run
from tests.fake_synthesizer import FRAME, RATE, FakeSynthesizer, tone

TEXT = "Grüße, 世界"


def spoken(fake: FakeSynthesizer) -> str:
    return fake.requests[-1].text


def pcm(content: bytes | Path) -> np.ndarray:
    return read_audio(content)[0]


@pytest.fixture
def recording_file(cli: Run) -> Path:
    path = Path("me.wav").absolute()
    write_audio(path, tone(np.full((5, 16), 120)), RATE)
    return path


def test_words_are_joined(cli: Run, fake: FakeSynthesizer) -> None:
    ran = cli("say", "Hello", "there.", "-5", "degrees")
    assert ran.code == 0
    assert spoken(fake) == "Hello there. -5 degrees"
    assert ran.out == b""
    assert ran.err == (
        "speech.wav: 1.8 s of speech, seed 4242, 3.7x realtime, ended by itself\n"
    )  # 23 frames of 80 ms; the fake says it took half a second
    assert len(pcm(Path("speech.wav"))) == 23 * FRAME


@pytest.mark.parametrize("words", [[], ["-"], ["--file", "-"]], ids=str)
def test_text_from_stdin(cli: Run, fake: FakeSynthesizer, words: list[str]) -> None:
    assert cli("say", *words, stdin=f"\ufeff{TEXT}\n\n".encode()).code == 0
    assert spoken(fake) == TEXT


def test_text_from_a_file(cli: Run, fake: FakeSynthesizer) -> None:
    Path("text.txt").write_text(f"{TEXT}\nsecond line\n", encoding="utf-8")
    assert cli("say", "--file", "text.txt").code == 0
    assert spoken(fake) == f"{TEXT}\nsecond line"


def test_every_option_reaches_the_request(cli: Run, fake: FakeSynthesizer) -> None:
    options = {
        "temperature": 0.5,
        "top_k": 3,
        "top_p": 0.25,
        "repetition_penalty": 1.5,
        "greedy": False,
        "predictor_temperature": 0.75,
        "predictor_top_k": 4,
        "predictor_top_p": 0.125,
        "predictor_greedy": True,
    }
    assert set(options) == {field.name for field in fields(Sampling)}
    words: list[object] = []
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", value]
    words += ["--voice", "bob", "--language", "de", "--seed", 9, "--max-frames", 5]
    assert cli("say", "hello there", *words, "--no-text-first").code == 0
    request = fake.requests[-1]
    assert request.sampling == Sampling(**options)
    assert (request.voice, request.language, request.seed) == ("bob", "de", 9)
    assert (request.max_frames, request.text_first) == (5, False)


def test_what_is_not_given_is_left_to_the_checkpoint(cli: Run, fake: FakeSynthesizer) -> None:
    assert cli("say", "hello").code == 0
    request = fake.requests[-1]
    assert request.sampling == Sampling()
    assert (request.voice, request.language, request.instruct) == (None, "Auto", None)
    assert (request.seed, request.max_frames, request.text_first) == (None, None, None)


def test_a_limit_that_was_reached_is_said(cli: Run, fake: FakeSynthesizer) -> None:
    assert "cut off at the limit of 2 frames" in cli("say", "hello", "--max-frames", 2).err


def test_audio_to_stdout(cli: Run, fake: FakeSynthesizer) -> None:
    expected = tone(np.full((5, 16), 1))
    ran = cli("say", "hello", "--seed", 1, "-o", "-")
    assert ran.out.startswith(b"RIFF")
    assert np.abs(pcm(ran.out) - expected).max() <= 2**-15  # one step of 16 bits
    assert ran.err.startswith("stdout: 0.4 s")
    ran = cli("say", "hello", "--seed", 1, "-o", "-", "--format", "flac")
    assert ran.out.startswith(b"fLaC")
    assert not list(Path().iterdir())


def test_audio_is_not_written_to_a_terminal(cli: Run, fake: FakeSynthesizer, terminal) -> None:
    shown = terminal("stdout")
    ran = cli("say", "hello", "-o", "-")
    assert ran.code == 2
    assert "stdout is a terminal" in ran.err
    assert shown() == ""
    assert not fake.requests


def test_a_person_at_the_keyboard_is_not_waited_for(
    cli: Run, fake: FakeSynthesizer, monkeypatch: pytest.MonkeyPatch, terminal
) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = terminal("stderr")
    monkeypatch.setattr("sys.stdin", Keyboard())
    assert main(["say"]) == 2
    assert "no text: pass TEXT, or --file FILE" in shown()


@pytest.mark.parametrize(
    ("words", "name", "start"),
    [
        (["-o", "a.flac"], "a.flac", b"fLaC"),
        (["-o", "a.OGG"], "a.OGG", b"OggS"),
        (["-o", "a", "--format", "wav"], "a", b"RIFF"),
        (["-o", "a.wav", "--format", "flac"], "a.wav", b"fLaC"),
        (["--format", "flac"], "speech.flac", b"fLaC"),
    ],
)
def test_the_format(
    cli: Run, fake: FakeSynthesizer, words: list[str], name: str, start: bytes
) -> None:
    assert cli("say", "hello", *words).code == 0
    assert Path(name).read_bytes().startswith(start)


def test_an_existing_file_is_overwritten_and_a_device_is_not_replaced(
    cli: Run, fake: FakeSynthesizer
) -> None:
    Path("speech.wav").write_text("old")
    assert cli("say", "hello").code == 0
    assert Path("speech.wav").read_bytes().startswith(b"RIFF")
    assert cli("say", "hello", "-o", "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


def test_home_is_expanded(
    cli: Run, fake: FakeSynthesizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli("say", "hello", "--output=~/a.wav", "--save-codes=~/c").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "c"]


def test_json_and_codes(cli: Run, fake: FakeSynthesizer) -> None:
    ran = cli("say", "hello", "--seed", 8, "--json", "--save-codes", "c.npy", "--max-frames", 4)
    assert ran.err == ""
    assert ran.out.count(b"\n") == 1
    result = json.loads(ran.out)
    timing = result.pop("timing")
    assert result == {
        "output": "speech.wav",
        "codes": "c.npy",
        "voice": None,
        "seconds": 0.32,
        "sample_rate": 24000,
        "frames": 4,
        "seed": 8,
        "finish_reason": "length",
    }
    assert timing == {
        "queued_s": 0.0,
        "prefill_s": 0.1,
        "first_frame_s": 0.2,
        "first_audio_s": 0.2,
        "codes_s": 0.3,
        "total_s": 0.5,
        "frames": 4,
        "audio_s": 0.32,
        "underrun_s": 0.0,
        "chunk_s": [],
        "x_realtime": 0.64,
    }
    codes = np.load("c.npy")
    assert codes.dtype == np.int64
    assert np.array_equal(codes, np.full((4, 16), 8))


def test_codes_to_stdout(cli: Run, fake: FakeSynthesizer) -> None:
    ran = cli("say", "hello", "--seed", 8, "--save-codes", "-")
    assert np.array_equal(np.load(io.BytesIO(ran.out)), np.full((5, 16), 8))


def test_quiet_leaves_warnings(cli: Run, fake: FakeSynthesizer) -> None:
    assert cli("say", "hello", "--quiet").err == ""
    ran = cli("say", "hello", "-q", "--instruct", "warmly")
    assert ran.err == "qwen3-tts: warning: instruct is ignored\n"
    assert fake.requests[-1].instruct == "warmly"


@pytest.mark.parametrize("from_file", [False, True])
def test_clone_with_the_text(
    cli: Run, fake: FakeSynthesizer, recording_file: Path, from_file: bool
) -> None:
    fake.kind = "base"
    Path("me.txt").write_text("What I say.\n")
    said = ["--ref-text-file", "me.txt"] if from_file else ["--ref-text", "What I say."]
    ran = cli("say", "hello", "--ref-audio", recording_file, *said, "--save-voice", "v.safetensors")
    assert ran.code == 0, ran.err
    voice = fake.requests[-1].voice
    assert isinstance(voice, Voice)
    assert (voice.mode, voice.text, voice.name) == ("icl", "What I say.", "me")
    assert voice.codes is not None
    assert voice.codes.shape == (5, 16)
    saved = Voice.load("v.safetensors")
    assert np.array_equal(saved.vector, voice.vector)
    assert saved.text == voice.text


@pytest.mark.parametrize("words", [[], ["--x-vector"]], ids=str)
def test_clone_without_the_text_and_from_stdin(
    cli: Run, fake: FakeSynthesizer, recording_file: Path, words: list[str]
) -> None:
    fake.kind = "base"
    content = recording_file.read_bytes()
    ran = cli("say", "hello", "--ref-audio", "-", *words, stdin=content)
    assert ran.code == 0, ran.err
    voice = fake.requests[-1].voice
    assert isinstance(voice, Voice)
    assert voice.mode == "x_vector"
    assert voice.vector[0] == read_audio(content)[0].mean()


def test_a_saved_voice(cli: Run, fake: FakeSynthesizer) -> None:
    Voice(np.arange(4, dtype=np.float32), name="me").save("me.safetensors")
    assert cli("say", "hello", "--voice-file", "me.safetensors").code == 0
    voice = fake.requests[-1].voice
    assert isinstance(voice, Voice)
    assert np.array_equal(voice.vector, np.arange(4))


CONTRADICTIONS = [
    (["hello", "--file", "a.txt"], "TEXT and --file are both given"),
    (["hello", "--ref-text", "x"], "--ref-text needs --ref-audio"),
    (["hello", "--ref-text-file", "x"], "--ref-text-file needs --ref-audio"),
    (["hello", "--x-vector"], "--x-vector needs --ref-audio"),
    (["hello", "--voice", "ann", "--save-voice", "x"], "--save-voice needs --ref-audio"),
    (["hello", "--voice", "ann", "--ref-audio", "x"], "not allowed with argument --voice"),
    (["hello", "--ref-audio", "x", "--ref-text", "x", "--x-vector"], "not allowed with argument"),
    (["--ref-audio", "-"], "stdin can be read once only"),
    (["-", "--ref-audio", "x", "--ref-text-file", "-"], "stdin can be read once only"),
    (["hello", "-o", "-", "--json"], "stdout can take one thing only"),
    (["hello", "-o", "-", "--save-codes", "-"], "stdout can take one thing only"),
    (["hello", "--ref-audio", "x", "--save-voice", "-"], "a voice file cannot be a stream"),
    (["hello", "--voice", "ann", "there"], "unrecognized arguments: there"),
]


@pytest.mark.parametrize(("words", "part"), CONTRADICTIONS, ids=str)
def test_contradictions_are_code_2(
    cli: Run, fake: FakeSynthesizer, words: list[str], part: str
) -> None:
    ran = cli("say", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, b"", 1)
    assert part in ran.err
    assert not fake.requests


def test_without_a_model_the_one_in_the_package_speaks(cli: Run, tmp_path: Path) -> None:
    ran = cli("say", "Good morning.", "-o", "a.wav", "--seed", "1")
    assert ran.code == 0, ran.err
    wave, rate = read_audio(tmp_path / "a.wav")
    ours = qwen3_tts.load("nano").synthesize("Good morning.", seed=1)
    assert rate == ours.sample_rate
    np.testing.assert_allclose(wave, ours.wave, atol=1 / 32768)  # the file holds 16-bit samples


BAD_INPUTS = [
    ([""], "the text is empty"),
    (["   "], "the text is empty"),
    (["-"], "stdin holds no text"),
    (["--file", "absent.txt"], "`absent.txt`: No such file or directory"),
    (["--file", "latin1.txt"], "latin1.txt is not UTF-8 text: byte 0xfc at offset 2"),
    (["--file", "."], "`.`: Is a directory"),
    (["hello", "-o", "absent/a.wav"], "folder `absent` does not exist"),
    (["hello", "-o", "."], "`.` is a folder; give a file name"),
    (["hello", "-o", "folder.wav"], "`folder.wav` is a folder"),
    (["hello", "-o", "a.aiff"], "`a.aiff` does not end in .wav, .flac, .mp3, .ogg"),
    (["hello", "--save-codes", "absent/c.npy"], "folder `absent` does not exist"),
    (["hello", "--ref-audio", "absent.wav"], "cannot read `absent.wav`"),
    (["hello", "--ref-audio", "latin1.txt"], "cannot decode `latin1.txt`"),
    (["hello", "--voice-file", "absent"], "no voice file absent"),
    (["hello", "--voice-file", "latin1.txt"], "latin1.txt is not a voice file"),
    (["hello", "--voice", "eve"], "voice 'eve' is unknown"),
]


@pytest.mark.parametrize(("words", "part"), BAD_INPUTS, ids=str)
def test_bad_input_is_one_line_and_code_1(
    cli: Run, fake: FakeSynthesizer, words: list[str], part: str
) -> None:
    Path("latin1.txt").write_bytes("Grüße".encode("latin-1"))
    Path("folder.wav").mkdir()
    before = sorted(Path().iterdir())
    ran = cli("say", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, b"", 1), ran.err
    assert ran.err.startswith("qwen3-tts: ")
    assert part in ran.err
    assert sorted(Path().iterdir()) == before  # nothing half-written is left


def test_a_file_that_may_not_be_written(
    cli: Run, fake: FakeSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    ran = cli("say", "hello")
    assert (ran.code, ran.err) == (
        1,
        "qwen3-tts: `speech.wav` may not be written: permission denied\n",
    )
    assert not fake.requests


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.ogg"])
def test_a_file_says_that_a_machine_spoke(cli: Run, fake: FakeSynthesizer, name: str) -> None:
    mark = f"AI-generated, qwen3-tts {__version__}"
    assert cli("say", "hello", "-o", name).code == 0
    with soundfile.SoundFile(name) as file:
        assert file.comment == mark
    assert cli("say", "hello", "-o", f"bare-{name}", "--no-provenance").code == 0
    with soundfile.SoundFile(f"bare-{name}") as file:
        assert mark not in file.comment
    assert np.array_equal(read_audio(name)[0], read_audio(f"bare-{name}")[0])
