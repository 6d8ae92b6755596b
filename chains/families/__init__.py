"""How a family of chains is read: one adapter each."""
