"""The fake offers what the protocol says, argument by argument."""

import inspect

from qwen3_tts.backends.base import Synthesizer
from tests.fake_synthesizer import FakeSynthesizer


def test_signatures() -> None:
    methods = inspect.getmembers(Synthesizer, inspect.isfunction)
    public = {name: method for name, method in methods if not name.startswith("_")}
    assert set(public) >= {"synthesize", "synthesize_batch", "clone_voice"}
    for name, method in public.items():
        assert inspect.signature(getattr(FakeSynthesizer, name)) == inspect.signature(method)
    values = inspect.getmembers(Synthesizer, lambda member: isinstance(member, property))
    assert all(hasattr(FakeSynthesizer(), name) for name, _ in values)
