import errno
import logging
import os
import shutil
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from alphaseeker.features import matrix_store
from alphaseeker.features.matrix_store import (
    MatrixStore,
    clear_matrices,
    matrix_folder,
    store_status,
)
from alphaseeker.market.array_file import file_array, in_file

ROWS, COLUMNS = 1_000, 3
SIZE = ROWS * (4 * COLUMNS + 8 + 1)  # bytes, ends apart
PLENTY = 10 * SIZE


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(folder))
    return folder


def allocate(rows):
    values = np.empty((rows, COLUMNS), dtype=np.float32, order="F")
    return [values, np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int8)]


def made(seed=0):
    """A matrix in Fortran order with NaN and -0.0, a view of a row, and bytes."""
    random = np.random.default_rng(seed)
    values, _, verdict = allocate(ROWS)
    values[:] = random.normal(size=values.shape)
    values[0] = (np.nan, -0.0, np.inf)
    verdict[:] = random.integers(0, 5, ROWS)
    return [values, random.integers(0, 2**62, (4, ROWS))[2], verdict]


def same(found, arrays):
    return [one.tobytes(order="A") for one in found] == [one.tobytes(order="A") for one in arrays]


def files(root):
    return sorted(path.name for path in (root / "matrices").iterdir())


def test_what_was_written_is_read_to_the_bit(root):
    store = MatrixStore(PLENTY)
    assert store.read("one", COLUMNS, allocate) is None
    store.write("one", COLUMNS, made())
    assert same(store.read("one", COLUMNS, allocate), made())
    assert same(MatrixStore(PLENTY).read("one", COLUMNS, allocate), made())
    assert store.read("two", COLUMNS, allocate) is None
    assert files(root) == ["one.features"]


def test_arrays_that_stand_in_files_are_kept_and_read_alike(root):
    stored = []
    for array in made():
        order = "F" if array.flags.f_contiguous else "C"
        stored.append(file_array(array.shape, array.dtype, order=order))
        stored[-1][...] = array
    store = MatrixStore(PLENTY)
    store.write("one", COLUMNS, stored)

    def in_files(rows):
        plain = allocate(rows)
        return [
            file_array(one.shape, one.dtype, order="F" if one.ndim == 2 else "C") for one in plain
        ]

    found = store.read("one", COLUMNS, in_files)
    assert all(in_file(one) for one in found)
    assert same(found, made())


def test_files_and_folders_are_the_users_alone(root):
    MatrixStore(PLENTY).write("one", COLUMNS, made())
    assert (root / "matrices").stat().st_mode & 0o777 == 0o700
    assert (root / "matrices" / "one.features").stat().st_mode & 0o777 == 0o600


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def emptied(path):
    os.truncate(path, 0)


def lengthened(path):
    with path.open("ab") as file:
        file.write(b"x")


def zeroed(path):
    """As after a power cut: the length is there, a page is not."""
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(bytes(4_096))


def other_head(path):
    with path.open("r+b") as file:
        file.seek(16)
        file.write((2**50).to_bytes(8, "little"))


def renamed(path):
    path.rename(path.with_name("other.features"))
    other = made(1)
    MatrixStore(PLENTY).write("moved", COLUMNS, other)
    path.with_name("moved.features").rename(path)


@pytest.mark.parametrize("harm", [cut, emptied, lengthened, zeroed, other_head, renamed])
def test_a_torn_file_is_never_read(root, harm, caplog):
    store = MatrixStore(PLENTY)
    store.write("one", COLUMNS, made())
    path = root / "matrices" / "one.features"
    harm(path)
    with caplog.at_level(logging.WARNING):
        assert store.read("one", COLUMNS, allocate) is None
    assert "damaged and is computed again" in caplog.text
    assert not path.exists()
    store.write("one", COLUMNS, made())
    assert same(store.read("one", COLUMNS, allocate), made())


def test_another_number_of_columns_is_not_read(root):
    store = MatrixStore(PLENTY)
    store.write("one", COLUMNS, made())
    assert store.read("one", COLUMNS + 1, allocate) is None


