"""The whole server over a fake engine, and what its speech should sound like, byte by byte."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwen3_tts.audio.containers import make_encoder
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.server.app import create_app
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.speaking.job import PROVENANCE
from qwen3_tts.server.speaking.shape import Shape
from qwen3_tts.server.state import ServerState
from tests.server.live import Live, live

RATE = 24_000
TEXT = "Hello there, all of you."
SPEECH = "/v1/audio/speech"


@dataclass(frozen=True)
class Served:
    live: Live
    fake: FakeSynthesizer
    state: ServerState
    client: httpx.Client

    def speak(self, text: str = TEXT, **fields: Any) -> httpx.Response:
        return self.client.post(SPEECH, json={"input": text, "seed": 1, **fields})

    def stream(self, text: str = TEXT, **fields: Any) -> Any:
        return self.client.stream("POST", SPEECH, json={"input": text, "seed": 1, **fields})

    def counted(self, name: str, **labels: str) -> float:
        """A value of the metrics, 0 where there is none yet."""
        return self.state.metrics.registry.get_sample_value(name, labels) or 0.0

    def heard(self, text: str = TEXT, **fields: Any) -> bytes:
        """What came until the connection was cut; it must be."""
        parts: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            self._hear(parts, text, fields)
        return b"".join(parts)

    def _hear(self, parts: list[bytes], text: str, fields: dict[str, Any]) -> None:
        with self.stream(text, **fields) as answer:
            assert answer.status_code == 200
            parts.extend(answer.iter_raw())

    def idle(self) -> bool:
        return not (self.fake.active or self.fake.queued or self.state.limits.active_streams)


@contextmanager
def served(
    folder: Path,
    fake: FakeSynthesizer | None = None,
    uvicorn: dict[str, Any] | None = None,
    key: str = "",
    ready: bool = True,
    **settings: Any,
) -> Iterator[Served]:
    fake = fake or FakeSynthesizer()
    keys = {"api_keys": (key,)} if key else {}
    chosen = load_settings(engine="fake", voices_dir=folder, **keys, **settings)
    app = create_app(chosen, synthesizer=fake)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with (
        live(app, **(uvicorn or {})) as server,
        httpx.Client(base_url=server.http, headers=headers, timeout=20) as client,
    ):
        running = Served(server, fake, app.state.server, client)
        if ready:
            wait_until(lambda: running.state.model.synthesizer is not None)
        yield running


def file_of(format: str, text: str = TEXT, *, whole: bool = False, **how: Any) -> bytes:
    """The bytes of an answer: what an encoder makes of the tones, all given to it at once."""
    rate, speed = how.get("sample_rate", RATE), how.get("speed", 1.0)
    comment = PROVENANCE if how.get("provenance", True) else None
    voice, seed = how.get("voice", "ann"), how.get("seed", 1)
    shape = Shape(RATE, rate, speed)
    spoken = expected_wave(text, seed=seed, voice=voice, frames=how.get("frames"))
    pieces = [shape.push(spoken), shape.finish()]
    if whole:
        encoder = make_encoder(format, rate, streaming=False, comment=comment)
    else:
        encoder = make_encoder(format, rate, comment=comment)
    return b"".join(encoder.encode(piece) for piece in pieces) + encoder.finish()


def events_of(content: bytes) -> list[dict[str, Any]]:
    """Events as the strictest client reads them: one `data: ` line each, a blank line after it."""
    text = content.decode("ascii")
    assert text.endswith("\n\n")
    events = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        if block != ": ping":
            assert block.startswith("data: ")
            assert "\n" not in block
            assert len(block) < 65_536
            events.append(json.loads(block.removeprefix("data: ")))
    return events


def wait_until(true: Callable[[], bool], within_s: float = 5.0) -> float:
    """Seconds until it is."""
    began_s = time.monotonic()
    while not true():
        assert time.monotonic() - began_s < within_s, "it never came to be"
        time.sleep(0.005)
    return time.monotonic() - began_s
