"""Files read within a limit, and written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ermbit_instances import limits
from ermbit_instances.errors import InputError, LimitError, MissingFileError


def read_bytes(path: Path, limit: limits.Limit) -> bytes:
    """The content of a regular file of at most ``limit`` bytes; nothing is read past that.

    Raises:
        MissingFileError: not there, not readable, or not a regular file (a pipe would block).
        LimitError: larger than the limit.
    """
    try:
        with open(path, "rb", opener=_open_without_blocking) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise MissingFileError("not a regular file", file=path)
            if status.st_size > limit.value:
                raise LimitError(
                    f"{status.st_size} bytes, more than the limit of {limit.value}", file=path
                )
            return stream.read(limit.value + 1)
    except IsADirectoryError:
        raise MissingFileError("is a folder, not a file", file=path) from None
    except OSError as error:
        if isinstance(error, InputError):
            raise
        raise MissingFileError(error.strerror or "cannot be read", file=path) from None
    except ValueError as error:  # a NUL character in the name
        if isinstance(error, InputError):
            raise
        raise MissingFileError("not a file name", file=repr(str(path))) from None


def _open_without_blocking(name: str, flags: int) -> int:
    # Opening a pipe for reading waits for a writer; without blocking we can look and refuse.
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))


def write_text(path: str | Path, text: str) -> None:
    """Write a file whole or not at all: a temporary file beside it, then a rename."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | Path, data: bytes) -> None:
    """As :func:`write_text`, for bytes.

    Raises:
        MissingFileError: the folder does not exist or cannot be written.
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent or ".", prefix=f".{path.name}.")
    except OSError as error:
        raise MissingFileError(error.strerror or "cannot be written", file=path) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise MissingFileError(error.strerror or "cannot be written", file=path) from None
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
