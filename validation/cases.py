"""What both sides are asked to do, and how far they may differ. Plain data, no torch.

A component's name is `group/case/part`; the part decides the bound.
"""

import re
from dataclasses import dataclass, field

ABSOLUTE, RELATIVE, EQUAL, NOTE = "abs", "rel", "equal", "note"

# Bounds by the first word of the part. "abs": largest difference. "rel": largest difference over
# the largest value. "note": measured and shown, without a verdict.
BOUNDS: dict[str, tuple[str, float]] = {
    "ids": (EQUAL, 0),
    "codes": (EQUAL, 0),
    "prompt": (ABSOLUTE, 5e-5),
    "layer": (ABSOLUTE, 5e-5),
    "hidden": (ABSOLUTE, 5e-5),
    "logits": (ABSOLUTE, 5e-5),
    "predictor": (ABSOLUTE, 5e-5),
    "wave": (ABSOLUTE, 1e-5),
    "early_cut": (EQUAL, 0),
    "stage": (ABSOLUTE, 1e-5),
    "decoded": (ABSOLUTE, 5e-6),
    "restarted": (NOTE, 0),
    "resampled": (ABSOLUTE, 1e-6),
    "mel": (RELATIVE, 1e-4),
    "vector": (RELATIVE, 1e-4),
}

# How many values of an array a small dump keeps, by part; ids and codes are kept whole.
KEPT = {"wave": 400, "decoded": 2000, "vector": 2048}
KEPT_OTHERWISE = 160

# What a component is called in the summary, by the first pattern that occurs in its name.
LABELS = (
    (r"/ids", "text ids"),
    (r"^speech/.*/codes.reference", "codes of a reference recording"),
    (r"^speech/sampled.*/codes", "sampled codes"),
    (r"^speech/batch.*/codes", "greedy codes, batches of mixed lengths"),
    (r"^speech/.*/codes", "greedy codes"),
    (r"/prompt", "prompt embeddings"),
    (r"^speech/.*/layer", "talker layers over the prompt"),
    (r"/hidden", "talker hidden"),
    (r"/logits", "first-code logits"),
    (r"/predictor.taught", "code predictor logits, one pass"),
    (r"/predictor$", "code predictor logits, code by code"),
    (r"/wave", "end-to-end wave"),
    (r"/early_cut", "official early cut, samples"),
    (r"^speech/.*/vector", "speaker vector of a voice"),
    (r"/stage.quantizer", "decoder: quantizer decode"),
    (r"/stage.pre_conv", "decoder: pre_conv"),
    (r"/stage.pre_transformer", "decoder: pre_transformer"),
    (r"/stage.upsample.\d.0", "decoder: upsampling convolutions"),
    (r"/stage.upsample.\d.1", "decoder: ConvNeXt blocks"),
    (r"/stage.decoder.(5|\d.block.0)$", "decoder: SnakeBeta"),
    (r"/stage.decoder.\d.block.1$", "decoder: transposed convolutions"),
    (r"/stage.decoder.\d.block.\d$", "decoder: residual units"),
    (r"/stage.decoder.0$", "decoder: first convolution"),
    (r"/stage.decoder.\d$", "decoder: blocks"),
    (r"/decoded.whole", "decoder: whole `forward`"),
    (r"/decoded.pieces", "decoder: `forward`, ours in pieces of 64 frames"),
    (r"/decoded.first", "official chunked decode, first 300 frames"),
    (r"/restarted", "official chunked decode, after 300 frames"),
    (r"/stage.encoder$", "encoder: convolutions"),
    (r"/stage.encoder_transformer", "encoder: transformer"),
    (r"/stage.downsample", "encoder: latent"),
    (r"^codec/.*/codes", "encoder: codes"),
    (r"/resampled", "resampled recording"),
    (r"/mel", "mel"),
    (r"^codec/.*/vector", "speaker vector"),
)


def part(name: str) -> str:
    """The bound's key of a component, e.g. "stage" of "codec/decode/stage.upsample.0"."""
    return name.rsplit("/", 1)[1].split(".")[0]


def kept(name: str) -> int:
    """About how many values of a component a small dump keeps."""
    return KEPT.get(part(name), KEPT_OTHERWISE)


def label(name: str) -> str:
    if name.startswith("layer/"):
        return f"real size: {name.split('/')[1]}"
    return next(text for pattern, text in LABELS if re.search(pattern, name))


@dataclass(frozen=True)
class Checkpoint:
    """A tiny checkpoint. `wide`: talker wider than predictor, size "1b7"; else size "0b6"."""

    kind: str
    seed: int
    wide: bool = False
    heads: tuple[int, int] = (4, 2)
    groups: int = 16


