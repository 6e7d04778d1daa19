"""`qwen3-tts serve`: OpenAI's speech API, a WebSocket and a page, until a signal ends it."""

import argparse
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qwen3_tts.cli.messages import PROGRAM
from qwen3_tts.cli.opening import Commands
from qwen3_tts.errors import MissingPackage

if TYPE_CHECKING:
    from qwen3_tts.server.settings import ServerSettings

EXTRA = 'pip install "qwen3-tts[server]"'
EPILOG = f"""\
examples:
  {PROGRAM} serve
  {PROGRAM} serve --model Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice --device cuda
  QWEN3_TTS_API_KEYS="$(cat key)" {PROGRAM} serve --host 0.0.0.0
  {PROGRAM} serve --config server.toml --check

Every setting of docs/server.md can be set in the environment as QWEN3_TTS_<NAME> or in the file;
an option wins over the environment, and that over the file.

SIGTERM or Ctrl+C: no new speech is begun, what is being spoken is finished, then the server ends;
a second one ends it at once. Exit codes: 0 ended so; 1 it could not start; 3 the engine died.
"""
# option, what it says to --help, and how argparse takes it; its name is that of a setting
Option = tuple[str, str, Mapping[str, Any]]
FLAG = {"action": "store_true"}
OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "model": (
        ("--model", "a folder, a hub id, or nano (default)", {"metavar": "MODEL"}),
        ("--revision", "branch, tag or commit of a hub id", {}),
        ("--offline", "use only files that are cached", FLAG),
        ("--engine", "qwen3, or fake: tones at once, to try clients with", {"metavar": "NAME"}),
        ("--load", "eager (default), or lazy: when somebody first asks", {"metavar": "WHEN"}),
        ("--idle-unload-s", "let the model go after S idle seconds", {"metavar": "S"}),
    ),
    "hardware": (
        ("--device", "auto, cpu, cuda, cuda:N or mps", {}),
        ("--dtype", "auto, float32 or bfloat16", {}),
        (
            "--quantize",
            "on a CPU, weights rounded to int8 or int4; none; or auto (default: int8 where kernels "
            "make it faster)",
            {"metavar": "HOW"},
        ),
        ("--max-rows", "speeches made at once (default 8)", {"metavar": "N"}),
        ("--max-queue", "speeches that may wait for a row (default 64)", {"metavar": "N"}),
    ),
    "voices": (
        ("--voices-dir", "the folder of cloned voices", {"metavar": "FOLDER"}),
        ("--default-voice", "who speaks where no voice is named", {"metavar": "NAME"}),
    ),
    "network": (
        ("--host", "address to listen on (default 127.0.0.1: this computer alone)", {}),
        ("--port", "default 8000; 0 takes one that is free", {}),
        (
            "--api-key",
            "a key callers must show; repeat it for more. Anyone on this computer can read it in "
            "the list of processes: QWEN3_TTS_API_KEYS and --api-key-file are better",
            {"action": "append", "dest": "api_keys", "metavar": "KEY"},
        ),
        ("--api-key-file", "a file with a key a line", {"metavar": "FILE"}),
        ("--insecure", "let everyone in who can reach an open --host", FLAG),
        ("--max-streams", "speeches asked for at once, then 429 (default 64)", {"metavar": "N"}),
    ),
    "output": (
        ("--log-format", "json (default) or text, on stderr", {"metavar": "FORMAT"}),
        ("--log-text", "log the texts that are spoken", FLAG),
    ),
}


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "serve",
        help="serve speech over HTTP and WebSocket",
        description="Serve OpenAI's speech API, a WebSocket and a page to speak with.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--config",
        dest="config_file",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="a TOML file of settings",
    )
    parser.add_argument("--check", action="store_true", help="check and show all settings, and end")
    parser.add_argument("--json", action="store_true", help="what is shown as one JSON object")
    for title, options in OPTIONS.items():
        group = parser.add_argument_group(title)
        for option, about, taken in options:
            # left out, it is for the environment or the file to say
            group.add_argument(option, help=about, default=argparse.SUPPRESS, **taken)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    try:
        from qwen3_tts.server.serve import run_server
        from qwen3_tts.server.settings import check_exposure, describe_settings, load_settings
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package == "qwen3_tts":
            raise
        raise MissingPackage(f"`{PROGRAM} serve` needs the package {package}: {EXTRA}") from error
    given = {key: value for key, value in vars(args).items() if key not in ("run", "check", "json")}
    settings = load_settings(**given)
    check_exposure(settings)
    if args.check:
        print("\n".join(_listed(describe_settings(settings), args.json)))
        return 0

    def up(url: str) -> None:
        about = addresses(settings, url)
        print(json.dumps(about) if args.json else "\n".join(block(settings, about)), flush=True)

    with _logs_of_the_server():
        return run_server(settings, up)


def addresses(settings: "ServerSettings", url: str) -> dict[str, Any]:
    """Where each door is, and what to say at it."""
    return {
        "model": "fake" if settings.engine == "fake" else settings.model,
        "url": url,
        "page": f"{url}/speak",
        "openai_base_url": f"{url}/v1",
        "websocket": f"{url.replace('http', 'ws', 1)}/api/v1/speak",
        "openapi": f"{url}/openapi.json" if settings.docs else None,
        "ready": f"{url}/ready",
        "key_needed": settings.needs_key,
    }


def block(settings: "ServerSettings", about: Mapping[str, Any]) -> list[str]:
    """What a person who has just started it wants to know."""
    place = "" if settings.host in about["url"] else f", listening on {settings.host}"
    when = {"eager": "it is loading; ready says when it is there", "lazy": "loaded when asked for"}
    key = "is needed" if settings.needs_key else "none is needed; any will do"
    lines = {
        "page": about["page"],
        "OpenAI": f"base URL {about['openai_base_url']}, model {about['model']!r}",
        "WebSocket": about["websocket"],
        "API": about["openapi"],
        "ready": about["ready"],
        "key": key,
        "model": f"{about['model']}, {when[settings.load]}",
    }
    shown = [f"  {name:9}  {value}" for name, value in lines.items() if value]
    return [f"qwen3-tts serves {about['url']}{place}", *shown]


def _listed(settings: Mapping[str, Any], as_json: bool) -> Iterator[str]:
    if as_json:
        yield json.dumps(settings)
        return
    for name, value in settings.items():
        yield f"{name} = {json.dumps(value)}"


@contextmanager
def _logs_of_the_server() -> Iterator[None]:
    """While it lasts, our log records go where the server sends all others, and only there."""
    logger = logging.getLogger("qwen3_tts")
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers.clear()
    logger.propagate = True
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate
