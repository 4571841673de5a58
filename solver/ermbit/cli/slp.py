"""``ermbit slp``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ermbit.cli.arguments import add_json
from ermbit.cli.output import Output

SUMMARY = "compile a straight-line program into an instance"
DESCRIPTION = (
    "Reads a straight-line program (lines such as a = 1, b = a + a, c = b * b) and writes an "
    "instance that asks for the sign of its value V, or has V as its loss or its derivative, and "
    "the certificate that belongs to it where there are free parameters. All is exact."
)
FORMS = ("output", "hinge", "zero_one", "absolute", "squared", "derivative")
PINS = ("none", "bounded", "relu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("program", metavar="PROGRAM", help="the program file, NAME.slp")
    parser.add_argument(
        "--form",
        metavar="FORM",
        choices=FORMS,
        default="hinge",
        help=f"what the instance asks: {', '.join(FORMS)} (default: hinge)",
    )
    parser.add_argument(
        "--polynomial",
        metavar="C0,C1,...",
        default="0,0,1",
        help="coefficients of the activation, of degree at least 2 (default: 0,0,1, the square)",
    )
    parser.add_argument(
        "--pin",
        metavar="PIN",
        choices=PINS,
        default="none",
        help="free weights, pinned by samples; for the forms absolute and squared: bounded (of "
        "bounded precision) or relu (all reals, a ReLU at the output) (default: none)",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="the instance file (default: NAME-FORM.erm.json in the current folder)",
    )
    parser.add_argument(
        "--certificate",
        metavar="OUT",
        help="the certificate file (default: beside the instance, if it has free parameters)",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit_instances.errors import InputError, UsageError
    from ermbit_instances.files import write_text
    from ermbit_instances.jsonfile import dump_json
    from ermbit_instances.straight_line import compile_program, load_program, read_polynomial

    program = load_program(arguments.program)
    polynomial = read_polynomial(arguments.polynomial)
    pin = None if arguments.pin == "none" else arguments.pin
    stem = Path(arguments.program).name.removesuffix(".slp").encode("utf-8", "replace").decode()
    name = f"{stem}-{arguments.form}" + (f"-{pin}" if pin else "")
    try:
        compiled = compile_program(
            program, polynomial=polynomial, form=arguments.form, pin=pin, name=name
        )
    except InputError as error:  # a limit of instances
        raise error.in_file(arguments.program) from None
    out = Path(f"{name}.erm.json" if arguments.out is None else arguments.out)
    if not out.name:
        raise UsageError(f"--out: {str(out)!r} is a folder, not a file")
    certificate = None if arguments.certificate is None else Path(arguments.certificate)
    if certificate is None and compiled.certificate["parameters"]:
        certificate = out.with_name(f"{_stem(out)}.cert.json")
    _check_paths(Path(arguments.program), out, certificate)
    # The certificate first: an instance that is there never waits for its certificate.
    if certificate is not None:
        write_text(certificate, dump_json(compiled.certificate))
    write_text(out, dump_json(compiled.document))
    meta = compiled.document["meta"]
    facts: dict[str, Any] = {
        "file": str(out),
        "certificate": None if certificate is None else str(certificate),
        "form": arguments.form,
        "pin": arguments.pin,
        "instructions": meta["instructions"],
        "products": meta["products"],
        "degree": len(polynomial) - 1,
        "neurons": compiled.neurons,
        "parameters": len(compiled.certificate["parameters"]),
        "answer": compiled.answer,
        "value": meta.get("value"),
        "status": meta.get("status"),
    }
    return Output(0, _lines(facts, len(program.instructions)), facts)


def _lines(facts: dict[str, Any], written: int) -> list[str]:
    lines = [facts["file"]] + ([facts["certificate"]] if facts["certificate"] else [])
    unused = written - facts["instructions"]
    lines.append(
        f"instructions: {facts['instructions']}"
        + (f" (and {unused} that the value does not depend on)" if unused else "")
    )
    lines.append(f"products: {facts['products']}")
    lines.append(f"neurons: {facts['neurons']}, activation of degree {facts['degree']}")
    lines.append(f"free parameters: {facts['parameters']}")
    lines.append(f"answer: {facts['answer']}")
    if facts["value"] is not None:
        text = str(facts["value"])
        lines.append(f"V = {text if len(text) <= 80 else text[:38] + '...' + text[-38:]}")
    if facts["status"] is not None:
        lines.append(f"status: {facts['status']}")
    return lines


def _stem(path: Path) -> str:
    for suffix in (".erm.json", ".json"):
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.name


def _check_paths(program: Path, out: Path, certificate: Path | None) -> None:
    """No file may be written over another one of this command."""
    from ermbit_instances.errors import UsageError

    resolved = [path.resolve() for path in (program, out, certificate) if path is not None]
    if len(set(resolved)) != len(resolved):
        raise UsageError("--out, --certificate and the program have to be different files")
