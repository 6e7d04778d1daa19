"""One voice of a library, from the files that say what it is.

A voice is a folder named by its id, an item of the library's `manifest.json`, or both. What is in
`metadata.json` goes before `<id>/manifest.json`, and that before the library's manifest. All of
them may be written by hand, so nothing in them is trusted: no path leaves the library's folder.
"""

import json
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qwen3_tts.errors import InvalidVoice
from qwen3_tts.voices.names import clean_name, clean_text, is_id

METADATA, MANIFEST, VOICE_FILE = "metadata.json", "manifest.json", "voice.safetensors"
TRANSCRIPTS = ("transcript.txt", "transcript.json")
RECORDINGS = tuple(f"reference.{suffix}" for suffix in ("wav", "flac", "ogg", "mp3"))
RECORDING_KEYS = ("reference_audio", "ref_audio", "audio")
TRANSCRIPT_KEYS = ("transcript", "reference_text", "ref_text", "text")
CREATED_KEYS = ("created_at", "createdAt", "created")
LONGEST_TRANSCRIPT, LONGEST_DESCRIPTION, LONGEST_WORD = 10_000, 2_000, 200
LARGEST_FILE = 4 * 2**20  # of words; a manifest of a thousand voices has a tenth of it


@dataclass(frozen=True)
class VoiceEntry:
    """What a library knows of a voice without opening its larger files."""

    id: str
    name: str
    language: str | None
    description: str
    created_at: float  # unix seconds
    consent: str | None
    owner: str | None
    has_voice_file: bool
    has_recording: bool
    folder: Path
    transcript: str | None
    metadata: Mapping[str, Any]  # all that its json files say
    recording: Path | None = field(default=None, repr=False)


def read_entry(root: Path, voice_id: str, listed: Mapping[str, Any]) -> VoiceEntry:
    """`listed` is what the library's manifest says. `root` is a real path.

    Raises `InvalidVoice` for what is broken, and `OSError` where a file cannot be read.
    """
    folder = inside(root, root / voice_id)
    about = {
        **listed,
        **_json_object(root, folder / MANIFEST),
        **_json_object(root, folder / METADATA),
    }
    recording = _recording(root, folder, about)
    has_voice_file = is_file(root, folder / VOICE_FILE)
    if recording is None and not has_voice_file:
        raise InvalidVoice("it has neither a voice file nor a recording")
    return VoiceEntry(
        id=voice_id,
        name=clean_name(about.get("name") or voice_id),
        language=_word(about, "language"),
        description=clean_text(about.get("description") or "", "description", LONGEST_DESCRIPTION),
        created_at=_created_at(folder, recording, about),
        consent=_word(about, "consent", LONGEST_DESCRIPTION),
        owner=_word(about, "owner"),
        has_voice_file=has_voice_file,
        has_recording=recording is not None,
        folder=folder,
        transcript=_transcript(root, folder, about),
        metadata=about,
        recording=recording,
    )


def read_manifest(root: Path) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """What the library's own manifest says of each id, and what is wrong with it."""
    found: dict[str, Mapping[str, Any]] = {}
    complaints = []
    try:
        content = read_json(root, MANIFEST)
        items = [] if content is None else list(manifest_items(content))
    except InvalidVoice as error:
        return {}, [str(error)]
    for voice_id, item in items:
        if not isinstance(item, dict) or not is_id(voice_id):
            complaints.append(
                f"{voice_id!r:.80} is no id of letters, digits, _ and -, or no object"
            )
        elif voice_id in found:
            complaints.append(f"the id {voice_id} is there twice")
        else:
            found[voice_id] = item
    return found, complaints


def manifest_items(content: object) -> Iterator[tuple[object, object]]:
    """Ids and items of a manifest: `{"voices": [...]}`, a list, an object by id, or one voice.

    An item without an id has its name as one.
    """
    if isinstance(content, dict) and isinstance(content.get("voices"), list | dict):
        content = content["voices"]
    if isinstance(content, dict) and any(not isinstance(item, dict) for item in content.values()):
        content = [content]
    if isinstance(content, dict):
        yield from ((item.get("id", key), item) for key, item in content.items())
    elif isinstance(content, list):
        for item in content:
            yield (item.get("id", item.get("name")) if isinstance(item, dict) else None), item
    else:
        raise InvalidVoice(f"{MANIFEST} is a list or an object, got {type(content).__name__}")