def test_beyond_the_budget_the_one_used_longest_ago_goes(root):
    store = MatrixStore(3.5 * SIZE)
    for age, name in enumerate(("first", "second", "third")):
        store.write(name, COLUMNS, made())
        os.utime(root / "matrices" / f"{name}.features", (1_000 + age, 1_000 + age))
    assert store.read("first", COLUMNS, allocate) is not None  # used just now
    store.write("fourth", COLUMNS, made())
    assert files(root) == ["first.features", "fourth.features", "third.features"]
    total = sum(path.stat().st_size for path in (root / "matrices").iterdir())
    assert total <= 3.5 * SIZE


def test_a_file_above_half_of_the_budget_is_not_kept(root):
    store = MatrixStore(1.9 * SIZE)
    store.write("one", COLUMNS, made())
    assert files(root) == []


def test_a_reader_keeps_what_others_remove(root):
    store = MatrixStore(PLENTY)
    store.write("one", COLUMNS, made())

    def removed_meanwhile(rows):
        clear_matrices()
        return allocate(rows)

    assert same(store.read("one", COLUMNS, removed_meanwhile), made())
    assert files(root) == []


def test_what_a_killed_process_left_goes(root):
    store = MatrixStore(PLENTY)
    folder, _ = matrix_folder()
    for name, age_s in (("old", 7_200), ("new", 10)):
        (folder / f"writing-{name}").write_bytes(b"half")
        os.utime(folder / f"writing-{name}", (time.time() - age_s,) * 2)
    store.write("one", COLUMNS, made())
    assert files(root) == ["one.features", "writing-new"]


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["posix_fallocate", "statvfs"])
def test_a_full_disk_keeps_nothing_and_says_so(root, monkeypatch, caplog, call):
    store = MatrixStore(PLENTY)
    monkeypatch.setattr(os, call, full)
    with caplog.at_level(logging.WARNING):
        store.write("one", COLUMNS, made())
    assert "cannot be kept" in caplog.text
    assert files(root) == []


def test_an_almost_full_disk_is_left_to_the_run(root, monkeypatch, caplog):
    store = MatrixStore(PLENTY)
    found = os.statvfs(root)
    little = os.statvfs_result([1, 1, *found[2:4], int(1.5 * SIZE), *found[5:]])
    monkeypatch.setattr(os, "statvfs", lambda _: little)
    with caplog.at_level(logging.WARNING):
        store.write("one", COLUMNS, made())
    assert "little space" in caplog.text
    assert files(root) == []


def test_old_matrices_make_room_on_the_disk(root, monkeypatch):
    """A disk of 4.6 matrices, of which three are kept: it must have room for two."""
    store = MatrixStore(3.5 * SIZE)
    for name in ("one", "two", "three"):
        store.write(name, COLUMNS, made())
    found = os.statvfs(root)

    def little(folder):
        free = int(4.6 * SIZE) - sum(path.stat().st_size for path in folder.iterdir())
        return os.statvfs_result([1, 1, *found[2:4], free, *found[5:]])

    monkeypatch.setattr(os, "statvfs", little)
    store.write("four", COLUMNS, made())
    assert files(root) == ["four.features", "three.features", "two.features"]


def test_a_read_only_folder_is_not_used(root, monkeypatch, caplog):
    MatrixStore(PLENTY).write("one", COLUMNS, made())
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    with caplog.at_level(logging.WARNING):
        store = MatrixStore(PLENTY)
        assert store.read("one", COLUMNS, allocate) is None
        store.write("two", COLUMNS, made())
    assert caplog.text.count("not kept between runs") == 1
    assert "is not writable" in caplog.text
    assert store_status(PLENTY) == (
        False,
        f"feature matrices are not kept: {root} is not writable",
    )
    assert clear_matrices() == 0


def test_a_folder_that_others_write_to_is_not_used(root, caplog):
    MatrixStore(PLENTY).write("one", COLUMNS, made())
    (root / "matrices").chmod(0o777)
    assert MatrixStore(PLENTY).read("one", COLUMNS, allocate) is None
    assert "writable by everyone" in caplog.text


def test_a_file_of_somebody_else_is_not_read(root, monkeypatch):
    store = MatrixStore(PLENTY)
    store.write("one", COLUMNS, made())
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert store.read("one", COLUMNS, allocate) is None


