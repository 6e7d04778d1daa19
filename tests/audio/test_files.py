"""Reading, resampling and writing sound: every way in gives the same wave, every mistake a line."""

import base64
import io
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from qwen3_tts.audio import files
from qwen3_tts.audio.files import FORMATS, pcm16, read_audio, resample, write_audio
from qwen3_tts.errors import InvalidAudio, InvalidRequest, MissingPackage

RATE = 24_000


def tone(num_samples: int = 4_800, hz: float = 440.0, rate: int = RATE) -> np.ndarray:
    """A sine at half of full scale on the 16-bit grid, so that wav and flac hold it exactly."""
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(num_samples) / rate)
    return (np.rint(wave * 32768) / 32768).astype(np.float32)


def encoded(wave: np.ndarray, format: str = "WAV", rate: int = RATE, **options: Any) -> bytes:
    """Content of a file of `wave` [N] or [N, C], made by soundfile alone."""
    content = io.BytesIO()
    soundfile.write(content, wave, rate, format=format, **options)
    return content.getvalue()


def same(got: tuple[np.ndarray, int], wave: np.ndarray, rate: int = RATE) -> None:
    assert got[0].dtype == np.float32
    assert got[1] == rate
    np.testing.assert_array_equal(got[0], wave)


def test_every_way_in_gives_the_same_wave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wave, content = tone(), encoded(tone())
    path = tmp_path / "a b.wav"
    path.write_bytes(content)
    monkeypatch.setenv("HOME", str(tmp_path))
    text = base64.b64encode(content).decode()
    broken = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    later = io.BytesIO(b"skip" + content)
    later.seek(4)
    sources: list[Any] = [
        path, str(path), "~/a b.wav", Path("~/a b.wav"), content, bytearray(content),
        memoryview(content), io.BytesIO(content), later, f"data:audio/wav;base64,{text}",
        f"data:audio/x-wav;codecs=1;base64,{broken}", (wave, RATE), (wave, np.int32(RATE)),
    ]  # fmt: skip
    for source in sources:
        same(read_audio(source), wave)
    with path.open("rb") as file:
        same(read_audio(file), wave)


@pytest.mark.parametrize(
    ("dtype", "scale", "middle"),
    [("int16", 2**15, 0), (">i2", 2**15, 0), ("int32", 2**31, 0), ("uint8", 2**7, 2**7)],
)
def test_integers_are_scaled_by_their_full_range(dtype: str, scale: int, middle: int) -> None:
    samples = np.array([-scale, -scale // 2, 0, scale // 2, scale - 1]) + middle
    expected = np.array([-1, -0.5, 0, 0.5, (scale - 1) / scale], np.float32)
    same(read_audio((samples.astype(dtype), RATE)), expected)


def test_integer_arrays_equal_the_file_they_came_from() -> None:
    content = encoded(tone(), subtype="PCM_16")
    samples, _ = soundfile.read(io.BytesIO(content), dtype="int16")
    same(read_audio((samples, RATE)), read_audio(content)[0])
    for subtype, dtype in (("PCM_32", "int32"), ("PCM_24", "int32")):
        content = encoded(np.random.default_rng(0).uniform(-1, 1, 999), subtype=subtype)
        samples, _ = soundfile.read(io.BytesIO(content), dtype=dtype)
        same(read_audio((samples, RATE)), read_audio(content)[0])


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.longdouble])
def test_other_floats_become_float32(dtype: type) -> None:
    wave = np.array([-1, -0.25, 0, 0.125, 1], dtype)
    same(read_audio((wave, RATE)), wave.astype(np.float32))


def test_tensors_are_read_without_torch_being_known() -> None:
    wave = tone(100)
    tensor = torch.from_numpy(wave)
    same(read_audio((tensor, RATE)), wave)
    same(read_audio((tensor.clone().requires_grad_(), RATE)), wave)
    same(read_audio((tensor[None], RATE)), wave)
    same(read_audio(((tensor * 32768).to(torch.int16), RATE)), wave)
    coarse = tensor.bfloat16()
    same(read_audio((coarse, RATE)), coarse.float().numpy())


