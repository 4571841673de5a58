#!/usr/bin/env python3
"""Time and memory of exact verification against a plain float64 forward pass.

    python scripts/bench_verify.py [--samples N] [--repeats R] [--case NAME]

Builds networks and data of real size from a fixed seed (nothing is downloaded), as an instance with
an NPZ data file and an NPZ certificate. In one process, alternately, it times

* numpy64: x @ W1.T + b1, maximum or square, ... on float64 inputs, then the labels' comparison,
* numpy32: the same from the stored float32 inputs, conversion included,
* filtered: ``ermbit.verifier.filtered_loss`` on the stored inputs (everything after loading),
* verify: ``ermbit.verifier.verify`` on the same (domains and the choice of the way included),

and prints medians and ratios. Peak memory is measured in a fresh process each, over what is held
after loading and one small product (which makes BLAS take its buffers). A plain evaluation by
rationals (sums of products of ``gmpy2.mpq``) is timed on a few samples and scaled up.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver"):
    sys.path.insert(0, str(ROOT / _folder))

import numpy as np  # noqa: E402
from gmpy2 import mpq  # noqa: E402

from ermbit.verifier.bulk.filtered import FilteredLoss, filtered_loss  # noqa: E402
from ermbit.verifier.question import Question  # noqa: E402
from ermbit.verifier.verify import verify  # noqa: E402
from ermbit_instances.certificate import Certificate, load_certificate  # noqa: E402
from ermbit_instances.instance import Instance, load  # noqa: E402
from ermbit_instances.parameter_vector import ParameterVector  # noqa: E402

SHALLOW = (784, 128, 10)
DEEP = (784, 512, 512, 10)
DEEPER = (784, 512, 512, 512, 10)


@dataclass(frozen=True)
class Case:
    """A network and what is asked of it.

    Attributes:
        name: for the table and for file names.
        sizes: inputs, units of the layers.
        loss: ``zero_one`` or ``absolute``.
        quantised: ternary weights and uint8 pixels instead of float32.
        at_loss: the threshold is the loss itself, to the last bit.
        exact: whether the loss itself is asked for.
        square: whether the hidden layers square instead of relu.
        goal: largest ratio of times to numpy64 that is wanted, if any.
    """

    name: str
    sizes: tuple[int, ...]
    loss: str = "zero_one"
    quantised: bool = False
    at_loss: bool = False
    exact: bool = False
    square: bool = False
    goal: float | None = None


CASES = (
    Case("shallow", SHALLOW, goal=2.0),
    Case("deep", DEEP, goal=3.0),
    Case("deeper", DEEPER, goal=3.0),
    Case("ternary", SHALLOW, quantised=True, goal=2.0),
    Case("square", SHALLOW, square=True, goal=2.0),
    Case("square-ternary", SHALLOW, quantised=True, square=True, goal=2.0),
    Case("absolute", SHALLOW, loss="absolute"),
    Case("square-absolute", SHALLOW, loss="absolute", square=True),
    Case("ternary-absolute-at-loss", SHALLOW, loss="absolute", quantised=True, at_loss=True),
    Case("absolute-at-loss", SHALLOW, loss="absolute", at_loss=True),
    Case("absolute-exact", SHALLOW, loss="absolute", exact=True),
    Case("shallow-exact", SHALLOW, exact=True),
    Case("square-absolute-exact", SHALLOW, loss="absolute", exact=True, square=True),
)


def build(case: Case, folder: Path, samples: int) -> None:
    """Write the instance, its data and the certificate."""
    rng = np.random.default_rng(20240)
    inputs, outputs = case.sizes[0], case.sizes[-1]
    if case.quantised:
        x = rng.integers(0, 256, (samples, inputs), dtype=np.uint8)
    else:
        x = rng.random((samples, inputs), dtype=np.float32)
    if case.loss == "zero_one":
        y = rng.integers(0, outputs, (samples, 1))
    else:
        y = rng.integers(-2, 3, (samples, outputs)).astype(np.float32)
    np.savez(folder / f"{case.name}.npz", x=x, y=y)
    arrays: dict[str, Any] = {}
    for k, (fan_in, units) in enumerate(zip(case.sizes, case.sizes[1:], strict=False), 1):
        if case.quantised:
            w = rng.integers(-1, 2, (units, fan_in)).astype(np.float32)
            b = rng.integers(-100, 101, units).astype(np.float32)
        else:
            w = (rng.standard_normal((units, fan_in)) * (2 / fan_in) ** 0.5).astype(np.float32)
            b = (rng.standard_normal(units) * 0.1).astype(np.float32)
        arrays |= {f"W{k}": w, f"b{k}": b}
    np.savez(folder / f"{case.name}-certificate.npz", **arrays)
    activation = "square" if case.square else "relu"
    hidden = [{"units": units, "activation": activation} for units in case.sizes[1:-1]]
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": inputs,
            "layers": [*hidden, {"units": outputs, "activation": "identity"}],
        },
        "weights": {"domain": "float", "format": "float32"},
        "data": {"npz": f"{case.name}.npz", "x": "x", "y": "y"},
        "loss": {"name": case.loss},
        "threshold": "1/2" if case.loss == "zero_one" else 1,
    }
    (folder / f"{case.name}.erm.json").write_text(json.dumps(document))


def read(case: Case, folder: Path) -> tuple[Instance, Any]:
    """The instance and θ, with float64 values in one array."""
    instance = load(folder / f"{case.name}.erm.json")
    values = load_certificate(folder / f"{case.name}-certificate.npz", instance).values
    if getattr(values, "array", None) is None:
        values = ParameterVector(np.array([float(v) for v in values]))
    return instance, values


def layers_of(case: Case, values: Any) -> list[tuple[Any, Any]]:
    layers, start = [], 0
    for fan_in, units in zip(case.sizes, case.sizes[1:], strict=False):
        end = start + fan_in * units
        weights = values.array[start:end].reshape(units, fan_in)
        layers.append((weights, values.array[end : end + units]))
        start = end + units
    return layers


def plain_pass(layers: list[tuple[Any, Any]], x: Any, y: Any, case: Case) -> float:
    """The loss in float64, as anybody would compute it."""
    a = x if x.dtype == np.float64 else x.astype(np.float64)
    for k, (weights, bias) in enumerate(layers):
        a = a @ weights.T + bias
        if k < len(layers) - 1:
            a = a * a if case.square else np.maximum(a, 0.0)
    if case.loss == "zero_one":
        return float((a.argmax(axis=1) != y[:, 0]).mean())
    return float(np.abs(a - y).sum(axis=1).mean())


def peak_bytes() -> int:
    """Largest resident set of this process so far (since :func:`forget_peak`)."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # the peak then includes that of loading