def test_status_and_clearing(root):
    assert store_status(0) == (
        True,
        "feature matrices are not kept (DISK_CACHE_MB, ENABLE_CACHING)",
    )
    store = MatrixStore(PLENTY)
    for name in ("one", "two"):
        store.write(name, COLUMNS, made())
    usable, sentence = store_status(5e6)
    assert usable
    assert sentence == f"2 feature matrices take 0 of 5 MB in {root / 'matrices'}"
    (root / "matrices" / "notes.txt").write_text("mine")
    assert clear_matrices() == 2
    assert files(root) == ["notes.txt"]


def test_without_a_home_folder_nothing_is_kept(monkeypatch):
    monkeypatch.setattr(
        matrix_store, "cache_root", lambda: (_ for _ in ()).throw(RuntimeError("x"))
    )
    assert matrix_folder() == (None, "no home folder (x)")


def test_processes_at_once_read_whole_matrices_or_none(root):
    """Four processes write, read and evict the same three names: every read is right."""
    code = """
        import sys
        sys.path.insert(0, sys.argv[1])
        from test_matrix_store import COLUMNS, SIZE, MatrixStore, allocate, made, same
        store = MatrixStore(2.5 * SIZE)
        for turn in range(60):
            seed = turn % 3
            found = store.read(str(seed), COLUMNS, allocate)
            assert found is None or same(found, made(seed)), seed
            if found is None:
                store.write(str(seed), COLUMNS, made(seed))
        print("right")
    """
    command = [sys.executable, "-c", textwrap.dedent(code), os.path.dirname(__file__)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=1_800) for process in running]
    assert answers == [("right\n", "")] * 4
    assert not any(name.startswith("writing-") for name in files(root))


def test_a_torn_head_asks_for_no_more_room_than_the_file_has(root):
    store = MatrixStore(PLENTY)
    store.write("one", COLUMNS, made())
    path = root / "matrices" / "one.features"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(16)
        file.write((size - 1).to_bytes(8, "little"))
    assert store.read("one", COLUMNS, lambda rows: pytest.fail(f"room for {rows} rows")) is None


def test_a_file_above_half_of_the_budget_is_named(root, caplog):
    with caplog.at_level(logging.INFO):
        MatrixStore(1.9 * SIZE).write("one", COLUMNS, made())
    assert "more than half of the 0 MB of DISK_CACHE_MB" in caplog.text


