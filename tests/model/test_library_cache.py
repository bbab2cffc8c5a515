import errno
import fcntl
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import library_cache
from alphaseeker.model.library_cache import cached_library, library_folder, library_name

CONTENT = b"\x7fELF, or so it says"
PROCESSES = 8


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def build():
    """A build that counts how often it ran."""

    def write(path):
        write.calls += 1
        path.write_bytes(CONTENT)

    write.calls = 0
    return write


def left_behind(root):
    """Return what is there beside libraries, checksums and locks."""
    known = (".so", ".sha256", ".lock")
    return [path.name for path in (root / "libraries").iterdir() if path.suffix not in known]


def test_a_library_is_built_once(root, build):
    first = cached_library("name", build)
    assert cached_library("name", build) == first
    assert build.calls == 1
    assert first.parent == root / "libraries"
    assert first.read_bytes() == CONTENT
    assert cached_library("other", build) != first
    assert build.calls == 2
    assert left_behind(root) == []


def test_folders_are_the_users_alone(root, build):
    path = cached_library("name", build)
    assert root.stat().st_mode & 0o777 == 0o700
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o277 == 0


def test_a_name_says_what_the_library_was_made_of(monkeypatch):
    name = library_name(["source", b"compiler 1"])
    assert name == library_name([b"source", "compiler 1"])
    others = [
        library_name(["source", "compiler 2"]),
        library_name(["sourcec", "ompiler 1"]),
        library_name(["source", "compiler 1", ""]),
    ]
    monkeypatch.setattr("platform.machine", lambda: "abacus")
    others.append(library_name(["source", "compiler 1"]))
    assert len({name, *others}) == 5


def damage(library):
    library.chmod(0o700)
    library.write_bytes(b"something else")


def no_checksum(library):
    library.with_suffix(".sha256").unlink()


def odd_checksum(library):
    library.with_suffix(".sha256").write_bytes(b"\xff\xfe")


def no_library(library):
    library.unlink()


@pytest.mark.parametrize("harm", [damage, no_checksum, odd_checksum, no_library])
def test_a_damaged_library_is_built_again(root, build, harm):
    library = cached_library("name", build)
    harm(library)
    assert cached_library("name", build).read_bytes() == CONTENT
    assert build.calls == 2
    cached_library("name", build)
    assert build.calls == 2


def test_a_library_is_replaced_but_never_overwritten(root, build):
    library = cached_library("name", build)
    damage(library)
    with library.open("rb") as loaded:
        cached_library("name", build)
        assert loaded.read() == b"something else"
        assert os.fstat(loaded.fileno()).st_nlink == 0
    assert library.read_bytes() == CONTENT


def test_a_library_that_appears_meanwhile_is_not_overwritten(root):
    def build(path):
        path.write_bytes(CONTENT)
        (root / "libraries" / path.name).write_bytes(b"of somebody else")

    with pytest.raises(ModelError, match="File exists"):
        cached_library("name", build)
    (library,) = (root / "libraries").glob("*.so")
    assert library.read_bytes() == b"of somebody else"


def test_a_library_of_another_user_is_not_loaded(root, build, monkeypatch):
    cached_library("name", build)
    status = os.fstat
    foreign = []

    def fstat(descriptor):
        found = status(descriptor)
        if not foreign:
            foreign.append(descriptor)
            return os.stat_result([*found[:4], os.getuid() + 1, *found[5:]])
        return found

    monkeypatch.setattr(library_cache.os, "fstat", fstat)
    cached_library("name", build)
    assert foreign
    # The second look, under the lock, finds it the user's own.
    assert build.calls == 1
    monkeypatch.setattr(library_cache.os, "getuid", lambda: -1)
    monkeypatch.setattr(library_cache._jit, "why_unusable", lambda folder: None)
    cached_library("name", build)
    assert build.calls == 2


# ---- folders that cannot be used ----------------------------------------------------------------


def make_foreign(root, monkeypatch):
    root.mkdir(mode=0o700)
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)


def make_world_writable(root, monkeypatch):
    (root / "libraries").mkdir(parents=True)
    (root / "libraries").chmod(0o777)


def make_read_only(root, monkeypatch):
    root.mkdir(mode=0o500)
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)


