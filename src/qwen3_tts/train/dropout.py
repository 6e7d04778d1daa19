"""Dropout for a model that has none: hooks on what attention and feed-forward layers add."""

from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.model.layers import Attention, SwiGLU
from qwen3_tts.model.speech_model import SpeechModel


def add_dropout(model: SpeechModel, share: float) -> None:
    """Drop a share of every layer's output for as long as the model is in training mode.

    A corpus of a few hours is otherwise learnt by heart: of 12,000 utterances, after about
    thirteen epochs, group 0 cost 0.88 where it was trained and 1.14 on held-out ones.
    """

    def drop(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return F.dropout(output, share, training=module.training)

    for module in model.modules():
        if isinstance(module, Attention | SwiGLU):
            module.register_forward_hook(drop)
