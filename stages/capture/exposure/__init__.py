"""Chooses the two exposures of a bracket from the pictures, and finds out how the camera follows."""
