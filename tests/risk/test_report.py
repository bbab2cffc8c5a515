"""The dictionary that users read."""

from __future__ import annotations

import pytest

from alphaseeker.risk.report import Report, Statistics, describe, read_report
from alphaseeker.risk.state import REPORT, Action, Reason, allocate_position


def test_the_named_fields_are_those_of_the_record_in_its_order() -> None:
    assert Report._fields == REPORT.names
    assert read_report(allocate_position()).side == 0


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("action", list(Action))
def test_every_reason_has_a_text(action: Action, reason: Reason) -> None:
    position = allocate_position()
    position["report"]["action"] = action
    position["report"]["reason"] = reason
    result = describe(
        read_report(position), Statistics(0.0, 0.0, 0.0), max_daily_loss=0.02, max_drawdown=0.1
    )
    assert reason.name.lower() in result["reason"].lower()
    assert result["action"] == action.name.lower()
