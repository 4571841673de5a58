"""Finite domains with numbers of any length: branch and bound on enclosures.

``interval``   intervals of floating-point numbers of any precision, with a gap around zero
``activation`` what activations make of them
``network``    enclosures of neurons and losses where parameters have several values left
``node``       what is known of a partial assignment: exact values, what still matters
``search``     the tree, equal states once
``engine``     what it is complete for; the limits
"""
