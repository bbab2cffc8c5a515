import pytest

from alphaseeker.training.verdict import judge, suspicions

BASELINES = {
    "class_prior": {"log_loss_skill": 0.0},
    "last_label": {"log_loss_skill": 0.001},
}


def card(**changes):
    base = {
        "log_loss_skill": 0.01,
        "ic": 0.08,
        "ic_pooled": 0.07,
        "macro_f1": 0.4,
        "auc": 0.55,
        "net_return_bp": 1.0,
        "n_trades": 50,
        "intervals": {
            "log_loss_skill": [0.005, 0.015],
            "ic": [0.05, 0.11],
            "ic_pooled": [0.04, 0.1],
        },
    }
    intervals = {**base["intervals"], **changes.pop("intervals", {})}
    return {**base, **changes, "intervals": intervals}


def test_an_edge_passes_every_condition():
    verdict, reason = judge(card(), BASELINES, 40)
    assert verdict == "edge"
    assert "1.00 bp" in reason


@pytest.mark.parametrize(
    ("changes", "blocks", "why"),
    [
        ({"intervals": {"log_loss_skill": [-0.001, 0.02]}}, 40, "skill may be zero"),
        ({"intervals": {"ic": [-0.01, 0.1]}}, 40, "IC may be zero"),
        ({"intervals": {"ic_pooled": [-0.01, 0.1]}}, 40, "IC may be zero"),
        ({"log_loss_skill": 0.0009}, 40, "last label is no worse"),
        ({"net_return_bp": -0.5}, 40, "earn -0.50 bp"),
        ({"n_trades": 0, "net_return_bp": 0.0}, 40, "takes no trade"),
        ({}, 19, "19 blocks are fewer"),
    ],
)
def test_one_condition_missed_makes_it_weak(changes, blocks, why):
    verdict, reason = judge(card(**changes), BASELINES, blocks)
    assert verdict == "weak"
    assert why in reason


def test_no_edge_without_a_bound_above_zero_or_without_blocks():
    nothing = {"log_loss_skill": [-0.001, 0.02], "ic": [0.01, 0.1], "ic_pooled": [-0.01, 0.1]}
    verdict, reason = judge(card(intervals=nothing), BASELINES, 40)
    assert verdict == "no edge"
    assert "surely above zero" in reason
    verdict, reason = judge(card(), BASELINES, 4)
    assert verdict == "no edge"
    assert "4 blocks" in reason


def test_results_too_good_to_be_true_name_the_likely_leak():
    def warned(horizon_s=60.0, best_book=("book.imbalance", 0.05), **changes):
        return suspicions(card(**changes), horizon_s=horizon_s, best_book=best_book)

    assert warned() == []
    (ic,) = warned(ic=0.2)
    assert "centred window" in ic
    assert "book.imbalance alone has 0.050" in ic
    assert warned(ic=0.2, best_book=("book.imbalance", 0.24)) == []
    assert warned(ic=0.2, horizon_s=10.0) == []
    assert len(warned(ic=0.2, best_book=None)) == 1
    assert "AUC" in warned(auc=0.61, horizon_s=300.0)[0]
    assert warned(auc=0.61) == []
    assert "label itself" in warned(macro_f1=0.9)[0]
