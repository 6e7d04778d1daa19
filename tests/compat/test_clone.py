"""Voice cloning: prompts in all their forms, recordings in theirs."""

import base64
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from qwen3_tts.audio.files import write_audio
from qwen3_tts.compat import CompatError, Qwen3TTSModel, VoiceClonePromptItem
from qwen3_tts.errors import SpeechError
from qwen3_tts.types import Speech, Voice
from tests.compat.conftest import Speaks, same

TEXT = "A short word."
Recording = tuple[np.ndarray, int]


@pytest.fixture
def icl(cloner: Qwen3TTSModel, recording: Recording) -> VoiceClonePromptItem:
    (item,) = cloner.create_voice_clone_prompt(recording, TEXT)
    return item


@pytest.fixture
def vector_only(cloner: Qwen3TTSModel, recording: Recording) -> VoiceClonePromptItem:
    (item,) = cloner.create_voice_clone_prompt(recording, x_vector_only_mode=True)
    return item


def as_dict(*items: VoiceClonePromptItem, text: bool = False) -> dict[str, Any]:
    names = ("ref_code", "ref_spk_embedding", "x_vector_only_mode", "icl_mode")
    names += ("ref_text",) if text else ()
    return {name: [getattr(item, name) for item in items] for name in names}


def test_items_hold_the_voice(
    icl: VoiceClonePromptItem, vector_only: VoiceClonePromptItem, icl_voice: Voice
) -> None:
    assert icl.ref_code is not None
    assert icl_voice.codes is not None
    assert icl.ref_code.dtype == torch.int64
    assert np.array_equal(icl.ref_code.numpy(), icl_voice.codes)
    assert np.array_equal(icl.ref_spk_embedding.numpy(), icl_voice.vector)
    assert (icl.x_vector_only_mode, icl.icl_mode, icl.ref_text) == (False, True, TEXT)
    assert vector_only.ref_code is None
    assert torch.equal(vector_only.ref_spk_embedding, icl.ref_spk_embedding)
    assert (vector_only.x_vector_only_mode, vector_only.icl_mode) == (True, False)
    assert vector_only.ref_text is None


def test_speaking_is_the_native_call(
    cloner: Qwen3TTSModel,
    speeches: Speaks,
    recording: Recording,
    icl_voice: Voice,
    x_voice: Voice,
) -> None:
    def native(voice: Voice) -> list[Speech]:
        return [
            cloner.model.synthesize(
                "hello", voice=voice, language="English", seed=3, max_frames=6, text_first=False
            )
        ]

    in_context = speeches(
        cloner, "generate_voice_clone", "hello", "English", recording, TEXT, seed=3
    )
    assert same(in_context, native(icl_voice))
    vector_only = speeches(
        cloner, "generate_voice_clone", "hello", "English", recording, TEXT, True, seed=3
    )
    assert same(vector_only, native(x_voice))
    assert not same(in_context, vector_only)


def test_every_form_of_a_prompt_speaks_alike(
    cloner: Qwen3TTSModel,
    speeches: Speaks,
    recording: Recording,
    icl: VoiceClonePromptItem,
    vector_only: VoiceClonePromptItem,
) -> None:
    def speak(prompt: Any) -> list[Speech]:
        return speeches(cloner, "generate_voice_clone", "hello", voice_clone_prompt=prompt, seed=3)

    direct = speeches(
        cloner, "generate_voice_clone", "hello", ref_audio=recording, ref_text=TEXT, seed=3
    )
    foreign = SimpleNamespace(**vars(icl))  # an item of the official class, say
    for prompt in (icl, [icl], foreign, as_dict(icl, text=True)):
        assert same(speak(prompt), direct)
    alone = speak(vector_only)
    assert not same(alone, direct)
    stacked = as_dict(vector_only) | {
        "ref_spk_embedding": vector_only.ref_spk_embedding[None].double(),
        "ref_code": None,
    }
    lists = VoiceClonePromptItem(None, vector_only.ref_spk_embedding.tolist(), True, False)
    row = VoiceClonePromptItem(None, vector_only.ref_spk_embedding[None], True, False)
    for prompt in ([vector_only], as_dict(vector_only), stacked, lists, row):
        assert same(speak(prompt), alone)
    rounded = vector_only.ref_spk_embedding.bfloat16()
    halves = [VoiceClonePromptItem(None, v, True, False) for v in (rounded, rounded.float())]
    assert same(speak(halves[0]), speak(halves[1]))


