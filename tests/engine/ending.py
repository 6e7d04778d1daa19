"""A random model hardly ever ends its speech; with a bias on that score it does."""

from copy import deepcopy

import torch

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.engine import Engine

END_OF_SPEECH = 2150


def likely_to_end(synthesizer: Qwen3Synthesizer, bias: float = 6.0) -> Qwen3Synthesizer:
    """A copy whose score of end of speech is `bias` higher; at 6 rows end after 2 to 20 frames."""
    model, engine = deepcopy(synthesizer.engine.model), synthesizer.engine
    head = model.talker.codec_head
    head.bias = torch.nn.Parameter(torch.zeros(head.out_features), requires_grad=False)
    head.bias[END_OF_SPEECH] = bias
    other = Engine(model, engine.codec, engine.planner, engine.options)
    return Qwen3Synthesizer(other, synthesizer.cloner)
