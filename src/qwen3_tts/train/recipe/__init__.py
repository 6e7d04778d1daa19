"""The offline data recipe: texts, synthetic voices, audio, codes."""
