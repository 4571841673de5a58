"""General solvers on natural encodings of ermbit instances, for comparison.

They share how an instance is read, and nothing of how ermbit encodes or searches. ``python -m peers
NAME INSTANCE`` runs one and prints one JSON line.

``question``       an instance as all peers see it
``reading``        from an instance file to that
``symmetries``     units that may be permuted, weights whose sign is free
``evaluation``     exact totals, ranges of units
``polynomials``    values, ranges and terms of polynomial activations
``answer``         what a peer says
``environment``    the environment in which peers run
``cpsat``          CP-SAT: encoding and run
``smt``            z3 and cvc5: the run
``smt_encoding``   their encoding: the loss
``smt_network``    their encoding: the network
``smt_terms``      terms of a theory
``smt_width``      words in which nothing overflows
``smt_roots``      algebraic numbers in the spelling of certificates
``milp``           mixed-integer programming: the run
``milp_encoding``  the big-M encoding
``milp_program``   programs that grow
``highs``          HiGHS on a program
"""
