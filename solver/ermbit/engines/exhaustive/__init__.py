"""Enumeration of all assignments, equal states merged.

``engine``             what it is complete for; the limits
``plan``               the order of choices, and what may be forgotten after each
``program``            the straight-line program with choices
``states``             sets of partial assignments
``search``             breadth first while they fit in memory, then depth first
``vector_evaluation``  exact evaluation of many assignments at once
"""
