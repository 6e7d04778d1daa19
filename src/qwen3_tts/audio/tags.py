"""What a file says about itself, above all that a machine made the speech in it, and which.

Tags stand in the metadata and change no sample. wav, flac, mp3 and ogg (Vorbis or Opus) have a
place for them; pcm, aac (ADTS) and a wav that is streamed have none.
"""

from collections.abc import Mapping

from qwen3_tts.errors import InvalidRequest

PACKAGE = "qwen3-tts"
TAGS = ("title", "artist", "album", "comment", "date", "genre", "copyright", "license")

_LONGEST = 1_000  # characters


def provenance(version: str) -> dict[str, str]:
    """The tags of speech made by this package.

    `provenance("0.1.0")` is `{"comment": "AI-generated, qwen3-tts 0.1.0"}`: for the `tags` of
    `write_audio`, or its "comment" for the `comment` of `make_encoder` and `encode_whole`.
    """
    return {"comment": f"AI-generated, {PACKAGE} {version}"}


def checked_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    """The tags themselves. Raises `InvalidRequest` for an unknown name, or a text that is not one
    line of at most 1,000 characters."""
    for name, text in tags.items():
        if name not in TAGS:
            raise InvalidRequest(f"unknown tag `{name}`; use {', '.join(TAGS)}")
        if not (isinstance(text, str) and 0 < len(text) <= _LONGEST and text.isprintable()):
            raise InvalidRequest(f"tag `{name}` is not one line of 1..{_LONGEST} characters")
    return tags
