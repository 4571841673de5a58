"""Numerical training and exact rounding; never a refutation.

``engine``     where it helps
``run``        descents and annealing side by side
``network``    many copies of the network in floating point
``blocks``     networks and integer forms as such
``objective``  the loss as weighted squares
``squares``    Levenberg–Marquardt steps
``dives``      weights rounded one by one
``scales``     neurons whose scale is free
``moves``      what one changed neuron makes of the network
``anneal``     moves at a temperature
``values``     members of the domains
``exact``      exact losses of what is proposed
"""
