"""What is trained is what is served: the same positions, the same inputs, the same targets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.prompt.layout import Prompt, Speaker, TokenIds, build_prompt
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.train.batches import BatchMaker, Draw
from qwen3_tts.train.loss import embed, first_logits, predictor_logits, talker_hidden
from qwen3_tts.train.options import TalkerOptions
from qwen3_tts.train.setup import Parts, set_up

# float32, other orders of summation: whole batches against one position at a time
CLOSE = {"atol": 2e-5, "rtol": 1e-4}


@pytest.fixture(scope="module")
def parts(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    from tests.train.conftest import TINY

    options: TalkerOptions = replace(TINY, seed=4)
    found = set_up(corpus, tmp_path_factory.mktemp("out"), options)
    found.model.requires_grad_(False).eval()
    return found


def served(parts: Parts, prompt: Prompt, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of groups 0 [T + 1, V'] and 1..K-1 [T, K-1, V], one step at a time as serving goes:
    the prompt, then frame after frame of known codes with the text ids that are fed."""
    model, config = parts.model, parts.model.config
    groups = frames.shape[1]
    talker = config.talker_config
    like = torch.zeros(())
    cache = KVCache.new(talker, 1, 256, like)
    frame_cache = FrameCache.new(talker.code_predictor_config, 1, like)
    codes = torch.full((1, groups, len(prompt)), -1)
    for position, known in enumerate(prompt.codes):
        for group, code in enumerate(known):
            codes[0, group, position] = code
    x = model.embed(torch.tensor([prompt.text_ids]), codes)
    hidden = model.talker(x, cache.span(len(prompt), 256))[:, -1]
    cache.pos += len(prompt)
    firsts, others = [model.talker.logits(hidden)[0]], []
    for index, frame in enumerate(frames):
        vector = model.talker.codec_embedding(frame[:1])
        scores = [model.code_predictor.start(hidden, vector, frame_cache)]
        for group in range(1, groups - 1):
            step = model.code_predictor.step(group, frame[group : group + 1], frame_cache)
            scores.append(step)
        others.append(torch.cat(scores))
        fed = prompt.trailing[index] if index < len(prompt.trailing) else config.tts_pad_token_id
        x = model.embed(torch.tensor([[fed]]), frame[None, :, None])
        hidden = model.talker(x, cache.span(1, 256))[:, 0]
        cache.pos += 1
        firsts.append(model.talker.logits(hidden)[0])
    return torch.stack(firsts), torch.stack(others)


@pytest.mark.parametrize("text_first", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_teacher_forced_scores_are_those_of_serving(
    parts: Parts, text_first: bool, named: bool
) -> None:
    maker = parts.train
    draws = [Draw(i, text_first, named) for i in range(3)]  # rows of different lengths
    batch = maker.batch(draws)
    hidden = talker_hidden(parts.model, batch.text_ids, batch.codes)[batch.query]
    firsts = first_logits(parts.model, hidden)
    others = torch.stack(
        predictor_logits(parts.model, hidden[batch.has_frame], batch.frames), dim=1
    )

    talker = parts.model.config.talker_config
    at, frame_at = 0, 0
    for draw in draws:
        item = maker.items[draw.item]
        frames = torch.from_numpy(np.array(parts.corpus.frames(item.utterance), np.int64))
        prompt = build_prompt(
            maker.ids,
            item.text,
            speaker=Speaker(preset_id=talker.spk_id[item.utterance.speaker]),
            language=talker.codec_language_id["english"] if named else None,
            text_first=text_first,
        )
        first, other = served(parts, prompt, frames)
        own = slice(at, at + len(frames) + 1)
        torch.testing.assert_close(firsts[own], first[:, : firsts.shape[1]], **CLOSE)
        rows = slice(frame_at, frame_at + len(frames))
        torch.testing.assert_close(others[rows], other, **CLOSE)
        targets = [*frames[:, 0].tolist(), talker.codec_eos_token_id]
        assert batch.first[own].tolist() == targets
        assert torch.equal(batch.frames[rows], frames)
        at, frame_at = own.stop, rows.stop
    assert at == len(batch.query)
    assert frame_at == len(batch.has_frame)


def test_the_cheap_embedding_is_the_models_own(parts: Parts) -> None:
    batch = parts.train.batch([Draw(0, True, True), Draw(1, False, False)])
    mine = embed(parts.model, batch.text_ids, batch.codes)
    torch.testing.assert_close(mine, parts.model.embed(batch.text_ids, batch.codes), **CLOSE)


@pytest.mark.parametrize("text_first", [False, True])
def test_attention_is_taught_to_positions_that_hold_the_units(
    parts: Parts, text_first: bool
) -> None:
    maker: BatchMaker = parts.train
    batch = maker.batch([Draw(2, text_first, True)])
    item = maker.items[2]
    ids: TokenIds = maker.ids
    length = batch.text_ids.shape[1]
    units = [*item.text, ids.tts_eos]
    for (low, high), (first, last), query in zip(
        batch.attend.tolist(), item.units.tolist(), batch.query.tolist(), strict=True
    ):
        read = batch.text_ids[0, low : high + 1].tolist()
        assert read == units[first : last + 1][: len(read)]
        assert high <= query < length
        if text_first:  # all text has been read by then
            assert len(read) == last - first + 1


def test_units_carry_the_text(parts: Parts) -> None:
    tokenizer = TextTokenizer.from_folder(parts.tokenizer_folder)
    for item in parts.train.items:
        assert tokenizer.decode(item.text) == item.utterance.text
