"""Leak checks on a user's own data and custom features, with the model that was trained on them.

``find_leaks`` asks five questions; each has its module or its function here:

- prefix invariance: does a column change when later rows are cut off? (``prefix_invariance``)
- alignment: are trades and quotes of one time? (``alignment``)
- hindsight: does a column know the next row, or where the label ends? (``hindsight``)
- unrelated labels: does the whole pipeline find skill in labels that have nothing to do with the
  columns? Returns are moved a third of the data on, so that labels still overlap and prices still
  trend as they did; what skill is left comes from a test part that overlaps the training part.
- reported figures: are the model's own results too good to be true? (``verdict.suspicions``)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config
from alphaseeker.errors import ConfigError, DataError
from alphaseeker.features.block import FeatureBlock, FeatureSettings
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.frame_feature import FrameFeature
from alphaseeker.features.inputs import available_names
from alphaseeker.features.matrix_cache import MatrixCache
from alphaseeker.features.matrix_file import release
from alphaseeker.features.settings import settings_from_plain
from alphaseeker.model.artifact import ModelArtifact
from alphaseeker.training.alignment import check_alignment
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.hindsight import CHECK as HINDSIGHT
from alphaseeker.training.hindsight import Outlook, check_columns, outlook
from alphaseeker.training.leak_finding import Finding, drawn_correlations
from alphaseeker.training.metrics import symbol_rank_correlation, symbol_ranks
from alphaseeker.training.pipeline import train_on_blocks
from alphaseeker.training.prefix_invariance import accepted_frame, check_prefixes, frame_values
from alphaseeker.training.run import MB, Judged, blocks_of, judge_source
from alphaseeker.training.target import Target, target_from_dict
from alphaseeker.training.verdict import suspicions

__all__ = [
    "Finding",
    "check_label_price",
    "check_reported",
    "check_unrelated_labels",
    "find_leaks",
    "returns_moved",
]

# A small model shows an overlap as well as a large one, if nothing holds it back from learning rows
# by heart: there is nothing else to be learnt.
QUICK_ROUNDS = 40
QUICK = {
    "early_stopping_rounds": 10,
    "SEARCH_MINUTES": 0.0,
    "FOLDS": 1,
    "FOLD_SCHEME": "walk_forward",
    "REFIT": False,
    "label_weight": None,
    "lambda_l2": 1.0,
    "min_gain_to_split": 0.0,
    "linear_part": False,
}
MOVES = (1 / 3, 2 / 3)  # of the rows

STALE_IC = 0.2
STALE_TIMES = 2.0

CLOSE_GAP = "close / mid"


def find_leaks(
    artifact: ModelArtifact,
    data: Any,
    config: Config,
    *,
    price_col: str | None = None,
    custom: Sequence[CustomFeature | FrameFeature] = (),
) -> list[Finding]:
    """Look for leaks in ``data`` and in the columns that a model reads.

    Parameters
    ----------
    artifact
        The model: its columns, the fitted settings of its features, its target.
    data
        Path, glob, directory or frame; best what the model was trained on.
    config
        Splits, costs and gate limits.
    price_col
        Column read as ``close``; that of the training by default.
    custom
        Features of the user's own: those that the model reads, and any others to be checked,
        features of whole frames among them.

    Returns
    -------
    list of Finding
        Each check gives one that passed or was not judged, or one for each leak that it found.

    Raises
    ------
    DataError
        The data cannot be read, is too bad, or lacks what the columns read.
    ModelError
        A custom feature of the model is absent or defined otherwise.
    ConfigError
        ``custom`` holds something else than features.
    """
    steps, frames = _sorted(custom)
    judged = judge_source(data, config, price_col=price_col or _price_col(artifact))
    settings = _with_all(settings_from_plain(artifact.settings, steps), steps)
    own = [column.name for column in settings.custom_columns]
    read = tuple(dict.fromkeys((*artifact.feature_names, *own)))
    book = [name for name in available_names(settings) if name.startswith("book.")]
    target = target_from_dict(artifact.target)

    ticks = [one.ticks[kept] for one, kept in zip(judged.series, judged.accepted, strict=True)]
    symbols = [one.symbol for one in judged.series]
    blocks = blocks_of(
        judged,
        settings,
        names=tuple(dict.fromkeys((*read, *book))),
        memory_limit=config.data.MATRIX_MEMORY_MB * MB,
        cache=MatrixCache(config.inference),
    )
    return [
        *check_prefixes(judged.series, settings, read, frames),
        *check_alignment(symbols, ticks, bucket_s=settings.bucket_s),
        *_check_hindsight(judged, settings, blocks, frames, target),
        *check_unrelated_labels(blocks, _as_trained(config, target)),
        *check_reported(artifact, blocks),
    ]


def _as_trained(config: Config, target: Target) -> Config:
    """Return the settings with the model's target, and all columns of the blocks."""
    return config.override(
        {
            "KIND": target.kind,
            "HORIZON_S": target.horizon_s,
            "LABEL_PRICE": target.label_price,
            "families": "all",
            "windows": "all",
        }
    )


