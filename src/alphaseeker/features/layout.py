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

from alphaseeker._jit import source_hash
from alphaseeker.features.catalogue import FEATURES, SIGNALS, WINDOWS
from alphaseeker.features.declared.bars import BAR_WINDOWS
from alphaseeker.features.groups import group_fields, plan_of, with_memory
from alphaseeker.features.microprice import MAX_SPREADS, MICROPRICE_BINS
from alphaseeker.kernels.deviations import SERIES
from alphaseeker.kernels.lanes import WIDE
from alphaseeker.market.depth import MAX_LEVELS
from alphaseeker.market.gate import GATE

__all__ = ["NO_LEVELS", "PLACES", "PLAN", "RECORD", "feature_vector"]

RING = 1024  # power of two above the longest window: mids at bucket ends
LAG_RING = 8  # power of two above the lag in the shortest buckets

# Half-lives that EWMAs by elapsed time decay with, in seconds, in rising order.
HALF_LIVES = WINDOWS

BAR_COLUMNS = 9  # of a closed bar

NO_LEVELS = np.empty((0, 4))  # the depth of a tick without depth


def _aligned(fields: list[Any]) -> np.dtype[Any]:
    return np.dtype(fields, align=True)


CLOCK = _aligned(
    [
        ("bucket_ns", np.int64),
        ("longest", np.int64),  # whole buckets of the longest window
        ("segments", np.int64),  # resets so far
        ("timestamp", np.int64),  # up to which time has been accounted for
        ("first_bucket", np.int64),
        ("bucket", np.int64),  # the one in progress
        ("seen", np.int64),  # whole buckets behind it
        ("minute", np.int64),  # of the present tick, since 1970
        ("bars", np.int64),  # time frames; see ``groups`` on such counts
    ]
)
QUOTE = _aligned(
    [
        ("bid_price", np.float64),
        ("ask_price", np.float64),
        ("bid_volume", np.float64),
        ("ask_volume", np.float64),
        ("close", np.float64),
        ("mid", np.float64),
        ("log_mid", np.float64),
        ("spread", np.float64),  # as decimal as the mid
        ("log_depth", np.float64),  # in steps; see families.book, as ``logs``
        ("logs", np.float64, (WIDE,)),
        ("imbalance", np.float64),
        ("sign", np.float64),  # of the imbalance
        ("changed", np.int64),  # when any of prices and sizes last changed
        ("mid_changed", np.int64),
    ]
)
RINGS = _aligned(
    [
        ("mids", np.float64, (RING,)),  # at bucket ends
        ("log_mids", np.float64, (RING,)),
        # Of the buckets whose trades wait to be judged:
        ("effective", np.float64, (LAG_RING,)),  # sum of 2 eps (p - m') / m'
        ("pressure", np.float64, (LAG_RING,)),  # sum of 2 eps / m'
        ("signs", np.float64, (LAG_RING,)),  # sum of 2 eps
        ("trades", np.float64, (LAG_RING,)),
    ]
)
AVERAGES = _aligned(
    [
        ("rates", np.float64, (WIDE,)),
        ("weights", np.float64, (WIDE,)),  # 1 - 2^(-elapsed / half-life)
        ("elapsed_ns", np.int64),  # that the weights are of
        ("mids", np.float64, (WIDE,)),
        ("imbalances", np.float64, (WIDE,)),
        ("flows", np.float64, (WIDE,)),
        ("buys", np.float64, (WIDE,)),
        ("sells", np.float64, (WIDE,)),
        ("shares", np.float64, (WIDE,)),  # 1 / buckets of a window, of Wilder's averages
        ("gains", np.float64, (WIDE,)),
        ("losses", np.float64, (WIDE,)),
        ("variance", np.float64),
        ("variance_count", np.int64),
    ]
)
TRADE = _aligned(
    [
        ("sign", np.float64),  # of the last trade
        ("bucket_close", np.float64),  # last trade at the end of the bucket before
        ("bucket_change", np.float64),  # its change over that bucket
        ("bulk_variance", np.float64),
        ("bulk_count", np.int64),
        ("bulk_weight", np.float64),
        ("bulk_lag", np.int64),  # buckets that the variance looks back
        ("lag", np.int64),  # buckets until a trade is judged
        # Of the bucket in progress, per trade:
        ("effective", np.float64),
        ("pressure", np.float64),
        ("signs", np.float64),
        # Sizes by the aggressor:
        ("mean_size", np.float64),
        ("sizes", np.int64),
    ]
)
BAR = _aligned(
    [
        ("length", np.int64),  # buckets; 0 where a bar is no whole number of them
        ("open", np.float64),
        ("log_open", np.float64),
        ("high", np.float64),  # over the closed buckets of the bar in progress
        ("low", np.float64),
        ("volume", np.float64),
        ("whole", np.int64),  # bars so far
        ("mean_volume", np.float64),
        ("true_range", np.float64),
        ("columns", np.float32, (BAR_COLUMNS,)),  # of the last closed bar
    ]
)
MACD = _aligned(
    [
        ("fast", np.float64),
        ("slow", np.float64),
        ("signal", np.float64),
        ("columns", np.float32, (2,)),
    ]
)
STATE = _aligned(
    [
        ("mid_scale", np.float64),  # see mid.py
        ("high", np.float64),  # of the bucket in progress, the mid carried into it included
        ("low", np.float64),
        ("last_return", np.float64),  # of the bucket before
        ("carried_mids", np.float64, (WIDE,)),  # into each window, from the bucket ahead of it
        ("carried_log_mids", np.float64, (WIDE,)),
        ("run_length", np.int64),
        # The bucket since whose end each series of the deviations has not changed.
        ("level_since", np.int64, (SERIES,)),
        ("levels", np.float64, (SERIES,)),
    ]
)
FITTED = _aligned(
    [
        ("tick_size", np.float64),
        ("microprice", np.float64, (MAX_SPREADS, MICROPRICE_BINS)),
        ("aggressor", np.int64),  # 1 where the data tells the aggressor's side
        ("depth_levels", np.int64),  # 0 where it has no depth
        ("ofi_weights", np.float64, (MAX_LEVELS,)),
        ("round_trip_notional", np.float64),
    ]
)
# Places: the levels of the bid, best first, then those of the ask, then none up to whole lanes.
PLACES = -(-2 * MAX_LEVELS // WIDE) * WIDE
READABLE = PLACES + MAX_LEVELS  # of lanes that begin at the same level of the other side
LEVELS = _aligned(
    [
        # Of each place: +1 a bid, -1 an ask, 0 none; its level from 0, infinite where there is
        # none; 1 / 2^level.
        ("sides", np.float64, (PLACES,)),
        ("level", np.float64, (PLACES,)),
        ("halves", np.float64, (PLACES,)),
        ("prices", np.float64, (READABLE,)),
        ("sizes", np.float64, (READABLE,)),
        ("prices_before", np.float64, (PLACES,)),  # as of the tick before
        ("sizes_before", np.float64, (PLACES,)),
        ("count_before", np.int64),
        ("count", np.int64),  # levels with a price on both sides
        # Worked with and forgotten:
        ("totals", np.float64, (PLACES,)),
        ("logs", np.float64, (READABLE,)),
        ("terms", np.float64, (PLACES,)),
    ]
)

NUMBER = np.float32  # what a feature is given in

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
        ("step", np.int64),  # address of the compiled step; see ``step.tick_step``
        # A loop of the user's, kept on disk by Numba, calls the step as it was when the loop was
        # compiled: another version's record is another type, for which it is compiled anew.
        (f"layout_{source_hash()}", np.int64),
        ("gate", GATE),
        ("clock", CLOCK),
        ("quote", QUOTE),
        ("averages", AVERAGES),
        ("trade", TRADE),
        ("state", STATE),
        ("bars", BAR, (len(BAR_WINDOWS),)),
        ("macd", MACD),
        ("fitted", FITTED),
        ("depth", LEVELS),
        ("rings", RINGS),
        *group_fields(),
        ("out", OUTPUT),
    ]
)
RECORD = with_memory(RECORD)
PLAN = plan_of(RECORD)


def feature_vector(records: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the output of a one-element record as a float32 vector that shares its memory.

    Shape (number of catalogue columns,), in the catalogue's order.
    """
    start = RECORD.fields["out"][1]  # type: ignore[index]
    size = len(FEATURES) * np.dtype(np.float32).itemsize
    return records.view(np.uint8)[start : start + size].view(np.float32)
