"""Speech the slow way: every frame a full pass over all positions, weights by official names.

Written from the specification (sections 3 to 6) on plain tensors, with no code of the package: no
cache, no id grid, no shared layers. What it says is what the engine must say.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Draw:
    """How one head draws."""

    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    greedy: bool = False


@dataclass(frozen=True)
class Voice:
    """A speaker slot: a preset's id or a vector, and what an in-context reference adds."""

    preset_id: int | None = None
    vector: Tensor | None = None
    ref_ids: Sequence[int] = ()
    ref_codes: Sequence[Sequence[int]] | None = None


def pick(
    logits: Tensor,
    how: Draw,
    generator: torch.Generator,
    *,
    drawn: Sequence[int] = (),
    penalty: float = 1.0,
    barred: Sequence[int] = (),
) -> int:
    """One code from scores [V], one step after the other; `drawn` are penalised."""
    scores = logits.clone()
    for code in set(drawn):
        scores[code] = scores[code] * penalty if scores[code] < 0 else scores[code] / penalty
    scores[list(barred)] = -torch.inf
    if how.greedy:
        return int(scores.argmax())
    scores = scores / how.temperature
    if how.top_k:
        kth = sorted(scores.tolist(), reverse=True)[min(how.top_k, len(scores)) - 1]
        scores = torch.where(scores < kth, -torch.inf, scores)
    if how.top_p < 1:
        scores = nucleus(scores, how.top_p)
    return int(torch.multinomial(scores.softmax(0)[None], 1, generator=generator))


def nucleus(scores: Tensor, top_p: float) -> Tensor:
    """Keep the likeliest codes until they hold `top_p`; the one that crosses it stays, too."""
    order = scores.argsort(descending=True).tolist()
    probabilities = scores.double().softmax(0)
    kept, held = [], 0.0
    for code in order:
        if kept and held >= top_p:
            break
        kept.append(code)
        held += float(probabilities[code])
    out = torch.full_like(scores, -torch.inf)
    out[kept] = scores[kept]
    return out


