import numpy as np

from alphaseeker.config import Config
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.factors.report import factor_table


def test_table_has_one_line_for_each_factor_and_names_its_settings(make_block, random_walk):
    rng = np.random.default_rng(1)
    mid = random_walk(rng, 8000)
    columns = {"short": rng.standard_normal(8000), "a_much_longer_name": np.ones(8000)}
    config = Config().override({"FORWARD_S": 30, "ALPHA": 0.01, "TRANSACTION_COST_PCT": 0.0002})
    result = evaluate_factor_blocks([make_block(columns, mid, symbol="NEXOUSDT")], config)
    head, table = result["report"].split("\n\n")
    assert "NEXOUSDT: 8,000 rows, forward return over 30 s" in head
    assert "0 of 1 tested factors significant at 0.01" in head
    assert "and confirmed by trading on the past" in head
    assert "net of 2 bp and half the quoted spread a side" in head
    lines = table.split("\n")
    assert [line.split()[0] for line in lines[1:]] == result["top_factors"]
    assert len({len(line) for line in lines}) == 1


def test_many_symbols_are_abbreviated():
    text = factor_table([], symbols=["A", "", *"CDEFG"], rows=1, n_tested=0, config=Config())
    assert "Factors of A, (no symbol), C, D, E and 2 more" in text


def test_one_symbol_without_a_name_is_not_named():
    text = factor_table([], symbols=[""], rows=86_400, n_tested=0, config=Config())
    assert text.startswith("Factors: 86,400 rows, forward return over 60 s\n")
