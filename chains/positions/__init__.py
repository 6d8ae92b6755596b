"""Readers of positions; same form as `chains.collateral`."""
