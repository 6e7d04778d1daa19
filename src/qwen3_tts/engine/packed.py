"""The model's arithmetic in a third of the kernels, for devices where each of them costs.

The same weights: q, k and v in one matrix, gate and up in another, all code tables in a third, of
which the modules' own parameters become views. Residuals are added by the products themselves,
heads that share keys are queries of one another's positions, angles come from a table. Statistics
of norms, rotation and softmax are float32 here too.

Dims: B rows, S positions, D width, H query heads, G key/value heads, E head dim, K code groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.engine.runner import EagerRunner
from qwen3_tts.engine.sampling import HeadOptions, draw
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.layers import Block, Span, Transformer, rotary_table
from qwen3_tts.model.speech_model import SpeechModel


class PackedRunner(EagerRunner):
    """A `Runner`. Rearranges the weights of `model`, which stays usable."""

    def __init__(self, model: SpeechModel):
        super().__init__(model)
        talker, predictor = model.talker, model.code_predictor
        config = self.config.talker_config
        own = config.code_predictor_config
        self.talker = PackedStack(talker.transformer, config.max_position_embeddings)
        self.predictor = PackedStack(predictor.transformer, own.num_code_groups)
        tables = [talker.codec_embedding, *predictor.codec_embedding]
        self.codes = pack(tables)
        sizes = torch.tensor([0, *(table.num_embeddings for table in tables[:-1])])
        self.starts = sizes.cumsum(0).to(self.like.device)[:, None]  # [K, 1]

    def embed(self, text: Tensor, codes: Tensor) -> Tensor:
        there = (codes >= 0)[..., None]
        vectors = F.embedding(codes.clamp(min=0) + self.starts, self.codes) * there  # [B, K, S, D]
        return self.model.talker.embed_text(text) + vectors.sum(dim=1)

    def fill_frame(
        self, hidden: Tensor, first: Tensor, noise: Tensor, options: HeadOptions, cache: FrameCache
    ) -> Tensor:
        predictor = self.model.code_predictor
        x = torch.stack([hidden, self.model.talker.codec_embedding(first)], dim=1)
        codes, seen = [first], 0
        for group in range(noise.shape[1]):
            if group:
                x = predictor.codec_embedding[group - 1](codes[-1])[:, None]  # [B, 1, D]
            span = cache.span(seen, x.shape[1])
            seen += x.shape[1]
            y = self.predictor(predictor.input_proj(x), span)[:, -1]
            codes.append(draw(predictor.lm_head[group](y).float(), options, noise[:, group]))
        return torch.stack(codes, dim=1)

    def talk(self, x: Tensor, cache: KVCache, longest: int) -> Tensor:
        return self.talker(x, cache.span(x.shape[1], longest))


@dataclass(frozen=True)
class PackedBlock:
    """Weights of a block, [out, in] as in its modules."""

    attn_norm: Tensor
    qkv: Tensor
    heads_norm: Tensor  # [H + G, E], of queries, then keys
    out: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor

    @staticmethod
    def of(block: Block, heads: int, groups: int) -> "PackedBlock":
        attn, mlp = block.attn, block.mlp
        queries, keys = (norm.weight.detach() for norm in (attn.q_norm, attn.k_norm))
        return PackedBlock(
            attn_norm=block.attn_norm.weight,
            qkv=pack([attn.q_proj, attn.k_proj, attn.v_proj]),
            heads_norm=torch.stack([queries] * heads + [keys] * groups),
            out=attn.o_proj.weight,
            mlp_norm=block.mlp_norm.weight,
            gate_up=pack([mlp.gate_proj, mlp.up_proj]),
            down=mlp.down_proj.weight,
        )


class PackedStack:
    """A `Transformer` over positions below `most`."""

    def __init__(self, stack: Transformer, most: int):
        blocks = [block for block in stack.blocks if isinstance(block, Block)]
        E, self.norm, self.eps = stack.head_dim, stack.norm.weight, stack.norm.eps
        self.heads = blocks[0].attn.q_proj.out_features // E
        self.groups = blocks[0].attn.k_proj.out_features // E
        self.blocks = [PackedBlock.of(block, self.heads, self.groups) for block in blocks]
        positions = torch.arange(most, device=self.norm.device)[None]
        cos, sin = rotary_table(positions, E, stack.theta)[:, 0, 0]  # [S, E] each
        sin[:, : E // 2].neg_()  # what is rotated by half a head gets its sign from here
        self.cos, self.sin = cos, sin

    def __call__(self, x: Tensor, span: Span) -> Tensor:
        """Hidden [B, S, D] -> hidden [B, S, D], the final norm included."""
        B, S, D = x.shape
        angles = self.cos[span.positions][:, :, None], self.sin[span.positions][:, :, None]
        bias = None
        if span.mask is not None:  # [B, 1, R * S, S_seen]
            floor = torch.zeros((), dtype=x.dtype, device=x.device)
            bias = torch.where(span.mask, floor, -torch.inf)
            bias = bias.repeat(1, 1, self.heads // self.groups, 1)
        x = x.reshape(B * S, D)
        for layer, block in enumerate(self.blocks):
            y = self._attend(self._normed(x, block.attn_norm), block, layer, angles, bias, span, S)
            x = torch.addmm(x, y, block.out.t())
            gate, up = F.linear(self._normed(x, block.mlp_norm), block.gate_up).chunk(2, dim=-1)
            x = torch.addmm(x, F.silu(gate) * up, block.down.t())
        return self._normed(x, self.norm).view(B, S, D)

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), weight, self.eps)

    def _attend(
        self,
        x: Tensor,
        block: PackedBlock,
        layer: int,
        angles: tuple[Tensor, Tensor],
        bias: Tensor | None,
        span: Span,
        S: int,
    ) -> Tensor:
        """Normed hidden [B * S, D] -> heads [B * S, H * E]."""
        H, G, E = self.heads, self.groups, self.cos.shape[1]
        parts = F.linear(x, block.qkv).view(-1, S, H + 2 * G, E)
        heads, values = parts[:, :, : H + G], parts[:, :, H + G :]
        heads = F.rms_norm(heads, (E,), None, self.eps) * block.heads_norm
        heads = (heads * angles[0] + heads.roll(E // 2, -1) * angles[1]).to(x.dtype)
        queries, keys = heads[:, :, :H], heads[:, :, H:]
        k, v = span.extend(layer, keys.transpose(1, 2), values.transpose(1, 2))
        q = queries.view(-1, S, G, H // G, E).permute(0, 2, 3, 1, 4)  # [B, G, R, S, E]
        y = F.scaled_dot_product_attention(q.flatten(2, 3), k, v, bias)
        y = y.view(-1, G, H // G, S, E).permute(0, 3, 1, 2, 4)  # [B, S, G, R, E]
        return y.reshape(-1, H * E)


def pack(modules: Sequence[nn.Linear | nn.Embedding]) -> Tensor:
    """Weights one below the other; the modules' own become views of the result."""
    packed = torch.cat([module.weight.detach() for module in modules])
    start = 0
    for module in modules:
        end = start + len(module.weight)
        module.weight = nn.Parameter(packed[start:end], requires_grad=False)
        start = end
    return packed
