"""Official tensor names and ours, one ordered table used in both directions.

`{}` stands for an index that is the same on both sides. The names on the left are those of the
published safetensors files (specification, appendix A); on the right are our modules' parameters.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from qwen3_tts.errors import InvalidWeights

Table = tuple[tuple[str, str], ...]


def _block(official: str, ours: str) -> Table:
    """One transformer block with gated feed-forward, as talker and code predictor have it."""
    attention = [f"{p}_proj.weight" for p in "qkvo"] + ["q_norm.weight", "k_norm.weight"]
    return (
        *((f"{official}.self_attn.{name}", f"{ours}.attn.{name}") for name in attention),
        *_gated(official, ours),
    )


def _gated(official: str, ours: str) -> Table:
    projections = [f"{name}_proj.weight" for name in ("gate", "up", "down")]
    return (
        *((f"{official}.mlp.{name}", f"{ours}.mlp.{name}") for name in projections),
        (f"{official}.input_layernorm.weight", f"{ours}.attn_norm.weight"),
        (f"{official}.post_attention_layernorm.weight", f"{ours}.mlp_norm.weight"),
    )


def _pair(official: str, ours: str) -> Table:
    """Weight and bias of one layer."""
    return tuple((f"{official}.{part}", f"{ours}.{part}") for part in ("weight", "bias"))


MODEL: Table = (
    ("talker.model.text_embedding.weight", "talker.text_embedding.weight"),
    *_pair("talker.text_projection.linear_fc1", "talker.text_projection.fc1"),
    *_pair("talker.text_projection.linear_fc2", "talker.text_projection.fc2"),
    ("talker.model.codec_embedding.weight", "talker.codec_embedding.weight"),
    *_block("talker.model.layers.{}", "talker.transformer.blocks.{}"),
    ("talker.model.norm.weight", "talker.transformer.norm.weight"),
    ("talker.codec_head.weight", "talker.codec_head.weight"),
    (
        "talker.code_predictor.model.codec_embedding.{}.weight",
        "code_predictor.codec_embedding.{}.weight",
    ),
    *_pair("talker.code_predictor.small_to_mtp_projection", "code_predictor.input_proj"),
    *_block("talker.code_predictor.model.layers.{}", "code_predictor.transformer.blocks.{}"),
    ("talker.code_predictor.model.norm.weight", "code_predictor.transformer.norm.weight"),
    ("talker.code_predictor.lm_head.{}.weight", "code_predictor.lm_head.{}.weight"),
    # In the official numbering block 0 is the first convolution; a shifted index needs rows.
    *_pair("speaker_encoder.blocks.0.conv", "speaker_encoder.conv_in"),
    *(
        row
        for n in (1, 2, 3)
        for row in (
            *_pair(
                f"speaker_encoder.blocks.{n}.tdnn1.conv", f"speaker_encoder.blocks.{n - 1}.conv_in"
            ),
            *_pair(
                f"speaker_encoder.blocks.{n}.res2net_block.blocks.{{}}.conv",
                f"speaker_encoder.blocks.{n - 1}.chunks.convs.{{}}",
            ),
            *_pair(
                f"speaker_encoder.blocks.{n}.tdnn2.conv", f"speaker_encoder.blocks.{n - 1}.conv_out"
            ),
            *_pair(
                f"speaker_encoder.blocks.{n}.se_block.conv1",
                f"speaker_encoder.blocks.{n - 1}.gate.conv1",
            ),
            *_pair(
                f"speaker_encoder.blocks.{n}.se_block.conv2",
                f"speaker_encoder.blocks.{n - 1}.gate.conv2",
            ),
        )
    ),
    *_pair("speaker_encoder.mfa.conv", "speaker_encoder.merge"),
    *_pair("speaker_encoder.asp.tdnn.conv", "speaker_encoder.pool.conv1"),
    *_pair("speaker_encoder.asp.conv", "speaker_encoder.pool.conv2"),
    *_pair("speaker_encoder.fc", "speaker_encoder.project"),
)


def _encoder_codebooks(official: str, ours: str) -> Table:
    book = f"{official}.layers.{{}}.codebook"
    return (
        (f"{official}.input_proj.weight", f"{ours}.input_proj.weight"),
        (f"{official}.output_proj.weight", f"{ours}.output_proj.weight"),
        (f"{book}.initialized", f"{ours}.books.{{}}.initialized"),
        (f"{book}.cluster_usage", f"{ours}.books.{{}}.cluster_usage"),
        (f"{book}.embed_sum", f"{ours}.books.{{}}.embedding_sum"),
    )


def _decoder_codebooks(official: str, ours: str) -> Table:
    book = f"{official}.vq.layers.{{}}._codebook"
    return (
        (f"{official}.input_proj.weight", f"{ours}.input_proj.weight"),
        (f"{official}.output_proj.weight", f"{ours}.output_proj.weight"),
        (f"{book}.cluster_usage", f"{ours}.books.{{}}.cluster_usage"),
        (f"{book}.embedding_sum", f"{ours}.books.{{}}.embedding_sum"),
    )


def _encoder_stages() -> Table:
    """Official layers 3n+1 and 3n+3 are our stage n: residual unit, then strided convolution."""
    rows: list[tuple[str, str]] = []
    for stage in range(4):
        unit, down = f"encoder.encoder.layers.{3 * stage + 1}", 3 * stage + 3
        rows += _pair(f"{unit}.block.1.conv", f"encoder.stages.{stage}.conv1")
        rows += _pair(f"{unit}.block.3.conv", f"encoder.stages.{stage}.conv2")
        rows += _pair(f"encoder.encoder.layers.{down}.conv", f"encoder.stages.{stage}.down")
    return tuple(rows)


_SCALES = ("self_attn_layer_scale.scale", "mlp_layer_scale.scale")
_ENCODER_BLOCK, _DECODER_BLOCK = (
    "encoder.encoder_transformer.layers.{}",
    "decoder.pre_transformer.layers.{}",
)

CODEC: Table = (
    *_pair("encoder.encoder.layers.0.conv", "encoder.conv_in"),
    *_encoder_stages(),
    *_pair("encoder.encoder.layers.14.conv", "encoder.conv_out"),
    *(
        (f"{_ENCODER_BLOCK}.self_attn.{p}_proj.weight", f"encoder.blocks.{{}}.attn.{p}_proj.weight")
        for p in "qkvo"
    ),
    (f"{_ENCODER_BLOCK}.mlp.fc1.weight", "encoder.blocks.{}.fc1.weight"),
    (f"{_ENCODER_BLOCK}.mlp.fc2.weight", "encoder.blocks.{}.fc2.weight"),
    *_pair(f"{_ENCODER_BLOCK}.input_layernorm", "encoder.blocks.{}.attn_norm"),
    *_pair(f"{_ENCODER_BLOCK}.post_attention_layernorm", "encoder.blocks.{}.mlp_norm"),
    (f"{_ENCODER_BLOCK}.{_SCALES[0]}", "encoder.blocks.{}.attn_scale"),
    (f"{_ENCODER_BLOCK}.{_SCALES[1]}", "encoder.blocks.{}.mlp_scale"),
    ("encoder.downsample.conv.weight", "encoder.downsample.weight"),
    *_encoder_codebooks(
        "encoder.quantizer.semantic_residual_vector_quantizer", "encoder.codebooks.semantic"
    ),
    *_encoder_codebooks(
        "encoder.quantizer.acoustic_residual_vector_quantizer", "encoder.codebooks.acoustic"
    ),
    *_decoder_codebooks("decoder.quantizer.rvq_first", "decoder.codebooks.semantic"),
    *_decoder_codebooks("decoder.quantizer.rvq_rest", "decoder.codebooks.acoustic"),
    *_pair("decoder.pre_conv.conv", "decoder.pre_conv"),
    *_pair("decoder.pre_transformer.input_proj", "decoder.transformer.input_proj"),
    *(
        (
            f"{_DECODER_BLOCK}.self_attn.{p}_proj.weight",
            f"decoder.transformer.blocks.{{}}.attn.{p}_proj.weight",
        )
        for p in "qkvo"
    ),
    *_gated(_DECODER_BLOCK, "decoder.transformer.blocks.{}"),
    (f"{_DECODER_BLOCK}.{_SCALES[0]}", "decoder.transformer.blocks.{}.attn_scale"),
    (f"{_DECODER_BLOCK}.{_SCALES[1]}", "decoder.transformer.blocks.{}.mlp_scale"),
    ("decoder.pre_transformer.norm.weight", "decoder.transformer.norm.weight"),
    *_pair("decoder.pre_transformer.output_proj", "decoder.transformer.output_proj"),
    *_pair("decoder.upsample.{}.0.conv", "decoder.latent_stages.{}.up"),
    ("decoder.upsample.{}.1.gamma", "decoder.latent_stages.{}.mix.gamma"),
    *_pair("decoder.upsample.{}.1.dwconv.conv", "decoder.latent_stages.{}.mix.dwconv"),
    *_pair("decoder.upsample.{}.1.norm", "decoder.latent_stages.{}.mix.norm"),
    *_pair("decoder.upsample.{}.1.pwconv1", "decoder.latent_stages.{}.mix.pwconv1"),
    *_pair("decoder.upsample.{}.1.pwconv2", "decoder.latent_stages.{}.mix.pwconv2"),
    *_pair("decoder.decoder.0.conv", "decoder.wave_in"),
)


def _snake(official: str, ours: str) -> Table:
    return tuple((f"{official}.{part}", f"{ours}.{part}") for part in ("alpha", "beta"))


def _wave_stages(count: int) -> Table:
    """Official decoder layers 1..count are our stages 0..count-1; then come Snake and the last
    convolution. Inside a stage: 0 Snake, 1 upsampling, 2.. residual units."""
    rows: list[tuple[str, str]] = []
    for stage in range(count):
        official, ours = f"decoder.decoder.{stage + 1}.block", f"decoder.wave_stages.{stage}"
        rows += _snake(f"{official}.0", f"{ours}.act")
        rows += _pair(f"{official}.1.conv", f"{ours}.up")
        for unit in range(3):
            rows += _snake(f"{official}.{unit + 2}.act1", f"{ours}.units.{unit}.act1")
            rows += _pair(f"{official}.{unit + 2}.conv1.conv", f"{ours}.units.{unit}.conv1")
            rows += _snake(f"{official}.{unit + 2}.act2", f"{ours}.units.{unit}.act2")
            rows += _pair(f"{official}.{unit + 2}.conv2.conv", f"{ours}.units.{unit}.conv2")
    rows += _snake(f"decoder.decoder.{count + 1}", "decoder.wave_act")
    rows += _pair(f"decoder.decoder.{count + 2}.conv", "decoder.wave_out")
    return tuple(rows)


CODEC += _wave_stages(4)


def to_ours(official: str, table: Table) -> str | None:
    """Our name of an official tensor, or None if the table has no such row."""
    return _translate(official, _compiled(table, 0))


def to_official(ours: str, table: Table) -> str:
    """The official name of one of our parameters. Raises `InvalidWeights` for a stray one."""
    name = _translate(ours, _compiled(table, 1))
    if name is None:
        raise InvalidWeights(f"parameter {ours!r} has no official name")
    return name


def officials(names: Iterable[str], table: Table) -> dict[str, str]:
    """Official name -> ours, for all of our parameter names."""
    return {to_official(name, table): name for name in names}


@lru_cache
def _compiled(table: Table, side: int) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(re.escape(row[side]).replace(r"\{\}", r"(\d+)")), row[1 - side])
        for row in table
    )


def _translate(name: str, rows: tuple[tuple[re.Pattern[str], str], ...]) -> str | None:
    for pattern, other in rows:
        if match := pattern.fullmatch(name):
            return other.format(*match.groups())
    return None
