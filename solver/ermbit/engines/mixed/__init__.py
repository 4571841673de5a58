"""Mixed Boolean and arithmetic programs, in general solvers.

``smt``           the engine ``smt``: linear, z3
``nra``           the engine ``nra``: nonlinear, z3
``coverings``     the engine ``coverings``: nonlinear, cvc5
``z3_backend``    a mixed program in z3
``cvc5_backend``  a mixed program in cvc5
``search``        candidates and cuts
``descent``       minimisation
``rounding``      rational certificates near algebraic ones
"""
