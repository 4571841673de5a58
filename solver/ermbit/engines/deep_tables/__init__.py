"""Networks of any depth over finite domains: tuples of tree nodes, bounded by intervals.

``engine``      what it is complete for; the search
``variables``   the groups of parameters that are chosen, and their trees
``evaluation``  intervals for all neurons
``cuts``        where to cut: what the outputs' widths are due to
``intervals``   both as the rule of a search
``arithmetic``  intervals of many integers at once
``incumbents``  good choices before anything is proved
"""
