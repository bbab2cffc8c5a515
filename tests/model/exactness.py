"""What every predictor must equal: LightGBM, on models of every shape and on the hardest rows.

``every_model()`` trains them once, ``hard_rows(model)`` gives rows for one of them, and
``assert_exact(predictor, model)`` compares a predictor with ``Booster.predict(raw_score=True)`` in
every way in that the protocol has. Raw scores must be equal bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import lightgbm
import numpy as np
from numba import njit

from alphaseeker.model.lightgbm_text import read_splits
from alphaseeker.model.predictor import call_predictor

__all__ = [
    "SPECIAL",
    "Model",
    "assert_exact",
    "edit_trees",
    "every_model",
    "hard_rows",
    "train",
]

ZERO = np.float32(1e-35)  # LightGBM takes what is no farther from zero for zero
LARGEST = np.finfo(np.float32).max
# The bits of these doubles end in as many ones as a float32 can give them.
ONES = np.nextafter(np.float32([2.0, 1.0, 0.5, 4096.0, 2.0**-100, 2.0**100]), np.float32(0.0))
NANS = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF], dtype=np.uint32)
SPECIAL = np.concatenate(
    [
        NANS.view(np.float32),
        np.float32([np.inf, -np.inf, LARGEST, -LARGEST, 0.0, -0.0]),
        np.float32([1e-45, -1e-45, 1.1e-38, -1.1e-38, 1e-36, -1e-36, 1.0, -1.0]),
        ZERO * np.float32([1, -1]),
        np.nextafter(ZERO * np.float32([1, 1, -1, -1]), np.float32([0, 1, 0, -1])),
        ONES,
        -ONES,
    ]
)
"""float32 values that predictors get wrong: NaN of four kinds, infinities, what is nearly zero."""

THREADS = 1
WALK_ROWS = 400
RANDOM_ROWS = 200
SINGLE_ROWS = 150


@dataclass(frozen=True)
class Model:
    """A text model of three classes.

    Attributes
    ----------
    name
        What is special about it.
    text
        LightGBM's text.
    """

    name: str
    text: str = field(repr=False)

    @cached_property
    def booster(self) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=self.text)

    @property
    def n_features(self) -> int:
        return int(self.booster.num_feature())

    def scores(self, rows):
        """Return LightGBM's raw scores, shape (n, 3)."""
        return self.booster.predict(rows, raw_score=True, num_threads=THREADS)


