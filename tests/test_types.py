"""Voices and speech as files, and requests as plain data."""

import io
import json
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from qwen3_tts.audio.files import read_audio, write_audio
from qwen3_tts.errors import InvalidVoice, UnknownVoice
from qwen3_tts.types import Sampling, Speech, SpeechRequest, Take, Timing, Voice
from qwen3_tts.version import __version__
from qwen3_tts.voice import style_key
from tests.refusal import refused

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def vector_of(width: int = 64) -> np.ndarray:
    return np.random.default_rng(1).normal(size=width).astype(np.float32)


def codes_of(frames: int = 9) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 2048, (frames, 16))


def speech_of(seconds: float = 0.5) -> Speech:
    """A tone that fades in and out, so that lossy formats keep it well."""
    time_s = np.arange(int(24_000 * seconds)) / 24_000
    fade = np.sin(np.pi * time_s / seconds)
    wave = (0.5 * fade * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    timing = Timing(0.0, 0.01, 0.02, 0.03, 0.2, 0.25, frames=6, audio_s=seconds)
    return Speech(wave, 24_000, codes_of(6), 3, "stop", timing)


def same(a: Voice | Take, b: Voice | Take) -> None:
    """Every field, to the bit."""
    for name in (f.name for f in fields(a)):
        ours, theirs = getattr(a, name), getattr(b, name)
        if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
            assert ours.dtype == theirs.dtype, name
            assert np.array_equal(ours, theirs), name
        elif name == "takes":
            assert list(ours) == list(theirs)
            for style in ours:
                same(ours[style], theirs[style])
        else:
            assert ours == theirs, name


def whole_voice() -> Voice:
    """One with everything a voice can have."""
    return Voice(
        vector_of(),
        codes_of(),
        "What it says.",
        "english",
        "anna",
        model="qwen3-tts-12hz-0b6",
        gain_db=-1.7,
        checks={"findings": [{"code": "noise", "value": 12.25}], "ok": None},
        consent="Anna agreed.\nOn 2 May.",
        provenance={"made": "clone", "parts": ["a", 1, 2.5, True, None, {"ü": "\ud800"}]},
        takes={
            "happy": Take(codes_of(4), "Hooray!"),
            "whisper": Take(codes_of(3), "Psst.", 2 * vector_of(), "german", 3.5),
            "开心": Take(vector=-vector_of()),
        },
    )


def test_a_voice_of_a_vector_alone_survives_its_file(tmp_path: Path) -> None:
    voice = Voice(vector_of(), language="english", name="anna")
    voice.save(tmp_path / "anna.safetensors")
    same(Voice.load(tmp_path / "anna.safetensors"), voice)
    assert voice.mode == "x_vector"


def test_a_voice_in_context_survives_its_file(tmp_path: Path) -> None:
    voice = Voice(vector_of(80), codes_of(), "What it says.")
    voice.save(str(tmp_path / "anna.safetensors"))
    same(Voice.load(str(tmp_path / "anna.safetensors")), voice)
    assert voice.mode == "icl"


@given(text=TEXTS.filter(str.strip), name=TEXTS, frames=st.integers(0, 30))
def test_any_text_and_name_survive_a_file(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str, frames: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    voice = Voice(vector_of(3), codes_of(frames), text, name=name)
    voice.save(path)
    same(Voice.load(path), voice)


def test_views_are_saved_as_what_they_show(tmp_path: Path) -> None:
    """Rows out of order in memory, as a transposed array has them."""
    voice = Voice(vector_of(64)[::2], np.asfortranarray(codes_of()), "Words.")
    voice.save(tmp_path / "v")
    same(Voice.load(tmp_path / "v"), voice)


def test_a_voice_file_can_be_overwritten(tmp_path: Path) -> None:
    Voice(vector_of(), codes_of(), "Words.").save(tmp_path / "v")
    Voice(vector_of(8)).save(tmp_path / "v")
    same(Voice.load(tmp_path / "v"), Voice(vector_of(8)))


def test_a_voice_with_everything_survives_its_file(tmp_path: Path) -> None:
    whole_voice().save(tmp_path / "v")
    same(Voice.load(tmp_path / "v"), whole_voice())
    Voice.load(tmp_path / "v").save(tmp_path / "v")
    same(Voice.load(tmp_path / "v"), whole_voice())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
STYLES = st.text(min_size=1, max_size=12)


@given(
    words=st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("text", "language", "model", "consent"), st.none() | st.text()),
            "gain_db": st.floats(allow_nan=False, allow_infinity=False),
            "checks": st.dictionaries(st.text(), JSON, max_size=3),
            "provenance": st.dictionaries(st.text(), JSON, max_size=3),
        },
    ),
    styles=st.lists(STYLES, max_size=4),
)
def test_any_words_survive_a_file(
    tmp_path_factory: pytest.TempPathFactory, words: dict, styles: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any words.safetensors"
    takes = {}
    for style in styles:
        try:
            takes[style_key(style)] = Take(codes_of(2), f"As {style!r}.")
        except InvalidVoice:
            assert not style.isprintable() or not style.strip()
    takes.pop("neutral", None)
    voice = Voice(vector_of(3), **words, takes=takes)
    voice.save(path)
    same(Voice.load(path), voice)


def test_files_of_version_1_are_read(tmp_path: Path) -> None:
    """What version 1 wrote, to the byte: tensors, and three words."""
    about = {"name": "anna", "text": "What it says.", "language": None}
    metadata = {"format": "qwen3-tts-voice", "version": "1", "voice": json.dumps(about)}
    save_file({"vector": vector_of(), "codes": codes_of()}, tmp_path / "v", metadata)
    same(Voice.load(tmp_path / "v"), Voice(vector_of(), codes_of(), "What it says.", name="anna"))
    save_file({"vector": vector_of()}, tmp_path / "v", {**metadata, "voice": "{}"})
    same(Voice.load(tmp_path / "v"), Voice(vector_of()))


def test_what_a_later_file_adds_is_left_out(tmp_path: Path) -> None:
    metadata = {"format": "qwen3-tts-voice", "version": "2", "voice": '{"name": "a", "mood": 3}'}
    save_file({"vector": vector_of(), "other": codes_of()}, tmp_path / "v", metadata)
    same(Voice.load(tmp_path / "v"), Voice(vector_of(), name="a"))


def test_takes() -> None:
    voice = whole_voice()
    assert voice.styles == ["neutral", "happy", "whisper", "开心"]
    for style in (None, "neutral", "Neutral "):
        assert voice.take(style) is voice
    happy = replace(voice, codes=codes_of(4), text="Hooray!", takes={})
    same(voice.take(" HAPPY"), happy)
    whisper = replace(
        voice,
        vector=2 * vector_of(),
        codes=codes_of(3),
        text="Psst.",
        language="german",
        gain_db=3.5,
        takes={},
    )
    same(voice.take("whisper"), whisper)
    alone = voice.take("开心")
    assert (alone.mode, alone.text, alone.name) == ("x_vector", None, "anna")
    assert np.array_equal(alone.vector, -vector_of())
    with refused(UnknownVoice, "'anna'", "'sad'", "neutral, happy, whisper, 开心"):
        voice.take("Sad")
    with refused(UnknownVoice, "'happy'", "have: neutral"):
        Voice(vector_of()).take("happy")


def test_takes_come_and_go() -> None:
    voice, take = whole_voice(), Take(codes_of(5), "Grr.")
    more = voice.with_take("Angry", take)
    assert more.styles == [*voice.styles, "angry"]
    same(more.takes["angry"], take)
    same(more.without_take("ANGRY"), voice)
    with refused(InvalidVoice, "'happy'", "already"):
        voice.with_take("happy", take)
    with refused(InvalidVoice, "'neutral'", "own reference"):
        voice.with_take("Neutral", take)
    with refused(InvalidVoice, "'neutral'", "no take"):
        voice.without_take("neutral")
    with refused(UnknownVoice, "'angry'", "have: neutral, happy"):
        voice.without_take("angry")


@given(st.text(max_size=40))
def test_a_style_is_the_same_style_again(style: str) -> None:
    try:
        key = style_key(style)
    except InvalidVoice:
        return
    assert style_key(key) == key
    assert key.isprintable()
    assert 1 <= len(key) <= 32


def test_a_voice_keeps_copies() -> None:
    """What was given can change without changing the voice."""
    vector, codes, checks = vector_of(), codes_of(), {"a": [1]}
    voice = Voice(vector, codes, "Words.", checks=checks)
    vector[0], codes[0, 0], checks["a"][0] = 9, 9, 9
    same(voice, Voice(vector_of(), codes_of(), "Words.", checks={"a": [1]}))


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_speech_survives_a_lossless_file(tmp_path: Path, format: str) -> None:
    speech = speech_of()
    speech.save(tmp_path / f"speech.{format}")
    wave, rate = read_audio(tmp_path / f"speech.{format}")
    assert rate == 24_000
    # 16-bit samples: values between two steps go to the lower one
    np.testing.assert_allclose(wave, speech.wave, rtol=0, atol=1 / 32768)


@pytest.mark.parametrize("format", ["ogg", "mp3"])
def test_speech_is_heard_in_a_lossy_file(tmp_path: Path, format: str) -> None:
    speech = speech_of()
    speech.save(tmp_path / f"speech.{format}")
    wave, rate = read_audio(tmp_path / f"speech.{format}")
    assert rate == 24_000
    # an mp3 is whole frames of 576 samples at this rate, and what was before them
    assert 0 <= len(wave) - len(speech.wave) <= 3 * 576
    shifts = range(len(wave) - len(speech.wave) + 1)
    heard = min(np.abs(wave[s : s + len(speech.wave)] - speech.wave).max() for s in shifts)
    assert heard < 0.05  # a tenth of its peak


def test_a_format_may_be_named(tmp_path: Path) -> None:
    """It wins over the suffix, and a file object needs it."""
    speech, memory = speech_of(), io.BytesIO()
    speech.save(memory, format="flac")
    assert memory.getvalue().startswith(b"fLaC")
    speech.save(tmp_path / "speech.wav", format="flac")
    assert (tmp_path / "speech.wav").read_bytes() == memory.getvalue()


def test_duration_and_speed() -> None:
    speech = speech_of(0.5)
    assert speech.duration_s == 0.5
    assert speech.timing.x_realtime == 2.0  # half a second in a quarter
    assert Timing(0, 0, 0, 0, 0, 0, frames=0, audio_s=1.0).x_realtime == 0.0


def test_a_request_defaults_to_what_the_checkpoint_says() -> None:
    request = SpeechRequest("Hello.")
    given = {f.name: getattr(request, f.name) for f in fields(SpeechRequest)}
    assert given == {
        "text": "Hello.",
        "voice": None,
        "language": "Auto",
        "instruct": None,
        "sampling": Sampling(),
        "seed": None,
        "max_frames": None,
        "text_first": None,
        "priority": "normal",
        "guard": None,
        "style": None,
    }
    assert all(getattr(Sampling(), f.name) is None for f in fields(Sampling))


def test_data_is_frozen() -> None:
    for value, name in (
        (Voice(vector_of()), "name"),
        (SpeechRequest("a"), "text"),
        (Sampling(), "top_k"),
        (speech_of(), "seed"),
        (speech_of().timing, "frames"),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, 1)


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "ogg"])
def test_a_saved_speech_says_that_a_machine_spoke(format: str) -> None:
    speech = speech_of()
    marked, bare, plain = io.BytesIO(), io.BytesIO(), io.BytesIO()
    speech.save(marked, format)
    speech.save(bare, format, provenance=False)
    write_audio(plain, speech.wave, 24_000, format=format)
    comment = f"AI-generated, qwen3-tts {__version__}"
    assert comment.encode() in marked.getvalue()
    assert comment.encode() not in bare.getvalue()
    if format != "ogg":  # which has a number drawn for each file
        assert bare.getvalue() == plain.getvalue()
    waves = [read_audio(each.getvalue())[0] for each in (marked, bare)]
    assert np.array_equal(*waves)
