"""Publishing: the fused stream for other programs, over ZeroMQ."""
