"""Which neurons are homogenised: the rule that makes real outer weights linear.

Let neuron j have a single outgoing edge, with an own real weight v (factor s), and let its inner
real parameters occur nowhere else. Put G = the positive factor by which the child is multiplied
times |s·v|, and multiply the whole neuron by it: (U, B) = G·(u, b), frozen and chosen entries w
become w·G, breakpoints t become t·G. Piece k of φ then holds iff t_k G ≤ U·x + B < t_{k+1} G and
contributes ±(s_k (U·x + B) + c_k G): linear in the new unknowns (docs/theory.md D6).

If φ is positively homogeneous and every inner entry is an own real or zero, the admissible (u, b)
form a cone and |s·v| = 1 is no restriction (B1): no unknown G, and the case v = 0 is u = 0.
Otherwise G > 0 is an unknown and v = 0 is a case of its own.

A pure power φ(t) = c t^k, k ≥ 2, whose inner entries are all own reals or zero, is normalised
likewise: v φ(u·x) = ± φ(|v|^{1/k} u·x). Here the child's gain goes into v and not into u, so that
the neuron itself has factor 1. If k is odd, or φ is linear, v = 1 alone suffices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ermbit_instances.activation import Activation
from ermbit_instances.network import Network, Neuron
from ermbit_instances.rational import Rational


@dataclass(frozen=True, slots=True)
class Homogenised:
    """A neuron to be homogenised.

    Attributes:
        node: its number.
        child: the only neuron that reads it.
        weight: the parameter v of the edge to the child.
        factor: s of that edge entry.
        is_cone: |s·v| = 1 is no restriction.
        power: k of a pure power c·t^k, 1 for piecewise linear activations and maxima.
        is_odd: φ(−t) = −φ(t) in the cone case: the sign of v is no restriction either.
    """

    node: int
    child: int
    weight: int
    factor: Rational
    is_cone: bool
    power: int = 1
    is_odd: bool = False


def homogenised_neurons(
    network: Network, real: frozenset[int], *, powers: bool = False
) -> dict[int, Homogenised]:
    """The neurons to which the rule applies, by node number.

    Args:
        network: the network.
        real: parameters whose domain is ``real``.
        powers: normalise pure powers as well.
    """
    uses = _uses(network)
    fixed = fixed_nodes(network)
    children: dict[int, list[tuple[Neuron, int]]] = {}
    for neuron in network.neurons:
        for position, source in enumerate(neuron.sources):
            children.setdefault(source, []).append((neuron, position))
    result: dict[int, Homogenised] = {}
    for neuron in network.neurons:
        found = children.get(neuron.node, [])
        if len(found) != 1 or neuron.node in network.outputs:
            continue
        child, position = found[0]
        entry = child.weights[position]
        if entry.parameter is None or entry.parameter not in real or uses[entry.parameter] != 1:
            continue
        activation = neuron.activation
        power = pure_power(activation)
        if child.activation.kind == "max" or (power is None or (power > 1 and not powers)):
            continue
        if activation.is_piecewise_constant:
            continue  # its output takes constant values: products are conditional terms anyway
        if neuron.node in fixed:
            continue  # a number on every sample: its product with the outer weight is linear
        inner = [e for e in neuron.entries() if e.parameter is not None and e.parameter in real]
        own = {e.parameter for e in inner}
        if any(p is not None and uses[p] != _count(neuron, p) for p in own):
            continue
        is_cone = (power > 1 or activation.is_homogeneous) and all(
            (e.parameter in own) if e.parameter is not None else e.value == 0
            for e in neuron.entries()
        )
        if power > 1 and not is_cone:
            continue
        is_odd = is_cone and (power % 2 == 1 if power > 1 else activation.is_affine)
        result[neuron.node] = Homogenised(
            neuron.node, child.node, entry.parameter, entry.scale, is_cone, power, is_odd
        )
    return result


def absorbed_biases(network: Network, real: frozenset[int]) -> frozenset[int]:
    """Own real biases that may be 0, since every reader's own real bias can take them over.

    A neuron that adds its bias to its value, as maxima and the identity do, has v·(m + b) + c =
    v·m + (v·b + c) in each of its readers, if these are sums (docs/theory.md B8). What moves on,
    layer by layer, ends at a bias that stays.
    """
    uses = _uses(network)

    def own(neuron: Neuron) -> int | None:
        entry = neuron.bias
        if entry is None or entry.parameter is None or entry.scale == 0:
            return None
        return entry.parameter if entry.parameter in real and uses[entry.parameter] == 1 else None

    readers: dict[int, list[Neuron]] = {}
    for neuron in network.neurons:
        for source in set(neuron.sources):
            readers.setdefault(source, []).append(neuron)
    found = set()
    for neuron in network.neurons:
        phi, bias, read = neuron.activation, own(neuron), readers.get(neuron.node, [])
        adds = phi.kind == "max" or (phi.slopes, phi.intercepts) == ((1,), (0,))
        if not adds or bias is None or neuron.node in network.outputs:
            continue
        if all(r.activation.kind != "max" and own(r) is not None for r in read):
            found.add(bias)
    return frozenset(found)


def pure_power(activation: Activation) -> int | None:
    """k if φ(t) = c t^k with k ≥ 2, 1 if φ is no polynomial, ``None`` for other polynomials."""
    if activation.kind != "polynomial":
        return 1
    return None if any(activation.coefficients[:-1]) else activation.degree


def is_even(activation: Activation) -> bool:
    """φ(−t) = φ(t), for polynomials and for two lines that meet at 0."""
    if activation.kind == "polynomial":
        return not any(activation.coefficients[1::2])
    if activation.kind == "max" or len(activation.breakpoints) != 1 or activation.breakpoints[0]:
        return False
    left, right = activation.slopes
    return bool(left == -right and activation.intercepts[0] == activation.intercepts[1])


def fixed_nodes(network: Network) -> frozenset[int]:
    """Inputs, and the neurons that depend on no parameter: known numbers on every sample."""
    fixed = set(range(network.input_count))
    for neuron in network.neurons:
        if fixed.issuperset(neuron.sources) and all(e.is_frozen for e in neuron.entries()):
            fixed.add(neuron.node)
    return frozenset(fixed)


def _uses(network: Network) -> dict[int, int]:
    uses: dict[int, int] = {}
    for neuron in network.neurons:
        for parameter in _parameters(neuron):
            uses[parameter] = uses.get(parameter, 0) + 1
    return uses


def _parameters(neuron: Neuron) -> Iterator[int]:
    for entry in neuron.entries():
        if entry.parameter is not None:
            yield entry.parameter


def _count(neuron: Neuron, parameter: int) -> int:
    return sum(p == parameter for p in _parameters(neuron))
