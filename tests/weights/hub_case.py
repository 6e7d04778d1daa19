"""The checkpoint that the tests of the hub fetch, and what they do with a cache."""

import os
from pathlib import Path

import pytest
from huggingface_hub import constants, file_download

from qwen3_tts.weights import verify
from tests.weights.fake_hub import FakeHub, digest_of

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


def point_default_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What setting HF_ENDPOINT before the start of Python does."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    for module in (constants, file_download):  # before 1.0 the second kept a copy
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", url)


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


def count_hashes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    hashed: list[Path] = []
    digest = verify.content_digest
    monkeypatch.setattr(
        verify, "content_digest", lambda path, like: hashed.append(path) or digest(path, like)
    )
    return hashed


def large(hub: FakeHub) -> dict[str, bytes]:
    """A second checkpoint with the same codec and tokenizer and other weights."""
    files = NEEDED | {"model.safetensors": b"other" * 999, "config.json": b'{"size": "1b7"}'}
    hub.push(OTHER, files)
    return files
