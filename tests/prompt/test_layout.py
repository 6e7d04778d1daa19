"""Prompts written out position by position, for every mode of section 5 of the specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.prompt.layout import Prompt, Speaker, TokenIds, build_prompt
from qwen3_tts.weights.published import published_config

ROLE = (151644, 77091, 198)
PAD, BOS, EOS = 151671, 151672, 151673  # text ids
CODEC_PAD, CODEC_BOS = 2148, 2149
THINK, NOTHINK, THINK_BOS, THINK_EOS = 2154, 2155, 2156, 2157
ENGLISH, SICHUAN = 2050, 2062
RYAN = 3061
IDS = TokenIds.of(published_config("custom_voice", "1.7B"), ROLE)

TEXT = [11, 12, 13]
INSTRUCT = [151644, 872, 198, 55, 151645, 198]
REF_TEXT = [21, 22]
FRAMES = [tuple(range(100 * t, 100 * t + 16)) for t in range(1, 8)]

Grid = list[tuple[int, tuple[int, ...]]]  # text id and codes of every position
ROLE_ROWS: Grid = [(151644, ()), (77091, ()), (198, ())]


def grid(prompt: Prompt) -> Grid:
    assert len(prompt) == len(prompt.text_ids) == len(prompt.codes)
    return [(t, tuple(c)) for t, c in zip(prompt.text_ids, prompt.codes, strict=True)]


def test_preset_with_a_language_text_first() -> None:
    """The default of presets: the whole text, then begin."""
    prompt = build_prompt(
        IDS, TEXT, speaker=Speaker(preset_id=RYAN), language=ENGLISH, text_first=True
    )
    assert grid(prompt) == [
        *ROLE_ROWS,
        (PAD, (THINK,)),
        (PAD, (THINK_BOS,)),
        (PAD, (ENGLISH,)),
        (PAD, (THINK_EOS,)),
        (PAD, (RYAN,)),
        (BOS, (CODEC_PAD,)),
        (11, (CODEC_PAD,)),
        (12, (CODEC_PAD,)),
        (13, (CODEC_PAD,)),
        (EOS, (CODEC_PAD,)),
        (PAD, (CODEC_BOS,)),
    ]
    assert prompt.trailing == []
    assert prompt.speaker_at is None


def test_preset_with_a_language_text_along_the_way() -> None:
    prompt = build_prompt(IDS, TEXT, speaker=Speaker(preset_id=RYAN), language=ENGLISH)
    assert grid(prompt) == [
        *ROLE_ROWS,
        (PAD, (THINK,)),
        (PAD, (THINK_BOS,)),
        (PAD, (ENGLISH,)),
        (PAD, (THINK_EOS,)),
        (PAD, (RYAN,)),
        (BOS, (CODEC_PAD,)),
        (11, (CODEC_BOS,)),
    ]
    assert prompt.trailing == [12, 13, EOS]


def test_automatic_language_without_a_speaker() -> None:
    prompt = build_prompt(IDS, TEXT, speaker=Speaker())
    assert grid(prompt) == [
        *ROLE_ROWS,
        (PAD, (NOTHINK,)),
        (PAD, (THINK_BOS,)),
        (PAD, (THINK_EOS,)),
        (BOS, (CODEC_PAD,)),
        (11, (CODEC_BOS,)),
    ]
    assert prompt.trailing == [12, 13, EOS]


def test_designed_voice_starts_with_its_instruction() -> None:
    prompt = build_prompt(IDS, [11], speaker=Speaker(), instruct=INSTRUCT, text_first=True)
    assert grid(prompt) == [
        (151644, ()),
        (872, ()),
        (198, ()),
        (55, ()),
        (151645, ()),
        (198, ()),
        *ROLE_ROWS,
        (PAD, (NOTHINK,)),
        (PAD, (THINK_BOS,)),
        (PAD, (THINK_EOS,)),
        (BOS, (CODEC_PAD,)),
        (11, (CODEC_PAD,)),
        (EOS, (CODEC_PAD,)),
        (PAD, (CODEC_BOS,)),
    ]


def test_one_token_of_text() -> None:
    prompt = build_prompt(IDS, [11], speaker=Speaker())
    assert grid(prompt)[-1] == (11, (CODEC_BOS,))
    assert prompt.trailing == [EOS]


@pytest.mark.parametrize("text_first", [False, True])
def test_vector_takes_the_place_of_a_preset(text_first: bool) -> None:
    """Same positions; the vector's own has no code, and says where it is."""
    vector = build_prompt(
        IDS, TEXT, speaker=Speaker(vector=True), language=SICHUAN, text_first=text_first
    )
    preset = build_prompt(
        IDS, TEXT, speaker=Speaker(preset_id=RYAN), language=SICHUAN, text_first=text_first
    )
    assert vector.speaker_at == 7
    assert grid(preset)[7] == (PAD, (RYAN,))
    assert grid(vector)[7] == (PAD, ())
    assert grid(vector)[:7] == grid(preset)[:7]
    assert grid(vector)[8:] == grid(preset)[8:]
    assert vector.trailing == preset.trailing


