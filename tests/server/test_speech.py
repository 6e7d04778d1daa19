"""`POST /v1/audio/speech`: what it takes, what it refuses, and what its answers say."""

import difflib
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from qwen3_tts.audio.containers import FORMATS
from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.server.faults import Fault
from qwen3_tts.server.openai.schemas import ALIASES, UNSUPPORTED, SpeechBody, parse_speech
from qwen3_tts.types import Sampling
from tests.server.speech_server import SPEECH, TEXT, Served, file_of, served

KEY = "a-key-of-more-than-16-characters"
OPENAI_VOICES = (
    "alloy ash ballad coral echo fable onyx nova sage shimmer verse marin cedar"  # in the API today
).split()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("voices"), max_text_chars=200) as running:
        yield running


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"]
    return error


def body_of(**fields: Any) -> SpeechBody:
    return parse_speech(json.dumps({"input": TEXT, **fields}).encode())


def test_a_text_alone_is_mp3_in_the_default_voice(server: Served) -> None:
    answer = server.client.post(SPEECH, json={"input": TEXT, "seed": 1})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.content == file_of("mp3")


def test_a_stream_tells_what_is_known_before_its_start(server: Served) -> None:
    answer = server.speak(voice="bob", sample_rate=16_000)
    assert "content-length" not in answer.headers
    told = {name: answer.headers[f"x-{name}"] for name in ("audio-sample-rate", "seed", "voice-id")}
    assert told == {"audio-sample-rate": "16000", "seed": "1", "voice-id": "bob"}
    assert answer.headers["x-provenance"].startswith("AI-generated, qwen3-tts ")


@pytest.mark.parametrize("format", FORMATS)
def test_a_whole_answer_has_its_length_and_its_story(server: Served, format: str) -> None:
    answer = server.speak(response_format=format, stream=False)
    assert answer.content == file_of(format, whole=True)
    assert int(answer.headers["content-length"]) == len(answer.content)
    names = ("audio-duration-ms", "finish-reason", "input-tokens", "output-tokens", "seed")
    told = {name: answer.headers[f"x-{name}"] for name in names}
    assert told == {
        "audio-duration-ms": str(80 * len(TEXT)),
        "finish-reason": "stop",
        "input-tokens": str(len(TEXT.split())),
        "output-tokens": str(len(TEXT)),
        "seed": "1",
    }


def test_the_seed_that_is_told_speaks_the_same_again(server: Served) -> None:
    first = server.client.post(SPEECH, json={"input": TEXT, "stream": False})
    again = server.speak(seed=int(first.headers["x-seed"]), stream=False)
    assert again.content == first.content


def test_a_speech_is_cut_by_max_new_tokens_as_officially(server: Served) -> None:
    answer = server.speak(max_new_tokens=6, stream=False, response_format="wav")
    assert answer.headers["x-finish-reason"] == "length"
    assert answer.content == file_of("wav", whole=True, frames=5)


def test_speech_that_ran_away_is_told(server: Served) -> None:
    answer = server.speak("[endless]", stream=False, response_format="pcm")
    assert answer.headers["x-finish-reason"] == "guard:budget"


@pytest.mark.parametrize("name", OPENAI_VOICES)
def test_the_names_of_openais_voices_speak(server: Served, name: str) -> None:
    answer = server.speak(voice=name, response_format="pcm")
    assert answer.content == file_of("pcm", voice=answer.headers["x-voice-id"])


@pytest.mark.parametrize("voice", ["bob", "BOB", {"id": "bob"}])
def test_a_voice_is_a_name_or_an_object(server: Served, voice: Any) -> None:
    assert server.speak(voice=voice, response_format="pcm").content == file_of("pcm", voice="bob")


@pytest.mark.parametrize("voice", [None, ""])
def test_no_voice_is_the_default(server: Served, voice: Any) -> None:
    assert server.speak(voice=voice, response_format="pcm").content == file_of("pcm")


