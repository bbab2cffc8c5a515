"""Family 8, liquidity: what trading moves, and what it costs."""

from __future__ import annotations

from alphaseeker.features.declaration import Signal

__all__ = ["LIQUIDITY_WINDOWS", "SIGNALS"]

LIQUIDITY_WINDOWS = (60, 300, 900)

SIGNALS: tuple[Signal, ...] = (
    Signal(
        family="liquidity",
        name="kyle",
        unit="bp/size",
        windows=LIQUIDITY_WINDOWS,
        inputs=("sign",),
        formula="S_w(dm q) / S_w(q^2) / m, q of the bucket, 0 where its size is at most 1e-12 of "
        "the bucket's volume (purchases and sales that cancel); 0 where S_w(q^2) = 0",
        source="Kyle 1985",
    ),
    Signal(
        family="liquidity",
        name="amihud",
        unit="bp/notional",
        windows=LIQUIDITY_WINDOWS,
        formula="mean of |r| / pv over the buckets of the window that traded, the present one "
        "included, pv = sum of p v over the bucket; 0 where none did",
        source="Amihud 2002",
    ),
    Signal(
        family="liquidity",
        name="hasbrouck",
        unit="bp/notional^0.5",
        windows=LIQUIDITY_WINDOWS,
        inputs=("sign",),
        formula="S_w(r sign(q) sqrt(pv)) / S_w pv, q (as in kyle) and pv of the bucket; 0 where "
        "there was no volume",
        source="Hasbrouck 2009",
    ),
    Signal(
        family="liquidity",
        name="roll",
        unit="bp",
        windows=LIQUIDITY_WINDOWS,
        lag_buckets=1,
        formula="2 sqrt(-g) / m, g = mean_w(dp_t dp_{t-1}) - mean_w(dp)^2; 0 where g > -1e-12 "
        "mean_w(dp^2)",
        source="Roll 1984",
    ),
    Signal(
        family="liquidity",
        name="effective_spread",
        unit="bp",
        windows=LIQUIDITY_WINDOWS,
        inputs=("sign",),
        formula="mean of 2 eps (p - m') / m' over the trades of the window, those of eps = 0 "
        "included; 0 where there were none",
        source="Huang & Stoll 1996",
    ),
    Signal(
        family="liquidity",
        name="realized_spread",
        unit="bp",
        windows=LIQUIDITY_WINDOWS,
        lag_s=5,
        inputs=("sign",),
        formula="mean of 2 eps (p - m+) / m' over the trades of the window that ended k buckets "
        "ago, k = ceil(5 seconds / bucket): those of the bucket k before the present one and of "
        "the whole buckets in w before it; m+ is the mid at the end of the k-th bucket after the "
        "trade's, for the bucket k before the present one the present m; 0 where there were none",
        source="Huang & Stoll 1996",
    ),
    Signal(
        family="liquidity",
        name="price_impact",
        unit="bp",
        windows=LIQUIDITY_WINDOWS,
        lag_s=5,
        inputs=("sign",),
        formula="mean of 2 eps (m+ - m') / m' over the trades of realized_spread, m+ as there; 0 "
        "where there were none",
        source="Huang & Stoll 1996",
    ),
)
