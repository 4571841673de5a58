"""Parameters that several families have, each declared once, and how they are read.

A family whose default or help differs says so by :func:`dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.families import activation_text, domain_text
from ermbit_instances.families.family import FamilyError, FamilyParameter, read_rational
from ermbit_instances.families.labelling import LOSSES
from ermbit_instances.rational import Rational

INPUTS = FamilyParameter("inputs", "integer", 2, "input dimension", 1, 1000)
HIDDEN = FamilyParameter(
    "hidden", "text", "2", "units of the hidden layers, such as 3 or 4-2; none for no hidden layer"
)
HIDDEN_UNITS = FamilyParameter("hidden", "integer", 2, "hidden units h, 0 for none", 0, 1000)
ACTIVATION = FamilyParameter(
    "activation", "text", "relu", f"of the hidden units: {activation_text.NOTATION}"
)
OUTPUTS = FamilyParameter("outputs", "integer", 1, "outputs (classes, if above 1)", 1, 100)
BIAS = FamilyParameter("bias", "flag", "yes", "whether units have biases")

SHAPE = (INPUTS, HIDDEN, ACTIVATION, OUTPUTS, BIAS)
"""What ``layered.shape_of`` reads."""

POLYNOMIAL = FamilyParameter(
    "polynomial", "text", "0,0,1", "coefficients c0,c1,... of the activation"
)

SAMPLES = FamilyParameter("samples", "integer", 8, "number of samples N", 1, 100_000)

REDUCTION = FamilyParameter(
    "reduction", "choice", "mean", "how sample losses are combined", choices=("mean", "sum", "max")
)

THRESHOLD = FamilyParameter("threshold", "rational", 0, "the threshold", 0)


def domain_parameter(default: str) -> FamilyParameter:
    """The family parameter ``domain``."""
    return FamilyParameter(
        "domain", "text", default, f"domain of all parameters: {domain_text.NOTATION}"
    )


def loss_parameter(default: str, choices: tuple[str, ...] = LOSSES) -> FamilyParameter:
    """The family parameter ``loss``."""
    return FamilyParameter("loss", "choice", default, "loss of one sample", choices=choices)


def range_parameters(name: str, what: str, low: int, high: int) -> tuple[FamilyParameter, ...]:
    """The parameters NAME_low and NAME_high, ends of the range of one ``what``."""
    return (
        FamilyParameter(f"{name}_low", "integer", low, f"least {what}", -(10**6), 10**6),
        FamilyParameter(f"{name}_high", "integer", high, f"greatest {what}", -(10**6), 10**6),
    )


def check_ranges(parameters: Mapping[str, Any], *names: str) -> None:
    """FamilyError where NAME_low exceeds NAME_high."""
    for name in names:
        if parameters[f"{name}_low"] > parameters[f"{name}_high"]:
            raise FamilyError(f"parameter {name}_low: greater than {name}_high")


def read_threshold(parameters: Mapping[str, Any], name: str) -> Rational:
    """The threshold that a text parameter has; FamilyError for a negative one."""
    threshold = read_rational(parameters[name], f"parameter {name}")
    if threshold < 0:
        raise FamilyError(f"parameter {name}: a negative threshold is never reached")
    return threshold
