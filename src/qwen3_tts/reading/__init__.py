"""Reading texts of any length aloud: segments, their sound, and the seams between them.

Everything here talks to a `Synthesizer` that is handed in; no model is loaded and none is known.
"""
