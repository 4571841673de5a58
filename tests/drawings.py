"""Whether an SVG file is still what is drawn, but for what hangs on the version of matplotlib."""

from __future__ import annotations

import re
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path

import pytest

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NAME = re.compile(r"\b[mp][0-9a-f]{10}\b")
"""What matplotlib calls a mark or a clipping path: a hash of its shape."""


def check_drawing(drawn: bytes, kept: bytes) -> None:
    """The same number of marks; with the version that is installed by default, the same picture.

    The last digits of positions may differ. Another version may lay out and spell differently.
    """
    assert drawn.count(b"<use") == kept.count(b"<use")
    default = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    if drawn == kept or f"matplotlib=={version('matplotlib')}" not in default:
        return
    one, two = (_NAME.sub("name", content.decode()).splitlines() for content in (drawn, kept))
    for line, other in zip_longest(one, two, fillvalue=""):
        if line != other:
            assert _NUMBER.sub("0", line) == _NUMBER.sub("0", other)
            numbers, others = ([float(n) for n in _NUMBER.findall(x)] for x in (line, other))
            assert numbers == pytest.approx(others, abs=0.01)
