"""From what a user names to cases: files, folders, lists, the library, families with seeds.

What is known of an answer comes from the ``meta`` object of the instance (``status``,
``minimum``), and from the columns ``status`` and ``minimum`` of a CSV list, such as ``index.csv``
in the folder of the instance. Two sources that contradict each other are an error.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ermbit.bench.case import Case, Known, Task, expectation, question_hash, repeated
from ermbit.bench.reply import exact
from ermbit_instances import families, limits
from ermbit_instances.certificate import write_value
from ermbit_instances.errors import ErmbitError, InputError, MissingFileError, UsageError
from ermbit_instances.families.writing import write
from ermbit_instances.files import read_bytes
from ermbit_instances.instance import Instance, load
from ermbit_instances.rational import Rational, write_rational

ENDING = ".erm.json"
INDEX = "index.csv"
LIBRARY = "library"
FILES = "files"


@dataclass(frozen=True)
class Source:
    """An instance file, and what a list says of it.

    Attributes:
        set: the collection that it is from.
        file: where it is.
        row: the cells of its row in a CSV list, by column.
        family: that the collection gives it, or "" for what the instance says.
    """

    set: str
    file: Path
    row: Mapping[str, str] = field(default_factory=dict)
    family: str = ""


@dataclass(frozen=True)
class Wish:
    """What is asked of every instance.

    Attributes:
        task: ``solve`` or ``minimize``.
        threshold: asked for in place of each file's own (``solve``).
        allow_external_data: as for reading an instance.
    """

    task: Task = "solve"
    threshold: Rational | None = None
    allow_external_data: bool = False


# ---------------------------------------------------------------- what is named


def library() -> list[Source]:
    """The shipped library, from the source tree that this package is part of.

    Raises:
        UsageError: this package is not in its source tree.
    """
    folder = Path(families.__file__).resolve().parents[2] / LIBRARY
    if not (folder / INDEX).is_file():
        raise UsageError(
            "set library: it comes with the source tree and is not installed; name its folder"
        )
    return [replace(source, set=LIBRARY) for source in named([folder])]


def generated(
    family: str, settings: Mapping[str, Sequence[str]], seeds: Sequence[int], folder: Path
) -> list[Source]:
    """Instances of a family, written to a folder: all combinations of values, all seeds.

    Raises:
        FamilyError: an unknown family or parameter, or an illegal value.
        MissingFileError: the folder cannot be written.
    """
    found = []
    for values in itertools.product(*settings.values()):
        given = dict(zip(settings, values, strict=True))
        label = " ".join([family, *(f"{key}={value}" for key, value in given.items())])
        for seed in seeds:
            made = families.generate(family, seed, **given)
            try:
                file = write(made, folder)[0]
            except OSError as error:
                reason = error.strerror or "cannot be written"
                raise MissingFileError(reason, file=folder) from None
            found.append(Source(family, file, {}, label))
    return found


def named(paths: Sequence[str | Path]) -> list[Source]:
    """Instance files; folders: all ``*.erm.json`` below; lists: ``.csv`` or ``.txt``.

    A CSV list has a column ``file``, a text list a path a line (``#`` begins a remark); paths are
    relative to the list. A file that is named twice counts once.

    Raises:
        MissingFileError: a path that is not there.
        InputError: a list that is none, or a folder without an instance.
    """
    found: dict[Path, Source] = {}
    for name in paths:
        for source in _named(Path(name)):
            found.setdefault(source.file.resolve(), source)
    return list(found.values())


def _named(path: Path) -> list[Source]:
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):
        is_folder = False
    if is_folder:
        files = sorted(path.rglob(f"*{ENDING}"))
        if not files:
            raise InputError(f"no file *{ENDING} in this folder", file=path)
        return [_beside_index(file) for file in files]
    if path.suffix == ".csv":
        return _rows(path)
    if path.suffix == ".txt":
        lines = [line.strip() for line in _text(path).splitlines()]
        names = [line for line in lines if line and not line.startswith("#")]
        return [source for name in names for source in _named(path.parent / name)]
    return [_beside_index(path)]


def _text(path: Path) -> str:
    try:
        return read_bytes(path, limits.JSON_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start})", file=path) from None


def _rows(path: Path) -> list[Source]:
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        rows = [{k: v for k, v in row.items() if k and isinstance(v, str)} for row in reader]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}: {error}", file=path) from None
    if "file" not in (reader.fieldnames or ()):
        raise InputError("a list needs a column 'file'", file=path)
    return [Source(FILES, path.parent / row["file"], row) for row in rows if row.get("file")]


def _beside_index(file: Path) -> Source:
    """The file with its row of the ``index.csv`` of its folder, if there is one."""
    index = file.parent / INDEX
    try:
        changed = index.stat().st_mtime_ns
    except (OSError, ValueError):
        return Source(FILES, file)
    return Source(FILES, file, _index(index.resolve(), changed).get(file.name, {}))


@cache
def _index(path: Path, changed: int) -> dict[str, Mapping[str, str]]:
    """File name → row of an index, read once for every state of the file."""
    return {source.file.name: source.row for source in _rows(path)}


# ---------------------------------------------------------------- what is asked


def cases(sources: Sequence[Source], wish: Wish, folder: Path) -> list[Case]:
    """A case for every source; all instances are read, so that a bad one ends it at once.

    Args:
        folder: copies of instances with another threshold are written there.

    Raises:
        InputError: an instance that is none, has no threshold where one is needed, or of which
            two sources say different things.
    """
    names = _names(sources)
    return [
        _case(source, name, wish, folder / f"{number:05}-{Path(name).name}{ENDING}")
        for number, (source, name) in enumerate(zip(sources, names, strict=True))
    ]


def _case(source: Source, name: str, wish: Wish, copy: Path) -> Case:
    instance = load(source.file, allow_external_data=wish.allow_external_data)
    known = knowledge(source, instance)
    asked = instance.threshold if wish.threshold is None else wish.threshold
    file = source.file
    if wish.task == "solve":
        if asked is None:
            raise InputError(
                "no threshold: give --threshold, or --task minimize", file=source.file
            )
        if asked != instance.threshold:
            instance.with_threshold(asked).write(copy)
            file = copy
    question = instance if file == source.file else load(file)
    family = source.family or source.row.get("family") or _family(instance)
    return Case(
        set=source.set,
        name=name,
        family=family or source.file.absolute().parent.name,
        kind="",
        task=wish.task,
        file=file.absolute(),
        question=question_hash(question),
        threshold=str(write_rational(asked)) if wish.task == "solve" and asked is not None else "",
        expected=expectation(wish.task, known, instance.threshold, asked),
        allow_external_data=wish.allow_external_data,
    )


def _family(instance: Instance) -> str:
    family = instance.meta.get("family")
    return family if isinstance(family, str) else ""


def knowledge(source: Source, instance: Instance) -> Known:
    """What meta and the list say of the answer.

    Raises:
        InputError: they contradict each other or themselves.
    """
    of_meta, of_list = _known(instance.meta), _known(source.row)
    for ours, theirs in (
        (of_meta.status, of_list.status),
        (of_meta.minimum, of_list.minimum),
    ):
        if ours not in ("", None) and theirs not in ("", None) and ours != theirs:
            meta, row = (x if isinstance(x, str) else write_value(x) for x in (ours, theirs))
            raise InputError(f"meta says {meta}, the list says {row}", file=source.file)
    minimum = of_meta.minimum if of_list.minimum is None else of_list.minimum
    known = Known(of_list.status or of_meta.status, minimum)
    if instance.threshold is not None and known.status and minimum is not None:
        if (minimum <= instance.threshold) != (known.status == "sat"):
            raise InputError(
                f"said to be {known.status} with a minimum of {write_value(minimum)}",
                file=source.file,
            )
    return known


def _known(said: Mapping[str, Any]) -> Known:
    """What is said in a form that is understood; both sources may hold anything."""
    status, minimum = said.get("status"), said.get("minimum")
    value = None
    with suppress(ErmbitError, ValueError, OverflowError):
        value = exact(str(minimum).strip())
    return Known(status if status in ("sat", "unsat") else "", value)


def _names(sources: Sequence[Source]) -> list[str]:
    """File names without their ending; with as many folders as tell equal ones apart."""
    paths = [source.file.absolute() for source in sources]
    depth = [1] * len(paths)
    while True:
        names = [_name(path, d) for path, d in zip(paths, depth, strict=True)]
        twice = repeated(names)
        longer = [
            d + (name in twice and d < len(path.parts))
            for name, d, path in zip(names, depth, paths, strict=True)
        ]
        if longer == depth:
            return names
        depth = longer


def _name(path: Path, depth: int) -> str:
    text = "/".join(path.parts[-depth:])
    return text.removesuffix(ENDING).removesuffix(".json")
