"""What every speech engine offers; command line, server and compatibility layer see only this."""

from collections.abc import Sequence
from typing import Any, Protocol

from qwen3_tts.types import Sampling, Speech, SpeechRequest, Voice

DEFAULT_SAMPLING = Sampling()


class Synthesizer(Protocol):
    @property
    def sample_rate(self) -> int:
        """Samples per second of every wave it makes."""
        ...

    @property
    def kind(self) -> str:
        """ "base" clones voices, "custom_voice" has presets, "voice_design" takes descriptions."""
        ...

    @property
    def voices(self) -> list[str]:
        """Names of the preset voices, sorted."""
        ...

    @property
    def languages(self) -> list[str]:
        """Languages it was trained for, sorted, dialects included, "auto" not."""
        ...

    def synthesize(
        self,
        text: str,
        *,
        voice: str | Voice | None = None,
        language: str = "Auto",
        instruct: str | None = None,
        sampling: Sampling = DEFAULT_SAMPLING,
        seed: int | None = None,
        max_frames: int | None = None,
        text_first: bool | None = None,
    ) -> Speech:
        """Speak one text; the keywords are those of `SpeechRequest`. Raises `InvalidRequest`."""
        ...

    def synthesize_batch(self, requests: Sequence[SpeechRequest]) -> list[Speech]:
        """Speak several texts in shared steps; each gets what it would get alone."""
        ...

    def clone_voice(
        self,
        audio: Any,
        text: str | None = None,
        *,
        mode: str = "auto",
        language: str | None = None,
        name: str = "",
    ) -> Voice:
        """Make a voice from a recording.

        `audio` is a path, bytes, a file or (array, rate); `text` is what it says, all of it. Mode
        "icl" keeps the recording in context and needs the text, "x_vector" keeps one vector,
        "auto" takes "icl" where there is a text. Raises `InvalidAudio`, `InvalidVoice`, and
        `UnsupportedRequest` where the checkpoint cannot clone.
        """
        ...
