"""Agreement of rounded models: what is counted is what teacher forcing says, and nano's gates."""

import json

import agreement
import pytest
import torch
from torch import Tensor

from qwen3_tts.train.recipe.sentences import held_out_english
from qwen3_tts.types import Sampling, SpeechRequest
from tests.conftest import OpenModel, WriteCheckpoint

GREEDY = Sampling(greedy=True, predictor_greedy=True, repetition_penalty=1.0)


def requests(count: int, sampling: Sampling = Sampling()) -> list[SpeechRequest]:  # noqa: B008
    """Short ones: a random model does not end by itself."""
    texts = ["Hello there.", "One two."][:count]
    return [SpeechRequest(text, sampling=sampling, seed=5, max_frames=6) for text in texts]


def test_answers_are_those_of_one_pass_over_known_codes(model: OpenModel) -> None:
    """`CodePredictor.forward` reads all groups at once; here every group is drawn by noise."""
    tts = model("custom_voice", True)
    (spoken,) = agreement.speak(tts, requests(1))
    (found,) = agreement.answers(tts, [spoken])
    speech, config = tts.engine.model, tts.config.talker_config
    hidden = speech.talker(speech.embed(torch.tensor([spoken.text_ids]), spoken.codes), None)
    hidden = hidden[0, spoken.start :]
    torch.testing.assert_close(found.hidden, hidden, rtol=0, atol=1e-4)
    frames = spoken.frames
    first = speech.talker.codec_embedding(frames[:, 0])
    logits = speech.code_predictor(hidden[:-1], first, frames[:, 1:-1])
    assert torch.equal(found.others, logits.argmax(-1))
    scores = speech.talker.logits(hidden)
    drawn = config.vocab_size - config.num_control_ids
    allowed = torch.arange(config.vocab_size) < drawn
    allowed[config.codec_eos_token_id] = True
    assert torch.equal(found.first, scores.masked_fill(~allowed, -torch.inf).argmax(-1))
    assert len(found.first) == len(frames) + 1


def test_greedy_speech_is_what_its_model_finds_likeliest(model: OpenModel) -> None:
    """But for the end, which is held back for two frames and may be cut off."""
    tts = model("custom_voice")
    speech = agreement.speak(tts, requests(2, GREEDY))
    for spoken, found in zip(speech, agreement.answers(tts, speech), strict=True):
        assert torch.equal(found.others, spoken.frames[:, 1:])
        assert torch.equal(found.first[2:-1], spoken.frames[2:, 0])


def answer(first: list[int], others: list[list[int]], hidden: float = 1.0) -> agreement.Answer:
    """An answer that is sure of its codes."""
    shares = torch.full((len(first), 4), -30.0).scatter(1, torch.tensor(first)[:, None], 0.0)
    return agreement.Answer(torch.full((len(first), 2), hidden), shares, torch.tensor(others))


def test_figures() -> None:
    reference = [answer([0, 1, 2], [[1, 1], [2, 2]]), answer([3, 3], [[0, 0]])]
    own = [answer([0, 1, 3], [[1, 1], [2, 0]], 0.5), answer([3, 3], [[1, 1]], 1.0)]
    found = agreement.figures(reference, own, reference)
    assert found["talker"] == pytest.approx(4 / 5)
    assert found["predictor"] == pytest.approx(3 / 6)
    assert found["by_group"] == pytest.approx([2 / 3, 1 / 3])
    assert found["predictor_alone"] == 1
    assert found["hidden_error"] == pytest.approx((6 * 0.25 / 10) ** 0.5)
    assert found["divergence"] == pytest.approx(30 / 5, rel=1e-6)
    low, high = found["talker_95"]
    assert low <= 4 / 5 <= high


def test_what_may_never_be_drawn_has_no_share() -> None:
    shares: Tensor = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
    assert agreement.divergence(shares, shares).tolist() == [0.0, 0.0]


def test_a_model_agrees_with_itself(checkpoint: WriteCheckpoint) -> None:
    told = agreement.measure(str(checkpoint("custom_voice")), ["float32", "int8"], requests(2))
    same = told["forms"]["float32"]
    assert (same["talker"], same["predictor"], same["predictor_alone"]) == (1, 1, 1)
    assert (same["divergence"], same["hidden_error"]) == (0, 0)
    assert 0 < told["forms"]["int8"]["hidden_error"] < 0.2
    assert told["frames"] > 0
    json.dumps(told)


def test_a_base_checkpoint_is_refused(checkpoint: WriteCheckpoint) -> None:
    with pytest.raises(SystemExit, match="no preset"):
        agreement.measure(str(checkpoint("base")), ["int8"], requests(1))


def test_int8_says_what_nano_says() -> None:
    """The quality gate, on a few sentences; docs/nano.md has 120."""
    texts = list(held_out_english())[:6]
    asked = [SpeechRequest(text, seed=i) for i, text in enumerate(texts)]
    told = agreement.measure("nano", ["int8"], asked)
    assert agreement.too_low(told) == []
    assert told["forms"]["int8"]["talker"] < 1 or told["forms"]["int8"]["predictor"] < 1


@pytest.mark.parametrize("talker", [0.96, 0.98])
def test_a_gate_that_is_missed_is_named(talker: float) -> None:
    told = {"forms": {"int8": {"talker": talker, "predictor": 0.95}}}
    assert agreement.too_low(told) == (["talker"] if talker < 0.97 else [])


def test_command(checkpoint: WriteCheckpoint, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", str(checkpoint("custom_voice")), "--forms", "bfloat16", "--limit", "1"]
    words += ["--max-frames", "3"]
    with pytest.raises(SystemExit) as ended:
        agreement.main([*words, "--threads", str(torch.get_num_threads())])
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["validation"], told["sentences"]) == ("agreement", 1)
    with pytest.raises(SystemExit):
        agreement.main([*words, "--forms", "int3"])
    assert "int3: allowed are float32, bfloat16, int8, int4" in capsys.readouterr().err
