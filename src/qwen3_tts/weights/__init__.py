"""Checkpoint files: finding them, naming their tensors, reading and writing them."""
