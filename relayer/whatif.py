"""Ask a running relayer what an account would be after a change."""
