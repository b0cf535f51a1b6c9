"""What subscribers cost a publisher, and what they can rely on."""
