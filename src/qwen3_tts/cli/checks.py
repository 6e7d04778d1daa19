"""What `doctor` looks at, as data: one `Check` per thing, with the command that mends it.

Probing and printing are apart, and every probe asks one thing, so that a broken one hides no
other. Packages come from this package's own metadata: a new dependency needs no line here.
"""

import importlib.metadata as metadata
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qwen3_tts.audio.files import FORMATS, write_audio
from qwen3_tts.errors import HubOffline, SpeechError
from qwen3_tts.native import library
from qwen3_tts.version import __version__

if TYPE_CHECKING:
    from qwen3_tts.backends.devices import Choice

DISTRIBUTION = "qwen3-tts"
GIB = 2**30
KERNELS_FIX = "install qwen3-tts once more with pip install -v, which tells why none were built"
DOWNLOAD_BYTES = 5 * GIB  # the largest published checkpoint with its codec takes 4.2 GiB


@dataclass(frozen=True)
class Check:
    """One finding. `needed` says whether speech is impossible without it; `fix` mends it."""

    name: str
    ok: bool
    value: str
    fix: str = ""
    needed: bool = True
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.needed and not self.ok


def all_checks(model: str | None, device: str, dtype: str) -> Iterator[Check]:
    """Every check in the order to be read; those of a model only where one is named."""
    yield Check("qwen3-tts", True, f"{__version__} in {Path(__file__).parents[1]}")
    yield Check("python", True, f"{platform.python_version()} at {sys.executable}")
    yield from package_checks()
    yield from device_checks(device, dtype)
    yield kernels_check()
    yield memory_check()
    yield from audio_checks()
    yield from cache_checks()
    if model is not None:
        yield from model_checks(model, device, dtype)


def install_command(requirements: list[str]) -> str:
    """The command that installs into the Python that runs this, whichever the shell would pick."""
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return f"{python} -m pip install " + " ".join(f'"{name}"' for name in requirements)


def mend_command(requirement: str) -> str:
    """The command for a package that fails: pip would not touch one that it finds installed."""
    command = install_command([requirement])
    if _problem_of(requirement):
        return command
    return command.replace(" install ", " install --force-reinstall ")


def package_checks() -> Iterator[Check]:
    """One check per dependency, one per extra."""
    try:
        listed = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        fix = install_command(["torch", "numpy", "safetensors", "tokenizers", "soundfile", "soxr"])
        yield Check("packages", False, "qwen3-tts itself is not installed", fix, needed=False)
        return
    extras: dict[str, list[str]] = {}
    for line in listed:
        requirement, _, marker = (part.strip() for part in line.partition(";"))
        extra = re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", marker)
        if extra is None:
            problem = _problem_of(requirement)
            value = problem or _version_of(requirement)
            fix = install_command([requirement]) if problem else ""
            yield Check(_name_of(requirement), not problem, value, fix)
        else:
            extras.setdefault(extra[1], []).append(requirement)
    for extra_name, requirements in extras.items():
        lacking = [line for line in requirements if _problem_of(line)]
        value = "installed"
        if lacking:
            value = "; ".join(f"{_name_of(line)} {_problem_of(line)}" for line in lacking)
        fix = install_command(lacking) if lacking else ""
        yield Check(f"extra {extra_name}", not lacking, value, fix, needed=False)


def _name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _version_of(requirement: str) -> str:
    return metadata.version(_name_of(requirement))


