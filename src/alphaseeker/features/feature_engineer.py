"""The public face of the features: a scikit-learn transformer, and streams with its settings.

scikit-learn is not needed to use it: cloning, pipelines, parameter search and ``set_output`` go by
methods, which are here, and its own types are imported where it asks for them.
"""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config, load_config
from alphaseeker.errors import ConfigError, DataError, StateError
from alphaseeker.features.batch import column_indices, mended_series, step_through
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.choice import Grades, choose_features
from alphaseeker.features.containers import CONTAINERS, SourceRows, TickRows, read_rows, wrap
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.custom_runner import custom_runner
from alphaseeker.features.declaration import Feature
from alphaseeker.features.documentation import features_table
from alphaseeker.features.frame_feature import FrameFeature, frame_of
from alphaseeker.features.inputs import available_names
from alphaseeker.features.settings import fit_settings
from alphaseeker.features.stream import FeatureStream
from alphaseeker.market.gate import Verdict
from alphaseeker.market.quality import judge_series
from alphaseeker.market.schema import TickSeries

__all__ = ["MicrostructureFeatureEngineer"]

logger = logging.getLogger(__name__)

REPEATED = int(Verdict.REPEATED)
TOLD_SHARE = 0.01  # of the rows: more of them without features are told in the log

Own = TypeVar("Own", CustomFeature, FrameFeature)


