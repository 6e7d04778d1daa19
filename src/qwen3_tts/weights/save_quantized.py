"""A checkpoint folder -> the same checkpoint with rounded weights, a folder complete in itself."""

import os
import shutil
from pathlib import Path

import torch

from qwen3_tts.errors import UnsupportedRequest
from qwen3_tts.quantize.plan import quantize_model
from qwen3_tts.quantize.rows import Format
from qwen3_tts.weights.hub import CODEC, checkpoint_files
from qwen3_tts.weights.load import INDEX, load_speech_model, read_tensors, rounded_names
from qwen3_tts.weights.names import MODEL, to_official
from qwen3_tts.weights.quantized import SINGLE, metadata_of, plan_of
from qwen3_tts.weights.save import remove_others, replacing, write_tensors

ENCODER = "speaker_encoder."  # is float32 in memory, whatever it is in the file


def save_quantized(source: Path, out: Path, format: Format) -> None:
    """Round the weights of `source` (`quantize.plan`) and write all of the checkpoint to `out`.

    What is not rounded becomes bfloat16, as it does when a checkpoint is rounded while it is
    loaded; the speaker encoder keeps its type. The other files are copied; the codec's weights are
    the same file under a second name where the disk allows. Weights come last, so a folder that has
    them is complete. Raises `CheckpointError`, and `UnsupportedRequest` for weights that are
    rounded already or an `out` that is `source`.
    """
    if plan := plan_of(source):
        raise UnsupportedRequest(
            f"the weights in {source} are {plan} already; give the checkpoint they were made from"
        )
    if out.exists() and out.samefile(source):
        raise UnsupportedRequest(f"{out} is the checkpoint itself; give another folder")
    names = checkpoint_files(source)
    cpu = torch.device("cpu")
    model = load_speech_model(source, device=cpu, dtype=torch.bfloat16)
    quantize_model(model, format)
    rounded, state = rounded_names(model), model.state_dict()
    tensors = {rounded.get(name) or to_official(name, MODEL): state[name] for name in state}
    tensors |= read_tensors(source, ENCODER)

    weights = [name for name in names if name.endswith(".safetensors")]
    own = [name for name in weights if not name.startswith(CODEC.folder)]
    for name in names:
        if name not in own and name != INDEX:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            _copy(source / name, out / name, link=name in weights)
    inner = [name.removeprefix(CODEC.folder) for name in names if name.startswith(CODEC.folder)]
    remove_others(out / CODEC.folder, inner)
    write_tensors(out / SINGLE, tensors, metadata_of(format))
    remove_others(out, [SINGLE])


def _copy(source: Path, target: Path, *, link: bool) -> None:
    with replacing(target) as temporary:
        if link:
            try:
                os.link(source.resolve(), temporary)  # resolved: the hub's cache is full of links
                return
            except OSError:
                pass  # another disk, or one without links
        shutil.copyfile(source, temporary)
