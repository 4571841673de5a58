"""Is an instance linear? Found by encoding one generic sample, which costs next to nothing."""

from __future__ import annotations

from dataclasses import replace

from gmpy2 import mpq

from ermbit_encodings.mixed.encode import encode_mixed
from ermbit_encodings.mixed.program import NotLinearError
from ermbit_encodings.problem import Problem
from ermbit_instances.dataset import Dataset
from ermbit_instances.table import Table


def linearity_obstacle(
    problem: Problem, *, products: bool, homogenise: bool = True
) -> str | None:
    """What keeps the instance from being encoded, or ``None``.

    The probe's inputs are generic numbers, so that no accidental zero hides a product. Data with
    zeros can only be easier.
    """
    instance = problem.instance
    width = instance.network.input_count
    x = Table([tuple(mpq(7 * i + 3, 11 * i + 5) for i in range(width))])
    y = Table([instance.data.y[0]])
    probe = Problem(replace(instance, data=Dataset(x, y)))
    try:
        encode_mixed(probe, products=products, homogenise=homogenise)
    except NotLinearError as error:
        return str(error)
    return None
