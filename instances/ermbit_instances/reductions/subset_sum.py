"""Subset sum on one neuron (docs/reductions.md 1).

Source: positive integers a_1..a_n and a target T. Is there x in {0,1}^n with a·x = T?

==========  =======  ===========================================  ===============================
form        section  network                                      sat iff
==========  =======  ===========================================  ===============================
``linear``  1A       w·x                                          the source is, over {0, 1} only
``abs``     1B       abs(w·x + b)                                 the source is, in every domain
                                                                  with -1, 0 and 1
``tied``    1C       relu(w·x + b) + relu(-w·x - b), shared w, b  as ``abs``
``step``    1D       step(w·x + x_n), last weight frozen          some w in [0, 1]^n has a·w = T:
                                                                  it depends on the domain
==========  =======  ===========================================  ===============================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gmpy2 import mpq

from ermbit_instances.documents import Document, instance_document
from ermbit_instances.errors import UsageError
from ermbit_instances.rational import Rational
from ermbit_instances.reductions.formulas import Status
from ermbit_instances.reductions.vectors import unit

if TYPE_CHECKING:
    from ermbit_instances.certificate import Value

Form = Literal["linear", "abs", "tied", "step"]
Subset = tuple[int, ...]

FORMS: tuple[Form, ...] = ("linear", "abs", "tied", "step")

LARGEST = 10_000
"""Most items."""

STEPS = 200_000
"""Sums that a search keeps before it gives up."""


@dataclass(frozen=True)
class SubsetSum:
    """Items a_i ≥ 1 and a target T ≥ 0. Raises UsageError for other numbers."""

    items: tuple[int, ...]
    target: int

    def __post_init__(self) -> None:
        if not 1 <= len(self.items) <= LARGEST:
            raise UsageError(f"subset sum: expected 1..{LARGEST} items, not {len(self.items)}")
        if min(self.items) < 1:
            raise UsageError("subset sum: items are at least 1")
        if self.target < 0:
            raise UsageError("subset sum: the target is at least 0")

    def holds(self, subset: Sequence[int]) -> bool:
        """Whether a choice of 0 or 1 for every item has the target as its sum."""
        return sum(a * x for a, x in zip(self.items, subset, strict=True)) == self.target


def instance(
    source: SubsetSum, form: Form, weights: Document, loss: str = "absolute"
) -> Document:
    """The instance of a form over the domain object ``weights``; γ = 0.

    ``meta`` has the form, the items and the target.
    """
    n = len(source.items)
    match form:
        case "linear":
            network = {
                "inputs": n,
                "layers": [{"units": 1, "activation": "identity", "bias": False}],
            }
            samples = [(list(source.items), source.target)]
        case "step":
            frozen = [[*[None] * n, 1]]
            layer = {"units": 1, "activation": "step", "bias": False, "weights": frozen}
            network = {"inputs": n + 1, "layers": [layer]}
            minus = [-a for a in source.items]
            samples = [
                *(([*unit(i, n), 0], 1) for i in range(n)),
                *(([*unit(i, n, -1), 1], 1) for i in range(n)),
                ([*source.items, -source.target], 1),
                ([*minus, source.target], 1),
            ]
        case _:
            network = two_tied_relus(n) if form == "tied" else _absolute_value(n)
            samples = _pinned_bits(source)
    return instance_document(
        f"subset-sum-{form}-{n}",
        network,
        weights,
        {"x": [x for x, _ in samples], "y": [[y] for _, y in samples]},
        {"name": loss, "reduction": "sum"},
        0,
        {"form": form, "items": list(source.items), "target": source.target},
    )


def _absolute_value(n: int) -> Document:
    return {"inputs": n, "layers": [{"units": 1, "activation": "abs"}]}


def two_tied_relus(n: int) -> Document:
    """abs(z) as relu(z) + relu(-z), with the parameters w0, w1, … and b in both."""

    def relu(name: str, scale: int) -> Document:
        def entry(parameter: str) -> Document:
            return {"param": parameter} if scale == 1 else {"param": parameter, "scale": scale}

        inputs = {f"x{i}": entry(f"w{i}") for i in range(n)}
        return {"id": name, "inputs": inputs, "bias": entry("b"), "activation": "relu"}

    output = {"id": "f", "inputs": {"plus": 1, "minus": 1}, "bias": 0, "activation": "identity"}
    return {"inputs": n, "neurons": [relu("plus", 1), relu("minus", -1), output], "outputs": ["f"]}


def _pinned_bits(source: SubsetSum) -> list[tuple[list[int], int]]:
    """0 → 1 and 2e_i → 1 make w a 0/1 vector for b = -1; the last sample says a·w = T.

    Targets below 2 are doubled together with the items: the last label would have two meanings.
    """
    factor = 2 if source.target < 2 else 1
    n, target = len(source.items), factor * source.target
    last = [2 * factor * a for a in source.items]
    return [
        ([0] * n, 1),
        *((unit(i, n, 2), 1) for i in range(n)),
        (last, abs(2 * target - 1)),
    ]


def needed_values(form: Form) -> frozenset[int]:
    """Values that a domain must have for certificates of this form to exist."""
    return frozenset({0, 1} if form in ("linear", "step") else {-1, 0, 1})


def certificate(subset: Subset, form: Form) -> tuple[Rational, ...]:
    """w = the subset, and b = -1 where the form has one; by parameter number."""
    offset = (mpq(-1),) if form in ("abs", "tied") else ()
    return (*map(mpq, subset), *offset)


def solution(source: SubsetSum, values: Sequence[Value], form: Form) -> Subset:
    """The subset of any θ with loss 0: w, or -w where the bias is 1.

    Raises:
        UsageError: the values are no certificate, or (``step``) fractions, which the domain then
            allows: they are a solution of the linear equation and not a subset.
    """
    n = len(source.items)
    signed = form in ("abs", "tied")
    if len(values) != n + signed:
        raise UsageError(f"subset sum: expected {n + signed} values, not {len(values)}")
    sign = -1 if signed and values[n] == 1 else 1
    chosen = [sign * value if sign == -1 else value for value in values[:n]]
    subset = tuple(int(value == 1) for value in chosen)
    if not all(value in (0, 1) for value in chosen) or not source.holds(subset):
        raise UsageError("subset sum: these values are not a subset with the target as its sum")
    return subset


def solve(source: SubsetSum, steps: int = STEPS) -> tuple[Status, Subset | None]:
    """A subset by dynamic programming; ``unknown`` past so many distinct sums up to T."""
    status, values = fractional_choice(source, (mpq(0), mpq(1)), steps)
    return status, None if values is None else tuple(int(value) for value in values)


def fractional_choice(
    source: SubsetSum, members: Sequence[Rational], steps: int = STEPS
) -> tuple[Status, tuple[Rational, ...] | None]:
    """w_i among ``members`` of [0, 1] with a·w = T, by dynamic programming over the sums.

    Sums from which T cannot be reached any more are left out. ``("unknown", None)`` once more than
    ``steps`` sums are kept, or ten times as many would be looked at.
    """
    if not members:
        return "unsat", None
    least, most = min(members), max(members)
    rest = sum(source.items)
    allowed, looked_at = steps, 0
    # One layer an item: each sum with the member that led to it.
    layers: list[dict[Rational, Rational]] = []
    sums = {mpq(0): mpq(0)}
    for a in source.items:
        rest -= a
        low, high = source.target - rest * most, source.target - rest * least
        following: dict[Rational, Rational] = {}
        looked_at += len(sums) * len(members)
        if looked_at > 10 * allowed:
            return "unknown", None
        for total in sums:
            for member in members:
                reached = total + a * member
                if low <= reached <= high:
                    following.setdefault(reached, member)
        layers.append(following)
        steps -= len(following)
        if steps < 0:
            return "unknown", None
        sums = following
    total = mpq(source.target)
    if total not in sums:
        return "unsat", None
    values: list[Rational] = []
    for a, layer in zip(reversed(source.items), reversed(layers), strict=True):
        values.append(layer[total])
        total -= a * layer[total]
    return "sat", tuple(reversed(values))
