"""The figure of the bit-model dichotomy: bits and seconds against depth, on logarithmic axes.

On a logarithmic axis a multiplicative law is a straight line that rises, an additive one flattens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from ermbit.dichotomy import GrowthLaw, Point
from ermbit.figures import COLOURS, DOTS_PER_INCH, MARKERS, STYLE, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = (10.0, 5.2)
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LONGEST_FORMULA = 24


@dataclass(frozen=True, slots=True)
class Curve:
    """What is drawn of one activation.

    Attributes:
        points: measured, by depth.
        forward, derivative: laws of their bits, ``None`` where there are too few points.
    """

    points: tuple[Point, ...]
    forward: GrowthLaw | None
    derivative: GrowthLaw | None


def draw(
    curves: Sequence[Curve], *, width: int, bits: int, form: Literal["svg", "png"] = "svg"
) -> bytes:
    """The figure as the bytes of an SVG or PNG file.

    Args:
        curves: one an activation, each of at least one point.
        width: units of a hidden layer, for the title.
        bits: of the parameters, for the title.
        form: of the file. Equal curves make equal bytes with the same version of matplotlib.
    """
    quiet()
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=_INCHES, layout="constrained")
        left, right = figure.subplots(1, 2)
        deepest = max(point.depth for curve in curves for point in curve.points)
        for number, curve in enumerate(curves):
            colour = COLOURS[number % len(COLOURS)]
            marker = MARKERS[number % len(MARKERS)]
            _draw_bits(left, curve, colour, marker, deepest)
            _draw_seconds(right, curve, colour, marker)
        _label(figure, left, right, width, bits)
        return _rendered(figure, curves, form)


def _draw_bits(axes: Axes, curve: Curve, colour: str, marker: str, deepest: int) -> None:
    """Fitted laws as lines, measured bits as markers."""
    name = formula(curve.points[0].activation)
    depths = [point.depth for point in curve.points]
    for law, measured, line, face, what in (
        (curve.forward, [p.forward_bits for p in curve.points], "-", colour, "value"),
        (curve.derivative, [p.derivative_bits for p in curve.points], "--", "white", "derivative"),
    ):
        label = f"{name}, {what}" + ("" if law is None else f": {law}/layer")
        fitted = measured if law is None else [law.bits(depth) for depth in depths]
        dots: dict[str, Any] = {"color": colour, "marker": marker, "mfc": face, "ms": 4.5}
        axes.plot(depths, fitted, ls=line, color=colour, lw=1.4)
        axes.plot(depths, measured, ls="none", **dots)
        axes.plot([], [], ls=line, lw=1.4, label=label, **dots)
    if curve.forward is not None:
        last = curve.points[-1]
        at_edge = last.depth > 0.75 * deepest
        axes.annotate(
            str(curve.forward),
            (last.depth, last.forward_bits),
            xytext=(4, -13) if at_edge else (8, -3),
            textcoords="offset points",
            ha="right" if at_edge else "left",
            va="center",
            color=colour,
            weight="bold",
        )


def _draw_seconds(axes: Axes, curve: Curve, colour: str, marker: str) -> None:
    name = formula(curve.points[0].activation)
    depths = [point.depth for point in curve.points]
    for seconds, line, face, what in (
        ([p.forward_seconds for p in curve.points], "-", colour, "forward pass"),
        ([p.gradient_seconds for p in curve.points], "--", "white", "backpropagation"),
    ):
        dots: dict[str, Any] = {"color": colour, "marker": marker, "mfc": face, "ms": 4.5}
        axes.plot(depths, seconds, ls=line, lw=1.4, label=f"{name}, {what}", **dots)


def _label(figure: Figure, left: Axes, right: Axes, width: int, bits: int) -> None:
    from matplotlib.ticker import MaxNLocator

    figure.suptitle(
        "The bit-model dichotomy: exact evaluation and differentiation of networks "
        f"of width {width} with {bits}-bit parameters",
        weight="bold",
        fontsize=11,
    )
    left.set_title("Length of the numbers (marks: measured, lines: fitted law)")
    left.set_ylabel("bits of the longer of numerator and denominator")
    right.set_title("Time of the passes")
    right.set_ylabel("seconds")
    for axes in (left, right):
        axes.set_yscale("log")
        axes.set_xlabel("depth (hidden layers)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
        axes.minorticks_off()
        axes.set_axisbelow(True)
        # Values in the left column, derivatives in the right one; below, where no curve is.
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(
            [*handles[::2], *handles[1::2]],
            [*labels[::2], *labels[1::2]],
            ncols=2,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            fontsize=8.5,
            frameon=False,
        )


def _rendered(figure: Figure, curves: Sequence[Curve], form: str) -> bytes:
    file = BytesIO()
    if form == "png":
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        return file.getvalue()
    laws = "; ".join(
        f"{formula(curve.points[0].activation)}: value {curve.forward} per layer, "
        f"derivative {curve.derivative} per layer"
        for curve in curves
        if curve.forward is not None and curve.derivative is not None
    )
    metadata = {"Title": "Bit-lengths against depth", "Description": laws}
    figure.savefig(file, format="svg", metadata={**metadata, "Creator": None, "Date": None})
    return file.getvalue()


def formula(activation: str) -> str:
    """The name of an activation for people: ``polynomial:0,1,0,1`` is ``z + z³``."""
    name, _, options = activation.partition(":")
    if name != "polynomial":
        return activation.replace(":", " ")
    terms = []
    for power, coefficient in enumerate(options.split(",")):
        if coefficient.strip() == "0":
            continue
        z = "" if power == 0 else "z" if power == 1 else "z" + str(power).translate(_SUPERSCRIPTS)
        factor = "" if z and coefficient in ("1", "-1") else coefficient.removeprefix("-")
        sign = " − " if coefficient.startswith("-") else " + "
        terms.append(sign + (f"({factor})" if "/" in factor and z else factor) + z)
    text = "".join(terms)
    text = text.removeprefix(" + ") if text.startswith(" + ") else "−" + text.removeprefix(" − ")
    if len(text) <= _LONGEST_FORMULA:
        return text
    return f"polynomial of degree {len(options.split(',')) - 1}"
