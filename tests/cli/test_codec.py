"""`codec encode` and `codec decode`, over a fake codec."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qwen3_tts
from qwen3_tts.audio.files import read_audio, write_audio
from qwen3_tts.cli import streams
from qwen3_tts.errors import InvalidRequest
from tests.cli.conftest import Run
from tests.fake_synthesizer import FRAME, RATE, FakeCodec, tone

CODES = np.full((5, 16), 120)


def wav() -> bytes:
    content = io.BytesIO()
    write_audio(content, tone(CODES)[: 4 * FRAME + 1], RATE, format="wav")
    return content.getvalue()


def npy(array: np.ndarray, **options: bool) -> bytes:
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


def test_files(cli: Run, fake_codec: FakeCodec) -> None:
    Path("in.wav").write_bytes(wav())
    ran = cli("codec", "encode", "in.wav")
    assert (ran.code, ran.out, ran.err) == (0, b"", "codes.npy: 0.3 s, 5 frames\n")
    codes = np.load("codes.npy", allow_pickle=False)
    assert codes.dtype == np.int64
    assert np.array_equal(codes, fake_codec.encode(wav()))
    ran = cli("codec", "decode", "codes.npy", "-o", "out.flac")
    assert (ran.code, ran.err) == (0, "out.flac: 0.4 s, 5 frames\n")
    decoded = read_audio(Path("out.flac"))[0]
    assert np.abs(decoded - fake_codec.decode(codes)).max() <= 2**-15  # one step of 16 bits


def test_pipes(cli: Run, fake_codec: FakeCodec) -> None:
    codes = cli("codec", "encode", "-", "-o", "-", stdin=wav()).out
    assert np.array_equal(np.load(io.BytesIO(codes)), fake_codec.encode(wav()))
    ran = cli("codec", "decode", "-", "-o", "-", "--quiet", stdin=codes)
    assert ran.err == ""
    assert len(read_audio(ran.out)[0]) == 5 * FRAME
    assert not list(Path().iterdir())


def test_json(cli: Run, fake_codec: FakeCodec) -> None:
    ran = cli("codec", "decode", "-", "--json", stdin=npy(CODES))
    assert json.loads(ran.out) == {"output": "speech.wav", "frames": 5, "seconds": 0.4}
    assert ran.err == ""
    ran = cli("codec", "encode", "-", "--json", "-o", "-", stdin=wav())
    assert (ran.code, ran.out) == (2, b"")
    assert json.loads(ran.err)["error"]["code"] == "usage"


def test_without_a_model_the_codec_in_the_package_serves(cli: Run) -> None:
    ran = cli("codec", "encode", "-", "-o", "a.npy", stdin=wav())
    assert ran.code == 0, ran.err
    assert np.load("a.npy").shape[1] == qwen3_tts.load_codec("nano").num_codebooks


BAD_CODES = {
    "empty": b"",
    "audio": wav(),
    "objects": npy(np.array([{"a": 1}]), allow_pickle=True),
    "cut": npy(CODES)[:-1],
    "huge": npy(CODES).replace(b"(5, 16)", b"(9**9,)"),
    "header": npy(CODES).replace(b"{'descr'", b"{['descr"),
}


@pytest.mark.parametrize("content", BAD_CODES.values(), ids=BAD_CODES.keys())
def test_a_bad_file_of_codes_is_one_line(cli: Run, fake_codec: FakeCodec, content: bytes) -> None:
    Path("bad.npy").write_bytes(content)
    ran = cli("codec", "decode", "bad.npy")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, b"", 1)
    assert ran.err.startswith("qwen3-tts: bad.npy is not a .npy file of codes (")
    assert not Path("speech.wav").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["encode", "absent.wav"], "cannot read `absent.wav`"),
        (["decode", "absent.npy"], "`absent.npy`: No such file"),
        (["encode", "-"], "cannot decode the bytes (0 bytes)"),
        (["encode", "-", "-o", "absent/c.npy"], "folder `absent` does not exist"),
        (["decode", "-", "-o", "a.txt"], "`a.txt` does not end in .wav"),
    ],
)
def test_bad_input(cli: Run, fake_codec: FakeCodec, words: list[str], part: str) -> None:
    ran = cli("codec", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, b"", 1)
    assert part in ran.err


@given(at=st.integers(0, 400), junk=st.binary(max_size=12))
def test_a_damaged_file_of_codes_is_read_or_refused(at: int, junk: bytes) -> None:
    """Whatever a byte of the header becomes, no other exception than ours gets out."""
    content = npy(np.arange(32).reshape(2, 16))
    damaged = content[:at] + junk + content[at + len(junk) :]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "read_bytes", lambda name: damaged)
        with contextlib.suppress(InvalidRequest):
            streams.read_codes("any")
