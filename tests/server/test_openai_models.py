"""Names of models: which are known, and how they are listed."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qwen3_tts.server.openai.models import SUFFIXES, known_models, language_of
from qwen3_tts.server.speaking.model_host import ModelHost
from qwen3_tts.server.state import ServerState
from tests.server.speech_server import Served, served

KEY = "a-key-of-more-than-16-characters"
LISTS = ("/v1/models", "/v1/models/tts-1", "/v1/audio/models", "/v1/", "/v1")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("voices"), key=KEY) as running:
        yield running


def renamed(state: ServerState, model_id: str) -> ServerState:
    return type(state)(**{**vars(state), "model": ModelHost(state.model._load, model_id=model_id)})


def test_lists_in_the_shapes_of_their_clients(server: Served) -> None:
    listed = server.client.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [item["id"] for item in listed["data"]] == known_models(server.state)
    assert {item["object"] for item in listed["data"]} == {"model"}
    assert all(item["created"] > 1e9 and item["owned_by"] for item in listed["data"])
    names = [item["id"] for item in server.client.get("/v1/audio/models").json()["models"]]
    assert names == known_models(server.state)


def test_one_model(server: Served) -> None:
    assert server.client.get("/v1/models/qwen3-tts-ko").json()["id"] == "qwen3-tts-ko"
    answer = server.client.get("/v1/models/dall-e-3")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert "tts-1" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", LISTS)
def test_lists_need_no_key(server: Served, path: str) -> None:
    assert httpx.get(server.live.http + path).status_code == 200


def test_unless_the_settings_say_so(tmp_path: Path) -> None:
    with served(tmp_path, key=KEY, public_metadata=False) as server:
        for path in LISTS:
            assert httpx.get(server.live.http + path).status_code == 401
            assert server.client.get(path).status_code == 200


def test_a_hub_name_has_a_slash(server: Served) -> None:
    state = renamed(server.state, "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice")
    assert known_models(state)[0] == "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice"
    assert language_of("Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice", state) is None
    assert language_of("Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice-fr", state) == "fr"


@pytest.mark.parametrize("folder", ["/srv/secret/anna", "~/secret/anna", "./secret/anna"])
def test_where_a_folder_lies_is_not_told(server: Served, folder: str) -> None:
    state = renamed(server.state, folder)
    assert known_models(state)[0] == "anna"
    assert language_of("anna", state) is None
    assert language_of(folder, state) is None  # who knows it may say it


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_language_of_the_family_is_a_suffix(server: Served, suffix: str) -> None:
    assert language_of(f"tts-1-{suffix}", server.state) == suffix
    assert language_of(f"tts-1-hd-{suffix}", server.state) == suffix
