"""``ermbit verify``."""

from __future__ import annotations

import argparse

from ermbit.cli.arguments import add_instance, add_json, add_numbers, read_bits, read_count
from ermbit.cli.output import Output, columns, complain

SUMMARY = "evaluate a certificate exactly"
DESCRIPTION = (
    "Evaluates the certificate exactly. The first line of standard output is accepted, rejected "
    "or undecided; the exit status is 0, 1 or 3."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_instance(parser)
    parser.add_argument(
        "certificate", metavar="CERTIFICATE", help="a certificate file: .json, .npz or .onnx"
    )
    parser.add_argument(
        "--exact-loss",
        action="store_true",
        help="compute the whole loss as a rational, even where a bound decides",
    )
    parser.add_argument(
        "--loss-bit",
        metavar="K",
        type=read_bits,
        help="bit K of the loss: 0 is the units, negative below the point; "
        "K:COUNT for COUNT bits from K upwards, as one number",
    )
    parser.add_argument(
        "--leading-bits", metavar="N", type=read_count, help="the N highest bits of the loss"
    )
    add_numbers(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit.answer import brief
    from ermbit.verifier.question import Question
    from ermbit.verifier.verify import verify
    from ermbit_instances.instance import load

    instance = load(arguments.instance, allow_external_data=arguments.allow_external_data)
    question = Question(
        arguments.exact_loss,
        arguments.loss_bit,
        arguments.leading_bits,
        arguments.memory,
        arguments.timeout,
    )
    verdict = verify(instance, arguments.certificate, question)
    for warning in instance.warnings:
        complain("warning", warning)
    lines = [verdict.verdict]
    if verdict.loss is not None:
        lines.append(f"loss: {brief(verdict.loss, 400)}")
    elif verdict.loss_note is not None:
        lines.append(f"loss: {verdict.loss_note}")
    for key, bits in (("loss bit", verdict.loss_bits), ("leading bits", verdict.leading)):
        if bits is not None:
            place = f"{bits.position}" + ("" if bits.count == 1 else f":{bits.count}")
            value = f"undecided: {bits.reason}" if bits.value is None else str(bits.digits)
            lines.append(f"{key} {place}: {value} ({bits.method})")
    if verdict.threshold is not None:
        lines.append(f"threshold: {brief(verdict.threshold, 400)}")
    lines += [f"violation: {violation}" for violation in verdict.violations]
    if verdict.reason:
        lines.append(f"reason: {verdict.reason}")
    lines += [f"note: {note}" for note in verdict.notes]
    lines.append(f"method: {verdict.method}")
    if verdict.bits:
        lines.append("bits of the longest number:")
        rows = [(b.layer, b.pre_activation, b.output) for b in verdict.bits]
        lines += columns([("layer", "before activation", "after"), *rows])
    status = {True: 0, False: 1, None: 3}[verdict.accepted]
    return Output(status, lines, verdict.to_json())
