"""Strings and ids only: text to token ids, languages, and the grid of ids the talker reads."""
