"""Length-prefixed frames over the pipes between a race and its workers.

A frame is a kind (1 byte), the length of its body (8 bytes, big-endian) and the body. Parent to
worker: one SETUP, one PAYLOAD, then silence; the pipe stays open until the worker is gone, so
that its end tells the worker that the parent is dead. Worker to parent: the GREETING (bytes before
it were printed by the interpreter's start-up and are dropped), any number of EVENTs, and one RESULT
or FAILURE.

Bodies are pickles, except that of FAILURE, which is UTF-8 text. Unpickling runs whatever code the
sender chose, so it is safe only between equals; here both ends are processes of one user, the
worker is started by the parent from the same installation, and the pipes are anonymous: nobody
else holds an end, and no byte of a pickle comes from a file or a network.
"""

from __future__ import annotations

import os
import pickle
import struct
from typing import Any, Protocol

SETUP = b"S"
PAYLOAD = b"P"
EVENT = b"E"
RESULT = b"R"
FAILURE = b"F"

GREETING = b"\x00ermbit worker\x00"

_HEADER = struct.Struct(">cQ")
_PIECE = 1 << 20


class ByteSource(Protocol):
    """An unbuffered binary stream that can be read into a buffer."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the front of `buffer`; return the number of bytes, 0 at the end."""


def encode(value: Any) -> bytes:
    """Pickle `value`. Raises whatever its pickling raises (often TypeError or PicklingError)."""
    return pickle.dumps(value, protocol=5)


def decode(body: bytes | bytearray) -> Any:
    """Unpickle the body of a frame from a process of ours (see above why that is safe)."""
    return pickle.loads(body)


def write_bytes(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of `data` to the descriptor. Raises BrokenPipeError when the reader is gone."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view[:_PIECE]) :]


def write_frame(fd: int, kind: bytes, body: bytes | bytearray) -> None:
    """Write one frame; not atomic, so writers in several threads need a lock."""
    write_bytes(fd, _HEADER.pack(kind, len(body)))
    write_bytes(fd, body)


def _fill(source: ByteSource, size: int) -> bytearray:
    """Read `size` bytes, or fewer where the stream ends."""
    buffer = bytearray()
    while len(buffer) < size:
        # Piece by piece: a frame that a crash cuts short costs what arrived, not what it claimed.
        piece = bytearray(min(size - len(buffer), _PIECE))
        count = source.readinto(memoryview(piece))
        if not count:
            break
        buffer += memoryview(piece)[:count]
    return buffer


def read_frame(source: ByteSource) -> tuple[bytes, bytearray] | None:
    """Return (kind, body) of the next frame, or None where the stream ends.

    A frame that is cut short by the end of the stream counts as the end: its sender died.
    """
    header = _fill(source, _HEADER.size)
    if len(header) < _HEADER.size:
        return None
    kind, size = _HEADER.unpack(header)
    body = _fill(source, size)
    return (kind, body) if len(body) == size else None


def skip_greeting(source: ByteSource) -> bool:
    """Drop bytes up to and including GREETING; False if the stream ends before it is complete."""
    seen = bytearray()
    one = bytearray(1)
    while not seen.endswith(GREETING):
        if not source.readinto(memoryview(one)):
            return False
        seen = (seen + one)[-len(GREETING) :]
    return True
