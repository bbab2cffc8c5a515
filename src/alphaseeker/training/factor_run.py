"""Factor evaluation of a file or frame: read, gate, compute, grade, write the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alphaseeker.config import Config
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.features.settings import fit_settings
from alphaseeker.training.run import blocks_of, judge_source

__all__ = ["DEFAULT_REPORT_PATH", "evaluate_factor_source"]

DEFAULT_REPORT_PATH = Path("reports") / "factors.json"


def evaluate_factor_source(
    data: Any,
    config: Config,
    *,
    price_col: str = "close",
    report_path: Path = DEFAULT_REPORT_PATH,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Grade every feature of ``data``, and write the results as JSON.

    Raises
    ------
    DataError
        The data cannot be read or is too bad.
    """
    judged = judge_source(data, config, price_col=price_col)
    blocks = blocks_of(judged, fit_settings(judged.series, config))
    result = {
        "success": True,
        **evaluate_factor_blocks(blocks, config, on_progress=on_progress),
        "report_path": str(report_path),
    }
    report_path.parent.mkdir(parents=True, exist_ok=True)
    report_path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result
