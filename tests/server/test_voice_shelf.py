"""Voices by name: who is meant, what it costs, and what is kept."""

import asyncio
import io
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from qwen3_tts.backends.fake import VECTOR_SIZE, FakeSynthesizer
from qwen3_tts.errors import DiskFull, InvalidVoice
from qwen3_tts.server.access.auth import ANONYMOUS, Principal
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.observe.metrics import Metrics
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.speaking.model_host import ModelHost
from qwen3_tts.server.voices.cache import Cache
from qwen3_tts.server.voices.schemas import NewVoice, Resolved
from qwen3_tts.server.voices.shelf import OPENAI_NAMES, VoiceShelf
from qwen3_tts.types import Voice
from qwen3_tts.voices.library import VoiceEntry, VoiceLibrary

RATE = 24_000
ANN, BOB = Principal("key:0000000a", True), Principal("key:0000000b", True)
KEYS = ("a" * 16, "b" * 16)


class SizedSynthesizer(FakeSynthesizer):
    """Tells how many numbers its voices have."""

    @property
    def voice_width(self) -> int:
        return VECTOR_SIZE


def wav(seed: int = 0, seconds: float = 1.5) -> bytes:
    file = io.BytesIO()
    sound = np.random.default_rng(seed).uniform(-0.3, 0.3, round(RATE * seconds))
    soundfile.write(file, sound, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def shelf_of(
    folder: Path,
    model: FakeSynthesizer | None = None,
    metrics: Metrics | None = None,
    **settings: Any,
) -> tuple[VoiceShelf, FakeSynthesizer]:
    model = model or SizedSynthesizer("base")
    chosen = load_settings(voices_dir=folder, **settings)
    host = ModelHost(lambda: model, model_id="fake")
    return VoiceShelf(VoiceLibrary(folder), host, chosen, metrics or Metrics()), model


def run(shelf: VoiceShelf, *names: str | None) -> list[Resolved]:
    """All these names at once."""

    async def all_of_them() -> list[Resolved]:
        return list(await asyncio.gather(*(shelf.resolve(name) for name in names)))

    return asyncio.run(all_of_them())


def id_of(shelf: VoiceShelf, name: str | None) -> str:
    return run(shelf, name)[0].id


def refusal(work: Coroutine[Any, Any, Any]) -> Fault:
    with pytest.raises(Fault) as refused:
        asyncio.run(work)
    return refused.value


def install(folder: Path, *names: str) -> list[VoiceEntry]:
    """Voices made of recordings alone, one after another."""
    library = VoiceLibrary(folder)
    made = []
    for seed, name in enumerate(names):
        made.append(library.add(None, name=name, recording=wav(seed), transcript=f"I am {name}."))
        time.sleep(0.002)  # so that one is older than the other
    return made


def cloned(entry: VoiceEntry) -> Voice:
    """What the encoder makes of its recording."""
    assert entry.recording is not None
    return FakeSynthesizer("base").clone_voice(entry.recording, entry.transcript)


# names


def test_presets_by_any_case(tmp_path: Path) -> None:
    shelf, _ = shelf_of(tmp_path, FakeSynthesizer(voices=("Ann", "bob")))
    for name in ("ann", "ANN", " Ann "):
        (found,) = run(shelf, name)
        assert (found.id, found.voice, found.language) == ("Ann", "Ann", None)
    assert id_of(shelf, None) == id_of(shelf, "") == "Ann"


def test_an_unknown_voice_is_told_with_those_there_are(tmp_path: Path) -> None:
    shelf, _ = shelf_of(tmp_path, FakeSynthesizer(voices=("ann", "bob")))
    fault = refusal(shelf.resolve("zoe"))
    assert fault.code is FaultCode.VOICE_NOT_FOUND
    assert fault.message == "there is no voice 'zoe'; have: ann, bob"
    assert len(refusal(shelf.resolve("z" * 100_000)).message) < 200


def test_voices_of_the_library_by_id_and_name(tmp_path: Path) -> None:
    anna, _ = install(tmp_path, "Änna", "Bob")
    shelf, _ = shelf_of(tmp_path)
    for name in (anna.id, anna.id.upper(), "Änna", "ÄNNA", "A\u0308nna", " änna "):
        (found,) = run(shelf, name)
        assert found.id == anna.id
        assert isinstance(found.voice, Voice)
        np.testing.assert_array_equal(found.voice.vector, cloned(anna).vector)
        assert found.voice.checks is not None
        assert found.voice.checks["mode"] == found.voice.mode == "x_vector"  # it is noise


def test_a_library_without_voices_says_how_to_add_one(tmp_path: Path) -> None:
    shelf, _ = shelf_of(tmp_path / "missing")
    for name in (None, "alloy"):
        fault = refusal(shelf.resolve(name))
        assert fault.code is FaultCode.VOICE_NOT_FOUND
        assert "POST /api/v1/voices" in fault.message
    assert shelf.listing() == []


@pytest.mark.parametrize(
    ("model", "settings", "default"),
    [
        (FakeSynthesizer(voices=("bob", "ann")), {}, "ann"),
        (FakeSynthesizer(voices=("ann", "makima")), {}, "makima"),
        (FakeSynthesizer(voices=("ann", "bob")), {"default_voice": "BOB"}, "bob"),
        (FakeSynthesizer(voices=("ann", "bob")), {"default_voice": "ash"}, "bob"),
        (FakeSynthesizer("base"), {}, "Oldest"),
        (FakeSynthesizer("base"), {"default_voice": "a later one"}, "A later one"),
    ],
)
def test_the_default_voice(
    model: FakeSynthesizer, settings: dict[str, Any], default: str, tmp_path: Path
) -> None:
    install(tmp_path, "Oldest", "A later one")
    shelf, _ = shelf_of(tmp_path, model, **settings)
    found = id_of(shelf, None)
    (listed,) = [voice for voice in shelf.listing() if voice.is_default]
    assert (listed.id, listed.name) == (found, default)


def test_makima_is_the_default_where_she_is_installed(tmp_path: Path) -> None:
    _, makima = install(tmp_path, "Oldest", "Makima")
    shelf, _ = shelf_of(tmp_path)
    assert id_of(shelf, None) == makima.id


def test_a_default_that_does_not_exist_is_told(tmp_path: Path) -> None:
    install(tmp_path, "Ann")
    shelf, _ = shelf_of(tmp_path, default_voice="zoe")
    assert refusal(shelf.resolve(None)).message == "there is no voice 'zoe'; have: Ann"
    assert not any(voice.is_default for voice in shelf.listing())


def test_openai_names_are_spread_over_the_voices(tmp_path: Path) -> None:
    shelf, _ = shelf_of(tmp_path, FakeSynthesizer(voices=("a", "b", "c")))
    found = [voice.id for voice in run(shelf, *OPENAI_NAMES)]
    assert len(OPENAI_NAMES) == 13
    assert found == list("abcabcabcabca")
    pinned, _ = shelf_of(
        tmp_path, FakeSynthesizer(voices=("a", "b", "c")), openai_voices={"Alloy": "C", "x": "b"}
    )
    assert [voice.id for voice in run(pinned, "ALLOY", "ash", "X")] == ["c", "b", "b"]


def test_openai_names_in_a_library_go_by_age(tmp_path: Path) -> None:
    """So a name keeps its voice when a younger voice is deleted."""
    zoe, ann, bob = install(tmp_path, "Zoe", "Ann", "Bob")
    shelf, _ = shelf_of(tmp_path)
    ids = [voice.id for voice in run(shelf, "alloy", "ash", "ballad", "coral")]
    assert ids == [zoe.id, ann.id, bob.id, zoe.id]
    shelf.library.remove(bob.id)
    assert [voice.id for voice in run(shelf, "alloy", "ash")] == [zoe.id, ann.id]


def test_a_preset_or_an_installed_voice_goes_before_an_openai_name(tmp_path: Path) -> None:
    preset, _ = shelf_of(tmp_path, FakeSynthesizer(voices=("ann", "nova")))
    assert id_of(preset, "Nova") == "nova"
    _, nova = install(tmp_path, "Ann", "Nova")
    library, _ = shelf_of(tmp_path)
    assert id_of(library, "nova") == nova.id


def test_a_designing_checkpoint_needs_no_voice(tmp_path: Path) -> None:
    install(tmp_path, "Ann")
    shelf, _ = shelf_of(tmp_path, FakeSynthesizer("voice_design"))
    for name in (None, "", "alloy"):
        (found,) = run(shelf, name)
        assert (found.id, found.voice) == ("designed", None)
    assert refusal(shelf.resolve("zoe")).code is FaultCode.VOICE_NOT_FOUND
    assert shelf.listing() == []


def test_a_preset_checkpoint_does_not_speak_in_cloned_voices(tmp_path: Path) -> None:
    (anna,) = install(tmp_path, "Anna")
    shelf, _ = shelf_of(tmp_path, FakeSynthesizer(voices=("ann",)))
    fault = refusal(shelf.resolve("anna"))
    assert fault.code is FaultCode.INVALID_MESSAGE
    assert "cloned" in fault.message
    assert "have: ann" in fault.message
    assert [voice.id for voice in shelf.listing()] == ["ann"]
    assert shelf.find(anna.id).name == "Anna"  # it can be looked at and deleted


def test_the_fallback_tells_who_really_speaks(tmp_path: Path) -> None:
    shelf, _ = shelf_of(tmp_path, FakeSynthesizer(voices=("ann", "bob")), voice_fallback=True)
    assert [voice.id for voice in run(shelf, "zoe", "bob")] == ["ann", "bob"]
    empty, _ = shelf_of(tmp_path, voice_fallback=True)
    assert refusal(empty.resolve("zoe")).code is FaultCode.VOICE_NOT_FOUND


# what it costs


def test_many_first_uses_at_once_are_one_encoder_call(tmp_path: Path) -> None:
    (anna,) = install(tmp_path, "Anna")
    shelf, model = shelf_of(tmp_path, SizedSynthesizer("base", clone_s=0.2))
    found = run(shelf, *["anna", anna.id] * 10)
    assert model.encoder_calls == 1
    assert len({id(each.voice) for each in found}) == 1
    assert (shelf.cache.misses, shelf.cache.hits) == (1, 19)
    run(shelf, "anna")
    assert model.encoder_calls == 1


def test_the_event_loop_goes_on_while_a_voice_is_made(tmp_path: Path) -> None:
    install(tmp_path, "Anna")
    shelf, _ = shelf_of(tmp_path, SizedSynthesizer("base", clone_s=0.3))

    async def both() -> int:
        making = asyncio.ensure_future(shelf.resolve("anna"))
        turns = 0
        while not making.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns

    assert asyncio.run(both()) >= 10  # of 30; a loop that waits has 1


def test_a_restart_costs_no_encoder_call(tmp_path: Path) -> None:
    install(tmp_path, "Anna")
    shelf, _ = shelf_of(tmp_path)
    (before,) = run(shelf, "anna")
    again, model = shelf_of(tmp_path)
    (after,) = run(again, "anna")
    assert model.encoder_calls == 0
    assert isinstance(before.voice, Voice)
    assert isinstance(after.voice, Voice)
    np.testing.assert_array_equal(before.voice.vector, after.voice.vector)
    np.testing.assert_array_equal(before.voice.codes, after.voice.codes)
    assert before.voice.text == after.voice.text


@pytest.mark.parametrize("spoil", ["another model's", "broken"])
def test_a_voice_file_of_no_use_is_made_anew(spoil: str, tmp_path: Path) -> None:
    (anna,) = install(tmp_path, "Anna")
    file = anna.folder / "voice.safetensors"
    if spoil == "broken":
        file.write_bytes(b"not a voice")
    else:
        Voice(np.ones(VECTOR_SIZE + 1, np.float32)).save(file)
    shelf, model = shelf_of(tmp_path)
    (found,) = run(shelf, "anna")
    assert model.encoder_calls == 1
    np.testing.assert_array_equal(found.voice.vector, cloned(anna).vector)  # type: ignore[union-attr]
    np.testing.assert_array_equal(Voice.load(file).vector, cloned(anna).vector)


def test_a_voice_of_another_model_without_a_recording_is_told(tmp_path: Path) -> None:
    VoiceLibrary(tmp_path).add(Voice(np.ones(VECTOR_SIZE + 1, np.float32)), name="Anna")
    shelf, model = shelf_of(tmp_path)
    fault = refusal(shelf.resolve("anna"))
    assert fault.code is FaultCode.INVALID_MESSAGE
    assert f"{VECTOR_SIZE + 1} numbers, this model's {VECTOR_SIZE}" in fault.message
    assert "add the voice again" in fault.message
    assert str(tmp_path) not in fault.message
    assert model.encoder_calls == 0


def test_a_recording_that_cannot_be_read_is_told_without_paths(tmp_path: Path) -> None:
    (anna,) = install(tmp_path, "Anna")
    (anna.folder / "reference.wav").write_bytes(b"RIFF....WAVE")
    shelf, _ = shelf_of(tmp_path)
    fault = refusal(shelf.resolve("anna"))
    assert fault.code is FaultCode.INVALID_MESSAGE
    assert "its recording cannot be read" in fault.message
    assert str(tmp_path) not in fault.message


def test_a_library_that_cannot_be_written_to_still_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(tmp_path, "Anna")
    shelf, model = shelf_of(tmp_path)

    def full(*_: object) -> None:
        raise DiskFull("no space")

    monkeypatch.setattr(shelf.library, "save_prepared", full)
    run(shelf, "anna")
    run(shelf, "anna")
    assert model.encoder_calls == 1
    assert "could not be kept prepared: no space" in caplog.text


def test_a_voice_whose_files_changed_is_read_again(tmp_path: Path) -> None:
    (anna,) = install(tmp_path, "Anna")
    shelf, _ = shelf_of(tmp_path)
    run(shelf, "anna")
    other = Voice(np.full(VECTOR_SIZE, 0.25, np.float32), name="other")
    other.save(anna.folder / "voice.safetensors")
    (found,) = run(shelf, "anna")
    np.testing.assert_array_equal(found.voice.vector, other.vector)  # type: ignore[union-attr]
    shelf.library.remove(anna.id)
    assert refusal(shelf.resolve("anna")).code is FaultCode.VOICE_NOT_FOUND


def test_a_voice_whose_file_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (anna,) = install(tmp_path, "Anna")
    shelf, _ = shelf_of(tmp_path)
    other = Voice(np.full(VECTOR_SIZE, 0.25, np.float32), name="other, with a name of its own")
    cloned(anna).save(anna.folder / "voice.safetensors")
    load = shelf.library.load

    def overtaken(entry: VoiceEntry) -> Voice | None:
        voice = load(entry)
        other.save(anna.folder / "voice.safetensors")
        return voice

    monkeypatch.setattr(shelf.library, "load", overtaken)
    run(shelf, "anna")
    (found,) = run(shelf, "anna")
    np.testing.assert_array_equal(found.voice.vector, other.vector)  # type: ignore[union-attr]


def test_the_cache_keeps_the_newest_used_voices(tmp_path: Path) -> None:
    install(tmp_path, "A", "B", "C")
    metrics = Metrics()
    shelf, _ = shelf_of(tmp_path, metrics=metrics, voice_cache_entries=2)
    for name in ("a", "b", "a", "c", "a", "b"):  # c pushes b out, and b then c
        run(shelf, name)
    assert (shelf.cache.misses, shelf.cache.hits, shelf.cache.evictions) == (4, 2, 2)
    lines = [line.split() for line in metrics.render()[0].decode().splitlines()]
    told = {line[0]: float(line[1]) for line in lines if line[0].startswith("tts_voice_cache")}
    assert told == {
        "tts_voice_cache_misses_total": 4,
        "tts_voice_cache_hits_total": 2,
        "tts_voice_cache_evictions_total": 2,
        "tts_voice_cache_bytes": shelf.cache.bytes,
    }
    assert shelf.cache.bytes > 0


def test_an_error_goes_to_all_who_wait_and_the_next_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "Anna")
    shelf, model = shelf_of(tmp_path)
    clone = model.clone_voice
    calls = 0

    def failing(*given: Any, **how: Any) -> Voice:
        nonlocal calls
        calls += 1
        if calls == 1:
            time.sleep(0.05)
            raise InvalidVoice("not today")
        return clone(*given, **how)

    monkeypatch.setattr(model, "clone_voice", failing)

    async def several() -> Sequence[object]:
        asked = [shelf.resolve("anna") for _ in range(5)]
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [str(error) for error in asyncio.run(several())] == ["not today"] * 5
    assert isinstance(run(shelf, "anna")[0].voice, Voice)
    assert calls == 2


