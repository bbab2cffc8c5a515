"""The catalogue as tables: plain rows for the command line, the text of ``docs/features.md``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alphaseeker.features.catalogue import FAMILIES, FEATURES, SIGNALS, feature_named
from alphaseeker.features.declaration import Feature, Signal

__all__ = ["features_table", "render_catalogue"]

HEADINGS = {
    "book": "What the present quote says by itself.",
    "dynamics": "How the quote stands against its own recent past.",
    "flow": "Order flow at the touch, and how often its two sides move towards each other.",
    "momentum": "Where the mid stands against its own past.",
    "volatility": "Size, symmetry and jumps of the returns.",
    "bars": "Bars of 1, 5 and 15 minutes: the return of the one in progress, and the last closed "
    "one, whose columns change only when a bar closes.",
    "trades": "Volume, number and direction of the trades.",
    "liquidity": "What trading moves, and what it costs.",
    "calendar": "The time of the day, and the next funding of perpetual futures.",
    "depth": "The levels of the book below the best quote.",
    "aggressor": "Trades by the side that struck, and what left the best quote untraded.",
}

INTRODUCTION = """\
# The feature catalogue

Generated from `alphaseeker.features.catalogue`; a test fails when it is stale. {columns} columns \
in {families} families: {required} from the seven required inputs `timestamp`, `bid_price`, \
`ask_price`, `bid_volume`, `ask_volume`, `close` and `volume`, {depth} more where the data has \
depth of ten levels, {aggressor} more where it has `buy_volume` and `sell_volume`.

A column is called `family.signal`, with its window behind it where the signal has several: \
`flow.ofi_60s`. A name is fixed once published. Columns of the user's own are called \
`custom.<name>`; the README shows how they are made.

## Notation

| sign | meaning |
|---|---|
| b, a, B, A | best bid and ask price, and the sizes there; a prime marks the previous tick |
| m, s | mid (a + b) / 2 and spread a - b, as decimals: rounded to some 14 digits of the price |
| I | imbalance (B - A) / (B + A) |
| p | price of the last trade (`close`) |
| dm, dp, r | change of m, p and ln m over a bucket: since the end of the bucket before, in the \
first one since the first tick; of the present bucket so far |
| v | `volume` of a tick; a tick with v > 0 is a trade. What the first tick of a segment brings \
was traded before it and counts for nothing: v, vb, vs, q and e are 0 there |
| vb, vs | `buy_volume` and `sell_volume` of a tick; NaN counts as 0 |
| eps | sign of a trade: of vb - vs where the settings say that the data has the aggressor's side \
and the tick has both numbers; else of p - m', and where p = m' the eps of the trade before, 0 for \
the first; m' is the mid of the tick before |
| q | signed volume of a tick: v (vb - vs) / (vb + vs) where eps comes from vb and vs, and 0 where \
both are 0; else eps v |
| e | order flow of a tick, in size units |
| b_l, a_l, B_l, A_l, e_l | the same at level l = 1..K of the depth, best first: level 1 is the \
tick's own quote; K is fitted to the data, from 2 to 10. Sums without limits run over all K. A \
level is missing where a side has no price there or at a better one: e_l is 0 where level l is \
missing now or was at the previous tick, `imbalance_k` is NaN where level k is missing, and the \
other columns without window are NaN where level K is |
| O, H, L, C | of a bar of m: the mid carried into it, the highest and the lowest of O and all \
ticks in it, the mid at its end |
| 1{{x}} | 1 where x holds, else 0 |
| Phi | distribution function of the standard normal |
| S_w | sum over the last w seconds: whole buckets, and the present partial one. The w that a sum \
is divided by is the length of the whole buckets in seconds |
| mean_w, std_w, min_w, max_w | likewise; every bucket counts alike, the partial one included |
| z_w(x) | (x - mean_w(x)) / std_w(x) over x at bucket ends and the present x, ddof 0; 0 where all \
are equal |
| E_h | exponentially weighted average by elapsed time with half-life h seconds; without a window \
of its own, h is the column's. A level (m, I) weighs by the time it stood and begins with the \
first of the session, a flow (e, a count) is an impulse that decays |
| n | buckets in the window, the partial one included |

Buckets are one second long on event streams and one-second grids; on slower data they are as long \
as its cadence, and a window is as many whole buckets as fit into it. A bucket without a tick \
carries the last quote on, with no flow. Nothing crosses the boundary of a session or of a gap \
that resets the state: what lies between two of them is a segment. A quantity of ticks (v, q, a \
count) is summed over the bucket where a formula says that it is of the bucket.

