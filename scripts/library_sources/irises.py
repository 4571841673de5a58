"""Fisher's irises as CSV and NPZ files beside the instances."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ermbit_instances.families.real_data import FEATURES, SPECIES, flowers
from library_sources.entry import REAL, Document, Entry, dense, entry, integers, written

Point = tuple[int, int]


def entries() -> Iterator[Entry]:
    """All of them."""
    yield from _setosa()
    yield from _versicolor_virginica()
    yield from _planted()


def _table(codes: Sequence[int], positive: int) -> bytes:
    """The flowers of some species as CSV, with a label column: 1 for ``positive``, else -1."""
    lines = [",".join((*FEATURES, "label", "species"))]
    for values, code in flowers():
        if code in codes:
            decimals = [f"{int(v * 10) // 10}.{int(v * 10) % 10}" for v in values]
            label = "1" if code == positive else "-1"
            lines.append(",".join((*decimals, label, SPECIES[code])))
    return ("\n".join(lines) + "\n").encode("ascii")


def _csv(name: str, features: Sequence[str]) -> Document:
    return {"csv": name, "features": list(features), "target": ["label"]}


def _setosa() -> Iterator[Entry]:
    name = "data/iris-setosa.csv"
    files = {name: _table((0, 1, 2), 0)}
    petals = _csv(name, ("petal_length", "petal_width"))
    neuron = dense(2, (1, "identity"))
    for word, domain, theta in (
        ("int3", integers(-3, 3), {"W1": [[-1, -1]], "b1": [3]}),
        ("fixed4", {"domain": "fixed_point", "bits": 4, "fraction_bits": 1},
         {"W1": [[-1, 0]], "b1": ["5/2"]}),
        ("real", REAL, {"W1": [[-1, 0]], "b1": ["5/2"]}),
    ):  # fmt: skip
        yield entry(
            f"iris-setosa-{word}", neuron, domain, petals, "zero_one", 0, family="iris",
            how="setosa petals are at most 1.9 cm long and 0.6 wide, the others at least 3 and 1",
            minimum=0, certificate=theta, files=files,
        )  # fmt: skip
    yield entry(
        "iris-setosa-no-bias",
        dense(1, (1, "identity", {"bias": False})), REAL, _csv(name, ("petal_length",)),
        "zero_one", 0, family="iris", files=files, minimum="1/3",
        how="proof: all lengths are positive, so without bias all flowers get one label",
    )  # fmt: skip
    yield from _fewest_errors("iris-setosa-sepals", name, (0, 1), (0, 1, 2), 0)


# --- the fewest errors of a halfplane ------------------------------------------------------------


def _best_halfplane(
    features: tuple[int, int], codes: Sequence[int], positive: int
) -> tuple[int, tuple[int, int, Fraction]]:
    """Fewest errors of sign(w . x + b) on ``positive`` (+) and the other codes (-), a best (w, b).

    Lengths in millimetres. Complete: the order of the points along w changes only where w is
    normal to a difference of two points, so every order occurs next to such a normal n, that is for
    w = M n + d or M n - d, with d orthogonal to n and M larger than all projections of differences
    on d; along each w every threshold between two projections is tried. Normals come with both
    signs, so both orientations are. A point on the line is an error, so moving the line off all
    points never adds one.
    """
    points: dict[Point, list[int]] = {}
    for values, code in flowers():
        if code in codes:
            key = (int(values[features[0]] * 10), int(values[features[1]] * 10))
            points.setdefault(key, [0, 0])[code != positive] += 1
    distinct = sorted(points)
    scale = 10**5
    total = (sum(c[0] for c in points.values()), sum(c[1] for c in points.values()))
    normals = {(p[1] - q[1], q[0] - p[0]) for p in distinct for q in distinct if p != q}
    best = min((total[1], (0, 0, Fraction(1))), (total[0], (0, 0, Fraction(-1))))
    for n in sorted(normals):
        for turn in (1, -1):
            w = (scale * n[0] - turn * n[1], scale * n[1] + turn * n[0])
            along = sorted((w[0] * p[0] + w[1] * p[1], p) for p in distinct)
            assert all(a[0] < b[0] for a, b in pairwise(along))
            # Positive side: projections above the cut; errors = positives below + others above.
            errors = total[1]
            for (here, p), (there, _) in pairwise(along):
                errors += points[p][0] - points[p][1]
                if errors < best[0]:
                    best = (errors, (*w, -Fraction(here + there, 2)))
    return best


def _versicolor_virginica() -> Iterator[Entry]:
    name = "data/iris-versicolor-virginica.csv"
    for word, columns in (("petals", (2, 3)), ("sepals", (0, 1))):
        yield from _fewest_errors(f"iris-versicolor-virginica-{word}", name, columns, (1, 2), 1)


def _fewest_errors(
    title: str, name: str, columns: tuple[int, int], codes: Sequence[int], positive: int
) -> Iterator[Entry]:
    """The pair with as many errors as needed, and one less."""
    errors, (w, v, b) = _best_halfplane(columns, codes, positive)
    # Weights act on centimetres in the file, on millimetres in the search.
    offset = b / 10
    theta = {"W1": [[w, v]], "b1": [written(offset)]}
    count = 50 * len(codes)
    for threshold, certificate in ((errors, theta), (errors - 1, None)):
        if threshold >= 0:
            yield entry(
                f"{title}-{threshold}", dense(2, (1, "identity")), REAL,
                _csv(name, [FEATURES[c] for c in columns]), "zero_one",
                written(Fraction(threshold, count)), family="iris", certificate=certificate,
                how="full enumeration of the orders of the points along a direction: fewest errors "
                f"{errors} of {count}",
                minimum=written(Fraction(errors, count)), files={name: _table(codes, positive)},
            )  # fmt: skip


# --- labels from a planted network, NPZ ----------------------------------------------------------


def _planted() -> Iterator[Entry]:
    x = np.array([[float(v) for v in values] for values, _ in flowers()][::5], dtype=np.float32)
    w1, b1 = np.array([[1, -1, 0, 2], [-1, 2, 1, -1]]), np.array([-3, 0])
    w2, b2 = np.array([[1, 0], [-1, 2], [0, 1]]), np.array([-2, 1, 0])
    labels = []
    for row in x:
        exact = [Fraction(float(v)) for v in row]
        hidden = [
            max(Fraction(0), sum((int(w) * v for w, v in zip(ws, exact, strict=True)), Fraction(b)))
            for ws, b in zip(w1.tolist(), b1.tolist(), strict=True)
        ]
        outputs = [
            sum((w * h for w, h in zip(ws, hidden, strict=True)), Fraction(b))
            for ws, b in zip(w2.tolist(), b2.tolist(), strict=True)
        ]
        winner = max(range(3), key=lambda j: outputs[j])
        assert sum(value == outputs[winner] for value in outputs) == 1
        labels.append([winner])
    assert len({label[0] for label in labels}) > 1
    buffer = io.BytesIO()
    np.savez(buffer, x=x, y=np.array(labels, dtype=np.int64))
    name = "data/iris-planted.npz"
    yield entry(
        "iris-planted-npz", dense(4, (2, "relu"), (3, "identity")), integers(-3, 3),
        {"npz": name, "x": "x", "y": "y"}, "zero_one", 0, family="iris",
        how="every fifth flower in float32, labelled by a planted network", minimum=0,
        certificate={"W1": w1.tolist(), "b1": b1.tolist(), "W2": w2.tolist(), "b2": b2.tolist()},
        files={name: buffer.getvalue()},
    )  # fmt: skip
