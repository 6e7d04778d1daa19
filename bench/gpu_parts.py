"""Models of random weights made on the device, and what the parts of a frame take there.

Dims: B rows, K code groups, V code vocabulary.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from models import DTYPES
from setting import median
from torch import Tensor

from qwen3_tts.config import GenerationConfig
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.cuda_graphs import GraphRunner
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.graph_decoder import GraphDecoder
from qwen3_tts.engine.graphs import CudaGraphs, Graphs
from qwen3_tts.engine.options import EngineOptions, complete_sampling
from qwen3_tts.engine.packed import PackedRunner
from qwen3_tts.engine.plan import Planner
from qwen3_tts.engine.runner import EagerRunner, Runner
from qwen3_tts.engine.slots import Slots
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.prompt.byte_vocab import write_byte_tokenizer
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.types import Sampling
from qwen3_tts.weights.load import blank
from qwen3_tts.weights.published import (
    published_codec_config,
    published_config,
    tiny_codec_config,
    tiny_config,
    with_special_ids,
)
from qwen3_tts.weights.random import random_weights_

Measure = dict[str, float]
PROMPT = 40  # positions before the first frame, where a stage is measured


class Again:
    """In place of graphs where there are none: the functions themselves."""

    def capture(self, function: Callable[[], Tensor]) -> Callable[[], Tensor]:
        return function

    def lane(self) -> Any:
        return nullcontext()


@dataclass(frozen=True)
class Device:
    device: torch.device
    lock: threading.Lock

    def graphs(self) -> Graphs:
        return CudaGraphs(self.device, self.lock) if self.device.type == "cuda" else Again()

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, function: Callable[[], Any], repeat: int) -> float:
        """Of one call among many in a row, after a first one; the median of three tries."""
        function()
        tries = []
        for _ in range(3):
            self.wait()
            start_s = time.perf_counter()
            for _ in range(repeat):
                function()
            self.wait()
            tries.append((time.perf_counter() - start_s) / repeat)
        return median(tries)


@dataclass(frozen=True)
class Parts:
    """What engines are made of."""

    model: SpeechModel
    codec: SpeechCodec
    tokenizer: TextTokenizer
    packed: PackedRunner

    def engine(self, on: Device, graphs: bool, options: EngineOptions) -> Engine:
        runner, codec = self.runner(on, graphs)
        plan = Planner(self.model.config, GenerationConfig(), self.tokenizer, options)
        return Engine(self.model, codec, plan, options, runner)

    def runner(self, on: Device, graphs: bool) -> tuple[Runner, Codec]:
        if not graphs:
            return EagerRunner(self.model), Codec(self.codec)
        decoder = GraphDecoder(self.codec.decoder, on.graphs())
        return GraphRunner(self.packed, on.graphs()), Codec(self.codec, decoder=decoder)


@contextmanager
def random_parts(on: Device, size: Any, dtype: str) -> Iterator[Parts]:
    """A CustomVoice model with one token per byte of text, whose speech has no end."""
    with tempfile.TemporaryDirectory() as name:
        special = write_byte_tokenizer(Path(name))
        tokenizer = TextTokenizer.from_folder(Path(name))
    if size == "tiny":
        config, codec_config = tiny_config("custom_voice", special_ids=special), tiny_codec_config()
    else:
        config = with_special_ids(published_config("custom_voice", size), special)
        codec_config = published_codec_config()
    with blank():
        model, codec = SpeechModel(config).to(DTYPES[dtype]), SpeechCodec(codec_config)
    random_weights_(model.to_empty(device=on.device), 0)
    random_weights_(codec.to_empty(device=on.device), 0)
    with torch.no_grad():  # a score of 0 is never among the 50 best of random ones
        model.talker.codec_head.weight[config.talker_config.codec_eos_token_id] = 0
    model.requires_grad_(False)
    codec.requires_grad_(False)
    yield Parts(model, codec, tokenizer, PackedRunner(model))


def rates(on: Device, megabytes: int) -> Measure:
    """What the device can do: bytes a second of a copy (read and written) and of a read alone, and
    floating-point operations a second of a large product in bfloat16."""
    source = torch.randn(megabytes * 2**18, device=on.device)
    target = torch.empty_like(source)
    copy_s = on.seconds(lambda: target.copy_(source), 10)
    read_s = on.seconds(source.sum, 10)
    side = 8192 if on.device.type == "cuda" else 512
    a, b = (torch.randn(side, side, device=on.device).bfloat16() for _ in range(2))
    product_s = on.seconds(lambda: a @ b, 10)
    return {
        "copy GB/s": 2 * source.nbytes / copy_s / 1e9,
        "read GB/s": source.nbytes / read_s / 1e9,
        "bfloat16 TFLOP/s": 2 * side**3 / product_s / 1e12,
    }


def frame_bytes(model: SpeechModel) -> int:
    """Weights that a frame of one row reads: the talker once, the predictor K - 1 times."""

    def size(module: torch.nn.Module) -> int:
        return sum(weight.nbytes for weight in module.parameters())

    passes = model.config.talker_config.num_code_groups - 1
    predictor = model.code_predictor
    talker = size(model.talker.transformer) + size(model.talker.codec_head)
    projection = 2 * size(predictor.input_proj)
    return talker + passes * (size(predictor.transformer) + projection) + size(predictor.lm_head)


def frames(on: Device, parts: Parts, graphs: bool, rows: int, repeat: int) -> Measure:
    """A frame of so many rows as the loop makes it: host and device, codes on the host."""
    slots = spoken_to(parts, on, graphs, rows)
    taken = list(range(rows))
    with torch.inference_mode():
        frame_s = on.seconds(lambda: slots.step(taken).tolist(), repeat)
    return {"frame s": frame_s, "x realtime": 0.08 * rows / frame_s}


def spoken_to(parts: Parts, on: Device, graphs: bool, rows: int) -> Slots:
    """Slots whose rows have all read a prompt."""
    runner, codec = parts.runner(on, graphs)
    slots = Slots(runner, codec.decoder, rows)
    sampling = complete_sampling(Sampling(), GenerationConfig())
    with torch.inference_mode():
        for row in range(rows):
            slots.start(row, sampling, row)
            slots.read(row, [5] * PROMPT, [()] * PROMPT)
            slots.feed(row, 0, [5])
    return slots


def stages(on: Device, parts: Parts, repeat: int) -> Measure:
    """What the parts of one row's frame take on the device, each a graph of its own, replayed one
    after the other without a look at the results."""
    slots = spoken_to(parts, on, False, 1)
    runner, state, graphs = parts.packed, slots.state.head(1), on.graphs()
    codes = torch.zeros(1, slots.config.num_code_groups, 1, dtype=torch.long, device=on.device)
    text = torch.zeros(1, 1, dtype=torch.long, device=on.device)
    first, noise = codes[:, 0, 0], slots.noise.predictor[:1]
    chosen, cache = state.options.predictor, state.frame_cache
    parts_of_a_frame: dict[str, Callable[[], Tensor]] = {
        "scores of the first code": lambda: runner.logits(state.hidden),
        "predictor": lambda: runner.fill_frame(state.hidden, first, noise, chosen, cache),
        "embedding": lambda: runner.embed(text, codes),
        "talker": lambda: runner.talk(state.hidden[:, None], state.cache, 256),
    }
    with torch.inference_mode():
        return {
            name: on.seconds(graphs.capture(function), repeat)
            for name, function in parts_of_a_frame.items()
        }


def decodes(on: Device, parts: Parts, graphs: bool, repeat: int) -> dict[str, float]:
    """A chunk of sound by rows and frames, until it is on the host."""
    taken = {}
    _, codec = parts.runner(on, graphs)
    K = codec.num_codebooks
    for rows, frames in ((1, 1), (1, 2), (1, 4), (1, 8), (8, 4), (32, 2)):
        slots = Slots(EagerRunner(parts.model), codec.decoder, rows)
        codes = torch.zeros(rows, K, frames, dtype=torch.long, device=on.device)
        with torch.inference_mode():
            slots.decode(range(rows), codes)
            taken[f"{rows} x {frames}"] = on.seconds(
                lambda slots=slots, rows=rows, codes=codes: slots.decode(range(rows), codes), repeat
            )
    return taken


def outside_kernels(on: Device, parts: Parts, repeat: int) -> Measure:
    """The share of a frame's time, one row, in which no kernel runs. Needs CUDA's own profiler."""
    if on.device.type != "cuda":
        return {}
    slots = spoken_to(parts, on, True, 1)
    with torch.inference_mode():
        for _ in range(5):
            slots.step([0]).tolist()
        start_s = time.perf_counter()
        for _ in range(repeat):
            slots.step([0]).tolist()
        wall_s = time.perf_counter() - start_s
        kinds = [torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=kinds) as profile:
            for _ in range(repeat):
                slots.step([0]).tolist()
            on.wait()
    busy_us = sum(event.self_device_time_total for event in profile.key_averages())
    frames = {"frame s": wall_s / repeat, "kernels s": busy_us * 1e-6 / repeat}
    return frames | {"share outside": 1 - busy_us * 1e-6 / wall_s}
