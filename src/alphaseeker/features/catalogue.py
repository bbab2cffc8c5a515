"""The feature catalogue: every signal declared once, with its unit, windows, formula and source.

Batch columns, streaming slots, the documentation and a model's schema hash all come from this
table. A new signal is a row here and a line in its family's kernel.

Notation: b, a, B, A best bid and ask price and size, a prime the previous tick; m = (a + b) / 2;
s = a - b; p the last trade; r the change of ln m over a bucket; S_w the sum over the last w seconds
of whole buckets and the present partial one; E_h the average by elapsed time with half-life h.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from alphaseeker.errors import ConfigError
from alphaseeker.features.declaration import Feature, Signal

__all__ = ["FAMILIES", "FEATURES", "SIGNALS", "WINDOWS", "feature_named", "schema_hash"]

# Window lengths of the shared bucket structures, in seconds, in rising order.
WINDOWS = (1, 5, 30, 60, 300, 900)
FLOW_WINDOWS = (1, 5, 30, 60, 300)
MOMENTUM_WINDOWS = (5, 30, 60, 300, 900)
VOLATILITY_WINDOWS = (30, 60, 300, 900)

# A statistic of returns with fewer non-zero returns than this in its window is NaN: on a quiet
# market a bipower share, say, would otherwise be exactly 1 most of the time.
MIN_RETURNS = 10

SIGNALS: tuple[Signal, ...] = (
    # ---- book: the present quote -------------------------------------------------------------
    Signal(family="book", name="spread", unit="bp", formula="s / m"),
    Signal(family="book", name="spread_ticks", unit="ticks", formula="s / tick size"),
    Signal(
        family="book",
        name="imbalance",
        unit="-1..1",
        formula="(B - A) / (B + A)",
        source="Gould & Bonart 2016",
    ),
    Signal(family="book", name="imbalance_abs", unit="0..1", formula="|(B - A) / (B + A)|"),
    Signal(family="book", name="size_ratio", unit="1", formula="ln(B / A)"),
    Signal(
        family="book",
        name="wap_dev",
        unit="bp",
        formula="(m_w - m) / m, m_w = (a B + b A) / (A + B)",
        source="Gatheral & Oomen 2010",
    ),
    Signal(family="book", name="depth", unit="1", formula="ln(A + B)"),
    Signal(
        family="book",
        name="quote_slope",
        unit="bp",
        formula="s / (ln(1 + A) + ln(1 + B)) / m",
        source="Hasbrouck & Seppi 2001",
    ),
    Signal(
        family="book",
        name="last_in_spread",
        unit="spreads",
        formula="(p - m) / s, clipped to -5..5; for s = 0 the sign of p - m times 5",
    ),
    Signal(
        family="book",
        name="quote_age",
        unit="1",
        formula="ln(1 + seconds since b, a, B or A last changed)",
    ),
    Signal(family="book", name="mid_age", unit="1", formula="ln(1 + seconds since m last changed)"),
    # ---- flow: order flow at the touch -------------------------------------------------------
    Signal(
        family="flow",
        name="ofi",
        unit="1",
        windows=FLOW_WINDOWS,
        formula="S_w e / mean_w((A + B) / 2), "
        "e = 1{b>=b'}B - 1{b<=b'}B' - 1{a<=a'}A + 1{a>=a'}A'; the mean is over bucket ends",
        source="Cont, Kukanov & Stoikov 2014",
    ),
    Signal(
        family="flow",
        name="ofi_bid",
        unit="1",
        windows=FLOW_WINDOWS,
        formula="S_w (1{b>=b'}B - 1{b<=b'}B') / mean_w((A + B) / 2)",
        source="Xu, Gould & Howison 2019",
    ),
    Signal(
        family="flow",
        name="ofi_ask",
        unit="1",
        windows=FLOW_WINDOWS,
        formula="S_w (1{a>=a'}A' - 1{a<=a'}A) / mean_w((A + B) / 2)",
        source="Xu, Gould & Howison 2019",
    ),
    Signal(
        family="flow",
        name="ofi_fast_slow",
        unit="1/s",
        window_s=30,
        formula="ln 2 (E_1(e) / 1 - E_30(e) / 30) / mean_30((A + B) / 2): the flow a second of the "
        "last second against that of the last half minute",
        source="Cont, Kukanov & Stoikov 2014",
    ),
    Signal(
        family="flow",
        name="bid_up",
        unit="1/s",
        windows=FLOW_WINDOWS,
        formula="S_w 1{b>b'} / w",
        source="Kercheval & Zhang 2015",
    ),
    Signal(
        family="flow",
        name="ask_down",
        unit="1/s",
        windows=FLOW_WINDOWS,
        formula="S_w 1{a<a'} / w",
        source="Kercheval & Zhang 2015",
    ),
    # ---- momentum ----------------------------------------------------------------------------
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
        name="autocorr",
        unit="1",
        windows=VOLATILITY_WINDOWS,
        lag_buckets=1,
        formula="(mean_w(r_t r_{t-1}) - mean_w(r)^2) / (mean_w(r^2) - mean_w(r)^2); NaN below "
        f"{MIN_RETURNS} non-zero returns (hence no window below 30 s), 0 where all returns are "
        "equal; beyond 1 where the return "
        "just before the window outweighs those in it",
    ),
    Signal(
        family="momentum",
        name="run_length",
        unit="moves",
        formula="number of successive moves of m in one direction, negative when they fall",
    ),
    # ---- volatility --------------------------------------------------------------------------
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

FEATURES: tuple[Feature, ...] = tuple(
    feature for signal in SIGNALS for feature in signal.features()
)
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(signal.family for signal in SIGNALS))

_BY_NAME = {feature.name: feature for feature in FEATURES}


def feature_named(name: str) -> Feature:
    """Return the declaration of one column.

    Raises
    ------
    ConfigError
        No column has this name.
    """
    feature = _BY_NAME.get(name)
    if feature is None:
        raise ConfigError(
            f"unknown feature {name!r}; `alphaseeker features` lists the {len(FEATURES)} there are"
        )
    return feature


def schema_hash(names: Sequence[str]) -> str:
    """Hash the full declarations of ``names`` in order: equal only where every column means the
    same thing, down to its formula, and stands in the same place."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(repr(feature_named(name)).encode())
    return digest.hexdigest()
