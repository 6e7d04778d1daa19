"""The clients under examples/ do what they say, against a server whose sound is known."""

import functools
import http.server
import os
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import expected_wave
from tests.server.browser import browser, need_browser, until
from tests.server.speak_client import Served, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = "a-key-for-this-test"


# the Python one


def run_client(served: Served, *arguments: str, **options: Any) -> Any:
    command = [sys.executable, str(EXAMPLES / "websocket_client.py"), *arguments]
    return subprocess.run(
        [*command, "--url", served.url], capture_output=True, text=True, timeout=30, **options
    )


def samples_of(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        return file.readframes(file.getnframes())


def test_the_python_client_writes_what_was_spoken(tmp_path: Path) -> None:
    said, read = tmp_path / "said.wav", tmp_path / "read.wav"
    with serving(tmp_path / "voices", api_keys=(KEY,)) as served:
        env = {**os.environ, "TTS_API_KEY": KEY}
        ran = run_client(served, str(said), "Word by word.", "--voice=bob", "--seed=1", env=env)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "1.12 s" in ran.stdout  # 14 characters
        ran = run_client(served, str(read), "--seed=1", env=env, input="Line one.\nLine two.\n")
        assert (ran.returncode, ran.stderr) == (0, "")
        served.until_free()
    assert samples_of(said) == pcm16(expected_wave("Word by word. ", seed=1, voice="bob"))
    assert samples_of(read) == pcm16(expected_wave("Line one.\nLine two.\n", seed=1))


def test_the_python_client_tells_why_it_was_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "voices") as served:
        ran = run_client(served, str(tmp_path / "no.wav"), "Hello.", "--voice=nobody")
    assert ran.returncode == 1
    assert ran.stderr.startswith("VOICE_NOT_FOUND: ")
    assert "Traceback" not in ran.stderr


def test_the_documented_client_runs(tmp_path: Path) -> None:
    text = (EXAMPLES.parent / "docs" / "websocket.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    with serving(tmp_path / "voices") as served:
        code = code.replace("ws://127.0.0.1:8000/api/v1/speak", served.url)
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=30)
    assert len(samples_of(tmp_path / "hello.wav")) == 2 * 1920 * len("Hello there.")


# the one for browsers


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def files(folder: Path) -> Iterator[str]:
    """Serves a folder as another host would; gives its origin."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    need_browser()
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def test_the_browser_client_speaks_and_cancels(driver: Any, tmp_path: Path) -> None:
    def state() -> str:
        return str(driver.find_element("id", "state").text)

    def click(what: str) -> None:
        driver.find_element("css selector", what).click()

    text = "Every sample"
    with files(EXAMPLES) as origin, serving(tmp_path, allowed_origins=(origin,)) as served:
        driver.get(f"{origin}/browser_client.html?server={served.url}")
        until(lambda: state() == "ready, voice ann", "the page is ready")
        box = driver.find_element("id", "text")
        box.clear()
        box.send_keys(text)
        click("#form button")
        until(lambda: state().startswith("done: 960 ms"), "the speech is over")
        seed = int(state().rpartition(" ")[2])
        received = driver.execute_script("return received")
        wanted = pcm16(expected_wave(text, seed=seed))
        assert b"".join(v.to_bytes(2, "little", signed=True) for v in received) == wanted

        box.clear()
        box.send_keys("[hang]for ever")
        click("#form button")
        served.until(lambda: served.fake.active == 1, "it is being spoken")
        click("#cancel")
        until(lambda: state().startswith("CANCELLED"), "the cancel is confirmed")
        assert served.fake.active == 0
        driver.execute_script("socket.close()")  # a page that was left may be kept with its socket
        served.until_free()
        driver.get("about:blank")


def test_the_browser_client_is_refused_where_its_origin_is_not_listed(
    driver: Any, tmp_path: Path
) -> None:
    with files(EXAMPLES) as origin, serving(tmp_path) as served:
        driver.get(f"{origin}/browser_client.html?server={served.url}")
        state = driver.find_element("id", "state")
        until(lambda: state.text == "closed (1008 UNAUTHORIZED)", "the refusal is shown")
        driver.get("about:blank")
