#!/usr/bin/env python3
"""Decide the instances of the library whose answer is not known by construction.

    python scripts/answer_library.py [--timeout 60] [--match TEXT] [--bounds] [--part K/N]

Every undecided instance is given to ``ermbit solve``, and if that finds nothing to ``ermbit
minimize`` for its best loss and bound. Answers go to ``scripts/library_sources/answers.json`` as
they come; what was already tried for as long is not tried again. With ``--bounds`` nothing is
decided: instances that have no answer, and no certificate of a best loss, are minimised. Then run
build_library.py.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver", "tests", "scripts"):
    sys.path.insert(0, str(ROOT / _folder))

from library_sources import answers, generated  # noqa: E402

import ermbit  # noqa: E402
from ermbit_instances.instance import Instance, parse_instance  # noqa: E402


def main() -> int:
    """Decide what is undecided; exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds of each run")
    parser.add_argument("--match", default="", help="only instances whose name contains this")
    parser.add_argument("--bounds", action="store_true", help="only best losses and bounds")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="every Nth, from the Kth")
    given = parser.parse_args()
    part, parts = map(int, given.part.split("/"))
    if not 1 <= part <= parts:
        parser.error("--part K/N: K from 1 to N")
    for number, item in enumerate(generated.undecided()):
        name = item.document["name"]
        if given.match not in name or number % parts != part - 1:
            continue
        instance = parse_instance(item.document)
        old = answers.read().get(name)  # now: others may add answers meanwhile
        if old is not None and old.question != instance.sha256:
            old = None
        if old is not None and old.status != "unknown":
            continue
        if given.bounds:
            if old is not None and old.certificate is not None:
                continue
            answer = _bounded(instance, given.timeout, old)
        else:
            if old is not None and old.seconds >= given.timeout:
                continue
            answer = _decided(instance, given.timeout, old)
        answers.store(name, answer)
        print(f"{name:48} {answer.status:8} {answer.engine or '-':12} {answer.seconds:8.2f} s")
    return 0


def _decided(instance: Instance, timeout: float, old: answers.Answer | None) -> answers.Answer:
    found = ermbit.solve(instance, timeout=timeout)
    shown = found.to_json()
    seconds = round(found.time_s, 2)
    if found.status != "unknown":
        return answers.Answer(
            instance.sha256,
            found.status,
            found.engine,
            seconds,
            _parameters(shown["certificate"]),
            shown["loss"],
        )
    best = _bounded(instance, timeout, old)
    return replace(best, seconds=timeout) if best.status == "unknown" else best


def _bounded(instance: Instance, timeout: float, old: answers.Answer | None) -> answers.Answer:
    """The best loss with its certificate, and the best bound, of now or before.

    A loss within the threshold, or a least loss above it, decides the question after all.
    """
    found = ermbit.minimize(instance, timeout=timeout)
    best = found.to_json()
    loss, bound = best["loss"], best["lower_bound"]
    theta = _parameters(best["certificate"])
    is_reached = loss is not None and Fraction(str(loss)) <= Fraction(str(instance.threshold))
    if is_reached or found.status == "optimal":
        seconds, status = round(found.time_s, 2), "sat" if is_reached else "unsat"
        shown = (theta, loss) if is_reached else (None, None)
        return answers.Answer(instance.sha256, status, found.engine, seconds, *shown)
    if old is not None and old.bound is not None:
        if bound is None or Fraction(str(old.bound)) > Fraction(str(bound)):
            bound = old.bound
    if old is not None and old.certificate is not None:
        if loss is None or Fraction(str(old.loss)) < Fraction(str(loss)):
            loss, theta = old.loss, old.certificate
    seconds = 0.0 if old is None else old.seconds
    return answers.Answer(instance.sha256, "unknown", None, seconds, theta, loss, bound)


def _parameters(certificate: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if certificate is None else certificate.get("parameters", certificate)


if __name__ == "__main__":
    raise SystemExit(main())
