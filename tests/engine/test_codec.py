"""The codec at the public face: numpy in and out, bounded pieces, primed streams."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qwen3_tts
from qwen3_tts.audio.files import resample, write_audio
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.codec import Codec
from qwen3_tts.errors import InvalidAudio, InvalidRequest

FRAME = 1920
CLOSE = 1e-5  # of a wave that peaks near 0.5; see tests/engine/test_engine.py


@pytest.fixture(scope="module")
def codec(base: Qwen3Synthesizer) -> Codec:
    return base.codec


def random_codes(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).integers(0, 2048, (frames, 16))


def test_codec_knows_its_numbers(codec: Codec) -> None:
    assert (codec.sample_rate, codec.num_codebooks, codec.samples_per_frame) == (24_000, 16, FRAME)


def test_decode_is_one_pass_of_the_decoder(codec: Codec) -> None:
    codes = random_codes(9)
    wave = codec.decode(codes)
    assert wave.shape == (9 * FRAME,)
    assert wave.dtype == np.float32
    decoder = codec.model.decoder
    with torch.inference_mode():
        expected = decoder(torch.from_numpy(codes).T[None], decoder.new_state(1))[0].numpy()
    assert np.array_equal(wave, expected)


@pytest.mark.parametrize("decode_frames", [1, 4, 100])
def test_pieces_are_the_whole(codec: Codec, decode_frames: int) -> None:
    codes = random_codes(9)
    pieces = Codec(codec.model, decode_frames).decode(codes)
    np.testing.assert_allclose(pieces, codec.decode(codes), rtol=0, atol=CLOSE)


def test_decoding_never_hears_what_was_decoded_before(codec: Codec) -> None:
    codes = random_codes(5)
    first = codec.decode(codes)
    codec.decode(random_codes(8))
    assert np.array_equal(codec.decode(codes), first)


def test_no_codes_are_no_samples(codec: Codec) -> None:
    wave = codec.decode(np.zeros((0, 16), dtype=np.int64))
    assert wave.shape == (0,)
    assert wave.dtype == np.float32


@pytest.mark.parametrize("kind", ["uint16", "int32", "list", "tensor"])
def test_codes_may_be_any_integers(codec: Codec, kind: str) -> None:
    codes = random_codes(2)
    given: Any = {
        "uint16": codes.astype(np.uint16),
        "int32": codes.astype(np.int32),
        "list": codes.tolist(),
        "tensor": torch.from_numpy(codes),
    }[kind]
    assert np.array_equal(codec.decode(given), codec.decode(codes))


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        (np.zeros((3, 15), dtype=int), "[frames, 16], got int64 [3, 15]"),
        (np.zeros(16, dtype=int), "[frames, 16], got int64 [16]"),
        (np.zeros((3, 16)), "integers [frames, 16], got float64"),
        (np.zeros((3, 16), dtype=bool), "integers [frames, 16], got bool"),
        (np.full((3, 16), 2048), "0..2047, got 2048..2048"),
        (np.full((3, 16), -1), "0..2047, got -1..-1"),
        (None, "integers [frames, 16], got object"),
    ],
)
def test_bad_codes_are_refused(codec: Codec, codes: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        codec.decode(codes)
    assert said in str(caught.value)


@pytest.mark.parametrize("samples", [1, 1919, 1920, 1921, 9000])
def test_encode_gives_a_code_row_per_begun_frame(codec: Codec, samples: int) -> None:
    wave = np.random.default_rng(1).normal(0, 0.1, samples).astype(np.float32)
    codes = codec.encode((wave, 24_000))
    assert codes.shape == (-(-samples // FRAME), 16)
    assert codes.dtype == np.int64
    with torch.inference_mode():
        expected = codec.model.encoder(torch.from_numpy(wave)[None], 16)[0].T
    assert np.array_equal(codes, expected.numpy())


def test_encode_takes_every_form_of_a_recording(codec: Codec, tmp_path: Path) -> None:
    wave = np.random.default_rng(1).normal(0, 0.1, 5000).astype(np.float32)
    expected = codec.encode((wave, 24_000))
    path = tmp_path / "noise.wav"
    write_audio(path, wave, 24_000, subtype="FLOAT")
    assert np.array_equal(codec.encode(path), expected)
    assert np.array_equal(codec.encode(path.read_bytes()), expected)
    assert np.array_equal(codec.encode(wave, 24_000), expected)
    low = resample(wave, 24_000, 16_000)
    assert np.array_equal(
        codec.encode(low, 16_000), codec.encode(resample(low, 16_000, 24_000), 24_000)
    )


def test_an_empty_recording_is_refused(codec: Codec) -> None:
    with pytest.raises(InvalidAudio, match="empty"):
        codec.encode_wave(np.zeros(0, dtype=np.float32))


def test_a_primed_state_goes_on_where_the_reference_ends(codec: Codec) -> None:
    reference, codes = random_codes(6), random_codes(4)
    state = codec.primed(reference)
    assert state.pos.tolist() == [6]
    with torch.inference_mode():
        wave = codec.decode_frames_of(codec.check_codes(codes), state)
    whole = codec.decode(np.concatenate([reference, codes]))
    np.testing.assert_allclose(wave, whole[6 * FRAME :], rtol=0, atol=CLOSE)


def test_load_codec_opens_a_checkpoint_or_the_codec_alone(checkpoint: Any, codec: Codec) -> None:
    folder, codes = checkpoint("base"), random_codes(2)
    expected = codec.decode(codes)
    for place in (folder, str(folder), folder / "speech_tokenizer"):
        opened = qwen3_tts.load_codec(place, device="cpu")
        assert opened.device.type == "cpu"
        assert np.array_equal(opened.decode(codes), expected)
