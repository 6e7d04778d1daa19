"""Hub ids against a fake hub on loopback: what is asked for, what is kept, what goes wrong."""

import errno
import io
import json
import logging
import os
import shutil
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants, file_download, hf_hub_download, scan_cache_dir

from qwen3_tts.errors import (
    DiskFull,
    HubAccess,
    HubCorrupt,
    HubError,
    HubOffline,
    InvalidWeights,
    MissingPackage,
    ModelNotFound,
)
from qwen3_tts.weights import verify
from qwen3_tts.weights.hub import fetch, fetch_codec
from tests.weights.fake_hub import FakeHub, digest_of, serve_fake_hub

REPO = "acme/speech"
OTHER = "acme/speech-large"
CODEC_REPO = "acme/codec"
CHUNK_BYTES = 1024  # the hub library's is 10 MB; a break then loses a whole small file

NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens there

TALKER_WEIGHTS = bytes(range(256)) * 40
CODEC_WEIGHTS = bytes(reversed(range(256))) * 30
CODEC_FILES = {
    "speech_tokenizer/preprocessor_config.json": b'{"sampling_rate": 24000}',
    "speech_tokenizer/config.json": b'{"codec": 1}',
    "speech_tokenizer/model.safetensors": CODEC_WEIGHTS,
}
NEEDED = {
    "generation_config.json": b'{"top_k": 50}',
    "tokenizer_config.json": b"{}",
    "preprocessor_config.json": b'{"padding_side": "left"}',
    "config.json": b'{"model_type": "qwen3_tts"}',
    "vocab.json": b'{"a": 0}',
    "merges.txt": b"a b\n",
    "model.safetensors": TALKER_WEIGHTS,
    **CODEC_FILES,
}
UNNEEDED = {
    "README.md": b"# a model",
    ".gitattributes": b"*.safetensors filter=lfs",
    "speech_tokenizer/configuration.json": b"{}",
    "model-00001-of-00002.safetensors": b"not named by any index",
    "pytorch_model.bin": b"old",
}
TALKER_DIGEST = digest_of("model.safetensors", TALKER_WEIGHTS)
CODEC_DIGEST = digest_of("model.safetensors", CODEC_WEIGHTS)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A hub with one good checkpoint, and a client that knows no other hub, token or proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", CHUNK_BYTES)
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.005)))
    with serve_fake_hub() as server:
        server.push(REPO, NEEDED | UNNEEDED)
        _point_default_endpoint(monkeypatch, NOWHERE)
        _close_clients()
        yield server
        _close_clients()


def _point_default_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What setting HF_ENDPOINT before the start of Python does."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    for module in (constants, file_download):  # before 1.0 the second kept a copy
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", url)


def _close_clients() -> None:
    """Forget the hub library's connections: it keeps them for the life of the process."""
    for name in ("close_session", "reset_sessions"):  # from 1.0 on, and before
        close = getattr(huggingface_hub.utils, name, None)
        if close is not None:
            close()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def blob(cache: Path, repo: str, digest: str) -> Path:
    return cache / ("models--" + repo.replace("/", "--")) / "blobs" / digest


def damage(path: Path) -> None:
    """Turn one bit, as a failing disk may, and be noticed by the time of change."""
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(path, ns=(1, 1))


# Folders


