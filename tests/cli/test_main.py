"""The frame around the commands: exit codes, one-line errors, and an answer without torch."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import warnings

import pytest

from qwen3_tts.cli import say
from qwen3_tts.cli.main import main
from qwen3_tts.errors import SpeechWarning, UnknownVoice
from qwen3_tts.version import __version__
from tests.cli.conftest import Run
from tests.fake_synthesizer import FakeSynthesizer

QUICK = """
import sys
from qwen3_tts.cli.main import main
try:
    code = main({words})
except SystemExit as end:
    code = end.code
print(code, "torch" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["say", "--help"], 0),
        (["codec", "decode", "--help"], 0),
        ([], 2),
        (["say", "--seed", "x"], 2),
        (["say", "hello", "--model", "/no/such/folder"], 1),
    ],
    ids=str,
)
def test_what_needs_no_model_answers_without_torch(words: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUICK.format(words=words)], capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == f"{code} False", done.stderr


def test_version_of_the_module_and_of_the_command() -> None:
    command = [sys.executable, "-m", "qwen3_tts", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"qwen3-tts {__version__}\n")


def test_no_command_shows_the_help(cli: Run) -> None:
    ran = cli()
    assert (ran.code, ran.out) == (2, b"")
    assert "exit codes:" in ran.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["sing"], "invalid choice: 'sing'"),
        (["codec"], "required: WAY"),
        (["say", "--seed", "x"], "invalid int value: 'x'"),
        (["say", "--temp", "1"], "--temp"),  # abbreviations are not options
        (["say", "hello", "--device", "gpu"], "'gpu' is none of auto, cpu"),
        (["say", "hello", "--dtype", "float16"], "invalid choice: 'float16'"),
        (["say", "hello", "--format", "aiff"], "invalid choice: 'aiff'"),
    ],
)
def test_a_wrong_argument_is_one_line_and_code_2(cli: Run, words: list[str], part: str) -> None:
    ran = cli(*words)
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith("qwen3-tts: ")
    assert ran.err.count("\n") == 1
    assert part in ran.err
    assert "--help`" in ran.err


def outcome(cli: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, *words: str) -> tuple:
    """Exit code and stderr of a command that fails with `error`."""

    def fail(args: object) -> int:
        raise error

    monkeypatch.setattr(say, "run", fail)
    ran = cli("say", "hello", *words)
    assert ran.out == b""
    return ran.code, ran.err


def test_errors_become_codes_and_lines(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class OutOfMemoryError(RuntimeError):  # as torch names it
        pass

    denied = PermissionError(13, "Permission denied", "codes.npy")
    advice = "out of memory; `qwen3-tts doctor --model ...` tells what fits"
    table: list[tuple[BaseException, int, str]] = [
        (UnknownVoice("no voice `x`;\nhave: y"), 1, "no voice `x`; have: y"),
        (denied, 1, "`codes.npy`: Permission denied"),
        (OSError("no reason known"), 1, "no reason known"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OutOfMemoryError("CUDA\nmore"), 1, f"{advice} (CUDA)"),
        (MemoryError(), 1, f"{advice} ()"),
        (
            ModuleNotFoundError("No module named 'torch'"),
            1,
            "No module named 'torch'; `qwen3-tts doctor` says how to add it",
        ),
    ]
    for error, code, line in table:
        assert outcome(cli, monkeypatch, error) == (code, f"qwen3-tts: {line}\n")


def test_a_bug_is_not_hidden(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="shape mismatch"):
        outcome(cli, monkeypatch, RuntimeError("shape mismatch"))


def test_errors_for_machines(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, err = outcome(cli, monkeypatch, UnknownVoice("no voice `x`"), "--json")
    assert code == 1
    assert json.loads(err) == {"error": {"code": "unknown_voice", "message": "no voice `x`"}}
    assert json.loads(cli("sing", "--json").err)["error"]["code"] == "usage"
    code, err = outcome(cli, monkeypatch, FileNotFoundError(2, "gone", "a.txt"), "--json")
    assert json.loads(err)["error"] == {"code": "os_error", "message": "`a.txt`: gone"}


def test_warnings_and_log_records_are_one_line_each(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warn(args: object) -> int:
        for _ in range(2):  # the same place twice: python alone would show the first only
            warnings.warn("instruct is\nignored", SpeechWarning, stacklevel=1)
        logging.getLogger("qwen3_tts.weights.hub").warning("the cached files of %s are used", "x")
        logging.getLogger("qwen3_tts.weights.hub").info("not shown")
        return 0

    monkeypatch.setattr(say, "run", warn)
    expected = ["instruct is ignored", "instruct is ignored", "the cached files of x are used"]
    for _ in range(2):  # nothing is left behind: a second run shows each line once, too
        ran = cli("say", "hello")
        assert ran.code == 0
        assert ran.err == "".join(f"qwen3-tts: warning: {line}\n" for line in expected)


def test_warnings_of_others_are_left_to_python(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(args: object) -> int:
        warnings.warn("from elsewhere", DeprecationWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(say, "run", warn)
    with pytest.raises(DeprecationWarning):  # warnings are errors in this test suite
        cli("say", "hello")


def test_the_moving_line_shows_on_a_terminal_alone(
    cli: Run, fake: FakeSynthesizer, terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Speaking" not in cli("say", "hello").err
    shown = terminal("stderr")
    assert cli("say", "hello").code == 0
    assert "Speaking" in shown()
    shown = terminal("stderr")
    assert cli("say", "hello", "--quiet").code == 0
    assert shown() == ""


def test_no_moving_line_without_rich(
    cli: Run, fake: FakeSynthesizer, terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)  # importing it now fails
    shown = terminal("stderr")
    assert cli("say", "hello").code == 0
    assert shown().startswith("speech.wav: 0.4 s of speech")


WRITER = """
import sys
from qwen3_tts.cli import main, say, streams
say.run = lambda args: streams.write_bytes("-", bytes(10**6))
sys.exit(main.main(["say"]))
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_of_stdout_that_goes_away(unbuffered: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (141, b"")


def test_stdin_that_does_not_exist(
    cli: Run, fake: FakeSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stderr", errors)
    assert main(["say"]) == 2
    assert "no text" in errors.getvalue()


def test_the_help_names_every_command(cli: Run) -> None:
    ran = cli("--help")
    commands = "say read text voice voices serve codec quantize data train doctor".split()
    listed = re.findall(r"^    (\w+) ", ran.out.decode(), re.MULTILINE)
    assert listed == commands


@pytest.mark.parametrize("command", ["read", "text", "voice", "quantize"])
def test_the_new_commands_explain_themselves_without_torch(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUICK.format(words=[command, "--help"])],
        capture_output=True,
        text=True,
    )
    assert done.stderr.splitlines()[-1] == "0 False", done.stderr
