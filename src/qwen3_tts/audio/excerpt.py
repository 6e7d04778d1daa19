"""The beginning of a long recording together with that part of its transcript.

Where a sentence ends is foreseen from its share of the transcript's syllables, as if the speaker
kept one pace. A pause close by, and no other sentence end that could be meant, make it certain
enough; else there is no excerpt, and the voice is cloned from the sound alone.
"""

import re

from qwen3_tts.audio.checks.syllables import count_syllables
from qwen3_tts.audio.checks.transcript import check_transcript
from qwen3_tts.audio.files import Wave, checked_rate, finite
from qwen3_tts.audio.levels import BLOCK_S, Levels, levels
from qwen3_tts.audio.recording import LONGEST_S, Cleaned, clean_recording

_SHORTEST_S = 3.0
_PAUSE_S = 0.2  # at the end of a sentence, at least
_KEPT_S = 0.25  # of that pause
_OFF_S, _OFF_SHARE = 0.35, 0.05  # the pause may be this far from where it was foreseen
_APART_S = 0.7  # and any other sentence end must be this much farther from it
_SENTENCE = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*")


def cut_with_transcript(
    wave: Wave, rate: int, text: str, language: str | None, *, longest_s: float = LONGEST_S
) -> tuple[Cleaned, str] | None:
    """Cut a recording [N] and its transcript at the same sentence end, within `longest_s`.

    None where no sentence end can be found with certainty, or the transcript does not fit the
    recording in the first place. Raises what `clean_recording` raises.
    """
    wave, rate = finite(wave), checked_rate(rate)
    whole = clean_recording(wave, rate, longest_s=max(longest_s, len(wave) / rate))
    level = levels(whole.wave, rate)
    if check_transcript(text, level.speech_s, language):
        return None
    ends = _sentence_ends(text, language, level.speech_s)
    found = [
        (end_s, place)
        for pause in level.pauses()
        if _SHORTEST_S <= (end_s := _end_of(pause)) <= longest_s
        and (place := _sentence_at(pause, ends, level))
    ]
    if not found:
        return None
    end_s, place = found[-1]
    part = whole.wave[: round(end_s * rate)]
    cleaned = clean_recording(part, rate, longest_s=longest_s)
    said = text[:place].strip()
    if check_transcript(said, levels(cleaned.wave, rate).speech_s, language):
        return None
    note = f"the recording and its transcript were cut after {end_s:.1f} s, at a sentence end"
    notes = (*whole.notes, note)
    start_s = whole.start_s + cleaned.start_s
    return Cleaned(cleaned.wave, rate, start_s, whole.start_s + cleaned.end_s, notes, True), said


def _sentence_ends(text: str, language: str | None, speech_s: float) -> list[tuple[float, int]]:
    """When each sentence but the last ends, in seconds of speech, and its place in the text."""
    places = [match.end() for match in _SENTENCE.finditer(text) if text[match.end() :].strip()]
    counts, begin = [], 0
    for place in [*places, len(text)]:
        counts.append(count_syllables(text[begin:place], language))
        begin = place
    total, sums = sum(counts), 0.0
    ends = []
    for count, place in zip(counts, places, strict=False):
        sums += count
        if count:  # else it is more punctuation of the sentence before
            ends.append((sums / total * speech_s, place))
    return ends


def _end_of(pause: tuple[float, float]) -> float:
    return min(pause[0] + _KEPT_S, pause[1])


def _sentence_at(
    pause: tuple[float, float], ends: list[tuple[float, int]], level: Levels
) -> int | None:
    """The place in the text of the one sentence that ends at this pause."""
    begin_s, end_s = pause
    if end_s - begin_s < _PAUSE_S or not ends:
        return None
    spoken_s = float(level.speech[: round(begin_s / BLOCK_S)].sum()) * BLOCK_S
    (off_s, place), *others = sorted((abs(at_s - spoken_s), place) for at_s, place in ends)
    if off_s > max(_OFF_S, _OFF_SHARE * spoken_s) or (others and others[0][0] < off_s + _APART_S):
        return None
    near = [b - a for a, b in level.pauses() if abs(a - begin_s) <= off_s + _APART_S]
    return place if end_s - begin_s >= max(near) else None
