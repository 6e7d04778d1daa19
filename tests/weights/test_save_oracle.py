"""A folder we saved is opened by the official package, and holds what ours holds.

Needs a Python with that package, named by QWEN3_TTS_ORACLE; it is run apart, never imported.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from qwen3_tts.config import GenerationConfig
from qwen3_tts.prompt.byte_vocab import write_byte_tokenizer
from qwen3_tts.weights.load import load_codec, load_speech_model
from qwen3_tts.weights.names import CODEC, MODEL, Table, to_official
from qwen3_tts.weights.save import save_checkpoint

ORACLE = os.environ.get("QWEN3_TTS_ORACLE")
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(ORACLE is None, reason="QWEN3_TTS_ORACLE names no Python to compare with"),
]

# Opens a folder and writes down what it found. Two packages that it imports for the older 25 Hz
# codec have no build for the CPU; empty modules stand in for them.
SCRIPT = """
import json, sys
from importlib.machinery import ModuleSpec
from types import ModuleType

for name in ("torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi", "sox"):
    module = sys.modules[name] = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)

import torch
from qwen_tts import Qwen3TTSModel
from safetensors.torch import save_file

folder, out = sys.argv[1:]
tts = Qwen3TTSModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
model, codec = tts.model, tts.model.speech_tokenizer.model
for name, module in (("model", model), ("codec", codec)):
    tensors = {key: value.contiguous().clone() for key, value in module.state_dict().items()}
    save_file(tensors, f"{out}/{name}.safetensors")
config = model.config
with open(f"{out}/seen.json", "w") as file:
    json.dump(
        {
            "kind": config.tts_model_type,
            "size": config.tts_model_size,
            "text_ids": [config.tts_pad_token_id, config.tts_bos_token_id, config.tts_eos_token_id],
            "layers": config.talker_config.num_hidden_layers,
            "pad": tts.processor.tokenizer.convert_tokens_to_ids("<tts_pad>"),
            "generation": model.generate_config,
        },
        file,
    )
"""


def run_official(folder: Path, out: Path) -> dict[str, object]:
    """What the official package made of the folder; its weights go to `out`."""
    assert ORACLE is not None
    out.mkdir()
    ran = subprocess.run(
        [ORACLE, "-c", SCRIPT, str(folder), str(out)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads((out / "seen.json").read_text())


def assert_same(theirs: dict[str, Tensor], ours: nn.Module, table: Table) -> None:
    expected = {to_official(name, table): value for name, value in ours.state_dict().items()}
    assert theirs.keys() == expected.keys()
    for name, value in theirs.items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("max_shard_bytes", [None, 6_000_000], ids=["single", "sharded"])
@pytest.mark.parametrize(
    ("kind", "wide"), [("base", False), ("custom_voice", True), ("voice_design", True)]
)
def test_official_package_opens_what_we_save(
    checkpoint: Callable[..., Path],
    tmp_path: Path,
    kind: str,
    wide: bool,
    max_shard_bytes: int | None,
) -> None:
    source, folder, out = checkpoint(kind, wide), tmp_path / "saved", tmp_path / "official"
    device = torch.device("cpu")
    model = load_speech_model(source, device=device, dtype=torch.float32)
    codec = load_codec(source / "speech_tokenizer", device=device)
    special = write_byte_tokenizer(tmp_path / "text")
    generation = GenerationConfig(top_k=31, subtalker_temperature=0.7)
    save_checkpoint(
        folder,
        model,
        codec,
        generation,
        text_files=tmp_path / "text",
        max_shard_bytes=max_shard_bytes,
    )
    seen = run_official(folder, out)
    assert_same(load_file(out / "model.safetensors"), model, MODEL)
    assert_same(load_file(out / "codec.safetensors"), codec, CODEC)
    config = model.config
    assert seen == {
        "kind": kind,
        "size": config.tts_model_size,
        "text_ids": [config.tts_pad_token_id, config.tts_bos_token_id, config.tts_eos_token_id],
        "layers": config.talker_config.num_hidden_layers,
        "pad": special["<tts_pad>"],
        "generation": generation.to_json(),
    }
