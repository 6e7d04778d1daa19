"""This package against the committed dump of the official one.

The dump holds what the official package computed, on one thread, from checkpoints that are written
again here; their digests are checked first. Bounds are those of `cases.BOUNDS`: differences of
float32 rounding stay a tenth of them or less, and no code hangs on such a difference.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import cases
import checkpoints
import compare
import our_codec
import our_layers
import our_speech
import pytest

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer

GOLDEN = Path(__file__).parents[1] / "golden" / "parity.npz"
SAMPLED = [case.name for case in cases.CASES.values() if case.seed is not None]
GREEDY = [case.name for case in cases.CASES.values() if case.seed is None]


@pytest.fixture(scope="module")
def dump() -> compare.Dump:
    return compare.Dump(GOLDEN)


class Opened:
    """Checkpoints, written and opened when a test first needs them."""

    def __init__(self, folder: Path, dump: compare.Dump):
        self.folder, self.dump = folder, dump
        self.models: dict[str, Qwen3Synthesizer] = {}

    def __getitem__(self, name: str) -> Qwen3Synthesizer:
        if name not in self.models:
            checkpoints.write_checkpoint(self.folder / name, cases.CHECKPOINTS[name])
            compare.check_digest(self.dump, self.folder, name)
            self.models[name] = our_speech.open_checkpoint(self.folder / name)
        return self.models[name]


@pytest.fixture(scope="module")
def opened(dump: compare.Dump) -> Iterator[Opened]:
    with tempfile.TemporaryDirectory() as folder:
        yield Opened(Path(folder), dump)


def assert_equal(rows: list[compare.Row]) -> None:
    failed = [row for row in rows if row.verdict == "FAIL"]
    assert not failed, "\n" + compare.report(failed, every=True)


def speak(opened: Opened, name: str) -> list[compare.Row]:
    case = cases.CASES[name]
    tts = opened[case.checkpoint]
    ours = our_speech.speak(tts, opened.folder / case.checkpoint, case)
    return compare.rows_of(opened.dump, f"speech/{name}", ours)


@pytest.mark.parametrize("name", GREEDY)
def test_greedy_speech(opened: Opened, name: str) -> None:
    assert_equal(speak(opened, name))


@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_speech(opened: Opened, name: str) -> None:
    if not opened.dump.same_random_numbers():
        pytest.skip("torch draws other random numbers on this machine than where the dump was made")
    assert_equal(speak(opened, name))


@pytest.mark.parametrize("checkpoint", ["0.6B-Base", "1.7B-Base", "8-codebooks"])
def test_codec_and_speaker(opened: Opened, checkpoint: str) -> None:
    for name, ours in our_codec.cases_of(opened[checkpoint], checkpoint):
        assert_equal(compare.rows_of(opened.dump, f"codec/{name}", ours))


@pytest.mark.parametrize("name", cases.LAYERS)
def test_layer_of_real_size(dump: compare.Dump, name: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:  # up to 200 MB, not for pytest to keep
        folder = Path(temporary) / "layers" / name
        checkpoints.write_layer(folder, name)
        compare.check_digest(dump, Path(temporary), f"layers/{name}")
        ours = {cases.LAYERS[name].part: our_layers.run_layer(folder, name).numpy()}
    assert_equal(compare.rows_of(dump, f"layer/{name}", ours))


def test_the_dump_holds_every_case(dump: compare.Dump) -> None:
    """A case that is added, renamed or lost needs a new dump."""
    wanted = {f"speech/{name}" for name in cases.CASES} | {f"layer/{name}" for name in cases.LAYERS}
    codec = (*cases.DECODES, "chunked", *cases.ENCODES, *cases.SPEAKERS)
    wanted |= {f"codec/{name}" for name in codec}
    assert {name.rsplit("/", 1)[0] for name in dump.arrays} == wanted


def test_the_twenty_combinations_are_there() -> None:
    """Five checkpoints, two modes of each, both text orders, and every greedy stage of each."""
    combinations = {(case.checkpoint, case.lines, case.text_first) for case in cases.GRID}
    assert len(combinations) == 20
    assert len({checkpoint for checkpoint, _, _ in combinations}) == 5
    assert all(case.seed is None and len(case.lines) == 1 for case in cases.GRID)


def test_some_speech_ends_by_itself_and_some_at_its_limit(dump: compare.Dump) -> None:
    """Both ways to end are among the cases; the official limit is one frame more than given."""
    reached = {
        case.name: len(dump.arrays[f"speech/{case.name}/codes.0"]) == case.max_frames
        for case in cases.CASES.values()
    }
    assert any(reached.values())
    assert not all(reached.values())
    assert not reached["sampled.ends"]


def test_the_official_cut_is_early_where_floats_truncate(dump: compare.Dump) -> None:
    """The one known difference of length: a sample of the reference left in front."""
    assert dump.arrays["speech/early-cut/early_cut.0"] == 1


def test_the_dump_is_small() -> None:
    assert GOLDEN.stat().st_size < 3_000_000
