"""The frame of a report page: one file without scripts or anything fetched, for light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["DASH", "MINUS", "document", "number", "p_value", "signed", "table", "tile"]

DASH = "\N{EN DASH}"  # stands where there is no number
MINUS = "\N{MINUS SIGN}"

# Text stands at 4.5 : 1 or more on its ground in both schemes.
_STYLE = """
:root { color-scheme: light dark;
  --ground: #ffffff; --panel: #f6f7f9; --line: #d9dde3; --ink: #1a1d21; --soft: #5a6370;
  --up: #2166c9; --down: #b8500f; --mute: #aab2bd; --accent: #2166c9;
  --g0: #0b6b3a; --g1: #2c7a1f; --g2: #5a7306; --g3: #806500; --g4: #9a5200; --g5: #a8401f;
  --g6: #6b7280; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #14171b; --panel: #1c2026; --line: #343b45; --ink: #e8eaed; --soft: #a0a9b5;
  --up: #74a9ff; --down: #f29a5c; --mute: #5b6573; --accent: #74a9ff;
  --g0: #4fd08a; --g1: #8bcf5f; --g2: #b9c94a; --g3: #e2bd45; --g4: #f0a355; --g5: #f0866a;
  --g6: #a0a9b5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 60px; max-width: 1320px; background: var(--ground);
  color: var(--ink); font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 17px; margin: 36px 0 4px; }
h3 { font-size: 12px; margin: 0 0 6px; color: var(--soft); font-weight: 600; }
p { margin: 4px 0 10px; max-width: 90ch; } .soft { color: var(--soft); }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 18px 0; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px 16px; min-width: 132px; }
.tile b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 12px; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-size: 12px; font-weight: 600; vertical-align: bottom;
  background: var(--panel); }
th.l, td.l { text-align: left; } tbody th { font-weight: 500; text-align: left; }
.scroll tbody th, .scroll thead th:first-child { position: sticky; left: 0;
  background: var(--ground); }
.scroll thead th:first-child { background: var(--panel); z-index: 1; }
td.wrap { white-space: normal; min-width: 24ch; }
.grade { display: inline-block; min-width: 3.4em; padding: 0 .5em; border-radius: 4px;
  border: 1px solid currentColor; text-align: center; font-weight: 650; font-size: 12px; }
.grade-AAA { color: var(--g0); } .grade-AA { color: var(--g1); } .grade-A { color: var(--g2); }
.grade-B { color: var(--g3); } .grade-C { color: var(--g4); } .grade-D { color: var(--g5); }
.grade-E { color: var(--g6); }
.up { color: var(--up); } .down { color: var(--down); }
details { border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; }
summary { cursor: pointer; padding: 8px 14px; display: flex; gap: 12px; align-items: center;
  flex-wrap: wrap; }
summary b { font-weight: 600; } details[open] > summary { border-bottom: 1px solid var(--line); }
.cells { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(330px, 100%), 1fr));
  gap: 20px; padding: 14px; } .cells > div { min-width: 0; }
.cells table { font-size: 13px; } .cells td, .cells th { padding: 3px 6px; }
svg { display: block; max-width: 100%; } td svg { max-width: none; }
svg text { fill: var(--soft); font-size: 11px; }
svg .bar { fill: var(--accent); } svg .up { fill: var(--up); } svg .down { fill: var(--down); }
svg .mute { fill: var(--mute); } svg .axis { stroke: var(--mute); stroke-width: 1; }
svg .rule { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; }
svg .whisker { stroke: var(--ink); stroke-width: 1.2; } svg .rest { fill: var(--line); }
footer { margin-top: 40px; color: var(--soft); font-size: 12px; }
@media print { details { break-inside: avoid; } body { max-width: none; } }
"""


def document(title: str, body: str) -> str:
    """Return a whole HTML page.

    Parameters
    ----------
    title
        Plain text.
    body
        HTML.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{body}\n</body>\n</html>\n"
    )


def number(value: object, form: str = ".2f") -> str:
    """Return a number as text, and a dash for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return DASH
    if value != value or value in (float("inf"), float("-inf")):
        return DASH
    return format(value, form).replace("-", MINUS)


def signed(value: object, form: str = "+.3f") -> str:
    """Return a number in the colour of its sign."""
    words = number(value, form)
    if words == DASH or not isinstance(value, (int, float)):
        return words
    return f'<span class="{"down" if value < 0 else "up"}">{words}</span>'


def p_value(value: object) -> str:
    """Return a p-value with two digits."""
    return number(value, ".2g").replace(f"e{MINUS}0", f"e{MINUS}")


def tile(figure: str, label: str) -> str:
    """Return a figure with its name, for the head of a page."""
    return f'<div class="tile"><b>{escape(figure)}</b><span>{escape(label)}</span></div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int] = ()) -> str:
    """Return a table whose first column names the row.

    Parameters
    ----------
    head
        Plain text.
    rows
        Cells in HTML, as many as ``head``.
    left
        Columns that stand left-aligned, beside the first.
    """
    leaning = {0, *left}
    names = "".join(
        f'<th scope="col"{" class=l" if place in leaning else ""}>{escape(name)}</th>'
        for place, name in enumerate(head)
    )
    lines = []
    for row in rows:
        cells = [f'<th scope="row">{row[0]}</th>']
        for place, cell in enumerate(row[1:], 1):
            cells.append(f"<td{' class=l' if place in leaning else ''}>{cell}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f"<table><thead><tr>{names}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "</tbody></table>"
    )
