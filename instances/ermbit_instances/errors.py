"""Every error that ermbit raises on purpose.

All derive from :class:`ErmbitError` and from the built-in that fits, so a caller may catch either.
The text of an :class:`InputError` is one line: file, JSON path, reason.
"""

from __future__ import annotations

from pathlib import Path


class ErmbitError(Exception):
    """Base class of all errors raised on purpose by ermbit."""


class InputError(ErmbitError, ValueError):
    """A file or document that is not what its format asks for.

    Attributes:
        file: the file that was read, or ``None`` for a document built in memory.
        path: JSON path of the offending place, such as ``$.network.layers[0].units``, or ``None``
            where the file has no structure yet (for instance, not JSON at all).
        reason: what is wrong, without a trailing full stop.
    """

    def __init__(
        self, reason: str, *, file: str | Path | None = None, path: str | None = None
    ) -> None:
        self.reason = " ".join(reason.split())
        self.file = None if file is None else str(file)
        self.path = path
        super().__init__(self.reason)

    def __str__(self) -> str:
        return ": ".join(_visible(part) for part in (self.file, self.path, self.reason) if part)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_input_error, (type(self), self.reason, self.file, self.path))

    def in_file(self, file: str | Path | None) -> InputError:
        """The same error with the file filled in, if it was not known where it was raised."""
        if self.file is None and file is not None:
            self.file = str(file)
        return self


def _visible(text: str, limit: int = 500) -> str:
    """One printable line of bounded length, whatever a file's name or content holds."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= limit else shown[: limit // 2] + "..." + shown[-limit // 2 :]


def _rebuild_input_error(
    kind: type[InputError], reason: str, file: str | None, path: str | None
) -> InputError:
    return kind(reason, file=file, path=path)


class MissingFileError(InputError, OSError):
    """A file that cannot be opened: absent, a folder, no permission, not a regular file."""


class LimitError(InputError, OverflowError):
    """An input past a documented limit (see :mod:`ermbit_instances.limits`)."""


class UsageError(ErmbitError, ValueError):
    """A call or command line that makes no sense, independent of any file."""


class IncompatibleError(ErmbitError, TypeError):
    """A certificate or model that belongs to another network."""


class InternalError(ErmbitError, RuntimeError):
    """A contradiction inside ermbit: two parts that must agree do not. Never an answer."""
