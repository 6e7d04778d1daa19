"""Encoded streams: they decode to what went in, however it was cut, and bytes do not wait."""

import gc
import io
import math
import struct
import sys
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.audio.containers import FORMATS, encode_whole, make_encoder
from qwen3_tts.audio.files import pcm16, read_audio, write_audio
from qwen3_tts.errors import InvalidAudio, InvalidRequest, MissingPackage
from tests.refusal import refused

RATE = 24_000
PIECE = 1_920  # 80 ms, as speech is made
EXACT = ("flac", "wav", "pcm")
HEADS = {"mp3": b"\xff\xf3", "opus": b"OggS", "aac": b"\xff\xf1", "flac": b"fLaC", "wav": b"RIFF"}
COMMENT = "AI-generated: qwen3-tts, é"


def sweep(num_samples: int = RATE, rate: int = RATE) -> np.ndarray:
    """From 150 to 1,500 Hz: every moment is unlike any other, so a delay shows."""
    t = np.arange(num_samples) / rate
    return (0.4 * np.sin(2 * np.pi * (150 * t + 1_350 * t**2 / 2))).astype(np.float32)


def sine(num_samples: int = RATE) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * 440 * np.arange(num_samples) / RATE)).astype(np.float32)


def cut(wave: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """Pieces of these sizes in turn, the last one whatever is left."""
    return np.split(wave, np.minimum(np.cumsum(sizes), len(wave)))


def streamed(
    format: str, wave: np.ndarray, sizes: list[int], rate: int = RATE, **options: Any
) -> bytes:
    encoder = make_encoder(format, rate, **options)
    return b"".join([encoder.encode(piece) for piece in cut(wave, sizes)]) + encoder.finish()


def decoded(format: str, content: bytes) -> tuple[np.ndarray, int]:
    """What FFmpeg reads: floats [N] and their rate."""
    if format == "pcm":
        return np.frombuffer(content, "<i2") / 32768, RATE
    parts = []
    # four frames of aac are too few for FFmpeg to know them by
    with av.open(io.BytesIO(content), format="aac" if format == "aac" else None) as file:
        for frame in file.decode(audio=0):
            part = frame.to_ndarray()[0]
            parts.append(part / 32768 if part.dtype == np.int16 else part)
        return np.concatenate(parts), file.streams.audio[0].rate


def delay_and_length(format: str, num_samples: int, frame: int = 576) -> tuple[int, int]:
    """Samples before the first, and samples in all, as the module's docstring says."""
    if format == "mp3":
        return 1_105, math.ceil(max(num_samples + 1_105, 1_728) / frame) * frame
    if format == "aac":
        return 1_024, math.ceil((num_samples + 1_024) / 1_024) * 1_024
    return 0, num_samples * (2 if format == "opus" else 1)


def error_of(format: str, got: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Decoded minus given, where codecs smear no end; LAME's gain of 0.95 taken out."""
    if format == "opus":
        got = got[::2]  # it decodes at 48,000 Hz; the wave has nothing above 12,000
    delay, _ = delay_and_length(format, len(wave))
    got = got[delay:][: len(wave)] / (0.95 if format == "mp3" else 1)
    return (got - wave)[1_200:-1_200]


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=8, deadline=None)
@given(sizes=st.lists(st.integers(0, 5_000), max_size=12))
def test_bytes_do_not_depend_on_the_pieces(format: str, sizes: list[int]) -> None:
    wave = sweep(9_000)
    assert streamed(format, wave, sizes) == streamed(format, wave, [])


@pytest.mark.parametrize("format", FORMATS)
def test_single_samples_are_pieces_too(format: str) -> None:
    wave = sweep(2_500)
    sizes = [1, 0] * 1_300
    assert streamed(format, wave, sizes) == streamed(format, wave, [])


@pytest.mark.parametrize("format", ["opus", "pcm", "flac"])
def test_pieces_at_a_rate_that_is_resampled(format: str) -> None:
    wave = sweep(9_000, 22_050)
    pieces, whole = (streamed(format, wave, s, 22_050) for s in ([777] * 12, []))
    assert pieces == whole


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("num_samples", [1, 575, 576, 1_024, 5_000, RATE, 31_337])
def test_every_sample_comes_back(format: str, num_samples: int) -> None:
    got, rate = decoded(format, streamed(format, sweep(num_samples), [777] * 50))
    assert rate == (48_000 if format == "opus" else RATE)
    assert len(got) == delay_and_length(format, num_samples)[1]


@pytest.mark.parametrize("format", FORMATS)
def test_what_comes_back_is_what_went_in(format: str) -> None:
    wave = sweep()
    got, _ = decoded(format, streamed(format, wave, [PIECE] * 20))
    error = error_of(format, got, wave)
    if format in EXACT:
        assert np.array_equal((got * 32768).astype("<i2").tobytes(), pcm16(wave))
        return
    # Measured 78 (mp3), 41 (opus), 40 dB (aac). A shift by one sample would be 13.
    assert 10 * np.log10(np.mean(wave**2) / np.mean(error**2)) > 30


@pytest.mark.parametrize("format", FORMATS)
def test_pieces_join_without_a_click(format: str) -> None:
    wave = sine()
    whole, _ = decoded(format, streamed(format, wave, []))
    pieces, _ = decoded(format, streamed(format, wave, [773] * 40))
    worst = {name: np.abs(error_of(format, w, wave)).max() for name, w in
             (("whole", whole), ("pieces", pieces))}  # fmt: skip
    assert worst["pieces"] <= worst["whole"] + 1e-6
    # A click is as high as the sine, 0.4; measured up to 0.017. Lossless: one 16-bit step.
    assert worst["pieces"] < (1.01 / 32768 if format in EXACT else 0.03)


@pytest.mark.parametrize("format", ["mp3", "opus", "flac", "wav"])
def test_libsndfile_reads_them_too(format: str) -> None:
    wave = sweep()
    content = streamed(format, wave, [PIECE] * 20)
    got, rate = read_audio(content)
    assert rate == RATE
    by_ffmpeg, _ = decoded(format, content)
    if format == "opus":  # libsndfile decodes at the rate that went in
        assert len(got) == len(wave)
        got, by_ffmpeg = got[1_200:-1_200], by_ffmpeg[::2][1_200:-1_200]
    # two decoders; opus's also resamples by other filters
    np.testing.assert_allclose(got, by_ffmpeg, rtol=0, atol=0.01 if format == "opus" else 1e-4)


@pytest.mark.parametrize("bitrate", [24_000, 32_000, 48_000, 64_000])
def test_opus_sounds_alike_in_both_decoders(bitrate: int) -> None:
    """FFmpeg's own errs by full scale where an encoder changes from SILK to CELT; ours does not."""
    content = streamed("opus", sweep(), [], bitrate=bitrate)
    by_ffmpeg, by_libopus = decoded("opus", content)[0][::2], read_audio(content)[0]
    np.testing.assert_allclose(by_ffmpeg[1_200:-1_200], by_libopus[1_200:-1_200], atol=0.01)


@pytest.mark.parametrize(
    ("format", "pieces"), [("pcm", 1), ("wav", 1), ("flac", 1), ("mp3", 1), ("opus", 1), ("aac", 2)]
)
def test_sound_comes_early_and_goes_on(format: str, pieces: int) -> None:
    """`pieces` of 80 ms are needed for the first sound, and from then on little is held back."""
    encoder, got, first = make_encoder(format, RATE), b"", 0
    for index, piece in enumerate(cut(sweep(), [PIECE] * 12), 1):
        new = encoder.encode(piece)
        got += new
        head = 200 if format in ("opus", "flac") else 44  # headers come before any sound
        if not first and len(got) > head:
            first = index
    assert first == pieces
    rate = 48_000 if format == "opus" else RATE
    # within 100 ms of all that went in; what a decoder drops at the start counts as heard
    assert len(decoded(format, got)[0]) / rate > len(sweep()) / RATE - 0.1
    encoder.finish()


def test_a_streamed_wav_has_no_sizes() -> None:
    content = streamed("wav", sweep(5_000), [100, 0, 7])
    assert content[44:] == pcm16(sweep(5_000))
    assert struct.unpack("<4sI4s4sIHHIIHH4sI", content[:44]) == (
        b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data", 0xFFFFFFFF,
    )  # fmt: skip
    assert np.array_equal(read_audio(content)[0], decoded("wav", content)[0].astype(np.float32))


def test_the_header_of_a_wav_is_there_at_once() -> None:
    encoder = make_encoder("wav", RATE)
    assert len(encoder.encode(sweep(0))) == 44
    assert encoder.encode(sweep(0)) == b""
    assert encoder.finish() == b""
    assert len(make_encoder("wav", RATE).finish()) == 44


def test_a_whole_wav_is_what_write_audio_writes() -> None:
    file = io.BytesIO()
    write_audio(file, sweep(), RATE, format="wav")
    assert encode_whole(sweep(), RATE, "wav") == file.getvalue()


@pytest.mark.parametrize("format", FORMATS)
def test_a_whole_file_knows_its_length(format: str) -> None:
    """Also that of mp3, which then says how much to drop; aac cannot."""
    wave = sweep(31_337)
    content = encode_whole(wave, RATE, format)
    got, _ = decoded(format, content)
    if format == "aac":
        assert len(got) == delay_and_length(format, len(wave))[1]
    else:
        assert len(got) == len(wave) * (2 if format == "opus" else 1)
    if format in ("mp3", "flac", "wav"):
        info = soundfile.info(io.BytesIO(content))
        assert (info.frames, info.samplerate, info.channels) == (len(wave), RATE, 1)


@pytest.mark.parametrize("format", FORMATS)
def test_not_streaming_gives_all_at_the_end(format: str) -> None:
    encoder = make_encoder(format, RATE, streaming=False)
    early = b"".join(encoder.encode(piece) for piece in cut(sweep(), [PIECE] * 20))
    assert early == (pcm16(sweep()) if format == "pcm" else b"")
    assert early + encoder.finish() == encode_whole(sweep(), RATE, format)


@pytest.mark.parametrize("format", FORMATS)
def test_one_header_and_one_end(format: str) -> None:
    encoder = make_encoder(format, RATE)
    content = b"".join(encoder.encode(piece) for piece in cut(sweep(), [PIECE] * 20))
    content += encoder.finish()
    assert encoder.finish() == b""
    assert encoder.media_type == FORMATS[format]
    if format == "pcm":
        return
    assert content.startswith(HEADS[format])
    if format == "opus":
        assert content.count(b"OpusHead") == content.count(b"OpusTags") == 1
        flags = [content[i + 5] for i in range(len(content)) if content.startswith(b"OggS", i)]
        assert flags[0] == 2  # beginning of stream
        assert set(flags[1:-1]) == {0}
        assert flags[-1] == 4  # end of stream
        assert len(flags) >= 2 + len(sweep()) / RATE / 0.02  # a page for every 20 ms
    elif format != "aac" and format != "mp3":
        assert content.count(HEADS[format]) == 1
    else:
        assert b"ID3" not in content
        assert b"Xing" not in content
        assert b"Info" not in content


@pytest.mark.parametrize(
    ("format", "streaming"),
    [(f, s) for f in ("mp3", "opus", "flac", "wav") for s in (True, False) if (f, s) != ("wav", 1)],
)
def test_a_comment_is_found_and_changes_no_sample(format: str, streaming: bool) -> None:
    given = {"streaming": streaming, "comment": COMMENT}
    content = streamed(format, sweep(), [PIECE] * 20, **given)
    plain = streamed(format, sweep(), [PIECE] * 20, streaming=streaming)
    with av.open(io.BytesIO(content)) as file:
        tags = {**file.metadata, **file.streams.audio[0].metadata}
    assert {key.lower(): value for key, value in tags.items()}["comment"] == COMMENT
    assert np.array_equal(decoded(format, content)[0], decoded(format, plain)[0])
    assert np.array_equal(read_audio(content)[0], read_audio(plain)[0])
    assert COMMENT.encode() not in plain


def test_a_comment_of_odd_length_keeps_a_whole_wav_whole() -> None:
    for comment in ("a", "ab"):
        content = encode_whole(sweep(), RATE, "wav", comment=comment)
        assert struct.unpack_from("<I", content, 4)[0] == len(content) - 8
        assert content[44:][: 2 * RATE] == pcm16(sweep())
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            assert file.comment == comment
            assert file.frames == RATE


@pytest.mark.parametrize("format", ["aac", "pcm", "wav"])
def test_without_a_place_for_it_a_comment_is_left_out(format: str) -> None:
    assert streamed(format, sweep(), [], comment=COMMENT) == streamed(format, sweep(), [])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("rate", [8_000, 9_999, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000])
def test_every_rate_is_taken(format: str, rate: int) -> None:
    wave = sweep(rate // 2, rate)
    got, got_rate = decoded(format, streamed(format, wave, [rate // 12] * 9, rate))
    if format == "pcm":
        got_rate = rate
    assert got_rate >= rate
    frame = 1_152 if got_rate >= 32_000 else 576
    resampled = math.ceil(len(wave) * (got_rate / rate))
    if format == "opus":  # opus's own rate in between is one of five
        assert 0 <= len(got) - len(wave) * (48_000 / rate) < 6
    else:
        assert len(got) == delay_and_length(format, resampled, frame)[1]
    if format in EXACT:
        assert got_rate == rate


@pytest.mark.parametrize("format", FORMATS)
def test_loud_sound_is_clipped_and_never_wraps(format: str) -> None:
    loud = 3 * sweep()
    assert streamed(format, loud, [777] * 40) == streamed(format, np.clip(loud, -1, 1), [])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_number_is_refused(format: str, bad: float) -> None:
    encoder = make_encoder(format, 22_050)
    encoder.encode(sweep(100))
    with refused(InvalidAudio, "1 NaN or infinite samples of 3"):
        encoder.encode(np.float32([0, bad, 0]))
    with refused(InvalidAudio, "a wave is a float array [N]"):
        encoder.encode(sweep(4).reshape(2, 2))
    encoder.finish()


@pytest.mark.parametrize("format", FORMATS)
def test_encoders_side_by_side_share_nothing(format: str) -> None:
    waves = [sweep(), -sweep(), sine()]
    encoders = [make_encoder(format, RATE) for _ in waves]
    contents = [b"", b"", b""]
    for start in range(0, RATE, 777):
        for index, (encoder, wave) in enumerate(zip(encoders, waves, strict=True)):
            contents[index] += encoder.encode(wave[start : start + 777])
    contents = [a + e.finish() for a, e in zip(contents, encoders, strict=True)]
    assert contents == [streamed(format, wave, []) for wave in waves]


@pytest.mark.parametrize("format", FORMATS)
def test_an_encoder_may_be_left_or_given_nothing(format: str) -> None:
    make_encoder(format, RATE).encode(sweep())
    gc.collect()  # a warning or an error while it is taken apart would fail this test
    head = make_encoder(format, RATE).finish()
    assert len(head) < 200
    assert len(head) == len(streamed(format, sweep(0), [0, 0]))


@pytest.mark.parametrize("format", ["mp3", "opus", "aac"])
def test_a_higher_bitrate_gives_more_bytes(format: str) -> None:
    sizes = [len(encode_whole(sweep(), RATE, format, bitrate=b)) for b in (24_000, 64_000)]
    assert sizes[0] < 0.8 * sizes[1]
    usual = {"mp3": 96_000, "opus": 64_000, "aac": 64_000}[format]
    assert encode_whole(sweep(), RATE, format) == encode_whole(sweep(), RATE, format, bitrate=usual)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (("ogg", RATE), ("unknown audio format `ogg`", "mp3, opus, aac, flac, wav, pcm")),
        (("MP3", RATE), ("unknown audio format `MP3`",)),
        (("mp3", 7_999), ("cannot write mp3 at `7999` Hz", "8000..48000")),
        (("pcm", 96_000), ("cannot write pcm at `96000` Hz", "8000..48000")),
        (("wav", 24_000.0), ("cannot write wav at `24000.0` Hz", "an integer")),
    ],
)
def test_unknown_formats_and_rates_are_refused(given: Any, parts: tuple[str, ...]) -> None:
    with refused(InvalidRequest, *parts):
        make_encoder(*given)
    with refused(InvalidRequest, *parts):
        encode_whole(sweep(), given[1], given[0])


@pytest.mark.parametrize(
    ("format", "bitrate", "parts"),
    [
        ("mp3", 1, ("bitrate `1` of mp3", "8000..320000")),
        ("opus", 600_000, ("bitrate `600000` of opus", "6000..256000")),
        ("aac", 64_000.0, ("bitrate `64000.0` of aac",)),
        ("flac", 64_000, ("flac has no bitrate", "mp3, opus, aac")),
        ("wav", 64_000, ("wav has no bitrate",)),
    ],
)
def test_bitrates_out_of_range_are_refused(format: str, bitrate: Any, parts: Any) -> None:
    with refused(InvalidRequest, *parts):
        make_encoder(format, RATE, bitrate=bitrate)


@pytest.mark.parametrize(("format", "bitrate"), [("mp3", 8_000), ("mp3", 320_000),
    ("opus", 6_000), ("opus", 256_000), ("aac", 8_000), ("aac", 256_000)])  # fmt: skip
@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
def test_the_ends_of_the_ranges_work(format: str, bitrate: int, rate: int) -> None:
    content = streamed(format, sweep(rate // 4, rate), [], rate, bitrate=bitrate)
    assert len(decoded(format, content)[0]) >= rate // 4


def test_only_compressed_formats_need_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert len(encode_whole(sweep(), RATE, "wav")) == 44 + 2 * RATE
    assert encode_whole(sweep(), RATE, "pcm") == pcm16(sweep())
    for format in ("mp3", "opus", "aac", "flac"):
        with refused(MissingPackage, "pip install av"):
            make_encoder(format, RATE)
