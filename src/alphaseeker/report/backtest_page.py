"""The page of a backtest: equity, drawdown, what was earned and what it cost, every trade.

One file without any other: charts are inline SVG, there is no script, and the colours follow the
reader's light or dark setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alphaseeker.report.line_chart import line_chart

__all__ = ["TradedResult", "backtest_page", "write_backtest_page"]

MOST_TRADES = 200  # listed; all of them stand in the Parquet file
BINS = 30  # an even number: one edge stands at 0
TRADE_HEADINGS = (
    *("symbol", "side", "size", "entry UTC", "at", "exit at", "held s"),
    *("gross", "costs", "net", "why out"),
)
FOLD_HEADINGS = ("fold", "from", "to", "trades", "net", "before fees", "Sharpe", "drawdown")

STYLE = """
:root{color-scheme:light dark;--page:#fff;--ink:#1b2430;--soft:#5d6b7a;--rule:#e1e6ec;
--card:#f6f8fa;--gain:#0a7d4f;--loss:#b3312c;--blue:#1f5fbf}
@media(prefers-color-scheme:dark){:root{--page:#12161c;--ink:#e4e9ef;--soft:#95a3b3;--rule:#2a323d;
--card:#1a2029;--gain:#3ecf8e;--loss:#f0706a;--blue:#6aa5ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1020px;padding:28px 20px 60px;background:var(--page);
color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:24px;margin:0}h2{font-size:17px;margin:34px 0 8px}
p.sub{color:var(--soft);margin:4px 0 20px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:10px}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 12px}
.tile b{display:block;font-size:20px;font-variant-numeric:tabular-nums}.tile span{color:var(--soft);
font-size:13px}
.gain{color:var(--gain)}.loss{color:var(--loss)}
.warn{border-left:4px solid var(--loss);background:var(--card);padding:8px 12px;margin:8px 0}
svg{width:100%;height:auto;display:block}svg text{fill:var(--soft);font-size:12px}
.grid{stroke:var(--rule)}.base{stroke:var(--soft);stroke-dasharray:3 3}
.line{fill:none;stroke-width:1.6}.area{opacity:.14;stroke:none}
.line.equity{stroke:var(--blue)}.area.equity{fill:var(--blue)}.line.down{stroke:var(--loss)}
.area.down{fill:var(--loss)}rect.gain{fill:var(--gain)}rect.loss{fill:var(--loss)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;
font-size:13.5px}th,td{padding:5px 8px;border-bottom:1px solid var(--rule);text-align:right;
white-space:nowrap}th{color:var(--soft);font-weight:600}th:first-child,td:first-child{text-align:left}
"""


class TradedResult(Protocol):
    """What the page reads of a result; see ``backtest.result.BacktestResult``."""

    @property
    def trades(self) -> Any:
        """Frame of trades."""

    @property
    def equity(self) -> Any:
        """Frame of the equity by time."""

    @property
    def metrics(self) -> dict[str, Any]:
        """What it came to."""

    @property
    def settings(self) -> dict[str, Any]:
        """``latency_ms`` among others."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that a user should read."""

    @property
    def folds(self) -> tuple[dict[str, Any], ...]:
        """Metrics by fold."""


def _sign(value: float) -> str:
    return "gain" if value > 0.0 else "loss" if value < 0.0 else ""


def _tile(name: str, text: str, style: str = "") -> str:
    return (
        f'<div class="tile"><b class="{style}">{escape(text)}</b><span>{escape(name)}</span></div>'
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _tiles(m: Mapping[str, Any]) -> str:
    worth = m["significance"]["deflated_sharpe"]
    tiles = [
        _tile("net return", f"{m['net_return']:+.2%}", _sign(m["net_return"])),
        _tile("before fees", f"{m['gross_return']:+.2%}", _sign(m["gross_return"])),
        _tile("before spread, too", f"{m['return_before_costs']:+.2%}"),
        _tile("max drawdown", f"{m['max_drawdown']:.2%}"),
        _tile("Sharpe, a year", f"{m['sharpe']:+.2f}"),
        _tile("Sortino, a year", f"{m['sortino']:+.2f}"),
        _tile("deflated Sharpe", f"{worth:.1%}"),
        _tile("break-even fee a side", f"{m['break_even_cost_bp']:+.2f} bp"),
        _tile("trades", f"{m['trades']:,}"),
        _tile("hit rate", f"{m['hit_rate']:.1%}"),
        _tile("profit factor", f"{m['profit_factor']:,.2f}"),
        _tile("mean holding", f"{m['mean_holding_s']:,.1f} s"),
        _tile("turnover", f"{m['turnover']:,.1f} x"),
        _tile("time in market", f"{m['time_in_market']:.1%}"),
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _waterfall(m: Mapping[str, Any]) -> str:
    """Return bars from what was earned at the mids down to what is left."""
    before = m["return_before_costs"] * m["initial_equity"]
    steps = [
        ("earned at the mids", before),
        ("spread and depth", -m["spread_cost"]),
        ("fees", -m["fees"]),
        ("funding", -m["funding"]),
        ("net", m["net_pnl"]),
    ]
    most = max(*(abs(value) for _, value in steps), 1e-12)
    parts = ['<svg viewBox="0 0 960 170" role="img" aria-label="from gross to net">']
    for number, (name, value) in enumerate(steps):
        y = 8 + 32 * number
        width = 300.0 * abs(value) / most
        x = 520.0 if value >= 0.0 else 520.0 - width
        parts.append(f'<text x="150" y="{y + 15}" text-anchor="end">{name}</text>')
        style = _sign(value) or "gain"
        parts.append(
            f'<rect class="{style}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="20" rx="2"/>'
        )
        parts.append(f'<text x="950" y="{y + 15}" text-anchor="end">{value:+,.2f}</text>')
    parts.append('<line class="base" x1="520" x2="520" y1="0" y2="168"/></svg>')
    return "".join(parts)


def _histogram(returns: npt.NDArray[np.float64]) -> str:
    """Return how many trades earned how many basis points of what they traded."""
    widest = max(float(np.quantile(np.abs(returns), 0.99)), 1e-9)
    edges = np.linspace(-widest, widest, BINS + 1)
    counts, _ = np.histogram(np.clip(returns, -widest, widest), edges)
    most = max(int(counts.max()), 1)
    wide = 930.0 / BINS
    parts = ['<svg viewBox="0 0 960 190" role="img" aria-label="net return by trade">']
    for number, count in enumerate(counts.tolist()):
        high = 150.0 * count / most
        style = "gain" if edges[number] + edges[number + 1] > 0.0 else "loss"
        parts.append(
            f'<rect class="{style}" x="{15 + wide * number:.1f}" y="{160 - high:.1f}" '
            f'width="{wide - 2:.1f}" height="{high:.1f}"><title>{count:,} trades, '
            f"{edges[number]:+.1f} to {edges[number + 1]:+.1f} bp</title></rect>"
        )
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        text = f"{widest * (2.0 * share - 1.0):+.1f} bp"
        parts.append(
            f'<text x="{15 + 930 * share:.0f}" y="180" text-anchor="{anchor}">{text}</text>'
        )
    return "".join([*parts, "</svg>"])


def _trade_rows(trades: Any) -> Iterable[list[str]]:
    for row in trades.to_dict("records"):
        yield [
            row["symbol"] or "-",
            row["side"],
            f"{row['size']:.8g}",
            f"{row['entry_time']:%Y-%m-%d %H:%M:%S.%f}"[:-3],
            f"{row['entry_price']:.8g}",
            f"{row['exit_price']:.8g}",
            f"{row['holding_s']:,.1f}",
            f"{row['gross_pnl']:+,.2f}",
            f"{row['fees'] + row['funding']:,.2f}",
            f"{row['net_pnl']:+,.2f}",
            row["reason"].lower().replace("_", " "),
        ]


def _fold_rows(folds: Sequence[Mapping[str, Any]]) -> Iterable[list[str]]:
    for fold in folds:
        yield [
            str(fold["fold"]),
            fold["start"],
            fold["end"],
            f"{fold['trades']:,}",
            f"{fold['net_return']:+.3%}",
            f"{fold['gross_return']:+.3%}",
            f"{fold['sharpe']:+.2f}",
            f"{fold['max_drawdown']:.3%}",
        ]


def backtest_page(result: TradedResult, *, source: str = "") -> str:
    """Return the page as HTML.

    Parameters
    ----------
    result
        A ``BacktestResult``.
    source
        What was traded, for the heading.
    """
    m = result.metrics
    names = ", ".join(name or "-" for name in m["symbols"])
    parts = [
        f"<h1>Backtest {escape(source)}</h1>",
        f'<p class="sub">{escape(names)}, {escape(m["start"])} to {escape(m["end"])}; '
        f"{m['ticks']:,} ticks, fills as taker {result.settings['latency_ms']:g} ms later; "
        f"equity {m['initial_equity']:,.2f} to {m['final_equity']:,.2f}</p>",
    ]
    parts += [f'<p class="warn">{escape(warning)}</p>' for warning in result.warnings]
    parts.append(_tiles(m))
    if len(result.equity):
        stamps = result.equity["time"].astype("int64").to_numpy()
        equity = result.equity["equity"].to_numpy()
        fall = -100.0 * result.equity["drawdown"].to_numpy()
        start = float(m["initial_equity"])
        parts.append("<h2>Equity</h2>")
        parts.append(
            line_chart(stamps, equity, title="equity", height=300, style="equity", baseline=start)
        )
        parts.append("<h2>Drawdown, % of the peak</h2>")
        parts.append(
            line_chart(stamps, fall, title="drawdown", height=150, style="down", baseline=0.0)
        )
    parts += ["<h2>From gross to net</h2>", _waterfall(m)]
    trades = result.trades
    if len(trades):
        returns = 1e4 * (trades["net_pnl"] / (trades["size"] * trades["entry_price"])).to_numpy()
        parts += ["<h2>Net return by trade</h2>", _histogram(returns)]
    if result.folds:
        parts += ["<h2>Folds</h2>", _table(FOLD_HEADINGS, _fold_rows(result.folds))]
    counts = [
        *((f"exit: {name}", f"{count:,}") for name, count in m["exits"].items()),
        *((f"rejected: {name}", f"{count:,}") for name, count in m["rejected"].items()),
        *((f"orders: {name}", f"{count:,}") for name, count in m["orders"].items()),
        *((f"signal: {name}", f"{count:,}") for name, count in m["signals"].items()),
    ]
    parts += ["<h2>Counts</h2>", _table(("what", "count"), counts)]
    if len(trades):
        shown = (
            f"the last {MOST_TRADES:,} of {len(trades):,}" if len(trades) > MOST_TRADES else "all"
        )
        rows = _trade_rows(trades.tail(MOST_TRADES))
        parts += [f"<h2>Trades, {shown}</h2>", _table(TRADE_HEADINGS, rows)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Backtest {escape(source)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def write_backtest_page(path: Path, result: TradedResult, *, source: str = "") -> Path:
    """Write the page to ``path``, whose folder is made, and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(backtest_page(result, source=source), encoding="utf-8")
    return path
