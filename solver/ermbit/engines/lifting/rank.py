"""Whether sums of few squares give known outputs: by rank and inertia, exactly (G3 to G6).

All forms with these outputs are M + span(K). If K = 0, M has to fit the units. If K is spanned by
the square of one linear form q (an output bias beside hidden biases: q = 1), G4 tells every rank on
the line, and what is approached as t → ±∞. If K is spanned by another form, common roots of minors
tell where the rank is small. Otherwise only signs of either answer are looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gmpy2 import mpq

from ermbit.engines.lifting.form_system import FormSystem
from ermbit.engines.lifting.forms import Line, Matrix, added, inertia, line, squares
from ermbit.engines.lifting.linear import Vector, primitive, rank
from ermbit.engines.lifting.pencil import low_rank_points
from ermbit_instances.algebraic import AlgebraicNumber
from ermbit_instances.certificate import Value

Status = Literal["attained", "approached", "refuted", "open"]


@dataclass(frozen=True)
class Reach:
    """What is known of outputs.

    Attributes:
        status: ``attained``: by ``forms``. ``approached``: by :meth:`FormSystem.theta` of forms of
            ``line`` with large t, and by no network. ``refuted``: by no network; nothing is said of
            limits. ``open``: unknown.
        forms: by output.
        line: with the sign of t.
        pencil: M, Q and t where the form is M + t Q with an irrational t.
    """

    status: Status
    forms: tuple[Matrix, ...] = ()
    line: tuple[Line, int] | None = None
    pencil: tuple[Matrix, Matrix, AlgebraicNumber] | None = None


def reach(
    system: FormSystem, values: Sequence[Vector], deadline: float | None = None
) -> Reach:
    """Whether the network can have these outputs, one vector an output.

    Raises:
        Undecided: not in time.
    """
    if len(values) > 1:
        return _several(system, values)
    network = system.network
    found = system.forms(0, values[0])
    if found is None:
        return Reach("refuted")
    matrix, others = found
    if network.fits(inertia(matrix)):
        return Reach("attained", (matrix,))
    if not others:
        return Reach("refuted")
    if len(others) > 1:
        return Reach("refuted" if _is_blocked(system, matrix, others) else "open")
    direction = squares(others[0])
    if len(direction) != 1:
        return _on_pencil(system, matrix, others[0], deadline)
    through = line(matrix, direction[0].direction)
    for wanted, t in through.options():
        if network.fits(wanted):
            return Reach("attained", (through.at(t),))
    for wanted, sign in through.limits():
        if network.fits(wanted):
            return Reach("approached", line=(through, sign))
    return Reach("refuted")


def _on_pencil(
    system: FormSystem, matrix: Matrix, other: Matrix, deadline: float | None
) -> Reach:
    """The same for all M + t Q, where Q is no square: signs of outer weights have to be free."""
    plus, minus, free = system.network.capacity
    found = low_rank_points(matrix, other, plus + minus + free, deadline)
    if found is None:
        return Reach("refuted" if _is_blocked(system, matrix, (other,)) else "open")
    for t in found.rational:
        form = added(matrix, t, other)
        if system.network.fits(inertia(form)):
            return Reach("attained", (form,))
    if plus == minus == 0:
        for root in found.quadratic():
            # Over Q(t): sums and products of numbers of degree 2 stay cheap.
            return Reach("attained", (added(matrix, root, other),), pencil=(matrix, other, root))
    return Reach("open" if found.irrational else "refuted")


def approaching(
    system: FormSystem, through: Line, size: int, values: Vector
) -> tuple[Value, ...] | None:
    """θ near the values of a line that is approached; the error is O(1/size).

    ``None`` if it cannot be written down: its roots lie outside the domains, or are too many.
    """
    base, form = through.near(mpq(size))
    shifted = [
        v + b - a for v, a, b in zip(values, system.values(base), system.values(form), strict=True)
    ]
    return system.theta((form,), (tuple(shifted),))


def reaching(
    system: FormSystem, found: Reach, values: Sequence[Vector]
) -> tuple[Value, ...] | None:
    """θ for outputs that are attained, ``None`` if it cannot be written down."""
    if found.pencil is None:
        return system.theta(found.forms, values)
    # Direct terms are linear in t: they follow from those for t = 0 and t = 1.
    matrix, other, t = found.pencil
    start = system.direct_amounts(0, matrix, values[0])
    end = system.direct_amounts(0, added(matrix, mpq(1), other), values[0])
    assert start is not None and end is not None
    amounts = tuple(a + t * (b - a) for a, b in zip(start, end, strict=True))
    return system.theta(found.forms, values, (amounts,))


def _is_blocked(system: FormSystem, matrix: Matrix, others: Sequence[Matrix]) -> bool:
    """Whether a block that all forms share does not fit (its inertia is at most that of M)."""
    chosen: list[int] = []
    for k in range(len(matrix) - 1, -1, -1):
        if all(other[k][m] == 0 for other in others for m in [*chosen, k]):
            chosen.append(k)
    block = tuple(tuple(matrix[a][b] for b in chosen) for a in chosen)
    return not system.network.fits(inertia(block))


def _several(system: FormSystem, values: Sequence[Vector]) -> Reach:
    """Several outputs share the units: units of their own suffice, the rank of all is needed."""
    forms: list[Matrix] = []
    unique = True
    for o, vector in enumerate(values):
        found = system.forms(o, vector)
        if found is None:
            return Reach("refuted")
        matrix, others = found
        unique &= not others
        if len(others) == 1 and len(direction := squares(others[0])) == 1:
            through = line(matrix, direction[0].direction)
            matrix = through.at(through.options()[0][1])
        forms.append(matrix)
    units = len(system.network.units)
    if sum(len(squares(form)) for form in forms) <= units:
        return Reach("attained", tuple(forms))
    rows = [primitive(row)[0] for form in forms for row in form]
    if unique and rank(rows) > units:
        return Reach("refuted")
    return Reach("open")


def is_decided(system: FormSystem) -> bool:
    """Whether :func:`reach` never says ``open``."""
    if system.network.capacity[2] >= system.rank * len(system.fixed):
        return True
    if len(system.fixed) > 1:
        return False
    found = system.forms(0, system.fixed[0])
    assert found is not None
    others = found[1]
    return not others or (len(others) == 1 and len(squares(others[0])) == 1)
