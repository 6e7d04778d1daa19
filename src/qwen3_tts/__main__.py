"""`python -m qwen3_tts` is the command `qwen3-tts`."""

import sys

from qwen3_tts.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
