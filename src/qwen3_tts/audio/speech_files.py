"""Files of speech made here: they say so, unless that is turned off, and may carry a watermark.

`files.write_audio` writes any sound; a recording of a person must not be called AI-generated.
"""

import os
from collections.abc import Mapping
from typing import BinaryIO

from qwen3_tts.audio import tags as file_tags
from qwen3_tts.audio.files import Wave, write_audio
from qwen3_tts.audio.watermark import Watermark, watermarked


def write_speech(
    target: str | os.PathLike[str] | BinaryIO,
    wave: Wave,
    sample_rate: int,
    *,
    version: str,
    provenance: bool = True,
    format: str | None = None,
    subtype: str | None = None,
    tags: Mapping[str, str] | None = None,
    watermark: Watermark | None = None,
) -> None:
    """`write_audio` for speech made here, marked as made by `version` of this package.

    With `provenance=False`, and no tags and watermark, the file is that of `write_audio` byte for
    byte. The mark is the comment; a comment in `tags` follows it. Raises what `write_audio` and
    `watermarked` raise.
    """
    tags = dict(tags or {})
    if provenance:
        mark = file_tags.provenance(version)["comment"]
        tags["comment"] = f"{mark}; {tags['comment']}" if "comment" in tags else mark
    marked = watermarked(wave, sample_rate, watermark)
    write_audio(target, marked, sample_rate, format=format, subtype=subtype, tags=tags)
