"""Golden normalisations: how English and Chinese texts are said, written by hand.

`tests/golden/text/LANGUAGE.tsv` holds a text, a tab, and its words a line; lines that begin with
`#` and have no tab name a kind.
"""

from pathlib import Path

import pytest

from qwen3_tts.text.front import prepare

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "text"


def pairs(language: str) -> list[tuple[str, str]]:
    lines = (GOLDEN / f"{language}.tsv").read_text(encoding="utf-8").splitlines()
    found = []
    for line in lines:
        if "\t" in line:
            written, _, spoken = line.partition("\t")
            found.append((written, spoken))
    return found


ENGLISH, CHINESE = pairs("english"), pairs("chinese")


def test_there_are_enough_and_each_stands_once() -> None:
    for golden in (ENGLISH, CHINESE):
        assert len(golden) >= 200
        assert len({written for written, _ in golden}) == len(golden)


@pytest.mark.parametrize(("written", "spoken"), ENGLISH, ids=[text for text, _ in ENGLISH])
def test_english(written: str, spoken: str) -> None:
    assert prepare(written, markup="plain", language="English").text == spoken
    assert prepare(written, markup="plain").text == spoken  # by its letters alone


@pytest.mark.parametrize(("written", "spoken"), CHINESE, ids=[text for text, _ in CHINESE])
def test_chinese(written: str, spoken: str) -> None:
    assert prepare(written, markup="plain", language="zh").text == spoken
    if any("\u4e00" <= char <= "\u9fff" for char in written):
        assert prepare(written, markup="plain").text == spoken


@pytest.mark.parametrize(("written", "spoken"), ENGLISH + CHINESE)
def test_what_is_said_is_said_again_alike(written: str, spoken: str) -> None:
    """Words pass through unchanged, so that a text may be prepared twice."""
    language = "english" if (written, spoken) in ENGLISH else "chinese"
    assert prepare(spoken, markup="plain", language=language).text == spoken
