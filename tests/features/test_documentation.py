"""The tables of the catalogue, and the page in ``docs`` that is generated from them."""

import json
from pathlib import Path

from alphaseeker.features.catalogue import FAMILIES, FEATURES, SIGNALS
from alphaseeker.features.documentation import features_table, render_catalogue

PAGE = Path(__file__).resolve().parents[2] / "docs" / "features.md"


def test_the_page_in_docs_is_the_catalogue():
    assert PAGE.read_text(encoding="utf-8") == render_catalogue(), (
        "docs/features.md is stale: write render_catalogue() to it"
    )


def test_the_page_names_every_family_and_signal():
    text = render_catalogue()
    for family in FAMILIES:
        assert f"\n## {family}\n" in text
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(SIGNALS)
    for signal, row in zip(SIGNALS, rows, strict=True):
        cells = row.replace("\\|", "").split("|")
        assert len(cells) == 8
        assert cells[1].strip() == f"`{signal.name}`"
        assert cells[2].strip() == (", ".join(map(str, signal.windows)) or "-")
        assert cells[6].strip() == (signal.source or "-")


def test_the_table_is_plain_and_complete():
    table = features_table()
    assert json.loads(json.dumps(table)) == table
    assert [row["name"] for row in table] == [feature.name for feature in FEATURES]
    row = features_table(["flow.ofi_60s"])[0]
    assert (row["family"], row["unit"], row["window_s"], row["history_s"]) == ("flow", "1", 60, 60)
    assert row["source"].startswith("Cont")
