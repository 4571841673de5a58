"""Images of handwritten digits: two classes, 64 inputs 0..16, all to be classified right.

``digits.json`` holds the first images of some classes of the test part of the Optical Recognition
of Handwritten Digits data (E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository,
CC BY 4.0), as scikit-learn ships them; ``python -m benchmark.digits`` in the peers' environment
writes it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from benchmark.case import Case, document, integers

FILE = Path(__file__).with_name("digits.json")
CLASSES = (3, 4, 8, 9)
EACH = 20
SIGNS = "0123456789abcdefg"
"""One sign a pixel: its value in base 17."""


def export() -> None:
    """Write the file from scikit-learn's copy."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    found: dict[str, list[str]] = {}
    for digit in CLASSES:
        images = bunch.data[bunch.target == digit][:EACH]
        found[str(digit)] = ["".join(SIGNS[int(v)] for v in image) for image in images]
    FILE.write_text(json.dumps(found, indent=0) + "\n", encoding="ascii")


def images(digit: int) -> list[list[int]]:
    """The stored images of a digit, 64 numbers each, row by row."""
    stored = json.loads(FILE.read_text(encoding="ascii"))[str(digit)]
    return [[SIGNS.index(sign) for sign in image] for image in stored]


def digits_set() -> Iterator[Case]:
    """Ternary and 4-bit networks of 1 to 8 hidden units on 10 to 40 images.

    Besides the true classes, which few units tell apart, random labels, which have to be learnt by
    heart; there a single neuron may fail.
    """
    for first, second in ((3, 8), (4, 9)):
        for count in (10, 20, 40):
            half = count // 2
            x = [*images(first)[:half], *images(second)[:half]]
            y = [1] * half + [-1] * half
            rng = random.Random(f"digits {first} {second} {count}")
            noise = [rng.choice((-1, 1)) for _ in x]
            for size, domain in (("ternary", integers(1)), ("4bit", integers(-8, 7))):
                for hidden in (0, 1, 2, 4):
                    yield Case(
                        f"digits{first}{second}_N{count}_{size}_h{hidden}_random",
                        f"digits, random labels, {size}",
                        "agnostic",
                        "solve",
                        document(x, noise, (hidden,) if hidden else (), domain, loss="zero_one"),
                    )
                for hidden in (1, 2, 4, 8):
                    yield Case(
                        f"digits{first}{second}_N{count}_{size}_h{hidden}",
                        f"digits, {size}",
                        "agnostic",
                        "solve",
                        document(x, y, (hidden,), domain, loss="zero_one"),
                    )


if __name__ == "__main__":
    export()
