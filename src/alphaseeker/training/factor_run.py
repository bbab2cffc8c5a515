"""Factor evaluation of a file or frame: read, gate, compute, grade, write the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.settings import fit_settings
from alphaseeker.training.fitted import blank_fitted, fit_on_training_part, say_where_graded
from alphaseeker.training.run import MB, blocks_of, judge_source

__all__ = ["DEFAULT_REPORT_PATH", "evaluate_factor_source"]

DEFAULT_REPORT_PATH = Path("reports") / "factors.json"


def evaluate_factor_source(
    data: Any,
    config: Config,
    *,
    price_col: str = "close",
    report_path: Path = DEFAULT_REPORT_PATH,
    custom: Sequence[CustomFeature] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Grade every feature of ``data`` and those of ``custom``, and write the results as JSON.

    The features' settings are fitted on the training part of the first walk-forward fold.
    Columns that rest on what was fitted (``fitted`` in their declaration) are graded on the rows
    after it; where the data is too short for parts, they are not graded.

    Raises
    ------
    DataError
        The data cannot be read or is too bad.
    """
    judged = judge_source(data, config, price_col=price_col)
    end_ns: int | None
    try:
        forward = config.override({"FOLD_SCHEME": "walk_forward", "ROLLING_TRAIN_S": None})
        fitted, end_ns = fit_on_training_part(judged.series, judged.accepted, forward)
    except DataError:
        # Too short for parts, and so for a grade of what is fitted; all else needs no fit.
        fitted, end_ns = fit_settings(judged.series, config), None
    blocks = blocks_of(
        judged,
        replace(fitted, custom=tuple(custom)),
        memory_limit=config.data.MATRIX_MEMORY_MB * MB,
    )
    blank_fitted(blocks, end_ns)
    evaluated = evaluate_factor_blocks(blocks, config, on_progress=on_progress)
    say_where_graded(evaluated["factor_results"], end_ns)
    result = {"success": True, **evaluated, "report_path": str(report_path)}
    report_path.parent.mkdir(parents=True, exist_ok=True)
    report_path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result
