"""Talker and code predictor on the kernels: a few positions of any rows, and whole frames.

Activations are float32, weights bfloat16 or rounded (`qwen3_tts.quantize`). A row's numbers depend
neither on its neighbours nor on how many threads there are.

Dims: B rows, S positions, D talker width, K code groups, V code vocabulary.
"""

import ctypes
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qwen3_tts.config import CheckpointConfig, CodePredictorConfig, TalkerConfig
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.code_predictor import CodePredictor
from qwen3_tts.model.layers import Block as TorchBlock
from qwen3_tts.model.layers import Transformer, rotary_table
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.native import structs
from qwen3_tts.native.library import Pool
from qwen3_tts.native.packing import Packer
from qwen3_tts.quantize.linear import QuantizedLinear, rows_of
from qwen3_tts.quantize.rows import Format, Rows

FIRST_POSITIONS = 1024  # of the rotary table; it doubles
WIDEST_HEAD = 128


def misfit(config: CheckpointConfig) -> str | None:
    """Why the kernels cannot run a model of this shape; None if they can."""
    for part in (config.talker_config, config.talker_config.code_predictor_config):
        if part.head_dim % 2 or part.head_dim > WIDEST_HEAD:
            return f"heads are {part.head_dim} wide, kernels take even widths up to {WIDEST_HEAD}"
        if part.hidden_size % 16 or part.intermediate_size % 16:
            return "widths are no multiples of 16"
    return None


@dataclass
class _Parts:
    """The matrices of one transformer, packed or about to be."""

    blocks: list[tuple[structs.Matrix, ...]]
    norms: list[tuple[int, ...]]
    norm: int


class NativeSpeech:
    """Made from a loaded model, whose linear layers it empties.

    `format` rounds the weights: "int8", "int4" (the talker's blocks; the rest is int8) or None
    (bfloat16). Layers that came rounded stay as they are.
    """

    def __init__(self, model: SpeechModel, format: Format | None, pool: Pool):
        if reason := misfit(model.config):
            raise ValueError(reason)
        self.pool, self.threads = pool, pool.threads
        self.functions = structs.functions()
        self.config = model.config
        talker, predictor = model.talker, model.code_predictor
        config, own = model.config.talker_config, model.config.talker_config.code_predictor_config
        eight: Format | None = "int8" if format else None
        packer = Packer()
        parts = _collect(packer, talker.transformer, format)
        self.head = packer.add([talker.codec_head], eight)
        tables = [talker.codec_embedding, *predictor.codec_embedding]
        embeddings = _projected(predictor, eight)
        narrowing = predictor.input_proj
        projection = bias = None
        if isinstance(narrowing, nn.Linear | QuantizedLinear):
            projection, bias = packer.add([narrowing], eight), packer.floats(narrowing.bias)
        own_parts = _collect(packer, predictor.transformer, eight)
        heads = [packer.add([head], eight) for head in predictor.lm_head]
        self.arena = packer.pack(pool.threads)

        self.kept: list[object] = [packer.kept, embeddings]
        self.stack = self._stack(parts, config)
        self.predictor = structs.Predictor(
            stack=self._stack(own_parts, own),
            groups=own.num_code_groups,
            codes=own.vocab_size,
            embeddings=self._tables(embeddings),
            heads=self._keep((structs.Matrix * len(heads))(*heads)),
            projection=ctypes.pointer(projection) if projection else None,
            bias=bias,
        )
        self.tables = self._tables([table.weight for table in tables])
        self.first_table = talker.codec_embedding
        self.rotary = _Rotary(config.head_dim, config.rope_theta, FIRST_POSITIONS)
        self.frame_rotary = _Rotary(own.head_dim, own.rope_theta, own.num_code_groups + 1)
        self.row_numbers = torch.arange(1, dtype=torch.int32)

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden [B, D] -> float32 scores [B, V] of the next frame's first code."""
        out = torch.empty(len(hidden), self.head.n)
        x = hidden.contiguous()
        self._check(
            self.functions.matrix_multiply(
                *(self.pool.handle, self.threads, ctypes.byref(self.head)),
                *(x.data_ptr(), len(x), out.data_ptr()),
            )
        )
        return out

    def talker(self, x: Tensor, cache: KVCache, longest: int) -> Tensor:
        """Read the next S positions of every row: x [B, S, D] -> hidden [B, S, D].

        No row reaches a position at or beyond `longest`. `cache.pos` stays as it is.
        """
        B, S, D = x.shape
        if len(self.row_numbers) < B * S:
            self.row_numbers = torch.arange(2 * B * S, dtype=torch.int32)
        if S == 1:
            rows, positions = self.row_numbers, cache.pos[:B].contiguous()
        else:
            rows = self.row_numbers[:B].repeat_interleave(S)
            positions = (cache.pos[:B, None] + torch.arange(S)).contiguous()
        cosines, sines = self.rotary.reaching(longest)
        tokens = structs.Tokens(
            B * S, longest, rows.data_ptr(), positions.data_ptr(), cosines, sines
        )
        given = x.to(torch.float32, copy=True).contiguous()
        hidden = torch.empty(B, S, D)
        self._check(
            self.functions.stack_run(
                *(self.pool.handle, self.threads, ctypes.byref(self.stack)),
                *(ctypes.byref(_cache(cache.keys, cache.values)), ctypes.byref(tokens)),
                *(given.data_ptr(), hidden.data_ptr()),
            )
        )
        return hidden

    def fill_frame(
        self,
        hidden: Tensor,
        first: Tensor,
        noise: Tensor,
        options: structs.DrawOptions,
        cache: FrameCache,
    ) -> Tensor:
        """Codes of groups 1..K-1 drawn one after the other: hidden [B, D], first [B] -> [B, K].

        noise [B, K-1, V]; the tensors behind `options` must outlive the call.
        """
        B, K = len(first), self.predictor.groups
        codes = torch.empty(B, K, dtype=torch.long)
        codes[:, 0] = first
        x, vector = hidden.contiguous(), self.first_table(first).float()
        assert noise.stride(2) == 1
        assert noise.stride(1) == noise.shape[2]
        cosines, sines = self.frame_rotary.reaching(K + 1)
        self._check(
            self.functions.frame_fill(
                *(self.pool.handle, self.threads, ctypes.byref(self.predictor)),
                *(ctypes.byref(_cache(cache.keys, cache.values)), cosines, sines, B),
                *(x.data_ptr(), vector.data_ptr(), noise.data_ptr(), noise.stride(0)),
                *(ctypes.byref(options), codes.data_ptr()),
            )
        )
        return codes

    def add_codes(self, x: Tensor, codes: Tensor) -> Tensor:
        """x [B, D] plus the embeddings of codes [B, K]; -1 stands for no code. In place."""
        assert x.is_contiguous()
        assert x.dtype == torch.float32
        ids = codes.contiguous()
        self.functions.tables_add(
            self.tables, codes.shape[1], ids.data_ptr(), len(ids), x.data_ptr()
        )
        return x

    def _stack(self, parts: _Parts, config: TalkerConfig | CodePredictorConfig) -> structs.Stack:
        blocks = [
            structs.Block(*matrices, *norms)
            for matrices, norms in zip(parts.blocks, parts.norms, strict=True)
        ]
        return structs.Stack(
            layers=len(blocks),
            width=config.hidden_size,
            heads=config.num_attention_heads,
            groups=config.num_key_value_heads,
            head_dim=config.head_dim,
            inner=config.intermediate_size,
            eps=config.rms_norm_eps,
            norm=parts.norm,
            blocks=self._keep((structs.Block * len(blocks))(*blocks)),
        )

    def _tables(self, weights: list[Tensor]) -> "ctypes.Array[structs.Table]":
        held = [w.detach().contiguous() for w in weights]
        self.kept.append(held)
        return self._keep(
            (structs.Table * len(held))(
                *(structs.Table(w.data_ptr(), w.shape[1], w.dtype == torch.bfloat16) for w in held)
            )
        )

    def _keep(self, array: "ctypes.Array") -> "ctypes.Array":
        self.kept.append(array)
        return array

    @staticmethod
    def _check(result: int) -> None:
        if result:
            raise MemoryError("out of memory in a kernel")


