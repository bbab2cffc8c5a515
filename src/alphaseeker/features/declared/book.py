"""Family 1, book: what the present quote says by itself."""

from __future__ import annotations

from alphaseeker.features.declaration import Signal

__all__ = ["SIGNALS"]

SIGNALS: tuple[Signal, ...] = (
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
    Signal(
        family="book",
        name="microprice_dev",
        unit="bp",
        formula="G tick size / m, G the expected sum of the moves of m to come, in ticks, from a "
        "table fitted on the training part: a row for s of 1, 2, 3 and at least 4 ticks, a column "
        "for each tenth of B / (A + B), lower edge included; NaN where there is no table",
        source="Stoikov 2018",
        fitted=True,
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
)