def make_a_file(root, monkeypatch):
    root.write_text("a file where a folder should be")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_foreign, "belongs to another user"),
        (make_world_writable, "is writable by everyone"),
        (make_read_only, "is not writable"),
        (make_a_file, "cannot be created"),
    ],
)
def test_a_folder_that_must_not_be_used(root, build, monkeypatch, make, reason):
    make(root, monkeypatch)
    with pytest.raises(ModelError, match=f"compiled models cannot be kept: .*{reason}.*CACHE_DIR"):
        cached_library("name", build)
    assert build.calls == 0


def test_without_a_home_folder(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(library_cache._jit, "cache_root", homeless)
    with pytest.raises(ModelError, match="no home folder"):
        library_folder()


# ---- failures while building --------------------------------------------------------------------


def full(*arguments, **settings):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "link", "open"])
def test_a_full_disk_leaves_nothing_behind(root, build, monkeypatch, call):
    library_folder()
    with monkeypatch.context() as patch:
        patch.setattr(library_cache.os, call, full)
        with pytest.raises(ModelError, match=r"cannot be kept in .*: No space left .*; free space"):
            cached_library("name", build)
    assert left_behind(root) == []
    assert list((root / "libraries").glob("*.so")) == []
    assert cached_library("name", build).read_bytes() == CONTENT


def test_a_disk_that_is_full_for_the_compiler(root, build):
    with pytest.raises(ModelError, match="No space left"):
        cached_library("name", full)
    assert left_behind(root) == []
    assert cached_library("name", build).read_bytes() == CONTENT


def test_a_build_that_fails_is_passed_on(root, build):
    def fail(path):
        path.write_bytes(b"half")
        raise ModelError("the compiler gave up")

    with pytest.raises(ModelError, match=r"^the compiler gave up$"):
        cached_library("name", fail)
    assert left_behind(root) == []
    assert cached_library("name", build).read_bytes() == CONTENT


def test_a_file_system_without_links(root, build, monkeypatch):
    def link(source, target):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(library_cache.os, "link", link)
    assert cached_library("name", build).read_bytes() == CONTENT
    assert left_behind(root) == []


def test_what_a_killed_build_left_is_removed_in_time(root, build):
    folder = library_folder()
    old, young = folder / "building-old", folder / "building-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (0, 0))
    os.utime(young, (time.time(),) * 2)
    cached_library("name", build)
    assert left_behind(root) == [young.name]


# ---- several at once ----------------------------------------------------------------------------


def test_a_lock_that_is_never_freed(root, build):
    path = library_folder() / "name.lock"
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match=r"another process has been building .* 0.1 s"):
            cached_library("name", build, lock_timeout_s=0.1)
        assert build.calls == 0
        assert cached_library("other", build).exists()
    assert cached_library("name", build).exists()


def test_threads_build_once(root, build):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(cached_library("name", build)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(1_800)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert build.calls == 1


# Builds only once all processes want the library.
ONE_OF_MANY = """
    import os, sys, time
    from pathlib import Path
    from alphaseeker.model.library_cache import cached_library

    ready, built, processes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

    def build(path):
        deadline = time.monotonic() + 100.0
        while len(list(ready.iterdir())) < processes and time.monotonic() < deadline:
            time.sleep(0.01)
        with built.open("a") as file:
            file.write(f"{os.getpid()}\\n")
        path.write_bytes(b"the library" * 100_000)

    (ready / str(os.getpid())).touch()
    library = cached_library("name", build)
    assert library.read_bytes() == b"the library" * 100_000
"""


def test_of_eight_processes_one_builds(root, tmp_path):
    ready, built = tmp_path / "ready", tmp_path / "built"
    ready.mkdir()
    program = [sys.executable, "-c", textwrap.dedent(ONE_OF_MANY)]
    program += [str(ready), str(built), str(PROCESSES)]
    processes = [subprocess.Popen(program, stderr=subprocess.PIPE) for _ in range(PROCESSES)]
    try:
        for process in processes:
            _, said = process.communicate(timeout=1_800)
            assert process.returncode == 0, said.decode()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert len(list(ready.iterdir())) == PROCESSES
    assert len(built.read_text().split()) == 1
    assert left_behind(root) == []
