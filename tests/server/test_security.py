"""Who may ask for what, what an error may tell, and what the server's code may not do."""

import ast
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

import qwen3_tts
from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.errors import SpeechError, StreamFailed
from qwen3_tts.server import app as app_module
from qwen3_tts.server.app import create_app
from qwen3_tts.server.observe.logs import REQUEST_ID_HEADER, JsonLines
from qwen3_tts.server.observe.redaction import Redactor
from qwen3_tts.server.openai import answer as speech_answer
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.voices import recordings
from qwen3_tts.server.voices import routes as voice_routes

KEY, WRONG = "a-key-of-the-tests", "another-key-of-the-tests"
SECRET = "the-secret-in-the-error"
SPEECH = "/v1/audio/speech"
ORIGIN, FOREIGN = "https://app.example", "https://evil.example"

# Every route there is, with who may use it. A new one has to be put here, on purpose:
# "public"     anybody, always
# "metadata"   anybody while `public_metadata` is set, else with a key
# "protected"  with a key
ROUTES = {
    "GET /": "public",
    "HEAD /": "public",
    "GET /speak": "public",  # the page; what it asks for needs a key
    "HEAD /speak": "public",
    "GET /static/{name:path}": "public",
    "HEAD /static/{name:path}": "public",
    "GET /openapi.json": "public",  # what there is, and nothing of what is served
    "HEAD /openapi.json": "public",
    "GET /health": "public",
    "HEAD /health": "public",
    "GET /health/live": "public",
    "GET /live": "public",
    "GET /ready": "public",
    "HEAD /ready": "public",
    "GET /health/ready": "public",
    "GET /metrics": "metadata",
    "GET /v1": "metadata",
    "GET /v1/": "metadata",
    "GET /v1/models": "metadata",
    "GET /v1/models/{name:path}": "metadata",
    "GET /v1/audio/models": "metadata",
    "GET /api/v1/voices": "metadata",
    "GET /api/v1/voices/{voice_id}": "metadata",
    "GET /v1/audio/voices": "metadata",
    "GET /v1/audio/voices/{voice_id}": "metadata",
    "GET /v1/voices": "metadata",
    "GET /v1/voices/{voice_id}": "metadata",
    "GET /api/v1/status": "protected",
    "GET /api/v1/voices/{voice_id}/preview": "protected",
    "POST /v1/audio/speech": "protected",
    "POST /api/v1/voices": "protected",
    "POST /v1/audio/voices": "protected",
    "POST /v1/voices": "protected",
    "DELETE /api/v1/voices/{voice_id}": "protected",
    "DELETE /v1/audio/voices/{voice_id}": "protected",
    "DELETE /v1/voices/{voice_id}": "protected",
    "WEBSOCKET /api/v1/speak": "protected",
}
SAMPLES = {"{voice_id}": "ann", "{name:path}": "tts-1"}
KEYED = {"none": {}, "wrong": {"Authorization": f"Bearer {WRONG}"}, "good": {"X-API-Key": KEY}}


def application(folder: Path, fake: FakeSynthesizer | None = None, **given: Any) -> FastAPI:
    chosen = load_settings(engine="fake", voices_dir=folder, **given)
    return create_app(chosen, synthesizer=fake or FakeSynthesizer())


@contextmanager
def client_of(app: FastAPI, **options: Any) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://localhost", **options) as client:
        yield client


def routes_of(app: FastAPI) -> set[str]:
    found = set()
    for route in iter_route_contexts(app.routes):
        methods = route.methods if getattr(route, "methods", None) else {"WEBSOCKET"}
        found |= {f"{method} {route.path}" for method in methods}
    return found


def path_of(route: str) -> str:
    path = route.split(" ")[1]
    path = path.replace("/static/{name:path}", "/static/app.js")
    for name, value in SAMPLES.items():
        path = path.replace(name, value)
    return path


# who may ask


def test_every_route_is_in_the_table(tmp_path: Path) -> None:
    assert routes_of(application(tmp_path)) == set(ROUTES)


def allowed(kind: str, key: str, public_metadata: bool) -> bool:
    if kind == "public" or key == "good":
        return True
    return kind == "metadata" and key == "none" and public_metadata


