"""Uploads: hostile recordings are refused early and cheaply, hostile forms while they arrive."""

import asyncio
import functools
import io
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from starlette.requests import Request

from qwen3_tts.audio import uploads as audio_uploads
from qwen3_tts.audio.uploads import KINDS, Bounds, kind_of, read_upload
from qwen3_tts.errors import InvalidAudio
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import ServerSettings, load_settings
from qwen3_tts.server.voices import uploads
from qwen3_tts.server.voices.recordings import read_recording
from qwen3_tts.server.voices.uploads import read_form, read_new_voice

RATE = 24_000


def tone(seconds: float, rate: int = RATE) -> np.ndarray[Any, Any]:
    return 0.3 * np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * 220 / rate)


def snd(
    format: str, seconds: float = 2.0, rate: int = RATE, channels: int = 1, **how: Any
) -> bytes:
    file = io.BytesIO()
    samples = np.repeat(tone(seconds, rate)[:, None], channels, axis=1)
    soundfile.write(file, samples, rate, format=format, **how)
    return file.getvalue()


def ffmpeg(container: str, codec: str, rate: int = 48_000, layout: str = "mono") -> bytes:
    """Two seconds, encoded by FFmpeg."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout=layout)
        planes = av.AudioLayout(layout).nb_channels
        wave = np.repeat(tone(2.0, rate).astype(np.float32)[None], planes, axis=0)
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
        frame.rate = rate
        context = stream.codec_context
        fit = av.AudioResampler(context.format, layout, rate, context.frame_size or None)
        for piece in [*fit.resample(frame), *fit.resample(None), None]:
            for packet in stream.encode(piece):
                out.mux(packet)
    return file.getvalue()


def id3(claimed: int) -> bytes:
    """The head of an ID3 tag that claims to be this long."""
    return b"ID3\x03\0\0" + bytes(claimed >> shift & 127 for shift in (21, 14, 7, 0))


MADE: dict[str, tuple[str, Callable[[], bytes], float]] = {
    # what: (kind, content, how far its length may be from 2 s: padding of the encoders)
    "wav": ("wav", lambda: snd("WAV"), 0),
    "wav float": ("wav", lambda: snd("WAV", subtype="FLOAT"), 0),
    "wav stereo": ("wav", lambda: snd("WAV", channels=2), 0),
    "wav of eight": ("wav", lambda: snd("WAVEX", channels=8), 0),
    "flac": ("flac", lambda: snd("FLAC"), 0),
    "mp3": ("mp3", lambda: snd("MP3"), 0.05),
    "mp3 with a picture of 3 MB": (
        "mp3",
        lambda: id3(3_000_000) + b"APIC" + b"x" * 2_999_996 + snd("MP3"),
        0.05,
    ),
    "ogg vorbis": ("ogg", lambda: snd("OGG"), 0),
    "ogg opus": ("ogg", lambda: snd("OGG", subtype="OPUS"), 0),
    "m4a": ("mp4", lambda: ffmpeg("mp4", "aac"), 0.05),
    "m4a alac stereo": ("mp4", lambda: ffmpeg("mp4", "alac", layout="stereo"), 0.05),
    "webm": ("webm", lambda: ffmpeg("webm", "libopus"), 0.05),
    "aac": ("aac", lambda: ffmpeg("adts", "aac"), 0.05),
}


@pytest.mark.parametrize("what", MADE)
def test_recordings_of_every_kind_are_read(what: str) -> None:
    kind, make, padding_s = MADE[what]
    content = make()
    assert kind_of(content) == kind
    wave, rate = read_upload(content)
    assert abs(len(wave) / rate - 2.0) <= padding_s
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    # the tone is there, channels averaged and not summed; 5 %: what lossy codecs do to it
    middle = wave[rate // 2 : rate]
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.3, rel=0.05)


def test_every_kind_is_tried() -> None:
    assert {kind for kind, _, _ in MADE.values()} == set(KINDS)


def test_a_wav_is_read_as_it_is() -> None:
    wave, rate = read_upload(snd("WAV", subtype="FLOAT"))
    assert rate == RATE
    np.testing.assert_array_equal(wave, tone(2.0).astype(np.float32))


def patched(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + struct.pack("<I", value) + content[at + 4 :]


@functools.cache
def bomb() -> bytes:
    """A flac of 21 kB: a quarter of an hour of silence."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 8_000, 1, "PCM_16", format="FLAC") as out:
        out.write(np.zeros(8_000 * 900, np.int16))
    return file.getvalue()


