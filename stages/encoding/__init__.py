"""Writes fused frames: video containers and picture sequences, or nothing."""
