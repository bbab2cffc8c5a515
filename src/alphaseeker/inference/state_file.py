"""The state of an engine on disk: every session's record and the risk manager's, as bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from alphaseeker.errors import ModelError, StateError
from alphaseeker.model.model_file import read_model_bytes, write_model_bytes
from alphaseeker.model.plain_pickle import decode, encode

__all__ = ["read_state", "write_state"]

FORMAT = "alphaseeker state 1"


def _digest(snapshots: Mapping[str, bytes], risk: bytes) -> str:
    digest = hashlib.sha256(risk)
    for symbol in sorted(snapshots):
        digest.update(repr(symbol).encode())
        digest.update(snapshots[symbol])
    return digest.hexdigest()


def write_state(path: str | Path, snapshots: Mapping[str, bytes], risk: bytes) -> Path:
    """Write the state in one step, in the place of an earlier one.

    Raises
    ------
    StateError
        The file cannot be written; the old one is then whole.
    """
    content = {
        "format": FORMAT,
        "sessions": dict(snapshots),
        "risk": risk,
        "sha256": _digest(snapshots, risk),
    }
    try:
        return write_model_bytes(path, encode(content), keep_previous=False)
    except ModelError as error:
        raise StateError(f"the state was not saved to {path}: {error}") from error


def read_state(path: str | Path) -> tuple[dict[str, bytes], bytes]:
    """Return every session's snapshot by symbol, and the risk manager's.

    Raises
    ------
    StateError
        The file is missing, damaged, or no state.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise StateError(f"path is {path!r}; it must be the path of a state file")
    try:
        content = decode(read_model_bytes(path))
    except ModelError as error:
        raise StateError(f"the state file {path} is refused: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StateError(f"{path} is not a state file; give what save_state wrote")
    sessions, risk = content.get("sessions"), content.get("risk")
    if isinstance(sessions, dict) and isinstance(risk, bytes):
        if content.get("sha256") == _digest(sessions, risk):
            return sessions, risk
    raise StateError(f"the state file {path} was changed or damaged; warm up from history")
