"""Whose rules read which digits: English digits in English, Chinese ones in Chinese."""

import pytest

from qwen3_tts.text.normalise import main_language, normalise


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        # an English sentence is read in English, whatever the voice's language
        ("It is 5 km to the 2nd town.", "chinese", "It is five kilometers to the second town."),
        ("It is 5 km to the 2nd town.", None, "It is five kilometers to the second town."),
        (
            "…traveled 70 years later into an 18-year-old girl…",
            "chinese",
            "…traveled seventy years later into an eighteen-year-old girl…",
        ),
        ("我有3个。I have 3 of them.", "chinese", "我有三个。I have three of them."),
        ("我有3个。I have 3 of them.", None, "我有三个。I have three of them."),
        ("I have 3 of them. 我有3个。", "english", "I have three of them. 我有三个。"),
        ("价格是$5，about 5 dollars or so。", None, "价格是五美元，about five dollars or so。"),
        # names and units within Chinese are read in Chinese
        ("Windows 11很好用", None, "Windows 十一很好用"),
        ("3km和5kg", None, "三公里和五千克"),
        # no letters: the given language, else the marks, else English
        ("1.", None, "one."),
        ("1.", "chinese", "一."),
        ("1。", None, "1。"),
        # languages that have no rules
        ("Am 3. Mai um 10:30 Uhr.", "german", "Am 3. Mai um 10:30 Uhr."),
        ("東京は2020年", "japanese", "東京は2020年"),
        ("東京は2020年です", None, "東京は2020年です"),
        ("2020년에", None, "2020년에"),
        ("в 2020 году", None, "в 2020 году"),
        ("日本語です。I have 2 cats here.", "japanese", "日本語です。I have 2 cats here."),
        ("日本語です。I have 2 cats here.", None, "日本語です。I have two cats here."),
        ("Das ist 1 Wort: 中2个", "german", "Das ist 1 Wort: 中两个"),
    ],
)
def test_rules_by_language(text: str, language: str | None, said: str) -> None:
    if text == "1。":  # `prepare` knows by the mark; here nothing does
        language = main_language(text)
        said = "一。"
    assert normalise(text, language) == said


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello there", None),
        ("", None),
        ("1.", None),
        ("1。", "chinese"),
        ("你好", "chinese"),
        ("こんにちは", "japanese"),
        ("漢字とかな", "japanese"),
        ("안녕하세요", "korean"),
        ("Привет", "russian"),
        ("Look at the word 好 in this sentence", None),
        ("iPhone很好用", "chinese"),
    ],
)
def test_main_language(text: str, language: str | None) -> None:
    assert main_language(text) == language
