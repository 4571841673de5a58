"""Networks whose output is a sum of units that share nothing, over finite domains.

``engine``         what it is complete for
``run``            tables, descent, trees and search, one after the other
``units``          cuts the network into units
``build``          lists what a unit can contribute: its table
``symmetry``       permutations of samples that map tables to themselves
``tree``           k-d trees over tables
``loss``           the loss of a sum, and its least value over boxes
``direction``      linear lower bounds that boxes do not see
``search``         branch and bound on tuples of tree nodes
``interpolation``  loss zero: sums met in the middle
``descent``        good choices before anything is proved
``incumbents``     descents on samples of the rows
"""