@pytest.mark.parametrize("get", [fetch, fetch_codec])
def test_a_folder_is_returned_as_it_is_without_the_hub_library(get, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme" / "speech").mkdir(parents=True)
    assert get(tmp_path) == tmp_path
    assert get(str(tmp_path)) == tmp_path
    assert get(REPO) == Path(REPO)  # a folder wins over a hub id of the same spelling


def test_the_codec_of_a_local_checkpoint_is_the_folder_inside(tmp_path):
    inner = tmp_path / "speech_tokenizer"
    inner.mkdir()
    (inner / "config.json").write_text("{}")
    assert fetch_codec(tmp_path) == inner


@pytest.mark.parametrize(
    "model",
    [
        "/no/such",
        "./no/such",
        "../such",
        "~/no-such-folder-here",
        "nano-of-nobody",
        "a/b/c",
        "a/",
        "a\\b",
        Path("owner/name"),
    ],
)
def test_a_path_that_is_no_folder_is_named_and_no_hub_is_asked(model, hub, cache):
    with pytest.raises(ModelNotFound, match="no folder") as caught:
        fetch(model, cache_dir=cache, endpoint=hub.url)
    assert str(model) in str(caught.value)
    assert hub.requests == []


def test_a_hub_id_without_the_hub_library_says_what_to_install(monkeypatch):
    monkeypatch.setattr("qwen3_tts.weights.transfer.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="pip install huggingface_hub"):
        fetch(REPO)


# What is fetched, and once


def test_only_the_needed_files_arrive_byte_for_byte(hub, cache):
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert contents(folder) == NEEDED
    assert sorted(hub.served()) == sorted(NEEDED)


def test_the_endpoint_of_the_environment_is_the_default(hub, cache, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    _point_default_endpoint(monkeypatch, hub.url)
    folder = fetch(REPO)
    assert contents(folder) == NEEDED
    assert cache in folder.parents


def test_small_files_come_before_weights(hub, cache):
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    is_weights = [name.endswith(".safetensors") for name in hub.served()]
    assert is_weights == sorted(is_weights)


def test_a_second_call_asks_once_and_reads_no_file_again(hub, cache, monkeypatch):
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    hub.requests.clear()
    hashed = _count_hashes(monkeypatch)
    assert fetch(REPO, cache_dir=cache, endpoint=hub.url) == folder
    assert [request.path for request in hub.requests] == [f"/api/models/{REPO}/revision/main"]
    assert hashed == []


def test_each_file_is_hashed_once_in_all(hub, cache, monkeypatch):
    hashed = _count_hashes(monkeypatch)
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert len(hashed) == len(NEEDED)


def _count_hashes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    hashed: list[Path] = []
    digest = verify.content_digest
    monkeypatch.setattr(
        verify, "content_digest", lambda path, like: hashed.append(path) or digest(path, like)
    )
    return hashed


def test_optional_files_may_be_absent(hub, cache):
    lean = {n: d for n, d in NEEDED.items() if not n.endswith(("or_config.json", "on_config.json"))}
    assert len(lean) == len(NEEDED) - 3
    hub.push(REPO, lean)
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == lean


REQUIRED = ["config.json", "vocab.json", "merges.txt", "model.safetensors"]
REQUIRED += ["speech_tokenizer/config.json", "speech_tokenizer/model.safetensors"]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_repository_without_a_needed_file_is_refused_before_any_weights(name, hub, cache):
    hub.push(REPO, {n: d for n, d in NEEDED.items() if n != name})
    with pytest.raises(ModelNotFound, match=f"no `{name}`"):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert hub.served() == []


def sharded(shards: dict[str, bytes], names: list[str]) -> dict[str, bytes]:
    index = {"weight_map": {f"tensor.{i}": name for i, name in enumerate(names)}}
    files = {n: d for n, d in NEEDED.items() if n != "model.safetensors"}
    return files | shards | {"model.safetensors.index.json": json.dumps(index).encode()}


def test_of_a_sharded_checkpoint_the_shards_of_the_index_arrive(hub, cache):
    shards = {f"model-0000{i}-of-00002.safetensors": bytes([i]) * 3000 for i in (1, 2)}
    files = sharded(shards, [*shards, *shards])
    hub.push(REPO, files | {"model-00003-of-00009.safetensors": b"stray", "README.md": b"#"})
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert contents(folder) == files
    assert sorted(hub.served()) == sorted(files)
    assert fetch(REPO, cache_dir=cache, offline=True) == folder


def test_a_shard_that_the_repository_lacks_is_named(hub, cache):
    hub.push(REPO, sharded({}, ["model-00001-of-00001.safetensors"]))
    with pytest.raises(ModelNotFound, match=r"no `model-00001-of-00001\.safetensors`"):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)


@pytest.mark.parametrize(
    "names", [["../../secret.safetensors"], ["a/b.safetensors"], ["x.bin"], []]
)
def test_an_index_that_names_no_plain_files_is_refused(names, hub, cache):
    hub.push(REPO, sharded({}, names))
    with pytest.raises(InvalidWeights, match="names no shards"):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)


# The cache is the one of huggingface_hub


def test_the_hub_library_finds_what_was_fetched(hub, cache):
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    for name in NEEDED:
        found = hf_hub_download(REPO, name, cache_dir=cache, local_files_only=True)
        assert Path(found) == folder / name
    report = scan_cache_dir(cache)
    assert not report.warnings
    (repo,) = report.repos
    assert repo.size_on_disk == sum(map(len, NEEDED.values()))


def test_what_the_hub_library_fetched_is_hashed_and_used(hub, cache, monkeypatch):
    theirs = [hf_hub_download(REPO, name, cache_dir=cache, endpoint=hub.url) for name in NEEDED]
    hub.requests.clear()
    hashed = _count_hashes(monkeypatch)
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert [folder / name for name in NEEDED] == [Path(path) for path in theirs]
    assert hub.served() == []
    assert len(hashed) == len(NEEDED)


# Breaks and damage


def test_a_broken_connection_is_resumed_where_it_broke(hub, cache):
    hub.breaks[TALKER_DIGEST] = [3 * CHUNK_BYTES + 100, 2 * CHUNK_BYTES]
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    # Whole chunks are kept; the 100 bytes after them are asked for again.
    first, second = 3 * CHUNK_BYTES, 5 * CHUNK_BYTES
    assert hub.ranges(TALKER_DIGEST) == [None, f"bytes={first}-", f"bytes={second}-"]
    assert contents(folder) == NEEDED


def test_a_lost_connection_keeps_its_part_for_the_next_run(hub, cache):
    hub.breaks[TALKER_DIGEST] = [4 * CHUNK_BYTES] + [0] * 100
    with pytest.raises(HubOffline, match=r"4,096 of 10,240 bytes are kept, run again") as caught:
        fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert "\n" not in str(caught.value)
    attempts = len(hub.ranges(TALKER_DIGEST))
    assert 2 < attempts < 40  # it tried again, and gave up

    hub.breaks.clear()
    hub.requests.clear()
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert hub.ranges(TALKER_DIGEST) == [f"bytes={4 * CHUNK_BYTES}-"]
    assert contents(folder) == NEEDED
    assert set(hub.served()) == {"model.safetensors", "speech_tokenizer/model.safetensors"}


def test_a_hub_that_ignores_ranges_still_gives_the_right_bytes(hub, cache):
    hub.breaks[TALKER_DIGEST] = [4 * CHUNK_BYTES]
    hub.ignores_ranges = True
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED


@pytest.mark.parametrize("size", [500, len(TALKER_WEIGHTS), len(TALKER_WEIGHTS) + 9])
def test_a_part_of_something_else_is_thrown_away(size, hub, cache):
    partial = blob(cache, REPO, TALKER_DIGEST + ".incomplete")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"?" * size)
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED
    assert hub.ranges(TALKER_DIGEST)[-1] is None
    assert not partial.exists()


