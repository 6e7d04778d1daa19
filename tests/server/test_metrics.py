"""Metrics: what was told can be read back, and no label can be made to grow."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from qwen3_tts.server.faults import FaultCode
from qwen3_tts.server.observe.metrics import ABORTS, MODEL_STATES, WATCHED, Metrics

NAMES = (  # of the agreed set, as far as this server has them
    "tts_requests tts_queue_wait_seconds tts_ttfa_seconds tts_chunk_gap_seconds tts_audio_seconds "
    "tts_rtf tts_underrun_seconds tts_continuity_ok tts_active_sessions tts_queue_depth "
    "tts_stream_aborted tts_tokens tts_finish tts_voice_cache_hits tts_voice_cache_misses "
    "tts_voice_cache_evictions tts_voice_cache_bytes tts_model_state tts_gpu_oom"
).split()


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every series, read by Prometheus' own parser, but for the times they were made at."""
    body, media_type = metrics.render()
    assert media_type.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[name, tuple(sorted(labels.items()))]


def test_the_agreed_names_are_there() -> None:
    metrics = Metrics()
    for name in WATCHED:
        metrics.watch(name, lambda: 1)
    metrics.watch_model(lambda: "ready")
    families = text_string_to_metric_families(metrics.render()[0].decode())
    assert set(NAMES) <= {family.name for family in families}


def test_two_servers_in_one_process_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.out_of_memory()
    assert value(one, "tts_gpu_oom_total") == 1
    assert value(two, "tts_gpu_oom_total") == 0
    assert "tts_" not in "".join(family.name for family in REGISTRY.collect())


def test_a_request() -> None:
    metrics = Metrics(models=["nano", "big"])
    for model in ("nano", "big", "tts-1"):
        metrics.request_done("speech", model, "ok", 200)
    metrics.request_done("speech", "nano", "error", FaultCode.SYNTHESIS_ERROR)
    common = {"route": "speech", "outcome": "ok", "code": "200"}
    for model in ("nano", "big", "other"):
        assert value(metrics, "tts_requests_total", model=model, **common) == 1
    failed = {"route": "speech", "outcome": "error", "code": "SYNTHESIS_ERROR"}
    assert value(metrics, "tts_requests_total", model="nano", **failed) == 1


def test_a_speech() -> None:
    metrics = Metrics()
    metrics.first_audio(0.12)
    metrics.chunk_gap(0.04)
    metrics.speech_done(
        audio_s=2.5,
        rtf=0.25,
        underrun_s=0.03,
        finish_reason="stop",
        queue_wait_s=0.002,
        tokens_in=11,
        tokens_out=31,
    )
    assert value(metrics, "tts_audio_seconds_total") == 2.5
    assert value(metrics, "tts_tokens_total", direction="in") == 11
    assert value(metrics, "tts_tokens_total", direction="out") == 31
    assert value(metrics, "tts_finish_total", reason="stop") == 1
    for name, told in (
        ("tts_ttfa_seconds", 0.12),
        ("tts_chunk_gap_seconds", 0.04),
        ("tts_rtf", 0.25),
        ("tts_underrun_seconds", 0.03),
        ("tts_queue_wait_seconds", 0.002),
    ):
        assert value(metrics, f"{name}_sum") == told
        assert value(metrics, f"{name}_count") == 1
    assert value(metrics, "tts_ttfa_seconds_bucket", le="0.1") == 0
    assert value(metrics, "tts_ttfa_seconds_bucket", le="0.15") == 1
    kept = [key for key in samples(metrics) if key[0] == "tts_continuity_ok_total"]
    assert [dict(labels)["threshold_ms"] for _, labels in kept] == ["50", "100"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("guard:budget", "guard"),
        ("cancelled", "cancel"),
        ("a secret", "other"),
    ],
)
def test_why_a_speech_ended(told: str, reason: str) -> None:
    metrics = Metrics()
    metrics.speech_done(audio_s=1, rtf=1, finish_reason=told)
    assert value(metrics, "tts_finish_total", reason=reason) == 1


def test_aborts_count_from_nought() -> None:
    metrics = Metrics()
    assert value(metrics, "tts_stream_aborted_total", reason="slow_reader") == 0
    for reason in (*ABORTS, "Ann's text"):
        metrics.aborted(reason)
    for reason in (*ABORTS, "other"):
        assert value(metrics, "tts_stream_aborted_total", reason=reason) == 1


@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.text()), max_size=40))
def test_no_text_becomes_a_label(told: list[tuple[str, str, str, str]]) -> None:
    metrics = Metrics(["nano"])
    for route, model, outcome, code in told:
        metrics.request_done("~" + route, "~" + model, "~" + outcome, "~" + code)
        metrics.aborted("~" + code)
        metrics.speech_done(audio_s=0, rtf=0, finish_reason="~" + outcome)
    assert "~" not in metrics.render()[0].decode()
    other = dict.fromkeys(("route", "model", "outcome", "code"), "other")
    if told:
        assert value(metrics, "tts_requests_total", **other) == len(told)


@given(st.floats(), st.integers())
def test_no_number_fails_or_spoils_a_count(number: float, count: int) -> None:
    metrics = Metrics()
    metrics.first_audio(number)
    metrics.chunk_gap(number)
    metrics.speech_done(audio_s=number, rtf=number, underrun_s=number, queue_wait_s=number)
    metrics.speech_done(audio_s=0, rtf=0, tokens_in=min(count, 10**9), tokens_out=-5)
    shown = samples(metrics)
    assert all(math.isfinite(shown[key]) and shown[key] >= 0 for key in shown if "tts_" in key[0])


def test_watched_values_are_asked_for_when_somebody_looks() -> None:
    metrics, now = Metrics(), [3.0]
    metrics.watch("tts_active_sessions", lambda: now[0])
    metrics.watch("tts_voice_cache_hits_total", lambda: now[0])
    for now[0] in (3.0, 5.0):
        assert value(metrics, "tts_active_sessions") == now[0]
        assert value(metrics, "tts_voice_cache_hits_total") == now[0]
    with pytest.raises(AssertionError):
        metrics.watch("tts_new_name", lambda: 0)


def test_the_models_state_is_one_of_a_few() -> None:
    metrics, state = Metrics(), [""]
    metrics.watch_model(lambda: state[0])
    for state[0] in MODEL_STATES:
        for name in MODEL_STATES:
            assert value(metrics, "tts_model_state", state=name) == float(name == state[0])


def test_a_value_that_fails_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    metrics.watch("tts_active_sessions", lambda: 1 // 0)
    metrics.watch("tts_queue_depth", lambda: 4)
    assert value(metrics, "tts_queue_depth") == 4
    assert not any(name == "tts_active_sessions" for name, _ in samples(metrics))
    assert "tts_active_sessions" in caplog.text