@pytest.mark.parametrize("model", ["fake", "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "qwen3-tts"])
@pytest.mark.parametrize(("suffix", "language"), [("", "Auto"), ("-de", "de"), ("-zh", "zh")])
def test_a_models_name_may_carry_a_language(
    server: Served, model: str, suffix: str, language: str
) -> None:
    assert server.speak(model=model + suffix, response_format="pcm").status_code == 200
    assert server.fake.requests[-1].language == language


def test_a_language_that_is_given_outdoes_the_models_name(server: Served) -> None:
    server.speak(model="tts-1-de", language="English", response_format="pcm")
    assert server.fake.requests[-1].language == "English"


def test_every_option_reaches_the_engine(server: Served) -> None:
    options = {
        "temperature": 0.7,
        "top_k": 20,
        "top_p": 0.9,
        "repetition_penalty": 1.2,
        "do_sample": True,
        "subtalker_temperature": 0.6,
        "subtalker_top_k": 10,
        "subtalker_top_p": 0.8,
        "subtalker_dosample": False,
    }
    server.speak(
        instruct="Softly.", lang_code="en", speaker="carl", non_streaming_mode=False,
        max_new_tokens=9, priority="low", **options,
    )  # fmt: skip
    request = server.fake.requests[-1]
    assert request.sampling == Sampling(0.7, 20, 0.9, 1.2, False, 0.6, 10, 0.8, True)
    assert (request.instruct, request.language, request.voice) == ("Softly.", "en", "carl")
    assert (request.text_first, request.max_frames, request.priority) == (False, 8, "low")
    assert (request.seed, request.text) == (1, TEXT)


def test_who_shows_no_key_is_not_served_before_others(server: Served) -> None:
    server.speak(priority="high")
    assert server.fake.requests[-1].priority == "normal"


def test_no_temperature_is_no_chance() -> None:
    assert body_of(temperature=0).sampling == Sampling(greedy=True, predictor_greedy=True)
    half = body_of(temperature=0, subtalker_temperature=0.5).sampling
    assert half == Sampling(greedy=True, predictor_temperature=0.5)


def test_the_formats_are_the_encoders() -> None:
    assert get_args(SpeechBody.model_fields["response_format"].annotation) == tuple(FORMATS)


def test_null_is_left_out() -> None:
    given = dict.fromkeys(set(SpeechBody.model_fields) | set(ALIASES) | set(UNSUPPORTED))
    assert body_of(**{**given, "input": TEXT}) == SpeechBody(input=TEXT)


@pytest.mark.parametrize(
    ("fields", "param", "part"),
    [
        ({"input": None}, "input", "missing"),
        ({"input": 5}, "input", "string"),
        ({"input": ""}, "input", "empty"),
        ({"input": " \n"}, "input", "empty"),
        ({"input": "?!"}, "input", "no letter"),
        ({"input": "a" * 201}, "input", "up to 200"),
        ({"input": "a\0b"}, "input", "NUL"),
        ({"voice": 3}, "voice", "name"),
        ({"voice": {"name": "ann"}}, "voice", "id"),
        ({"response_format": "ogg"}, "response_format", "'ogg': input should be 'mp3'"),
        ({"stream_format": "chunks"}, "stream_format", "'audio'"),
        ({"speed": 0.2}, "speed", "0.25"),
        ({"speed": 4.1}, "speed", "4"),
        ({"speed": "fast"}, "speed", "number"),
        ({"sample_rate": 7_999}, "sample_rate", "8000"),
        ({"sample_rate": 48_001}, "sample_rate", "48000"),
        ({"seed": -1}, "seed", "0"),
        ({"seed": 2**63}, "seed", "less than"),
        ({"temperature": -0.1}, "temperature", "0"),
        ({"top_k": -1}, "top_k", "0"),
        ({"top_p": 0}, "top_p", "0"),
        ({"top_p": 1.1}, "top_p", "1"),
        ({"repetition_penalty": 0}, "repetition_penalty", "0"),
        ({"subtalker_top_p": 2}, "subtalker_top_p", "1"),
        ({"max_new_tokens": 1}, "max_new_tokens", "2"),
        ({"language": "klingon"}, "language", "english"),
        ({"model": "tts-1-ja"}, "language", "english"),  # which this checkpoint does not speak
        ({"priority": "urgent"}, "priority", "'low'"),
        ({"task_type": "Base"}, "task_type", "CustomVoice"),
        ({"stream": False, "stream_format": "sse"}, "stream", "events"),
        ({"language": "en", "lang_code": "de"}, "lang_code", "differ"),
        ({"strict": True, "langage": "en"}, None, "did you mean `language`"),
    ],
)
def test_mistakes_are_told_by_name(
    server: Served, fields: dict[str, Any], param: str | None, part: str
) -> None:
    answer = server.client.post(SPEECH, json={"input": TEXT, **fields})
    error = error_of(answer)
    assert (answer.status_code, error["param"]) == (400, param)
    assert error["type"] == "invalid_request_error"
    assert part in error["message"]


@pytest.mark.parametrize(
    ("fields", "code", "part"),
    [
        ({"model": ""}, "model_not_found", "have: fake"),
        ({"model": "whisper-1"}, "model_not_found", "have: fake, tts-1"),
        ({"model": "tts-1-xx"}, "model_not_found", "tts-1-de"),
        ({"voice": "nobody"}, "VOICE_NOT_FOUND", "have: ann"),
        ({"voice": {"id": "voice_0"}}, "VOICE_NOT_FOUND", "have: ann"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    server: Served, fields: dict[str, Any], code: str, part: str
) -> None:
    answer = server.speak(**fields)
    error = error_of(answer)
    assert (answer.status_code, error["param"]) == (404, next(iter(fields)))
    assert (error["code"], error["type"]) == (code, "invalid_request_error")
    assert part in error["message"]


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_cannot_be_done_is_refused_and_not_ignored(server: Served, name: str) -> None:
    error = error_of(server.speak(**{name: ["something"]}))
    assert error["param"] == name
    assert "not supported" in error["message"]
    assert server.speak(**{name: False}).status_code == 200  # asks for nothing


def test_fields_nobody_knows_are_ignored_unless_strict(server: Served) -> None:
    assert server.speak(user="me", response_format="pcm").content == file_of("pcm")
    assert server.speak(strict=True, instruct="Softly.", ref_text="").status_code == 200
    assert "`user`" in error_of(server.speak(user="me", strict=True))["message"]


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"input": "a", "speed": NaN}', "NaN"),
        (b'{"input": "a", "unknown": -Infinity}', "-Infinity"),
        (b'{"input": "a", "speed": 1e400}', "finite"),
        (b'{"input": "a", "seed": ' + b"9" * 5_000 + b"}", "not JSON"),
        (b'{"input": "a \\ud83d b"}', "surrogate"),
        (b'{"input": "a", "voice": "\\udc00"}', "surrogate"),
    ],
)
def test_broken_bodies_are_refused(server: Served, raw: bytes, part: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = server.client.post(SPEECH, content=raw, headers=headers)
    assert answer.status_code == 400
    assert part in error_of(answer)["message"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_page_of_another_site_cannot_speak(server: Served, media_type: str) -> None:
    """Browsers send these without asking the server first."""
    content = json.dumps({"input": TEXT}).encode()
    answer = server.client.post(SPEECH, content=content, headers={"Content-Type": media_type})
    assert answer.status_code == 400
    assert "application/json" in error_of(answer)["message"]


def test_a_body_that_is_too_large_is_refused_while_it_comes(server: Served) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    headers = {"Content-Type": "application/json"}
    answer = server.client.post(SPEECH, content=parts(), headers=headers)
    assert answer.status_code == 413
    assert error_of(answer)["code"] == "TOO_LARGE"


def test_a_request_id_is_given_back(server: Served) -> None:
    body = {"input": TEXT}
    answer = server.client.post(SPEECH, json=body, headers={"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"


def test_a_key_is_needed_where_one_is_set(tmp_path: Path) -> None:
    with served(tmp_path, key=KEY) as server:
        assert server.speak().status_code == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = httpx.post(server.live.http + SPEECH, json={"input": TEXT}, headers=headers)
            assert answer.status_code == 401
            assert error_of(answer)["type"] == "authentication_error"
            assert answer.headers["www-authenticate"] == "Bearer"


def test_who_has_a_key_may_come_first(tmp_path: Path) -> None:
    with served(tmp_path, key=KEY) as server:
        server.speak(priority="high")
        assert server.fake.requests[-1].priority == "high"


def test_speeches_at_once_keep_their_voices_and_texts(tmp_path: Path) -> None:
    """More of them than rows, some at half the pace of others; each is what it is alone."""
    with served(tmp_path, FakeSynthesizer(frame_s=0.002, max_rows=3)) as server:
        wanted = [
            (f"Text number {n}.", {"voice": voice, "seed": n, "response_format": format})
            for n, (voice, format) in enumerate(
                zip(["ann", "bob", "carl", "dora"] * 3, [*FORMATS] * 2, strict=True)
            )
        ]
        got: dict[int, bytes] = {}

        def ask(number: int) -> None:
            text, fields = wanted[number]
            body = {"input": text, **fields}
            got[number] = httpx.post(server.live.http + SPEECH, json=body, timeout=20).content

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(wanted))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, (text, fields) in enumerate(wanted):
            how = {name: value for name, value in fields.items() if name != "response_format"}
            assert got[number] == file_of(str(fields["response_format"]), text, **how)


def test_requests_are_counted_by_how_they_end(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        for text, fields in (
            (TEXT, {}),
            ("", {}),
            (TEXT, {"speed": 9}),
            ("[fail:0] no", {}),
            (TEXT, {"voice": "x"}),
        ):
            server.speak(text, **fields)

        def counted(outcome: str, code: str) -> float:
            labels = {"route": "speech", "model": "fake", "outcome": outcome, "code": code}
            return server.counted("tts_requests_total", **labels)

        assert counted("ok", "") == 1
        assert counted("refused", "INVALID_TEXT") == 1
        assert counted("refused", "INVALID_MESSAGE") == 1
        assert counted("refused", "VOICE_NOT_FOUND") == 1
        assert counted("error", "SYNTHESIS_ERROR") == 1


def test_a_fault_says_what_is_wrong_with_a_body() -> None:
    with pytest.raises(Fault) as told:
        parse_speech(b'{"input": "a", "speed": 5}')
    assert told.value.message == "`speed` is 5: input should be less than or equal to 4"


def test_a_field_with_a_book_for_a_name_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Comparing such a name with ours took 0.2 s, in which nobody else was served."""
    compared: list[str] = []

    class Watched(difflib.SequenceMatcher[str]):
        def set_seq2(self, b: Sequence[str]) -> None:
            compared.append("".join(b))
            super().set_seq2(b)

    monkeypatch.setattr(difflib, "SequenceMatcher", Watched)
    with pytest.raises(Fault) as refused:
        body_of(strict=True, **{"x" * 900_000: 1})
    assert "unknown field" in refused.value.message
    assert compared
    assert max(map(len, compared)) < 100
