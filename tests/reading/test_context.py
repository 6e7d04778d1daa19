"""What a cloned voice hears before each segment."""

from dataclasses import replace

import numpy as np
import pytest

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.errors import UnsupportedRequest
from qwen3_tts.reading.context import Context, Restart, chosen_context, goes_on, voice_after
from qwen3_tts.reading.plan import ReadSegment, Section
from qwen3_tts.reading.reader import ReadOptions, read
from qwen3_tts.reading.spoken import Spoken
from qwen3_tts.types import Codes, Voice, Wave
from tests.reading.simple_text import segments

VECTOR = np.linspace(0, 1, 8, dtype=np.float32)
X_VOICE = Voice(VECTOR, name="x")
ICL_VOICE = Voice(VECTOR, np.full((5, 16), 7), "Its own words.", name="icl")
TEXT = "One of three. Two of three. Three of three.\n\nA new paragraph. Its end."


def spoken(frames: int = 20, reason: str = "stop") -> Spoken:
    pcm = np.full(frames * 1920, 3_000, np.int16)
    return Spoken(pcm, 24_000, np.ones((frames, 16), np.int64), 1, reason)


def heard(
    voice: Voice, context: Context, restart: Restart = "paragraph", text: str = TEXT
) -> list[tuple[str | None, Codes | None]]:
    """The reference of each segment, as it reached the engine, in order; and its own codes."""
    synth = FakeSynthesizer("base")
    options = ReadOptions(context=context, restart=restart, streamed="none")
    for _ in read(synth, segments(text), voice, options=options):
        pass
    voices = [request.voice for request in synth.requests]
    assert all(isinstance(v, Voice) and np.array_equal(v.vector, VECTOR) for v in voices)
    return [(v.text, v.codes) for v in voices if isinstance(v, Voice)]


def own_codes(text: str, seed: int | None) -> Codes:
    return FakeSynthesizer("base").synthesize(text, voice=X_VOICE, seed=seed).codes


def test_rolling_hears_the_segment_before_and_nothing_else() -> None:
    synth = FakeSynthesizer("base")
    options = ReadOptions(context="rolling", streamed="none")
    list(read(synth, segments(TEXT), ICL_VOICE, options=options))
    requests = list(synth.requests)
    texts = [request.voice.text for request in requests]
    assert texts == [
        *("Its own words.", "One of three.", "Two of three."),
        *("Its own words.", "A new paragraph."),
    ]
    for before, after in ((0, 1), (1, 2), (3, 4)):
        expected = own_codes(requests[before].text, requests[before].seed)
        assert np.array_equal(requests[after].voice.codes, expected)


def test_anchored_hears_its_own_reference_first() -> None:
    texts = [text for text, _ in heard(ICL_VOICE, "anchored")]
    assert texts == [
        *("Its own words.", "Its own words. One of three.", "Its own words. Two of three."),
        *("Its own words.", "Its own words. A new paragraph."),
    ]
    for text, codes in heard(ICL_VOICE, "anchored"):
        assert codes is not None
        assert np.array_equal(codes[:5], ICL_VOICE.codes)
        assert len(codes) == 5 + len((text or "").removeprefix("Its own words.").strip())


@pytest.mark.parametrize(
    ("voice", "context"), [(ICL_VOICE, "none"), (X_VOICE, "none"), (X_VOICE, "auto")]
)
def test_without_context_every_segment_stands_alone(voice: Voice, context: Context) -> None:
    assert {text for text, _ in heard(voice, context)} == {voice.text}


def test_auto_is_anchored_for_a_voice_with_a_reference() -> None:
    def texts(context: Context) -> list[str | None]:
        return [text for text, _ in heard(ICL_VOICE, context)]

    assert texts("auto") == texts("anchored")
    assert [text for text, _ in heard(X_VOICE, "anchored")][1] == "One of three."


@pytest.mark.parametrize(
    ("restart", "alone"), [("paragraph", [0, 3]), ("section", [0]), ("never", [0])]
)
def test_where_a_chain_begins_anew(restart: Restart, alone: list[int]) -> None:
    texts = [text for text, _ in heard(ICL_VOICE, "rolling", restart)]
    assert [i for i, text in enumerate(texts) if text == ICL_VOICE.text] == alone
    section = ReadSegment(4, "x", section=Section(2, None), paragraph=True)
    assert goes_on(section, restart) == (restart == "never")


def test_a_bad_reference_is_none() -> None:
    one, two = ReadSegment(0, "Seven words of text are said here."), ReadSegment(1, "Two.")
    used = voice_after(ICL_VOICE, "rolling", two, one, spoken(30))
    assert (used.text, len(used.codes)) == (one.text, 30)
    for bad in (spoken(30, "guard:loop"), spoken(5), spoken(251)):
        assert voice_after(ICL_VOICE, "rolling", two, one, bad) is ICL_VOICE
    silent = replace(spoken(30), pcm=np.zeros(57_600, np.int16))
    assert voice_after(ICL_VOICE, "rolling", two, one, silent) is ICL_VOICE
    german = replace(two, language="german")
    assert voice_after(ICL_VOICE, "rolling", german, one, spoken(30)) is ICL_VOICE
    assert voice_after(ICL_VOICE, "none", two, one, spoken(30)) is ICL_VOICE


def test_references_are_put_together_as_their_scripts_are() -> None:
    def both(own: str, other: str) -> str | None:
        voice = replace(ICL_VOICE, text=own)
        before = ReadSegment(0, other)
        return voice_after(voice, "anchored", ReadSegment(1, "x"), before, spoken(80)).text

    assert both("Own words. ", "And more.") == "Own words. And more."
    assert both("自己的话。", "还有。") == "自己的话。还有。"


def test_what_a_model_cannot_do() -> None:
    for kind, voice in (("custom_voice", "ann"), ("base", None), ("custom_voice", ICL_VOICE)):
        assert chosen_context("auto", kind, voice) == "none"
        for context in ("rolling", "anchored"):
            with pytest.raises(UnsupportedRequest, match=f"this is a {kind} checkpoint"):
                chosen_context(context, kind, voice)


def test_a_base_checkpoint_takes_such_a_reference(base: Qwen3Synthesizer, icl_voice: Voice) -> None:
    """Codes and words of two speeches in one reference, spoken on from by a real engine."""
    one, two = ReadSegment(0, "One two."), ReadSegment(1, "Three.")
    first = base.synthesize(one.text, voice=icl_voice, seed=1, max_frames=6, guard="off")
    before = Spoken.of(speech_like(6), 24_000, first.codes, seed=1, finish_reason="stop")
    voice = voice_after(icl_voice, "anchored", two, one, before)
    assert voice.text == "A short word. One two."
    assert voice.codes is not None
    assert len(voice.codes) == 7 + 6
    speech = base.synthesize(two.text, voice=voice, seed=1, max_frames=3, guard="off")
    alone = base.synthesize(two.text, voice=icl_voice, seed=1, max_frames=3, guard="off")
    assert speech.codes.shape == alone.codes.shape == (3, 16)
    assert not np.array_equal(speech.codes, alone.codes)


def speech_like(frames: int) -> Wave:
    return np.full(frames * 1920, 0.1, np.float32)
