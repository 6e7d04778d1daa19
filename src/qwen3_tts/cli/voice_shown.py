"""What is told of voices on the terminal and in json."""

import json
from typing import Any

from qwen3_tts.errors import InvalidVoice
from qwen3_tts.types import Take, Voice
from qwen3_tts.voices.library import VoiceEntry, VoiceLibrary

FRAMES_PER_S = 12.5


def _loaded(library: VoiceLibrary, entry: VoiceEntry) -> tuple[Voice | None, str]:
    """The voice, if it is prepared, and of what kind it is."""
    try:
        voice = library.load(entry)
    except InvalidVoice:
        return None, "broken"
    return voice, kind_of(voice) if voice else "recording"


def kind_of(voice: Voice) -> str:
    return "in context" if voice.mode == "icl" else "vector"


def summary(library: VoiceLibrary, entry: VoiceEntry) -> dict[str, Any]:
    voice, kind = _loaded(library, entry)
    return {
        "id": entry.id,
        "name": entry.name,
        "language": entry.language,
        "kind": kind,
        "styles": voice.styles if voice else [],
        "model": voice.model if voice else None,
    }


def everything(library: VoiceLibrary, entry: VoiceEntry) -> dict[str, Any]:
    told: dict[str, Any] = summary(library, entry)
    told |= {
        "description": entry.description,
        "consent": entry.consent,
        "created_at": entry.created_at,
        "folder": str(entry.folder),
        "has_recording": entry.has_recording,
        "text": entry.transcript,
    }
    voice, _ = _loaded(library, entry)
    if voice is None:
        return told
    return told | {
        "text": voice.text or entry.transcript,
        "consent": voice.consent or entry.consent,
        "width": len(voice.vector),
        "seconds": _seconds(voice),
        "gain_db": voice.gain_db,
        "takes": [
            {
                "style": style,
                "kind": kind_of(voice.take(style)),
                "seconds": _seconds(take),
                "text": take.text,
            }
            for style, take in voice.takes.items()
        ],
        "checks": voice.checks,
        "provenance": voice.provenance,
    }


def _seconds(of: Voice | Take) -> float | None:
    """How long the reference in context is."""
    return None if of.codes is None else len(of.codes) / FRAMES_PER_S


def table(told: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            each["name"],
            each["language"] or "-",
            each["kind"],
            ", ".join(each["styles"][1:]) or "-",
            each["model"] or "-",
        ]
        for each in told
    ]
    rows = [["name", "language", "kind", "takes", "model"], *rows]
    widths = [max(len(shown(row[i])) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            f"{shown(cell):{width}}" for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def lines_of(told: dict[str, Any]) -> list[str]:
    lines = []
    for key, value in told.items():
        if value is None or value == "" or value == []:
            continue
        if isinstance(value, dict | list) and key != "styles":
            value = json.dumps(value, ensure_ascii=False)
        elif isinstance(value, list):
            value = ", ".join(value)
        lines.append(f"{key.replace('_', ' ')}: {shown(str(value))}")
    return lines


def shown(text: str) -> str:
    """One line without what could steer a terminal: a voice may come from a stranger."""
    return "".join(char if char.isprintable() else " " for char in text)