@pytest.mark.parametrize("public_metadata", [True, False])
def test_every_route_with_every_key(tmp_path: Path, public_metadata: bool) -> None:
    app = application(tmp_path, api_keys=KEY, public_metadata=public_metadata)
    with client_of(app) as client:
        for route, kind in ROUTES.items():
            method, path = route.split(" ")[0], path_of(route)
            if method == "WEBSOCKET":
                continue
            for key, headers in KEYED.items():
                answer = client.request(method, path, headers=headers, follow_redirects=False)
                may = allowed(kind, key, public_metadata)
                assert (answer.status_code != 401) == may, f"{route}, {key} key"
                if kind != "protected" and may:
                    assert answer.status_code < 400, f"{route}, {key} key"
                if not may:
                    assert answer.headers["www-authenticate"] == "Bearer"
                    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
                    assert WRONG not in answer.text
    described(app.openapi(), public_metadata)


def described(document: dict[str, Any], public_metadata: bool) -> None:
    """The description tells the same of every route that it tells of at all."""
    kinds = {re.sub(r":path", "", route): kind for route, kind in ROUTES.items()}
    for path, operations in document["paths"].items():
        for method, told in operations.items():
            kind = kinds[f"{method.upper()} {path}"]
            assert ("security" not in told) == (kind == "public"), path
            freely = {} in told.get("security", [{}])
            assert freely == allowed(kind, "none", public_metadata), path


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", "xi-api-key"])
def test_every_way_to_show_a_key(tmp_path: Path, header: str) -> None:
    with client_of(application(tmp_path, api_keys=KEY)) as client:
        for key, status in ((KEY, 200), (WRONG, 401), (KEY[:-1], 401), (f"{KEY}x", 401), ("", 401)):
            value = f"Bearer {key}" if header == "Authorization" else key
            answer = client.get("/api/v1/status", headers={header: value})
            assert answer.status_code == status, key
        assert client.get(f"/api/v1/status?token={KEY}&api_key={KEY}").status_code == 401


@pytest.mark.parametrize("key", KEYED)
def test_the_websocket_with_every_key(tmp_path: Path, key: str) -> None:
    app = application(tmp_path, api_keys=KEY, auth_timeout_s=0.2)
    with (
        client_of(app) as client,
        client.websocket_connect("/api/v1/speak", headers=KEYED[key]) as socket,
    ):
        socket.send_json({"type": "speak", "text": "Hi."})
        kinds, sound, code = heard(socket)
    if key == "good":
        assert ("complete" in kinds, sound > 0, code) == (True, True, None)
    else:
        assert (kinds[-1], sound, code) == ("error UNAUTHORIZED", 0, 1008)


def heard(socket: Any) -> tuple[list[str], int, int | None]:
    """The kinds of messages until a speech is complete or the socket closed, bytes of sound."""
    kinds, sound = [], 0
    while True:
        message = socket.receive()
        if message["type"] == "websocket.close":
            return kinds, sound, message["code"]
        sound += len(message.get("bytes") or b"")
        if message.get("text"):
            said = json.loads(message["text"])
            kinds.append(f"{said['type']} {said['code']}" if "code" in said else said["type"])
            if kinds[-1] == "complete":
                return kinds, sound, None


# pages of other sites


def cors(client: TestClient, origin: str, method: str = "GET", **headers: str) -> Any:
    return client.request(method, "/v1/models", headers={"Origin": origin, **headers})


def granted(answer: Any) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if "access-control" in name.lower()
    }


PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-request-id",
}


def test_no_other_site_is_let_in_by_default(tmp_path: Path) -> None:
    with client_of(application(tmp_path, api_keys=KEY)) as client:
        for origin in (FOREIGN, "null", "http://localhost:1"):
            assert granted(cors(client, origin)) == {}
            preflight = cors(client, origin, "OPTIONS", **PREFLIGHT)
            assert (preflight.status_code, granted(preflight)) == (405, {})


