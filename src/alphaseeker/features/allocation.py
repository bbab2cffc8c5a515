"""A symbol's record, allocated and set up for the settings that a model was trained with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.catalogue import WINDOWS
from alphaseeker.features.declaration import NANOSECONDS
from alphaseeker.features.declared.bars import BAR_WINDOWS
from alphaseeker.features.groups import set_windows
from alphaseeker.features.layout import HALF_LIVES, RECORD, feature_vector
from alphaseeker.features.microprice import microprice_array
from alphaseeker.features.step import STEP
from alphaseeker.market.gate import set_limits

__all__ = ["allocate_session"]

LAG_S = 5  # of the realised spread and the price impact
BULK_HALF_LIFE_S = 60  # of the variance that volume is classified by
RATES = tuple(float(np.log(2.0)) / half_life for half_life in HALF_LIVES)


def allocate_session(settings: FeatureSettings, symbol: str = "") -> npt.NDArray[Any]:
    """Return a fresh one-element array of ``layout.RECORD``, set up for ``symbol``.

    The feature step is compiled here, or loaded, where it has not been yet.
    """
    records = allocate_record(RECORD)
    records["step"] = STEP.address
    set_limits(records["gate"], max_gap_s=settings.max_gap_s, max_jump=settings.max_jump)
    bucket_ns = round(settings.bucket_s * NANOSECONDS)
    clock = records["clock"]
    clock["bucket_ns"] = bucket_ns
    clock["bars"] = len(BAR_WINDOWS)
    clock["longest"] = WINDOWS[-1] * NANOSECONDS // bucket_ns
    unused = (
        *(() if settings.depth_levels else ("levels",)),
        *(() if settings.aggressor else ("sides",)),
    )
    set_windows(records, bucket_ns, unused)
    for place, window in enumerate(BAR_WINDOWS):
        length, rest = divmod(window * NANOSECONDS, bucket_ns)
        records["bars"]["length"][0, place] = 0 if rest else length
    trade = records["trade"]
    trade["lag"] = -(-LAG_S * NANOSECONDS // bucket_ns)
    trade["bulk_weight"] = -np.expm1(-settings.bucket_s / BULK_HALF_LIFE_S * np.log(2.0))
    trade["bulk_lag"] = -(-BULK_HALF_LIFE_S * NANOSECONDS // bucket_ns)
    averages = records["averages"]
    averages["rates"][0, : len(RATES)] = RATES
    averages["shares"] = 1.0 / np.maximum(records["moves"]["lengths"], 1)
    fitted = records["fitted"]
    fitted["tick_size"] = settings.tick_size_of(symbol)
    fitted["microprice"] = microprice_array(settings.microprice_of(symbol))
    fitted["aggressor"] = settings.aggressor
    fitted["depth_levels"] = settings.depth_levels
    fitted["ofi_weights"][0, : settings.depth_levels] = settings.ofi_weights_of(symbol)
    depth = records["depth"]
    levels = np.arange(settings.depth_levels)
    depth["level"] = np.inf
    for side, sign in enumerate((1.0, -1.0)):
        places = levels + side * len(levels)
        depth["sides"][0, places] = sign
        depth["level"][0, places] = levels
        depth["halves"][0, places] = 0.5**levels
    fitted["round_trip_notional"] = settings.round_trip_notional
    feature_vector(records)[:] = np.nan
    return records
