"""Our own predictor: LightGBM's trees, from where the last row stood, bit for bit the same scores.

It needs no compiler and no library of LightGBM's. How it works stands in ``forest_step``, what it
works on in ``forest_table``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.model.buffered_predictor import BufferedPredictor
from alphaseeker.model.forest_step import (
    CONTEXT,
    FOREST_ENTRY,
    forest_rows,
    forest_step,
)
from alphaseeker.model.forest_table import (
    ABOVE_ALL,
    BELOW_ALL,
    ForestTable,
    build_table,
)
from alphaseeker.model.trees import parse_trees

__all__ = ["BoundForest", "ForestPredictor"]

# Measured on 300 trees of 31 leaves: where this many columns left their intervals, all trees from
# their roots cost no more than what was crossed.
_FEW_COLUMNS = 48
_LEAST_ROWS = 4096  # a thread is not begun for fewer
_TABLE = (
    *("nodes", "roots", "first_node", "first_leaf", "leaf_value"),
    *("crossings", "thresholds", "starts"),
)


class _State:
    """A ``CONTEXT`` and everything that its addresses lead to."""

    def __init__(self, table: ForestTable) -> None:
        k, n = table.n_features, table.n_trees
        self.record = np.zeros(1, dtype=CONTEXT)
        used = table.starts[:-1] < table.starts[1:]
        arrays: dict[str, npt.NDArray[Any]] = {
            "keys": np.zeros(2 * k, np.int32),
            # Nothing lies between these where a node looks at the column, everything elsewhere.
            "low": np.where(used, ABOVE_ALL, BELOW_ALL).astype(np.int32),
            "high": np.where(used, BELOW_ALL, ABOVE_ALL).astype(np.int32),
            "position": table.starts[:-1].copy(),
            "changed": np.zeros(k + 7, np.uint8),  # read by the word
            "queue": np.zeros(k + 1, np.uint32),  # one item is written ahead
            "ranges": np.zeros((k, 2), np.uint32),
            "place": np.zeros(n, np.uint8),
            "leaf": np.zeros(n, np.uint8),
            "value": np.zeros(n, np.float64),
            "touched": np.zeros(n + 1, np.uint32),  # and here
            "active": np.zeros(n, np.uint32),
        }
        for name in _TABLE:
            arrays[name] = getattr(table, name)
        for name, array in arrays.items():
            self.record[name] = array.ctypes.data
        self.record["n_features"], self.record["n_trees"] = k, n
        self.record["n_nodes"] = len(table.nodes)
        self.record["n_leaves"] = len(table.leaf_value)
        # A crossed threshold costs about what a tree does from its root.
        self.record["few_columns"] = _FEW_COLUMNS
        self.record["few_crossings"] = n
        self.record["pause"] = 1  # begin with the intervals
        self.address = int(self.record.ctypes.data)
        self._kept = arrays


class BoundForest:
    """A forest tied to one buffer of features and one of scores; for one thread at a time.

    Attributes
    ----------
    entry, context
        See ``predictor.BoundPredictor``. It returns 0 also where thresholds were crossed but every
        tree ends at the same leaf; it does not fail.
    """

    def __init__(
        self,
        table: ForestTable,
        features: npt.NDArray[np.float32],
        scores: npt.NDArray[np.float64],
    ) -> None:
        self._state = _State(table)
        self._state.record["features"] = features.ctypes.data
        self._state.record["scores"] = scores.ctypes.data
        self._buffers = features, scores
        self.entry = FOREST_ENTRY.address
        self.context = self._state.address

    def __call__(self) -> None:
        """Predict from Python, the whole way."""
        forest_step(self.context, 1)


class ForestPredictor(BufferedPredictor[ForestTable]):
    """Raw scores by our own kernels.

    Parameters
    ----------
    model_text
        LightGBM's text model; validated in full.
    n_features
        Columns the model must have; None takes the number the text states.
    num_threads
        Threads for ``predict_matrix``. A single row always takes one.

    Raises
    ------
    ModelError
        The text is not valid, or the forest is too large for the table: more than 64 leaves in a
        tree, or more than 64 MB.

    Notes
    -----
    In ``predict_matrix`` rows that resemble the ones before them, as those of one series do, are
    several times as fast as others. The kernels release the GIL. For threads see
    ``BufferedPredictor``.
    """

    name = "forest"

    def __init__(
        self, model_text: str, n_features: int | None = None, num_threads: int = 1
    ) -> None:
        table = build_table(parse_trees(model_text, n_features=n_features))
        self.num_threads = num_threads
        super().__init__(table, table.n_features)

    def _bind(
        self, model: ForestTable, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> BoundForest:
        return BoundForest(model, features, scores)

    def _score_rows(
        self, model: ForestTable, matrix: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
    ) -> None:
        if matrix.strides[1] != matrix.itemsize:
            matrix = np.ascontiguousarray(matrix)
        parts = max(1, min(self.num_threads, len(matrix) // _LEAST_ROWS))
        ends = [len(matrix) * part // parts for part in range(parts + 1)]

        def score_part(part: int) -> None:
            rows = slice(ends[part], ends[part + 1])
            _predict_rows(model, matrix[rows], scores[rows])

        if parts == 1:
            score_part(0)
        else:
            with ThreadPoolExecutor(parts) as pool:
                list(pool.map(score_part, range(parts)))


def _predict_rows(
    table: ForestTable, matrix: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
) -> None:
    state = _State(table)
    forest_rows(
        FOREST_ENTRY.address,
        state.address,
        matrix.ctypes.data,
        matrix.strides[0],
        scores.ctypes.data,
        len(matrix),
    )