def test_one_prompt_holds_for_all_texts_and_modes_mix(
    cloner: Qwen3TTSModel,
    speeches: Speaks,
    icl: VoiceClonePromptItem,
    vector_only: VoiceClonePromptItem,
) -> None:
    def speak(text: Any, prompt: Any) -> list[Speech]:
        return speeches(cloner, "generate_voice_clone", text, voice_clone_prompt=prompt, seed=3)

    texts = ["one", "two three"]
    alone = {
        (text, item.icl_mode): speak(text, item)[0] for text in texts for item in (icl, vector_only)
    }
    assert same(speak(texts, icl), [alone[text, True] for text in texts])
    assert same(speak(texts, [icl] * 2), [alone[text, True] for text in texts])
    mixed = speak(texts, [icl, vector_only])
    assert same(mixed, [alone["one", True], alone["two three", False]])


def test_lists_of_recordings(
    cloner: Qwen3TTSModel, recording: Recording, icl: VoiceClonePromptItem
) -> None:
    wave, rate = recording
    louder = (wave * 2, rate)
    items = cloner.create_voice_clone_prompt(
        [recording, louder, recording], [TEXT, None, "Other."], [False, True, False]
    )
    assert [item.icl_mode for item in items] == [True, False, True]
    assert [item.ref_text for item in items] == [TEXT, None, "Other."]
    assert items[0].ref_code is not None
    assert icl.ref_code is not None
    assert torch.equal(items[0].ref_code, icl.ref_code)
    assert not torch.equal(items[1].ref_spk_embedding, icl.ref_spk_embedding)
    shared = cloner.create_voice_clone_prompt([recording, louder], TEXT)
    assert [item.ref_text for item in shared] == [TEXT, TEXT]


def test_recordings_in_all_their_forms(
    cloner: Qwen3TTSModel, recording: Recording, tmp_path: Path
) -> None:
    path = tmp_path / "ref.wav"
    write_audio(path, *recording)
    content = path.read_bytes()
    plain = base64.b64encode(content).decode()
    assert "/" in plain  # which the official package would take for a path
    wrapped = base64.encodebytes(content).decode()  # 76 characters a line
    sources = [str(path), path, content, plain, wrapped, "data:audio/wav;base64," + plain]
    items = cloner.create_voice_clone_prompt(sources, x_vector_only_mode=True)
    for item in items[1:]:
        assert torch.equal(item.ref_spk_embedding, items[0].ref_spk_embedding)
    (stereo,) = cloner.create_voice_clone_prompt(
        (np.stack([recording[0]] * 2, axis=1), recording[1]), x_vector_only_mode=True
    )
    (mono,) = cloner.create_voice_clone_prompt(recording, x_vector_only_mode=True)
    assert torch.equal(stereo.ref_spk_embedding, mono.ref_spk_embedding)


