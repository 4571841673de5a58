"""Exact fits of deep networks over finite domains: states level by level, and sums at the end.

``engine``      what it is complete for; the search
``layers``      levels of hidden units, outputs as sums
``units``       units and addends with all their assignments
``conflicts``   what a state must keep apart
``states``      from the states of one level to those of the next
``joins``       the last level and the outputs: sums met in the middle
``search``      the fits of some samples, and of all
``cost``        how long it may take
"""