def big_tables() -> bytes:
    """An mp4 of 19 kB whose tables claim 40 million samples, for which FFmpeg takes 1.5 GB."""
    content = bytearray(ffmpeg("mp4", "aac"))
    claimed = 40_000_000
    sizes, chunks, times = (content.find(name) + 4 for name in (b"stsz", b"stsc", b"stts"))
    content[sizes + 4 : sizes + 12] = struct.pack(">II", 1, claimed)
    content[chunks + 12 : chunks + 16] = struct.pack(">I", claimed)
    for entry in range(struct.unpack_from(">I", content, times + 4)[0]):
        struct.pack_into(">I", content, times + 8 + 8 * entry, claimed)
    return bytes(content)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "known kind"),
    "text": (lambda: b"hello " * 100, "known kind"),
    "a playlist": (lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "known kind"),
    "an ffmpeg list": (lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", "known kind"),
    "a page": (lambda: b"<!DOCTYPE html><title>x</title>", "known kind"),
    "a zip": (lambda: b"PK\x03\x04" + bytes(100), "known kind"),
    "a pickle": (lambda: b"\x80\x04\x95" + bytes(100), "known kind"),
    "aiff": (lambda: snd("AIFF"), "known kind"),
    "avi": (lambda: b"RIFF\x24\0\0\0AVI LIST" + bytes(100), "known kind"),
    "a playlist behind a wav's head": (lambda: b"RIFF\0\0\0\0WAVE#EXTM3U\n", "cannot decode"),
    "a page behind a flac's head": (lambda: b"fLaC<script>" * 50, "cannot decode"),
    "a page behind a webm's head": (lambda: b"\x1aE\xdf\xa3<script>" * 50, "cannot"),
    "mp4 that refers elsewhere": (lambda: b"\0\0\0\x18ftypqt  " + b"url file:///x" * 9, "cannot"),
    "nine channels": (lambda: snd("WAVEX", channels=9), "9 channels"),
    "rate of 1": (lambda: snd("WAV", rate=1, seconds=9), "sample rate 1 "),
    "rate of 4,000": (lambda: snd("WAV", rate=4_000), "sample rate 4000 "),
    "rate of 200,000": (lambda: snd("WAV", rate=200_000), "sample rate 200000 "),
    "another codec in wav": (lambda: snd("WAV", subtype="GSM610", rate=8_000), "GSM610"),
    "another codec in webm": (lambda: ffmpeg("matroska", "aac"), r"webm \(aac\) is not read"),
    "a rate that changes": (
        lambda: ffmpeg("adts", "aac") + ffmpeg("adts", "aac", rate=24_000),
        "changes its sample rate",
    ),
    "no samples": (lambda: snd("WAV", seconds=0), "no samples"),
    "a wav that says it is empty": (lambda: patched(snd("WAV"), 40, 0), "no samples"),
    "NaN": (lambda: snd_of(np.full(RATE, np.nan)), "NaN"),
    "infinity": (lambda: snd_of(np.full(RATE, np.inf)), "NaN or infinite"),
    "half a minute and a bit": (lambda: snd("WAV", seconds=30.2), "longer than 30 s"),
    "a bomb": (bomb, "longer than 30 s"),
    "tables for 40 million": (big_tables, "mp4 file"),
    "half a flac": (lambda: snd("FLAC")[:5000], "cannot decode"),
    "half an ogg": (lambda: snd("OGG")[:3000], "cannot decode"),
    "half an m4a": (lambda: ffmpeg("mp4", "aac")[:9000], "cannot decode"),
    "an ID3 tag alone": (lambda: id3(100) + bytes(100), "cannot decode"),
    "an ID3 tag longer than the file": (lambda: id3(2**27) + bytes(100), "cannot decode"),
}


