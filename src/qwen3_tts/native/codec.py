"""The codec decoder in C: what `CodecDecoder` does, in bfloat16 products with float32 sums.

Chunks of any size, rows in any company and any number of threads give the same samples, to the
last bit. Dims: B rows, K codebooks, T frames.
"""

from ctypes import POINTER, byref, c_int, c_void_p

import torch
from torch import Tensor

from qwen3_tts.model.codec.decoder import CodecDecoder
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.native.codec_packing import PackedCodec, padded
from qwen3_tts.native.codec_structs import CodecCall, CodecModel
from qwen3_tts.native.library import Pool


class NativeDecoder:
    """Decodes as the `CodecDecoder` it is made from, whose weights it copies.

    `threads` of the pool work on a call; it may be set at any time. One call at a time, together
    with all else that uses the pool. Raises `UnsupportedRequest` where the layers do not fit.
    """

    def __init__(self, decoder: CodecDecoder, pool: Pool, threads: int | None = None):
        self.config, self.samples_per_frame = decoder.config, decoder.samples_per_frame
        self.pool, self.threads = pool, threads or pool.threads
        self.packed = PackedCodec(decoder)
        self.tails = self._tails()
        self._decode = pool.library.codec_decode
        self._decode.restype = c_int
        self._decode.argtypes = [c_void_p, c_int, POINTER(CodecModel), POINTER(CodecCall)]

    def _tails(self) -> list[tuple[int, int, torch.dtype]]:
        """Per causal layer: steps remembered, channels padded, and how they are kept.

        Inputs of bfloat16 products are kept as they go in.
        """
        model = self.packed.model
        narrow = [model.wave_in]
        for stage in model.wave[: model.wave_stages]:
            narrow += [stage.up, *stage.wide]
        return [
            (model.front.taps - 1, model.front.inputs, torch.float32),
            *[(6, model.wave_in.inputs, torch.float32)] * model.latent_stages,
            *[((c.taps - 1) * c.dilation, c.inputs, torch.bfloat16) for c in narrow],
            (6, model.wave[model.wave_stages - 1].channels, torch.float32),
        ]

    def new_state(self, rows: int) -> DecoderState:
        """The start of a stream in every row.

        Tails are [B, steps, channels]. Keys and values [L, B, H, W-1, E] are rings: frame p is at
        place p modulo W-1.
        """
        c = self.config
        places = max(c.sliding_window - 1, 0)
        kv = (c.num_hidden_layers, rows, c.num_attention_heads, places, padded(c.head_dim))
        return DecoderState(
            tails=[torch.zeros(rows, n, width, dtype=kind) for n, width, kind in self.tails],
            keys=torch.zeros(kv),
            values=torch.zeros(kv),
            pos=torch.zeros(rows, dtype=torch.long),
        )

    def __call__(self, codes: Tensor, state: DecoderState) -> Tensor:
        """Decode the next frames of every row. codes [B, K, T] -> wave [B, T * 1920].

        Raises `IndexError` for a code that is none of its codebook; the state is as it was.
        """
        B, K, T = codes.shape
        rows, books = len(state.pos), self.config.num_quantizers
        if rows != B or books != K:
            raise ValueError(f"codes are [{B}, {K}, {T}], this state takes [{rows}, {books}, T]")
        codes = codes.long().contiguous()
        wave = torch.empty(B, T * self.samples_per_frame)
        for tensor in (*state.tails, state.keys[0], state.values[0], state.pos):
            assert tensor.is_contiguous(), tensor.shape
        call = CodecCall(
            codes=codes.data_ptr(),
            tails=(c_void_p * len(state.tails))(*[tail.data_ptr() for tail in state.tails]),
            keys=state.keys.data_ptr(),
            values=state.values.data_ptr(),
            layer=state.keys.stride(0),
            pos=state.pos.data_ptr(),
            wave=wave.data_ptr(),
            rows=B,
            frames=T,
        )
        failed = self._decode(self.pool.handle, self.threads, byref(self.packed.model), byref(call))
        if failed > 0:
            raise IndexError(f"codes must lie in 0..{self.config.codebook_size - 1}")
        if failed:
            raise MemoryError(f"no memory to decode {B} rows of {T} frames")
        return wave
