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
    "near_teacher 0": (
        "a1d029e411c0f181ad5fc3e5512d6c30f18779468a9af978bc39dd1e5f5463f1"
    ),
    "near_teacher 3 kind=contradicted loss=zero_one outputs=3 hidden=3-2 wrong=3": (
        "13402c85b0872a554eff77cdbe7797f03c4cf176df7a41c8e2c6efb73069c382"
    ),
    "near_teacher 1 loss=squared factor=1/2 activation=step domain=fp8_e4m3": (
        "b876f925871cf70a063be674793e15490e9e3c4a6b4714389482f0e325309b25"
    ),
    "majority 0": (
        "ba23d9b863657d7e9c5b364851c574363d567aa5b076451381c1ce54afdd2291"
    ),
    "majority 2 bits=40 samples=9 loss=hinge activation=sign": (
        "bf0af9ab272f0e709c705b4972c5af2a350b76faa49a9184fc95cd2df1638f06"
    ),
    "boolean_function 0": (
        "4fe7264cb73ebfa03837834afe4bd4525e30fe94d8b27f563555ea93a0bab24b"
    ),
    "boolean_function 5 n=2 hidden=2 domain=ternary": (
        "2ab883037d2ae250f1e55b175673dc54fae20b0728fb47b1d6fb867a1056c391"
    ),
    "boolean_function 0 table=0x1ee8 activation=step hidden=8": (
        "e9f16d0d77ebc9e228ed25bf4586e29f1144ad53d9bccf59f41d23ebfdd26836"
    ),
    "interpolation 0 samples=3": (
        "f3d8f79e45f805973bbb97cc6d965db5fee99de64c38a978c079ddd251632b96"
    ),
    "interpolation 9 hidden=5-3 outputs=2 activation=abs label_denominator=7 domain=int:-3:3": (
        "12dd8ef8171631959e697155c0e2ef282da843d74afbe5e390a91d23461bfb54"
    ),
    "halfspaces 0": (
        "36fa38f7912fa9f9ff4e72bb8c83b2e019d62fad30aadd657108f92f2e6f1f99"
    ),
    "halfspaces 6 labels=random inputs=2 bias=no threshold=4 data_low=-2 domain=ternary": (
        "cde99871f74ae124379f1e84ffad89d17265ffd83e55327560832954733d5445"
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
