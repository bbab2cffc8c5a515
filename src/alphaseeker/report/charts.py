"""Small charts as inline SVG: no script, colours from the page, a title that says what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from alphaseeker.report.page import number

__all__ = ["column_chart", "histogram", "meter", "row_chart", "sparkline"]


def _svg(width: int, height: int, title: str, content: str) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-size="11">'
        f"<title>{escape(title)}</title>{content}</svg>"
    )


def _side(value: float) -> str:
    return "down" if value < 0.0 else "up"


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def sparkline(values: Sequence[float | None], *, title: str, width: int = 120) -> str:
    """Return bars around zero, one for each value in order; None leaves a gap.

    Bars share a scale of their own: the largest reaches the edge. More values than there are
    pixels to draw them are averaged.
    """
    height = 26
    values = _averaged(values, width // 2)
    most = max((abs(value) for value in values if value is not None), default=0.0) or 1.0
    step = width / max(len(values), 1)
    middle = height / 2
    bars = [f'<line class="axis" x1="0" y1="{middle}" x2="{width}" y2="{middle}"/>']
    for place, value in enumerate(values):
        if value is None:
            continue
        tall = abs(value) / most * (middle - 1)
        top = middle - tall if value >= 0.0 else middle
        bars.append(
            f'<rect class="{_side(value)}" x="{place * step:.2f}" y="{top:.2f}" '
            f'width="{max(step * 0.8, 0.3):.2f}" height="{max(tall, 0.3):.2f}"/>'
        )
    return _svg(width, height, title, "".join(bars))


def _averaged(values: Sequence[float | None], most: int) -> list[float | None]:
    """Return at most ``most`` means of neighbours."""
    step = max(-(-len(values) // most), 1)
    found: list[float | None] = []
    for first in range(0, len(values), step):
        known = [value for value in values[first : first + step] if value is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def meter(value: float, most: float, *, before: float | None = None, width: int = 90) -> str:
    """Return a bar filled to ``value`` of ``most``; ``before`` shows what a cap took away."""
    height = 10
    parts = [f'<rect class="rest" x="0" y="2" width="{width}" height="6" rx="3"/>']
    said = f"{value:.1f} of {most:g}"
    for size, kind in ((before, "mute"), (value, "bar")):
        if size is not None and size > 0.0:
            long = min(size / most, 1.0) * width
            parts.append(f'<rect class="{kind}" x="0" y="2" width="{long:.1f}" height="6" rx="3"/>')
    if before is not None and before > value:
        said += f", {before:.1f} before caps"
    return _svg(width, height, said, "".join(parts))


def column_chart(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    errors: Sequence[float | None] | None = None,
    form: str = "+.3f",
) -> str:
    """Return a few labelled columns around zero, each with its number and, if given, a whisker.

    A whisker reaches two errors up and down.
    """
    width, height, foot, head = 300, 140, 18, 18
    spans = [2.0 * (error or 0.0) for error in errors] if errors else [0.0] * len(values)
    pairs = list(zip(values, spans, strict=True))
    highest = max([0.0, *(value + span for value, span in pairs)])
    lowest = min([0.0, *(value - span for value, span in pairs)])
    room = (height - foot - head) / ((highest - lowest) or 1.0)
    zero = head + highest * room
    step = width / max(len(values), 1)
    wide = min(step * 0.4, 40.0)
    parts = [f'<line class="axis" x1="0" y1="{zero:.1f}" x2="{width}" y2="{zero:.1f}"/>']
    for place, value in enumerate(values):
        centre = (place + 0.5) * step
        tall = abs(value) * room
        top = zero - tall if value >= 0.0 else zero
        parts.append(
            f'<rect class="{_side(value)}" x="{centre - wide / 2:.1f}" y="{top:.1f}" '
            f'width="{wide:.1f}" height="{max(tall, 0.5):.1f}" rx="2"/>'
        )
        if spans[place] > 0.0:
            end, half = zero - value * room, spans[place] * room
            parts.append(
                f'<line class="whisker" x1="{centre:.1f}" y1="{end - half:.1f}" '
                f'x2="{centre:.1f}" y2="{end + half:.1f}"/>'
            )
        parts.append(_text(centre, 11, number(value, form)))
        parts.append(_text(centre, height - 4, labels[place]))
    return _svg(width, height, title, "".join(parts))


def row_chart(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    rule: float | None = None,
    rule_label: str = "",
    form: str = ".2f",
) -> str:
    """Return horizontal bars from zero, a line each, with an upright rule to hold them against."""
    width, line, name, tail = 760, 20, 250, 70
    top = 18 if rule is not None else 4
    lowest = min([0.0, *values, rule or 0.0])
    highest = max([0.0, *values, rule or 0.0])
    span = (highest - lowest) or 1.0

    def place(value: float) -> float:
        return name + (value - lowest) / span * (width - name - tail)

    parts = []
    for row, (label, value) in enumerate(zip(labels, values, strict=True)):
        y = top + row * line
        start, stop = sorted((place(0.0), place(value)))
        short = label if len(label) <= 36 else f"{label[:35]}…"
        parts.append(_text(name - 8, y + 13, short, "end"))
        parts.append(
            f'<rect class="{_side(value)}" x="{start:.1f}" y="{y + 3}" '
            f'width="{max(stop - start, 1.0):.1f}" height="{line - 7}" rx="2"/>'
        )
        words = number(value, form)
        parts.append(_text(stop + 6, y + 13, words, "start"))
    height = top + line * len(values) + 4
    zero = place(0.0)
    parts.append(f'<line class="axis" x1="{zero:.1f}" y1="{top}" x2="{zero:.1f}" y2="{height}"/>')
    if rule is not None:
        x = place(rule)
        parts.append(f'<line class="rule" x1="{x:.1f}" y1="{top - 2}" x2="{x:.1f}" y2="{height}"/>')
        parts.append(_text(x, 11, rule_label))
    return _svg(width, height, title, "".join(parts))


def histogram(counts: Sequence[int], *, title: str, expected: float, ends: tuple[str, str]) -> str:
    """Return columns side by side, and a rule at what chance alone would give each."""
    width, height, foot, tail = 400, 130, 18, 66
    most = max([*counts, expected, 1.0])
    room = height - foot - 14
    right = width - tail
    step = right / max(len(counts), 1)
    base = height - foot
    parts = []
    for place, count in enumerate(counts):
        tall = count / most * room
        parts.append(
            f'<rect class="bar" x="{place * step + 1:.1f}" y="{base - tall:.1f}" '
            f'width="{step - 2:.1f}" height="{tall:.1f}" rx="1"><title>{count}</title></rect>'
        )
    level = base - expected / most * room
    parts.append(f'<line class="axis" x1="0" y1="{base}" x2="{right}" y2="{base}"/>')
    parts.append(f'<line class="rule" x1="0" y1="{level:.1f}" x2="{right}" y2="{level:.1f}"/>')
    parts.append(_text(right + 4, level + 4, "by chance", "start"))
    parts.append(_text(0, height - 4, ends[0], "start"))
    parts.append(_text(right, height - 4, ends[1], "end"))
    return _svg(width, height, title, "".join(parts))
