"""Window: the fused stream on this machine's screen."""