# the cache by itself


def cache_of(entries: int = 10, most_bytes: int = 1000) -> Cache[bytes]:
    return Cache(entries, most_bytes, len)


def making(thing: bytes, pause_s: float = 0.0) -> Callable[[], Coroutine[Any, Any, bytes]]:
    async def make() -> bytes:
        await asyncio.sleep(pause_s)
        return thing

    return make


def test_the_cache_has_room_for_so_many_bytes() -> None:
    async def use() -> None:
        cache = cache_of(most_bytes=100)
        for key in "abc":
            assert await cache.get(key, making(bytes(40))) == bytes(40)
        assert (len(cache), cache.bytes, cache.evictions) == (2, 80, 1)
        assert await cache.get("large", making(bytes(101))) == bytes(101)
        assert (len(cache), cache.bytes) == (2, 80)  # handed out, not kept
        cache.drop("c")
        assert (len(cache), cache.bytes) == (1, 40)
        cache.put("b", bytes(10))
        assert cache.bytes == 10

    asyncio.run(use())


def test_one_who_stops_waiting_does_not_stop_the_making() -> None:
    async def use() -> None:
        cache = cache_of()
        first = asyncio.ensure_future(cache.get("a", making(b"thing", 0.05)))
        second = asyncio.ensure_future(cache.get("a", making(b"another")))
        await asyncio.sleep(0.01)
        first.cancel()
        assert await second == b"thing"
        assert first.cancelled()
        assert cache.misses == 1

    asyncio.run(use())


