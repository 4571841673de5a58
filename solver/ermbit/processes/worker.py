"""The child's side: run one job and send what comes out.

Either a process of its own (``python -m ermbit.processes.worker``) or a copy of the program.

The pipes arrive as descriptors 0 and 1. They are moved away first, and 1 becomes a copy of 2, so
that whatever solver libraries print on standard output lands in the captured error stream and
not between frames. A process of its own imports the standard library alone before the payload.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from typing import Any, NoReturn

from ermbit.processes import lifeline, limits, protocol
from ermbit.processes.target import MEMORY, Report, reason_of, resolve


def main() -> NoReturn:
    """Serve the parent at the other end of descriptors 0 and 1, then exit without clean-up."""
    inbound, outbound = _claim_pipes()
    lifeline.die_with_parent()
    source = io.FileIO(inbound, "rb", closefd=False)
    protocol.write_bytes(outbound, protocol.GREETING)
    frame = protocol.read_frame(source)
    if frame is None:
        os._exit(1)  # the parent died before it had said what to do
    setup: dict[str, Any] = protocol.decode(frame[1])
    frame = protocol.read_frame(source)
    if frame is None:
        os._exit(1)
    lifeline.hold(inbound)
    _prepare(setup)
    kind, body = _run(setup, frame[1], outbound)
    del frame
    try:
        protocol.write_frame(outbound, kind, body)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):
        pass  # the parent is gone, or the job closed its streams
    # Exit handlers of C libraries may hang or crash, and after the answer there is nothing to save.
    os._exit(0)


def _claim_pipes() -> tuple[int, int]:
    inbound, outbound = os.dup(0), os.dup(1)  # the copies are not inherited by the job's children
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(inbound, os.O_BINARY)
        msvcrt.setmode(outbound, os.O_BINARY)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return inbound, outbound


def _prepare(setup: dict[str, Any]) -> None:
    sys.path[:] = setup["path"]
    if setup["pythonpath"] is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = setup["pythonpath"]
    limits.die_small()
    if setup["limit"] is not None:
        limits.limit_process(0, setup["limit"])


def _run(setup: dict[str, Any], payload: bytearray, outbound: int) -> tuple[bytes, bytes]:
    """The closing frame of the job: its result, or the reason why there is none."""
    lock = threading.Lock()

    def send(event: Any) -> None:
        body = protocol.encode(event)
        with lock:
            try:
                protocol.write_frame(outbound, protocol.EVENT, body)
            except OSError:
                os._exit(1)  # nobody listens any more

    report = Report(send, setup["deadline"], setup["memory"])
    try:
        result = resolve(setup["target"])(protocol.decode(payload), report)
    except MemoryError:
        return protocol.FAILURE, MEMORY.encode()
    except BaseException as error:  # also SystemExit: a job does not end the protocol
        _log_traceback()
        return protocol.FAILURE, reason_of(error).encode("utf-8", "replace")
    try:
        return protocol.RESULT, protocol.encode(result)
    except MemoryError:
        return protocol.FAILURE, MEMORY.encode()
    except BaseException as error:
        reason = "result cannot be sent: " + reason_of(error)
        return protocol.FAILURE, reason.encode("utf-8", "replace")


def _log_traceback() -> None:
    """Put the traceback on the captured error stream, from where the parent logs its end."""
    try:
        import traceback

        traceback.print_exc()
    except Exception:
        pass  # the stream may be closed, or memory short; the reason is sent anyway


if __name__ == "__main__":
    main()
