"""What is measured of a fused picture, one idea a module; ``judge.py`` brings it together."""
