"""Family 4, momentum: where the mid stands against its own past."""

from __future__ import annotations

from alphaseeker.features.declaration import MIN_RETURNS, Signal

__all__ = ["MOMENTUM_WINDOWS", "RETURN_WINDOWS", "SIGNALS"]

MOMENTUM_WINDOWS = (5, 30, 60, 300, 900)
RETURN_WINDOWS = (30, 60, 300, 900)  # five returns are too few for a statistic of them

SIGNALS: tuple[Signal, ...] = (
    Signal(
        family="momentum",
        name="return",
        unit="bp",
        windows=MOMENTUM_WINDOWS,
        formula="ln(m / m_{t-w}), m_{t-w} the mid carried into the window",
    ),
    Signal(
        family="momentum",
        name="ema_gap",
        unit="bp",
        windows=MOMENTUM_WINDOWS,
        formula="(m - E_w(m)) / m",
    ),
    Signal(
        family="momentum",
        name="zscore",
        unit="1",
        windows=MOMENTUM_WINDOWS,
        formula="(m - mean_w(m)) / std_w(m) over bucket ends and the present mid, ddof 0; 0 where "
        "std is 0",
        source="Bollinger 2001",
    ),
    Signal(
        family="momentum",
        name="range_position",
        unit="0..1",
        windows=MOMENTUM_WINDOWS,
        formula="(m - min_w m) / (max_w m - min_w m) over all ticks and the mid carried into the "
        "window; 0.5 where the range is 0",
    ),
    Signal(
        family="momentum",
        name="efficiency",
        unit="0..1",
        windows=MOMENTUM_WINDOWS,
        formula="|m - m_{t-w}| / S_w |dm|, dm per bucket; 0 where nothing moved",
        source="Kaufman 1995",
    ),
    Signal(
        family="momentum",
        name="slope",
        unit="bp/s",
        windows=MOMENTUM_WINDOWS,
        formula="least-squares slope of m on time over bucket ends and the present mid, over m",
    ),
    Signal(
        family="momentum",
        name="rsi",
        unit="0..100",
        windows=MOMENTUM_WINDOWS,
        formula="100 U / (U + D), U <- U + (max(dm, 0) - U) / k and D <- D + (max(-dm, 0) - D) / k "
        "per bucket, k the whole buckets in w, both 0 before the segment's first whole bucket; "
        "the present dm is the next step, provisionally; 50 where U + D <= 1e-12 m",
        source="Wilder 1978",
    ),
    Signal(
        family="momentum",
        name="autocorr",
        unit="1",
        windows=RETURN_WINDOWS,
        lag_buckets=1,
        formula="(mean_w(r_t r_{t-1}) - mean_w(r)^2) / (mean_w(r^2) - mean_w(r)^2); NaN below "
        f"{MIN_RETURNS} non-zero returns (hence no window below 30 s), 0 where all returns are "
        "equal; beyond 1 where the return "
        "just before the window outweighs those in it",
    ),
    Signal(
        family="momentum",
        name="variance_ratio",
        unit="1",
        windows=RETURN_WINDOWS,
        lag_buckets=9,
        formula="S_w R^2 / (10 S_w r^2), R the change of ln m over the last 10 buckets (for the "
        "present one: since the end of the tenth before it), no drift taken out; NaN below "
        f"{MIN_RETURNS} non-zero returns",
        source="Lo & MacKinlay 1988",
    ),
    Signal(
        family="momentum",
        name="run_length",
        unit="moves",
        formula="number of successive moves of m in one direction, negative when they fall",
    ),
    Signal(
        family="momentum",
        name="macd",
        unit="bp",
        window_s=60,
        memory_windows=27,
        bar=True,
        formula="(E12 - E26) / C, C the close of the last closed one-minute bar, En the average of "
        "the closes: En <- En + 2 / (n + 1) (C - En) per bar, begun with the C of the segment's "
        "first whole bar",
        source="Appel 1979",
    ),
    Signal(
        family="momentum",
        name="macd_histogram",
        unit="bp",
        window_s=60,
        memory_windows=36,
        bar=True,
        formula="(D - E9) / C, D = E12 - E26 as in macd, E9 <- E9 + 2 / 10 (D - E9) per bar, begun "
        "with the first D",
        source="Appel 1979",
    ),
)
