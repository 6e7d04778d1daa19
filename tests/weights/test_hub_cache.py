"""What is kept of a hub: a cache shared with other programs, between checkpoints, and offline."""

import errno
import logging
import os
import shutil
import threading
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download, scan_cache_dir

from qwen3_tts.errors import (
    HubError,
    HubOffline,
)
from qwen3_tts.weights.hub import fetch, fetch_codec
from tests.weights.hub_case import (
    CODEC_DIGEST,
    CODEC_FILES,
    CODEC_REPO,
    NEEDED,
    NOWHERE,
    OTHER,
    REPO,
    blob,
    contents,
    count_hashes,
    damage,
    large,
)

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
    hashed = count_hashes(monkeypatch)
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert [folder / name for name in NEEDED] == [Path(path) for path in theirs]
    assert hub.served() == []
    assert len(hashed) == len(NEEDED)


# The codec is stored once


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
    hashed = count_hashes(monkeypatch)
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
    inodes = [os.lstat(folder / name).st_ino for name in NEEDED]
    hub.requests.clear()
    assert fetch(OTHER, cache_dir=cache, endpoint=hub.url) == folder
    assert hub.served() == []
    assert inodes == [os.lstat(folder / name).st_ino for name in NEEDED]  # placed once


def test_files_that_live_in_the_snapshot_alone_are_used(hub, cache):
    """What the hub library does where links do not work: it moves the blob into the snapshot."""
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    for name in NEEDED:
        (folder / name).resolve().rename(folder / name)
    hub.requests.clear()
    assert fetch(REPO, cache_dir=cache, offline=True) == folder
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED
    assert hub.served() == []


def test_a_shared_codec_outlives_a_store_that_the_first_blob_links_to(hub, cache, tmp_path):
    expected = large(hub)
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    first, kept = blob(cache, REPO, CODEC_DIGEST), tmp_path / "kept"
    first.rename(kept)
    first.symlink_to(kept)
    folder = fetch(OTHER, cache_dir=cache, endpoint=hub.url)
    assert len(hub.ranges(CODEC_DIGEST)) == 1
    kept.unlink()
    assert contents(folder) == expected


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
