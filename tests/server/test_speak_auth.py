"""Who may open a session of `/api/v1/speak`, how they say who they are, and how many there are."""

import asyncio
import base64
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import expected_wave
from tests.server.speak_client import Client, Served, serving, talk

KEY, OTHER = "the-first-key-of-all", "another-key-for-others"
TEXT = "Hello there."


def subprotocols(key: str) -> list[str]:
    return ["qwen3-tts", "token." + base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("voices"), api_keys=(KEY, OTHER)) as served:
        yield served


@pytest.fixture
def served(server: Served) -> Iterator[Served]:
    yield server
    server.until_free()


async def speaks(client: Client) -> None:
    heard = await client.speech(TEXT, seed=1)
    assert heard.end["type"] == "complete"
    assert heard.pcm == pcm16(expected_wave(TEXT, seed=1))


async def ending(client: Client) -> Any:
    return await client.closed()


def refused(outcome: tuple[int, list[Any]], code: int = 1008, name: str = "UNAUTHORIZED") -> Any:
    """The one error that came before the socket was closed."""
    closed, before = outcome
    assert closed == code
    (error,) = [message for message in before if message["type"] != "ready"]
    assert (error["type"], error["code"], error["recoverable"]) == ("error", name, False)
    return error


# ways to show a key


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": {"Authorization": f"Bearer {KEY}"}},
        {"additional_headers": {"Authorization": f"Token {OTHER}"}},
        {"additional_headers": {"X-API-Key": KEY}},
        {"additional_headers": {"xi-api-key": OTHER}},
        {"subprotocols": subprotocols(KEY)},
    ],
)
def test_a_key_at_the_door(served: Served, options: dict[str, Any]) -> None:
    talk(served, speaks, **options)


def test_the_subprotocol_with_the_key_is_not_repeated(served: Served) -> None:
    async def play(client: Client) -> str | None:
        return client.socket.subprotocol

    assert talk(served, play, subprotocols=subprotocols(KEY)) == "qwen3-tts"


@pytest.mark.parametrize("name", ["authToken", "auth_token"])
def test_a_key_in_the_first_message(served: Served, name: str) -> None:
    async def play(client: Client) -> None:
        assert client.ready["type"] == "ready", "it is told how to speak before it says who it is"
        assert (await client.start(**{name: OTHER}))["type"] == "started"
        await client.start(authToken="what was settled is not asked for again")
        await speaks(client)

    talk(served, play)


# no key, or a wrong one


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": {"Authorization": "Bearer wrong"}},
        {"additional_headers": {"X-API-Key": KEY[:-1]}},
        {"subprotocols": subprotocols("wrong")},
    ],
)
def test_a_wrong_key_at_the_door(served: Served, options: dict[str, Any]) -> None:
    error = refused(talk(served, ending, ready=False, **options))
    assert KEY not in error["message"]


def test_a_wrong_key_in_the_first_message(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "qwen3_tts")  # the libraries below us log frames

    async def play(client: Client) -> Any:
        await client.send("start", authToken="wrong-and-secret")
        return await client.closed()

    error = refused(talk(served, play))
    assert "wrong-and-secret" not in error["message"] + caplog.text


@pytest.mark.parametrize("first", [{"type": "start"}, {"type": "speak", "text": TEXT}])
def test_without_a_key_nothing_is_done(served: Served, first: dict[str, str]) -> None:
    async def play(client: Client) -> Any:
        await client.send(**{"kind": first["type"], **{k: first[k] for k in first if k != "type"}})
        return await client.closed()

    started = served.fake.started
    refused(talk(served, play))
    assert served.fake.started == started


def test_who_never_says_who_they_are_is_let_go(tmp_path: Path) -> None:
    async def play(client: Client) -> Any:
        began_s = time.monotonic()
        await client.send("ping")
        outcome = await client.closed()
        assert 0.2 <= time.monotonic() - began_s < 3
        return outcome[0], [message for message in outcome[1] if message != {"type": "pong"}]

    with serving(tmp_path, api_keys=(KEY,), auth_timeout_s=0.3) as served:
        assert "0.3 s" in refused(talk(served, play))["message"]
        served.until_free()


def test_only_who_has_a_key_is_more_urgent(served: Served) -> None:
    async def play(client: Client) -> None:
        assert (await client.speech(TEXT, priority="high")).end["type"] == "complete"

    talk(served, play, additional_headers={"X-API-Key": KEY})
    assert served.fake.requests[-1].priority == "high"


# pages of elsewhere


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_elsewhere_is_refused(served: Served, origin: str) -> None:
    headers = {"X-API-Key": KEY}
    outcome = talk(served, ending, ready=False, origin=origin, additional_headers=headers)
    assert "origin" in refused(outcome)["message"]


def test_our_own_page_and_a_listed_one_come_in(tmp_path: Path) -> None:
    with serving(tmp_path, allowed_origins=("https://good.example",)) as served:
        for origin in (served.at.http, "https://good.example"):
            talk(served, speaks, origin=origin)


def test_a_keyless_server_answers_under_its_own_name_alone(tmp_path: Path) -> None:
    """A page elsewhere could have its own name point to this machine."""
    with serving(tmp_path) as served:
        talk(served, speaks)
        name = served.url.replace("127.0.0.1", "evil.example")
        where = {"host": "127.0.0.1", "port": served.at.port}
        refused(talk(served, ending, ready=False, uri=name, **where))


# how many


def test_a_full_server_asks_to_come_back(tmp_path: Path) -> None:
    async def play(client: Client) -> None:
        outcome = await in_thread(lambda: talk(served, ending, ready=False))
        error = refused_for_now(outcome)
        assert error["retryAfterMs"] >= 1000

    with serving(tmp_path, max_sessions=1) as served:
        talk(served, play)
        talk(served, speaks)
        served.until_free()


def refused_for_now(outcome: tuple[int, list[Any]]) -> Any:
    code, before = outcome
    assert code == 1013
    (error,) = [message for message in before if message["type"] != "ready"]
    assert error["code"] == "RATE_LIMITED"
    return error


async def in_thread(call: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(call)


@pytest.mark.parametrize("at_the_door", [True, False])
def test_a_key_opens_so_many_sessions_however_it_is_shown(
    tmp_path: Path, at_the_door: bool
) -> None:
    async def enter(client: Client) -> Any:
        if not at_the_door:
            await client.send("start", authToken=KEY)
        return await client.closed()

    async def play(client: Client) -> None:
        await client.start(authToken=KEY)
        headers = {"X-API-Key": KEY} if at_the_door else {}
        options = {"ready": not at_the_door, "additional_headers": headers}
        refused_for_now(await in_thread(lambda: talk(served, enter, **options)))
        await in_thread(lambda: talk(served, speaks, additional_headers={"X-API-Key": OTHER}))
        await speaks(client)

    with serving(tmp_path, api_keys=(KEY, OTHER), max_sessions_per_principal=1) as served:
        talk(served, play)
        served.until_free()


def test_each_text_is_a_request(tmp_path: Path) -> None:
    async def play(client: Client) -> None:
        await client.start()
        for _ in range(2):
            assert (await client.speech(TEXT)).end["type"] == "complete"
        error = (await client.speech(TEXT, requestId="r")).end
        assert (error["code"], error["requestId"]) == ("RATE_LIMITED", "r")
        assert error["recoverable"] is True
        assert 1000 <= error["retryAfterMs"] <= 60_000

    with serving(tmp_path, requests_per_minute=1, burst=3) as served:  # connecting is one
        talk(served, play)
