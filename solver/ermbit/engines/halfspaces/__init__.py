"""One real neuron under ``zero_one``: the arrangement of its samples.

``engine``  what it is complete for; limits
``lines``   samples as hyperplanes through the origin
``search``  recursion on the dimension
``sweep``   the plane: a line turned around the origin
"""
