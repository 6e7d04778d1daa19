"""`train`: from a corpus to a packed checkpoint that speaks, by commands alone."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.cli import data, train
from qwen3_tts.cli.main import _parser
from qwen3_tts.train.codec_run import CodecOptions
from qwen3_tts.train.options import TalkerOptions
from qwen3_tts.types import Sampling
from tests.cli.conftest import Run
from tests.cli.test_main import QUICK
from tests.train.conftest import TINY
from tests.train.test_books import write_sound


def talker_words(options: TalkerOptions) -> list[str]:
    """The words that give these options."""
    found = []
    for option in fields(TalkerOptions):
        value = getattr(options, option.name)
        if value != option.default:
            found += [f"--{option.name.replace('_', '-')}", str(value)]
    return found


def test_all_the_way(cli: Run) -> None:
    write_sound(Path("corpus"))
    ran = cli("data", "encode", "corpus", "--books", 3, "--size", 16, "--width", 8, "--quiet")
    assert (ran.code, ran.err) == (0, "")
    for half in ("decoder", "encoder"):
        words = ("--data", "corpus", "--out", "codec", "--steps", 2, "--rows", 1, "--frames", 3)
        ran = cli("train", "codec", half, *words)
        assert (ran.code, ran.err) == (0, f"codec: {half}.pt; losses in {half}.jsonl\n")
    words = ("--data", "corpus", "--out", "talker", *talker_words(TINY))
    ran = cli("train", "talker", *words, "--speaker", "Bee=2")
    closing = "talker: a checkpoint after 6 steps; losses in log.jsonl\n"
    assert (ran.code, ran.err) == (0, closing)
    # nothing is left to do, and resuming does not do it again
    assert cli("train", "talker", *words, "--resume").err == closing

    words = ("--talker", "talker", "--data", "corpus", "--codec", "codec")
    ran = cli("train", "pack", *words, "-o", "mine")
    assert ran.code == 0, ran.err
    size_bytes = sum(path.stat().st_size for path in Path("mine").rglob("*") if path.is_file())
    assert ran.err == f"mine: {size_bytes / 1e6:.2f} MB\n"
    assert not list(Path("mine").glob("*.pt"))
    greedy = Sampling(greedy=True, predictor_greedy=True)
    codes = [
        qwen3_tts.load(name, device="cpu")
        .synthesize("abc", voice="bee", sampling=greedy, max_frames=5)
        .codes
        for name in ("talker", "mine")
    ]
    assert np.array_equal(*codes)  # `train talker` writes float16 already
    assert codes[0].shape[1] == 3

    ran = cli("train", "pack", *words, "-o", "mine", "--dtype", "bfloat16")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "`mine` is not empty; give a new one, or pass --force" in ran.err
    ran = cli("train", "pack", *words, "-o", "mine", "--dtype", "bfloat16", "--force", "--json")
    assert ran.code == 0, ran.err
    assert qwen3_tts.load("mine", device="cpu").synthesize("abc", max_frames=2).codes.size


def test_options_are_those_of_the_training(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import qwen3_tts.train.codec_run as codec_run
    import qwen3_tts.train.talker as talker

    seen: list[Any] = []
    monkeypatch.setattr(codec_run, "train_half", lambda *given: seen.append(given))
    words = ("--data", "d", "--out", "o", "--minutes", 3)
    assert cli("train", "codec", "encoder", *words).code == 0
    assert seen.pop() == (Path("d"), Path("o"), "encoder", CodecOptions(minutes=3))

    class Done:
        step = 1

    def note(*given: Any, **more: Any) -> Done:
        seen.append((given, more))
        return Done()

    monkeypatch.setattr(talker, "train", note)
    more = ("--lr", "0.01", "--optimizer", "muon", "--resume", "--speaker", "Anna=0.5")
    assert cli("train", "talker", *words, *more).code == 0
    expected = TalkerOptions(minutes=3, lr=0.01, optimizer="muon")
    assert seen.pop() == (
        (Path("d"), Path("o"), expected),
        {"resume": True, "speaker_weights": {"anna": 0.5}, "show": False},
    )


def test_lists_that_are_written_twice_agree() -> None:
    """Choices and defaults that the parser knows without importing torch."""
    from qwen3_tts.train.recipe.sentences import BUILDERS

    assert set(data.LANGUAGES) <= set(BUILDERS)
    options = {option.name: option.default for option in fields(TalkerOptions)}
    assert all(options[name] in allowed for name, allowed in train.CHOICES.items())
    args = _parser().parse_args(["train", "codec", "decoder", "--data", "d", "--out", "o",
                                 "--steps", "9"])  # fmt: skip
    given = (args.rows, args.frames, args.lr, args.threads, args.seed)
    known = CodecOptions(minutes=1)
    assert given == (known.rows, known.frames, known.peak_rate, known.threads, known.seed)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["train", "talker", "--help"], 0),
        (["train", "pack"], 2),
        (["data", "encode", "--help"], 0),
        (["data", "make", "c", "--voice", "x"], 2),
    ],
    ids=str,
)
def test_heads_answer_without_torch(words: list[str], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", QUICK.format(words=words)], capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == f"{code} False", done.stderr


FOLDERS = ("--data", "d", "--out", "o")


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("codec", "middle", *FOLDERS, "--minutes", "1"), 2, "invalid choice: 'middle'"),
        (("codec", "decoder", *FOLDERS), 2, "--minutes"),
        (("codec", "decoder", *FOLDERS, "--minutes", "0"), 2, "'0' is not a number above 0"),
        (("codec", "decoder", *FOLDERS, "--minutes", "1", "--steps", "1"), 2, "not allowed with"),
        (("codec", "decoder", *FOLDERS, "--minutes", "1"), 1, "no books.pt in d"),
        (("talker", *FOLDERS, "--optimizer", "sgd"), 2, "invalid choice: 'sgd'"),
        (("talker", *FOLDERS, "--speaker", "anna"), 2, "'anna' is not NAME=WEIGHT"),
        (("talker", *FOLDERS), 1, "in d"),
        (
            ("pack", "--talker", "t", "--data", "d", "--codec", "c", "-o", "p"),
            1,
            "no books.pt in d",
        ),
    ],
)
def test_refusals(cli: Run, words: tuple[str, ...], code: int, part: str) -> None:
    ran = cli("train", *words)
    assert (ran.code, ran.out) == (code, b"")
    assert part in ran.err
    assert ran.err.count("\n") == 1
    assert not Path("p").exists()
