"""Write tests/golden/qwen_tokenizer.json.gz: strings and the ids the published vocabulary gives.

The published Qwen ranks travel in the PyPI package `dashscope` (resources/qwen.tiktoken, 151,643
entries, Apache 2.0). They are run here by `tiktoken`, an implementation that shares no code with
this project's, with the published split pattern. The fixture keeps only the merges whose result
is a substring of one of these strings, the others can make no token of them. Merges that only the
split pattern prevents are kept, so a string split in the wrong place gets other ids.

    pip install --no-deps dashscope tiktoken regex requests    # in a venv of its own
    python make_tokenizer_golden.py tests/golden/qwen_tokenizer.json.gz [FOLDER]

With FOLDER the whole vocabulary is also written there in the layout of a checkpoint.
"""

import base64
import gzip
import json
import random
import sys
import unicodedata
from collections.abc import Callable
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import regex
import tiktoken

SEED = 20260131
NUM_STRINGS = 1200
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTROL_TEXT = (  # ids 151643, 151644, ... in this order
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> "
    "<|box_end|> <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> "
    "<|image_pad|> <|video_pad|> <tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> "
    "<|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|> <tool_response> </tool_response> "
    "<think> </think> <|audio_start|> <|audio_end|> <tts_pad> <tts_text_bos> <tts_text_eod> "
    "<tts_text_bos_single> <|audio_pad|>"
)
CONTROL = CONTROL_TEXT.split()

WORDS = {
    "zh": "今天 天气 很好 我们 一起 去 公园 散步 吧 这 本 书 讲述 了 古老 的 故事 声音 温柔 机器 "
    "学习 模型 北京 上海 三月 早上 好 谢谢 您 龘 饕餮 電腦 語音",
    "en": "the quick brown fox jumps over lazy dog assistant user voice JavaScript iPhone McDonald "
    "reading aloud naïve café thoroughly unbelievable HTTP whisper calm narrator eBay",
    "ja": "今日は とても いい 天気 です ね 音声 合成 を 試して みましょう カタカナ ありがとう "
    "ございます 東京 がっこう パン ヴァイオリン 読む ｶﾀｶﾅ",
    "ko": "안녕하세요 오늘 날씨가 정말 좋네요 목소리 합성을 시험해 봅시다 감사합니다 서울 "
    "한국어 읽기 천천히 뷁 똠방각하",
    "de": "Guten Tag Straße Übermut größer schöne Grüße Donaudampfschifffahrt heißt Mädchen und "
    "Geschwindigkeitsbegrenzung spricht langsam ÄÖÜ ẞ",
    "fr": "bonjour l'été où déjà garçon œuvre naïf s'il vous plaît aujourd'hui français château "
    "l'oiseau chante très doucement ça ÉCOLE",
    "ru": "привет сегодня хорошая погода голос читает медленно ёлка подъезд Москва объявление "
    "синтез речи спасибо большое й щи",
    "pt": "olá não coração avó amanhã você está falando devagar São Paulo informações voz pão "
    "lingüiça à noite",
    "es": "¿dónde está la biblioteca? mañana niño ¡qué alegría! corazón pingüino habla despacio "
    "señor José adiós último",
    "it": "perché città più lentamente buongiorno voce bellissima l'amico è qui caffè gioventù "
    "così vorrei leggere",
}
# fmt: off
CONTRACTIONS = [
    "don't", "I'M", "we'Ll", "they'RE", "he'D", "you've", "it'S", "'tis", "rock'n'roll",
    "O'Reilly", "l'a", "''s", "'T",
]
EMOJI = [
    "😀", "🎉", "❤️", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇳🇩🇪", "👨🏿‍💻", "☎", "✈️", "1️⃣", "🫠", "©™", "♪",
]
CODE = [
    "def f(x):\n\treturn x**2\n", "a->b(c)[0] = {k: v}", "if (x!=0){y++;}\r\n", "<b>hi</b>",
    "https://example.org/a?b=1&c=%20", "C:\\dir\\file.txt", "x_1 = 0x1F;  // go", "$\\alpha_2$",
]
NUMBERS = [
    "3.14159", "1,234,567", "2024-02-29", "12:30", "+49 30 123456", "50%", "½ ² Ⅷ ٣ ४", "１２３",
    "1e-5", "€9.99", "007", "１０ ２０",
]
STOPS = [
    ". ", ", ", "! ", "? ", "…", " — ", "; ", "。", "，", "！", "？\n", " «", "» ", ":", "...",
    "\n",
]
SPACES = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n", "\n ", "\n \n", " \t ", "\u00a0",
    "\u3000", "\u2009", "\x0b", "\x0c", "\r", "\u2028", "\u0085", "\u200b",
]
MARKS = "\u0301\u0300\u0308\u0303\u0327\u0323\u20dd"
SCRIPTS = [  # first and last code point of ranges that every Unicode table in use agrees on
    (0x20, 0x7E), (0xA1, 0x17F), (0x370, 0x3A1), (0x410, 0x44F), (0x5D0, 0x5EA), (0x621, 0x64A),
    (0x905, 0x939), (0xE01, 0xE30), (0x1100, 0x1112), (0x1E00, 0x1EFF), (0x2010, 0x2027),
    (0x2190, 0x21FF), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3),
    (0xFF01, 0xFF5E), (0x1D400, 0x1D454), (0x1F300, 0x1F64F), (0x20000, 0x2A6D6),
]
# fmt: on


