"""Tells under from over and gives every frame its neighbour of the other exposure."""
