import errno
import os
import socket
import stat
import subprocess
import sys
import textwrap

import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import model_file
from alphaseeker.model.model_file import check_target, read_model_bytes, write_model_bytes

OLD, NEW = b"old" * 1000, b"new" * 2000
OLD_TIME = 1_795_342_501  # 2026-11-22T10:15:01Z
KEPT_NAME = "trading_model.20261122T101501Z.joblib"


@pytest.fixture
def path(tmp_path):
    """A saved model whose last change is a known time."""
    path = tmp_path / "trading_model.joblib"
    path.write_bytes(OLD)
    os.utime(path, (OLD_TIME, OLD_TIME))
    return path


def files(path):
    return sorted(item.name for item in path.parent.iterdir())


def test_a_target_is_looked_at_and_left_as_it_is(path, tmp_path, monkeypatch):
    for target in (path, str(path), tmp_path / "a" / "b" / "model.joblib"):
        check_target(target)
    assert files(path) == [path.name]
    assert path.read_bytes() == OLD
    with pytest.raises(ModelError, match=r"model is None; it must be the path of a model file"):
        check_target(None, name="model")
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(ModelError, match="link is a symbolic link and is not replaced"):
        check_target(tmp_path / "link")
    # A folder that the user has no right to write to; root has every right.
    monkeypatch.setattr(os, "access", lambda folder, _: folder != tmp_path)
    with pytest.raises(ModelError, match=r"a/model\.joblib: .* cannot be written to; give another"):
        check_target(tmp_path / "a" / "model.joblib")


def test_a_save_replaces_the_file_and_keeps_the_old_one(path):
    assert write_model_bytes(path, NEW) == path
    assert path.read_bytes() == NEW
    assert (path.parent / KEPT_NAME).read_bytes() == OLD
    assert files(path) == sorted([path.name, KEPT_NAME])


def test_a_second_save_within_a_second_keeps_both(path):
    write_model_bytes(path, NEW)
    os.utime(path, (OLD_TIME, OLD_TIME))
    write_model_bytes(path, b"newest")
    kept = (path.parent / KEPT_NAME, path.with_name("trading_model.20261122T101501Z-2.joblib"))
    assert [item.read_bytes() for item in (*kept, path)] == [OLD, NEW, b"newest"]


def test_parent_directories_are_made(tmp_path):
    path = write_model_bytes(str(tmp_path / "a" / "b" / "model.joblib"), NEW)
    assert files(path) == ["model.joblib"]
    assert read_model_bytes(path) == NEW


