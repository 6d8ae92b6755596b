"""The world of the demo and of the node tests: anvils, toy contracts, actors, a fault proxy."""
