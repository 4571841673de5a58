"""The instance sets, each the same cases every time: all draws are from text seeds.

``table`` and ``halfspace`` are rows that single tables are about, ``planted`` has teachers,
``digits`` images, ``polynomial`` powers as activations; ``main`` is the broad set that solvers are
compared on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from zlib import crc32

from benchmark.case import REAL, Case, document, integers
from benchmark.digits import digits_set
from benchmark.main_set import main_set
from benchmark.polynomial_set import polynomial_set
from benchmark.teachers import planted_set

Rows = list[list[int]]


def points(rng: random.Random, count: int, inputs: int, size: int = 8) -> Rows:
    """Integer points, each coordinate in −size..size."""
    return [[rng.randint(-size, size) for _ in range(inputs)] for _ in range(count)]


def table_case(
    inputs: int,
    hidden: Sequence[int],
    weight: int,
    count: int,
    seed: int,
    loss: str = "absolute",
    task: str = "minimize",
) -> Case:
    """Random integer points and labels, weights and biases in −weight..weight (0: real)."""
    rng = random.Random(f"table {inputs} {hidden} {weight} {count} {loss} {seed}")
    x = points(rng, count, inputs)
    if loss in ("zero_one", "hinge"):
        y = [rng.choice((-1, 1)) for _ in x]
    else:
        y = [rng.randint(-8, 8) for _ in x]
    domain = integers(weight) if weight else REAL
    size = f"W{weight}" if weight else "real"
    shape = "-".join(map(str, hidden))
    family = f"d{inputs} h{shape} {size} N{count}" + ("" if loss == "absolute" else f" {loss}")
    name = family.replace(" ", "_") + f"_s{seed}"
    return Case(name, family, "agnostic", task, document(x, y, hidden, domain, loss=loss))


def table_set() -> Iterator[Case]:
    """The rows of the table of engines, three seeds each."""
    for seed in range(3):
        yield table_case(2, [2], 3, 10, seed)
        yield table_case(2, [2], 3, 20, seed)
        yield table_case(2, [2], 7, 20, seed)
        yield table_case(2, [3], 3, 20, seed)
        yield table_case(2, [2, 2], 3, 8, seed)
        yield table_case(3, [2], 3, 30, seed, "zero_one")
        yield table_case(2, [2], 0, 20, seed)
        yield table_case(2, [2], 0, 40, seed)
    x = [list(row) for row in product((0, 1), repeat=4)]
    y = [1 if sum(row) % 2 else -1 for row in x]
    parity = document(x, y, [3], integers(3), loss="zero_one")
    yield Case("parity4_h3_W3", "parity of 4 bits", "realizable", "solve", parity)


def halfspace_set() -> Iterator[Case]:
    """One neuron under ``zero_one``: plane data, survival-like data, integer weights."""
    rng = random.Random("halfspace plane")
    x = points(rng, 700, 2, 50)
    y = [rng.choice((-1, 1)) for _ in x]
    for count in (60, 150, 300, 700):
        plane = document(x[:count], y[:count], [], REAL, loss="zero_one")
        yield Case(f"plane_N{count}", "plane, real", "agnostic", "minimize", plane)
    x, y = survival_like()
    for count in (60, 150, 306):
        survival = document(x[:count], y[:count], [], REAL, loss="zero_one")
        yield Case(f"survival_N{count}", "survival, real", "agnostic", "minimize", survival)
    for weight in (1, 2, 3, 5, 10):
        limited = document(
            x, y, [], integers(weight) | {"biases": integers(100)}, loss="zero_one"
        )
        yield Case(f"survival_W{weight}", "survival, integer", "agnostic", "minimize", limited)


def survival_like() -> tuple[Rows, list[int]]:
    """306 synthetic rows of the shape of Haberman's survival data, drawn here and not copied.

    Ages 30..83, years 58..69, nodes 0..52 (mostly few), labels about 3 : 1, fewer +1 with more
    nodes. Many duplicates and collinear points.
    """
    rng = random.Random("survival")
    x, y = [], []
    for _ in range(306):
        nodes = 0 if rng.random() < 0.45 else min(52, int(rng.expovariate(1 / 6)))
        age = min(83, max(30, round(rng.gauss(52, 11))))
        x.append([age, rng.randint(58, 69), nodes])
        y.append(1 if rng.random() < (0.82 if nodes < 5 else 0.5) else -1)
    return x, y


SETS: dict[str, Callable[[], Iterator[Case]]] = {
    "main": main_set,
    "table": table_set,
    "halfspace": halfspace_set,
    "planted": planted_set,
    "digits": digits_set,
    "polynomial": polynomial_set,
}
SUBSETS = ("agnostic", "realizable")
"""Names of parts of ``main``, by the kind of its cases."""


def cases(name: str) -> list[Case]:
    """All cases of a set, or of a part of ``main``, in a fixed order.

    Raises:
        KeyError: no set has this name.
    """
    if name in SUBSETS:
        return [case for case in main_set() if case.kind == name]
    return list(SETS[name]())




def sample(found: Sequence[Case], every: int) -> list[Case]:
    """One case in ``every``, spread over the names by their checksums, in the order of the set.

    A stride would not do: the cases of a base follow each other in a pattern.
    """
    return [case for case in found if crc32(case.name.encode("ascii")) % every == 0]