CHECKPOINTS = {
    "0.6B-CustomVoice": Checkpoint("custom_voice", 11),
    "0.6B-Base": Checkpoint("base", 12, heads=(6, 3)),
    "1.7B-CustomVoice": Checkpoint("custom_voice", 13, wide=True, heads=(4, 4)),
    "1.7B-VoiceDesign": Checkpoint("voice_design", 14, wide=True, heads=(6, 2)),
    "1.7B-Base": Checkpoint("base", 15, wide=True, heads=(2, 1)),
    "8-codebooks": Checkpoint("base", 16, wide=True, heads=(8, 2), groups=8),
}


@dataclass(frozen=True)
class Reference:
    """A recording to clone; without a text, by its speaker vector alone."""

    seed: int
    seconds: float
    rate: int
    text: str | None = None


@dataclass(frozen=True)
class Line:
    """One text to speak."""

    text: str
    language: str = "Auto"
    speaker: str = ""
    instruct: str = ""
    reference: Reference | None = None


@dataclass(frozen=True)
class Case:
    """Lines spoken in one call: greedy without a seed. `options` are spelled as the official ones.

    `text_first` is the official `non_streaming_mode`. `max_frames` is the official
    `max_new_tokens` less one.
    """

    name: str
    checkpoint: str
    lines: tuple[Line, ...]
    text_first: bool
    max_frames: int = 6
    seed: int | None = None
    options: dict[str, float | int | bool] = field(default_factory=dict)


LONG_REFERENCE = Reference(1, 2.5, 16000, "So.")  # 32 frames, more than the text has tokens
SHORT_REFERENCE = Reference(2, 0.7, 24000, "Where is it?")
EARLY_REFERENCE = Reference(4, 1.2, 48000, "A")  # 15 frames: with 7 new ones the cut is early
VECTOR_REFERENCE = Reference(3, 1.1, 44100)

MODES: list[tuple[str, str, Line]] = [
    ("0.6B-CustomVoice", "plain", Line("Hello there, you.", "English", "ryan")),
    ("0.6B-CustomVoice", "instruct", Line("Yes.", "French", "serena", "In a whisper.")),
    ("1.7B-CustomVoice", "plain", Line("Guten Tag!", "German", "sohee")),
    ("1.7B-CustomVoice", "instruct", Line("你好，世界。", "Chinese", "vivian", "很高兴")),
    ("1.7B-VoiceDesign", "described", Line("Good night.", "English", "", "A warm old man.")),
    ("1.7B-VoiceDesign", "undescribed", Line("¿Dónde?", "Spanish")),
    ("0.6B-Base", "x-vector", Line("Bom dia.", "Portuguese", reference=VECTOR_REFERENCE)),
    ("0.6B-Base", "in-context", Line("Over there.", "English", reference=SHORT_REFERENCE)),
    ("1.7B-Base", "x-vector", Line("Привет!", "Russian", reference=VECTOR_REFERENCE)),
    ("1.7B-Base", "in-context", Line("No.", "Auto", reference=LONG_REFERENCE)),
]
GRID = [
    Case(f"{checkpoint}.{mode}.{order}", checkpoint, (line,), order == "text-first")
    for checkpoint, mode, line in MODES
    for order in ("text-first", "text-along")
]

