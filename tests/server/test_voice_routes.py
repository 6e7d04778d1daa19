"""Voices over HTTP: every shape clients know, who may do what, and no word too many."""

import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.testclient import TestClient

from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.server.access.auth import Authenticator
from qwen3_tts.server.access.limits import Limits
from qwen3_tts.server.faults import Fault
from qwen3_tts.server.observe.metrics import Metrics
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.speaking.job import PROVENANCE
from qwen3_tts.server.speaking.model_host import ModelHost
from qwen3_tts.server.speaking.speaker import Speaker
from qwen3_tts.server.state import ServerState
from qwen3_tts.server.voices import routes as voice_routes
from qwen3_tts.server.voices import uploads
from qwen3_tts.server.voices.routes import PREVIEW_SEED, PREVIEW_TEXTS
from qwen3_tts.server.voices.shelf import VoiceShelf
from qwen3_tts.voices.library import VoiceLibrary

RATE = 24_000
ANN, BOB = "a" * 16, "b" * 16
FEW_FRAMES = 6
OURS, THEIRS, ALIAS = "/api/v1/voices", "/v1/audio/voices", "/v1/voices"


@contextlib.contextmanager
def serving(
    folder: Path, model: Synthesizer | None = None, **settings: Any
) -> Iterator[TestClient]:
    """The routes with all that stands behind them; the model is a fake one."""
    model = model or FakeSynthesizer("base")
    chosen = load_settings(voices_dir=folder, **settings)
    host, metrics = ModelHost(lambda: model, model_id="fake"), Metrics()
    shelf = VoiceShelf(VoiceLibrary(folder), host, chosen, metrics)
    limits = Limits(chosen)
    speaker = Speaker(host, shelf, limits, metrics, chosen)
    app = FastAPI()
    app.state.server = ServerState(
        chosen, host, shelf, Authenticator(chosen), limits, metrics, speaker
    )
    app.include_router(voice_routes.router)

    @app.exception_handler(Fault)
    async def told(_: Request, fault: Fault) -> JSONResponse:
        error = {"code": fault.code, "message": fault.message, "param": fault.param}
        return JSONResponse({"error": error}, fault.status)

    with TestClient(app) as client:
        yield client
    if isinstance(model, FakeSynthesizer):  # a real one is shared with other tests
        model.close(drain=False)


