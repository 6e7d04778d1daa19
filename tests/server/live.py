"""A real server for tests: an ASGI app under uvicorn in a thread, on a free local port."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn


@dataclass(frozen=True)
class Live:
    """Where the server listens."""

    port: int
    server: uvicorn.Server

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@contextmanager
def live(app: Any, **options: Any) -> Iterator[Live]:
    """Serves `app` until the block is left; the app's lifespan runs. `options` are uvicorn's."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        **{"timeout_graceful_shutdown": 5, **options},
    )
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        thread = threading.Thread(target=server.run, args=([listener],), name="live", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield Live(listener.getsockname()[1], server)
        finally:
            server.should_exit = True
            thread.join(15)
    assert not thread.is_alive(), "the server did not stop within 15 s"


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    end_s = time.monotonic() + 15
    while not server.started:
        assert thread.is_alive(), "the server ended while it started; its log says why"
        assert time.monotonic() < end_s, "the server did not start within 15 s"
        time.sleep(0.005)
