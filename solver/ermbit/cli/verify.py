"""``ermbit verify``."""

from __future__ import annotations

import argparse

from ermbit.cli.arguments import add_instance, add_json
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
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit.answer import brief
    from ermbit.verifier.verify import verify
    from ermbit_instances.instance import load

    instance = load(arguments.instance, allow_external_data=arguments.allow_external_data)
    verdict = verify(instance, arguments.certificate)
    for warning in instance.warnings:
        complain("warning", warning)
    lines = [verdict.verdict]
    if verdict.loss is not None:
        lines.append(f"loss: {brief(verdict.loss, 400)}")
    if verdict.threshold is not None:
        lines.append(f"threshold: {brief(verdict.threshold, 400)}")
    lines += [f"violation: {violation}" for violation in verdict.violations]
    if verdict.reason:
        lines.append(f"reason: {verdict.reason}")
    lines.append(f"method: {verdict.method}")
    if verdict.bits:
        lines.append("bits of the longest number:")
        rows = [(b.layer, b.pre_activation, b.output) for b in verdict.bits]
        lines += columns([("layer", "before activation", "after"), *rows])
    status = {True: 0, False: 1, None: 3}[verdict.accepted]
    return Output(status, lines, verdict.to_json())
