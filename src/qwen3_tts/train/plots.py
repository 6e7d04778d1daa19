"""Pictures of a training log: `python -m qwen3_tts.train.plots OUT` draws OUT/log.png."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qwen3_tts.errors import MissingPackage
from qwen3_tts.train.journal import LOG

Line = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    for folder in argv if argv is not None else sys.argv[1:]:
        print(draw(Path(folder)))
    return 0


def read_log(folder: Path) -> tuple[list[Line], list[Line]]:
    """Lines of steps and lines of held-out losses."""
    with (folder / LOG).open(encoding="utf-8") as log:
        lines = [json.loads(text) for text in log]
    return [n for n in lines if "total" in n], [n for n in lines if "held_out" in n]


def draw(folder: Path) -> Path:
    """Draw losses, hits, attention and learning rate of a run over its steps."""
    try:
        import matplotlib
    except ImportError:
        raise MissingPackage("plots need matplotlib; run `pip install matplotlib`") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps, held_out = read_log(folder)
    figure, axes = pyplot.subplots(2, 2, figsize=(13, 8), constrained_layout=True)
    names = [["first", "others"], ["first_hits", "others_hits"], ["mass", "guide"], ["lr"]]
    for axis, group in zip(axes.flat, names, strict=True):
        for name in group:
            for label, values in _curves(steps, name).items():
                axis.plot([n["step"] for n in steps], values, label=label, linewidth=0.8)
            for order in ("streaming", "text_first"):
                found = [{**n["held_out"][order], "step": n["step"]} for n in held_out]
                for label, values in _curves(found, name).items():
                    if label.endswith(("first", "hits", "mass", "guide", " 1")):
                        at = [n["step"] for n in found]
                        axis.plot(at, values, ".--", label=f"{label}, held out, {order}")
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=6)
    path = folder / "log.png"
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path


def _curves(lines: Sequence[Line], name: str) -> dict[str, list[float]]:
    """One curve for a number, one per code group for a list."""
    if not lines or name not in lines[0]:
        return {}
    if not isinstance(lines[0][name], list):
        return {name: [line[name] for line in lines]}
    groups = range(len(lines[0][name]))
    return {f"{name} {g + 1}": [line[name][g] for line in lines] for g in groups}


if __name__ == "__main__":
    raise SystemExit(main())
