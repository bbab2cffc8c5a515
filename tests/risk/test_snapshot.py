"""The bytes of a risk state."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from alphaseeker.config import RiskConfig
from alphaseeker.errors import StateError
from alphaseeker.risk.snapshot import decode, encode
from alphaseeker.risk.state import allocate_account, allocate_position


def example() -> bytes:
    account, position = allocate_account(RiskConfig()), allocate_position()
    account["equity"] = 123.0
    position["quantity"] = -4.0
    return encode(account, {"BTC": position, "": allocate_position()}, [("BTC", "7")])


def test_what_was_encoded_is_decoded() -> None:
    snapshot = decode(example())
    assert snapshot.account["equity"][0] == 123.0
    assert list(snapshot.positions) == ["BTC", ""]
    assert snapshot.positions["BTC"]["quantity"][0] == -4.0
    assert snapshot.fills == [("BTC", "7")]
    assert encode(*snapshot) == example()


def test_every_damage_is_refused() -> None:
    data = example()
    rng = np.random.default_rng(0)
    for position in [*range(24), *rng.integers(24, len(data), 200)]:
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(rng.integers(8))
        with pytest.raises(StateError):
            decode(bytes(damaged))
    for length in [0, 5, 23, 24, 100, len(data) - 1]:
        with pytest.raises(StateError):
            decode(data[:length])
    with pytest.raises(StateError, match="damaged"):
        decode(data + b"x")


def test_another_layout_is_refused_by_name() -> None:
    data = example()
    length, header = struct.unpack_from("<QI", data, 12)
    payload = data[24:].replace(b'"layout": "', b'"layout": "0', 1)
    body = struct.pack("<QI", length + 1, header + 1) + payload
    other = data[:8] + struct.pack("<I", zlib.crc32(body)) + body
    with pytest.raises(StateError, match="layout 0"):
        decode(other)
