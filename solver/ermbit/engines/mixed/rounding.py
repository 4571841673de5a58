"""Rational certificates near algebraic ones.

If the constraints leave room around an algebraic model, some rational point close by is a
certificate too, and a rational certificate is what users want. A solver's
model likes to lie on the boundary: a few descents of the loss in floats lead inside. Every
candidate is evaluated exactly; where none of them passes, the algebraic certificate stands.
"""

from __future__ import annotations

from gmpy2 import mpq

from ermbit.engines.training.exact import simplified
from ermbit.verifier.verify import exact_loss
from ermbit_encodings.problem import Problem
from ermbit_instances.certificate import Value
from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational, simplest_between

PRECISIONS = (4, 8, 16, 32, 64)
"""Bits after the point that are kept, one attempt each."""

LOOKS = (1, 2, 4, 8, 16, 32)
"""Steps of the descent into the feasible region after which the point is rounded."""


def rational_certificate(
    problem: Problem, values: tuple[Value, ...]
) -> tuple[Rational, ...] | None:
    """A rational θ with L(θ) ≤ γ from an algebraic one: close by, else further inside."""
    threshold = problem.threshold
    found = rational_nearby(problem.instance, values, threshold)
    if found is not None or threshold == 0:
        return found
    return _descended(problem, values)


def _descended(problem: Problem, values: tuple[Value, ...]) -> tuple[Rational, ...] | None:
    """Lower the loss from θ by Levenberg–Marquardt steps in floats; what is rounded is proved."""
    import numpy as np

    from ermbit.engines.training.blocks import float_network
    from ermbit.engines.training.objective import Objective
    from ermbit.engines.training.run import trainable
    from ermbit.engines.training.squares import Pool
    from ermbit.engines.training.values import LARGEST

    if trainable(problem) is not None:
        return None
    middles = [v if isinstance(v, mpq) else sum(v.bounds(64), mpq(0)) / 2 for v in values]
    if any(abs(v) >= LARGEST for v in middles):  # before float() refuses what is past its range
        return None
    start = np.array([float(v) for v in middles])
    network = problem.instance.network
    x = np.array([[float(v) for v in row.x] for row in problem.samples.rows])
    floats = float_network(network, x)
    free = np.full(len(start), np.inf)
    objective = Objective(problem, floats, exact=False)
    pool = Pool(floats, objective, -free, free, 1)
    with np.errstate(all="ignore"):
        pool.put(np.array([0]), start[None, :])
        for step in range(1, LOOKS[-1] + 1):
            pool.step()
            if not np.isfinite(pool.theta[0]).all():
                return None
            if step in LOOKS:
                point = tuple(mpq(float(v)) for v in pool.theta[0])
                found = rational_nearby(problem.instance, point, problem.threshold, rounded=True)
                if found is not None:
                    return found
    return None


def rational_nearby(
    instance: Instance,
    values: tuple[Value, ...],
    threshold: Rational,
    *,
    rounded: bool = False,
) -> tuple[Rational, ...] | None:
    """A rational θ close to an algebraic one with L(θ) ≤ threshold, or ``None``.

    Returns the values themselves if they are rational already. With ``rounded`` they are only a
    proposal: rational ones are rounded as well, and may turn out to be no certificate.
    """
    if all(isinstance(v, mpq) for v in values) and not rounded:
        return values
    for bits in PRECISIONS:
        simple = tuple(
            simplified(v, bits) if rounded and isinstance(v, mpq) else _round(v, bits)
            for v in values
        )
        inside = all(
            v in p.domain for v, p in zip(simple, instance.network.parameters, strict=True)
        )
        if inside and exact_loss(instance, simple)[0] <= threshold:
            return simple
    return None


def _round(value: Value, bits: int) -> Rational:
    if isinstance(value, mpq):
        return value
    low, high = value.bounds(bits + 4)
    radius = mpq(1, 1 << bits)
    return simplest_between(low - radius, high + radius)