class MicrostructureFeatureEngineer:
    """Features of order-book ticks, in batch and as a stream, by one and the same step.

    ``fit`` reads off the accepted rows of the training data what the columns need to know: tick
    size, bucket length, table of the micro-price, levels of depth and their weights, and whether
    the aggressor's side is there. ``transform`` computes the columns.

    Parameters
    ----------
    features
        Names of the columns, in the order wanted; by default all that the training data offers
        (the catalogue, without depth or the aggressor's side where it has none), then ``custom``.
    families, windows
        Keep the columns of these families and of these windows (in seconds; columns without a
        window in their name stay).
    grades, min_grade
        Keep the columns that ``grades`` (a grade by name, or the ``factor_results`` of
        ``evaluate_factors``) gives ``min_grade`` or better.
    bucket_s
        Length of a bucket, 1 to 900 seconds, or "auto": the cadence of the data.
    tick_size
        Smallest price step, or "auto": inferred from the data.
    max_gap_s
        A longer gap between accepted ticks begins the features anew.
    max_jump
        Largest relative change of the mid between ticks that needs no confirmation.
    round_trip_notional
        Size of the round trip in ``depth.round_trip_cost``, in quote currency, above 0.
    price_col
        The column read as ``close``.
    custom
        Features of the user's own: what ``alphaseeker.custom_feature`` made of steps, and what
        ``alphaseeker.frame_feature`` made of functions of a frame, which no stream can compute.

    Attributes
    ----------
    settings_
        ``FeatureSettings``, once fitted.

    Examples
    --------
    >>> engineer = MicrostructureFeatureEngineer(families=["book", "flow"], windows=[5, 60])
    >>> frame = engineer.fit_transform(train)  # doctest: +SKIP
    >>> stream = engineer.stream("BTCUSDT")  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        features: Sequence[str] | None = None,
        families: Sequence[str] | None = None,
        windows: Sequence[int] | None = None,
        grades: Grades | None = None,
        min_grade: str = "B",
        bucket_s: float | str = "auto",
        tick_size: float | str = "auto",
        max_gap_s: float = 900.0,
        max_jump: float = 0.2,
        round_trip_notional: float = 10_000.0,
        price_col: str = "close",
        custom: Sequence[CustomFeature | FrameFeature] = (),
    ) -> None:
        # As scikit-learn wants it: parameters are kept as given and checked in fit.
        self.features = features
        self.families = families
        self.windows = windows
        self.grades = grades
        self.min_grade = min_grade
        self.bucket_s = bucket_s
        self.tick_size = tick_size
        self.max_gap_s = max_gap_s
        self.max_jump = max_jump
        self.round_trip_notional = round_trip_notional
        self.price_col = price_col
        self.custom = custom

    def __repr__(self) -> str:
        given = [(name, getattr(self, name)) for name in PARAMETERS]
        changed = [f"{n}={value!r}" for n, value in given if value is not PARAMETERS[n].default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; ``deep`` changes nothing, none is an estimator."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def set_params(self, **parameters: Any) -> MicrostructureFeatureEngineer:
        """Change parameters: the choice of columns holds at once, the rest from the next ``fit``.

        Raises
        ------
        ConfigError
            An unknown name.
        """
        for name in parameters:
            if name not in PARAMETERS:
                nearest = difflib.get_close_matches(name, PARAMETERS, n=1, cutoff=0.0)[0]
                raise ConfigError(f"unknown parameter {name!r}; the nearest one is {nearest!r}")
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def fit(self, X: TickRows, y: object = None) -> MicrostructureFeatureEngineer:
        """Fit the settings to the accepted rows of ``X``, which must be training data only.

        Parameters
        ----------
        X
            A frame, a path, a glob, a directory, or a list of ``TickSeries``.
        y
            Ignored.

        Raises
        ------
        ConfigError
            A parameter is out of its range or names what is not in the catalogue.
        DataError
            ``X`` cannot be read, or the quality gate accepts none of its rows.
        """
        self._check()
        self.settings_ = self._fitted(read_rows(X, price_col=self.price_col).series)
        return self

    def transform(self, X: TickRows) -> Any:
        """Compute the features of every row of ``X``.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or numpy.ndarray
            Shape (n, k), float32: a frame like ``X`` with its index, an array for other sources,
            or what ``set_output`` asked for. One row per row of ``X``, in its order; of several
            files or series, one series after another as ``read_ticks`` gives them. Rows that the
            quality gate did not accept are NaN throughout.

        Raises
        ------
        StateError
            Not fitted.
        DataError
            ``X`` cannot be read.
        """
        settings = self._settings()
        return self._transformed(read_rows(X, price_col=self.price_col), settings)

    def fit_transform(self, X: TickRows, y: object = None) -> Any:
        """Do ``fit(X)`` and ``transform(X)``, reading ``X`` once."""
        self._check()
        rows = read_rows(X, price_col=self.price_col)
        self.settings_ = self._fitted(rows.series)
        return self._transformed(rows, self.settings_)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[Any]:
        """Return the k column names, dtype object; ``input_features`` does not matter to them."""
        return np.array(self._names(), dtype=object)

    def features_table(self) -> list[dict[str, Any]]:
        """Return a row per column: name, family, unit, window_s, history_s, formula, source."""
        return features_table(self._names(), self._own_columns())

    def set_output(self, *, transform: str | None = None) -> MicrostructureFeatureEngineer:
        """Choose what ``transform`` returns.

        "pandas", "polars", "default" (a frame like the input, or an array), or None: as it is.

        Raises
        ------
        ConfigError
            Another word.
        """
        if transform is not None:
            if transform not in CONTAINERS:
                raise ConfigError(f"transform is {transform!r}; it must be one of {CONTAINERS}")
            # Under this name sklearn.base.clone takes it along.
            self._sklearn_output_config = {"transform": transform}
        return self

    def stream(self, symbol: str = "") -> FeatureStream:
        """Return a fresh stream of one symbol with the fitted settings.

        Raises
        ------
        ConfigError
            A column is a frame feature, which has no streaming form.
        StateError
            Not fitted.
        """
        names = self._names()
        for feature in self._own(FrameFeature):
            if feature.columns[0].name in names:
                raise ConfigError(
                    f"{feature.name!r} is a frame feature, which has no streaming form; choose "
                    "other columns, or write it as a step that custom_feature decorates"
                )
        return FeatureStream(symbol, names, self._settings())

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "settings_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(allow_nan=True, string=True),
        )

    def _names(self) -> tuple[str, ...]:
        own = self._own_columns()
        names = choose_features(
            self.features,
            families=self.families,
            windows=self.windows,
            grades=self.grades,
            min_grade=self.min_grade,
            custom=own,
        )
        if self.features is not None or not self.__sklearn_is_fitted__():
            return names
        # What the training data cannot offer goes, unless the user names a family of such alone:
        # transform then says what is missing.
        offered = {*available_names(self.settings_), *(column.name for column in own)}
        left = {name.partition(".")[0] for name in names if name in offered}
        named = {*(self.families or ())} - left
        return tuple(n for n in names if n in offered or n.partition(".")[0] in named)

    def _own(self, kind: type[Own]) -> tuple[Own, ...]:
        return tuple(feature for feature in self.custom or () if isinstance(feature, kind))

    def _own_columns(self) -> tuple[Feature, ...]:
        """Check ``custom`` and return the declarations of its columns."""
        steps, frames = self._own(CustomFeature), self._own(FrameFeature)
        for feature in self.custom or ():
            if feature not in steps and feature not in frames:
                raise ConfigError(
                    f"custom holds {feature!r}; it must hold what alphaseeker.custom_feature or "
                    "alphaseeker.frame_feature made of a function"
                )
        columns = FeatureSettings(custom=steps).custom_columns
        for frame in frames:
            columns = (*columns, *frame.columns)
        if len({column.name for column in columns}) < len(columns):
            raise ConfigError(
                f"two of the custom features {[one.name for one in self.custom]} have a column of "
                "one name; rename one of them"
            )
        return columns

    def _config(self) -> Config:
        keys = {
            "BUCKET_S": self.bucket_s,
            "MAX_GAP_S": self.max_gap_s,
            "MAX_JUMP": self.max_jump,
            "ROUND_TRIP_NOTIONAL": self.round_trip_notional,
        }
        return load_config(None, keys)

    def _check(self) -> None:
        """Check the parameters before any data is read."""
        self._names()
        for step in self._own(CustomFeature):
            step.check()
        self._config()
        if self.tick_size != "auto":
            FeatureSettings(tick_size=self.tick_size)  # type: ignore[arg-type]

    def _fitted(self, series: Sequence[TickSeries]) -> FeatureSettings:
        given = None if isinstance(self.tick_size, str) else float(self.tick_size)
        config = self._config()
        accepted = [self._accepted(one, config) for one in series]
        if not any(len(one) for one in accepted):
            rows = sum(len(one) for one in series)
            raise DataError(
                f"the quality gate accepts none of {rows} rows, so that nothing can be fitted to "
                "them; `alphaseeker doctor` says what is wrong with each"
            )
        settings = fit_settings(accepted, config, tick_size=given)
        return replace(settings, custom=self._own(CustomFeature))

    def _accepted(self, series: TickSeries, config: Config) -> TickSeries:
        """Return the rows that the gate accepts, depth mended, as training fits to them."""
        series = mended_series(series)
        limits = config.inference
        verdicts, _ = judge_series(series, max_gap_s=limits.MAX_GAP_S, max_jump=limits.MAX_JUMP)
        kept = (verdicts >= 0) & (verdicts < REPEATED)
        return series if kept.all() else series.chosen(kept)

    def _settings(self) -> FeatureSettings:
        if not self.__sklearn_is_fitted__():
            raise StateError(
                f"this {type(self).__name__} is not fitted; call fit with the training data first"
            )
        steps = self._own(CustomFeature)
        same = steps == self.settings_.custom
        return self.settings_ if same else replace(self.settings_, custom=steps)

    def _transformed(self, rows: SourceRows, settings: FeatureSettings) -> Any:
        names = self._names()
        parts = [self._values(series, names, settings) for series in rows.series]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if rows.order is not None:
            values = values[rows.order]
        wanted = getattr(self, "_sklearn_output_config", {"transform": "default"})["transform"]
        return wrap(values, names, wanted=wanted, rows=rows)

    def _values(
        self, series: TickSeries, names: tuple[str, ...], settings: FeatureSettings
    ) -> npt.NDArray[np.float32]:
        """Return the columns for every row of one symbol, shape (n, k)."""
        values, verdicts, segments, _, mids = step_through(
            series,
            settings,
            column_indices(names, self._own_columns()),
            custom_runner(names, settings),
        )
        kept = (verdicts >= 0) & (verdicts < REPEATED)
        if np.count_nonzero(~kept) > TOLD_SHARE * len(series):
            _tell(series.symbol, verdicts[~kept], len(series))
        frames = [one for one in self._own(FrameFeature) if one.columns[0].name in names]
        if frames:
            frame = frame_of(series, kept, segments, mids)
            for feature in frames:
                values[kept, names.index(feature.columns[0].name)] = feature.values(frame.copy())
        return values


def _tell(symbol: str, verdicts: npt.NDArray[np.int8], rows: int) -> None:
    """Log how many rows have no features, and why."""
    codes, counts = np.unique(verdicts, return_counts=True)
    why = ", ".join(f"{Verdict(code).name} {n}" for code, n in zip(codes, counts, strict=True))
    logger.warning(
        "%d of %d rows%s are NaN, which the quality gate did not accept: %s; `alphaseeker doctor` "
        "says more",
        len(verdicts),
        rows,
        f" of {symbol!r}" if symbol else "",
        why,
    )


# Name to inspect.Parameter, self left out.
PARAMETERS = inspect.signature(MicrostructureFeatureEngineer).parameters
