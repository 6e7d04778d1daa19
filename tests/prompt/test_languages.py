"""Language names and codes as people write them."""

import pytest

from qwen3_tts.errors import UnknownLanguage
from qwen3_tts.prompt.languages import ISO_639, resolve_language
from qwen3_tts.weights.published import LANGUAGES


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("English", "english"),
        (" GERMAN ", "german"),
        ("en", "english"),
        ("EN-us", "english"),
        ("pt_BR", "portuguese"),
        ("zh-Hans-CN", "chinese"),
        ("beijing_dialect", "beijing_dialect"),
        ("Auto", "auto"),
        ("auto", "auto"),
        (None, "auto"),
    ],
)
def test_names_and_codes_in_any_case(given: str | None, expected: str) -> None:
    assert resolve_language(given, LANGUAGES) == expected


def test_the_ten_official_languages_have_a_code_each() -> None:
    spoken = {name for name in LANGUAGES if "dialect" not in name}
    assert set(ISO_639.values()) == spoken
    assert len(ISO_639) == len(spoken) == 10


@pytest.mark.parametrize("given", ["klingon", "", "e", "xx-en", "english german", "ｅｎ"])
def test_an_unknown_language_lists_the_known_ones(given: str) -> None:
    with pytest.raises(UnknownLanguage) as caught:
        resolve_language(given, LANGUAGES)
    message = str(caught.value)
    assert repr(given) in message
    assert message.endswith("speaks: auto, " + ", ".join(sorted(LANGUAGES)))
    assert "\n" not in message


def test_a_language_is_a_string() -> None:
    with pytest.raises(UnknownLanguage, match="got int"):
        resolve_language(7, LANGUAGES)  # type: ignore[arg-type]


def test_a_checkpoint_may_name_a_language_as_a_code() -> None:
    """Its own names come first: a fine-tuned checkpoint that has "en" means its "en"."""
    assert resolve_language("EN", {"en": 5, "english": 6}) == "en"


def test_a_code_of_a_language_the_checkpoint_lacks_is_unknown() -> None:
    with pytest.raises(UnknownLanguage, match="auto, english"):
        resolve_language("de", {"english": 1})
