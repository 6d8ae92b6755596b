"""What the service remembers: the signing ledger, frames, accounts, flags."""
