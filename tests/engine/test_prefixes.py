"""What prompts share is read once or twice, then copied: the same speech, sooner.

In float32 a position's keys differ in the last bits with the number of positions read together,
and here as with any other pieces no draw hangs on those. The kernels make equal bits.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine import loop as loop_module
from qwen3_tts.engine import prefixes as prefixes_module
from qwen3_tts.engine import slots as slots_module
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.guard import MAX_RETRIES
from qwen3_tts.engine.native import NativeRunner
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.prefixes import PREFIX_BYTES, SEGMENT, Prefixes, Reading
from qwen3_tts.engine.team import Team
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.native.library import why_not
from qwen3_tts.prompt.layout import Prompt
from qwen3_tts.types import Speech, SpeechRequest, Voice
from tests.engine.by_hand import ByHand, assert_same, end_of, heard
from tests.engine.conftest import AnyVoicePlanner
from tests.engine.kinds import all_kinds, request

OpenByHand = Callable[..., ByHand]
MakeEngine = Callable[..., Engine]
Plain = Callable[[SpeechRequest], Speech]
needs_kernels = pytest.mark.skipif(bool(why_not()), reason=f"no kernels: {why_not()}")
RYAN = request("Some words.", voice="ryan", language="english", max_frames=3)
TEXTS = ("Some words.", "Other ones, and more.", "The third.", "Some words.")


@pytest.fixture(scope="module")
def plain(build_engine: MakeEngine) -> Plain:
    """`plain(request)`: the speech of an engine that keeps nothing."""
    return cache(ByHand(build_engine(max_rows=1, prefix_cache_bytes=0)).speak)


@pytest.fixture
def by_hand(make_engine: MakeEngine) -> OpenByHand:
    """An engine without its thread that keeps prompts, unless told otherwise: torch's does not by
    itself."""
    return lambda **given: ByHand(make_engine(**{"prefix_cache_bytes": PREFIX_BYTES, **given}))


def test_torch_on_a_cpu_keeps_nothing_unless_told(make_engine: MakeEngine) -> None:
    """Where a position's last bits depend on what is read with it, the same request must not differ
    from the first time to the third."""
    assert make_engine().loop.prefixes.max_bytes == 0
    assert make_engine(prefix_cache_bytes=7).loop.prefixes.max_bytes == 7


class Reads:
    """Counts prompt positions that slots read."""

    def __init__(self, hand: ByHand, monkeypatch: pytest.MonkeyPatch):
        self.pieces: list[int] = []
        read = hand.slots.read

        def reading(slot: int, text_ids: Any, *rest: Any) -> None:
            read(slot, text_ids, *rest)
            self.pieces.append(len(text_ids))

        monkeypatch.setattr(hand.slots, "read", reading)

    def take(self) -> int:
        total = sum(self.pieces)
        self.pieces.clear()
        return total


def length(hand: ByHand, asked: SpeechRequest) -> int:
    return len(hand.engine.planner.plan(asked).prompt)


def sound(prefixes: Prefixes) -> None:
    """Its books are in order, and it holds no more than it may."""
    assert prefixes.bytes == sum(segment.num_bytes for segment in prefixes.segments.values())
    assert prefixes.bytes <= prefixes.max_bytes
    assert all(segment.memory.shape[3] <= SEGMENT for segment in prefixes.segments.values())


# the same speech


def test_every_kind_is_spoken_as_without(
    by_hand: OpenByHand, voices: dict[str, Voice], plain: Plain
) -> None:
    """Four texts in every kind of voice: unknown, seen, kept, and kept to its end."""
    hand = by_hand(max_rows=1)
    for kind in all_kinds(voices):
        for text in TEXTS:
            asked = replace(kind, text=text, max_frames=3)
            assert_same(hand.speak(asked), plain(asked))
    assert hand.loop.prefixes.hits > 2 * len(all_kinds(voices))
    sound(hand.loop.prefixes)


def test_rows_that_begin_together_share_what_the_second_one_kept(
    by_hand: OpenByHand, voices: dict[str, Voice], plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = by_hand(max_rows=4)
    reads = Reads(hand, monkeypatch)
    asked = [
        replace(RYAN, text=f"{n} words.", voice=voices["long"], seed=n, max_frames=8)
        for n in range(4)
    ]
    streams = [hand.start(one, (1,)) for one in asked]
    hand.finish(*streams)
    for stream, one in zip(streams, asked, strict=True):
        assert_same(heard(stream), plain(one))
    whole = length(hand, asked[0])
    opening = 3 + 4 + 1 + 1 + len("ab")  # role, tags, vector, begin of text; the reference's text
    assert reads.pieces == [whole, whole, whole - opening, whole - opening]


def test_a_prompt_that_comes_again_is_not_read_at_all(
    by_hand: OpenByHand, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = by_hand()
    reads, whole = Reads(hand, monkeypatch), length(hand, RYAN)
    for positions in (whole, whole, 0, 0):
        assert_same(hand.speak(RYAN), plain(RYAN))
        assert reads.take() == positions
    prefixes = hand.loop.prefixes
    assert (prefixes.hits, prefixes.misses) == (2, 2)


def test_the_last_position_is_read_where_its_output_is_not_kept(
    by_hand: OpenByHand, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt that is the start of kept ones: what the talker made of its end is not known."""
    hand = by_hand()
    reads = Reads(hand, monkeypatch)
    short = replace(RYAN, voice=None, text_first=False, text="a")
    prompt = hand.engine.planner.plan(short).prompt
    longer = deepcopy(prompt)
    for at in range(6):
        longer.add(at, 1)
    job = replace(hand.engine.planner.plan(short), prompt=longer)
    for _ in range(2):
        hand.finish(hand.start_job(job))
    reads.take()
    assert_same(hand.speak(short), plain(short))
    assert reads.take() == len(prompt) - len(prompt) // SEGMENT * SEGMENT
    # the end of the short one is now the border of a segment
    prefixes = hand.loop.prefixes
    for key in [key for key, segment in prefixes.segments.items() if segment.hidden is not None]:
        prefixes.segments[key] = replace(prefixes.segments[key], hidden=None)
    assert_same(hand.speak(short), plain(short))
    assert reads.take() == 1


