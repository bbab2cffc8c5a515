"""Family 5, volatility: size, symmetry and jumps of the returns."""

from __future__ import annotations

from alphaseeker.features.declaration import MIN_RETURNS, Signal

__all__ = ["SIGNALS", "VOLATILITY_WINDOWS"]

VOLATILITY_WINDOWS = (30, 60, 300, 900)

SIGNALS: tuple[Signal, ...] = (
    Signal(
        family="volatility",
        name="realized",
        unit="bp",
        windows=VOLATILITY_WINDOWS,
        formula="sqrt(S_w r^2)",
        source="Andersen & Bollerslev 1998",
    ),
    Signal(
        family="volatility",
        name="ewma",
        unit="bp",
        lag_buckets=12,
        formula="sqrt of v <- 0.94 v + 0.06 r^2 per bucket, begun with the first r^2 (half-life "
        "11.2 buckets)",
        source="RiskMetrics 1996",
    ),
    Signal(
        family="volatility",
        name="bipower",
        unit="bp^2",
        windows=VOLATILITY_WINDOWS,
        lag_buckets=1,
        formula=f"(pi / 2) S_w |r_t r_{{t-1}}|; NaN below {MIN_RETURNS} non-zero returns",
        source="Barndorff-Nielsen & Shephard 2004",
    ),
    Signal(
        family="volatility",
        name="jump_share",
        unit="0..1",
        windows=VOLATILITY_WINDOWS,
        lag_buckets=1,
        formula=f"max(0, 1 - bipower / S_w r^2); NaN below {MIN_RETURNS} non-zero returns",
        source="Barndorff-Nielsen & Shephard 2004",
    ),
    Signal(
        family="volatility",
        name="up_share",
        unit="0..1",
        windows=VOLATILITY_WINDOWS,
        formula=f"S_w r^2 1{{r>0}} / S_w r^2; NaN below {MIN_RETURNS} non-zero returns",
        source="Barndorff-Nielsen, Kinnebrock & Shephard 2010",
    ),
    Signal(
        family="volatility",
        name="skew",
        unit="1",
        windows=VOLATILITY_WINDOWS,
        formula=f"sqrt(n) S_w r^3 / (S_w r^2)^1.5; NaN below {MIN_RETURNS} non-zero returns",
        source="Amaya, Christoffersen, Jacobs & Vasquez 2015",
    ),
    Signal(
        family="volatility",
        name="kurt",
        unit="1",
        windows=VOLATILITY_WINDOWS,
        formula=f"n S_w r^4 / (S_w r^2)^2; NaN below {MIN_RETURNS} non-zero returns",
        source="Amaya, Christoffersen, Jacobs & Vasquez 2015",
    ),
    Signal(
        family="volatility",
        name="max_move",
        unit="0..1",
        windows=VOLATILITY_WINDOWS,
        formula=f"max_w |r| / sqrt(S_w r^2); NaN below {MIN_RETURNS} non-zero returns",
    ),
    Signal(
        family="volatility",
        name="ratio_short_long",
        unit="1",
        window_s=300,
        shortest_s=30,
        formula="sqrt(mean_30(r^2) / mean_300(r^2)); 1 where neither moved",
    ),
)
