"""Is an instance linear? Found by encoding one generic sample, which costs next to nothing."""

from __future__ import annotations

from dataclasses import replace

from gmpy2 import mpq

from ermbit_encodings.mixed.encode import encode_mixed
from ermbit_encodings.mixed.normalisation import fixed_nodes
from ermbit_encodings.mixed.program import NotLinearError
from ermbit_encodings.problem import Problem
from ermbit_instances.dataset import Dataset
from ermbit_instances.table import Table

DATA_ROWS = 32
"""Samples that are encoded besides the generic one where that does not suffice."""


def linearity_obstacle(
    problem: Problem, *, products: bool, homogenise: bool = True
) -> str | None:
    """What keeps the instance from being encoded, or ``None``.

    The probe's inputs are generic numbers, so that no accidental zero hides a product. Data with
    zeros can only be easier. Behind neurons without parameters inputs are not generic any more:
    there some of the data are encoded as well.
    """
    instance = problem.instance
    width = instance.network.input_count
    rows = [tuple(mpq(7 * i + 3, 11 * i + 5) for i in range(width))]
    if len(fixed_nodes(instance.network)) > width:
        rows += dict.fromkeys(row.x for row in problem.samples.rows[:DATA_ROWS])
    x, y = Table(rows), Table([instance.data.y[0]] * len(rows))
    probe = Problem(replace(instance, data=Dataset(x, y)))
    try:
        encode_mixed(probe, products=products, homogenise=homogenise)
    except NotLinearError as error:
        return str(error)
    return None
