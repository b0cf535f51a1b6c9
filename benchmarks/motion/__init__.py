"""Alignment of moving cameras and moving things, measured where the truth is known."""