@pytest.mark.parametrize("num_channels", [2, 3, 6])
def test_channels_are_averaged_in_either_layout(num_channels: int) -> None:
    channels = np.stack([tone(500, 200.0 * (c + 1)) for c in range(num_channels)], axis=1)
    content = encoded(channels)
    wave, _ = read_audio(content)
    # three roundings to float32 at most one part in 2^24 each
    np.testing.assert_allclose(wave, channels.astype(float).mean(axis=1), rtol=0, atol=2e-7)
    for array in (channels, channels.T, (channels * 32768).astype(np.int16).T):
        np.testing.assert_allclose(read_audio((array, RATE))[0], wave, rtol=0, atol=2e-7)


def test_the_shorter_axis_is_the_channels_and_a_square_ends_in_them() -> None:
    same(read_audio((np.array([[0.5, 0.25, 0.0], [0.0, 0.25, 0.5]]), RATE)), np.float32([0.25] * 3))
    same(read_audio((np.array([[0.5], [0.25], [0.125]]), RATE)), np.float32([0.5, 0.25, 0.125]))
    same(read_audio((np.array([[0.5, 0.25, 0.125]]), RATE)), np.float32([0.5, 0.25, 0.125]))
    same(read_audio((np.array([[0.5, 0.25], [0.0, 0.0]]), RATE)), np.float32([0.375, 0.0]))


def test_a_file_of_one_stereo_frame_has_one_sample() -> None:
    same(read_audio(encoded(np.array([[0.5, 0.25]]))), np.float32([0.375]))


def test_over_full_scale_is_clipped_after_averaging() -> None:
    same(read_audio((np.array([1.5, -1.25, 0.5]), RATE)), np.float32([1, -1, 0.5]))
    loud = np.array([[1.5, 0.0], [0.0, -1.5], [1.5, 1.5]])
    same(read_audio((loud, RATE)), np.float32([0.75, -0.75, 1.0]))
    same(read_audio(encoded(loud, subtype="FLOAT")), np.float32([0.75, -0.75, 1.0]))


def test_the_result_is_never_a_view_of_the_input() -> None:
    wave = tone(10)
    got, _ = read_audio((wave, RATE))
    got[:] = 7
    np.testing.assert_array_equal(wave, tone(10))


@pytest.mark.parametrize("rate", [1_000, 768_000])
def test_the_outermost_rates_are_accepted(rate: int) -> None:
    same(read_audio((tone(10), rate)), tone(10), rate)
    same(read_audio(encoded(tone(10), rate=rate)), tone(10), rate)


@pytest.mark.parametrize("total", [b"\0" * 5, b"\x0f" + b"\xff" * 4])
def test_flac_without_a_true_length_is_read_to_its_end(total: bytes) -> None:
    """A piped flac declares no length, a broken one 2^36 - 1; both hold what they hold."""
    wave = tone(3 * files._BLOCK)
    content = bytearray(encoded(wave, "FLAC"))
    content[21] = content[21] & 0xF0 | total[0]  # 36 bits of STREAMINFO, after rate and depth
    content[22:26] = total[1:]
    same(read_audio(bytes(content)), wave)


def test_mp3_of_several_blocks_equals_one_read() -> None:
    content = encoded(tone(3 * files._BLOCK + 100), "MP3")
    whole, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    # the decoder itself differs by one float32 rounding from run to run
    np.testing.assert_allclose(read_audio(content)[0], whole, rtol=0, atol=2e-7)


def test_what_is_left_of_a_cut_recording_is_read() -> None:
    wave = tone()
    content = encoded(wave)
    same(read_audio(content[: 44 + 2 * 1000]), wave[:1000])


@pytest.mark.parametrize("format", ["WAV", "FLAC", "MP3", "OGG"])
def test_damaged_content_is_read_or_refused_never_a_crash(format: str) -> None:
    content = encoded(0.1 * np.random.default_rng(1).standard_normal(6_000), format)
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(40):
        damaged = bytearray(content[: rng.integers(1, len(content))])
        for position in rng.integers(0, len(damaged), 3):
            damaged[position] ^= 1 << rng.integers(8)
        try:
            wave, rate = read_audio(bytes(damaged))
        except InvalidAudio:
            refused += 1
        else:
            assert np.abs(wave).max() <= 1
            assert len(wave) > 0
            assert isinstance(rate, int)
    assert refused > 0


