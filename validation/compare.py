"""Compare this package with a dump of the official one and print a table.

    python validation/compare.py DUMP.npz [--all] [--json] [--folder FOLDER]

Without FOLDER the checkpoints are written anew, into a temporary folder. Shown are the worst array
of every kind and those that fail, with --all every array; --json prints one line per array. Exits
with 1 if any array is beyond its bound (`cases.BOUNDS`).
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cases
import checkpoints
import numpy as np
import our_codec
import our_layers
import our_speech
import signals
import torch

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Row:
    """One array of both sides. `max_rel` is over the largest value of the official one."""

    component: str
    shape: list[int]
    max_abs: float
    max_rel: float
    kind: str
    bound: float
    verdict: str  # "pass", "FAIL", or "note" where there is no bound


class OtherWeights(Exception):
    """The checkpoints are not those the dump was made with: nothing can be said about results."""


class Dump:
    """A file written by dump_official.py."""

    def __init__(self, path: Path):
        with np.load(path) as file:
            self.arrays: Arrays = dict(file)
        about = json.loads(str(self.arrays.pop("about")))
        self.random = self.arrays.pop("random")
        self.shapes: dict[str, list[int]] = about["shapes"]
        self.digests: dict[str, str] = about["digests"]
        self.versions: dict[str, str] = about["versions"]

    def case(self, start: str) -> Arrays:
        """Arrays of one case by part; `start` is group/case."""
        start += "/"
        return {k.removeprefix(start): v for k, v in self.arrays.items() if k.startswith(start)}

    def same_random_numbers(self) -> bool:
        """Whether torch draws the numbers here that it drew where the dump was made."""
        here = torch.empty(len(self.random))
        here.exponential_(generator=torch.Generator().manual_seed(0))
        return bool((here.numpy() == self.random).all())


def rows_of(dump: Dump, start: str, ours: Arrays) -> list[Row]:
    """One row per array the dump has of a case. An array that we lack is a failure."""
    rows = []
    for part, theirs in dump.case(start).items():
        name = f"{start}/{part}"
        if part in ours:
            rows.append(row_of(name, dump.shapes[name], theirs, np.asarray(ours[part])))
        else:
            rows.append(Row(name, dump.shapes[name], np.inf, np.inf, cases.EQUAL, 0, "FAIL"))
    assert rows, f"the dump has no {start}"
    return rows


def row_of(name: str, shape: list[int], theirs: np.ndarray, ours: np.ndarray) -> Row:
    kind, bound = cases.BOUNDS[cases.part(name)]
    if list(ours.shape) != shape:
        return Row(f"{name}, ours {list(ours.shape)}", shape, np.inf, np.inf, kind, bound, "FAIL")
    flat = ours.reshape(-1).astype(np.float64)
    if theirs.size < flat.size:
        flat = flat[signals.places(flat.size, cases.kept(name))]
    reference = theirs.reshape(-1).astype(np.float64)
    distance = np.abs(flat - reference).max(initial=0)
    largest = np.abs(reference).max(initial=0)
    relative = distance / largest if largest else distance
    measured = relative if kind == cases.RELATIVE else distance
    verdict = "pass" if measured <= bound else "FAIL"  # NaN fails
    verdict = "note" if kind == cases.NOTE else verdict
    return Row(name, shape, float(distance), float(relative), kind, bound, verdict)


def compare(dump: Dump, folder: Path) -> Iterator[Row]:
    """Rows of everything, checkpoint by checkpoint."""
    for name in cases.CHECKPOINTS:
        check_digest(dump, folder, name)
        yield from checkpoint_rows(dump, folder / name, name)
    for name in cases.LAYERS:
        check_digest(dump, folder, f"layers/{name}")
        yield from layer_rows(dump, folder / "layers" / name, name)


def check_digest(dump: Dump, folder: Path, name: str) -> None:
    """Tell other weights from a wrong result. Raises `OtherWeights`."""
    if signals.digest(folder / name) != dump.digests[name]:
        raise OtherWeights(
            f"{folder / name}: the weights are not those of the dump; if checkpoints.py, cases.py "
            "or the tensor names changed on purpose, make the dump again (validation/README.md)"
        )


def checkpoint_rows(dump: Dump, folder: Path, name: str) -> Iterator[Row]:
    tts = our_speech.open_checkpoint(folder)
    for case in cases.CASES.values():
        if case.checkpoint == name:
            ours = our_speech.speak(tts, folder, case)
            yield from rows_of(dump, f"speech/{case.name}", ours)
    for case_name, ours in our_codec.cases_of(tts, name):
        yield from rows_of(dump, f"codec/{case_name}", ours)


def layer_rows(dump: Dump, folder: Path, name: str) -> list[Row]:
    ours = our_layers.run_layer(folder, name).numpy()
    return rows_of(dump, f"layer/{name}", {cases.LAYERS[name].part: ours})


def worst(rows: list[Row]) -> list[tuple[str, Row, int]]:
    """For every kind of component its name, its worst row and the number of rows."""
    kinds: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        kinds[cases.label(row.component)].append(row)
    return [(label, max(group, key=_badness), len(group)) for label, group in kinds.items()]


def _badness(row: Row) -> tuple[bool, float]:
    return row.verdict == "FAIL", row.max_rel if row.kind == cases.RELATIVE else row.max_abs


def table(named: list[tuple[str, Row, int]]) -> str:
    lines = [("component", "arrays", "shape", "max abs", "max rel", "bound", "verdict")]
    for name, row, count in named:
        bound = {cases.EQUAL: "equal", cases.NOTE: "-"}.get(row.kind, f"{row.bound:.0e} {row.kind}")
        shape = " x ".join(map(str, row.shape))
        differences = f"{row.max_abs:.1e}", f"{row.max_rel:.1e}"
        lines.append((name, str(count), shape, *differences, bound, row.verdict))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def report(rows: list[Row], *, every: bool) -> str:
    """The table for people, and how many arrays failed."""
    single = [(row.component, row, 1) for row in rows]
    failed = [(name, row, 1) for name, row, _ in single if row.verdict == "FAIL"]
    shown = single if every else [*worst(rows), *failed]
    return f"{table(shown)}\n{len(rows)} arrays, {len(failed)} beyond their bound"


def parse() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dump", type=Path)
    parser.add_argument("--folder", type=Path, help="checkpoints already written")
    parser.add_argument("--all", action="store_true", help="every array, not the worst of a part")
    parser.add_argument("--json", action="store_true", help="one JSON line per array")
    return parser.parse_args()


def main() -> int:
    args = parse()
    torch.set_num_threads(1)  # as the official side
    dump = Dump(args.dump)
    if not dump.same_random_numbers():
        print("torch draws other random numbers here: sampled codes will differ", file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        if args.folder is None:
            checkpoints.write_all(folder)
        rows = list(compare(dump, folder))
    if args.json:
        print("\n".join(json.dumps(asdict(row)) for row in rows))
    else:
        print(report(rows, every=args.all))
    return int(any(row.verdict == "FAIL" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
