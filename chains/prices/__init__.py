"""Readers of prices; same form as `chains.collateral`."""