def test_an_interruption_while_a_file_is_written_leaves_nothing(root, monkeypatch):
    store = MatrixStore(PLENTY)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(matrix_store, "_write_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write("one", COLUMNS, made())
    assert files(root) == []


def test_what_is_being_written_counts(root, caplog):
    """Half of the budget is another process's, which has not finished."""
    store = MatrixStore(2.5 * SIZE)
    (root / "matrices" / "writing-other").write_bytes(bytes(int(1.2 * SIZE)))
    for name in ("one", "two"):
        store.write(name, COLUMNS, made())
    assert files(root) == ["two.features", "writing-other"]
    assert store_status(1e6)[1].startswith("1 feature matrices take 0 of 1 MB")
    (root / "matrices" / "writing-third").write_bytes(bytes(SIZE))
    with caplog.at_level(logging.INFO):
        store.write("three", COLUMNS, made())
    assert "others that are being written take the 0 MB of DISK_CACHE_MB" in caplog.text
    assert files(root) == ["writing-other", "writing-third"]


def test_processes_that_write_at_once_stay_within_the_budget(root):
    code = """
        import sys
        sys.path.insert(0, sys.argv[1])
        from test_matrix_store import COLUMNS, SIZE, MatrixStore, made
        store = MatrixStore(3.5 * SIZE)
        arrays = made()
        print("begun", flush=True)
        for turn in range(200):
            store.write(f"{sys.argv[2]}-{turn}", COLUMNS, arrays)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), os.path.dirname(__file__)]
    running = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE) for number in range(4)
    ]
    for process in running:
        assert process.stdout.readline() == b"begun\n"
    for process in running:
        process.communicate(timeout=1_800)
        assert process.returncode == 0
    names = files(root)
    assert names
    assert all(name.endswith(".features") for name in names)
    assert sum((root / "matrices" / name).stat().st_size for name in names) <= 3.5 * SIZE


def test_a_folder_that_cannot_be_read_is_not_used(root, monkeypatch, caplog):
    """Nobody could say what stands in it, nor remove it."""
    MatrixStore(PLENTY).write("one", COLUMNS, made())
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.R_OK)
    store = MatrixStore(PLENTY)
    assert store.read("one", COLUMNS, allocate) is None
    store.write("two", COLUMNS, made())
    assert files(root) == ["one.features"]
    assert f"{root / 'matrices'} is not readable" in caplog.text
    assert store_status(PLENTY)[0] is False


def test_a_folder_is_looked_at_every_time(root, caplog):
    store = MatrixStore(PLENTY)
    store.write("one", COLUMNS, made())
    (root / "matrices").chmod(0o777)
    assert store.read("one", COLUMNS, allocate) is None
    store.write("two", COLUMNS, made())
    assert caplog.text.count("writable by everyone") == 1
    (root / "matrices").chmod(0o700)
    assert files(root) == ["one.features"]
    assert store.read("one", COLUMNS, allocate) is not None
    shutil.rmtree(root)
    assert store.read("one", COLUMNS, allocate) is None
    store.write("two", COLUMNS, made())
    assert same(store.read("two", COLUMNS, allocate), made())


def test_a_folder_may_stand_elsewhere(root, tmp_path):
    (tmp_path / "large disk").mkdir(mode=0o700)
    root.mkdir(mode=0o700)
    (root / "matrices").symlink_to(tmp_path / "large disk")
    store = MatrixStore(PLENTY)
    store.write("one", COLUMNS, made())
    assert same(store.read("one", COLUMNS, allocate), made())
    assert (tmp_path / "large disk" / "one.features").is_file()
    assert clear_matrices() == 1
    (tmp_path / "large disk").rmdir()
    assert store.read("one", COLUMNS, allocate) is None


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_left_alone(root, kind):
    """A pipe would keep the reader waiting; a folder stood in the way of all that came later."""
    store = MatrixStore(1.5 * SIZE)
    path = root / "matrices" / "one.features"
    os.mkfifo(path, 0o600) if kind == "pipe" else path.mkdir()
    assert store.read("one", COLUMNS, allocate) is None
    for name in ("two", "three"):
        MatrixStore(2.5 * SIZE).write(name, COLUMNS, made())
    assert files(root) == ["one.features", "three.features", "two.features"]
    assert clear_matrices() == 2


def test_a_disk_without_room_keeps_nothing(tmp_path):
    """A real one, of 64 kB, where the system lets one be made."""
    code = """
        import logging, os, sys
        sys.path.insert(0, sys.argv[1])
        from test_matrix_store import COLUMNS, SIZE, MatrixStore, allocate, made, same
        logging.basicConfig()
        store = MatrixStore(1e9)
        store.write("small", COLUMNS, made())
        assert same(store.read("small", COLUMNS, allocate), made())
        large = [array.repeat(2, axis=0) for array in made()]
        store.write("large", COLUMNS, large)
        free = os.statvfs(sys.argv[2])
        rest = free.f_bavail * free.f_frsize
        with open(sys.argv[2] + "/rest", "wb") as file:
            file.write(bytes(rest))
        store.write("another", COLUMNS, made(1))
        print(sorted(os.listdir(sys.argv[2] + "/matrices")))
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = 'mount -t tmpfs -o size=64k,mode=700 none "$2" && exec "$3" -c "$0" "$1" "$2"'
    make = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    arguments = [textwrap.dedent(code), os.path.dirname(__file__), str(disk), sys.executable]
    if shutil.which("unshare") is None or (
        subprocess.run([*make, mount, "", "", str(disk), "true"], capture_output=True).returncode
    ):
        pytest.skip("the system lets nobody make a small disk")
    done = subprocess.run(
        [*make, mount, *arguments],
        env={**os.environ, "ALPHASEEKER_CACHE_DIR": str(disk)},
        capture_output=True,
        text=True,
        timeout=1_800,
    )
    assert done.stdout == "['small.features']\n", done.stderr
    assert done.stderr.count("little space") == 2
