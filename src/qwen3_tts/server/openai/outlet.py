"""Sending an answer piece by piece, to a client that may be slow or gone.

Cutting the connection without the last chunk is how a failure is told once the status is out: a
clean end would pass for a short file.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from starlette.datastructures import Headers
from starlette.types import Receive, Send

from qwen3_tts.server.faults import Fault, Gone

Item = TypeVar("Item")
PART_BYTES = 65_536


class Aborted(Exception):
    """Ends an answer half-way: the server then cuts the connection."""

    def __init__(self, fault: Fault):
        super().__init__(f"cut off after its start: {fault.code}")
        self.fault = fault


class Outlet:
    """The sending half of an answer. Status and headers leave with the first bytes.

    `headers` is asked then. Raises `Gone` for a reader that takes nothing for `patience_s`.
    """

    def __init__(self, send: Send, headers: Callable[[], dict[str, str]], patience_s: float):
        self._send, self._headers, self._patience_s = send, headers, patience_s
        self.started = False

    async def write(self, content: bytes) -> None:
        """In parts, so that a reader who takes a long answer slowly is seen to take it."""
        for start in range(0, len(content), PART_BYTES):
            await self._start()
            part = content[start : start + PART_BYTES]
            await self._pass({"type": "http.response.body", "body": part, "more_body": True})

    async def end(self) -> None:
        await self._start()
        await self._pass({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self) -> None:
        if not self.started:
            headers = Headers(self._headers()).raw
            await self._pass({"type": "http.response.start", "status": 200, "headers": headers})
            self.started = True

    async def _pass(self, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._send(message)
        except TimeoutError:
            raise Gone("slow_reader") from None


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`; when the client leaves it is cancelled, and `Gone` raised.

    The whole request body must have been read.
    """
    task = asyncio.create_task(work)
    left = asyncio.create_task(_until_left(receive))
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        done = task.done()
        await _cancelled(task, left)
    if not done and task.cancelled():
        raise Gone("closed")
    task.result()


async def with_pauses(items: AsyncIterator[Item], every_s: float) -> AsyncGenerator[Item | None]:
    """The items, and None whenever none has come for `every_s`."""
    while True:
        coming = asyncio.ensure_future(anext(items))
        try:
            while not (await asyncio.wait({coming}, timeout=every_s))[0]:
                yield None
            item = coming.result()
        except StopAsyncIteration:
            return
        finally:
            await _cancelled(coming)
        yield item


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancelled(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel these and wait until they have ended; their errors are for whoever asks."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
