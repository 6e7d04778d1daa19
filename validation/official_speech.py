"""The official side of the speech cases. Runs in the oracle's environment."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cases
import numpy as np
import oracle_stub  # noqa: F401  (before the official package)
import signals
import torch
from qwen_tts import Qwen3TTSModel
from torch import Tensor

Arrays = dict[str, np.ndarray]
GREEDY = {"do_sample": False, "subtalker_dosample": False}


def open_checkpoint(folder: Path) -> Any:
    return Qwen3TTSModel.from_pretrained(
        str(folder), dtype=torch.float32, attn_implementation="eager"
    )


def speak(tts: Any, case: cases.Case) -> Arrays:
    """Every array of one case, by part."""
    items = [clone(tts, line.reference) for line in case.lines if line.reference]
    torch.manual_seed(case.seed or 0)
    with torch.inference_mode(), watch(tts.model) as seen:
        waves, _ = _call(tts, case, items)
    found = {}
    codes = [row.numpy() for row in seen["codes"][0]]
    for i, (frames, wave) in enumerate(zip(codes, waves, strict=True)):
        exact = wave[-1920 * len(frames) :]  # without the sample that an early cut leaves in front
        found |= {f"codes.{i}": frames, f"wave.{i}": np.asarray(exact, dtype=np.float32)}
        found[f"early_cut.{i}"] = np.array([len(wave) - len(exact)])
        found[f"ids.{i}"] = _ids(seen, i)
    for i, item in enumerate(items):
        found[f"vector.{i}"] = item.ref_spk_embedding.numpy()
        if item.ref_code is not None:
            found[f"codes.reference.{i}"] = item.ref_code.numpy()
    if len(codes) == 1 and case.seed is None:
        found |= _stages(tts.model, seen, codes[0])
    return found


def clone(tts: Any, about: cases.Reference) -> Any:
    wave = signals.recording(about.seed, about.seconds, about.rate)
    return tts.create_voice_clone_prompt(
        (wave, about.rate), ref_text=about.text, x_vector_only_mode=about.text is None
    )[0]


def _call(tts: Any, case: cases.Case, items: list[Any]) -> Any:
    lines = case.lines
    options: dict[str, Any] = {
        "text": [line.text for line in lines],
        "language": [line.language for line in lines],
        "non_streaming_mode": case.text_first,
        "max_new_tokens": case.max_frames + 1,
        **(GREEDY if case.seed is None else case.options),
    }
    if items:
        return tts.generate_voice_clone(voice_clone_prompt=items, **options)
    instruct = [line.instruct for line in lines]
    if tts.model.tts_model_type == "voice_design":
        return tts.generate_voice_design(instruct=instruct, **options)
    speakers = [line.speaker for line in lines]
    return tts.generate_custom_voice(speaker=speakers, instruct=instruct, **options)


def _ids(seen: dict[str, list[Any]], row: int) -> np.ndarray:
    """Instruction, reference text and text, as they enter the prompt."""
    given, ids = seen["generate"][0], []
    for key, start, end in (
        ("instruct_ids", 0, None),
        ("ref_ids", 3, -2),
        ("input_ids", 3, -5),
    ):
        rows = given.get(key)
        if rows is not None and rows[row] is not None:
            ids += rows[row][0, start:end].tolist()
    return np.array(ids)


@contextmanager
def watch(model: Any) -> Iterator[dict[str, list[Any]]]:
    """Collect what passes through the talker and the code predictor, in order of the calls."""
    seen: dict[str, list[Any]] = defaultdict(list)
    talker, generate, talk = model.talker, model.generate, model.talker.generate

    def whole(**given: Any) -> Any:
        seen["generate"].append(given)
        result = generate(**given)
        seen["codes"].append(result[0])
        return result

    def inner(**given: Any) -> Any:
        seen["prompt"].append(given["inputs_embeds"])
        return talk(**given)

    def keep(name: str, take: Any) -> Any:
        return lambda _module, _args, output: seen[name].append(take(output))

    hooks = [
        talker.model.register_forward_hook(keep("hidden", lambda out: out.last_hidden_state)),
        talker.register_forward_hook(keep("logits", lambda out: out.logits[:, -1])),
        talker.code_predictor.register_forward_hook(
            keep("predictor", lambda out: out.logits[:, -1])
        ),
    ]
    for i, layer in enumerate(talker.model.layers):
        hooks.append(layer.register_forward_hook(keep(f"layer.{i}", lambda out: out[0])))
    model.generate, talker.generate = whole, inner
    try:
        yield seen
    finally:
        del model.generate, talker.generate  # the class's own again
        for hook in hooks:
            hook.remove()


def _stages(model: Any, seen: dict[str, list[Tensor]], codes: np.ndarray) -> Arrays:
    """Hidden states and scores of one request: of the prompt's layers, then frame by frame."""
    frames, groups = len(codes), codes.shape[1] - 1
    hidden = torch.stack([step[0, -1] for step in seen["hidden"][:frames]])
    predicted = torch.stack([scores[0] for scores in seen["predictor"]])
    layers = range(len(model.talker.model.layers))
    found = {f"layer.{i}": seen[f"layer.{i}"][0][0] for i in layers}
    found |= {
        "prompt": seen["prompt"][0][0],
        "hidden.prompt": seen["hidden"][0][0],
        "hidden.frames": hidden,
        "logits": torch.stack([scores[0] for scores in seen["logits"][:frames]]),
        "predictor": predicted[: frames * groups].view(frames, groups, -1),
        "predictor.taught": _taught(model.talker, hidden, torch.from_numpy(codes)),
    }
    return {name: tensor.numpy() for name, tensor in found.items()}


def _taught(talker: Any, hidden: Tensor, codes: Tensor) -> Tensor:
    """Scores of all groups in one pass over known codes, as in the official training."""
    predictor = talker.code_predictor
    tables = predictor.get_input_embeddings()
    with torch.inference_mode():
        inputs = [hidden, talker.get_input_embeddings()(codes[:, 0])]
        inputs += [tables[i](codes[:, i + 1]) for i in range(codes.shape[1] - 2)]
        return predictor.forward_finetune(inputs_embeds=torch.stack(inputs, dim=1)).logits
