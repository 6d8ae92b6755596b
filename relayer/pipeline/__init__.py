"""Pipeline: from readings to a stored, signed and published frame. No imports here."""
