"""The name table against the census of the published files, written down from the specification.

Census lines: W a `.weight`, WB a `.weight` and a `.bias`, T the name as it stands; then shapes,
with `|` between 1.7B and 0.6B where they differ. `{0..3}` and `{2,4}` stand for one index each.
"""

import itertools
import math
import re

import pytest
import torch

from qwen3_tts.errors import InvalidWeights
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.weights.names import CODEC, MODEL, officials, to_official, to_ours
from qwen3_tts.weights.published import published_codec_config, published_config

Census = dict[str, tuple[int, ...]]

TALKER = """
W  talker.model.layers.{0..27}.self_attn.q_proj 2048,2048|2048,1024
W  talker.model.layers.{0..27}.self_attn.{k,v}_proj 1024,2048|1024,1024
W  talker.model.layers.{0..27}.self_attn.o_proj 2048,2048|1024,2048
W  talker.model.layers.{0..27}.self_attn.{q,k}_norm 128
W  talker.model.layers.{0..27}.mlp.{gate,up}_proj 6144,2048|3072,1024
W  talker.model.layers.{0..27}.mlp.down_proj 2048,6144|1024,3072
W  talker.model.layers.{0..27}.{input,post_attention}_layernorm 2048|1024
W  talker.model.norm 2048|1024
W  talker.model.codec_embedding 3072,2048|3072,1024
W  talker.model.text_embedding 151936,2048
WB talker.text_projection.linear_fc1 2048,2048 2048
WB talker.text_projection.linear_fc2 2048,2048|1024,2048 2048|1024
W  talker.codec_head 3072,2048|3072,1024
W  talker.code_predictor.model.layers.{0..4}.self_attn.q_proj 2048,1024
W  talker.code_predictor.model.layers.{0..4}.self_attn.{k,v}_proj 1024,1024
W  talker.code_predictor.model.layers.{0..4}.self_attn.o_proj 1024,2048
W  talker.code_predictor.model.layers.{0..4}.self_attn.{q,k}_norm 128
W  talker.code_predictor.model.layers.{0..4}.mlp.{gate,up}_proj 3072,1024
W  talker.code_predictor.model.layers.{0..4}.mlp.down_proj 1024,3072
W  talker.code_predictor.model.layers.{0..4}.{input,post_attention}_layernorm 1024
W  talker.code_predictor.model.norm 1024
W  talker.code_predictor.model.codec_embedding.{0..14} 2048,2048|2048,1024
W  talker.code_predictor.lm_head.{0..14} 2048,1024
"""
PROJECTION_1_7B = "WB talker.code_predictor.small_to_mtp_projection 1024,2048 1024"
SPEAKER_ENCODER = """
WB speaker_encoder.blocks.0.conv 512,128,5 512
WB speaker_encoder.blocks.{1..3}.tdnn{1,2}.conv 512,512,1 512
WB speaker_encoder.blocks.{1..3}.res2net_block.blocks.{0..6}.conv 64,64,3 64
WB speaker_encoder.blocks.{1..3}.se_block.conv1 128,512,1 128
WB speaker_encoder.blocks.{1..3}.se_block.conv2 512,128,1 512
WB speaker_encoder.mfa.conv 1536,1536,1 1536
WB speaker_encoder.asp.tdnn.conv 128,4608,1 128
WB speaker_encoder.asp.conv 1536,128,1 1536
WB speaker_encoder.fc 2048,3072,1|1024,3072,1 2048|1024
"""
CODEC_ENCODER = """
WB encoder.encoder.layers.0.conv 64,1,7 64
WB encoder.encoder.layers.1.block.1.conv 32,64,3 32
WB encoder.encoder.layers.1.block.3.conv 64,32,1 64
WB encoder.encoder.layers.3.conv 128,64,8 128
WB encoder.encoder.layers.4.block.1.conv 64,128,3 64
WB encoder.encoder.layers.4.block.3.conv 128,64,1 128
WB encoder.encoder.layers.6.conv 256,128,10 256
WB encoder.encoder.layers.7.block.1.conv 128,256,3 128
WB encoder.encoder.layers.7.block.3.conv 256,128,1 256
WB encoder.encoder.layers.9.conv 512,256,12 512
WB encoder.encoder.layers.10.block.1.conv 256,512,3 256
WB encoder.encoder.layers.10.block.3.conv 512,256,1 512
WB encoder.encoder.layers.12.conv 1024,512,16 1024
WB encoder.encoder.layers.14.conv 512,1024,3 512
W  encoder.encoder_transformer.layers.{0..7}.self_attn.{q,k,v,o}_proj 512,512
W  encoder.encoder_transformer.layers.{0..7}.mlp.fc1 2048,512
W  encoder.encoder_transformer.layers.{0..7}.mlp.fc2 512,2048
WB encoder.encoder_transformer.layers.{0..7}.{input,post_attention}_layernorm 512 512
T  encoder.encoder_transformer.layers.{0..7}.{self_attn,mlp}_layer_scale.scale 512
W  encoder.downsample.conv 512,512,4
T  encoder.quantizer.semantic_residual_vector_quantizer.layers.0.codebook.initialized 1
T  encoder.quantizer.semantic_residual_vector_quantizer.layers.0.codebook.cluster_usage 2048
T  encoder.quantizer.semantic_residual_vector_quantizer.layers.0.codebook.embed_sum 2048,256
T  encoder.quantizer.acoustic_residual_vector_quantizer.layers.{0..30}.codebook.initialized 1
T  encoder.quantizer.acoustic_residual_vector_quantizer.layers.{0..30}.codebook.cluster_usage 2048
T  encoder.quantizer.acoustic_residual_vector_quantizer.layers.{0..30}.codebook.embed_sum 2048,256
W  encoder.quantizer.{semantic,acoustic}_residual_vector_quantizer.input_proj 256,512,1
W  encoder.quantizer.{semantic,acoustic}_residual_vector_quantizer.output_proj 512,256,1
"""
CODEC_DECODER = """
W  decoder.pre_transformer.layers.{0..7}.self_attn.{q,k,v}_proj 1024,512
W  decoder.pre_transformer.layers.{0..7}.self_attn.o_proj 512,1024
W  decoder.pre_transformer.layers.{0..7}.mlp.{gate,up}_proj 1024,512
W  decoder.pre_transformer.layers.{0..7}.mlp.down_proj 512,1024
W  decoder.pre_transformer.layers.{0..7}.{input,post_attention}_layernorm 512
T  decoder.pre_transformer.layers.{0..7}.{self_attn,mlp}_layer_scale.scale 512
W  decoder.pre_transformer.norm 512
WB decoder.pre_transformer.input_proj 512,1024 512
WB decoder.pre_transformer.output_proj 1024,512 1024
W  decoder.quantizer.rvq_{first,rest}.input_proj 256,512,1
W  decoder.quantizer.rvq_{first,rest}.output_proj 512,256,1
T  decoder.quantizer.rvq_first.vq.layers.0._codebook.cluster_usage 2048
T  decoder.quantizer.rvq_first.vq.layers.0._codebook.embedding_sum 2048,256
T  decoder.quantizer.rvq_rest.vq.layers.{0..14}._codebook.cluster_usage 2048
T  decoder.quantizer.rvq_rest.vq.layers.{0..14}._codebook.embedding_sum 2048,256
WB decoder.pre_conv.conv 1024,512,3 1024
WB decoder.upsample.{0,1}.0.conv 1024,1024,2 1024
T  decoder.upsample.{0,1}.1.gamma 1024
WB decoder.upsample.{0,1}.1.dwconv.conv 1024,1,7 1024
WB decoder.upsample.{0,1}.1.norm 1024 1024
WB decoder.upsample.{0,1}.1.pwconv1 4096,1024 4096
WB decoder.upsample.{0,1}.1.pwconv2 1024,4096 1024
WB decoder.decoder.0.conv 1536,1024,7 1536
T  decoder.decoder.1.block.0.{alpha,beta} 1536
WB decoder.decoder.1.block.1.conv 1536,768,16 768
T  decoder.decoder.1.block.{2,3,4}.act{1,2}.{alpha,beta} 768
WB decoder.decoder.1.block.{2,3,4}.conv1.conv 768,768,7 768
WB decoder.decoder.1.block.{2,3,4}.conv2.conv 768,768,1 768
T  decoder.decoder.2.block.0.{alpha,beta} 768
WB decoder.decoder.2.block.1.conv 768,384,10 384
T  decoder.decoder.2.block.{2,3,4}.act{1,2}.{alpha,beta} 384
WB decoder.decoder.2.block.{2,3,4}.conv1.conv 384,384,7 384
WB decoder.decoder.2.block.{2,3,4}.conv2.conv 384,384,1 384
T  decoder.decoder.3.block.0.{alpha,beta} 384
WB decoder.decoder.3.block.1.conv 384,192,8 192
T  decoder.decoder.3.block.{2,3,4}.act{1,2}.{alpha,beta} 192
WB decoder.decoder.3.block.{2,3,4}.conv1.conv 192,192,7 192
WB decoder.decoder.3.block.{2,3,4}.conv2.conv 192,192,1 192
T  decoder.decoder.4.block.0.{alpha,beta} 192
WB decoder.decoder.4.block.1.conv 192,96,6 96
T  decoder.decoder.4.block.{2,3,4}.act{1,2}.{alpha,beta} 96
WB decoder.decoder.4.block.{2,3,4}.conv1.conv 96,96,7 96
WB decoder.decoder.4.block.{2,3,4}.conv2.conv 96,96,1 96
T  decoder.decoder.5.{alpha,beta} 96
WB decoder.decoder.6.conv 1,96,7 1
"""

