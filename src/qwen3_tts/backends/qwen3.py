"""Qwen3-TTS behind the `Synthesizer` protocol."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import torch

from qwen3_tts.audio.transcribe import Transcriber
from qwen3_tts.backends.quantized import choose_format
from qwen3_tts.backends.runners import open_parts
from qwen3_tts.config import (
    CheckpointConfig,
    GenerationConfig,
    read_checkpoint_config,
    read_generation_config,
)
from qwen3_tts.engine.clone import VoiceCloner
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.plan import Planner
from qwen3_tts.engine.stream import Stream, TextStream
from qwen3_tts.errors import SpeechWarning
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.types import SpeakOptions, Speech, SpeechRequest, Voice


class Qwen3Synthesizer:
    """One loaded checkpoint. Threads may share it; requests queue for the model."""

    def __init__(self, engine: Engine, cloner: VoiceCloner):
        self.engine, self.cloner = engine, cloner

    @staticmethod
    def from_folder(
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        options: EngineOptions,
        quantize: str | None = None,
    ) -> "Qwen3Synthesizer":
        """Read a checkpoint folder in the official layout. Raises `CheckpointError`."""
        config = read_checkpoint_config(folder)
        format = choose_format(folder, config, quantize, device)
        tokenizer = TextTokenizer.from_folder(folder)
        planner = Planner(config, read_generation_config(folder), tokenizer, options)
        parts = open_parts(folder, device, dtype, format, options)
        engine = Engine(parts.model, parts.codec, planner, options, parts.runner)
        return Qwen3Synthesizer(engine, VoiceCloner(parts.model, parts.codec, engine.call))

    @property
    def config(self) -> CheckpointConfig:
        return self.engine.model.config

    @property
    def codec(self) -> Codec:
        return self.engine.codec

    @property
    def tokenizer(self) -> TextTokenizer:
        return self.engine.planner.tokenizer

    @property
    def generation(self) -> GenerationConfig:
        """The checkpoint's sampling defaults."""
        return self.engine.planner.generation

    @property
    def sample_rate(self) -> int:
        return self.codec.sample_rate

    @property
    def kind(self) -> str:
        return self.config.tts_model_type

    @property
    def voices(self) -> list[str]:
        return sorted(self.config.talker_config.spk_id)

    @property
    def default_voice(self) -> str | None:
        return next(iter(self.config.talker_config.spk_id), None)

    @property
    def languages(self) -> list[str]:
        return sorted(self.config.talker_config.codec_language_id)

    @property
    def voice_width(self) -> int:
        return self.config.talker_config.hidden_size

    def synthesize(self, text: str, **options: Unpack[SpeakOptions]) -> Speech:
        return self.engine.run([SpeechRequest(text, **options)])[0]

    def stream(self, text: str, **options: Unpack[SpeakOptions]) -> Stream:
        return self.engine.stream(SpeechRequest(text, **options))

    def open_stream(self, **options: Unpack[SpeakOptions]) -> TextStream:
        return self.engine.open_stream(SpeechRequest("", **options))

    def synthesize_batch(self, requests: Sequence[SpeechRequest]) -> list[Speech]:
        return self.engine.run(requests)

    def clone_voice(
        self,
        audio: Any,
        text: str | None = None,
        *,
        mode: str = "auto",
        language: str | None = None,
        name: str = "",
        check: bool = True,
        warn: bool = True,
        target: str | None = None,
        transcribe: Transcriber | None = None,
    ) -> Voice:
        voice, complaints = self.cloner.clone(
            audio, text, mode, language, check=check, target=target, transcribe=transcribe
        )
        if warn:
            for line in complaints:
                warnings.warn(line, SpeechWarning, stacklevel=2)
        return replace(voice, name=name)

    def count_tokens(self, text: str) -> int:
        return len(self.tokenizer.target(text))

    @property
    def queued(self) -> int:
        return self.engine.loop.scheduler.queued

    def complaint(self) -> str | None:
        return self.engine.loop.complaint()

    def close(self, drain: bool = True) -> None:
        self.engine.close(drain)

    def __enter__(self) -> "Qwen3Synthesizer":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
