"""Token ids of a text that is still being written, each as soon as no continuation can change it.

What is held back follows from the three steps of `TextTokenizer`:

- NFC. Text is settled up to a place where nothing after can change or join what is before: the
  next character is a starter that composes with nothing before it, or the last one is a starter
  that composes with nothing after it. What lies on two sides of such a place normalises apart.
- Pre-tokens. The split pattern reads classes of characters, so its matches are followed one
  character at a time; a pre-token is done when the next character cannot belong to it. Only white
  space needs more: where a run of it is cut depends on what ends the run.
- BPE inside a word, which in Chinese or Japanese may be a whole clause. Merges on two sides of a
  place that no merge crosses do not see each other, so a place between two tokens cuts an encoding
  into the encodings of both sides. Whatever will follow the word so far, x, some place s <= len(x)
  is the last one between two tokens of the result: the ids before it are those of x[:s], and x[s:]
  is empty or begins a longer token of the vocabulary. The ids on which the encodings of all such
  x[:s] agree are therefore final, and what follows them is encoded as if they had never been.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import accumulate

from tokenizers import Regex, pre_tokenizers

from qwen3_tts.errors import InvalidText
from qwen3_tts.prompt.byte_vocab import byte_symbols
from qwen3_tts.prompt.tokenizer import TextTokenizer

CONTRACTIONS = frozenset(("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"))
LAST_COMBINING = 0x1FFFF  # the planes from U+20000 on hold nothing that combines or composes
SYMBOL_OF_BYTE = dict(enumerate(byte_symbols()))
LETTER, NUMBER, SPACE = (
    pre_tokenizers.Split(Regex(pattern), behavior="removed")
    for pattern in (r"\p{L}", r"\p{N}", r"\s")
)

# How a character continues an unfinished pre-token: (shape, class of the character) -> new shape.
# Classes: L letter, N number, R line break, _ plain space, S other white space, P anything else.
# Shapes: "" nothing; _, S and P one such character; L word, N number, PP signs, PR signs and line
# breaks, SS white space of two characters or with a line break. A missing pair ends the pre-token.
JOINED = {
    **{("", kind): kind for kind in "LN_SP"},
    ("", "R"): "SS",
    **{(shape, "L"): "L" for shape in "L_SP"},
    **{(shape, "P"): "PP" for shape in ("_", "P", "PP")},
    **{(shape, "R"): "PR" for shape in ("P", "PP", "PR")},
    **{(shape, kind): "SS" for shape in ("_", "S", "SS") for kind in "_SR"},
}


class IncrementalTokenizer:
    """Encodes one text that arrives in fragments, cut anywhere; not for use by several threads.

    The ids of all `feed` calls and of `end`, in order, are `tokenizer.encode` of the whole text.
    The first one made for a tokenizer sorts its vocabulary; later ones start at once.
    """

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._encoder = _word_encoder(tokenizer)
        self._backward, self._forward = _joining_characters()
        self._splitter = _Splitter()
        self._unsettled: list[str] = []  # fragments that NFC may still change
        self._high = ""  # a high surrogate that waits for its other half
        self._num_chars = 0
        self._look_at = 0  # length of an unfinished word from which on it is looked at
        self._ended = False

    @property
    def pending(self) -> str:
        """The end of the text, whose ids are held back; the settled part of it is in NFC."""
        return "".join((*self._splitter.open, *self._unsettled, self._high))

    def feed(self, text: str) -> list[int]:
        """The ids that `text` made final, often none.

        A high surrogate at the end waits for a low one at the start of the next fragment. Raises
        `InvalidText`, and changes nothing, for a lone surrogate or after `end`.
        """
        if self._ended:
            raise InvalidText("text was fed after its end; a new text needs a new tokenizer")
        text = self._high + text
        high = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        text = self._whole_characters(text.removesuffix(high))
        self._high = high
        self._num_chars += len(text)
        return [*self._encode_pieces(self._settle(text)), *self._encode_word_start()]

    def end(self) -> list[int]:
        """The ids of all text held back; none if called again.

        Raises `InvalidText`, and changes nothing, if half a surrogate pair is waiting.
        """
        self._whole_characters(self._high)
        rest = self._encoder.normalize("".join(self._unsettled))
        self._ended, self._unsettled = True, []
        ids = self._encode_pieces(rest)
        return [*ids, *(i for piece in self._splitter.finish() for i in self._encoder.ids(piece))]

    def _whole_characters(self, text: str) -> str:
        """`text` with surrogate pairs made into the characters they stand for."""
        units = text.encode("utf-16-le", "surrogatepass")
        try:
            return units.decode("utf-16-le")
        except UnicodeDecodeError as error:
            index = self._num_chars + len(units[: error.start].decode("utf-16-le"))
            unit = int.from_bytes(units[error.start : error.start + 2], "little")
            raise InvalidText(
                f"the text has a lone surrogate U+{unit:04X} at character {index}; "
                "only whole Unicode characters are allowed"
            ) from None

    def _settle(self, text: str) -> str:
        """The NFC of what no later character can change, now that `text` has come.

        There is never a place to cut inside what is unsettled, so only `text` is searched.
        """
        if not text:
            return ""
        cut = len(text)
        if text[-1] in self._forward:
            starters = (i for i in range(len(text) - 1, -1, -1) if text[i] not in self._backward)
            cut = next(starters, -1)
        if cut < 0:
            self._unsettled.append(text)
            return ""
        settled = "".join((*self._unsettled, text[:cut]))
        self._unsettled = [text[cut:]]
        return self._encoder.normalize(settled)

    def _encode_pieces(self, settled: str) -> list[int]:
        """Ids of the pre-tokens that `settled` completes."""
        ids = []
        for char in settled:
            for piece in self._splitter.push(char):
                ids += self._encoder.ids(piece)
                self._look_at = 0
        return ids

    def _encode_word_start(self) -> list[int]:
        """The final ids of the word that is being written; their characters are let go.

        The rest is looked at again when it is an eighth longer, so that even a word without end
        or final ids costs each of its characters a bounded number of looks.
        """
        splitter = self._splitter
        if not splitter.in_word() or len(splitter.open) < self._look_at:
            return []
        count, ids = self._encoder.final("".join(splitter.open))
        splitter.take(count)
        self._look_at = len(splitter.open) + 1 + len(splitter.open) // 8
        return ids


class _Splitter:
    """Follows the split pattern through a text, character by character."""

    def __init__(self) -> None:
        self.open: list[str] = []  # characters of the unfinished pre-token
        self._shape = ""

    def push(self, char: str) -> Iterator[str]:
        """The pre-tokens that the next character completes."""
        kind = _kind(char)
        while (shape := JOINED.get((self._shape, kind))) is None:
            yield from self._close()
        self.open.append(char)
        self._shape = shape
        if shape == "N" or self._is_contraction():
            yield from self._close()

    def finish(self) -> Iterator[str]:
        """The pre-tokens that are left at the end of the text."""
        yield self.take(self._num_in_lines())
        yield self.take(len(self.open))

    def in_word(self) -> bool:
        """Whether the open characters are a word, so that any more letters just lengthen it."""
        undecided = len(self.open) == 2 and self.open[0] == "'"  # "'r" may become "'re"
        return self._shape == "L" and not undecided

    def take(self, count: int) -> str:
        """Remove the first `count` open characters."""
        taken = "".join(self.open[:count])
        del self.open[:count]
        return taken

    def _close(self) -> Iterator[str]:
        """What is complete because the next character does not belong to it."""
        yield self.take(self._num_in_lines())
        last = self.open[-1:] if self._shape == "SS" else []
        yield self.take(len(self.open) - len(last))
        self._shape = _kind(last[0]) if last else ""  # it may belong to what comes after it

    def _num_in_lines(self) -> int:
        """Length of open white space up to its last line break."""
        if self._shape != "SS":
            return 0
        after = range(len(self.open), 0, -1)
        return next((i for i in after if self.open[i - 1] in "\r\n"), 0)

    def _is_contraction(self) -> bool:
        begins = self.open[0] == "'" and len(self.open) <= 3
        return begins and "".join(self.open).casefold() in CONTRACTIONS


class _WordEncoder:
    """The normalisation and BPE of a tokenizer, without its split pattern."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._normalizer = tokenizer._bpe.normalizer
        self._model = tokenizer._bpe.model
        self._tokens = sorted(tokenizer._bpe.get_vocab())
        self._longest = max(map(len, self._tokens))

    def normalize(self, text: str) -> str:
        return str(self._normalizer.normalize_str(text))

    def ids(self, piece: str) -> list[int]:
        """Ids of one whole pre-token."""
        return [token.id for token in self._model.tokenize(_symbols(piece))]

    def final(self, word: str) -> tuple[int, list[int]]:
        """The ids of the start of `word` that no continuation changes, after its length."""
        symbols = _symbols(word)
        if self._begins_longer_token(symbols):
            return 0, []
        size = len(symbols)
        nearest = range(max(1, size - self._longest + 1), size)
        starts = [s for s in nearest if self._begins_longer_token(symbols[s:])]
        char_ends = list(accumulate(len(char.encode()) for char in word))
        agreed = set(char_ends)
        for start in (*starts, size):
            tokens = self._model.tokenize(symbols[:start])
            agreed &= set(accumulate(len(token.value) for token in tokens))
            if not agreed:
                return 0, []
        count = char_ends.index(max(agreed)) + 1
        return count, self.ids(word[:count])

    def _begins_longer_token(self, symbols: str) -> bool:
        at = bisect_right(self._tokens, symbols)
        return at < len(self._tokens) and self._tokens[at].startswith(symbols)


