"""`qwen3-tts voice add`: a voice, or one more take of it, from a recording."""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from qwen3_tts.audio.files import read_audio, write_audio
from qwen3_tts.audio.reference import prepare_reference
from qwen3_tts.cli import opening, streams
from qwen3_tts.cli.messages import UsageError, close, complain, working
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import STREAM, file_name
from qwen3_tts.cli.voice_options import add_library_options, library_of, model_family, provenance
from qwen3_tts.errors import InvalidVoice, UnknownVoice
from qwen3_tts.text.spoken_languages import known_language
from qwen3_tts.types import SpeechRequest, Take, Voice, Wave
from qwen3_tts.voice import style_key
from qwen3_tts.voices.library import VoiceEntry, VoiceLibrary
from qwen3_tts.voices.names import clean_name

MODES = ("auto", "icl", "x_vector")
SPEAKERS = "several_speakers"

EPILOG = """\
examples:
  qwen3-tts voice add anna.wav --name anna --text "What she says in anna.wav." \\
      --consent "Anna agreed on 2 May"
  qwen3-tts voice add anna.mp3 --name anna                     # timbre alone, no text needed
  qwen3-tts voice add glad.wav --name anna --style happy --text "What she says there."

Use 3 to 15 s of one speaker without music, and write down all that is said. The recording is kept
beside the voice, 16-bit mono, so that a model of another size can clone it again.
"""


class Finding(Protocol):
    """Something that was found of a recording."""

    @property
    def code(self) -> str: ...
    @property
    def severity(self) -> str:
        """ "info", "warning", or "error" where a clone will most likely be bad."""
        ...

    @property
    def message(self) -> str: ...
    @property
    def advice(self) -> str: ...
    @property
    def value(self) -> float | None: ...


@dataclass(frozen=True, eq=False)
class Recording:
    """What is cloned, as it is kept: exactly this content gives exactly this voice again."""

    wav: bytes
    seconds: float
    text: str | None
    mode: str  # one of `MODES`
    findings: Sequence[Finding] = ()
    gain_db: float | None = None
    checks: Mapping[str, Any] = field(default_factory=dict)  # measures, and what was done to it


def add_parser(ways: Commands) -> None:
    about = "make a voice of a recording, with a base checkpoint"
    parser = ways.add_parser(
        "add", help=about, description=f"{about[0].upper()}{about[1:]}.", epilog=EPILOG
    )
    parser.add_argument("recording", metavar="AUDIO", type=file_name, help="- is stdin")
    parser.add_argument("--name", required=True, help="what the voice is called")
    said = parser.add_mutually_exclusive_group()
    said.add_argument("--text", metavar="TEXT", help="all that is said in the recording")
    said.add_argument("--text-file", metavar="FILE", type=file_name, help="the same, from a file")
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="auto",
        help="icl keeps the recording in context and needs its text, x_vector keeps the timbre "
        "alone (default: auto, icl where there is a text that fits)",
    )
    parser.add_argument("--language", "-l", help="name or ISO code of what is spoken")
    parser.add_argument("--style", help="add a take of this style to a voice that is there")
    parser.add_argument("--consent", metavar="TEXT", help="the speaker's consent, kept with it")
    parser.add_argument("--description", metavar="TEXT", default="", help="for people to read")
    add_library_options(parser)
    opening.add_model_options(parser)
    opening.add_device_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """What can be wrong without a model is found before one is loaded."""
    if args.style and (args.consent or args.description):
        raise UsageError("--consent and --description are of a voice, not of a take; add it first")
    library = library_of(args)
    entry = check_place(library, args.name, args.style)
    text = streams.read_text(args.text_file) if args.text_file else args.text
    if args.mode == "icl" and not (text and text.strip()):
        raise UsageError("--mode icl needs --text: all that is said in the recording")
    source = streams.read_bytes(STREAM) if args.recording == STREAM else Path(args.recording)
    language = known_language(args.language)
    recording = heard(*read_audio(source), text=text, mode=args.mode, language=language)
    request = SpeechRequest("a", language=args.language or "Auto")
    tts = opening.open_synthesizer(args, request, clone=True)
    told = tell(recording.findings)
    with working("Listening", not args.quiet):
        voice = tts.clone_voice(
            recording.wav, recording.text, mode=recording.mode, language=args.language, warn=False
        )
        if entry is not None and not entry.has_voice_file:
            source = library.recording_path(entry) or b""
            whole = tts.clone_voice(source, entry.transcript, language=entry.language)
            library.save_prepared(entry, whole)
    if entry is None:
        checks = {**recording.checks, "findings": told + _speakers(voice)}
        entry = _add(args, library, voice, recording, checks)
    else:
        take = Take(voice.codes, voice.text, voice.vector, voice.language, recording.gain_db)
        library.add_take(entry.id, args.style, take)
    _close(args, entry, voice, recording)
    return 0


