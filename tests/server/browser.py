"""A headless Chromium for the tests of the page, and what they ask of it."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from qwen3_tts.backends.fake import FakeSynthesizer
from tests.server.live import Live

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",  # the microphone is allowed, and gives beeps
    "--use-fake-device-for-media-stream",
    "--force-device-scale-factor=1",
)


def need_browser() -> None:
    """Skips the test, and says why, where there is no Chromium or no driver for it."""
    pytest.importorskip("selenium", reason="needs selenium")
    for program in (CHROMIUM, DRIVER):
        if not program.exists() and which(program.name) is None:
            pytest.skip(f"needs {program.name}")


@contextmanager
def browser(profile: Path, *, dark: bool = False) -> Iterator[Any]:
    """A driver of a new browser whose profile lies in this folder."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM if CHROMIUM.exists() else which("chromium"))
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(str(DRIVER if DRIVER.exists() else which("chromedriver")))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        use_theme(driver, "dark" if dark else "light")
        yield driver
    finally:
        driver.quit()


def use_theme(driver: Any, theme: str) -> None:
    """What the system prefers, as the page is told."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def resize(driver: Any, width: int, height: int) -> None:
    """The page's own size, without the window's frame."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def until(condition: Callable[[], Any], what: str, limit_s: float = 10.0) -> Any:
    """What `condition` gives once it is true; fails with `what` after `limit_s`."""
    end_s = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end_s, f"not within {limit_s} s: {what}"
        time.sleep(0.02)
    return value


# Renders chunks of odd lengths without a sound card; gives the worst difference from the whole.
JOIN = """
const [rate, done] = arguments;
(async () => {
  const { schedule } = await import("/static/player.js");
  const lengths = [1, 1920, 7, 1763, 3840, 129, 128, 5, 9999];
  const total = lengths.reduce((sum, n) => sum + n, 0);
  const first = 1441;
  const context = new OfflineAudioContext(1, first + total, rate);
  const whole = Int16Array.from({ length: total }, (_, i) => ((i * 7919) % 65536) - 32768);
  let at = 0;
  for (const n of lengths) {
    const chunk = whole.subarray(at, at + n);
    schedule(context, context.destination, chunk, rate, first + at);
    at += n;
  }
  const heard = (await context.startRendering()).getChannelData(0);
  const off = Array.from(whole, (v, i) => Math.abs(heard[first + i] - v / 32768));
  done(off.reduce((worst, each) => Math.max(worst, each), 0));
})();
"""

# Texts whose contrast with what is behind them is below 4.5 (WCAG AA), disabled controls aside.
FAINT = """
const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const light = (colour) => {
  const [r, g, b] = parse(colour).map((v) => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if ((parse(colour)[3] ?? 1) === 1) return colour;
  }
  return "rgb(255, 255, 255)";
};
const faint = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const text = texts.currentNode.data.trim();
  const node = texts.currentNode.parentElement;
  if (!text || !node.checkVisibility() || node.closest(":disabled, script, noscript")) continue;
  const pair = [light(getComputedStyle(node).color), light(behind(node))].sort((a, b) => b - a);
  const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (contrast < 4.5) faint.push(`${text}: ${contrast.toFixed(2)}`);
}
return faint;
"""


class Page:
    """The open page: what is on it, and what it counts."""

    def __init__(self, driver: Any, server: Live, fake: FakeSynthesizer):
        self.driver, self.server, self.fake = driver, server, fake

    def open(self) -> None:
        self.driver.get(f"{self.server.http}/speak")
        self.until_ready()

    def until_ready(self) -> None:
        ready = "return window.speakPage?.speech.ready && window.speakPage.voices.known"
        until(lambda: self.js(ready), "the page is ready")

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, element: str) -> Any:
        return self.driver.find_element("id", element)

    def text(self, element: str) -> str:
        return str(self.find(element).text)

    @property
    def stats(self) -> dict[str, int]:
        return dict(self.js("return {...window.speakPage.stats}"))

    @property
    def is_silent(self) -> bool:
        return self.js("return window.speakPage.player.parts.length") == 0

    def choose(self, element: str, value: str) -> None:
        self.js(
            "const node = document.getElementById(arguments[0]); node.value = arguments[1];"
            "node.dispatchEvent(new Event('input')); node.dispatchEvent(new Event('change'))",
            element,
            value,
        )

    def speak(self, text: str) -> None:
        from selenium.webdriver.common.keys import Keys

        self.find("text").clear()
        self.find("text").send_keys(text, Keys.CONTROL, Keys.ENTER)

    def until_heard(self) -> None:
        until(lambda: self.text("state") == "Finished", "the speech is over and was heard")

    def samples(self) -> bytes:
        """The data of the WAV file that the page offers."""
        address = self.js(
            "return (async () => { const bytes = new Uint8Array("
            "await window.speakPage.deck.clip.wav().arrayBuffer());"
            "return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join('')); })()"
        )
        wav = base64.b64decode(address)
        assert wav[:4] == b"RIFF"
        assert int.from_bytes(wav[24:28], "little") == 24_000
        assert int.from_bytes(wav[40:44], "little") == len(wav) - 44
        return wav[44:]

    def complaints(self) -> list[str]:
        """What the console said since the last call, refusals of the policy included."""
        return [line["message"] for line in self.driver.get_log("browser")]

    def hosts(self) -> set[str]:
        """Who was asked for anything over a network since the last call."""
        hosts = set()
        for line in self.driver.get_log("performance"):
            event = json.loads(line["message"])["message"]
            if event["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                url = event["params"].get("request", event["params"])["url"]
                hosts.update(re.findall(r"^(?:https?|wss?)://([^/]*)", url))
        return hosts
