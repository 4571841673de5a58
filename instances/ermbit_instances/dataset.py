"""The data set: inline, CSV or NPZ, always exact, external files identified by their sha256."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.errors import InputError
from ermbit_instances.files import read_bytes
from ermbit_instances.json_node import Node, describe
from ermbit_instances.npz import read_npz_table
from ermbit_instances.rational import Rational, parse_rational, shorten, write_rational
from ermbit_instances.table import Table

_ONE = mpq(1)


@dataclass(frozen=True)
class Dataset:
    """N samples.

    Attributes:
        x: N × inputs.
        y: N × outputs for regression losses, N × 1 labels for classification.
        sample_weights: N weights ≥ 0, not all zero; ``None`` means all 1.
        origin: how the file gave the data, for the canonical form: ``{}`` for inline.
    """

    x: Table
    y: Table
    sample_weights: tuple[Rational, ...] | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def weights(self) -> tuple[Rational, ...]:
        """Sample weights, all 1 where none are given."""
        return self.sample_weights or (_ONE,) * len(self.x)

    def canonical(self, *, inline: bool = False) -> dict[str, Any]:
        """The canonical ``data`` object; external data by sha256 unless ``inline``."""
        form: dict[str, Any]
        if self.origin and not inline:
            form = dict(self.origin)
        else:
            form = {
                "x": [[write_rational(v) for v in row] for row in self.x],
                "y": [[write_rational(v) for v in row] for row in self.y],
            }
        if self.sample_weights is not None:
            form["sample_weights"] = [write_rational(w) for w in self.sample_weights]
        return form


def read_dataset(
    node: Node,
    *,
    inputs: int,
    y_width: int,
    folder: Path | None,
    allow_external: bool = False,
) -> Dataset:
    """Read the ``data`` object.

    Args:
        node: the object.
        inputs: width of x.
        y_width: width of y (outputs, or 1 for labels).
        folder: the instance file's folder, to which data paths are relative; ``None`` for a
            document in memory, which may not name data files unless ``allow_external``.
        allow_external: accept absolute paths and paths that leave the folder.

    Raises:
        InputError: anything that the format refuses.
    """
    spellings = [key for key in ("csv", "npz") if node.get(key) is not None]
    inline = not spellings
    if len(spellings) == 2:
        node.at("npz").fail("both csv and npz are given")
    if inline:
        node.keys(required=("x", "y"), optional=("sample_weights",))
        x = _inline(node.at("x"), inputs, "inputs")
        y = _inline(node.at("y"), y_width, "targets")
        origin: dict[str, Any] = {}
    elif spellings == ["csv"]:
        node.keys(required=("csv", "features", "target"), optional=("sample_weights",))
        x, y, origin = _read_csv(node, inputs, y_width, folder, allow_external)
    else:
        node.keys(required=("npz", "x", "y"), optional=("sample_weights",))
        path = _data_path(node.at("npz"), folder, allow_external)
        keys = [node.at("x"), node.at("y")]
        tables = [read_npz_table(path, key, node.at("npz")) for key in keys]
        for table, key, width in zip(tables, keys, (inputs, y_width), strict=True):
            if table.shape[1] != width:
                key.fail(f"the array has {table.shape[1]} columns, {width} are needed")
        x, y = tables
        origin = {
            "npz": "sha256:" + _sha256(path),
            "x": keys[0].string(),
            "y": keys[1].string(),
        }
    if len(x) != len(y):
        node.at("y").fail(f"{len(y)} rows, but x has {len(x)}")
    if len(x) == 0:
        node.at("x" if inline else spellings[0]).fail("there is no sample")
    weights_node = node.get("sample_weights")
    weights = None if weights_node is None else _read_sample_weights(weights_node, len(x))
    return Dataset(x, y, weights, origin)


def _read_sample_weights(node: Node, count: int) -> tuple[Rational, ...]:
    cells = node.elements()
    if len(cells) != count:
        node.fail(f"{len(cells)} weights for {count} samples")
    weights = []
    for cell in cells:
        weight = cell.rational()
        if weight < 0:
            cell.fail("a sample weight must not be negative")
        weights.append(weight)
    if not any(weights):
        node.fail("all sample weights are zero")
    return tuple(weights)


def _inline(node: Node, width: int, what: str) -> Table:
    rows = []
    array = node.array(of="list of rows")
    if len(array) * width > limits.ENTRIES.value:
        node.refuse(f"more than the limit of {limits.ENTRIES.value} numbers")
    for i, row in enumerate(array):
        if not isinstance(row, list | tuple):
            node.at(i).fail(f"expected a row (a list of {width} numbers), not {describe(row)}")
        if len(row) != width:
            node.at(i).fail(f"{len(row)} numbers, but the network has {width} {what}")
        rows.append(
            tuple(
                # The common case needs no cursor.
                mpq(v) if type(v) is int else node.member(v, f"{node.path}[{i}][{j}]").rational()
                for j, v in enumerate(row)
            )
        )
    return Table(rows)


def _data_path(node: Node, folder: Path | None, allow_external: bool) -> Path:
    text = node.string()
    path = Path(text)
    if not path.parts or "\0" in text:  # "" and "." have no parts
        node.fail("not a file name")
    if allow_external:
        return path if path.is_absolute() or folder is None else folder / path
    if folder is None:
        node.fail("a document in memory may name data files only if external data are allowed")
    if path.is_absolute() or text.startswith(("/", "\\")) or ":" in path.parts[0]:
        node.fail("the path must be relative to the instance file (see --allow-external-data)")
    base = os.path.realpath(folder)
    full = os.path.realpath(folder / path)
    if os.path.commonpath([base, full]) != base:
        node.fail("the path leaves the folder of the instance file (see --allow-external-data)")
    return Path(full)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read_csv(
    node: Node, inputs: int, y_width: int, folder: Path | None, allow_external: bool
) -> tuple[Table, Table, dict[str, Any]]:
    place = node.at("csv")
    path = _data_path(place, folder, allow_external)
    wanted: dict[str, list[str]] = {}
    for key, width in (("features", inputs), ("target", y_width)):
        wanted[key] = [cell.string() for cell in node.at(key).elements()]
        if len(wanted[key]) != width:
            node.at(key).fail(f"{len(wanted[key])} columns, but {width} are needed")
    try:
        data = read_bytes(path, limits.CSV_BYTES)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place.fail(f"{path.name} is not UTF-8 text (byte {error.start})")
    except InputError as error:
        place.fail(f"{path.name}: {error.reason}")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: dict[str, list[int]] = {}
    x_rows: list[tuple[Rational, ...]] = []
    y_rows: list[tuple[Rational, ...]] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        if not header:
            place.fail(f"{path.name} has no header line")
        index = {name: c for c, name in enumerate(header)}
        repeated = {name for name, count in Counter(header).items() if count > 1}
        for key, names in wanted.items():
            columns[key] = []
            for i, name in enumerate(names):
                if name not in index or name in repeated:
                    reason = "more than one column" if name in index else "no column"
                    node.at(key).at(i).fail(f"{path.name} has {reason} named {shorten(name)}")
                columns[key].append(index[name])
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                place.fail(
                    f"{path.name} line {reader.line_num}: {len(row)} fields, "
                    f"but the header has {len(header)}"
                )
            for key, target in (("features", x_rows), ("target", y_rows)):
                line = reader.line_num
                target.append(
                    tuple(_cell(row[c], path, line, header[c], place) for c in columns[key])
                )
    except csv.Error as error:
        place.fail(f"{path.name} line {reader.line_num}: {error}")
    origin = {
        "csv": "sha256:" + hashlib.sha256(data).hexdigest(),
        "features": wanted["features"],
        "target": wanted["target"],
    }
    return Table(x_rows), Table(y_rows), origin


def _cell(text: str, path: Path, line: int, column: str, place: Node) -> Rational:
    try:
        return parse_rational(text.strip())
    except ValueError as error:
        place.fail(f"{path.name} line {line}, column {column!r}: {error}")
