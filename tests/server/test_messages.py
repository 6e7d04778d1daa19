"""What a client may say: every field, its range, its older spelling, and how mistakes are told."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices

from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.websocket.flood import MAX_EARLY, MAX_EARLY_CHARS
from qwen3_tts.server.websocket.messages import Cancel, Ping, Speak, Start, Stop, parse
from qwen3_tts.server.websocket.session import (
    MAX_MISTAKES,
    MAX_WAITING,
    MESSAGE_BURST,
    MESSAGES_PER_S,
)


def refusal(raw: str) -> Fault:
    with pytest.raises(Fault) as caught:
        parse(raw)
    assert caught.value.code is FaultCode.INVALID_MESSAGE
    assert caught.value.recoverable is True
    return caught.value


def message(kind: str, **fields: Any) -> Any:
    return parse(json.dumps({"type": kind, **fields}))


def test_all_may_be_left_out_but_the_text() -> None:
    assert message("start") == Start(type="start")
    assert message("cancel") == Cancel(type="cancel")
    assert message("stop") == Stop(type="stop")
    assert message("ping") == Ping(type="ping")
    speak = message("speak", text="Hi")
    assert (speak.text, speak.priority, speak.more) == ("Hi", "normal", None)
    left_out = (speak.voice, speak.language, speak.instructions, speak.seed, speak.request_id)
    assert left_out == (None,) * 5


def test_every_field_of_start() -> None:
    start = message(
        "start",
        sampleRate=16_000,
        encoding="pcm32f",
        transport="json",
        voice="Anna",
        style="happy",
        language="German",
        instructions="calm",
        seed=2**63 - 1,
        speed=1,
        authToken="secret",
        contractId="contract",
    )
    assert start.model_dump() == {
        "type": "start",
        "sample_rate": 16_000,
        "encoding": "pcm32f",
        "transport": "json",
        "voice": "Anna",
        "style": "happy",
        "language": "German",
        "instructions": "calm",
        "seed": 2**63 - 1,
        "speed": 1.0,
        "auth_token": "secret",
        "contract_id": "contract",
    }


def test_older_spellings_mean_the_same() -> None:
    snake = message("start", sample_rate=8_000, auth_token="a", contract_id="c")
    assert snake == message("start", sampleRate=8_000, authToken="a", contractId="c")
    speak = message("synthesize", text="Hi", request_id="r", stream=True)
    assert (speak.text, speak.request_id) == ("Hi", "r")
    assert message("cancel", request_id="r") == message("cancel", requestId="r")


def test_a_null_is_a_field_left_out() -> None:
    assert message("start", voice=None, seed=None, sampleRate=None) == Start(type="start")
    assert message("speak", text="Hi", voice=None, **{"continue": None}).more is None


def test_what_nobody_knows_is_left_alone() -> None:
    assert message("ping", later="field", deep={"a": [1]}) == Ping(type="ping")


@pytest.mark.parametrize(
    ("kind", "name", "inside", "outside"),
    [
        ("start", "sampleRate", [8_000, 48_000], [7_999, 48_001, 16_000.5, "16000", True, -1]),
        ("start", "encoding", ["pcm16", "pcm32f"], ["pcm_s16le", "PCM16", "", 16]),
        ("start", "transport", ["binary", "json"], ["text", ""]),
        ("start", "voice", ["", "v" * 128], ["v" * 129, 7, {"id": "v"}, "\ud800"]),
        ("start", "language", ["Auto", "English"], ["l" * 129, ["English"]]),
        ("start", "instructions", ["", "i" * 2000], ["i" * 2001, 1, "\udfff"]),
        ("start", "seed", [0, 2**63 - 1], [-1, 2**63, 1.5, "1", True]),
        ("start", "speed", [0.25, 1, 4, 1.5], [0.24, 4.01, 0, -1, "1"]),
        ("start", "authToken", ["", "t" * 8192], ["t" * 8193, 1]),
        ("start", "contractId", ["c" * 128], ["c" * 129, 1]),
        ("speak", "priority", ["low", "normal", "high"], ["urgent", "", 1]),
        ("speak", "voice", ["v" * 128], ["v" * 129]),
        ("speak", "language", ["l" * 128], ["l" * 129]),
        ("speak", "instructions", ["i" * 2000], ["i" * 2001]),
        ("speak", "seed", [0, 2**63 - 1], [-1, 2**63]),
        ("speak", "requestId", ["a", "A-1_b.c:d", "r" * 64], ["", "r" * 65, "a b", "a\n", 1]),
        ("speak", "continue", [True, False], [1, "true", 0]),
        ("cancel", "requestId", ["r" * 64], ["", "r" * 65, "a\nb"]),
        ("stop", "reason", ["", "r" * 256], ["r" * 257, 1, "\ud800"]),
    ],
)
def test_ranges(kind: str, name: str, inside: list[Any], outside: list[Any]) -> None:
    given = {"text": "Hi"} if kind == "speak" else {}
    for value in inside:
        message(kind, **given, **{name: value})
    for value in outside:
        fault = refusal(json.dumps({"type": kind, **given, name: value}))
        assert fault.param == name
        assert f"`{name}`" in fault.message


@pytest.mark.parametrize(
    "raw",
    ["", " ", "{", "nul", "[" * 60_000, '{"type":' * 10_000, '{"type": "ping", "n": NaN}',
     '{"type": "start", "speed": Infinity}', '{"type": "start", "seed": ' + "9" * 5_000 + "}"],
)  # fmt: skip
def test_what_is_no_json(raw: str) -> None:
    assert refusal(raw).message == "the message is not JSON"


@pytest.mark.parametrize("raw", ["[]", "1", '"ping"', "null", "true"])
def test_what_is_no_object(raw: str) -> None:
    assert refusal(raw).message == "the message is not a JSON object"


@pytest.mark.parametrize("kind", [None, "", "PING", "audioChunk", 7, {}, ["ping"], "k" * 5_000])
def test_unknown_kinds_are_told_with_those_there_are(kind: Any) -> None:
    fault = refusal(json.dumps({"type": kind}))
    assert fault.param == "type"
    assert fault.message.endswith("have: start, speak, cancel, stop, ping")
    assert len(fault.message) < 200, "nobody is sent back what they sent"


def test_a_mistake_never_repeats_a_secret() -> None:
    fault = refusal(json.dumps({"type": "start", "authToken": ["secret-key"], "speed": 1}))
    assert "secret-key" not in fault.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("type", "text", "voice", "seed", "speed", "requestId", "continue", "sampleRate", "reason")
KINDS = ("start", "speak", "synthesize", "cancel", "stop", "ping")


def answered(raw: str) -> None:
    """It is a message, or what is wrong with it can be told."""
    fault = None
    try:
        parse(raw)
    except Fault as raised:
        fault = raised
    assert fault is None or fault.code is FaultCode.INVALID_MESSAGE
    assert fault is None or fault.message.encode()


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_object_is_a_message_or_a_fault(kind: str, fields: dict[str, Any]) -> None:
    answered(json.dumps({"type": kind, **fields}))


@given(st.text())
def test_any_text_is_a_message_or_a_fault(raw: str) -> None:
    answered(raw)


def test_a_speak_is_the_one_kind_that_must_say_something() -> None:
    assert refusal('{"type": "speak"}').param == "text"
    assert isinstance(message("speak", text=""), Speak), "what it says is judged when it is spoken"


def test_the_documentation_names_every_field_and_limit() -> None:
    text = (Path(__file__).parents[2] / "docs" / "websocket.md").read_text()
    for kind in (Start, Speak, Cancel, Stop, Ping):
        for name, field in kind.model_fields.items():
            alias = field.validation_alias
            spelled = alias.choices[0] if isinstance(alias, AliasChoices) else alias or name
            assert name == "type" or f"`{spelled}`" in text or f"{{{spelled}?}}" in text, spelled
    settings = load_settings()
    for name, value in re.findall(r"`(max_\w+|\w+_s)`[^|\n(]*\(([\d,]+)\)", text):
        assert getattr(settings, name) == int(value.replace(",", "")), name
    rows = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| ([\d, ]+) \|", text, re.MULTILINE)
    assert len(rows) >= 8
    for names, values in rows:
        told = re.split(r",\s", values)
        for name, value in zip(names.split(", "), told, strict=True):
            assert getattr(settings, name.strip("`")) == int(value.replace(",", "")), name
    assert f"{MAX_WAITING} may wait" in text
    assert f"{MAX_WAITING} waiting texts" in text
    assert f"up to {MAX_EARLY}, with {MAX_EARLY_CHARS:,} characters" in text
    assert f"{MESSAGES_PER_S} messages a second after {MESSAGE_BURST} at once" in text
    assert f"{MAX_MISTAKES} mistakes" in text


def test_a_number_beyond_all_numbers_is_out_of_range() -> None:
    assert refusal('{"type": "start", "speed": 1e400}').param == "speed"
