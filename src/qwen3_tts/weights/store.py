"""One repository's place in the cache: which files are there, which must be fetched, is there room.

The layout is the one of `huggingface_hub`, so that programs share their files: `blobs/<digest>`
holds a content once, `snapshots/<commit>/<name>` links to it, `refs/<branch>` names a commit.
"""

import errno
import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qwen3_tts.errors import DiskFull, HubCorrupt
from qwen3_tts.weights import transfer, verify
from qwen3_tts.weights.transfer import COMMIT, Hub, Progress, RemoteFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Store:
    """A repository of the hub and the cache that keeps its files."""

    hub: Hub
    cache: Path

    @property
    def folder(self) -> Path:
        return self.cache / ("models--" + self.hub.repo.replace("/", "--"))

    def snapshot(self, commit: str) -> Path:
        return self.folder / "snapshots" / commit

    def commit(self) -> str | None:
        """The commit of the wanted revision, as far as the cache knows."""
        if COMMIT.fullmatch(self.hub.revision):
            return self.hub.revision
        reference = self.folder / "refs" / self.hub.revision
        commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else ""
        return commit if COMMIT.fullmatch(commit) else None

    def remember_commit(self, commit: str) -> None:
        """Note, for days without a network, which commit the wanted branch or tag is."""
        if commit != self.commit():
            verify.write_text(self.folder / "refs" / self.hub.revision, commit)

    def settle(self, file: RemoteFile, commit: str) -> bool:
        """Put the file into the snapshot without the network; False if it has to be fetched.

        A damaged file is removed on the way. A file of the same digest in another repository of
        the cache gets a second name here instead of a second copy.
        """
        blob, pointer = self._blob(file), self.snapshot(commit) / file.name
        if blob.is_file() and not verify.is_intact(blob, file.digest, self.folder):
            logger.warning("`%s` is damaged and is fetched again", blob)
            blob.unlink(missing_ok=True)
        if not blob.is_file():
            sources = list(verify.twins(file.digest, self.cache))
            if pointer.is_file():  # where links do not work, a snapshot holds the files themselves
                sources.append((pointer, self.folder))
            good = (twin for twin, owner in sources if verify.is_intact(twin, file.digest, owner))
            twin = next(good, None)
            if twin is None:
                return False
            verify.adopt(twin, blob)
            verify.remember(blob, file.digest, self.folder)
        verify.point(blob, pointer)
        return True

    def check_space(self, missing: Iterable[RemoteFile]) -> None:
        """Raise DiskFull, before anything is fetched, if these files will not fit."""
        need_bytes = {file.digest: self._lacking_bytes(file) for file in missing}
        self.cache.mkdir(parents=True, exist_ok=True)
        if sum(need_bytes.values()) > shutil.disk_usage(self.cache).free:
            raise self._disk_full(sum(need_bytes.values()))

    def obtain(self, file: RemoteFile, commit: str, bars: Progress) -> None:
        """Put the file into the snapshot, fetching it if need be, one process at a time."""
        with transfer.lock(self.cache / ".locks" / self.folder.name / f"{file.digest}.lock"):
            if self.settle(file, commit):
                return
            blob, partial = self._blob(file), self._partial(file)
            blob.parent.mkdir(parents=True, exist_ok=True)
            try:
                arrived = self._fetch(file, commit, bars)
            except OSError as fault:
                if fault.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise self._disk_full(self._lacking_bytes(file)) from fault
            if not arrived:
                raise HubCorrupt(
                    f"`{file.name}` of `{self.hub.repo}` arrived damaged, its size or hash is not "
                    "what the hub announced; it was removed, run again to fetch it anew"
                )
            partial.replace(blob)
            verify.point(blob, self.snapshot(commit) / file.name)

    def _fetch(self, file: RemoteFile, commit: str, bars: Progress) -> bool:
        """Complete the partial file; False, and no file, if its content is not the announced one.

        A part that an earlier run left may be what is wrong: then all is fetched once more.
        """
        partial = self._partial(file)
        done_bytes = partial.stat().st_size if partial.is_file() else 0
        for start_bytes in (done_bytes, 0) if done_bytes else (0,):
            self.hub.download(file, commit, partial, bars.start(file, start_bytes))
            if verify.is_intact(partial, file.digest, self.folder):
                return True
            partial.unlink()
        return False

    def _blob(self, file: RemoteFile) -> Path:
        return self.folder / "blobs" / file.digest

    def _partial(self, file: RemoteFile) -> Path:
        return self._blob(file).with_name(file.digest + ".incomplete")

    def _lacking_bytes(self, file: RemoteFile) -> int:
        partial = self._partial(file)
        return file.size_bytes - (partial.stat().st_size if partial.is_file() else 0)

    def _disk_full(self, need_bytes: int) -> DiskFull:
        free_bytes = shutil.disk_usage(self.cache).free
        return DiskFull(
            f"`{self.hub.repo}` needs {need_bytes:,} bytes more in `{self.cache}`, where "
            f"{free_bytes:,} are free; free some space, or pass another cache_dir"
        )
