"""The network for inference on a CPU as machine code that numba makes at the first use; imported only where it is."""
