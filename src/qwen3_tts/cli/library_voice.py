"""A voice by its name: a preset of the checkpoint, or one of the user's library."""

import argparse

from qwen3_tts.errors import UnknownVoice
from qwen3_tts.types import Voice
from qwen3_tts.voices.library import VoiceLibrary
from qwen3_tts.voices.location import voices_folder


def named_voice(args: argparse.Namespace) -> str | Voice | None:
    """What `--voice` names. A preset comes before a voice of the library.

    A name that neither has stays a name: whoever knows the presets refuses it. Raises
    `InvalidVoice` where the library cannot be read, or its voice is not yet prepared.
    """
    name: str | None = args.voice
    if not name:
        return name
    library = VoiceLibrary(voices_folder())
    try:
        entry = library.find(name)
    except UnknownVoice:
        return name
    from qwen3_tts.backends.describe import describe, locate

    show = not args.quiet
    folder = locate(str(args.model), revision=args.revision, offline=args.offline, progress=show)
    presets = {preset.lower() for preset in describe(folder).voices}
    return name if name.strip().lower() in presets else library.portable(entry)
