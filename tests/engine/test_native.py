"""An engine on the kernels: speech alone, together and in chunks, decoded beside the frames."""

import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.native import MOST_ENTRIES, NativeRunner
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.team import Team
from qwen3_tts.errors import Cancelled, OutOfMemory, StreamFailed
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.native.library import why_not
from qwen3_tts.types import Voice
from tests.engine.by_hand import CLOSE, ByHand, heard, within
from tests.engine.conftest import AnyVoicePlanner
from tests.engine.kinds import all_kinds, request

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no kernels: {why_not()}")

Open = Callable[..., Engine]
LONG = 24  # frames


@pytest.fixture
def open_native(preset: Qwen3Synthesizer, parts: tuple[SpeechModel, Codec]) -> Iterator[Open]:
    """`open_native(format, threads, **options)`."""
    model, codec = parts
    planner, made = preset.engine.planner, list[Engine]()

    def make(format: Any = "int8", threads: int = 2, **options: Any) -> Engine:
        given = EngineOptions(**{"warm_up": False, **options})
        plan = AnyVoicePlanner(model.config, planner.generation, planner.tokenizer, given)
        runner = NativeRunner(deepcopy(model).bfloat16(), format, Team(threads))
        made.append(Engine(model, codec, plan, given, runner))
        return made[-1]

    yield make
    for engine in made:
        engine.close(drain=False)


@pytest.mark.parametrize("format", ["int8", "int4", None])
def test_every_kind_together_is_every_kind_alone(
    open_native: Open, voices: dict[str, Voice], format: Any
) -> None:
    """Codes to the bit, on one thread and on two, whatever else is in the batch."""
    requests = all_kinds(voices)
    together = open_native(format, 2, max_rows=len(requests)).run(requests)
    alone = open_native(format, 1)
    for request_, speech in zip(requests, together, strict=True):
        expected = alone.run([request_])[0]
        assert np.array_equal(speech.codes, expected.codes)
        np.testing.assert_allclose(speech.wave, expected.wave, rtol=0, atol=CLOSE)


def test_chunks_decoded_beside_the_loop_are_the_whole(open_native: Open) -> None:
    engine = open_native()
    hand = ByHand(engine)
    given = request("A text that is spoken.", voice="ryan", max_frames=LONG)
    whole = hand.speak(given)
    stream = hand.start(given, sizes=(1, 2, 3))
    flights = 0
    while not stream.channel.ended:
        hand.turn()
        flights += len(hand.loop.sound.flights)
    speech = heard(stream)
    assert flights > 3
    assert np.array_equal(speech.codes, whole.codes)
    np.testing.assert_allclose(speech.wave, whole.wave, rtol=0, atol=CLOSE)
    assert hand.empty


def test_one_thread_decodes_within_its_turn(open_native: Open) -> None:
    hand = ByHand(open_native("int8", 1))
    stream = hand.start(request("Spoken.", voice="ryan", max_frames=LONG), sizes=(1, 2))
    while not stream.channel.ended:
        hand.turn()
        assert not hand.loop.sound.flights


class Held:
    """Makes decodes of more than one frame wait, or fail, at the test's word."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch):
        self.decode = engine.loop.slots.decode
        self.go, self.begun = threading.Event(), threading.Event()
        self.error: Exception | None = None
        monkeypatch.setattr(engine.loop.slots, "decode", self)

    def __call__(self, slots: Any, codes: Any) -> Any:
        if codes.shape[2] > 1 and not self.go.is_set():
            self.begun.set()
            assert self.go.wait(60)
        if self.error is not None and codes.shape[2] > 1:
            error, self.error = self.error, None
            raise error
        return self.decode(slots, codes)


def airborne(hand: ByHand, held: Held, **given: Any) -> Any:
    """A stream one of whose decodes has begun and waits."""
    stream = hand.start(request("A long one.", voice="ryan", max_frames=LONG, **given), (1, 4))
    while not held.begun.is_set():
        hand.turn()
        if hand.loop.sound.flights:
            assert held.begun.wait(60)
    return stream


def test_frames_are_made_while_a_chunk_is_decoded(
    open_native: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_native()
    hand, held = ByHand(engine), Held(engine, monkeypatch)
    stream = airborne(hand, held)
    row = hand.loop.rows[0]
    made = len(row.frames)
    hand.turn(3)
    assert len(row.frames) == made + 3
    assert row.decoding == 4
    assert engine.loop.slots.team.loop_threads == 1
    held.go.set()
    hand.finish(stream)
    assert len(heard(stream).codes) == LONG
    assert engine.loop.slots.team.loop_threads == 2


def test_a_stream_cancelled_in_flight_leaves_nothing(
    open_native: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its slot is given on only when the decode has landed: the next one sounds as alone."""
    engine = open_native(max_rows=1)
    after = request("The next one.", voice="eric", max_frames=6)
    hand = ByHand(engine)
    expected = hand.speak(after)
    held = Held(engine, monkeypatch)
    stream = airborne(hand, held)
    stream.cancel()
    threading.Timer(0.05, held.go.set).start()
    hand.turn()
    assert hand.empty
    with pytest.raises(Cancelled):
        stream.result()
    np.testing.assert_allclose(hand.speak(after).wave, expected.wave, rtol=0, atol=CLOSE)