def sentence(rng: random.Random) -> str:
    language = rng.choice(list(WORDS))
    words = rng.choices(WORDS[language].split(), k=rng.randint(1, 9))
    change = rng.choice([str, str, str, str.upper, str.title])
    gap = "" if language in ("zh", "ja") else " "
    return "".join(change(w) + (rng.choice(STOPS) if rng.random() < 0.2 else gap) for w in words)


def scrambled(rng: random.Random) -> str:
    low, high = rng.choice(SCRIPTS)
    return "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 12)))


def accented(rng: random.Random) -> str:
    marked = "".join(c + (rng.choice(MARKS) if rng.random() < 0.3 else "") for c in sentence(rng))
    return unicodedata.normalize(rng.choice(["NFD", "NFC", "NFKD"]), marked)


def one_of(items: list[str]) -> Callable[[random.Random], str]:
    return lambda rng: rng.choice(items)


def make_string(rng: random.Random) -> str:
    makers = [sentence, sentence, sentence, scrambled, accented]
    makers += map(one_of, (CONTRACTIONS, EMOJI, CODE, NUMBERS, CONTROL, SPACES))
    pieces = [rng.choice(makers)(rng) for _ in range(rng.choice([1, 1, 2, 3]))]
    edges = rng.choices(SPACES, k=2) if rng.random() < 0.4 else ["", ""]
    return edges[0] + rng.choice(["", " "]).join(pieces) + edges[1]


def corpus() -> list[str]:
    """NUM_STRINGS different strings; every listed edge case is among them by itself."""
    fixed = ["", "assistant", "user", "JavaScript iPhone McDonald", *WORDS.values()]
    for items in (SPACES, CONTROL, EMOJI, CONTRACTIONS, CODE, NUMBERS):
        fixed += items
    rng = random.Random(SEED)
    strings = dict.fromkeys(fixed)
    while len(strings) < NUM_STRINGS:
        strings[make_string(rng)] = None
    return list(strings)


def read_ranks() -> dict[bytes, int]:
    path = metadata.distribution("dashscope").locate_file("dashscope/resources/qwen.tiktoken")
    lines = Path(str(path)).read_bytes().split(b"\n")
    return {base64.b64decode(a): int(b) for a, b in (line.split() for line in lines if line)}


