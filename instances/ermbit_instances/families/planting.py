"""Teachers: networks drawn from a domain, the data that they label, and labels made wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gmpy2 import mpq

from ermbit_instances.families import labelling
from ermbit_instances.families.domain_text import domain_of, draw
from ermbit_instances.families.family import FamilyError
from ermbit_instances.families.layered import Architecture, Weights, draw_weights, evaluate
from ermbit_instances.families.rng import Rng
from ermbit_instances.rational import Rational, write_rational

_TEACHERS = 50
_INPUTS_PER_SAMPLE = 40

Sample = tuple[list[Rational], list[Rational]]
"""x and y."""


def teacher_and_samples(
    rng: Rng,
    shape: Architecture,
    weights: dict[str, Any],
    loss: str,
    count: int,
    data_range: tuple[int, int],
) -> tuple[Weights, list[Sample]]:
    """A teacher from the domain object ``weights``, and inputs on which it has a label of loss 0.

    Teacher and inputs are redrawn as needed; FamilyError where none is found.
    """
    domain = domain_of(weights)
    for _ in range(_TEACHERS):
        teacher = draw_weights(shape, lambda: draw(domain, rng))
        samples: list[Sample] = []
        for _ in range(_INPUTS_PER_SAMPLE * count):
            x = [mpq(rng.integers(*data_range)) for _ in range(shape.inputs)]
            y = labelling.perfect_label(loss, evaluate(shape, teacher, x))
            if y is not None:
                samples.append((x, y))
            if len(samples) == count:
                return teacher, samples
    raise FamilyError(
        f"no teacher was found whose outputs have {loss} loss 0 on enough inputs: "
        "widen the domain or the data range"
    )


def corrupt(
    rng: Rng, samples: Sequence[Sample], count: int, loss: str, outputs: int
) -> list[Sample]:
    """Give ``count`` samples, chosen at random, a wrong label."""
    wrong = set(rng.sample(range(len(samples)), count))
    return [
        (x, wrong_label(rng, y, loss, outputs)) if position in wrong else (x, y)
        for position, (x, y) in enumerate(samples)
    ]


def wrong_label(rng: Rng, y: Sequence[Rational], loss: str, outputs: int) -> list[Rational]:
    """Another class of a network with so many outputs, or one target moved by 1..3."""
    if labelling.is_classification(loss):
        return [mpq(rng.choice([v for v in labelling.labels(outputs) if v != y[0]]))]
    output = rng.integers(0, len(y) - 1)
    shift = rng.choice((-1, 1)) * rng.integers(1, 3)
    return [t + shift if o == output else t for o, t in enumerate(y)]


def loss_of(
    shape: Architecture, theta: Weights, samples: Iterable[Sample], loss: str, reduction: str
) -> Rational:
    """L(θ), exactly."""
    return labelling.reduce(
        [labelling.sample_loss(loss, evaluate(shape, theta, x), y) for x, y in samples], reduction
    )


def data_document(samples: Sequence[Sample]) -> dict[str, Any]:
    """The ``data`` object of an instance file."""
    return {
        "x": [[write_rational(value) for value in x] for x, _ in samples],
        "y": [[write_rational(value) for value in y] for _, y in samples],
    }
