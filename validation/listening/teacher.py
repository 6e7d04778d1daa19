"""The voice that the checkpoint learnt from: flite, run as a program."""

import functools
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from qwen3_tts.audio.files import Wave, read_audio, resample

VOICES = ("rms", "slt", "awb", "kal16")  # kal at 16 kHz, as the others
RATE = 24_000  # what every measure is taken at
TIME_LIMIT_S = 60


def available() -> bool:
    """Whether there is a `flite` to run."""
    return shutil.which("flite") is not None


@functools.cache
def voices() -> tuple[str, ...]:
    """What flite calls its voices."""
    ran = subprocess.run(["flite", "-lv"], capture_output=True, text=True, timeout=TIME_LIMIT_S)
    return tuple(ran.stdout.partition(":")[2].split())


def speak(text: str, voice: str = "rms", rate: int = RATE) -> Wave:
    """One text by one of flite's voices, float32 [N] at `rate`.

    Raises `OSError` without flite and for a voice that it lacks, which flite itself would replace
    by another without a word.
    """
    if voice not in voices():
        raise OSError(f"flite has no voice {voice!r}; it has {', '.join(voices())}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        command = ["flite", "-voice", voice, "-t", text, "-o", str(path)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S)
        if ran.returncode or not path.is_file():
            raise OSError(f"flite did not speak {text!r}: {ran.stderr.strip()}")
        wave, own_rate = read_audio(path)
    return resample(trimmed(wave, own_rate), own_rate, rate)


def speak_all(texts: list[str], voice: str = "rms", workers: int = 2) -> list[Wave]:
    """`speak` for each text, several programs at a time."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda text: speak(text, voice), texts))


def trimmed(wave: Wave, rate: int, below_db: float = 45.0, keep_s: float = 0.05) -> Wave:
    """A wave without the silence at its ends, but for `keep_s`: durations become comparable.

    Silence is any 10 ms that stays `below_db` under the loudest 10 ms.
    """
    size = rate // 100
    whole = len(wave) // size * size
    if not whole:
        return wave
    power = np.square(wave[:whole].reshape(-1, size)).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-below_db / 10))
    if not len(loud):
        return wave
    keep = int(keep_s * rate)
    return wave[max(0, loud[0] * size - keep) : (loud[-1] + 1) * size + keep]
