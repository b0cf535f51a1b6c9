"""The players: every step a frame goes through, one folder each, none knowing another."""
