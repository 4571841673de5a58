"""Networks of any depth over finite domains: tuples of tree nodes, bounded by intervals.

``engine``      what it is complete for; the search
``variables``   the groups of parameters that are chosen, and their trees
``intervals``   interval evaluation, and where to cut
``arithmetic``  intervals of many integers at once
``incumbents``  good choices before anything is proved
"""
