"""``python -m alphaseeker``: the command line without the script ``alphaseeker`` on the path."""

from __future__ import annotations

from alphaseeker.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
