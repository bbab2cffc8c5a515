import json
import random
import re
import subprocess
import sys
import textwrap

import lightgbm
import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model.lightgbm_text import MAX_LEAVES, read_splits, validate_model_text

# The fixtures' model has 6 columns and 3 x 4 trees of up to 9 leaves.
N_FEATURES = 6


def replace_line(text, key, change, tree=0):
    """Change the value of ``key`` in the tree, and tree_sizes with it."""
    start = text.index(f"Tree={tree}\n")
    found = re.compile(rf"^{key}=(.*)$", re.MULTILINE).search(text, start)
    value = change(found[1]) if callable(change) else change
    return resize(text[: found.start(1)] + value + text[found.end(1) :])


def resize(text):
    """Write the tree_sizes that the trees have."""
    trees = text[text.index("Tree=0\n") : text.index("end of trees")]
    sizes = [len(tree) for tree in re.split(r"(?=^Tree=)", trees, flags=re.MULTILINE)[1:]]
    return re.sub("tree_sizes=.*", "tree_sizes=" + " ".join(map(str, sizes)), text)


def item(index, value):
    """Return a change of one item of a list of numbers."""

    def change(line):
        items = line.split(" ")
        items[index] = value
        return " ".join(items)

    return change


def drop_last(line):
    return line.rpartition(" ")[0]


def test_the_shape_of_a_real_model(model_text):
    shape = validate_model_text(model_text, n_features=N_FEATURES)
    assert (shape.n_features, shape.n_classes, shape.n_trees) == (N_FEATURES, 3, 12)
    assert 2 <= shape.max_leaves <= 9
    assert shape.objective == "multiclass"
    assert shape.feature_names[0] == "book.column_0s"
    assert validate_model_text(model_text) == shape


def test_every_form_that_lightgbm_writes_is_accepted(model_text, train):
    random_state = np.random.default_rng(1)
    frame_like = random_state.normal(size=(300, 4))
    classifier = lightgbm.LGBMClassifier(n_estimators=2, num_leaves=4, verbose=-1, n_jobs=1)
    classifier.fit(frame_like, random_state.integers(0, 3, 300))
    texts = {
        "resaved": lightgbm.Booster(model_str=model_text).model_to_string(),
        "cut": lightgbm.Booster(model_str=model_text).model_to_string(num_iteration=2),
        "gain": lightgbm.Booster(model_str=model_text).model_to_string(importance_type="gain"),
        "one leaf": train(rounds=2, min_data_in_leaf=2900),
        "one against all": train(rounds=2, objective="multiclassova"),
        "bagged": train(rounds=2, bagging_freq=1, bagging_fraction=0.5, feature_fraction=0.5),
        "dart": train(rounds=3, boosting="dart"),
        "no missing": train(rounds=2, use_missing=False),
        "stopped": train(rounds=2, min_gain_to_split=1e9),
        "scikit-learn": classifier.booster_.model_to_string(),
    }
    for text in texts.values():
        assert validate_model_text(text).n_classes == 3


def test_a_split_of_the_missing_from_all_others_is_accepted(model_text):
    assert "inf" in re.search("threshold=.*inf.*", model_text)[0]
    assert np.inf in [threshold for _, threshold in read_splits(model_text)]


