"""Faults of a recording that make bad clones, each told with what to do about it."""

import numpy as np

from qwen3_tts.audio.checks.findings import Finding
from qwen3_tts.audio.checks.measures import bandwidth_hz, clipping, snr_db
from qwen3_tts.audio.checks.music import BEAT_LIMIT, TONES_LIMIT, beat, tones
from qwen3_tts.audio.files import Wave, checked_rate, finite
from qwen3_tts.audio.levels import BLOCK_S, Levels, levels
from qwen3_tts.errors import InvalidAudio

LONGEST_S = 15.0  # of a reference: more makes clones slower, not better
SHORT_S, TOO_SHORT_S = 3.0, 1.0  # of speech, pauses not counted

LOOKED_AT_S = 30.0  # of a longer recording: its beginning, so that hours cost no more
_SILENT = 1e-3  # peak, -60 dB of full scale: below it there is nothing to clone
_DC = 0.005  # of full scale: it makes a click at either end
_LOW_DB, _VERY_LOW_DB = -40.0, -55.0  # of full scale, the loud parts of the speech
_PAUSE_S = 1.5
_SPOKEN = 0.5  # of the time from the first word to the last
_NOISY_DB, _VERY_NOISY_DB = 18.0, 8.0
_NARROW_HZ = 4_200.0  # a telephone's reach 3,400 and leave nothing over 4,000
_CLIPPED, _BADLY_CLIPPED = 2e-4, 5e-3  # share of samples
_TOPS = 5  # flat ones, at least: one may be a strong consonant
_ABRUPT_DB = 15.0  # under the loud parts: as loud as this there is no end of a word,
_ABRUPT_OVER_DB = 10.0  # where it is over the noise as well
_ABRUPT_S = 0.02


def check_recording(wave: Wave, rate: int) -> list[Finding]:
    """Look for faults in a mono recording [N], as it came: not resampled, not cleaned.

    Codes, in this order: `silent` (then nothing else is looked at), `too_short`, `too_long`,
    `clipping`, `low_level`, `dc_offset`, `noise`, `music`, `narrow_band`, `long_pause`,
    `mostly_silence`, `cut_off`. Of a recording over 30 s all but `too_long` look at the first 30.
    Raises `InvalidAudio` for no samples, NaN, infinity or a rate outside 1,000..768,000.
    """
    wave, rate = finite(wave), checked_rate(rate)
    if not len(wave):
        raise InvalidAudio("the recording holds no samples")
    peak = float(np.abs(wave).max())
    if peak < _SILENT:
        return [_silent(peak)]
    part = wave[: int(LOOKED_AT_S * rate)]
    centred = part - np.float32(part.mean(dtype=np.float64))
    level = levels(part, rate)
    checks = (
        _too_short(level),
        _too_long(len(wave) / rate),
        _clipping(part, rate),
        _low_level(level),
        _dc_offset(part),
        _noise(centred, rate, level),
        _music(centred, rate),
        _narrow_band(centred, rate),
        _long_pause(level),
        _mostly_silence(level),
        _cut_off(centred, rate, level) if len(part) == len(wave) else None,
    )
    return [finding for finding in checks if finding]


def _silent(peak: float) -> Finding:
    return Finding(
        "silent",
        "error",
        "the recording is silent: its peak is below -60 dB",
        "check the microphone and its input, then record again",
        20 * float(np.log10(max(peak, 1e-6))),
    )


def _too_short(level: Levels) -> Finding | None:
    if level.speech_s >= SHORT_S:
        return None
    return Finding(
        "too_short",
        "error" if level.speech_s < TOO_SHORT_S else "warning",
        f"there are only {level.speech_s:.1f} s of speech in the recording",
        f"record {SHORT_S:g} to {LONGEST_S:g} s of speech; 5 to 10 s is best",
        level.speech_s,
    )


def _too_long(seconds: float) -> Finding | None:
    if seconds <= LONGEST_S:
        return None
    return Finding(
        "too_long",
        "warning",
        f"the recording lasts {seconds:.1f} s; what is over {LONGEST_S:g} s will be cut off",
        "cut it yourself at the end of a sentence, and its transcript at the same place",
        seconds,
    )