def wav(seed: int = 0, seconds: float = 1.5) -> bytes:
    file = io.BytesIO()
    sound = np.random.default_rng(seed).uniform(-0.3, 0.3, round(RATE * seconds))
    soundfile.write(file, sound, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def upload(client: TestClient, path: str = OURS, key: str = "", **fields: Any) -> Any:
    """A voice as our own clients send it, unless `fields` say otherwise."""
    data = {"name": "Anna", "transcript": "I am Anna.", **fields}
    files = {data.pop("part", "audio"): ("a.wav", data.pop("content", wav()))}
    return client.post(path, data=data, files=files, headers=bearer(key))


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def test_presets_are_listed_in_the_shape_of_the_contract(tmp_path: Path) -> None:
    with serving(tmp_path, FakeSynthesizer(voices=("ann", "bob"))) as client:
        answer = client.get(OURS)
    assert answer.status_code == 200
    assert list(answer.json()) == ["voices"]
    ann, bob = answer.json()["voices"]
    assert {key: ann[key] for key in ("id", "name", "language", "description", "isDefault")} == {
        "id": "ann",
        "name": "ann",
        "language": "Auto",
        "description": "",
        "isDefault": True,
    }
    assert (bob["id"], bob["isDefault"]) == ("bob", False)
    assert (ann["kind"], ann["voice_id"], ann["category"]) == ("preset", "ann", "premade")


def test_a_voice_is_made_listed_shown_and_deleted(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        made = upload(client, language="german", description="A friend", consent="she agrees")
        assert made.status_code == 201
        voice = made.json()["voice"]
        assert voice["id"].startswith("voice_")
        assert (voice["name"], voice["language"]) == ("Anna", "german")
        assert (voice["description"], voice["isDefault"]) == ("A friend", True)
        assert (voice["kind"], voice["category"]) == ("cloned", "cloned")
        assert voice["hasTranscript"] is True
        checks = made.json()["checks"]
        assert (checks["mode"], checks["quality"]) == ("x_vector", "poor")  # it is noise
        assert "noise" in {finding["code"] for finding in checks["findings"]}
        assert VoiceLibrary(tmp_path).entries()[0].transcript == "I am Anna."
        assert abs(voice["createdAt"] - time.time()) < 60
        assert client.get(OURS).json() == {"voices": [voice]}
        for name in (voice["id"], "Anna", "anna"):
            assert client.get(f"{OURS}/{name}").json() == voice
        gone = client.delete(f"{OURS}/{voice['id']}")
        assert gone.status_code == 200
        assert gone.json()["deleted"] is True
        assert client.get(f"{OURS}/{voice['id']}").status_code == 404
        assert client.get(OURS).json() == {"voices": []}
    assert list(VoiceLibrary(tmp_path).entries()) == []


def test_a_voice_is_there_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        voice = upload(client).json()["voice"]
    model = FakeSynthesizer("base")
    with serving(tmp_path, model) as client:
        assert client.get(OURS).json()["voices"] == [voice]
        assert client.get(f"{OURS}/anna/preview").status_code == 200
    assert model.encoder_calls == 0


def test_the_form_of_openai_and_its_answers(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        made = upload(client, THEIRS, part="audio_sample", consent="cons_1", type="audio_sample")
        assert made.status_code == 200
        body = made.json()
        assert (body["object"], body["type"], body["name"]) == (
            "audio.voice",
            "audio_sample",
            "Anna",
        )
        assert isinstance(body["created_at"], int)
        gone = client.delete(f"{THEIRS}/{body['id']}")
    answer = {key: gone.json()[key] for key in ("id", "object", "deleted")}
    assert answer == {"id": body["id"], "object": "audio.voice.deleted", "deleted": True}


def test_the_form_of_vllm_omni_and_its_answers(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        data = {"name": "Anna", "consent": "c1", "ref_text": "Hi.", "speaker_description": "calm"}
        made = client.post(THEIRS, data=data, files={"audio_sample": ("a.wav", wav())}).json()
        assert made["success"] is True
        assert (made["voice"]["name"], made["voice"]["description"]) == ("Anna", "calm")
        listed = client.get(THEIRS).json()
        assert [voice["id"] for voice in listed["voices"]] == [made["id"]]
        (uploaded,) = listed["uploaded_voices"]
        assert uploaded == {
            "name": "Anna",
            "consent": "c1",
            "created_at": made["created_at"],
            "file_size": len(wav()),
            "mime_type": "audio/wav",
            "ref_text": "Hi.",
        }
        legacy = client.get(f"{THEIRS}?legacy=true").json()
        assert legacy == {"voices": ["Anna"], "uploaded_voices": [uploaded]}
        assert client.delete(f"{THEIRS}/Anna").json()["deleted"] is True


def test_the_alias_is_the_same(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        made = upload(client, ALIAS).json()
        assert client.get(ALIAS).json() == client.get(THEIRS).json()
        assert client.get(f"{ALIAS}/anna").json() == made["voice"]
        assert client.get(ALIAS).json()["voices"][0]["voice_id"] == made["id"]
        assert client.delete(f"{ALIAS}/{made['id']}").status_code == 200


@pytest.mark.parametrize("part", ["audio", "file", "audio_sample"])
@pytest.mark.parametrize("text", ["transcript", "ref_text", "text"])
def test_parts_by_all_their_names(part: str, text: str, tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        data = {"name": "Anna", text: "I am Anna."}
        made = client.post(OURS, data=data, files={part: ("x", wav())})
        assert made.status_code == 201
    assert VoiceLibrary(tmp_path).find("anna").transcript == "I am Anna."


def test_a_checkpoint_that_cannot_clone_says_so_before_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unread(*_: object) -> None:
        pytest.fail("the upload was read")

    monkeypatch.setattr(voice_routes, "read_new_voice", unread)
    for kind in ("custom_voice", "voice_design"):
        with serving(tmp_path, FakeSynthesizer(kind)) as client:
            refused = upload(client)
        assert refused.status_code == 400
        assert "cannot clone voices" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"content": b"#EXTM3U\nfile:///etc/passwd\n"}, 400, "known kind"),
        ({"content": b""}, 400, "empty file"),
        ({"content": wav(seconds=0.5)}, 400, "lasts 0.50 s"),
        ({"content": wav(seconds=31)}, 400, "longer than 30 s"),
        ({"content": bytes(2_000_000)}, 413, "at most 1900000 bytes"),
        ({"part": "sound"}, 400, "came as `sound`"),
        ({"name": ""}, 400, "`name`"),
        ({"name": "x" * 65}, 400, "65 characters"),
        ({"name": "alloy"}, 409, "built-in"),
        ({"language": "klingon"}, 400, "klingon"),
        ({"transcript": "?!"}, 400, "no letter"),
    ],
)
def test_bad_uploads(fields: dict[str, Any], status: int, message: str, tmp_path: Path) -> None:
    with serving(tmp_path, max_upload_bytes=1_900_000) as client:
        refused = upload(client, **fields)
        assert refused.status_code == status
        assert message in refused.json()["error"]["message"]
        assert client.get(OURS).json() == {"voices": []}
        assert upload(client).status_code == 201  # all is well afterwards


def test_a_name_is_used_once(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        assert upload(client).status_code == 201
        assert upload(client, name="ANNA").status_code == 409


def test_quotas(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys=(ANN, BOB), max_voices=2, max_voices_per_owner=1) as client:
        assert upload(client, key=ANN).status_code == 201
        refused = upload(client, key=ANN, name="Second")
        assert refused.status_code == 403
        assert "you have 1 voices" in refused.json()["error"]["message"]
        assert upload(client, key=BOB, name="Second").status_code == 201


def test_lists_need_no_key_and_the_rest_does(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys=(ANN, BOB)) as client:
        assert upload(client).status_code == 401
        voice = upload(client, key=ANN, consent="private").json()["voice"]
        for path in (OURS, THEIRS, ALIAS, f"{OURS}/anna", f"{THEIRS}/anna"):
            assert client.get(path).status_code == 200
        assert client.get(f"{OURS}/anna/preview").status_code == 401  # speech is not a list
        assert client.delete(f"{OURS}/{voice['id']}").status_code == 401
        assert client.get(OURS, headers=bearer("c" * 16)).status_code == 401
    with serving(tmp_path, api_keys=(ANN,), public_metadata=False) as client:
        for path in (OURS, THEIRS, f"{OURS}/anna"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers=bearer(ANN)).status_code == 200


def test_one_does_not_delete_the_voice_of_another(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys=(ANN, BOB)) as client:
        voice_id = upload(client, key=ANN).json()["voice"]["id"]
        for path in (OURS, THEIRS):
            refused = client.delete(f"{path}/{voice_id}", headers=bearer(BOB))
            assert refused.status_code == 403
        assert client.delete(f"{OURS}/{voice_id}", headers=bearer(ANN)).status_code == 200


def test_what_was_told_about_a_voice_is_for_who_made_it(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys=(ANN, BOB)) as client:
        upload(client, key=ANN, consent="Her private words", transcript="Private too.")
        for key in ("", BOB):
            for path in (OURS, THEIRS, f"{OURS}/anna"):
                answer = client.get(path, headers=bearer(key)).text
                assert "rivate" not in answer
        (uploaded,) = client.get(THEIRS, headers=bearer(ANN)).json()["uploaded_voices"]
        assert uploaded["consent"] == "Her private words"


def test_presets_are_not_deleted(tmp_path: Path) -> None:
    with serving(tmp_path, FakeSynthesizer(voices=("ann",))) as client:
        refused = client.delete(f"{OURS}/ann")
    assert refused.status_code == 403
    assert "belongs to the model" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2f..%2fetc", "%00", "zoe", "a" * 5000, ".lock"]
)
def test_ids_lead_nowhere(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "reference.wav").write_bytes(wav())
    with serving(tmp_path / "voices") as client:
        upload(client)
        for call in (client.get, client.delete):
            for path in (f"{OURS}/{name}", f"{THEIRS}/{name}"):
                assert call(path).status_code in (404, 405, 307)
        assert len(client.get(OURS).json()["voices"]) == 1
    assert (secret / "reference.wav").exists()


def test_a_preview_is_a_sentence_in_that_voice(tmp_path: Path) -> None:
    model = FakeSynthesizer(voices=("ann", "bob"))
    with serving(tmp_path, model) as client:
        previews = {}
        for name in ("ann", "bob"):
            answer = client.get(f"{OURS}/{name}/preview")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "audio/wav"
            assert PROVENANCE.encode() in answer.content
            previews[name], rate = soundfile.read(io.BytesIO(answer.content), dtype="float32")
            assert rate == RATE
            spoken = expected_wave(PREVIEW_TEXTS["english"], seed=PREVIEW_SEED, voice=name)
            # 16 bits: a step of 1/32768, and the file's own rounding down
            np.testing.assert_allclose(previews[name], spoken, atol=1.01 / 32768)
    assert not np.array_equal(previews["ann"], previews["bob"])


def test_a_preview_is_made_once(tmp_path: Path) -> None:
    model = FakeSynthesizer("base")
    with serving(tmp_path, model) as client:
        voice_id = upload(client, language="german").json()["voice"]["id"]
        first = client.get(f"{OURS}/{voice_id}/preview").content
        assert client.get(f"{OURS}/anna/preview").content == first
        assert [request.text for request in model.requests] == [PREVIEW_TEXTS["german"]]
        client.delete(f"{OURS}/{voice_id}")
        assert client.get(f"{OURS}/{voice_id}/preview").status_code == 404
        upload(client, content=wav(7), language="german")
        assert client.get(f"{OURS}/anna/preview").content != first


def test_a_preview_without_provenance(tmp_path: Path) -> None:
    with serving(tmp_path, FakeSynthesizer(), provenance=False) as client:
        assert PROVENANCE.encode() not in client.get(f"{OURS}/ann/preview").content


def test_an_upload_takes_one_place_and_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    read = voice_routes.read_new_voice

    async def looking(request: Request, settings: Any) -> Any:
        taken.append(request.app.state.server.limits.active_streams)
        return await read(request, settings)

    monkeypatch.setattr(voice_routes, "read_new_voice", looking)
    with serving(tmp_path, max_streams=1) as client:
        assert upload(client, content=b"text").status_code == 400
        assert upload(client).status_code == 201
        limits = client.app.state.server.limits  # type: ignore[attr-defined]
        assert limits.active_streams == 0
        with limits.stream(Authenticator(load_settings()).identify(None)):
            assert upload(client, name="Late").status_code == 429
    assert taken == [1, 1]


def test_a_url_is_fetched_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def fetch(url: str, settings: Any) -> bytes:
        asked.append((url, settings.fetch_urls))
        return wav()

    data = {"name": "Anna", "audio_url": "https://audio.example/a.wav"}
    form = {"unused": ("", b"")}
    with serving(tmp_path) as client:
        refused = client.post(OURS, data=data, files=form)
        assert refused.status_code == 400
        assert "fetches no URLs" in refused.json()["error"]["message"]
    monkeypatch.setattr(uploads, "fetch_recording", fetch)
    with serving(tmp_path, fetch_urls=True) as client:
        assert client.post(OURS, data=data, files=form).status_code == 201
    assert asked == [("https://audio.example/a.wav", True)]


def test_the_forms_are_described(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        paths = client.get("/openapi.json").json()["paths"]
    for path in (OURS, THEIRS):
        form = paths[path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert {"name", "audio", "transcript", "consent"} <= set(form["properties"])
    assert ALIAS not in paths


def test_a_real_base_model_clones_and_speaks(
    tmp_path: Path, base: Qwen3Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preview is what the model says in the voice it makes of the recording that was kept."""
    monkeypatch.setattr(voice_routes, "PREVIEW_FRAMES", FEW_FRAMES)
    with serving(tmp_path, base) as client:
        assert upload(client, content=wav(), language="english").status_code == 201
        preview = client.get(f"{OURS}/anna/preview")
        assert preview.status_code == 200
    spoken, rate = soundfile.read(io.BytesIO(preview.content), dtype="float32")
    voice = base.clone_voice(tmp_path / only_id(tmp_path) / "reference.wav", "I am Anna.")
    speech = base.synthesize(
        PREVIEW_TEXTS["english"],
        voice=voice,
        language="english",
        seed=PREVIEW_SEED,
        max_frames=FEW_FRAMES,
    )
    assert rate == speech.sample_rate
    np.testing.assert_allclose(spoken, speech.wave, atol=1.01 / 32768)


def only_id(folder: Path) -> str:
    (entry,) = VoiceLibrary(folder).entries()
    return entry.id


def test_a_voice_deleted_while_they_are_listed_fails_no_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path) as client:
        VoiceLibrary(tmp_path).add(None, name="Anna", recording=wav())
        gone = tmp_path / "gone.wav"
        monkeypatch.setattr(VoiceLibrary, "recording_path", lambda *_: gone)
        (uploaded,) = client.get(THEIRS).json()["uploaded_voices"]
    assert (uploaded["name"], uploaded["file_size"]) == ("Anna", 0)
