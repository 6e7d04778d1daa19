"""Where a user's voices are kept: the same folder for the command line and the server."""

import os
from pathlib import Path

from qwen3_tts.errors import InvalidRequest

VARIABLES = ("QWEN3_TTS_VOICES_DIR", "TTS_VOICES_DIR")  # the first that is set and not empty


def voices_folder() -> Path:
    """As the environment says, else by the XDG rules, which ignore a relative XDG_DATA_HOME.

    Raises `InvalidRequest` where there is neither a variable nor a home folder.
    """
    for name in VARIABLES:
        if given := os.environ.get(name, "").strip():
            return Path(os.path.expanduser(given))
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if data.is_absolute():
        return data / "qwen3-tts" / "voices"
    try:
        return Path.home() / ".local" / "share" / "qwen3-tts" / "voices"
    except RuntimeError:  # a container's user that no file knows
        raise InvalidRequest(f"this user has no home folder; set {VARIABLES[0]}") from None
