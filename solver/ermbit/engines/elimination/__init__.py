"""Exact fits as polynomial systems: the engine ``elimination``.

``engine``       what it proves; limits
``search``       samples one after the other
``targets``      targets pushed down through the outputs
``forward``      one sample: choices of pieces
``system``       equations and signs, solved step by step
``closing``      the end of a branch
``ring``         polynomials over Q
``roots``        roots in one unknown
``field_roots``  the same over irrational values
``ideal``        consequences of several equations
``residues``     no solution modulo a power of a prime
``line``         signs in one parameter
``arithmetic``   contradictions over the reals
``ledger``       reasons
"""
