"""General solvers on natural encodings of ermbit instances, for comparison.

Each module is one peer: CP-SAT, SMT (z3 and cvc5), mixed-integer programming (HiGHS). They share
:mod:`peers.question`, which reads an instance, and nothing of how ermbit encodes or searches.
``python -m peers NAME INSTANCE`` runs one and prints one JSON line.
"""
