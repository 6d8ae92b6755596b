"""Portfolios in one file, for evaluation without a chain. No imports here."""