def bad_sources() -> dict[str, tuple[Any, str]]:
    """What a user may get wrong, and what the message has to say about it."""
    wave = tone(100)
    holed = np.where(np.arange(100) % 50 == 7, np.nan, wave)
    return {
        "no file": ("no/such file.wav", r"no/such file\.wav.*No such file"),
        "no file at a Path": (Path("gone.wav"), r"gone\.wav.*No such file"),
        "folder": (os.getcwd(), "Is a directory"),
        "null in the name": ("a\0b", "null"),
        "name too long": ("x" * 10_000, r"cannot read `x{80}\.\.\.x{30}`"),
        "raw base64": ("QUJD/" * 1_000, "cannot read `QUJD/"),
        "http": ("http://example.org/a.wav", "not fetched: download it first"),
        "https": ("HTTPS://example.org/a.wav", "not fetched: download it first"),
        "s3": ("s3://bucket/a.wav", "not fetched: download it first"),
        "data of a picture": ("data:image/png;base64,QUJD", "`data:image/png;base64` is not audio"),
        "data in the clear": ("data:audio/wav,abc", "use `data:audio/...;base64,...`"),
        "data without content": ("data:audio/wav;base64", "use `data:audio/...;base64,...`"),
        "data with a bad letter": ("data:audio/wav;base64,QU*D", "not base64"),
        "data with bad padding": ("data:audio/wav;base64,QUJDR", "not base64"),
        "data that is no audio": ("data:audio/wav;base64,QUJD", r"3 bytes\): Format not recogni"),
        "no bytes": (b"", r"0 bytes\): Format not recogni"),
        "junk": (b"junk" * 100, r"the bytes \(400 bytes\): Format not recogni"),
        "empty file object": (io.BytesIO(), r"the file object \(0 bytes\)"),
        "text file object": (io.StringIO("RIFF"), "text mode.*`rb`"),
        "wav without samples": (encoded(np.zeros(0)), "the bytes holds no samples"),
        "wav at 900 Hz": (encoded(wave, rate=900), r"`900` is not an integer in 1000\.\.768000"),
        "wav with NaN": (encoded(holed, subtype="FLOAT"), "2 NaN or infinite samples of 100"),
        "array alone": (wave, r"pass \(array, sample_rate\)"),
        "tensor alone": (torch.zeros(10), r"pass \(array, sample_rate\)"),
        "number": (7, "`int` is not audio"),
        "nothing": (None, "`NoneType` is not audio"),
        "list": ([0.1, 0.2], "`list` is not audio"),
        "rate first": ((RATE, wave), r"`\(int, ndarray\)` is not audio; pass \(array, samp"),
        "list of samples": (([0.1, 0.2], RATE), r"`\(list, int\)` is not audio"),
        "three items": ((wave, RATE, 1), r"`\(ndarray, int, int\)` is not audio"),
        "empty tuple": ((), r"`\(\)` is not audio"),
        "empty array": ((np.zeros(0), RATE), "holds no samples"),
        "no frames": ((np.zeros((0, 2)), RATE), "holds no samples"),
        "one number": ((np.array(0.5), RATE), r"shape \(\) is not audio"),
        "three axes": ((np.zeros((1, 2, 9)), RATE), r"shape \(1, 2, 9\) is not audio"),
        "a batch": ((np.zeros((33, 90)), RATE), r"\(33, 90\) is not one recording: over 32"),
        "NaN": ((holed, RATE), "2 NaN or infinite samples of 100"),
        "infinity": ((np.array([0.0, np.inf]), RATE), "1 NaN or infinite samples of 2"),
        "unscaled": ((np.array([20_000.0, 0.0]), RATE), "reaches 20000; floats must be in"),
        "int64": ((np.array([1, 2]), RATE), "cannot scale `int64`; use floats, uint8, int16"),
        "bool": ((np.array([True]), RATE), "cannot scale `bool`"),
        "complex": ((np.array([1j]), RATE), "cannot scale `complex128`"),
        "objects": ((np.array(["a"], object), RATE), "cannot scale `object`"),
        "rate of zero": ((wave, 0), r"`0` is not an integer in 1000\.\.768000"),
        "negative rate": ((wave, -RATE), "`-24000` is not an integer"),
        "rate too low": ((wave, 999), "`999` is not an integer"),
        "rate too high": ((wave, 768_001), "`768001` is not an integer"),
        "rate as a float": ((wave, 24_000.0), r"`24000\.0` is not an integer"),
        "rate as text": ((wave, "24000"), "`str` is not an integer"),
        "rate missing": ((wave, None), "`NoneType` is not an integer"),
        "rate true": ((wave, True), "`True` is not an integer"),
    }  # fmt: skip


