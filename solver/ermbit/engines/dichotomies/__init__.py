"""One hidden layer of two-valued units with real weights: exact training by their dichotomies.

``engine``      what it is complete for
``prepared``    what a run starts from; limits
``run``         the course of a run
``network``     the network as a sum of two-valued units
``patterns``    all dichotomies of a unit, and weights for each
``bounds``      what a choice of dichotomies costs at least, for many choices at once
``fit``         the best outer weights for one choice, exactly
``search``      all choices, cheapest bounds first
"""
