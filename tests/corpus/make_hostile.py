"""Hostile inputs that are too large or too odd to keep as files.

Every :class:`Made` builds its files in a folder that it is given and returns the command line to
run there. Nothing here takes more than a few megabytes of disk: the two-gigabyte files are sparse.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HOSTILE = Path(__file__).resolve().parent / "hostile"
TWO_GIGABYTES = 2 << 30
DEPTH = 100_000
DIGITS = "7" * 1_000_000
DEEP = ("nest", "deep", "depth")


@dataclass(frozen=True)
class Made:
    """One input made on the spot.

    Attributes:
        name: name of the case.
        build: writes the files into a folder and returns the command line.
        file: name that the message must contain, or ``None`` if it cannot be written as it is.
        path: JSON path that the message must name, or ``None``.
        reason: one of these must occur in the message, if there are any.
        isolated: run in a process of its own, because a wrong program would not come back.
    """

    name: str
    build: Callable[[Path], list[str]]
    file: str | None
    path: str | None = None
    reason: Sequence[str] = ()
    isolated: bool = False


def _base() -> str:
    return (HOSTILE / "base.erm.json").read_text(encoding="utf-8")


def _certificate() -> str:
    return (HOSTILE / "base.cert.json").read_text(encoding="utf-8")


def _replace(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise ValueError(f"{old!r} must occur exactly once in the base file")
    return text.replace(old, new)


def _instance(old: str, new: str) -> Callable[[Path], list[str]]:
    """`solve` on the base instance with one piece of text replaced."""

    def build(folder: Path) -> list[str]:
        target = folder / "made.erm.json"
        target.write_text(_replace(_base(), old, new), encoding="utf-8")
        return ["solve", str(target)]

    return build


def _threshold(token: str) -> Callable[[Path], list[str]]:
    return _instance('"threshold": 0', f'"threshold": {token}')


def _many_numbers(token: str, count: int = 60_000) -> Callable[[Path], list[str]]:
    row = ", ".join([f'"{token}"'] * count)
    data = f'"data": {{"x": [[{row}]], "y": [[0]]}}'

    def build(folder: Path) -> list[str]:
        text = _replace(_base(), '"inputs": 2', f'"inputs": {count}')
        text = _replace(text, ', "weights": [[null, null], [null, 1]]', "")
        lines = [data + "," if '"data"' in line else line for line in text.splitlines()]
        target = folder / "made.erm.json"
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ["solve", str(target)]

    return build


def _meta(value: str) -> Callable[[Path], list[str]]:
    return _instance('"threshold": 0', f'"threshold": 0, "meta": {{"note": {value}}}')


def _verify(name: str, write: Callable[[Path], object]) -> Callable[[Path], list[str]]:
    """`verify` of the base instance with a certificate that `write` makes."""

    def build(folder: Path) -> list[str]:
        write(folder / name)
        return ["verify", str(HOSTILE / "base.erm.json"), str(folder / name)]

    return build


def _certificate_text(old: str, new: str) -> Callable[[Path], list[str]]:
    def write(target: Path) -> None:
        target.write_text(_replace(_certificate(), old, new), encoding="utf-8")

    return _verify("made.cert.json", write)


def _sparse(target: Path, head: bytes = b"") -> None:
    with target.open("wb") as stream:
        stream.write(head)
        stream.truncate(TWO_GIGABYTES)


def _whole_file(name: str, write: Callable[[Path], object]) -> Callable[[Path], list[str]]:
    """`solve` on an instance file that `write` makes."""

    def build(folder: Path) -> list[str]:
        write(folder / name)
        return ["solve", str(folder / name)]

    return build


def _existing(*command: str) -> Callable[[Path], list[str]]:
    return lambda folder: list(command)


def _with_data(
    kind: str, name: str, write: Callable[[Path], object]
) -> Callable[[Path], list[str]]:
    """`solve` on an instance in a folder of its own, whose data file `write` makes."""
    keys = '"x": "x", "y": "y"' if kind == "npz" else '"features": ["a", "b"], "target": ["t"]'
    data = f'"data": {{"{kind}": "{name}", {keys}}}'

    def build(folder: Path) -> list[str]:
        home = folder / "home"
        home.mkdir()
        write(home / Path(name).parts[0])
        lines = [data + "," if '"data"' in line else line for line in _base().splitlines()]
        target = home / "made.erm.json"
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ["solve", str(target)]

    return build


def _outside(folder: Path) -> Path:
    """A folder next to the instance's own, with a well-formed data file in it."""
    outside = folder / "outside"
    outside.mkdir()
    shutil.copy(HOSTILE / "instances" / "data" / "good.csv", outside / "good.csv")
    return outside


