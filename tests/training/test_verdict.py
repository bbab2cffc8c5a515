import pytest

from alphaseeker.training.verdict import judge, suspicions

BASELINES = {
    "class_prior": {"log_loss_skill": 0.0, "ic": 0.0},
    "last_label": {"log_loss_skill": 0.001, "ic": 0.02},
}


def card(**changes):
    base = {
        "log_loss_skill": 0.01,
        "ic": 0.08,
        "ic_pooled": 0.07,
        "macro_f1": 0.4,
        "ece": 0.02,
        "ece_limit": 0.03,
        "auc": 0.55,
        "net_return_bp": 1.0,
        "n_trades": 50,
        "net_return_all_bp": -2.0,
        "n_trades_all": 90,
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
    assert "calibration error 0.020, by chance below 0.030" in reason
    assert verdict == "edge"
    assert "1.00 bp" in reason


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"intervals": {"log_loss_skill": [-0.001, 0.02]}}, "skill may be zero"),
        ({"ic": 0.01}, "last label baseline does better: IC 0.0200"),
        ({"net_return_bp": -0.5}, "earn -0.50 bp"),
        ({"n_trades": 0, "net_return_bp": 0.0}, "takes no trade (acting on every BUY and SELL: 90"),
    ],
)
def test_one_condition_missed_makes_it_weak(changes, why):
    verdict, reason = judge(card(**changes), BASELINES, 40)
    assert verdict == "weak"
    assert why in reason


@pytest.mark.parametrize(
    ("skills", "verdict"),
    [
        ((0.02, 0.01, 0.01, 0.01), "edge"),
        ((-0.02, 0.01, 0.01, 0.01), "edge"),
        ((0.5, 0.4, 0.01, -0.01), "weak"),
        ((-0.5, -0.4, 0.5, 0.5), "weak"),
    ],
)
def test_what_held_on_old_data_only_is_weak(skills, verdict):
    folds = [{"log_loss_skill": skill, "ic": 0.1} for skill in skills]
    found, reason = judge(card(), BASELINES, 40, folds)
    assert found == verdict
    assert ("folds show none" in reason) == (verdict == "weak")
    held = [{"log_loss_skill": 0.01, "ic": ic} for ic in (0.1, -0.1)]
    assert (
        "the latest among them (latest: skill 0.0100, IC -0.1000)"
        in judge(card(), BASELINES, 40, held)[1]
    )


@pytest.mark.parametrize(
    ("better", "why"),
    [
        ({"log_loss_skill": 0.011}, "skill 0.0110"),
        ({"ic": 0.09}, "IC 0.0900"),
        ({"log_loss_skill": 0.011, "ic": 0.09}, "skill 0.0110, IC 0.0900"),
    ],
)
def test_a_logistic_regression_that_does_better_is_named(better, why):
    logistic = {"log_loss_skill": 0.002, "ic": 0.03}
    assert judge(card(), {**BASELINES, "logistic": logistic}, 40)[0] == "edge"
    verdict, reason = judge(card(), {**BASELINES, "logistic": {**logistic, **better}}, 40)
    assert verdict == "weak"
    assert f"the logistic baseline does better: {why}:" in reason


@pytest.mark.parametrize(
    ("changes", "blocks", "why"),
    [
        # Surely worse than the class prior, while its IC is surely above zero.
        (
            {"log_loss_skill": -0.417, "intervals": {"log_loss_skill": [-0.501, -0.325]}},
            60,
            "the class prior does no worse",
        ),
        ({"log_loss_skill": 0.0}, 60, "the class prior does no worse"),
        ({"log_loss_skill": 0.0009}, 60, "the last label does no worse (skill 0.00100)"),
        (
            {"intervals": {"log_loss_skill": [-0.001, 0.02], "ic_pooled": [-0.01, 0.1]}},
            40,
            "IC may be zero",
        ),
        # Sure skill without a sure direction is a forecast of volatility.
        ({"intervals": {"ic": [-0.01, 0.1]}}, 40, "IC may be zero"),
        ({"intervals": {"ic_pooled": [-0.01, 0.1]}}, 40, "IC may be zero"),
        ({}, 19, "too few independent blocks to judge: the held-back rows make 19 blocks"),
    ],
)
def test_no_edge(changes, blocks, why):
    verdict, reason = judge(card(**changes), BASELINES, blocks)
    assert verdict == "no edge"
    assert why in reason


def test_without_intervals_the_figures_stand_alone():
    nothing = {"log_loss_skill": [], "ic": [], "ic_pooled": []}
    verdict, reason = judge(card(intervals=nothing), BASELINES, 4)
    assert verdict == "no edge"
    assert "IC 0.0800, pooled 0.0700, 4 blocks" in reason


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
