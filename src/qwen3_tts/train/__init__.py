"""Training of codec, talker and code predictor, and the data they learn from."""
