"""Server-sent events of a speech, in the lines that OpenAI's clients and LiveKit read.

Each event is one `data: ` line, with that space, and one JSON object; there is no `[DONE]`.
"""

import base64
import json
from typing import Any

from qwen3_tts.server.faults import Fault
from qwen3_tts.server.http_errors import error_object
from qwen3_tts.server.speaking.job import Summary

MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # proxies pass it on at once
PING = b": ping\n\n"  # a comment, which every parser skips
# Readers by line have limits, some of 64 KiB. A multiple of 3, so that nothing is padded midway.
LONGEST_DELTA = 24_000


def deltas(content: bytes) -> bytes:
    """Events that carry these bytes of the audio file; each can be decoded alone."""
    parts = (
        content[start : start + LONGEST_DELTA] for start in range(0, len(content), LONGEST_DELTA)
    )
    return b"".join(_delta(part) for part in parts)


def done(summary: Summary, voice_id: str) -> bytes:
    """The last event: `usage` as OpenAI counts it, text tokens in and audio frames out."""
    tokens_in, tokens_out = summary.input_tokens, summary.frames
    usage = {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }
    return _event(
        "speech.audio.done",
        usage=usage,
        finish_reason=summary.finish_reason,
        seed=summary.seed,
        voice=voice_id,
        audio_ms=round(1000 * summary.audio_s),
    )


def failed(fault: Fault) -> bytes:
    """What went wrong, for those who read it; the connection is cut for all others."""
    return _event("speech.audio.error", error=error_object(fault))


def _delta(part: bytes) -> bytes:
    return _event("speech.audio.delta", audio=base64.b64encode(part).decode("ascii"))


def _event(kind: str, **fields: Any) -> bytes:
    return f"data: {json.dumps({'type': kind, **fields})}\n\n".encode("ascii")
