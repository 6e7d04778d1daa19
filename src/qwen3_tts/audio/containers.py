"""Sound as bytes while it is being made: one encoder and one container for a whole response.

    encoder = make_encoder("mp3", 24_000)
    send(encoder.encode(wave)) for every piece; at the end send(encoder.finish())

Samples become 16 bits as `files.pcm16` says, so all formats carry the same ones. pcm and wav are
written here; mp3, opus, aac and flac by FFmpeg (through PyAV), which never seeks back: what has
been given out is final. The bytes do not depend on how the wave was cut into pieces.

What a decoder gives back for N samples, F being the samples of a frame:
pcm, wav, flac  the same N
opus            the same length at 48,000 Hz: the pre-skip and the last page say what to drop
mp3             ceil(max(N + 1105, 1728) / F) * F, F = 1,152 from 32,000 Hz on, else 576: LAME
                delays by 576 and every decoder by 529, and nothing in a streamed mp3 says so
aac             ceil((N + 1024) / 1024) * 1024: the frame before the first overlaps it (ADTS cannot
                say so)
"""

import io
import struct
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from qwen3_tts.audio.files import Wave, clipped, optional_package, pcm16
from qwen3_tts.audio.rates import Resampler
from qwen3_tts.audio.watermark import Watermark, WatermarkEncoder, watermarked
from qwen3_tts.errors import InvalidRequest

FORMATS = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
MIN_RATE, MAX_RATE = 8_000, 48_000
# format -> FFmpeg's muxer, encoder and sample format
_FFMPEG = {
    "mp3": ("mp3", "libmp3lame", "s16p"),
    "opus": ("ogg", "libopus", "s16"),
    "aac": ("adts", "aac", "fltp"),
    "flac": ("flac", "flac", "s16"),
}
# Bits a second, and the range the encoder takes. Speech of one voice gains nothing by more.
_BITRATES = {
    "mp3": (96_000, 8_000, 320_000),
    "opus": (64_000, 6_000, 256_000),
    "aac": (64_000, 8_000, 256_000),
}
_BLOCK_S = 0.04  # of flac: its own choice, 96 ms, delays the first sound for 5 % fewer bytes
_UNKNOWN = 0xFFFFFFFF  # a size in a wav header whose end is not known: readers go on to the end


class Encoder(Protocol):
    """Turns a wave into a stream of bytes. One thread at a time."""

    media_type: str

    def encode(self, wave: Wave) -> bytes:
        """Bytes of the next samples [N] of any number, as far as they are ready: maybe none."""
        ...

    def finish(self) -> bytes:
        """The rest: samples still inside and the container's end. Again, it gives none."""
        ...


def make_encoder(
    format: str,
    sample_rate: int,
    *,
    streaming: bool = True,
    bitrate: int | None = None,
    comment: str | None = None,
    watermark: Watermark | None = None,
) -> Encoder:
    """An encoder for `format` (see FORMATS) taking a mono wave at 8,000..48,000 Hz.

    A rate the format lacks is resampled to the next higher one it has. `streaming=False` gives all
    bytes with `finish`, and then headers tell exact sizes: of wav and flac, and mp3 says what its
    decoder has to drop. `bitrate` is for mp3, opus and aac. `comment` becomes the container's
    comment tag, where it has one: not in pcm, aac and a streamed wav, of which many players skip
    44 bytes. A `watermark` sees the wave whole, so all bytes come with `finish` (see watermark.py).
    Raises `InvalidRequest` for any other format, rate or bitrate.
    """
    if format not in FORMATS:
        raise InvalidRequest(f"unknown audio format `{format}`; use {', '.join(FORMATS)}")
    if not (isinstance(sample_rate, int) and MIN_RATE <= sample_rate <= MAX_RATE):
        allowed = f"an integer in {MIN_RATE}..{MAX_RATE}"
        raise InvalidRequest(f"cannot write {format} at `{sample_rate}` Hz: it must be {allowed}")
    bitrate = _checked_bitrate(format, bitrate)
    if watermark is not None:
        plain = make_encoder(
            format, sample_rate, streaming=streaming, bitrate=bitrate, comment=comment
        )
        return WatermarkEncoder(plain, sample_rate, watermark)
    if format == "pcm":
        return _PcmEncoder()
    if format == "wav":
        return _WavEncoder(sample_rate, streaming, comment)
    return _FfmpegEncoder(format, sample_rate, streaming, bitrate, comment)


def encode_whole(
    wave: Wave,
    sample_rate: int,
    format: str,
    *,
    bitrate: int | None = None,
    comment: str | None = None,
    watermark: Watermark | None = None,
) -> bytes:
    """A whole wave [N] as a file's content, with exact sizes in its header: see `make_encoder`."""
    encoder = make_encoder(format, sample_rate, streaming=False, bitrate=bitrate, comment=comment)
    return encoder.encode(watermarked(wave, sample_rate, watermark)) + encoder.finish()


