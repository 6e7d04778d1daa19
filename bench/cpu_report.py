"""The figures of `cpu.py` as Markdown: beside the machine's limits, and beside what is asked."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from cpu_stages import CALLS
from limits import x_realtime

Measure = Mapping[str, float]
Found = Mapping[str, Measure]  # by configuration
Line = tuple[str, Callable[[Measure], float], str]  # what, its value, how it is written

PARTS = ("talker", "predictor", "head", "embeddings", "rest of frame", "frame")
LOAD = ("before load", "peak of load", "resident", "resident, files")
LOADED = ("resident after batches", "peak of speaking")
GIB = 2**30

# figure, configuration, value, "at least" or "at most", must, goal
ASKED: tuple[tuple[str, str, str, bool, float, float], ...] = (
    ("x realtime, one request", "0.6B int8", "x realtime", True, 1.0, 1.3),
    ("x realtime, one request", "0.6B bfloat16", "x realtime", True, 0.6, 0.8),
    ("x realtime, one request", "1.7B int8", "x realtime", True, 0.7, 1.0),
    ("x realtime, one request", "1.7B int4", "x realtime", True, 0.7, 1.0),
    ("codec alone, 4 frames a call, x realtime", "0.6B int8", "codec 4 x realtime", True, 3, 5),
    ("first sound of 30 tokens, ms", "0.6B int8", "first sound ms", False, 600, 250),
    ("talker's reading, % of the machine's", "0.6B int8", "talker share", True, 70, 90),
    ("resident, GB", "0.6B int8", "resident GB", False, 1.9, 1.3),
    ("four requests together, x one", "0.6B int8", "gain of 4", True, 2, 3),
    ("loading, s", "0.6B int8", "load", False, 5, 2),
)


def report(about: Mapping[str, str], said: str, limits: Measure, found: Found) -> str:
    """The whole page."""
    full = {name: row | derived(row, limits) for name, row in found.items()}
    batches = [key for key in next(iter(full.values())) if key.startswith("x realtime, batch")]
    sections: list[tuple[str, Sequence[Line], str]] = [
        ("Speech", speech(batches), ""),
        (
            "A frame of one request, ms",
            frame(),
            "beside: while a chunk is decoded on cores of its own. outside: in neither prompt, "
            "frame nor decode.",
        ),
        (
            "What a frame asks, and the speed it gets",
            needs(),
            "memory: what it gave around these runs. floor: weights read at that speed, then the "
            "codec at the machine's bfloat16 rate. A share above 100 % is read from caches.",
        ),
        ("The codec's decoder alone", codec(), ""),
        ("Memory and loading", room(), "resident: after one request at a time."),
    ]
    pages = [
        f"# Speech on this machine's cores: {said}\n",
        "Random models of published size, bfloat16 files; medians.\n",
        markdown(["machine", ""], about.items()),
        markdown(["limit", ""], ((name, f"{value:.1f}") for name, value in limits.items())),
    ]
    for title, lines, note in sections:
        pages += [f"## {title}\n", columns(full, lines), *([note + "\n"] if note else [])]
    rows = list(asked(full))
    if rows:
        pages += [
            "## Asked for\n",
            markdown(["figure", "of", "must", "goal", "measured", ""], rows),
        ]
    return "\n".join(pages)


def derived(row: Measure, limits: Measure) -> dict[str, float]:
    """Rates and shares."""
    read, multiply = row["memory GB/s"] * 1e9, limits["bfloat16 GFLOP/s"] * 1e9
    found = {"first sound ms": row["first sound"] * 1e3, "resident GB": row["resident"] / 1e9}
    for T in CALLS:
        spent_s, flops = row[f"codec {T}"], row[f"codec {T} flops"]
        found |= {
            f"codec {T} x realtime": x_realtime(spent_s / T),
            f"codec {T} GFLOP/s": flops / spent_s / 1e9,
            f"codec {T} share": 100 * flops / spent_s / multiply,
        }
    reading_s = (row["talker bytes"] + row["predictor bytes"]) / read
    floor_s = reading_s + row["codec 4 flops"] / 4 / multiply
    found |= {"floor": floor_s, "floor x realtime": x_realtime(floor_s)}
    if "x realtime, batch 4" in row:
        found["gain of 4"] = row["x realtime, batch 4"] / row["x realtime"]
    return found


def speech(batches: Sequence[str]) -> list[Line]:
    return [
        plain("x realtime", 2),
        plain("x realtime, streamed", 2),
        *(plain(key, 2) for key in batches),
        plain("floor x realtime", 2),
        ms("first sound"),
        ms("first sound, prompt"),
        ms("first sound, decode"),
        plain("first sound, frames in it", 0),
        plain("first sound, frames made", 0),
        ms("first sound, cold"),
        plain("prompt positions", 0),
        plain("chunks", 0),
        plain("silence", 2, "s"),
        plain("cores busy with others", 2),
    ]


def frame() -> list[Line]:
    own = [ms(name) for name in PARTS]
    beside = [ms(f"{name}, beside") for name in PARTS]
    return [*own, *beside, ms("codec a frame"), ms("outside a frame"), ms("prompt")]


def needs() -> list[Line]:
    lines = [plain("memory GB/s", 1), ms("floor")]
    for name in ("talker", "predictor"):
        lines += [
            scaled(f"{name} bytes", 1e-6, 0, "MB"),
            plain(f"{name} GB/s", 1),
            plain(f"{name} share", 0, "% of memory"),
        ]
    return lines


def codec() -> list[Line]:
    lines = []
    for T in CALLS:
        lines += [
            scaled(f"codec {T}", 1e3 / T, 1, "ms a frame"),
            plain(f"codec {T} x realtime", 2),
            plain(f"codec {T} GFLOP/s", 0),
            plain(f"codec {T} share", 0, "% of the bfloat16 limit"),
        ]
    return lines


def room() -> list[Line]:
    gib = [scaled(name, 1 / GIB, 2, "GiB") for name in (*LOAD, *LOADED)]
    return [plain("load", 2, "s"), *gib]


def asked(found: Found) -> Iterable[Sequence[str]]:
    for figure, name, key, at_least, must, goal in ASKED:
        value = found.get(name, {}).get(key)
        if value is None:
            continue
        reached = [value >= bound if at_least else value <= bound for bound in (goal, must)]
        said = "goal" if reached[0] else "must" if reached[1] else "missed"
        yield figure, name, f"{must:g}", f"{goal:g}", f"{value:.3g}", said


def plain(key: str, digits: int, unit: str = "") -> Line:
    return scaled(key, 1.0, digits, unit)


def ms(key: str) -> Line:
    return scaled(key, 1e3, 2, "" if "frame" in key else "ms")


def scaled(key: str, factor: float, digits: int, unit: str) -> Line:
    return f"{key}, {unit}" if unit else key, lambda row: row[key] * factor, f".{digits}f"


def columns(found: Found, lines: Sequence[Line]) -> str:
    """A line for every figure, a column for every configuration."""

    def cell(line: Line, row: Measure) -> str:
        _, value, form = line
        try:
            return format(value(row), form)
        except KeyError:  # nothing of the kind happened, such as a frame beside a decode
            return "-"

    rows = [(line[0], *(cell(line, row) for row in found.values())) for line in lines]
    return markdown(["", *found], [row for row in rows if set(row[1:]) != {"-"}])


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, numbers to the right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    told = [
        "| "
        + " | ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        )
        + " |"
        for line in (lines[0], rule, *lines[1:])
    ]
    return "\n".join(told) + "\n"
