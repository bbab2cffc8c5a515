"""The state of an engine on disk: every session's record and the risk manager's, as bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from alphaseeker.errors import ModelError, StateError
from alphaseeker.model.model_file import read_model_bytes, require_path, write_model_bytes
from alphaseeker.model.plain_pickle import AGAIN, decode, encode

__all__ = ["read_state", "write_state"]

FORMAT = "alphaseeker state 1"


def _digest(snapshots: Mapping[str, bytes], risk: bytes) -> str:
    digest = hashlib.sha256(risk)
    for symbol in sorted(snapshots):
        digest.update(repr(symbol).encode())
        digest.update(snapshots[symbol])
    return digest.hexdigest()


def _check_path(path: object) -> None:
    try:
        require_path(path, what="state")
    except ModelError as error:
        raise StateError(str(error)) from None


def write_state(path: str | Path, snapshots: Mapping[str, bytes], risk: bytes) -> Path:
    """Write the state in one step, in the place of an earlier one.

    Raises
    ------
    StateError
        ``path`` is none, or the file cannot be written; the old one is then whole.
    """
    content = {
        "format": FORMAT,
        "sessions": dict(snapshots),
        "risk": risk,
        "sha256": _digest(snapshots, risk),
    }
    _check_path(path)
    try:
        return write_model_bytes(path, encode(content), keep_previous=False, what="state")
    except ModelError as error:
        raise StateError(f"the state was not saved: {error}") from error


def read_state(path: str | Path) -> tuple[dict[str, bytes], bytes]:
    """Return every session's snapshot by symbol, and the risk manager's.

    Raises
    ------
    StateError
        The file is missing, damaged, or no state.
    """
    _check_path(path)
    try:
        raw = read_model_bytes(path, what="state")
    except ModelError as error:
        raise StateError(f"the state is not loaded: {error}") from error
    try:
        content = decode(raw)
    except ModelError as error:
        reason = str(error).replace(AGAIN, "give another one that save_state wrote, or warm up")
        raise StateError(f"the state file {path} is refused: {reason}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StateError(f"{path} is not a state file; give what save_state wrote")
    sessions, risk = content.get("sessions"), content.get("risk")
    if isinstance(sessions, dict) and isinstance(risk, bytes):
        if content.get("sha256") == _digest(sessions, risk):
            return sessions, risk
    raise StateError(f"the state file {path} was changed or damaged; warm up from history")
