"""`doctor`: what it finds, the command it gives for what is missing, and the exit code."""

import json
import platform
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from qwen3_tts.backends import devices
from qwen3_tts.backends.devices import Choice, Device
from qwen3_tts.cli import checks
from qwen3_tts.cli.checks import Check, fit_check, memory_bytes, model_checks, package_checks
from qwen3_tts.cli.doctor import report
from qwen3_tts.native import library
from qwen3_tts.weights import transfer
from tests.cli.conftest import Run
from tests.conftest import WriteCheckpoint

GIB = 2**30


def found(listed: list[Check]) -> dict[str, Check]:
    names = [check.name for check in listed]
    assert len(set(names)) == len(names)
    return {check.name: check for check in listed}


def test_everything_here(cli: Run) -> None:
    """In the environment that runs the tests all dependencies are installed."""
    ran = cli("doctor", "--json")
    result = json.loads(ran.out)
    assert (ran.code, ran.err, result["ok"]) == (0, "", True)
    values = {check["name"]: check for check in result["checks"]}
    assert values["python"]["value"].startswith(platform.python_version())
    assert values["torch"]["value"] == metadata.version("torch")
    assert values["audio flac"]["ok"]
    assert values["chosen"]["data"]["dtype"] in ("float32", "bfloat16")
    memory = values["memory"]["data"]
    assert 0 < memory["available_bytes"] <= memory["total_bytes"]
    text = cli("doctor").out.decode()
    assert text.splitlines()[0].startswith("ok  qwen3-tts ")
    assert text.endswith("\nall that is needed is here\n")


@pytest.fixture
def requirements(monkeypatch: pytest.MonkeyPatch):
    """`requirements(*lines)` are those of this package's metadata from then on."""
    return lambda *lines: monkeypatch.setattr(metadata, "requires", lambda name: list(lines))


def test_a_missing_extra_comes_with_the_command_that_adds_it(cli: Run, requirements) -> None:
    requirements(
        "numpy>=1.26",
        'no-such-package>=2.5; extra == "server"',
        'pytest>=8 ; extra == "server"',
        'pytest>=8; extra == "test"',
    )
    ran = cli("doctor")
    assert ran.code == 0  # an extra is not needed to speak
    lines = [line.strip() for line in ran.out.decode().splitlines()]
    at = next(i for i, line in enumerate(lines) if "extra server" in line)
    assert lines[at].startswith("--")
    assert lines[at].endswith("no-such-package not installed")
    command = lines[at + 1].removeprefix("fix: ")
    expected = [sys.executable, "-m", "pip", "install", "no-such-package>=2.5"]
    assert shlex.split(command) == expected
    extra = next(line for line in lines if "extra test" in line)
    assert extra.startswith("ok")


def test_a_missing_or_old_dependency_is_code_1(cli: Run, requirements) -> None:
    requirements("no-such-package>=2", "numpy>=999.1", "pytest", "torch>=2.0.0")
    ran = cli("doctor", "--json")
    assert ran.code == 1
    values = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert values["no-such-package"]["value"] == "not installed"
    assert shlex.split(values["no-such-package"]["fix"])[-1] == "no-such-package>=2"
    version = metadata.version("numpy")
    assert values["numpy"]["value"] == f"{version} is too old, 999.1 is needed"
    assert shlex.split(values["numpy"]["fix"])[-1] == "numpy>=999.1"
    assert values["pytest"]["ok"]
    assert values["torch"]["ok"]


def test_versions_compare_as_numbers(monkeypatch: pytest.MonkeyPatch, requirements) -> None:
    """(installed, least asked for, is it enough)"""
    table = [
        ("2.13.0+cpu", "2.6", True),  # 13 is above 6, though "1" is below "6"
        ("2.6", "2.6.0", True),
        ("2.6.0", "2.6", True),
        ("2.5.9", "2.6", False),
        ("13", "12.9", True),
        ("1.0rc1", "1.0", True),
    ]
    for installed, least, enough in table:
        monkeypatch.setattr(metadata, "version", lambda name, v=installed: v)
        requirements(f"thing>={least}")
        assert next(iter(package_checks())).ok is enough, (installed, least)


def test_a_source_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    (check,) = package_checks()
    assert not check.ok
    assert not check.failed


ABSENT = """
import sys

sys.modules[{package!r}] = None  # now it is not found
from qwen3_tts.cli.main import main
sys.exit(main(["doctor", "--json"]))
"""


@pytest.mark.parametrize(
    ("package", "check", "code"),
    [
        ("torch", "devices", 1),
        ("tokenizers", "checkpoints", 1),
        ("soundfile", "audio wav", 1),
        ("huggingface_hub", "hub cache", 0),  # folders can be read without
    ],
)
def test_a_package_that_does_not_import_hides_nothing_else(
    cli: Run, monkeypatch: pytest.MonkeyPatch, package: str, check: str, code: int
) -> None:
    if package in ("torch", "tokenizers"):  # in this process they are in use already
        script = ABSENT.format(package=package)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        ended = (done.returncode, done.stderr, done.stdout)
    else:
        monkeypatch.setitem(sys.modules, package, None)
        ran = cli("doctor", "--json")
        ended = (ran.code, ran.err, ran.out.decode())
    assert ended[:2] == (code, "")
    values = {item["name"]: item for item in json.loads(ended[2])["checks"]}
    assert not values[check]["ok"]
    command = shlex.split(values[check]["fix"])
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert command[-1] == package
    assert "memory" in values


def test_fixes_for_a_python_in_a_folder_with_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/my files/python")
    command = checks.install_command(["a>=1", "b"])
    assert shlex.split(command) == ["/my files/python", "-m", "pip", "install", "a>=1", "b"]


def test_a_device_that_is_not_there(cli: Run) -> None:
    ran = cli("doctor", "--device", "cuda:99", "--json")
    values = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert ran.code == 1
    assert "'cuda:99' is not available" in values["chosen"]["value"]


def test_a_gpu_and_its_troubles(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Device("cuda:0", "a GPU", 3 * GIB, 8 * GIB)
    monkeypatch.setattr(devices, "list_devices", lambda: ([gpu], ["driver too old"]))
    monkeypatch.setattr(devices, "torch_build", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(sys, "platform", "linux")
    values = found(list(checks.device_checks("cpu", "float32")))
    assert values["device cuda:0"].value == "a GPU, 3.0 GiB free of 8.0 GiB"
    assert values["torch says"].value == "driver too old"
    release = metadata.version("torch").split("+")[0]
    words = shlex.split(values["CUDA"].fix)
    assert words[-3:] == ["install", "--force-reinstall", f"torch=={release}"]
    assert not any(check.failed for check in values.values())
    assert values["chosen"].data == {"device": "cpu", "dtype": "float32"}


@pytest.mark.parametrize(
    ("reason", "there", "newer", "marked", "value", "fix"),
    [
        (None, True, [], "ok", "used on the CPU, unless weights are float32", ""),
        (None, True, ["a.c", "b.h"], "--", "older than a.c, b.h", "hatch_build.py"),
        ("built without", False, [], "--", "not used: built without", checks.KERNELS_FIX),
        ("does not load", True, [], "--", "not used: does not load", ""),
    ],
)
def test_kernels(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    reason: str | None,
    there: bool,
    newer: list[str],
    marked: str,
    value: str,
    fix: str,
) -> None:
    path = tmp_path / "src" / "qwen3_tts" / "native" / "_kernels.so"
    if there:
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setattr(library, "PATH", path)
    monkeypatch.setattr(library, "why_not", lambda: reason)
    monkeypatch.setattr(library, "newer_sources", lambda: newer)
    monkeypatch.delenv(library.SWITCH, raising=False)
    check = checks.kernels_check()
    assert check.value.endswith(value)
    if newer:
        assert shlex.split(check.fix) == [sys.executable, str(tmp_path / fix)]
    else:
        assert check.fix == fix
    assert (check.failed, check.data) == (False, {"library": str(path)})
    assert report([check])[0].startswith(f"{marked}  kernels  ")


def test_kernels_that_are_switched_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cli: Run
) -> None:
    monkeypatch.setenv(library.SWITCH, "0")
    monkeypatch.setattr(library, "PATH", tmp_path / "absent")
    library.why_not.cache_clear()
    try:
        ran = cli("doctor", "--json")
    finally:
        library.why_not.cache_clear()
    assert ran.code == 0
    check = next(c for c in json.loads(ran.out)["checks"] if c["name"] == "kernels")
    assert check["value"] == "not used: QWEN3_TTS_NATIVE=0 in the environment"
    assert (check["ok"], check["needed"], check["fix"]) == (False, False, "")


def test_memory(tmp_path: Path) -> None:
    meminfo, group = tmp_path / "meminfo", tmp_path / "group"
    meminfo.write_text("MemTotal:  8192 kB\nMemFree:  100 kB\nMemAvailable:  4096 kB\n")
    assert memory_bytes(meminfo, group) == (4096 * 1024, 8192 * 1024)
    group.mkdir()
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("1000\n")
    (group / "memory.stat").write_text("anon 700\nactive_file 100\ninactive_file 200\n")
    assert memory_bytes(meminfo, group) == (4096 * 1024, 8192 * 1024)
    (group / "memory.max").write_text("5000\n")
    assert memory_bytes(meminfo, group) == (5000 - 1000 + 300, 5000)
    assert memory_bytes(tmp_path / "absent", group) == (5000 - 1000 + 300, 5000)
    total = memory_bytes(tmp_path / "absent", tmp_path / "absent")
    assert total[0] is None
    assert total == memory_bytes(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("dtype", "available", "ok", "fix"),
    [
        ("float32", 8 * GIB, True, ""),
        ("float32", 8 * GIB - 1, False, "--dtype bfloat16"),
        ("float32", 5 * GIB - 1, False, "a smaller checkpoint, or another device"),
        ("bfloat16", 5 * GIB, True, ""),
        ("bfloat16", 5 * GIB - 1, False, "a smaller checkpoint, or another device"),
        ("float32", None, True, ""),
    ],
)
def test_fit(dtype: str, available: int | None, ok: bool, fix: str) -> None:
    check = fit_check({4: 8 * GIB, 2: 5 * GIB}, Choice("cpu", dtype, ""), available)
    assert (check.ok, check.fix) == (ok, fix)
    assert "about 8.0 GiB as float32, 5.0 GiB as bfloat16" in check.value


@pytest.mark.parametrize(("available", "ok"), [(3 * GIB, True), (3 * GIB - 1, False)])
def test_fit_of_rounded_weights(available: int, ok: bool) -> None:
    """They are what counts where they are what would be used, whatever the dtype."""
    need = {4: 8 * GIB, 2: 5 * GIB, 1: 3 * GIB}
    check = fit_check(need, Choice("cpu", "float32", ""), available)
    assert check.ok == ok
    assert check.fix == ("" if ok else "a smaller checkpoint, or another device")
    assert ", 3.0 GiB as int8; " in check.value
    assert check.value.endswith("fits as int8" if ok else "does not fit as int8")
    assert "3.0 GiB as int4" in fit_check(need, Choice("cpu", "float32", ""), None, "int4").value


def test_a_model(cli: Run, checkpoint: WriteCheckpoint, tmp_path: Path) -> None:
    folder = checkpoint("base")
    ran = cli("doctor", "--model", folder, "--device", "cpu", "--json")
    values = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    files = [folder / "model.safetensors", folder / "speech_tokenizer" / "model.safetensors"]
    assert values["model"]["data"]["bytes"] == sum(file.stat().st_size for file in files)
    assert values["model"]["value"].startswith("base 0b6, ")
    assert "fits as float32" in values["model memory"]["value"]
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "merges.txt").unlink()
    (check,) = model_checks(str(copy), "cpu", "auto")
    assert check.failed
    assert "no merges.txt" in check.value


