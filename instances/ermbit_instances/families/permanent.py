"""The permanent of a 0/1 matrix in the bits of one partial derivative (docs/reductions.md 8).

At the certificate w = 0 the derivative of the loss by w is an integer P, and the bits of the window
in ``meta`` are the number of perfect matchings of the matrix. The instance itself is ``sat``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gmpy2 import mpq

from ermbit_instances.errors import LimitError, UsageError
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    certificate_document,
    register,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import POLYNOMIAL
from ermbit_instances.straight_line import permanent_instance, read_matrix

RANDOM = "random"


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of the given matrix, or of a random one."""
    try:
        if parameters["matrix"] == RANDOM:
            density, n = mpq(parameters["density"]), parameters["n"]
            ones, out_of = int(density.numerator), int(density.denominator)
            rows = [[int(rng.integers(1, out_of) <= ones) for _ in range(n)] for _ in range(n)]
            matrix = read_matrix(rows)
        else:
            matrix = read_matrix(parameters["matrix"])
        document = permanent_instance(matrix, parameters["polynomial"])
    except UsageError as error:
        raise FamilyError(f"parameter {error}") from None
    except LimitError as error:
        raise FamilyError(error.reason) from None
    return Generated(document, certificate_document({"w": 0}))


PERMANENT = register(
    Family(
        name="permanent",
        summary="a 0/1 matrix whose permanent stands in the bits of one partial derivative "
        "(docs/reductions.md 8)",
        source="Valiant 1979; Allender, Bürgisser, Kjeldgaard-Pedersen & Miltersen 2009",
        parameters=(
            FamilyParameter("n", "integer", 3, "rows and columns of a random matrix", 1, 40),
            FamilyParameter("density", "rational", "1/2", "probability of a one", 0, 1),
            FamilyParameter(
                "matrix",
                "text",
                RANDOM,
                "rows such as 110,011,101 (n and density then play no role), or random",
            ),
            POLYNOMIAL,
        ),
        build=build,
    )
)
