"""``ermbit dichotomy``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Literal

from ermbit.cli.arguments import add_json, writable_folder
from ermbit.cli.output import Output, columns
from ermbit.dichotomy_options import OPTIONS

if TYPE_CHECKING:
    from ermbit.dichotomy import GrowthLaw, Point
    from ermbit.dichotomy_figure import Curve

SUMMARY = "measure how exact numbers grow with depth"
DESCRIPTION = (
    "Measures the bits of exact values and derivatives, and the time of exact passes, of networks "
    "of growing depth with the activations relu and square; finds the laws of growth, and writes "
    "dichotomy.csv and dichotomy.svg. Equal command lines measure equal bits; times vary, and with "
    "them the depth at which the time limit ends an activation."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for option in OPTIONS:
        parser.add_argument(
            f"--{option.name}",
            metavar=option.unit,
            default=option.otherwise,
            help=f"{option.help} (default: {option.otherwise})",
        )
    parser.add_argument(
        "--polynomial",
        metavar="C0,C1,...",
        help="coefficients of one more activation, of degree at least 2",
    )
    parser.add_argument(
        "--out", metavar="DIR", default=".", help="folder, made if missing (default: this one)"
    )
    parser.add_argument("--png", action="store_true", help="write dichotomy.png as well")
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit.dichotomy import FEWEST_POINTS, MOST_BITS, fit, measure
    from ermbit.dichotomy_figure import Curve, draw
    from ermbit_instances.errors import UsageError
    from ermbit_instances.files import write_bytes, write_text

    given: dict[str, Any] = {}
    for option in OPTIONS:
        key = option.name.replace("-", "_")
        given[key] = option.read(getattr(arguments, key))
    activations = _activations(arguments.polynomial)
    folder = writable_folder(arguments.out)
    curves = []
    for activation in activations:
        points = measure(activation, **given)
        if len(points) >= FEWEST_POINTS:
            curves.append(Curve(points, fit(points), fit(points, "derivative_bits")))
        elif points:
            curves.append(Curve(points, None, None))
    if not curves:
        raise UsageError(f"numbers of more than {MOST_BITS} bits at depth 1: nothing to measure")
    measured = [point for curve in curves for point in curve.points]
    files = [str(folder / "dichotomy.csv")]
    write_text(files[0], table(measured))
    forms: tuple[Literal["svg", "png"], ...] = ("svg", "png") if arguments.png else ("svg",)
    for form in forms:
        files.append(str(folder / f"dichotomy.{form}"))
        figure = draw(curves, width=given["width"], bits=given["bits"], form=form)
        write_bytes(files[-1], figure)
    document = {
        **given,
        "points": [asdict(point) for point in measured],
        "laws": [_law_document(curve) for curve in curves],
        "files": files,
    }
    return Output(0, [*files, *_lines(curves)], document)


def table(points: Sequence[Point]) -> str:
    """The points as a CSV file: one column an attribute of :class:`~ermbit.dichotomy.Point`."""
    import csv
    import io

    from ermbit.dichotomy import Point

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Point)]
    writer.writerow(names)
    for point in points:
        row = [getattr(point, name) for name in names]
        writer.writerow([f"{cell:.3g}" if isinstance(cell, float) else cell for cell in row])
    return text.getvalue()


def _activations(polynomial: str | None) -> list[str]:
    from ermbit_instances.rational import write_rational
    from ermbit_instances.straight_line import read_polynomial

    activations = ["relu", "square"]
    if polynomial is not None:
        text = ",".join(str(write_rational(c)) for c in read_polynomial(polynomial))
        if text != "0,0,1":  # the square is there
            activations.append(f"polynomial:{text}")
    return activations


def _lines(curves: Sequence[Curve]) -> list[str]:
    rows: list[tuple[object, ...]] = [
        ("activation", "depth", "value", "derivative", "bound", "forward", "backpropagation")
    ]
    for curve in curves:
        for p in curve.points:
            seconds = (f"{p.forward_seconds:.2g} s", f"{p.gradient_seconds:.2g} s")
            bits = (p.forward_bits, p.derivative_bits, p.bound_bits)
            rows.append((p.activation, p.depth, *bits, *seconds))
    lines = ["bits of the longer of numerator and denominator, and times:", *columns(rows)]
    lines.append("growth with depth:")
    laws: list[tuple[object, ...]] = [
        ("activation", "of", "law", "per layer", "R²", "error", "of the other law")
    ]
    for curve in curves:
        for what, law in (("value", curve.forward), ("derivative", curve.derivative)):
            cells: tuple[object, ...] = ("too few depths", "", "", "", "")
            if law is not None:
                errors = (f"{law.error:.3g} bits", f"{law.other_error:.3g} bits")
                kind = law.kind if law.clear else f"{law.kind} (unclear)"
                cells = (kind, law, f"{law.r_squared:.5f}", *errors)
            laws.append((curve.points[0].activation, what, *cells))
    return lines + columns(laws)


def _law_document(curve: Curve) -> dict[str, Any]:
    def of(law: GrowthLaw | None) -> dict[str, Any] | None:
        return None if law is None else {**asdict(law), "clear": law.clear}

    return {
        "activation": curve.points[0].activation,
        "value": of(curve.forward),
        "derivative": of(curve.derivative),
    }
