"""The version, kept once: packaging, `--version` and voice files read it here."""

__version__ = "0.1.0"
