"""Family 6, bars: the mid and the volume by the minute, the 5 and the 15 minutes."""

from __future__ import annotations

from alphaseeker.features.declaration import Signal

__all__ = ["BAR_WINDOWS", "SIGNALS"]

BAR_WINDOWS = (60, 300, 900)


def _signal(
    name: str, unit: str, formula: str, source: str = "", *, memory_windows: int = 2
) -> Signal:
    """Declare a signal; the last closed bar began up to two bars ago."""
    return Signal(
        family="bars",
        name=name,
        unit=unit,
        formula=formula,
        source=source,
        windows=BAR_WINDOWS,
        memory_windows=memory_windows,
        bar=True,
    )


SIGNALS: tuple[Signal, ...] = (
    _signal(
        "bar_return_in_progress",
        "bp",
        "ln(m / O), O of the bar in progress",
        memory_windows=1,
    ),
    _signal("prev_return", "bp", "ln(C / O)"),
    _signal("range", "bp", "ln(H / L)"),
    _signal("close_position", "0..1", "(C - L) / (H - L); 0.5 where H = L"),
    _signal("body_share", "0..1", "|C - O| / (H - L); 0 where H = L"),
    _signal(
        "volume_ratio",
        "1",
        "v / E, v the volume of the bar, E <- E + (v - E) / 8 per whole bar, the last one "
        "included, begun with the v of the first; 1 where E = 0",
        memory_windows=16,
    ),
    _signal("parkinson", "bp", "sqrt(ln(H / L)^2 / (4 ln 2))", "Parkinson 1980"),
    _signal(
        "garman_klass",
        "bp",
        "sqrt(max(0, ln(H / L)^2 / 2 - (2 ln 2 - 1) ln(C / O)^2))",
        "Garman & Klass 1980",
    ),
    _signal(
        "rogers_satchell",
        "bp",
        "sqrt(max(0, ln(H / C) ln(H / O) + ln(L / C) ln(L / O)))",
        "Rogers & Satchell 1991",
    ),
    _signal(
        "atr",
        "bp",
        "T / C, T <- T + (H - L - T) / 14 per whole bar, the last one included, begun with the "
        "H - L of the first; H - L is the true range, because O is the close before",
        "Wilder 1978",
        memory_windows=15,
    ),
)