def test_what_is_dropped_while_it_is_made_is_not_kept() -> None:
    async def use() -> None:
        cache = cache_of()
        old = asyncio.ensure_future(cache.get("a", making(b"old", 0.05)))
        await asyncio.sleep(0.01)
        cache.drop("a")
        assert await cache.get("a", making(b"new")) == b"new"
        assert await old == b"old"
        assert await cache.get("a", making(b"third")) == b"new"

    asyncio.run(use())


# adding and removing


def add(shelf: VoiceShelf, name: str, owner: Principal = ANN, **told: Any) -> str:
    new = NewVoice(**{"name": name, "content": wav(), **told})
    return asyncio.run(shelf.add(new, owner)).id


def test_an_added_voice_is_there_at_once_and_after_a_restart(tmp_path: Path) -> None:
    shelf, model = shelf_of(tmp_path)
    told = {"transcript": "I am Anna.", "language": "german", "consent": "yes", "description": "x"}
    voice_id = add(shelf, "Anna", **told)
    entry = shelf.library.find("anna")
    assert entry.id == voice_id
    assert (entry.transcript, entry.language, entry.consent) == ("I am Anna.", "german", "yes")
    assert (entry.owner, entry.description) == (ANN.id, "x")
    (found,) = run(shelf, "Anna")
    assert model.encoder_calls == 1  # when it was added
    assert found.language == "german"
    again, restarted = shelf_of(tmp_path)
    (kept,) = run(again, voice_id)
    assert restarted.encoder_calls == 0
    np.testing.assert_array_equal(kept.voice.vector, found.voice.vector)  # type: ignore[union-attr]
    assert kept.voice.name == "Anna"  # type: ignore[union-attr]


