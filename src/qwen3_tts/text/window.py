"""The part of a long text that is in hand, pulled from an iterator of chunks as it is needed."""

from collections.abc import Iterable

_KEEP = 4096  # characters: less than this is not worth dropping


class Window:
    """`text` holds the characters from `base` to `end`, counted from the whole text's start.

    Whoever looks at a position reaches for it first; so nothing that is decided depends on how
    the text was cut into chunks.
    """

    def __init__(self, chunks: Iterable[str]) -> None:
        self.text = ""
        self.base = 0
        self.end = 0
        self.ended = False
        self._chunks = iter(chunks)

    def reach(self, position: int) -> bool:
        """Pull until `position` is in hand or the text has ended. True if anything was pulled."""
        if self.ended or position <= self.end:
            return False
        pulled = []
        missing = position - self.end
        while missing > 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.ended = True
                break
            pulled.append(chunk)
            missing -= len(chunk)
        self.text += "".join(pulled)
        self.end = self.base + len(self.text)
        return True

    def spent(self, position: int) -> bool:
        """Whether the text ends at `position` or before."""
        if position < self.end:
            return False
        self.reach(position + 1)
        return position >= self.end

    def drop(self, position: int) -> bool:
        """Forget what is before `position`, if that is worth the while. True if it was."""
        count = position - self.base
        if count < _KEEP or 2 * count < len(self.text):
            return False
        self.text = self.text[count:]
        self.base = position
        return True

    def slice(self, start: int, end: int) -> str:
        """Characters from `start` to `end`, both in hand."""
        assert self.base <= start, (self.base, start)
        return self.text[start - self.base : end - self.base]
