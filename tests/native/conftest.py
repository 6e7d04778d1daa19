"""The kernels, where this installation and this processor have them."""

import pytest

from qwen3_tts.native.library import Pool, why_not


@pytest.fixture(scope="session")
def pool() -> Pool:
    if reason := why_not():
        pytest.skip(f"no kernels: {reason}")
    return Pool(2)
