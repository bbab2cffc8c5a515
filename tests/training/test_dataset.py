import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.features.block import FeatureBlock
from alphaseeker.training.dataset import fingerprint, gather, join_blocks, warm_rows
from alphaseeker.training.target import target_from_config

SECOND = 1_000_000_000
TARGET = target_from_config(Config().override({"HORIZON_S": 2}))
NAMES = ("book.imbalance", "flow.ofi_60s")


def two_blocks(make_block) -> list[FeatureBlock]:
    random = np.random.default_rng(0)
    return [
        make_block(
            100.0 + random.normal(size=n),
            segment=np.repeat([4, 9], [n // 2, n - n // 2]),
            values=random.normal(size=(n, 2)).astype(np.float32),
            names=NAMES,
            spread=0.5,
            symbol=symbol,
        )
        for n, symbol in ((20, "A"), (31, "B"))
    ]


def test_symbols_are_joined_and_their_segments_kept_apart(make_block):
    blocks = two_blocks(make_block)
    rows = join_blocks(blocks, TARGET)
    assert len(rows) == 51
    assert rows.symbol.tolist() == [0] * 20 + [1] * 31
    assert np.unique(rows.segment, return_counts=True)[1].tolist() == [10, 10, 15, 16]
    assert (np.diff(rows.segment) >= 0).all()
    # Two rows at the end of each of the four segments have no label.
    assert (~rows.usable).sum() == 8
    assert rows.spread[3] == 0.5 / blocks[0].mid[3]


def test_ticks_on_which_the_engine_does_not_ask_the_model_are_left_out(make_block):
    verdict = np.zeros(10, np.int8)
    verdict[[2, 5, 6]] = [1, 2, 3]  # locked, after a gap, new session
    rows = join_blocks([make_block(np.arange(10) + 1.0, verdict=verdict)], TARGET)
    assert np.flatnonzero(~rows.usable).tolist() == [2, 5, 8, 9]


def test_gather_takes_rows_and_columns_over_all_blocks(make_block):
    blocks = two_blocks(make_block)
    chosen = np.array([0, 7, 19, 20, 50])
    found = gather(blocks, chosen, [1, 0])
    whole = np.concatenate([block.values for block in blocks])
    np.testing.assert_array_equal(found, whole[chosen][:, [1, 0]])
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


def test_rows_are_warm_once_the_declared_history_is_seen(make_block):
    block = make_block(np.full(200, 5.0), segment=np.repeat([0, 1], 100), names=NAMES)
    block.values[:] = 1.0
    warm = warm_rows([block], NAMES, ready_history_s=900)
    assert warm.tolist() == ([False] * 60 + [True] * 40) * 2
    assert warm_rows([block], NAMES[:1], ready_history_s=900).all()
    # A column with a longer memory than that does not hold the rows back.
    assert warm_rows([block], NAMES, ready_history_s=30).all()


def test_no_rows_and_different_columns_are_refused(make_block):
    blocks = two_blocks(make_block)
    with pytest.raises(DataError, match="no row"):
        join_blocks([], TARGET)
    other = make_block(np.arange(5) + 1.0, names=("book.spread",), symbol="C")
    with pytest.raises(DataError, match="'C' and 'A' differ in their features"):
        join_blocks([blocks[0], other], TARGET)


def test_the_fingerprint_knows_what_was_seen_and_nothing_later(make_block):
    prices = np.arange(10) + 1.0
    block = make_block(prices)
    limit = int(block.timestamp[6])
    later, earlier = prices.copy(), prices.copy()
    later[8] += 1.0
    earlier[2] += 1.0
    assert fingerprint([make_block(later)], limit) == fingerprint([block], limit)
    assert fingerprint([make_block(earlier)], limit) != fingerprint([block], limit)
