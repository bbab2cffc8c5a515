"""The state of a stream as bytes, and back: a stream goes on from them with equal bits."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import source_hash
from alphaseeker.errors import StateError
from alphaseeker.features.catalogue import FEATURES, schema_hash
from alphaseeker.features.custom_runner import NO_MARK, CustomRunner
from alphaseeker.features.layout import RECORD

__all__ = ["restore_record", "snapshot_record"]

# The declarations are hashed with the layout: the same fields filled by another formula differ. The
# hash of the sources, which is a field's name, changes with every line.
LAYOUT = str(RECORD).replace(source_hash(), "")
VERSION = hashlib.sha256(
    (LAYOUT + schema_hash([feature.name for feature in FEATURES])).encode()
).digest()[:16]
CHECKSUM_BYTES = 4
SESSION_BYTES = 8
ADDRESS_BYTES = 8
SETTINGS = (
    ("clock", "bucket_ns"),
    ("fitted", "tick_size"),
    ("fitted", "microprice"),
    ("fitted", "aggressor"),
    ("fitted", "depth_levels"),
    ("fitted", "ofi_weights"),
    ("fitted", "round_trip_notional"),
    ("gate", "max_gap_ns"),
    ("gate", "max_jump"),
)


def snapshot_record(
    records: npt.NDArray[Any], session: int, custom: CustomRunner | None = None
) -> bytes:
    """Return a stream's state with version and checksum.

    It holds the one-element record, the session's code, and what the custom features keep, with
    the mark of their definitions.
    """
    mark, own = (NO_MARK, b"") if custom is None else (custom.mark, custom.state_bytes())
    code = session.to_bytes(SESSION_BYTES, "little", signed=True)
    # The record begins with the address of its step, which means nothing to another process.
    kept = bytes(ADDRESS_BYTES) + records.tobytes()[ADDRESS_BYTES:]
    body = code + mark + kept + own
    return VERSION + zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little") + body


def restore_record(
    snapshot: bytes, records: npt.NDArray[Any], custom: CustomRunner | None = None
) -> int:
    """Fill ``records`` and ``custom`` from ``snapshot``; return the session code kept with them.

    Raises
    ------
    StateError
        The bytes are damaged, or come from another version, other settings or other custom
        features; all is as it was.
    """
    head = len(VERSION) + CHECKSUM_BYTES
    if snapshot[: len(VERSION)] != VERSION:
        raise StateError(
            "the snapshot was taken by another version of the features; warm up from history"
        )
    body = snapshot[head:]
    checksum = int.from_bytes(snapshot[len(VERSION) : head], "little")
    start = SESSION_BYTES + len(NO_MARK)
    end = start + RECORD.itemsize
    if len(body) < end or zlib.crc32(body) != checksum:
        raise StateError(
            "the snapshot is damaged (length or checksum differs); warm up from history"
        )
    if body[SESSION_BYTES:start] != (NO_MARK if custom is None else custom.mark):
        raise StateError(
            "the snapshot was taken with other custom features, or with other definitions of them; "
            "use the model and the steps it was taken with, or warm up from history"
        )
    restored = np.frombuffer(body, dtype=RECORD, offset=start, count=1)
    for section, field in SETTINGS:
        kept, own = restored[section][field][0], records[section][field][0]
        if kept.tobytes() != own.tobytes():
            # A table of forty numbers would tell nobody anything.
            values = f" {kept}, this stream has {own}" if kept.ndim == 0 else " of other values"
            raise StateError(
                f"the snapshot was taken with {field}{values}; use the model and the settings it "
                "was taken with, or warm up from history"
            )
    address = int(records["step"][0])
    records[:] = restored
    records["step"] = address
    if custom is not None:
        custom.restore_bytes(body[end:])
    return int.from_bytes(body[:SESSION_BYTES], "little", signed=True)
