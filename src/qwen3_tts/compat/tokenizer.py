"""`Qwen3TTSTokenizer`: the codec behind the official interface."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import qwen3_tts
from qwen3_tts.audio.files import read_audio, resample
from qwen3_tts.compat.arguments import as_list, audio_source
from qwen3_tts.compat.errors import CompatError, CompatTypeError, official_kinds
from qwen3_tts.compat.options import LoadOptions
from qwen3_tts.config import CodecConfig
from qwen3_tts.engine.codec import Codec
from qwen3_tts.types import Wave
from qwen3_tts.weights.hub import fetch_codec


@dataclass(frozen=True)
class EncoderOutput:
    """Codes of every recording, int64 [T, 16] each. Also reads as `output["audio_codes"]`."""

    audio_codes: list[Tensor]

    def __getitem__(self, key: str | int) -> list[Tensor]:
        if key not in ("audio_codes", 0):
            raise KeyError(key)
        return self.audio_codes

    def to_tuple(self) -> tuple[list[Tensor]]:
        return (self.audio_codes,)


class Qwen3TTSTokenizer:
    """The 12 Hz codec. Open one with `from_pretrained`.

    `model` is this package's `Codec`, `config` the codec's config, `device` where it runs. Every
    recording gets the codes, and every row of codes the wave, that it would get alone: the
    official batch pads, which changes the last partial frame of the shorter recordings. Decoding
    is exact at any length, where the official one starts anew every 300 frames (24 s).
    """

    model: Codec
    config: CodecConfig
    device: torch.device

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str, **kwargs: Any
    ) -> "Qwen3TTSTokenizer":
        """Load a folder or hub id: of the codec's own repository, or of a checkpoint.

        Keywords are those of `Qwen3TTSModel.from_pretrained`; `dtype` has no effect, because the
        codec is always float32. Raises as it does.
        """
        with official_kinds():
            options = LoadOptions.read(kwargs)
            folder = fetch_codec(pretrained_model_name_or_path, **options.hub())
            codec = qwen3_tts.load_codec(folder, device=options.device)
        tokenizer = cls()
        tokenizer.model, tokenizer.config = codec, codec.config
        tokenizer.device = codec.device
        return tokenizer

    def load_audio(self, x: str, target_sr: int) -> Wave:
        """A recording (path or base64) as a mono wave, float32 [N], at `target_sr` Hz.

        Raises `CompatError`; URLs are not fetched.
        """
        with official_kinds():
            wave, rate = read_audio(audio_source(x))
            return resample(wave, rate, int(target_sr))

    def encode(self, audios: Any, sr: int | None = None, return_dict: bool = True) -> Any:
        """Codes of recordings: an `EncoderOutput`, or a tuple of its one field without one.

        `audios` is a path, base64 or an array with its rate `sr`, or a list of one of these kinds.
        Raises `CompatError`, and `CompatTypeError` for mixed lists.
        """
        with official_kinds():
            waves = list(self._waves(audios, sr))
            codes = [torch.tensor(self.model.encode_wave(w), device=self.device) for w in waves]
        output = EncoderOutput(codes)
        return output if return_dict or return_dict is None else output.to_tuple()

    def _waves(self, audios: Any, sr: int | None) -> Iterator[Wave]:
        """Waves at the codec's rate."""
        recordings = list(audios) if isinstance(audios, tuple) else as_list(audios)
        paths = [isinstance(recording, str) for recording in recordings]
        if not all(paths) and sr is None:
            raise CompatError("an array has no sample rate; give it as sr=...")
        for recording, is_path in zip(recordings, paths, strict=True):
            if is_path != paths[0] or not isinstance(recording, str | np.ndarray):
                names = sorted({type(recording).__name__ for recording in recordings})
                raise CompatTypeError(
                    f"audios hold {', '.join(names)}; give paths or base64 alone, or arrays alone"
                )
            if isinstance(recording, str):
                yield self.load_audio(recording, self.get_input_sample_rate())
            else:
                wave, rate = read_audio((recording, int(sr or 0)))
                yield resample(wave, rate, self.get_input_sample_rate())

    def decode(self, encoded: Any) -> tuple[list[Wave], int]:
        """Waves, float32 [T * 1920] each, and their sample rate.

        `encoded` is what `encode` returned, a dict with "audio_codes", or a list of such dicts.
        Codes are tensors or arrays: [T, 16], a list of these, or a batch [B, T, 16] in which a row
        is as long as it has frames whose first code is not negative. Raises `CompatError`,
        `CompatTypeError`.
        """
        with official_kinds():
            rows = [self._trimmed(codes) for codes in _rows(encoded)]
            return [self.model.decode(codes) for codes in rows], self.get_output_sample_rate()

    def _trimmed(self, codes: Any) -> np.ndarray[Any, Any]:
        """Codes [T, K] without padding, which is -1."""
        array = _to_numpy(codes)
        if array.ndim != 2:
            raise CompatError(f"audio_codes are [frames, codebooks], got {list(array.shape)}")
        return array[: int((array[:, :1] > -1).sum())].clip(min=0)

    def get_model_type(self) -> str:
        """ "qwen3_tts_tokenizer_12hz"."""
        return self.config.model_type

    def get_input_sample_rate(self) -> int:
        """Samples per second of the recordings it encodes, after resampling."""
        return self.config.input_sample_rate

    def get_output_sample_rate(self) -> int:
        """Samples per second of the waves it decodes."""
        return self.config.output_sample_rate

    def get_encode_downsample_rate(self) -> int:
        """Samples per frame of codes, encoding."""
        return self.config.encode_downsample_rate

    def get_decode_upsample_rate(self) -> int:
        """Samples per frame of codes, decoding."""
        return self.config.decode_upsample_rate


def _rows(encoded: Any) -> list[Any]:
    """The codes of every recording, [T, K] each."""
    if isinstance(encoded, list):
        return [_codes_of(item) for item in encoded]
    codes = _codes_of(encoded)
    if isinstance(codes, list | tuple):
        return list(codes)
    return list(codes) if codes.ndim == 3 else [codes]


def _codes_of(item: Any) -> Any:
    if hasattr(item, "audio_codes"):
        return item.audio_codes
    if isinstance(item, Mapping) and "audio_codes" in item:
        return item["audio_codes"]
    raise CompatTypeError(
        f"cannot decode a {type(item).__name__}; give what encode returned, a dict with "
        "audio_codes, or a list of such dicts"
    )


def _to_numpy(codes: Any) -> np.ndarray[Any, Any]:
    return codes.detach().cpu().numpy() if isinstance(codes, Tensor) else np.asarray(codes)
