"""Write what both sides open: the tiny checkpoints and the layers of real size.

    python validation/checkpoints.py FOLDER

Weights come from `signals.noise`, each from its own name, so a folder is the same on every machine
and needs no copy in the repository; `signals.digest` tells whether that still holds.
"""

import json
import math
import re
import sys
import zlib
from pathlib import Path

import cases
import our_layers
import signals
import torch
from safetensors.torch import save_file
from torch import nn

from qwen3_tts.config import GenerationConfig
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.prompt.byte_vocab import write_byte_tokenizer
from qwen3_tts.weights.published import tiny_codec_config, tiny_config
from qwen3_tts.weights.save import save_checkpoint

# (pattern of our parameter names, mean, standard deviation); the first match counts. None: by the
# number of inputs.
SPREADS: tuple[tuple[str, float, float | None], ...] = (
    (r"initialized$", 1, 0),
    (r"cluster_usage$", 1, 0.25),
    (r"embedding_sum$", 0, 0.3),
    (r"(^|\.)alpha$", 0, 0.3),
    (r"(^|\.)beta$", 1, 0.3),
    (r"embedding(\.\d+)?\.weight$", 0, 0.7),
    (r"norm\.weight$", 1, 0.2),
    (r"(_scale|gamma)$", 0.3, 0.2),
    (r"bias$", 0, 0.05),
    (r"weight$", 0, None),
)
# Factors on the last, by pattern; 1 otherwise. Below 1.5 a frame of the talker hardly depends on
# those before it. The decoder's residual units would amplify rounding errors a thousandfold on the
# way to the wave, which says nothing about either side, so their outputs are kept small.
GAINS = (
    (r"^(talker|code_predictor)\.", 1.5),
    (r"(^|\.)units\.\d\.conv2\.", 0.2),
    (r"^decoder\.wave_out\.", 0.1),  # loud enough to compare, never clamped
    (r"^encoder\.(conv|stages|down)", 1.3),  # so that recordings use many codes
)
END_GAIN = 2.0  # of the row that scores the end of speech, so that some speech ends by itself


def fill(module: nn.Module, seed: int) -> None:
    """Overwrite every parameter, each from `seed` and its own name."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            mean, spread = _spread(name, tuple(parameter.shape))
            values = signals.noise([seed, zlib.crc32(name.encode())], tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(values).mul_(spread).add_(mean))


def _spread(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Mean and standard deviation of a parameter of ours."""
    mean, spread = next(rest for pattern, *rest in SPREADS if re.search(pattern, name))
    if spread is not None:
        return mean, spread
    inputs = math.prod(shape[1:])
    if name.endswith("up.weight"):  # transposed, [in, out, kernel]; a wave stage overlaps twice
        inputs = shape[0] * (2 if "wave_stages" in name else 1)
    gain = next((gain for pattern, gain in GAINS if re.search(pattern, name)), 1.0)
    return mean, gain / math.sqrt(inputs)


def write_checkpoint(folder: Path, about: cases.Checkpoint) -> None:
    """Write one tiny checkpoint in the official layout."""
    ids = write_byte_tokenizer(folder)
    model = SpeechModel(
        tiny_config(
            about.kind,
            wide=about.wide,
            heads=about.heads,
            num_code_groups=about.groups,
            special_ids=ids,
        )
    )
    codec = SpeechCodec(tiny_codec_config(num_code_groups=about.groups))
    fill(model, about.seed)
    fill(codec, about.seed)
    with torch.no_grad():
        end = model.config.talker_config.codec_eos_token_id
        model.talker.codec_head.weight[end].mul_(END_GAIN)
    save_checkpoint(folder, model, codec, GenerationConfig(), text_files=None)


def write_layer(folder: Path, name: str) -> None:
    """Write one layer under its official names, with the config the official module needs."""
    recipe = our_layers.RECIPES[name]
    module = recipe.build()
    fill(module, cases.LAYERS[name].seed)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(our_layers.official_tensors(recipe, module), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(recipe.config.to_json()), encoding="utf-8")


def write_all(folder: Path) -> None:
    for name, about in cases.CHECKPOINTS.items():
        write_checkpoint(folder / name, about)
    for name in cases.LAYERS:
        write_layer(folder / "layers" / name, name)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
