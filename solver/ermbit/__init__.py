"""Exact decision of bit-model empirical risk minimisation: can this network fit this data?

``load`` an instance, ``solve`` or ``minimize`` it, ``verify`` a certificate, ``generate`` a
benchmark instance. Names are imported on first use, so that ``import ermbit`` stays fast. What is
not in ``__all__`` is private.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ermbit.answer import Answer
    from ermbit.api import generate, gradient, load, minimize, solve, verify
    from ermbit.verifier.derivatives import Gradient
    from ermbit.verifier.verdict import Verdict
    from ermbit_instances.errors import (
        ErmbitError,
        IncompatibleError,
        InputError,
        InternalError,
        LimitError,
        MissingFileError,
        UsageError,
    )
    from ermbit_instances.instance import Instance

__version__ = "0.1.0"

__all__ = [
    "load",
    "solve",
    "minimize",
    "verify",
    "gradient",
    "generate",
    "Answer",
    "Verdict",
    "Gradient",
    "Instance",
    "ErmbitError",
    "InputError",
    "MissingFileError",
    "LimitError",
    "UsageError",
    "IncompatibleError",
    "InternalError",
]

_HOME = {
    "load": "ermbit.api",
    "solve": "ermbit.api",
    "minimize": "ermbit.api",
    "verify": "ermbit.api",
    "gradient": "ermbit.api",
    "generate": "ermbit.api",
    "Answer": "ermbit.answer",
    "Verdict": "ermbit.verifier.verdict",
    "Gradient": "ermbit.verifier.derivatives",
    "Instance": "ermbit_instances.instance",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME.get(name, "ermbit_instances.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