def _price_col(artifact: ModelArtifact) -> str:
    return str(artifact.training.get("price_col", "close"))


def _sorted(
    custom: Sequence[CustomFeature | FrameFeature],
) -> tuple[list[CustomFeature], list[FrameFeature]]:
    steps = [one for one in custom if isinstance(one, CustomFeature)]
    frames = [one for one in custom if isinstance(one, FrameFeature)]
    if len(steps) + len(frames) < len(custom):
        raise ConfigError(
            f"custom holds {list(custom)!r}; it must hold what alphaseeker.custom_feature or "
            "alphaseeker.frame_feature made of a function"
        )
    return steps, frames


def _with_all(settings: FeatureSettings, steps: Sequence[CustomFeature]) -> FeatureSettings:
    """Return the model's settings with the custom features that it does not read as well."""
    known = {one.name for one in settings.custom}
    return replace(
        settings, custom=(*settings.custom, *(one for one in steps if one.name not in known))
    )


# ---- hindsight -----------------------------------------------------------------------------------


def _check_hindsight(
    judged: Judged,
    settings: FeatureSettings,
    blocks: Sequence[FeatureBlock],
    frames: Sequence[FrameFeature],
    target: Target,
) -> list[Finding]:
    ahead = outlook(blocks, target.horizon_ns)
    if ahead is None:
        return [
            Finding(
                check=HINDSIGHT,
                passed=True,
                sentence=(
                    "not judged: the data has fewer than 20 blocks of five horizons "
                    f"({5 * target.horizon_s:g} s), or fewer than 1,000 rows with a return"
                ),
                judged=False,
            )
        ]
    own = [one.columns[0].name for one in frames]

    def columns() -> Iterator[npt.NDArray[np.float32]]:
        for place in range(len(blocks[0].names)):
            yield _column(blocks, place)
        gap = np.concatenate([np.log(block.close / block.mid) for block in blocks])
        yield gap.astype(np.float32)
        if frames:
            parts = [
                frame_values(accepted_frame(one, settings)[0], frames) for one in judged.series
            ]
            yield from np.concatenate(parts).T

    names = (*blocks[0].names, CLOSE_GAP, *own)
    found = check_columns(names, columns(), ahead, horizon_s=target.horizon_s)
    stale = check_label_price(blocks, ahead, target)
    return found if stale is None else [*(one for one in found if not one.passed), stale]


def check_label_price(
    blocks: Sequence[FeatureBlock], ahead: Outlook, target: Target
) -> Finding | None:
    """Accuse labels made of last prices that were old already when the label began.

    What the mid has done since the last trade is known, and a label that begins at that trade
    still has it before it. No one can trade at that price any more.
    """
    if target.label_price != "close":
        return None
    rows = join_blocks(blocks, target)
    label = rows.forward_return[ahead.chosen]
    gap = np.concatenate([np.log(block.mid / block.close) for block in blocks])[ahead.chosen]
    known = np.isfinite(label) & np.isfinite(gap)
    symbol = ahead.symbol[known]
    left = symbol_ranks(gap[known], symbol)
    rights = [symbol_ranks(label[known], symbol), ahead.stretches["whole"][known]]
    point, _ = drawn_correlations(left, rights, ahead.cell[known])
    of_label, of_mid = point.tolist()
    if of_label < STALE_IC or of_label < STALE_TIMES * abs(of_mid):
        return None
    return Finding(
        check=HINDSIGHT,
        passed=False,
        sentence=(
            "the label begins at a last price that is old: how far the mid has moved since has an "
            f"IC of {of_label:+.3f} with the label, and {of_mid:+.3f} with what the mid does next; "
            "set LABEL_PRICE to mid"
        ),
        figures={"column": "close", "ic label": of_label, "ic mid": of_mid},
    )


# ---- labels that have nothing to do with the columns ---------------------------------------------