def train(
    name: str,
    *,
    rounds: int = 5,
    leaves: int = 15,
    n_features: int = 6,
    rows: int = 500,
    missing: float = 0.0,
    spoil: Callable[[np.ndarray, np.random.Generator], None] | None = None,
    classes: int = 3,
    categories: list[int] | str = "auto",
    seed: int = 0,
    **parameters: object,
) -> Model:
    """Train a model of three classes on random rows.

    Parameters
    ----------
    missing
        Share of missing values.
    spoil
        Changes the matrix, shape (rows, n_features) float32, before training.
    classes
        Classes that the labels have; the trees of the others are single leaves.
    categories
        Columns of categories, which alphaseeker refuses.
    """
    random = np.random.default_rng([seed, rounds, leaves, n_features])
    matrix = random.normal(size=(rows, n_features)).astype(np.float32)
    label = (matrix[:, 0] + random.normal(size=rows) > 0).astype(int)
    label += (matrix[:, -1] * matrix[:, n_features // 2] > 0.3).astype(int)
    label = np.minimum(label, classes - 1)
    matrix[random.random(matrix.shape) < missing] = np.nan
    if spoil is not None:
        spoil(matrix, random)
    settings = {
        "objective": "multiclass",
        "num_class": 3,
        "num_leaves": leaves,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 0.0,
        "verbose": -1,
        "num_threads": THREADS,
        "seed": seed,
        "deterministic": True,
        **parameters,
    }
    data = lightgbm.Dataset(matrix, label, categorical_feature=categories, params=settings)
    return Model(name, lightgbm.train(settings, data, rounds).model_to_string())


def edit_trees(model: Model, name: str, **edits: Callable[[list[str]], list[str]]) -> Model:
    """Return the model with items of its trees changed, by the key of their line."""
    head, *trees = model.text.split("Tree=")
    last, end, tail = trees[-1].partition("end of trees")
    blocks = []
    for block in [*trees[:-1], last]:
        lines = ("Tree=" + block).split("\n")
        for position, line in enumerate(lines):
            key, _, value = line.partition("=")
            if key in edits and value:
                lines[position] = f"{key}={' '.join(edits[key](value.split(' ')))}"
        blocks.append("\n".join(lines))
    sizes = " ".join(str(len(block)) for block in blocks)
    start, _, _ = head.partition("tree_sizes=")
    text = f"{start}tree_sizes={sizes}\n\n" + "".join(blocks) + end + tail
    return Model(name, text)


def _odd_thresholds(values: list[str]) -> list[str]:
    """Put thresholds where doubles and float32 part, and where LightGBM's zero begins and ends."""
    zero = float(ZERO)
    odd = [
        *(0.0, -0.0, zero, -zero, zero / 2, -zero / 2, 1e-300, -1e-300, 5e-324, 1e300, -1e300),
        *(float("inf"), float(np.nextafter(zero, 1)), float(np.nextafter(-zero, -1))),
        *(float(np.nextafter(1.0, 0)), float(np.nextafter(1.0, 2)), 1.0, 1 / 3, -1 / 3),
        *(float(np.nextafter(np.float64(LARGEST), np.inf)), float(LARGEST), -float(LARGEST)),
        *(3.5e38, -3.5e38, 1.4e-45, 7e-46, -7e-46),
    ]
    random = np.random.default_rng(len(values))
    return [
        format(random.choice(odd), ".17g") if random.random() < 0.7 else value for value in values
    ]


def _odd_decisions(values: list[str]) -> list[str]:
    """Send the missing left and right, or take them for zero, in the nodes of one column."""
    random = np.random.default_rng(len(values) + 1)
    return [str(random.choice([0, 2, 8, 10])) for _ in values]


def _constant(matrix, random):
    matrix[:, 1:-1:2] = 1.5


def _all_missing(matrix, random):
    matrix[:, 1] = np.nan


def _only_missing_or_one(matrix, random):
    matrix[:, 0] = np.where(random.random(len(matrix)) < 0.4, np.float32(np.nan), np.float32(7.0))


def _coarse(matrix, random):
    matrix[:] = np.rint(2 * matrix)


def _tiny(matrix, random):
    matrix *= np.float32(2e-35)


def _subnormal(matrix, random):
    matrix *= np.float32(1e-40)


def _huge(matrix, random):
    with np.errstate(over="ignore"):
        matrix *= np.float32(1e38)


def _infinite(matrix, random):
    matrix[random.random(matrix.shape) < 0.1] = np.inf
    matrix[random.random(matrix.shape) < 0.1] = -np.inf


def _zeros(matrix, random):
    matrix[random.random(matrix.shape) < 0.5] = 0.0


@lru_cache(maxsize=1)
def every_model() -> tuple[Model, ...]:
    """Return more than 50 models of different shapes; they are trained at the first call."""
    models = [
        train(f"{leaves} leaves, {share} missing", leaves=leaves, missing=share, rounds=4)
        for leaves in (2, 3, 5, 8, 16, 31, 32, 33, 63, 64)
        for share in (0.0, 0.2)
    ]
    models += [
        train(f"depth {depth}", leaves=64, max_depth=depth, missing=0.1, rounds=5)
        for depth in (1, 2, 3, 6, 10)
    ]
    spoils = (_constant, _all_missing, _only_missing_or_one, _coarse, _tiny, _subnormal)
    for spoil in (*spoils, _huge, _infinite, _zeros):
        name = spoil.__name__.strip("_").replace("_", " ")
        models.append(train(name, spoil=spoil))
        models.append(train(f"{name}, with missing values", spoil=spoil, missing=0.15, leaves=31))
    models += [
        train("one round", rounds=1),
        train("one leaf everywhere", min_data_in_leaf=400, rounds=3),
        train("two classes seen", classes=2, rounds=10),
        train("one class seen", classes=1, rounds=2),
        train("a single column", n_features=1, missing=0.1, leaves=64, rounds=20),
        train("sixty columns", n_features=60, missing=0.05, rounds=20, leaves=31),
        train("bagging", rounds=20, bagging_fraction=0.5, bagging_freq=1, feature_fraction=0.5),
        train("goss", rounds=20, data_sample_strategy="goss"),
        train("dart", rounds=15, boosting="dart", missing=0.1),
        train("extra trees", rounds=20, extra_trees=True, missing=0.1),
        train("one against all", objective="multiclassova", rounds=10),
        train("no use of missing", use_missing=False, missing=0.2),
        train("few bins", max_bin=4, rounds=30, leaves=31),
        train("regularised", lambda_l2=3.0, path_smooth=2.0, rounds=10, missing=0.1),
        train("300 trees", rounds=100, leaves=31, n_features=20, rows=1500, missing=0.02),
        train("900 trees", rounds=300, leaves=15, n_features=20, rows=800, missing=0.02),
        train("900 trees of 2 leaves", rounds=300, leaves=2),
        train("150 trees of 64 leaves", rounds=50, leaves=64, n_features=30, rows=2000),
    ]
    base = train("edited", rounds=12, leaves=31, missing=0.1)
    plain = train("edited", rounds=12, leaves=64)
    for number, model in enumerate((base, plain)):
        for name, edits in {
            "odd thresholds": {"threshold": _odd_thresholds},
            "odd decisions": {"decision_type": _odd_decisions},
            "both odd": {"threshold": _odd_thresholds, "decision_type": _odd_decisions},
        }.items():
            models.append(edit_trees(model, f"{name} {number}", **edits))
    assert len({model.name for model in models}) == len(models) >= 50
    return tuple(models)


def _near_values(model: Model) -> list[np.ndarray]:
    """Return for each column its thresholds, their two float32 neighbours, and special values."""
    columns: list[list[float]] = [[] for _ in range(model.n_features)]
    for column, threshold in read_splits(model.text):
        columns[column].append(threshold)
    near = []
    for thresholds in columns:
        at = np.clip(np.unique(thresholds), -float(LARGEST), float(LARGEST)).astype(np.float32)
        with np.errstate(over="ignore"):
            below, above = np.nextafter([at, at], np.float32([[-np.inf], [np.inf]]))
        near.append(np.concatenate([at, below, above, SPECIAL]))
    return near


def hard_rows(model: Model, seed: int = 0) -> np.ndarray:
    """Return float32 rows on which a predictor goes wrong if it can.

    Every threshold of the model and its two float32 neighbours, every special value in every
    column, random rows, and a walk on which few columns change from one row to the next.
    """
    random = np.random.default_rng(seed)
    near = _near_values(model)
    count = max(values.size for values in near)
    # Each column's values in an order of their own: a row is a mixture.
    mixed = np.stack([np.resize(random.permutation(values), count) for values in near], axis=1)
    plain = random.normal(size=(RANDOM_ROWS, model.n_features)).astype(np.float32)
    plain[random.random(plain.shape) < 0.05] = np.nan
    few = mixed[random.integers(0, count, RANDOM_ROWS)]
    some = np.where(random.random(few.shape) < 0.2, few, plain)
    walk = np.empty((WALK_ROWS, model.n_features), dtype=np.float32)
    walk[0] = plain[0]
    for row in range(1, WALK_ROWS):
        walk[row] = walk[row - 1]
        for column in range(model.n_features):
            draw = random.random()
            if draw < 0.10:
                with np.errstate(invalid="ignore", over="ignore"):
                    walk[row, column] += np.float32(random.normal() * 0.1)
            elif draw < 0.13:
                walk[row, column] = random.choice(near[column])
            elif draw < 0.15:
                walk[row, column] = np.float32(random.normal())
    return np.concatenate([mixed, plain, some, walk])


@njit
def _replay(entry, context, features, scores, rows, fresh, out, told):
    for row in range(len(rows)):
        features[:] = rows[row]
        told[row] = call_predictor(entry, (context, fresh))
        out[row] = scores


def assert_same(given, wanted, rows, what):
    """Fail, with the first row, where scores differ in any bit."""
    given, wanted = np.ascontiguousarray(given), np.ascontiguousarray(wanted)
    assert given.dtype == wanted.dtype == np.float64
    assert given.shape == wanted.shape
    wrong = np.flatnonzero((given.view(np.int64) != wanted.view(np.int64)).any(axis=1))
    if wrong.size:
        first = wrong[0]
        flips = int((given.argmax(axis=1) != wanted.argmax(axis=1)).sum())
        raise AssertionError(
            f"{what}: {wrong.size} of {len(rows)} rows differ, {flips} change the class; row"
            f" {first} gives {given[first]}, LightGBM {wanted[first]}, features {rows[first]}"
        )


def assert_exact(predictor, model: Model, rows: np.ndarray | None = None) -> None:
    """Compare a predictor with LightGBM in every way in: matrix, row, bound, by its entry.

    Parameters
    ----------
    predictor
        Of the text of ``model``.
    rows
        Shape (n, k) float32; ``hard_rows(model)`` by default.
    """
    rows = hard_rows(model) if rows is None else rows
    wanted = model.scores(rows)
    assert_same(predictor.predict_matrix(rows), wanted, rows, f"{model.name}, matrix")
    single = np.linspace(0, len(rows) - 1, min(SINGLE_ROWS, len(rows))).astype(int)
    out = np.full((len(single), 3), 7.0)
    for row, target in zip(single, out, strict=True):
        predictor.predict_row(rows[row], target)
    assert_same(out, wanted[single], rows[single], f"{model.name}, row")
    features, scores = np.zeros(model.n_features, np.float32), np.full(3, 7.0)
    bound = predictor.bind(features, scores)
    for row, target in zip(single, out, strict=True):
        features[:] = rows[row]
        bound()
        target[:] = scores
    assert_same(out, wanted[single], rows[single], f"{model.name}, bound")
    for fresh in (0, 1):
        out, told = np.full((len(rows), 3), 7.0), np.full(len(rows), -9)
        bound = predictor.bind(features, scores)
        _replay(bound.entry, bound.context, features, scores, rows, fresh, out, told)
        assert_same(out, wanted, rows, f"{model.name}, entry, fresh {fresh}")
        assert set(told.tolist()) <= ({1} if fresh else {0, 1})
