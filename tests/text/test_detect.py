"""Languages found by script and statistics, chosen with a checkpoint's list, and in mixed text."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidRequest, UnknownLanguage, UnsupportedRequest
from qwen3_tts.prompt.languages import ISO_639
from qwen3_tts.text.detect import (
    REFUSE,
    SURE,
    Choice,
    choose_language,
    detect,
    language_runs,
)

TEN = tuple(ISO_639.values())
# None of these sentences was looked at while the detector was chosen.
SENTENCES = {
    "english": (
        "The children were playing in the yard when the rain began.",
        "Could you tell me how to get to the library?",
        "We have been waiting for the bus since eight o'clock.",
        "Nobody expected the price of bread to rise so quickly.",
        "If you want to come along, bring a warm coat.",
        "He reads the newspaper every morning.",
    ),
    "german": (
        "Die Kinder spielten im Hof, als der Regen begann.",
        "Können Sie mir sagen, wie ich zur Bibliothek komme?",
        "Wir warten seit acht Uhr auf den Bus.",
        "Niemand hatte erwartet, dass das Brot so schnell teurer wird.",
        "Wenn du mitkommen willst, nimm einen warmen Mantel mit.",
        "Er liest jeden Morgen die Zeitung.",
    ),
    "french": (
        "Les enfants jouaient dans la cour quand la pluie a commencé.",
        "Pourriez-vous me dire comment aller à la bibliothèque ?",
        "Nous attendons le bus depuis huit heures.",
        "Personne ne pensait que le prix du pain monterait si vite.",
        "Si tu veux venir, prends un manteau chaud.",
        "Il lit le journal tous les matins.",
    ),
    "spanish": (
        "Los niños jugaban en el patio cuando empezó a llover.",
        "¿Podría decirme cómo se llega a la biblioteca?",
        "Llevamos esperando el autobús desde las ocho.",
        "Nadie pensaba que el precio del pan subiría tan deprisa.",
        "Si quieres venir, trae un abrigo grueso.",
        "Lee el periódico todas las mañanas.",
    ),
    "portuguese": (
        "As crianças brincavam no quintal quando começou a chover.",
        "Poderia me dizer como chego à biblioteca?",
        "Estamos esperando o ônibus desde as oito horas.",
        "Ninguém esperava que o preço do pão subisse tão depressa.",
        "Se você quiser vir, traga um casaco quente.",
        "Ele lê o jornal todas as manhãs.",
    ),
    "italian": (
        "I bambini giocavano nel cortile quando cominciò a piovere.",
        "Potrebbe dirmi come si arriva alla biblioteca?",
        "Aspettiamo l'autobus dalle otto.",
        "Nessuno pensava che il prezzo del pane salisse così in fretta.",
        "Se vuoi venire, porta un cappotto pesante.",
        "Legge il giornale tutte le mattine.",
    ),
    "russian": (
        "Дети играли во дворе, когда начался дождь.",
        "Не могли бы вы сказать, как пройти в библиотеку?",
        "Мы ждём автобус с восьми часов.",
        "Никто не ожидал, что хлеб так быстро подорожает.",
        "Если хочешь пойти с нами, возьми тёплое пальто.",
        "Он читает газету каждое утро.",
    ),
    "chinese": (
        "孩子们正在院子里玩，忽然下起雨来。",
        "請問圖書館怎麼走？",
        "我们从八点就在等公共汽车。",
        "我想用 Python 写一个小程序。",
        "鲜の每日",
        "嗯？",
        "好呀！你想我生成一段咩类型嘅广东话？",
    ),
    "japanese": (
        "子供たちが庭で遊んでいると、雨が降り出した。",
        "図書館へはどう行けばいいですか。",
        "八時からバスを待っています。",
        "これはABC株式会社のWebサイトです。",
        "カタカナ",
        "東京駅発",
    ),
    "korean": (
        "아이들이 마당에서 놀고 있는데 비가 오기 시작했다.",
        "도서관에 어떻게 가는지 알려 주시겠어요?",
        "우리는 여덟 시부터 버스를 기다리고 있어요.",
        "어디서 뭐하고 계시나요?",
        "ㅋㅋㅋ",
        "이것은 USB 케이블입니다.",
    ),
}
UNSPOKEN = {
    "hi": "बच्चे आँगन में खेल रहे थे जब बारिश शुरू हुई।",
    "th": "เด็กๆ กำลังเล่นอยู่ในสนามเมื่อฝนเริ่มตก",
    "ar": "كان الأطفال يلعبون في الفناء عندما بدأ المطر.",
    "he": "הילדים שיחקו בחצר כשהתחיל הגשם.",
    "el": "Τα παιδιά έπαιζαν στην αυλή όταν άρχισε η βροχή.",
    "bn": "বাচ্চারা উঠানে খেলছিল যখন বৃষ্টি শুরু হলো।",
    "ta": "குழந்தைகள் முற்றத்தில் விளையாடினார்கள்.",
    "vi": "Bọn trẻ đang chơi trong sân thì trời bắt đầu mưa.",
    "tl": "Naglalaro ang mga bata sa bakuran nang magsimulang umulan.",
    "tr": "Yağmur başladığında çocuklar bahçede oynuyordu.",
    "pl": "Dzieci bawiły się na podwórku, kiedy zaczął padać deszcz.",
    "nl": "De kinderen speelden op het erf toen het begon te regenen.",
    "uk": "Діти гралися на подвір'ї, коли почався дощ.",
}


@pytest.mark.parametrize("language", TEN)
def test_sentences_of_the_ten_languages(language: str) -> None:
    for sentence in SENTENCES[language]:
        found = detect(sentence)
        assert found.language == language, (sentence, found)
        assert found.confidence >= SURE, (sentence, found)


@pytest.mark.parametrize("code", UNSPOKEN)
def test_languages_that_no_checkpoint_speaks_have_their_code(code: str) -> None:
    found = detect(UNSPOKEN[code])
    assert found.language == code
    assert found.confidence >= REFUSE


@pytest.mark.parametrize(
    "text", ["", " ", "123", "?!", "😀", "...", "12:30 – 13:45", "https://a.bc"]
)
def test_nothing_to_judge_by(text: str) -> None:
    found = detect(text)
    assert (found.language, found.confidence, found.script) == (None, 0.0, "none")


@pytest.mark.parametrize("text", ["a", "OK", "Hola.", "No", "Hello.", "Ciao", "Jan", "Fin", "KFC"])
def test_a_word_or_two_in_latin_letters_is_never_sure(text: str) -> None:
    assert detect(text).confidence < SURE
    assert choose_language(None, text, supported=TEN).language == "auto"


def test_a_character_or_two_of_chinese_japanese_or_korean_is_sure_enough() -> None:
    for text, language in (
        ("你", "chinese"),
        ("1次", "chinese"),
        ("ね", "japanese"),
        ("네", "korean"),
    ):
        assert choose_language(None, text, supported=TEN).language == language


def test_han_without_kana_is_chinese_unless_japan_alone_writes_so() -> None:
    assert detect("大学").confidence < detect("大学们").confidence
    assert detect("大学").language == detect("東京").language == "chinese"
    assert detect("円広駅").language == "japanese"


def test_addresses_and_tags_are_not_words() -> None:
    for text in (
        "Der Hund schläft. https://www.the-weather-and-the-news.com/what-is-it",
        "[the laughter of the children] Der Hund schläft <break time='1s'/>",
        "Der Hund schläft. the.quick.brown.fox@jumps.over.the.lazy.dog.com",
    ):
        assert detect(text).language == "german", text


def test_a_long_text_is_judged_by_its_start_middle_and_end() -> None:
    licence = "This file may be copied and given away by anyone, for any purpose. " * 40
    book = "Die Kinder spielten im Hof, als der Regen begann. " * 4000
    assert detect(licence + book).language == "german"
    assert detect(book).confidence > 0.9


@given(st.text(max_size=300))
def test_any_text_is_judged(text: str) -> None:
    found = detect(text)
    assert 0.0 <= found.confidence <= 1.0
    assert (found.language is None) <= (found.confidence == 0.0)
    assert (found.script == "none") <= (found.language is None)


# --- choosing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("de", "german"), ("German", "german"), ("GERMAN", "german"), ("zh_CN", "chinese")],
)
def test_a_language_that_is_asked_for_is_taken(wanted: str, language: str) -> None:
    chosen = choose_language(wanted, SENTENCES["english"][0], supported=TEN)
    assert chosen == Choice(language, 1.0, "asked for")


def test_a_dialect_of_the_checkpoint_is_taken() -> None:
    supported = (*TEN, "beijing_dialect")
    assert (
        choose_language("Beijing_Dialect", "x", supported=supported).language == "beijing_dialect"
    )


@pytest.mark.parametrize("wanted", [None, "auto", "Auto"])
def test_else_the_detected_one(wanted: str | None) -> None:
    for language in TEN:
        chosen = choose_language(wanted, SENTENCES[language][0], supported=TEN)
        assert chosen.language == language
        assert chosen.confidence == detect(SENTENCES[language][0]).confidence
        assert language.capitalize() in chosen.reason


def test_else_auto_with_the_reason() -> None:
    assert choose_language(None, "123", supported=TEN).reason == (
        "the text has no letters to tell its language by"
    )
    chosen = choose_language(None, "Hello.", supported=TEN)
    assert chosen.language == "auto"
    assert "may be" in chosen.reason


@pytest.mark.parametrize(
    "wanted", ["hi", "Hindi", "HINDI", "hi-IN", "th", "Thai", "ar", "vi", "Vietnamese", "tl", "fil"]
)
def test_a_language_that_is_not_spoken_is_refused_with_the_list(wanted: str) -> None:
    with pytest.raises(UnsupportedRequest) as refusal:
        choose_language(wanted, "text", supported=TEN)
    assert all(name in str(refusal.value) for name in ("auto", *TEN))
    assert choose_language(wanted, "text", supported=TEN, allow_unsupported=True).language == "auto"


@pytest.mark.parametrize("code", UNSPOKEN)
def test_text_in_a_language_that_is_not_spoken_is_refused_with_the_list(code: str) -> None:
    with pytest.raises(InvalidRequest, match="it speaks: auto, chinese, english"):
        choose_language(None, UNSPOKEN[code], supported=TEN)
    allowed = choose_language(None, UNSPOKEN[code], supported=TEN, allow_unsupported=True)
    assert allowed.language == "auto"
    assert choose_language("english", UNSPOKEN[code], supported=TEN).language == "english"


def test_a_checkpoint_of_one_language_refuses_the_others() -> None:
    with pytest.raises(UnsupportedRequest, match=r"in German .* it speaks: auto, english"):
        choose_language(None, SENTENCES["german"][0], supported=["english"])
    with pytest.raises(UnsupportedRequest, match="German was asked for"):
        choose_language("de", "Hello.", supported=["english"])
    assert (
        choose_language(None, SENTENCES["english"][0], supported=["english"]).language == "english"
    )


@pytest.mark.parametrize("wanted", ["klingon", "xx", "", "no such language", "englisch"])
def test_what_is_no_language_is_refused(wanted: str) -> None:
    with pytest.raises(UnknownLanguage, match="this checkpoint speaks: auto, chinese, english"):
        choose_language(wanted, "text", supported=TEN, allow_unsupported=True)


# --- mixed text --------------------------------------------------------------------------------


def languages(text: str, default: str | None = None) -> list[str | None]:
    return [run.language for run in language_runs(text, default)]


def test_sentences_of_several_languages() -> None:
    parts = [
        "The children were playing in the yard. ",
        "孩子们正在院子里玩。",
        "Дети играли во дворе, когда начался дождь. ",
        "Les enfants jouaient dans la cour quand la pluie a commencé. ",
        "子供たちが庭で遊んでいる。",
        "아이들이 마당에서 놀고 있다.",
    ]
    runs = language_runs("".join(parts))
    assert [run.text for run in runs] == parts
    assert [run.language for run in runs] == [
        "english",
        "chinese",
        "russian",
        "french",
        "japanese",
        "korean",
    ]


def test_a_foreign_word_stays_with_its_sentence() -> None:
    assert languages("He said 你好 to me and went to the market.") == ["english"]
    assert languages("我喜欢iPhone，也喜欢MacBook。") == ["chinese"]
    assert languages("Слово hello значит привет по-английски.") == ["russian"]
    assert languages("이것은 USB 케이블이고 저것은 HDMI 케이블입니다.") == ["korean"]


def test_a_long_part_of_a_sentence_in_another_script_is_a_run() -> None:
    runs = language_runs(
        "他在会议上对所有的人说了这样一句话 “we have to finish this before the end of the year” 。"
    )
    assert [run.language for run in runs] == ["chinese", "english"]
    assert runs[1].text.startswith("“we have to")


def test_short_sentences_are_in_the_language_around_them() -> None:
    assert languages("Yes. No. The children were playing in the yard. OK. Ja.") == ["english"]
    assert languages("Yes. No.", "german") == ["german"]
    assert languages("Yes. No.") == [None]
    assert languages("OK. 孩子们正在院子里玩。 OK.") == ["chinese"]


def test_an_unspoken_language_is_told() -> None:
    assert languages(f"The children were playing in the yard. {UNSPOKEN['th']}") == [
        "english",
        "th",
    ]


WORDS = [
    *("Hello ", "the children were playing. ", "привет ", "你好。", "孩子们正在院子里玩"),
    *("これは", "안녕 ", "ไทย ", "\n\n", "! ", "12 ", "“"),
]


@given(
    st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=40).map("".join)),
    st.sampled_from([None, "english", "chinese"]),
)
def test_runs_joined_are_the_text(text: str, default: str | None) -> None:
    runs = language_runs(text, default)
    assert "".join(run.text for run in runs) == text
    for earlier, later in pairwise(runs):
        assert earlier.language != later.language
    assert all(run.text and 0.0 <= run.confidence <= 1.0 for run in runs)


@pytest.mark.parametrize(
    "pattern",
    ["a", "你", "a你", "Hi! ", "Hello there, friend. ", "[a", "x@", "1", "a. ", "é", "\n", "“"],
)
def test_time_grows_with_the_text_and_no_faster(pattern: str) -> None:
    """Four times the text takes four times as long; a quadratic pass would take sixteen times."""
    detect("Load the statistics first.")

    def seconds(length: int) -> float:
        text = (pattern * length)[:length]
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            detect(text)
            language_runs(text)
            best = min(best, time.process_time() - began)
        return best

    assert seconds(12_000) < 9 * seconds(3_000) + 0.003
