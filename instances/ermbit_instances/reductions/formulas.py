"""Formulas that reductions start from, and an exact search for their solutions.

A formula in conjunctive normal form is a :class:`Clauses`; a positive 1-in-3 formula (in every
triple exactly one variable is true; Schaefer 1978) is a hypergraph whose edges are the triples. The
search assigns the variables one by one, propagates what is forced, and counts its steps, so that
equal formulas get equal answers on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ermbit_instances.errors import UsageError
from ermbit_instances.rational import shorten
from ermbit_instances.reductions.hypergraph import Hypergraph

if TYPE_CHECKING:
    from ermbit_instances.families.rng import Rng

Assignment = tuple[bool, ...]
Status = Literal["sat", "unsat", "unknown"]

NOTATION = (
    "clauses such as 1 -2 3, -1 2 (literals; after 5; if there are five variables), or "
    "random:N:CLAUSES[:WIDTH], planted:N:CLAUSES[:WIDTH]"
)

LARGEST = 10_000
"""Most variables, and most clauses."""

STEPS = 200_000
"""Assigned variables after which a search gives up."""

_RANDOM = re.compile(r"(random|planted):([0-9]{1,6}):([0-9]{1,6})(?::([0-9]{1,6}))?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
_LITERAL = re.compile(r"[+-]?[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True)
class Clauses:
    """A formula in conjunctive normal form.

    Attributes:
        variables: their number n; they are called 1..n.
        clauses: each a tuple of nonzero literals, v for variable v and -v for its negation, of
            distinct variables; an empty clause is false.
    """

    variables: int
    clauses: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        """Raises UsageError for a formula that is none, or is past :data:`LARGEST`."""
        if not 1 <= self.variables <= LARGEST or len(self.clauses) > LARGEST:
            raise UsageError(f"formula: expected 1..{LARGEST} variables, at most as many clauses")
        for clause in self.clauses:
            used = {abs(literal) for literal in clause}
            if len(used) < len(clause) or not all(1 <= v <= self.variables for v in used):
                raise UsageError(
                    f"formula: clause {shorten(_written(clause))}: expected literals of distinct "
                    f"variables 1..{self.variables}"
                )

    @property
    def widest(self) -> int:
        """Literals of the longest clause, 0 without clauses."""
        return max((len(clause) for clause in self.clauses), default=0)

    def holds(self, assignment: Sequence[bool]) -> bool:
        """Whether every clause has a true literal; ``assignment[v - 1]`` is variable v."""
        return all(self.clause_holds(clause, assignment) for clause in self.clauses)

    @staticmethod
    def clause_holds(clause: Sequence[int], assignment: Sequence[bool]) -> bool:
        """Whether a clause has a true literal."""
        return any(assignment[abs(literal) - 1] == (literal > 0) for literal in clause)

    def __str__(self) -> str:
        """The notation that :func:`read_clauses` reads: ``3;1 -2 3,-1 2``."""
        return f"{self.variables};" + ",".join(map(_written, self.clauses))


def _written(clause: Sequence[int]) -> str:
    return " ".join(map(str, clause)) or "0"


# --- notation ------------------------------------------------------------------------------------


def read_clauses(text: str, rng: Rng | None = None) -> Clauses:
    """The formula of :func:`read_source`.

    >>> read_clauses("1 -2, 2")
    Clauses(variables=2, clauses=((1, -2), (2,)))
    """
    return read_source(text, rng)[0]


def read_source(text: str, rng: Rng | None = None) -> tuple[Clauses, Assignment | None]:
    """The formula that a text denotes (:data:`NOTATION`), and its solution if one is planted.

    Random formulas draw from ``rng``; ``planted`` ones hold at a hidden random assignment.

    A clause that is ``0`` is empty. A literal that recurs in a clause is kept once; a clause with a
    variable and its negation is true and left out.

    Raises:
        UsageError: another text, a size past :data:`LARGEST`, or a random formula without ``rng``.
    """
    text = text.strip()
    if match := _RANDOM.fullmatch(text):
        if rng is None:
            raise UsageError(f"formula {text}: no random stream is given")
        variables, count, width = int(match[2]), int(match[3]), int(match[4] or 3)
        _check_sizes(text, variables, count)
        hidden = random_assignment(rng, variables) if match[1] == "planted" else None
        return random_clauses(rng, variables, count, width, hidden), hidden
    before, semicolon, body = text.rpartition(";")
    variables = _literal(before, text, _NUMBER) if semicolon else 0
    clauses = [
        [] if part.strip() == "0" else [_literal(word, text) for word in part.split()]
        for part in body.split(",")
        if part.strip()
    ]
    return _formula(variables, clauses), None


def read_dimacs(text: str) -> Clauses:
    """The formula of a file in the DIMACS format (``p cnf N M``, clauses ended by 0).

    Clauses are tidied as by :func:`read_clauses`; the number of clauses is not checked.

    Raises:
        UsageError: the text is no such file, or its formula is past :data:`LARGEST`.
    """
    variables, clauses, clause = 0, list[list[int]](), list[int]()
    for line in text.splitlines():
        fields = line.split()
        if fields[:2] == ["p", "cnf"] and len(fields) == 4:
            variables = _literal(fields[2], line, _NUMBER)
        elif fields and fields[0] == "%":  # ends the files of one well-known collection
            break
        elif fields and fields[0] != "c":
            for word in fields:
                literal = _literal(word, line)
                if literal:
                    clause.append(literal)
                else:
                    clauses.append(clause)
                    clause = []
    return _formula(variables, [*clauses, clause] if clause else clauses)


def _formula(variables: int, clauses: Sequence[Sequence[int]]) -> Clauses:
    tidy = [tuple(dict.fromkeys(clause)) for clause in clauses]
    variables = max([variables, *(abs(literal) for clause in tidy for literal in clause)])
    true = [any(literal and -literal in clause for literal in clause) for clause in tidy]
    return Clauses(variables, tuple(c for c, t in zip(tidy, true, strict=True) if not t))


def _literal(word: str, text: str, pattern: re.Pattern[str] = _LITERAL) -> int:
    if not pattern.fullmatch(word.strip()):
        raise UsageError(f"formula {shorten(text)!r} is not one of: {NOTATION}")
    return int(word)


def _check_sizes(text: str, variables: int, count: int) -> None:
    if not 1 <= variables <= LARGEST or count > LARGEST:
        raise UsageError(f"formula {text}: more than {LARGEST} variables or clauses, or none")


# --- random formulas -----------------------------------------------------------------------------


def random_assignment(rng: Rng, variables: int) -> Assignment:
    """A uniform assignment."""
    return tuple(bool(rng.integers(0, 1)) for _ in range(variables))


def random_clauses(
    rng: Rng, variables: int, count: int, width: int, hidden: Assignment | None = None
) -> Clauses:
    """``count`` uniform clauses of ``width`` distinct variables; all true at ``hidden``, if given.

    Raises:
        UsageError: more literals than variables.
    """
    if not 1 <= width <= variables:
        raise UsageError(f"formula: clauses of {width} distinct variables out of {variables}")
    clauses: list[tuple[int, ...]] = []
    while len(clauses) < count:
        chosen = rng.few(range(1, variables + 1), width)
        clause = tuple(v if rng.integers(0, 1) else -v for v in chosen)
        if hidden is None or Clauses.clause_holds(clause, hidden):
            clauses.append(clause)
    return Clauses(variables, tuple(clauses))


def planted_triples(rng: Rng, variables: int, count: int) -> tuple[Hypergraph, Assignment]:
    """``count`` draws of triples with exactly one variable of a hidden assignment, and that one.

    The assignment is uniform among those with a true and two false variables; equal triples are
    one, so fewer than ``count`` may come out.

    Raises:
        UsageError: fewer than three variables.
    """
    if variables < 3:
        raise UsageError(f"formula: triples of distinct variables out of {variables}")
    while True:
        hidden = random_assignment(rng, variables)
        true = [v for v in range(variables) if hidden[v]]
        false = [v for v in range(variables) if not hidden[v]]
        if true and len(false) >= 2:
            break
    triples = [(rng.choice(true), *rng.few(false, 2)) for _ in range(count)]
    return Hypergraph(variables, tuple(triples)), hidden


# --- search --------------------------------------------------------------------------------------


def satisfy(formula: Clauses, steps: int = STEPS) -> tuple[Status, Assignment | None]:
    """Whether all clauses can hold: ``("sat", assignment)`` or ``("unsat", None)``, both proved.

    ``("unknown", None)`` after so many ``steps``.
    """
    clauses = [tuple((abs(u) - 1, u > 0) for u in clause) for clause in formula.clauses]
    return _search(_Partial(formula.variables, clauses, steps, exactly_one=False))


def hit_once(triples: Hypergraph, steps: int = STEPS) -> tuple[Status, Assignment | None]:
    """Whether some vertex set meets every edge exactly once; the answer is as for `satisfy`."""
    edges = [tuple((v, True) for v in edge) for edge in triples.edges]
    return _search(_Partial(triples.vertices, edges, steps, exactly_one=True))


def _search(partial: _Partial) -> tuple[Status, Assignment | None]:
    # Decisions: the variable, whether both of its values were tried, the trail before it.
    decisions: list[tuple[int, bool, int]] = []
    fits = partial.assign(partial.forced_at_once())
    while partial.steps > 0:
        if fits:
            variable = partial.next_variable()
            if variable is None:
                return "sat", tuple(bool(value) for value in partial.values)
            decisions.append((variable, False, len(partial.trail)))
            fits = partial.assign([(variable, True)])
            continue
        while decisions and decisions[-1][1]:
            decisions.pop()
        if not decisions:
            return "unsat", None
        variable, _, mark = decisions.pop()
        partial.undo(mark)
        decisions.append((variable, True, mark))
        fits = partial.assign([(variable, False)])
    return "unknown", None


class _Partial:
    """A partial assignment, its trail, and the constraints that every variable occurs in."""

    def __init__(
        self,
        variables: int,
        constraints: Sequence[tuple[tuple[int, bool], ...]],
        steps: int,
        exactly_one: bool,
    ) -> None:
        """Constraints are literals (variable, value), one of which, or exactly one, is true."""
        self.constraints = constraints
        self.exactly_one = exactly_one
        self.steps = steps
        self.values: list[bool | None] = [None] * variables
        self.trail: list[int] = []
        self.occurrences: list[list[int]] = [[] for _ in self.values]
        for number, constraint in enumerate(constraints):
            for variable, _ in constraint:
                self.occurrences[variable].append(number)
        self.order = sorted(range(variables), key=lambda v: (-len(self.occurrences[v]), v))

    def forced_at_once(self) -> list[tuple[int, bool]] | None:
        """Assignments forced by single constraints; None if one cannot hold."""
        forced: list[tuple[int, bool]] = []
        for number in range(len(self.constraints)):
            consequence = self.consequences(number)
            if consequence is None:
                return None
            forced += consequence
        return forced

    def next_variable(self) -> int | None:
        """An open variable; None if all are assigned."""
        return next((v for v in self.order if self.values[v] is None), None)

    def assign(self, queue: list[tuple[int, bool]] | None) -> bool:
        """Assign and propagate; False at a contradiction (the trail then holds a part)."""
        if queue is None:
            return False
        pending = list(queue)
        while pending:
            variable, value = pending.pop()
            if self.values[variable] is not None:
                if self.values[variable] != value:
                    return False
                continue
            self.values[variable] = value
            self.trail.append(variable)
            self.steps -= 1
            for number in self.occurrences[variable]:
                consequence = self.consequences(number)
                if consequence is None:
                    return False
                pending += consequence
        return True

    def consequences(self, number: int) -> list[tuple[int, bool]] | None:
        """What a constraint forces now; None if it cannot hold any more."""
        constraint = self.constraints[number]
        true = sum(self.values[v] is sign for v, sign in constraint)
        free = [(v, sign) for v, sign in constraint if self.values[v] is None]
        if self.exactly_one and true == 1:
            return [(v, not sign) for v, sign in free]
        if true:
            return None if self.exactly_one else []
        if not free:
            return None
        return free if len(free) == 1 else []

    def undo(self, mark: int) -> None:
        """Take back all assignments after the first ``mark`` of the trail."""
        while len(self.trail) > mark:
            self.values[self.trail.pop()] = None
