"""The table of a forest: nodes to go down, and thresholds in the order that a value crosses them.

Nothing here is a float: float32 values are compared by keys, whole numbers in the same order
(``order_key``). Every rule of LightGBM's that makes a comparison more than one is settled when the
table is built:

- The value is a double there, and so is the threshold. A float32 is at most a double where it is
  at most that double rounded down to float32.
- A value within 1e-35 of zero is taken for zero, so a threshold in there moves to one of the ends.
- A missing value goes left or right as the node says, or is taken for zero: for each node that is
  one of the two sides. So every value has two keys, the same but where it is missing: there one is
  above all thresholds and the other below. A node looks at the one that goes its way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ModelError
from alphaseeker.model.trees import Trees

__all__ = [
    "ABOVE_ALL",
    "BELOW_ALL",
    "CROSSING",
    "LEAF",
    "MAX_LEAVES",
    "MAX_TABLE_BYTES",
    "NODE",
    "ForestTable",
    "build_table",
    "order_key",
    "table_bytes",
    "threshold_keys",
]

MAX_TABLE_BYTES = 64 * 2**20
"""Largest table that is built; beyond it, nodes come from main memory."""

ABOVE_ALL = np.iinfo(np.int32).max
"""Key of a missing value, for nodes that send it right."""
BELOW_ALL = np.iinfo(np.int32).min
"""Key of a missing value, for nodes that send it left."""

MAX_LEAVES = 64
"""Most leaves of a tree: the two children of a node are a byte each."""

LEAF = 128
"""A place in a tree from here up is a leaf, ``LEAF + number``; below it is a node."""

NODE = np.dtype(
    [
        ("key", np.int32),  # keys at most this go left
        ("slot", np.uint16),  # which of the 2k keys of a row
        ("left", np.uint8),  # places
        ("right", np.uint8),
    ]
)
CROSSING = np.dtype(
    [
        ("tree", np.uint32),
        ("node", np.uint8),  # its place in the tree
        ("first", np.uint8),  # place of the first leaf below the node
        ("behind", np.uint8),  # and of the first one after those
        ("unused", np.uint8),
    ]
)
_LEAF_BYTES = 8
_KEY_BYTES = 4
_MAX_FEATURES = 2**15 - 1  # a slot is 16 bits
_ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold


@dataclass(frozen=True, kw_only=True, eq=False)
class ForestTable:
    """A forest for the kernels of ``forest_step``; read-only.

    Attributes
    ----------
    n_features, n_trees
        Columns k of a row, and trees n.
    nodes
        Shape (nodes,), ``NODE``, tree by tree. Slot j below k holds the key of column j that is
        above all thresholds where the value is missing, slot k + j the one that is below.
    roots
        Shape (n,), uint8: the place where a tree begins.
    first_node, first_leaf
        Shape (n,), uint32: where each tree's nodes and leaves begin.
    leaf_value
        Shape (leaves,), float64, tree by tree from left to right.
    crossings
        Shape (nodes,), ``CROSSING``, by column, within it by rising threshold.
    thresholds
        Shape (nodes,), int32: the keys of the crossings.
    starts
        Shape (k + 1,), uint32: where each column's crossings begin and end.
    """

    n_features: int
    n_trees: int
    nodes: npt.NDArray[np.void]
    roots: npt.NDArray[np.uint8]
    first_node: npt.NDArray[np.uint32]
    first_leaf: npt.NDArray[np.uint32]
    leaf_value: npt.NDArray[np.float64]
    crossings: npt.NDArray[np.void]
    thresholds: npt.NDArray[np.int32]
    starts: npt.NDArray[np.uint32]


def order_key(values: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Return int32 numbers in the order of the float32 values, none of which is NaN.

    The bits of a float32 are a sign and a magnitude; the magnitude of what is negative is turned
    round. -0.0 comes just below 0.0.
    """
    bits = np.ascontiguousarray(values).view(np.int32)
    return np.where(bits < 0, bits ^ np.int32(ABOVE_ALL), bits).astype(np.int32)


