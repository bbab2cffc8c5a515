"""The trees of a LightGBM text model as plain arrays, all trees behind one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.model.lightgbm_text import validate_model_text

__all__ = ["Trees", "parse_trees"]

# Bits of ``decision_type``, from LightGBM's tree.h.
_DEFAULT_LEFT = 2
_MISSING_NAN = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """Every tree of a model; nodes and leaves are numbered through all of them.

    A child of zero or more is a node, a child below zero the leaf ``~child``. The nodes of a tree
    stand behind their parents; its leaves are numbered from left to right, so that the leaves
    below a node are ``first_leaf .. first_leaf + leaves - 1``.

    Attributes
    ----------
    n_features
        Columns of a row.
    n_classes
        Classes c; tree t adds to the raw score of class ``t % c``.
    root
        Shape (trees,), int32: the first node of each tree, or its only leaf.
    column
        Shape (nodes,), int32: the feature that a node looks at.
    threshold
        Shape (nodes,), float64: values at most this go left.
    default_left
        Shape (nodes,), bool: which way a missing value goes where it is not taken for zero.
    nan_is_zero
        Shape (nodes,), bool: a missing value is taken for zero, as where training saw none.
    left, right
        Shape (nodes,), int32: children.
    tree
        Shape (nodes,), int32: the tree of a node.
    first_leaf, leaves
        Shape (nodes,), int32: the leaves below a node.
    leaf_start
        Shape (trees,), int32: the first leaf of each tree.
    leaf_value
        Shape (leaves,), float64: what a leaf adds.
    """

    n_features: int
    n_classes: int
    root: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float64]
    default_left: npt.NDArray[np.bool_]
    nan_is_zero: npt.NDArray[np.bool_]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    tree: npt.NDArray[np.int32]
    first_leaf: npt.NDArray[np.int32]
    leaves: npt.NDArray[np.int32]
    leaf_start: npt.NDArray[np.int32]
    leaf_value: npt.NDArray[np.float64]


def _leaves_below(left: list[int], right: list[int]) -> list[int]:
    """Count the leaves below each node; children stand behind their parents."""
    counts = [0] * len(left)
    for node in reversed(range(len(left))):
        for child in (left[node], right[node]):
            counts[node] += counts[child] if child >= 0 else 1
    return counts


def _number_leaves(left: list[int], right: list[int], counts: list[int]) -> tuple[list[int], ...]:
    """Number a tree's leaves from left to right.

    Returns
    -------
    tuple
        The first leaf below each node, and for each number the leaf's index in the text.
    """
    first = [0] * len(left)
    order = [0] * (len(left) + 1)
    for node in range(len(left)):
        position = first[node]
        for child in (left[node], right[node]):
            if child >= 0:
                first[child] = position
                position += counts[child]
            else:
                order[position] = ~child
                position += 1
    return first, order


def _read(text: str) -> list[dict[str, list[str]]]:
    """Return the lines of each tree, split at their blanks, by key."""
    blocks = text.partition("end of trees")[0].split("\nTree=")[1:]
    parted = ([line.partition("=") for line in block.split("\n")] for block in blocks)
    return [{key: value.split() for key, _, value in lines} for lines in parted]


def parse_trees(model_text: str, *, n_features: int | None = None) -> Trees:
    """Check a LightGBM text model in full and return its trees.

    Parameters
    ----------
    model_text
        What ``Booster.model_to_string()`` gave, of three classes.
    n_features
        Columns the model must have; None takes the number the text states.

    Raises
    ------
    ModelError
        ``validate_model_text`` refuses the text: it is damaged, or it holds linear trees,
        categorical splits or ``zero_as_missing``.
    """
    shape = validate_model_text(model_text, n_features=n_features)
    lists: dict[str, list[Any]] = {
        key: []
        for key in (
            *("root", "column", "threshold", "decision", "left", "right", "tree"),
            *("first_leaf", "leaves", "leaf_start", "leaf_value"),
        )
    }
    for tree, lines in enumerate(_read(model_text)):
        nodes, leaves = len(lists["column"]), len(lists["leaf_value"])
        left = [int(item) for item in lines["left_child"]]
        right = [int(item) for item in lines["right_child"]]
        counts = _leaves_below(left, right)
        first, order = _number_leaves(left, right, counts)
        number = {leaf: leaves + position for position, leaf in enumerate(order)}
        values = [float(item) for item in lines["leaf_value"]]
        for name, children in (("left", left), ("right", right)):
            lists[name] += [nodes + child if child >= 0 else ~number[~child] for child in children]
        lists["root"].append(nodes if left else ~leaves)
        lists["column"] += [int(item) for item in lines["split_feature"]]
        lists["threshold"] += [float(item) for item in lines["threshold"]]
        lists["decision"] += [int(item) for item in lines["decision_type"]]
        lists["tree"] += [tree] * len(left)
        lists["first_leaf"] += [leaves + position for position in first]
        lists["leaves"] += counts
        lists["leaf_start"].append(leaves)
        lists["leaf_value"] += [values[leaf] for leaf in order]
    decision = np.array(lists.pop("decision"), dtype=np.int32)
    threshold = np.array(lists.pop("threshold"), dtype=np.float64)
    leaf_value = np.array(lists.pop("leaf_value"), dtype=np.float64)
    integers = {name: np.array(items, dtype=np.int32) for name, items in lists.items()}
    return Trees(
        n_features=shape.n_features,
        n_classes=shape.n_classes,
        root=integers["root"],
        column=integers["column"],
        threshold=threshold,
        default_left=(decision & _DEFAULT_LEFT) != 0,
        nan_is_zero=(decision & _MISSING_NAN) == 0,
        left=integers["left"],
        right=integers["right"],
        tree=integers["tree"],
        first_leaf=integers["first_leaf"],
        leaves=integers["leaves"],
        leaf_start=integers["leaf_start"],
        leaf_value=leaf_value,
    )