def _clipping(wave: Wave, rate: int) -> Finding | None:
    share, tops = clipping(wave, rate)
    if share < _CLIPPED or tops < _TOPS:
        return None
    return Finding(
        "clipping",
        "error" if share >= _BADLY_CLIPPED else "warning",
        f"the recording is clipped: {100 * share:.2f} % of it is cut flat",
        "lower the level of the microphone and record again; turning the volume down afterwards "
        "does not help",
        share,
    )


def _low_level(level: Levels) -> Finding | None:
    if level.speech_db >= _LOW_DB:
        return None
    return Finding(
        "low_level",
        "error" if level.speech_db < _VERY_LOW_DB else "warning",
        f"the speech is very soft: {level.speech_db:.0f} dB of full scale",
        "go nearer to the microphone or raise its level, and record again",
        level.speech_db,
    )


def _dc_offset(wave: Wave) -> Finding | None:
    offset = float(wave.mean(dtype=np.float64))
    if abs(offset) < _DC:
        return None
    return Finding(
        "dc_offset",
        "info",
        f"the recording is off its middle by {100 * offset:.1f} % of full scale",
        "nothing needs to be done: it is put right before cloning",
        offset,
    )


def _noise(wave: Wave, rate: int, level: Levels) -> Finding | None:
    snr = snr_db(wave, rate, level.speech, BLOCK_S)
    if snr is None or snr >= _NOISY_DB:
        return None
    return Finding(
        "noise",
        "error" if snr < _VERY_NOISY_DB else "warning",
        f"the speech is only {snr:.0f} dB over the noise behind it",
        "record in a quiet room, near the microphone; clones repeat the noise they hear",
        snr,
    )


def _music(wave: Wave, rate: int) -> Finding | None:
    steady, rhythm = tones(wave, rate), beat(wave, rate)
    if steady < TONES_LIMIT and rhythm < BEAT_LIMIT:
        return None
    what = "steady tones" if steady >= TONES_LIMIT else "a steady beat"
    return Finding(
        "music",
        "warning",
        f"there are {what} in the recording, as of music or a machine",
        "use a recording of the voice alone; clones repeat what is behind it",
        max(steady / TONES_LIMIT, rhythm / BEAT_LIMIT),
    )


def _narrow_band(wave: Wave, rate: int) -> Finding | None:
    highest = bandwidth_hz(wave, rate)
    if highest is None or highest >= _NARROW_HZ:
        return None
    return Finding(
        "narrow_band",
        "warning",
        f"the recording has nothing above {highest:.0f} Hz, like a telephone call",
        "use a recording with the full sound, 8,000 Hz at least: a clone sounds as dull as this",
        highest,
    )


def _long_pause(level: Levels) -> Finding | None:
    longest = max((end - start for start, end in level.pauses()), default=0.0)
    if longest < _PAUSE_S:
        return None
    return Finding(
        "long_pause",
        "warning",
        f"there is a pause of {longest:.1f} s inside the recording",
        "cut the pause out, or use the part before or after it; clones repeat long pauses",
        longest,
    )


def _mostly_silence(level: Levels) -> Finding | None:
    spans = level.spans(speech=True)
    if not spans:
        return None
    share = level.speech_s / (spans[-1][1] - spans[0][0])
    if share >= _SPOKEN:
        return None
    return Finding(
        "mostly_silence",
        "warning",
        f"only {100 * share:.0f} % of the recording is speech, the rest is silence",
        "use a recording with fewer and shorter pauses",
        share,
    )


def _cut_off(wave: Wave, rate: int, level: Levels) -> Finding | None:
    count = max(1, round(_ABRUPT_S * rate))
    loudest = max(level.speech_db - _ABRUPT_DB, level.noise_db + _ABRUPT_OVER_DB)
    last, first = (
        10 * float(np.log10(np.mean(np.square(edge, dtype=np.float64)) + 1e-12))
        for edge in (wave[-count:], wave[:count])
    )
    if max(last, first) < loudest:
        return None
    where, kept = ("ends", "after") if last >= loudest else ("begins", "before")
    return Finding(
        "cut_off",
        "info",
        f"the recording {where} in the middle of a sound",
        f"leave a moment of silence {kept} the speech, so that no word is cut",
        max(last, first),
    )
