"""Speech that runs away is stopped, begun again, refused or let be, as the request says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.guard import LOOP_FRAMES, MAX_RETRIES, SILENCE_S, frame_budget
from qwen3_tts.errors import InvalidRequest, StreamFailed
from qwen3_tts.types import Sampling, Speech, SpeechRequest, Voice
from tests.engine.by_hand import FRAME, ByHand, assert_same, heard, starts_with
from tests.engine.kinds import GREEDY, request

OpenByHand = Callable[..., ByHand]
MakeEngine = Callable[..., Engine]
# A random model does not end by itself, and hardly ever loops while it draws at random.
ENDLESS = SpeechRequest("Hi.", voice="ryan", language="english")
BUDGET = frame_budget("Hi.", "english")
STUCK = 1234  # the first code of a model that repeats itself
NEIGHBOUR = request("A neighbour.", voice="eric", max_frames=45, guard="off")


@pytest.fixture
def endless(by_hand: OpenByHand) -> ByHand:
    return by_hand(bias=0, max_rows=2)


@pytest.fixture
def stuck(by_hand: OpenByHand) -> ByHand:
    return by_hand(bias=50, code=STUCK, max_rows=2)


def consistent(speech: Speech) -> Speech:
    assert speech.wave.shape == (FRAME * len(speech.codes),)
    assert speech.timing.frames == len(speech.codes)
    return speech


def spoken(hand: ByHand, asked: SpeechRequest, sizes: tuple[int, ...] = ()) -> Speech:
    stream = hand.start(asked, sizes)
    hand.finish(stream)
    return consistent(heard(stream))


# policies, by the budget of frames


def test_budget_stops(endless: ByHand) -> None:
    speech = spoken(endless, replace(ENDLESS, guard="stop", seed=4))
    assert (speech.finish_reason, speech.retries) == ("guard:budget", 0)
    assert len(speech.codes) == BUDGET
    longer = spoken(endless, replace(ENDLESS, guard="off", seed=4, max_frames=BUDGET + 5))
    assert starts_with(longer.codes, speech.codes)
    np.testing.assert_allclose(longer.wave[: len(speech.wave)], speech.wave, rtol=0, atol=1e-11)


def test_budget_grows_with_the_text_and_an_instruction(endless: ByHand) -> None:
    text = "A text that takes a while."
    plain = spoken(endless, replace(ENDLESS, text=text, guard="stop"))
    assert len(plain.codes) == frame_budget(text, "english") > BUDGET
    slow = spoken(endless, replace(ENDLESS, text=text, guard="stop", instruct="Slowly."))
    assert len(slow.codes) == frame_budget(text, "english", instruct=True) > len(plain.codes)


@pytest.mark.parametrize("sizes", [(), (64,)], ids=["whole", "late first chunk"])
def test_retry_begins_again_with_another_seed(sizes: tuple[int, ...], endless: ByHand) -> None:
    """Twice; the third try is kept. It is what its seed gives, and a neighbour notices nothing."""
    neighbour = endless.start(NEIGHBOUR)
    job = endless.engine.planner.plan(ENDLESS)
    stream = endless.start_job(job, sizes)
    endless.finish(stream, neighbour)
    speech = consistent(heard(stream))
    assert (speech.finish_reason, speech.retries) == ("guard:budget", MAX_RETRIES)
    assert speech.seed != job.seed
    again = spoken(endless, replace(ENDLESS, guard="stop", seed=speech.seed))
    assert_same(replace(speech, retries=0), again)
    assert_same(heard(neighbour), endless.speak(NEIGHBOUR))


def test_a_retry_may_succeed(endless: ByHand) -> None:
    """The first try runs away, the second ends by itself: that one is heard, and only that."""
    stream = endless.start_job(endless.engine.planner.plan(ENDLESS))
    endless.turn(BUDGET - 5)
    (row,) = endless.loop.rows
    before = row.seed
    while not row.retries:
        endless.turn()
    endless.turn(3)
    row.guard.max_frames = 8
    endless.finish(stream)
    speech = consistent(heard(stream))
    assert (speech.finish_reason, len(speech.codes), speech.retries) == ("length", 8, 1)
    assert speech.seed != before
    again = spoken(endless, replace(ENDLESS, seed=speech.seed, max_frames=8))
    assert_same(replace(speech, retries=0), again)


@pytest.mark.parametrize("fixed", [{"seed": 4}, {"max_frames": 80}])
def test_what_the_caller_fixed_is_not_retried(fixed: dict[str, int], stuck: ByHand) -> None:
    job = stuck.engine.planner.plan(replace(ENDLESS, guard="retry", **fixed))
    stream = stuck.start_job(job)
    stuck.finish(stream)
    assert (stream.finish_reason, stream.outcome.retries) == ("guard:loop", 0)
    assert stream.seed == job.seed


@pytest.mark.parametrize("policy", ["stop", "retry", "error"])
def test_a_limit_that_was_asked_for_lifts_the_budget(policy: str, endless: ByHand) -> None:
    """In the admission of requests too: the row has the positions it may need."""
    asked = replace(ENDLESS, guard=policy, seed=4, max_frames=BUDGET + 7)
    job = endless.engine.planner.plan(asked)
    assert job.positions == len(job.prompt) + BUDGET + 7
    speech = spoken(endless, asked)
    assert (speech.finish_reason, len(speech.codes)) == ("length", BUDGET + 7)


def test_no_retry_once_sound_has_left(endless: ByHand) -> None:
    job = endless.engine.planner.plan(ENDLESS)
    stream = endless.start_job(job, (1, 8))
    endless.finish(stream)
    assert (stream.finish_reason, stream.outcome.retries) == ("guard:budget", 0)
    assert stream.seed == job.seed
    assert len(consistent(heard(stream)).codes) == BUDGET


def test_error_fails_that_stream_alone(endless: ByHand) -> None:
    streams = [endless.start(replace(ENDLESS, guard="error"), (5,)), endless.start(NEIGHBOUR)]
    endless.finish(*streams)
    assert len(ready_chunks_before_error(streams[0])) >= 9  # what had left is not taken back
    assert_same(heard(streams[1]), endless.speak(NEIGHBOUR))
    endless.turn()
    assert endless.empty


def ready_chunks_before_error(stream: Any) -> list[Any]:
    chunks = []
    with pytest.raises(StreamFailed, match=r"ran away \(guard:budget\)"):  # noqa: PT012
        while True:
            chunks.append(stream.channel.take())
    return chunks


def test_off_goes_on_to_the_limit(endless: ByHand) -> None:
    speech = spoken(endless, replace(ENDLESS, guard="off", max_frames=BUDGET + 10))
    assert (speech.finish_reason, len(speech.codes)) == ("length", BUDGET + 10)


def test_a_limit_below_the_budget_is_an_end_like_any_other(endless: ByHand) -> None:
    for policy in ("stop", "retry", "error", "off"):
        speech = spoken(endless, replace(ENDLESS, guard=policy, max_frames=5))
        assert (speech.finish_reason, len(speech.codes), speech.retries) == ("length", 5, 0)


def test_the_engine_has_a_policy_too(by_hand: OpenByHand) -> None:
    hand = by_hand(bias=0, guard="stop")
    assert spoken(hand, ENDLESS).retries == 0
    with pytest.raises(InvalidRequest, match="guard"):
        hand.start(replace(ENDLESS, guard="maybe"))


def test_a_retry_in_context_continues_the_reference_again(
    endless: ByHand, voices: dict[str, Voice]
) -> None:
    asked = replace(ENDLESS, voice=voices["long"])
    speech = spoken(endless, asked)
    assert speech.retries == MAX_RETRIES
    again = spoken(endless, replace(asked, guard="stop", seed=speech.seed))
    assert_same(replace(speech, retries=0), again)


# loops


@pytest.mark.parametrize("sampling", [Sampling(), GREEDY], ids=["sampled", "greedy"])
def test_a_loop_is_stopped_and_cut(sampling: Sampling, stuck: ByHand) -> None:
    """Of one code over and over, one frame is kept where none has left."""
    asked = replace(ENDLESS, guard="stop", seed=1, sampling=sampling)
    speech = spoken(stuck, asked)
    assert (speech.finish_reason, len(speech.codes)) == ("guard:loop", 1)
    assert speech.codes[0, 0] == STUCK
    full = spoken(stuck, replace(asked, guard="off", max_frames=LOOP_FRAMES))
    assert set(full.codes[:, 0]) == {STUCK}
    assert starts_with(full.codes, speech.codes)


@pytest.mark.parametrize("size", [1, 4, 8])
def test_sound_that_left_is_kept(size: int, stuck: ByHand) -> None:
    """A stream ends where a whole speech does, or at what was sent before that was known."""
    asked = replace(ENDLESS, guard="stop", seed=1)
    speech = spoken(stuck, asked, (size,))
    assert speech.finish_reason == "guard:loop"
    assert len(speech.codes) == (LOOP_FRAMES - 1) // size * size
    assert starts_with(speech.codes, spoken(stuck, asked).codes)


def test_loops_are_retried(stuck: ByHand) -> None:
    speech = spoken(stuck, ENDLESS)
    assert (speech.finish_reason, speech.retries) == ("guard:loop", MAX_RETRIES)


def test_loops_may_be_wanted(stuck: ByHand) -> None:
    speech = spoken(stuck, replace(ENDLESS, guard="off", max_frames=LOOP_FRAMES + 5))
    assert (speech.finish_reason, len(speech.codes)) == ("length", LOOP_FRAMES + 5)


# silence


@pytest.fixture
def fading(endless: ByHand, monkeypatch: pytest.MonkeyPatch) -> ByHand:
    """Its decoder falls silent after 6 frames of a row."""
    decode, sent = endless.slots.decode, dict.fromkeys(range(2), 0)
    start = endless.slots.start

    def starting(slot: int, *rest: Any) -> None:
        sent[slot] = 0
        start(slot, *rest)

    def fade(slots: list[int], codes: Any) -> list[Any]:
        waves = decode(slots, codes)
        for slot, wave in zip(slots, waves, strict=True):
            wave[max(0, 6 * FRAME - sent[slot]) :] = 0
            sent[slot] += len(wave)
        return waves

    monkeypatch.setattr(endless.slots, "start", starting)
    monkeypatch.setattr(endless.slots, "decode", fade)
    return endless


def test_silence_is_stopped_and_cut(fading: ByHand) -> None:
    """It is noticed when a piece of 16 frames is decoded; nothing is kept but what sounds."""
    speech = spoken(fading, replace(ENDLESS, guard="stop", seed=2))
    assert speech.finish_reason == "guard:silence"
    assert 6 <= len(speech.codes) <= 7  # windows of 20 ms may end behind the frame
    assert np.abs(speech.wave[5 * FRAME : 6 * FRAME]).max() > 0.01


@pytest.mark.parametrize("size", [1, 5])
def test_silence_in_a_stream_ends_it(size: int, fading: ByHand) -> None:
    speech = spoken(fading, replace(ENDLESS, guard="stop", seed=2), (size,))
    assert speech.finish_reason == "guard:silence"
    silent = round(SILENCE_S * 12.5)
    assert 6 + silent <= len(speech.codes) <= 6 + silent + size


def test_silence_is_retried(fading: ByHand) -> None:
    speech = spoken(fading, ENDLESS)
    assert (speech.finish_reason, speech.retries) == ("guard:silence", MAX_RETRIES)


def test_silence_before_the_text_is_over_is_a_pause(fading: ByHand) -> None:
    """A text fed token by token, or still awaited, may go on."""
    stream = fading.open(replace(ENDLESS, text="", guard="stop", seed=2, max_frames=45))
    stream.feed("a" * 50)
    fading.finish(stream)
    assert (stream.finish_reason, len(stream.codes)) == ("length", 45)
