"""The loss as weighted squares of residuals, which Gauss–Newton steps can lower.

Every loss becomes Σ ω r² with residuals r of the outputs and weights ω that are renewed at every
step (iteratively reweighted least squares): ω = ŵ for ``squared``, ŵ/|r| for ``absolute`` and
``hinge``, ŵ/r² (a concave loss) for ``zero_one``, and for ``max`` weights that grow with the
residual. If only a loss of 0 is good enough, all of them ask for r = 0 and plain squares do.
"""

from __future__ import annotations

import numpy as np

from ermbit.engines.training.network import Array, FloatNetwork
from ermbit_encodings.problem import Problem


class Objective:
    """The loss of one problem on batches of outputs.

    Args:
        problem: gives loss, targets and weights.
        network: compiled from it.
        exact: only a loss of 0 counts.
    """

    def __init__(self, problem: Problem, network: FloatNetwork, *, exact: bool) -> None:
        loss, rows = problem.instance.loss, problem.samples.rows
        self.network, self.exact = network, exact
        self.name, self.by_max = loss.name, loss.reduction == "max"
        self.targets = np.array([[float(v) for v in row.y] for row in rows])
        self.weights = np.array([float(row.weight) for row in rows])
        self.classes = loss.is_classification
        self.many = self.classes and network.outputs.size > 1
        # Right without a margin means a positive score, however small: that is a matter of scale,
        # and of an integer where the weights have a grid.
        self.margin = 1.0
        if loss.name == "zero_one" and loss.margin > 0:
            self.margin = float(loss.margin) * (1 + 1e-9)
        elif loss.name == "zero_one" and problem.integer is not None:
            self.margin = min(1.0, 1.0 / float(problem.integer.scale))
        scale = np.abs(self.targets).max(initial=1.0) if not self.classes else self.margin
        self.floor = 1e-3 * float(scale)
        self.zero = 1e-22 * float(scale) ** 2

    def residuals(self, outputs: Array) -> Array:
        """(B, N, R) residuals of (B, N, O) outputs."""
        if not self.classes:
            gaps: Array = outputs - self.targets
            return gaps
        return np.maximum(self.margin - self._scores(outputs), 0.0)[..., None]

    def seeds(self, outputs: Array) -> list[Array]:
        """For each of the R residuals its derivatives by the outputs, (B, N, O)."""
        if not self.classes:
            unit = np.eye(outputs.shape[2])
            return [np.broadcast_to(row, outputs.shape) for row in unit]
        active = (self._scores(outputs) < self.margin)[..., None]
        if not self.many:
            return [np.where(active, -self.targets, 0.0)]
        labels = self.targets[:, 0].astype(np.intp)
        others = self._masked(outputs).argmax(axis=2)
        classes = np.arange(outputs.shape[2])
        own = (classes == labels[:, None]).astype(np.float64)
        best = (classes == others[..., None]).astype(np.float64)
        return [np.where(active, best - own, 0.0)]

    def _masked(self, outputs: Array) -> Array:
        masked = outputs.copy()
        labels = self.targets[:, 0].astype(np.intp)
        masked[:, np.arange(len(labels)), labels] = -np.inf
        return masked

    def _scores(self, outputs: Array) -> Array:
        if not self.many:
            scores: Array = outputs[..., 0] * self.targets[:, 0]
            return scores
        labels = self.targets[:, 0].astype(np.intp)
        own = outputs[:, np.arange(len(labels)), labels]
        result: Array = own - self._masked(outputs).max(axis=2)
        return result

    def reweighted(self, residuals: Array) -> Array:
        """ω for (B, N, R) residuals."""
        omega: Array = np.broadcast_to(self.weights[:, None], residuals.shape)
        size = np.abs(residuals)
        if self.exact:
            omega = np.ones_like(size)
        elif self.by_max:
            weighted = omega * size
            worst = weighted.max(axis=(1, 2), keepdims=True)
            omega = 1e-3 + (weighted / np.maximum(worst, 1e-300)) ** 6
        elif self.name == "zero_one":
            omega = omega / np.maximum(size, 0.05 * self.margin) ** 2
        elif self.name != "squared":
            omega = omega / np.maximum(size, self.floor)
        return omega

    def losses(self, outputs: Array) -> Array:
        """What is lowered, (B,): Σ r² if only 0 counts, else the loss with its smooth parts."""
        residuals = self.residuals(outputs)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.exact:
                total = (residuals**2).sum(axis=(1, 2))
            elif self.by_max:
                size = np.abs(residuals).sum(axis=2)
                total = (self.weights * size).max(axis=1)
            elif self.name == "squared":
                total = (self.weights[:, None] * residuals**2).sum(axis=(1, 2))
            elif self.name == "zero_one":
                part = residuals**2
                part = part / (part + (0.3 * self.margin) ** 2)
                total = (self.weights[:, None] * part).sum(axis=(1, 2))
            else:
                total = (self.weights[:, None] * np.abs(residuals)).sum(axis=(1, 2))
        return np.where(np.isfinite(total), total, np.inf)
