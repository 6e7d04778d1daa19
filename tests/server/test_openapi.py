"""The server's description of itself is complete, and true: requests made from it are answered
as it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.server.app import TAGS, create_app
from qwen3_tts.server.http_errors import ERROR_RESPONSES
from qwen3_tts.server.settings import load_settings
from tests.server.live import Live, live

KEY = "a-key-of-the-tests"
ENVELOPE = {"$ref": "#/components/schemas/ErrorBody"}
OWN_503 = {"/health", "/ready"}  # which tell their state with it
SPEECH = "/v1/audio/speech"
UPLOADS = ("/api/v1/voices", "/v1/audio/voices")
EXAMPLES = 8
RECORDING = ("ref_audio", "ref_text", "x_vector_only_mode")  # a schema knows no audio files

generated = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def application(folder: Path, kind: str = "custom_voice", **given: Any) -> Any:
    chosen = load_settings(engine="fake", voices_dir=folder, **given)
    return create_app(chosen, synthesizer=FakeSynthesizer(kind))


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    paths = document["paths"].items()
    return [(m.upper(), path, told) for path, methods in paths for m, told in methods.items()]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    client = TestClient(application(tmp_path_factory.mktemp("voices"), api_keys=KEY))
    told: dict[str, Any] = client.get("/openapi.json").json()
    return told


def test_every_operation_is_explained(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in TAGS}
    ids = [told["operationId"] for _, _, told in operations(document)]
    assert len(ids) == len(set(ids)) > 10
    for method, path, told in operations(document):
        where = f"{method} {path}"
        assert told["summary"], where
        assert told["description"], where
        assert set(told["tags"]) <= tags, where
        good = [told["responses"][code] for code in told["responses"] if code.startswith("2")]
        assert good, where
        for answer in good:
            assert all(content["schema"] for content in answer["content"].values()), where
    assert {tag for _, _, told in operations(document) for tag in told["tags"]} == tags


def test_every_operation_tells_every_error(document: dict[str, Any]) -> None:
    for method, path, told in operations(document):
        for code in ERROR_RESPONSES:
            if code == 503 and path in OWN_503:
                continue
            content = told["responses"][str(code)]["content"]
            assert content == {"application/json": {"schema": ENVELOPE}}, f"{method} {path} {code}"
        assert "422" not in told["responses"], f"{method} {path}"
    schemas = document["components"]["schemas"]
    assert set(schemas["ErrorObject"]["required"]) == {"message", "type", "param", "code"}
    assert "HTTPValidationError" not in schemas


def test_keys_are_told_where_they_are_needed(tmp_path: Path) -> None:
    """What each route needs is compared with what it does in test_security.py."""
    schemes = {"bearer", "apiKey"}
    closed = application(tmp_path, api_keys=KEY, public_metadata=False).openapi()
    assert set(closed["components"]["securitySchemes"]) == schemes
    secured = {path for _, path, told in operations(closed) if told.get("security")}
    assert secured == set(closed["paths"]) - OWN_503
    anyone = application(tmp_path).openapi()
    assert "securitySchemes" not in anyone["components"]
    assert not [path for _, path, told in operations(anyone) if "security" in told]


def test_the_description_is_made_once(tmp_path: Path) -> None:
    app = application(tmp_path, api_keys=KEY)
    assert app.openapi() is app.openapi()


# requests made from it


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, Any]]:
    app = application(tmp_path_factory.mktemp("voices"), max_text_chars=200)
    with live(app) as server:
        yield server, schemathesis.openapi.from_url(f"{server.http}/openapi.json")


@pytest.fixture(scope="module")
def cloning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, Any]]:
    with live(application(tmp_path_factory.mktemp("voices"), "base")) as server:
        yield server, schemathesis.openapi.from_url(f"{server.http}/openapi.json")


# Schema-valid names may be unknown, and schema-valid texts without a letter: what can be refused
# for such reasons is left out here, and checked with `known` values below.
ANSWERS = ("not_a_server_error", "status_code_conformance", "content_type_conformance")
CONFORMS = (*ANSWERS, "response_headers_conformance", "response_schema_conformance")


def checks(*names: str) -> list[Any]:
    return schemathesis.checks.CHECKS.get_by_names(list(names))


def requests_of(target: tuple[Live, Any], method: str, path: str, mode: GenerationMode) -> Any:
    return target[1][path][method].as_strategy(generation_mode=mode)


def test_valid_requests_are_answered_as_described(
    speaking: tuple[Live, Any], document: dict[str, Any]
) -> None:
    for method, path, _ in operations(document):

        @generated
        @given(case=requests_of(speaking, method, path, GenerationMode.POSITIVE))
        def conforms(case: Any) -> None:
            answer = case.call(base_url=speaking[0].http)
            case.validate_response(answer, checks=checks(*CONFORMS))

        conforms()


@pytest.mark.parametrize("path", [SPEECH, *UPLOADS])
def test_invalid_requests_are_refused_as_described(
    speaking: tuple[Live, Any], cloning: tuple[Live, Any], path: str
) -> None:
    target = cloning if path in UPLOADS else speaking

    @generated
    @given(case=requests_of(target, "POST", path, GenerationMode.NEGATIVE))
    def is_refused(case: Any) -> None:
        answer = case.call(base_url=target[0].http)
        case.validate_response(answer, checks=checks(*CONFORMS, "negative_data_rejection"))
        assert answer.status_code == 400

    is_refused()


@pytest.mark.parametrize("path", UPLOADS)
def test_uploads_of_noise_are_refused_as_described(cloning: tuple[Live, Any], path: str) -> None:
    """A schema knows no audio files."""

    @generated
    @given(case=requests_of(cloning, "POST", path, GenerationMode.POSITIVE))
    def is_refused(case: Any) -> None:
        answer = case.call(base_url=cloning[0].http)
        case.validate_response(answer, checks=checks(*CONFORMS))
        assert answer.status_code == 400

    is_refused()


def test_valid_speech_is_spoken(speaking: tuple[Live, Any]) -> None:
    """With names that are known and a text that has letters, the schema tells all there is."""
    known = {"input": "Hi.", "voice": "ann", "model": "tts-1", "language": "German", "style": ""}
    codes = []

    @generated
    @given(case=requests_of(speaking, "POST", SPEECH, GenerationMode.POSITIVE))
    def is_spoken(case: Any) -> None:
        case.body = {**case.body, **known, "task_type": "CustomVoice", "strict": False}
        for name in RECORDING:
            case.body.pop(name, None)
        if case.body.get("stream_format") == "sse":
            case.body["stream"] = True
        answer = case.call(base_url=speaking[0].http)
        # not by the schema: it is of the stream of events, and would be applied to each
        case.validate_response(answer, checks=checks(*ANSWERS, "positive_data_acceptance"))
        codes.append(answer.status_code)

    is_spoken()
    assert set(codes) == {200}