def test_the_recording_is_kept_as_wav_and_encodes_to_the_same_voice(tmp_path: Path) -> None:
    shelf, model = shelf_of(tmp_path)
    flac = io.BytesIO()
    sound, rate = soundfile.read(io.BytesIO(wav()))
    soundfile.write(flac, sound, rate, format="FLAC", subtype="PCM_16")
    add(shelf, "Anna", content=flac.getvalue())
    path = shelf.library.recording_path(shelf.library.find("anna"))
    assert path is not None
    assert path.read_bytes() == wav()  # nothing was lost on the way
    np.testing.assert_array_equal(
        model.clone_voice(path).vector,
        run(shelf, "anna")[0].voice.vector,  # type: ignore[union-attr]
    )


def test_the_same_recording_is_encoded_once(tmp_path: Path) -> None:
    shelf, model = shelf_of(tmp_path)
    first = asyncio.run(shelf.clone(wav(), "Hello."))
    assert asyncio.run(shelf.clone(wav(), "Hello.")) is first
    add(shelf, "Anna", transcript="Hello.")
    assert model.encoder_calls == 1
    assert asyncio.run(shelf.clone(wav(), "Goodbye.")) is not first
    assert asyncio.run(shelf.clone(wav(1), "Hello.")) is not first
    assert model.encoder_calls == 3


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (SizedSynthesizer("base"), "anna"),
        (SizedSynthesizer("base"), "ANNA"),
        (SizedSynthesizer("base"), "alloy"),
        (SizedSynthesizer("base"), "Cedar"),
        (SizedSynthesizer("base"), "mine"),
        (SizedSynthesizer("base"), "voice_0123456789ab"),
    ],
)
def test_names_that_are_taken(model: FakeSynthesizer, name: str, tmp_path: Path) -> None:
    """Nobody may answer to a name that others already use for somebody else."""
    install(tmp_path, "Anna")
    (tmp_path / "voice_0123456789ab").mkdir()
    (tmp_path / "voice_0123456789ab" / "reference.wav").write_bytes(wav())
    shelf, _ = shelf_of(tmp_path, model, openai_voices={"mine": "anna"})
    fault = refusal(shelf.add(NewVoice(name, wav()), ANN))
    assert fault.code is FaultCode.CONFLICT
    assert model.encoder_calls == 0


