"""From a recording to a voice."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qwen3_tts.audio.files import read_audio, resample
from qwen3_tts.engine.codec import Codec
from qwen3_tts.errors import InvalidAudio, InvalidRequest, InvalidVoice, UnsupportedRequest
from qwen3_tts.model.mel import log_mel
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.prompt.languages import resolve_language
from qwen3_tts.types import Voice, Wave

MODES = ("auto", "icl", "x_vector")
SILENCE = 1e-3  # peak, -60 dB of full scale: below it there is nothing to clone


class VoiceCloner:
    """Makes voices for one base checkpoint."""

    def __init__(self, model: SpeechModel, codec: Codec):
        self.model, self.codec = model, codec

    def clone(self, audio: Any, text: str | None, mode: str, language: str | None) -> Voice:
        """See `Synthesizer.clone_voice`."""
        if self.model.speaker_encoder is None:
            kind = self.model.config.tts_model_type
            raise UnsupportedRequest(
                f"a {kind} checkpoint cannot clone voices; load a base checkpoint"
            )
        if mode not in MODES:
            raise InvalidRequest(f"clone mode {mode!r} is unknown; allowed: {', '.join(MODES)}")
        if text is not None and not isinstance(text, str):
            raise InvalidVoice(f"the transcript must be a string, got {type(text).__name__}")
        spoken = bool(text and text.strip())
        if mode == "icl" and not spoken:
            raise InvalidVoice(
                "in-context cloning needs the transcript of the recording (text=...); "
                'use mode="x_vector" to clone without one'
            )
        wave = self._read(audio)
        if language is not None:
            resolve_language(language, self.model.config.talker_config.codec_language_id)
        in_context = mode == "icl" or (mode == "auto" and spoken)
        return Voice(
            vector=self.speaker_vector(wave),
            codes=self.codec.encode_wave(wave) if in_context else None,
            text=text if in_context else None,
            language=language,
        )

    def _read(self, audio: Any) -> Wave:
        """The recording at the model's rate, or `InvalidAudio` if there is nothing to clone."""
        wave, rate = read_audio(audio)
        wave = resample(wave, rate, self.codec.config.input_sample_rate)
        if len(wave) < self.codec.samples_per_frame:
            raise InvalidAudio(
                f"the recording lasts {1000 * len(wave) // self.codec.sample_rate} ms; "
                "at least one frame (80 ms) is needed, 3 to 15 s is best"
            )
        if np.abs(wave).max() < SILENCE:
            raise InvalidAudio("the recording is silent: its peak is below -60 dB")
        return wave

    def speaker_vector(self, wave: Wave) -> NDArray[np.float32]:
        """Wave [N], 24 kHz -> vector [D]."""
        encoder = self.model.speaker_encoder
        assert encoder is not None
        with torch.inference_mode():
            x = torch.from_numpy(wave).to(encoder.project.weight.device)[None]
            mel = log_mel(x).to(encoder.project.weight.dtype)  # [1, T, M]
            vector: NDArray[np.float32] = encoder(mel)[0].float().cpu().numpy()
        return vector
