"""The application as a whole: which routes its settings give it, how it starts and ends, and that
two of them share nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.server import app as app_module
from qwen3_tts.server.access.auth import ANONYMOUS, Principal
from qwen3_tts.server.app import create_app
from qwen3_tts.server.faults import Fault
from qwen3_tts.server.settings import ServerSettings, load_settings
from qwen3_tts.server.speaking.model_host import ModelState
from qwen3_tts.server.state import ServerState

KEY = "a-key-of-the-tests"
AUTH = {"Authorization": f"Bearer {KEY}"}
ORIGIN = "https://app.example"
SPEECH = {"input": "Hi there.", "response_format": "pcm", "seed": 1}


def settings_of(folder: Path, **given: Any) -> ServerSettings:
    return load_settings(**{"engine": "fake", "voices_dir": folder, **given})


def application(folder: Path, fake: FakeSynthesizer | None = None, **given: Any) -> FastAPI:
    return create_app(settings_of(folder, **given), synthesizer=fake or FakeSynthesizer())


def state_of(app: FastAPI) -> ServerState:
    state: ServerState = app.state.server
    return state


@contextmanager
def running(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://localhost") as client:
        yield client


COMBINATIONS = list(
    product((True, False), ((), (ORIGIN,)), (True, False), ("", KEY), ("eager", "lazy"))
)


@pytest.mark.parametrize(("docs", "origins", "public", "key", "load"), COMBINATIONS)
def test_every_combination_of_settings_serves(
    tmp_path: Path, docs: bool, origins: tuple[str, ...], public: bool, key: str, load: str
) -> None:
    keys = {"api_keys": key} if key else {}
    app = application(
        tmp_path, docs=docs, cors_origins=origins, public_metadata=public, load=load, **keys
    )
    auth = AUTH if key else {}
    with running(app) as client:
        described = client.get("/openapi.json")
        assert described.status_code == (200 if docs else 404)
        assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
        assert client.get("/speak").status_code == client.get("/health").status_code == 200
        listed = client.get("/v1/models", headers={"Origin": ORIGIN})
        assert listed.status_code == (401 if key and not public else 200)
        assert ("access-control-allow-origin" in listed.headers) == bool(origins)
        spoken = client.post("/v1/audio/speech", json=SPEECH, headers=auth)
        assert (spoken.status_code, len(spoken.content)) == (200, 9 * 1920 * 2)
        if key:
            assert client.post("/v1/audio/speech", json=SPEECH).status_code == 401
        with client.websocket_connect(
            "/api/v1/speak", headers={**auth, "Host": "localhost"}
        ) as socket:
            assert socket.receive_json()["type"] == "ready"
    if docs:
        secured = "securitySchemes" in described.json()["components"]
        assert secured == bool(key)


def test_the_routes_do_not_depend_on_who_may_come_in(tmp_path: Path) -> None:
    def paths(**given: Any) -> set[str | None]:
        return {route.path for route in iter_route_contexts(application(tmp_path, **given).routes)}

    usual = paths()
    assert usual == paths(api_keys=KEY) == paths(public_metadata=False, api_keys=KEY)
    assert usual == paths(cors_origins=(ORIGIN,), load="lazy")
    assert usual - paths(docs=False) == {"/openapi.json"}


def test_the_guard_answers_listed_sites_too(tmp_path: Path) -> None:
    """What is refused before any route must be readable where answers are."""
    app = application(tmp_path, cors_origins=(ORIGIN,), max_body_bytes=1024)
    with running(app) as client:
        headers = {"Origin": ORIGIN, "Content-Type": "application/json"}
        answer = client.post("/v1/audio/speech", content=b" " * 2000, headers=headers)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (413, ORIGIN)
        assert answer.headers["x-request-id"]


# beginning and end


class Watched(FakeSynthesizer):
    """Remembers how it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[bool] = []

    def close(self, drain: bool = True) -> None:
        self.closed.append(drain)
        super().close(drain)


@pytest.mark.parametrize("load", ["eager", "lazy"])
def test_the_model_is_loaded_once_and_closed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: str
) -> None:
    opened: list[Watched] = []

    def open_engine(settings: ServerSettings) -> Watched:
        opened.append(Watched())
        return opened[-1]

    monkeypatch.setattr(app_module, "open_engine", open_engine)
    app = create_app(settings_of(tmp_path, load=load))
    assert opened == []  # nothing happens before the server starts
    with running(app) as client:
        if load == "lazy":
            assert (opened, state_of(app).model.state) == ([], ModelState.UNLOADED)
        for _ in range(3):
            assert client.post("/v1/audio/speech", json=SPEECH).status_code == 200
        assert state_of(app).model.state is ModelState.READY
    assert [one.closed for one in opened] == [[False]]
    assert state_of(app).model.state is ModelState.CLOSED
    with pytest.raises(Fault, match="shutting down"):
        state_of(app).limits.stream(ANONYMOUS).__enter__()


