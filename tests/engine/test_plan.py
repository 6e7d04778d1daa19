"""Planning: what a request becomes, for every kind of checkpoint, and where defaults come from.

What is refused, and in which words, is in tests/test_bad_input.py.
"""

from dataclasses import replace

import numpy as np
import pytest

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.config import GenerationConfig
from qwen3_tts.engine.plan import Planner
from qwen3_tts.errors import InvalidText, UnknownVoice, UnsupportedRequest
from qwen3_tts.prompt.layout import Prompt
from qwen3_tts.types import Sampling, SpeechRequest, Take, Voice
from qwen3_tts.weights.published import LANGUAGES, SPEAKERS
from tests.refusal import refused

THINK, NOTHINK = 2154, 2155


@pytest.fixture
def presets(preset: Qwen3Synthesizer) -> Planner:
    return preset.engine.planner


@pytest.fixture
def clones(base: Qwen3Synthesizer) -> Planner:
    return base.engine.planner


@pytest.fixture
def designs(design: Qwen3Synthesizer) -> Planner:
    return design.engine.planner


def first_codes(prompt: Prompt) -> list[int]:
    """Group 0 of the positions that have codes."""
    return [codes[0] for codes in prompt.codes if codes]


def language_of(prompt: Prompt) -> int | None:
    codes = first_codes(prompt)
    assert codes[0] in (THINK, NOTHINK)
    return codes[2] if codes[0] == THINK else None


def speaker_of(prompt: Prompt) -> int | None:
    found = set(first_codes(prompt)) & set(SPEAKERS.values())
    assert len(found) <= 1
    return found.pop() if found else None


def plan(planner: Planner, text: str = "Hi.", **given: object) -> Prompt:
    return planner.plan(SpeechRequest(text, **given)).prompt  # type: ignore[arg-type]


def test_the_first_preset_speaks_where_none_is_named(presets: Planner) -> None:
    assert next(iter(SPEAKERS)) == "aiden"
    assert speaker_of(plan(presets)) == SPEAKERS["aiden"]


@pytest.mark.parametrize("name", ["ryan", "Ryan", " RYAN "])
def test_presets_go_by_name_in_any_case(presets: Planner, name: str) -> None:
    assert speaker_of(plan(presets, voice=name)) == SPEAKERS["ryan"]


@pytest.mark.parametrize("name", ["Anna", "anna", " ANNA"])
def test_a_fine_tuned_preset_may_have_capitals(presets: Planner, name: str) -> None:
    talker = replace(presets.talker, spk_id={"Anna": 3000}, spk_is_dialect={"Anna": False})
    config = replace(presets.config, talker_config=talker)
    other = Planner(config, presets.generation, presets.tokenizer)
    assert 3000 in first_codes(plan(other, voice=name))


def test_an_empty_name_is_no_speaker(presets: Planner) -> None:
    assert speaker_of(plan(presets, voice="")) is None


@pytest.mark.parametrize(
    ("voice", "language", "expected"),
    [
        ("ryan", "Auto", None),
        ("ryan", "en", "english"),
        ("ryan", "Chinese", "chinese"),
        ("eric", "Auto", "sichuan_dialect"),  # a dialect speaker speaks it, if Chinese at all
        ("eric", "Chinese", "sichuan_dialect"),
        ("eric", "English", "english"),
        ("dylan", "zh", "beijing_dialect"),
        ("dylan", "beijing_dialect", "beijing_dialect"),
        ("dylan", "sichuan_dialect", "sichuan_dialect"),
        ("", "Chinese", "chinese"),
    ],
)
def test_language_and_dialect(
    presets: Planner, voice: str, language: str, expected: str | None
) -> None:
    prompt = plan(presets, voice=voice, language=language)
    assert language_of(prompt) == (LANGUAGES[expected] if expected else None)


def test_presets_and_designs_read_the_text_first_and_clones_along_the_way(
    presets: Planner, designs: Planner, clones: Planner, x_voice: Voice
) -> None:
    for planner, voice, whole in (
        (presets, None, True),
        (designs, None, True),
        (clones, x_voice, False),
    ):
        default = plan(planner, "A text.", voice=voice)
        assert default == plan(planner, "A text.", voice=voice, text_first=whole)
        other = plan(planner, "A text.", voice=voice, text_first=not whole)
        assert (default.trailing == []) == whole
        assert (other.trailing == []) != whole


def test_text_and_instruction_are_in_the_prompt(designs: Planner) -> None:
    tokenizer = designs.tokenizer
    prompt = plan(designs, "Größe 東京", instruct="A calm voice.")
    instruction = tokenizer.instruction("A calm voice.")
    assert prompt.text_ids[: len(instruction)] == instruction
    text = tokenizer.encode("Größe 東京")
    assert prompt.text_ids[-2 - len(text) : -2] == text


@pytest.mark.parametrize("instruct", [None, ""])
def test_no_instruction_is_none(designs: Planner, instruct: str | None) -> None:
    assert plan(designs, instruct=instruct) == plan(designs)


