"""The catalogue as tables: plain rows for the command line, the text of ``docs/features.md``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alphaseeker.features.catalogue import FAMILIES, FEATURES, SIGNALS, feature_named
from alphaseeker.features.declaration import Signal

__all__ = ["features_table", "render_catalogue"]

HEADINGS = {
    "book": "What the present quote says by itself.",
    "flow": "Order flow at the touch, and how often its two sides move towards each other.",
    "momentum": "Where the mid stands against its own past.",
    "volatility": "Size, symmetry and jumps of the returns.",
}

INTRODUCTION = """\
# The feature catalogue

Generated from `alphaseeker.features.catalogue`; a test fails when it is stale. {columns} columns \
in {families} families, from the seven required inputs `timestamp`, `bid_price`, `ask_price`, \
`bid_volume`, `ask_volume`, `close` and `volume`.

A column is called `family.signal`, with its window behind it where the signal has several: \
`flow.ofi_60s`. A name is fixed once published.

## Notation

| sign | meaning |
|---|---|
| b, a, B, A | best bid and ask price, and the sizes there; a prime marks the previous tick |
| m, s | mid (a + b) / 2 and spread a - b |
| p | price of the last trade (`close`) |
| r | change of ln m over a bucket |
| e | order flow of a tick, in size units |
| 1{{x}} | 1 where x holds, else 0 |
| S_w | sum over the last w seconds: whole buckets, and the present partial one |
| mean_w, std_w, min_w, max_w | likewise; every bucket counts alike, the partial one included |
| E_h | exponentially weighted average by elapsed time with half-life h seconds; without a window \
of its own, h is the column's. A level (m) weighs by the time it stood and begins with the first \
of the session, a flow (e) is an impulse that decays |
| n | buckets in the window, the partial one included |

Buckets are one second long on event streams and one-second grids; on slower data they are as long \
as its cadence, and a window is as many whole buckets as fit into it. A bucket without a tick \
carries the last quote on, with no flow. Nothing crosses the boundary of a session or of a gap \
that resets the state.

History is the number of whole buckets that a column needs: window over bucket length, plus the \
number that is added in the table. The column is NaN before and finite after, except where its \
formula says NaN; a window shorter than a bucket never becomes finite. The bucket in which a \
session begins is not a whole one. Values leave as float32; up to 1e-35 in size they are 0.
"""


def features_table(names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return one plain row per column: name, family, unit, window, history, formula, source.

    Parameters
    ----------
    names
        Columns wanted; the whole catalogue by default.

    Returns
    -------
    list of dict
        ``window_s`` is 0 for a column of the present tick; ``history_s`` holds for buckets of one
        second; ``source`` is ``""`` for what is common knowledge.

    Raises
    ------
    ConfigError
        A name is not in the catalogue.
    """
    chosen = FEATURES if names is None else [feature_named(name) for name in names]
    return [
        {
            "name": feature.name,
            "family": feature.family,
            "unit": feature.unit,
            "window_s": feature.window_s,
            "history_s": feature.history_s,
            "formula": feature.formula,
            "source": feature.source,
        }
        for feature in chosen
    ]


def render_catalogue() -> str:
    """Return the text of ``docs/features.md``."""
    text = [INTRODUCTION.format(columns=len(FEATURES), families=len(FAMILIES))]
    for family in FAMILIES:
        signals = [signal for signal in SIGNALS if signal.family == family]
        count = sum(len(list(signal.features())) for signal in signals)
        text.append(f"## {family}\n\n{HEADINGS[family]} {count} columns.\n")
        text.append("| signal | windows, s | unit | history | formula | source |")
        text.append("|---|---|---|---|---|---|")
        text.extend(_row(signal) for signal in signals)
        text.append("")
    return "\n".join(text)


def _row(signal: Signal) -> str:
    windows = ", ".join(str(window) for window in signal.windows)
    cells = (
        f"`{signal.name}`",
        windows or "-",
        signal.unit,
        _history(signal),
        signal.formula,
        signal.source or "-",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _history(signal: Signal) -> str:
    """Say what the columns need: the window, more buckets, both or nothing."""
    window = "w" if signal.windows else f"{signal.window_s} s" if signal.window_s else ""
    lag = str(signal.lag_buckets) if signal.lag_buckets else ""
    return " + ".join(part for part in (window, lag) if part) or "none"
