"""Two hidden layers over finite domains, the second of two units.

``engine``    what it is complete for
``search``    first layers one by one
``shape``     the parts of the network
``prefixes``  first layers in the order of lower bounds
``bounds``    compiled loops (Numba): lower bounds of first layers
``kernel``    compiled loops: pairs of second units
"""
