"""Exact losses of what training proposes, and output weights solved for exactly."""

from __future__ import annotations

from collections.abc import Sequence

from gmpy2 import mpq

from ermbit.verifier.evaluation.arithmetic import OutOfTime
from ermbit.verifier.evaluation.evaluate import evaluate_sample
from ermbit.verifier.verify import exact_loss
from ermbit_encodings.problem import Problem
from ermbit_instances.certificate import Value
from ermbit_instances.linear_equations import solve
from ermbit_instances.network import Network
from ermbit_instances.rational import Rational, simplest_between


def checked_loss(
    problem: Problem, values: Sequence[Rational], deadline: float | None = None
) -> Rational | None:
    """L(θ), exactly; ``None`` if a value lies outside its domain, or the time is over.

    Args:
        problem: the problem.
        values: θ.
        deadline: by the monotonic clock, in seconds.
    """
    parameters = problem.instance.network.parameters
    if not all(v in p.domain for v, p in zip(values, parameters, strict=True)):
        return None
    form = problem.integer
    if form is None:
        try:
            loss: Value = exact_loss(problem.instance, tuple(values), deadline)[0]
        except OutOfTime:
            return None
        assert isinstance(loss, mpq)
        return loss
    numbers = [int((v * q).numerator) for v, q in zip(values, form.grids, strict=True)]
    return form.loss(form.total(numbers))


def output_parameters(network: Network) -> tuple[int, ...]:
    """The parameters in which all outputs are affine together, whatever the others are.

    Those that enter affine outputs and nothing else; empty if an output reads another one.
    """
    outputs = set(network.outputs)
    inside: set[int] = set()
    elsewhere: set[int] = set()
    for neuron in network.neurons:
        numbers = {e.parameter for e in neuron.entries() if e.parameter is not None}
        if neuron.node in outputs and neuron.activation.is_affine:
            inside |= numbers
        else:
            elsewhere |= numbers
        if outputs & set(neuron.sources):
            return ()
    return tuple(sorted(inside - elsewhere))


def solved_outputs(
    problem: Problem, values: Sequence[Rational], numbers: Sequence[int]
) -> tuple[Rational, ...] | None:
    """θ with all outputs equal to their targets, if some parameters can make them so.

    Args:
        problem: a regression.
        values: θ; the other parameters stay as they are, and those that the equations leave open.
        numbers: parameters in which the outputs are affine, see :func:`output_parameters`.

    Returns:
        θ, not necessarily inside its domains; ``None`` if the equations contradict each other.
    """
    network, rows = problem.instance.network, problem.samples.rows
    point = list(values)

    def outputs() -> list[Rational]:
        return [f for row in rows for f in evaluate_sample(network, row.x, point)]

    for p in numbers:
        point[p] = mpq(0)
    base = outputs()
    columns = []
    for p in numbers:
        point[p] = mpq(1)
        columns.append([f - b for f, b in zip(outputs(), base, strict=True)])
        point[p] = mpq(0)
    targets = [y for row in rows for y in row.y]
    right = [t - b for t, b in zip(targets, base, strict=True)]
    guesses = [values[p] for p in numbers]
    equations = [[column[i] for column in columns] for i in range(len(right))]
    solution = solve(equations, right, guesses)
    if solution is None:
        return None
    for p, v in zip(numbers, solution, strict=True):
        point[p] = v
    return tuple(point)


def simplified(value: Rational, bits: int) -> Rational:
    """The simplest rational within 2^−bits."""
    radius = mpq(1, 1 << bits)
    return simplest_between(value - radius, value + radius)