@pytest.mark.parametrize("name", bad_sources())
def test_bad_audio_is_refused_in_one_line(name: str) -> None:
    source, message = bad_sources()[name]
    with pytest.raises(InvalidAudio, match=message) as caught:
        read_audio(source)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_an_unreadable_file_is_named_with_what_soundfile_said(tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("these are words")
    with pytest.raises(InvalidAudio, match=r"notes\.wav` \(15 bytes\): Format not recogni"):
        read_audio(path)


def test_endless_audio_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MAX_SAMPLES", 4 * files._BLOCK)
    silence = np.zeros((3 * files._BLOCK, 1), np.float32)
    assert len(read_audio(encoded(silence, "FLAC"))[0]) == len(silence)
    stereo = np.zeros((3 * files._BLOCK, 2), np.float32)
    with pytest.raises(InvalidAudio, match="too long"):
        read_audio(encoded(stereo, "FLAC"))


def test_equal_rates_return_the_input() -> None:
    wave = tone()
    assert resample(wave, RATE, RATE) is wave


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_a_tone_stays_the_same_tone(rate: int) -> None:
    wave = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    out = resample(wave.astype(np.float32), rate, RATE)
    assert out.dtype == np.float32
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(out)) / RATE)
    # away from the edges, where the filter sees the cut; HQ is specified to about 20 bits
    np.testing.assert_allclose(out[2000:-2000], expected[2000:-2000], rtol=0, atol=2e-6)


def test_what_the_new_rate_cannot_hold_is_removed() -> None:
    wave = (0.5 * np.sin(2 * np.pi * 15_000 * np.arange(48_000) / 48_000)).astype(np.float32)
    assert np.abs(resample(wave, 48_000, RATE)[2000:-2000]).max() < 1e-5


@pytest.mark.parametrize(
    ("num_samples", "rate", "expected"),
    # Lengths of librosa 0.11's resample; 147 * (24000 / 22050) is 160.00000000000003 to it.
    [(0, 16_000, 0), (1, 16_000, 2), (2, 16_000, 3), (1, 48_000, 1), (3, 48_000, 2),
     (147, 22_050, 161), (148, 22_050, 162), (440, 44_100, 240), (441, 44_100, 241),
     (22_050, 22_050, 24_001), (44_100, 44_100, 24_001), (8_001, 8_000, 24_003)],
)  # fmt: skip
def test_length_is_rounded_up_like_librosa(num_samples: int, rate: int, expected: int) -> None:
    assert resample(np.zeros(num_samples, np.float32), rate, RATE).shape == (expected,)


def test_a_sample_the_filter_does_not_give_is_zero() -> None:
    assert resample(np.ones(147, np.float32), 22_050, RATE)[-1] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resample(tone(10), 0, RATE), "sample rate `0`"),
        (lambda: resample(tone(10), RATE, 10**6), "sample rate `1000000`"),
        (lambda: resample(tone(10)[None], 16_000, RATE), r"\[N\], not float32 \[1, 10\]"),
        (lambda: resample(np.zeros(10, np.int16), 16_000, RATE), r"\[N\], not int16 \[10\]"),
    ],
)
def test_bad_resampling_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InvalidAudio, match=message):
        call()


@pytest.mark.parametrize("format", FORMATS)
def test_round_trip_per_format(format: str, tmp_path: Path) -> None:
    wave = tone()
    path = tmp_path / f"out.{format.upper()}"
    write_audio(path, wave, RATE)
    got, rate = read_audio(path)
    assert rate == RATE
    assert got.shape == wave.shape
    assert soundfile.info(str(path)).format == format.upper()
    # exact for wav and flac, whose grid the tone lies on; the lossy ones distort (measured 0.03),
    # but less than a delay by one sample would, which is 0.058
    tolerance = 0.0 if format in ("wav", "flac") else 0.05
    inner = slice(600, -600)  # codecs smear the hard start and end of the tone
    np.testing.assert_allclose(got[inner], wave[inner], rtol=0, atol=tolerance)
    content = io.BytesIO()
    write_audio(content, wave, RATE, format=format)
    # mp3 decodes to within one float32 rounding from run to run
    np.testing.assert_allclose(read_audio(content.getvalue())[0], got, rtol=0, atol=2e-7)
    assert os.listdir(tmp_path) == [path.name]


