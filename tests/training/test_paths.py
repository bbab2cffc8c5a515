from alphaseeker.training.paths import mean_card, spread_of

ONE = {"ic": 0.1, "n": 3, "intervals": {"ic": [0.0, 0.2], "net": []}, "table": [[1, 2], [3, 5]]}
OTHER = {
    "ic": 0.3,
    "n": 6,
    "intervals": {"ic": [0.2, 0.6], "net": [1.0, 2.0]},
    "table": [[3, 2], [3, 1]],
}


def test_numbers_are_averaged_and_whole_ones_stay_whole():
    found = mean_card([ONE, OTHER])
    assert found["ic"] == 0.2
    assert found["n"] == 4
    assert isinstance(found["n"], int)
    assert found["table"] == [[2, 2], [3, 3]]


def test_a_path_without_an_interval_has_no_part_in_it():
    intervals = mean_card([ONE, OTHER])["intervals"]
    assert intervals["ic"] == [0.1, 0.4]
    assert intervals["net"] == [1.0, 2.0]


def test_one_path_is_its_own_mean_and_has_no_spread():
    assert mean_card([ONE]) == ONE
    assert spread_of([ONE]) == {}


def test_the_spread_is_lowest_and_highest_of_every_metric():
    assert spread_of([OTHER, ONE]) == {"ic": [0.1, 0.3]}
