"""Results as rows of a CSV file that only grows while a run goes on.

A row is one line, written by one call and forced to the disk, so a run that is killed leaves whole
rows and at most one torn line, the last. A torn line has no line end; it is dropped. A file that is
being written is locked.
"""

from __future__ import annotations

import csv
import io
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ermbit_instances.errors import InputError, MissingFileError

FIELD_CHARACTERS = 2**22
"""Longest field that is read: losses may be numbers of some 2^20 bits."""

TEXT_CHARACTERS = 300
"""Notes and reasons are cut to this."""

DIGITS = 3
"""Decimals of seconds and megabytes."""

Key = tuple[str, str, str, str, str]


@dataclass(frozen=True)
class Record:
    """One solver on one case.

    Attributes:
        set, instance, family, kind, task, threshold, expected, question: of the case.
        solver, status, loss, bound, note: as the solver said.
        seconds: wall clock of the process; ``inner``: as the solver counts; ``cpu``: processor;
            ``peak``: megabytes.
        timeout, memory, cores, seed: what it was given.
        version: of the solver, as it was called; "" if it is not known.
        checked: the verdict on its certificate; ``exact``: that one's exact loss; ``why``: reason.
    """

    set: str
    instance: str
    family: str
    kind: str
    task: str
    expected: str
    solver: str
    status: str
    loss: str
    bound: str
    seconds: float
    inner: float
    cpu: float
    timeout: float
    cores: int
    checked: str
    exact: str
    why: str
    note: str
    threshold: str = ""
    question: str = ""
    memory: int = 0
    peak: float = 0.0
    seed: int = 0
    version: str = ""

    @property
    def key(self) -> Key:
        """What tells rows apart: (set, instance, task, threshold, solver)."""
        return (self.set, self.instance, self.task, self.threshold, self.solver)


NAMES = tuple(field.name for field in fields(Record))
_KINDS = {field.name: str(field.type) for field in fields(Record)}
_NEEDED = ("instance", "solver", "status", "seconds", "timeout")
_SHORT = ("note", "why")


class Results:
    """A file of results that is open for appending; a context. ``append`` is for any thread."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Open the file, or make it with its head.

        Raises:
            MissingFileError: it cannot be opened, is there without ``resume``, or is being written
                by another run.
            InputError: it is there, but is no file of results of this form.
        """
        self.path = path
        self._lock = threading.Lock()
        try:
            flags = os.O_RDWR | os.O_CREAT | (0 if resume else os.O_EXCL)
            self._file = os.open(path, flags, 0o666)
        except FileExistsError:
            raise MissingFileError(
                "is there: --resume goes on with it, --out names another file", file=path
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "cannot be written"
            raise MissingFileError(reason, file=path) from None
        try:
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise MissingFileError("not a regular file", file=path)
            _lock_file(self._file, path)
            self.known = self._prepare()
        except BaseException:
            os.close(self._file)
            raise

    def _prepare(self) -> list[Record]:
        """Drop a torn last line, write the head if there is none; the rows that are there."""
        with os.fdopen(os.dup(self._file), "rb") as stream:
            stream.seek(0)
            data = stream.read()
        whole = data.rfind(b"\n") + 1
        head = (",".join(NAMES) + "\n").encode("ascii")
        if whole == 0 and data and not head.startswith(data):
            raise InputError("not a file of results", file=self.path)
        if whole and not data.startswith(head):
            raise InputError(
                "other columns than this version writes: begin another file, and give both to "
                "--table",
                file=self.path,
            )
        known = list(parse(data, self.path)) if whole else []
        os.ftruncate(self._file, whole)
        os.lseek(self._file, 0, os.SEEK_END)
        if not whole:
            self._write(head)
        return known

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._file)

    def append(self, record: Record) -> None:
        """Add a row.

        Raises:
            MissingFileError: the disk is full, or gone.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(_cells(record))
        with self._lock:
            self._write(text.getvalue().encode("utf-8"))

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            reason = error.strerror or "cannot be written"
            raise MissingFileError(reason, file=self.path) from None


def _lock_file(file: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not POSIX
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise MissingFileError("another run is writing it", file=path) from None
    except OSError:
        pass  # a file system without locks


def _cells(record: Record) -> list[str]:
    cells = []
    for name, value in asdict(record).items():
        text = f"{value:.{DIGITS}f}" if _KINDS[name] == "float" else str(value)
        if name in _SHORT and len(text) > TEXT_CHARACTERS:
            text = text[: TEXT_CHARACTERS - 3] + "..."
        cells.append("".join(c if c.isprintable() else " " for c in text))
    return cells


def read(paths: Iterable[Path]) -> list[Record]:
    """All rows of some files; of rows with equal keys the last one counts.

    Raises:
        InputError: a file that is not there, or no file of results; with the line.
    """
    found: dict[Key, Record] = {}
    for path in paths:
        try:
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "cannot be read"
            raise MissingFileError(reason, file=path) from None
        for record in parse(data, path):
            found[record.key] = record
    return list(found.values())


def parse(data: bytes, path: Path) -> Iterator[Record]:
    """The rows of a file, a torn last line dropped; columns that it lacks have their defaults.

    Raises:
        InputError: with the line.
    """
    try:
        text = data[: data.rfind(b"\n") + 1].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start})", file=path) from None
    with _long_fields():
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        try:
            if text and not set(_NEEDED) <= set(reader.fieldnames or ()):
                raise InputError("not a file of results: columns are missing", file=path)
            for row in reader:
                yield _record(row)
        except (csv.Error, ValueError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"line {reader.line_num}: {error}", file=path) from None


def _record(row: Mapping[str | None, Any]) -> Record:
    if None in row or None in row.values():
        raise ValueError("not as many cells as columns")
    values: dict[str, Any] = {}
    for name in NAMES:
        text = row.get(name)
        if text is None:
            values[name] = {"str": "", "int": 0, "float": 0.0}[_KINDS[name]]
        else:
            values[name] = {"str": str, "int": int, "float": float}[_KINDS[name]](text)
    return Record(**values)


@contextmanager
def _long_fields() -> Iterator[None]:
    before = csv.field_size_limit(FIELD_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)
