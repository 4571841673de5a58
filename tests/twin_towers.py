"""Networks with two equal numbers that are far too long to be built."""

from __future__ import annotations

from typing import Any


def twin_towers(depth: int, then: list[dict[str, Any]], inputs: int = 1) -> dict[str, Any]:
    """The network `f` on top of x0^(2^depth), twice: neurons a0, a1, … and b0, b1, …, then more."""
    neurons: list[dict[str, Any]] = []
    for side in "ab":
        before = "x0"
        for level in range(depth):
            neurons.append({"id": f"{side}{level}", "inputs": {before: 1}, "activation": "square"})
            before = f"{side}{level}"
    return {"inputs": inputs, "neurons": neurons + then, "outputs": ["f"]}