@pytest.mark.parametrize("status", [503, 500, 429])
def test_a_passing_refusal_is_tried_again(status, hub, cache):
    hub.failing[TALKER_DIGEST] = [status]
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED
    assert len(hub.ranges(TALKER_DIGEST)) == 2


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.json"])  # SHA-256, git SHA-1
def test_a_damaged_download_is_refused_removed_and_healed_by_a_retry(name, hub, cache):
    digest = digest_of(name, NEEDED[name])
    hub.damaged.add(digest)
    with pytest.raises(HubCorrupt, match=f"`{name}` of `{REPO}` arrived damaged"):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)
    left = [path.name for path in cache.rglob("*") if path.name in (name, digest)]
    assert left == []
    with pytest.raises(HubOffline):
        fetch(REPO, cache_dir=cache, offline=True)

    hub.damaged.clear()
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED


def test_damage_on_disk_is_healed_online_and_told_offline(hub, cache, caplog):
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    damage(blob(cache, REPO, TALKER_DIGEST))
    with pytest.raises(HubCorrupt, match=r"model\.safetensors` is damaged.*run once online"):
        fetch(REPO, cache_dir=cache, offline=True)
    hub.requests.clear()
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED
    assert hub.served() == ["model.safetensors"]
    assert "is damaged and is fetched again" in caplog.text
    damage(blob(cache, REPO, TALKER_DIGEST))
    assert fetch(REPO, revision=folder.name, cache_dir=cache, endpoint=hub.url) == folder
    assert contents(folder) == NEEDED


