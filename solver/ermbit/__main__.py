"""``python -m ermbit``: the command line."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    try:
        from ermbit.cli.main import main

        sys.exit(main())
    except KeyboardInterrupt:  # before any command has begun
        sys.exit(130)
