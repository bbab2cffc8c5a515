"""The main job from end to end on SIMULATED data, in a minute."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alphaseeker.backtest.run import Backtest
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.report.backtest_page import write_backtest_page
from alphaseeker.report.factors import save_factor_page
from alphaseeker.training.factor_run import evaluate_factor_source

__all__ = ["run_demo"]

SIGNAL_STRENGTH = 0.5
REPLAY_ROWS = 6_000
BALANCE = 10_000.0
# The simulated market moves by 7 bp a minute: a venue's usual 5 bp a side would leave nothing to
# show, so the demonstration trades at a tenth of that.
SETTINGS = {"TRANSACTION_COST_PCT": 0.00005}


def run_demo(
    *, rows: int, seed: int, folder: Path, on_progress: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Train on a SIMULATED market, then replay what follows tick by tick with risk management.

    The rows replayed are kept out of the training. They are replayed twice: through ``predict``
    and ``manage_risk`` (paper fills at once), and by the backtest (fills after a latency).

    Parameters
    ----------
    rows
        Seconds simulated.
    seed
        Of the simulator.
    folder
        Where model, report and pages go.
    on_progress
        Called with a stage, steps done and steps in all.

    Returns
    -------
    dict
        ``simulated`` (True), ``evaluation, factors, performance, trades, equity, summary,
        backtest, model_path, report_path, factor_page, backtest_page``.

    Raises
    ------
    DataError
        Fewer rows than training needs.
    """
    market = simulate_frame(rows, seed=seed, signal_strength=SIGNAL_STRENGTH)
    engine = AlphaSeekerMLEngine(load_config(None, SETTINGS))
    later = market.tail(min(REPLAY_ROWS, rows // 5))
    replay = later.to_dict("records")
    past = market.iloc[: -len(replay)]
    outcome = engine.train_model(
        past, model_path=folder / "simulated.joblib", on_progress=on_progress
    )
    results = outcome["results"]
    factors = save_factor_page(
        evaluate_factor_source(
            past,
            engine.config,
            report_path=folder / "factors.json",
            on_progress=lambda done, total: on_progress("factors", done, total),
        )
    )
    tested = Backtest(engine).run(later, on_progress=on_progress)
    page = write_backtest_page(folder / "backtest.html", tested, source="SIMULATED ticks")
    engine.warm_up(past.tail(2_000))
    trades, equity = _trade(engine, replay, on_progress)
    performance = engine.get_performance_stats()["inference_performance"]
    result = {
        "simulated": True,
        "evaluation": results["evaluation_results"],
        "factors": factors["factor_results"],
        "performance": performance,
        "trades": trades,
        "equity": equity,
        "summary": (
            f"replayed {len(replay):,} SIMULATED ticks through predict and manage_risk: "
            f"{trades} positions opened, equity {equity:,.2f} after {BALANCE:,.2f}"
        ),
        "backtest": tested.as_dict(),
        "model_path": outcome["model_path"],
        "report_path": str(folder / "demo.json"),
        "factor_page": factors["page_path"],
        "backtest_page": str(page),
    }
    Path(result["report_path"]).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _trade(
    engine: AlphaSeekerMLEngine,
    replay: Sequence[Mapping[Any, Any]],
    on_progress: Callable[[str, int, int], None],
) -> tuple[int, float]:
    """Return how many positions were opened, and the equity at the end."""
    trades = 0
    equity = BALANCE
    for count, tick in enumerate(replay, start=1):
        signal = engine.predict(tick, replay=True)
        decision = engine.manage_risk(tick, signal, equity)
        trades += decision["action"] == "open_position"
        equity = decision["risk_status"]["equity"]
        if count % 500 == 0:
            on_progress("replay", count, len(replay))
    return trades, equity
