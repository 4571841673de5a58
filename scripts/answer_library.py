#!/usr/bin/env python3
"""Decide the instances of the library whose answer is not known by construction.

    python scripts/answer_library.py [--timeout 60] [--match TEXT]

Every undecided instance is given to ``ermbit solve``, and if that finds nothing to ``ermbit
minimize`` for its best loss and bound. Answers go to ``scripts/library_sources/answers.json`` as
they come; what was already tried for as long is not tried again. Then run build_library.py.
"""

from __future__ import annotations

import argparse
import sys
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
    given = parser.parse_args()
    known = answers.read()
    for item in generated.undecided():
        name = item.document["name"]
        if given.match not in name:
            continue
        instance = parse_instance(item.document)
        old = known.get(name)
        if old is not None and old.question == instance.sha256:
            if old.status != "unknown" or old.seconds >= given.timeout:
                continue
        answer = _decided(instance, given.timeout)
        answers.store(name, answer)
        print(f"{name:48} {answer.status:8} {answer.engine or '-':12} {answer.seconds:8.2f} s")
    return 0


def _decided(instance: Instance, timeout: float) -> answers.Answer:
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
    best = ermbit.minimize(instance, timeout=timeout).to_json()
    return answers.Answer(
        instance.sha256, "unknown", None, timeout, None, best["loss"], best["lower_bound"]
    )


def _parameters(certificate: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if certificate is None else certificate.get("parameters", certificate)


if __name__ == "__main__":
    raise SystemExit(main())
