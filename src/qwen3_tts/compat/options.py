"""The official keyword arguments of loading and of generation, read into this package's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qwen3_tts.compat.arguments import refuse_unknown
from qwen3_tts.compat.errors import CompatError
from qwen3_tts.config import GenerationConfig
from qwen3_tts.types import Sampling

# Read by `LoadOptions`; the rest choose how the official package loads, which has no meaning here.
_FORWARDED = ("device_map", "dtype", "torch_dtype")
_HUB = ("cache_dir", "revision", "token", "local_files_only")
_IGNORED = (
    "attn_implementation",
    "force_download",
    "low_cpu_mem_usage",
    "trust_remote_code",
    "use_safetensors",
)
LOADING = (*_FORWARDED, *_HUB, *_IGNORED)
_PLACED_BY_US = ("auto", "balanced", "balanced_low_0", "sequential")

# What the official wrapper falls back to where the checkpoint says nothing (specification, 1.5).
_FALLBACK = replace(GenerationConfig(), max_new_tokens=2048).to_json()
GENERATION = (*_FALLBACK, "eos_token_id", "seed")


@dataclass(frozen=True)
class LoadOptions:
    """Where a model comes from and goes to, in the words of `qwen3_tts.load` and the hub."""

    device: str
    dtype: str
    revision: str | None
    cache_dir: Path | None
    token: str | None
    offline: bool

    @staticmethod
    def read(given: dict[str, Any]) -> "LoadOptions":
        """Raises `CompatTypeError` for an unknown keyword, `CompatError` for a bad value."""
        refuse_unknown(given, LOADING, "loading")
        dtype, token = given.get("dtype"), given.get("token")
        if token is not None and token is not True and not isinstance(token, str):
            raise CompatError(f"token is {token!r}, allowed: a string, True (the saved one), None")
        return LoadOptions(
            device=_device(given.get("device_map")),
            dtype=_dtype(given.get("torch_dtype") if dtype is None else dtype),
            revision=given.get("revision"),
            cache_dir=Path(given["cache_dir"]) if given.get("cache_dir") else None,
            token=token if isinstance(token, str) else None,
            offline=bool(given.get("local_files_only")),
        )

    def hub(self) -> dict[str, Any]:
        """The keywords of `weights.hub.fetch`."""
        return {
            "revision": self.revision,
            "cache_dir": self.cache_dir,
            "token": self.token,
            "offline": self.offline,
        }


def _device(device_map: Any) -> str:
    """One device for the whole model; without a map it is the CPU, as in the official package."""
    if isinstance(device_map, dict):
        devices = {_device(device) for device in device_map.values()}
        if len(devices) != 1:
            raise CompatError(f"device_map names {sorted(devices)}; a model lives on one device")
        return devices.pop()
    if device_map is None:
        return "cpu"
    if isinstance(device_map, int) and not isinstance(device_map, bool):
        return f"cuda:{device_map}"
    name = str(device_map)  # a string or a torch.device
    return "auto" if name in _PLACED_BY_US else name


def _dtype(dtype: Any) -> str:
    """A torch dtype or its name; float32 if none is given, as in the official package."""
    return "float32" if dtype is None else str(dtype).removeprefix("torch.")


@dataclass(frozen=True)
class GenerationOptions:
    """Sampling made complete, so that the checkpoint's values play no part any more."""

    sampling: Sampling
    max_frames: int
    seed: Any  # an integer, a list of them, or None

    @property
    def draws(self) -> bool:
        """Whether any code is drawn at random."""
        return not (self.sampling.greedy and self.sampling.predictor_greedy)

    @staticmethod
    def read(
        given: dict[str, Any], defaults: Mapping[str, Any], codec_eos: int
    ) -> "GenerationOptions":
        """A given value, else the model's `generate_defaults`, else the official fallback.

        Raises `CompatTypeError` for an unknown keyword, `CompatError` for a length or end token
        that is not allowed; sampling values are checked when speech is planned.
        """
        refuse_unknown(given, GENERATION, "generation")
        if given.get("eos_token_id") not in (None, codec_eos):
            raise CompatError(
                f"eos_token_id is {given['eos_token_id']!r}, "
                f"allowed: {codec_eos}, with which this checkpoint ends speech"
            )
        values = {
            name: _first(given.get(name), defaults.get(name), fallback)
            for name, fallback in _FALLBACK.items()
        }
        return GenerationOptions(
            sampling=_sampling(values),
            max_frames=_max_frames(values["max_new_tokens"]),
            seed=given.get("seed"),
        )


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _sampling(values: Mapping[str, Any]) -> Sampling:
    """Options of a greedy head are left out: officially temperature=0 passes where unused."""
    sampling = Sampling(
        greedy=not values["do_sample"],
        predictor_greedy=not values["subtalker_dosample"],
        repetition_penalty=values["repetition_penalty"],
    )
    if not sampling.greedy:
        sampling = replace(
            sampling,
            temperature=values["temperature"],
            top_k=values["top_k"],
            top_p=values["top_p"],
        )
    if not sampling.predictor_greedy:
        sampling = replace(
            sampling,
            predictor_temperature=values["subtalker_temperature"],
            predictor_top_k=values["subtalker_top_k"],
            predictor_top_p=values["subtalker_top_p"],
        )
    return sampling


def _max_frames(max_new_tokens: Any) -> int:
    """The last token of a run never becomes a frame, so N tokens are N - 1 frames."""
    if isinstance(max_new_tokens, bool) or not isinstance(max_new_tokens, int):
        raise CompatError(f"max_new_tokens is {max_new_tokens!r}, it must be an integer")
    if max_new_tokens < 2:
        raise CompatError(
            f"max_new_tokens is {max_new_tokens}, allowed: 2 or more (N tokens are N - 1 frames)"
        )
    return max_new_tokens - 1
