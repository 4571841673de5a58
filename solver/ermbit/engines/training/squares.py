"""Levenberg–Marquardt steps for many starts at once (Levenberg 1944; Marquardt 1963).

Every slot of the pool descends on its own: its damping, its bounds, the parameters that are held
fixed. With fewer residuals than parameters the equations are solved in the space of residuals.
"""

from __future__ import annotations

import numpy as np

from ermbit.engines.training.network import Array, FloatNetwork
from ermbit.engines.training.objective import Objective

LEAST_DAMPING, MOST_DAMPING = 1e-14, 1e8


class Pool:
    """Parameters of B copies with what their descent remembers.

    Args:
        network, objective: of one problem.
        low, high: (P,) bounds of the parameters, infinite for none.
        size: B.

    Attributes:
        softness: width over which jumps are smeared.
        theta: (B, P).
        free: (B, P), which parameters move.
        loss: (B,), what is lowered; infinite for slots never filled.
        damping: (B,).
        idle: (B,), steps without notable progress.
    """

    def __init__(
        self, network: FloatNetwork, objective: Objective, low: Array, high: Array, size: int
    ) -> None:
        self.network, self.objective = network, objective
        self.low, self.high, self.softness = low, high, 0.5
        self.theta = np.zeros((size, network.count))
        self.free = np.ones((size, network.count), dtype=np.bool_)
        self.loss = np.full(size, np.inf)
        self.damping = np.ones(size)
        self.idle = np.zeros(size, dtype=np.int64)
        self.steps = 0

    def put(self, slots: Array, theta: Array, free: Array | None = None) -> None:
        """Fill slots with new starts, (B', P)."""
        if not len(slots):
            return
        self.theta[slots] = np.clip(theta, self.low, self.high)
        self.free[slots] = True if free is None else free
        outputs = self.network.outputs_at(self.theta[slots], softness=self.softness)
        self.loss[slots] = self.objective.losses(outputs)
        self.damping[slots] = 1e-2
        self.idle[slots] = 0

    def step(self) -> None:
        """One step of every slot; a slot whose step does not pay stays where it is."""
        self.steps += 1
        with np.errstate(all="ignore"):
            moved = np.clip(self.theta + self._directions(), self.low, self.high)
            loss = self.objective.losses(self.network.outputs_at(moved, softness=self.softness))
        better = loss < self.loss
        notable = loss < self.loss * (1 - 1e-3)
        self.idle = np.where(notable, 0, self.idle + 1)
        self.theta[better] = moved[better]
        self.loss[better] = loss[better]
        factor = np.where(better, 0.2, 5.0)
        self.damping = np.clip(self.damping * factor, LEAST_DAMPING, MOST_DAMPING)

    def _directions(self) -> Array:
        theta = self.theta
        trace = self.network.trace(theta, softness=self.softness)
        outputs = self.network.outputs_of(trace)
        residuals = self.objective.residuals(outputs)
        omega = np.sqrt(self.objective.reweighted(residuals))
        rows = [
            self.network.pullback(trace, seed * omega[:, :, r, None], softness=self.softness)
            for r, seed in enumerate(self.objective.seeds(outputs))
        ]
        jacobian = rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)
        right = (residuals * omega).transpose(0, 2, 1).reshape(theta.shape[0], -1)
        jacobian = np.nan_to_num(jacobian, nan=0.0, posinf=0.0, neginf=0.0)
        right = np.nan_to_num(right, nan=0.0, posinf=0.0, neginf=0.0)
        gradient = (jacobian * right[..., None]).sum(axis=1)
        # What stands at a bound and is pushed beyond it does not take part.
        held = ((theta <= self.low) & (gradient > 0)) | ((theta >= self.high) & (gradient < 0))
        movable = self.free & ~held
        jacobian *= movable[:, None, :]
        gradient = gradient * movable
        diagonal = (jacobian**2).sum(axis=1)
        mean = diagonal.sum(axis=1, keepdims=True) / np.maximum(
            movable.sum(axis=1, keepdims=True), 1
        )
        metric = diagonal + 1e-3 * mean + 1e-300
        damping = self.damping[:, None]
        _, count, parameters = jacobian.shape
        if count < parameters:
            scaled = jacobian / metric[:, None, :]
            gram = scaled @ jacobian.transpose(0, 2, 1)
            gram[:, np.arange(count), np.arange(count)] += damping + 1e-14
            solution = np.linalg.solve(gram, right[..., None])
            step = -(scaled.transpose(0, 2, 1) @ solution)[..., 0]
        else:
            gram = jacobian.transpose(0, 2, 1) @ jacobian
            at = np.arange(parameters)
            gram[:, at, at] += damping * metric + 1e-13 * mean + 1e-300
            gram[:, at, at] += np.where(movable, 0.0, 1.0)
            step = -np.linalg.solve(gram, gradient[..., None])[..., 0]
        result: Array = np.nan_to_num(step * movable, nan=0.0, posinf=0.0, neginf=0.0)
        return result
