"""One hidden layer of real units: exact training by cells of their activation patterns.

``engine``          what it is complete for; the course of a run
``network``         the network as a sum of cones
``rays``            what one unit can contribute
``target``          losses as convex functions of residuals, and their duals
``search``          branch and bound over regions of the units
``program``         the relaxation at a node: what is asked of it
``linear_program``  for absolute and hinge losses
``squares``         for squared loss
``bounds``          lower bounds from multipliers, checked in integers
``ascent``          better multipliers
``exact``           small linear programs in rationals
``descent``         good networks quickly
"""