def test_two_uploads_of_one_name_make_one_voice(tmp_path: Path) -> None:
    shelf, _ = shelf_of(tmp_path)

    async def both() -> list[object]:
        adds = [shelf.add(NewVoice("Anna", wav(seed)), ANN) for seed in (1, 2)]
        return list(await asyncio.gather(*adds, return_exceptions=True))

    results = asyncio.run(both())
    (fault,) = [result for result in results if isinstance(result, Fault)]
    assert fault.code is FaultCode.CONFLICT
    assert len(shelf.library.entries()) == 1


def test_voices_are_counted_in_all_and_for_each_owner(tmp_path: Path) -> None:
    shelf, _ = shelf_of(tmp_path, max_voices=3, max_voices_per_owner=2)
    add(shelf, "One")
    add(shelf, "Two")
    fault = refusal(shelf.add(NewVoice("Three", wav()), ANN))
    assert (fault.code, fault.message) == (
        FaultCode.FORBIDDEN,
        "you have 2 voices, allowed are 2; delete one",
    )
    add(shelf, "Three", BOB)
    fault = refusal(shelf.add(NewVoice("Four", wav()), BOB))
    assert "the server holds 3 voices, allowed are 3" in fault.message
    assert len(shelf.library.entries()) == 3


def test_callers_without_keys_are_counted_together_only_in_all(tmp_path: Path) -> None:
    shelf, _ = shelf_of(tmp_path, max_voices=3, max_voices_per_owner=1)
    add(shelf, "One", ANONYMOUS)
    add(shelf, "Two", ANONYMOUS)
    assert len(shelf.library.entries()) == 2