def threshold_keys(thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Return the key that keys of values on the left of each threshold do not exceed."""
    inside = np.abs(thresholds) <= _ZERO
    # Zero itself is left of a threshold from zero up, and with it everything taken for zero.
    moved = np.where(inside & (thresholds >= 0.0), _ZERO, thresholds)
    with np.errstate(over="ignore", under="ignore"):
        rounded = moved.astype(np.float32)
        below = np.nextafter(rounded, np.float32(-np.inf))
        rounded = np.where(rounded.astype(np.float64) > moved, below, rounded)
    end = np.nextafter(np.float32(-_ZERO), np.float32(-np.inf))
    return order_key(np.where(inside & (thresholds < 0.0), end, rounded).astype(np.float32))


def table_bytes(trees: Trees) -> int:
    """Return the size of the table of these trees."""
    a_node = NODE.itemsize + CROSSING.itemsize + _KEY_BYTES
    a_tree = 2 * _KEY_BYTES + 1
    columns = (trees.n_features + 1) * _KEY_BYTES
    leaves = len(trees.leaf_value) * _LEAF_BYTES
    return len(trees.column) * a_node + len(trees.root) * a_tree + columns + leaves


def _check_size(trees: Trees) -> None:
    largest = int(np.diff(trees.leaf_start, append=len(trees.leaf_value)).max())
    if largest > MAX_LEAVES:
        raise ModelError(
            f"a tree of this forest has {largest} leaves, at most {MAX_LEAVES} are supported; train"
            " with fewer (num_leaves), or take another backend"
        )
    if trees.n_features > _MAX_FEATURES:
        raise ModelError(
            f"this forest has {trees.n_features} features, at most {_MAX_FEATURES} are supported;"
            " take another backend"
        )
    size = table_bytes(trees)
    if size > MAX_TABLE_BYTES:
        raise ModelError(
            f"the table of this forest of {len(trees.column):,} splits needs {size:,} bytes, at"
            f" most {MAX_TABLE_BYTES:,} are built; train fewer or smaller trees, or take another"
            " backend"
        )


def build_table(trees: Trees) -> ForestTable:
    """Build the table of a forest.

    Raises
    ------
    ModelError
        A tree has more than ``MAX_LEAVES`` leaves, the table would be larger than
        ``MAX_TABLE_BYTES``, or there are more than 32,767 features.
    """
    _check_size(trees)
    nan_left = np.where(trees.nan_is_zero, trees.threshold >= 0.0, trees.default_left)
    first_node = np.searchsorted(trees.tree, np.arange(len(trees.root))).astype(np.uint32)
    nodes = np.zeros(len(trees.column), dtype=NODE)
    nodes["key"] = threshold_keys(trees.threshold)
    nodes["slot"] = trees.column + np.where(nan_left, trees.n_features, 0)
    for side in ("left", "right"):
        child = getattr(trees, side)
        inner, leaf = (
            child - first_node[trees.tree],
            LEAF + ~child - trees.leaf_start[trees.tree],
        )
        nodes[side] = np.where(child >= 0, inner, leaf)
    order = np.lexsort((nodes["key"], trees.column))
    crossings = np.zeros(len(nodes), dtype=CROSSING)
    crossings["tree"] = trees.tree[order]
    crossings["node"] = (np.arange(len(nodes)) - first_node[trees.tree])[order]
    crossings["first"] = (LEAF + trees.first_leaf - trees.leaf_start[trees.tree])[order]
    crossings["behind"] = crossings["first"] + trees.leaves[order]
    table = ForestTable(
        n_features=trees.n_features,
        n_trees=len(trees.root),
        nodes=nodes,
        roots=np.where(trees.root >= 0, 0, LEAF).astype(np.uint8),
        first_node=first_node,
        first_leaf=trees.leaf_start.astype(np.uint32),
        leaf_value=trees.leaf_value.copy(),
        crossings=crossings,
        thresholds=nodes["key"][order],
        starts=np.searchsorted(
            trees.column[order], np.arange(trees.n_features + 1), side="left"
        ).astype(np.uint32),
    )
    for array in vars(table).values():
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return table
