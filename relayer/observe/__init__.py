"""Observe: what an operator is told, as log lines and as series. No imports here."""
