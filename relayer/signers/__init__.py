"""Keys on this machine, behind the signer port of `proofs.signing`."""
