"""Compile the kernels of src/qwen3_tts/native/ while the package is built; hatchling runs this.

They are C, not a Python extension: ctypes loads one shared library, whatever the Python. The
system's compiler makes it. Where there is none, the package `ziglang` (a whole clang) is asked for
as a build requirement, so that pip fetches it for the build alone. Where nothing works the package
is built without kernels and says so: torch does their work. docs/native.md has the details.

`python hatch_build.py` compiles them where they lie, for whoever works on them.
"""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand: only the build environment has hatchling
    BuildHookInterface = object

NATIVE = Path(__file__).resolve().parent / "src" / "qwen3_tts" / "native"
LIBRARY = "_kernels.dylib" if sys.platform == "darwin" else "_kernels.so"
SWITCH = "QWEN3_TTS_NATIVE"  # "0" in the environment: do without, as at run time
MACHINES = ("x86_64",)  # the kernels know no other; zig's target below names it too
ZIG = "ziglang>=0.17,<0.18"  # the clang in 0.13 to 0.16 refuses AVX-512 in a `target` attribute
FLAGS = [
    "-O3",
    "-std=c11",
    "-D_GNU_SOURCE",  # strict C11 hides posix_memalign
    "-dynamiclib" if sys.platform == "darwin" else "-shared",
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
]  # no -march: the library may be carried elsewhere, so each function names the set it needs
LOAD = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).kernels_supported()"


class KernelsBuildHook(BuildHookInterface):
    """What hatchling calls for a wheel and for an editable install, never for an sdist."""

    def dependencies(self) -> list[str]:
        """zig, if nothing here compiles the kernels: found out by compiling them."""
        if why_not() or sys.platform != "linux":
            return []
        with tempfile.TemporaryDirectory() as folder:
            try:
                build(Path(folder, LIBRARY), system_compilers())
            except RuntimeError:
                return [ZIG]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; into the source tree for an editable install, else into the wheel."""
        self.scratch = tempfile.TemporaryDirectory()
        in_place = version == "editable"
        output = (NATIVE if in_place else Path(self.scratch.name)) / LIBRARY
        reason = why_not()
        try:
            if reason is None:
                build(output, all_compilers())
        except RuntimeError as error:
            reason = str(error)
        if reason is not None:
            if in_place:
                output.unlink(missing_ok=True)  # made from sources that may be others by now
            self.app.display_warning(f"qwen3-tts is built without its kernels: {reason}")
        elif not in_place:
            build_data["force_include"][str(output)] = f"qwen3_tts/native/{LIBRARY}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform_tag()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self.scratch.cleanup()


def why_not() -> str | None:
    """Why not to compile at all; None where it is worth trying."""
    if os.environ.get(SWITCH) == "0":
        return f"{SWITCH}=0 in the environment"
    if sys.platform == "win32":
        return "they need POSIX threads, which Windows lacks"
    if platform.machine() not in MACHINES:
        return f"there are none for {platform.machine()}"
    return None


def system_compilers() -> list[list[str]]:
    """The commands of the C compilers installed here, $CC first, none of them twice."""
    found: dict[tuple[str, ...], list[str]] = {}
    for words in (os.environ.get("CC", "").split(), ["cc"], ["gcc"], ["clang"]):
        path = shutil.which(words[0]) if words else None
        if path:
            found.setdefault((os.path.realpath(path), *words[1:]), [path, *words[1:]])
    return list(found.values())


def all_compilers() -> list[list[str]]:
    """Those of the system, then zig where this Python has it."""
    if sys.platform != "linux" or importlib.util.find_spec("ziglang") is None:
        return system_compilers()
    # With a target named zig uses its own headers, so none need be installed, and it neither tunes
    # for this processor nor binds to this version of glibc.
    target = "x86_64-linux-" + ("gnu.2.17" if platform.libc_ver()[0] == "glibc" else "musl")
    return [*system_compilers(), [sys.executable, "-m", "ziglang", "cc", "-target", target]]


def build(output: Path, compilers: list[list[str]], sources: list[Path] | None = None) -> str:
    """Compile `sources`, else all kernels, with the first compiler that makes a library that loads.

    `output` is replaced in one step and untouched on failure. What the compiler says is returned;
    RuntimeError tells what each of them said where all failed.
    """
    complaints = []
    for compiler in compilers:
        fresh = output.with_name(f"{output.name}.{os.getpid()}")
        try:
            said = _compile(compiler, sources or sorted(NATIVE.glob("[!.]*.c")), fresh)
            os.replace(fresh, output)
            return said
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            complaints.append(f"{' '.join(compiler)}:\n{said.strip()}")
        finally:
            fresh.unlink(missing_ok=True)
    raise RuntimeError("\n".join(complaints) or "no C compiler was found")


def _compile(compiler: list[str], sources: list[Path], output: Path) -> str:
    command = [*compiler, *FLAGS, *map(str, sources), "-lm", "-o", str(output)]
    with tempfile.TemporaryDirectory() as cache:  # else zig leaves 100 MB in the home folder
        environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
        said = _run(command, environment)
    # A compiler for another machine, or a function left undefined, shows only now.
    _run([sys.executable, "-c", LOAD, str(output)], dict(os.environ))
    return said


def _run(command: list[str], environment: dict[str, str]) -> str:
    options = {"capture_output": True, "text": True, "errors": "replace", "check": True}
    return subprocess.run(command, env=environment, **options).stderr


def platform_tag() -> str:
    """Of this machine alone: the newest of its tags that promises nothing about other systems."""
    from packaging.tags import platform_tags  # hatchling brings it

    return next(tag for tag in platform_tags() if "manylinux" not in tag and "musllinux" not in tag)


def main() -> int:
    reason = why_not()
    if reason:
        print(f"nothing compiled: {reason}", file=sys.stderr)
        return 0
    try:
        said = build(NATIVE / LIBRARY, all_compilers())
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(said, end="", file=sys.stderr)
    print(f"compiled {NATIVE / LIBRARY}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
