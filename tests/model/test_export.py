import errno
import os
import shutil
import subprocess
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import export
from alphaseeker.model.artifact import save_artifact
from alphaseeker.model.decision import allocate_decision, probabilities_of
from alphaseeker.model.export import export_model

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror")
WAYS = {
    "the library": ("-L.", "-lmodel", "-Wl,-rpath,."),
    "the units": ("-ffp-contract=off", "main.c"),
}


@pytest.fixture(scope="module", autouse=True)
def libraries(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(artifact, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "c"
    export_model(artifact, "c", path)
    return path


def compile_example(folder, *arguments, compiler="cc"):
    done = subprocess.run(
        [compiler, *arguments, "-lm", "-o", "example"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def replies(folder, rows):
    """Give rows to the example and return what it prints, shape (n, 6)."""
    asked = "\n".join(" ".join(f"{value:.9g}" for value in row) for row in rows.tolist())
    done = subprocess.run(
        ["./example"],
        cwd=folder,
        input=asked,
        capture_output=True,
        text=True,
        timeout=1_800,
        check=True,
    )
    return np.array([line.split() for line in done.stdout.splitlines()], dtype=np.float64)


@needs_compiler
def test_what_is_written_is_told(artifact, tmp_path):
    folder = tmp_path / "c"  # of its own: the other tests compile in theirs
    told = export_model(artifact, "c", folder)
    assert told["to"] == "c"
    assert told["folder"] == str(folder)
    assert told["files"] == sorted(path.name for path in folder.iterdir())
    assert {"header.h", "main.c", "model.h", "example.c"} < set(told["files"])
    assert len((folder / "example.c").read_text().splitlines()) <= 22


@needs_compiler
@pytest.mark.parametrize("way", WAYS)
def test_the_example_prints_lightgbms_scores(folder, artifact, way):
    compile_example(folder, "-O1", "example.c", *WAYS[way])
    rows = artifact.golden_features
    printed = replies(folder, rows)
    wanted = lightgbm.Booster(model_str=artifact.model_text).predict(rows, raw_score=True)
    assert np.ascontiguousarray(printed[:, :3]).tobytes() == wanted.tobytes()
    probabilities = probabilities_of(allocate_decision(artifact.calibration), wanted)
    np.testing.assert_allclose(printed[:, 3:], probabilities, rtol=0, atol=1e-15)


@needs_compiler
def test_the_header_compiles_without_a_warning(folder):
    compile_example(folder, *STRICT, "-std=c99", "example.c", *WAYS["the library"])


@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_the_header_is_one_for_cpp_too(folder, artifact):
    shutil.copy(folder / "example.c", folder / "example.cpp")
    compile_example(folder, "example.cpp", *WAYS["the library"], compiler="c++")
    printed = replies(folder, artifact.golden_features)
    assert np.array_equal(printed[:, :3], artifact.golden_scores)
    (folder / "example.cpp").unlink()


@needs_compiler
def test_fast_mathematics_is_refused_by_the_header(folder):
    done = subprocess.run(
        ["cc", "-ffast-math", "-fsyntax-only", "example.c"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )
    assert done.returncode != 0
    assert "compile without -ffast-math" in done.stderr


@needs_compiler
def test_names_and_calibration_stand_in_the_header(folder, variant, artifact, tmp_path):
    header = (folder / "model.h").read_text()
    for name in artifact.feature_names:
        assert f'"{name}"' in header
    assert "model_temperature = 1.5;" in header
    assert "model_bias[3] = {0.1, 0.0, -0.1};" in header
    assert "model_min_confidence = 0.4;" in header
    assert "isotonic" not in header


@needs_compiler
def test_isotonic_knots_are_exported(variant, artifact, tmp_path):
    knots = {
        "positions": [np.linspace(0.1, 0.6, 64).tolist(), [0.2, 0.5], [1 / 3]],
        "values": [np.linspace(1e-5, 0.7, 64).tolist(), [0.3, 0.45], [0.3]],
    }
    changed = variant(calibration={**artifact.calibration, "isotonic": knots})
    export_model(changed, "c", tmp_path)
    compile_example(tmp_path, *STRICT, "-std=c99", "example.c", *WAYS["the library"])
    printed = replies(tmp_path, artifact.golden_features)
    wanted = probabilities_of(allocate_decision(changed.calibration), artifact.golden_scores)
    np.testing.assert_allclose(printed[:, 3:], wanted, rtol=0, atol=1e-15)
    assert "and each class by its isotonic knots" in (tmp_path / "model.h").read_text()


@needs_compiler
def test_odd_names_are_still_names(variant, artifact, tmp_path):
    names = ('a"b', "back\\slash", "what??/", "ünïcode", "tab\t", "plain")
    export_model(variant(feature_names=names), "c", tmp_path)
    show = '#include "model.h"\nint main(void) { for (int i = 0; i < 6; ++i)'
    show += " puts(model_feature_names[i]); return 0; }\n"
    (tmp_path / "show.c").write_text(show)
    compile_example(tmp_path, *STRICT, "-std=c99", "show.c", *WAYS["the library"])
    done = subprocess.run(
        ["./example"], cwd=tmp_path, capture_output=True, timeout=1_800, check=True
    )
    assert done.stdout.decode().split("\n")[:-1] == list(names)


def test_the_text_of_a_model_file_is_lightgbms(artifact, tmp_path):
    path = save_artifact(artifact, tmp_path / "model.joblib")
    told = export_model(path, "lightgbm", str(tmp_path / "out"))
    assert told == {"to": "lightgbm", "folder": str(tmp_path / "out"), "files": ["model.txt"]}
    booster = lightgbm.Booster(model_file=tmp_path / "out" / "model.txt")
    scores = booster.predict(artifact.golden_features, raw_score=True)
    assert scores.tobytes() == artifact.golden_scores.tobytes()


def test_what_is_there_is_not_overwritten(artifact, tmp_path):
    (tmp_path / "model.txt").write_text("mine")
    with pytest.raises(ModelError, match=r"holds model.txt already; remove them or name another"):
        export_model(artifact, "lightgbm", tmp_path)
    assert (tmp_path / "model.txt").read_text() == "mine"


def test_what_was_written_before_a_failure_is_removed(artifact, tmp_path, monkeypatch):
    open_file = Path.open

    def fail(path, *arguments, **keywords):
        if path.name == "second":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if path.name == "third":
            with open_file(path, "wb") as file:  # it appears meanwhile
                file.write(b"another's")
        return open_file(path, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", fail)
    for missing in ("second", "third"):
        files = {"first": b"1", missing: b"2", "last": b"3"}
        monkeypatch.setattr(export, "_files_of_c", lambda *_, files=files: files)
        with pytest.raises(ModelError, match=r"cannot be exported to .*: (No space|File exists)"):
            export_model(artifact, "c", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["third"]
    assert (tmp_path / "third").read_bytes() == b"another's"


def test_half_a_file_is_removed(artifact, tmp_path, monkeypatch):
    def files_of(*_):
        return {"first": b"1", "second": "no bytes"}  # opened, then it fails

    monkeypatch.setattr(export, "_files_of_c", files_of)
    with pytest.raises(TypeError):
        export_model(artifact, "c", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("units", "named"), [(["main.c"], "main.c"), (["main.c", "tu0.c", "tu1.c"], "main.c tu*.c")]
)
def test_the_command_names_the_units(artifact, units, named):
    header = export._model_header(artifact, units)
    assert f" *     cc -O1 -ffp-contract=off example.c {named} -lm -o example\n" in header


def test_an_unknown_form_is_refused(artifact, tmp_path):
    with pytest.raises(ModelError, match="cannot be exported to 'onnx'; it must be c or lightgbm"):
        export_model(artifact, "onnx", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made(artifact, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be exported to"):
        export_model(artifact, "lightgbm", tmp_path / "file" / "out")


def test_a_file_that_is_no_model(tmp_path):
    (tmp_path / "model.joblib").write_bytes(b"no model")
    with pytest.raises(ModelError, match="is refused"):
        export_model(tmp_path / "model.joblib", "c", tmp_path / "out")


def test_without_a_compiler_nothing_is_written(artifact, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "/bin/false")
    with pytest.raises(ModelError, match="failed with status 1"):
        export_model(artifact, "c", tmp_path / "out")
    assert not (tmp_path / "out").exists()
