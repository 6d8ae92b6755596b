"""Data about networks: one TOML file each, read by `chains.network`."""
