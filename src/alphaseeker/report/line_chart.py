"""A chart of one line over time as inline SVG: axes, ticks, an area, no script."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

__all__ = ["line_chart", "thinned"]

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 960, 78, 14, 12, 26
MOST_POINTS = 1_600  # of a line: more than the page has pixels for
WANTED_TICKS = 5


def thinned(values: npt.NDArray[np.float64], most: int = MOST_POINTS) -> npt.NDArray[np.int64]:
    """Return the places of the points to draw: of every stretch its lowest and its highest one.

    The first and the last point are among them.
    """
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), most // 2 + 1).astype(np.int64)
    places = {0, len(values) - 1}
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = values[start:stop]
        places |= {start + int(part.argmin()), start + int(part.argmax())}
    return np.array(sorted(places))


def _steps(low: float, high: float) -> tuple[list[float], str]:
    """Return round numbers from ``low`` to ``high``, and the format that tells them apart."""
    rough = (high - low) / WANTED_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1.0, 2.0, 5.0, 10.0) if power * m >= rough)
    first = math.ceil(low / step)
    values = [number * step for number in range(first, math.floor(high / step) + 1)]
    if not 1e-6 <= step <= 1e9:
        return values, "{:.3g}"
    return values, f"{{:,.{max(0, -math.floor(math.log10(step)))}f}}"


def _moment(nanoseconds: float, span_s: float) -> str:
    form = "%Y-%m-%d" if span_s > 5 * 86_400 else "%m-%d %H:%M" if span_s > 3_600 else "%H:%M:%S"
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).strftime(form)


def line_chart(
    stamps: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    *,
    title: str,
    height: int,
    style: str,
    baseline: float | None = None,
) -> str:
    """Return an ``svg`` element.

    Parameters
    ----------
    stamps, values
        Shape (n,), n at least 1: nanoseconds UTC, rising, and finite values.
    title
        For screen readers and on hovering.
    height
        Pixels of 960 in width.
    style
        CSS class of the line and the area.
    baseline
        Where the area ends; a line is drawn there.
    """
    places = thinned(values)
    stamps, values = stamps[places], values[places]
    low, high = float(values.min()), float(values.max())
    if baseline is not None:
        low, high = min(low, baseline), max(high, baseline)
    if not high > low:
        pad = abs(high) * 0.01 or 1.0
        low, high = low - pad, high + pad
    start, end = int(stamps[0]), max(int(stamps[-1]), int(stamps[0]) + 1)
    inner = height - TOP - BOTTOM

    def across(stamp: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (stamp - start) / (end - start)

    def down(value: float) -> float:
        return TOP + inner * (high - value) / (high - low)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">',
        f"<title>{title}</title>",
    ]
    steps, form = _steps(low, high)
    for value in steps:
        y = down(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{form.format(value)}</text>'
        )
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        moment = start + share * (end - start)
        anchor = "start" if share == 0.0 else "end" if share == 1.0 else "middle"
        parts.append(
            f'<text x="{across(moment):.1f}" y="{height - 8}" text-anchor="{anchor}">'
            f"{_moment(moment, (end - start) / 1e9)}</text>"
        )
    line = " ".join(
        f"{across(x):.1f},{down(y):.1f}"
        for x, y in zip(stamps.tolist(), values.tolist(), strict=True)
    )
    floor = down(low if baseline is None else baseline)
    parts.append(
        f'<polygon class="area {style}" points="{across(start):.1f},{floor:.1f} {line} '
        f'{across(int(stamps[-1])):.1f},{floor:.1f}"/>'
    )
    if baseline is not None:
        parts.append(
            f'<line class="base" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
            f'y1="{floor:.1f}" y2="{floor:.1f}"/>'
        )
    parts.append(f'<polyline class="line {style}" points="{line}"/></svg>')
    return "".join(parts)
