"""Netting: one account across chains and venues, its exposures, and what it needs apart and together."""