def test_only_the_sites_that_are_listed_are_let_in(tmp_path: Path) -> None:
    with client_of(application(tmp_path, api_keys=KEY, cors_origins=(ORIGIN,))) as client:
        preflight = cors(client, ORIGIN, "OPTIONS", **PREFLIGHT)  # without a key, as browsers ask
        assert preflight.status_code == 200
        assert granted(preflight)["access-control-allow-origin"] == ORIGIN
        assert "access-control-allow-credentials" not in granted(preflight)
        answer = cors(client, ORIGIN)
        assert granted(answer)["access-control-allow-origin"] == ORIGIN
        assert "Origin" in answer.headers["vary"]
        refused = client.get("/api/v1/status", headers={"Origin": ORIGIN})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (
            401,
            ORIGIN,
        )
        for near in (FOREIGN, f"{ORIGIN}.evil.example", f"{ORIGIN}:8443", "http://app.example"):
            assert "access-control-allow-origin" not in granted(cors(client, near))
            preflight = cors(client, near, "OPTIONS", **PREFLIGHT)
            assert preflight.status_code == 400
            assert "access-control-allow-origin" not in granted(preflight)


def test_credentials_go_to_the_listed_sites_alone(tmp_path: Path) -> None:
    given = {"api_keys": KEY, "cors_origins": (ORIGIN,), "cors_credentials": True}
    with client_of(application(tmp_path, **given)) as client:
        answer = granted(cors(client, ORIGIN, Cookie="a=b"))
        assert answer["access-control-allow-origin"] == ORIGIN
        assert answer["access-control-allow-credentials"] == "true"
        assert "access-control-allow-origin" not in granted(cors(client, FOREIGN, Cookie="a=b"))
    with pytest.raises(SpeechError, match="cors_credentials"):
        load_settings(cors_origins=("*",), cors_credentials=True)


@pytest.mark.parametrize("cookie", [{}, {"Cookie": "a=b"}])
def test_everybody_means_nobody_in_particular(tmp_path: Path, cookie: dict[str, str]) -> None:
    with client_of(application(tmp_path, api_keys=KEY, cors_origins=("*",))) as client:
        told = granted(cors(client, FOREIGN, **cookie))
        assert "access-control-allow-credentials" not in told


def test_an_error_nobody_foresaw_can_be_read_by_a_listed_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = application(tmp_path, cors_origins=(ORIGIN,))
    monkeypatch.setattr(app.state.server.shelf, "listing", fails)
    with client_of(app) as client:
        answer = client.get("/api/v1/voices", headers={"Origin": ORIGIN})
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


# what an error tells


def fails(*_: Any, **__: Any) -> Any:
    raise RuntimeError(SECRET)


async def fails_later(*_: Any, **__: Any) -> Any:
    raise RuntimeError(SECRET)


