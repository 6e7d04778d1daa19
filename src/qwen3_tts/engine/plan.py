"""From a request to what the model needs. Everything a caller can get wrong fails here."""

import secrets
import warnings
from dataclasses import dataclass

from qwen3_tts.config import CheckpointConfig, GenerationConfig
from qwen3_tts.engine.guard import Guard
from qwen3_tts.engine.options import EngineOptions, SamplingOptions, complete_sampling, whole_number
from qwen3_tts.errors import (
    InvalidRequest,
    InvalidSampling,
    InvalidText,
    InvalidVoice,
    SpeechWarning,
    UnknownVoice,
    UnsupportedRequest,
)
from qwen3_tts.prompt.languages import AUTO, resolve_language
from qwen3_tts.prompt.layout import (
    OpenPrompt,
    Prompt,
    Speaker,
    TokenIds,
    build_prompt,
    closed_text,
    open_prompt,
)
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.types import SpeechRequest, Voice

DEFAULT_OPTIONS = EngineOptions()
MAX_SEED = 2**63 - 1  # what a torch generator takes


@dataclass(frozen=True)
class Job:
    """One planned request."""

    prompt: Prompt
    text: OpenPrompt  # grows where text is still arriving; complete and ended otherwise
    voice: Voice | None  # a cloned voice; presets are ids in the prompt
    sampling: SamplingOptions
    seed: int
    max_frames: int
    positions: int  # the most it can take in the cache
    priority: str
    guard: Guard


@dataclass(frozen=True)
class Parts:
    """What a prompt is made of, besides the text."""

    speaker: Speaker
    instruct: list[int]
    language_id: int | None
    cloned: Voice | None


