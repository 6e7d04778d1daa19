"""Forms with a file in them, read as they arrive: bytes counted, parts few, fields short."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from qwen3_tts.errors import InvalidVoice
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import ServerSettings
from qwen3_tts.server.speaking.text import check_text
from qwen3_tts.server.voices.fetch import fetch_recording
from qwen3_tts.server.voices.schemas import NewVoice
from qwen3_tts.voices.names import clean_name, clean_text
from qwen3_tts.voices.reading import LONGEST_DESCRIPTION, LONGEST_TRANSCRIPT, LONGEST_WORD

FILE = ("audio", "file", "audio_sample")
URL = "audio_url"
NAME = "name"
TRANSCRIPT = ("transcript", "ref_text", "text")
LANGUAGE = ("language",)
DESCRIPTION = ("description", "speaker_description")
CONSENT = ("consent",)

MAX_FILES, MAX_FIELDS, FIELD_BYTES = 1, 16, 16_384
PAUSE_S = 10.0  # between two pieces of an upload
UPLOAD_S = 120.0  # for all of it


@dataclass(frozen=True)
class Form:
    """The text fields, and the files' contents, by the names of their parts."""

    fields: dict[str, str]
    files: dict[str, bytes]

    def text(self, names: tuple[str, ...]) -> str | None:
        """The first of these fields that has something in it."""
        return next((self.fields[n].strip() for n in names if self.fields.get(n, "").strip()), None)


class _Parser(MultiPartParser):
    spool_max_size = 0  # never to a file of the system's: the bytes are few, and wanted at once


async def read_new_voice(request: Request, settings: ServerSettings) -> NewVoice:
    """The voice a form asks for; its recording comes with it or from `audio_url`."""
    form = await read_form(request, settings.max_upload_bytes)
    name = _name(form)
    transcript = form.text(TRANSCRIPT)
    if transcript is not None:
        transcript = check_text(
            transcript, min(LONGEST_TRANSCRIPT, settings.max_text_chars), param=TRANSCRIPT[0]
        )
    return NewVoice(
        name=name,
        transcript=transcript,
        language=_told(form, LANGUAGE, LONGEST_WORD),
        description=_told(form, DESCRIPTION, LONGEST_DESCRIPTION) or "",
        consent=_told(form, CONSENT, LONGEST_WORD),
        content=await _recording(form, settings),
    )


async def read_form(request: Request, max_bytes: int) -> Form:
    """Read a multipart body up to `max_bytes`, whatever its headers claim. Raises `Fault`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        message = f"send a form as multipart/form-data, not {kind[:64] or 'without a type'!r}"
        raise Fault(FaultCode.INVALID_MESSAGE, message)
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Fault(FaultCode.INVALID_MESSAGE, "an upload may have no Content-Encoding")
    claimed = request.headers.get("content-length", "")
    if claimed.isdecimal() and int(claimed[:20]) > max_bytes:  # else the count will tell
        raise _too_large(max_bytes)
    parser = _Parser(
        request.headers,
        _counted(request, max_bytes),  # type: ignore[arg-type]  # an iterator is all it needs
        max_files=MAX_FILES,
        max_fields=MAX_FIELDS,
        max_part_size=FIELD_BYTES,
    )
    try:
        async with asyncio.timeout(UPLOAD_S):
            return await _taken(await parser.parse())
    except MultiPartException as error:
        raise Fault(FaultCode.INVALID_MESSAGE, f"the form: {error.message}") from None
    except TimeoutError:
        raise Fault(FaultCode.TIMEOUT, f"the upload took over {UPLOAD_S:g} s") from None


async def _taken(data: FormData) -> Form:
    """What was sent; of parts with the same name the last."""
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, value in data.multi_items():
        if isinstance(value, UploadFile):
            files[name] = await value.read()
        else:
            fields[name] = value
    await data.close()
    return Form(fields, files)


async def _counted(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    count = 0
    pieces = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(PAUSE_S):
                piece = await anext(pieces, None)
        except TimeoutError:
            message = f"the upload paused for over {PAUSE_S:g} s"
            raise Fault(FaultCode.TIMEOUT, message) from None
        except ClientDisconnect:
            raise Fault(FaultCode.CANCELLED, "the upload was broken off") from None
        if piece is None:
            return
        count += len(piece)
        if count > max_bytes:
            raise _too_large(max_bytes)
        yield piece


def _name(form: Form) -> str:
    if (name := form.text((NAME,))) is None:
        raise Fault(FaultCode.INVALID_MESSAGE, "the voice needs a `name`", NAME)
    try:
        return clean_name(name)
    except InvalidVoice as error:
        raise Fault(FaultCode.INVALID_MESSAGE, str(error), NAME) from error


async def _recording(form: Form, settings: ServerSettings) -> bytes:
    content = next((form.files[name] for name in FILE if name in form.files), None)
    if content:
        return content
    if (url := form.text((URL,))) is not None:
        return await fetch_recording(url, settings)
    wanted = f"send it as a file in the part `{FILE[0]}` (or `{'`, `'.join(FILE[1:])}`)"
    if content is not None:
        raise Fault(FaultCode.INVALID_MESSAGE, "the recording is an empty file", FILE[0])
    if any(name in form.fields for name in FILE):
        wanted = f"it came as text; {wanted}, with a filename"
    elif form.files:
        wanted = f"the file came as `{next(iter(form.files))[:64]}`; {wanted}"
    raise Fault(FaultCode.INVALID_MESSAGE, f"the recording is missing: {wanted}", FILE[0])


def _told(form: Form, names: tuple[str, ...], longest: int) -> str | None:
    text = form.text(names)
    try:
        return text and clean_text(text, names[0], longest)
    except InvalidVoice as error:
        raise Fault(FaultCode.INVALID_MESSAGE, str(error), names[0]) from error


def _too_large(max_bytes: int) -> Fault:
    return Fault(FaultCode.TOO_LARGE, f"an upload has at most {max_bytes} bytes", FILE[0])
