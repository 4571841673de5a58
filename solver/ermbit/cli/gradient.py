"""``ermbit gradient``."""

from __future__ import annotations

import argparse

from ermbit.cli.arguments import add_instance, add_json, add_numbers, read_bits, read_count
from ermbit.cli.output import Output, columns, complain

SUMMARY = "differentiate the loss exactly"
DESCRIPTION = (
    "Exact backpropagation: the partial derivatives of the loss at a certificate, their signs and "
    "their bits. At a kink: slope 0 for relu, abs and clip, the right-hand slope for leaky_relu "
    "and piecewise_linear, slope 0 for step and sign. The exit status is 0, or 3 if something that "
    "was asked for is undecided."
)

_LISTED = 10  # kinks on the screen
_SHOWN = 400  # characters of one number on the screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_instance(parser)
    parser.add_argument(
        "certificate", metavar="CERTIFICATE", help="a certificate file: .json, .npz or .onnx"
    )
    parser.add_argument(
        "--parameter", metavar="P", help="one parameter by name (default: all of them)"
    )
    parser.add_argument("--sign", action="store_true", help="print only the sign: -1, 0 or 1")
    parser.add_argument(
        "--bit",
        metavar="K",
        type=read_bits,
        help="bit K of the absolute value: 0 is the units, negative below the point; "
        "K:COUNT for COUNT bits from K upwards, as one number",
    )
    parser.add_argument(
        "--numerator-bit",
        metavar="K",
        type=read_bits,
        help="bit K of the integer numerator over the stated common denominator; or K:COUNT",
    )
    parser.add_argument("--leading-bits", metavar="N", type=read_count, help="the N highest bits")
    add_numbers(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit.answer import brief
    from ermbit.verifier.gradient import Wanted, gradient
    from ermbit_instances.errors import UsageError
    from ermbit_instances.instance import load

    if arguments.numerator_bit is not None and arguments.numerator_bit[0] < 0:
        raise UsageError("numerator-bit: an integer has no bits below 0")
    instance = load(arguments.instance, allow_external_data=arguments.allow_external_data)
    found = gradient(
        instance,
        arguments.certificate,
        Wanted(
            arguments.parameter,
            arguments.sign,
            arguments.bit,
            arguments.numerator_bit,
            arguments.leading_bits,
        ),
        memory=arguments.memory,
        timeout=arguments.timeout,
    )
    for warning in instance.warnings:
        complain("warning", warning)
    lines = []
    for partial in found.partials:
        asked = False
        for key, bits in (
            ("bit", partial.bits),
            ("numerator bit", partial.numerator_bits),
            ("leading bits", partial.leading),
        ):
            if bits is None:
                continue
            asked = True
            value = "undecided" if bits.value is None else str(bits.digits)
            place = f"{bits.position}" + ("" if bits.count == 1 else f":{bits.count}")
            lines.append(f"{partial.parameter}: {key} {place}: {value} ({bits.method})")
            if bits.reason:
                lines.append(f"reason: {bits.reason}")
        sign = "undecided" if partial.sign is None else str(partial.sign)
        if arguments.sign:
            lines.append(f"{partial.parameter}: sign {sign} ({partial.method})")
        elif not asked and partial.value is not None:
            lines.append(f"{partial.parameter}: {brief(partial.value, _SHOWN)}")
        elif not asked:
            what = "undecided" if partial.sign is None else f"too long; sign {sign}"
            lines.append(f"{partial.parameter}: {what} ({partial.method})")
        if partial.reason:
            lines.append(f"reason: {partial.reason}")
    if found.loss is not None:
        lines.append(f"loss: {brief(found.loss, _SHOWN)}")
    if found.factored is not None and len(found.factored) <= _SHOWN:
        lines.append(f"common denominator: {found.factored}")
    known = {True: "true", False: "false", None: "unknown"}
    lines.append(f"differentiable: {known[found.differentiable]}")
    if found.kinks:
        lines.append(f"kinks: {len(found.kinks)}, where conventions were used")
        for kink in found.kinks[:_LISTED]:
            place = "loss" if kink.where == "loss" else f"neuron {kink.where}"
            sample = "" if kink.sample < 0 else f", sample {kink.sample}"
            lines.append(f"  {place}{sample}: {kink.what}")
        if len(found.kinks) > _LISTED:
            lines.append(f"  and {len(found.kinks) - _LISTED} more (--json lists them)")
    lines.append(f"method: {found.method}")
    if found.bits:
        lines.append("bits of the longest number:")
        rows = [(b.layer, b.pre_activation, b.output, b.error_signal) for b in found.bits]
        lines += columns([("layer", "before activation", "after", "error signal"), *rows])
    return Output(0 if found.settled else 3, lines, found.to_json())