# kind, size, tensors, parameters (specification, section 1.1)
CHECKPOINTS = [
    ("custom_voice", "0.6B", 402, 905_788_672),
    ("base", "0.6B", 478, 914_643_008),
    ("custom_voice", "1.7B", 404, 1_916_676_352),
    ("voice_design", "1.7B", 404, 1_916_676_352),
    ("base", "1.7B", 480, 1_928_677_440),
]


def census(text: str, size: str = "1.7B") -> Census:
    """Official name -> shape, from lines as above."""
    tensors: Census = {}
    for line in text.split("\n"):
        if line.strip():
            kind, pattern, *columns = line.split()
            ends = {"W": [".weight"], "WB": [".weight", ".bias"], "T": [""]}[kind]
            for end, column in zip(ends, columns, strict=True):
                shape = column.split("|")[0 if size == "1.7B" else -1]
                for name in expand(pattern):
                    assert name + end not in tensors, name
                    tensors[name + end] = tuple(map(int, shape.split(",")))
    return tensors


def expand(pattern: str) -> list[str]:
    """`a{0..2}b{x,y}` -> a0bx, a0by, a1bx, ..."""
    choices = []
    for i, part in enumerate(re.split(r"\{(.*?)\}", pattern)):
        low, dots, high = part.partition("..")
        if i % 2 == 0:
            choices.append([part])  # text between two braces
        else:
            choices.append([*map(str, range(int(low), int(high) + 1))] if dots else low.split(","))
    return ["".join(choice) for choice in itertools.product(*choices)]


