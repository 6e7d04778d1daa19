"""Our side of the speech cases: the public interface, watched from outside by forward hooks."""

import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cases
import numpy as np
import signals
import torch
from torch import Tensor, nn

import qwen3_tts
from qwen3_tts import Sampling, SpeechRequest, SpeechWarning, Voice
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.prompt.tokenizer import TextTokenizer

Arrays = dict[str, np.ndarray]
OPTIONS = {  # official option -> field of `Sampling`
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "repetition_penalty": "repetition_penalty",
    "subtalker_temperature": "predictor_temperature",
    "subtalker_top_k": "predictor_top_k",
    "subtalker_top_p": "predictor_top_p",
}
SWITCHES = {"do_sample": "greedy", "subtalker_dosample": "predictor_greedy"}


def open_checkpoint(folder: Path) -> Qwen3Synthesizer:
    return qwen3_tts.load(folder, device="cpu", dtype="float32")


def speak(tts: Qwen3Synthesizer, folder: Path, case: cases.Case) -> Arrays:
    """Every array of one case, by part."""
    voices = [_voice(tts, line) for line in case.lines]
    requests = [_request(case, line, voice) for line, voice in zip(case.lines, voices, strict=True)]
    with warnings.catch_warnings(), watch(tts.engine.model) as seen:
        warnings.simplefilter("ignore", SpeechWarning)  # instruct on 0.6B: that is the case
        speeches = tts.synthesize_batch(requests)
    tokenizer, found = TextTokenizer.from_folder(folder), {}
    for i, (line, voice, speech) in enumerate(zip(case.lines, voices, speeches, strict=True)):
        found[f"early_cut.{i}"] = np.array([early_cut(voice, len(speech.codes))])
        found[f"ids.{i}"] = _ids(tts, tokenizer, line)
        found[f"codes.{i}"], found[f"wave.{i}"] = speech.codes, speech.wave
        if isinstance(voice, Voice):
            found[f"vector.{i}"] = voice.vector
        if isinstance(voice, Voice) and voice.codes is not None:
            found[f"codes.reference.{i}"] = voice.codes
    if len(speeches) == 1 and case.seed is None:
        found |= _stages(seen, len(speeches[0].codes), tts.engine.model, speeches[0].codes)
    return found


def early_cut(voice: str | Voice | None, frames: int) -> int:
    """Samples that the official cut, a truncated fraction of the whole, leaves of the reference."""
    if not isinstance(voice, Voice) or voice.codes is None:
        return 0
    R, total = len(voice.codes), len(voice.codes) + frames
    return R * 1920 - int(R / total * (total * 1920))


def _voice(tts: Qwen3Synthesizer, line: cases.Line) -> str | Voice | None:
    reference = line.reference
    if reference is None:
        return line.speaker
    wave = signals.recording(reference.seed, reference.seconds, reference.rate)
    mode = "x_vector" if reference.text is None else "icl"
    return tts.clone_voice((wave, reference.rate), reference.text, mode=mode, check=False)


def _request(case: cases.Case, line: cases.Line, voice: str | Voice | None) -> SpeechRequest:
    return SpeechRequest(
        text=line.text,
        voice=voice,
        language=line.language,
        instruct=line.instruct or None,
        sampling=_sampling(case),
        seed=case.seed or 0,
        max_frames=case.max_frames,
        text_first=case.text_first,
    )


def _sampling(case: cases.Case) -> Sampling:
    if case.seed is None:
        return Sampling(greedy=True, predictor_greedy=True)
    named: dict[str, Any] = {
        OPTIONS[key]: value for key, value in case.options.items() if key in OPTIONS
    }
    named |= {SWITCHES[key]: not value for key, value in case.options.items() if key in SWITCHES}
    return Sampling(**named)


def _ids(tts: Qwen3Synthesizer, tokenizer: TextTokenizer, line: cases.Line) -> np.ndarray:
    """Instruction, reference text and text, as they enter the prompt."""
    ids = []
    if line.instruct and tts.config.tts_model_size != "0b6":
        ids += tokenizer.instruction(line.instruct)
    if line.reference is not None and line.reference.text is not None:
        ids += tokenizer.encode(line.reference.text)
    return np.array(ids + tokenizer.encode(line.text))


@contextmanager
def watch(model: SpeechModel) -> Iterator[dict[str, list[Tensor]]]:
    """Collect inputs and outputs of the model's parts, in order of the calls."""
    seen: dict[str, list[Tensor]] = defaultdict(list)

    def keep(name: str) -> Any:
        return lambda _module, _args, output: seen[name].append(output)

    talker, predictor = model.talker, model.code_predictor
    parts: list[tuple[str, nn.Module]] = [("hidden", talker), ("logits", talker.codec_head)]
    parts += [(f"layer.{i}", block) for i, block in enumerate(talker.transformer.blocks)]
    parts += [("predictor", head) for head in predictor.lm_head]
    hooks = [module.register_forward_hook(keep(name)) for name, module in parts]
    hooks.append(
        talker.register_forward_pre_hook(lambda _module, args: seen["prompt"].append(args[0]))
    )
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _stages(
    seen: dict[str, list[Tensor]], frames: int, model: SpeechModel, codes: np.ndarray
) -> Arrays:
    """Hidden states and scores of one request: of the prompt's layers, then frame by frame."""
    prompt = seen["hidden"][0][0]  # [S, D]
    hidden = torch.stack([prompt[-1], *(step[0, -1] for step in seen["hidden"][1:frames])])
    groups = codes.shape[1] - 1
    predicted = torch.stack([scores[0] for scores in seen["predictor"]])
    found = {
        f"layer.{i}": seen[f"layer.{i}"][0][0] for i in range(len(model.talker.transformer.blocks))
    }
    found |= {
        "prompt": seen["prompt"][0][0],
        "hidden.prompt": prompt,
        "hidden.frames": hidden,
        "logits": torch.stack([scores[0] for scores in seen["logits"][:frames]]),
        "predictor": predicted[: frames * groups].view(frames, groups, -1),
        "predictor.taught": _taught(model, hidden, torch.from_numpy(codes)),
    }
    return {name: tensor.numpy() for name, tensor in found.items()}


def _taught(model: SpeechModel, hidden: Tensor, codes: Tensor) -> Tensor:
    """Scores of all groups in one pass over known codes, as in training."""
    with torch.inference_mode():
        first = model.talker.codec_embedding(codes[:, 0])
        return model.code_predictor(hidden, first, codes[:, 1:-1])