def test_speech_begun_again_copies_its_prompt(
    by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry is the same prompt again: the second of them copies it. Its speech is its seed's."""
    hand, without = by_hand(bias=0), by_hand(bias=0, prefix_cache_bytes=0)
    reads = Reads(hand, monkeypatch)
    asked = SpeechRequest("Hi.", voice="ryan", language="english")
    speech = hand.speak(asked)
    assert speech.retries == MAX_RETRIES == 2
    assert reads.pieces == [length(hand, asked)] * 2
    again = without.speak(replace(asked, seed=speech.seed, guard="stop"))
    assert speech.codes.tolist() == again.codes.tolist()


@pytest.mark.parametrize("name", ["long", "x", "ryan"])
def test_text_that_arrives_finds_what_is_kept(
    name: str,
    by_hand: OpenByHand,
    voices: dict[str, Voice],
    plain: Plain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before its first word the opening is copied, of an in-context voice its text too."""
    hand = by_hand()
    reads = Reads(hand, monkeypatch)
    asked = replace(RYAN, voice=voices.get(name, name), max_frames=12, text_first=False)
    for text in TEXTS[:3]:
        reads.take()
        stream = hand.open(replace(asked, text="", text_first=None))
        hand.turn()
        opening = reads.take()
        for char in text:
            stream.feed(char)
            hand.turn()
        stream.end()
        hand.finish(stream)
        assert_same(heard(stream), plain(replace(asked, text=text)))
    assert opening == 0


def test_nothing_of_a_neighbour_changes(
    by_hand: OpenByHand,
    voices: dict[str, Voice],
    plain: Plain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows speak and read while another's start is copied in, and memory grows with it."""
    monkeypatch.setattr(slots_module, "FIRST_POSITIONS", 12)
    hand = by_hand(max_rows=3, read_positions=5)
    long = replace(RYAN, voice=voices["long"], text="A" * 30, text_first=True)
    for _ in range(2):
        hand.speak(long)
    hand.slots.clear()
    capacity = hand.slots.state.cache.capacity
    speaker = hand.start(replace(RYAN, seed=5, max_frames=12), (1,))
    hand.turn(3)
    reader = hand.start(replace(RYAN, voice=voices["short"], max_frames=4), (1,))
    hand.turn()
    again = hand.start(long, (1,))
    hits = hand.loop.prefixes.hits
    hand.finish(again, reader, speaker)
    assert hand.loop.prefixes.hits > hits
    assert hand.slots.state.cache.capacity > 2 * capacity
    for stream, asked in (
        (speaker, replace(RYAN, seed=5, max_frames=12)),
        (reader, replace(RYAN, voice=voices["short"], max_frames=4)),
        (again, long),
    ):
        assert_same(heard(stream), plain(asked))


def test_copied_memory_is_what_reading_makes(by_hand: OpenByHand, voices: dict[str, Voice]) -> None:
    """Keys, values and output, bit for bit those of the prompt that was kept; of another prompt up
    to rounding: numbers of up to 5 made by sums of a few hundred terms in float32."""
    hand, without = by_hand(), by_hand(prefix_cache_bytes=0)
    asked = [replace(RYAN, voice=voices["long"], text=f"{n}. What.") for n in range(4)]
    kept = [ready(hand, one) for one in (*asked, asked[-1], asked[-1])]
    read = [ready(without, one) for one in (*asked, asked[-1], asked[-1])]
    for mine, right in zip(kept, read, strict=True):
        for a, b in zip(mine, right, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=2e-5)
    for a, b in zip(kept[-1], kept[-2], strict=True):
        assert torch.equal(a, b)
    assert hand.loop.prefixes.hits == 4


def ready(hand: ByHand, asked: SpeechRequest) -> tuple[torch.Tensor, ...]:
    """Keys, values and output of a row whose prompt has just been read."""
    stream = hand.start(asked, (1,))
    found: list[tuple[torch.Tensor, ...]] = []
    step = hand.slots.step

    def stepping(rows: Any) -> Any:
        if not found:
            cache, end = hand.slots.state.cache, hand.slots.positions[0]
            assert int(cache.pos[0]) == end == length(hand, asked)
            parts = (cache.keys[:, 0, :, :end], cache.values[:, 0, :, :end])
            found.append((*(p.clone() for p in parts), hand.slots.state.hidden[0].clone()))
        return step(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hand.slots, "step", stepping)
        hand.finish(stream)
    return found[0]


# on the kernels


@pytest.fixture
def native(
    preset: Qwen3Synthesizer, parts: tuple[SpeechModel, Codec]
) -> Iterator[Callable[..., ByHand]]:
    """`native(format, **options)`."""
    model, codec = parts
    made: list[Engine] = []

    def make(format: Any, **options: Any) -> ByHand:
        given = EngineOptions(**{"warm_up": False, **options})
        planner = preset.engine.planner
        plan = AnyVoicePlanner(model.config, planner.generation, planner.tokenizer, given)
        runner = NativeRunner(deepcopy(model).bfloat16(), format, Team(1))
        made.append(Engine(model, codec, plan, given, runner))
        return ByHand(made[-1])

    yield make
    for engine in made:
        engine.close(drain=False)


@needs_kernels
@pytest.mark.parametrize("format", ["int8", "int4", None])
def test_kernels_make_equal_bits(
    format: Any, native: Callable[..., ByHand], voices: dict[str, Voice]
) -> None:
    """Memory, output and codes, whatever was copied and whatever was read with it."""
    hand, without = native(format), native(format, prefix_cache_bytes=0)
    for kind in all_kinds(voices)[::3]:
        for text in TEXTS:
            asked = replace(kind, text=text, max_frames=3)
            for a, b in zip(ready(hand, asked), ready(without, asked), strict=True):
                assert torch.equal(a, b)
            assert hand.speak(asked).codes.tolist() == without.speak(asked).codes.tolist()
    assert hand.loop.prefixes.hits > 8
    sound(hand.loop.prefixes)


# what decides a position


def digests(prompt: Prompt, vector: bytes = b"") -> list[bytes]:
    reading = Reading(prompt, vector)
    reading.digest()
    return reading.digests


def test_equal_digests_are_equal_prompts() -> None:
    """All prompts of up to two positions over a few ids, codes and vectors."""
    frames = [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]
    places = [(text, codes, at) for text in (0, 1, 2) for codes in frames for at in (0, 1, 2)]
    seen: dict[bytes, Any] = {}
    for first in places:
        for second in places:
            prompt = Prompt([first[0], second[0]], [first[1], second[1]])
            speakers = [b"\0" * 8 * at for at in (first[2], second[2])]
            for at, vector in enumerate(speakers):
                prompt.speaker_at = at if vector else None
                both = vector if at == 0 else b"", vector if at == 1 else b""
                read = [(first[:2], both[0]), (second[:2], both[1])]
                for end, digest in enumerate(digests(prompt, vector), start=1):
                    assert seen.setdefault(digest, read[:end]) == read[:end]
    assert len(seen) == 18 * 3 + 18 * 18 * 5  # of one position; of two, at most one with a vector


def test_digests_are_of_values_not_types(voices: dict[str, Voice]) -> None:
    """Equal prompts of equal voices, however these were made, have equal digests."""
    lists = Prompt([1, 2], [[3], [4, 5]], speaker_at=0)
    arrays = Prompt([1, 2], [tuple(np.array([3])), tuple(np.array([4, 5]))], speaker_at=0)
    vector = voices["x"].vector
    assert digests(lists, vector.tobytes()) == digests(arrays, vector.copy().tobytes())
    other = vector.copy()
    other[-1] = np.nextafter(other[-1], np.float32(9))
    assert digests(lists, vector.tobytes())[0] != digests(lists, other.tobytes())[0]


def test_a_prompt_that_grows_has_the_digests_of_the_whole() -> None:
    prompt = Prompt([1, 2, 3], [(), (4,), (5, 6)])
    whole = digests(prompt)
    growing = Prompt([], [])
    reading = Reading(growing, b"")
    for at in range(3):
        growing.add(prompt.text_ids[at], *prompt.codes[at])
        reading.digest()
        assert reading.digests == whole[: at + 1]


# memory


def bytes_of(hand: ByHand, positions: int) -> int:
    """What so many positions take, and what the talker made of the last one."""
    state = hand.slots.state
    one = 2 * state.cache.keys[:, 0, :, 0].nbytes
    return positions * one + state.hidden[0].nbytes


def test_nothing_is_kept_where_it_is_turned_off(by_hand: OpenByHand) -> None:
    hand = by_hand(prefix_cache_bytes=0)
    for _ in range(3):
        hand.speak(RYAN)
    prefixes = hand.loop.prefixes
    assert not any((prefixes.readings, prefixes.seen, prefixes.segments))
    assert (prefixes.hits, prefixes.misses, prefixes.bytes) == (0, 0, 0)


def test_what_is_read_once_is_not_kept(by_hand: OpenByHand) -> None:
    hand = by_hand()
    hand.speak(RYAN)
    assert not hand.loop.prefixes.segments
    hand.speak(replace(RYAN, text="Quite another."))
    shared = 3 + 4 + 1 + 1  # role, tags, speaker, begin of text
    assert sorted(segment.start for segment in hand.loop.prefixes.segments.values()) == [0, 8]
    assert sum(s.memory.shape[3] for s in hand.loop.prefixes.segments.values()) == shared
    assert all(segment.hidden is None for segment in hand.loop.prefixes.segments.values())


def test_too_little_memory_keeps_the_start(
    by_hand: OpenByHand, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = by_hand()
    hand.loop.prefixes.max_bytes = bytes_of(hand, 11)
    reads, whole = Reads(hand, monkeypatch), length(hand, RYAN)
    for positions in (whole, whole, whole - 11):
        assert_same(hand.speak(RYAN), plain(RYAN))
        assert reads.take() == positions
        sound(hand.loop.prefixes)


def test_the_least_recently_used_go_first(
    by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three voices of which two fit: the one not heard for longest is read again."""
    hand = by_hand()
    instruct = [replace(RYAN, voice="", instruct=f"{n}: like that.") for n in range(3)]
    whole = length(hand, instruct[0])
    hand.loop.prefixes.max_bytes = 2 * bytes_of(hand, whole)
    reads = Reads(hand, monkeypatch)
    for n in (0, 0, 1, 1, 0, 2, 2):  # keeping 2 takes the place of 1
        hand.speak(instruct[n])
        sound(hand.loop.prefixes)
    reads.take()
    for n, positions in ((0, 0), (2, 0)):
        hand.speak(instruct[n])
        assert reads.take() == positions
    hand.speak(instruct[1])
    assert reads.take() > 0


def test_random_requests_in_little_memory_are_spoken_as_without(
    by_hand: OpenByHand,
    voices: dict[str, Voice],
    plain: Plain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Segments come and go all the time, prompts are read in pieces, some are given up."""
    monkeypatch.setattr(prefixes_module, "MOST_SEEN", 100)
    monkeypatch.setattr(loop_module.Loop, "_reading_s", lambda _: 0.0)
    hand, random = by_hand(max_rows=3, read_positions=7), Random(5)
    hand.loop.prefixes.max_bytes = bytes_of(hand, 40)
    kinds = all_kinds(voices)
    under_way: list[tuple[Any, SpeechRequest]] = []
    for _ in range(60):
        kind = replace(random.choice(kinds), text=random.choice(TEXTS), max_frames=3)
        under_way.append((hand.start(kind, (1,)), kind))
        hand.turn(random.randrange(4))
        if random.random() < 0.2:
            under_way.pop(random.randrange(len(under_way)))[0].cancel()
        sound(hand.loop.prefixes)
        assert len(hand.loop.prefixes.seen) <= 100
    hand.finish(*(stream for stream, _ in under_way))
    for stream, asked in under_way:
        assert_same(heard(stream), plain(asked))
    hand.turn()
    assert hand.empty
    assert not hand.loop.prefixes.readings
    assert hand.loop.prefixes.hits > 10


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="prefix_cache_bytes is -1, allowed: 0 or more"):
        EngineOptions(prefix_cache_bytes=-1)


# ends and faults


def test_a_cancelled_prompt_leaves_only_what_was_read(
    by_hand: OpenByHand, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module.Loop, "_reading_s", lambda _: 0.0)
    hand = by_hand(max_rows=2, read_positions=10, bias=0)
    speaker = hand.start(replace(RYAN, max_frames=40, voice="eric"), (1,))
    hand.turn(2)
    long = replace(RYAN, text="B" * 40)
    for _ in range(2):
        stream = hand.start(long, (1,))
        hand.turn(2)
        stream.cancel()
        hand.turn()
    prefixes = hand.loop.prefixes
    assert 10 <= max(s.start + s.memory.shape[3] for s in prefixes.segments.values()) <= 20
    assert prefixes.readings.keys() == {0}
    last = hand.start(long, (1,))
    hand.finish(last, speaker)
    without = by_hand(max_rows=1, bias=0, prefix_cache_bytes=0)
    assert_same(heard(last), without.speak(long))


def test_a_read_that_fails_keeps_nothing(
    by_hand: OpenByHand, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = by_hand()
    talk, fails = hand.slots.runner.talk, [True]

    def talking(*given: Any) -> Any:
        made = talk(*given)
        if fails[0]:
            raise RuntimeError("half-way")
        return made

    monkeypatch.setattr(hand.slots.runner, "talk", talking)
    for _ in range(3):
        stream = hand.start(RYAN)
        hand.finish(stream)
        assert isinstance(end_of(stream), Exception)
    prefixes = hand.loop.prefixes
    assert not any((prefixes.readings, prefixes.seen, prefixes.segments))
    fails[0] = False
    for _ in range(4):
        assert_same(hand.speak(RYAN), plain(RYAN))


def test_no_memory_to_keep_something_ends_no_request(
    by_hand: OpenByHand, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = by_hand()
    hand.speak(RYAN)
    hand.speak(replace(RYAN, text="Quite another."))
    assert hand.loop.prefixes.bytes

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(hand.slots, "memory", full)
        assert_same(hand.speak(RYAN), plain(RYAN))
    assert (len(hand.loop.prefixes.segments), hand.loop.prefixes.bytes) == (0, 0)
    for _ in range(2):
        assert_same(hand.speak(RYAN), plain(RYAN))
    sound(hand.loop.prefixes)


def test_no_memory_for_a_step_gives_back_what_is_kept(
    by_hand: OpenByHand, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = by_hand()
    for _ in range(2):
        hand.speak(RYAN)
    assert hand.loop.prefixes.bytes

    def full(*_: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(hand.slots, "step", full)
        stream = hand.start(RYAN)
        hand.turn()
    assert isinstance(end_of(stream), Exception)
    assert (len(hand.loop.prefixes.segments), hand.loop.prefixes.bytes) == (0, 0)
    assert_same(hand.speak(RYAN), plain(RYAN))


def test_engines_keep_their_own(by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same prompt on two engines, whose models may differ."""
    one, other = by_hand(), by_hand()
    for _ in range(2):
        one.speak(RYAN)
    reads = Reads(other, monkeypatch)
    other.speak(RYAN)
    assert reads.take() == length(other, RYAN)
    assert (other.loop.prefixes.hits, other.loop.prefixes.misses) == (0, 1)
