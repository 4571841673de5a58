"""The enumeration program of a scaled-integer form.

A *group* is the stretch of the program that belongs to one neuron. Where all that it reads is
fixed, its results form a table that is made once. A neuron with a single reader, or read by outputs
only, is *folded*: its group ends with its contributions to the readers' sums. Groups with equal
tables are taken in non-decreasing table order: contributions commute, and outputs of
interchangeable neurons may be sorted (docs/theory.md B2, B3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ermbit.engines.exhaustive.program import (
    Activate,
    Add,
    Choose,
    Group,
    Instruction,
    Plan,
    Register,
    written,
)
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, IntegerTerm, integer_domain
from ermbit_encodings.symmetry import Symmetry

Token: TypeAlias = tuple[int, int]
"""A use of an entry: (node, position among its terms), or (node, −1) for its bias."""


def enumeration_plan(form: IntegerForm, symmetries: Iterable[Symmetry]) -> Plan:
    """The program for a form.

    Args:
        form: the scaled-integer form.
        symmetries: interchanges of neurons of the same instance.
    """
    domains = tuple(tuple(integer_domain(form, p)) for p in range(len(form.grids)))
    return _Planner(form, domains).plan(symmetries)


def _neuron_tokens(neuron: IntegerNeuron) -> list[Token]:
    """Uses of entries by one neuron, the bias first."""
    bias = [] if neuron.bias is None else [(neuron.node, -1)]
    return bias + [(neuron.node, k) for k in range(len(neuron.terms))]


@dataclass
class _Planner:
    form: IntegerForm
    domains: tuple[tuple[int, ...], ...]
    program: list[Instruction] = field(default_factory=list)
    groups: dict[int, Group] = field(default_factory=dict)
    chosen: set[int] = field(default_factory=set)
    uses: dict[int, set[Token]] = field(default_factory=dict)
    made: set[Register] = field(default_factory=set)

    def plan(self, symmetries: Iterable[Symmetry]) -> Plan:
        form = self.form
        self.neurons = {neuron.node: neuron for neuron in form.neurons}
        needed = self._needed()
        children: dict[int, list[int]] = {}
        for node in needed:
            for token in _neuron_tokens(self.neurons[node]):
                term = self._term(token)
                self.uses.setdefault(term.parameter, set()).add(token)
                if term.source >= 0 and node not in children.setdefault(term.source, []):
                    children[term.source].append(node)
        outputs = frozenset(form.outputs)
        folded = {
            node
            for node in needed
            if node not in outputs
            and (len(children[node]) == 1 or outputs.issuperset(children[node]))
        }
        preludes = {
            child: self._prelude(child) for node in sorted(folded) for child in children[node]
        }
        done: set[Token] = set()
        for node in needed:
            for child in children[node] if node in folded else ():
                tokens = preludes.pop(child, [])
                if tokens:
                    self._group(child, tokens, False, [])
                    done.update(tokens)
            mine = [
                token
                for token in _neuron_tokens(self.neurons[node])
                if token not in done and self._term(token).source not in folded
            ]
            outgoing = [
                token
                for child in (children[node] if node in folded else ())
                for token in _neuron_tokens(self.neurons[child])
                if self._term(token).source == node
            ]
            self._group(node, mine, True, outgoing)
        self._find_mates(symmetries, outputs)
        return self._finished()

    def _needed(self) -> list[int]:
        needed = set(self.form.outputs)
        for neuron in reversed(self.form.neurons):
            if neuron.node in needed:
                needed.update(t.source for t in neuron.terms)
        return [neuron.node for neuron in self.form.neurons if neuron.node in needed]

    def _term(self, token: Token) -> IntegerTerm:
        neuron = self.neurons[token[0]]
        if token[1] >= 0:
            return neuron.terms[token[1]]
        assert neuron.bias is not None
        return neuron.bias

    def _is_own(self, parameter: int, tokens: set[Token]) -> bool:
        return parameter >= 0 and self.uses[parameter] <= tokens

    def _prelude(self, node: int) -> list[Token]:
        """The part of a sum that depends on inputs and own parameters only: it can come first."""
        neuron = self.neurons[node]
        inputs = len(self.form.input_scales)
        tokens = [
            token
            for token in _neuron_tokens(neuron)
            if self._term(token).source < inputs and not (token[1] < 0 and neuron.kind == "max")
        ]
        own = set(tokens)
        return [
            t for t in tokens if (p := self._term(t).parameter) < 0 or self._is_own(p, own)
        ]

    def _group(
        self, node: int, incoming: Sequence[Token], activate: bool, outgoing: Sequence[Token]
    ) -> None:
        tokens = {*incoming, *outgoing}
        parameters = dict.fromkeys(self._term(t).parameter for t in (*incoming, *outgoing))
        for parameter in parameters:
            if not self._is_own(parameter, tokens):
                self._choose(parameter)
        start = len(self.program)
        neuron = self.neurons[node]
        late = [t for t in incoming if t[1] < 0 and neuron.kind == "max"]
        self._add(node, [t for t in incoming if t not in late], neuron.kind == "max")
        self._add(node, late, False)
        if activate:
            self.program.append(Activate(node))
        for child in dict.fromkeys(t[0] for t in outgoing):
            maximum = self.neurons[child].kind == "max"
            self._add(child, [t for t in outgoing if t[0] == child], maximum)
        if any(isinstance(i, Choose) for i in self.program[start:]):
            results = dict.fromkeys(t[0] for t in outgoing) if activate else {node: None}
            accumulated = tuple(
                (("z", n), "max" if self.neurons[n].kind == "max" else "sum") for n in results
            )
            self._register(start, node, accumulated or ((("a", node), "set"),))
        self.made.update(written(i) for i in self.program[start:])

    def _choose(self, parameter: int) -> None:
        if parameter >= 0 and parameter not in self.chosen:
            self.chosen.add(parameter)
            # A parameter with one value is a constant and needs no branch.
            if len(self.domains[parameter]) > 1:
                self.program.append(Choose(parameter))

    def _add(self, node: int, tokens: Sequence[Token], maximum: bool) -> None:
        """Terms whose parameters are known at once, the others one parameter at a time."""
        by_parameter: dict[int, list[IntegerTerm]] = {}
        for token in tokens:
            term = self._term(token)
            known = term.parameter < 0 or term.parameter in self.chosen
            by_parameter.setdefault(-1 if known else term.parameter, []).append(term)
        for parameter in sorted(by_parameter, key=lambda p: p >= 0):
            self._choose(parameter)
            self.program.append(Add(node, tuple(by_parameter[parameter]), maximum))

    def _register(
        self, start: int, node: int, outputs: tuple[tuple[Register, str], ...]
    ) -> None:
        accumulated = {register for register, how in outputs if how != "set"}
        made: set[Register] = set()
        inputs: set[Register] = set()
        names: dict[Register, object] = {}
        words: list[object] = []
        own = [i.parameter for i in self.program[start:] if isinstance(i, Choose)]
        names.update({("p", p): k for k, p in enumerate(own)})
        for instruction in self.program[start:]:
            reads = self._reads(instruction, self.made | made)
            inputs |= reads - made - accumulated
            made.add(written(instruction))
        for register in (("z", node), ("a", node)):
            if register not in inputs and register not in accumulated:
                names[register] = f"own {register[0]}"
        for instruction in self.program[start:]:
            result = names.get(written(instruction), written(instruction))
            if isinstance(instruction, Choose):
                words.append((result, self.domains[instruction.parameter]))
            elif isinstance(instruction, Activate):
                n = self.neurons[node]
                words.append((n.kind, n.breakpoints, n.pieces, n.coefficients))
            else:
                terms = tuple(
                    (
                        t.factor,
                        names.get(("p", t.parameter), ("p", t.parameter)),
                        names.get(("a", t.source), ("a", t.source)),
                    )
                    for t in instruction.terms
                )
                words.append((result, terms, instruction.maximum))
        words.append(frozenset(names.get(r, r) for r in inputs))
        results = tuple((names.get(r, r), how) for r, how in outputs)
        self.groups[start] = Group(
            start,
            len(self.program),
            node,
            frozenset(inputs),
            outputs,
            tuple(own),
            (tuple(words), results),
            None,
        )

    def _reads(self, instruction: Instruction, made: set[Register]) -> set[Register]:
        if isinstance(instruction, Choose):
            return set()
        # A sum that nothing has been added to yet is not read but started.
        z = ("z", instruction.node)
        found = {z} if z in made else set()
        if isinstance(instruction, Add):
            found |= {
                ("p", t.parameter)
                for t in instruction.terms
                if t.parameter >= 0 and len(self.domains[t.parameter]) > 1
            }
            found |= {("a", t.source) for t in instruction.terms if t.source >= 0}
        return found

    def _find_mates(self, symmetries: Iterable[Symmetry], outputs: frozenset[int]) -> None:
        plain = {
            symmetry.neurons[::-1]
            for symmetry in symmetries
            # A moved parameter with a second use could be chosen outside the two groups.
            if all(len(self.uses.get(p, ())) == 1 for pair in symmetry.permutation for p in pair)
        }
        earlier: dict[object, int] = {}
        for start, group in sorted(self.groups.items()):
            previous = earlier.get(group.signature)
            earlier[group.signature] = start
            if previous is None:
                continue
            commutes = all(how != "set" for _, how in group.outputs)
            if commutes or (group.node, self.groups[previous].node) in plain:
                self.groups[start] = replace(group, mate=previous)

    def _finished(self) -> Plan:
        death: dict[Register, int] = {("a", i): -1 for i in range(len(self.form.input_scales))}
        for pc, instruction in enumerate(self.program):
            for register in {written(instruction), *self._reads(instruction, self.made)}:
                death[register] = pc
        for group in self.groups.values():
            if group.mate is not None:
                death["r", group.mate] = group.start
        for node in self.form.outputs:
            death.pop(("a", node), None)
        remaining = [1]
        for instruction in reversed(self.program):
            if isinstance(instruction, Choose):
                remaining.append(remaining[-1] * len(self.domains[instruction.parameter]))
            else:
                remaining.append(remaining[-1])
        return Plan(
            tuple(self.program),
            self.groups,
            frozenset(g.mate for g in self.groups.values() if g.mate is not None),
            death,
            tuple(reversed(remaining)),
            self.domains,
        )
