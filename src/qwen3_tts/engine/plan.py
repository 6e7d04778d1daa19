"""From a request to what the model needs. Everything a caller can get wrong fails here."""

import secrets
import warnings
from dataclasses import dataclass

from qwen3_tts.config import CheckpointConfig, GenerationConfig
from qwen3_tts.engine.options import SamplingOptions, complete_sampling
from qwen3_tts.errors import (
    InvalidSampling,
    InvalidText,
    InvalidVoice,
    SpeechWarning,
    UnknownVoice,
    UnsupportedRequest,
)
from qwen3_tts.prompt.languages import AUTO, resolve_language
from qwen3_tts.prompt.layout import Prompt, Speaker, TokenIds, build_prompt
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.types import SpeechRequest, Voice

MAX_SEED = 2**63 - 1  # what a torch generator takes


@dataclass(frozen=True)
class Job:
    """One planned request."""

    prompt: Prompt
    voice: Voice | None  # a cloned voice; presets are ids in the prompt
    sampling: SamplingOptions
    seed: int
    max_frames: int


class Planner:
    """Plans requests for one checkpoint."""

    def __init__(
        self, config: CheckpointConfig, generation: GenerationConfig, tokenizer: TextTokenizer
    ):
        self.config, self.generation, self.tokenizer = config, generation, tokenizer
        self.ids = TokenIds.of(config, tokenizer.role_ids())
        self.talker = config.talker_config

    def plan(self, request: SpeechRequest) -> Job:
        """Raises an `InvalidRequest` that says what is wrong; warns where something is ignored."""
        text = self._text_ids(request.text)
        voice = self._voice(request.voice)
        language = resolve_language(request.language, self.talker.codec_language_id)
        preset = voice if isinstance(voice, str) else None
        cloned = voice if isinstance(voice, Voice) else None
        text_first = request.text_first
        prompt = build_prompt(
            self.ids,
            text,
            speaker=self._speaker(preset, cloned),
            instruct=self._instruct_ids(request.instruct),
            language=self._language_id(language, preset),
            text_first=cloned is None if text_first is None else text_first,
        )
        sampling = complete_sampling(request.sampling, self.generation)
        max_frames = self._max_frames(request, prompt)
        return Job(prompt, cloned, sampling, self._seed(request.seed), max_frames)

    def _text_ids(self, text: str) -> list[int]:
        if not isinstance(text, str):
            raise InvalidText(f"text must be a string, got {type(text).__name__}")
        if not text.strip():
            given = "empty" if not text else "only white space"
            raise InvalidText(f"text is {given}; give at least one word to speak")
        return self.tokenizer.encode(text)

    def _voice(self, voice: str | Voice | None) -> str | Voice | None:
        """A preset's name in lower case, a checked cloned voice, or None for no speaker."""
        kind, presets = self.config.tts_model_type, self.talker.spk_id
        if isinstance(voice, Voice):
            self._check_cloned(voice)
            return voice
        if voice is not None and not isinstance(voice, str):
            raise UnknownVoice(f"a voice is a name or a Voice, got {type(voice).__name__}")
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
            return next(iter(presets))
        name = voice.strip().lower()
        if name and name not in presets:
            raise UnknownVoice(f"voice {voice!r} is unknown; have: {', '.join(sorted(presets))}")
        return name or None

    def _check_cloned(self, voice: Voice) -> None:
        kind, width = self.config.tts_model_type, self.talker.hidden_size
        if kind != "base":
            raise UnsupportedRequest(
                f"a {kind} checkpoint cannot speak in a cloned voice; load a base checkpoint"
            )
        if len(voice.vector) != width:
            raise InvalidVoice(
                f"voice {voice.name!r} was made for another model size: its vector has "
                f"{len(voice.vector)} numbers, this checkpoint's {width}"
            )
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
        if not instruct:
            return []
        if not isinstance(instruct, str):
            raise InvalidText(f"instruct must be a string, got {type(instruct).__name__}")
        if self.config.tts_model_type == "base":
            raise UnsupportedRequest(
                "a base checkpoint takes no instruct; use a VoiceDesign or 1.7B CustomVoice one"
            )
        if self.config.tts_model_type == "custom_voice" and self.config.tts_model_size == "0b6":
            warnings.warn(
                "instruct is ignored: the 0.6B CustomVoice checkpoint was not trained for it",
                SpeechWarning,
                stacklevel=4,
            )
            return []
        return self.tokenizer.instruction(instruct)

    def _max_frames(self, request: SpeechRequest, prompt: Prompt) -> int:
        """Frames this request may have: asked for, else the checkpoint's, within its positions."""
        left = self.talker.max_position_embeddings - len(prompt)
        if left < len(prompt.trailing) + 1:
            raise InvalidText(
                f"text of {len(request.text)} characters is too long: it takes "
                f"{len(prompt) + len(prompt.trailing)} of {self.talker.max_position_embeddings} "
                "positions and leaves no room for speech; split it"
            )
        asked = request.max_frames
        if asked is None:  # the official limit counts the end of speech too
            asked = max(1, self.generation.max_new_tokens - 1)
        if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
            raise InvalidSampling(f"max_frames is {asked!r}, allowed: 1 or more")
        return min(asked, left)

    def _seed(self, seed: int | None) -> int:
        if seed is None:
            return secrets.randbelow(2**32)
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
            raise InvalidSampling(f"seed is {seed!r}, allowed: an integer from 0 to 2**63 - 1")
        return seed