@pytest.mark.parametrize(
    ("told", "code", "message"),
    [
        ({"content": b"text"}, FaultCode.INVALID_MESSAGE, "no recording of a known kind"),
        ({"content": wav(seconds=0.2)}, FaultCode.INVALID_MESSAGE, "lasts 0.20 s"),
        ({"content": wav(seconds=31)}, FaultCode.INVALID_MESSAGE, "longer than 30 s"),
        ({"language": "klingon"}, FaultCode.INVALID_MESSAGE, "klingon"),
    ],
)
def test_what_cannot_be_cloned_leaves_nothing_behind(
    told: dict[str, Any], code: FaultCode, message: str, tmp_path: Path
) -> None:
    shelf, _ = shelf_of(tmp_path / "voices")
    fault = refusal(shelf.add(NewVoice(**{"name": "Anna", "content": wav(), **told}), ANN))
    assert fault.code is code
    assert message in fault.message
    assert not (tmp_path / "voices").exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DiskFull("no space in /secret"), FaultCode.STORAGE_FULL),
        (InvalidVoice("cannot write to /secret"), FaultCode.SYNTHESIS_ERROR),
    ],
)
def test_a_folder_that_takes_nothing_is_told_without_its_path(
    error: Exception, code: FaultCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, _ = shelf_of(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise error

    add(shelf, "Anna", ANN)
    monkeypatch.setattr(shelf.library, "add", refuse)
    monkeypatch.setattr(shelf.library, "remove", refuse)
    for work in (shelf.add(NewVoice("Berta", wav()), ANN), shelf.remove("Anna", ANN)):
        fault = refusal(work)
        assert fault.code is code
        assert "secret" not in fault.message


def test_making_and_deleting_is_logged_without_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf, _ = shelf_of(tmp_path, api_keys=KEYS)
    with caplog.at_level(logging.INFO):
        voice_id = add(shelf, "Anna", transcript="Private words.", consent="Her agreement")
        add(shelf, "Berta")
        asyncio.run(shelf.remove("Anna", ANN))
    lines = [record.getMessage() for record in caplog.records if ANN.id in record.getMessage()]
    assert lines[0] == f"voice `{voice_id}` was made by `{ANN.id}`, consent given"
    assert lines[1].endswith("consent not given")
    assert lines[2] == f"voice `{voice_id}` was deleted by `{ANN.id}`"
    for word in ("Anna", "Private", "agreement", "Berta"):
        assert word not in caplog.text


def test_a_voice_is_deleted_by_who_made_it_alone(tmp_path: Path) -> None:
    (installed,) = install(tmp_path, "Installed")
    shelf, _ = shelf_of(tmp_path, api_keys=KEYS)
    voice_id = add(shelf, "Anna", ANN)
    nobodys = add(shelf, "Old", ANONYMOUS)  # from when the server had no keys
    for name, caller in ((voice_id, BOB), (installed.id, ANN), (nobodys, ANONYMOUS)):
        fault = refusal(shelf.remove(name, caller))
        assert fault.code is FaultCode.FORBIDDEN
    assert asyncio.run(shelf.remove("ANNA", ANN)) == voice_id
    assert refusal(shelf.remove(voice_id, ANN)).code is FaultCode.VOICE_NOT_FOUND
    assert refusal(shelf.resolve("anna")).code is FaultCode.VOICE_NOT_FOUND


def test_without_keys_everybody_may_delete(tmp_path: Path) -> None:
    (installed,) = install(tmp_path, "Installed")
    shelf, _ = shelf_of(tmp_path)
    mine = add(shelf, "Anna", ANN)
    asyncio.run(shelf.remove(installed.id, ANONYMOUS))
    asyncio.run(shelf.remove(mine, ANONYMOUS))
    assert shelf.library.entries() == []


def test_presets_are_not_deleted(tmp_path: Path) -> None:
    shelf, _ = shelf_of(tmp_path, FakeSynthesizer(voices=("ann",)))
    fault = refusal(shelf.remove("Ann", ANONYMOUS))
    assert fault.code is FaultCode.FORBIDDEN
    assert "belongs to the model" in fault.message


def test_a_checkpoint_that_cannot_clone_says_so(tmp_path: Path) -> None:
    for kind in ("custom_voice", "voice_design"):
        shelf, model = shelf_of(tmp_path, FakeSynthesizer(kind))
        for work in (shelf.clone(wav()), shelf.add(NewVoice("Anna", wav()), ANN)):
            fault = refusal(work)
            assert fault.code is FaultCode.INVALID_MESSAGE
            assert f"{kind} checkpoint, which cannot clone" in fault.message
        assert model.encoder_calls == 0
