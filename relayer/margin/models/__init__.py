"""Models: each rule set of `rulesets` as the engine asks it; one module per venue family."""
