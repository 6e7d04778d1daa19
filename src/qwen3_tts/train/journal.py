"""What a run tells: a line of JSON for machines, a progress bar on stderr for people."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from qwen3_tts.train.grid import Batch
from qwen3_tts.train.loss import Losses
from qwen3_tts.train.schedule import Moment

LOG = "log.jsonl"
PARTS = ("total", "first", "others", "first_hits", "others_hits", "guide", "mass")


class Journal:
    """Averages over the steps since the last line. Use as a context manager for the bar."""

    def __init__(self, out: Path, *, show: bool, fresh: bool):
        self.path = out / LOG
        if fresh:
            self.path.unlink(missing_ok=True)
        self.show = show
        self.bar: Any = None
        self.task: Any = None
        self._clear()

    def __enter__(self) -> "Journal":
        if self.show:
            self.bar = _bar()
            self.bar.start()
            self.task = self.bar.add_task("training", total=1.0)
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def _clear(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.steps, self.positions, self.norm = 0, 0, 0.0
        self.since_s = time.monotonic()

    def count(self, batch: Batch, found: Losses, norm: Tensor) -> None:
        """Add one step."""
        self.steps += 1
        self.positions += batch.positions
        self.norm = max(self.norm, float(norm))
        for name in PARTS:
            value = getattr(found, name).detach()
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def step(self, step: int, elapsed_s: float, now: Moment) -> None:
        """Write the means since the last call."""
        span_s = time.monotonic() - self.since_s
        line: dict[str, Any] = {
            "step": step,
            "elapsed_s": round(elapsed_s, 1),
            "progress": round(now.progress, 4),
            "lr": now.lr,
            "norm": round(self.norm, 3),
            "step_s": round(span_s / self.steps, 4),
            "positions_per_s": round(self.positions / span_s),
        }
        line |= {name: _plain(value / self.steps) for name, value in self.sums.items()}
        self._write(line)
        if self.bar is not None and self.task is not None:
            text = (
                f"step {step}  first {line['first']:.3f} ({line['first_hits']:.0%})  "
                f"others {sum(line['others']) / len(line['others']):.3f}  mass {line['mass']:.2f}"
            )
            self.bar.update(self.task, completed=now.progress, description=text)
        self._clear()

    def held_out(self, step: int, elapsed_s: float, found: Mapping[str, Any]) -> None:
        self._write({"step": step, "elapsed_s": round(elapsed_s, 1), "held_out": dict(found)})
        self.since_s = time.monotonic()

    def state(self) -> dict[str, Any]:
        """Where the log stands, so that lines after the saved step can be dropped."""
        return {"bytes": self.path.stat().st_size if self.path.exists() else 0}

    def restore(self, state: Mapping[str, Any]) -> None:
        if self.path.exists():
            with self.path.open("r+b") as log:
                log.truncate(state["bytes"])
        self._clear()

    def _write(self, line: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def _plain(value: Tensor) -> float | list[float]:
    """Rounded for the log."""
    if value.ndim:
        return [round(number, 4) for number in value.tolist()]
    return round(float(value), 4)


def _bar() -> Any:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        refresh_per_second=1,
    )
