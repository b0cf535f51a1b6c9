"""How good a fusion is: metrics, the methods to compare with, pairs to try them on, and the report."""