def _link_to_file(link: Path) -> None:
    link.symlink_to(_outside(link.parent.parent) / "good.csv")


def _link_to_folder(link: Path) -> None:
    link.symlink_to(_outside(link.parent.parent), target_is_directory=True)


def _link_to_itself(link: Path) -> None:
    link.symlink_to(link.name)


def _not_json(target: Path) -> None:
    target.write_text("not JSON\n", encoding="utf-8")


def _undecodable_name(folder: Path) -> list[str]:
    target = os.fsdecode(os.fsencode(folder) + b"/odd-\xff-name.erm.json")
    _not_json(Path(target))
    return ["solve", target]


_OBJECTS = '{"k": ' * DEPTH + "0" + "}" * DEPTH
_LISTS = "[" * DEPTH + "]" * DEPTH
_CSV_ROW = b"a,b,t\n0,0,0\n"

MADE: tuple[Made, ...] = (
    # Numbers of a million digits, where Python's own conversion takes quadratic time or refuses.
    Made("million-digits", _threshold(DIGITS), "made.erm.json", "$.threshold"),
    Made("million-digits-string", _threshold(f'"{DIGITS}"'), "made.erm.json", "$.threshold"),
    Made(
        "million-digits-fraction",
        _threshold(f'"1/{DIGITS}"'),
        "made.erm.json",
        "$.threshold",
    ),
    Made("million-digits-decimal", _threshold(f"0.{DIGITS}"), "made.erm.json", "$.threshold"),
    Made(
        "million-digits-units",
        _instance('"units": 1', f'"units": {DIGITS}'),
        "made.erm.json",
        "$.network.layers[1].units",
    ),
    Made(
        "million-digits-certificate",
        _certificate_text("[0, -1]", f"[{DIGITS}, -1]"),
        "made.cert.json",
        "$.parameters.b1[0]",
    ),
    Made(
        "million-digits-root",
        _certificate_text(
            "[0, -1]", f'["(root-of-with-interval (coeffs 1 (- {DIGITS}) 1) 0 1)", -1]'
        ),
        "made.cert.json",
        "$.parameters.b1[0]",
    ),
    # Short texts of long numbers: 9 bytes in the file, 40 kilobytes in memory, 60 000 times over.
    # GMP ends the process when it finds no memory, so nothing can be caught afterwards.
    Made("many-huge-exponents", _many_numbers("1e100000"), "made.erm.json", isolated=True),
    Made("many-tiny-exponents", _many_numbers("1e-100000"), "made.erm.json", isolated=True),
    # Nesting that would overflow a recursive reader.
    Made("deep-lists", _threshold(_LISTS), "made.erm.json", None, DEEP),
    Made("deep-objects", _threshold(_OBJECTS), "made.erm.json", None, DEEP),
    Made("deep-lists-in-meta", _meta(_LISTS), "made.erm.json", None, DEEP),
    Made("deep-objects-in-meta", _meta(_OBJECTS), "made.erm.json", None, DEEP),
    Made(
        "deep-objects-in-certificate",
        _certificate_text("[0, -1]", _OBJECTS),
        "made.cert.json",
        None,
        DEEP,
    ),
    # Files that never end, or that have no end in memory.
    Made(
        "sparse-instance", _whole_file("sparse.erm.json", _sparse), "sparse.erm.json", isolated=True
    ),
    Made(
        "sparse-after-text",
        _whole_file("sparse.erm.json", lambda f: _sparse(f, b'{"name": "')),
        "sparse.erm.json",
        isolated=True,
    ),
    Made(
        "sparse-csv",
        _with_data("csv", "sparse.csv", lambda f: _sparse(f, _CSV_ROW)),
        "sparse.csv",
        isolated=True,
    ),
    Made(
        "sparse-npz",
        _with_data("npz", "sparse.npz", lambda f: _sparse(f, b"PK\x03\x04")),
        "sparse.npz",
        isolated=True,
    ),
    Made(
        "sparse-certificate",
        _verify("sparse.cert.json", _sparse),
        "sparse.cert.json",
        isolated=True,
    ),
    Made("sparse-npz-certificate", _verify("sparse.npz", _sparse), "sparse.npz", isolated=True),
    Made("sparse-onnx-certificate", _verify("sparse.onnx", _sparse), "sparse.onnx", isolated=True),
    Made("pipe-instance", _whole_file("pipe.erm.json", os.mkfifo), "pipe.erm.json", isolated=True),
    Made(
        "pipe-csv",
        _with_data("csv", "pipe.csv", os.mkfifo),
        "made.erm.json",
        "$.data",
        isolated=True,
    ),
    Made(
        "pipe-npz",
        _with_data("npz", "pipe.npz", os.mkfifo),
        "made.erm.json",
        "$.data",
        isolated=True,
    ),
    Made("pipe-certificate", _verify("pipe.cert.json", os.mkfifo), "pipe.cert.json", isolated=True),
    Made("pipe-npz-certificate", _verify("pipe.npz", os.mkfifo), "pipe.npz", isolated=True),
    Made("pipe-onnx-certificate", _verify("pipe.onnx", os.mkfifo), "pipe.onnx", isolated=True),
    Made("endless-device", _existing("solve", "/dev/zero"), "/dev/zero", isolated=True),
    Made(
        "endless-device-certificate",
        _existing("verify", str(HOSTILE / "base.erm.json"), "/dev/zero"),
        "/dev/zero",
        isolated=True,
    ),
    # Files that are not there, are something else, or have a name that cannot be printed.
    Made("absent-instance", _existing("solve", "/nonexistent/a.erm.json"), "a.erm.json"),
    Made(
        "absent-certificate",
        _existing("verify", str(HOSTILE / "base.erm.json"), "/nonexistent/a.cert.json"),
        "a.cert.json",
    ),
    Made("folder-as-instance", _whole_file("folder.erm.json", Path.mkdir), "folder.erm.json"),
    Made("folder-as-certificate", _verify("folder.npz", Path.mkdir), "folder.npz"),
    Made("name-of-5000-characters", _existing("solve", "a" * 5000 + ".erm.json"), None),
    Made("name-with-nul", _existing("solve", "a\0b.erm.json"), None),
    Made("name-with-newline", _whole_file("two\nlines.erm.json", _not_json), None),
    Made("name-with-escape-sequence", _whole_file("red\x1b[31m.erm.json", _not_json), None),
    Made("name-not-utf8", _undecodable_name, None),
    # Links that lead out of the instance's folder.
    Made(
        "link-leaves-folder",
        _with_data("csv", "link.csv", _link_to_file),
        "made.erm.json",
        "$.data.csv",
    ),
    Made(
        "linked-folder-leaves-folder",
        _with_data("csv", "link/good.csv", _link_to_folder),
        "made.erm.json",
        "$.data.csv",
    ),
    Made(
        "link-loop", _with_data("csv", "loop.csv", _link_to_itself), "made.erm.json", "$.data.csv"
    ),
)
