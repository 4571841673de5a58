"""Reproduction files: what is needed to see an internal error again."""

from __future__ import annotations

import hashlib
import platform
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ermbit_instances.errors import InternalError
from ermbit_instances.files import write_text
from ermbit_instances.instance import Instance
from ermbit_instances.jsonfile import dump_json

FORMAT = "ermbit-reproduction"
VERSION = 1

_PACKAGES = ("gmpy2", "numpy", "z3-solver", "python-sat", "cvc5", "python-flint")


class Contradiction(InternalError):
    """Two parts of ermbit that must agree do not; nothing is answered.

    Attributes:
        what: what happened, in one line.
        reproduction: the file that was written, or ``None`` where no folder could be written.
    """

    def __init__(self, what: str, reproduction: Path | None) -> None:
        self.what = what
        self.reproduction = reproduction
        where = "" if reproduction is None else f" (reproduction file: {reproduction})"
        super().__init__(what + where)

    def __reduce__(self) -> tuple[object, ...]:
        return (Contradiction, (self.what, self.reproduction))


def contradiction(
    what: str,
    instance: Instance,
    *,
    task: str,
    engine: str | None,
    seed: int,
    certificate: Mapping[str, Any] | None = None,
    trace: str | None = None,
) -> Contradiction:
    """Write the reproduction file of a contradiction, and make the error that tells of it."""
    document = {
        "what": what,
        "task": task,
        "engine": engine,
        "seed": seed,
        "instance": instance.to_document(),
        "certificate": None if certificate is None else dict(certificate),
        "traceback": trace,
    }
    return Contradiction(what, write_reproduction(document))


def crash_reproduction(
    error: BaseException, arguments: list[str], instance: str | None
) -> Path | None:
    """Write the reproduction file of an unexpected exception on the command line.

    Args:
        error: the exception.
        arguments: the words of the command line.
        instance: path of the instance file, if the command had one.
    """
    document: dict[str, Any] = {
        "what": f"{type(error).__name__}: {error}"[:1000],
        "arguments": arguments,
        "traceback": "".join(traceback.format_exception(error)),
    }
    if instance is not None:
        try:
            from ermbit_instances.instance import load

            document["instance"] = load(instance).to_document()
        except Exception as failure:  # the file may be what the program stumbled over
            document["instance"] = None
            document["instance_note"] = f"{type(failure).__name__}: {failure}"[:1000]
    return write_reproduction(document)


def write_reproduction(content: Mapping[str, Any]) -> Path | None:
    """Write a reproduction file to the current folder, or else to that for temporary files.

    The name is made from the content, so that the same error does not fill the folder. Returns
    ``None`` where neither folder can be written: an error must not hide behind another one.
    """
    document = {"format": FORMAT, "version": VERSION, **content, "versions": versions()}
    try:
        text = dump_json(document).encode("utf-8", "backslashreplace").decode()
    except Exception as failure:
        text = dump_json({"format": FORMAT, "version": VERSION, "what": repr(failure)})
    name = f"ermbit-reproduction-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    for folder in (Path.cwd, lambda: Path(tempfile.gettempdir())):
        try:
            path = folder() / name
            write_text(path, text)
            return path
        except OSError:
            continue
    return None


def versions() -> dict[str, str | None]:
    """Versions of ermbit, Python, the platform and the packages that compute."""
    from importlib import metadata  # slow to import, and hardly ever needed

    from ermbit import __version__

    found: dict[str, str | None] = {
        "ermbit": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
    }
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found
