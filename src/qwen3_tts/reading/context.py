"""What a cloned voice hears before each segment, so that no segment begins as if it were the first.

A base checkpoint speaks on from a reference: codes [T, K] and the text they say. Beside the voice's
own recording that can be what was just read. The speaker vector is always the voice's own, so
mistakes cannot add up in it.

    none       the voice as it is: every segment stands alone
    anchored   the voice's own reference, then the previous segment
    rolling    the previous segment alone
    auto       anchored for a voice with a reference of its own, none for all others

A chain of segments ends at a paragraph (or section): the next one is spoken in the voice as it is.
That bounds how far a bad segment can reach, and what has to be made again when a line is changed. A
segment that went wrong, one of another language, and one over 20 s are never a reference.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from qwen3_tts.errors import InvalidRequest, UnsupportedRequest
from qwen3_tts.reading.plan import ReadSegment
from qwen3_tts.reading.spoken import FIRST_WIDE, Spoken
from qwen3_tts.types import Voice

Context = Literal["auto", "anchored", "rolling", "none"]
Restart = Literal["paragraph", "section", "never"]
CONTEXTS: tuple[Context, ...] = ("auto", "anchored", "rolling", "none")
RESTARTS: tuple[Restart, ...] = ("paragraph", "section", "never")
LONGEST_FRAMES = 250  # of a previous segment, 20 s: long references make clones worse


def chosen_context(context: Context, kind: str, voice: Voice | str | None) -> Context:
    """What `context` means for this voice. Raises an `InvalidRequest` for what cannot be."""
    if context not in CONTEXTS:
        raise InvalidRequest(f"context {context!r} is unknown; have: {', '.join(CONTEXTS)}")
    cloned = kind == "base" and isinstance(voice, Voice)
    if context == "auto":
        own = isinstance(voice, Voice) and voice.codes is not None
        return "anchored" if cloned and own else "none"
    if context != "none" and not cloned:
        raise UnsupportedRequest(
            f"context {context!r} needs a base checkpoint and a cloned voice; this is a {kind} "
            'checkpoint: use "none" or "auto"'
        )
    return context


def goes_on(segment: ReadSegment, restart: Restart) -> bool:
    """Whether a segment may hear the one before it."""
    if restart not in RESTARTS:
        raise InvalidRequest(f"restart {restart!r} is unknown; have: {', '.join(RESTARTS)}")
    if segment.index == 0:
        return False
    if restart == "paragraph":
        return not segment.paragraph and segment.section is None
    return restart == "never" or segment.section is None


def voice_after(
    voice: Voice, context: Context, segment: ReadSegment, before: ReadSegment, spoken: Spoken
) -> Voice:
    """The voice for `segment`, where `spoken` is what became of the one before it."""
    usable = (
        spoken.fault(before.text) is None
        and 0 < len(spoken.codes) <= LONGEST_FRAMES
        and segment.language == before.language
    )
    if context == "none" or not usable:
        return voice
    if context == "rolling" or voice.codes is None or voice.text is None:
        return replace(voice, codes=spoken.codes, text=before.text)
    return replace(
        voice,
        codes=np.concatenate([voice.codes, spoken.codes]),
        text=_one_after_the_other(voice.text, before.text),
    )


def _one_after_the_other(text: str, other: str) -> str:
    text = text.rstrip()
    return f"{text}{'' if ord(text[-1]) >= FIRST_WIDE else ' '}{other}"