# The codec is stored once


def large(hub: FakeHub) -> dict[str, bytes]:
    """A second checkpoint with the same codec and tokenizer and other weights."""
    files = NEEDED | {"model.safetensors": b"other" * 999, "config.json": b'{"size": "1b7"}'}
    hub.push(OTHER, files)
    return files


def test_the_codec_is_fetched_and_stored_once_for_two_checkpoints(hub, cache):
    expected = large(hub)
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    folder = fetch(OTHER, cache_dir=cache, endpoint=hub.url)
    assert contents(folder) == expected
    assert len(hub.ranges(CODEC_DIGEST)) == 1
    assert sorted(hub.served(OTHER)) == ["config.json", "model.safetensors"]
    one, two = (blob(cache, repo, CODEC_DIGEST) for repo in (REPO, OTHER))
    assert one.samefile(two)
    shutil.rmtree(one.parent.parent)  # the second checkpoint does not depend on the first
    assert contents(fetch(OTHER, cache_dir=cache, offline=True)) == expected


def test_a_shared_codec_is_not_hashed_again(hub, cache, monkeypatch):
    large(hub)
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    hashed = _count_hashes(monkeypatch)
    fetch(OTHER, cache_dir=cache, endpoint=hub.url)
    assert len(hashed) == 2  # its own config and weights


@pytest.mark.parametrize("links", ["symbolic", "none"])
def test_without_hard_links_the_codec_is_linked_or_copied(links, hub, cache, monkeypatch):
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EPERM, "links are not supported here")

    expected = large(hub)
    monkeypatch.setattr(os, "link", refuse)
    if links == "none":
        monkeypatch.setattr(os, "symlink", refuse)
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    folder = fetch(OTHER, cache_dir=cache, endpoint=hub.url)
    assert contents(folder) == expected
    assert len(hub.ranges(CODEC_DIGEST)) == 1
    assert blob(cache, OTHER, CODEC_DIGEST).is_symlink() == (links == "symbolic")
    hub.requests.clear()
    assert fetch(OTHER, cache_dir=cache, endpoint=hub.url) == folder
    assert hub.served() == []


def test_a_damaged_twin_is_not_shared(hub, cache):
    expected = large(hub)
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    damage(blob(cache, REPO, CODEC_DIGEST))
    assert contents(fetch(OTHER, cache_dir=cache, endpoint=hub.url)) == expected
    assert len(hub.ranges(CODEC_DIGEST)) == 2


def test_a_codec_repository_keeps_its_files_at_the_root(hub, cache):
    files = {name.removeprefix("speech_tokenizer/"): data for name, data in CODEC_FILES.items()}
    hub.push(CODEC_REPO, files | {"README.md": b"#"})
    folder = fetch_codec(CODEC_REPO, cache_dir=cache, endpoint=hub.url)
    assert contents(folder) == files
    assert fetch_codec(CODEC_REPO, cache_dir=cache, offline=True) == folder


def test_of_a_checkpoint_only_the_codec_is_fetched_and_then_shared(hub, cache):
    folder = fetch_codec(REPO, cache_dir=cache, endpoint=hub.url)
    assert contents(folder.parent) == CODEC_FILES
    assert sorted(hub.served()) == sorted(CODEC_FILES)
    with pytest.raises(HubOffline, match=r"without `config\.json`"):
        fetch(REPO, cache_dir=cache, offline=True)
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED
    assert len(hub.ranges(CODEC_DIGEST)) == 1


def test_two_callers_at_once_fetch_each_file_once(hub, cache):
    folders: list[Path] = []

    def call() -> None:
        folders.append(fetch(REPO, cache_dir=cache, endpoint=hub.url))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 2
    assert contents(folders[0]) == NEEDED
    assert sorted(hub.served()) == sorted(NEEDED)


# Offline


