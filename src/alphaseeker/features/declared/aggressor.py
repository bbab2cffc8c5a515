"""Family 10, aggressor: trades by the side that struck."""

from __future__ import annotations

from alphaseeker.features.declaration import Signal

__all__ = ["AGGRESSOR_WINDOWS", "INTENSITY_HALF_LIVES", "SIGNALS"]

AGGRESSOR_WINDOWS = (5, 30, 60, 300)
INTENSITY_HALF_LIVES = (1, 5, 30)

SIGNALS: tuple[Signal, ...] = (
    Signal(
        family="aggressor",
        name="signed_ratio",
        unit="-1..1",
        windows=AGGRESSOR_WINDOWS,
        inputs=("aggressor",),
        formula="(S_w vb - S_w vs) / (S_w vb + S_w vs); 0 where there was no volume",
    ),
    Signal(
        family="aggressor",
        name="count_imbalance",
        unit="-1..1",
        windows=AGGRESSOR_WINDOWS,
        inputs=("aggressor",),
        formula="(S_w 1{vb>0} - S_w 1{vs>0}) / (S_w 1{vb>0} + S_w 1{vs>0}); 0 where there were "
        "none",
    ),
    Signal(
        family="aggressor",
        name="large_trade_share",
        unit="0..1",
        windows=AGGRESSOR_WINDOWS,
        inputs=("aggressor",),
        formula="S_w x 1{x > 4 mu} / S_w x, x = vb + vs of the tick, mu the average before it: mu "
        "<- mu + 0.01 (x - mu) per tick with x > 0, begun with the first x, which is not large; 0 "
        "where there was no volume",
    ),
    Signal(
        family="aggressor",
        name="intensity",
        unit="1/s",
        windows=INTENSITY_HALF_LIVES,
        inputs=("aggressor",),
        formula="(ln 2 / h) (E_h(1{vb>0}) - E_h(1{vs>0})), impulses",
        source="Hawkes 1971",
    ),
    Signal(
        family="aggressor",
        name="cancel_rate",
        unit="1/s",
        windows=AGGRESSOR_WINDOWS,
        inputs=("aggressor",),
        formula="S_w c / (w mean_w((A + B) / 2)), c = max(0, y - vs) + max(0, z - vb), y what the "
        "best bid lost: B' where b < b', max(0, B' - B) where b = b', else 0; z the best ask: A' "
        "where a > a', max(0, A' - A) where a = a', else 0",
    ),
)
