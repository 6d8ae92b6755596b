"""Engine: one vocabulary and one result for every rule set; `evaluate` is its door."""