def test_a_cloned_voice_takes_the_speaker_slot(
    clones: Planner, x_voice: Voice, icl_voice: Voice
) -> None:
    job = clones.plan(SpeechRequest("Hi.", voice=x_voice))
    assert job.voice is x_voice
    assert job.prompt.speaker_at == 6  # role, three tags
    assert [codes for codes in job.prompt.codes if len(codes) == 16] == []
    job = clones.plan(SpeechRequest("Hi.", voice=icl_voice, language="en"))
    assert job.prompt.speaker_at == 7  # one tag more
    assert icl_voice.codes is not None
    frames = [list(codes) for codes in job.prompt.codes if len(codes) == 16]
    assert frames == icl_voice.codes.tolist()
    assert icl_voice.text is not None
    spoken = clones.tokenizer.encode(icl_voice.text) + clones.tokenizer.encode("Hi.")
    assert [*job.prompt.text_ids[9:], *job.prompt.trailing][: len(spoken)] == spoken


def test_sampling_comes_from_the_request_then_the_checkpoint(presets: Planner) -> None:
    other = Planner(presets.config, GenerationConfig(top_k=7, temperature=0.5), presets.tokenizer)
    job = other.plan(SpeechRequest("Hi.", sampling=Sampling(top_k=9)))
    assert (job.sampling.talker.top_k, job.sampling.talker.temperature) == (9, 0.5)


def test_a_seed_is_kept_and_a_missing_one_drawn(presets: Planner) -> None:
    assert presets.plan(SpeechRequest("Hi.", seed=0)).seed == 0
    assert presets.plan(SpeechRequest("Hi.", seed=2**63 - 1)).seed == 2**63 - 1
    drawn = {presets.plan(SpeechRequest("Hi.")).seed for _ in range(20)}
    assert len(drawn) == 20  # 32 random bits: a collision in one of twenty million runs
    assert all(0 <= seed < 2**32 for seed in drawn)


def short(planner: Planner, positions: int) -> Planner:
    """The same checkpoint with room for so many positions."""
    talker = replace(planner.talker, max_position_embeddings=positions)
    config = replace(planner.config, talker_config=talker)
    return Planner(config, planner.generation, planner.tokenizer)


def test_max_frames_is_what_is_asked_within_the_positions_left(presets: Planner) -> None:
    request = SpeechRequest("Hi.")
    length = len(presets.plan(request).prompt)
    assert presets.plan(request).max_frames == 8191  # the official 8192 counts the end of speech
    assert presets.plan(replace(request, max_frames=5)).max_frames == 5
    assert short(presets, length + 12).plan(request).max_frames == 12
    assert short(presets, length + 12).plan(replace(request, max_frames=5)).max_frames == 5
    assert short(presets, length + 12).plan(replace(request, max_frames=99)).max_frames == 12


def test_a_checkpoint_limit_of_one_token_still_makes_a_frame(presets: Planner) -> None:
    generation = GenerationConfig(max_new_tokens=1)
    other = Planner(presets.config, generation, presets.tokenizer)
    assert other.plan(SpeechRequest("Hi.")).max_frames == 1


@pytest.mark.parametrize("text_first", [True, False])
def test_the_position_limit_counts_all_of_the_text(presets: Planner, text_first: bool) -> None:
    """Also the text that is fed along the way; one position must be left for speech."""
    request = SpeechRequest("A somewhat longer text.", text_first=text_first)
    prompt = presets.plan(request).prompt
    needed = len(prompt) + len(prompt.trailing) + 1
    assert short(presets, needed).plan(request).max_frames == needed - len(prompt)
    with pytest.raises(InvalidText, match=f"{needed - 1} of {needed - 1} positions"):
        short(presets, needed - 1).plan(request)


def test_reference_frames_count_as_positions(clones: Planner, x_voice: Voice) -> None:
    codes = np.zeros((40, 16), dtype=np.int64)
    voice = replace(x_voice, codes=codes, text="word")
    assert len(plan(clones, voice=voice)) >= 49
    with pytest.raises(InvalidText, match="of 45 positions"):
        short(clones, 45).plan(SpeechRequest("Hi.", voice=voice))


def test_a_style_picks_a_take(clones: Planner, icl_voice: Voice, x_voice: Voice) -> None:
    take = Take(icl_voice.codes, "Glad.", language="english")
    voice = x_voice.with_take("happy", take)
    job = clones.plan(SpeechRequest("Hi.", voice=voice, style="Happy"))
    plain = clones.plan(SpeechRequest("Hi.", voice=voice.take("happy")))
    assert job.voice is not None
    assert job.voice.text == "Glad."
    assert np.array_equal(job.voice.vector, x_voice.vector)
    assert job.prompt == plain.prompt
    for style in (None, "neutral"):
        chosen = clones.plan(SpeechRequest("Hi.", voice=voice, style=style)).voice
        assert chosen is voice
    with refused(UnknownVoice, "no style 'sad'", "neutral, happy"):
        clones.plan(SpeechRequest("Hi.", voice=voice, style="sad"))


def test_presets_and_designs_have_no_styles(presets: Planner, designs: Planner) -> None:
    for planner in (presets, designs):
        with refused(UnsupportedRequest, "style 'happy'", "cloned voice"):
            planner.plan(SpeechRequest("Hi.", style="happy"))