def _checked_bitrate(format: str, bitrate: int | None) -> int | None:
    if format not in _BITRATES:
        if bitrate is not None:
            raise InvalidRequest(f"{format} has no bitrate; use {', '.join(_BITRATES)}, or none")
        return None
    default, lowest, highest = _BITRATES[format]
    if bitrate is None:
        return default
    if not (isinstance(bitrate, int) and lowest <= bitrate <= highest):
        raise InvalidRequest(f"bitrate `{bitrate}` of {format} is not in {lowest}..{highest}")
    return bitrate


class _PcmEncoder:
    """16-bit samples, little-endian, and nothing else."""

    media_type = FORMATS["pcm"]

    def encode(self, wave: Wave) -> bytes:
        return pcm16(wave)

    def finish(self) -> bytes:
        return b""


class _WavEncoder:
    """A header of 44 bytes, 16-bit samples and, where all is known at once, a comment."""

    media_type = FORMATS["wav"]

    def __init__(self, rate: int, streaming: bool, comment: str | None):
        self._rate = rate
        self._streaming = streaming
        self._comment = _list_chunk(comment) if comment else b""
        self._samples = bytearray()
        self._started = self._finished = False

    def encode(self, wave: Wave) -> bytes:
        assert not self._finished
        samples = pcm16(wave)
        if self._streaming:
            return self._start() + samples
        self._samples += samples
        return b""

    def finish(self) -> bytes:
        if self._finished:
            return b""
        self._finished = True
        if self._streaming:
            return self._start()
        size = len(self._samples)
        riff_size = 36 + size + len(self._comment)
        return _wav_header(self._rate, riff_size, size) + self._samples + self._comment

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return _wav_header(self._rate, _UNKNOWN, _UNKNOWN)


def _wav_header(rate: int, riff_size: int, data_size: int) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", riff_size, b"WAVE") + form + _chunk_head(b"data", data_size)
    )


def _chunk_head(name: bytes, size: int) -> bytes:
    return struct.pack("<4sI", name, size)


def _list_chunk(comment: str) -> bytes:
    text = comment.encode() + b"\0"
    text += b"\0" * (len(text) % 2)  # chunks begin at even places
    info = b"INFO" + _chunk_head(b"ICMT", len(text)) + text
    return _chunk_head(b"LIST", len(info)) + info


class _Sink:
    """What FFmpeg writes to: without `seek`, so nothing already given out is touched again."""

    def __init__(self) -> None:
        self._content = bytearray()

    def write(self, content: bytes) -> int:
        self._content += content
        return len(content)

    def take(self) -> bytes:
        content = bytes(self._content)
        self._content.clear()
        return content

    last = take


class _WholeSink(io.BytesIO):
    """The same for a whole file: FFmpeg may go back and complete its header."""

    def take(self) -> bytes:
        return b""

    last = io.BytesIO.getvalue


class _FfmpegEncoder:
    """mp3, opus in ogg, aac in ADTS, or flac."""

    def __init__(
        self, format: str, rate: int, streaming: bool, bitrate: int | None, comment: str | None
    ):
        self._av = optional_package("av")
        self.media_type = FORMATS[format]
        muxer, encoder, sample_format = _FFMPEG[format]
        rates = self._av.Codec(encoder, "w").audio_rates  # None: any
        self._rate = min(r for r in rates if r >= rate) if rates else rate
        self._resampler = Resampler(rate, self._rate)
        self._sink = _Sink() if streaming else _WholeSink()
        options = {"fflags": "+bitexact", **_muxer_options(format, streaming, comment)}
        self._container = self._av.open(self._sink, "w", format=muxer, options=options)
        if comment and format != "aac":
            self._container.metadata["comment"] = comment
        frame = {"frame_size": str(round(_BLOCK_S * self._rate))} if format == "flac" else {}
        self._stream = self._container.add_stream(
            encoder, rate=self._rate, layout="mono", format=sample_format, options=frame
        )
        if bitrate is not None:
            self._stream.bit_rate = bitrate
        self._container.start_encoding()
        self._num_samples = 0
        self._finished = False

    def encode(self, wave: Wave) -> bytes:
        assert not self._finished
        self._encode(self._resampler.push(clipped(wave)))
        return self._sink.take()

    def finish(self) -> bytes:
        if self._finished:
            return b""
        self._finished = True
        self._encode(self._resampler.finish())
        self._mux(self._stream.encode(None))
        self._container.close()
        return self._sink.last()

    def _encode(self, wave: Wave) -> None:
        if not len(wave):
            return
        samples = np.frombuffer(pcm16(wave), "<i2").astype(np.int16)
        frame = self._av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._num_samples
        self._num_samples += len(samples)
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            self._container.mux(packet)


def _muxer_options(format: str, streaming: bool, comment: str | None) -> dict[str, str]:
    if format == "mp3":
        # The Xing frame holds lengths, which a stream cannot go back and fill in.
        return {
            "write_xing": "0" if streaming else "1",
            "id3v2_version": "4" if comment else "0",
        }
    if format == "opus":
        # CELT alone: where libopus changes between it and SILK, FFmpeg's own decoder, which many
        # players have, errs by up to full scale. And from 24 kbit/s on it is nearer to the speech.
        return {"application": "lowdelay", "page_duration": "20000"}  # µs: a page for every frame
    if format == "flac":
        return {"metadata_header_padding": "0"}  # else 8 kB of zeros come before the first sound
    return {}
