from html import unescape

import pytest

from alphaseeker.factors.grade import GRADES, POINTS
from alphaseeker.report.factor_cards import (
    PART_NAMES,
    factor_card,
    grade_badge,
    score_meter,
)


@pytest.mark.parametrize("name", GRADES)
def test_each_grade_has_a_colour(name):
    assert f"grade-{name}" in grade_badge(name)
    assert "grade-E" in grade_badge("<x>")


def test_every_part_of_the_score_has_a_name():
    assert set(PART_NAMES) == set(POINTS)


def test_a_capped_score_says_so():
    parts = dict.fromkeys(POINTS, 10.0)
    assert "before caps" in score_meter({"total_score": 44.9, "score_parts": parts})
    assert "before caps" not in score_meter({"total_score": 60.0, "score_parts": parts})
    assert "<svg" not in score_meter({})


def test_a_card_of_a_bare_factor_holds_its_figures_alone():
    card = factor_card({"factor_name": "a<b", "ic": 0.5}, [], is_open=True)
    assert card.startswith("<details open>")
    assert "a<b" in unescape(card)
    assert "a<b" not in card
    assert "+0.500" in card
    assert card.count("<h3>") == 1
    assert not factor_card({"factor_name": "a"}, [], is_open=False).startswith("<details open>")


def test_days_of_one_block_each_are_not_shown_as_days():
    days = [{"day": f"2024-01-0{day}", "ic": 0.1, "n_blocks": 1} for day in (1, 2)]
    assert "IC by day" not in factor_card({"factor_name": "a", "ic_by_day": days}, [], is_open=True)
    days[1]["n_blocks"] = 2
    assert "IC by day" in factor_card({"factor_name": "a", "ic_by_day": days}, [], is_open=True)
