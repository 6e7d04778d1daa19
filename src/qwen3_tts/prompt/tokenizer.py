"""Text to token ids: the Qwen byte-level BPE tokenizer, read from a checkpoint's own files.

A checkpoint carries vocab.json, merges.txt and tokenizer_config.json. Control tokens live in a
table of their own that `encode` never looks at, so a user who writes "<|im_end|>" gets the ids of
those ten characters; the chat templates are put together from ids, not from strings.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from qwen3_tts.errors import InvalidConfig, InvalidText, ModelNotFound
from qwen3_tts.prompt.byte_vocab import byte_symbols

IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
REQUIRED_TOKENS = (IM_START, IM_END, "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>")
ID_LIMIT = 1 << 32  # the BPE engine keeps ids in 32 bits

# The pattern the model was trained with. Digits are single; a word takes one leading space or sign.
SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)


class TextTokenizer:
    """Encodes text for one checkpoint; any number of threads may share it.

    Open one with `TextTokenizer.from_folder`.
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        added_tokens: Mapping[str, int],
    ) -> None:
        """`vocab` and `merges` in byte symbols, merges best first; `added_tokens` by spelling.

        Raises `InvalidConfig` if they do not fit together.
        """
        _check_vocab(vocab, added_tokens)
        _check_merges(vocab, merges)
        self._bpe = Tokenizer(BPE(vocab=dict(vocab), merges=list(merges)))
        self._bpe.normalizer = normalizers.NFC()
        self._bpe.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        self._bpe.decoder = decoders.ByteLevel()
        self._added = dict(added_tokens)
        self._content_of = {token_id: content for content, token_id in added_tokens.items()}
        newline = self.encode("\n")
        self._im_end = self._added[IM_END]
        self._role = [self._added[IM_START], *self.encode("assistant"), *newline]
        self._user = [self._added[IM_START], *self.encode("user"), *newline]
        self._turn_end = [self._im_end, *newline]

    @staticmethod
    def from_folder(folder: Path) -> "TextTokenizer":
        """Read vocab.json, merges.txt and tokenizer_config.json of a checkpoint folder.

        Raises `ModelNotFound` naming the missing file, `InvalidConfig` for one that is broken.
        """
        return TextTokenizer(
            _read_vocab(folder / "vocab.json"),
            _read_merges(folder / "merges.txt"),
            _read_added_tokens(folder / "tokenizer_config.json"),
        )

    def encode(self, text: str) -> list[int]:
        """Ids of user text: NFC, nothing stripped, no control token whatever the text spells.

        Raises `InvalidText` for a lone surrogate, which no encoding of text can carry.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidText(
                f"the text has a lone surrogate U+{ord(text[error.start]):04X} at character "
                f"{error.start}; only whole Unicode characters are allowed"
            ) from None
        return self._bpe.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, control tokens spelled out, broken UTF-8 as U+FFFD.

        Raises `ValueError` for an id that is no token.
        """
        pieces: list[str] = []
        for is_added, group in groupby(ids, key=self._content_of.__contains__):
            run = list(group)
            if is_added:
                pieces.extend(self._content_of[token_id] for token_id in run)
                continue
            for token_id in run:
                if not 0 <= token_id < ID_LIMIT or self._bpe.id_to_token(token_id) is None:
                    raise ValueError(f"id {token_id} is no token of this checkpoint's vocabulary")
            pieces.append(self._bpe.decode(run, skip_special_tokens=False))
        return "".join(pieces)

    def token_id(self, content: str) -> int:
        """Id of an added token by its spelling, such as "<tts_pad>".

        Raises `InvalidConfig` if the checkpoint has no such token.
        """
        if content not in self._added:
            raise InvalidConfig(
                f"no added token {content!r}; have: {', '.join(sorted(self._added))}"
            )
        return self._added[content]

    def role_ids(self) -> list[int]:
        """Ids of "<|im_start|>assistant\\n", which opens every prompt."""
        return list(self._role)

    def target(self, text: str) -> list[int]:
        """Body ids of the text to speak; the template around it never enters the prompt."""
        return self.encode(text)

    def reference(self, text: str) -> list[int]:
        """Body ids of what a reference recording says."""
        return self.encode(text)

    def instruction(self, text: str) -> list[int]:
        """Ids of "<|im_start|>user\\n" + `text` + "<|im_end|>\\n", used whole."""
        return [*self._user, *self.encode(text), *self._turn_end]


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise ModelNotFound(
            f"no {path.name} in {path.parent}; a checkpoint's text tokenizer has one"
        )
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"{path} is not UTF-8 text: byte {error.start} is broken") from None


