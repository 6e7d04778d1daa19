"""The one file that talks to `huggingface_hub`: what a repository holds, and the bytes of a file.

Files are fetched by plain HTTP into a partial file that outlives the process, because the
library's own download forgets it when a run is interrupted (version 2.4; 0.36 still kept it).
Everything that goes wrong out there leaves here as a `SpeechError`; faults of the local disk stay
OSError.
"""

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from qwen3_tts.errors import HubAccess, HubError, HubOffline, MissingPackage, ModelNotFound
from qwen3_tts.weights.verify import DIGEST

COMMIT = re.compile(r"[0-9a-f]{40}")
_STALLS = 3  # attempts in a row without one new byte before the connection is called lost


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository: its path there, its digest and its size."""

    name: str
    digest: str
    size_bytes: int


@dataclass(frozen=True)
class Listing:
    """What a repository holds at one commit."""

    commit: str
    files: dict[str, RemoteFile]


class Bar(Protocol):
    def update(self, n: float = 1) -> object: ...


class Progress(Protocol):
    def start(self, file: RemoteFile, done_bytes: int) -> Bar: ...


@dataclass(frozen=True)
class Hub:
    """One repository at one revision, on the hub at `endpoint` (HF_ENDPOINT if None)."""

    repo: str
    revision: str
    token: str | None = None
    endpoint: str | None = None

    def listing(self) -> Listing:
        """Ask which commit the revision is and which files it holds: one small request."""
        from huggingface_hub import HfApi, constants
        from huggingface_hub.errors import HfHubHTTPError

        api = HfApi(endpoint=self.endpoint, token=self.token)
        # The last two: what answered is no hub, but the login page of a network, say.
        unreachable: tuple[type[Exception], ...] = (*_network_errors(), ValueError, KeyError)
        try:
            info = api.model_info(
                self.repo,
                revision=self.revision,
                files_metadata=True,
                timeout=constants.HF_HUB_ETAG_TIMEOUT,
            )
        except HfHubHTTPError as error:
            raise self._explained(error, "the repository") from error
        except unreachable as error:
            raise HubOffline(
                f"the hub cannot be reached for `{self.repo}` ({_one_line(error)})"
            ) from error
        if not COMMIT.fullmatch(info.sha or ""):
            raise HubError(f"the hub names no commit for `{self.repo}`, revision {self.revision}")
        files = (self._file(sibling) for sibling in info.siblings or ())
        return Listing(str(info.sha), {file.name: file for file in files})

    def download(self, file: RemoteFile, commit: str, partial: Path, bar: Bar) -> None:
        """Append what is missing to `partial`, over as many connections as it takes."""
        from huggingface_hub.errors import HfHubHTTPError

        partial.touch()
        stalls = 0
        while (have := partial.stat().st_size) < file.size_bytes:
            try:
                self._append(file, commit, partial, have, bar)
            except _network_errors() as error:
                if _is_local(error):
                    raise
                if isinstance(error, HfHubHTTPError) and not _is_passing(error):
                    raise self._explained(error, f"`{file.name}`") from error
                kept = partial.stat().st_size
                stalls = 0 if kept > have else stalls + 1
                if stalls == _STALLS:
                    raise HubOffline(
                        f"the connection was lost in `{file.name}` of `{self.repo}` "
                        f"({_one_line(error)}); {kept:,} of {file.size_bytes:,} bytes are kept, "
                        "run again to continue"
                    ) from error
                time.sleep(1.0)

    def _append(
        self, file: RemoteFile, commit: str, partial: Path, have_bytes: int, bar: Bar
    ) -> None:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        # Ranges count bytes of the file itself, so nothing may be compressed on the way.
        headers = {**build_hf_headers(token=self.token), "Accept-Encoding": "identity"}
        silent: Any = bar  # with a bar of ours the library draws none of its own
        with partial.open("ab") as out:
            http_get(
                hf_hub_url(self.repo, file.name, revision=commit, endpoint=self.endpoint),
                out,
                resume_size=have_bytes,
                headers=headers,
                expected_size=file.size_bytes,
                displayed_filename=file.name,
                _tqdm_bar=silent,
            )

    def _file(self, sibling: Any) -> RemoteFile:
        digest = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
        size = sibling.lfs.size if sibling.lfs else sibling.size
        if size is None or not DIGEST.fullmatch(digest or ""):
            raise HubError(
                f"the hub gives no size and hash for `{sibling.rfilename}` of `{self.repo}`; "
                "use a hub that does, or pass a folder"
            )
        return RemoteFile(sibling.rfilename, digest, size)

    def _explained(self, error: Any, what: str) -> HubError | ModelNotFound:
        """The error a user can act on, for an answer that says no."""
        from huggingface_hub import errors

        status = getattr(error.response, "status_code", None)
        if isinstance(error, errors.GatedRepoError) or (
            status in (401, 403) and not isinstance(error, errors.RepositoryNotFoundError)
        ):
            return HubAccess(
                f"the hub refuses {what} of `{self.repo}` ({status}); accept its terms on its "
                "page on the hub, then set HF_TOKEN or pass a token that may read it"
            )
        if isinstance(error, errors.RepositoryNotFoundError):
            return ModelNotFound(
                f"no folder and no hub model `{self.repo}`; check the spelling, or set HF_TOKEN "
                "if it is private"
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return ModelNotFound(f"`{self.repo}` has no revision `{self.revision}`")
        if isinstance(error, errors.EntryNotFoundError):
            return ModelNotFound(f"the hub has no {what} of `{self.repo}` at `{self.revision}`")
        return HubOffline(f"the hub cannot give {what} of `{self.repo}` now (answer {status})")


def require_library() -> None:
    """Raise `MissingPackage` unless `huggingface_hub` is installed."""
    if find_spec("huggingface_hub") is None:
        raise MissingPackage(
            "a hub id needs the package huggingface_hub; run `pip install huggingface_hub`, "
            "or pass a folder"
        )


def cache_folder() -> Path:
    """Where `huggingface_hub` keeps its files (HF_HUB_CACHE, HF_HOME)."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def is_offline() -> bool:
    """Whether the user has set HF_HUB_OFFLINE."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def lock(path: Path) -> AbstractContextManager[object]:
    """A lock between processes, of the kind that `huggingface_hub` takes on the same path."""
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    path.parent.mkdir(parents=True, exist_ok=True)
    held: AbstractContextManager[object] = WeakFileLock(path)
    return held


@contextmanager
def progress_bars(show: bool) -> Iterator[Progress]:
    """Bars on stderr while the block runs, if asked for and stderr is a terminal."""
    if not show:
        yield _NoBars()
        return
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield _RichBars(bars)


class _NoBars:
    def start(self, file: RemoteFile, done_bytes: int) -> Bar:
        return self

    def update(self, n: float = 1) -> None:
        pass


@dataclass(frozen=True)
class _RichBars:
    bars: Any

    def start(self, file: RemoteFile, done_bytes: int) -> Bar:
        task = self.bars.add_task(file.name, total=file.size_bytes, completed=done_bytes)
        return _RichBar(self.bars, task)


@dataclass(frozen=True)
class _RichBar:
    bars: Any
    task: Any

    def update(self, n: float = 1) -> None:
        self.bars.advance(self.task, n)


def _network_errors() -> tuple[type[Exception], ...]:
    """What the HTTP client beneath raises: `requests` errors are OSErrors, `httpx` ones are not.

    The bases of the library's own HTTP error name the client, whichever it was built on.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return (OSError, *(base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)))


def _is_local(error: Exception) -> bool:
    """Whether an OSError comes from the disk: those of the network have no number or are these."""
    return (
        isinstance(error, OSError)
        and error.errno is not None
        and not isinstance(error, (ConnectionError, TimeoutError))
    )


def _is_passing(error: Any) -> bool:
    """Whether a refusal is one that waiting may cure."""
    status = getattr(error.response, "status_code", 0)
    return status in (408, 429) or status >= 500


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