def edge_cases() -> np.ndarray:
    """Floats at and beside every kind of 16-bit step, and far outside full scale."""
    rng = np.random.default_rng(3)
    steps = np.array([-32768, -32767, -1, 0, 1, 2, 16384, 32766, 32767, 32768]) / 32768
    near = [np.nextafter(np.float32(s), np.float32(t)) for s in steps for t in (-2, 2)]
    halves = steps + 0.5 / 32768
    tiny = [1e-12, -1e-12, 2e-10, -2e-10, 3e-10, -3e-10, 1e-9, -1e-9]
    wide = [1.5, -1.5, 100.0, -100.0, np.finfo(np.float32).max, -np.finfo(np.float32).max]
    parts = (steps, near, halves, tiny, wide, rng.uniform(-1.1, 1.1, 5_000))
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def test_sixteen_bits_are_those_of_soundfile() -> None:
    wave = edge_cases()
    by_soundfile = encoded(wave, "WAV", subtype="PCM_16")
    ours = io.BytesIO()
    write_audio(ours, wave, RATE, format="wav")
    assert ours.getvalue() == by_soundfile
    assert pcm16(wave) == by_soundfile[44:]


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_pcm16_equals_the_samples_of_a_written_file(format: str) -> None:
    wave, content = edge_cases(), io.BytesIO()
    write_audio(content, wave, RATE, format=format)
    samples, _ = soundfile.read(io.BytesIO(content.getvalue()), dtype="int16")
    assert samples.astype("<i2").tobytes() == pcm16(wave)


def test_every_sixteen_bit_value_survives() -> None:
    values = np.arange(-32768, 32768).astype("<i2")
    wave, _ = read_audio((values, RATE))
    assert pcm16(wave) == values.tobytes()


def test_no_samples_are_no_bytes() -> None:
    assert pcm16(np.zeros(0, np.float32)) == b""


def test_subtypes() -> None:
    wave = np.random.default_rng(4).uniform(-1, 1, 2_400).astype(np.float32)
    for format, subtype, step in (("wav", "float", 0.0), ("flac", "PCM_24", 2**-23)):
        content = io.BytesIO()
        write_audio(content, wave, RATE, format=format, subtype=subtype)
        info = soundfile.info(io.BytesIO(content.getvalue()))
        assert (info.format, info.subtype) == (format.upper(), subtype.upper())
        np.testing.assert_allclose(read_audio(content.getvalue())[0], wave, rtol=0, atol=step)
    opus = io.BytesIO()
    write_audio(opus, tone(), RATE, format="ogg", subtype="OPUS")
    assert soundfile.info(io.BytesIO(opus.getvalue())).subtype == "OPUS"
    assert len(read_audio(opus.getvalue())[0]) == len(tone())


@pytest.mark.parametrize("format", FORMATS)
def test_lossy_and_exact_formats_clip_alike(format: str) -> None:
    loud, full = io.BytesIO(), io.BytesIO()
    write_audio(loud, 3 * tone(), RATE, format=format)
    write_audio(full, np.clip(3 * tone(), -1, 1), RATE, format=format)
    one, other = read_audio(loud.getvalue())[0], read_audio(full.getvalue())[0]
    np.testing.assert_allclose(one, other, rtol=0, atol=2e-7)  # mp3: one rounding per run


def test_two_minutes_of_ogg() -> None:
    """Handed over in one piece, this much ends the process inside libsndfile's Vorbis encoder."""
    content = io.BytesIO()
    write_audio(content, np.zeros(120 * RATE, np.float32), RATE, format="ogg")
    assert len(read_audio(content.getvalue())[0]) == 120 * RATE


def test_format_wins_over_the_suffix_and_home_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_audio("~/take.1", tone(), RATE, format=".FLAC")
    assert (tmp_path / "take.1").read_bytes()[:4] == b"fLaC"


