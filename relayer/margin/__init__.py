"""What an account amounts to: pure, exact, and recomputable by a stranger."""
