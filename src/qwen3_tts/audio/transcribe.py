"""Who writes down what a recording says, where nobody did: any function, or faster-whisper."""

from collections.abc import Callable
from typing import Any

from qwen3_tts.audio.files import Wave, optional_package, resample
from qwen3_tts.errors import InvalidAudio, MissingPackage

# a mono wave [N], its rate, and its language as a lower-case name or None -> what it says
Transcriber = Callable[[Wave, int, str | None], str]

_RATE = 16_000  # of Whisper's input
_CODES = {
    "chinese": "zh",
    "english": "en",
    "french": "fr",
    "german": "de",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
}


class FasterWhisper:
    """A `Transcriber` by the package faster-whisper (extra `transcribe`), loaded on first use.

    `model` is a size ("small", "large-v3", ...) or a folder, `options` are those of its
    `WhisperModel`. Raises `MissingPackage` on first use where the package is not installed.
    """

    def __init__(self, model: str = "small", **options: Any):
        self._name, self._options = model, options
        self._model: Any = None

    def __call__(self, wave: Wave, rate: int, language: str | None) -> str:
        if self._model is None:
            try:
                package = optional_package("faster_whisper")
            except MissingPackage as error:
                raise MissingPackage(
                    "writing down recordings needs an optional package; add it with "
                    "`pip install 'qwen3-tts[transcribe]'`, or pass the text"
                ) from error
            self._model = package.WhisperModel(self._name, **self._options)
        code = _CODES.get(language or "")
        segments, _ = self._model.transcribe(resample(wave, rate, _RATE), language=code)
        return "".join(segment.text for segment in segments).strip()


def transcribed(transcribe: Transcriber, wave: Wave, rate: int, language: str | None) -> str | None:
    """What a transcriber heard; None for nothing. Raises `InvalidAudio` where it gave no text."""
    text: object = transcribe(wave, rate, language)
    if not isinstance(text, str):
        raise InvalidAudio(f"the transcriber gave a {type(text).__name__}, it must give a string")
    return text.strip() or None
