"""Kernels in C for processors that have what they need; without them the same work is torch's."""
