"""Why branches were refuted, counted, and put into one sentence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_KINDS = {
    "no rational root": "{} by polynomials without rational roots",
    "no real root": "{} by polynomials without real roots",
    "outside": "{} by roots outside the domains",
    "residues": "{} by residues",
    "signs": "{} by signs",
    "linear": "{} by linear arithmetic",
    "equations": "{} by equations that contradict each other",
    "reals": "{} by nonlinear arithmetic over the reals",
}

QUOTED = 3
"""Polynomials that a reason quotes."""


@dataclass
class Ledger:
    """Refutations by kind, with their texts.

    Attributes:
        counts: how many of each kind.
        details: different facts worth quoting, in the order of their first appearance.
        single: the text of the last refutation.
        muted: nothing is taken down.
    """

    counts: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)
    single: str = ""
    muted: bool = False

    def note(self, kind: str, text: str, detail: str = "") -> None:
        """One branch refuted.

        Args:
            kind: key of the table above.
            text: the reason, a clause.
            detail: what makes it different from others of its kind.
        """
        if self.muted:
            return
        self.counts[kind] += 1
        self.single = text
        if detail and len(self.details) < 100:
            self.details.setdefault(detail, text)

    def describe(self) -> str:
        """All refutations in one sentence."""
        total = self.counts.total()
        if total == 1:
            return self.single
        kinds = ", ".join(
            text.format(self.counts[kind]) for kind, text in _KINDS.items() if self.counts[kind]
        )
        quoted = "; ".join(list(self.details.values())[:QUOTED])
        more = "; …" if len(self.details) > QUOTED else ""
        return f"{total} branches refuted: {kinds}" + (f" ({quoted}{more})" if quoted else "")
