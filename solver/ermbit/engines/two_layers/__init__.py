"""Two hidden layers over finite domains, the second of two units.

``engine``  what it is complete for; first layers one by one
``kernel``  compiled loops (Numba) over pairs of second units
"""