def check_unrelated_labels(blocks: Sequence[FeatureBlock], config: Config) -> list[Finding]:
    """Train quickly on prices that were moved a third of the data on, and expect no edge.

    One false alarm is due to chance; a leak shows at both moves.
    """
    rounds = min(config.model.num_boost_round, QUICK_ROUNDS)
    quick = config.override({**QUICK, "num_boost_round": rounds})
    check = "unrelated labels"
    cards = []
    for share in MOVES:
        moved = [returns_moved(block, round(share * len(block))) for block in blocks]
        try:
            card = train_on_blocks(moved, quick).results["evaluation_results"]
        except DataError as error:
            sentence = f"not judged: {error}"
            return [Finding(check=check, passed=True, judged=False, sentence=sentence)]
        cards.append(card)
        if card["verdict"] == "no edge":
            break
    last = cards[-1]
    figures = {name: last[name] for name in ("log_loss_skill", "ic", "ic_pooled", "n_blocks")}
    shown = f"skill {last['log_loss_skill']:+.5f} nats, IC {last['ic']:+.4f}"
    if last["verdict"] == "no edge":
        sentence = f"prices moved against the columns leave no edge ({shown})"
        return [Finding(check=check, passed=True, sentence=sentence, figures=figures)]
    sentence = (
        f"prices moved against the columns still leave an edge ({shown}): the test part overlaps "
        "the training part; look for rows that stand twice under different times or symbols, and "
        "raise EMBARGO_S"
    )
    return [Finding(check=check, passed=False, sentence=sentence, figures=figures)]


def returns_moved(block: FeatureBlock, rows: int) -> FeatureBlock:
    """Return the block with its price path moved on by ``rows`` rows, the end before the start.

    The path keeps its steps in their order, so that returns cluster and labels overlap as they
    did. Steps between segments count as none.
    """
    if len(block) == 0:
        return block
    steps = np.diff(np.log(block.mid), prepend=np.log(block.mid[0]))
    steps[1:][np.diff(block.segment) != 0] = 0.0
    path = np.cumsum(np.roll(steps, rows))
    mid = block.mid[0] * np.exp(path - path[0])
    gap = np.roll(block.close / block.mid, rows)
    return replace(block, mid=mid, close=mid * gap)


# ---- what the model's training reported ----------------------------------------------------------


def check_reported(artifact: ModelArtifact, blocks: Sequence[FeatureBlock]) -> list[Finding]:
    """Accuse results of the model's own evaluation that are suspect on sight."""
    check = "reported figures"
    target = target_from_dict(artifact.target)
    card = artifact.metrics
    absent = [name for name in ("ic", "auc", "macro_f1") if name not in card]
    if absent:
        sentence = f"not judged: the model's evaluation holds no {', '.join(absent)}"
        return [Finding(check=check, passed=True, judged=False, sentence=sentence)]
    rows = join_blocks(blocks, target)
    usable = np.flatnonzero(rows.usable)
    best: tuple[str, float] | None = None
    for place, name in enumerate(blocks[0].names):
        if not name.startswith("book."):
            continue
        values = _column(blocks, place)[usable]
        ic = abs(_known_correlation(values, rows.forward_return[usable], rows.symbol[usable]))
        if best is None or ic > best[1]:
            best = (name, ic)
    figures = {name: float(card[name]) for name in ("ic", "auc", "macro_f1")}
    found = suspicions(card, horizon_s=target.horizon_s, best_book=best)
    if not found:
        sentence = (
            f"nothing is suspect on sight: IC {card['ic']:+.3f}, AUC {card['auc']:.3f}, macro-F1 "
            f"{card['macro_f1']:.3f}"
        )
        return [Finding(check=check, passed=True, sentence=sentence, figures=figures)]
    return [
        Finding(check=check, passed=False, sentence=sentence, figures=figures) for sentence in found
    ]


def _column(blocks: Sequence[FeatureBlock], place: int) -> npt.NDArray[np.float32]:
    """Return a column of all blocks, and give back the memory that it was read through."""
    values = np.concatenate([block.values[:, place] for block in blocks])
    for block in blocks:
        release(block.values)
    return values


def _known_correlation(
    values: npt.NDArray[np.float32],
    outcome: npt.NDArray[np.float64],
    symbol: npt.NDArray[np.int64],
) -> float:
    finite = np.isfinite(values)
    if not finite.any():
        return 0.0
    return symbol_rank_correlation(
        values[finite].astype(np.float64), outcome[finite], symbol[finite]
    )
