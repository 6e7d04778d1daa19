"""Text that arrives in pieces while its sound leaves: `continue`."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from tests.server.speak_client import Client, Served, serving, talk

MAX_CHARS = 60
STUCK = "[hang]stuck"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    fake = FakeSynthesizer(text_timeout_s=0.5)
    with serving(tmp_path_factory.mktemp("voices"), fake, max_text_chars=MAX_CHARS) as served:
        yield served


@pytest.fixture
def served(server: Served) -> Iterator[Served]:
    yield server
    server.until_free()


async def piece(client: Client, text: str, more: bool, **fields: str) -> None:
    await client.speak(text, **fields, **{"continue": more})


def sound(text: str) -> bytes:
    return pcm16(expected_wave(text, seed=1))


def test_pieces_sound_like_the_whole_text(served: Served) -> None:
    text = "Said as it was thought of, word by word."

    async def play(client: Client) -> None:
        await client.start(seed=1)
        rng = random.Random(1)
        for _ in range(10):
            cuts = sorted(rng.sample(range(1, len(text)), rng.randrange(1, 8)))
            pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
            for number, part in enumerate(pieces):
                await piece(client, part, number < len(pieces) - 1, requestId="r")
                await asyncio.sleep(rng.choice([0, 0, 0.003]))
            heard = await client.hear("complete", "error")
            assert heard.pcm == sound(text)
            end = heard.end
            assert (end["requestId"], end["charactersProcessed"]) == ("r", len(text))
            assert (end["finishReason"], end["audioLengthMs"]) == ("stop", 80 * len(text))

    talk(served, play)


def test_sound_leaves_before_the_text_is_complete(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await piece(client, "First words ", True)
        pcm = b""
        while len(pcm) < len(sound("First words ")):
            frame = await client.receive()
            assert isinstance(frame, bytes)
            pcm += frame
        await piece(client, "and last ones", False)
        heard = await client.hear("complete")
        assert pcm + heard.pcm == sound("First words and last ones")

    talk(served, play)


@pytest.mark.parametrize("last", [{"continue": False}, {}])
@pytest.mark.parametrize("text", ["", "end"])
def test_what_ends_a_text(served: Served, last: dict[str, bool], text: str) -> None:
    """`continue: false`, or a `speak` without it under the same id; its text may be empty."""

    async def play(client: Client) -> None:
        await client.start(seed=1)
        await piece(client, "Begin and ", True)
        await client.speak(text, **last)
        assert (await client.hear("complete", "error")).pcm == sound("Begin and " + text)

    talk(served, play)


def test_pieces_that_come_before_their_turn(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await client.speak(STUCK, requestId="stuck")
        for number, part in enumerate(["One ", "two ", "three"]):
            await piece(client, part, number < 2, requestId="early")
        await piece(client, "Still ", True, requestId="open")
        await client.send("cancel", requestId="stuck")
        assert (await client.answer())["code"] == "CANCELLED"
        heard = await client.hear("complete", "error")
        assert (heard.end["requestId"], heard.pcm) == ("early", sound("One two three"))
        await piece(client, "open", False, requestId="open")
        heard = await client.hear("complete", "error")
        assert (heard.end["requestId"], heard.pcm) == ("open", sound("Still open"))

    talk(served, play)


def test_pieces_of_two_texts_mixed(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        for number in range(3):
            await piece(client, f"left {number} ", number < 2, requestId="left")
            await piece(client, f"right {number} ", number < 2, requestId="right")
        for name in ("left", "right"):
            heard = await client.hear("complete", "error")
            text = "".join(f"{name} {number} " for number in range(3))
            assert (heard.end["requestId"], heard.pcm) == (name, sound(text))

    talk(served, play)


def test_a_whole_text_beside_an_open_one_waits_for_its_turn(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await piece(client, "open ", True, requestId="open")
        await client.speak("whole", requestId="whole")
        await piece(client, "end", False, requestId="open")
        for name, text in (("open", "open end"), ("whole", "whole")):
            heard = await client.hear("complete", "error")
            assert (heard.end["requestId"], heard.pcm) == (name, sound(text))

    talk(served, play)


def test_after_its_end_an_id_begins_a_new_text(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        for text in ("first one", "second one"):
            await piece(client, text[:6], True, requestId="same")
            await piece(client, text[6:], False, requestId="same")
        for text in ("first one", "second one"):
            assert (await client.hear("complete", "error")).pcm == sound(text)

    talk(served, play)


def test_the_end_of_a_text_that_has_ended_otherwise_says_nothing(served: Served) -> None:
    async def play(client: Client) -> None:
        await piece(client, "", False, requestId="never-begun")
        await client.silence()
        await piece(client, "[hang]half", True, requestId="r")
        await client.send("cancel")
        assert (await client.answer())["code"] == "CANCELLED"
        await piece(client, "", False, requestId="r")
        await client.silence()

    talk(served, play)


def test_a_text_without_words_is_refused(served: Served) -> None:
    async def play(client: Client) -> None:
        await piece(client, " ", True, requestId="r")
        await piece(client, "", False, requestId="r")
        heard = await client.hear("complete", "error")
        assert (heard.end.get("code"), heard.end["requestId"]) == ("INVALID_TEXT", "r")

    talk(served, play)


@pytest.mark.parametrize("waits", [False, True])
def test_a_text_that_grows_too_long(served: Served, waits: bool) -> None:
    """The piece is refused; what was taken is spoken, and ends where the refused piece was."""
    text = "a" * (MAX_CHARS - 1)

    async def play(client: Client) -> None:
        await client.start(seed=1)
        if waits:
            await client.speak(STUCK, requestId="stuck")
        await piece(client, text, True, requestId="r")
        if not waits:
            assert isinstance(await client.receive(), bytes)
        for last in (True, False):
            await piece(client, "bc", last, requestId="r")
            refused = await client.hear("error")
            assert (refused.end["code"], refused.end["requestId"]) == ("INVALID_TEXT", "r")
            assert str(MAX_CHARS) in refused.end["message"]
        if waits:
            await client.send("cancel", requestId="stuck")
            await client.hear("error")
        end = (await client.hear("complete", "error")).end
        assert (end["type"], end["charactersProcessed"]) == ("complete", len(text))
        assert end["finishReason"] == "stop", "it did not wait for more until it gave up"

    talk(served, play)


def test_exactly_as_long_as_allowed(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await piece(client, "a" * (MAX_CHARS - 1), True)
        await piece(client, "b", False)
        heard = await client.hear("complete", "error")
        assert heard.pcm == sound("a" * (MAX_CHARS - 1) + "b")

    talk(served, play)


@pytest.mark.parametrize("bad", ["a\0", "\ud83d"])
def test_a_piece_that_is_no_text(served: Served, bad: str) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await piece(client, "good ", True, requestId="r")
        assert isinstance(await client.receive(), bytes)
        await piece(client, bad, True, requestId="r")
        assert (await client.hear("error")).end["code"] == "INVALID_TEXT"
        await piece(client, "end", False, requestId="r")
        end = (await client.hear("complete", "error")).end
        assert (end["type"], end["charactersProcessed"]) == ("complete", len("good end"))

    talk(served, play)


def test_a_text_nobody_goes_on_with_is_given_up(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await piece(client, "and then", True)
        heard = await client.hear("complete", "error")
        assert heard.pcm == sound("and then")
        assert heard.end["finishReason"] == "text_timeout"
        assert (await client.speech("more")).pcm == sound("more")

    talk(served, play)


def test_cancelling_an_open_text(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await piece(client, "[hang]never ", True)
        await client.send("cancel")
        assert (await client.answer())["code"] == "CANCELLED"
        await piece(client, "a new ", True)  # the same id, none: another text
        await piece(client, "one", False)
        assert (await client.hear("complete", "error")).pcm == sound("a new one")

    talk(served, play)
