"""The command `serve`: what it takes, what it refuses, what it says. tests/server has it run."""

import argparse
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.cli import serve
from qwen3_tts.cli.main import main
from qwen3_tts.cli.messages import Parser
from qwen3_tts.server import serve as serving
from qwen3_tts.server.settings import ServerSettings, load_settings
from tests.cli.conftest import Run

KEY = "a-key-of-the-tests-1"


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QWEN3_TTS_VOICES_DIR", str(tmp_path))


def test_every_option_is_a_setting() -> None:
    parser = Parser()
    serve.add_parser(parser.add_subparsers())
    command = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    names = {action.dest for action in command.choices["serve"]._actions}
    assert names - set(ServerSettings.model_fields) == {"help", "check", "json"}


def test_check_shows_the_settings_without_the_keys(cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('max_rows = 4\nport = 1\ndefault_voice = "anna"\n')
    words = ["--config", file, "--port", 81, "--api-key", KEY, "--api-key", KEY + "b", "--check"]
    ran = cli("serve", *words, "--json")
    assert (ran.code, ran.err) == (0, "")
    shown = json.loads(ran.out)
    assert set(shown) == set(ServerSettings.model_fields)
    told = {name: shown[name] for name in ("port", "max_rows", "default_voice", "api_keys")}
    assert told == {"port": 81, "max_rows": 4, "default_voice": "anna", "api_keys": "2 set"}
    text = cli("serve", *words).out.decode()
    assert "\nport = 81\n" in text
    assert KEY not in text + json.dumps(shown)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--port", "70000"], 1, "setting `port` is '70000': should be less than or equal"),
        (["--load", "later"], 1, "setting `load` is 'later': should be 'eager' or 'lazy'"),
        (["--host", "0.0.0.0"], 1, "can be reached from the network and no key is set"),
        (["--host", "0.0.0.0", "--api-key", "short"], 1, "shorter than 16 characters"),
        (["--api-key", "two words"], 1, "no blanks"),
        (["--config", "absent.toml"], 1, "cannot be read"),
        (["--prot", "1"], 2, "unrecognized arguments: --prot 1"),
    ],
)
@pytest.mark.parametrize("check", [["--check"], []])
def test_what_is_wrong_is_one_line(
    cli: Run, words: list[str], code: int, message: str, check: list[str]
) -> None:
    ran = cli("serve", *words, *check)
    assert (ran.code, ran.out) == (code, b"")
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert "two words" not in ran.err


def test_an_unknown_variable_is_refused(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_TTS_PROT", "80")
    ran = cli("serve")
    assert ran.code == 1
    assert "did you mean `QWEN3_TTS_PORT`?" in ran.err


def test_a_port_that_is_taken(cli: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = cli("serve", "--engine", "fake", "--port", port)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, b"", 1)
    assert f"cannot listen on 127.0.0.1, port {port}" in ran.err


WITHOUT = """
import sys

sys.modules[{package!r}] = None  # now it is not found
from qwen3_tts.cli.main import main
sys.exit(main(["serve"]))
"""


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_without_the_extra_it_says_how_to_add_it(package: str) -> None:
    script = WITHOUT.format(package=package)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"needs the package {package}: " in done.stderr
    assert 'pip install "qwen3-tts[server]"' in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_line_does_without_the_server() -> None:
    script = (
        "import sys; from qwen3_tts.cli.main import main; main(['serve', '--help'])\n"
        "print(*sorted({'torch', 'fastapi', 'pydantic', 'uvicorn'} & set(sys.modules)), 'end')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "end", done.stderr


@pytest.mark.parametrize("code", [0, 3])
def test_it_tells_where_it_serves_and_returns_how_it_ended(
    cli: Run, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def run_server(settings: ServerSettings, up: Any) -> int:
        up("http://127.0.0.1:8123")
        return code

    monkeypatch.setattr(serving, "run_server", run_server)
    ran = cli("serve", "--model", "folder/nano")
    shown = ran.out.decode()
    assert (ran.code, ran.err) == (code, "")
    for part in (
        "http://127.0.0.1:8123/speak\n",
        "base URL http://127.0.0.1:8123/v1, model 'folder/nano'\n",
        "ws://127.0.0.1:8123/api/v1/speak\n",
        "http://127.0.0.1:8123/openapi.json\n",
        "none is needed",
    ):
        assert part in shown
    as_json = json.loads(cli("serve", "--json", "--api-key", KEY).out)
    assert (as_json["url"], as_json["key_needed"]) == ("http://127.0.0.1:8123", True)
    assert KEY not in json.dumps(as_json)


def test_a_server_for_the_network_says_so() -> None:
    settings = load_settings(host="0.0.0.0", api_keys=KEY, docs=False, load="lazy")
    lines = serve.block(settings, serve.addresses(settings, "http://127.0.0.1:8000"))
    assert lines[0] == "qwen3-tts serves http://127.0.0.1:8000, listening on 0.0.0.0"
    text = "\n".join(lines)
    assert "openapi" not in text
    assert "is needed" in text
    assert "loaded when asked for" in text


def test_serve_stands_in_the_list_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "serve " in capsys.readouterr().out
