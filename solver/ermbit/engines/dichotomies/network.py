"""Networks whose output is a sum of two-valued units: what they are made of, and the way back.

    f(x) = constant(x) + Σ_k c_k g_k + Σ_j v_j φ_j(u_j · x̂_j + fixed_j(x)),   φ_j(t) = low or high

φ_j jumps at one threshold. The inner weights u_j are real, used once; v_j and the output's bias are
real and used once, or frozen. Then only the dichotomies of the units matter (docs/theory.md D3).
"""

from __future__ import annotations

from dataclasses import dataclass

from ermbit.engines.one_hidden_layer import (
    UNIT_LIMIT,
    Column,
    NotOfThisFormError,
    OneHiddenLayer,
    Terms,
)
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational


@dataclass(frozen=True, slots=True)
class TwoValued:
    """A unit v·φ(Σ columns + fixed): ``low`` below 0, ``high`` from 0 on.

    Attributes:
        columns: what each free inner weight multiplies.
        fixed: the fixed part, minus the place of the jump.
        outer: v if it is frozen, else ``None``.
        parameter, scale: of v if it is free.
    """

    columns: tuple[Column, ...]
    fixed: Terms
    low: Rational
    high: Rational
    outer: Rational | None
    parameter: int
    scale: Rational


@dataclass(frozen=True, slots=True)
class DichotomyNetwork:
    """The form above.

    Attributes:
        constant: the fixed part of the output.
        free: linear terms of the output that are free.
        units: the two-valued units.
        parameters: number of free parameters.
        relaxed: some domain is not the reals: only its real relaxation is searched.
    """

    constant: Terms
    free: tuple[Column, ...]
    units: tuple[TwoValued, ...]
    parameters: int
    relaxed: bool


def read_dichotomy_network(network: Network) -> DichotomyNetwork | str:
    """The form of a network, or why it has none."""
    try:
        layer = OneHiddenLayer(network)
        units = tuple(_unit(layer, neuron, outer) for neuron, outer in layer.units)
    except NotOfThisFormError as error:
        return str(error)
    if not units:
        return "no unit is two-valued"
    if len(units) > UNIT_LIMIT:
        return f"more than {UNIT_LIMIT} hidden units"
    return DichotomyNetwork(
        layer.constant, layer.free, units, network.parameter_count, layer.relaxed
    )


def _unit(layer: OneHiddenLayer, neuron: Neuron, outer: Entry) -> TwoValued:
    activation = neuron.activation
    if not activation.is_piecewise_constant or len(activation.breakpoints) > 1:
        raise NotOfThisFormError(f"{activation.name} is not two-valued")
    if activation.is_affine and neuron.node in layer.network.outputs:
        raise NotOfThisFormError("the output is constant")
    columns, fixed = layer.inner(neuron)
    if activation.breakpoints and activation.breakpoints[0] != 0:
        fixed = (*fixed, (-1, -activation.breakpoints[0]))
    layer.require_real(outer)
    return TwoValued(
        columns,
        fixed,
        activation.intercepts[0],
        activation.intercepts[-1],
        outer.value if outer.parameter is None else None,
        -1 if outer.parameter is None else outer.parameter,
        outer.scale,
    )
