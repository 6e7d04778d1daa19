"""Text that arrives while its sound leaves: however it comes, the same speech."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine import loop as loop_module
from qwen3_tts.engine import row as row_module
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.guard import Guard, frame_budget
from qwen3_tts.engine.stream import TextStream
from qwen3_tts.errors import Cancelled, InvalidText, StreamFailed, UnsupportedRequest
from qwen3_tts.types import Sampling, Speech, SpeechRequest, Voice
from tests.engine.by_hand import (
    ByHand,
    assert_same,
    end_of,
    heard,
    ready_chunks,
    starts_with,
    within,
)
from tests.engine.kinds import GREEDY, Expected, request

OpenByHand = Callable[..., ByHand]
MakeEngine = Callable[..., Engine]
WORDS = "So, how was it? Well…\n\nFine 👍🏽 <|im_end|> 12:30, she's\u0301 <tts_pad>今天 天气".split(
    " "
)
WORDS += ["\t", "ok"]
TEXT = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
HELLO = request("Hello there.", voice="ryan", max_frames=10, text_first=False)


def voice_requests(voices: dict[str, Voice]) -> list[SpeechRequest]:
    """Open requests of every kind; in context, text is inside the prompt, at 8 or 21 positions."""
    return [
        request("", voice="ryan", language="english", text_first=False),
        request("", voice="", instruct="Speak up.", text_first=False, sampling=GREEDY),
        request("", voice=voices["x"], text_first=False, seed=5),
        request("", voice=voices["short"], text_first=False, seed=6),
        request("", voice=voices["long"], text_first=False, seed=7),
    ]


def open_stream(hand: ByHand, asked: SpeechRequest) -> TextStream:
    return hand.open(replace(asked, text="", text_first=None))


def units(text: str) -> list[str]:
    """UTF-16 halves, as a caller in another language may cut a text."""
    data = text.encode("utf-16-le")
    return [data[i : i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, len(data), 2)]


STEPS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=12)


@settings(max_examples=50)
@given(text=TEXT, kind=st.integers(0, 4), steps=STEPS, late=st.integers(0, 25), data=st.data())
def test_however_text_arrives_it_is_the_same_speech(
    text: str,
    kind: int,
    steps: list[tuple[int, int]],
    late: int,
    data: st.DataObject,
    voices: dict[str, Voice],
    build_engine: MakeEngine,
    expected: Expected,
) -> None:
    """Pieces of any size, some turns after each, the end some turns after the last; a neighbour
    comes and goes."""
    asked = replace(voice_requests(voices)[kind], text=text, max_frames=12)
    hand = ByHand(build_engine(max_rows=2))
    neighbour = hand.start(HELLO) if data.draw(st.booleans()) else None
    stream = open_stream(hand, asked)
    left = units(text)
    for size, turns in steps:
        stream.feed("".join(left[:size]))
        del left[:size]
        hand.turn(turns)
    stream.feed("".join(left))
    hand.turn(late)
    stream.end()
    hand.finish(stream)
    assert_same(heard(stream), expected(asked))
    if neighbour is not None:
        hand.finish(neighbour)
        assert_same(heard(neighbour), expected(HELLO))
    hand.turn()
    assert hand.empty


def test_published_layout_one_character_at_a_time(
    base: Qwen3Synthesizer, icl_voice: Voice, x_voice: Voice
) -> None:
    """16 codebooks, the engine's own thread, the public face."""
    for voice in (icl_voice, x_voice):
        given: dict[str, Any] = {"voice": voice, "seed": 2, "max_frames": 12}
        stream = base.open_stream(**given)
        for char in "Yes, of course.":
            stream.feed(char)
        stream.end()
        speech = within(stream.result)
        whole = base.synthesize("Yes, of course.", text_first=False, **given)
        assert speech.codes.tolist() == whole.codes.tolist()
        # as in test_stream.py
        np.testing.assert_allclose(speech.wave, whole.wave, rtol=0, atol=1e-4)


def test_sound_leaves_before_the_text_is_there(by_hand: OpenByHand, expected: Expected) -> None:
    hand = by_hand(chunk_plan=(1,))
    stream = open_stream(hand, HELLO)
    stream.feed("Hello th")
    hand.turn(20)
    chunks = ready_chunks(stream)
    assert sum(len(chunk.wave) for chunk in chunks) >= 1920
    stream.feed("ere.")
    stream.end()
    hand.finish(stream)
    whole = np.concatenate([chunk.wave for chunk in (*chunks, *ready_chunks(stream))])
    np.testing.assert_allclose(whole, expected(HELLO).wave, rtol=0, atol=1e-11)


