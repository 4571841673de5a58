"""Matrices of limbs from lists of rows, and back, with what holds of every such matrix."""

from __future__ import annotations

import numpy as np

from ermbit.verifier.bulk.limbs import Integers, from_list, to_objects


def packed(rows: list[list[int]]) -> Integers:
    return from_list([v for row in rows for v in row], (len(rows), len(rows[0])))


def listed(matrix: Integers) -> list[list[int]]:
    cells = to_objects(matrix).tolist()
    assert all(abs(v) <= matrix.bound for row in cells for v in row)
    if not matrix.is_object:
        assert np.abs(matrix.limbs).max(initial=0) <= 2**20
        assert not matrix.normal or (matrix.limbs[:-1] >= 0).all()
    return cells