def test_offline_without_the_files_says_so_and_asks_nobody(hub, cache):
    with pytest.raises(HubOffline, match=rf"`{REPO}` .main. is not in the cache .*offline mode"):
        fetch(REPO, cache_dir=cache, offline=True, endpoint=hub.url)
    assert hub.requests == []


def test_offline_with_the_files_uses_them_and_asks_nobody(hub, cache, monkeypatch):
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    hub.requests.clear()
    assert fetch(REPO, cache_dir=cache, offline=True, endpoint=hub.url) == folder
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch(REPO, cache_dir=cache, endpoint=hub.url) == folder
    with pytest.raises(HubOffline, match="offline mode is on"):
        fetch(OTHER, cache_dir=cache, endpoint=hub.url)
    assert hub.requests == []


def test_offline_with_a_part_names_what_is_missing(hub, cache):
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    (folder / "model.safetensors").unlink()
    with pytest.raises(HubOffline, match=r"without `model\.safetensors` and offline mode is on"):
        fetch(REPO, cache_dir=cache, offline=True)


def test_an_unreachable_hub_is_told_or_the_cache_is_used(hub, cache, caplog):
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    with caplog.at_level(logging.WARNING):
        assert fetch(REPO, cache_dir=cache, endpoint=NOWHERE) == folder
    assert "the cached files are used" in caplog.text
    with pytest.raises(HubOffline, match="cannot be reached") as caught:
        fetch(OTHER, cache_dir=cache, endpoint=NOWHERE)
    assert "run once online, or pass a folder" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_login_page_is_no_hub(hub, cache):
    hub.is_login_page = True
    with pytest.raises(HubOffline, match="cannot be reached"):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)


def test_a_hub_without_hashes_is_refused(hub, cache):
    hub.hides_hashes = True
    with pytest.raises(HubError, match="no size and hash"):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)


# Access and names


@pytest.mark.parametrize("hidden_listing", [False, True])
@pytest.mark.parametrize("token", [None, "hf_wrong"])
def test_a_gated_repository_says_how_to_get_in(token, hidden_listing, hub, cache):
    hub.token_for[REPO] = "hf_right"
    hub.hidden_listing = hidden_listing
    with pytest.raises(HubAccess, match=r"accept its terms .* set HF_TOKEN"):
        fetch(REPO, cache_dir=cache, token=token, endpoint=hub.url)


def test_the_token_opens_the_repository_and_stays_with_the_hub(hub, cache):
    hub.token_for[REPO] = "hf_right"
    folder = fetch(REPO, cache_dir=cache, token="hf_right", endpoint=hub.url)
    assert contents(folder) == NEEDED
    sent = {request.server: request.authorization for request in hub.requests}
    assert sent == {"hub": "Bearer hf_right", "cdn": None}


def test_an_unknown_repository_is_named(hub, cache):
    with pytest.raises(ModelNotFound, match="no folder and no hub model `acme/nothing`"):
        fetch("acme/nothing", cache_dir=cache, endpoint=hub.url)


def test_an_unknown_revision_is_named(hub, cache):
    with pytest.raises(ModelNotFound, match=f"`{REPO}` has no revision `v9`"):
        fetch(REPO, revision="v9", cache_dir=cache, endpoint=hub.url)


@pytest.mark.parametrize("revision", ["../main", "/etc", "a..b", "v 1"])
def test_a_revision_that_could_leave_the_cache_is_refused(revision, hub, cache):
    with pytest.raises(ModelNotFound, match="is no revision"):
        fetch(REPO, revision=revision, cache_dir=cache, endpoint=hub.url)
    assert hub.requests == []


def test_a_pinned_commit_holds_for_every_file_and_then_needs_no_hub(hub, cache):
    old = hub.branches[REPO, "main"]
    newer = {name: data + b" " for name, data in NEEDED.items()}
    hub.push(REPO, newer)
    folder = fetch(REPO, revision=old, cache_dir=cache, endpoint=hub.url)
    assert contents(folder) == NEEDED
    resolved = [request.path for request in hub.requests if "/resolve/" in request.path]
    assert len(resolved) == len(NEEDED)
    assert all(f"/resolve/{old}/" in path for path in resolved)
    hub.requests.clear()
    assert fetch(REPO, revision=old, cache_dir=cache, endpoint=hub.url) == folder
    assert hub.requests == []
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == newer


