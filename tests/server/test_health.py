"""Health and readiness: a table of the server's states, and what each is told."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.server.access.auth import ANONYMOUS
from qwen3_tts.server.app import create_app
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.speaking.model_host import ModelState
from qwen3_tts.server.state import ServerState
from qwen3_tts.version import __version__

KEY = "a-key-of-the-tests"


@contextmanager
def server(tmp_path: Path, **given: Any) -> Iterator[tuple[TestClient, ServerState]]:
    """A server with its model loaded or, if it is lazy, not."""
    settings = load_settings(voices_dir=tmp_path, **{"engine": "fake", **given})
    app = create_app(settings, synthesizer=FakeSynthesizer())
    with TestClient(app, base_url="http://localhost") as client:
        state: ServerState = app.state.server
        if settings.load == "eager":
            client.portal.call(state.model.get)  # type: ignore[union-attr]
        yield client, state


def loading(state: ServerState) -> None:
    state.model.state = ModelState.LOADING


def failed(state: ServerState) -> None:
    state.model.state = ModelState.FAILED
    state.model._next_try_s = state.model.clock() + 60


def may_be_tried_again(state: ServerState) -> None:
    state.model.state = ModelState.FAILED
    state.model._next_try_s = 0.0


def unloaded(state: ServerState) -> None:
    state.model.state = ModelState.UNLOADED


def dead(state: ServerState) -> None:
    assert isinstance(state.model.synthesizer, FakeSynthesizer)
    state.model.synthesizer.break_down("the engine burnt")


def draining(state: ServerState) -> None:
    state.limits.draining = True


def nothing(state: ServerState) -> None:
    pass


LAZY = {"load": "lazy"}


@pytest.mark.parametrize(
    ("given", "change", "health", "reason"),
    [
        ({}, nothing, 200, None),
        ({}, loading, 200, "the model is loading"),
        ({}, failed, 200, "the model is failed"),
        ({}, may_be_tried_again, 200, "the model is failed"),  # and will be, unasked
        ({}, dead, 503, "the engine has died"),
        ({}, draining, 200, "shutting down"),
        ({"idle_unload_s": 600}, unloaded, 200, None),
        (LAZY, nothing, 200, None),
        (LAZY, loading, 200, "the model is loading"),
        (LAZY, failed, 200, "the model is failed"),
        # or no request would be sent here, and so none would have it loaded
        (LAZY, may_be_tried_again, 200, None),
        (LAZY, draining, 200, "shutting down"),
    ],
)
def test_states(
    given: dict[str, Any],
    change: Callable[[ServerState], None],
    health: int,
    reason: str | None,
    tmp_path: Path,
) -> None:
    with server(tmp_path, **given) as (client, state):
        change(state)
        for path in ("/health", "/health/live", "/live"):
            alive = client.get(path)
            assert (alive.status_code, alive.json()["version"]) == (health, __version__)
        for path in ("/ready", "/health/ready"):
            ready = client.get(path)
            told = ready.json()
            assert (told["reason"], told["ready"]) == (reason, reason is None)
            assert ready.status_code == (503 if reason else 200)
            assert ("retry-after" in ready.headers) == bool(reason)
        state.model.state = ModelState.READY  # for an orderly end


def test_a_server_on_its_way_out_is_not_ready(tmp_path: Path) -> None:
    with server(tmp_path) as (client, state):
        client.app.state.leaving = True  # type: ignore[attr-defined]
        told = client.get("/ready")
        assert (told.status_code, told.json()["reason"]) == (503, "shutting down")
        assert not state.limits.draining


def test_nearly_full_is_not_ready(tmp_path: Path) -> None:
    with server(tmp_path, max_streams=10) as (client, state), ExitStack() as streams:
        for number in range(10):
            ready = client.get("/ready")
            assert ready.status_code == (200 if number < 9 else 503), number
            streams.enter_context(state.limits.stream(ANONYMOUS))
        assert client.get("/ready").json()["reason"] == "busy"
        streams.close()
        assert client.get("/ready").status_code == 200


def test_who_may_ask_what(tmp_path: Path) -> None:
    """Probes need no key ever, counters none while lists are public, the status always one."""
    auth = {"Authorization": f"Bearer {KEY}"}
    with server(tmp_path, api_keys=KEY) as (client, _):
        paths = ("/health", "/ready", "/metrics", "/api/v1/status")
        assert [client.get(path).status_code for path in paths] == [200, 200, 200, 401]
        assert client.get("/api/v1/status", headers=auth).status_code == 200
    with server(tmp_path, api_keys=KEY, public_metadata=False) as (client, _):
        assert [client.get(path).status_code for path in paths] == [200, 200, 401, 401]
        assert client.get("/metrics", headers=auth).status_code == 200


def test_status_and_metrics_tell_what_goes_on(tmp_path: Path) -> None:
    with server(tmp_path) as (client, state):
        with state.limits.stream(ANONYMOUS), state.limits.session(ANONYMOUS):
            told = client.get("/api/v1/status").json()
            counted = client.get("/metrics").text
        assert (told["model"], told["state"], told["kind"]) == ("fake", "ready", "custom_voice")
        assert (told["activeStreams"], told["activeSessions"]) == (1, 1)
        assert "tts_active_streams 1.0" in counted
        assert 'tts_model_state{state="ready"} 1.0' in counted