def measure_memory(case: Case, folder: Path, what: str) -> int:
    """Bytes over what is held after loading; run in a process of its own."""
    instance, values = read(case, folder)
    layers = layers_of(case, values)
    x, y = instance.data.x.array, instance.data.y.array
    assert x is not None and y is not None
    if what == "numpy64":
        x = x.astype(np.float64)
    np.ones((256, 784)) @ np.ones((784, 128))
    forget_peak()
    before = peak_bytes()
    if what == "filtered":
        # At L = γ the work is that of the exact loss.
        filtered_loss(instance, values, exact=case.exact or case.at_loss)
    elif what == "verify":
        whole_way(case, instance, values)
    else:
        plain_pass(layers, x, y, case)
    return peak_bytes() - before


def in_fresh_process(case: Case, folder: Path, what: str) -> int:
    command = [sys.executable, __file__, "--memory", what, "--case", case.name]
    done = subprocess.run(
        [*command, "--folder", str(folder)], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def whole_way(case: Case, instance: Instance, values: Any) -> None:
    """What ``ermbit verify`` does after loading."""
    verify(instance, Certificate(values), Question(exact_loss=case.exact or case.at_loss))


def timed(action: Callable[[], Any]) -> float:
    start = perf_counter()
    action()
    return perf_counter() - start


def run(case: Case, folder: Path, repeats: int) -> None:
    """Measure one case and print its lines."""
    instance, values = read(case, folder)
    layers = layers_of(case, values)
    x32, y = instance.data.x.array, instance.data.y.array
    assert x32 is not None and y is not None
    x64 = x32.astype(np.float64)
    if case.at_loss:
        exact = filtered_loss(instance, values, exact=True).loss
        instance = instance.with_threshold(exact)
    found: list[FilteredLoss] = []
    actions: dict[str, Callable[[], Any]] = {
        "numpy64": lambda: plain_pass(layers, x64, y, case),
        "numpy32": lambda: plain_pass(layers, x32, y, case),
        "filtered": lambda: found.append(filtered_loss(instance, values, exact=case.exact)),
        "verify": lambda: whole_way(case, instance, values),
    }
    times: dict[str, list[float]] = {name: [] for name in actions}
    # The first round warms caches and buffers up.
    for round_ in range(repeats + 1):
        for name, action in actions.items():
            seconds = timed(action)
            if round_:
                times[name].append(seconds)
    middle = {name: median(seconds) for name, seconds in times.items()}
    memory = {name: in_fresh_process(case, folder, name) for name in actions}
    result = found[-1]
    print(f"\n{case.name}: {'-'.join(map(str, case.sizes))}, {case.loss}, {len(y)} samples")
    print(f"  {result.method}")
    if case.at_loss:
        assert result.above is False and result.loss == instance.threshold
        print("  the threshold is the loss itself: accepted, proved")
    # Round by round, so that what else the machine does meets both.
    pairs = zip(times["filtered"], times["numpy64"], strict=True)
    ratio = median(a / b for a, b in pairs)
    for name in actions:
        print(f"  {name:9} {middle[name] * 1e3:9.1f} ms {memory[name] / 2**20:8.1f} MiB")
    goal = "" if case.goal is None else f"  (goal: {case.goal:g})"
    print(f"  time,   filtered / numpy64: {ratio:6.2f}{goal}")
    print(f"  time,   filtered / numpy32: {middle['filtered'] / middle['numpy32']:6.2f}")
    print(f"  time,   verify / numpy64:   {middle['verify'] / middle['numpy64']:6.2f}")
    share = memory["filtered"] / max(memory["numpy64"], 1)
    print(f"  memory, filtered / numpy64: {share:6.2f}{'' if case.goal is None else '  (goal: 2)'}")
    print(f"  memory, filtered / numpy32: {memory['filtered'] / max(memory['numpy32'], 1):6.2f}")
    few = 3 if len(case.sizes) == 3 else 1
    slow = rational_seconds(case, instance, values, few) * len(y)
    print(f"  rational evaluation of {few} sample(s), scaled up: {slow:.0f} s", end="")
    print(f", {slow / middle['filtered']:.0f} times the filtered time")


def rational_seconds(case: Case, instance: Instance, values: Any, samples: int) -> float:
    """Seconds a sample of a plain evaluation by rationals (θ converted beforehand)."""
    array = instance.data.x.array
    assert array is not None
    layers = [
        ([[mpq(w) for w in row] for row in weights.tolist()], [mpq(b) for b in bias.tolist()])
        for weights, bias in layers_of(case, values)
    ]
    rows = [[mpq(v) for v in row] for row in array[:samples].tolist()]

    def evaluate() -> None:
        for row in rows:
            signals = row
            for k, (weights, bias) in enumerate(layers):
                signals = [sum(map(mul, w, signals), b) for w, b in zip(weights, bias, strict=True)]
                if k < len(layers) - 1:
                    signals = [z * z if case.square else max(z, mpq(0)) for z in signals]

    return timed(evaluate) / samples


def main() -> None:
    parser = argparse.ArgumentParser(description="Time exact verification against NumPy.")
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5, help="rounds; medians are printed")
    parser.add_argument("--case", help="only this one")
    parser.add_argument("--memory", choices=("numpy64", "numpy32", "filtered", "verify"))
    parser.add_argument("--folder", type=Path, help="with --memory: where the case was built")
    options = parser.parse_args()
    cases = [c for c in CASES if options.case in (None, c.name)]
    if not cases:
        parser.error(f"no such case; known: {', '.join(c.name for c in CASES)}")
    if options.memory is not None:
        print(measure_memory(cases[0], options.folder, options.memory))
        return
    print(f"NumPy {np.__version__}, float64 products by {_blas()}")
    for case in cases:
        with tempfile.TemporaryDirectory() as name:
            build(case, Path(name), options.samples)
            slow = case.exact or (case.at_loss and not case.quantised)
            run(case, Path(name), min(options.repeats, 3) if slow else options.repeats)


def _blas() -> str:
    config: Any = np.show_config(mode="dicts")
    blas = config["Build Dependencies"]["blas"]
    return f"{blas.get('name')} {blas.get('version')}"


if __name__ == "__main__":
    main()
