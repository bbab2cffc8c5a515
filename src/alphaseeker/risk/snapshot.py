"""The bytes of a risk state: records, symbols and known fills, with a layout hash and a CRC."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record
from alphaseeker.errors import StateError
from alphaseeker.risk.state import ACCOUNT, POSITION

__all__ = ["LAYOUT", "Snapshot", "decode", "encode"]

_MAGIC = b"ASRISK01"
_HEAD = struct.Struct("<8sI")  # magic, CRC of all that follows
_LENGTHS = struct.Struct("<QI")  # of what follows, of the JSON header that it begins with
LAYOUT = hashlib.blake2b(repr((ACCOUNT.descr, POSITION.descr)).encode(), digest_size=16).hexdigest()
_ADVICE = "restore bytes of state_bytes() of this version, or start anew and reconcile"


class Snapshot(NamedTuple):
    """What a risk state is made of: records of dtypes ``ACCOUNT`` and ``POSITION``, shape (1,)."""

    account: npt.NDArray[Any]
    positions: dict[str, npt.NDArray[Any]]
    fills: list[tuple[str, str]]


def encode(
    account: npt.NDArray[Any],
    positions: Mapping[str, npt.NDArray[Any]],
    fills: Iterable[tuple[str, str]],
) -> bytes:
    """Return the bytes of a state; equal states give equal bytes."""
    header = json.dumps(
        {"layout": LAYOUT, "symbols": list(positions), "fills": list(fills)}
    ).encode()
    records = [account.tobytes(), *(position.tobytes() for position in positions.values())]
    payload = header + b"".join(records)
    body = _LENGTHS.pack(len(payload), len(header)) + payload
    return _HEAD.pack(_MAGIC, zlib.crc32(body)) + body


def decode(data: bytes) -> Snapshot:
    """Return the state in ``data``.

    Raises
    ------
    StateError
        The bytes are not a risk state, are damaged, or were written by another layout.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise StateError(f"a {type(data).__name__} is no risk state; {_ADVICE}")
    data = bytes(data)
    head = _HEAD.size + _LENGTHS.size
    if len(data) < head or data[: len(_MAGIC)] != _MAGIC:
        raise StateError(f"these {len(data)} bytes are no risk state; {_ADVICE}")
    _, checksum = _HEAD.unpack_from(data)
    length, header_length = _LENGTHS.unpack_from(data, _HEAD.size)
    payload = data[head:]
    if len(payload) != length or zlib.crc32(data[_HEAD.size :]) != checksum:
        raise StateError(
            f"the risk state is damaged: {len(payload)} bytes of {length}, or a wrong checksum; "
            f"{_ADVICE}"
        )
    header = json.loads(payload[:header_length])
    if header["layout"] != LAYOUT:
        raise StateError(
            f"the risk state has layout {header['layout']}, this version has {LAYOUT}; {_ADVICE}"
        )
    account = _record(ACCOUNT, payload, header_length)
    first = header_length + ACCOUNT.itemsize
    return Snapshot(
        account=account,
        positions={
            symbol: _record(POSITION, payload, first + index * POSITION.itemsize)
            for index, symbol in enumerate(header["symbols"])
        },
        fills=[(symbol, identity) for symbol, identity in header["fills"]],
    )


def _record(dtype: np.dtype[Any], payload: bytes, offset: int) -> npt.NDArray[Any]:
    """Return a record of its own with what stands at ``offset``."""
    record = allocate_record(dtype)
    record[:] = np.frombuffer(payload, dtype, 1, offset)
    return record
