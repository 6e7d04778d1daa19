"""Which optimizer moves which weight.

AdamW moves everything, or only embeddings, heads, norms and biases where Muon moves the matrices
inside the transformers: its steps are orthogonal matrices, so that all directions of a layer learn
equally fast. Muon's steps are scaled to the size of AdamW's; one learning rate serves both.
"""

import torch
from torch import nn
from torch.optim import Optimizer

from qwen3_tts.errors import InvalidConfig
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.train.options import TalkerOptions

BETAS = (0.9, 0.98)


def make_optimizers(model: SpeechModel, options: TalkerOptions) -> list[Optimizer]:
    """One or two optimizers; `scale` of a group multiplies the learning rate of the moment."""
    inner: list[nn.Parameter] = []
    matrices: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or "embedding" in name:
            plain.append(parameter)
        elif options.optimizer == "muon" and ".blocks." in name:
            inner.append(parameter)
        else:
            matrices.append(parameter)
    groups = [
        {"params": matrices, "weight_decay": options.weight_decay, "scale": 1.0},
        {"params": plain, "weight_decay": 0.0, "scale": 1.0},
    ]
    made: list[Optimizer] = [torch.optim.AdamW(groups, lr=options.lr, betas=BETAS, fused=True)]
    if options.optimizer == "muon":
        if not hasattr(torch.optim, "Muon"):
            raise InvalidConfig("--optimizer muon needs PyTorch 2.9 or later; use adamw")
        own = [{"params": inner, "scale": options.muon_scale}]
        made.append(
            torch.optim.Muon(
                own,
                lr=options.lr,
                weight_decay=options.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return made
