"""``ermbit gradient``, and the options of ``ermbit verify`` for long numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.command_line import ROOT, run_here

XOR = ROOT / "instances" / "library" / "xor-2-relu.erm.json"
THETA = {"W1": [[1, 1], [1, 1]], "b1": [0, -1], "W2": [["1/2", -2]], "b2": ["1/3"]}


def certificate(folder: Path, parameters: dict[str, Any]) -> Path:
    path = folder / "theta.cert.json"
    document = {"format": "ermbit-certificate", "version": 1, "parameters": parameters}
    path.write_text(json.dumps(document))
    return path


def permanent(folder: Path, matrix: list[list[int]]) -> tuple[Path, int, int]:
    """An instance with the permanent in its derivative by w, and where: (path, first bit, k)."""
    from ermbit_instances.straight_line.permanent import permanent_instance, permanent_window

    path = folder / "permanent.erm.json"
    path.write_text(json.dumps(permanent_instance(matrix)))
    window = permanent_window(len(matrix))
    return path, window.start, len(window)


def test_all_derivatives_with_bits_and_kinks(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = run_here(capfd, "gradient", XOR, certificate(tmp_path, THETA))
    assert done.status == 0
    assert "differentiable: false" in done.out
    assert "kinks: 3" in done.out
    assert "error signal" in done.out
    document = run_here(capfd, "gradient", XOR, certificate(tmp_path, THETA), "--json").document
    assert (
        set(document["gradient"])
        == set(document["signs"])
        == {
            *(f"W1[{j},{k}]" for j in range(2) for k in range(2)),
            "b1[0]",
            "b1[1]",
            "W2[0,0]",
            "W2[0,1]",
            "b2[0]",
        }
    )
    # b2: the mean over signs of residuals f − y = 1/3, −1/6, −1/6, −2/3.
    assert document["gradient"]["b2[0]"] == "-1/2"
    assert document["loss"] == "1/3"
    assert document["kink_count"] == 3
    assert document["kinks"][0] == {
        "where": "1.0",
        "sample": 0,
        "what": "the pre-activation is exactly at a breakpoint of relu",
    }


def test_one_parameter_its_sign_and_bits(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    theta = certificate(tmp_path, THETA)
    common = ("gradient", XOR, theta, "--parameter", "b2[0]")
    assert run_here(capfd, *common).out.splitlines()[0] == "b2[0]: -1/2"
    assert run_here(capfd, *common, "--sign").out.startswith("b2[0]: sign -1 ")
    assert run_here(capfd, *common, "--bit", "-1").out.startswith("b2[0]: bit -1: 1 ")
    document = run_here(capfd, *common, "--bit=-2:3", "--numerator-bit", "0:20", "--json").document
    assert document["bit"] == 2  # 1/2 in quarters
    assert document["value"] == "-1/2" and document["sign"] == -1
    assert 2 * document["numerator_bit"] == document["denominator"]
    assert document["denominator_factored"].startswith("2^")


@pytest.mark.parametrize(
    "words",
    [
        ("--parameter", "W9[0,0]"),
        ("--bit", "x"),
        ("--bit", "1:0"),
        ("--bit", "1:-2"),
        ("--numerator-bit=-1",),
        ("--leading-bits", "0"),
        ("--memory", "0"),
        ("--timeout", "-1"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    words: tuple[str, ...], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = run_here(capfd, "gradient", XOR, certificate(tmp_path, THETA), *words)
    assert done.status == 2
    assert done.out == ""
    assert done.err.count("\n") == 1 and done.err.startswith("ermbit: error: ")


def test_a_permanent_is_read_from_the_bits_of_a_derivative(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Ten rows: the derivative has 170,000 bits, and the window lies in its middle."""
    n = 10
    ring = [[int(j in (i, (i + 1) % n)) for j in range(n)] for i in range(n)]
    path, first, count = permanent(tmp_path, ring)
    done = run_here(
        capfd,
        "gradient",
        path,
        certificate(tmp_path, {"w": 0}),
        "--parameter",
        "w",
        "--bit",
        f"{first}:{count}",
        "--json",
    )
    assert done.status == 0
    assert done.document["bit"] == 2  # a ring has two perfect matchings


def long_tower(folder: Path) -> Path:
    neurons = []
    before = "x0"
    for level in range(80):
        neurons.append({"id": f"n{level}", "inputs": {before: 1}, "activation": "square"})
        before = f"n{level}"
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "neurons": neurons, "outputs": [before]},
        "data": {"x": [[3]], "y": [[0]]},
        "loss": {"name": "absolute", "reduction": "sum"},
        "threshold": 1000,
    }
    path = folder / "tower.erm.json"
    path.write_text(json.dumps(document))
    return path


def test_bits_of_a_loss_that_is_never_built(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = long_tower(tmp_path)
    nothing = certificate(tmp_path, {})
    done = run_here(
        capfd, "verify", path, nothing, "--loss-bit", "0:64", "--leading-bits", "64", "--json"
    )
    assert done.status == 1
    document = done.document
    assert document["proved"] is True and document["accepted"] is False
    assert document["loss_bit"]["value"] == pow(3, 2**80, 2**64)
    assert document["leading_bits"]["value"].bit_length() == 64
    middle = run_here(capfd, "verify", path, nothing, "--loss-bit", str(2**78))
    assert middle.status == 1
    assert "undecided" in middle.out and "a bit in the middle" in middle.out
    shown = run_here(capfd, "verify", path, nothing)
    assert "loss: below 2^" in shown.out


def test_the_exact_loss_of_a_long_number_within_memory(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = run_here(capfd, "verify", XOR, certificate(tmp_path, THETA), "--exact-loss", "--json")
    assert done.document["loss"] == "1/3"
    assert done.document["loss_bounds"] is None
