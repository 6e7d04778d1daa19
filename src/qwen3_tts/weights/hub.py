"""A local folder, a hub id or `nano` -> a local folder with the checked files of a checkpoint.

`nano` is the checkpoint that ships inside the package; a folder of that name is `./nano`. Of a hub
id only the files that a checkpoint is made of are fetched, all at one commit, into the cache that
`huggingface_hub` shares between programs. A file that any repository of that cache already has,
such as the codec of all official checkpoints, is linked instead of fetched.
"""

import json
import logging
import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from qwen3_tts.errors import HubCorrupt, HubError, HubOffline, InvalidWeights, ModelNotFound
from qwen3_tts.weights import transfer, verify
from qwen3_tts.weights.store import Store
from qwen3_tts.weights.transfer import COMMIT, Hub, Listing, Progress

logger = logging.getLogger(__name__)

BUNDLED = "nano"
_BUNDLED_FOLDER = Path(__file__).parent.parent / BUNDLED

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_REVISION = re.compile(r"(?!.*\.\.)\w[\w./-]*", re.ASCII)
_SHARD = re.compile(r"\w[\w.-]*\.safetensors", re.ASCII)


@dataclass(frozen=True)
class Part:
    """A model's files in one folder of a repository; its weights follow these names."""

    folder: str
    optional: tuple[str, ...]
    required: tuple[str, ...]


TALKER = Part(
    folder="",
    optional=("generation_config.json", "tokenizer_config.json", "preprocessor_config.json"),
    required=("config.json", "vocab.json", "merges.txt"),
)
CODEC = Part(
    folder="speech_tokenizer/", optional=("preprocessor_config.json",), required=("config.json",)
)
CODEC_ALONE = Part(folder="", optional=CODEC.optional, required=CODEC.required)

Choose = Callable[[Collection[str]], tuple[Part, ...]]


def fetch(
    model: str | Path,
    *,
    revision: str | None = None,
    cache_dir: Path | None = None,
    token: str | None = None,
    offline: bool = False,
    progress: bool = False,
    endpoint: str | None = None,
) -> Path:
    """Return the folder of a checkpoint: `model` itself, or a hub id's snapshot in the cache.

    `revision` is a branch, a tag or a commit ("main" if None) and holds for every file. Names are
    looked up at the hub on each call, or in the cache when it cannot be reached; a commit that the
    cache has needs no network. `endpoint` is the hub's address (HF_ENDPOINT if None), `cache_dir`
    the cache (HF_HUB_CACHE if None). `progress` draws bars if stderr is a terminal.

    Raises ModelNotFound, HubOffline, HubAccess, HubCorrupt, DiskFull, HubError (no hub where one
    should be, or a cache that cannot be written), InvalidWeights (a broken index of shards) and
    MissingPackage. An interrupted call leaves what it has; the next one continues there.
    """
    folder = local_folder(model)
    if folder is not None:
        return folder
    store = _store(Hub(str(model), revision or "main", token, endpoint), cache_dir)
    return _snapshot(store, lambda names: (TALKER, CODEC), offline=offline, progress=progress)


def fetch_codec(
    model: str | Path,
    *,
    revision: str | None = None,
    cache_dir: Path | None = None,
    token: str | None = None,
    offline: bool = False,
    progress: bool = False,
    endpoint: str | None = None,
) -> Path:
    """Return the folder of a codec: of a codec repository, or of the codec inside a checkpoint.

    Arguments and errors are those of `fetch`; of a checkpoint only the codec is fetched.
    """
    folder = local_folder(model)
    if folder is None:
        store = _store(Hub(str(model), revision or "main", token, endpoint), cache_dir)
        folder = _snapshot(store, _codec_parts, offline=offline, progress=progress)
    inner = folder / CODEC.folder
    return inner if (inner / "config.json").is_file() else folder


def checkpoint_files(folder: Path) -> list[str]:
    """The names of the files a local checkpoint is made of, weights last. Raises `ModelNotFound`
    and `InvalidWeights`."""
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    try:
        return list(_choose_files((TALKER, CODEC), names, folder.joinpath))
    except _FileMissing as missing:
        raise ModelNotFound(f"no file {missing} in {folder}") from missing


def local_folder(model: str | Path) -> Path | None:
    """The folder that `model` names, or None if it is a hub id."""
    if model == BUNDLED:
        return _BUNDLED_FOLDER
    text = str(model)
    folder = os.path.expanduser(text)  # not Path's, which fails on an unknown user
    if text and os.path.isdir(folder):
        return Path(folder)
    if isinstance(model, Path) or text.startswith((".", "~")) or not _HUB_ID.fullmatch(text):
        raise ModelNotFound(
            f"no folder `{model}`; give a folder that exists, a hub id such as "
            f"Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice, or `{BUNDLED}`, which ships with the package"
        )
    return None


