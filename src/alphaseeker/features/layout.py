"""The record of one symbol: settings, gate, state of every family, and the output by name.

One structured record holds everything that the step reads and writes. Its output part is laid out
from the catalogue: a field per signal, an element per window, so that a kernel writes
``out.flow.ofi[i]`` and a misspelt name does not compile, and so that the same bytes, read as one
float32 vector, are the feature row in the catalogue's order.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import FEATURES, SIGNALS, WINDOWS
from alphaseeker.features.declaration import NANOSECONDS
from alphaseeker.market.gate import GATE, set_limits

__all__ = ["RECORD", "allocate_session", "feature_vector"]

N_WINDOWS = len(WINDOWS)
LONGEST = WINDOWS[-1]
RING = 1024  # power of two above LONGEST: mids at bucket ends, and the deques of the extrema
OFFSETS = np.concatenate(([0], np.cumsum(WINDOWS)[:-1])).astype(np.int64)

# Channels of the bucket sums.
(
    OFI_BID,
    OFI_ASK,
    BID_UP,
    ASK_DOWN,
    DEPTH,
    RETURN_1,
    RETURN_2,
    RETURN_3,
    RETURN_4,
    RETURN_UP,
    PRODUCT,
    PRODUCT_ABS,
    MOVED,
    PATH,
) = range(14)
N_CHANNELS = 14


def _aligned(fields: list[Any]) -> np.dtype[Any]:
    return np.dtype(fields, align=True)


CLOCK = _aligned(
    [
        ("bucket_ns", np.int64),
        ("lengths", np.int64, (N_WINDOWS,)),  # whole buckets a window
        ("offsets", np.int64, (N_WINDOWS,)),  # where a window's slots begin
        ("longest", np.int64),
        ("segments", np.int64),  # resets so far
        ("timestamp", np.int64),  # of the last tick
        ("first_bucket", np.int64),
        ("bucket", np.int64),  # the one in progress
        ("seen", np.int64),  # whole buckets behind it
    ]
)
QUOTE = _aligned(
    [
        ("bid_price", np.float64),
        ("ask_price", np.float64),
        ("bid_volume", np.float64),
        ("ask_volume", np.float64),
        ("mid", np.float64),
        ("log_mid", np.float64),
        ("changed", np.int64),  # when any of the four last changed
        ("mid_changed", np.int64),
    ]
)
BUCKETS = _aligned(
    [
        ("partial", np.float64, (N_CHANNELS,)),  # of the bucket in progress; flows only
        ("slots", np.float64, (int(sum(WINDOWS)), N_CHANNELS)),
        ("prefix", np.float64, (N_WINDOWS, N_CHANNELS)),
        ("sums", np.float64, (N_WINDOWS, N_CHANNELS)),
        ("positions", np.int64, (N_WINDOWS,)),
        ("mids", np.float64, (RING,)),  # at bucket ends
        ("log_mids", np.float64, (RING,)),
        ("last_return", np.float64),
    ]
)
PAIRS = _aligned(
    [
        ("slots", np.float64, (int(sum(WINDOWS)), 6)),
        ("prefix", np.float64, (N_WINDOWS, 6)),
        ("moments", np.float64, (N_WINDOWS, 6)),
        ("positions", np.int64, (N_WINDOWS,)),
    ]
)
MAXIMUM = _aligned(
    [
        ("values", np.float64, (RING,)),
        ("buckets", np.int64, (RING,)),
        ("heads", np.int64, (N_WINDOWS,)),
        ("tail", np.int64, (1,)),
        ("maxima", np.float64, (N_WINDOWS,)),
    ]
)
STATE = _aligned(
    [
        ("tick_size", np.float64),
        ("mid_scale", np.float64),  # see mid.py
        ("flow_fast", np.float64),
        ("flow_slow", np.float64),
        ("high", np.float64),  # of the bucket in progress, the mid carried into it included
        ("low", np.float64),
        ("mid_averages", np.float64, (N_WINDOWS,)),
        ("run_length", np.int64),
        ("variance", np.float64),
        ("variance_count", np.int64),
    ]
)

OUTPUT = np.dtype(
    [
        (
            family,
            np.dtype(
                [
                    (s.name, np.float32, (len(s.windows),)) if s.windows else (s.name, np.float32)
                    for s in signals
                ]
            ),
        )
        for family, signals in (
            (family, list(group)) for family, group in groupby(SIGNALS, lambda s: s.family)
        )
    ]
)

RECORD = _aligned(
    [
        ("gate", GATE),
        ("clock", CLOCK),
        ("quote", QUOTE),
        ("buckets", BUCKETS),
        ("pairs", PAIRS),
        ("highs", MAXIMUM),
        ("lows", MAXIMUM),
        ("moves", MAXIMUM),
        ("state", STATE),
        ("out", OUTPUT),
    ]
)


def allocate_session(settings: FeatureSettings, symbol: str = "") -> npt.NDArray[Any]:
    """Return a fresh one-element array of ``RECORD``, set up for ``symbol``."""
    records = allocate_record(RECORD)
    set_limits(records["gate"], max_gap_s=settings.max_gap_s, max_jump=settings.max_jump)
    clock = records["clock"]
    bucket_ns = round(settings.bucket_s * NANOSECONDS)
    clock["bucket_ns"] = bucket_ns
    # In integers, as the declarations count their history: 900 / 3.6 is 250, 900 // 3.6 is 249.
    lengths = [window * NANOSECONDS // bucket_ns for window in WINDOWS]
    clock["lengths"] = lengths
    clock["offsets"] = OFFSETS
    clock["longest"] = lengths[-1]
    records["state"]["tick_size"] = settings.tick_size_of(symbol)
    feature_vector(records)[:] = np.nan
    return records


def feature_vector(records: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the output of a one-element record as a float32 vector that shares its memory.

    Shape (number of catalogue columns,), in the catalogue's order.
    """
    start = RECORD.fields["out"][1]  # type: ignore[index]
    size = len(FEATURES) * np.dtype(np.float32).itemsize
    return records.view(np.uint8)[start : start + size].view(np.float32)
