"""Facts: codecs, proofs, attestations. Pure: whoever imports this loads no network code."""
