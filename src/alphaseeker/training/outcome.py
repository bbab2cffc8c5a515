"""What ``train_model`` answers, and the report file that holds the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alphaseeker.model.model_file import write_model_bytes
from alphaseeker.training.run import TrainingRun

__all__ = ["save_outcome"]


def save_outcome(
    run: TrainingRun, model_path: Path, *, backend: str, library_failure: str | None = None
) -> dict[str, Any]:
    """Write the report beside the model and return the answer.

    Parameters
    ----------
    run
        The training.
    model_path
        Where its model was saved.
    backend
        Name of the predictor that serves it.
    library_failure
        Why the model was not compiled to a library, where that was tried and failed.

    Returns
    -------
    dict
        ``success, model_path, report_path, results``; plain and JSON-serialisable.
    """
    results = dict(run.trained.results)
    results["model_info"] = {**results["model_info"], "backend": backend}
    results["factor_results"] = run.factors
    results["warnings"] = [*run.warnings, *([library_failure] if library_failure else [])]
    results["quality"] = run.quality.as_dict()
    report_path = model_path.with_suffix(".report.json")
    outcome = {
        "success": True,
        "model_path": str(model_path),
        "report_path": str(report_path),
        "results": results,
    }
    text = json.dumps(outcome, indent=1) + "\n"
    write_model_bytes(report_path, text.encode(), keep_previous=False)
    return outcome
