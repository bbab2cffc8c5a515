"""What a session adds to the snapshot of its features: what it follows, and its last answer."""

from __future__ import annotations

import json
import zlib
from typing import Any

from alphaseeker.errors import StateError
from alphaseeker.inference.signal import SIDES, Signal

__all__ = ["with_answer", "without_answer"]

CHECK_BYTES = 4


def with_answer(record: bytes, followed: bytes, kind: str | None, last: Signal | None) -> bytes:
    """Return the bytes of a session.

    Parameters
    ----------
    record
        From ``features.snapshot.snapshot_record``.
    followed
        From ``SessionMemory.pack_followed``.
    kind
        Form of the stream's time stamps.
    last
        The latest signal.
    """
    tail = json.dumps({"kind": kind, "last": last, "followed": len(followed)}).encode()
    size = len(tail).to_bytes(CHECK_BYTES, "little")
    check = zlib.crc32(followed + tail).to_bytes(CHECK_BYTES, "little")
    return record + followed + tail + check + size


def without_answer(snapshot: bytes) -> tuple[bytes, bytes, str | None, Signal | None]:
    """Return what ``with_answer`` was given.

    Raises
    ------
    StateError
        The bytes are damaged.
    """
    end = len(snapshot) - 2 * CHECK_BYTES
    size = int.from_bytes(snapshot[-CHECK_BYTES:], "little")
    middle = end - size
    words = _words(snapshot[middle:end]) if 0 <= middle <= end else {}
    start = middle - words.get("followed", 0) if words else -1
    check = snapshot[max(0, end) : -CHECK_BYTES]
    if start < 0 or zlib.crc32(snapshot[start:end]).to_bytes(CHECK_BYTES, "little") != check:
        raise StateError(
            "the snapshot is damaged (length or checksum differs); warm up from history"
        )
    last = words["last"]
    signal = None if last is None else Signal(last[0], SIDES[last[1]], *last[2:])
    return snapshot[:start], snapshot[start:middle], words["kind"], signal


def _words(tail: bytes) -> dict[str, Any]:
    """Return what the tail says; nothing where it is damaged."""
    try:
        words = json.loads(tail)
    except ValueError:
        return {}
    return words if isinstance(words, dict) and type(words.get("followed", 0)) is int else {}
