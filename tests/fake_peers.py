"""Peers with one trait each: ``python fake_peers.py TRAIT INSTANCE --task T …``.

Answers come from the library's own files: the certificate beside an instance, or ``unsat``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def known(instance: Path) -> dict[str, Any]:
    """The right answer."""
    certificate = instance.with_name(instance.name.replace(".erm.json", ".cert.json"))
    if not certificate.exists():
        return {"status": "unsat", "reason": "the library says so"}
    return {"status": "sat", "parameters": json.loads(certificate.read_text())["parameters"]}


def forged(value: Any) -> Any:
    """A certificate with every number replaced by 1."""
    if isinstance(value, list):
        return [forged(child) for child in value]
    return {k: forged(v) for k, v in value.items()} if isinstance(value, dict) else 1


def main() -> None:
    """Act as the first word says."""
    trait, instance = sys.argv[1], Path(sys.argv[2])
    right = known(instance)
    match trait.partition(":")[0]:
        case "honest":
            print("c a remark before the answer")
            print(json.dumps(right))
        case "liar":
            print(json.dumps({"status": "unsat"}))
        case "forger":
            if right["status"] == "sat":
                right["parameters"] = forged(right["parameters"])
            print(json.dumps(right))
        case "bare":
            print(json.dumps({"status": right["status"]}))
        case "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case "glutton":
            hoard = [bytearray(2**24) for _ in range(1000)]
            print(len(hoard))
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "garbage":
            sys.stdout.buffer.write(b'\xff\x00{"status": \n{"loss": 3}\n[1, 2]')
        case "patient":  # waits for a file to appear if the instance has this name
            _, name, flag, mark = trait.split(":")
            if instance.name.startswith(name) and not Path(flag).exists():
                Path(mark).write_text(str(os.getpid()))
                time.sleep(600)
            print(json.dumps(right))


if __name__ == "__main__":
    main()
