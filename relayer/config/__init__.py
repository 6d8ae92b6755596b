"""The two documents: the public policy and the private configuration of one operator."""
