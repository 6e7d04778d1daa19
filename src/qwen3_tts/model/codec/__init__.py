"""The speech codec: wave to 16 codes per 80 ms frame, and back."""
