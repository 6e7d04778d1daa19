"""Voices by name: looked up, prepared, kept, uploaded."""
