"""What a caller can get wrong, refused by a fake engine as the real planner refuses it."""

import secrets
from collections.abc import Sequence

from qwen3_tts.backends.fake_job import FakeFeed, FakeJob, FakePace, Owner, check_characters
from qwen3_tts.backends.fake_sound import Timbre
from qwen3_tts.config import GenerationConfig
from qwen3_tts.engine.guard import POLICIES
from qwen3_tts.engine.options import complete_sampling, whole_number
from qwen3_tts.errors import (
    InvalidRequest,
    InvalidSampling,
    InvalidText,
    UnknownVoice,
    UnsupportedRequest,
)
from qwen3_tts.prompt.languages import resolve_language
from qwen3_tts.types import SpeechRequest, Voice

KINDS = ("custom_voice", "base", "voice_design")
LANGUAGES = ("chinese", "english", "german")
VECTOR_SIZE = 8  # of a speaker vector
MAX_CHARS = 32_768  # about what the published models have positions for
MAX_SEED = 2**63 - 1
DEFAULTS = GenerationConfig()


class FakePlanner:
    """Only "custom_voice" has presets. Raises `InvalidRequest` for an unknown kind."""

    def __init__(self, kind: str, presets: Sequence[str], pace: FakePace):
        if kind not in KINDS:
            raise InvalidRequest(f"kind {kind!r} is unknown; have: {', '.join(KINDS)}")
        self.kind, self.pace = kind, pace
        self.presets = tuple(presets) if kind == "custom_voice" else ()

    def plan(self, request: SpeechRequest, owner: Owner) -> FakeJob:
        if not isinstance(request, SpeechRequest):
            raise InvalidRequest(f"a request is a SpeechRequest, got {type(request).__name__}")
        text: object = request.text
        if not isinstance(text, str):
            raise InvalidText(f"text must be a string, got {type(text).__name__}")
        if not text.strip():
            given = "empty" if not text else "only white space"
            raise InvalidText(f"text is {given}; give at least one word to speak")
        check_characters(text)
        if len(text) > MAX_CHARS:
            raise InvalidText(f"text of {len(text)} characters is too long; split it")
        return self._job(request, owner, None)

    def plan_open(self, request: SpeechRequest, owner: Owner) -> FakeJob:
        if request.text_first:
            raise UnsupportedRequest(
                "text_first=True reads the whole text before the first frame, so the text cannot "
                "arrive in pieces; leave it out"
            )
        return self._job(request, owner, FakeFeed())

    def _job(self, request: SpeechRequest, owner: Owner, feed: FakeFeed | None) -> FakeJob:
        voice = self._voice(request.voice, request.style)
        resolve_language(request.language, LANGUAGES)
        if request.instruct and self.kind == "base":
            raise UnsupportedRequest(
                "a base checkpoint takes no instruct; use a VoiceDesign or 1.7B CustomVoice one"
            )
        complete_sampling(request.sampling, DEFAULTS)
        if request.guard is not None and request.guard not in POLICIES:
            raise InvalidRequest(
                f"guard policy {request.guard!r} is unknown; have: {', '.join(POLICIES)}"
            )
        seed = _seed(request.seed)
        return FakeJob(
            owner=owner,
            pace=self.pace,
            text=request.text,
            timbre=Timbre.of(seed, voice),
            seed=seed,
            max_frames=_max_frames(request.max_frames),
            guard=request.guard or "retry",
            priority=request.priority,
            feed=feed,
        )

    def _voice(self, voice: str | Voice | None, style: str | None) -> str | Voice | None:
        if isinstance(voice, Voice):
            return self._cloned(voice.take(style))
        if voice is not None and not isinstance(voice, str):
            raise UnknownVoice(f"a voice is a name or a Voice, got {type(voice).__name__}")
        if style is not None:
            raise UnsupportedRequest(
                f"style {str(style)!r:.80} needs a cloned voice that has takes; "
                "presets and designed voices have none"
            )
        if self.kind == "base":
            named = f"{voice!r} is a preset name, but " if voice else ""
            raise UnsupportedRequest(
                f"{named}a base checkpoint speaks in cloned voices only: "
                "pass voice=tts.clone_voice(recording, text=...) or a loaded Voice"
            )
        if not self.presets:
            if voice:
                raise UnsupportedRequest(
                    f"voice {voice!r}: a {self.kind} checkpoint has no preset voices; "
                    "describe the voice with instruct=..."
                )
            return None
        if voice is None:
            return self.presets[0]
        presets = {name.lower() for name in self.presets}
        name = voice.strip().lower()
        if name and name not in presets:
            raise UnknownVoice(f"voice {voice!r} is unknown; have: {', '.join(sorted(presets))}")
        return name

    def _cloned(self, voice: Voice) -> Voice:
        if self.kind != "base":
            raise UnsupportedRequest(
                f"a {self.kind} checkpoint cannot speak in a cloned voice; load a base checkpoint"
            )
        voice.check_width(VECTOR_SIZE)
        return voice


def _seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbelow(2**32)
    whole = whole_number(seed)
    if whole is None or not 0 <= whole <= MAX_SEED:
        raise InvalidSampling(f"seed is {seed!r}, allowed: an integer from 0 to 2**63 - 1")
    return whole


def _max_frames(frames: int | None) -> int | None:
    whole = None if frames is None else whole_number(frames)
    if frames is not None and (whole is None or whole < 1):
        raise InvalidSampling(f"max_frames is {frames!r}, allowed: 1 or more")
    return whole
