"""The command `qwen3-tts`: one file per subcommand, each a thin door to the Python interface."""
