"""Things that are dear to make, kept while there is room: made once, however many ask at once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """The newest used are kept, up to `max_entries` and `max_bytes`. One event loop uses it.

    `size` tells the bytes of a thing. One that is larger than all the room is handed out but not
    kept.
    """

    def __init__(self, max_entries: int, max_bytes: int, size: Callable[[T], int]):
        self.max_entries, self.max_bytes, self._size = max_entries, max_bytes, size
        self.hits = self.misses = self.evictions = self.bytes = 0
        self._kept: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._making: dict[str, asyncio.Task[T]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def get(
        self,
        key: str,
        make: Callable[[], Awaitable[T]],
        fresh: Callable[[T], bool] = lambda _: True,
    ) -> T:
        """The thing of this key, made by `make` if there is none, or none that is `fresh`.

        Whoever asks while it is made waits for that; one who stops waiting does not stop it. What
        `make` raises goes to all who wait, and the next to ask begins anew.
        """
        kept = self._kept.get(key)
        if kept is not None and fresh(kept[0]):
            self._kept.move_to_end(key)
            self.hits += 1
            return kept[0]
        making = self._making.get(key)
        if making is None:
            self.misses += 1
            self.drop(key)
            making = self._making[key] = asyncio.ensure_future(self._make(key, make))
            making.add_done_callback(_seen)
        else:
            self.hits += 1
        return await asyncio.shield(making)

    def put(self, key: str, thing: T) -> None:
        """Keep a thing that is there already."""
        self.drop(key)
        size = self._size(thing)
        if size > self.max_bytes:
            return
        self._kept[key] = thing, size
        self.bytes += size
        while len(self._kept) > self.max_entries or self.bytes > self.max_bytes:
            _, (_, freed) = self._kept.popitem(last=False)
            self.bytes -= freed
            self.evictions += 1

    def drop(self, key: str) -> None:
        """Forget a thing; one that is being made is handed out but not kept."""
        _, size = self._kept.pop(key, (None, 0))
        self.bytes -= size
        self._making.pop(key, None)

    async def _make(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        me = asyncio.current_task()
        try:
            thing = await make()
            if self._making.get(key) is me:  # nobody dropped it meanwhile
                self.put(key, thing)
            return thing
        finally:
            if self._making.get(key) is me:
                del self._making[key]


def _seen(task: "asyncio.Task[T]") -> None:
    """An error nobody waits for any more is no news."""
    if not task.cancelled():
        task.exception()
