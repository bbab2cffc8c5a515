"""Trees written as LightGBM's text: step functions of one column, put before a scaled model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alphaseeker.model.joined_text import join_models
from alphaseeker.training.direction import Steps

__all__ = ["blended_text"]

SEPARATOR = "\n\n\n"  # ends the block of a tree
# Numeric, missing values are NaN; they go right, or left.
NAN_RIGHT, NAN_LEFT = 8, 10
# Curvature of the softmax loss of three classes, as LightGBM takes it, where all are as likely.
CURVATURE = 1.5 * (1.0 / 3.0) * (2.0 / 3.0)


def blended_text(text: str, names: Sequence[str], steps: Sequence[Steps], *, trees: float) -> str:
    """Return a model that adds the steps to ``trees`` times the model ``text``.

    Each step function becomes one round of three trees: minus for SELL, nothing for HOLD, plus for
    BUY. LightGBM reads the result and writes it again, so that it is LightGBM's text.

    Parameters
    ----------
    text
        A model of three classes.
    names
        Its columns, in order.
    steps
        Their values are what they add as they stand.
    trees
        Factor of every leaf of ``text``; at 0 its trees are left out.
    """
    import lightgbm

    rounds: list[str] = []
    for one in steps:
        column = list(names).index(one.name)
        rounds += [_step_tree(one, column, -1.0), _flat_tree(), _step_tree(one, column, 1.0)]
    parts = [_with_trees(text, rounds)] if rounds else []
    if trees != 0.0:
        parts.append(_with_trees(text, [_scaled(block, trees) for block in _blocks(text)]))
    joined = join_models(*parts) if len(parts) == 2 else parts[0]
    return str(lightgbm.Booster(model_str=joined).model_to_string())


def _blocks(text: str) -> list[str]:
    """Return the lines of each tree but the first, which numbers it."""
    body = text.partition("\n\n")[2].partition("end of trees")[0]
    return [block.partition("\n")[2] for block in body.split(SEPARATOR) if block.strip()]


def _with_trees(text: str, blocks: Sequence[str]) -> str:
    """Return the model with these trees in the place of its own."""
    head = text.partition("\n\n")[0].split("\n")
    trees = [f"Tree={number}\n{block}{SEPARATOR}" for number, block in enumerate(blocks)]
    sizes = " ".join(str(len(tree)) for tree in trees)
    lines = [f"tree_sizes={sizes}" if line.startswith("tree_sizes=") else line for line in head]
    return "\n".join(lines) + "\n\n" + "".join(trees) + text[text.index("end of trees") :]


def _scaled(block: str, factor: float) -> str:
    lines = []
    for line in block.split("\n"):
        key, _, value = line.partition("=")
        if key in ("leaf_value", "internal_value", "shrinkage") and value:
            value = _listed([factor * float(item) for item in value.split(" ")])
        lines.append(f"{key}={value}")
    return "\n".join(lines)


def _listed(numbers: Sequence[float] | npt.NDArray[np.float64]) -> str:
    return " ".join(f"{float(number):.17g}" for number in numbers)


def _whole(numbers: Sequence[int] | npt.NDArray[np.int64]) -> str:
    return " ".join(str(int(number)) for number in numbers)


def _tree(leaves: int, lines: Sequence[tuple[str, str]]) -> str:
    given = [("num_leaves", str(leaves)), ("num_cat", "0"), *lines]
    return "\n".join(f"{key}={value}" for key, value in (*given, ("is_linear", "0"))) + (
        "\nshrinkage=1"
    )


def _flat_tree() -> str:
    """Return a tree of one leaf that adds nothing."""
    empty = ("split_feature", "split_gain", "threshold", "decision_type", "left_child")
    more = ("leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count")
    return _tree(
        1,
        [(key, "") for key in (*empty, "right_child")]
        + [("leaf_value", "0")]
        + [(key, "") for key in more],
    )


def _step_tree(steps: Steps, column: int, sign: float) -> str:
    """Return a balanced tree of a step function; its nodes are numbered before their children."""
    values, counts = sign * steps.values, steps.counts
    leaves = len(values)
    if leaves == 1:
        return _flat_tree().replace("leaf_value=0", f"leaf_value={_listed(values)}")
    nodes: list[tuple[int, int]] = []  # first and last leaf below each node
    cuts: list[int] = []
    lefts: list[int] = []
    rights: list[int] = []

    def split(first: int, last: int) -> int:
        if first == last:
            return ~first
        node = len(nodes)
        cut = (first + last) // 2
        nodes.append((first, last))
        for column_of, value in ((cuts, cut), (lefts, 0), (rights, 0)):
            column_of.append(value)
        lefts[node], rights[node] = split(first, cut), split(cut + 1, last)
        return node

    split(0, leaves - 1)
    weights = counts.astype(np.float64)
    total = np.concatenate(([0.0], np.cumsum(weights)))
    moment = np.concatenate(([0.0], np.cumsum(weights * values)))

    def below(first: int, last: int) -> tuple[float, float]:
        rows = total[last + 1] - total[first]
        return rows, (moment[last + 1] - moment[first]) / rows

    gains, means, rows_of = [], [], []
    for (first, last), cut in zip(nodes, cuts, strict=True):
        (left, low), (right, high) = below(first, cut), below(cut + 1, last)
        rows, mean = below(first, last)
        # By how much the loss falls to second order, which is what LightGBM calls the gain.
        gains.append(CURVATURE * left * right / rows * (high - low) ** 2)
        means.append(mean)
        rows_of.append(rows)
    decisions = [NAN_LEFT if steps.missing <= cut else NAN_RIGHT for cut in cuts]
    return _tree(
        leaves,
        [
            ("split_feature", _whole([column] * len(nodes))),
            ("split_gain", _listed(gains)),
            ("threshold", _listed(steps.thresholds[cuts])),
            ("decision_type", _whole(decisions)),
            ("left_child", _whole(lefts)),
            ("right_child", _whole(rights)),
            ("leaf_value", _listed(values)),
            ("leaf_weight", _listed(weights)),
            ("leaf_count", _whole(counts)),
            ("internal_value", _listed(means)),
            ("internal_weight", _listed(rows_of)),
            ("internal_count", _whole([int(rows) for rows in rows_of])),
        ],
    )
