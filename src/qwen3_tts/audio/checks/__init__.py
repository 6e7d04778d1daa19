"""Checks of recordings and transcripts before a voice is cloned from them."""

from qwen3_tts.audio.checks.findings import Finding, codes
from qwen3_tts.audio.checks.health import HealthReport, choose_mode, examine
from qwen3_tts.audio.checks.recording import check_recording
from qwen3_tts.audio.checks.speakers import check_speakers
from qwen3_tts.audio.checks.transcript import check_transcript

__all__ = [
    "Finding",
    "HealthReport",
    "check_recording",
    "check_speakers",
    "check_transcript",
    "choose_mode",
    "codes",
    "examine",
]