def _add(
    args: argparse.Namespace,
    library: VoiceLibrary,
    voice: Voice,
    recording: Recording,
    checks: Mapping[str, Any],
) -> VoiceEntry:
    digest = hashlib.sha256(recording.wav).hexdigest()
    voice = replace(
        voice,
        name=clean_name(args.name),
        model=voice.model or model_family(args),
        gain_db=recording.gain_db,
        checks=checks,
        consent=args.consent,
        provenance=provenance("clone", recording_sha256=digest),
    )
    return library.add(
        voice,
        name=args.name,
        recording=recording.wav,
        transcript=recording.text,
        description=args.description,
    )


def check_place(library: VoiceLibrary, name: str, style: str | None) -> VoiceEntry | None:
    """The voice that is to get a take, or None where a new one may be made.

    Raises `InvalidVoice` for a name or style that is taken or not allowed, and `UnknownVoice` where
    a take is meant for a voice that is not there.
    """
    clean_name(name)
    try:
        entry = library.find(name)
    except UnknownVoice as error:
        if style is None:
            return None
        raise UnknownVoice(f"{error}; add it without --style first") from None
    if style is None:
        raise InvalidVoice(
            f"a voice named {entry.name!r} is there already (id {entry.id}); take another name, or "
            "add a take to it with --style"
        )
    style_key(style)
    if (voice := library.load(entry)) is not None:
        voice.with_take(style, Take(vector=voice.vector))  # it is only tried
    return entry


def heard(
    wave: Wave, sample_rate: int, *, text: str | None, mode: str, language: str | None = None
) -> Recording:
    """A recording as it will be cloned and kept: checked as it came, then cleaned."""
    reference = prepare_reference(wave, sample_rate, text, mode=mode, language=language)
    content = BytesIO()
    write_audio(content, reference.wave, sample_rate, format="wav")
    return Recording(
        content.getvalue(),
        len(reference.wave) / sample_rate,
        reference.text,
        reference.mode,
        reference.report.findings,
        reference.gain_db,
        reference.checks,
    )


def tell(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Tell what is wrong with a recording, a line each; gives what the voice keeps of it."""
    for finding in findings:
        if finding.severity != "info":
            advice = f"; {finding.advice}" if finding.advice else ""
            complain(f"{finding.severity}: {finding.message}{advice}")
    return [
        {"code": each.code, "severity": each.severity, "message": each.message, "value": each.value}
        for each in findings
    ]


def _speakers(voice: Voice) -> list[dict[str, Any]]:
    """What only the model's speaker encoder finds; told as well."""
    found = [each for each in (voice.checks or {}).get("findings", ()) if each["code"] == SPEAKERS]
    for each in found:
        complain(f"{each['severity']}: {each['message']}; {each['advice']}")
    return [{key: each[key] for key in ("code", "severity", "message", "value")} for each in found]


def _close(args: argparse.Namespace, entry: VoiceEntry, voice: Voice, recording: Recording) -> None:
    if args.json:
        told = {"id": entry.id, "name": entry.name, "style": args.style, "mode": voice.mode}
        print(json.dumps(told | {"seconds": recording.seconds, "width": len(voice.vector)}))
    elif not args.quiet:
        what = f"take {args.style!r}" if args.style else "a new voice"
        kind = "in context" if voice.mode == "icl" else "timbre alone"
        close(f"{entry.name} ({entry.id}): {what} of {recording.seconds:.1f} s, {kind}")
