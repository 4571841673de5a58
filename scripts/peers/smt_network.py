"""The network of a question in terms of a theory: parameters, and outputs for an input.

``integer``: products case by case where a domain is short. ``real``: linear where the outer weights
can be normalised to ±1 or every product is with finitely many values; nonlinear otherwise. Biases
that those of the readers can take over are 0.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from peers import polynomials
from peers.evaluation import unit_ranges
from peers.question import Edge, Number, Question, Unit, count
from peers.smt_terms import Terms

SHORT = 64
"""In integer arithmetic, domains of up to this many values are multiplied case by case."""


class Network:
    """Parameters and units of one question.

    Attributes:
        t: the terms in which they are.
        normalised: outer weights that are ±1 (by number), with their units.
        signed: those that are not always 1.
        positive: by outer weight that is ±1, whether it is 1.
        parameters: a term for every parameter.
    """

    def __init__(self, question: Question, terms: Terms) -> None:
        self.question = question
        self.t = terms
        self.normalised = self._normalised() if terms.theory == "real" else {}
        at = {unit.node: unit for unit in question.units}
        self.signed = {p for p, node in self.normalised.items() if not at[node].odd()}
        self.parameters = [terms.variable(p.name) for p in question.parameters]
        self.positive = {
            p: terms.s.Bool(f"positive {p}") if p in self.signed else terms.s.BoolVal(True)
            for p in self.normalised
        }
        if terms.theory == "real":
            absorbed = self._absorbed()
            terms.assertions += [self.parameters[p] == terms.constant(0) for p in absorbed]
        for number, (p, v) in enumerate(zip(question.parameters, self.parameters, strict=True)):
            if number not in self.positive:
                terms.restrict(v, p.values)

    def _normalised(self) -> dict[int, int]:
        """Outer weights that may be ±1 (1 for odd powers): parameter → its unit.

        The unit is homogeneous, all of its incoming parameters are its own reals, its value is read
        once, by an edge with an own real parameter. With polynomials this needs roots, so no
        domain may stand for rationals.
        """
        q, readers, uses = self.question, {}, {}  # type: ignore[var-annotated]
        for unit in q.units:
            for edge in unit.edges:
                uses[edge.parameter] = uses.get(edge.parameter, 0) + 1
                readers.setdefault(edge.source, []).append(edge)
        outputs = {node for node, _ in q.outputs}
        found: dict[int, int] = {}
        if q.polynomial and any(p.relaxed is not None for p in q.parameters):
            return found
        for unit in q.units:
            edges = readers.get(unit.node, [])
            if len(edges) != 1 or unit.node in outputs or not unit.homogeneous:
                continue
            outer = edges[0].parameter
            inner = [e.parameter for e in unit.edges if e.coefficient]
            if any(p is None or p in found for p in (outer, *inner)):
                continue
            if all(uses[p] == 1 and q.parameters[p].values is None for p in (outer, *inner)):
                found[outer] = unit.node
        return found

    def _absorbed(self) -> list[int]:
        """Biases that may be 0, since every reader's own real bias can take them over.

        The unit adds its own real bias to its value, as maxima and the identity do, and is read by
        units that add up. What moves on, layer by layer, ends at the last of these biases.
        """
        q = self.question
        uses = Counter(e.parameter for unit in q.units for e in unit.edges)

        def bias(unit: Unit) -> int | None:
            for e in unit.edges:
                if e.source is None and e.parameter is not None and uses[e.parameter] == 1:
                    p = q.parameters[e.parameter]
                    return e.parameter if p.values is None and p.relaxed is None else None
            return None

        readers: dict[int | None, list[Unit]] = {}
        for unit in q.units:
            for source in {e.source for e in unit.edges}:
                readers.setdefault(source, []).append(unit)
        found, outputs = [], {node for node, _ in q.outputs}
        for unit in q.units:
            if unit.node in outputs or (unit.slopes, unit.intercepts) != ((1,), (0,)):
                continue
            read, own = readers.get(unit.node, []), bias(unit)
            if own is not None and all(not r.maximum and bias(r) is not None for r in read):
                found.append(own)
        return found

    def row(self, x: Sequence[Number]) -> list[Any]:
        """All scaled outputs for one input."""
        values: dict[int, Any] = dict(enumerate(x))
        cases: dict[int, list[tuple[Any, Number]]] = {}
        ranges = None if self.t.theory == "real" else unit_ranges(self.question, x)
        for unit in self.question.units:
            terms = [self.product(e, values, cases) for e in unit.added]
            compared = [self.product(e, values, cases) for e in unit.compared]
            z = self.t.added([*terms, self.t.greatest(compared)] if compared else terms)
            values[unit.node] = self.activation(unit, z, cases, ranges)
        return [self.t.scaled(factor, values[node]) for node, factor in self.question.outputs]

    def product(self, edge: Edge, values: dict[int, Any], cases: dict[int, Any]) -> Any:
        """coefficient · P · A."""
        a = 1 if edge.source is None else values[edge.source]
        if edge.parameter is None:
            return self.t.scaled(edge.coefficient, a)
        p = self.parameters[edge.parameter]
        if isinstance(a, int | Fraction):
            return 0 if a == 0 else self.t.scaled(edge.coefficient * a, p)
        if edge.parameter in self.positive:
            if edge.parameter not in self.signed:
                return self.t.scaled(edge.coefficient, a)
            sign = self.positive[edge.parameter]
            return self.t.scaled(edge.coefficient, self.t.s.If(sign, a, -a))
        domain = self.question.parameters[edge.parameter].values
        if edge.source in cases:  # finitely many values: a choice of multiples of P
            branches = cases[edge.source]
            term = self.t.term(self.t.scaled(branches[-1][1], p))
            for condition, value in reversed(branches[:-1]):
                term = self.t.s.If(condition, self.t.term(self.t.scaled(value, p)), term)
            return self.t.scaled(edge.coefficient, term)
        if self.t.theory == "bits" or domain is None or count(domain) > SHORT:
            self.t.nonlinear |= self.t.theory != "bits"
            return self.t.scaled(edge.coefficient, p * a)
        result = self.t.new()
        for v in domain:
            self.t.assertions.append(
                self.t.s.Implies(
                    p == self.t.constant(v), result == self.t.term(self.t.scaled(v, a))
                )
            )
        return self.t.scaled(edge.coefficient, result)

    def activation(self, unit: Unit, z: Any, cases: dict[int, Any], ranges: Any) -> Any:
        """A = φ(Z); constant pieces are noted in ``cases``."""
        if unit.coefficients:
            if isinstance(z, int | Fraction):
                return polynomials.value(unit.coefficients, z)
            return self.t.polynomial(unit.coefficients, z, ranges and ranges[-1 - unit.node])
        pieces = list(zip(unit.slopes, unit.intercepts, strict=True))
        bounds = list(unit.breakpoints)
        if ranges is not None:
            low, high = ranges[-1 - unit.node]
            first = sum(b <= low for b in bounds)
            bounds = [b for b in bounds if low < b <= high]
            pieces = pieces[first : first + len(bounds) + 1]
        if isinstance(z, int | Fraction):
            slope, intercept = pieces[sum(b <= z for b in bounds)]
            return slope * z + intercept
        if bounds:
            side = self.t.new()
            self.t.assertions.append(side == z)
            z = side
        values = [self.t.added([self.t.scaled(m, z) if m else 0, c]) for m, c in pieces]
        if not bounds:
            return values[0]
        conditions = [z < self.t.constant(b) for b in bounds]
        if not any(m for m, _ in pieces):
            cases[unit.node] = [
                *zip(conditions, (c for _, c in pieces), strict=False),
                (None, pieces[-1][1]),
            ]
        term = self.t.term(values[-1])
        for condition, value in zip(reversed(conditions), reversed(values[:-1]), strict=True):
            term = self.t.s.If(condition, self.t.term(value), term)
        result = self.t.new()
        self.t.assertions.append(result == term)
        return result

    def break_symmetry(self) -> None:
        """Units of a class in lexicographic order; even units with a first weight ≥ 0."""
        free = self._free_signs()
        for p in self.question.flips:
            if p not in free:
                self.t.assertions.append(self.parameters[p] >= self.t.constant(0))
        for members in self.question.classes:
            for before, after in itertools.pairwise(members):
                order: Any = True
                for a, b in zip(reversed(before), reversed(after), strict=True):
                    left, right = self.parameters[a], self.parameters[b]
                    if order is True:
                        order = left <= right
                    else:
                        order = self.t.s.Or(left < right, self.t.s.And(left == right, order))
                self.t.assertions.append(order)

    def _free_signs(self) -> set[int | None]:
        """Incoming parameters of units whose outer weight is 1: they carry its sign."""
        q = self.question
        nodes = [node for p, node in self.normalised.items() if p not in self.signed]
        return {e.parameter for node in nodes for e in q.units[node - q.inputs].edges}

    def values(self, model: Any) -> list[Number | str]:
        """P of every parameter in a model; what the model leaves open is 0 or the first value."""
        found: list[Number | str] = []
        for number, p in enumerate(self.parameters):
            if number in self.positive and number not in self.signed:
                found.append(1)
            elif number in self.positive:
                sign = model.eval(self.positive[number], model_completion=True)
                found.append(1 if self.t.s.is_true(sign) else -1)
            else:
                found.append(self.t.number(model.eval(p, model_completion=True)))
        return found
