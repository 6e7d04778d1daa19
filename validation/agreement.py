"""Does a model with rounded weights choose the codes that the float32 model chooses?

    python validation/agreement.py [--model nano] [--forms bfloat16,int8,int4] [--limit 30]

The float32 model speaks sentences with its default sampling, or with `--greedy`. Then every model
reads that speech, each position after what was really spoken (teacher forcing), and says which code
is the likeliest. What a form computes with is what speaks: the kernels where they fit, torch
elsewhere or with QWEN3_TTS_NATIVE=0. Prints a table, and one JSON line last; exit status 1 if int8
agrees less than `MUST`. Columns:

talker         share of first codes (and ends of speech) that are the float32 model's, and what
               other sentences of this kind would give (95 %)
divergence     Kullback-Leibler divergence from the float32 model's choice of first codes, nats
hidden         error of the talker's hidden states, root mean square, over their own
predictor      share of the codes 1..K-1 that are the float32 model's, after the form's own talker
alone          the same after the float32 model's talker
by group       `predictor` of the first group to the last
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from listening.score import interval, rounded
from listening.words import Errors
from rich.console import Console
from rich.table import Table
from torch import Tensor

import qwen3_tts
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.runner import Runner
from qwen3_tts.engine.sampling import HeadOptions, suppressed_ids
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.prompt.layout import Prompt
from qwen3_tts.types import Sampling, SpeechRequest

REFERENCE = "float32"
FORMS = {  # name -> keywords of `qwen3_tts.load`
    REFERENCE: {"dtype": "float32"},
    "bfloat16": {"dtype": "bfloat16"},
    "int8": {"quantize": "int8"},
    "int4": {"quantize": "int4"},
}
MUST = {"talker": 0.97, "predictor": 0.90}  # of int8
FLAT = 10.0  # temperature at which no code's share is too small for a float32


@dataclass(frozen=True)
class Spoken:
    """A sentence as the talker reads it when every frame is known. S positions, T frames."""

    text_ids: list[int]  # [S]
    codes: Tensor  # [1, K, S], -1 for none
    start: int  # position that predicts frame 0
    frames: Tensor  # [T, K]


@dataclass(frozen=True)
class Answer:
    """What one model says of one sentence."""

    hidden: Tensor  # [T + 1, D] where a frame or the end is predicted
    shares: Tensor  # [T + 1, V] logarithms, of the ids that may be drawn
    others: Tensor  # [T, K - 1], the likeliest codes

    @property
    def first(self) -> Tensor:
        return self.shares.argmax(-1)


def speak(tts: Qwen3Synthesizer, requests: Sequence[SpeechRequest]) -> list[Spoken]:
    """What the model says, with the prompts."""
    speeches = tts.synthesize_batch(requests)
    pad = tts.config.tts_pad_token_id
    plan = tts.engine.planner.plan
    return [
        lay_out(plan(request).prompt, torch.from_numpy(speech.codes), pad)
        for request, speech in zip(requests, speeches, strict=True)
    ]


def lay_out(prompt: Prompt, frames: Tensor, pad: int) -> Spoken:
    """Prompt and frames [T, K] in one grid."""
    assert prompt.speaker_at is None, "a preset is needed"
    (T, K), length = frames.shape, len(prompt)
    trailing = [*prompt.trailing[:T], *[pad] * (T - len(prompt.trailing))]
    codes = torch.full((K, length + T), -1)
    for position, known in enumerate(prompt.codes):
        codes[: len(known), position] = torch.tensor(known, dtype=torch.long)
    codes[:, length:] = frames.T
    return Spoken([*prompt.text_ids, *trailing], codes[None], length - 1, frames)


def answer(runner: Runner, spoken: Spoken, hidden: Tensor | None = None) -> Answer:
    """Teacher forcing; the predictor reads `hidden` [T + 1, D], or what the talker says."""
    config = runner.config.talker_config
    entries = torch.tensor([runner.text_entries(spoken.text_ids)])
    x = runner.embed(entries, spoken.codes)
    cache = KVCache.new(config, 1, x.shape[1], runner.cache_like)
    own = runner.talk(x, cache, x.shape[1])[0, spoken.start :]
    scores = runner.logits(own).float()
    scores = scores.masked_fill(suppressed_ids(config, scores.device), -torch.inf)
    read = own if hidden is None else hidden.to(own.dtype)
    return Answer(own.float(), scores.log_softmax(-1), likeliest(runner, read[:-1], spoken.frames))


def likeliest(runner: Runner, hidden: Tensor, frames: Tensor) -> Tensor:
    """The likeliest code of every group after the true ones before it: [T, D], [T, K] -> [T, K-1].

    A runner draws codes by noise that divides their shares. Infinite noise forbids a code, so the
    groups before the one that is asked for can only be the true ones; that one's noise is even.
    """
    T, K = frames.shape
    V = runner.config.talker_config.code_predictor_config.vocab_size
    options = HeadOptions.new(T, V, torch.device("cpu"))
    options.temperature.fill_(FLAT)
    options.top_k.fill_(V)
    options.greedy.fill_(False)
    options.widest_k, options.any_greedy, options.any_drawn = V, False, True
    forced = torch.full((T, K - 1, V), torch.inf).scatter_(2, frames[:, 1:, None], 1.0)
    cache = FrameCache.new(runner.config.talker_config.code_predictor_config, T, runner.like)
    found = []
    for group in range(1, K):
        noise = torch.ones(T, K - 1, V)
        noise[:, : group - 1] = forced[:, : group - 1]
        codes = runner.fill_frame(hidden, frames[:, 0], noise, options, cache)
        assert torch.equal(codes[:, :group], frames[:, :group]), "noise must have forced the codes"
        found.append(codes[:, group])
    return torch.stack(found, dim=1)


def answers(
    tts: Qwen3Synthesizer, speech: Sequence[Spoken], reference: Sequence[Answer] | None = None
) -> list[Answer]:
    """Of every sentence, on the thread that owns the model; see `answer` about `reference`."""

    def work() -> list[Answer]:
        runner = tts.engine.loop.slots.runner
        hidden = [given.hidden for given in reference] if reference else [None] * len(speech)
        with torch.inference_mode():
            return [answer(runner, one, h) for one, h in zip(speech, hidden, strict=True)]

    return tts.engine.loop.call(work)


def figures(
    reference: Sequence[Answer], own: Sequence[Answer], alone: Sequence[Answer]
) -> dict[str, Any]:
    """One form against the float32 model, over all sentences."""
    pairs = list(zip(reference, own, strict=True))
    first = [a.first == b.first for a, b in pairs]
    others = [a.others == b.others for a, b in pairs]
    error = sum(float((a.hidden - b.hidden).square().sum()) for a, b in pairs)
    size = sum(float(a.hidden.square().sum()) for a, _ in pairs)
    after_reference = [a.others == b.others for a, b in zip(reference, alone, strict=True)]
    return {
        "talker": share(first),
        "talker_95": between(first),
        "divergence": float(torch.cat([divergence(a.shares, b.shares) for a, b in pairs]).mean()),
        "hidden_error": (error / size) ** 0.5,
        "predictor": share(others),
        "predictor_95": between(others),
        "predictor_alone": share(after_reference),
        "by_group": torch.cat(others).float().mean(0).tolist(),
    }


def divergence(reference: Tensor, own: Tensor) -> Tensor:
    """[P] of logarithms of shares [P, V]; what may never be drawn has no share."""
    parts = reference.exp() * (reference - own)
    return parts.masked_fill(reference.isneginf(), 0.0).sum(-1)


def share(agree: Sequence[Tensor]) -> float:
    return float(torch.cat([part.flatten() for part in agree]).float().mean())


def between(agree: Sequence[Tensor]) -> list[float]:
    """95 % interval over sentences."""
    low, high = interval([Errors(int((~part).sum()), part.numel()) for part in agree])
    return [1 - high, 1 - low]


def measure(model: str, forms: Sequence[str], requests: Sequence[SpeechRequest]) -> dict[str, Any]:
    """Everything the JSON line tells. `forms` are names of `FORMS`."""
    with qwen3_tts.load(model, device="cpu", **FORMS[REFERENCE]) as tts:
        if tts.kind == "base":
            raise SystemExit("a base checkpoint has no preset to speak with; give another")
        note(f"{len(requests)} sentences by {REFERENCE}")
        speech = speak(tts, requests)
        reference = answers(tts, speech)
    told = {}
    for form in forms:
        note(form)
        with qwen3_tts.load(model, device="cpu", **FORMS[form]) as tts:
            computes = type(tts.engine.loop.slots.runner).__name__
            own, alone = answers(tts, speech), answers(tts, speech, reference)
        told[form] = {"runner": computes, **figures(reference, own, alone)}
    return {
        "validation": "agreement",
        "model": model,
        "sentences": len(speech),
        "frames": sum(len(one.frames) for one in speech),
        "forms": told,
    }


def too_low(told: dict[str, Any]) -> list[str]:
    """What int8 misses of `MUST`, where it was measured."""
    found = told["forms"].get("int8", MUST)
    return [name for name, least in MUST.items() if found[name] < least]


def show(told: dict[str, Any]) -> None:
    columns = (
        "", "talker", "95 %", "divergence", "hidden", "predictor", "95 %", "alone", "by group",
    )  # fmt: skip
    title = f"{told['model']}: {told['sentences']} sentences, {told['frames']} frames"
    table = Table(*columns, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for form, found in told["forms"].items():
        table.add_row(
            f"{form} ({found['runner']})",
            percent(found["talker"]),
            " - ".join(map(percent, found["talker_95"])),
            f"{found['divergence']:.4f}",
            percent(found["hidden_error"]),
            percent(found["predictor"]),
            " - ".join(map(percent, found["predictor_95"])),
            percent(found["predictor_alone"]),
            " ".join(f"{100 * value:.1f}" for value in found["by_group"]),
        )
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def percent(value: float) -> str:
    return f"{value:.1%}"


def sentences(file: Path | None, limit: int | None) -> list[str]:
    """The list to speak: a file's lines, or what nano was never trained on."""
    if file is not None:
        lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if line][:limit]
    from qwen3_tts.train.recipe.sentences import held_out_english

    return list(held_out_english())[:limit]


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano", help="a checkpoint with presets")
    parser.add_argument("--forms", default="bfloat16,int8,int4", help=",".join(FORMS))
    parser.add_argument("--sentences", type=Path, help="one a line; default: the held-out list")
    parser.add_argument("--limit", type=int, default=30, help="only so many sentences")
    parser.add_argument("--greedy", action="store_true", help="speak without chance")
    parser.add_argument("--seed", type=int, default=0, help="of the first sentence")
    parser.add_argument("--max-frames", type=int, help="of a sentence; default: till it ends")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    options = parser.parse_args(arguments)
    forms = options.forms.split(",")
    if unknown := set(forms) - set(FORMS):
        parser.error(f"{', '.join(sorted(unknown))}: allowed are {', '.join(FORMS)}")
    torch.set_num_threads(options.threads)
    greedy = True if options.greedy else None
    sampling = Sampling(greedy=greedy, predictor_greedy=greedy)
    texts = sentences(options.sentences, options.limit)
    requests = [
        SpeechRequest(text, sampling=sampling, seed=options.seed + i, max_frames=options.max_frames)
        for i, text in enumerate(texts)
    ]
    told = measure(options.model, forms, requests)
    told |= {"greedy": options.greedy, "seed": options.seed}
    show(told)
    print(json.dumps(rounded(told)))
    sys.exit(1 if too_low(told) else 0)


if __name__ == "__main__":
    main()
