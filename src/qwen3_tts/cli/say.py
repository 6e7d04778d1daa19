"""`qwen3-tts say`: a text becomes an audio file."""

import argparse
import json
from dataclasses import asdict, fields, replace
from pathlib import Path

from qwen3_tts.audio.files import FORMATS, read_audio
from qwen3_tts.audio.tags import provenance
from qwen3_tts.cli import opening, streams
from qwen3_tts.cli.library_voice import named_voice
from qwen3_tts.cli.messages import UsageError, close, working
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import STREAM, file_name
from qwen3_tts.errors import InvalidText
from qwen3_tts.types import Sampling, Speech, SpeechRequest, Voice, Wave
from qwen3_tts.version import __version__

EPILOG = """\
examples:
  qwen3-tts say "Hello there." --voice ryan
  qwen3-tts say --file chapter.txt --voice serena --language en -o chapter.flac
  fortune | qwen3-tts say -o - | aplay
  qwen3-tts say "My own voice." --ref-audio me.wav --ref-text "What I say in me.wav."
  qwen3-tts say "Once more." --ref-audio me.wav --x-vector --save-voice me.safetensors
  qwen3-tts say "And again." --voice-file me.safetensors --seed 7
  qwen3-tts say "I am glad." --voice anna --style happy     # of `qwen3-tts voice list`
  qwen3-tts say "Good evening." --instruct "A warm, elderly narrator who takes his time"

The text is TEXT (several words are joined with spaces), or --file, or stdin if there is neither.
An output file that exists is overwritten. The closing line on stderr names the seed: with the same
seed, model and options the same speech comes again.
"""

Recording = tuple[Wave, int]
GUARDS = ("stop", "retry", "error", "off")  # as in `SpeechRequest`


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "say",
        usage="qwen3-tts say [TEXT ...] [options]",
        help="speak a text",
        description="Speak a text into an audio file.",
        epilog=EPILOG,
    )
    parser.add_argument("text", metavar="TEXT", nargs="*", help="what to say; - reads stdin")
    parser.add_argument(
        "--file", "-f", type=file_name, help="read the text from a UTF-8 file; - is stdin"
    )
    opening.add_model_options(parser)
    _add_voice_options(parser)
    _add_sampling_options(parser)
    opening.add_device_options(parser)
    _add_output_options(parser)
    parser.set_defaults(run=run)


def _add_voice_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("voice (unset: the checkpoint's first preset)")
    who = group.add_mutually_exclusive_group()
    who.add_argument(
        "--voice", "-v", metavar="NAME", help="a preset, see `voices`, or one of `voice list`"
    )
    who.add_argument(
        "--voice-file", metavar="FILE", type=file_name, help="a voice that --save-voice wrote"
    )
    who.add_argument(
        "--ref-audio", metavar="FILE", type=file_name, help="clone the voice of a recording"
    )
    group.add_argument("--style", help="a take of a voice that has several; see `voice show`")
    said = group.add_mutually_exclusive_group()
    said.add_argument(
        "--ref-text",
        metavar="TEXT",
        help="all that is said in the recording: the clone then keeps its manner too",
    )
    said.add_argument(
        "--ref-text-file", metavar="FILE", type=file_name, help="the same, from a UTF-8 file"
    )
    said.add_argument(
        "--x-vector",
        action="store_true",
        help="clone the timbre alone, for which no text is needed (so too where none is given)",
    )
    group.add_argument("--language", "-l", default="Auto", help="name or ISO code (default: Auto)")
    group.add_argument(
        "--instruct", metavar="TEXT", help="describe a voice, or a manner, where the model can"
    )


def _add_sampling_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("sampling (unset: the checkpoint's own values)")
    group.add_argument("--seed", type=int, help="repeat a speech (unset: a new one each time)")
    yes_no = argparse.BooleanOptionalAction
    for prefix, what in (("", "of the talker"), ("predictor-", "of the code predictor")):
        group.add_argument(
            f"--{prefix}temperature", type=float, metavar="X", help=f"{what}; above 0"
        )
        group.add_argument(f"--{prefix}top-k", type=int, metavar="N", help="0 keeps all codes")
        group.add_argument(f"--{prefix}top-p", type=float, metavar="X", help="0 to 1")
        group.add_argument(f"--{prefix}greedy", action=yes_no, help="always the likeliest code")
    group.add_argument("--repetition-penalty", type=float, metavar="X", help="above 0; 1 is none")
    group.add_argument(
        "--max-frames", type=int, metavar="N", help="stop after N frames, 12.5 of them a second"
    )
    group.add_argument(
        "--guard",
        choices=GUARDS,
        help="what to do with speech that runs away (default: retry with another seed, unless "
        "--seed or --max-frames is given, then stop)",
    )
    group.add_argument(
        "--text-first", action=yes_no, help="read the whole text before the first sound"
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--output",
        "-o",
        metavar="FILE",
        type=file_name,
        help="audio file, its suffix chooses the format; - is stdout (default: speech.wav)",
    )
    group.add_argument("--format", choices=FORMATS, help="instead of the suffix")
    group.add_argument(
        "--save-codes", metavar="FILE", type=file_name, help="also the codes, as .npy int64 [T, 16]"
    )
    group.add_argument(
        "--save-voice", metavar="FILE", type=file_name, help="also the cloned voice, safetensors"
    )
    group.add_argument(
        "--provenance",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="say in the file that a machine spoke (default: yes)",
    )
    group.add_argument("--json", action="store_true", help="describe the result on stdout")
    group.add_argument("--quiet", "-q", action="store_true", help="only warnings and errors")


