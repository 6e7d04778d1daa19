"""Prompts of the official package, as `torch.save` writes them, and files that only look so."""

import contextlib
import io
import os
import pickle
import sys
import time
import types
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.compat.prompts import VoiceClonePromptItem as OurItem
from qwen3_tts.errors import InvalidVoice
from qwen3_tts.types import Voice
from qwen3_tts.voices.convert import from_official_prompt
from tests.refusal import refused

VECTOR = torch.randn(1024, generator=torch.Generator().manual_seed(1))
CODES = torch.randint(0, 2048, (9, 16), generator=torch.Generator().manual_seed(2))
IN_CONTEXT = (CODES, VECTOR, False, True, "What it says.")
ALONE = (None, VECTOR, True, False, None)
FIELDS = ("ref_code", "ref_spk_embedding", "x_vector_only_mode", "icl_mode", "ref_text")


@dataclass
class VoiceClonePromptItem:
    """As the official package declares it; pickled under the name it has there."""

    ref_code: Any
    ref_spk_embedding: Any
    x_vector_only_mode: bool
    icl_mode: bool
    ref_text: str | None = None


@pytest.fixture(autouse=True)
def official_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be written from, and is gone again when a file is read."""
    name = "qwen_tts.inference.qwen3_tts_model"
    module = types.ModuleType(name)
    module.VoiceClonePromptItem = VoiceClonePromptItem  # type: ignore[attr-defined]
    monkeypatch.setattr(VoiceClonePromptItem, "__module__", name)
    for part in ("qwen_tts", "qwen_tts.inference"):
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    monkeypatch.setitem(sys.modules, name, module)


def written(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def as_dict(fields: tuple[Any, ...], **other: Any) -> dict[str, Any]:
    return dict(zip(FIELDS, fields, strict=True)) | other


def check(voice: Voice, in_context: bool) -> None:
    assert np.array_equal(voice.vector, VECTOR.numpy())
    assert voice.vector.dtype == np.float32
    assert (voice.codes is not None, voice.text is not None) == (in_context, in_context)
    if voice.codes is not None:
        assert np.array_equal(voice.codes, CODES.numpy())
        assert voice.text == "What it says."
    assert voice.model == "qwen3-tts-12hz-0b6"


BOTH = [IN_CONTEXT, ALONE]
FORMS: dict[str, Any] = {
    "items": lambda: [VoiceClonePromptItem(*fields) for fields in BOTH],
    "our items": lambda: [OurItem(*fields) for fields in BOTH],
    "a tuple": lambda: tuple(VoiceClonePromptItem(*fields) for fields in BOTH),
    "dicts": lambda: [as_dict(fields) for fields in BOTH],
    "the demo's file": lambda: {"items": [as_dict(fields) for fields in BOTH]},
    "the dict form": lambda: dict(zip(FIELDS, map(list, zip(*BOTH, strict=True)), strict=True)),
    "lists": lambda: [
        as_dict((CODES.tolist(), VECTOR.double().tolist(), False, True, "What it says.")),
        as_dict((None, VECTOR.tolist(), True, False, None)),
    ],
    "without icl_mode": lambda: [
        {name: value for name, value in as_dict(fields).items() if name != "icl_mode"}
        for fields in BOTH
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_prompt(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "v.pt", FORMS[form]())
    for name in [name for name in sys.modules if name.startswith("qwen_tts")]:
        monkeypatch.delitem(sys.modules, name)
    before = set(torch.serialization.get_safe_globals())
    in_context, alone = from_official_prompt(path)
    check(in_context, True)
    check(alone, False)
    assert set(torch.serialization.get_safe_globals()) == before


def test_one_item(tmp_path: Path) -> None:
    for content in (VoiceClonePromptItem(*IN_CONTEXT), as_dict(IN_CONTEXT)):
        (voice,) = from_official_prompt(written(tmp_path / "v.pt", content))
        check(voice, True)


def test_the_dict_form_without_texts(tmp_path: Path) -> None:
    """It has none in the official package, so it is good for vectors alone."""
    columns = {"ref_code": [None], "ref_spk_embedding": [VECTOR], "x_vector_only_mode": [True]}
    (voice,) = from_official_prompt(written(tmp_path / "v.pt", {**columns, "icl_mode": [False]}))
    check(voice, False)
    stacked = {**columns, "ref_spk_embedding": VECTOR[None], "icl_mode": [False]}
    (voice,) = from_official_prompt(written(tmp_path / "v.pt", stacked))
    check(voice, False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_any_float_becomes_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    vector = torch.randn(2048).to(dtype)
    path = written(tmp_path / "v.pt", VoiceClonePromptItem(None, vector, True, False))
    (voice,) = from_official_prompt(path)
    assert np.array_equal(voice.vector, vector.float().numpy())
    assert voice.model == "qwen3-tts-12hz-1b7"


def test_part_of_a_larger_tensor(tmp_path: Path) -> None:
    rows = torch.stack([VECTOR, VECTOR + 1])
    item = VoiceClonePromptItem(CODES.T.contiguous().T, rows[0], False, True, "What it says.")
    (voice,) = from_official_prompt(written(tmp_path / "v.pt", item))
    check(voice, True)


# files that are refused


class Runs:
    """What a pickle can do to who opens it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("hacked",)


