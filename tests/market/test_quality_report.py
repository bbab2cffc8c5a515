"""What a quality report says: as plain values, as text and in its warnings."""

import json

import pytest

from alphaseeker.market.quality_report import BadRow, LateRow, QualityReport

START = 1_704_067_200_000_000_000  # 2024-01-01 UTC
MINUTE = 60_000_000_000
REPORT = QualityReport(
    source="file.csv",
    symbols=("A", ""),
    rows=40,
    accepted=33,
    start_ns=START,
    end_ns=START + 20 * MINUTE,
    sessions=2,
    verdicts={
        "ACCEPTED": 29,
        "LOCKED": 1,
        "AFTER_GAP": 1,
        "NEW_SESSION": 2,
        "REPEATED": 4,
        "BAD_BID_PRICE": 1,
        "OUT_OF_ORDER": 1,
        "CROSSED_BOOK": 1,
    },
    bad_rows=(BadRow(5, "bid_price", "nan"),),
    late_rows=(LateRow(9, START, 8, START + MINUTE),),
    locked=1,
    longest_gap_s=1001.0,
    intervals={960: (20, 20_000_000_000), 970: (9, 18_000_000_000)},
)


def test_counts_follow_from_the_verdicts():
    assert (REPORT.refused, REPORT.bad_ratio) == (1, 1 / 40)
    assert (REPORT.duplicates, REPORT.repaired) == (4, 4)
    assert (REPORT.gaps, REPORT.crossed, REPORT.out_of_order) == (1, 1, 1)
    assert (REPORT.empty_side, REPORT.jumps) == (0, 0)
    assert REPORT.median_interval_s == 1.0
    assert REPORT.mean_interval_s == pytest.approx(38 / 29)


def test_plain_values_are_json():
    plain = json.loads(json.dumps(REPORT.as_dict(), allow_nan=False))
    assert plain["bad_rows"] == [{"row": 5, "field": "bid_price", "value": "nan"}]
    assert plain["late_rows"] == [
        {"row": 9, "time_ns": START, "behind_row": 8, "behind_ns": START + MINUTE}
    ]
    assert plain["start"] == "2024-01-01T00:00:00.000000000Z"
    assert (plain["out_of_order"], plain["returned"]) == (1, 0)
    assert plain["warnings"] == list(REPORT.warnings())


def test_text_has_one_line_for_each_fact():
    lines = str(REPORT).splitlines()
    for line in (
        "symbols       A, (unnamed)",
        "rows          40",
        "refused       1 (2.500%)",
        "sessions      2",
        "gaps          1 over the limit, longest 1001 s",
        "duplicates    4 (repaired: ignored)",
        "crossed       1",
        "refused row   line 5: bid_price is nan (empty, or no number)",
    ):
        assert line in lines
    assert sum("repaired" in line for line in lines) == 1


def test_warnings_name_the_row_that_others_fall_behind():
    (warning,) = REPORT.warnings()
    assert warning == (
        "1 of 40 rows are earlier than an accepted row before them and cannot be used: line 9 "
        "(from 2024-01-01T00:00:00.000000000Z) after line 8 (2024-01-01T00:01:00.000000000Z). "
        "Where that row's time is wrong, mend or drop it; else sort the source by timestamp "
        "within each session"
    )
    assert QualityReport(rows=10, accepted=10).warnings() == ()


def test_report_without_rows_is_plain_zeros():
    plain = json.loads(json.dumps(QualityReport().as_dict(), allow_nan=False))
    assert plain["median_interval_s"] == plain["mean_interval_s"] == plain["bad_ratio"] == 0.0
    assert plain["start"] is None
    assert "span          - to -" in str(QualityReport()).splitlines()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("close", "nan", "5: close is nan (empty, or no number)"),
        ("close", "1e+39", "5: close is 1e+39 (beyond float32)"),
        ("close", "inf", "5: close is inf"),
        ("close", "-1.0", "5: close is -1.0"),
        ("timestamp", "0", "5: timestamp is 0 (empty, or no time)"),
        ("timestamp", "-7", "5: timestamp is -7"),
    ],
)
def test_a_refused_row_says_what_a_reader_of_the_file_may_have_found(field, value, words):
    assert str(BadRow(5, field, value)) == words
