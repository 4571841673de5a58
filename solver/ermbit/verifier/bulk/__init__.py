"""Networks of real size: a float64 pass with proved error bounds, and exact integers behind it.

Reading order: ``filtered`` (the decision), ``filter`` (the pass, with its proof), ``float_network``
and ``float_table`` (numbers as floats with radii), ``loss_enclosure``; ``exact_matrix`` on
``limbs`` (what the filter leaves open), ``exact_gradient`` (backpropagation the same way).
"""
