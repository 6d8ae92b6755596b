"""Solve: what would happen, at which price, how much may leave and how little would help; for any rule set."""
