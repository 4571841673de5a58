"""Strict JSON: parsed with every number exact, and written readably.

The standard library parses; this module keeps what it would lose (digits of decimals, duplicate
keys) and bounds what it would allow (size, depth, digits). What comes out is a
:class:`~ermbit_instances.json_node.Node`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ermbit_instances import limits
from ermbit_instances.errors import InputError, LimitError
from ermbit_instances.files import read_bytes
from ermbit_instances.json_node import Node, RawNumber, RawObject, child_path


def _object(pairs: list[tuple[str, Any]]) -> RawObject:
    result = RawObject(pairs)
    result.duplicates = ()
    if len(result) != len(pairs):
        seen: set[str] = set()
        result.duplicates = tuple(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
    return result


def _integer(text: str) -> int | RawNumber:
    return int(text) if len(text) < 300 else RawNumber(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=RawNumber, parse_constant=RawNumber
)

_SPACE = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|[\[\]{}:,]')


def read_json(path: str | Path) -> Node:
    """Read a JSON file into a :class:`Node` at ``$``.

    Raises:
        InputError: not JSON, too large, too deep, not UTF-8; with line and column where they exist.
    """
    path = Path(path)
    data = read_bytes(path, limits.JSON_BYTES)
    try:
        text = data.decode("utf-8-sig" if data[:3] == b"\xef\xbb\xbf" else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start})", file=path) from None
    return parse_json(text, path)


def parse_json(text: str, file: str | Path | None = None) -> Node:
    """Parse a JSON text; see :func:`read_json`."""
    try:
        value, end = _DECODER.raw_decode(text, _skip_space(text, 0))
        end = _skip_space(text, end)
        if end != len(text):
            raise json.JSONDecodeError("text after the JSON value", text, end)
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg[:1].lower() + error.msg[1:]}"
        where = f" (line {error.lineno}, column {error.colno})"
        raise InputError(reason + where, file=file) from None
    except RecursionError:
        raise LimitError(
            f"nested deeper than the limit of {limits.DEPTH.value} levels",
            file=file,
            path=_path_at_depth(text, limits.DEPTH.value),
        ) from None
    return Node(value, "$", None if file is None else str(file))


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _path_at_depth(text: str, depth: int) -> str:
    """JSON path of the first place nested deeper than ``depth``; a scan without recursion."""
    path: list[str | int] = []
    key = ""
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign == "[":
            path.append(0)
        elif sign == "{":
            path.append("")
        elif sign in "]}":
            if path:
                path.pop()
        elif sign == ":":
            if path:
                path[-1] = key
        elif sign == ",":
            if path and isinstance(path[-1], int):
                path[-1] += 1
        else:
            key = token[1]
        if len(path) > depth:
            break
    steps = path[:8]
    shown = "".join(child_path("", step) for step in steps)
    return "$" + shown + ("..." if len(path) > 8 else "")


def dump_json(document: Any) -> str:
    """Readable JSON: objects indented, lists of scalars and rows on one line each."""
    return _dump(document, "") + "\n"


def _dump(value: Any, indent: str) -> str:
    inner = indent + "  "
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(flat) + len(indent) <= 96:
        return flat
    if isinstance(value, dict):
        rows = [f"{inner}{json.dumps(k)}: {_dump(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if not any(isinstance(child, dict | list) for child in value):
        return flat
    return "[\n" + ",\n".join(inner + _dump(child, inner) for child in value) + f"\n{indent}]"
