"""Fusion on a GPU, everything that is to be known in one go."""
