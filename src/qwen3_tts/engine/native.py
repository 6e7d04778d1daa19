"""The loop's arithmetic by the kernels of `qwen3_tts.native`, on a CPU."""

import threading
from collections.abc import Sequence

import torch
from torch import Tensor

from qwen3_tts.engine.sampling import HeadOptions
from qwen3_tts.engine.team import Team
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.codec.decoder import CodecDecoder
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.native.codec import NativeDecoder
from qwen3_tts.native.library import Pool
from qwen3_tts.native.speech import NativeSpeech
from qwen3_tts.native.structs import DrawOptions
from qwen3_tts.quantize.rows import Format

MOST_ENTRIES = 32_768  # projected texts kept while nobody speaks: 128 MB at a width of 1,024


class NativeRunner:
    """A `Runner`. Takes the linear layers out of `model`; `format` as for `NativeSpeech`.

    Text is projected once: a table holds the vector of every token seen so far, so a frame costs
    one row of it. The projection itself is done in float32.
    """

    def __init__(self, model: SpeechModel, format: Format | None, team: Team):
        self.config, self.talker, self.team = model.config, model.talker, team
        self.speech = NativeSpeech(model, format, Pool(team.threads))
        self.like = torch.empty(0)
        self.cache_like = torch.empty(0, dtype=torch.bfloat16)
        self.talker.text_projection.float()
        self.places: dict[int, int] = {}  # text id -> row of `texts`
        self.texts = torch.empty(256, self.config.talker_config.hidden_size)

    def text_entries(self, ids: Sequence[int]) -> Sequence[int]:
        fresh = [id for id in dict.fromkeys(ids) if id not in self.places]
        if fresh:
            vectors = self.talker.text_projection(
                self.talker.text_embedding(torch.tensor(fresh)).float()
            )
            self._keep_texts(fresh, vectors)
        return [self.places[id] for id in ids]

    def _keep_texts(self, ids: Sequence[int], vectors: Tensor) -> None:
        start, end = len(self.places), len(self.places) + len(ids)
        if end > len(self.texts):
            grown = self.texts.new_empty(max(end, 2 * len(self.texts)), self.texts.shape[1])
            grown[:start] = self.texts[:start]
            self.texts = grown
        self.texts[start:end] = vectors
        self.places.update(zip(ids, range(start, end), strict=True))

    def embed(self, text: Tensor, codes: Tensor) -> Tensor:
        x: Tensor = self.texts[text]  # [B, S, D], a copy
        self.speech.add_codes(x.view(-1, x.shape[2]), codes.transpose(1, 2).flatten(0, 1))
        return x

    def logits(self, hidden: Tensor) -> Tensor:
        self.speech.threads = self.team.loop_threads
        return self.speech.logits(hidden)

    def fill_frame(
        self, hidden: Tensor, first: Tensor, noise: Tensor, options: HeadOptions, cache: FrameCache
    ) -> Tensor:
        self.speech.threads = self.team.loop_threads
        given = DrawOptions(
            temperature=options.temperature.data_ptr(),
            tail=options.tail.data_ptr(),
            top_k=options.top_k.data_ptr(),
            greedy=options.greedy.data_ptr(),
        )
        return self.speech.fill_frame(hidden, first, noise, given, cache)

    def talk(self, x: Tensor, cache: KVCache, longest: int) -> Tensor:
        self.speech.threads = self.team.loop_threads
        return self.speech.talker(x, cache, longest)

    def rest(self) -> None:
        if len(self.places) > MOST_ENTRIES:
            self.places, self.texts = {}, self.texts[:256].clone()


class TeamDecoder:
    """A `Decoder` on the kernels, for the engine's threads and any other: one call at a time."""

    def __init__(self, decoder: CodecDecoder, team: Team):
        self.native, self.team = NativeDecoder(decoder, Pool(team.threads)), team
        self.samples_per_frame = decoder.samples_per_frame
        self.lock = threading.Lock()

    def __call__(self, codes: Tensor, state: DecoderState) -> Tensor:
        with self.lock:
            self.native.threads = self.team.codec_threads
            return self.native(codes, state)

    def new_state(self, rows: int) -> DecoderState:
        return self.native.new_state(rows)
