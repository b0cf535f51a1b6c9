"""Fusion on a GPU: copies and computation side by side, each on a stream of its own."""
