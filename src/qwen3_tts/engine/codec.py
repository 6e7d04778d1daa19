"""The codec at the public face: numpy waves and codes in and out."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qwen3_tts.audio.files import read_audio, resample
from qwen3_tts.engine.decoding import Decoder
from qwen3_tts.errors import InvalidAudio, InvalidRequest
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.types import Codes, Wave


class Codec:
    """Wave to codes and back. Made by `qwen3_tts.load_codec` or as `.codec` of a loaded model."""

    def __init__(self, model: SpeechCodec, decode_frames: int = 64, decoder: Decoder | None = None):
        """`decoder` does the decoding in place of the model's own, from the same weights."""
        self.model, self.decode_frames = model, decode_frames
        self.decoder: Decoder = decoder or model.decoder
        self.config = model.config
        self.sample_rate = model.config.output_sample_rate
        self.num_codebooks = model.config.encoder_valid_num_quantizers
        self.samples_per_frame = self.decoder.samples_per_frame

    @property
    def device(self) -> torch.device:
        return next(self.model.encoder.parameters()).device

    def encode(self, audio: Any, sample_rate: int | None = None) -> Codes:
        """A recording to codes [ceil(N / 1920), K].

        `audio` is what `read_audio` takes (path, bytes, file, (array, rate)), or an array with its
        `sample_rate`. Raises `InvalidAudio`.
        """
        source = audio if sample_rate is None else (audio, sample_rate)
        wave, rate = read_audio(source)
        return self.encode_wave(resample(wave, rate, self.config.input_sample_rate))

    def encode_wave(self, wave: Wave) -> Codes:
        """A wave [N] at the codec's own rate to codes [T, K]."""
        if len(wave) == 0:
            raise InvalidAudio("the recording is empty")
        with torch.inference_mode():
            x = torch.from_numpy(np.array(wave, dtype=np.float32)).to(self.device)[None]
            codes: Codes = self.model.encoder(x, self.num_codebooks)[0].T.cpu().numpy()
        return codes

    def decode(self, codes: Any) -> Wave:
        """Codes [T, K] to a wave [T * 1920] at 24 kHz. Raises `InvalidRequest`."""
        checked = self.check_codes(codes)
        with torch.inference_mode():
            return self.decode_frames_of(checked, self.decoder.new_state(1))

    def check_codes(self, codes: Any) -> Tensor:
        """Codes as a tensor [T, K] on the codec's device, or `InvalidRequest` saying why not."""
        try:
            array = np.asarray(codes)
        except ValueError:  # rows of unequal length
            raise InvalidRequest("codes must be a rectangle, [frames, codebooks]") from None
        K, size = self.num_codebooks, self.config.decoder_config.codebook_size
        if array.ndim != 2 or array.shape[1] != K or not np.issubdtype(array.dtype, np.integer):
            raise InvalidRequest(
                f"codes must be integers [frames, {K}], got {array.dtype} {list(array.shape)}"
            )
        if array.size and not (array.min() >= 0 and array.max() < size):
            raise InvalidRequest(
                f"codes must lie in 0..{size - 1}, got {array.min()}..{array.max()}"
            )
        return torch.from_numpy(array.astype(np.int64)).to(self.device)

    def primed(self, reference: Codes) -> DecoderState:
        """Decoder state after reference codes [R, K]: speech that follows continues them."""
        with torch.inference_mode():
            state = self.decoder.new_state(1)
            for _ in self._decode_pieces(self.check_codes(reference), state):
                pass
        return state

    def decode_frames_of(self, codes: Tensor, state: DecoderState) -> Wave:
        """Codes [T, K] to a wave, going on from `state`, a bounded number of frames at a time."""
        pieces = [piece.cpu().numpy() for piece in self._decode_pieces(codes, state)]
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)

    def _decode_pieces(self, codes: Tensor, state: DecoderState) -> Iterator[Tensor]:
        for start in range(0, len(codes), self.decode_frames):
            piece = codes[start : start + self.decode_frames]
            yield self.decoder(piece.T[None], state)[0]