def test_splits_are_those_of_lightgbm(model_text):
    booster = lightgbm.Booster(model_str=model_text)
    trees = booster.trees_to_dataframe().dropna(subset=["split_feature"])
    columns = [booster.feature_name().index(name) for name in trees["split_feature"]]
    given = [(column, min(threshold, 1e300)) for column, threshold in read_splits(model_text)]
    assert sorted(given) == sorted(zip(columns, trees["threshold"].clip(upper=1e300), strict=True))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tree\n", "forest\n", "header"),
        ("version=v4", "version=v3", "version"),
        ("num_class=3", "num_class=2", "num_class"),
        ("num_tree_per_iteration=3", "num_tree_per_iteration=1", "num_tree_per_iteration"),
        ("label_index=0", "label_index=1", "label_index"),
        ("max_feature_idx=5", "max_feature_idx=6", "max_feature_idx"),
        ("objective=multiclass num_class:3", "objective=multiclass num_class:4", "objective"),
        ("objective=multiclass num_class:3", "objective=binary sigmoid:1", "objective"),
        ("objective=multiclass num_class:3\n", "", "header"),
        ("label_index=0\n", "label_index=0\nlabel_index=0\n", "header"),
        ("feature_names=", "average_output\nfeature_names=", "average_output"),
        ("book.column_1s book", "book.column_0s book", "different names"),
        ("book.column_1s ", "", "different names"),
        ("feature_infos=", "feature_infos=0:1:2 ", "numeric features"),
        ("feature_infos=[", "feature_infos=[x", "numeric features"),
        ("tree_sizes=", "tree_sizes=1 ", "multiple of 3"),
        ("tree_sizes=", "tree_sizes=-", "tree_sizes"),
        ("tree_sizes=", "tree_sizes=x", "tree_sizes"),
        ("Tree=1\n", "Tree=2\n", "begin and end"),
        ("\nend of trees", "\nTree=12\nend of trees", "end of trees"),
        ("end of trees", "end of tree", "end of trees"),
        ("feature_importances:\n", "feature_importances:\nother=3\n", "feature_importances"),
        ("parameters:\n", "parameters:\nboosting: gbdt\n", "parameters"),
        ("[linear_tree: 0]", "[linear_tree: 1]", "linear_tree is not supported"),
        ("[zero_as_missing: 0]", "[zero_as_missing: 1]", "zero_as_missing is not supported"),
        ("pandas_categorical:null", 'pandas_categorical:[["a"]]', "pandas categories"),
        ("end of parameters", "end", "end of parameters"),
        ("tree\n", "tree\x00\n", "printable ASCII"),
        ("book.column_0s", "bööks.column_0", "printable ASCII"),
    ],
)
def test_a_wrong_line_outside_the_trees_is_refused(model_text, old, new, words):
    assert old in model_text
    with pytest.raises(ModelError, match=words):
        validate_model_text(model_text.replace(old, new, 1), n_features=N_FEATURES)


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        ("num_leaves", "1", "must hold 0"),
        ("num_leaves", "0", r"must lie in 1"),
        ("num_leaves", str(MAX_LEAVES + 1), "must lie in 1"),
        ("num_leaves", "1000000000000", "whole numbers"),
        ("num_leaves", "", "must hold 1"),
        ("num_cat", "1", "categorical"),
        ("split_feature", item(0, "6"), "must lie in 0..5"),
        ("split_feature", item(0, "-1"), "must lie in 0..5"),
        ("split_feature", item(0, "1.0"), "whole numbers"),
        ("split_feature", drop_last, "must hold"),
        ("split_gain", item(0, "nan"), "finite"),
        ("threshold", item(0, "nan"), "numbers or inf"),
        ("threshold", item(0, "-inf"), "numbers or inf"),
        ("threshold", item(0, "1e+999"), "too large"),
        ("threshold", drop_last, "must hold"),
        ("threshold", lambda line: line + " 1", "must hold"),
        ("decision_type", item(0, "9"), "categorical"),
        ("decision_type", item(0, "4"), "zero_as_missing"),
        ("decision_type", item(0, "6"), "zero_as_missing"),
        ("decision_type", item(0, "12"), "one of 0, 2, 8, 10"),
        ("left_child", item(0, "0"), "no tree"),
        ("left_child", item(0, "99"), "no tree"),
        ("left_child", item(0, "-99"), "no tree"),
        ("left_child", item(-1, "1"), "no tree"),
        ("right_child", item(0, "-1"), "no tree"),
        ("leaf_value", item(0, "nan"), "finite"),
        ("leaf_value", item(0, "inf"), "finite"),
        ("leaf_value", drop_last, "must hold"),
        ("leaf_value", item(0, "0x10"), "finite"),
        ("leaf_value", item(0, "1_0"), "finite"),
        ("leaf_weight", "", "must hold"),
        ("leaf_count", item(0, "-1"), "leaf_count"),
        ("leaf_count", item(0, "9999999999"), "leaf_count"),
        ("internal_count", item(0, "-3"), "internal_count"),
        ("is_linear", "1", "linear trees"),
        ("shrinkage", "nan", "finite"),
        ("shrinkage", "1 1", "must hold 1"),
    ],
)
@pytest.mark.parametrize("tree", [0, 7])
def test_a_wrong_number_in_a_tree_is_refused(model_text, key, change, words, tree):
    changed = replace_line(model_text, key, change, tree)
    assert changed != model_text
    with pytest.raises(ModelError, match=words) as caught:
        validate_model_text(changed)
    assert f"tree {tree}" in str(caught.value)
    assert "train the model again or get the file again" in str(caught.value)


def test_two_nodes_that_are_each_others_children_are_refused(model_text):
    # 0 -> leaves; 1 <-> 2 unreachable: every node still has exactly one parent.
    changed = model_text
    for key, value in (
        ("num_leaves", "4"),
        ("split_feature", "0 0 0"),
        ("split_gain", "1 1 1"),
        ("threshold", "0 0 0"),
        ("decision_type", "2 2 2"),
        ("left_child", "-1 2 1"),
        ("right_child", "-2 -3 -4"),
        ("leaf_value", "1 2 3 4"),
        ("leaf_weight", "1 2 3 4"),
        ("leaf_count", "1 2 3 4"),
        ("internal_value", "1 1 1"),
        ("internal_weight", "1 1 1"),
        ("internal_count", "1 1 1"),
    ):
        changed = replace_line(changed, key, value)
    with pytest.raises(ModelError, match="no tree"):
        validate_model_text(changed)
    changed = replace_line(changed, "left_child", "1 2 -1")
    assert validate_model_text(changed).n_trees == 12


