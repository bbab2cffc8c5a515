"""One row through a forest, from where the last row stood.

A leaf of a tree changes only where a value crosses the threshold of a node on the way to it. So
each column remembers the thresholds that its value lies between. A row with every value in its
place leaves the scores as they are. Otherwise the thresholds that were crossed are gone through:
the ones whose node has its tree's leaf below it send that tree down again, from that node. The
leaves are the ones that LightGBM reaches, and they are added in its order: the sums are the same
bits.

A row far from the last one sends all trees down from their roots, each one step at a time: while
one tree waits for memory another does not.

The bookkeeping is that of QuickScorer (Lucchese et al., SIGIR 2015: thresholds in order by
feature, leaves from left to right), turned from one row to the difference of two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from alphaseeker._address import pointer
from alphaseeker._jit import kernel, part
from alphaseeker.model.forest_table import ABOVE_ALL, BELOW_ALL, LEAF
from alphaseeker.model.predictor import call_predictor, row_entry

__all__ = ["CONTEXT", "FOREST_ENTRY", "forest_rows", "forest_step"]

_pointer: Any = pointer  # Numba gives it its first argument

_N_CLASSES = 3
_SIGN = 31
_MAGNITUDE = 0x7FFFFFFF
_INFINITY = 0x7F800000  # larger magnitudes are NaN
_SCORE_BYTES = 8 * _N_CLASSES
_WORD = 8  # flags looked at together
# Rows without relation are put into intervals as often as this, so that a market that comes to
# rest is noticed.
_LONGEST_PAUSE = 31

CONTEXT = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("features", "scores", "n_features", "n_trees", "n_nodes", "n_leaves"),
            # The table.
            *("nodes", "roots", "first_node", "first_leaf", "leaf_value"),
            *("crossings", "thresholds", "starts"),
            # By column: keys, the interval they stood in, which left it, and what they crossed.
            *("keys", "low", "high", "position", "changed", "queue", "ranges"),
            # By tree: the place it stands at, its leaf and that leaf's value; lists of trees.
            *("place", "leaf", "value", "touched", "active"),
            # More changed columns, more crossed thresholds: all trees from their roots.
            *("few_columns", "few_crossings"),
            # Rows until columns are put into their intervals again, and how many those were.
            *("pause", "last_pause"),
        )
    ]
)
"""What the step works on: addresses of arrays (see ``forest_predictor``), and counts."""


@part
def _read_keys(context: int) -> None:
    """Write the keys of all columns, and which of them left their interval."""
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    k = me.n_features
    bits = carray(_pointer(me.features), (k,), np.int32)
    keys = carray(_pointer(me.keys), (2 * k,), np.int32)
    low = carray(_pointer(me.low), (k,), np.int32)
    high = carray(_pointer(me.high), (k,), np.int32)
    changed = carray(_pointer(me.changed), (k,), np.uint8)
    for column in range(k):
        word = bits[column]
        missing = (word & _MAGNITUDE) > _INFINITY
        key = word ^ ((word >> _SIGN) & _MAGNITUDE)
        above = np.int32(ABOVE_ALL if missing else key)
        keys[column] = above
        keys[column + k] = np.int32(BELOW_ALL if missing else key)
        changed[column] = (above < low[column]) | (above > high[column])


@part
def _list_changed(context: int) -> int:
    """List and count the columns that left their interval."""
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    words = (me.n_features + _WORD - 1) // _WORD
    changed = carray(_pointer(me.changed), (_WORD * words,), np.uint8)
    eight = carray(_pointer(me.changed), (words,), np.uint64)
    # Without a branch: a column is written before it is known whether it counts.
    queue = carray(_pointer(me.queue), (me.n_features + 1,), np.uint32)
    count = 0
    for word in range(words):
        if eight[word] != 0:
            for column in range(_WORD * word, _WORD * word + _WORD):
                queue[count] = column
                count += changed[column]
    return count


@part
def _find_ranges(context: int, count: int) -> int:
    """Put the listed columns into their intervals; return how many thresholds they crossed."""
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    k = me.n_features
    keys = carray(_pointer(me.keys), (2 * k,), np.int32)
    low = carray(_pointer(me.low), (k,), np.int32)
    high = carray(_pointer(me.high), (k,), np.int32)
    position = carray(_pointer(me.position), (k,), np.uint32)
    queue = carray(_pointer(me.queue), (k + 1,), np.uint32)
    ranges = carray(_pointer(me.ranges), (k, 2), np.uint32)
    starts = carray(_pointer(me.starts), (k + 1,), np.uint32)
    thresholds = carray(_pointer(me.thresholds), (me.n_nodes,), np.int32)
    total: Any = 0
    for j in range(count):
        column = queue[j]
        key = keys[column]
        start, end = np.int64(starts[column]), np.int64(starts[column + 1])
        # Step by step: a search would be mispredicted at each of its steps.
        at = before = np.int64(position[column])
        if key > high[column]:
            while at < end and thresholds[at] < key:
                at += 1
        else:
            while at > start and thresholds[at - 1] >= key:
                at -= 1
        position[column] = at
        if key == ABOVE_ALL or low[column] == ABOVE_ALL:  # missing now or before
            ranges[j, 0], ranges[j, 1] = start, end
        else:
            ranges[j, 0], ranges[j, 1] = min(at, before), max(at, before)
        if key == ABOVE_ALL:
            low[column] = high[column] = ABOVE_ALL
        else:
            low[column] = thresholds[at - 1] + 1 if at > start else BELOW_ALL
            high[column] = thresholds[at] if at < end else ABOVE_ALL - 1
        total += np.int64(ranges[j, 1]) - np.int64(ranges[j, 0])
    return int(total)


@part
def _list_touched(context: int, count: int) -> int:
    """Put trees at the first node on their way that was crossed; list and count them."""
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    n = me.n_trees
    ranges = carray(_pointer(me.ranges), (me.n_features, 2), np.uint32)
    trees = carray(_pointer(me.crossings), (me.n_nodes, 2), np.uint32)
    crossings = carray(_pointer(me.crossings), (me.n_nodes, 8), np.uint8)
    place = carray(_pointer(me.place), (n,), np.uint8)
    leaf = carray(_pointer(me.leaf), (n,), np.uint8)
    touched = carray(_pointer(me.touched), (n + 1,), np.uint32)
    found = 0
    for j in range(count):
        for i in range(ranges[j, 0], ranges[j, 1]):
            tree = trees[i, 0]
            own = leaf[tree]
            hit = (own >= crossings[i, 5]) & (own < crossings[i, 6])
            # Without a branch. Nodes come behind the ones above them and leaves behind all.
            before = place[tree]
            place[tree] = min(before, crossings[i, 4]) if hit else before
            touched[found] = tree
            found += hit & (before >= LEAF)
    return found


@part
def _list_all(context: int) -> int:
    """Put all trees at their roots and list them."""
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    n = me.n_trees
    roots = carray(_pointer(me.roots), (n,), np.uint8)
    place = carray(_pointer(me.place), (n,), np.uint8)
    touched = carray(_pointer(me.touched), (n + 1,), np.uint32)
    for tree in range(n):
        place[tree] = roots[tree]
        touched[tree] = tree
    return int(n)


@part
def _go_down(context: int, count: int) -> int:
    """Send the listed trees down to their leaves; return 1 where one is another leaf."""
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    n = me.n_trees
    keys = carray(_pointer(me.keys), (2 * me.n_features,), np.int32)
    thresholds = carray(_pointer(me.nodes), (me.n_nodes, 2), np.int32)
    slots = carray(_pointer(me.nodes), (me.n_nodes, 4), np.uint16)
    children = carray(_pointer(me.nodes), (me.n_nodes, 8), np.uint8)
    first_node = carray(_pointer(me.first_node), (n,), np.uint32)
    first_leaf = carray(_pointer(me.first_leaf), (n,), np.uint32)
    place = carray(_pointer(me.place), (n,), np.uint8)
    leaf = carray(_pointer(me.leaf), (n,), np.uint8)
    value = carray(_pointer(me.value), (n,), np.float64)
    leaf_value = carray(_pointer(me.leaf_value), (me.n_leaves,), np.float64)
    touched = carray(_pointer(me.touched), (n + 1,), np.uint32)
    active = carray(_pointer(me.active), (n,), np.uint32)
    going = 0
    for j in range(count):
        active[going] = touched[j]
        going += place[touched[j]] < LEAF
    while going > 0:
        still = 0
        for j in range(going):
            tree = active[j]
            node = np.uint64(first_node[tree]) + np.uint64(place[tree])
            right = keys[slots[node, 2]] > thresholds[node, 0]
            to = children[node, np.uint64(6) + np.uint64(right)]
            place[tree] = to
            active[still] = tree
            still += to < LEAF
        going = still
    moved = 0
    for j in range(count):
        tree = touched[j]
        now = place[tree]
        moved |= now != leaf[tree]
        leaf[tree] = now
        value[tree] = leaf_value[np.uint64(first_leaf[tree]) + np.uint64(now - np.uint64(LEAF))]
    return moved


@part
def _add(context: int) -> int:
    """Add the leaves of each class in the order of its trees, as LightGBM does."""
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    value = carray(_pointer(me.value), (me.n_trees,), np.float64)
    scores = carray(_pointer(me.scores), (_N_CLASSES,), np.float64)
    first = second = third = 0.0
    for tree in range(0, len(value), _N_CLASSES):
        first += value[tree]
        second += value[tree + 1]
        third += value[tree + 2]
    scores[0], scores[1], scores[2] = first, second, third
    return 1


@part
def _list_columns(context: int) -> int:
    """List and count the columns that any node looks at."""
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    k = me.n_features
    starts = carray(_pointer(me.starts), (k + 1,), np.uint32)
    queue = carray(_pointer(me.queue), (k + 1,), np.uint32)
    count = 0
    for column in range(k):
        queue[count] = column
        count += starts[column] < starts[column + 1]
    return count


@kernel
def forest_step(context: int, fresh: int) -> int:
    """Predict one row.

    Parameters
    ----------
    context
        Address of a ``CONTEXT``.
    fresh
        Other than 0: the whole way, whatever was kept.

    Returns
    -------
    int
        1: the scores are written. 0: no leaf is another one than after the last call, so that the
        scores stand.
    """
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    _read_keys(context)
    if fresh != 0 or me.pause == 1:
        _find_ranges(context, _list_columns(context))
        me.pause = 0
    elif me.pause > 1:
        me.pause -= 1
    else:
        count = _list_changed(context)
        if count == 0:
            return 0
        if count > me.few_columns:
            # Rows without relation: the columns are not put into their intervals, at first for
            # one row, then for longer.
            me.last_pause = min(2 * me.last_pause + 1, _LONGEST_PAUSE)
            me.pause = me.last_pause
        else:
            me.last_pause = 0
            if _find_ranges(context, count) <= me.few_crossings:
                listed = _list_touched(context, count)
                return _add(context) if _go_down(context, listed) else 0
    _go_down(context, _list_all(context))
    return _add(context)


FOREST_ENTRY = row_entry(forest_step)
"""``forest_step`` by its address."""


@kernel
def forest_rows(
    entry: int, context: int, features: int, row_bytes: int, scores: int, rows: int
) -> int:
    """Predict rows one after another, each from where the last one stood.

    Parameters
    ----------
    entry, context
        Addresses of ``forest_step`` and of a ``CONTEXT``.
    features, row_bytes
        Address of the first row's k float32, and how far the next row is from it.
    scores
        Address of the output, shape (rows, 3), float64, contiguous.
    rows
        How many.
    """
    me = carray(_pointer(context), (1,), CONTEXT)[0]
    out = carray(_pointer(scores), (rows, _N_CLASSES), np.float64)
    for row in range(rows):
        me.features = features + row * row_bytes
        me.scores = scores + row * _SCORE_BYTES
        if call_predictor(entry, (context, int(row == 0))) == 0:
            for i in range(_N_CLASSES):
                out[row, i] = out[row - 1, i]
    return rows
