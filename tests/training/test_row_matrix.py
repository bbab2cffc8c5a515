from dataclasses import replace

import numpy as np
import pytest

from alphaseeker.features.matrix_file import allocate_values
from alphaseeker.training.row_matrix import RowMatrix, score_rows

NAMES = ("book.imbalance", "book.spread", "flow.ofi_60s")
CHOSEN = np.array([0, 1, 7, 19, 20, 21, 49, 50])


def moved(block, order):
    """Return the block with its values in another place and order."""
    if order == "file":
        values = allocate_values(*block.values.shape, memory_limit=0)
    else:
        values = np.empty(block.values.shape, dtype=np.float32, order=order)
    values[:] = block.values
    return replace(block, values=values)


@pytest.fixture(params=["C", "F", "file"])
def blocks(make_block, request):
    """Return two symbols, with an empty one between them."""
    random = np.random.default_rng(0)
    made = [
        make_block(
            100.0 + random.normal(size=n),
            values=random.normal(size=(n, 3)).astype(np.float32),
            names=NAMES,
            symbol=symbol,
        )
        for n, symbol in ((20, "A"), (0, "B"), (31, "C"))
    ]
    return [moved(block, request.param) for block in made]


@pytest.fixture
def expected(blocks):
    return np.concatenate([block.values for block in blocks])[CHOSEN][:, [2, 0]]


def test_every_way_of_reading_gives_the_same(blocks, expected):
    matrix = RowMatrix(blocks, CHOSEN, [2, 0])
    assert matrix.shape == (len(matrix), 2) == (8, 2)
    whole = matrix.all()
    assert whole.flags.c_contiguous
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(matrix.read(2, 6), expected[2:6])
    np.testing.assert_array_equal(matrix.column(1), expected[:, 1])
    numbers = [5, 0, 7, 7, 3]
    np.testing.assert_array_equal(matrix.take(numbers), expected[numbers])
    assert matrix.take([]).shape == (0, 2)


@pytest.mark.parametrize("rows", [1, 3, 8, 100])
def test_pieces_follow_one_another(blocks, expected, rows):
    seen = list(RowMatrix(blocks, CHOSEN, [2, 0]).pieces(rows))
    assert max(len(piece) for _, piece in seen) == min(rows, 8)
    np.testing.assert_array_equal(np.concatenate([piece for _, piece in seen]), expected)
    assert [place.start for place, _ in seen] == list(range(0, 8, rows))


def test_scores_of_pieces_are_those_of_the_whole(blocks, expected):
    def predict(matrix):
        return np.column_stack([matrix.sum(axis=1), matrix[:, 0], matrix[:, 1]]).astype(float)

    matrix = RowMatrix(blocks, CHOSEN, [2, 0])
    np.testing.assert_array_equal(score_rows(predict, matrix), predict(expected))
    np.testing.assert_array_equal(score_rows(predict, expected), predict(expected))
