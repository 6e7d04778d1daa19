"""The build hook: which compiler it takes, what it adds to a wheel, and how it does without."""

import ctypes
import importlib.util
import platform
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from qwen3_tts.native import library

ROOT = Path(__file__).resolve().parents[2]
SOURCE = '__attribute__((visibility("default"))) int kernels_supported(void) { return 42; }\n'
HELPER = "int hidden(void) { return 0; }\n"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """hatch_build.py, on a machine and in an environment where it would compile."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv(module.SWITCH, raising=False)
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(module, "NATIVE", tmp_path / "native")
    module.NATIVE.mkdir()
    return module


@pytest.fixture
def build_hook(hook: ModuleType):
    """The hook as hatchling would make it; `warnings` are what it told."""

    class Bare(hook.KernelsBuildHook):  # without hatchling's own arguments
        def __init__(self) -> None:
            self.warnings: list[str] = []

        @property
        def app(self) -> SimpleNamespace:
            return SimpleNamespace(display_warning=self.warnings.append)

    bare = Bare()
    yield bare
    if hasattr(bare, "scratch"):
        bare.scratch.cleanup()


def program(folder: Path, name: str, script: str = "exit 1") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, and no zig."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return folder


needs_a_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("cc", "gcc", "clang")), reason="no C compiler here"
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="fake compilers are shell scripts")


def test_the_library_is_where_the_package_looks_for_it(hook: ModuleType) -> None:
    if sys.platform == "win32":
        assert hook.why_not()
    else:
        assert library.PATH.name == hook.LIBRARY
    assert library.SWITCH == hook.SWITCH


@posix
def test_cc_comes_first_and_none_comes_twice(
    hook: ModuleType, only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hook.system_compilers() == []
    gcc = program(only, "gcc")
    (only / "cc").symlink_to(gcc)
    clang = program(only, "clang")
    assert hook.system_compilers() == [[str(only / "cc")], [str(clang)]]
    monkeypatch.setenv("CC", "clang -m64")
    assert hook.system_compilers()[0] == [str(clang), "-m64"]
    assert len(hook.system_compilers()) == 3  # clang without the option is another command
    monkeypatch.setenv("CC", "no-such-compiler")
    assert hook.system_compilers() == [[str(only / "cc")], [str(clang)]]


@pytest.mark.parametrize(
    ("libc", "target"), [("glibc", "x86_64-linux-gnu.2.17"), ("", "x86_64-linux-musl")]
)
def test_zig_comes_last(
    hook: ModuleType, only: Path, monkeypatch: pytest.MonkeyPatch, libc: str, target: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(hook.platform, "libc_ver", lambda: (libc, ""))
    assert hook.all_compilers() == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "ziglang")
    assert hook.all_compilers() == [[sys.executable, "-m", "ziglang", "cc", "-target", target]]


@posix
def test_zig_is_asked_for_where_no_compiler_works(
    hook: ModuleType, build_hook, only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert build_hook.dependencies() == [hook.ZIG]
    program(only, "cc")  # there, but fails: as gcc does without the headers of C
    assert build_hook.dependencies() == [hook.ZIG]
    monkeypatch.setenv(hook.SWITCH, "0")
    assert build_hook.dependencies() == []
    monkeypatch.delenv(hook.SWITCH)
    monkeypatch.setattr(hook.platform, "machine", lambda: "riscv64")
    assert build_hook.dependencies() == []


def test_zig_is_not_asked_for_where_a_compiler_works(
    hook: ModuleType, build_hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    asked = []
    monkeypatch.setattr(hook, "build", lambda output, compilers: asked.append(compilers))
    assert build_hook.dependencies() == []
    assert asked == [hook.system_compilers()]


@posix
def test_without_a_compiler_the_package_is_built_all_the_same(
    hook: ModuleType, build_hook, only: Path
) -> None:
    data: dict = {"force_include": {}, "pure_python": True}
    build_hook.initialize("standard", data)
    build_hook.finalize("standard", data, "a.whl")
    assert data == {"force_include": {}, "pure_python": True}
    (warning,) = build_hook.warnings
    assert warning == "qwen3-tts is built without its kernels: no C compiler was found"


@posix
def test_what_each_compiler_said_is_told(hook: ModuleType, build_hook, only: Path) -> None:
    program(only, "cc", "echo no stdint.h >&2; exit 1")
    program(only, "clang", "exit 0")  # makes nothing
    old = hook.NATIVE / hook.LIBRARY
    old.write_bytes(b"of other sources")
    build_hook.initialize("editable", {})
    (warning,) = build_hook.warnings
    assert f"{only}/cc:\nno stdint.h" in warning
    assert f"{only}/clang:\n" in warning
    assert list(hook.NATIVE.iterdir()) == []  # the old one would not fit the new sources


@needs_a_compiler
def test_a_wheel_gets_the_library_and_the_tag_of_this_platform(
    hook: ModuleType, build_hook
) -> None:
    (hook.NATIVE / "cpu.c").write_text(SOURCE)
    (hook.NATIVE / "other.c").write_text(HELPER)
    (hook.NATIVE / ".#cpu.c").symlink_to("an-editor's-lock")
    data: dict = {"force_include": {}, "pure_python": True}
    build_hook.initialize("standard", data)
    assert build_hook.warnings == []
    ((path, inside),) = data["force_include"].items()
    assert inside == f"qwen3_tts/native/{library.PATH.name}"
    made = ctypes.CDLL(path)
    assert made.kernels_supported() == 42
    assert not hasattr(made, "hidden")
    interpreter, abi, platform_tag = data["tag"].split("-")
    assert (interpreter, abi, data["pure_python"]) == ("py3", "none", False)
    assert platform_tag == hook.platform_tag()
    assert "linux" not in platform_tag or platform_tag.startswith("linux_")
    build_hook.finalize("standard", data, "a.whl")
    assert not Path(path).exists()
    assert not (hook.NATIVE / hook.LIBRARY).exists()


@needs_a_compiler
def test_an_editable_install_gets_it_in_the_source_tree(hook: ModuleType, build_hook) -> None:
    (hook.NATIVE / "cpu.c").write_text(SOURCE)
    data: dict = {"force_include": {}}
    build_hook.initialize("editable", data)
    build_hook.finalize("editable", data, "a.whl")
    assert data == {"force_include": {}}
    assert build_hook.warnings == []
    names = {path.name for path in hook.NATIVE.iterdir()}
    assert names == {"cpu.c", hook.LIBRARY}


@needs_a_compiler
@pytest.mark.parametrize("code", ["int kernels_supported(void) {", "int other(void) { return 0; }"])
def test_what_does_not_compile_or_load_replaces_nothing(
    hook: ModuleType, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """By hand: the message is seen, and the library of before stays."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (hook.NATIVE / "cpu.c").write_text(code + "\n")
    (hook.NATIVE / hook.LIBRARY).write_bytes(b"before")
    assert hook.main() == 1
    assert "kernels_supported" in capsys.readouterr().err
    assert (hook.NATIVE / hook.LIBRARY).read_bytes() == b"before"
    assert len(list(hook.NATIVE.iterdir())) == 2
    (hook.NATIVE / "cpu.c").write_text(SOURCE)
    assert hook.main() == 0
    assert capsys.readouterr().out == f"compiled {hook.NATIVE / hook.LIBRARY}\n"


def test_where_there_are_no_kernels_to_compile(
    hook: ModuleType, build_hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook.platform, "machine", lambda: "riscv64")
    build_hook.initialize("standard", {})
    assert build_hook.warnings[0].endswith("there are none for riscv64")
    assert hook.main() == 0
    monkeypatch.setattr(hook.sys, "platform", "win32")
    assert "POSIX threads" in hook.why_not()


@needs_a_compiler
@pytest.mark.skipif(library.is_off(), reason=f"{library.SWITCH}=0")
def test_this_tree_has_its_library() -> None:
    """An install that cannot compile the kernels only warns: here that would go unseen."""
    if not list(library.PATH.parent.glob("*.c")):
        pytest.skip("installed from a wheel")
    if platform.machine() != "x86_64":
        pytest.skip("no kernels for this machine")
    assert library.PATH.is_file(), "run `python hatch_build.py` and read what it says"


def test_the_project_file_names_the_hook() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert wheel["targets"]["wheel"]["hooks"] == {"custom": {}}  # its default is hatch_build.py
    ignored = subprocess.run(
        ["git", "check-ignore", "-q", "src/qwen3_tts/native/_kernels.so"], cwd=ROOT
    )
    assert ignored.returncode in (0, 128)  # 128: not a checkout