def test_models_that_lightgbm_knows_and_we_do_not_are_refused_by_name(train):
    for parameters, words in (
        ({"linear_tree": True}, "linear trees"),
        ({"zero_as_missing": True}, "zero_as_missing"),
        ({"categorical": [5], "max_cat_to_onehot": 1}, "numeric features"),
        (
            {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
            "average_output",
        ),
    ):
        text = train(rounds=2, **parameters)
        with pytest.raises(ModelError, match=words):
            validate_model_text(text)


def test_other_numbers_of_columns_and_classes_are_refused(model_text):
    with pytest.raises(ModelError, match="max_feature_idx: it is '5', it must be '6'"):
        validate_model_text(model_text, n_features=7)
    with pytest.raises(ModelError, match="num_class"):
        validate_model_text(model_text, n_classes=2)


@pytest.mark.parametrize("text", ["", "\n", "tree", "tree\n\n", "\n\n", "tree\nversion=v4\n\n"])
def test_almost_empty_texts_are_refused(text):
    with pytest.raises(ModelError):
        validate_model_text(text)


def test_every_truncation_is_refused_but_that_of_the_last_lines(model_text):
    # LightGBM itself, unlike its Python package, does not write the line about pandas.
    without_pandas = model_text.index("pandas_categorical") - 1
    for end in range(0, len(model_text), 13):
        if end != without_pandas:
            with pytest.raises(ModelError):
                validate_model_text(model_text[:end])


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?")


def mutate(text, source):
    """Return the text with one to three random changes of the kinds that damage makes."""
    for _ in range(source.choice([1, 1, 2, 3])):
        kind = source.randrange(9)
        at = source.randrange(len(text))
        end = min(len(text), at + source.choice([1, 1, 2, 8, 60]))
        numbers = list(NUMBER.finditer(text, 0, text.find("parameters:") % (len(text) + 1)))
        lines = text.split("\n")
        line = source.randrange(len(lines))
        number = source.choice(numbers) if numbers else None
        if kind == 0:
            text = text[:at] + text[end:]
        elif kind == 1:
            text = text[:at] + text[at:end] + text[at:]
        elif kind == 2:
            text = text[:at] + source.choice("0123456789-+.e =\n[]:xN\x00") + text[at + 1 :]
        elif kind == 3 and number:
            new = source.choice(["-1", "0", "7", "99999", "-2147483648", "nan", "inf", "1e400", ""])
            text = text[: number.start()] + new + text[number.end() :]
        elif kind == 4 and number:
            digits = "".join(source.choice("0123456789") for _ in range(len(number[0])))
            text = text[: number.start()] + digits + text[number.end() :]
        elif kind == 5:
            text = "\n".join(lines[:line] + lines[line + 1 :])
        elif kind == 6:
            text = "\n".join(lines[: line + 1] + lines[line:])
        elif kind == 7:
            other = source.randrange(len(lines))
            lines[line], lines[other] = lines[other], lines[line]
            text = "\n".join(lines)
        else:
            text = text[:at]
        if len(text) < 10:
            return text
    return text


PREDICT_ALL = """
    import json, sys
    import numpy as np
    from alphaseeker.errors import ModelError
    from alphaseeker.model.lightgbm_predictor import LightGBMPredictor

    random = np.random.default_rng(0)
    matrix = random.normal(size=(50, 6)).astype(np.float32)
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    scores, done = np.empty(3), 0
    for text in json.load(sys.stdin):
        predictor = LightGBMPredictor(text)
        whole = predictor.predict_matrix(matrix)
        for row in range(len(matrix)):
            predictor.predict_row(matrix[row], scores)
            assert scores.tobytes() == whole[row].tobytes()
        done += 1
    print(done)
"""


def test_mutants_are_refused_or_predict_and_none_ends_the_process(model_text):
    source = random.Random(11)
    accepted, refused = [], 0
    while len(accepted) + refused < 800:
        mutant = mutate(model_text, source)
        if source.random() < 0.5 and "Tree=0\n" in mutant and "end of trees" in mutant:
            mutant = resize(mutant)  # so that more of them get past the sizes
        if mutant == model_text:
            continue
        try:
            validate_model_text(mutant)
        except ModelError:
            refused += 1
        else:
            accepted.append(mutant)
    assert refused > 400
    assert len(accepted) > 20
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PREDICT_ALL)],
        input=json.dumps(accepted),
        capture_output=True,
        text=True,
        check=False,
        timeout=1_800,
    )
    assert (done.returncode, done.stdout.strip()) == (0, str(len(accepted))), done.stderr[-2000:]
