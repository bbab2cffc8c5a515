"""Family 3, flow: order flow at the touch."""

from __future__ import annotations

from alphaseeker.features.declaration import Signal

__all__ = ["FLOW_WINDOWS", "SIGNALS"]

FLOW_WINDOWS = (1, 5, 30, 60, 300)

SIGNALS: tuple[Signal, ...] = (
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
)
