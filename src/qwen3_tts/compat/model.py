"""`Qwen3TTSModel`: the synthesizer behind the official interface."""

import warnings
from dataclasses import replace
from typing import Any

import qwen3_tts
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.compat.arguments import as_list, audio_source, broadcast, mismatch
from qwen3_tts.compat.errors import CompatError, official_kinds
from qwen3_tts.compat.options import GenerationOptions, LoadOptions
from qwen3_tts.compat.prompts import VoiceClonePromptItem, check_ref_texts, item_of, voices_of
from qwen3_tts.compat.seeds import global_seeds
from qwen3_tts.errors import SpeechWarning
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.types import SpeechRequest, Voice, Wave
from qwen3_tts.weights.hub import fetch

Waves = tuple[list[Wave], int]


class Qwen3TTSModel:
    """A checkpoint behind the methods of the official class of this name.

    `model` is this package's `Qwen3Synthesizer`, `processor` its text tokenizer, `device` where it
    runs; `generate_defaults` may be changed and holds for the calls that follow.

    All `generate_*` methods take one text or a list, and each other argument as one value for all
    texts or a list with one per text. They return the waves, float32 [N], always in a list, and
    the sample rate. Their further keywords are do_sample, top_k, top_p, temperature,
    repetition_penalty, subtalker_dosample, subtalker_top_k, subtalker_top_p,
    subtalker_temperature, max_new_tokens (N gives at most N - 1 frames of 80 ms), eos_token_id
    (the checkpoint's, or None) and `seed`; None takes the value of `generate_defaults`.

    `seed` is this package's own: an integer or one per text. A text with a seed gets the same
    speech alone and in any batch. Without it, seeds come from torch's global generator, so
    `torch.manual_seed(s)` makes calls repeatable, and the codes of a single text right after it
    are those of the official package for s. A batch differs from the official one, whose texts
    share one stream of random numbers.

    Errors are `CompatError` or `CompatTypeError`: `SpeechError`s that are also the `ValueError` or
    `TypeError` which the official package raises.
    """

    def __init__(
        self,
        model: Qwen3Synthesizer,
        processor: TextTokenizer,
        generate_defaults: dict[str, Any] | None = None,
    ):
        self.model, self.processor = model, processor
        self.generate_defaults = generate_defaults or {}
        self.device = model.codec.device

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str, **kwargs: Any) -> "Qwen3TTSModel":
        """Load a checkpoint folder or hub id.

        `device_map` is a device, "auto", or a dict that names one device (default: the CPU);
        `dtype` or `torch_dtype` is float32 (default), bfloat16, or "auto" for what suits the
        device; `cache_dir`, `revision`, `token` and `local_files_only` hold for every file.
        `attn_implementation`, `use_safetensors`, `low_cpu_mem_usage` and `trust_remote_code` have
        no effect: attention is chosen automatically, and only safetensors are read. Neither has
        `force_download`, because cached files are checked against the hub's hashes.

        Raises `CompatTypeError` for another keyword, `CompatError` for a device or dtype that
        cannot be had, `CheckpointError` and `HubError` as `qwen3_tts.load` does.
        """
        with official_kinds():
            options = LoadOptions.read(kwargs)
            folder = fetch(pretrained_model_name_or_path, **options.hub())
            model = qwen3_tts.load(folder, device=options.device, dtype=options.dtype)
        return cls(model, model.tokenizer, model.generation.to_json())

    def generate_custom_voice(
        self,
        text: str | list[str],
        speaker: str | list[str],
        language: str | list[str] | None = None,
        instruct: str | list[str] | None = None,
        non_streaming_mode: bool = True,
        **kwargs: Any,
    ) -> Waves:
        """Speak in preset voices of a CustomVoice checkpoint.

        `speaker` is a preset's name in any case; None or "" speaks without one. `instruct` tells
        the manner; the 0.6B checkpoint cannot follow it, which is warned about. `language` None
        lets the model find out. `non_streaming_mode` reads the whole text before the first frame.
        """
        self._require("custom_voice", "generate_custom_voice")
        options = self._options(kwargs)
        texts, languages = as_list(text), as_list("Auto" if language is None else language)
        if any(as_list(instruct)) and self.model.config.tts_model_size == "0b6":
            warnings.warn(
                "instruct is ignored: the 0.6B CustomVoice checkpoint was not trained for it",
                SpeechWarning,
                stacklevel=2,
            )
            instruct = None
        speakers, instructs = as_list(speaker), as_list(instruct)
        languages, speakers, instructs = broadcast(
            texts, language=languages, speaker=speakers, instruct=instructs
        )
        self._check_languages(languages)
        self._check_speakers(speakers)
        rows = [
            SpeechRequest(text, voice=speaker or "", language=language, instruct=instruct or None)
            for text, speaker, language, instruct in zip(
                texts, speakers, languages, instructs, strict=True
            )
        ]
        return self._speak(rows, non_streaming_mode, options)

    def generate_voice_design(
        self,
        text: str | list[str],
        instruct: str | list[str],
        language: str | list[str] | None = None,
        non_streaming_mode: bool = True,
        **kwargs: Any,
    ) -> Waves:
        """Speak in voices that `instruct` describes; "" and None describe none."""
        self._require("voice_design", "generate_voice_design")
        options = self._options(kwargs)
        texts, languages = as_list(text), as_list("Auto" if language is None else language)
        languages, instructs = broadcast(texts, language=languages, instruct=as_list(instruct))
        self._check_languages(languages)
        rows = [
            SpeechRequest(text, voice="", language=language, instruct=instruct or None)
            for text, language, instruct in zip(texts, languages, instructs, strict=True)
        ]
        return self._speak(rows, non_streaming_mode, options)

    def generate_voice_clone(
        self,
        text: str | list[str],
        language: str | list[str] | None = None,
        ref_audio: Any = None,
        ref_text: str | list[str | None] | None = None,
        x_vector_only_mode: bool | list[bool] = False,
        voice_clone_prompt: Any = None,
        non_streaming_mode: bool = False,
        **kwargs: Any,
    ) -> Waves:
        """Speak in cloned voices, with a Base checkpoint.

        The voices are `voice_clone_prompt` (from `create_voice_clone_prompt`: an item, a list, or
        the dict form) or are made from `ref_audio`, `ref_text` and `x_vector_only_mode`, which are
        that method's. The sound of an in-context voice starts exactly where its reference ends;
        the official cut is one sample early for some lengths.
        """
        self._require("base", "generate_voice_clone")
        options = self._options(kwargs)
        texts, languages = as_list(text), as_list("Auto" if language is None else language)
        (languages,) = broadcast(texts, language=languages)
        self._check_languages(languages)
        if voice_clone_prompt is None:
            if ref_audio is None:
                raise CompatError("no voice to clone: give voice_clone_prompt or ref_audio")
            voices = self._clone(ref_audio, ref_text, x_vector_only_mode)
        else:
            with official_kinds():
                voices = voices_of(voice_clone_prompt)
        (voices,) = broadcast(texts, prompt=voices)
        rows = [
            SpeechRequest(text, voice=voice, language=language)
            for text, voice, language in zip(texts, voices, languages, strict=True)
        ]
        return self._speak(rows, non_streaming_mode, options)

    def create_voice_clone_prompt(
        self,
        ref_audio: Any,
        ref_text: str | list[str | None] | None = None,
        x_vector_only_mode: bool | list[bool] = False,
    ) -> list[VoiceClonePromptItem]:
        """Voices from recordings, to use any number of times, with a Base checkpoint.

        `ref_audio` is a path, base64, or (array, sample_rate), or a list of these; URLs are not
        fetched. `ref_text` says what it says, all of it; it is needed unless `x_vector_only_mode`.
        """
        self._require("base", "create_voice_clone_prompt")
        ref_texts = _per_recording(ref_text, ref_audio)
        voices = self._clone(ref_audio, ref_text, x_vector_only_mode)
        return [item_of(*pair, self.device) for pair in zip(voices, ref_texts, strict=True)]

    def get_supported_speakers(self) -> list[str]:
        """Names of the preset voices in lower case, sorted; none but in CustomVoice checkpoints."""
        return sorted({name.lower() for name in self.model.voices})

    def get_supported_languages(self) -> list[str]:
        """Languages in lower case, sorted, "auto" among them; dialects come with their speakers."""
        names = {name.lower() for name in self.model.languages if "dialect" not in name}
        return sorted(names | {"auto"})

    def _clone(self, ref_audio: Any, ref_text: Any, x_vector_only_mode: Any) -> list[Voice]:
        audios, texts = as_list(ref_audio), _per_recording(ref_text, ref_audio)
        vector_only = _per_recording(x_vector_only_mode, ref_audio)
        columns = {"ref_audio": audios, "ref_text": texts, "x_vector_only_mode": vector_only}
        if not len(audios) == len(texts) == len(vector_only):
            raise CompatError(f"{mismatch(columns)}; give one value, or one per recording")
        check_ref_texts(texts, vector_only)
        with official_kinds():
            return [
                self.model.clone_voice(audio_source(audio), mode="x_vector", check=False)
                if alone
                else self.model.clone_voice(audio_source(audio), text, mode="icl", check=False)
                for audio, text, alone in zip(audios, texts, vector_only, strict=True)
            ]

    def _speak(
        self, rows: list[SpeechRequest], non_streaming_mode: bool, options: GenerationOptions
    ) -> Waves:
        if options.seed is not None:
            (seeds,) = broadcast(rows, seed=as_list(options.seed))
        elif options.draws:
            seeds = global_seeds(len(rows), self.device)
        else:
            seeds = [0] * len(rows)  # nothing is drawn, so the global generator stays as it is
        requests = [
            replace(
                row,
                sampling=options.sampling,
                max_frames=options.max_frames,
                text_first=bool(non_streaming_mode),
                seed=seed,
                guard="off",  # the official package has none
            )
            for row, seed in zip(rows, seeds, strict=True)
        ]
        with official_kinds():
            speeches = self.model.synthesize_batch(requests)
        return [speech.wave for speech in speeches], self.model.sample_rate

    def _options(self, kwargs: dict[str, Any]) -> GenerationOptions:
        eos = self.model.config.talker_config.codec_eos_token_id
        return GenerationOptions.read(kwargs, self.generate_defaults, eos)

    def _require(self, kind: str, method: str) -> None:
        config = self.model.config
        if config.tts_model_type != kind:
            raise CompatError(
                f"{method} needs tts_model_type {kind}; this checkpoint does not support it: "
                f"tokenizer_type {config.tokenizer_type}, tts_model_size {config.tts_model_size}, "
                f"tts_model_type {config.tts_model_type}"
            )

    def _check_languages(self, languages: list[Any]) -> None:
        have = self.get_supported_languages()
        if bad := [name for name in languages if str(name).lower() not in have]:
            raise CompatError(f"Unsupported languages: {bad}; supported: {', '.join(have)}")

    def _check_speakers(self, speakers: list[Any]) -> None:
        have = self.get_supported_speakers()
        named = [name for name in speakers if name is not None and name != ""]
        if bad := [name for name in named if str(name).lower() not in have]:
            raise CompatError(f"Unsupported speakers: {bad}; supported: {', '.join(have)}")


def _per_recording(value: Any, ref_audio: Any) -> list[Any]:
    """A list as it is, one value once per recording."""
    return value if isinstance(value, list) else [value] * len(as_list(ref_audio))
