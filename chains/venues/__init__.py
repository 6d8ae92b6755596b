"""Venues: read the parameters, the state and the own verdict of a deployed lending market at one block."""