def _read_json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_read_text(path))
    except ValueError as error:  # JSONDecodeError, or a number of thousands of digits
        raise InvalidConfig(f"{path} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidConfig(f"{path} holds a {type(value).__name__}; it must be a JSON object")
    return value


def _read_vocab(path: Path) -> dict[str, int]:
    vocab = _read_json_object(path)
    for symbol, token_id in vocab.items():
        if type(token_id) is not int or not 0 <= token_id < ID_LIMIT:
            raise InvalidConfig(f"{path}: {symbol!r} has id {token_id!r}; ids are whole numbers")
        if not symbol.isascii() and any("\ud800" <= char <= "\udfff" for char in symbol):
            raise InvalidConfig(f"{path}: token {symbol!r} has a lone surrogate")
    return vocab


def _read_merges(path: Path) -> list[tuple[str, str]]:
    """One merge a line, two symbols around one space, best first; a "#version" line may lead.

    A space inside a token is spelled with its byte symbol, so a third part is always an error. "#"
    is a symbol like any other: only the first line can be a comment.
    """
    merges = []
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line or (number == 1 and line.startswith("#version")):
            continue
        left, _, right = line.partition(" ")
        if not left or not right or " " in right:
            raise InvalidConfig(f"{path} line {number} is {line!r}; a merge is two symbols")
        merges.append((left, right))
    return merges


def _read_added_tokens(path: Path) -> dict[str, int]:
    entries = _read_json_object(path).get("added_tokens_decoder")
    if not isinstance(entries, dict):
        raise InvalidConfig(f"{path} has no added_tokens_decoder table")
    added: dict[str, int] = {}
    for key, entry in entries.items():
        content = entry.get("content") if isinstance(entry, dict) else None
        if not re.fullmatch("[0-9]{1,9}", key) or not isinstance(content, str) or not content:
            raise InvalidConfig(
                f"{path}: added token {key!r} is {entry!r}; it must map an id to a content string"
            )
        if content in added:
            raise InvalidConfig(f"{path}: added token {content!r} is listed twice")
        added[content] = int(key)
    missing = [content for content in REQUIRED_TOKENS if content not in added]
    if missing:
        raise InvalidConfig(f"{path} lacks the added tokens {', '.join(missing)}")
    return added


def _check_vocab(vocab: Mapping[str, int], added_tokens: Mapping[str, int]) -> None:
    missing = [byte for byte, symbol in enumerate(byte_symbols()) if symbol not in vocab]
    if missing:
        raise InvalidConfig(
            f"the vocabulary lacks {len(missing)} of the 256 bytes, first 0x{missing[0]:02X}"
        )
    if len(set(vocab.values())) != len(vocab):
        raise InvalidConfig("the vocabulary gives one id to two tokens")
    taken = set(vocab.values())
    for content, token_id in added_tokens.items():
        if token_id in taken and vocab.get(content) != token_id:
            raise InvalidConfig(f"added token {content!r} has id {token_id}, which is taken")
        taken.add(token_id)


def _check_merges(vocab: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
    for left, right in merges:
        for symbol in (left, right, left + right):
            if symbol not in vocab:
                raise InvalidConfig(
                    f"merge {left!r} + {right!r} needs {symbol!r}, which is not in the vocabulary"
                )