def test_a_long_path_is_no_base64(
    cloner: Qwen3TTSModel,
    recording: Recording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("deep/" * 60, "recording")  # letters and slashes alone, as in base64
    path.parent.mkdir(parents=True)
    content = BytesIO()
    write_audio(content, *recording, format="wav")
    path.write_bytes(content.getvalue())
    assert len(str(path)) > 256
    (item,) = cloner.create_voice_clone_prompt(str(path), x_vector_only_mode=True)
    assert item.ref_spk_embedding.shape == (64,)


@pytest.mark.parametrize(
    ("source", "kind", "told"),
    [
        ("https://example.org/ref.wav", ValueError, "URLs are not fetched"),
        ("no/such/file.wav", ValueError, "cannot read"),
        ("A" * 256, ValueError, "cannot read"),
        ("A" * 301, ValueError, "not base64"),
        ("A" * 300, ValueError, "cannot decode"),
        (np.zeros(4000, np.float32), ValueError, "no sample rate"),
        (17, TypeError, "a int is no recording"),
        (None, TypeError, "a NoneType is no recording"),
        ((np.zeros(100, np.float32), 24_000), ValueError, "at least one frame"),
    ],
)
def test_what_is_no_recording_is_refused(
    cloner: Qwen3TTSModel, source: Any, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told) as caught:
        cloner.create_voice_clone_prompt([source], x_vector_only_mode=True)
    assert isinstance(caught.value, SpeechError)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"ref_audio": 2, "ref_text": [TEXT]}, "ref_audio=2, ref_text=1, x_vector_only_mode=2"),
        ({"ref_audio": 1, "ref_text": [TEXT] * 2}, "ref_audio=1, ref_text=2"),
        ({"ref_audio": 2, "ref_text": TEXT, "x_vector_only_mode": [True]}, "x_vector_only_mode=1"),
    ],
)
def test_unequal_lists_are_refused(
    cloner: Qwen3TTSModel, recording: Recording, arguments: dict[str, Any], told: str
) -> None:
    arguments = arguments | {"ref_audio": [recording] * arguments["ref_audio"]}
    with pytest.raises(ValueError, match=f"Batch size mismatch: .*{told}"):
        cloner.create_voice_clone_prompt(**arguments)


@pytest.mark.parametrize("missing", [None, ""])
def test_in_context_needs_its_text(
    cloner: Qwen3TTSModel, recording: Recording, missing: str | None
) -> None:
    with pytest.raises(ValueError, match=r"ref_text is missing for ref_audio \[1\]"):
        cloner.create_voice_clone_prompt([recording] * 2, [TEXT, missing])


def test_prompts_and_texts_must_match(
    cloner: Qwen3TTSModel, recording: Recording, vector_only: VoiceClonePromptItem
) -> None:
    with pytest.raises(ValueError, match="Batch size mismatch: text=3, prompt=2"):
        cloner.generate_voice_clone(["a", "b", "c"], voice_clone_prompt=[vector_only] * 2)
    with pytest.raises(ValueError, match="Batch size mismatch: text=1, prompt=2"):
        cloner.generate_voice_clone("a", ref_audio=[recording] * 2, x_vector_only_mode=True)
    with pytest.raises(ValueError, match="Batch size mismatch: text=2, language=3"):
        cloner.generate_voice_clone(["a", "b"], ["auto"] * 3, voice_clone_prompt=vector_only)
    with pytest.raises(ValueError, match="voice_clone_prompt or ref_audio"):
        cloner.generate_voice_clone("a")


def test_prompts_that_lack_something(
    cloner: Qwen3TTSModel, icl: VoiceClonePromptItem, vector_only: VoiceClonePromptItem
) -> None:
    embedding = vector_only.ref_spk_embedding
    wrong = [
        (as_dict(icl), ValueError, r"\[0\] has icl_mode but no ref_text"),
        (as_dict(icl) | {"ref_text": [" "]}, ValueError, "no ref_text"),
        (VoiceClonePromptItem(None, embedding, False, True, TEXT), ValueError, "no ref_code"),
        (VoiceClonePromptItem(None, embedding, False, False), ValueError, "neither"),
        (VoiceClonePromptItem(None, embedding[:5], True, False), ValueError, "5 numbers"),
        ({"ref_code": [None]}, ValueError, "lacks ref_spk_embedding"),
        (as_dict(vector_only) | {"icl_mode": [True, False]}, ValueError, "icl_mode=2"),
        (as_dict(vector_only) | {"icl_mode": True}, TypeError, "icl_mode .* must be a list"),
        ("prompt.pt", TypeError, "a str"),
    ]
    for prompt, kind, told in wrong:
        with pytest.raises(kind, match=told) as caught:
            cloner.generate_voice_clone("a", voice_clone_prompt=prompt)
        assert isinstance(caught.value, SpeechError)


def test_a_bad_argument_is_found_before_the_recording_is_read(cloner: Qwen3TTSModel) -> None:
    for arguments, told in (
        ({"language": "en"}, "Unsupported languages"),
        ({"max_new_tokens": 1}, "max_new_tokens"),
    ):
        with pytest.raises(CompatError, match=told):
            cloner.generate_voice_clone("a", ref_audio="no/such/file.wav", **arguments)
