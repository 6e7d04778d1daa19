"""What goes wrong with a hub: breaks, damage and full disks, and what the next call makes of it."""

import errno
import io
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from qwen3_tts.errors import DiskFull, HubCorrupt, HubError, HubOffline
from qwen3_tts.weights import verify
from qwen3_tts.weights.hub import fetch
from tests.weights.fake_hub import digest_of
from tests.weights.hub_case import (
    CHUNK_BYTES,
    NEEDED,
    OTHER,
    REPO,
    TALKER_DIGEST,
    TALKER_WEIGHTS,
    blob,
    contents,
    damage,
    large,
)

# Breaks and damage


def test_a_broken_connection_is_resumed_where_it_broke(hub, cache):
    hub.breaks[TALKER_DIGEST] = [3 * CHUNK_BYTES + 100, 2 * CHUNK_BYTES]
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    # Whole chunks are kept; the 100 bytes after them are asked for again.
    first, second = 3 * CHUNK_BYTES, 5 * CHUNK_BYTES
    assert hub.ranges(TALKER_DIGEST) == [None, f"bytes={first}-", f"bytes={second}-"]
    assert contents(folder) == NEEDED


def test_resets_are_survived_as_long_as_bytes_arrive(hub, cache):
    hub.breaks_are_resets = True
    hub.breaks[TALKER_DIGEST] = [2 * CHUNK_BYTES] * 4
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED
    starts = [None] + [f"bytes={2 * CHUNK_BYTES * turn}-" for turn in range(1, 5)]
    assert hub.ranges(TALKER_DIGEST) == starts


def test_bytes_are_asked_for_as_they_are_so_that_ranges_count_them(hub, cache):
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    downloads = [request for request in hub.requests if "/api/" not in request.path]
    assert {request.accept_encoding for request in downloads} == {"identity"}


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


def test_a_snapshot_file_that_is_not_the_blob_is_replaced(hub, cache):
    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    (folder / "config.json").unlink()
    (folder / "config.json").write_bytes(b"{}")
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED


def test_a_cache_that_cannot_be_written_still_serves(hub, cache, monkeypatch):
    def refuse(path: Path, text: str) -> None:
        raise PermissionError(errno.EROFS, "read-only file system")

    folder = fetch(REPO, cache_dir=cache, endpoint=hub.url)
    shutil.rmtree(folder.parent.parent / ".verified")
    monkeypatch.setattr(verify, "write_text", refuse)
    assert fetch(REPO, cache_dir=cache, offline=True) == folder
    assert fetch(REPO, cache_dir=cache, endpoint=hub.url) == folder


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
    kind, message = DiskFull, f"needs {need:,} bytes more"
    if number == errno.EIO:
        kind, message = HubError, "cannot write the cache"
    with pytest.raises(kind, match=message):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert len(hub.ranges(TALKER_DIGEST)) == 1  # the network was not blamed
    monkeypatch.setattr(Path, "open", opened)
    assert contents(fetch(REPO, cache_dir=cache, endpoint=hub.url)) == NEEDED
    assert hub.ranges(TALKER_DIGEST)[1:] == [f"bytes={2 * CHUNK_BYTES}-"]


def test_a_cache_that_cannot_be_made_is_told(hub, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HubError, match="cannot write the cache"):
        fetch(REPO, cache_dir=tmp_path / "file" / "cache", endpoint=hub.url)