class Planner:
    """Plans requests for one checkpoint; `sample_rate` is its codec's."""

    def __init__(
        self,
        config: CheckpointConfig,
        generation: GenerationConfig,
        tokenizer: TextTokenizer,
        options: EngineOptions = DEFAULT_OPTIONS,
        sample_rate: int = 24000,
    ):
        self.config, self.generation, self.tokenizer = config, generation, tokenizer
        self.options, self.sample_rate = options, sample_rate
        self.ids = TokenIds.of(config, tokenizer.role_ids())
        self.talker = config.talker_config
        # fine-tuned checkpoints may have capitals in their names
        self.presets = {name.lower(): name for name in self.talker.spk_id}

    def plan(self, request: SpeechRequest) -> Job:
        """Raises an `InvalidRequest` that says what is wrong; warns where something is ignored."""
        if not isinstance(request, SpeechRequest):
            raise InvalidRequest(f"a request is a SpeechRequest, got {type(request).__name__}")
        text, parts = self._text_ids(request.text), self._parts(request)
        first = parts.cloned is None if request.text_first is None else request.text_first
        prompt = build_prompt(
            self.ids,
            text,
            speaker=parts.speaker,
            instruct=parts.instruct,
            language=parts.language_id,
            text_first=first,
        )
        left = self.talker.max_position_embeddings - len(prompt)
        if left < len(prompt.trailing) + 1:
            raise InvalidText(
                f"text of {len(request.text)} characters is too long: the whole prompt takes "
                f"{len(prompt) + len(prompt.trailing)} of {self.talker.max_position_embeddings} "
                "positions and leaves no room for speech; split it"
            )
        return self._job(request, parts, closed_text(self.ids, prompt), len(prompt))

    def plan_open(self, request: SpeechRequest) -> Job:
        """Plan a request whose text comes later, one token per frame; its own text is not read."""
        if request.text_first:
            raise UnsupportedRequest(
                "text_first=True reads the whole text before the first frame, so the text cannot "
                "arrive in pieces; leave it out"
            )
        parts = self._parts(request)
        text = open_prompt(
            self.ids,
            speaker=parts.speaker,
            instruct=parts.instruct,
            language=parts.language_id,
        )
        reading = len(text.prompt) + len(text.frames) - text.laid_out
        return self._job(request, parts, text, reading)

    def _parts(self, request: SpeechRequest) -> Parts:
        voice = self._voice(request.voice, request.style)
        preset = voice if isinstance(voice, str) else None
        cloned = voice if isinstance(voice, Voice) else None
        language = resolve_language(request.language, self.talker.codec_language_id)
        return Parts(
            speaker=self._speaker(preset, cloned),
            instruct=self._instruct_ids(request.instruct),
            language_id=self._language_id(language, preset),
            cloned=cloned,
        )

    def _job(self, request: SpeechRequest, parts: Parts, text: OpenPrompt, reading: int) -> Job:
        """`reading` positions go to the prompt, the rest may become frames."""
        max_frames = self._max_frames(request, text, reading)
        guard = Guard(
            request.text if text.ended else "",
            request.language or AUTO,
            instruct=bool(parts.instruct),
            max_frames=max_frames,
            sample_rate=self.sample_rate,
            policy=request.guard or self.options.guard,
            limited=request.max_frames is not None,
            fixed=request.seed is not None,
        )
        bounded = text.ended and guard.policy != "off"
        frames = min(max_frames, guard.budget) if bounded else max_frames
        return Job(
            prompt=text.prompt,
            text=text,
            voice=parts.cloned,
            sampling=complete_sampling(request.sampling, self.generation),
            seed=self._seed(request.seed),
            max_frames=max_frames,
            positions=reading + frames,
            priority=request.priority,
            guard=guard,
        )

    def _text_ids(self, text: str) -> list[int]:
        if not isinstance(text, str):
            raise InvalidText(f"text must be a string, got {type(text).__name__}")
        if not text.strip():
            given = "empty" if not text else "only white space"
            raise InvalidText(f"text is {given}; give at least one word to speak")
        return self.tokenizer.encode(text)

    def _voice(self, voice: str | Voice | None, style: str | None) -> str | Voice | None:
        """A preset's name as the checkpoint spells it, a checked cloned voice, or None."""
        kind, presets = self.config.tts_model_type, self.presets
        if isinstance(voice, Voice):
            voice = voice.take(style)
            self._check_cloned(voice)
            return voice
        if voice is not None and not isinstance(voice, str):
            raise UnknownVoice(f"a voice is a name or a Voice, got {type(voice).__name__}")
        if style is not None:
            raise UnsupportedRequest(
                f"style {str(style)!r:.80} needs a cloned voice that has takes; "
                "presets and designed voices have none"
            )
        if kind == "base":
            named = f"{voice!r} is a preset name, but " if voice else ""
            raise UnsupportedRequest(
                f"{named}a base checkpoint speaks in cloned voices only: "
                "pass voice=tts.clone_voice(recording, text=...) or a loaded Voice"
            )
        if not presets:
            if voice:
                raise UnsupportedRequest(
                    f"voice {voice!r}: a {kind} checkpoint has no preset voices; "
                    "describe the voice with instruct=..."
                )
            return None
        if voice is None:
            return next(iter(presets.values()))
        name = voice.strip().lower()
        if name and name not in presets:
            raise UnknownVoice(f"voice {voice!r} is unknown; have: {', '.join(sorted(presets))}")
        return presets[name] if name else None

    def _check_cloned(self, voice: Voice) -> None:
        kind, width = self.config.tts_model_type, self.talker.hidden_size
        if kind != "base":
            raise UnsupportedRequest(
                f"a {kind} checkpoint cannot speak in a cloned voice; load a base checkpoint"
            )
        voice.check_width(width)
        groups = self.talker.num_code_groups
        codes = voice.codes
        if codes is None:
            return
        if codes.shape[1] != groups:
            raise InvalidVoice(
                f"voice {voice.name!r} has {codes.shape[1]} codes a frame, this checkpoint {groups}"
            )
        size = self.talker.code_predictor_config.vocab_size
        if codes.size and not (codes.min() >= 0 and codes.max() < size):
            raise InvalidVoice(f"voice {voice.name!r} has codes outside 0..{size - 1}")

    def _speaker(self, preset: str | None, cloned: Voice | None) -> Speaker:
        if cloned is not None and cloned.codes is not None:
            ref_text = self.tokenizer.encode(cloned.text or "")
            return Speaker(vector=True, ref_text=ref_text, ref_codes=cloned.codes.tolist())
        if cloned is not None:
            return Speaker(vector=True)
        return Speaker(preset_id=self.talker.spk_id[preset] if preset else None)

    def _language_id(self, language: str, preset: str | None) -> int | None:
        """A preset with a dialect speaks it where the language is Chinese or left to the model."""
        dialect = self.talker.spk_is_dialect.get(preset) if preset else None
        if dialect and language in (AUTO, "chinese"):
            language = dialect
        return None if language == AUTO else self.talker.codec_language_id[language]

    def _instruct_ids(self, instruct: str | None) -> list[int]:
        if instruct is not None and not isinstance(instruct, str):
            raise InvalidText(f"instruct must be a string, got {type(instruct).__name__}")
        if not instruct:
            return []
        if self.config.tts_model_type == "base":
            raise UnsupportedRequest(
                "a base checkpoint takes no instruct; use a VoiceDesign or 1.7B CustomVoice one"
            )
        if self.config.tts_model_type == "custom_voice" and self.config.tts_model_size == "0b6":
            warnings.warn(
                "instruct is ignored: the 0.6B CustomVoice checkpoint was not trained for it",
                SpeechWarning,
                stacklevel=6,  # through plan, the engine and the backend to the caller
            )
            return []
        return self.tokenizer.instruction(instruct)

    def _max_frames(self, request: SpeechRequest, text: OpenPrompt, reading: int) -> int:
        """Frames this request may have: asked for, else the checkpoint's, within its positions.

        What was not asked for is cut to what the engine's memory holds; what was is left as it
        is, and the scheduler refuses a request that can never fit.
        """
        asked = request.max_frames
        if asked is None:  # the official limit counts the end of speech too
            asked = max(1, self.generation.max_new_tokens - 1)
            if not text.ended:
                asked = min(asked, self.options.open_frames)
            asked = max(1, min(asked, self.options.max_positions - reading))
        frames = whole_number(asked)
        if frames is None or frames < 1:
            raise InvalidSampling(f"max_frames is {asked!r}, allowed: 1 or more")
        return min(frames, self.talker.max_position_embeddings - reading)

    def _seed(self, seed: int | None) -> int:
        if seed is None:
            return secrets.randbelow(2**32)
        whole = whole_number(seed)
        if whole is None or not 0 <= whole <= MAX_SEED:
            raise InvalidSampling(f"seed is {seed!r}, allowed: an integer from 0 to 2**63 - 1")
        return whole
