"""Representatives of orbits: interchanges of neurons, flips of even ones, patterns of signs.

All constraints are prefixes of θ ≤_lex πθ for automorphisms π of the encoded program, in one order
of its parameters, so the lexicographically least point of every orbit satisfies all of them at once
(docs/theory.md B3, B6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

from ermbit_encodings.mixed.normalisation import homogenised_neurons, is_even
from ermbit_encodings.mixed.parameters import Unknown, expression
from ermbit_encodings.mixed.program import MixedProgram, subtract
from ermbit_encodings.problem import Problem
from ermbit_encodings.symmetry import interchangeable_classes, parameter_order


def break_interchanges(
    problem: Problem,
    program: MixedProgram,
    parameters: Sequence[Unknown],
    outer: Mapping[int, int],
    signs: Mapping[int, bool],
) -> None:
    """Lexicographic order of interchangeable neurons, in the one order of all parameters.

    Homogenised neurons are compared by their multiplied parameters: normalisation commutes with
    the interchange. The comparison stops before an outer weight that was normalised away; any
    prefix of a lexicographic constraint is sound (docs/theory.md B3, B6). Where signs are given,
    only interchanges that keep them are left to break.
    """
    for symmetry in problem.symmetries:
        first, second = symmetry.neurons
        if signs.get(first) != signs.get(second):
            continue
        guard: tuple[int, ...] = ()
        for a, b in symmetry.permutation:
            if a in outer or b in outer:
                break
            gap = subtract(expression(parameters[a]), expression(parameters[b]))
            program.require(gap, "<=", guard)
            equal = program.boolean()
            program.require(gap, "<", (*guard, -equal))
            guard = (equal,)


def break_flips(
    problem: Problem, program: MixedProgram, parameters: Sequence[Unknown], outer: Mapping[int, int]
) -> None:
    """The first inner parameter of an even neuron is not positive (docs/theory.md B4).

    u ↦ −u leaves φ(u·x) as it is, if all entries are own parameters of symmetric domains or zero.
    The prefix u_1 ≤ −u_1 of θ ≤_lex πθ, in the order of the interchanges, so all hold at once. An
    inner weight that was normalised away would have its sign changed: such neurons are left alone.
    """
    network = problem.instance.network
    true = problem if problem.relaxation_of is None else problem.relaxation_of
    domains = [p.domain for p in true.instance.network.parameters]
    rank = {p: i for i, p in enumerate(parameter_order(network))}
    users: dict[int, set[int]] = {}
    for neuron in network.neurons:
        for entry in neuron.entries():
            if entry.parameter is not None:
                users.setdefault(entry.parameter, set()).add(neuron.node)
    for neuron in network.neurons:
        if not is_even(neuron.activation):
            continue
        entries = list(neuron.entries())
        own = {e.parameter for e in entries if e.parameter is not None}
        if not own or any(e.parameter is None and e.value != 0 for e in entries):
            continue
        if any(p in outer or len(users[p]) > 1 or not domains[p].is_symmetric for p in own):
            continue
        first = min(own, key=rank.__getitem__)
        program.at_most(expression(parameters[first]), {})


def sign_patterns(problem: Problem, most: int) -> list[dict[int, bool]]:
    """All choices of signs for :func:`encode_mixed`, up to interchanges; none if they exceed most.

    By node of every neuron whose outer weight is normalised to ±1. An interchange moves no such
    weight but those of its two neurons, which have one edge each. So the interchanges of a class
    permute its signs in any way and leave those of other classes alone: some image of every
    solution has the positive ones first everywhere. Interchanges of equal signs are left to break.
    """
    network = problem.instance.network
    real = frozenset(p.index for p in network.parameters if p.domain.size is None)
    rules = homogenised_neurons(network, real, powers=True)
    free = {node for node, rule in rules.items() if rule.is_cone and not rule.is_odd}
    groups = [
        [node for node in members if node in free]
        for members in interchangeable_classes(problem.symmetries)
    ]
    grouped = {node for members in groups for node in members}
    groups = [g for g in groups if g] + [[node] for node in sorted(free - grouped)]
    if not groups or prod(len(g) + 1 for g in groups) > most:
        return []
    return [
        {
            node: position < count
            for members, count in zip(groups, counts, strict=True)
            for position, node in enumerate(members)
        }
        for counts in product(*(range(len(g), -1, -1) for g in groups))
    ]
