"""Languages of Latin and Cyrillic letters told apart by the order of their letters (py3langid)."""

from functools import cache
from typing import Any

from qwen3_tts.prompt.languages import ISO_639

# Those that checkpoints speak, and those that one is likely to meet beside them.
LATIN = "en de fr es pt it nl sv da no fi pl cs sk hu ro hr tr vi id tl ca".split()
CYRILLIC = "ru uk be bg sr mk kk".split()
_PRIOR = 4.0  # how much likelier a language is that checkpoints speak
_SURE_LETTERS = 12  # with fewer, the statistics are worth less


def likeliest(text: str, codes: list[str]) -> tuple[str, float]:
    """The ISO code, one of `codes`, that `text` is most likely in, and how likely, 0 to 1."""
    scores = dict(_classifier().rank(text))
    weights = {code: scores[code] * (_PRIOR if code in ISO_639 else 1.0) for code in codes}
    best = max(weights, key=lambda code: weights[code])
    total = sum(weights.values())
    letters = sum(map(str.isalpha, text))
    sure = min(1.0, letters / _SURE_LETTERS)
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
