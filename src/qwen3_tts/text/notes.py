"""What was dropped or changed, told once each, with a count, and never without end."""

MOST = 40


class Notes:
    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, note: str, count: int = 1) -> None:
        if note in self._counts or len(self._counts) < MOST:
            self._counts[note] = self._counts.get(note, 0) + count

    def all(self) -> tuple[str, ...]:
        return tuple(
            note if count == 1 else f"{note} ({count} times)"
            for note, count in self._counts.items()
        )
