"""Weights in eight and four bits: the numbers, the layer that holds them, what gets which."""
