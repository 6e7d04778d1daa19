"""A recording made ready to be cloned: examined as it came, cleaned, cut together with its text.

Nothing here needs a model. Who has a speaker encoder hands it in, to tell several speakers apart.
"""

from dataclasses import dataclass
from typing import Any

from qwen3_tts.audio.checks import HealthReport, check_speakers, check_transcript, codes, examine
from qwen3_tts.audio.checks.findings import Finding
from qwen3_tts.audio.checks.health import NO_TRANSCRIPT, Mode, choose_mode
from qwen3_tts.audio.checks.speakers import Embed
from qwen3_tts.audio.excerpt import cut_with_transcript
from qwen3_tts.audio.files import Wave
from qwen3_tts.audio.levels import levels
from qwen3_tts.audio.loudness import SHORTEST_S, gain_db
from qwen3_tts.audio.recording import Cleaned, clean_recording
from qwen3_tts.audio.transcribe import Transcriber, transcribed

ASKED = "it was asked for"


@dataclass(frozen=True, eq=False)
class Reference:
    """What is cloned, and what is known of it.

    `wave` [N] and `text` belong together; there may be a text that `mode` has no use for, and there
    is none where the recording was cut and its text could not be. `notes` say what was done to the
    recording, `gain_db` brings it to the common loudness.
    """

    wave: Wave
    rate: int
    text: str | None
    mode: Mode
    report: HealthReport
    gain_db: float | None
    notes: tuple[str, ...] = ()

    @property
    def checks(self) -> dict[str, Any]:
        """Plain data, for a voice to keep."""
        return {**self.report.as_dict(), "cleaned": list(self.notes)}

    def complaints(self) -> list[str]:
        """A line for each thing that may make the clone worse, with what to do about it."""
        lines = [
            f"recording: {finding.message}; {finding.advice}"
            for finding in self.report.findings
            if finding.severity != "info"
        ]
        if self.mode == "x_vector" and self.report.reason not in (ASKED, NO_TRANSCRIPT):
            lines.append(
                f"recording: cloned from the sound alone, as {self.report.reason}; "
                'mode="icl" keeps it in context all the same'
            )
        return lines


def prepare_reference(
    wave: Wave,
    rate: int,
    text: str | None = None,
    *,
    mode: str = "auto",
    language: str | None = None,
    target: str | None = None,
    embed: Embed | None = None,
    transcribe: Transcriber | None = None,
) -> Reference:
    """Make a mono recording [N] with its transcript ready to be cloned.

    Silent ends and an offset go, and what is over 15 s is cut: at a sentence end of the transcript
    where one can be found for certain, else at a pause. Then the transcript no longer fits and the
    mode is "x_vector", unless "icl" was asked for, which keeps the recording whole. `mode` "auto"
    is `choose_mode`'s. `transcribe` is called where there is no text and "x_vector" was not asked
    for. `language` is a checkpoint's name of it, `target` a text to be spoken in the voice.
    Raises `InvalidAudio` as `examine` does.
    """
    text = text if text and text.strip() else None
    report = examine(wave, rate, text=text, language=language, target=target)
    findings = list(report.findings)
    if "silent" in codes(findings):
        return Reference(wave, rate, text, "x_vector", report, None)
    cleaned, said = _cut(wave, rate, text, mode, language)
    if embed is not None:
        findings += check_speakers(cleaned.wave, rate, embed)
    if text is None and transcribe is not None and mode != "x_vector":
        said = text = transcribed(transcribe, cleaned.wave, rate, language)
        if said is not None:
            speech_s = levels(cleaned.wave, rate).speech_s
            findings += check_transcript(said, speech_s, language, target=target)
    chosen, reason = _mode(mode, findings, text, said)
    loud = len(cleaned.wave) >= SHORTEST_S * rate
    return Reference(
        cleaned.wave,
        rate,
        said,
        chosen,
        report.having(findings, chosen, reason),
        gain_db(cleaned.wave, rate) if loud else None,
        cleaned.notes,
    )


def _cut(
    wave: Wave, rate: int, text: str | None, mode: str, language: str | None
) -> tuple[Cleaned, str | None]:
    """The cleaned recording, and the text that it says; None where there is none that fits."""
    cleaned = clean_recording(wave, rate)
    if not cleaned.cut or text is None:
        return cleaned, text
    if mode != "x_vector":
        excerpt = cut_with_transcript(wave, rate, text, language)
        if excerpt is not None:
            return excerpt
    if mode == "icl":
        whole = clean_recording(wave, rate, longest_s=max(1.0, len(wave) / rate))
        return whole, text
    return cleaned, None


def _mode(
    asked: str, findings: list[Finding], text: str | None, said: str | None
) -> tuple[Mode, str]:
    """`said` is the text that fits what is left of the recording."""
    if asked == "icl":
        return "icl", ASKED
    if asked == "x_vector":
        return "x_vector", ASKED
    if said is not None:  # a cut was made with the text, or the text is of what is left
        findings = [finding for finding in findings if finding.code != "too_long"]
    return choose_mode(findings, text)
