"""The page: how its files are served, and in a real browser what a person does with it.

The fake synthesizer's samples are known for a seed and a voice, so what the page received, and what
it put on the audio graph, is compared with them one by one.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.server.app import create_app
from qwen3_tts.server.page import routes as page
from qwen3_tts.server.settings import load_settings
from tests.server.browser import FAINT, JOIN, Page, browser, need_browser, resize, until, use_theme
from tests.server.live import live

STATIC = Path(page.__file__).parent / "static"
KEY = "a-key-for-this-test"


def make_app(folder: Path, fake: FakeSynthesizer, **settings: Any) -> Any:
    return create_app(load_settings(engine="fake", voices_dir=folder, **settings), synthesizer=fake)


# how files are served


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(make_app(tmp_path, FakeSynthesizer()), base_url="http://localhost") as client:
        yield client


def test_every_file_is_served_with_its_type_and_strict_headers(client: TestClient) -> None:
    for path, name in [("/speak", page.PAGE), *((f"/static/{name}", name) for name in page.FILES)]:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.content == (STATIC / name).read_bytes(), path
        assert answer.headers["content-type"] == page.TYPES[name.rsplit(".", 1)[1]]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert not re.search(r"unsafe|http:|https:|\*", " ".join(policy))


def test_the_list_is_what_lies_in_the_folder() -> None:
    assert {page.PAGE, *page.FILES} == {path.name for path in STATIC.iterdir()}


def test_the_root_leads_to_the_page(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/speak")


def test_a_known_file_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/static/app.js").headers["etag"]
    again = client.get("/static/app.js", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get("/static/app.js", headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.head("/speak").content == b""


@pytest.mark.parametrize(
    "name",
    ["", "index.html", "../page.py", "%2e%2e/page.py", "..%2fpage.py", "app.js/", "/app.js",
     "app.js%00", "APP.JS", "sub/app.js", "....//page.py", "..\\page.py"],
)  # fmt: skip
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    answer = client.get(f"/static/{name}", follow_redirects=False)
    assert answer.status_code == 404
    assert b"APIRouter" not in answer.content


def test_the_files_name_no_other_host_and_hold_no_inline_code() -> None:
    html = (STATIC / page.PAGE).read_text()
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    for path in STATIC.iterdir():
        hosts = set(re.findall(r"(?:https?:)?//[a-z][\w-]*\.\w[\w./-]*", path.read_text()))
        assert hosts <= {"http://www.w3.org/2000/svg"}, path.name  # a namespace, never fetched


# in a browser


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    need_browser()
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        resize(driver, 1280, 900)
        yield driver


@pytest.fixture
def at(driver: Any, tmp_path: Path) -> Iterator[Page]:
    """The page of a server with presets, open and ready, nothing kept from before."""
    fake = FakeSynthesizer(frame_s=0.004)
    with live(make_app(tmp_path, fake)) as server:
        opened = Page(driver, server, fake)
        opened.open()
        yield opened
        driver.get("about:blank")
        driver.get_log("browser")


def test_it_opens_cleanly(at: Page) -> None:
    assert at.text("connection-text") == "Ready"
    options = at.driver.find_elements("css selector", "#voice option")
    assert sorted(option.get_attribute("value") for option in options) == at.fake.voices
    languages = at.driver.find_elements("css selector", "#language option")
    assert [option.text for option in languages] == ["Auto", "Chinese", "English", "German"]
    assert at.find("clone-closed").is_displayed(), "this model cannot clone, and the page says so"
    assert at.complaints() == []
    assert at.hosts() == {f"127.0.0.1:{at.server.port}"}
    at.js("fetch('http://127.0.0.2:9/').catch(() => {})")  # the policy is in force, and heard of
    assert "Content Security Policy" in until(at.complaints, "a refusal")[0]


def test_it_plays_every_sample_that_was_sent(at: Page) -> None:
    text = "Every sample"
    at.choose("seed", "7")
    at.choose("voice", "bob")
    at.speak(text)
    at.until_heard()
    wanted = expected_wave(text, seed=7, voice="bob")
    assert at.samples() == pcm16(wanted)
    stats = at.stats
    assert {stats["samplesReceived"], stats["samplesPlayed"], stats["samplesHeard"]} == {
        len(wanted)
    }
    assert at.text("stat-seed") == "7"
    assert at.text("stat-length") == f"{len(wanted) / 24_000:.2f} s"
    assert re.fullmatch(r"\d+ ms", at.text("stat-first"))
    assert at.complaints() == []
    at.find("play").click()  # and again
    until(lambda: at.stats["samplesHeard"] == 2 * len(wanted), "it was heard twice")


def test_chunks_of_any_length_join_without_a_gap(at: Page) -> None:
    """What the graph renders is the chunks put together, sample by sample, at odd rates too."""
    for rate in (24_000, 22_050, 44_100):
        worst = at.driver.execute_async_script(JOIN, rate)
        assert worst == 0, (rate, worst)  # half a sample late would be off by more than 1


def test_cancel_stops_the_sound_and_frees_the_row(at: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    at.speak("[slow:0.15] A long story that nobody wants to hear to its very end, as it happens.")
    until(lambda: at.stats["underruns"] and not at.is_silent, "sound, in pieces")
    assert int(at.text("stat-gaps")) > 0, "made at half the speed it is heard at, and shown so"
    assert at.fake.active == 1
    at.find("text").send_keys(Keys.ESCAPE)
    assert at.is_silent
    until(lambda: at.fake.active == 0, "the row is free", limit_s=1)
    received = at.stats["samplesReceived"]
    at.speak("Next.")  # the same socket goes on
    at.until_heard()
    assert at.stats["samplesReceived"] == received + len(expected_wave("Next.", seed=1))
    assert at.text("error") == ""


def test_a_reload_in_the_middle_of_speech(at: Page) -> None:
    at.speak("[slow:0.05] This is cut short by a reload.")
    until(lambda: at.stats["samplesReceived"] > 0, "sound")
    at.driver.refresh()
    at.until_ready()
    until(lambda: at.fake.active == 0, "the row is free", limit_s=1)
    assert at.find("text").get_attribute("value").endswith("cut short by a reload.")
    at.speak("Again.")
    at.until_heard()
    assert at.complaints() == []


def test_errors_are_told_and_the_connection_comes_back(at: Page) -> None:
    at.speak("!!!")
    until(lambda: at.text("error"), "an error")
    assert "INVALID_TEXT" in at.text("error")
    assert "no letter and no digit" in at.text("error")
    at.speak("Half of this [fail:3]")
    until(lambda: at.text("error").startswith("SYNTHESIS_ERROR"), "an error")
    assert at.stats["failed"] == 2
    at.js("window.speakPage.speech.wire.socket.close()")  # as when the network drops
    until(lambda: at.text("connection-text").startswith("Reconnecting"), "it says so")
    at.speak("Back.")
    at.until_heard()
    assert at.text("error") == ""


def test_both_themes_on_wide_and_narrow_screens(at: Page, tmp_path: Path) -> None:
    at.speak("A sound to look at.")
    at.until_heard()
    looks = {}
    for theme in ("light", "dark"):
        use_theme(at.driver, theme)
        for width, height in ((1280, 900), (390, 844)):
            resize(at.driver, width, height)
            looks[theme, width] = at.driver.get_screenshot_as_png()
            assert at.js("return document.documentElement.scrollWidth") <= width
            assert at.js(FAINT) == []
    assert len(set(looks.values())) == 4
    resize(at.driver, 1280, 900)
    at.find("theme").click()  # the system says dark
    assert at.driver.get_screenshot_as_png() != looks["dark", 1280]
    at.js("localStorage.clear()")
    use_theme(at.driver, "light")
    nameless = [
        node.get_attribute("id")
        for node in at.driver.find_elements("css selector", "button, input, select, textarea")
        if node.is_displayed() and not node.accessible_name
    ]
    assert nameless == []


def test_a_voice_is_recorded_used_and_deleted(driver: Any, tmp_path: Path) -> None:
    fake = FakeSynthesizer("base", frame_s=0.004)
    with live(make_app(tmp_path, fake)) as server:
        at = Page(driver, server, fake)
        at.open()
        at.find("record").click()  # the browser's own microphone, which beeps
        until(lambda: at.text("record-text") in ("Stop 2 s", "Stop 3 s"), "two seconds")
        at.find("record").click()
        until(lambda: at.find("take").is_displayed(), "the recording is there to be heard")
        at.find("enrol").click()
        assert at.text("clone-error") == "Give the voice a name."
        at.find("voice-name").send_keys("Ünique")
        at.find("consent").click()
        at.find("enrol").click()
        until(lambda: "ready" in at.text("clone-state"), "the voice is made")
        assert at.js("return window.speakPage.voices.chosen.name") == "Ünique"
        at.speak("In my voice.")
        at.until_heard()
        assert at.stats["samplesHeard"] == len(expected_wave("In my voice.", seed=1))
        at.find("preview").click()
        until(lambda: at.text("state") == "Preview of Ünique", "the preview sounds")
        at.find("forget").click()
        at.driver.find_element("css selector", "#confirm .danger").click()
        until(lambda: not at.driver.find_elements("css selector", "#voice option"), "it is gone")
        assert at.complaints() == []
        driver.get("about:blank")


def test_a_key_is_asked_for_and_kept_in_the_tab(driver: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    fake = FakeSynthesizer(frame_s=0.004)
    with live(make_app(tmp_path, fake, api_keys=(KEY,))) as server:
        at = Page(driver, server, fake)
        driver.get(f"{server.http}/speak")
        until(lambda: at.find("key-form").is_displayed(), "the page asks for a key")
        at.find("key").send_keys("wrong", Keys.ENTER)
        until(lambda: "not accepted" in at.text("error"), "the wrong key is refused")
        at.find("key").send_keys(KEY, Keys.ENTER)
        at.until_ready()
        assert not at.find("key-form").is_displayed()
        at.driver.refresh()
        at.until_ready()
        at.speak("Let in.")
        at.until_heard()
        assert at.js("return localStorage.getItem('qwen3-tts.key')") is None
        driver.get("about:blank")
