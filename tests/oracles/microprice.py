"""Stoikov's micro-price (2018) step by step, with dictionaries of states (row, bin).

Moves are counted one by one, each with its mirror image; Q, T and R k are shares of the moves out
of a state; G1 and B come from a plain elimination, and G* is the sum of B^i G1, term by term.
"""

from collections import defaultdict
from itertools import pairwise

BINS = 10
WIDEST = 4
CHANGES = 200
GAP_NS = 900 * 10**9


def place(spread, bid_volume, ask_volume, tick_size):
    """Return (spread in ticks, bin) of one quote."""
    ticks = min(max(round(spread / tick_size), 1), WIDEST)
    return ticks, min(int(bid_volume / (bid_volume + ask_volume) * BINS), BINS - 1)


def moves_of(quotes, tick_size):
    """Return (state before, state after, jump in ticks) for the moves within one session.

    A quote is (time in nanoseconds, session, bid, ask, bid size, ask size).
    """
    moves = []
    for before, after in pairwise(quotes):
        if before[1] == after[1] and after[0] - before[0] <= GAP_NS:
            states = [place(a - b, B, A, tick_size) for _, _, b, a, B, A in (before, after)]
            twice = round((after[2] + after[3] - before[2] - before[3]) / tick_size)
            moves.append((*states, twice / 2))
    return moves


def rows_of(moves):
    """Return {spread: row}: a spread with too few changes of the mid joins the next wider one."""
    changed = dict.fromkeys(range(1, WIDEST + 1), 0)
    for (spread, _), _, jump in moves:
        changed[spread] += jump != 0
    rows, row, gathered = {}, 0, 0
    for spread in changed:
        rows[spread] = row
        gathered += changed[spread]
        wider = sum(changed[other] for other in changed if other > spread)
        if gathered >= CHANGES and wider >= CHANGES:
            row, gathered = row + 1, 0
    return rows


def solve(matrix, right):
    """Return x of matrix x = right, both dictionaries, by Gauss and Jordan's elimination."""
    states = list(right)
    matrix = {x: dict(matrix[x]) for x in states}
    right = dict(right)
    left = list(states)
    order = []
    for column in states:
        pivot = max(left, key=lambda x: abs(matrix[x].get(column, 0.0)))
        left.remove(pivot)
        order.append((column, pivot))
        for x in states:
            if x != pivot and matrix[x].get(column, 0.0):
                factor = matrix[x][column] / matrix[pivot][column]
                for y, value in matrix[pivot].items():
                    matrix[x][y] = matrix[x].get(y, 0.0) - factor * value
                right[x] -= factor * right[pivot]
    return {column: right[pivot] / matrix[pivot][column] for column, pivot in order}


def adjustments(moves, terms=100_000):
    """Return ({state: G1}, {state: G*}) of moves between states (row, bin).

    Every state that is entered must be left again, and the mid must change from everywhere.
    """
    counted = defaultdict(float)
    for (row, bucket), (next_row, next_bucket), jump in moves:
        counted[(row, bucket), (next_row, next_bucket), jump] += 1
        mirrored = (row, BINS - 1 - bucket), (next_row, BINS - 1 - next_bucket), -jump
        counted[mirrored] += 1
    out_of = defaultdict(float)
    for (x, _, _), count in counted.items():
        out_of[x] += count
    one_less_Q = {x: {x: 1.0} for x in out_of}
    T = {x: defaultdict(float) for x in out_of}
    Rk = dict.fromkeys(out_of, 0.0)
    for (x, y, jump), count in counted.items():
        if jump == 0:
            one_less_Q[x][y] = one_less_Q[x].get(y, 0.0) - count / out_of[x]
        else:
            T[x][y] += count / out_of[x]
            Rk[x] += jump * count / out_of[x]
    G1 = solve(one_less_Q, Rk)
    B = {y: solve(one_less_Q, {x: T[x][y] for x in out_of}) for y in out_of}  # by column
    total, term = dict(G1), dict(G1)
    for _ in range(terms):
        term = {x: sum(B[y][x] * term[y] for y in out_of) for x in out_of}
        total = {x: total[x] + term[x] for x in out_of}
        if max(map(abs, term.values())) < 1e-13:
            return G1, total
    raise ArithmeticError("the sum does not converge")


def table(quotes, tick_size):
    """Return {(spread, bin): G* in ticks} of all seen states; ``quotes`` as in ``moves_of``."""
    moves = moves_of(quotes, tick_size)
    rows = rows_of(moves)
    merged = [
        ((rows[s], bucket), (rows[after], next_bucket), jump)
        for (s, bucket), (after, next_bucket), jump in moves
    ]
    total = adjustments(merged)[1]
    return {
        (spread, bucket): total[row, bucket]
        for spread, row in rows.items()
        for bucket in range(BINS)
        if (row, bucket) in total
    }
