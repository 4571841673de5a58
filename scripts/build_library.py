#!/usr/bin/env python3
"""Build ``instances/library``: the shipped instances, their certificates, data files, index.csv.

    python scripts/build_library.py [--out DIRECTORY]

Every instance is written, read back from disk by the package, and checked with the independent
evaluator ``tests/reference.py``: a rational certificate must lie in its domains and reach the
threshold. The build is deterministic and takes a few minutes, most of them enumeration.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "tests", "scripts"):
    sys.path.insert(0, str(ROOT / _folder))

from library_sources import (  # noqa: E402
    classics,
    enumerated,
    generated,
    irises,
    irrational,
    reductions,
)
from library_sources.entry import Entry  # noqa: E402

import reference  # noqa: E402
from ermbit_instances.families.family import certificate_document  # noqa: E402
from ermbit_instances.files import write_bytes, write_text  # noqa: E402
from ermbit_instances.instance import Instance, load  # noqa: E402
from ermbit_instances.jsonfile import dump_json  # noqa: E402
from ermbit_instances.rational import parse_rational  # noqa: E402

COLUMNS = (
    "name",
    "file",
    "family",
    "parameters",
    "samples",
    "free_parameters",
    "domain",
    "activation",
    "loss",
    "status",
    "minimum",
    "known_by",
    "best_loss",
    "best_bound",
    "best_certificate",
    "how_known",
    "certificate",
    "open",
    "tried_by",
)


def main() -> int:
    """Write the library; exit status 0, or 1 with the entries that are wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "instances" / "library")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    asked: dict[str, str] = {}
    written: set[Path] = set()
    faults: list[str] = []
    for item in _all_entries():
        name = item.document["name"]
        if name in {row["name"] for row in rows}:
            faults.append(f"{name}: two instances have this name")
        written |= _write(item, folder)
        instance = load(folder / f"{name}.erm.json")
        faults += [f"{name}: {fault}" for fault in _faults(item, instance)]
        other = asked.setdefault(instance.sha256, name)
        if other != name:
            faults.append(f"{name}: asks the same question as {other}")
        rows.append(_row(item, instance))
    _remove_others(folder, written)
    write_text(folder / "index.csv", _index(rows))
    print(f"{len(rows)} instances: {dict(Counter(row['status'] for row in rows))}")
    print(f"open: {dict(Counter(row['open'] for row in rows if row['open']))}")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _all_entries() -> Iterator[Entry]:
    for source in (classics, reductions, irrational, irises, generated, enumerated):
        yield from source.entries()


def _write(item: Entry, folder: Path) -> set[Path]:
    """Write data files, instance and certificate; return their paths."""
    name = item.document["name"]
    paths = {folder / relative for relative in item.files}
    for relative, content in item.files.items():
        write_bytes(folder / relative, content)
    instance = folder / f"{name}.erm.json"
    write_text(instance, dump_json(item.document))
    paths.add(instance)
    if item.certificate is not None:
        path = folder / f"{name}.cert.json"
        write_text(path, dump_json(certificate_document(item.certificate)))
        paths.add(path)
    return paths


def _remove_others(folder: Path, written: set[Path]) -> None:
    """Remove instances, certificates and data of earlier builds that are no longer made."""
    for pattern in ("*.erm.json", "*.cert.json", "*.best.json", "data/*.csv", "data/*.npz"):
        for path in folder.glob(pattern):
            if path not in written:
                path.unlink()


def _faults(item: Entry, instance: Instance) -> list[str]:
    """What contradicts the entry's own claims, as far as exact evaluation can tell."""
    meta = item.document["meta"]
    faults = [f"warning: {warning}" for warning in instance.warnings]
    # A theorem may say sat of numbers that nobody can write down.
    is_theorem = "open" in meta and "known_by" not in meta and meta["status"] == "sat"
    if (meta["status"] == "sat") != (item.certificate is not None) and not is_theorem:
        faults.append("sat goes with a certificate, and only sat")
    theta = single_parameters(item.certificate or {})
    if item.certificate is None or theta is None:
        return faults
    free = {parameter.name: parameter.domain for parameter in instance.network.parameters}
    if set(theta) != set(free):
        return [*faults, f"parameters differ: {sorted(set(theta) ^ set(free))}"]
    for name, value in theta.items():
        if parse_rational(str(value)) not in free[name]:
            faults.append(f"{name} = {value} is outside its domain")
    loss = reference.loss(instance.to_document(), theta)
    if loss > Fraction(item.document["threshold"]):
        faults.append(f"the certificate has loss {loss}")
    if "minimum" in meta and loss < Fraction(meta["minimum"]):
        faults.append(f"the loss {loss} is below the stated minimum")
    return faults


def single_parameters(certificate: Any) -> dict[str, Fraction] | None:
    """The parameters one by one; None if one is irrational (its proof is in ``how``)."""
    single: dict[str, Any] = {}
    for name, value in certificate.items():
        if not isinstance(value, list):
            single[name] = value
            continue
        for j, row in enumerate(value):
            if isinstance(row, list):
                single.update({f"{name}[{j},{k}]": w for k, w in enumerate(row)})
            else:
                single[f"{name}[{j}]"] = row
    if any(str(value).startswith("(") for value in single.values()):
        return None
    return {name: Fraction(value) for name, value in single.items() if value is not None}


def _row(item: Entry, instance: Instance) -> dict[str, Any]:
    document, meta = item.document, item.document["meta"]
    name, loss = document["name"], document["loss"]
    return {
        "name": name,
        "file": f"{name}.erm.json",
        "family": meta["family"],
        "parameters": json.dumps(meta["parameters"], sort_keys=True)
        if "parameters" in meta
        else "",
        "samples": len(instance.data),
        "free_parameters": instance.network.parameter_count,
        "domain": _domains(document.get("weights", {})),
        "activation": " ".join(_activations(document["network"])),
        "loss": " ".join(
            str(part)
            for part in (
                loss["name"],
                loss.get("reduction", "mean"),
                f"margin={loss['margin']}" if "margin" in loss else "",
            )
            if part
        ),
        "status": meta["status"],
        "minimum": meta.get("minimum", ""),
        "known_by": meta.get("known_by") or _known_by(meta),
        "best_loss": _known(meta.get("best_loss")),
        "best_bound": _known(meta.get("best_bound")),
        "best_certificate": meta.get("best_certificate", ""),
        "how_known": meta["how"],
        "certificate": f"{name}.cert.json" if item.certificate is not None else "",
        "open": meta.get("open", ""),
        "tried_by": meta.get("tried_by", ""),
    }


def _known_by(meta: dict[str, Any]) -> str:
    is_exhaustive = meta["how"].startswith(("full enumeration", "enumeration"))
    return "exhaustive" if is_exhaustive else "construction"


def _known(value: Any) -> str:
    return "" if value is None else str(value)


def _domains(weights: dict[str, Any]) -> str:
    """The main domain, and the kinds of those that override it."""
    others = [weights[key] for key in ("biases",) if key in weights]
    others += weights.get("parameters", {}).values()
    kinds = [weights.get("format", weights["domain"])] if "domain" in weights else []
    kinds += sorted({d.get("format", d["domain"]) for d in others} - set(kinds))
    return " ".join(kinds)


def _activations(network: dict[str, Any]) -> list[str]:
    """The names of the activations that occur, identity only where there is no other."""
    found = {
        a if isinstance(a, str) else a["name"]
        for a in (part["activation"] for part in network.get("layers", network.get("neurons", [])))
    }
    return sorted(found - {"identity"}) or ["identity"]


def _index(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
