"""Which columns a training is asked for (``select``), and which ones it has to compute.

``select`` is None (every column that can be used; MAX_FEATURES caps them by grade), ``"auto"`` (by
grade, without repeats: ``training.graded_selection``) or a list of names (exactly these).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from alphaseeker.config import FeatureConfig
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.choice import choose_features
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.inputs import available_names
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.training.baselines import logistic_columns
from alphaseeker.training.resume import Resumed
from alphaseeker.training.selection import Selection

__all__ = [
    "AUTO",
    "Select",
    "check_select",
    "columns_for",
    "read_by_evaluation",
    "requested_columns",
]

AUTO = "auto"
Select = str | tuple[str, ...] | None

# FEATURE_CONFIG keys that choose columns: a list of names leaves them nothing to choose.
CHOOSING = ("families", "windows", "MAX_FEATURES")


def check_select(
    select: Any, custom: Sequence[CustomFeature] = (), resumed: Resumed | None = None
) -> Select:
    """Return ``select`` as "auto", None or a tuple of names, in the order of the catalogue.

    Parameters
    ----------
    select
        "auto", None, or names of features.
    custom
        Features of the user's own, whose columns may be named, too.
    resumed
        The model that the training goes on from. A refit chooses among its columns, and a warm
        start has no choice.

    Raises
    ------
    ConfigError
        It is something else, names a feature that does not exist or stands twice, or asks for what
        the model to go on from cannot give.
    """
    if resumed is not None and select is not None and resumed.start is not None:
        raise ConfigError(
            f"select is {select!r}, but a warm start keeps the columns that the old trees read; "
            "leave select out, or use resume_mode refit"
        )
    if select is None or (isinstance(select, str) and select == AUTO):
        return select
    names = () if isinstance(select, str) or not isinstance(select, Iterable) else tuple(select)
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"select is {select!r}; it must be 'auto', None or a list of feature names"
        )
    columns = tuple(column for feature in custom for column in feature.columns)
    try:
        choose_features(names, custom=columns)
    except ConfigError as error:
        raise ConfigError(f"select: {error}") from error
    known = choose_features(custom=columns)
    found = tuple(sorted(names, key=known.index))
    if resumed is not None:
        others = [name for name in found if name not in resumed.artifact.feature_names]
        if others:
            raise ConfigError(
                f"select names {', '.join(others)}, which the model to resume does not read: a "
                "refit chooses among its columns; train without resume"
            )
    return found


def columns_for(select: Select, settings: FeatureSettings) -> tuple[str, ...] | None:
    """Return the columns that a training computes; None for all that the data offer.

    Beside those of a list: what the baselines read, and the book, which the report compares with.

    Raises
    ------
    DataError
        The data do not offer a column of the list.
    """
    if select is None or isinstance(select, str):
        return None
    offered = available_names(settings)
    missing = [name for name in select if name not in offered]
    if missing:
        raise DataError(
            f"select names {', '.join(missing)}, which the data do not offer: depth needs columns "
            "such as bid_price_2, aggressor needs buy_volume and sell_volume; leave them out, or "
            "bring such data"
        )
    read = {*select, *logistic_columns(offered), *_book(offered)}
    return tuple(name for name in offered if name in read)


def read_by_evaluation(artifact: ModelArtifact, settings: FeatureSettings) -> tuple[str, ...]:
    """Return the columns of the model, of its baselines, and of the book.

    What else the training data had, the data at hand may lack.
    """
    logistic = artifact.training["baselines"]["logistic"] or {"features": ()}
    book = _book(available_names(settings))
    return tuple(dict.fromkeys((*artifact.feature_names, *logistic["features"], *book)))


def _book(names: Sequence[str]) -> list[str]:
    return [name for name in names if name.startswith("book.")]


def requested_columns(
    select: tuple[str, ...], names: Sequence[str], config: FeatureConfig
) -> Selection:
    """Return the columns of a list, and a sentence where a setting is passed over for it.

    Parameters
    ----------
    select
        Names.
    names
        Of all columns there are.
    config
        ``families``, ``windows`` and MAX_FEATURES have no effect beside a list.

    Raises
    ------
    DataError
        A name is not among ``names``.
    """
    place = {name: position for position, name in enumerate(names)}
    missing = [name for name in select if name not in place]
    if missing:
        raise DataError(f"select names {', '.join(missing)}, which is not among the columns")
    idle = [key for key in CHOOSING if getattr(config, key) != getattr(FeatureConfig(), key)]
    warning = f"{' and '.join(idle)} without effect: select names the features one by one"
    columns = sorted(place[name] for name in select)
    return Selection(
        columns=tuple(columns),
        names=tuple(names[column] for column in columns),
        warnings=(warning,) if idle else (),
    )
