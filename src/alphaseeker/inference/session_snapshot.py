"""What a session adds to the snapshot of its features: its last answer, and its kind of time."""

from __future__ import annotations

import json
import zlib

from alphaseeker.errors import StateError
from alphaseeker.inference.signal import SIDES, Signal

__all__ = ["with_answer", "without_answer"]

CHECK_BYTES = 4


def with_answer(record: bytes, kind: str | None, last: Signal | None) -> bytes:
    """Return the bytes of a session.

    Parameters
    ----------
    record
        From ``features.snapshot.snapshot_record``.
    kind
        Form of the stream's time stamps.
    last
        The latest signal.
    """
    tail = json.dumps({"kind": kind, "last": last}).encode()
    size = len(tail).to_bytes(CHECK_BYTES, "little")
    check = zlib.crc32(tail).to_bytes(CHECK_BYTES, "little")
    return record + tail + check + size


def without_answer(snapshot: bytes) -> tuple[bytes, str | None, Signal | None]:
    """Return what ``with_answer`` was given.

    Raises
    ------
    StateError
        The bytes are damaged.
    """
    end = len(snapshot) - 2 * CHECK_BYTES
    size = int.from_bytes(snapshot[-CHECK_BYTES:], "little")
    tail = snapshot[max(0, end - size) : max(0, end)]
    check = snapshot[max(0, end) : -CHECK_BYTES]
    if len(tail) != size or zlib.crc32(tail).to_bytes(CHECK_BYTES, "little") != check:
        raise StateError(
            "the snapshot is damaged (length or checksum differs); warm up from history"
        )
    words = json.loads(tail)
    last = words["last"]
    signal = None if last is None else Signal(last[0], SIDES[last[1]], *last[2:])
    return snapshot[: end - size], words["kind"], signal
