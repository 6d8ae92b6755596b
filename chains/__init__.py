"""What does each network say? Adapters, readers and transports; knows nothing of margin."""
