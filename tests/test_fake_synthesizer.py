"""The fake offers what the protocol says, argument by argument."""

import inspect
from dataclasses import fields

from qwen3_tts.backends.base import SpeechTextStream, Synthesizer
from qwen3_tts.engine.stream import TextStream
from qwen3_tts.types import SpeakOptions, SpeechRequest
from tests.fake_synthesizer import FakeSynthesizer


def test_signatures() -> None:
    methods = inspect.getmembers(Synthesizer, inspect.isfunction)
    public = {name: method for name, method in methods if not name.startswith("_")}
    assert set(public) >= {"synthesize", "stream", "open_stream", "synthesize_batch", "clone_voice"}
    for name, method in public.items():
        ours = inspect.signature(getattr(FakeSynthesizer, name))
        assert ours.parameters == inspect.signature(method).parameters
    values = inspect.getmembers(Synthesizer, lambda member: isinstance(member, property))
    assert all(hasattr(FakeSynthesizer(), name) for name, _ in values)


def test_speak_options_are_the_fields_of_a_request() -> None:
    names = [field.name for field in fields(SpeechRequest)]
    assert names == ["text", *SpeakOptions.__annotations__]


def test_streams_have_every_member() -> None:
    stream = FakeSynthesizer().stream("Hi.", seed=3)
    members = {name for name in dir(SpeechTextStream) if not name.startswith("_")}
    assert members >= {"feed", "end", "result", "cancel", "timing"}
    assert members <= set(dir(stream))
    assert members <= set(dir(TextStream))
    assert [chunk.index for chunk in stream] == [0, 1, 2]
