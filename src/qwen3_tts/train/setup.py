"""From a corpus folder to a model that can be trained: tokenizer, config, weights, tables."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn

from qwen3_tts.config import CheckpointConfig
from qwen3_tts.errors import InvalidConfig
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.layers import RMSNorm
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.prompt.layout import TokenIds
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.train.batches import BatchMaker
from qwen3_tts.train.data import Corpus, Item, prepare, read_unit_bytes
from qwen3_tts.train.geometry import (
    Neighbours,
    codebook_entries,
    neighbours,
    start_from_codebooks_,
)
from qwen3_tts.train.options import TalkerOptions
from qwen3_tts.train.recipe.nano import nano_config
from qwen3_tts.train.recipe.tokenizer import train_tokenizer
from qwen3_tts.weights.load import load_codec

EMBEDDING_RMS = 0.5  # of text and code embeddings alike
HEAD_RMS = 0.02  # scores start within about 0.3 of each other


@dataclass(frozen=True)
class Parts:
    """All that a training works on."""

    corpus: Corpus
    tokenizer_folder: Path
    codec: SpeechCodec
    model: SpeechModel
    neighbours: Neighbours
    train: BatchMaker
    held_out: BatchMaker


def set_up(data: Path, out: Path, options: TalkerOptions) -> Parts:
    """Read the corpus and make a new model. The text tokenizer is that of `out`, or is trained
    into it."""
    corpus = Corpus.open(data)
    codec = load_codec(data / "codec", device=torch.device("cpu"))
    folder = out
    if not (folder / "vocab.json").is_file():
        texts = [utterance.text for utterance in corpus.of("train")]
        train_tokenizer(texts, folder, num_merges=options.merges)
    tokenizer = TextTokenizer.from_folder(folder)
    config = _config(corpus, codec, tokenizer, options)
    model = new_model(config, options.seed)
    entries = codebook_entries(codec)
    _check_codes(corpus, entries)
    start_from_codebooks_(
        model, entries, rms=EMBEDDING_RMS, head_rms=HEAD_RMS, seed=options.seed + 1
    )
    usage = [
        torch.from_numpy(np.bincount(corpus.codes[:, g], minlength=len(own)))
        for g, own in enumerate(entries)
    ]
    tables = neighbours(entries, usage, sharing=options.soft_entries, wide=options.wide_entries)
    ids = TokenIds.of(config, tokenizer.role_ids())
    unit_bytes = read_unit_bytes(folder)
    makers = {
        split: _maker(corpus, split, tokenizer, unit_bytes, ids, config)
        for split in ("train", "held_out")
    }
    return Parts(corpus, folder, codec, model, tables, makers["train"], makers["held_out"])


def new_model(config: CheckpointConfig, seed: int) -> SpeechModel:
    """A model with weights to start from, the same for the same seed."""
    model = SpeechModel(config)
    generator = Generator().manual_seed(seed)
    with torch.no_grad():
        for name, module in model.named_modules():
            for part, parameter in module.named_parameters(recurse=False):
                _start(parameter, f"{name}.{part}", module, config, generator)
    return model


def _start(
    parameter: Tensor, name: str, module: nn.Module, config: CheckpointConfig, generator: Generator
) -> None:
    talker = config.talker_config
    layers = talker.num_hidden_layers
    if name.startswith("code_predictor."):
        layers = talker.code_predictor_config.num_hidden_layers
    match module:
        case RMSNorm():
            parameter.fill_(1)
        case nn.Embedding():
            parameter.normal_(0, EMBEDDING_RMS, generator=generator)
        case nn.Linear() if parameter.ndim == 1:
            parameter.zero_()
        case nn.Linear():
            std = 1 / math.sqrt(parameter.shape[1])
            if name.endswith(("o_proj.weight", "down_proj.weight")):  # they add up over the layers
                std /= math.sqrt(2 * layers)
            parameter.normal_(0, std, generator=generator)
        case _:
            raise AssertionError(f"no rule for {name}")


def _config(
    corpus: Corpus, codec: SpeechCodec, tokenizer: TextTokenizer, options: TalkerOptions
) -> CheckpointConfig:
    names = ("<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>")
    decoder = codec.config.decoder_config
    if corpus.num_code_groups != decoder.num_quantizers:
        raise InvalidConfig(
            f"codes.npy has {corpus.num_code_groups} codes a frame, the codec "
            f"{decoder.num_quantizers}"
        )
    return nano_config(
        {name: tokenizer.token_id(name) for name in names},
        num_code_groups=corpus.num_code_groups,
        codebook_size=decoder.codebook_size,
        speakers=corpus.speakers(),
        languages=corpus.languages(),
        **options.model_sizes(),
    )


def _check_codes(corpus: Corpus, entries: list[Tensor]) -> None:
    low, high = int(corpus.codes.min()), int(corpus.codes.max())
    size = min(len(own) for own in entries)
    if low < 0 or high >= size:
        raise InvalidConfig(f"codes.npy holds codes {low}..{high}; the codec has 0..{size - 1}")


def _maker(
    corpus: Corpus,
    split: str,
    tokenizer: TextTokenizer,
    unit_bytes: dict[int, int],
    ids: TokenIds,
    config: CheckpointConfig,
) -> BatchMaker:
    talker = config.talker_config
    items: list[Item] = [prepare(u, tokenizer, unit_bytes) for u in corpus.of(split)]
    if not items:
        raise InvalidConfig(f"no {split} utterances in {corpus.folder}")
    return BatchMaker(
        corpus,
        items,
        ids,
        speakers=talker.spk_id,
        languages=talker.codec_language_id,
        end_of_speech=talker.codec_eos_token_id,
    )