def run(args: argparse.Namespace) -> int:
    """Everything that can be wrong is found before the model is loaded, then it speaks."""
    _check_usage(args)
    output = args.output or f"speech.{args.format or 'wav'}"
    format = streams.audio_format(output, args.format)
    for target in (output, args.save_codes, args.save_voice):
        streams.check_target(target)
    request = _request(args)
    recording = _recording(args.ref_audio)
    ref_text = streams.read_text(args.ref_text_file) if args.ref_text_file else args.ref_text
    tts = opening.open_synthesizer(args, request, clone=recording is not None)
    if recording is not None:
        mode = "x_vector" if args.x_vector else "auto"
        with working("Listening", not args.quiet):
            name = Path(args.ref_audio).stem
            voice = tts.clone_voice(recording, ref_text, mode=mode, name=name, target=request.text)
        if args.save_voice:
            voice.save(args.save_voice)
        request = replace(request, voice=voice)
    with working("Speaking", not args.quiet):
        speech = tts.synthesize_batch([request])[0]
    tags = provenance(__version__) if args.provenance else {}
    streams.save_audio(output, speech.wave, speech.sample_rate, format, tags)
    if args.save_codes:
        streams.save_codes(args.save_codes, speech.codes)
    if args.json:
        print(json.dumps(_result(args, output, speech)))
    elif not args.quiet:
        close(_closing_line(streams.shown(output, "stdout"), speech))
    return 0


def _check_usage(args: argparse.Namespace) -> None:
    """Options that contradict each other. Raises `UsageError`."""
    if args.text and args.file:
        raise UsageError("TEXT and --file are both given; one of them is enough")
    if not args.text and not args.file and not streams.stdin_is_free():
        raise UsageError("no text: pass TEXT, or --file FILE, or pipe it in")
    if not args.ref_audio:
        clone_options = ("ref_text", "ref_text_file", "x_vector", "save_voice")
        for name in clone_options:
            if getattr(args, name):
                raise UsageError(f"--{name.replace('_', '-')} needs --ref-audio FILE")
    if args.style and not (args.voice_file or args.voice):
        raise UsageError("--style needs --voice NAME or --voice-file FILE")
    readers = [_text_source(args), args.ref_audio, args.ref_text_file]
    if readers.count(STREAM) > 1:
        raise UsageError("stdin can be read once only; give the other as a file")
    writers = [args.output, args.save_codes, STREAM if args.json else None]
    if writers.count(STREAM) > 1:
        raise UsageError("stdout can take one thing only: -o -, --save-codes - or --json")
    if STREAM in (args.voice_file, args.save_voice):
        raise UsageError("a voice file cannot be a stream; give a file name")


def _text_source(args: argparse.Namespace) -> str | None:
    """The file the text is in, - for stdin; None where the arguments hold it."""
    if args.file or not args.text or args.text == [STREAM]:
        return args.file or STREAM
    return None


def _request(args: argparse.Namespace) -> SpeechRequest:
    source = _text_source(args)
    text = streams.read_text(source) if source else " ".join(args.text)
    if not text.strip():
        raise InvalidText("the text is empty; give at least one word to speak")
    sampling = {field.name: getattr(args, field.name) for field in fields(Sampling)}
    return SpeechRequest(
        text=text,
        voice=Voice.load(args.voice_file) if args.voice_file else named_voice(args),
        language=args.language,
        instruct=args.instruct,
        sampling=Sampling(**sampling),
        seed=args.seed,
        max_frames=args.max_frames,
        text_first=args.text_first,
        guard=args.guard,
        style=args.style,
    )


def _recording(name: str | None) -> Recording | None:
    if name is None:
        return None
    return read_audio(streams.read_bytes(name) if name == STREAM else Path(name))


def _closing_line(output: str, speech: Speech) -> str:
    ends = {
        "stop": "ended by itself",
        "length": f"cut off at the limit of {len(speech.codes)} frames",
        "guard:budget": "stopped: far longer than the text needs",
        "guard:loop": "stopped: it went round in a loop",
        "guard:silence": "stopped: long silence after the text",
    }
    end = ends.get(speech.finish_reason, speech.finish_reason)
    return (
        f"{output}: {speech.duration_s:.1f} s of speech, seed {speech.seed}, "
        f"{speech.timing.x_realtime:.1f}x realtime, {end}"
    )


def _result(args: argparse.Namespace, output: str, speech: Speech) -> dict[str, object]:
    timing = asdict(speech.timing) | {"x_realtime": speech.timing.x_realtime}
    return {
        "output": output,
        "codes": args.save_codes,
        "voice": args.save_voice,
        "seconds": speech.duration_s,
        "sample_rate": speech.sample_rate,
        "frames": len(speech.codes),
        "seed": speech.seed,
        "finish_reason": speech.finish_reason,
        "timing": timing,
    }
