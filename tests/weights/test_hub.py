"""What is asked of a hub: only the needed files, all at one commit, each once."""

import json
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

import qwen3_tts
from qwen3_tts.errors import (
    HubAccess,
    HubOffline,
    InvalidWeights,
    MissingPackage,
    ModelNotFound,
)
from qwen3_tts.weights.hub import fetch, fetch_codec
from tests.weights.hub_case import (
    CHUNK_BYTES,
    NEEDED,
    REPO,
    TALKER_DIGEST,
    TALKER_WEIGHTS,
    blob,
    contents,
    count_hashes,
    point_default_endpoint,
)

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
        "",
        "~/no-such-folder-here",
        "~no-such-user/folder",
        "long" * 2000,
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


def test_nano_is_the_folder_inside_the_package_and_no_hub_is_asked(hub, cache, tmp_path):
    folder = fetch("nano", cache_dir=cache, endpoint=hub.url)
    assert folder == Path(qwen3_tts.__file__).parent / "nano"
    assert fetch_codec("nano", endpoint=hub.url) == folder / "speech_tokenizer"
    assert hub.requests == []


def test_a_folder_of_ones_own_called_nano_is_found_by_its_path(tmp_path, monkeypatch):
    (tmp_path / "nano").mkdir()
    monkeypatch.chdir(tmp_path)
    assert fetch(Path("nano")) == Path("nano")
    assert fetch("./nano") == Path("./nano")


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
    point_default_endpoint(monkeypatch, hub.url)
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
    hashed = count_hashes(monkeypatch)
    assert fetch(REPO, cache_dir=cache, endpoint=hub.url) == folder
    assert [request.path for request in hub.requests] == [f"/api/models/{REPO}/revision/main"]
    assert hashed == []


def test_each_file_is_hashed_once_in_all(hub, cache, monkeypatch):
    hashed = count_hashes(monkeypatch)
    fetch(REPO, cache_dir=cache, endpoint=hub.url)
    assert len(hashed) == len(NEEDED)


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


# Access and names


@pytest.mark.parametrize("hidden_listing", [False, True])
@pytest.mark.parametrize("token", [None, "hf_wrong"])
def test_a_gated_repository_says_how_to_get_in(token, hidden_listing, hub, cache):
    hub.token_for[REPO] = "hf_right"
    hub.hidden_listing = hidden_listing
    with pytest.raises(HubAccess, match=r"accept its terms .* set HF_TOKEN"):
        fetch(REPO, cache_dir=cache, token=token, endpoint=hub.url)


def test_a_refusal_without_a_reason_is_one_of_access(hub, cache):
    hub.failing[TALKER_DIGEST] = [403]
    with pytest.raises(HubAccess, match=r"refuses `model\.safetensors` of `acme/speech` .403."):
        fetch(REPO, cache_dir=cache, endpoint=hub.url)


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
    partial = blob(cache, REPO, TALKER_DIGEST + ".incomplete")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(TALKER_WEIGHTS[: 4 * CHUNK_BYTES])  # counts as done from the start
    fetch(REPO, cache_dir=cache, endpoint=hub.url, progress=asked)
    drawn = capsys.readouterr()
    assert drawn.out == ""
    for name in NEEDED:
        assert (name in drawn.err) == (asked and terminal)
    assert ("10.2/10.2 kB" in drawn.err) == (asked and terminal)