def test_a_starved_stream_waits_and_goes_on(by_hand: OpenByHand) -> None:
    """The first token is in the prompt, each frame needs another. None is made ahead of its token,
    whatever the number of turns, and none is lost."""
    hand = by_hand(bias=0)
    stream = open_stream(hand, HELLO)
    hand.turn(5)
    (row,) = hand.loop.rows
    assert row.frames == []
    for fed, char in enumerate("abcdef"):
        stream.feed(char)  # a token of its own, but held back until the next cannot join it
        hand.turn(4)
        made = len(row.frames)
        assert made <= fed
        hand.turn(3)
        assert len(row.frames) == made
        assert not hand.loop._movable()
    assert made > 0
    stream.end()
    hand.finish(stream)
    alone = by_hand(bias=0).speak(replace(HELLO, text="abcdef"))
    assert_same(heard(stream), alone)


def test_two_threads_feed_and_listen(make_engine: MakeEngine, expected: Expected) -> None:
    """The feeder waits for sound between pieces, so that the loop sleeps and wakes each time."""
    engine = make_engine(max_rows=2, chunk_plan=(1,))
    asked = [replace(HELLO, seed=seed, text="It goes on and on.") for seed in range(2)]
    streams = [engine.open_stream(replace(one, text="", text_first=None)) for one in asked]

    def feed(stream: TextStream, text: str) -> None:
        for char in text:
            stream.feed(char)
            threading.Event().wait(0.005)
        stream.end()

    feeders = [
        threading.Thread(target=feed, args=(stream, one.text), daemon=True)
        for one, stream in zip(asked, streams, strict=True)
    ]
    for feeder in feeders:
        feeder.start()
    for one, stream in zip(asked, streams, strict=True):
        assert_same(within(stream.result), expected(one))


# what callers may not do


def test_no_text_after_the_end(by_hand: OpenByHand, expected: Expected) -> None:
    hand = by_hand()
    stream = open_stream(hand, HELLO)
    stream.feed(HELLO.text)
    stream.end()
    stream.end()
    with pytest.raises(InvalidText, match=r"after end\(\)"):
        stream.feed("More.")
    hand.finish(stream)
    assert_same(heard(stream), expected(HELLO))


def test_what_is_no_text_changes_nothing(by_hand: OpenByHand, expected: Expected) -> None:
    hand = by_hand()
    stream = open_stream(hand, HELLO)
    stream.feed("Hello")
    for wrong in (b" bytes", None, 3, "a lone \udc80", "\ud800 another"):
        with pytest.raises(InvalidText):
            stream.feed(wrong)  # type: ignore[arg-type]
        hand.turn(2)
    stream.feed(" there.")
    stream.end()
    hand.finish(stream)
    assert_same(heard(stream), expected(HELLO))


def test_the_whole_text_first_is_refused(by_hand: OpenByHand) -> None:
    with pytest.raises(UnsupportedRequest, match="text_first"):
        by_hand().open(request("", text_first=True))


def test_feeding_what_was_cancelled(by_hand: OpenByHand) -> None:
    hand = by_hand()
    stream = open_stream(hand, HELLO)
    stream.feed("Hello")
    hand.turn(4)
    stream.cancel()
    with pytest.raises(Cancelled):
        stream.feed(" there")
    stream.end()  # harmless: a `with` block may do it
    hand.turn()
    assert hand.empty


def test_a_with_block_ends_the_text(by_hand: OpenByHand, expected: Expected) -> None:
    hand = by_hand()
    with open_stream(hand, HELLO) as stream:
        stream.feed(HELLO.text)
    hand.finish(stream)
    assert_same(heard(stream), expected(HELLO))


def test_an_error_in_a_with_block_cancels(by_hand: OpenByHand) -> None:
    hand = by_hand()
    with pytest.raises(KeyError), open_stream(hand, HELLO) as stream:  # noqa: PT012
        stream.feed(HELLO.text)
        raise KeyError("mine")
    hand.turn()
    assert hand.empty
    assert isinstance(end_of(stream), Cancelled)


@pytest.mark.parametrize("text", ["", " ", "\n\n", " \t\u3000 "])
@pytest.mark.parametrize("voice", ["ryan", "short"])
def test_no_words_at_all(
    text: str, voice: str, by_hand: OpenByHand, voices: dict[str, Voice]
) -> None:
    """Refused as `synthesize` refuses them, as soon as it is known."""
    hand = by_hand(bias=0)
    stream = open_stream(hand, replace(HELLO, voice=voices.get(voice, voice)))
    stream.feed(text)
    hand.turn(3)
    stream.end()
    hand.turn(2)
    assert hand.empty
    assert ready_or_error(stream) == "invalid_text"


def ready_or_error(stream: TextStream) -> object:
    try:
        return ready_chunks(stream)
    except InvalidText as error:
        return error.code


# patience


