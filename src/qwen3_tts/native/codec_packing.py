"""The codec decoder's weights as its kernels read them: a `CodecModel` and the memory behind it.

Linear layers that follow each other are multiplied into one (in float64), and norm weights, branch
scales and the attention's scale into their neighbours; what results is rounded to bfloat16.
Channels are padded with zeros to multiples of 16. Dims: N outputs, J taps, C inputs.
"""

import ctypes
import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.errors import UnsupportedRequest
from qwen3_tts.model.codec import decoder as torch_decoder
from qwen3_tts.model.codec.codebooks import ResidualCodebooks
from qwen3_tts.model.codec.transformer import WindowBlock
from qwen3_tts.native import codec_structs as structs
from qwen3_tts.native.codec_structs import CodecBlock, CodecModel, Conv, LatentStage, WaveStage
from qwen3_tts.native.packing import Arena

LANES, PANEL = 16, 48  # conv.h
LINE = 64


def padded(width: int) -> int:
    return -(-width // LANES) * LANES


def pad(x: Tensor, *dims: int) -> Tensor:
    """Zeros after the end of these dims, up to multiples of 16."""
    for dim in dims:
        after = x.dim() - 1 - dim % x.dim()
        x = F.pad(x, [0, 0] * after + [0, padded(x.shape[dim]) - x.shape[dim]])
    return x


def panels(weight: Tensor) -> Tensor:
    """Weights [N, J, C], padded, in the order of conv.h: panels of [J * C / 2, outputs, 2]."""
    pairs = weight.flatten(1).unflatten(1, (-1, 2))  # [N, J * C / 2, 2]
    whole = len(pairs) // PANEL * PANEL
    full = pairs[:whole].unflatten(0, (-1, PANEL)).transpose(1, 2)
    return torch.cat([full.flatten(), pairs[whole:].transpose(0, 1).flatten()])


class PackedCodec:
    """Packs a decoder's weights; `model` is what the kernels take.

    Raises `UnsupportedRequest` for a decoder with fewer than two wave stages, or with more stages
    of a kind than the kernels have places for.
    """

    def __init__(self, decoder: torch_decoder.CodecDecoder):
        rates = (decoder.config.upsampling_ratios, decoder.config.upsample_rates)
        if not (1 <= len(rates[0]) <= structs.STAGES and 2 <= len(rates[1]) <= structs.STAGES):
            raise UnsupportedRequest(
                f"upsampling by {rates[0]} and {rates[1]}: the codec's kernels take 1 to "
                f"{structs.STAGES} and 2 to {structs.STAGES} stages"
            )
        self.floats: list[Tensor] = []
        self.convs: list[tuple[Conv, Callable[[], Tensor]]] = []
        self.model = CodecModel()
        with torch.inference_mode():
            self._front(decoder)
            self._blocks(decoder)
            self._latent_stages(decoder)
            self._wave_stages(decoder)
            self._pack()

    def _pack(self) -> None:
        """Into one stretch of memory, in the order of reading."""
        sizes = [2 * conv.outputs * conv.taps * conv.inputs for conv, _ in self.convs]
        self.arena = Arena(sum(sizes) + LINE * len(sizes))
        for (conv, weight), size in zip(self.convs, sizes, strict=True):
            conv.weight = self.arena.take(size)
            memory = (ctypes.c_uint16 * (size // 2)).from_address(conv.weight)
            torch.frombuffer(memory, dtype=torch.bfloat16).copy_(panels(weight().bfloat16()))
        self.convs.clear()

    def _keep(self, values: Tensor) -> int:
        """The address of these numbers in float32, kept as long as this object."""
        self.floats.append(values.to(torch.float32, copy=True).contiguous())
        return self.floats[-1].data_ptr()

    def _conv(
        self,
        conv: Conv,
        shape: tuple[int, int, int],
        weight: Callable[[], Tensor],
        bias: Tensor | None = None,
        *,
        dilation: int = 1,
        snake: torch_decoder.SnakeBeta | None = None,
    ) -> None:
        """Describe a convolution; `weight` [N, J, C] is asked for when it is packed.

        `bias` and `snake` may be shorter than N: outputs of one channel each, in turns.
        """
        conv.outputs, conv.taps, conv.inputs = shape
        conv.dilation = dilation
        N = conv.outputs
        bias = torch.zeros(N) if bias is None else pad(bias, 0)
        conv.bias = self._keep(bias.repeat(N // len(bias)))
        if snake is not None:
            frequency = pad(snake.alpha.double().exp() / math.pi, 0)
            magnitude = pad(1 / (snake.beta.double().exp() + 1e-9), 0)
            conv.frequency = self._keep(frequency.repeat(N // len(frequency)))
            conv.magnitude = self._keep(magnitude.repeat(N // len(magnitude)))
        self.convs.append((conv, weight))

    def _front(self, decoder: torch_decoder.CodecDecoder) -> None:
        """Codebook projections, `pre_conv` and the transformer's input projection in one."""
        c, model, books = decoder.config, self.model, decoder.codebooks
        branches: list[ResidualCodebooks] = [books.semantic, books.acoustic]
        each: list[Any] = [*chain(*(branch.books for branch in branches))]
        entries = [b.embedding_sum / b.cluster_usage.clamp(min=1e-5)[:, None] for b in each]
        model.entries = self._keep(pad(torch.stack(entries), 2))
        model.codebooks, model.num_entries, model.entry = self.floats[-1].shape
        into, conv = decoder.transformer.input_proj, decoder.pre_conv

        def weight() -> Tensor:
            mixed = torch.einsum("nm,mcj->njc", into.weight.double(), conv.weight.double())
            outs = [mixed @ branch.output_proj.weight[:, :, 0].double() for branch in branches]
            return pad(torch.cat([pad(out, 2) for out in outs], dim=2), 0)

        bias = into.weight.double() @ bias_of(conv) + bias_of(into)
        shape = (padded(c.hidden_size), conv.kernel_size[0], 2 * model.entry)
        self._conv(model.front, shape, weight, bias)

    def _blocks(self, decoder: torch_decoder.CodecDecoder) -> None:
        c, model = decoder.config, self.model
        model.num_blocks, model.width = c.num_hidden_layers, c.hidden_size
        model.heads, model.head, model.head_padded = (
            c.num_attention_heads,
            c.head_dim,
            padded(c.head_dim),
        )
        model.window, model.eps = c.sliding_window, c.rms_norm_eps
        exponent = torch.arange(0, c.head_dim, 2).float() / c.head_dim
        model.frequencies = self._keep(1.0 / c.rope_theta**exponent)
        self.blocks = (CodecBlock * c.num_hidden_layers)()
        model.blocks = self.blocks
        blocks: list[Any] = list(decoder.transformer.blocks)
        for layers, block in zip(self.blocks, blocks, strict=True):
            self._block(layers, block)

    def _block(self, layers: CodecBlock, block: WindowBlock) -> None:
        H, E = self.model.heads, self.model.head
        D, wide = padded(self.model.width), H * padded(E)
        inner = padded(block.mlp.down_proj.in_features)
        attn, mlp = block.attn, block.mlp

        def qkv() -> Tensor:
            q, k, v = (p.weight.float() for p in (attn.q_proj, attn.k_proj, attn.v_proj))
            joined = torch.cat([q * E**-0.5, k, v]) * block.attn_norm.weight
            return pad(joined.unflatten(0, (3 * H, E)), 1, 2).flatten(0, 1)[:, None]

        def out() -> Tensor:
            scaled = attn.o_proj.weight.float() * block.attn_scale[:, None]
            return pad(scaled.unflatten(1, (H, E)), 0, 2).flatten(1)[:, None]

        def gate_up() -> Tensor:
            both = torch.stack([mlp.gate_proj.weight, mlp.up_proj.weight]).float()
            return pad(both * block.mlp_norm.weight, 1, 2).flatten(0, 1)[:, None]

        def down() -> Tensor:
            scaled = mlp.down_proj.weight.float() * block.mlp_scale[:, None]
            return pad(scaled, 0, 1)[:, None]

        self._conv(layers.qkv, (3 * wide, 1, D), qkv)
        self._conv(layers.out, (D, 1, wide), out)
        self._conv(layers.gate_up, (2 * inner, 1, D), gate_up)
        self._conv(layers.down, (D, 1, inner), down)

    def _latent_stages(self, decoder: torch_decoder.CodecDecoder) -> None:
        model = self.model
        model.latent_stages = len(decoder.latent_stages)
        self.latent = (LatentStage * model.latent_stages)()
        model.latent = self.latent
        before: nn.Linear | None = decoder.transformer.output_proj
        scale = decoder.transformer.norm.weight.double()
        stages: list[Any] = list(decoder.latent_stages)
        for layers, stage in zip(self.latent, stages, strict=True):
            self._upsampling(layers, stage.up, before, scale)
            self._mixing(layers, stage.mix)
            before = None

    def _upsampling(
        self, layers: LatentStage, up: nn.ConvTranspose1d, before: nn.Linear | None, scale: Tensor
    ) -> None:
        """`before` the first one stand a norm with weights `scale` and a linear layer."""
        layers.channels, layers.rate = up.out_channels, up.stride[0]
        C = padded(layers.channels)

        def weight() -> Tensor:
            steps = up.weight.permute(2, 1, 0)  # [rate, N, C]
            if before is not None:
                steps = steps.double() @ (before.weight.double() * scale)
            return pad(steps, 1, 2).flatten(0, 1)[:, None]

        bias = bias_of(up)
        if before is not None:
            bias = bias + torch.einsum("cnr,c->rn", up.weight.double(), bias_of(before))
        inputs = padded(up.in_channels if before is None else before.in_features)
        self._conv(layers.up, (layers.rate * C, 1, inputs), weight, pad(bias, -1).flatten())

    def _mixing(self, layers: LatentStage, mix: torch_decoder.ConvNeXtBlock) -> None:
        C, wide = padded(layers.channels), padded(mix.pwconv1.out_features)
        first, second, norm = mix.pwconv1, mix.pwconv2, mix.norm
        layers.mix = self._keep(pad(mix.dwconv.weight[:, 0].T, 1))  # [J, C]
        layers.bias = self._keep(pad(bias_of(mix.dwconv), 0))

        def widen() -> Tensor:
            return pad(first.weight.float() * norm.weight, 0, 1)[:, None]

        def narrow() -> Tensor:
            return pad(second.weight.float() * mix.gamma[:, None], 0, 1)[:, None]

        bias = bias_of(first) + first.weight.double() @ norm.bias.double()
        self._conv(layers.widen, (wide, 1, C), widen, bias)
        self._conv(layers.narrow, (C, 1, wide), narrow, mix.gamma.double() * bias_of(second))

    def _wave_stages(self, decoder: torch_decoder.CodecDecoder) -> None:
        model, conv = self.model, decoder.wave_in
        stages: list[Any] = list(decoder.wave_stages)
        shape = (padded(conv.out_channels), conv.kernel_size[0], padded(conv.in_channels))
        self._conv(model.wave_in, shape, taps(conv), bias_of(conv), snake=stages[0].act)
        model.wave_stages = len(stages)
        self.wave = (WaveStage * len(stages))()
        model.wave = self.wave
        after = [stage.act for stage in stages[1:]] + [decoder.wave_act]
        for layers, stage, act in zip(self.wave, stages, after, strict=True):
            self._wave_stage(layers, stage, act)
        model.out = self._keep(pad(decoder.wave_out.weight[0].T, 1))  # [J, C]
        model.out_bias = float(bias_of(decoder.wave_out))

    def _wave_stage(
        self, layers: WaveStage, stage: torch_decoder.WaveStage, after: torch_decoder.SnakeBeta
    ) -> None:
        up, rate = stage.up, stage.up.stride[0]
        C = padded(up.out_channels)
        layers.channels, layers.rate = C, rate

        def weight() -> Tensor:
            steps = up.weight.permute(2, 1, 0).unflatten(0, (2, rate))  # now and one step ago
            return pad(steps.flip(0).permute(1, 2, 0, 3), 1, 3).flatten(0, 1)

        units: list[Any] = list(stage.units)
        shape = (rate * C, 2, padded(up.in_channels))
        self._conv(layers.up, shape, weight, bias_of(up), snake=units[0].act1)
        acts = [unit.act1 for unit in units[1:]] + [after]
        for i, (unit, act) in enumerate(zip(units, acts, strict=True)):
            wide, point = unit.conv1, unit.conv2
            self._conv(
                layers.wide[i],
                (C, wide.kernel_size[0], C),
                taps(wide),
                bias_of(wide),
                dilation=wide.dilation[0],
                snake=unit.act2,
            )
            self._conv(layers.point[i], (C, 1, C), taps(point), bias_of(point), snake=act)


def bias_of(layer: nn.Linear | nn.Conv1d | nn.ConvTranspose1d) -> Tensor:
    assert layer.bias is not None
    return layer.bias.double()


def taps(conv: nn.Conv1d) -> Callable[[], Tensor]:
    """A convolution's weight as [N, J, C]."""
    return lambda: pad(conv.weight.transpose(1, 2), 0, 2)
