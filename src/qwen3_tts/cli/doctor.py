"""`qwen3-tts doctor`: what is here, what is missing, and the command that mends it."""

import argparse
import json
from dataclasses import asdict

from qwen3_tts.cli import opening
from qwen3_tts.cli.checks import Check, all_checks
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import file_name

EPILOG = """\
examples:
  qwen3-tts doctor
  qwen3-tts doctor --model Qwen/Qwen3-TTS-12Hz-1.7B-Base --device cuda

Nothing is fetched and no weights are loaded. The exit code is 1 if something needed is missing;
what is marked `--` is missing but not needed.
"""


def add_parser(commands: Commands) -> None:
    about = "Look at this computer, the installed packages and, if named, a checkpoint."
    parser = commands.add_parser(
        "doctor", help="find what is missing", description=about, epilog=EPILOG
    )
    parser.add_argument(
        "--model",
        "-m",
        metavar="MODEL",
        type=file_name,
        default=opening.default_model(),
        help=f"also: is it here, does it fit (default: ${opening.MODEL_VARIABLE}, else nano)",
    )
    opening.add_device_options(parser, quantize=False)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    checks = list(all_checks(args.model, args.device, args.dtype))
    failed = [check for check in checks if check.failed]
    if args.json:
        print(json.dumps({"ok": not failed, "checks": [asdict(check) for check in checks]}))
    else:
        print("\n".join(report(checks)))
    return 1 if failed else 0


def report(checks: list[Check]) -> list[str]:
    """The lines a person reads: a mark, a name, what was found; then the fix, to be copied."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        mark = "ok" if check.ok else "NO" if check.needed else "--"
        lines.append(f"{mark}  {check.name:{width}}  {check.value}")
        if check.fix:
            lines.append(f"    {'':{width}}  fix: {check.fix}")
    failed = [check.name for check in checks if check.failed]
    verdict = f"to mend: {', '.join(failed)}" if failed else "all that is needed is here"
    return [*lines, "", verdict]
