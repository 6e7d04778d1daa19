"""`quantize`: a folder with small weights, that says what `--quantize` says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qwen3_tts.backends import devices
from qwen3_tts.backends.devices import Choice
from qwen3_tts.cli import quantize
from qwen3_tts.cli.checks import model_checks
from qwen3_tts.weights.quantized import PLANS, plan_of
from tests.cli.conftest import Run
from tests.cli.test_main import QUICK
from tests.conftest import WriteCheckpoint

CPU = ("--device", "cpu")


def weights(folder: Path) -> int:
    """Bytes of all weights."""
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


@pytest.mark.parametrize("plan", PLANS)
def test_it_says_what_the_option_says(cli: Run, checkpoint: WriteCheckpoint, plan: str) -> None:
    source = checkpoint("custom_voice", wide=True)
    ran = cli("quantize", source, "small", "--to", plan)
    before, after = weights(source), weights(Path("small"))
    assert (ran.code, ran.out) == (0, b"")
    assert ran.err == f"small: {plan}, {after / 1e6:.1f} MB of weights, before {before / 1e6:.1f}\n"
    assert after < before
    assert plan_of(Path("small")) == plan
    words = ("say", "Hello.", "--seed", 3, "--max-frames", 4, *CPU, "--quiet")
    assert cli(*words, "--model", source, "--quantize", plan, "--save-codes", "a.npy").code == 0
    assert cli(*words, "--model", "./small", "--save-codes", "b.npy").code == 0
    assert cli(*words, "--model", source, "--save-codes", "c.npy").code == 0
    asked, read, plain = (np.load(f"{name}.npy") for name in "abc")
    assert np.array_equal(asked, read)
    assert not np.array_equal(asked, plain)


def test_json(cli: Run, checkpoint: WriteCheckpoint) -> None:
    ran = cli("quantize", checkpoint("base"), "small", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {
        "folder": "small",
        "quantize": "int8",
        "bytes": weights(Path("small")),
        "bytes_before": weights(checkpoint("base")),
    }
    assert cli("quantize", checkpoint("base"), "again", "--quiet").err == ""


def test_doctor_knows_the_result(cli: Run, checkpoint: WriteCheckpoint) -> None:
    assert cli("quantize", checkpoint("base"), "small").code == 0
    ran = cli("doctor", "--model", "./small", *CPU, "--json")
    values = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert values["model"]["value"].startswith("base 0b6, rounded to int8, ")
    assert values["model"]["data"]["rounded"] == "int8"
    assert values["model memory"]["ok"]


def test_doctor_knows_where_the_result_can_be(
    cli: Run, checkpoint: WriteCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("quantize", checkpoint("base"), "small").code == 0
    seen = []

    def choose(device: str, dtype: str) -> Choice:
        seen.append(device)
        return Choice("cpu" if device == "cpu" else "cuda", "float32", "")

    monkeypatch.setattr(devices, "choose", choose)
    checks = {check.name: check for check in model_checks("./small", "auto", "auto")}
    assert seen == ["cpu"]
    assert checks["model memory"].ok
    checks = {check.name: check for check in model_checks("./small", "cuda", "auto")}
    assert (checks["model device"].failed, checks["model device"].fix) == (True, "--device cpu")


def test_refusals_of_the_option_are_one_line(cli: Run, checkpoint: WriteCheckpoint) -> None:
    assert cli("quantize", checkpoint("custom_voice"), "small").code == 0
    for wanted, part in (("none", "rounded to int8 already"), ("int4", "allowed: int8, auto")):
        ran = cli("say", "hello", "--model", "./small", *CPU, "--quantize", wanted)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, b"", 1)
        assert part in ran.err
    assert cli("say", "hello", "--quantize", "int3").code == 2


def test_what_is_in_the_way(cli: Run, checkpoint: WriteCheckpoint) -> None:
    source = checkpoint("base")
    Path("small").mkdir()
    Path("small/notes.txt").write_text("mine")
    ran = cli("quantize", source, "small")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "`small` is not empty; give a new one, or pass --force" in ran.err
    assert cli("quantize", source, "small", "--force").code == 0
    assert Path("small/notes.txt").read_text() == "mine"
    ran = cli("quantize", "./small", "smaller")
    assert (ran.code, "are int8 already" in ran.err) == (1, True)
    shutil.copytree(source, "copy")
    ran = cli("quantize", "./copy", "copy", "--force")
    assert (ran.code, "is the checkpoint itself" in ran.err) == (1, True)
    ran = cli("quantize", "./absent", "other")
    assert (ran.code, "no folder `./absent`" in ran.err) == (1, True)
    assert not Path("smaller").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [(["quantize", "--help"], 0), (["quantize", "m"], 2), (["quantize", "m", "o", "--to", "x"], 2)],
    ids=str,
)
def test_the_head_answers_without_torch(words: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUICK.format(words=words)], capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == f"{code} False", done.stderr


def test_plans_are_those_there_are() -> None:
    assert quantize.PLANS == PLANS