def test_the_umask_decides_who_may_read(tmp_path):
    path = write_model_bytes(tmp_path / "model.joblib", NEW)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_file_system_without_second_names_gets_a_copy(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    write_model_bytes(path, NEW)
    assert files(path) == sorted([path.name, KEPT_NAME])
    assert (path.parent / KEPT_NAME).read_bytes() == OLD


@pytest.mark.parametrize("call", ["open", "write", "fsync", "link", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_old_file_and_no_other(path, monkeypatch, call, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(os, call, fail)
    if call == "link":
        monkeypatch.setattr(model_file.shutil, "copy2", fail)
    expected = ModelError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_model_bytes(path, NEW)
    assert path.read_bytes() == OLD
    assert files(path) == [path.name]


def test_short_writes_are_continued(path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    write_model_bytes(path, NEW)
    assert path.read_bytes() == NEW


def test_a_disk_that_fills_up_half_way_leaves_the_old_file(path, monkeypatch):
    write, calls = os.write, []

    def half(descriptor, data):
        calls.append(1)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:100])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(ModelError, match="No space left on device"):
        write_model_bytes(path, NEW)
    assert (path.read_bytes(), files(path)) == (OLD, [path.name])


def test_a_directory_that_cannot_be_synced_is_said(path, monkeypatch):
    fsync, calls = os.fsync, []

    def second_fails(descriptor):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(ModelError, match="may not outlive a loss of power"):
        write_model_bytes(path, NEW)
    assert path.read_bytes() == NEW
    assert (path.parent / KEPT_NAME).read_bytes() == OLD


KILLED = """
    import os, sys
    from alphaseeker.model.model_file import write_model_bytes

    path, call, after = sys.argv[1], sys.argv[2], sys.argv[3] == "after"
    original = getattr(os, call)

    def killed(*arguments, **keywords):
        if after:
            original(*arguments, **keywords)
        os._exit(9)

    setattr(os, call, killed)
    write_model_bytes(path, b"new" * 2000)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["write", "fsync", "link", "replace"])
def test_a_kill_at_any_point_leaves_a_whole_file(path, call, moment):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path), call, moment]
    assert subprocess.run(command, check=False, timeout=1_800).returncode == 9
    renamed = (call, moment) == ("replace", "after")
    assert path.read_bytes() == (NEW if renamed else OLD)
    write_model_bytes(path, NEW)
    assert path.read_bytes() == NEW


def make_fifo(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [(make_fifo, "a FIFO"), (os.mkdir, "a directory"), (make_socket, "a socket")],
)
def test_only_regular_files_are_read_and_replaced(tmp_path, monkeypatch, make, kind):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    make("model.joblib")
    with pytest.raises(ModelError, match=f"is {kind}"):
        read_model_bytes("model.joblib")
    with pytest.raises(ModelError, match=f"is {kind} and is not replaced"):
        write_model_bytes("model.joblib", NEW)
    assert os.listdir(tmp_path) == ["model.joblib"]


def test_a_device_is_not_read():
    with pytest.raises(ModelError, match="is a device"):
        read_model_bytes("/dev/zero")


def test_a_link_inside_the_directory_is_followed_but_not_replaced(path):
    link = path.with_name("latest.joblib")
    link.symlink_to(path.name)
    assert read_model_bytes(link) == OLD
    with pytest.raises(ModelError, match="symbolic link"):
        write_model_bytes(link, NEW)


def test_a_link_out_of_the_directory_is_refused(path, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    link = models / "model.joblib"
    link.symlink_to(path)
    with pytest.raises(ModelError, match="leads out of the model directory"):
        read_model_bytes(link)
    with pytest.raises(ModelError, match="leads out of the model directory"):
        read_model_bytes(path, root=models)
    assert read_model_bytes(link, root=tmp_path) == OLD


def test_paths_that_lead_nowhere_are_refused(tmp_path):
    loop = tmp_path / "loop.joblib"
    loop.symlink_to(loop)
    for path, words in (
        (tmp_path / "absent.joblib", "there is no model file"),
        (loop, "cannot be followed"),
        ("model\0.joblib", "cannot be followed"),
        (tmp_path / ("x" * 300), "cannot be followed"),
    ):
        with pytest.raises(ModelError, match=words):
            read_model_bytes(path)
    for path in ("model\0.joblib", tmp_path / ("x" * 300)):
        with pytest.raises(ModelError, match="could not be saved"):
            write_model_bytes(path, NEW)


@pytest.mark.parametrize("path", [None, 5, "", b"model.joblib"])
def test_what_is_no_path_is_refused_before_anything_is_written(path):
    with pytest.raises(ModelError, match="must be the path of a model file"):
        write_model_bytes(path, NEW)


def test_a_file_that_cannot_be_opened_is_refused(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ModelError, match="cannot be read: Permission denied"):
        read_model_bytes(path)


def test_a_file_that_becomes_a_fifo_before_it_is_opened_does_not_block(path, monkeypatch):
    real_open = os.open

    def swapped(name, flags, *mode):
        os.unlink(name)
        os.mkfifo(name)
        return real_open(name, flags, *mode)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(ModelError, match="is a FIFO"):
        read_model_bytes(path)


def test_an_oversize_file_is_refused(path, monkeypatch):
    monkeypatch.setattr(model_file, "MAX_FILE_BYTES", 100)
    with pytest.raises(ModelError, match="larger than the allowed 100 bytes"):
        read_model_bytes(path)
