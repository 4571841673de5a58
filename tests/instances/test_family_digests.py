"""Families whose files are stored as digests: the same bytes on every platform, for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from ermbit_instances.families import generate
from ermbit_instances.families.writing import write

DIGESTS: dict[str, str] = {
    "subset_sum 0": (
        "0174b0eb882e0363d1fa612de3c9a88ab1d35d94b867b7eca76a7946c893bee7"
    ),
    "subset_sum 4 form=tied target=odd n=9 bits=40": (
        "12371634758902c25276a3f3f697fd3caad4bf9daf4e36842ad76aa5281cc7d9"
    ),
    "subset_sum 2 form=step domain=rational:2 target=random": (
        "1a500b459b4233abe2aa1a1ee345c460e3aa8a83a3d1fbb24ed2bcb71f3637ec"
    ),
    "set_splitting 1": (
        "88b4c0057e1739d38c2ef16dfc24277996d861cef3104f29c992b8e8b6b46621"
    ),
    "set_splitting 5 form=frozen hypergraph=planted:12:20:4": (
        "ce2b0ca51019a87f87f7bbea24d821c919e8fd2149d60d56978bf2570487fa5b"
    ),
    "coloring 2": (
        "be6b84238f686986dee807365a927f94d31663fb8632d1471b20b94f18a10c4b"
    ),
    "coloring 7 form=free hypergraph=random:8:6:3 colors=2": (
        "f0391ca343e72860ddea251ef8fe1f1764eff4a6018bb53da55b3249bd9a6264"
    ),
}


def request(text: str) -> tuple[str, int, dict[str, Any]]:
    """``FAMILY SEED NAME=VALUE ...`` as arguments."""
    family, seed, *settings = text.split(" ")
    return family, int(seed), dict(setting.split("=", 1) for setting in settings)


@pytest.mark.parametrize("text", DIGESTS)
def test_files_are_the_same_bytes_for_ever(text: str, tmp_path: Path) -> None:
    family, seed, parameters = request(text)
    paths = write(generate(family, seed, **parameters), tmp_path)
    names_and_bytes = b"".join(path.name.encode() + b"\0" + path.read_bytes() for path in paths)
    assert hashlib.sha256(names_and_bytes).hexdigest() == DIGESTS[text]
