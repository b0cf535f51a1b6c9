"""Brings the neighbour onto the reference's pixel grid and says where it can be trusted."""
