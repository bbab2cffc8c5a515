"""The state of a stream as bytes, and back: a stream goes on from them with equal bits."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import StateError
from alphaseeker.features.catalogue import FEATURES, schema_hash
from alphaseeker.features.layout import RECORD

__all__ = ["restore_record", "snapshot_record"]

# The declarations are hashed with the layout: the same fields filled by another formula differ.
VERSION = hashlib.sha256(
    (repr(RECORD.descr) + schema_hash([feature.name for feature in FEATURES])).encode()
).digest()[:16]
CHECKSUM_BYTES = 4
SESSION_BYTES = 8
SETTINGS = (
    ("clock", "bucket_ns"),
    ("state", "tick_size"),
    ("gate", "max_gap_ns"),
    ("gate", "max_jump"),
)


def snapshot_record(records: npt.NDArray[Any], session: int) -> bytes:
    """Return a one-element record and its stream's session code, with version and checksum."""
    body = session.to_bytes(SESSION_BYTES, "little", signed=True) + records.tobytes()
    return VERSION + zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little") + body


def restore_record(snapshot: bytes, records: npt.NDArray[Any]) -> int:
    """Fill ``records`` from ``snapshot`` and return the session code that was kept with it.

    Raises
    ------
    StateError
        The bytes are damaged, or come from another version or from other settings; ``records`` is
        as it was.
    """
    head = len(VERSION) + CHECKSUM_BYTES
    if snapshot[: len(VERSION)] != VERSION:
        raise StateError(
            "the snapshot was taken by another version of the features; warm up from history"
        )
    body = snapshot[head:]
    checksum = int.from_bytes(snapshot[len(VERSION) : head], "little")
    if len(body) != SESSION_BYTES + RECORD.itemsize or zlib.crc32(body) != checksum:
        raise StateError(
            "the snapshot is damaged (length or checksum differs); warm up from history"
        )
    restored = np.frombuffer(body, dtype=RECORD, offset=SESSION_BYTES)
    for section, field in SETTINGS:
        if restored[section][field].tobytes() != records[section][field].tobytes():
            raise StateError(
                f"the snapshot was taken with {field} {restored[section][field][0]}, this stream "
                f"has {records[section][field][0]}; use the settings it was taken with, or warm "
                "up from history"
            )
    records[:] = restored
    return int.from_bytes(body[:SESSION_BYTES], "little", signed=True)
