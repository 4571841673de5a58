"""Polynomial networks as linear functions of monomials.

``engine``         what it proves
``prepared``       what is read of a problem
``run``            the course of a run
``findings``       what a run has found and proved
``attainment``     networks that reach the relaxation
``hull``           the affine hull of all functions of the network
``relaxation``     data and hulls: all that a network could do at most
``least_loss``     the least loss over the hulls: a lower bound
``zero_one``       the same for ``zero_one``
``program``        convex programs solved exactly
``linear``         exact linear algebra
``quadratic``      one layer of squares
``form_system``    such a layer on data: forms for outputs, θ for forms
``linked``         such layers without free biases
``forms``          quadratic forms over Q
``rank``           rank and inertia: which forms so few squares give
``pencil``         forms of small rank on a line
``lattice``        integer parameters: lattices that miss the targets
``multipliers``    lower bounds by duality over cones
``one_sign``       squares of one sign: semidefinite duality
``distance``       few squares: the distance from forms of small rank
``directions``     one unit that is a power: branch and bound over its direction
``outer``          reaching the hulls through free outer weights
``inner_weights``  few units: inner weights as vectors
``search``         few units: inner weights numerically, the rest exactly
"""
