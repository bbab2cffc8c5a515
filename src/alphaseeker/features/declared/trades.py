"""Family 7, trades: their volume, their number and their direction."""

from __future__ import annotations

from alphaseeker.features.declaration import Signal

__all__ = ["SIGNALS", "TRADE_WINDOWS"]

TRADE_WINDOWS = (30, 60, 300)

SIGNALS: tuple[Signal, ...] = (
    Signal(
        family="trades",
        name="volume_z",
        unit="1",
        windows=TRADE_WINDOWS,
        formula="z_w(ln(1 + v)), v of the bucket; of the present one so far",
    ),
    Signal(
        family="trades",
        name="signed_ratio",
        unit="-1..1",
        windows=TRADE_WINDOWS,
        inputs=("sign",),
        formula="S_w q / S_w v; 0 where there was no volume",
    ),
    Signal(
        family="trades",
        name="trade_rate",
        unit="1/s",
        windows=TRADE_WINDOWS,
        formula="S_w 1{v>0} / w",
    ),
    Signal(
        family="trades",
        name="mean_size_ratio",
        unit="1",
        window_s=300,
        shortest_s=30,
        formula="(S_30 v / S_30 1{v>0}) / (S_300 v / S_300 1{v>0}); 1 where nothing traded in 30 "
        "seconds",
    ),
    Signal(
        family="trades",
        name="vwap_dev",
        unit="bp",
        windows=TRADE_WINDOWS,
        formula="(m - S_w(p v) / S_w v) / m; 0 where there was no volume",
    ),
    Signal(
        family="trades",
        name="sign_autocorr",
        unit="-1..1",
        windows=TRADE_WINDOWS,
        inputs=("sign",),
        formula="S_w(eps eps_before) / S_w 1{v>0} over the trades of the window, eps_before that "
        "of the trade before, in the window or not; 0 for the segment's first, and where nothing "
        "traded",
        source="Lillo & Farmer 2004",
    ),
    Signal(
        family="trades",
        name="bulk_imbalance",
        unit="-1..1",
        windows=TRADE_WINDOWS,
        lag_s=60,
        formula="S_w(x v) / S_w v, v of the bucket, x = 2 Phi(dp / sigma) - 1, and the sign of dp "
        "where sigma = 0; sigma^2 is that of the buckets before: per bucket of c seconds sigma^2 "
        "<- sigma^2 + (1 - 2^(-c / 60)) (dp^2 - sigma^2), begun with the dp^2 of the segment's "
        "first whole bucket, 0 until then; 0 where there was no volume",
        source="Easley, Lopez de Prado & O'Hara 2012",
    ),
    Signal(
        family="trades",
        name="vpin",
        unit="0..1",
        windows=TRADE_WINDOWS,
        lag_s=60,
        formula="S_w(|x| v) / S_w v, x as in bulk_imbalance; 0 where there was no volume",
        source="Easley, Lopez de Prado & O'Hara 2012",
    ),
)
