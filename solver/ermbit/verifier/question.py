"""What a verification asks of the loss."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """What is asked of the loss beyond the comparison.

    Attributes:
        exact_loss: the whole number, whatever it takes within the limits.
        bit: (K, count): the bits K, …, K+count−1.
        leading: so many of the highest bits.
        memory: megabytes that numbers may take.
        timeout: seconds.
    """

    exact_loss: bool = False
    bit: tuple[int, int] | None = None
    leading: int | None = None
    memory: int | None = None
    timeout: float | None = None


COMPARISON = Question()
"""Only whether L(θ) ≤ γ."""
