"""Languages of Latin and Cyrillic letters told apart by the order of their letters (py3langid)."""

from functools import cache
from typing import Any

from qwen3_tts.prompt.languages import ISO_639

# Those that checkpoints speak, and those that one is likely to meet beside them.
LATIN = "en de fr es pt it nl sv da no fi pl cs sk hu ro hr tr vi id tl ca".split()
CYRILLIC = "ru uk be bg sr mk kk".split()
_PRIOR = 4.0  # how much likelier a language is that checkpoints speak
_SURE_LETTERS = 12  # with fewer, the statistics are worth less


def likeliest(parts: list[str], codes: list[str]) -> tuple[str, float]:
    """The ISO code, one of `codes`, that a text is most likely in, and how likely, 0 to 1.

    Each part of the text has a vote of the same weight.
    """
    weights = dict.fromkeys(codes, 0.0)
    for part in parts:
        for code, score in _classifier().rank(part):
            if code in weights:
                weights[code] += score * (_PRIOR if code in ISO_639 else 1.0)
    best = max(codes, key=lambda code: weights[code])
    letters = sum(sum(map(str.isalpha, part)) for part in parts)
    sure = min(1.0, letters / _SURE_LETTERS)
    total = sum(weights.values())
    return best, sure * weights[best] / total if total else 0.0


@cache
def _classifier() -> Any:
    """Loaded when it is first needed, which takes half a second."""
    from py3langid.langid import (  # type: ignore[import-untyped]
        MODEL_FILE,
        LanguageIdentifier,
    )

    classifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    classifier.set_languages([*LATIN, *CYRILLIC])
    return classifier
