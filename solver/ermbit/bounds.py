"""The two ends of a minimisation: the best verified loss and the best proved lower bound.

Engines report in any order and any quality; both ends only ever improve. Where a proved bound
passes a verified loss, one of the two engines is wrong: an internal error, never an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gmpy2 import mpq

from ermbit.confirmation import Confirmation, Confirmed, Undecided
from ermbit.engines.engine import Incumbent
from ermbit_instances.certificate import Value

# Share of the time that may go into verifying incumbents which better ones soon replace.
_SHARE = 0.2

Improved = Callable[[str, str], None]
"""Called with the engine and ``"incumbent"`` or ``"bound"``."""


class Bounds:
    """Merges the reports of all engines of one minimisation."""

    def __init__(self, confirmation: Confirmation, improved: Improved) -> None:
        self.best: Confirmed | None = None
        self.lower: Value = mpq(0)
        self.lower_from: str | None = None
        self.infimum: Value | None = None
        self.undecided: str | None = None
        self._confirmation = confirmation
        self._improved = improved
        # One an engine: what an engine reports later is better, by its contract, but nothing is
        # known between engines while a loss is still to be computed.
        self._pending: dict[str, Incumbent] = {}
        self._quiet_until = 0.0

    @property
    def met(self) -> bool:
        """The verified loss is the proved lower bound: it is the least loss."""
        return self.best is not None and self.best.loss == self.lower

    def offer(self, engine: str, incumbent: Incumbent) -> None:
        """An incumbent of an engine; it may wait for its verification while many arrive."""
        if not self._promises(incumbent):
            return
        self._pending[engine] = incumbent
        self.look()

    def look(self) -> None:
        """Verify the incumbent that waits, if its time has come."""
        if self._pending and time.monotonic() >= self._quiet_until:
            self.flush()

    def flush(self) -> None:
        """Verify the incumbents that wait."""
        if not self._pending:
            return
        began = time.monotonic()
        for engine, incumbent in list(self._pending.items()):
            if self._promises(incumbent):
                self.accept(engine, incumbent.values, claimed=incumbent.loss, again=False)
            # Only now: an interrupt during the verification must not lose the incumbent.
            del self._pending[engine]
        now = time.monotonic()
        self._quiet_until = now + (now - began) * (1 / _SHARE - 1)

    def accept(
        self,
        engine: str,
        values: tuple[Value, ...],
        *,
        claimed: Value | None = None,
        again: bool = True,
    ) -> Confirmed | None:
        """Verify θ now and keep it if it is the best so far; ``None`` if undecided."""
        confirmed = self._confirmation.confirm(engine, values, claimed=claimed, again=again)
        if isinstance(confirmed, Undecided):
            self.undecided = confirmed.reason
            return None
        if self.best is None or confirmed.measured < self.best.measured:
            self.best = confirmed
            self._check(engine)
            self._improved(engine, "incumbent")
        return confirmed

    def raise_lower(self, engine: str, bound: Value) -> None:
        """A lower bound that an engine has proved."""
        if bound > self.lower:
            self.lower, self.lower_from = bound, engine
            self._check(engine)
            self._improved(engine, "bound")

    def set_infimum(self, engine: str, infimum: Value) -> None:
        """An engine has proved that the infimum is this, and not attained."""
        self.raise_lower(engine, infimum)
        self.infimum = infimum
        self._check(engine)

    def _promises(self, incumbent: Incumbent) -> bool:
        """Whether it may be better than the best one; an unknown loss may be anything."""
        if self.best is None or incumbent.loss is None:
            return True
        return bool(incumbent.loss < self.best.loss)

    def _check(self, engine: str) -> None:
        what = None
        if self.best is not None and self.lower > self.best.loss:
            what = (
                f"the lower bound of {self.lower_from} is above the verified loss "
                f"of a certificate of {self.best.engine}"
            )
        elif self.infimum is not None and self.lower > self.infimum:
            what = f"the lower bound of {self.lower_from} is above the infimum"
        elif self.infimum is not None and self.best is not None and self.best.loss <= self.infimum:
            what = f"a certificate of {self.best.engine} attains what was proved unattainable"
        if what is not None:
            parameters = None if self.best is None else self.best.parameters
            raise self._confirmation.refusal(what, engine, parameters)