def snd_of(samples: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_recording_is_refused(what: str) -> None:
    make, reason = HOSTILE[what]
    with pytest.raises(InvalidAudio, match=reason) as refused:
        read_upload(make())
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_file_cut_anywhere_is_read_or_refused(format: str) -> None:
    """Nothing else is raised, and there is never more sound than in the whole."""
    content = snd(format)
    whole, _ = read_upload(content)
    for length in [*range(0, 200, 7), *range(200, len(content), len(content) // 40)]:
        try:
            wave, rate = read_upload(content[:length])
        except InvalidAudio:
            continue
        assert rate == RATE
        assert len(wave) <= len(whole)


def test_a_header_that_claims_more_than_there_is_is_not_believed() -> None:
    content = snd("WAV")
    claimed = read_upload(patched(content, 40, 0xFFFFFFF0))
    np.testing.assert_array_equal(claimed[0], read_upload(content)[0])


def test_decoding_stops_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a quarter of an hour no more is decoded than 30 s and a block."""
    decoded = 0
    gather = audio_uploads._gather

    def counting(blocks: Iterator[Any], kind: str, bounds: Bounds) -> Any:
        def counted() -> Iterator[Any]:
            nonlocal decoded
            for block in blocks:
                decoded += block.samples.shape[1]
                yield block

        return gather(counted(), kind, bounds)

    content = bomb()
    monkeypatch.setattr(audio_uploads, "_gather", counting)
    with pytest.raises(InvalidAudio, match="longer"):
        read_upload(content)
    assert 30 * 8_000 < decoded <= 30.1 * 8_000 + audio_uploads._BLOCK


def test_decoding_stops_when_its_time_is_over() -> None:
    with pytest.raises(InvalidAudio, match="took over 0 s"):
        read_upload(snd("WAV"), Bounds(budget_s=0))


def test_ffmpeg_runs_apart_with_a_time_limit() -> None:
    began_s = time.monotonic()
    with pytest.raises(InvalidAudio, match="with the time and memory it may use"):
        read_upload(ffmpeg("mp4", "aac"), Bounds(budget_s=0.001))
    assert time.monotonic() - began_s < 5


MEASURE = """
import resource, sys
from qwen3_tts.audio.uploads import read_upload
from qwen3_tts.errors import InvalidAudio
try:
    read_upload(sys.stdin.buffer.read())
except InvalidAudio:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not bound a process's memory")
def test_ffmpeg_runs_apart_with_a_memory_limit() -> None:
    """Without the limit it is 1,500,000 kB."""
    done = subprocess.run([sys.executable, "-c", MEASURE], input=big_tables(), capture_output=True)
    assert int(done.stdout) < 700_000, done.stderr


def test_bounds_hold_in_the_other_process_too() -> None:
    with pytest.raises(InvalidAudio, match="longer than 1 s"):
        read_upload(ffmpeg("webm", "libopus"), Bounds(longest_s=1))


def test_a_recording_is_kept_as_a_plain_wav() -> None:
    """16 bits, one channel, its own rate, and nothing of what else was in the file."""
    kept = read_recording(
        id3(1000) + b"secret" * 166 + bytes(4) + snd("MP3", rate=22_050), 30
    ).wav()
    about = soundfile.info(io.BytesIO(kept))
    assert (about.format, about.subtype) == ("WAV", "PCM_16")
    assert (about.samplerate, about.channels) == (22_050, 1)
    assert b"secret" not in kept


def test_a_recording_may_not_be_too_short() -> None:
    with pytest.raises(Fault, match=r"lasts 0\.50 s, allowed are 1 to 30 s") as refused:
        read_recording(snd("WAV", seconds=0.5), 30)
    assert refused.value.code is FaultCode.INVALID_MESSAGE
    assert refused.value.param == "audio"


# forms


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ServerSettings:
    return load_settings(voices_dir=tmp_path_factory.mktemp("voices"), max_upload_bytes=100_000)


def part(name: str, content: bytes, filename: str | None = None, head: bytes = b"") -> bytes:
    named = f'; filename="{filename}"' if filename else ""
    about = f'Content-Disposition: form-data; name="{name}"{named}\r\n'.encode()
    return b"--cut\r\n" + about + head + b"\r\n" + content + b"\r\n"


END = b"--cut--\r\n"
NAME = part("name", b"Ann")
AUDIO = part("audio", b"RIFF", "a.wav")


def request_of(*pieces: bytes, pause_s: float = 0.0, **headers: str) -> Request:
    """A request whose body comes in these pieces."""
    given = {"content_type": "multipart/form-data; boundary=cut", **headers}

    async def body() -> AsyncIterator[dict[str, Any]]:
        for piece in pieces:
            yield {"type": "http.request", "body": piece, "more_body": True}
        await asyncio.sleep(pause_s)
        yield {"type": "http.request", "body": b"", "more_body": False}

    messages = body()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in given.items()],
    }
    return Request(scope, lambda: anext(messages))  # type: ignore[arg-type, return-value]


def read(*pieces: bytes, max_bytes: int = 100_000, **headers: str) -> uploads.Form:
    return asyncio.run(read_form(request_of(*pieces, **headers), max_bytes))


def new_voice(settings: ServerSettings, *pieces: bytes) -> uploads.NewVoice:
    return asyncio.run(read_new_voice(request_of(*pieces, END), settings))


def test_a_form_is_read_however_its_bytes_are_cut() -> None:
    body = NAME + part("transcript", "Grüße".encode()) + part("audio", bytes(range(256)), "a") + END
    whole = read(body)
    assert whole.fields == {"name": "Ann", "transcript": "Grüße"}
    assert whole.files == {"audio": bytes(range(256))}
    for step in (1, 7, 64):
        assert read(*(body[i : i + step] for i in range(0, len(body), step))) == whole


BAD_FORMS: dict[str, tuple[tuple[bytes, ...], dict[str, str], FaultCode, str]] = {
    "json": ((b"{}",), {"content_type": "application/json"}, FaultCode.INVALID_MESSAGE, "json"),
    "no type": ((AUDIO, END), {"content_type": ""}, FaultCode.INVALID_MESSAGE, "without a type"),
    "no boundary": (
        (AUDIO, END),
        {"content_type": "multipart/form-data"},
        FaultCode.INVALID_MESSAGE,
        "boundary",
    ),
    "compressed": (
        (AUDIO, END),
        {"content_encoding": "gzip"},
        FaultCode.INVALID_MESSAGE,
        "Content-Encoding",
    ),
    "too large, as it says": (
        (AUDIO, END),
        {"content_length": "100001"},
        FaultCode.TOO_LARGE,
        "100000",
    ),
    "too large, whatever it says": (
        (AUDIO, *[bytes(10_000)] * 11),
        {"content_length": "5"},
        FaultCode.TOO_LARGE,
        "100000",
    ),
    "too large before any part": ((b"x" * 100_001,), {}, FaultCode.TOO_LARGE, "100000"),
    "two files": (
        (AUDIO, part("file", b"x", "b.wav"), END),
        {},
        FaultCode.INVALID_MESSAGE,
        "files",
    ),
    "many fields": ((NAME * 17, END), {}, FaultCode.INVALID_MESSAGE, "fields"),
    "a huge field": (
        (part("name", b"x" * 20_000), END),
        {},
        FaultCode.INVALID_MESSAGE,
        "maximum size",
    ),
    "a huge header": (
        (part("name", b"x", head=b"X-A: " + b"a" * 90_000 + b"\r\n"), END),
        {},
        FaultCode.INVALID_MESSAGE,
        "form",
    ),
    "no name in a part": (
        (b"--cut\r\nContent-Disposition: form-data\r\n\r\nx\r\n", END),
        {},
        FaultCode.INVALID_MESSAGE,
        "name",
    ),
    "not a form": ((b"--other\r\n\r\n",), {}, FaultCode.INVALID_MESSAGE, "form"),
}


@pytest.mark.parametrize("what", BAD_FORMS)
def test_hostile_forms_are_refused(what: str) -> None:
    pieces, headers, code, told = BAD_FORMS[what]
    with pytest.raises(Fault, match=told) as refused:
        read(*pieces, **headers)
    assert refused.value.code is code


def test_what_is_too_large_is_not_read_to_its_end() -> None:
    taken = 0

    async def endless() -> dict[str, Any]:
        nonlocal taken
        taken += 10_000
        body = b"x" * 10_000 if taken > 10_000 else part("audio", b"x" * 10_000, "a")
        return {"type": "http.request", "body": body, "more_body": True}

    request = request_of()
    request._receive = endless  # type: ignore[assignment]
    with pytest.raises(Fault) as refused:
        asyncio.run(read_form(request, 100_000))
    assert refused.value.code is FaultCode.TOO_LARGE
    assert taken <= 120_000


def test_a_body_that_pauses_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PAUSE_S", 0.02)
    with pytest.raises(Fault, match="paused") as refused:
        asyncio.run(read_form(request_of(AUDIO, pause_s=5), 100_000))
    assert refused.value.code is FaultCode.TIMEOUT


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOAD_S", 0.05)

    drops = iter(AUDIO + bytes(1000))

    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": bytes([next(drops)]), "more_body": True}

    request = request_of()
    request._receive = drip  # type: ignore[assignment]
    with pytest.raises(Fault, match="took over"):
        asyncio.run(read_form(request, 100_000))


def test_a_client_that_leaves_is_no_mystery() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    request = request_of()
    request._receive = gone  # type: ignore[assignment]
    with pytest.raises(Fault) as refused:
        asyncio.run(read_form(request, 100_000))
    assert refused.value.code is FaultCode.CANCELLED


def test_parts_go_by_the_names_of_several_clients(settings: ServerSettings) -> None:
    words = part("consent", b"I agree") + part("language", b"English")
    ours = new_voice(settings, NAME, AUDIO, part("transcript", b"Hi there"), words)
    assert (ours.name, ours.content, ours.transcript) == ("Ann", b"RIFF", "Hi there")
    assert (ours.language, ours.consent, ours.description) == ("English", "I agree", "")
    for file in ("file", "audio_sample"):
        for text in ("ref_text", "text"):
            sent = NAME, part(file, b"RIFF", "x"), part(text, b"Hi there"), words
            assert new_voice(settings, *sent) == ours
    described = new_voice(settings, NAME, AUDIO, part("speaker_description", b"calm"))
    assert described.description == "calm"


BAD_VOICES = {
    "no name": ((AUDIO,), "name"),
    "a blank name": ((part("name", b"  "), AUDIO), "name"),
    "a long name": ((part("name", b"x" * 65), AUDIO), "65 characters"),
    "a name that turns around": ((part("name", "a\u202eb".encode()), AUDIO), "U\\+202E"),
    "no file": ((NAME,), "`audio`"),
    "an empty file": ((NAME, part("audio", b"", "a.wav")), "empty file"),
    "a file as text": ((NAME, part("audio", b"RIFF")), "came as text"),
    "a file under another name": ((NAME, part("sound", b"RIFF", "a.wav")), "came as `sound`"),
    "a long transcript": ((NAME, AUDIO, part("text", b"word " * 1000)), "4999 characters"),
    "a transcript without words": ((NAME, AUDIO, part("text", b"...")), "no letter"),
    "a NUL in the transcript": ((NAME, AUDIO, part("text", b"a\0b")), "NUL"),
    "a long consent": ((NAME, AUDIO, part("consent", b"x" * 201)), "201 characters"),
    "an escape in the description": ((NAME, AUDIO, part("description", b"\x1b[2J")), "001B"),
    "a URL": ((NAME, part("audio_url", b"https://example.com/a.wav")), "fetches no URLs"),
}


@pytest.mark.parametrize("what", BAD_VOICES)
def test_forms_that_make_no_voice_are_refused(what: str, settings: ServerSettings) -> None:
    pieces, told = BAD_VOICES[what]
    with pytest.raises(Fault, match=told) as refused:
        new_voice(settings, *pieces)
    assert refused.value.status == 400


def test_nothing_of_an_upload_goes_to_the_systems_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    form = read(part("audio", bytes(3_000_000), "a.wav"), END, max_bytes=4_000_000)
    assert len(form.files["audio"]) == 3_000_000