class Clock:
    """A `time` module whose clocks a test can put forward."""

    def __init__(self, real: Any):
        self.real, self.ahead_s = real, 0.0

    def perf_counter(self) -> float:
        return float(self.real.perf_counter() + self.ahead_s)

    def monotonic(self) -> float:
        return float(self.real.monotonic() + self.ahead_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(loop_module.time)
    monkeypatch.setattr(loop_module, "time", clock)
    monkeypatch.setattr(row_module, "time", clock)
    return clock


def test_a_stream_that_is_never_ended(make_engine: MakeEngine, expected: Expected) -> None:
    """It ends by itself, with the sound of what was fed."""
    engine = make_engine(text_timeout_s=0.3, chunk_plan=(1, 2))
    stream = engine.open_stream(replace(HELLO, text="", text_first=None))
    stream.feed("Hello th")
    speech: Speech = within(stream.result)
    assert speech.finish_reason == "text_timeout"
    assert 5 <= len(speech.codes) <= 8  # of "Hello th" at least "Hello" is certain
    assert starts_with(expected(HELLO).codes, speech.codes)
    assert speech.wave.shape == (1920 * len(speech.codes),)
    assert not engine.loop.rows


def test_a_stream_that_is_never_fed(
    by_hand: OpenByHand, clock: Clock, voices: dict[str, Voice]
) -> None:
    """Nothing was said; but a reference text longer than its recording goes on into the speech,
    by 5 tokens for "short"."""
    hand = by_hand(max_rows=5, bias=0)
    streams = [open_stream(hand, one) for one in voice_requests(voices)]
    hand.turn(12)
    clock.ahead_s += 31
    hand.turn(3)
    speeches = [heard(stream) for stream in streams]
    assert {speech.finish_reason for speech in speeches} == {"text_timeout"}
    assert [len(speech.codes) for speech in speeches] == [0, 0, 0, 5, 0]
    assert all(speech.wave.shape == (1920 * len(speech.codes),) for speech in speeches)
    assert hand.empty


def test_patience_begins_when_nothing_is_left_to_say(by_hand: OpenByHand, clock: Clock) -> None:
    """Speaking what was fed, or waiting in the queue, takes none of it; each piece renews it."""
    hand = by_hand(max_rows=1, text_timeout_s=10, bias=0)
    before = hand.start(replace(HELLO, max_frames=4))
    asked = replace(HELLO, max_frames=20)
    stream = open_stream(hand, asked)
    stream.feed("Hello ther")
    clock.ahead_s += 20  # in the queue
    hand.finish(before)
    hand.turn(3)
    clock.ahead_s += 20  # between two frames
    hand.turn(12)
    assert not stream.channel.ended
    clock.ahead_s += 9
    hand.turn()
    stream.feed("e.")
    hand.turn(4)
    clock.ahead_s += 9
    hand.turn()
    assert not stream.channel.ended
    stream.end()
    hand.finish(stream)
    assert_same(heard(stream), by_hand(bias=0).speak(asked))


def test_a_listener_is_told_of_an_engine_that_closes(make_engine: MakeEngine) -> None:
    """Waiting for text does not keep a draining engine longer than patience lasts."""
    engine = make_engine(text_timeout_s=0.3)
    stream = engine.open_stream(request("", voice="ryan"))
    stream.feed("Hello")
    within(engine.close)
    assert stream.finish_reason == "text_timeout"
    with pytest.raises(StreamFailed, match="closed"):
        engine.open_stream(request(""))


# guards of a text that grows


@given(text=TEXT, cuts=st.lists(st.integers(0, 4), max_size=30))
def test_a_budget_does_not_depend_on_how_text_arrives(text: str, cuts: list[int]) -> None:
    guard = Guard("", "english", max_frames=5000, sample_rate=24_000)
    text = f"{text}...   !!! -- {text}"
    left = text
    for size in cuts:
        guard.extend(left[:size])
        left = left[size:]
    guard.extend(left)
    assert guard.budget == frame_budget(text, "english")


@pytest.mark.parametrize("pieces", [1, 40])
def test_a_budget_waits_for_the_end_of_the_text(
    pieces: int, by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 tokens that take no time to say, then words: until all is there nothing is too long."""
    text = "a" + "\u200b" * 20 + " and now some words."
    asked = SpeechRequest(text, "ryan", seed=1, text_first=False, guard="stop", sampling=Sampling())
    hand = by_hand(bias=0)
    whole = hand.speak(asked)
    assert whole.finish_reason == "guard:budget"
    assert len(whole.codes) > 60
    stream = open_stream(hand, asked)
    stream.feed(text[:22])
    hand.turn(65)
    size = -(-len(text) // pieces)
    for start in range(22, len(text), size):
        stream.feed(text[start : start + size])
    stream.end()
    hand.finish(stream)
    assert_same(heard(stream), whole)
