"""An engine's number of threads is its own: the program around it keeps its."""

import threading

import pytest
import torch

from qwen3_tts.engine.device import choose_threads, use_threads
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.errors import InvalidRequest


def seen_by_a_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def test_only_the_calling_thread_changes() -> None:
    before = torch.get_num_threads()
    inside: list[int] = []

    def engine() -> None:
        use_threads(before + 2)
        inside.append(torch.get_num_threads())

    thread = threading.Thread(target=engine)
    thread.start()
    thread.join()
    assert inside == [before + 2]
    assert torch.get_num_threads() == before
    assert seen_by_a_new_thread() == before


def test_a_narrow_talker_takes_one_thread_unless_told() -> None:
    assert choose_threads(None, 256) == 1
    assert choose_threads(None, 1024) == torch.get_num_threads()
    assert choose_threads(3, 256) == 3


@pytest.mark.parametrize("threads", [0, -1, True])
def test_impossible_numbers_are_refused(threads: int) -> None:
    with pytest.raises(InvalidRequest, match="threads is"):
        EngineOptions(threads=threads)