def test_a_flight_that_fails_ends_its_stream_alone(
    open_native: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_native()
    hand = ByHand(engine)
    other = request("Another.", voice="eric", max_frames=5)
    expected = hand.speak(other)
    held = Held(engine, monkeypatch)
    stream = airborne(hand, held)
    held.error = ValueError("broken")
    held.go.set()
    hand.finish(stream)
    with pytest.raises(StreamFailed, match="broken"):
        stream.result()
    np.testing.assert_allclose(hand.speak(other).wave, expected.wave, rtol=0, atol=CLOSE)
    assert hand.empty


def test_a_flight_that_runs_out_of_memory_drops_the_newest(
    open_native: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older one decodes again from where it was, and sounds as alone."""
    engine = open_native()
    hand = ByHand(engine)
    first = request("A long one.", voice="ryan", max_frames=LONG)
    expected = hand.speak(first)
    held = Held(engine, monkeypatch)
    stream = airborne(hand, held)
    newest = hand.start(request("Newest.", voice="eric", max_frames=LONG), (1, 4))
    hand.turn(2)
    held.error = MemoryError("out of memory")
    held.go.set()
    hand.finish(stream, newest)
    with pytest.raises(OutOfMemory):
        newest.result()
    np.testing.assert_allclose(heard(stream).wave, expected.wave, rtol=0, atol=CLOSE)


def test_an_engine_closes_while_a_chunk_is_decoded(open_native: Open) -> None:
    engine = open_native()
    streams = [
        engine.stream(request("Long.", voice="ryan", max_frames=200, seed=seed, guard="off"))
        for seed in range(2)
    ]
    for stream in streams:
        next(iter(stream))
    within(lambda: engine.close(drain=False))
    for stream in streams:
        with pytest.raises(StreamFailed):
            list(stream)


def test_text_is_projected_once(open_native: Open) -> None:
    """Entries of the table are the model's own text embeddings, and are found again."""
    engine = open_native()
    runner = engine.loop.slots.runner
    assert isinstance(runner, NativeRunner)
    with torch.inference_mode():
        first = runner.text_entries([5, 7, 5, 9])
        assert first[0] == first[2]
        assert list(runner.text_entries([9, 5])) == [first[3], first[0]]
        none = torch.full((1, runner.config.talker_config.num_code_groups, 4), -1)
        got = runner.embed(torch.tensor([first]), none)
        expected = engine.model.talker.embed_text(torch.tensor([[5, 7, 5, 9]]))
    # the runner's embeddings were rounded to bfloat16: 2^-9 of inputs around 1, over 96 of them
    torch.testing.assert_close(got, expected, rtol=0, atol=0.05)


def test_texts_are_forgotten_when_there_are_many(
    open_native: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen3_tts.engine.native.MOST_ENTRIES", 3)
    engine = open_native()
    hand = ByHand(engine)
    given = request("Quite a few tokens.", voice="ryan")
    first = hand.speak(given)
    runner = engine.loop.slots.runner
    assert isinstance(runner, NativeRunner)
    assert not runner.places
    assert np.array_equal(hand.speak(given).codes, first.codes)
    assert MOST_ENTRIES > 10_000  # the bound itself is far above one text's