PLAIN, DESIGN = MODES[0][2], MODES[4][2]
SAMPLED = [
    Case("sampled", "0.6B-CustomVoice", (PLAIN,), True, 16, 1),
    Case("sampled.ends", "0.6B-CustomVoice", (PLAIN,), False, 40, 22),
    Case("sampled.hot", "1.7B-CustomVoice", (MODES[3][2],), False, 12, 3,
         {"temperature": 1.5, "top_k": 0, "repetition_penalty": 1.5, "subtalker_top_k": 7}),
    Case("sampled.penalty", "1.7B-CustomVoice", (MODES[3][2],), False, 30, 34,  # also below zero
         {"temperature": 1.5, "top_k": 0, "repetition_penalty": 8.0, "subtalker_top_k": 7}),
    Case("sampled.top_p", "1.7B-VoiceDesign", (DESIGN,), True, 12, 4,
         {"top_p": 0.8, "subtalker_top_p": 0.7, "temperature": 1.0}),
    Case("sampled.talker", "0.6B-Base", (MODES[7][2],), False, 8, 5, {"subtalker_dosample": False}),
    Case("sampled.predictor", "1.7B-Base", (MODES[8][2],), True, 8, 6, {"do_sample": False}),
    Case("sampled.in-context", "1.7B-Base", (MODES[9][2],), True, 8, 7),
    Case("sampled.8-codebooks", "8-codebooks", (MODES[7][2],), False, 8, 8),
]  # fmt: skip
OTHERS = [
    Case("dialect.auto", "0.6B-CustomVoice", (Line("你好！", "Auto", "dylan"),), True),
    Case("dialect.chinese", "1.7B-CustomVoice", (Line("你好。", "Chinese", "eric"),), False),
    Case("dialect.unused", "1.7B-CustomVoice", (Line("Hello.", "English", "eric"),), True),
    Case("auto", "0.6B-CustomVoice", (Line("A cat, a dog and a bird sat down.", "Auto", "aiden"),),
         False),
    Case("no-speaker", "1.7B-CustomVoice", (Line("Hm.", "Italian"),), True),
    Case("in-context.long", "0.6B-Base", (Line("Oh.", "Auto", reference=LONG_REFERENCE),), False),
    Case("early-cut", "0.6B-Base", (Line("Oh.", "Korean", reference=EARLY_REFERENCE),), False, 7),
    Case("8-codebooks.x-vector", "8-codebooks", (MODES[8][2],), True),
    Case("8-codebooks.in-context", "8-codebooks", (MODES[7][2],), False),
    Case("batch.presets", "0.6B-CustomVoice", (
        PLAIN, Line("No!", "Auto", "dylan"), Line("Ein langer Satz, viel länger.", "German")),
        True, 10),
    Case("batch.instruct", "1.7B-CustomVoice", (MODES[3][2], MODES[2][2]), False, 8),
    Case("batch.clones", "1.7B-Base", (MODES[8][2], MODES[9][2], MODES[7][2]), False, 8),
]  # fmt: skip
CASES = {case.name: case for case in (*GRID, *SAMPLED, *OTHERS)}


@dataclass(frozen=True)
class Decode:
    """Codes drawn from `seed` to a wave."""

    checkpoint: str
    seed: int
    frames: int


DECODES = {
    "decode": Decode("0.6B-Base", 21, 200),
    "decode.8-codebooks": Decode("8-codebooks", 22, 90),
}
CHUNKED = Decode("0.6B-Base", 23, 320)  # the official decode restarts after 300 frames
CHUNK_FRAMES = 300

ENCODES = {  # recordings at 24 kHz by (checkpoint, seed, seconds)
    "encode.whole": ("0.6B-Base", 34, 1.6),  # 20 frames
    "encode.part": ("8-codebooks", 32, 0.53),  # 12,720 samples: 14 steps of 25 Hz, 7 frames
    "encode.odd": ("1.7B-Base", 33, 0.68),  # 17 steps of 25 Hz, so the last one is repeated
    "encode.long": ("0.6B-Base", 44, 11.2),  # 280 steps, beyond the window of 250 in the config
}
SPEAKERS = {  # (checkpoint, seed, seconds, rate)
    "speaker.16k": ("0.6B-Base", 41, 0.9, 16000),
    "speaker.44k": ("1.7B-Base", 42, 1.3, 44100),
    "speaker.48k": ("0.6B-Base", 43, 0.6, 48000),
}


@dataclass(frozen=True)
class Layer:
    """One layer of real size with weights of its own.

    `shape` is that of the input: unit noise, or with `codebooks` codes [B, K, T].
    """

    seed: int
    shape: tuple[int, ...]
    part: str = "stage"
    codebooks: bool = False


LAYERS = {
    "talker-1.7B": Layer(51, (1, 24, 2048), "layer"),
    "talker-0.6B": Layer(52, (1, 24, 1024), "layer"),
    "predictor": Layer(53, (1, 16, 1024), "layer"),
    "text-projection": Layer(54, (1, 12, 2048), "layer"),
    "quantizer-decode": Layer(55, (1, 16, 40), codebooks=True),
    "pre-conv": Layer(56, (1, 512, 24)),
    "pre-transformer": Layer(57, (1, 90, 1024)),
    "upsample": Layer(58, (1, 1024, 12)),
    "convnext": Layer(59, (1, 1024, 24)),
    "decoder-conv": Layer(60, (1, 1024, 16)),
    "snake": Layer(61, (1, 1536, 32)),
    "residual-unit": Layer(62, (1, 768, 72)),
    "decoder-block": Layer(63, (1, 1536, 12)),
    "encoder-stage": Layer(64, (1, 512, 203)),
    "encoder-transformer": Layer(65, (1, 300, 512)),
    "encoder-downsample": Layer(66, (1, 512, 27)),
    "quantizer-encode": Layer(67, (1, 512, 12), "codes"),
    "speaker-block": Layer(68, (1, 512, 60)),
    "speaker-encoder": Layer(69, (1, 120, 128), "vector"),
}
