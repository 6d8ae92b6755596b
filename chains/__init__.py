"""Networks: reading each chain at one pinned block; knows nothing of margin."""
