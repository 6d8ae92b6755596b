"""Screens: float64 over all accounts at once, to choose whom to evaluate exactly; nothing here is ever attested."""
