"""Speech of a teacher, where it is installed."""

import numpy as np
import pytest
from listening import teacher

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