def model_census(kind: str, size: str) -> Census:
    text = TALKER + (PROJECTION_1_7B if size == "1.7B" else "")
    return census(text + (SPEAKER_ENCODER if kind == "base" else ""), size)


def ours(module: torch.nn.Module) -> Census:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


@pytest.mark.parametrize(("kind", "size", "tensors", "parameters"), CHECKPOINTS)
def test_model_has_the_tensors_of_the_file(
    kind: str, size: str, tensors: int, parameters: int
) -> None:
    with torch.device("meta"):
        model = SpeechModel(published_config(kind, size))
    expected = model_census(kind, size)
    assert {to_official(name, MODEL): shape for name, shape in ours(model).items()} == expected
    assert len(expected) == len(ours(model)) == tensors
    assert sum(map(math.prod, expected.values())) == parameters


def test_codec_has_the_tensors_of_the_file() -> None:
    with torch.device("meta"):
        codec = SpeechCodec(published_codec_config())
    expected = census(CODEC_ENCODER + CODEC_DECODER)
    assert {to_official(name, CODEC): shape for name, shape in ours(codec).items()} == expected
    assert (len(census(CODEC_ENCODER)), len(census(CODEC_DECODER))) == (225, 271)
    assert len(expected) == len(ours(codec)) == 496
    assert sum(map(math.prod, expected.values())) == 170_557_441


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (MODEL, list(model_census("base", "1.7B"))),
        (CODEC, list(census(CODEC_ENCODER + CODEC_DECODER))),
    ],
    ids=["model", "codec"],
)
class TestTable:
    def test_is_a_bijection(self, table: tuple[tuple[str, str], ...], names: list[str]) -> None:
        translated = {name: to_ours(name, table) for name in names}
        assert None not in translated.values()
        assert {to_official(mine, table): mine for mine in translated.values()} == translated
        assert officials(translated.values(), table) == translated

    def test_rows_do_not_collide(
        self, table: tuple[tuple[str, str], ...], names: list[str]
    ) -> None:
        """Were a name to fit two rows, the order of rows would decide what it becomes."""
        turned = table[::-1]
        for name in names:
            mine = to_ours(name, table)
            assert to_ours(name, turned) == mine
            assert to_official(mine, turned) == name

    def test_every_row_is_used(self, table: tuple[tuple[str, str], ...], names: list[str]) -> None:
        for row in table:
            assert any(to_ours(name, (row,)) for name in names), row


def test_unknown_names() -> None:
    assert to_ours("talker.lm_head.weight", MODEL) is None
    assert to_ours("talker.model.layers.x.mlp.up_proj.weight", MODEL) is None
    with pytest.raises(InvalidWeights, match=r"talker\.lora\.weight"):
        to_official("talker.lora.weight", MODEL)
