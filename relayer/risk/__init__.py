"""What happens between accounts: clearing after defaults, contagion of losses, measures of a network.

Pure functions on floats: nothing here is attested, and nothing here decides the status of one account. Every iteration
has a bound and says whether it converged.
"""
