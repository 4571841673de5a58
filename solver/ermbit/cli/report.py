"""An answer in lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ermbit.answer import Answer, brief
from ermbit.cli.output import Output

EXIT = {"sat": 10, "optimal": 10, "infimum": 10, "unsat": 20, "unknown": 0, "feasible": 0}
"""Exit status of ``solve`` and ``minimize`` by status of the answer."""

_SHOWN = 2000  # characters of a certificate on the screen


def answer_output(answer: Answer, certificate: Path | None) -> Output:
    """Write the certificate file, if one is wanted and there is a certificate, and report.

    A file that cannot be written does not lose the answer: it is reported first.
    """
    failure = None
    written = None
    if certificate is not None and answer.certificate is not None:
        try:
            answer.write_certificate(certificate)
            written = certificate
        except OSError as error:
            failure = error
    lines: list[str] = [answer.status]
    if answer.loss is not None:
        lines.append(f"loss: {brief(answer.loss, 200)}")
    if answer.lower_bound is not None:
        what = "infimum (not attained)" if answer.status == "infimum" else "lower bound"
        lines.append(f"{what}: {brief(answer.lower_bound, 200)}")
    if answer.threshold is not None:
        lines.append(f"threshold: {brief(answer.threshold, 200)}")
    if answer.reason:
        lines.append(f"reason: {answer.reason}")
    if answer.engine:
        lines.append(f"engine: {answer.engine}")
    lines.append(f"time: {answer.time_s:.3f} s")
    if written is not None:
        lines.append(f"certificate: written to {written}")
    elif answer.certificate is not None:
        lines += certificate_lines(answer.certificate)
    return Output(EXIT[answer.status], lines, answer.to_json(), failure)


def certificate_lines(parameters: Mapping[str, Any]) -> list[str]:
    """The parameters, one name a line; what is too long for a screen is only counted."""
    if not parameters:
        return ["certificate: no parameters"]
    lines = ["certificate:"]
    room = _SHOWN
    for number, (name, value) in enumerate(parameters.items()):
        line = f"  {name} = {json.dumps(value)}"
        room -= len(line)
        if room < 0:
            rest = len(parameters) - number
            lines.append(f"  and {rest} more (--certificate OUT writes all of them to a file)")
            break
        lines.append(line)
    return lines