def _problem_of(requirement: str) -> str:
    """Why an installed package does not meet `name>=version`; "" where it does."""
    try:
        version = _version_of(requirement)
    except metadata.PackageNotFoundError:
        return "not installed"
    least = re.search(r">=\s*([\d.]+)", requirement)
    if least and _numbers(version) < _numbers(least[1]):
        return f"{version} is too old, {least[1]} is needed"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """The release part of a version; no final zeros, so that 3 is as new as 3.0."""
    release = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def device_checks(device: str, dtype: str) -> Iterator[Check]:
    """The devices there are, and the one a model would be loaded on."""
    try:
        from qwen3_tts.backends.devices import choose, list_devices, tier, torch_build

        devices, complaints = list_devices()
    except (ImportError, OSError, RuntimeError) as error:
        first = str(error).partition("\n")[0]
        yield Check("devices", False, f"torch does not work: {first}", mend_command("torch"))
        return
    for found in devices:
        memory = ""
        if found.free_bytes is not None and found.total_bytes is not None:
            memory = f", {size(found.free_bytes)} free of {size(found.total_bytes)}"
        about = {"free_bytes": found.free_bytes, "total_bytes": found.total_bytes}
        yield Check(f"device {found.name}", True, found.about + memory, data=about)
    for complaint in complaints:
        yield Check("torch says", False, complaint, needed=False)
    if torch_build() is None and sys.platform == "linux" and shutil.which("nvidia-smi"):
        value = "this build of torch has no CUDA, the NVIDIA GPU stays unused"
        release = metadata.version("torch").partition("+")[0]
        fix = mend_command(f"torch=={release}")
        yield Check("CUDA", False, value, fix, needed=False)
    try:
        choice = choose(device, dtype)
    except SpeechError as error:
        yield Check("chosen", False, str(error), "pass --device auto --dtype auto")
        return
    data = {"device": choice.device, "dtype": choice.dtype}
    yield Check("chosen", True, f"{choice.device}, {choice.dtype} ({choice.why})", data=data)
    taken = tier(choice.device, choice.dtype)
    yield Check("tier", True, f"{taken.about} ({taken.why})", data={"tier": taken.name})


def kernels_check() -> Check:
    """Whether models on the CPU run on the compiled kernels; torch does the same work, slower."""
    reason = library.why_not()
    data = {"library": str(library.PATH)}
    if reason is not None:
        fix = "" if library.PATH.is_file() or library.is_off() else KERNELS_FIX
        return Check("kernels", False, f"not used: {reason}", fix, needed=False, data=data)
    if newer := library.newer_sources():
        value = f"used, but older than {', '.join(newer)}"
        fix = shlex.join([sys.executable, str(library.PATH.parents[3] / "hatch_build.py")])
        return Check("kernels", False, value, fix, needed=False, data=data)
    return Check("kernels", True, "used on the CPU, unless weights are float32", data=data)


def memory_check() -> Check:
    available, total = memory_bytes()
    data = {"available_bytes": available, "total_bytes": total}
    if total is None:
        return Check("memory", True, "unknown on this system", needed=False, data=data)
    free = f"{size(available)} free of " if available is not None else ""
    return Check("memory", True, f"{free}{size(total)}", data=data)


def memory_bytes(
    meminfo: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")
) -> tuple[int | None, int | None]:
    """Memory available and in all, within a container's limit; None where it cannot be known."""
    available, total = _system_memory(meminfo)
    try:
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
        stat = dict(line.split() for line in lines)
        cached = int(stat["active_file"]) + int(stat["inactive_file"])  # let go when asked for
    except (OSError, ValueError, KeyError):  # no such file, or "max": no limit
        return available, total
    left = limit - used + cached
    return min(left, available or left), min(limit, total or limit)


def _system_memory(meminfo: Path) -> tuple[int | None, int | None]:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
        kib = {name: int(rest.split()[0]) for name, _, rest in (s.partition(":") for s in lines)}
        return kib["MemAvailable"] * 1024, kib["MemTotal"] * 1024
    except (OSError, ValueError, KeyError, IndexError):
        pass  # not Linux
    try:
        return None, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None, None


def audio_checks() -> Iterator[Check]:
    """Which formats can be written, by writing them: libsndfile builds differ."""
    wave = np.zeros(2400, dtype=np.float32)
    for format in FORMATS:
        try:
            write_audio(BytesIO(), wave, 24_000, format=format)
        except SpeechError as error:
            fix = mend_command("soundfile")
            yield Check(f"audio {format}", False, str(error), fix, needed=format == "wav")
        else:
            yield Check(f"audio {format}", True, "can be written")