def test_a_target_need_not_be_seekable(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    with open(write_end, "wb") as pipe:
        write_audio(pipe, tone(100), RATE, format="wav")
    with open(read_end, "rb") as pipe:
        same(read_audio(pipe), tone(100))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    write_audio(path, tone(), RATE)
    before = path.read_bytes()

    def full_disk(source: Path, target: Path) -> None:
        assert source.parent == target.parent
        assert len(source.read_bytes()) == 44 + 2 * 10
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(InvalidRequest, match=r"cannot write `.*a\.wav`: No space left on device"):
        write_audio(path, tone(10), RATE)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.wav"]


def test_a_new_file_has_ordinary_permissions_and_links_stay(tmp_path: Path) -> None:
    plain, real, link = tmp_path / "plain", tmp_path / "real.wav", tmp_path / "link.wav"
    plain.write_bytes(b"")
    link.symlink_to(real)
    write_audio(link, tone(), RATE)
    assert link.is_symlink()
    same(read_audio(real), tone())
    assert real.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("a.opus", {}, "unknown audio format `opus`; use wav, flac, mp3, ogg"),
        ("a", {}, "unknown audio format ``; use wav, flac, mp3, ogg"),
        ("a.wav", {"format": "aac"}, "unknown audio format `aac`; use wav, flac, mp3, ogg"),
        (io.BytesIO(), {}, "unknown audio format ``; use wav, flac, mp3, ogg"),
        ("none/a.wav", {}, "folder `.*/none` does not exist"),
        (".", {"format": "wav"}, "exists and is not a file"),
        (os.devnull, {"format": "wav"}, "`/dev/null` exists and is not a file"),
        (7, {}, "`int` is no target"),
        (None, {"format": "wav"}, "`NoneType` is no target"),
        ("a.flac", {"subtype": "FLOAT"}, "`FLOAT` is not a subtype of flac; use .*PCM_16"),
        ("x" * 300 + ".wav", {}, "File name too long"),
    ],
)
def test_bad_targets_are_refused(
    target: Any,
    options: dict[str, str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match=message) as caught:
        write_audio(target, tone(10), RATE, **options)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("format", "rate"), [("mp3", 96_000), ("ogg", 700_000)])
def test_a_rate_the_format_lacks_is_refused(format: str, rate: int) -> None:
    with pytest.raises(InvalidRequest, match=f"cannot write {format} .* at {rate} Hz: "):
        write_audio(io.BytesIO(), tone(10), rate, format=format)


@pytest.mark.parametrize(
    ("wave", "rate", "message"),
    [
        (np.zeros(0, np.float32), RATE, "an empty wave"),
        (np.zeros((2, 9), np.float32), RATE, r"a float array \[N\], not float32 \[2, 9\]"),
        (np.zeros(9, np.int16), RATE, r"a float array \[N\], not int16 \[9\]"),
        (np.array([0.0, math.nan, math.inf]), RATE, "2 NaN or infinite samples of 3"),
        (np.zeros(9, np.float32), 24_000.0, r"`24000\.0` is not an integer"),
    ],
)
def test_bad_waves_are_not_written(wave: Any, rate: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidAudio, match=message):
        write_audio(tmp_path / "a.wav", wave, rate)
    assert os.listdir(tmp_path) == []


def test_pcm16_refuses_what_write_audio_refuses() -> None:
    with pytest.raises(InvalidAudio, match="1 NaN or infinite samples of 1"):
        pcm16(np.array([math.nan], np.float32))


def test_nothing_optional_is_imported_before_it_is_needed() -> None:
    code = "import sys, qwen3_tts.audio.files; print({'soundfile', 'soxr'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_missing_packages_are_named_with_their_command(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(tone(10))
    for package in ("soundfile", "soxr"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match="pip install soundfile"):
        read_audio(content)
    with pytest.raises(MissingPackage, match="pip install soundfile"):
        write_audio(io.BytesIO(), tone(10), RATE, format="wav")
    with pytest.raises(MissingPackage, match="pip install soxr"):
        resample(tone(10), 16_000, RATE)
    # what needs no package works without them
    wave, rate = read_audio((tone(10), RATE))
    assert pcm16(resample(wave, rate, RATE)) == (tone(10) * 32768).astype("<i2").tobytes()
