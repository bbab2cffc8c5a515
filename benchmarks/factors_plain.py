"""The metrics of a factor evaluation in plain pandas and SciPy: what the obvious way costs.

One factor at a time, as one would write it down: the same definitions as ``alphaseeker.factors``
where they are cheap to write (block ICs, rolling IC, t-test, Newey-West, quantiles by
``pandas.qcut``, ratios of the long-short portfolio), one horizon a call.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

YEAR_S = 365 * 86_400
QUANTILES = 5
BLOCKS = 40
COST = 0.0005


def evaluate_plainly(
    factor: pd.Series, mid: pd.Series, horizon: int, *, window: int = 3_600, step: int = 300
) -> dict[str, float]:
    """Evaluate one factor on one-second rows.

    Parameters
    ----------
    factor, mid
        Of the same index.
    horizon
        Rows.
    window, step
        Rows of the rolling IC, and from one to the next.
    """
    returns = np.log(mid.shift(-horizon) / mid)
    frame = pd.DataFrame({"factor": factor, "returns": returns}).dropna()
    found = {
        "pearson": stats.pearsonr(frame["factor"], frame["returns"]).statistic,
        "spearman": stats.spearmanr(frame["factor"], frame["returns"]).statistic,
    }
    ics = np.array(
        [
            stats.spearmanr(rows["factor"], rows["returns"]).statistic
            for rows in (frame.iloc[part] for part in np.array_split(np.arange(len(frame)), BLOCKS))
        ]
    )
    test = stats.ttest_1samp(ics, 0.0)
    found |= {"ic": ics.mean(), "ic_ir": ics.mean() / ics.std(ddof=1)}
    found |= {"ic_t": test.statistic, "p_value": test.pvalue}
    rolling = [
        stats.spearmanr(frame["factor"].iloc[a - window : a], frame["returns"].iloc[a - window : a])
        for a in range(window, len(frame), step)
    ]
    found["rolling_ic"] = np.mean([one.statistic for one in rolling])
    ranks = frame.rank()
    centred = (ranks - ranks.mean()) / ranks.std(ddof=0)
    found["newey_west_t"] = newey_west_t(
        (centred["factor"] * centred["returns"]).to_numpy(), horizon
    )
    quantile = pd.qcut(frame["factor"].rank(method="first"), QUANTILES, labels=False)
    by_quantile = frame["returns"].groupby(quantile).mean()
    spread = by_quantile.iloc[-1] - by_quantile.iloc[0]
    found |= {"return_spread_bp": 1e4 * spread}
    found |= {"return_spread_net_bp": 1e4 * (spread - 4 * COST)}
    position = (quantile == QUANTILES - 1).astype(float) - (quantile == 0).astype(float)
    held = position.iloc[::horizon]
    gains = held * np.expm1(frame["returns"].iloc[::horizon])
    a_year = YEAR_S / horizon
    found["turnover"] = held.diff().abs().mean()
    found["sharpe"] = gains.mean() / gains.std() * np.sqrt(a_year)
    found["sortino"] = gains.mean() * np.sqrt(a_year) / np.sqrt((gains.clip(upper=0) ** 2).mean())
    wealth = (1.0 + gains).cumprod()
    found["max_drawdown"] = (wealth / wealth.cummax() - 1.0).min()
    annual = np.expm1(min(np.log1p(gains).mean() * a_year, 700.0))
    found["calmar"] = annual / -found["max_drawdown"] if found["max_drawdown"] < 0.0 else 0.0
    found["autocorrelation"] = frame["factor"].autocorr(horizon)
    return found


def newey_west_t(series: np.ndarray, horizon: int) -> float:
    """Return t of a mean under the overlap of ``horizon`` rows."""
    centred = series - series.mean()
    total = centred @ centred
    for lag in range(1, horizon):
        total += 2.0 * (1.0 - lag / horizon) * (centred[lag:] @ centred[:-lag])
    return series.mean() / (np.sqrt(total) / len(series))