def cache_checks() -> Iterator[Check]:
    """Where fetched checkpoints go, and whether one more fits."""
    try:
        from qwen3_tts.backends.describe import hub_cache, hub_is_offline

        cache, offline = hub_cache(), hub_is_offline()
    except ImportError as error:
        name = (error.name or DISTRIBUTION).partition(".")[0]
        yield Check("checkpoints", False, f"cannot be read: {error}", mend_command(name))
        return
    except SpeechError as error:
        fix = install_command(["huggingface_hub"])
        yield Check("hub cache", False, str(error), fix, needed=False)
        return
    there = next(path for path in (cache, *cache.parents) if path.exists())
    free_bytes = shutil.disk_usage(there).free
    yield Check(
        "hub cache",
        free_bytes >= DOWNLOAD_BYTES,
        f"{cache}, {size(free_bytes)} free",
        "" if free_bytes >= DOWNLOAD_BYTES else "export HF_HUB_CACHE=FOLDER_ON_A_LARGER_DISK",
        needed=False,
        data={"folder": str(cache), "free_bytes": free_bytes},
    )
    value = "yes, by HF_HUB_OFFLINE: nothing is fetched" if offline else "no"
    yield Check("offline", True, value, data={"offline": offline})


def model_checks(model: str, device: str, dtype: str) -> Iterator[Check]:
    """Whether a checkpoint is here and complete, and whether there is memory for it."""
    try:
        from qwen3_tts.backends.describe import describe, locate, measure

        folder = locate(model, offline=True)
        found, sizes = describe(folder), measure(folder)
    except (ImportError, SpeechError) as error:
        fix = "fetch it again, or give its hub id"
        if isinstance(error, HubOffline):
            fix = f"qwen3-tts voices --model {model}"
        yield Check("model", False, str(error), fix)
        return
    rounded = f", rounded to {sizes.rounded}" if sizes.rounded else ""
    value = f"{found.kind} {found.size}{rounded}, {size(sizes.file_bytes)} in {folder}"
    data = {"folder": str(folder), "bytes": sizes.file_bytes, "rounded": sizes.rounded}
    yield Check("model", True, value, data=data)
    try:
        from qwen3_tts.backends.devices import choose, list_devices, rounds

        wanted = "cpu" if sizes.rounded and device == "auto" else device
        choice, devices = choose(wanted, dtype), list_devices()[0]
    except (ImportError, OSError, RuntimeError, SpeechError):
        return  # said by `device_checks`
    if sizes.rounded and choice.device != "cpu":
        value = f"rounded weights are for CPUs, not for {choice.device}"
        yield Check("model device", False, value, "--device cpu")
        return
    free = {there.name: there.free_bytes for there in devices}
    own = free.get(choice.device) or free.get(f"{choice.device}:0")
    available = own if own is not None else memory_bytes()[0]
    need = {width: sizes.memory_bytes(width) for width in (4, 2)}
    if rounds(choice.device, sizes.talker_width, sizes.rounded):
        need[1] = sizes.int8_memory_bytes()
    yield fit_check(need, choice, available, sizes.rounded or "int8")


def fit_check(
    need: dict[int, int], choice: "Choice", available: int | None, rounded: str = "int8"
) -> Check:
    """Whether the memory for one minute of speech is there; `need` is by bytes per number.

    1 among them says that weights are `rounded` where nobody asks for something else.
    """
    value = f"about {size(need[4])} as float32, {size(need[2])} as bfloat16"
    data = {"float32_bytes": need[4], "bfloat16_bytes": need[2], "available_bytes": available}
    taken, width = choice.dtype, choice.bytes_per_number
    if 1 in need:
        value += f", {size(need[1])} as {rounded}"
        data["rounded_bytes"] = need[1]
        taken, width = rounded, 1
    if available is None:
        return Check("model memory", True, value, data=data)
    value += f"; {size(available)} are free on {choice.device}"
    if need[width] <= available:
        return Check("model memory", True, f"{value}: fits as {taken}", data=data)
    fix = "--dtype bfloat16" if need[2] <= available else "a smaller checkpoint, or another device"
    value = f"{value}: does not fit as {taken}"
    return Check("model memory", False, value, fix, data=data)


def size(count: int | None) -> str:
    if count is None:
        return "unknown"
    return f"{count / GIB:.1f} GiB" if count >= GIB / 2 else f"{count / 2**20:.0f} MiB"
