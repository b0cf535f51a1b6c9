"""A GPU as stages share it: lanes of work, buffers, and pictures that lie there. Needs torch and NumPy alone."""
