"""Opinions and deeds: margin, flags, signing, service. Importing this package alone loads nothing."""
