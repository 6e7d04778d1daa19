"""Which layers are rounded, to what, and that nothing else is touched."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.quantize.linear import QuantizedLinear
from qwen3_tts.quantize.plan import blank_quantized, quantize_model
from qwen3_tts.quantize.rows import FORMATS, Format
from qwen3_tts.weights.published import tiny_config
from qwen3_tts.weights.random import random_speech_model

PROJECTIONS = [f"attn.{p}_proj" for p in "qkvo"] + [f"mlp.{p}_proj" for p in ("gate", "up", "down")]


@pytest.fixture(params=[False, True], ids=["0b6", "1b7"])
def model(request: pytest.FixtureRequest) -> SpeechModel:
    """With a speaker encoder; the wide one also narrows what the predictor reads."""
    return random_speech_model(tiny_config("base", wide=request.param), 3).requires_grad_(False)


def formats_of(model: SpeechModel) -> dict[str, Format]:
    """Name -> format of every rounded layer."""
    return {
        name: module.format
        for name, module in model.named_modules()
        if isinstance(module, QuantizedLinear)
    }


@pytest.mark.parametrize("format", FORMATS)
def test_which_layers(model: SpeechModel, format: Format) -> None:
    talker, predictor = model.talker.transformer, model.code_predictor.transformer
    expected: dict[str, Format] = {
        f"talker.transformer.blocks.{i}.{name}": format
        for i in range(len(talker.blocks))
        for name in PROJECTIONS
    }
    expected |= {
        f"code_predictor.transformer.blocks.{i}.{name}": "int8"
        for i in range(len(predictor.blocks))
        for name in PROJECTIONS
    }
    expected |= {f"code_predictor.lm_head.{i}": "int8" for i in range(15)}
    expected |= {"talker.codec_head": "int8"}
    if isinstance(model.code_predictor.input_proj, nn.Linear):
        expected |= {"code_predictor.input_proj": "int8"}
    assert formats_of(quantize_model(model, format)) == expected


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_else_is_touched(model: SpeechModel, format: Format) -> None:
    before = {name: (p.data_ptr(), p.clone()) for name, p in model.state_dict().items()}
    after = quantize_model(model, format).state_dict()
    rounded = {f"{name}.weight" for name in formats_of(model)}
    assert {name for name in before if name not in after} == rounded
    for name in before.keys() - rounded:
        place, value = before[name]
        assert after[name].data_ptr() == place
        assert torch.equal(after[name], value)
    left = {name.partition(".")[2] for name in after if name.endswith("embedding.weight")}
    assert left == {"text_embedding.weight", "codec_embedding.weight"}
    assert {"talker.text_projection.fc1.weight", "speaker_encoder.project.weight"} <= after.keys()


@pytest.mark.parametrize("format", FORMATS)
def test_it_computes_as_a_plain_model_with_the_rounded_weights(
    model: SpeechModel, format: Format
) -> None:
    plain = deepcopy(model)
    quantize_model(model, format)
    for name, module in model.named_modules():
        if isinstance(module, QuantizedLinear):
            layer = plain.get_submodule(name)
            assert isinstance(layer, nn.Linear)
            layer.weight.copy_(module.rows.floats())
    torch.manual_seed(1)
    x = torch.randn(2, 6, model.config.talker_config.hidden_size)
    hidden, expected = model.talker(x, None), plain.talker(x, None)
    # the same sums, scaled before or after: float32's own error through three layers
    close = {"rtol": 0.0, "atol": 2e-4}
    torch.testing.assert_close(hidden, expected, **close)
    torch.testing.assert_close(
        model.talker.logits(hidden[:, 0]), plain.talker.logits(hidden[:, 0]), **close
    )
    codes = torch.arange(28).view(2, 14)
    torch.testing.assert_close(
        model.code_predictor(hidden[:, 0], hidden[:, 1], codes),
        plain.code_predictor(hidden[:, 0], hidden[:, 1], codes),
        **close,
    )


@pytest.mark.parametrize("format", FORMATS)
def test_a_blank_model_has_the_same_tensors(model: SpeechModel, format: Format) -> None:
    made = quantize_model(deepcopy(model), format).state_dict()
    blank = blank_quantized(model, format).state_dict()
    shapes = [{n: (t.shape, t.dtype) for n, t in state.items()} for state in (made, blank)]
    assert shapes[0] == shapes[1]
