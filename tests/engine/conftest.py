"""A model of 4 codebooks, a quarter of the work of 16, and engines over it that get closed.

Its planner takes presets, cloned voices and instructions, so that one batch may hold them all.
"""

import gc
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.config import SpeakerEncoderConfig
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.plan import Job, Planner
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.types import SpeechRequest, Voice
from qwen3_tts.weights.published import SPECIAL_TOKENS, tiny_codec_config, tiny_config
from qwen3_tts.weights.random import random_codec, random_speech_model
from tests.engine.by_hand import ByHand
from tests.engine.ending import END_OF_SPEECH
from tests.engine.kinds import Expected, make_voices

GROUPS = 4
MakeEngine = Callable[..., Engine]


class AnyVoicePlanner(Planner):
    """Plans for presets as CustomVoice does and for cloned voices as base does: the layouts differ,
    and what a slot does with them does not depend on the checkpoint's kind."""

    def __init__(self, config: Any, generation: Any, tokenizer: Any, options: EngineOptions):
        super().__init__(config, generation, tokenizer, options)
        encoder = SpeakerEncoderConfig(enc_dim=config.talker_config.hidden_size)
        base = replace(config, tts_model_type="base", speaker_encoder_config=encoder)
        self.cloned = Planner(base, generation, tokenizer, options)

    def plan(self, request: SpeechRequest) -> Job:
        cloned = isinstance(request.voice, Voice)
        return self.cloned.plan(request) if cloned else super().plan(request)

    def plan_open(self, request: SpeechRequest) -> Job:
        cloned = isinstance(request.voice, Voice)
        return self.cloned.plan_open(request) if cloned else super().plan_open(request)


def with_bias(model: SpeechModel, code: int, bias: float) -> SpeechModel:
    """A copy that draws a first code more often; at 6, end of speech comes within 20 frames."""
    model = deepcopy(model)
    head = model.talker.codec_head
    head.bias = torch.nn.Parameter(torch.zeros(head.out_features), requires_grad=False)
    head.bias[code] = bias
    return model


@pytest.fixture(scope="session")
def parts(preset: Qwen3Synthesizer) -> tuple[SpeechModel, Codec]:
    """A CustomVoice model like 1.7B and a codec, both of 4 codebooks; the codec in float64, where
    the same sound made in different chunks is the same to 1e-12."""
    ids = preset.config
    values = (
        ids.im_start_token_id,
        ids.im_end_token_id,
        ids.tts_pad_token_id,
        ids.tts_bos_token_id,
        ids.tts_eos_token_id,
    )
    special = dict(zip(SPECIAL_TOKENS, values, strict=True))
    config = tiny_config("custom_voice", wide=True, num_code_groups=GROUPS, special_ids=special)
    codec = random_codec(tiny_codec_config(num_code_groups=GROUPS), 7).double()
    return random_speech_model(config, 7), Codec(codec)


@pytest.fixture(scope="session")
def build_engine(preset: Qwen3Synthesizer, parts: tuple[SpeechModel, Codec]) -> MakeEngine:
    """As `make_engine`, for whoever closes the engine or lets it be collected."""
    model, codec = parts
    biased = cache(lambda code, bias: with_bias(model, code, bias) if bias else model)
    planner = preset.engine.planner

    def build(*, bias: float = 6.0, code: int = END_OF_SPEECH, **options: Any) -> Engine:
        given = EngineOptions(**{"warm_up": False, **options})
        plan = AnyVoicePlanner(model.config, planner.generation, planner.tokenizer, given)
        return Engine(biased(code, bias), codec, plan, given)

    return build


@pytest.fixture
def make_engine(build_engine: MakeEngine) -> Iterator[MakeEngine]:
    """`make_engine(bias=6.0, code=END_OF_SPEECH, **options)`; without a bias speech never ends."""
    made: list[Engine] = []

    def make(**given: Any) -> Engine:
        made.append(build_engine(**given))
        return made[-1]

    yield make
    for engine in made:
        engine.close(drain=False)


@pytest.fixture
def by_hand(make_engine: MakeEngine) -> Callable[..., ByHand]:
    """`by_hand(**as make_engine)`: an engine without its thread."""
    return lambda **given: ByHand(make_engine(**given))


@pytest.fixture(scope="session")
def voices(parts: tuple[SpeechModel, Codec]) -> dict[str, Voice]:
    """Cloned voices: a vector, a short reference, and one that is decoded in three pieces."""
    return make_voices(parts[0].config.talker_config.hidden_size, GROUPS)


@pytest.fixture(scope="session")
def expected(build_engine: MakeEngine) -> Expected:
    """`expected(request)`: the speech of a request that had an engine to itself."""
    return Expected(ByHand(build_engine(max_rows=1)).speak)


@pytest.fixture
def collected() -> Iterator[None]:
    """Garbage of earlier tests is gone, so that what a test counts is its own."""
    gc.collect()
    return
