"""Readers of holdings: what to ask for, and where the same words lie in storage. Sans-I/O."""
