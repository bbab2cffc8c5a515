"""Family 2, dynamics: how the quote stands against its own recent past."""

from __future__ import annotations

from alphaseeker.features.declaration import Signal

__all__ = ["DYNAMICS_WINDOWS", "IMBALANCE_HALF_LIVES", "SIGNALS"]

DYNAMICS_WINDOWS = (5, 30, 60, 300)
IMBALANCE_HALF_LIVES = (1, 5, 30)

SIGNALS: tuple[Signal, ...] = (
    Signal(
        family="dynamics",
        name="spread_z",
        unit="1",
        windows=DYNAMICS_WINDOWS,
        formula="z_w(s)",
    ),
    Signal(
        family="dynamics",
        name="depth_z",
        unit="1",
        windows=DYNAMICS_WINDOWS,
        formula="z_w(ln(A + B))",
    ),
    Signal(
        family="dynamics",
        name="imbalance_mean",
        unit="-1..1",
        windows=IMBALANCE_HALF_LIVES,
        formula="E_h(I)",
    ),
    Signal(
        family="dynamics",
        name="imbalance_change",
        unit="1",
        windows=IMBALANCE_HALF_LIVES,
        formula="I - E_h(I)",
    ),
    Signal(
        family="dynamics",
        name="imbalance_persistence",
        unit="1",
        windows=DYNAMICS_WINDOWS,
        formula="S_w sign(I) dt / w, dt the time that a quote stood within the window, which "
        "begins with its first whole bucket and ends now; at most (w + 1 bucket) / w in size",
    ),
    Signal(
        family="dynamics",
        name="quote_rate",
        unit="1/s",
        windows=DYNAMICS_WINDOWS,
        formula="S_w 1{b, a, B or A changed} / w",
    ),
    Signal(
        family="dynamics",
        name="quote_rate_ratio",
        unit="1",
        window_s=300,
        shortest_s=5,
        formula="quote_rate_5 / quote_rate_300; 1 where nothing changed in 300 seconds",
    ),
)
