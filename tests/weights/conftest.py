"""A hub on loopback and a cache of its own for each test that asks for them."""

import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from tests.weights.fake_hub import FakeHub, serve_fake_hub
from tests.weights.hub_case import (
    CHUNK_BYTES,
    NEEDED,
    NOWHERE,
    REPO,
    UNNEEDED,
    point_default_endpoint,
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A hub with one good checkpoint, and a client that knows no other hub, token or proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", CHUNK_BYTES)
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.005)))
    with serve_fake_hub() as server:
        server.push(REPO, NEEDED | UNNEEDED)
        point_default_endpoint(monkeypatch, NOWHERE)
        _close_clients()
        yield server
        _close_clients()


def _close_clients() -> None:
    """Forget the hub library's connections: it keeps them for the life of the process."""
    for name in ("close_session", "reset_sessions"):  # from 1.0 on, and before
        close = getattr(huggingface_hub.utils, name, None)
        if close is not None:
            close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