def test_the_memory_of_a_gpu_counts_where_it_is_chosen(
    checkpoint: WriteCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu, cpu = Device("cuda:0", "a GPU", 1, 8 * GIB), Device("cpu", "a CPU")
    monkeypatch.setattr(devices, "choose", lambda *asked: Choice("cuda", "bfloat16", ""))
    monkeypatch.setattr(devices, "list_devices", lambda: ([gpu, cpu], []))
    values = found(list(model_checks(str(checkpoint("base")), "auto", "auto")))
    assert values["model memory"].failed
    assert values["model memory"].data["available_bytes"] == 1


def test_a_model_that_is_not_fetched_yet(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "cache_folder", lambda: tmp_path / "cache" / "hub")
    ran = cli("doctor", "--model", "someone/some-model")
    assert ran.code == 1
    assert b"fix: qwen3-tts voices --model someone/some-model\n" in ran.out
    assert ran.out.endswith(b"\nto mend: model\n")
    assert f"{tmp_path}/cache/hub, ".encode() in ran.out


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "cache_folder", lambda: tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # read by the library when it is imported
    monkeypatch.setattr(transfer, "is_offline", lambda: True)
    monkeypatch.setattr(checks, "DOWNLOAD_BYTES", 2**62)
    values = found(list(checks.cache_checks()))
    assert not values["hub cache"].ok
    assert values["hub cache"].fix.startswith("export HF_HUB_CACHE=")
    assert values["offline"].data == {"offline": True}


def test_the_report() -> None:
    lines = report(
        [
            Check("a", True, "here"),
            Check("long name", False, "gone", "fetch it"),
            Check("b", False, "gone", "fetch b", needed=False),
        ]
    )
    assert lines == [
        "ok  a          here",
        "NO  long name  gone",
        "               fix: fetch it",
        "--  b          gone",
        "               fix: fetch b",
        "",
        "to mend: long name",
    ]