A bar of w seconds lies between two multiples of w on the clock of UTC. One without a tick has O, \
H, L and C where its predecessor closed, and no volume. A whole bar is one that begins after the \
bucket in which the segment begins.

Where the unit is bp, alone or over something else, the value is the formula times 10,000; where \
it is bp^2, times 10^8.

History is the number of whole buckets that a column needs: window over bucket length, rounded \
down, for `2 w` that of two windows; plus the number that is added in the table, where seconds are \
rounded up to whole buckets. The column is NaN before and finite after, except where its formula \
says NaN; a window shorter than a bucket never becomes finite, nor does a bar that whole buckets \
do not fill. The bucket in which a segment begins is not a whole one. Values leave as float32; up \
to 1e-35 in size they are 0.

What a column needs beside the seven inputs: levels of depth on each side, the aggressor's side \
(`buy_volume` and `sell_volume`), or the sign of trades (the aggressor's side where the settings \
say that the data has it, so that a model trained with it needs it live; else nothing).
"""


def features_table(
    names: Sequence[str] | None = None, custom: Sequence[Feature] = ()
) -> list[dict[str, Any]]:
    """Return one plain row per column.

    Parameters
    ----------
    names
        Columns wanted; the whole catalogue by default.
    custom
        Declarations of columns beside the catalogue's.

    Returns
    -------
    list of dict
        ``name``, ``family``, ``signal``, ``unit``, ``window_s`` (0 for a column of the present
        tick), ``history_s`` (for buckets of one second), ``inputs`` (a list of ``"depth"``,
        ``"aggressor"``, ``"sign"``: what is needed beside the seven required columns), ``levels``
        (of depth), ``formula`` and ``source`` (``""`` for what is common knowledge).

    Raises
    ------
    ConfigError
        A name is neither in the catalogue nor in ``custom``.
    """
    chosen = FEATURES if names is None else [feature_named(name, custom) for name in names]
    return [
        {
            "name": feature.name,
            "family": feature.family,
            "signal": feature.signal,
            "unit": feature.unit,
            "window_s": feature.window_s,
            "history_s": feature.history_s,
            "inputs": list(feature.inputs),
            "levels": feature.levels,
            "formula": feature.formula,
            "source": feature.source,
        }
        for feature in chosen
    ]


def render_catalogue() -> str:
    """Return the text of ``docs/features.md``."""
    text = [
        INTRODUCTION.format(
            columns=len(FEATURES),
            families=len(FAMILIES),
            required=sum(not {"depth", "aggressor"} & {*one.inputs} for one in FEATURES),
            depth=sum("depth" in one.inputs for one in FEATURES),
            aggressor=sum("aggressor" in one.inputs for one in FEATURES),
        )
    ]
    for family in FAMILIES:
        signals = [signal for signal in SIGNALS if signal.family == family]
        count = sum(len(list(signal.features())) for signal in signals)
        headings = ["signal", "windows, s", "unit", "history", "formula", "source"]
        needs = any(signal.inputs for signal in signals)
        if needs:
            headings.insert(4, "needs")
        text.append(f"## {family}\n\n{HEADINGS[family]} {count} columns.\n")
        text.append(_line(headings))
        text.append("|" + "---|" * len(headings))
        text.extend(_row(signal, needs=needs) for signal in signals)
        text.append("")
    return "\n".join(text)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _row(signal: Signal, *, needs: bool) -> str:
    windows = ", ".join(str(window) for window in signal.windows)
    cells = [
        f"`{signal.name}`",
        windows or "-",
        signal.unit,
        _history(signal),
        signal.formula,
        signal.source or "-",
    ]
    if needs:
        cells.insert(4, _needs(signal))
    return _line(cells)


def _history(signal: Signal) -> str:
    """Say what the columns need: some windows, seconds, more buckets, or nothing."""
    memory = signal.window_s * signal.memory_windows
    times = f"{signal.memory_windows} " if signal.memory_windows > 1 else ""
    window = f"{times}w" if signal.windows else f"{memory} s" if memory else ""
    seconds = f"{signal.lag_s} s" if signal.lag_s else ""
    lag = str(signal.lag_buckets) if signal.lag_buckets else ""
    return " + ".join(part for part in (window, seconds, lag) if part) or "none"


def _needs(signal: Signal) -> str:
    """Say what is needed beside the seven inputs."""
    words = {"depth": f"{signal.levels} levels", "aggressor": "aggressor's side"}
    return ", ".join(words.get(one, one) for one in signal.inputs) or "-"