def wav() -> bytes:
    file = io.BytesIO()
    sound = np.random.default_rng(1).uniform(-0.3, 0.3, 36_000)
    soundfile.write(file, sound, 24_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def speaks(**fields: Any) -> Callable[[TestClient, dict[str, str]], Any]:
    return lambda client, headers: client.post(
        SPEECH, json={"input": "Hi there.", "voice": "ann", **fields}, headers=headers
    )


def gets(path: str) -> Callable[[TestClient, dict[str, str]], Any]:
    return lambda client, headers: client.get(path, headers=headers)


def clones(client: TestClient, headers: dict[str, str]) -> Any:
    files = {"audio": ("a.wav", wav())}
    return client.post("/api/v1/voices", data={"name": "Eve"}, files=files, headers=headers)


# what breaks, by its place in the server's state or in a module -> (how, who then fails)
SEAMS: dict[str, tuple[Any, Callable[[TestClient, dict[str, str]], Any]]] = {
    "model.synthesizer.stream": (fails, speaks()),
    "model.synthesizer.count_tokens": (fails, speaks(stream=False)),
    "shelf.resolve": (fails_later, speaks()),
    "shelf.find": (fails, gets("/v1/audio/voices/ann")),
    "shelf.listing": (fails, gets("/v1/audio/voices")),
    "shelf.library.entries": (fails, gets("/api/v1/voices")),
    "shelf.library.find": (fails, speaks(voice="nobody")),
    "shelf.library.add": (fails, clones),
    "model.synthesizer.clone_voice": (fails, clones),
    "speaker.open": (fails_later, gets("/api/v1/voices/ann/preview")),
    "limits.stream": (fails, speaks()),
    "auth.identify": (fails, gets("/api/v1/status")),
    "metrics.render": (fails, gets("/metrics")),
}
MODULES: dict[str, tuple[Any, str, Callable[[TestClient, dict[str, str]], Any]]] = {
    "make_encoder": (speech_answer, "make_encoder", speaks()),
    "make_encoder, events": (speech_answer, "make_encoder", speaks(stream_format="sse")),
    "encode_whole": (voice_routes, "encode_whole", gets("/api/v1/voices/ann/preview")),
    "read_upload": (recordings, "read_upload", clones),
}


class Lines(logging.Handler):
    """The log as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines(Redactor()))
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))

    def of(self, request_id: str) -> str:
        return json.dumps([line for line in self.lines if line["request_id"] == request_id])


@pytest.fixture
def log() -> Iterator[Lines]:
    handler, root = Lines(), logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


def is_hidden(answer: Any, log: Lines) -> None:
    """A 500 that tells nothing but where to look, and there it is."""
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert (set(error), error["type"]) == ({"message", "type", "param", "code"}, "server_error")
    assert SECRET not in answer.text + str(answer.headers)
    assert "Traceback" not in answer.text
    assert answer.headers[REQUEST_ID_HEADER] == "req-of-the-test"
    assert SECRET in log.of("req-of-the-test")


@pytest.mark.parametrize("seam", SEAMS)
def test_a_failure_is_told_to_the_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Lines, seam: str
) -> None:
    broken, ask = SEAMS[seam]
    kind = "base" if ask is clones or "library" in seam else "custom_voice"
    app = application(tmp_path, FakeSynthesizer(kind))
    with client_of(app) as client:
        state = app.state.server
        client.portal.call(state.model.get)  # type: ignore[union-attr]
        *path, name = seam.split(".")
        target = state
        for part in path:
            target = getattr(target, part)
        monkeypatch.setattr(target, name, broken)
        is_hidden(ask(client, {REQUEST_ID_HEADER: "req-of-the-test"}), log)
        assert state.limits.active_streams == 0


@pytest.mark.parametrize("seam", MODULES)
def test_a_failure_of_the_sound_is_told_to_the_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Lines, seam: str
) -> None:
    module, name, ask = MODULES[seam]
    monkeypatch.setattr(module, name, fails)
    app = application(tmp_path, FakeSynthesizer("base" if ask is clones else "custom_voice"))
    with client_of(app) as client:
        is_hidden(ask(client, {REQUEST_ID_HEADER: "req-of-the-test"}), log)
        assert app.state.server.limits.active_streams == 0


class Breaks:
    """An encoder that has given some sound already."""

    media_type = "audio/wav"

    def __init__(self) -> None:
        self.calls = 0

    def encode(self, wave: Any) -> bytes:
        self.calls += 1
        return b"\1" * 100 if self.calls == 1 else fails()

    finish = fails


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_a_failure_in_the_middle_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Lines, stream_format: str
) -> None:
    monkeypatch.setattr(speech_answer, "make_encoder", lambda *_, **__: Breaks())
    ask = speaks(stream_format=stream_format, input="A longer text, of more than one chunk.")
    with client_of(application(tmp_path), raise_server_exceptions=False) as client:
        answer = ask(client, {REQUEST_ID_HEADER: "req-of-the-test"})
    assert answer.status_code == 200
    assert SECRET not in answer.text
    assert ("SYNTHESIS_ERROR" in answer.text) == (stream_format == "sse")
    assert SECRET in log.of("req-of-the-test")


def test_what_the_engine_says_of_its_failure_is_not_told(tmp_path: Path) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise StreamFailed(f"in file {SECRET}")

    fake = FakeSynthesizer()
    with client_of(application(tmp_path, fake)) as client:
        client.portal.call(client.app.state.server.model.get)  # type: ignore[attr-defined,union-attr]
        fake.stream = broken  # type: ignore[method-assign]
        answer = speaks()(client, {})
        assert answer.status_code == 500
        assert SECRET not in answer.text
        fake.break_down(f"died of {SECRET}")
        for path in ("/health", "/ready", "/metrics", "/api/v1/status"):
            assert SECRET not in client.get(path).text, path
        assert client.get("/ready").json()["reason"] == "the engine has died"


def test_why_a_model_cannot_be_loaded_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "open_engine", fails)
    app = create_app(load_settings(engine="fake", voices_dir=tmp_path))
    with client_of(app) as client:
        for ask in (speaks(), gets("/ready"), gets("/api/v1/status"), gets("/v1/audio/voices")):
            answer = ask(client, {})
            assert answer.status_code in (200, 503)
            assert SECRET not in answer.text
        assert speaks()(client, {}).headers["retry-after"]


def test_where_a_model_lies_is_not_told(tmp_path: Path) -> None:
    app = application(tmp_path)
    app.state.server.model.model_id = "/srv/of-somebody/nano"
    with client_of(app) as client:
        for path in ("/api/v1/status", "/v1/models", "/v1/audio/models", "/v1", "/ready"):
            assert "somebody" not in client.get(path).text
        assert client.get("/api/v1/status").json()["model"] == "nano"
        with client.websocket_connect("ws://localhost/api/v1/speak") as socket:
            assert socket.receive_json()["model"] == "nano"


def test_where_a_model_lies_is_no_label(tmp_path: Path) -> None:
    settings = load_settings(model="/srv/of-somebody/nano", voices_dir=tmp_path)
    with client_of(create_app(settings, synthesizer=FakeSynthesizer())) as client:
        assert speaks()(client, {}).status_code == 200
        counted = client.get("/metrics").text
    assert 'model="nano"' in counted
    assert "somebody" not in counted


# what the code may not do

ROOT = Path(qwen3_tts.__file__).parent
FILES = sorted(path for layer in ("server", "voices") for path in (ROOT / layer).rglob("*.py"))
MODULES_BANNED = {"pickle", "cPickle", "dill", "marshal", "shelve", "subprocess", "commands", "pty"}
CALLS_BANNED = {"eval", "exec", "compile", "__import__", "system", "popen", "FileResponse"}
CALLS_BANNED |= {"StaticFiles", "mktemp", "unpack_archive", "extractall", "yaml_load"}
PAIRS_BANNED = {("torch", "load"), ("np", "load"), ("numpy", "load"), ("joblib", "load")}
SETTINGS_BANNED = {"shell": True, "verify": False, "check_hostname": False, "allow_pickle": True}


# The one file that reads what pickle wrote, after looking at what it asks for: see the test below.
ALLOWED = {"voices/convert.py": ["pickle", "torch.load"]}


def dangers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in MODULES_BANNED)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {alias.name for alias in node.names}
            if node.module.split(".")[0] in MODULES_BANNED or names & CALLS_BANNED:
                yield f"from {node.module}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in PAIRS_BANNED:
                yield f"{node.value.id}.{node.attr}"
            if node.value.id == "ssl" and node.attr in ("CERT_NONE", "_create_unverified_context"):
                yield f"ssl.{node.attr}"
        elif isinstance(node, ast.Call):
            yield from _dangers_of_call(node)


def _dangers_of_call(node: ast.Call) -> Iterator[str]:
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    of_re = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "re"
    if name in CALLS_BANNED and not of_re:
        yield f"{name}()"
    for keyword in node.keywords:
        value = getattr(keyword.value, "value", None)
        if keyword.arg in SETTINGS_BANNED and value is SETTINGS_BANNED[keyword.arg]:
            yield f"{keyword.arg}={value}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_dangerous_is_called(path: Path) -> None:
    found = list(dangers(ast.parse(path.read_text(encoding="utf-8"))))
    assert found == ALLOWED.get(path.relative_to(ROOT).as_posix(), [])


def test_prompts_of_others_are_loaded_without_their_code_and_not_by_a_server() -> None:
    tree = ast.parse((ROOT / "voices" / "convert.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    loads = [call for call in calls if getattr(call.func, "attr", "") == "load"]
    assert loads
    for call in loads:
        safe = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
        assert safe.get("weights_only") is True, ast.unparse(call)
    assert not [call for call in calls if getattr(call.func, "attr", "") in ("loads", "Unpickler")]
    for path in (ROOT / "server").rglob("*.py"):
        assert "voices.convert" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "torch.load(f)",
        "eval(x)",
        "exec(x)",
        "run(x, shell=True)",
        "get(u, verify=False)",
        "from starlette.responses import FileResponse",
        "os.system(x)",
        "ssl.CERT_NONE",
        "np.load(f, allow_pickle=True)",
    ],
)
def test_what_is_dangerous_is_seen(code: str) -> None:
    assert list(dangers(ast.parse(code)))
