"""`Qwen3TTSTokenizer`: every form of recordings and codes, against the codec itself."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qwen3_tts
from qwen3_tts.audio.files import read_audio, resample, write_audio
from qwen3_tts.compat import Qwen3TTSTokenizer
from qwen3_tts.engine.codec import Codec
from qwen3_tts.errors import SpeechError
from tests.conftest import WriteCheckpoint

Recording = tuple[np.ndarray, int]


@pytest.fixture(scope="module")
def codec(checkpoint: WriteCheckpoint) -> Codec:
    return qwen3_tts.load_codec(checkpoint("base"), device="cpu")


@pytest.fixture
def wav(tmp_path: Path, recording: Recording) -> Path:
    write_audio(tmp_path / "ref.wav", *recording)
    return tmp_path / "ref.wav"


def test_encode_gives_the_codecs_codes(
    tokenizer: Qwen3TTSTokenizer, codec: Codec, recording: Recording
) -> None:
    wave, _ = recording
    for rate in (24_000, 16_000):
        (codes,) = tokenizer.encode(wave, sr=rate).audio_codes
        assert codes.dtype == torch.int64
        assert np.array_equal(codes.numpy(), codec.encode(wave, rate))


def test_a_list_is_its_single_recordings(
    tokenizer: Qwen3TTSTokenizer, codec: Codec, recording: Recording
) -> None:
    waves = [recording[0], recording[0][:5000]]
    both = tokenizer.encode(waves, sr=24_000).audio_codes
    assert [codes.shape for codes in both] == [(7, 16), (3, 16)]
    for codes, wave in zip(both, waves, strict=True):
        assert np.array_equal(codes.numpy(), codec.encode(wave, 24_000))


def test_paths_and_base64(tokenizer: Qwen3TTSTokenizer, codec: Codec, wav: Path) -> None:
    text = base64.b64encode(wav.read_bytes()).decode()
    for one in tokenizer.encode([str(wav), text, "data:audio/wav;base64," + text]).audio_codes:
        assert np.array_equal(one.numpy(), codec.encode(wav))
    assert len(tokenizer.encode(str(wav)).audio_codes) == 1


def test_load_audio_resamples(tokenizer: Qwen3TTSTokenizer, wav: Path) -> None:
    wave, rate = read_audio(wav)
    assert np.array_equal(tokenizer.load_audio(str(wav), rate), wave)
    half = tokenizer.load_audio(str(wav), 12_000)
    assert np.array_equal(half, resample(wave, rate, 12_000))
    assert half.shape == (6_000,)
    assert half.dtype == np.float32


def test_the_forms_of_an_output(tokenizer: Qwen3TTSTokenizer, recording: Recording) -> None:
    output = tokenizer.encode(*recording)
    for form in (
        output["audio_codes"],
        output[0],
        *output.to_tuple(),
        *tokenizer.encode(*recording, return_dict=False),
        tokenizer.encode(*recording, None).audio_codes,
    ):
        assert torch.equal(form[0], output.audio_codes[0])
    with pytest.raises(KeyError):
        output["codes"]


@pytest.mark.parametrize(
    ("audios", "sr", "kind", "told"),
    [
        (np.zeros(4000, np.float32), None, ValueError, "no sample rate"),
        ([np.zeros(4000, np.float32), "a.wav"], 24_000, TypeError, "hold ndarray, str"),
        (["a.wav", np.zeros(4000, np.float32)], 24_000, TypeError, "hold ndarray, str"),
        ([b"RIFF"], 24_000, TypeError, "hold bytes"),
        ("no/such.wav", None, ValueError, "cannot read"),
        (np.zeros(0, np.float32), 24_000, ValueError, "no samples"),
    ],
)
def test_what_cannot_be_encoded(
    tokenizer: Qwen3TTSTokenizer, audios: Any, sr: int | None, kind: type[Exception], told: str
) -> None:
    if isinstance(audios, list) and isinstance(audios[0], str):
        content = BytesIO()
        write_audio(content, np.full(4000, 0.1, np.float32), 24_000, format="wav")
        audios = [base64.b64encode(content.getvalue()).decode(), *audios[1:]]
    with pytest.raises(kind, match=told) as caught:
        tokenizer.encode(audios, sr=sr)
    assert isinstance(caught.value, SpeechError)


def test_every_form_of_codes_decodes_alike(tokenizer: Qwen3TTSTokenizer, codec: Codec) -> None:
    draws = np.random.default_rng(4)
    long, short = (draws.integers(0, 2048, (frames, 16)) for frames in (5, 3))
    tensors = [torch.from_numpy(long), torch.from_numpy(short)]
    padded = np.full((2, 5, 16), -1)
    padded[0], padded[1, :3] = long, short
    waves = [codec.decode(long), codec.decode(short)]
    assert [wave.shape for wave in waves] == [(9600,), (5760,)]

    output = type("Output", (), {"audio_codes": tensors})()
    both = [
        output,
        {"audio_codes": tensors},
        {"audio_codes": [long, short]},
        {"audio_codes": torch.from_numpy(padded)},
        {"audio_codes": padded},
        [{"audio_codes": tensors[0]}, {"audio_codes": short}],
    ]
    for encoded in both:
        decoded, rate = tokenizer.decode(encoded)
        assert rate == 24_000
        assert len(decoded) == 2
        assert all(map(np.array_equal, decoded, waves))
    for codes in (tensors[1], short, torch.from_numpy(padded[1])):
        decoded, _ = tokenizer.decode({"audio_codes": codes})
        assert len(decoded) == 1
        assert np.array_equal(decoded[0], waves[1])


def test_padding_within_a_frame_is_code_zero(tokenizer: Qwen3TTSTokenizer, codec: Codec) -> None:
    codes = np.random.default_rng(4).integers(0, 2048, (3, 16))
    holed = codes.copy()
    holed[1, 4:], codes[1, 4:] = -1, 0
    (wave,), _ = tokenizer.decode({"audio_codes": torch.from_numpy(holed)})
    assert np.array_equal(wave, codec.decode(codes))


def test_codes_go_around(tokenizer: Qwen3TTSTokenizer, recording: Recording) -> None:
    encoded = tokenizer.encode([recording[0]] * 2, sr=24_000)
    decoded, _ = tokenizer.decode(encoded)
    assert [wave.shape for wave in decoded] == [(7 * 1920,)] * 2


@pytest.mark.parametrize(
    ("encoded", "kind", "told"),
    [
        ("codes", TypeError, "cannot decode a str"),
        ({"codes": []}, TypeError, "cannot decode a dict"),
        ([torch.zeros(2, 16)], TypeError, "cannot decode a Tensor"),
        ({"audio_codes": [torch.zeros(16, dtype=torch.long)]}, ValueError, r"got \[16\]"),
        ({"audio_codes": torch.zeros(2, 8, dtype=torch.long)}, ValueError, r"\[2, 8\]"),
        ({"audio_codes": torch.full((2, 16), 2048)}, ValueError, "0..2047"),
        ({"audio_codes": torch.zeros(2, 16)}, ValueError, "must be integers"),
    ],
)
def test_what_cannot_be_decoded(
    tokenizer: Qwen3TTSTokenizer, encoded: Any, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told) as caught:
        tokenizer.decode(encoded)
    assert isinstance(caught.value, SpeechError)


def test_what_it_says_about_itself(tokenizer: Qwen3TTSTokenizer) -> None:
    assert tokenizer.get_model_type() == "qwen3_tts_tokenizer_12hz"
    assert (tokenizer.get_input_sample_rate(), tokenizer.get_output_sample_rate()) == (24_000,) * 2
    assert tokenizer.get_encode_downsample_rate() == 1920
    assert tokenizer.get_decode_upsample_rate() == 1920
    assert tokenizer.device == torch.device("cpu")
    assert tokenizer.config is tokenizer.model.config
