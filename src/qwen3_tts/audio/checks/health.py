"""All that is known of a recording before it is cloned, in one report.

report = examine(wave, rate, text="what it says", language="english")
print(report.as_text())
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from qwen3_tts.audio.checks.findings import Finding, codes
from qwen3_tts.audio.checks.measures import bandwidth_hz, snr_db
from qwen3_tts.audio.checks.recording import LOOKED_AT_S, check_recording
from qwen3_tts.audio.checks.speakers import Embed, check_speakers
from qwen3_tts.audio.checks.transcript import check_transcript, speaking_rate
from qwen3_tts.audio.files import Wave, checked_rate, finite
from qwen3_tts.audio.levels import BLOCK_S, levels
from qwen3_tts.audio.loudness import SHORTEST_S, loudness

Mode = Literal["icl", "x_vector"]
Quality = Literal["good", "fair", "poor"]

# Why in-context cloning would go wrong: it goes on from the recording and its transcript, word by
# word, noise by noise; a speaker vector sums a recording up, and leaves most faults behind.
_AGAINST_ICL = {
    "silent": "the recording is silent",
    "transcript_empty": "the transcript has no words",
    "transcript_swapped": "the transcript seems to be swapped with the text to be spoken",
    "transcript_short": "the transcript has too few words for the recording",
    "transcript_long": "the transcript has too many words for the recording",
    "transcript_language": "the transcript is not written in the language given",
    "language_differs": "the text to be spoken is in another language than the recording",
    "too_long": "the recording is cut, and the transcript no longer says what is left",
    "several_speakers": "the recording has more than one speaker",
    "music": "there is music behind the voice, which would be repeated",
    "long_pause": "there is a long pause in the recording, which would be repeated",
}
_AGAINST_ICL_IF_BAD = {
    "noise": "the recording is too noisy, and its noise would be repeated",
    "clipping": "the recording is badly clipped, which would be repeated",
}
_POOR_FROM = 3  # warnings

NO_TRANSCRIPT = "there is no transcript"  # a reason for "x_vector"


def choose_mode(findings: Iterable[Finding], text: str | None) -> tuple[Mode, str]:
    """How to clone this recording, and why.

    "icl" (in context: nearer to the voice and its manner) where there is a transcript and nothing
    speaks against it, else "x_vector" (from the sound alone: safer).
    """
    if text is None or not text.strip():
        return "x_vector", NO_TRANSCRIPT
    for finding in findings:
        reason = _AGAINST_ICL.get(finding.code)
        if finding.severity == "error":
            reason = reason or _AGAINST_ICL_IF_BAD.get(finding.code)
        if reason:
            return "x_vector", reason
    return "icl", "the transcript fits the recording, and nothing speaks against it"


@dataclass(frozen=True)
class HealthReport:
    """A recording before it is cloned: what was measured, what is wrong, how to clone it.

    `quality` says what to expect of a clone: "good" without a warning, "poor" with an error or
    three warnings, else "fair". `speaking_rate` is in syllables per second of speech.
    """

    findings: tuple[Finding, ...]
    mode: Mode
    reason: str
    quality: Quality
    seconds: float
    speech_s: float
    sample_rate: int
    peak_db: float  # of full scale
    loudness_lufs: float | None  # None: silent, or under 10 ms
    snr_db: float | None  # None: too short to tell
    bandwidth_hz: float | None
    speaking_rate: float | None = None  # None: no transcript
    language: str | None = None

    def having(self, findings: Iterable[Finding], mode: Mode, reason: str) -> "HealthReport":
        """The report with these findings in place of its own, and the quality they make."""
        found = tuple(findings)
        return replace(self, findings=found, quality=_quality(found), mode=mode, reason=reason)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as JSON has it."""
        return {**asdict(self), "findings": [finding.as_dict() for finding in self.findings]}

    def as_text(self) -> str:
        """Lines for people: the measures, each finding with its advice, and the mode."""
        lines = [f"recording   {self._measures()}", f"quality     {self.quality}"]
        for finding in self.findings:
            lines.append(f"{finding.severity:<12}{finding.message}")
            lines.append(f"            {finding.advice}")
        lines.append(f"mode        {self.mode}: {self.reason}")
        return "\n".join(lines)

    def _measures(self) -> str:
        parts = [f"{self.seconds:.1f} s ({self.speech_s:.1f} s of speech), {self.sample_rate} Hz"]
        parts.append(f"peak {self.peak_db:.1f} dB")
        if self.loudness_lufs is not None:
            parts.append(f"{self.loudness_lufs:.1f} LUFS")
        if self.snr_db is not None:
            parts.append(f"speech over noise {self.snr_db:.0f} dB")
        if self.bandwidth_hz is not None:
            parts.append(f"up to {self.bandwidth_hz:.0f} Hz")
        if self.speaking_rate is not None:
            parts.append(f"{self.speaking_rate:.1f} syllables/s")
        return ", ".join(parts)


def examine(
    wave: Wave,
    rate: int,
    *,
    text: str | None = None,
    language: str | None = None,
    target: str | None = None,
    target_language: str | None = None,
    embed: Embed | None = None,
) -> HealthReport:
    """Check a mono recording [N] as it came, and its transcript where there is one.

    See `check_recording`, `check_transcript` and `check_speakers` (which needs `embed`). Raises
    `InvalidAudio` for no samples, NaN, infinity or a rate outside 1,000..768,000.
    """
    wave, rate = finite(wave), checked_rate(rate)
    findings = check_recording(wave, rate)
    level = levels(wave, rate)
    silent = "silent" in codes(findings)
    if embed and not silent:
        findings += check_speakers(wave, rate, embed)
    if text is not None:
        findings += check_transcript(
            text, level.speech_s, language, target=target, target_language=target_language
        )
    mode, reason = choose_mode(findings, text)
    part = wave[: int(LOOKED_AT_S * rate)]
    centred = part - np.float32(part.mean(dtype=np.float64))
    loud = loudness(wave, rate) if len(wave) >= rate * SHORTEST_S else -np.inf
    return HealthReport(
        findings=tuple(findings),
        mode=mode,
        reason=reason,
        quality=_quality(findings),
        seconds=len(wave) / rate,
        speech_s=0.0 if silent else level.speech_s,
        sample_rate=rate,
        peak_db=20 * float(np.log10(max(float(np.abs(wave).max()), 1e-6))),
        loudness_lufs=loud if np.isfinite(loud) else None,
        snr_db=None if silent else snr_db(centred, rate, level.speech, BLOCK_S),
        bandwidth_hz=None if silent else bandwidth_hz(centred, rate),
        speaking_rate=speaking_rate(text, level.speech_s, language) if text else None,
        language=language,
    )


def _quality(findings: Sequence[Finding]) -> Quality:
    severities = [finding.severity for finding in findings]
    if "error" in severities or severities.count("warning") >= _POOR_FROM:
        return "poor"
    return "fair" if "warning" in severities else "good"
