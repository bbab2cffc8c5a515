"""Family 9, depth: the levels of the book below the best quote."""

from __future__ import annotations

from alphaseeker.features.declaration import Signal

__all__ = ["DEPTH_WINDOWS", "INTEGRATED_WINDOWS", "SIGNALS"]

DEPTH_WINDOWS = (5, 30, 60)
INTEGRATED_WINDOWS = (5, 30, 60, 300)


def _signal(
    name: str,
    unit: str,
    formula: str,
    source: str = "",
    *,
    levels: int = 2,
    windows: tuple[int, ...] = (),
    fitted: bool = False,
) -> Signal:
    return Signal(
        family="depth",
        name=name,
        unit=unit,
        formula=formula,
        source=source,
        windows=windows,
        inputs=("depth",),
        levels=levels,
        fitted=fitted,
    )


def _imbalance(levels: int) -> Signal:
    return _signal(
        f"imbalance_{levels}",
        "-1..1",
        f"(sum B_l - sum A_l) / (sum B_l + sum A_l) over l = 1..{levels}",
        levels=levels,
    )


def _slope(side: str, price: str, size: str) -> Signal:
    return _signal(
        f"{side}_slope",
        "1",
        f"ln(1 + g), g = (V_1 / |{price}_1 / m - 1| + sum over l < K of (V_{{l+1}} / V_l - 1) / "
        f"|{price}_{{l+1}} / {price}_l - 1|) / K, V_l = ln(1 + {size}_1 + ... + {size}_l); a term "
        "with a zero denominator counts as 0",
        "Naes & Skjeltorp 2006",
    )


def _within(distance: int) -> Signal:
    return _signal(
        f"within_{distance}bp",
        "1",
        f"ln(1 + sum of all A_l and B_l whose price is at most {distance} bp of m away from m)",
    )


def _level_flow(level: int) -> Signal:
    return _signal(
        f"ofi_level{level}",
        "1",
        f"S_w e_{level} / mean_w((A + B) / 2)",
        "Xu, Gould & Howison 2019",
        levels=level,
        windows=DEPTH_WINDOWS,
    )


SIGNALS: tuple[Signal, ...] = (
    _imbalance(3),
    _imbalance(5),
    _imbalance(10),
    _signal(
        "imbalance_weighted",
        "-1..1",
        "(sum g_l B_l - sum g_l A_l) / (sum g_l B_l + sum g_l A_l), g_l = 2^-(l - 1)",
    ),
    _signal("mid_dev", "bp", "(m_K - m) / m, m_K = sum(a_l B_l + b_l A_l) / sum(A_l + B_l)"),
    _slope("bid", "b", "B"),
    _slope("ask", "a", "A"),
    _signal(
        "round_trip_cost",
        "bp",
        "(mean price of buying N / m units from the asks - that of selling them to the bids) / m, "
        "N the notional in quote currency, 10,000 unless set otherwise; what the K levels do not "
        "hold is taken at the price of level K",
    ),
    _within(5),
    _within(10),
    _within(25),
    _signal("gap", "bp", "((a_2 - a_1) - (b_1 - b_2)) / m"),
    _signal("largest_share", "0..1", "max of all A_l and B_l / their sum"),
    _level_flow(2),
    _level_flow(3),
    _level_flow(4),
    _level_flow(5),
    _signal(
        "integrated_ofi",
        "1",
        "S_w(sum of u_l e_l over l = 1..K) / mean_w((A + B) / 2), u the first principal component "
        "of the bucket sums of e_1..e_K on the training part, with sum |u_l| = 1 and sum u_l > 0; "
        "1 / K each where nothing was fitted",
        "Cont, Cucuringu & Zhang 2023",
        windows=INTEGRATED_WINDOWS,
        fitted=True,
    ),
)
