"""What every speech engine offers; command line, server and compatibility layer see only this."""

from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, Unpack

from qwen3_tts.audio.transcribe import Transcriber
from qwen3_tts.types import (
    AudioChunk,
    Codes,
    SpeakOptions,
    Speech,
    SpeechRequest,
    Timing,
    Voice,
)


class SpeechStream(Protocol):
    """Chunks for `for` and `async for`. Closing or dropping it cancels what is not yet made.

    `seed`, `codes`, `finish_reason` and `timing` are there when the last chunk has been taken.
    """

    sample_rate: int

    def __iter__(self) -> Iterator[AudioChunk]: ...
    def __next__(self) -> AudioChunk: ...
    def __aiter__(self) -> AsyncIterator[AudioChunk]: ...
    async def __anext__(self) -> AudioChunk: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def cancel(self) -> None: ...

    def result(self) -> Speech:
        """Wait for the end; all that was not yet taken as one `Speech`."""
        ...

    @property
    def seed(self) -> int: ...
    @property
    def codes(self) -> Codes: ...
    @property
    def finish_reason(self) -> str: ...
    @property
    def timing(self) -> Timing: ...


class SpeechTextStream(SpeechStream, Protocol):
    """A stream whose text is fed while its sound leaves."""

    def feed(self, text: str) -> None: ...
    def end(self) -> None: ...


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
    def default_voice(self) -> str | None:
        """The preset that speaks where none is named; None where there are no presets."""
        ...

    @property
    def languages(self) -> list[str]:
        """Languages it was trained for, sorted, dialects included, "auto" not."""
        ...

    @property
    def voice_width(self) -> int:
        """Numbers in the speaker vector of a cloned voice that fits this model."""
        ...

    def synthesize(self, text: str, **options: Unpack[SpeakOptions]) -> Speech:
        """Speak one text; the keywords are those of `SpeechRequest`. Raises `InvalidRequest`."""
        ...

    def stream(self, text: str, **options: Unpack[SpeakOptions]) -> SpeechStream:
        """Speak one text chunk by chunk, while it is made."""
        ...

    def open_stream(self, **options: Unpack[SpeakOptions]) -> SpeechTextStream:
        """Speak a text that arrives in pieces. `text_first` cannot be True."""
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
        check: bool = True,
        warn: bool = True,
        target: str | None = None,
        transcribe: Transcriber | None = None,
    ) -> Voice:
        """Make a voice from a recording.

        `audio` is a path, bytes, a file or (array, rate); `text` is what it says, all of it. Mode
        "icl" keeps the recording in context and needs the text, "x_vector" keeps one vector,
        "auto" takes "icl" where there is a text and nothing speaks against it.

        Silent ends are taken off and what is over 15 s is cut, with its text where that can be
        done. What may make the clone worse is a `SpeechWarning` each, with advice; all that was
        found, the mode and its reason are in `Voice.checks`, also with `warn=False`. `target` is a
        text to be spoken, with which the transcript may have been swapped. `transcribe` is called
        where there is no text. `check=False` clones the recording as it is, as the official package
        does, and then "auto" takes "icl" wherever there is a text.

        Raises `InvalidAudio`, `InvalidVoice`, and `UnsupportedRequest` where the checkpoint cannot
        clone.
        """
        ...

    def count_tokens(self, text: str) -> int:
        """How many text tokens the model reads for this text, for usage figures."""
        ...

    @property
    def queued(self) -> int:
        """Requests that wait for a row now."""
        ...

    def complaint(self) -> str | None:
        """Why no request can be served any more, or None while all is well."""
        ...

    def close(self, drain: bool = True) -> None:
        """Take no more requests; finish those there are, or with `drain=False` drop them."""
        ...
