"""The API: reads memory and the store, never a chain."""