def test_a_branch_of_any_name_is_resolved_once_per_call_and_kept(hub, cache):
    commit = hub.push(REPO, NEEDED | {"vocab.json": b'{"b": 1}'}, branch="refs/pr/7")
    folder = fetch(REPO, revision="refs/pr/7", cache_dir=cache, endpoint=hub.url)
    assert folder.name == commit
    resolved = [request.path for request in hub.requests if "/resolve/" in request.path]
    assert all(f"/resolve/{commit}/" in path for path in resolved)
    assert fetch(REPO, revision="refs/pr/7", cache_dir=cache, offline=True) == folder
    with pytest.raises(HubOffline):
        fetch(REPO, cache_dir=cache, offline=True)


def test_a_branch_that_moved_fetches_what_changed(hub, cache):
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    newer = NEEDED | {"config.json": b'{"model_type": "qwen3_tts", "v": 2}'}
    hub.push(REPO, newer)
    hub.requests.clear()
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == newer
    assert hub.served() == ["config.json"]


# The disk

Usage = namedtuple("Usage", "total used free")


def test_a_disk_too_small_is_told_before_anything_is_fetched(hub, cache, monkeypatch):
    need = sum(map(len, NEEDED.values()))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 0, need - 1))
    with pytest.raises(DiskFull, match=rf"needs {need:,} bytes more .* {need - 1:,} are free"):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert hub.served() == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 0, need))
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED


def test_the_shared_codec_and_a_kept_part_need_no_room(hub, cache, monkeypatch):
    expected = large(hub)
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    weights = expected["model.safetensors"]
    partial = blob(cache, OTHER, digest_of("model.safetensors", weights) + ".incomplete")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(weights[:2000])
    need = len(weights) - 2000 + len(expected["config.json"])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 0, need - 1))
    with pytest.raises(DiskFull, match=f"needs {need:,} bytes more"):
        fetch(OTHER, cache_dir=cache, endpoint=hub.url)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fills_up_on_the_way_is_told_and_the_part_kept(number, hub, cache, monkeypatch):
    opened = Path.open

    class Full(io.FileIO):
        def write(self, data: bytes) -> int:
            if self.tell() >= 2 * CHUNK_BYTES:
                raise OSError(number, "no room")
            return super().write(data)

    def open_(self: Path, mode: str = "r", **kwargs: object) -> object:
        is_weights = self.name == TALKER_DIGEST + ".incomplete"
        return Full(self, mode) if is_weights and "a" in mode else opened(self, mode, **kwargs)

    monkeypatch.setattr(Path, "open", open_)
    need = len(TALKER_WEIGHTS) - 2 * CHUNK_BYTES
    expected = (HubError, "cannot write the cache") if number == errno.EIO else (
        DiskFull,
        f"needs {need:,} bytes more",
    )  # fmt: skip
    with pytest.raises(expected[0], match=expected[1]):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert len(hub.ranges(TALKER_DIGEST)) == 1  # the network was not blamed
    monkeypatch.setattr(Path, "open", opened)
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED
    assert hub.ranges(TALKER_DIGEST)[1:] == [f"bytes={2 * CHUNK_BYTES}-"]


def test_a_cache_that_cannot_be_made_is_told(hub, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HubError, match="cannot write the cache"):
        fetch(REPO, cache_dir=tmp_path / "file" / "cache", endpoint=hub.url)


# Progress


@pytest.mark.parametrize(("asked", "terminal"), [(True, True), (True, False), (False, True)])
def test_bars_are_drawn_if_asked_for_and_on_a_terminal(
    asked, terminal, hub, cache, monkeypatch, capsys
):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    hub.breaks[TALKER_DIGEST] = [4 * CHUNK_BYTES]
    fetch(REPO, cache_dir=cache, endpoint=hub.url, progress=asked)
    drawn = capsys.readouterr()
    assert drawn.out == ""
    for name in NEEDED:
        assert (name in drawn.err) == (asked and terminal)
    assert ("100%" in drawn.err or "10.2/10.2 kB" in drawn.err) == (asked and terminal)
