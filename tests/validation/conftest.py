"""The scripts of validation/ are modules here; speech of a teacher, where it is installed."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "validation"))

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from listening import teacher  # noqa: E402

TEXTS = ("Nobody knew why.", "We must find a better way.")  # no other list has them


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return list(TEXTS)


@pytest.fixture(scope="session")
def said(texts: list[str]) -> list[np.ndarray]:
    """The texts as the teacher says them, 24 kHz."""
    if not teacher.available():
        pytest.skip("flite is not installed")
    return teacher.speak_all(texts, "rms")