def _codec_parts(names: Collection[str]) -> tuple[Part, ...]:
    inside = CODEC.folder + "config.json" in names
    return (CODEC if inside else CODEC_ALONE,)


def _store(hub: Hub, cache_dir: Path | None) -> Store:
    transfer.require_library()
    if not _REVISION.fullmatch(hub.revision):
        raise ModelNotFound(f"`{hub.revision}` is no revision; give a branch, a tag or a commit")
    return Store(hub, (cache_dir or transfer.cache_folder()).expanduser().absolute())


def _snapshot(store: Store, choose: Choose, *, offline: bool, progress: bool) -> Path:
    """The folder of the wanted revision, from the cache if that will do, else from the hub."""
    if offline or transfer.is_offline():
        return _from_cache(store, choose, "offline mode is on")
    if COMMIT.fullmatch(store.hub.revision):
        try:
            return _from_cache(store, choose, "is asked for")
        except (HubOffline, HubCorrupt) as lacking:
            logger.debug("%s", lacking)  # the hub has what the cache lacks
    try:
        listing = store.hub.listing()
    except HubOffline as unreachable:
        folder = _from_cache(store, choose, str(unreachable))
        logger.warning("%s; the cached files are used", unreachable)
        return folder
    try:
        with transfer.progress_bars(progress) as bars:
            return _from_hub(store, choose, listing, bars)
    except OSError as fault:
        raise HubError(f"cannot write the cache `{store.cache}` ({fault})") from fault


def _from_cache(store: Store, choose: Choose, why: str) -> Path:
    """The snapshot in the cache, each file checked; `why` says why the hub is not asked."""
    what = f"`{store.hub.repo}` ({store.hub.revision})"
    commit = store.commit()
    folder = store.snapshot(commit) if commit else None
    if folder is None or not folder.is_dir():
        raise HubOffline(
            f"{what} is not in the cache `{store.cache}` and {why}; run once online, or pass a "
            "folder"
        )
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    try:
        chosen = list(_choose_files(choose(names), names, folder.joinpath))
    except _FileMissing as missing:
        raise HubOffline(
            f"{what} is in the cache `{store.cache}` without `{missing}` and {why}; run once "
            "online, or pass a folder"
        ) from missing
    for name in chosen:
        digest = verify.named_digest(folder / name)
        if digest and not verify.is_intact(folder / name, digest, store.folder):
            raise HubCorrupt(
                f"`{folder / name}` is damaged, its hash is not the hub's; run once online to "
                "fetch it again"
            )
    return folder


def _from_hub(store: Store, choose: Choose, listing: Listing, bars: Progress) -> Path:
    """Bring the snapshot of `listing` up to date: link what the cache has, fetch the rest."""
    folder = store.snapshot(listing.commit)

    def open_index(name: str) -> Path:
        store.obtain(listing.files[name], listing.commit, bars)
        return folder / name

    try:
        names = list(_choose_files(choose(listing.files), listing.files, open_index))
    except _FileMissing as missing:
        raise ModelNotFound(
            f"`{store.hub.repo}` ({store.hub.revision}) has no `{missing}`; give a repository of "
            "Qwen3-TTS in the official layout"
        ) from missing
    files = [listing.files[name] for name in names]
    store.check_space([file for file in files if not store.settle(file, listing.commit)])
    for file in files:
        store.obtain(file, listing.commit, bars)
    store.remember_commit(listing.commit)
    return folder


class _FileMissing(Exception):
    """A file that a checkpoint cannot do without; the message is its name."""


def _choose_files(
    parts: tuple[Part, ...], names: Collection[str], open_index: Callable[[str], Path]
) -> Iterator[str]:
    """The names a checkpoint is made of, weights last: when the last is there, all are.

    `open_index` gives the local path of an index of shards. Raises `_FileMissing`.
    """
    for part in parts:
        yield from (part.folder + name for name in part.optional if part.folder + name in names)
    for part in parts:
        yield from (_present(part.folder + name, names) for name in part.required)
    for part in parts:
        index = part.folder + "model.safetensors.index.json"
        if part.folder + "model.safetensors" in names or index not in names:
            yield _present(part.folder + "model.safetensors", names)
            continue
        yield index
        for shard in _shards(open_index(index)):
            yield _present(part.folder + shard, names)


def _present(name: str, names: Collection[str]) -> str:
    if name not in names:
        raise _FileMissing(name)
    return name


def _shards(index: Path) -> list[str]:
    """The files an index of shards names, each once and in order."""
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        if shards and all(_SHARD.fullmatch(shard) for shard in shards):
            return shards
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # not an index at all: said below
    raise InvalidWeights(f"`{index}` names no shards; its `weight_map` must give file names")
