"""Unit propagation: what a formula says once some literals are fixed.

Gates are equivalences, so fixing the inputs of a circuit determines every signal: this evaluates
the circuit on a known assignment, for instance to hand a solver complete initial phases, or to see
that a certificate satisfies an encoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["unit_propagation"]


def unit_propagation(
    clauses: Sequence[Sequence[int]], literals: Iterable[int]
) -> frozenset[int] | None:
    """All literals that follow by unit propagation from the given ones, which are included.

    None if a clause has all its literals false. Linear in the total length of the clauses.
    """
    occurrences: dict[int, list[int]] = {}
    missing = [len(clause) for clause in clauses]
    queue = list(literals)
    for index, clause in enumerate(clauses):
        if not clause:
            return None
        if len(clause) == 1:
            queue.append(clause[0])
        for literal in clause:
            occurrences.setdefault(literal, []).append(index)
    true: set[int] = set()
    while queue:
        literal = queue.pop()
        if literal in true:
            continue
        if -literal in true:
            return None
        true.add(literal)
        for index in occurrences.get(-literal, ()):
            missing[index] -= 1
            if missing[index] == 0:
                return None
            if missing[index] == 1:
                left = [other for other in clauses[index] if -other not in true]
                # The one left may already be true, or false but still queued.
                queue.extend(left)
    return frozenset(true)
