"""What Prometheus may read: counts, times and gauges, in a registry of their own.

Every label has a short list of values, and what is not on it counts as "other": no text, voice,
key or path of a user becomes a label.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qwen3_tts.server.faults import MEANING, FaultCode

logger = logging.getLogger(__name__)

OTHER = "other"
ROUTES = (
    "speech speak voices models health metrics page openapi"  # names that routes give themselves
).split()
OUTCOMES = "ok refused cancelled error".split()
CODES = {
    "",
    *FaultCode,
    *(str(status) for status, _ in MEANING.values()),
    *(str(status.value) for status in HTTPStatus),
}
ABORTS = "cancelled closed engine_dead slow_reader timeout shutdown error".split()
FINISHES = "stop length cancel guard error".split()
MODEL_STATES = "unloaded loading ready failed closed".split()
CONTINUITY_MS = (10, 50, 100)  # how much silence in all still counts as none

FIRST_AUDIO_S = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30)
GAP_S = (0.01, 0.02, 0.05, 0.08, 0.1, 0.2, 0.5, 1, 2, 5, 10)
WAIT_S = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
UNDERRUN_S = (0, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
RTF = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5, 10)
# values that are asked for when somebody looks; those that end in _total only ever grow
WATCHED = {
    "tts_active_sessions": "Open WebSocket sessions",
    "tts_active_streams": "Streams that speak or wait",
    "tts_queue_depth": "Streams that wait for the engine",
    "tts_voice_cache_bytes": "Memory that prepared voices take",
    "tts_voice_cache_hits_total": "Voices found prepared",
    "tts_voice_cache_misses_total": "Voices that had to be prepared",
    "tts_voice_cache_evictions_total": "Prepared voices dropped for want of room",
}


class Metrics:
    """`models` are the names a `model` label may have: those that are served, not those asked for.

    Numbers that make no sense (NaN, below zero) are left out: no request fails for one.
    """

    def __init__(self, models: Iterable[str] = ()):
        self.registry = CollectorRegistry()
        self._models = set(models)
        self._watched = _Watched()
        self.registry.register(self._watched)
        ProcessCollector(registry=self.registry)
        self._make_counters()
        self._make_histograms()
        for reason in ABORTS:  # 0 from the start, so that a rate sees the first one
            self._aborts.labels(reason=reason)

    def watch(self, name: str, value: Callable[[], float]) -> None:
        """Ask `value` for `name`, one of WATCHED, whenever somebody reads the metrics."""
        assert name in WATCHED, name
        self._watched.values[name] = value

    def watch_model(self, state: Callable[[], str]) -> None:
        """The same for `tts_model_state`, which is 1 for the one of MODEL_STATES it is in."""
        self._watched.model_state = state

    def request_done(self, route: str, model: str, outcome: str, code: str | int = "") -> None:
        """`outcome`: one of OUTCOMES; `code`: a `FaultCode`, an HTTP status or nothing."""
        code = str(code)
        self._requests.labels(
            route=_one_of(ROUTES, route),
            model=_one_of(self._models, model),
            outcome=_one_of(OUTCOMES, outcome),
            code=_one_of(CODES, code),
        ).inc()

    def first_audio(self, seconds: float) -> None:
        """From the request's arrival until its first sound is handed out."""
        _observe(self._first_audio, seconds)

    def chunk_gap(self, seconds: float) -> None:
        """Between two pieces of one stream."""
        _observe(self._gap, seconds)

    def speech_done(
        self,
        *,
        audio_s: float,
        rtf: float,
        underrun_s: float = 0.0,
        finish_reason: str = "stop",
        queue_wait_s: float = 0.0,
        tokens_in: int = 0,
        tokens_out: int = 0,
    ) -> None:
        """One speech that came to its end."""
        _add(self._audio, audio_s)
        _observe(self._rtf, rtf)
        _observe(self._underrun, underrun_s)
        _observe(self._wait, queue_wait_s)
        _add(self._tokens.labels(direction="in"), tokens_in)
        _add(self._tokens.labels(direction="out"), tokens_out)
        reason = {"cancelled": "cancel"}.get(finish_reason, finish_reason.partition(":")[0])
        self._finishes.labels(reason=_one_of(FINISHES, reason)).inc()
        for threshold_ms in CONTINUITY_MS:
            if underrun_s * 1000 <= threshold_ms:
                self._continuity.labels(threshold_ms=threshold_ms).inc()

    def aborted(self, reason: str) -> None:
        """One speech that did not come to its end; `reason`: one of ABORTS."""
        self._aborts.labels(reason=_one_of(ABORTS, reason)).inc()

    def fallback(self) -> None:
        """A speech was made whole because streaming it failed."""
        self._fallbacks.inc()

    def out_of_memory(self) -> None:
        self._oom.inc()

    def render(self) -> tuple[bytes, str]:
        """The text Prometheus reads, and its media type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _make_counters(self) -> None:
        def counter(name: str, help: str, labels: Iterable[str] = ()) -> Counter:
            return Counter(name, help, labels, registry=self.registry)

        labels = ("route", "model", "outcome", "code")
        self._requests = counter("tts_requests_total", "Requests answered", labels)
        self._audio = counter("tts_audio_seconds_total", "Seconds of speech made")
        self._tokens = counter(
            "tts_tokens_total", "Text tokens in, audio frames out", ("direction",)
        )
        self._finishes = counter("tts_finish_total", "Why speeches ended", ("reason",))
        self._aborts = counter("tts_stream_aborted_total", "Speeches cut short", ("reason",))
        self._continuity = counter(
            "tts_continuity_ok_total", "Speeches with no longer silence in all", ("threshold_ms",)
        )
        self._fallbacks = counter("tts_stream_fallback_total", "Speeches made whole instead")
        self._oom = counter("tts_gpu_oom_total", "Times the device ran out of memory")

    def _make_histograms(self) -> None:
        def histogram(name: str, help: str, buckets: Iterable[float]) -> Histogram:
            return Histogram(name, help, buckets=tuple(buckets), registry=self.registry)

        self._wait = histogram("tts_queue_wait_seconds", "Wait for a row of the engine", WAIT_S)
        self._first_audio = histogram("tts_ttfa_seconds", "Time to first audio", FIRST_AUDIO_S)
        self._gap = histogram("tts_chunk_gap_seconds", "Time between two pieces", GAP_S)
        self._rtf = histogram("tts_rtf", "Seconds of work per second of speech", RTF)
        self._underrun = histogram(
            "tts_underrun_seconds", "Silence heard where a speech came too late", UNDERRUN_S
        )


class _Watched(Collector):
    """Values that are asked for when somebody looks. One that fails is left out, and logged."""

    def __init__(self) -> None:
        self.values: dict[str, Callable[[], float]] = {}
        self.model_state: Callable[[], str] | None = None

    def collect(self) -> Iterator[Metric]:
        for name, ask in self.values.items():
            if (value := _asked(name, ask)) is not None:
                kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
                yield kind(name, WATCHED[name], value=float(value))
        if self.model_state is None:
            return
        state = _asked("tts_model_state", self.model_state)
        family = GaugeMetricFamily("tts_model_state", "1 for the state it is in", labels=["state"])
        for name in MODEL_STATES:
            family.add_metric([name], float(name == state))
        yield family


def _asked(name: str, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:  # a border: one part in trouble must not blind those who look for why
        logger.exception("no value for `%s`", name)
        return None


def _one_of(known: Iterable[str], value: str) -> str:
    return value if value in known else OTHER


def _observe(histogram: Histogram, value: float) -> None:
    if math.isfinite(value) and value >= 0:
        histogram.observe(value)


def _add(counter: Counter, value: float) -> None:
    if math.isfinite(value) and value >= 0:
        counter.inc(value)
