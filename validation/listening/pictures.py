"""Mel-spectrograms of the same sentence, one under the other."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from listening.spectra import bands_of, mel
from listening.teacher import RATE
from qwen3_tts.audio.files import Wave

TICKS_HZ = (250, 1000, 2000, 4000, 8000)
PANEL_INCHES, WIDTH_INCHES, DPI = 1.7, 9.0, 100


def draw(path: Path, text: str, panels: Sequence[tuple[str, Wave, str]]) -> None:
    """Write a PNG. A panel is whose speech it is, the wave, and what was heard in it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # optional: of the `dev` extra
    from matplotlib.figure import Figure

    figure = Figure((WIDTH_INCHES, PANEL_INCHES * len(panels) + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(textwrap.fill(text, 90), fontsize=11, parse_math=False)
    longest_s = max(len(wave) for _, wave, _ in panels) / RATE
    columns = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, wave, heard) in zip(columns, panels, strict=True):
        values = mel(wave).T  # [M, T]
        duration_s = len(wave) / RATE
        axes.imshow(
            values,
            origin="lower",
            aspect="auto",
            extent=(0, max(duration_s, 1e-3), 0, len(values)),
            cmap="magma",
        )
        axes.set_facecolor("black")
        axes.set_xlim(0, max(longest_s, 1e-3))
        ticks = bands_of(np.array(TICKS_HZ, dtype=np.float64))
        axes.set_yticks(ticks, [f"{hz / 1000:g} kHz" for hz in TICKS_HZ], fontsize=7)
        title = textwrap.shorten(f"{name}: {heard or '(nothing heard)'}", 110)
        axes.set_title(title, fontsize=8, loc="left", parse_math=False)
    columns[-1].set_xlabel("seconds", fontsize=8)
    figure.savefig(path, dpi=DPI)