@lru_cache(maxsize=2)
def _word_encoder(tokenizer: TextTokenizer) -> _WordEncoder:
    return _WordEncoder(tokenizer)


def _symbols(text: str) -> str:
    return text.encode().decode("latin-1").translate(SYMBOL_OF_BYTE)


@lru_cache(maxsize=1 << 16)
def _kind(char: str) -> str:
    """The class of `char`, asked of the engine that runs the split pattern.

    Python's own tables are of another Unicode version, and four control characters that it counts
    as white space are none there.
    """
    if char in "\r\n":
        return "R"
    if char == " ":
        return "_"
    for kind, pattern in (("L", LETTER), ("N", NUMBER), ("S", SPACE)):
        if not pattern.pre_tokenize_str(char):
            return kind
    return "P"


@cache
def _joining_characters() -> tuple[frozenset[str], frozenset[str]]:
    """Characters that may change or join what is before them, and those that what follows may.

    By Python's tables, which cover a later Unicode version than the engine's do. A character that
    only they know as joining is held back for nothing, but never released too early.
    """
    backward: set[str] = set()
    forward: set[str] = set()
    for char in map(chr, range(LAST_COMBINING + 1)):
        parts = unicodedata.normalize("NFD", char)
        is_mark = unicodedata.combining(parts[0]) > 0
        if is_mark:
            backward.add(char)
        if is_mark or parts != char:
            forward.add(char)
        backward.update(parts[1:])
        forward.update(parts[:-1])
    return frozenset(backward), frozenset(forward)
