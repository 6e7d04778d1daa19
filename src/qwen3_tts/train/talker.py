"""Train talker and code predictor: `python -m qwen3_tts.train.talker --data D --out O`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch

from qwen3_tts.errors import UnsupportedRequest
from qwen3_tts.train.journal import Journal
from qwen3_tts.train.options import TalkerOptions
from qwen3_tts.train.setup import set_up
from qwen3_tts.train.trainer import Trainer


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    names = [f.name for f in fields(TalkerOptions)]
    options = TalkerOptions(**{name: getattr(arguments, name) for name in names})
    speakers = dict(_weight(text) for text in arguments.speaker)
    train(
        arguments.data,
        arguments.out,
        options,
        resume=arguments.resume,
        speaker_weights=speakers,
        show=sys.stderr.isatty(),
    )
    return 0


def train(
    data: Path,
    out: Path,
    options: TalkerOptions,
    *,
    resume: bool = False,
    speaker_weights: dict[str, float] | None = None,
    show: bool = False,
) -> Trainer:
    """Train on a corpus folder, into a checkpoint folder; returns the trainer when it is done."""
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise UnsupportedRequest(
            f"device {options.device!r} is not available here; `cpu` always is"
        )
    torch.set_num_threads(options.threads)
    out.mkdir(parents=True, exist_ok=True)
    parts = set_up(data, out, options)
    with Journal(out, show=show, fresh=not resume) as journal:
        trainer = Trainer(parts, options, out, journal, speaker_weights)
        if resume:
            trainer.resume()
        trainer.run()
    return trainer


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m qwen3_tts.train.talker", description=__doc__)
    made.add_argument("--data", type=Path, required=True, help="corpus folder")
    made.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    made.add_argument("--resume", action="store_true", help="go on from the state in --out")
    made.add_argument(
        "--speaker",
        action="append",
        default=[],
        metavar="NAME=WEIGHT",
        help="draw a speaker's utterances more or less often (1 where not given)",
    )
    for f in fields(TalkerOptions):
        made.add_argument(
            f"--{f.name.replace('_', '-')}",
            type=type(f.default),
            default=f.default,
            help=f"{f.metadata['help']} (%(default)s)",
        )
    return made


def _weight(text: str) -> tuple[str, float]:
    name, _, weight = text.partition("=")
    return name.lower(), float(weight)


if __name__ == "__main__":
    raise SystemExit(main())
