"""Families of instances: reproducible benchmarks with known, or honestly unknown, answers.

Every module of this package is imported here, so a new family is one new file that calls
:func:`ermbit_instances.families.family.register`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil

from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    registered,
)
from ermbit_instances.families.rng import Rng

__all__ = [
    "Family",
    "FamilyError",
    "FamilyParameter",
    "Generated",
    "families",
    "generate",
]

_LARGEST_SEED = 2**63 - 1

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")


def families() -> dict[str, Family]:
    """All families by name, in alphabetical order."""
    return registered()


def generate(family: str, seed: int = 0, **parameters: object) -> Generated:
    """The instance of ``family`` for a seed and parameters, the same bytes every time.

    ``seed`` is 0..2^63-1; the random stream is keyed by (family, seed, all parameters), so equal
    calls agree and different parameters are independent. ``meta`` records family, parameters, seed,
    source, status and how it is known.

    Raises FamilyError (one line) for an unknown family or parameter or an illegal value or seed.
    """
    known = registered()
    if family not in known:
        raise FamilyError(f"unknown family {family!r} (known: {', '.join(known)})")
    if type(seed) is not int or not 0 <= seed <= _LARGEST_SEED:
        raise FamilyError(f"seed: expected an integer in 0..2^63-1, got {seed!r}")
    chosen = known[family]
    values = chosen.read_parameters(parameters)
    canonical = json.dumps([family, seed, values], sort_keys=True, separators=(",", ":"))
    built = chosen.build(Rng(canonical), values)
    settings = json.dumps(values, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(settings.encode("utf-8")).hexdigest()[:8]
    document = dict(built.document)
    document["name"] = f"{document['name']}-{digest}-s{seed}"
    document["meta"] = {
        **document["meta"],
        "family": family,
        "parameters": values,
        "seed": seed,
        "source": chosen.source,
    }
    return Generated(document, built.certificate)