def read_json(root: Path, name: str) -> Any:
    """What a json file of the library says, None where there is none. Raises `InvalidVoice`."""
    return _json(root, root / name)


def without(content: Any, voice_id: str) -> Any:
    """The content of a manifest but for one voice."""
    if isinstance(content, dict) and isinstance(content.get("voices"), list | dict):
        return {**content, "voices": without(content["voices"], voice_id)}
    if isinstance(content, dict) and all(isinstance(item, dict) for item in content.values()):
        return {key: item for key, item in content.items() if item.get("id", key) != voice_id}
    return [item for found_id, item in manifest_items(content) if found_id != voice_id]


def inside(root: Path, path: Path) -> Path:
    """The real path. Raises `InvalidVoice` if it is not in `root`, by whatever links."""
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError):  # too long, a ring of links, a null character
        raise InvalidVoice(f"{str(path.name)!r:.80} is no path") from None
    if not real.is_relative_to(root) or real == root:
        raise InvalidVoice(f"{str(path.name)!r:.80} leads out of the library's folder")
    return real


def is_file(root: Path, path: Path) -> bool:
    """Whether there is a file. Raises `InvalidVoice` if it is not in `root`, or another thing."""
    try:
        mode = inside(root, path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    if not stat.S_ISREG(mode):
        raise InvalidVoice(f"{path.name} is not a file")
    return True


def _recording(root: Path, folder: Path, about: Mapping[str, Any]) -> Path | None:
    given = next((about[key] for key in RECORDING_KEYS if about.get(key)), None)
    if given is None:
        return next((folder / name for name in RECORDINGS if is_file(root, folder / name)), None)
    if not isinstance(given, str):
        raise InvalidVoice(f"the path of a recording is a string, got {type(given).__name__}")
    # Hand-made lists count from the voice's folder or from the library's; both must stay inside.
    candidates = [inside(root, folder / given), inside(root, root / given)]
    for path in candidates:
        if is_file(root, path):
            return path
    raise InvalidVoice(f"there is no recording {given!r:.80}")


def _transcript(root: Path, folder: Path, about: Mapping[str, Any]) -> str | None:
    text: object = None
    if is_file(root, folder / TRANSCRIPTS[0]):
        text = _words_of(root, folder / TRANSCRIPTS[0])
    elif (content := _json(root, folder / TRANSCRIPTS[1])) is not None:
        text = _first(content, TRANSCRIPT_KEYS) if isinstance(content, dict) else content
    text = text or _first(about, TRANSCRIPT_KEYS)
    return clean_text(text, "transcript", LONGEST_TRANSCRIPT) or None if text else None


def _created_at(folder: Path, recording: Path | None, about: Mapping[str, Any]) -> float:
    given = _first(about, CREATED_KEYS)
    if isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            raise InvalidVoice(f"created_at is {given!r:.40}, which is no time") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if given is None:
        return (folder if folder.exists() or recording is None else recording).stat().st_mtime
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < 1e11:
        raise InvalidVoice(f"created_at is {given!r:.40}, which is no time")
    return float(given)


def _word(about: Mapping[str, Any], key: str, longest: int = LONGEST_WORD) -> str | None:
    return clean_text(about.get(key) or "", key, longest) or None


def _first(about: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((about[key] for key in keys if about.get(key) is not None), None)


def _json_object(root: Path, path: Path) -> dict[str, Any]:
    content = _json(root, path)
    if content is not None and not isinstance(content, dict):
        raise InvalidVoice(f"{path.name} is not an object")
    return content or {}


def _json(root: Path, path: Path) -> Any:
    """What a json file says, None where there is no such file."""
    if not is_file(root, path):
        return None
    try:
        return json.loads(_words_of(root, path))
    except (ValueError, RecursionError) as error:
        raise InvalidVoice(f"{path.name} is not json: {error!s:.80}") from None


def _words_of(root: Path, path: Path) -> str:
    with inside(root, path).open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise InvalidVoice(f"{path.name} is too large: over {LARGEST_FILE} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidVoice(f"{path.name} is not UTF-8: {error.reason}") from None
