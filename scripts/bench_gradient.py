#!/usr/bin/env python3
"""Time and memory of exact backpropagation in bulk.

    python scripts/bench_gradient.py [--samples N] [--case NAME]

Builds networks and data of real size from a fixed seed (nothing is downloaded), as an instance with
an NPZ data file and an NPZ certificate, and differentiates its loss exactly. Every case runs in a
process of its own; the peak of memory is that of the whole process, data included. Walking samples
one by one in rationals is timed on a few samples and scaled up.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver"):
    sys.path.insert(0, str(ROOT / _folder))

import numpy as np  # noqa: E402

from ermbit.verifier.bulk.exact_gradient import BulkGradient, bulk_gradient  # noqa: E402
from ermbit.verifier.evaluation.arithmetic import EXACT  # noqa: E402
from ermbit.verifier.evaluation.risk import RiskGradient, risk_gradient  # noqa: E402
from ermbit.verifier.gradient import gradient  # noqa: E402
from ermbit_instances.certificate import load_certificate  # noqa: E402
from ermbit_instances.dataset import Dataset  # noqa: E402
from ermbit_instances.instance import Instance, load  # noqa: E402
from ermbit_instances.table import Table  # noqa: E402


@dataclass(frozen=True)
class Case:
    """A network of float32 weights: its name, inputs and units of the layers, and the loss."""

    name: str
    sizes: tuple[int, ...]
    loss: str


CASES = (
    Case("hinge", (784, 128, 10), "hinge"),
    Case("squared", (784, 128, 10), "squared"),
    Case("deep-squared", (784, 128, 128, 128, 10), "squared"),
)


def build(case: Case, folder: Path, samples: int) -> None:
    """Write the instance, its data and the certificate."""
    rng = np.random.default_rng(20240)
    inputs, outputs = case.sizes[0], case.sizes[-1]
    x = rng.random((samples, inputs), dtype=np.float32)
    if case.loss == "hinge":
        y = rng.integers(0, outputs, (samples, 1))
    else:
        y = rng.integers(-2, 3, (samples, outputs)).astype(np.float32)
    np.savez(folder / "data.npz", x=x, y=y)
    arrays: dict[str, Any] = {}
    for k, (fan_in, units) in enumerate(zip(case.sizes, case.sizes[1:], strict=False), 1):
        w = rng.standard_normal((units, fan_in)) * (2 / fan_in) ** 0.5
        arrays |= {f"W{k}": w.astype(np.float32)}
        arrays |= {f"b{k}": (rng.standard_normal(units) * 0.1).astype(np.float32)}
    np.savez(folder / "certificate.npz", **arrays)
    hidden = [{"units": units, "activation": "relu"} for units in case.sizes[1:-1]]
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": inputs,
            "layers": [*hidden, {"units": outputs, "activation": "identity"}],
        },
        "weights": {"domain": "float", "format": "float32"},
        "data": {"npz": "data.npz", "x": "x", "y": "y"},
        "loss": {"name": case.loss},
    }
    (folder / "case.erm.json").write_text(json.dumps(document))


def first_samples(instance: Instance, count: int) -> Instance:
    """The same instance with fewer samples."""
    x, y = instance.data.x.array, instance.data.y.array
    assert x is not None and y is not None
    return replace(instance, data=Dataset(Table(array=x[:count]), Table(array=y[:count])))


def equal(slow: RiskGradient, found: BulkGradient) -> bool:
    """Whether plain rationals have given the same."""
    same = all(found.partials[p] == slow.partials.get(p, 0) for p in found.partials)
    return same and found.loss == slow.loss and tuple(found.kinks) == slow.kinks


def measure(case: Case, folder: Path) -> None:
    """One case, in this process."""
    start = perf_counter()
    instance = load(folder / "case.erm.json")
    certificate = load_certificate(folder / "certificate.npz", instance)
    loading = perf_counter() - start
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = perf_counter()
    found = bulk_gradient(instance, certificate.values)
    seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = perf_counter()
    text = json.dumps(gradient(instance, certificate).to_json())
    whole = perf_counter() - start
    last = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    few = first_samples(instance, 2)
    start = perf_counter()
    rationals = risk_gradient(few, certificate.values, EXACT)
    slow = (perf_counter() - start) / 2 * len(instance.data)
    agrees = equal(rationals, bulk_gradient(few, certificate.values))
    sizes = "-".join(map(str, case.sizes))
    print(f"\n{case.name}: {sizes}, {case.loss}, {len(instance.data)} samples")
    print(f"  loading       {loading:9.2f} s {base / 1024:9.0f} MiB")
    print(f"  gradient      {seconds:9.2f} s {peak / 1024:9.0f} MiB")
    length = len(text) / 2**20
    print(f"  with JSON     {whole:9.2f} s {last / 1024:9.0f} MiB, {length:.0f} MiB long")
    print(f"  one by one    {slow:9.0f} s (scaled up from 2 samples; equal: {agrees})")
    print(f"  {len(found.partials)} derivatives over a denominator of", end=" ")
    print(f"{found.denominator.bit_length()} bits, {len(found.kinks)} kinks")
    for b in found.bits:
        print(f"  layer {b.layer}: {b.pre_activation} bits before, {b.output} after,", end=" ")
        print(f"{b.error_signal} of the error signal")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time exact backpropagation in bulk.")
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--case", help="only this one")
    parser.add_argument("--folder", type=Path, help="with --case: where it was built")
    options = parser.parse_args()
    cases = [c for c in CASES if options.case in (None, c.name)]
    if not cases:
        parser.error(f"no such case; known: {', '.join(c.name for c in CASES)}")
    if options.folder is not None:
        measure(cases[0], options.folder)
        return
    for case in cases:
        with tempfile.TemporaryDirectory() as name:
            build(case, Path(name), options.samples)
            command = [sys.executable, __file__, "--case", case.name, "--folder", name]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
