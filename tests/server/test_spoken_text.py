"""What counts as a text that can be spoken."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.speaking.text import check_piece, check_text

LIMIT = 20


@pytest.mark.parametrize(
    "text", ["a", "7", "你好", "a" * LIMIT, "ملح", "x\u202ey", "¿Qué?", "  hi  ", "e\u0301" * LIMIT]
)
def test_text_is_taken_in_normal_form(text: str) -> None:
    assert check_text(text, LIMIT) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("...!?", "no letter"),
        ("🙂🙃", "no letter"),
        ("a" * (LIMIT + 1), "allowed are up to 20"),
        ("a" * 100_000, "allowed are up to 20"),
        ("a\0b", "NUL"),
        ("a\ud800", "surrogate"),
    ],
)
def test_other_text_is_refused(text: str, why: str) -> None:
    with pytest.raises(Fault, match=why) as refused:
        check_text(text, LIMIT)
    assert refused.value.code is FaultCode.INVALID_TEXT
    assert refused.value.param == "input"


@given(st.text(max_size=60))
def test_what_is_taken_fits_and_can_be_sent(text: str) -> None:
    try:
        taken = check_text(text, LIMIT)
    except Fault:
        return
    assert len(taken) <= LIMIT
    assert taken.encode("utf-8")


def test_a_piece_may_be_blank_but_must_be_text() -> None:
    assert check_piece(" ") == " "
    for bad in ("\0", "\udc00"):
        with pytest.raises(Fault, match="the text has"):
            check_piece(bad)
