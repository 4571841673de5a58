"""Constants of ONNX graphs: Constant nodes, shapes, bounds, and the factors of Gemm."""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.onnx_model.file import OnnxNode, read_tensor
from ermbit_instances.parameter_vector import exact_array
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    import numpy as np

_MOST_AXES = 64


def constant_node(node: OnnxNode) -> np.ndarray[Any, Any]:
    """The numbers of a Constant node, as :func:`exact_array` gives them.

    Raises:
        InputError: no value, more than one, or one that is no number.
    """
    import numpy as np

    if len(node.attributes) != 1:
        node.fail("it needs one value")
    ((key, value),) = node.attributes.items()
    if key == "value":
        if not hasattr(value, "data_location"):
            node.fail("its value is no tensor")
        return read_tensor(value, f"the value of {node.label}", node.file)
    if value is None or isinstance(value, str) or hasattr(value, "data_location"):
        node.fail("its value is no number")
    return exact_array(np.array(value))


def broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether an array of this shape can be repeated to the target shape."""
    return len(shape) <= len(target) and all(
        a in (1, b) for a, b in zip(shape[::-1], target[::-1], strict=False)
    )


def whole_numbers(node: OnnxNode, array: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """The entries of a constant shape.

    Raises:
        InputError: not a vector of integers.
    """
    if array.ndim != 1 or array.size > _MOST_AXES:
        node.fail("its shape is not a short vector")
    values = array.tolist()
    if not all(-limits.EDGES.value <= v <= limits.EDGES.value and v == int(v) for v in values):
        node.fail("its shape holds something else than sizes")
    return tuple(int(v) for v in values)


def reshaped(node: OnnxNode, old: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that Reshape gives: 0 copies a size, one −1 takes what is left.

    Raises:
        InputError: the numbers of entries differ.
    """
    keep = not node.integer("allowzero", 0)
    new = [old[i] if size == 0 and keep and i < len(old) else size for i, size in enumerate(wanted)]
    if new.count(-1) == 1:
        rest = prod(size for size in new if size != -1)
        if rest > 0 and prod(old) % rest == 0:
            new[new.index(-1)] = prod(old) // rest
    if any(size < 0 for size in new) or prod(new) != prod(old):
        node.fail(f"data of shape {old} do not fit the shape {wanted}")
    return tuple(new)


def scaled(array: np.ndarray[Any, Any], factor: float) -> np.ndarray[Any, Any]:
    """An array times a 32-bit float, exactly: rationals where floats might have to round."""
    import numpy as np

    if factor == 1.0:
        return array
    if array.dtype == np.float64:
        with np.errstate(all="ignore"):
            if not np.isfinite(array).all():
                return array  # refused where it is used
            if (array.astype(np.float32) == array).all():
                return array * factor  # 24 + 24 bits, exponents from −298
    exact = np.empty(array.size, dtype=object)
    exact[:] = [mpq(v) * mpq(factor) for v in array.reshape(-1).tolist()]
    return exact.reshape(array.shape)


def clip_bounds(
    node: OnnxNode, low: np.ndarray[Any, Any] | None, high: np.ndarray[Any, Any] | None
) -> tuple[float | Rational, float | Rational]:
    """Bounds of a Clip, from its inputs or its attributes; infinite where there is none.

    Raises:
        InputError: given twice, not single numbers, or the lower one above the upper one.
    """
    bounds: list[float | Rational] = []
    for key, given, default in (("min", low, -inf), ("max", high, inf)):
        bound: Any = default
        if key in node.attributes:
            bound = node.attributes[key]
            if given is not None or not isinstance(bound, float):
                node.fail(f"attribute {key!r} is given twice or is not a number")
        elif given is not None:
            if given.size != 1:
                node.fail(f"its bound {key!r} is not one number")
            bound = given.reshape(-1).tolist()[0]
        if bound != bound or bound == -default:
            node.fail(f"its bound {key!r} is {bound}")
        bounds.append(bound if bound == default else mpq(bound))
    if bounds[0] > bounds[1]:
        node.fail("its lower bound is above its upper bound")
    return bounds[0], bounds[1]