def in_context(frames: int, text_first: bool) -> Prompt:
    speaker = Speaker(vector=True, ref_text=REF_TEXT, ref_codes=FRAMES[:frames])
    return build_prompt(IDS, TEXT, speaker=speaker, language=ENGLISH, text_first=text_first)


CLONE_CONTROL: Grid = [
    (PAD, (THINK,)),
    (PAD, (THINK_BOS,)),
    (PAD, (ENGLISH,)),
    (PAD, (THINK_EOS,)),
    (PAD, ()),  # the speaker vector
    (BOS, (CODEC_PAD,)),
]


def test_in_context_text_longer_than_the_reference() -> None:
    """N1 = 6 text ids over N2 = 4 code positions: two ids are left for later."""
    prompt = in_context(3, text_first=False)
    assert grid(prompt) == [
        *ROLE_ROWS,
        *CLONE_CONTROL,
        (21, (CODEC_BOS,)),
        (22, FRAMES[0]),
        (11, FRAMES[1]),
        (12, FRAMES[2]),
    ]
    assert prompt.trailing == [13, EOS]
    assert prompt.speaker_at == 7


def test_in_context_text_as_long_as_the_reference() -> None:
    """N1 = N2 = 6."""
    prompt = in_context(5, text_first=False)
    assert grid(prompt)[9:] == [
        (21, (CODEC_BOS,)),
        (22, FRAMES[0]),
        (11, FRAMES[1]),
        (12, FRAMES[2]),
        (13, FRAMES[3]),
        (EOS, FRAMES[4]),
    ]
    assert prompt.trailing == []


def test_in_context_text_shorter_than_the_reference() -> None:
    """N1 = 6, N2 = 8: padding fills the text side; the common case."""
    prompt = in_context(7, text_first=False)
    assert grid(prompt)[9:] == [
        (21, (CODEC_BOS,)),
        (22, FRAMES[0]),
        (11, FRAMES[1]),
        (12, FRAMES[2]),
        (13, FRAMES[3]),
        (EOS, FRAMES[4]),
        (PAD, FRAMES[5]),
        (PAD, FRAMES[6]),
    ]
    assert prompt.trailing == []


@pytest.mark.parametrize("frames", [3, 5, 7])
def test_in_context_text_first(frames: int) -> None:
    prompt = in_context(frames, text_first=True)
    assert grid(prompt) == [
        *ROLE_ROWS,
        *CLONE_CONTROL,
        (21, (CODEC_PAD,)),
        (22, (CODEC_PAD,)),
        (11, (CODEC_PAD,)),
        (12, (CODEC_PAD,)),
        (13, (CODEC_PAD,)),
        (EOS, (CODEC_PAD,)),
        (PAD, (CODEC_BOS,)),
        *[(PAD, FRAMES[t]) for t in range(frames)],
    ]
    assert prompt.trailing == []


SPEAKERS = [
    (Speaker(), 0),
    (Speaker(preset_id=RYAN), 1),
    (Speaker(vector=True), 1),
    (Speaker(vector=True, ref_text=REF_TEXT, ref_codes=FRAMES), 1),
]


@given(
    text=st.lists(st.integers(0, 300), min_size=1, max_size=30),
    instruct=st.lists(st.integers(0, 300), max_size=5),
    speaker=st.sampled_from(SPEAKERS),
    language=st.sampled_from([None, ENGLISH]),
    text_first=st.booleans(),
)
def test_all_of_the_text_is_said_once_and_in_order(
    text: list[int],
    instruct: list[int],
    speaker: tuple[Speaker, int],
    language: int | None,
    text_first: bool,
) -> None:
    who, slots = speaker
    prompt = build_prompt(
        IDS, text, speaker=who, instruct=instruct, language=language, text_first=text_first
    )
    control = 4 + (language is not None) + slots  # tags, the speaker's slot, the announcing pad
    assert prompt.text_ids[: len(instruct) + 3] == [*instruct, *ROLE]
    said = [*prompt.text_ids[len(instruct) + 3 + control :], *prompt.trailing]
    assert [t for t in said if t != PAD] == [*who.ref_text, *text, EOS]
    frames = [c for c in grid(prompt) if len(c[1]) == 16]
    assert [c for _, c in frames] == [tuple(frame) for frame in who.ref_codes]
    last = who.ref_codes[-1] if who.ref_codes else (CODEC_BOS,)
    assert tuple(prompt.codes[-1]) == tuple(last)  # speech goes on from here
