"""The least losses of the agnostic bases, found by ermbit and stored with the set."""

from __future__ import annotations

import json
import sys

from benchmark.main_set import OPTIMA, bases, optima
from ermbit.api import minimize
from ermbit_instances.instance import parse_instance
from ermbit_instances.rational import write_rational


def find(timeout: float) -> None:
    """Complete ``optima.json``: bases without an entry are minimised, ``timeout`` seconds each."""
    known = optima()
    wanted = [b for b in bases() if b.name not in known]
    for b in wanted:
        answer = minimize(parse_instance(b.document()), timeout=timeout)
        rational = hasattr(answer.loss, "numerator")
        if answer.status == "optimal" and answer.loss is not None and rational:
            known[b.name] = str(write_rational(answer.loss))  # type: ignore[arg-type]
        words = (b.name, answer.status, known.get(b.name, "-"), answer.engine, answer.time_s)
        print(*words, file=sys.stderr, flush=True)
        names = {b.name for b in bases()}
        kept = {name: value for name, value in sorted(known.items()) if name in names}
        OPTIMA.write_text(json.dumps(kept, indent=0) + "\n", encoding="ascii")