def pair_of(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens `token` is merged from: BPE on it with the better ranks only."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        joined = [ranks.get(a + b, len(ranks)) for a, b in pairwise(parts)]
        at = joined.index(min(joined))
        assert joined[at] < ranks[token], (token, parts)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def symbols(token: bytes) -> str:
    """vocab.json's spelling: bytes 0..32, 127..160 and 173 become U+0100 and up, others Latin-1."""
    moved = [*range(33), *range(127, 161), 173]
    return "".join(chr(0x100 + moved.index(b)) if b in moved else chr(b) for b in token)


def tables(ranks: dict[bytes, int], kept: set[bytes]) -> dict[str, Any]:
    """vocab and merges in the published order, for the tokens of `kept` and all single bytes."""
    vocab, merges = {}, []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) > 1 and token not in kept:
            continue
        vocab[symbols(token)] = rank
        if len(token) > 1:
            left, right = pair_of(token, ranks)
            assert all(len(part) == 1 or part in kept for part in (left, right)), token
            merges.append(f"{symbols(left)} {symbols(right)}")
    return {"vocab": vocab, "merges": merges}


def write_folder(folder: Path, whole: dict[str, Any], added: dict[str, int]) -> None:
    """The layout of a checkpoint: vocab.json, merges.txt, tokenizer_config.json."""
    flags = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "added_tokens_decoder": {
            str(i): {"content": text, **flags, "special": text.startswith(("<|", "<tts"))}
            for text, i in added.items()
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(
        json.dumps(whole["vocab"], ensure_ascii=False), encoding="utf-8"
    )
    (folder / "merges.txt").write_text(
        "\n".join(["#version: 0.2", *whole["merges"], ""]), encoding="utf-8"
    )
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def tokens_inside(text: bytes, ranks: dict[bytes, int]) -> set[bytes]:
    """Every merged token that is a substring of `text`, whether BPE makes it or not."""
    size, longest = len(text), max(map(len, ranks))
    spans = ((i, j) for i in range(size) for j in range(i + 2, min(i + longest, size) + 1))
    return {text[i:j] for i, j in spans} & ranks.keys()


def golden_cases(ranks: dict[bytes, int]) -> tuple[list[tuple[str, list[int]]], set[bytes]]:
    """(text, ids) of the corpus, and the merged tokens inside these texts."""
    bpe = tiktoken.Encoding("qwen", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    cases, kept = [], set()
    for text in corpus():
        composed = unicodedata.normalize("NFC", text)  # the published tokenizer's first step
        ids = bpe.encode_ordinary(composed)
        pre_tokens = [match.group() for match in regex.finditer(PATTERN, composed)]
        assert ids == [i for piece in pre_tokens for i in bpe.encode_ordinary(piece)], text
        cases.append((text, ids))
        kept |= tokens_inside(composed.encode(), ranks)
    return cases, kept


def main() -> None:
    ranks = read_ranks()
    assert sorted(ranks.values()) == list(range(151643)), len(ranks)
    added = {content: len(ranks) + i for i, content in enumerate(CONTROL)}
    cases, kept = golden_cases(ranks)
    package = metadata.metadata("dashscope")
    golden = {
        "about": "Part of the Qwen tokenizer's published vocabulary (151643 tokens; ids and merge "
        f"order kept), from resources/qwen.tiktoken of {package['Name']} {package['Version']}, "
        "Copyright (c) Alibaba, Inc. and its affiliates; and strings with their ids by tiktoken "
        f"{metadata.version('tiktoken')}. Made by validation/make_tokenizer_golden.py.",
        "license": f"{package['License']} (licence field of the package)",
        **tables(ranks, kept),
        "added": added,
        "cases": cases,
    }
    packed = gzip.compress(json.dumps(golden, separators=(",", ":")).encode(), 9, mtime=0)
    Path(sys.argv[1]).write_bytes(packed)
    print(f"{len(cases)} strings, {len(golden['merges'])} merges, {len(packed)} bytes")
    if len(sys.argv) > 2:
        write_folder(Path(sys.argv[2]), tables(ranks, set(ranks)), added)


if __name__ == "__main__":
    main()