def test_a_server_that_never_spoke_ends_without_a_model(tmp_path: Path) -> None:
    app = application(tmp_path, fake := Watched(), load="lazy")
    with running(app) as client:
        assert client.get("/ready").status_code == 200
    assert fake.closed == []
    assert state_of(app).model.state is ModelState.CLOSED


def test_a_model_that_cannot_be_loaded_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the housekeeping, with no request to ask for it."""
    calls: list[int] = []

    def open_engine(settings: ServerSettings) -> FakeSynthesizer:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("not yet")
        return FakeSynthesizer()

    monkeypatch.setattr(app_module, "open_engine", open_engine)
    monkeypatch.setattr(app_module, "HOUSEKEEPING_S", 0.01)
    monkeypatch.setattr("qwen3_tts.server.speaking.model_host.FIRST_PAUSE_S", 0.05)
    app = create_app(settings_of(tmp_path))
    state_of(app).model._pause_s = 0.05
    with running(app) as client:
        for _ in range(400):
            if client.get("/ready").status_code == 200:
                break
        assert state_of(app).model.state is ModelState.READY
    assert len(calls) == 2


def test_housekeeping_goes_on_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app_module, "HOUSEKEEPING_S", 0.001)
    app = application(tmp_path)
    calls: list[int] = []

    def fails() -> bool:
        calls.append(1)
        raise RuntimeError("a broken broom")

    monkeypatch.setattr(state_of(app).model, "unload_if_idle", fails)
    with running(app) as client:
        while len(calls) < 3:
            assert client.get("/health").status_code == 200
    assert caplog.text.count("housekeeping failed") >= 3


# two in one process


def test_two_applications_share_nothing(tmp_path: Path) -> None:
    fakes = FakeSynthesizer(), FakeSynthesizer(voices=("zoe",))
    one = application(tmp_path / "one", fakes[0], max_streams=1)
    two = application(tmp_path / "two", fakes[1], api_keys=KEY)
    with running(one) as first, running(two) as second:
        names = [
            {voice["name"] for voice in client.get("/api/v1/voices").json()["voices"]}
            for client in (first, second)
        ]
        assert names == [{"ann", "bob", "carl", "dora"}, {"zoe"}]
        assert first.post("/v1/audio/speech", json=SPEECH).status_code == 200
        assert second.post("/v1/audio/speech", json=SPEECH).status_code == 401
        counted = [client.get("/metrics").text for client in (first, second)]
        spoken = 'outcome="ok",route="speech"'
        assert [spoken in text for text in counted] == [True, False]
        somebody = Principal("key:12345678", authenticated=True)
        with state_of(one).limits.stream(somebody):
            assert first.post("/v1/audio/speech", json=SPEECH).status_code == 429
            assert second.post("/v1/audio/speech", json=SPEECH, headers=AUTH).status_code == 200
        parts = ("settings", "model", "shelf", "auth", "limits", "metrics", "speaker")
        for part in parts:
            assert getattr(state_of(one), part) is not getattr(state_of(two), part), part
        assert state_of(one).metrics.registry is not state_of(two).metrics.registry
        assert state_of(one).shelf.previews is not state_of(two).shelf.previews
        assert state_of(one).shelf.library is not state_of(two).shelf.library
    assert [len(fake.requests) for fake in fakes] == [2, 2]  # a probe and a speech each


def test_the_end_of_one_is_not_the_end_of_another(tmp_path: Path) -> None:
    one, two = application(tmp_path / "one"), application(tmp_path / "two")
    with running(two) as second:
        with running(one) as first:
            assert first.post("/v1/audio/speech", json=SPEECH).status_code == 200
        assert state_of(one).limits.draining
        assert not state_of(two).limits.draining
        assert second.post("/v1/audio/speech", json=SPEECH).status_code == 200


def test_descriptions_are_of_their_own_application(tmp_path: Path) -> None:
    open_one, closed = application(tmp_path), application(tmp_path, api_keys=KEY)
    assert "securitySchemes" not in open_one.openapi()["components"]
    assert "securitySchemes" in closed.openapi()["components"]
    assert "securitySchemes" not in open_one.openapi()["components"]
