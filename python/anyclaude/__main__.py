"""The command line: ``anyclaude`` or ``python -m anyclaude``; ``--help`` tells the rest."""

from __future__ import annotations

import signal
import sys

from ._native import run


def main() -> int:
    """Runs the command line with the arguments of this process, and gives its exit code."""
    # The command line handles signals itself; Python's own handler would add a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run(["anyclaude", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
