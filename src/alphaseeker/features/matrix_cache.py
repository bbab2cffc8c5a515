"""Features that an earlier run has computed of the same ticks, read instead of computed.

What a block follows from is hashed into the name it is kept under: every byte of the ticks, of
their depth and of their row numbers; the columns with their full declarations; all settings, the
fitted ones and the gate's limits among them; the digests of custom steps; the package's sources,
the compiler's version and flags, and the processor. Of two runs with the same name the values are
the same to the bit, and whatever changes makes another name.

A custom step that reads an object whose content its digest does not tell (``source_digest``), or
that says something else than when it was declared, keeps its block out of the cache.
"""

from __future__ import annotations

import hashlib
import json
import logging
import weakref
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import code_mark
from alphaseeker.config import InferenceConfig
from alphaseeker.features.batch import compute_features
from alphaseeker.features.block import FeatureBlock, FeatureSettings
from alphaseeker.features.catalogue import schema_hash
from alphaseeker.features.custom_source import is_wholly_told, step_digest
from alphaseeker.features.inputs import available_names
from alphaseeker.features.matrix_file import allocate_beside, allocate_values, release
from alphaseeker.features.matrix_store import MatrixStore
from alphaseeker.market.quality import QualityReport
from alphaseeker.market.schema import TickSeries

__all__ = ["LEAST_ROWS", "MatrixCache", "disk_budget", "series_fingerprint"]

logger = logging.getLogger(__name__)

LEAST_ROWS = 100_000
"""Fewer ticks are quicker computed than looked after."""

HASHED_AT_ONCE = 65_536  # rows
MB = 1_000_000


def disk_budget(inference: InferenceConfig) -> float:
    """Return the bytes that matrices may take on disk; 0 where none are kept."""
    return inference.DISK_CACHE_MB * MB if inference.ENABLE_CACHING else 0.0


def series_fingerprint(series: TickSeries) -> str:
    """Return the SHA-256 of all that features read of a series: its bytes, not its file's."""
    digest = hashlib.sha256(json.dumps([series.symbol, len(series)]).encode())
    for array in (series.ticks, series.rows, series.depth):
        if array is None:
            digest.update(b"none")
            continue
        digest.update(repr((array.dtype.descr, array.shape)).encode())
        for piece in _pieces(array):
            digest.update(piece.view(np.uint8).data)
    return digest.hexdigest()


def _pieces(array: npt.NDArray[np.generic]) -> Iterator[npt.NDArray[np.generic]]:
    for start in range(0, len(array), HASHED_AT_ONCE):
        yield np.ascontiguousarray(array[start : start + HASHED_AT_ONCE]).reshape(-1)
        release(array)


class MatrixCache:
    """Computes features, or reads them where the same ones were computed before.

    Parameters
    ----------
    inference
        DISK_CACHE_MB, and ENABLE_CACHING without which nothing is kept.
    """

    def __init__(self, inference: InferenceConfig) -> None:
        self._budget = disk_budget(inference)
        self._store: MatrixStore | None = None
        # By identity: a series holds arrays, which have no hash.
        self._known: dict[int, tuple[weakref.ref[TickSeries], str]] = {}

    def features(
        self,
        series: TickSeries,
        *,
        settings: FeatureSettings,
        names: Sequence[str] | None = None,
        quality: QualityReport,
        memory_limit: float | None = None,
    ) -> FeatureBlock:
        """Return what ``compute_features`` returns, to the bit; see there.

        The block is the caller's to change: nothing of it is shared with what is kept.
        """
        chosen = tuple(names) if names is not None else available_names(settings)
        name = self._name(series, settings, chosen)
        if name is not None:
            found = self._read(name, series, settings, chosen, quality, memory_limit)
            if found is not None:
                logger.info("features of %r are those of an earlier run", series.symbol)
                return found
        block = compute_features(
            series, settings=settings, names=chosen, quality=quality, memory_limit=memory_limit
        )
        if name is not None and self._store is not None:
            self._store.write(name, len(chosen), _arrays(block))
        return block

    def _name(
        self, series: TickSeries, settings: FeatureSettings, names: tuple[str, ...]
    ) -> str | None:
        """Return the name that the features are kept under; None where they are not."""
        if self._budget <= 0 or len(series) < LEAST_ROWS:
            return None
        for feature in settings.custom:
            if not is_wholly_told(feature.step):
                return None
            if step_digest(feature.step, feature.state) != feature.digest:
                return None
        if self._store is None:
            self._store = MatrixStore(self._budget)
        parts = (
            code_mark(),
            json.dumps(settings.to_dict(names), sort_keys=True),
            schema_hash(names, settings.custom_columns),
            self._fingerprint(series),
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _fingerprint(self, series: TickSeries) -> str:
        known = self._known.get(id(series))
        if known is None or known[0]() is not series:
            known = weakref.ref(series), series_fingerprint(series)
            self._known[id(series)] = known
        return known[1]

    def _read(
        self,
        name: str,
        series: TickSeries,
        settings: FeatureSettings,
        names: tuple[str, ...],
        quality: QualityReport,
        memory_limit: float | None,
    ) -> FeatureBlock | None:
        assert self._store is not None  # the name asked for it

        def allocate(rows: int) -> list[npt.NDArray[np.generic]]:
            values = allocate_values(rows, len(names), memory_limit=memory_limit)
            whole = allocate_beside(values, 4, np.int64)
            numbers = allocate_beside(values, 3, np.float64)
            return [values, *whole, *numbers, np.empty(rows, dtype=np.int8)]

        found = self._store.read(name, len(names), allocate)
        if found is None:
            return None
        values, timestamp, segment, history, row, mid, spread, close, verdict = found
        return FeatureBlock(
            symbol=series.symbol,
            names=names,
            values=values,
            timestamp=timestamp,
            mid=mid,
            spread=spread,
            close=close,
            segment=segment,
            history=history,
            verdict=verdict,
            row=row,
            bucket_s=settings.bucket_s,
            quality=quality,
            custom=tuple(one for one in settings.custom_columns if one.name in names),
        )


def _arrays(block: FeatureBlock) -> list[npt.NDArray[np.generic]]:
    """Return what is kept of a block, in the order in which it is read."""
    return [
        block.values,
        block.timestamp,
        block.segment,
        block.history,
        block.row,
        block.mid,
        block.spread,
        block.close,
        block.verdict,
    ]
