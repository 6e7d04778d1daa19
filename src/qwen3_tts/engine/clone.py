"""From a recording to a voice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from qwen3_tts.audio.files import read_audio, resample
from qwen3_tts.audio.reference import prepare_reference
from qwen3_tts.audio.transcribe import Transcriber
from qwen3_tts.engine.codec import Codec
from qwen3_tts.errors import InvalidAudio, InvalidRequest, InvalidVoice, UnsupportedRequest
from qwen3_tts.model.mel import log_mel
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.prompt.languages import AUTO, resolve_language
from qwen3_tts.types import Voice, Wave
from qwen3_tts.voice import FAMILY

MODES = ("auto", "icl", "x_vector")
SILENCE = 1e-3  # peak, -60 dB of full scale: below it there is nothing to clone
_WITHOUT_TEXT = 'use mode="x_vector" to clone without one'

T = TypeVar("T")


class Call(Protocol):
    """Runs a function and gives what it gives."""

    def __call__(self, function: Callable[[], T]) -> T: ...


def _at_once(function: Callable[[], T]) -> T:
    return function()


def _has_words(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


class VoiceCloner:
    """Makes voices for one base checkpoint.

    `call` runs a function that uses the device where that may be done; everything else, the checks
    above all, is done by the caller's thread.
    """

    def __init__(self, model: SpeechModel, codec: Codec, call: Call = _at_once):
        self.model, self.codec, self.call = model, codec, call

    def clone(
        self,
        audio: Any,
        text: str | None = None,
        mode: str = "auto",
        language: str | None = None,
        *,
        check: bool = True,
        target: str | None = None,
        transcribe: Transcriber | None = None,
    ) -> tuple[Voice, list[str]]:
        """The voice, and a line for each thing about the recording that may make it worse.

        See `Synthesizer.clone_voice`.
        """
        self._check_request(text, mode, transcribe if check else None)
        wave, rate = read_audio(audio)
        spoken = resolve_language(language, self.model.config.talker_config.codec_language_id)
        if not check:
            in_context = mode == "icl" or (mode == "auto" and _has_words(text))
            return self._made(wave, rate, text if in_context else None, language), []
        self._check_sound(wave, rate)
        reference = prepare_reference(
            wave,
            rate,
            text,
            mode=mode,
            language=None if spoken == AUTO else spoken,
            target=target,
            embed=self._embed,
            transcribe=transcribe,
        )
        if reference.mode == "icl" and reference.text is None:
            raise InvalidVoice(f"the transcriber heard no words; {_WITHOUT_TEXT}")
        said = reference.text if reference.mode == "icl" else None
        voice = self._made(reference.wave, rate, said, language)
        noted = replace(voice, checks=reference.checks, gain_db=reference.gain_db)
        return noted, reference.complaints()

    def _check_request(self, text: object, mode: str, transcribe: object) -> None:
        if self.model.speaker_encoder is None:
            kind = self.model.config.tts_model_type
            raise UnsupportedRequest(
                f"a {kind} checkpoint cannot clone voices; load a base checkpoint"
            )
        if mode not in MODES:
            raise InvalidRequest(f"clone mode {mode!r} is unknown; allowed: {', '.join(MODES)}")
        if text is not None and not isinstance(text, str):
            raise InvalidVoice(f"the transcript must be a string, got {type(text).__name__}")
        if mode == "icl" and not _has_words(text) and transcribe is None:
            raise InvalidVoice(
                "in-context cloning needs the transcript of the recording (text=...); "
                f"{_WITHOUT_TEXT}"
            )

    def _made(self, wave: Wave, rate: int, text: str | None, language: str | None) -> Voice:
        """A voice of a wave at its own rate, in context where there is a text."""
        wave = resample(wave, rate, self.codec.config.input_sample_rate)
        self._check_sound(wave, self.codec.config.input_sample_rate)

        def encode() -> Voice:
            return Voice(
                vector=self.speaker_vector(wave),
                codes=None if text is None else self.codec.encode_wave(wave),
                text=text,
                language=language,
                model=f"{FAMILY}-{self.model.config.tts_model_size}",
            )

        return self.call(encode)

    def _check_sound(self, wave: Wave, rate: int) -> None:
        """Raises `InvalidAudio` where there is nothing to clone."""
        if len(wave) * self.codec.sample_rate < self.codec.samples_per_frame * rate:
            raise InvalidAudio(
                f"the recording lasts {1000 * len(wave) // rate} ms; "
                "at least one frame (80 ms) is needed, 3 to 15 s is best"
            )
        if np.abs(wave).max() < SILENCE:
            raise InvalidAudio("the recording is silent: its peak is below -60 dB")

    def _embed(self, wave: Wave, rate: int) -> NDArray[np.float32]:
        wave = resample(wave, rate, self.codec.config.input_sample_rate)
        return self.call(lambda: self.speaker_vector(wave))

    def speaker_vector(self, wave: Wave) -> NDArray[np.float32]:
        """Wave [N], 24 kHz -> vector [D]."""
        encoder = self.model.speaker_encoder
        assert encoder is not None
        with torch.inference_mode():
            x = torch.from_numpy(wave).to(encoder.project.weight.device)[None]
            mel = log_mel(x).to(encoder.project.weight.dtype)  # [1, T, M]
            vector: NDArray[np.float32] = encoder(mel)[0].float().cpu().numpy()
        return vector