class _Rotary:
    """Cosines and sines [P, E] of positions from 0 on."""

    def __init__(self, head_dim: int, theta: float, positions: int):
        self.head_dim, self.theta = head_dim, theta
        self._make(positions)

    def _make(self, positions: int) -> None:
        both = rotary_table(torch.arange(positions)[None], self.head_dim, self.theta)
        self.cosines, self.sines = both[:, 0, 0].contiguous().unbind(0)

    def reaching(self, positions: int) -> tuple[int, int]:
        """Addresses of both, with at least so many positions."""
        if positions > len(self.cosines):
            self._make(max(positions, 2 * len(self.cosines)))
        return self.cosines.data_ptr(), self.sines.data_ptr()


def _collect(packer: Packer, transformer: Transformer, format: Format | None) -> _Parts:
    parts = _Parts([], [], packer.floats(transformer.norm.weight))
    for block in transformer.blocks:
        assert isinstance(block, TorchBlock)
        attn, mlp = block.attn, block.mlp
        parts.blocks.append(
            (
                packer.add([attn.q_proj, attn.k_proj, attn.v_proj], format),
                packer.add([attn.o_proj], format),
                packer.add([mlp.gate_proj, mlp.up_proj], format, alternate=True),
                packer.add([mlp.down_proj], format),
            )
        )
        norms = (block.attn_norm, attn.q_norm, attn.k_norm, block.mlp_norm)
        parts.norms.append(tuple(packer.floats(norm.weight) for norm in norms))
    return parts


def _projected(predictor: CodePredictor, format: Format | None) -> list[Tensor]:
    """Embeddings as the predictor reads them, of its own width, so that a frame projects nothing.

    They are projected by the weights that project the talker's hidden state, rounded or not.
    Tables made here are bfloat16, as the published ones are.
    """
    tables: list[Tensor] = [table.get_parameter("weight") for table in predictor.codec_embedding]
    layer = predictor.input_proj
    if isinstance(layer, nn.Identity):
        return tables
    rows = rows_of(layer)
    if isinstance(rows, Tensor) and format:
        rows = Rows.of(rows, format)
    weight = rows.float() if isinstance(rows, Tensor) else rows.floats()
    assert isinstance(layer, nn.Linear | QuantizedLinear)
    bias = None if layer.bias is None else layer.bias.float()
    return [nn.functional.linear(table.float(), weight, bias).bfloat16() for table in tables]


def _cache(keys: Tensor, values: Tensor) -> structs.Cache:
    layer, row, group, position, one = keys.stride()
    assert one == 1
    assert values.stride() == keys.stride()
    return structs.Cache(
        *(keys.data_ptr(), values.data_ptr(), layer, row, group, position),
        keys.dtype == torch.bfloat16,
    )