class Reference:
    """The talker and the code predictor of one checkpoint folder."""

    def __init__(self, folder: Path):
        self.weights = load_file(folder / "model.safetensors")
        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        self.talker = self.config["talker_config"]
        self.predictor = self.talker["code_predictor_config"]

    def rms(self, x: Tensor, name: str, config: dict[str, Any]) -> Tensor:
        mean = (x * x).mean(-1, keepdim=True)
        return x / torch.sqrt(mean + config["rms_norm_eps"]) * self.weights[name]

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def angles(self, length: int, config: dict[str, Any]) -> Tensor:
        """[S, E/2]; of three position streams, interleaved as the checkpoint says."""
        half = config["head_dim"] // 2
        frequency = config["rope_theta"] ** (-torch.arange(half).float() / half)
        streams = torch.arange(length).float().expand(3, -1)
        angle = streams[0, :, None] * frequency
        if scaling := config.get("rope_scaling"):
            for stream in (1, 2):
                places = slice(stream, 3 * scaling["mrope_section"][stream], 3)
                angle[:, places] = (streams[stream, :, None] * frequency)[:, places]
        return angle

    def attention(self, x: Tensor, name: str, config: dict[str, Any]) -> Tensor:
        length, size = x.shape[0], config["head_dim"]
        angle = self.angles(length, config)
        cos, sin = angle.cos(), angle.sin()

        def heads(part: str, norm: bool) -> Tensor:  # [heads, S, E]
            y = self.linear(x, f"{name}.{part}_proj").view(length, -1, size)
            if not norm:
                return y.transpose(0, 1)
            y = self.rms(y, f"{name}.{part}_norm.weight", config).transpose(0, 1)
            a, b = y[..., : size // 2], y[..., size // 2 :]
            return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

        q, k, v = heads("q", True), heads("k", True), heads("v", False)
        share = q.shape[0] // k.shape[0]  # query head h reads key head h // share
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        outputs = []
        for h in range(q.shape[0]):
            scores = (q[h] @ k[h // share].T / size**0.5).masked_fill(future, -torch.inf)
            outputs.append(scores.softmax(-1) @ v[h // share])
        return self.linear(torch.cat(outputs, dim=-1), f"{name}.o_proj")

    def transformer(self, x: Tensor, name: str, config: dict[str, Any]) -> Tensor:
        """Input [S, D] -> hidden [S, D], final norm included."""
        for i in range(config["num_hidden_layers"]):
            layer = f"{name}.layers.{i}"
            y = self.rms(x, f"{layer}.input_layernorm.weight", config)
            x = x + self.attention(y, f"{layer}.self_attn", config)
            y = self.rms(x, f"{layer}.post_attention_layernorm.weight", config)
            gate = F.silu(self.linear(y, f"{layer}.mlp.gate_proj"))
            up = self.linear(y, f"{layer}.mlp.up_proj")
            x = x + self.linear(gate * up, f"{layer}.mlp.down_proj")
        return self.rms(x, f"{name}.norm.weight", config)

    def text(self, token: int) -> Tensor:
        """T(id), [D]."""
        x = self.weights["talker.model.text_embedding.weight"][token]
        x = F.silu(self.linear(x, "talker.text_projection.linear_fc1"))
        return self.linear(x, "talker.text_projection.linear_fc2")

    def code(self, group: int, code: int) -> Tensor:
        """E_g(c), [D]."""
        name = "talker.model.codec_embedding.weight"
        if group:
            name = f"talker.code_predictor.model.codec_embedding.{group - 1}.weight"
        return self.weights[name][code]

    def frame(self, codes: Sequence[int]) -> Tensor:
        return torch.stack([self.code(g, c) for g, c in enumerate(codes)]).sum(0)

    def prompt(
        self,
        text: Sequence[int],
        *,
        role: Sequence[int],
        voice: Voice,
        language: int | None,
        instruct: Sequence[int] = (),
        text_first: bool = True,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Vectors of every position, and of the text that is still to come (section 5)."""
        c, T = self.talker, self.text
        pad, bos, eos = (T(self.config[f"tts_{name}_token_id"]) for name in ("pad", "bos", "eos"))
        tags = [c["codec_nothink_id"], c["codec_think_bos_id"], c["codec_think_eos_id"]]
        if language is not None:
            tags = [c["codec_think_id"], tags[1], language, tags[2]]
        control = [self.code(0, tag) for tag in tags]
        if voice.vector is not None:
            control.append(voice.vector)
        if voice.preset_id is not None:
            control.append(self.code(0, voice.preset_id))
        codec_pad, codec_bos = self.code(0, c["codec_pad_id"]), self.code(0, c["codec_bos_id"])
        start = [T(token) for token in (*instruct, *role)]
        start += [pad + vector for vector in control] + [bos + codec_pad]

        a = [T(token) for token in (*voice.ref_ids, *text)] + [eos]
        b = [codec_bos] + [self.frame(codes) for codes in voice.ref_codes or ()]
        if text_first:
            return start + [x + codec_pad for x in a] + [pad + y for y in b], []
        if len(a) > len(b):
            return start + [x + y for x, y in zip(a, b, strict=False)], a[len(b) :]
        a += [pad] * (len(b) - len(a))
        return start + [x + y for x, y in zip(a, b, strict=True)], []

    def generate(
        self,
        prompt: tuple[list[Tensor], list[Tensor]],
        *,
        seed: int,
        max_frames: int,
        talker: Draw,
        predictor: Draw,
        penalty: float,
    ) -> list[list[int]]:
        """Frames of 16 codes, until end of speech or `max_frames`."""
        x, trailing = list(prompt[0]), list(prompt[1])
        eos, size = self.talker["codec_eos_token_id"], self.talker["vocab_size"]
        control = [code for code in range(size - 1024, size) if code != eos]
        generator = torch.Generator().manual_seed(seed)
        frames: list[list[int]] = []
        while len(frames) < max_frames:
            hidden = self.transformer(torch.stack(x), "talker.model", self.talker)[-1]
            first = pick(
                self.linear(hidden, "talker.codec_head"),
                talker,
                generator,
                drawn=[frame[0] for frame in frames],
                penalty=penalty,
                barred=control + ([eos] if len(frames) < 2 else []),
            )
            if first == eos:
                break
            frames.append(self.finish_frame(hidden, first, predictor, generator))
            text = trailing.pop(0) if trailing else self.text(self.config["tts_pad_token_id"])
            x.append(self.frame(frames[-1]) + text)
        return frames

    def finish_frame(
        self, hidden: Tensor, first: int, how: Draw, generator: torch.Generator
    ) -> list[int]:
        """Codes of all groups, by one full pass of the predictor per group (section 4)."""
        name, codes, x = "talker.code_predictor", [first], [hidden]
        for group in range(1, self.talker["num_code_groups"]):
            x.append(self.code(group - 1, codes[-1]))
            y = torch.stack(x)
            if f"{name}.small_to_mtp_projection.weight" in self.weights:
                y = self.linear(y, f"{name}.small_to_mtp_projection")
            y = self.transformer(y, f"{name}.model", self.predictor)[-1]
            logits = self.linear(y, f"{name}.lm_head.{group - 1}")
            codes.append(pick(logits, how, generator))
        return codes