HOSTILE: dict[str, tuple[Any, str]] = {
    "code": (lambda: [Runs()], "posix.mkdir" if os.name == "posix" else "nt.mkdir"),
    "code in an item": (lambda: VoiceClonePromptItem(Runs(), VECTOR, True, False), ".mkdir"),
    "eval": (lambda: [type("E", (), {"__reduce__": lambda _: (eval, ("1+1",))})()], "eval"),
    "another class": (lambda: [Path("a")], "pathlib"),
    "memory": (lambda: [bytearray(10)], "bytearray"),
    "a numpy array": (lambda: [as_dict((None, VECTOR.numpy(), True, False, None))], "numpy"),
    "a function of torch": (lambda: [torch.nn.Parameter(VECTOR)], "_rebuild_parameter"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_asks_for_more_is_never_run(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, named = HOSTILE[kind]
    monkeypatch.setattr(torch, "load", pytest.fail)  # it is not even opened
    path = written(tmp_path / "v.pt", make())
    with refused(InvalidVoice, str(path), "is refused", named, "alone"):
        from_official_prompt(path)
    assert not Path("hacked").exists()


def test_torch_is_a_second_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("qwen3_tts.voices.convert._globals", lambda content: set())
    with refused(InvalidVoice, "not a prompt file", "UnpicklingError"):
        from_official_prompt(written(tmp_path / "v.pt", [Runs()]))
    assert not Path("hacked").exists()


def test_a_name_of_many_kinds_of_opcodes(tmp_path: Path) -> None:
    """Newer pickles tell names by another opcode, older ones by a third."""
    for protocol in (0, 1, 2, 3, 4, 5):
        path = tmp_path / "v.pt"
        torch.save([Runs()], path, pickle_protocol=protocol)
        with refused(InvalidVoice, str(path)):
            from_official_prompt(path)
    assert not Path("hacked").exists()


def repacked(path: Path, changed: dict[str, bytes], pack: int = zipfile.ZIP_STORED) -> Path:
    """The archive with other content of some members."""
    with zipfile.ZipFile(path) as old:
        members = {each.filename: old.read(each) for each in old.infolist()}
    with zipfile.ZipFile(path, "w", pack) as new:
        for name, content in members.items():
            new.writestr(name, changed.get(name.split("/")[-1], content))
    return path


def test_bombs(tmp_path: Path) -> None:
    """Small files that would become large."""
    path = written(tmp_path / "v.pt", VoiceClonePromptItem(*ALONE))
    repacked(path, {"data.pkl": bytes(80 << 20)}, zipfile.ZIP_DEFLATED)
    with refused(InvalidVoice, str(path), "over 67108864 bytes"):
        from_official_prompt(path)
    repacked(written(path, VoiceClonePromptItem(*ALONE)), {}, zipfile.ZIP_DEFLATED)
    with refused(InvalidVoice, str(path), "torch.save did not write it"):
        from_official_prompt(path)
    one = torch.zeros(1)
    wide = VoiceClonePromptItem(None, one.expand(1 << 40), True, False)
    with refused(InvalidVoice, "ref_spk_embedding of item 0", str(1 << 40), "allowed"):
        from_official_prompt(written(path, wide))
    long = VoiceClonePromptItem(CODES[:1, :1].expand(1 << 30, 16), VECTOR, False, True, "Words.")
    with refused(InvalidVoice, "ref_code of item 0", str(1 << 34), "allowed"):
        from_official_prompt(written(path, long))


def test_lists_in_lists_many_times_over(tmp_path: Path) -> None:
    """Forty lists, each twice in the next: two to the fortieth numbers for who reads them all."""
    heap: list[Any] = [0.0]
    for _ in range(40):
        heap = [heap, heap]
    rows = [list(range(16))] * (1 << 16)
    began_s = time.monotonic()
    for codes, vector, part in (
        (heap, VECTOR, "lists in lists"),
        (None, heap, "lists in lists"),
        (rows, VECTOR, "too many numbers"),
    ):
        item = as_dict((codes, vector, codes is None, codes is not None, "Words."))
        with refused(InvalidVoice, "item 0", part, "allowed"):
            from_official_prompt(written(tmp_path / "v.pt", item))
    assert time.monotonic() - began_s < 5  # reading it all would never end


def test_too_many_items(tmp_path: Path) -> None:
    for content in ([as_dict(ALONE)] * 257, [], {"items": []}):
        with refused(InvalidVoice, "items, allowed: 1 to 256"):
            from_official_prompt(written(tmp_path / "v.pt", content))


WRONG: dict[str, tuple[Any, str]] = {
    "a tensor": (lambda: VECTOR, "must be a VoiceClonePromptItem"),
    "a string": (lambda: "voice", "must be a VoiceClonePromptItem"),
    "weights": (lambda: {"layer.weight": VECTOR}, "must be a VoiceClonePromptItem"),
    "no vector": (lambda: {"ref_code": CODES}, "must be a VoiceClonePromptItem"),
    "no text": (lambda: as_dict(IN_CONTEXT, ref_text=None), "ref_text"),
    "a blank text": (lambda: as_dict(IN_CONTEXT, ref_text=" "), "ref_text"),
    "a text of bytes": (lambda: as_dict(IN_CONTEXT, ref_text=5), "ref_text"),
    "no codes": (lambda: as_dict(IN_CONTEXT, ref_code=None), "ref_code"),
    "neither mode": (lambda: as_dict(ALONE, x_vector_only_mode=False), "neither"),
    "codes of floats": (lambda: as_dict(IN_CONTEXT, ref_code=CODES.float()), "integers"),
    "flat codes": (lambda: as_dict(IN_CONTEXT, ref_code=CODES.flatten()), "[frames, codebooks]"),
    "ragged codes": (lambda: as_dict(IN_CONTEXT, ref_code=[[1], [1, 2]]), "not a prompt file"),
    "words for codes": (lambda: as_dict(IN_CONTEXT, ref_code=[["a"]]), "no number"),
    "NaN": (lambda: as_dict(ALONE, ref_spk_embedding=VECTOR * torch.nan), "NaN"),
    "a vector of words": (lambda: as_dict(ALONE, ref_spk_embedding="abc"), "tensor or a list"),
    "unequal lists": (
        lambda: {"ref_spk_embedding": [VECTOR], "x_vector_only_mode": [True, True]},
        "different lengths",
    ),
    "a column of words": (
        lambda: {"ref_spk_embedding": "ab", "x_vector_only_mode": [True, True]},
        "must be a list",
    ),
    "a strange flag": (lambda: as_dict(ALONE, x_vector_only_mode=VECTOR), "not a prompt file"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_files_of_something_else(kind: str, tmp_path: Path) -> None:
    make, part = WRONG[kind]
    path = written(tmp_path / "v.pt", make())
    with refused(InvalidVoice, str(path), part):
        from_official_prompt(path)


def test_what_is_no_archive(tmp_path: Path) -> None:
    old = io.BytesIO()
    torch.save(as_dict(ALONE), old, _use_new_zipfile_serialization=False)
    for content in (b"", b"hello", b"PK\x03\x04", pickle.dumps({"a": 1}), old.getvalue()):
        (tmp_path / "v.pt").write_bytes(content)
        with refused(InvalidVoice, str(tmp_path / "v.pt"), "not a prompt file", "zip"):
            from_official_prompt(tmp_path / "v.pt")
    for path in (tmp_path / "none.pt", tmp_path):
        with refused(InvalidVoice, "no prompt file", str(path)):
            from_official_prompt(path)
    with zipfile.ZipFile(tmp_path / "v.pt", "w") as archive:
        archive.writestr("a.txt", "hello")
    with refused(InvalidVoice, "torch.save did not write it"):
        from_official_prompt(tmp_path / "v.pt")


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_prompt_file(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever byte is wrong: voices or a refusal, never another error."""
    path = tmp_path_factory.getbasetemp() / "damaged.pt"
    item = (CODES[:2], VECTOR[:8].clone(), False, True, "Words.")
    content = bytearray(written(path, [as_dict(item)]).read_bytes())
    begin = content.index(b"data.pkl") if data.draw(st.booleans()) else 0
    end = begin + 300 if begin else len(content)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(begin, end - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(InvalidVoice):
        from_official_prompt(path)


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from([*b"().0}]aqRbXcNKM\x80\x81\x85\x86\x87\x88\x89Qthru"]), max_size=30)
)
def test_any_pickle(tmp_path_factory: pytest.TempPathFactory, opcodes: list[int]) -> None:
    """An archive whose sums are right around a pickle that is nonsense."""
    path = written(tmp_path_factory.getbasetemp() / "any.pt", as_dict(ALONE))
    repacked(path, {"data.pkl": b"\x80\x02" + bytes(opcodes) + b"."})
    with contextlib.suppress(InvalidVoice):
        from_official_prompt(path)
