import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from alphaseeker.errors import ModelError
from alphaseeker.model import compiler
from alphaseeker.model.compiler import FLAGS, Compiler, compile_library, find_compiler

ANSWER = {
    "header.h": b"int one(void);\n",
    "one.c": b'#include "header.h"\nint one(void) { return 1; }\n',
    "two.c": b'#include "header.h"\nint two(void) { return one() + one(); }\n',
}
# Answers what it is asked; to compile it starts a process of its own and waits for it.
HANGS = """#!/bin/sh
[ "$1" = --version ] && echo "a compiler that hangs" && exit 0
sleep 60 &
echo $! >> "{pids}"
wait
"""

PATIENCE_S = 120.0
"""Far longer than anything here takes, as the machine may be busy with something else."""

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "library.so"


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def is_running(pid):
    """Say whether a process runs; one that was ended but that nobody waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZXx"


def all_end(pids):
    """Say whether processes come to their end, sooner or later."""
    deadline = time.monotonic() + PATIENCE_S
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(is_running, pids))


def until_told(path):
    """Return the words of a file that another process writes, once it ends with a line's end."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if path.is_file() and (text := path.read_text()).endswith("\n"):
            return text.split()
        time.sleep(0.01)
    raise AssertionError(f"nothing was written to {path.name}")


def test_a_library_is_compiled_with_progress(output):
    told = []
    compile_library(ANSWER, output, find_compiler(), on_progress=lambda *stage: told.append(stage))
    assert ctypes.CDLL(str(output)).two() == 2
    assert told == [
        ("compile", 0, 2),
        *([("compile", 1, 2)] if len(told) == 5 else []),
        ("compile", 2, 2),
        ("link", 0, 1),
        ("link", 1, 1),
    ]
    assert list(output.parent.iterdir()) == [output]


def test_functions_of_other_libraries_do_not_get_in_between(output, tmp_path):
    loud = tmp_path / "loud.so"
    compile_library({"one.c": b"int one(void) { return 100; }"}, loud, find_compiler())
    ctypes.CDLL(str(loud), mode=ctypes.RTLD_GLOBAL)
    compile_library(ANSWER, output, find_compiler(), num_threads=1)
    assert ctypes.CDLL(str(output)).two() == 2


def test_no_flag_changes_a_sum():
    assert "-ffp-contract=off" in FLAGS
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations"} & set(FLAGS)


def test_what_it_makes_depends_on_version_arguments_and_flags(monkeypatch):
    one = Compiler(("/usr/bin/cc",), "1.0")
    assert one.identity == Compiler(("/opt/cc",), "1.0").identity
    others = [Compiler(("/usr/bin/cc", "-m32"), "1.0"), Compiler(("/usr/bin/cc",), "1.1")]
    found = {one.identity, *(other.identity for other in others)}
    monkeypatch.setattr(compiler, "FLAGS", (*FLAGS, "-g"))
    assert len(found | {one.identity}) == 4


def test_cc_names_the_compiler_and_its_arguments(monkeypatch, output):
    monkeypatch.setenv("CC", "cc -DVALUE=5")
    found = find_compiler()
    assert found.command == (shutil.which("cc"), "-DVALUE=5")
    assert found.version
    compile_library({"five.c": b"int five(void) { return VALUE; }"}, output, found)
    assert ctypes.CDLL(str(output)).five() == 5


@pytest.mark.parametrize("named", [None, "", " "])
def test_the_first_known_name_is_found(monkeypatch, named):
    monkeypatch.delenv("CC", raising=False)
    if named is not None:
        monkeypatch.setenv("CC", named)
    assert find_compiler().command == (shutil.which("cc"),)


def test_without_a_compiler(monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match="no C compiler was found; install one of cc, gcc, clang"):
        find_compiler()


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("/bin/false", "failed with status 1"),
        ("sh -c : ", "does not tell its version"),
        ("/nowhere/cc", "there is no such program"),
        ("'cc", "cannot be read"),
    ],
)
def test_a_cc_that_is_no_compiler(monkeypatch, named, reason):
    monkeypatch.setenv("CC", named)
    with pytest.raises(ModelError, match=reason):
        find_compiler()


def test_a_compiler_that_writes_nothing(output):
    with pytest.raises(ModelError, match="wrote no library"):
        compile_library(ANSWER, output, Compiler(("true",), "true"))


def test_a_program_of_another_machine_is_no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", script(tmp_path / "cc", "\x00\x01 not a program"))
    with pytest.raises(ModelError, match="cannot be run"):
        find_compiler()


def test_without_a_temporary_folder(monkeypatch):
    def fail(*arguments, **keywords):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(tempfile, "mkdtemp", fail)
    with pytest.raises(ModelError, match=r"needs a temporary folder: No space left .*TMPDIR"):
        find_compiler()


def test_a_version_that_never_comes(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", script(tmp_path / "cc", "#!/bin/sh\nsleep 60\n"))
    monkeypatch.setattr(compiler, "_VERSION_TIMEOUT_S", 0.2)
    with pytest.raises(ModelError, match="was not done after"):
        find_compiler()


def test_a_failing_compiler_is_quoted(output):
    broken = {"bad.c": b"int bad(void) { return surprise; }", "one.c": ANSWER["one.c"]}
    with pytest.raises(ModelError, match=r"failed with status 1: .*surprise") as caught:
        compile_library({**ANSWER, **broken}, output, find_compiler())
    assert len(str(caught.value)) < 1_500
    assert list(output.parent.iterdir()) == []


def test_a_failing_link_is_quoted(output):
    twice = {"one.c": b"int one(void) { return 1; }", "two.c": b"int one(void) { return 2; }"}
    with pytest.raises(ModelError, match=r"failed with status 1: .*one"):
        compile_library(twice, output, find_compiler())
    assert not output.exists()


def test_a_compiler_that_hangs_is_ended_with_its_children(tmp_path, output):
    pids = tmp_path / "pids"
    slow = Compiler((script(tmp_path / "cc", HANGS.format(pids=pids)),), "slow")
    # On a busy machine the time may be over before the compiler started anything.
    for timeout_s in itertools.takewhile(PATIENCE_S.__gt__, (2.0**power for power in range(9))):
        with pytest.raises(ModelError, match="was not done after"):
            compile_library(ANSWER, output, slow, timeout_s=timeout_s)
        assert list(output.parent.iterdir()) == []
        if pids.is_file() and pids.read_text():
            break
    started = pids.read_text().split()
    assert started
    assert all_end(started)


# Starts a child that sleeps, in its own process group, and waits for it.
FAMILY = """
import os, sys, time
child = os.fork()
if child == 0:
    time.sleep(600)
with open(sys.argv[1], "w") as told:
    told.write(f"{child}\\n")
os.wait()
"""
# The child belongs to the group, its parent does not: it outlives the group and never waits.
ZOMBIE = """
import os, sys, time
group = os.getpid()
if os.fork() == 0:
    os.setpgid(0, 0)
    child = os.fork()
    if child == 0:
        os.setpgid(0, group)
        time.sleep(600)
    while os.getpgid(child) != group:
        time.sleep(0.01)
    with open(sys.argv[1], "w") as told:
        told.write(f"{child} {os.getpid()}\\n")
    time.sleep(600)
time.sleep(600)
"""


NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs /proc")


@contextlib.contextmanager
def running(*command):
    """Give a program that leads a process group of its own."""
    with subprocess.Popen(command, start_new_session=True) as leader:
        try:
            yield leader
        finally:
            leader.kill()


@contextlib.contextmanager
def family(program, folder):
    """Give the leader of a process group, and the processes that it started."""
    told = folder / "told"
    with running(sys.executable, "-c", program, str(told)) as leader:
        others = until_told(told)
        try:
            yield leader, *others
        finally:
            for other in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(other), signal.SIGKILL)


def to_the_leader_alone(monkeypatch):
    """Let a signal for a process group reach its leader alone."""
    killpg = os.killpg

    def send(group, number):
        if number == 0:
            killpg(group, 0)
        else:
            os.kill(group, number)

    monkeypatch.setattr(os, "killpg", send)


@NEEDS_PROC
def test_a_child_that_is_slow_to_die_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "_END_TIMEOUT_S", PATIENCE_S)
    to_the_leader_alone(monkeypatch)
    lives, asked = compiler._lives, []
    with family(FAMILY, tmp_path) as (leader, child):

        def dies_when_asked_again(group):
            asked.append(lives(group))
            if len(asked) == 2:
                os.kill(int(child), signal.SIGKILL)
            return asked[-1]

        monkeypatch.setattr(compiler, "_lives", dies_when_asked_again)
        compiler._kill(leader)
        assert not is_running(child)
    assert asked[:2] == [True, True]
    assert not asked[-1]


@NEEDS_PROC
def test_a_child_that_does_not_die_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "_END_TIMEOUT_S", 0.05)
    to_the_leader_alone(monkeypatch)
    with family(FAMILY, tmp_path) as (leader, child):
        compiler._kill(leader)
        assert leader.poll() == -signal.SIGKILL
        assert is_running(child)


@NEEDS_PROC
def test_a_dead_child_that_nobody_waits_for_is_not_waited_for_here(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "_END_TIMEOUT_S", PATIENCE_S)
    with family(ZOMBIE, tmp_path) as (leader, child, outsider):
        began = time.monotonic()
        compiler._kill(leader)
        assert time.monotonic() - began < PATIENCE_S / 2.0
        os.killpg(leader.pid, 0)  # the dead child is still listed
        assert not is_running(child)
        assert is_running(outsider)


def test_without_a_list_of_processes_a_group_lives_while_it_is_there(monkeypatch):
    listed = os.listdir

    def hidden(path="."):
        if path == "/proc":
            raise FileNotFoundError(path)
        return listed(path)

    monkeypatch.setattr(os, "listdir", hidden)
    with running("sleep", "600") as leader:
        assert compiler._lives(leader.pid)
        compiler._kill(leader)
        assert not compiler._lives(leader.pid)


def test_the_time_is_a_constant(tmp_path, output, monkeypatch):
    monkeypatch.setattr(compiler, "COMPILE_TIMEOUT_S", 0.2)
    slow = Compiler((script(tmp_path / "cc", HANGS.format(pids=tmp_path / "pids")),), "slow")
    with pytest.raises(ModelError, match="was not done after"):
        compile_library(ANSWER, output, slow)


HANGS_OR_FAILS = """#!/bin/sh
case "$*" in
*one.c*)
    while [ ! -s "{pids}" ]; do sleep 0.05; done
    echo "one is wrong"; exit 3 ;;
esac
sleep 60 &
echo $! >> "{pids}"
wait
"""


def test_the_first_failure_ends_the_other_units(tmp_path, output, monkeypatch):
    monkeypatch.setattr(compiler, "_processors", lambda: 2)
    pids = tmp_path / "pids"
    mixed = Compiler((script(tmp_path / "cc", HANGS_OR_FAILS.format(pids=pids)),), "mixed")
    with pytest.raises(ModelError, match="status 3: one is wrong"):
        compile_library(ANSWER, output, mixed, timeout_s=PATIENCE_S)
    assert all_end(pids.read_text().split())
    assert list(output.parent.iterdir()) == []


def test_an_error_of_the_progress_is_passed_on(tmp_path, output):
    pids = tmp_path / "pids"
    slow = Compiler((script(tmp_path / "cc", HANGS.format(pids=pids)),), "slow")

    def stop(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compile_library(ANSWER, output, slow, timeout_s=PATIENCE_S, on_progress=stop)
    assert list(output.parent.iterdir()) == []


def test_units_side_by_side_are_as_many_as_allowed(tmp_path, output, monkeypatch):
    monkeypatch.setattr(compiler, "_processors", lambda: 3)
    counted = tmp_path / "counted"
    counted.mkdir()
    # Each unit notes itself, counts those under way until another was beside it, and leaves.
    text = f"""#!/bin/sh
touch {counted}/$$
for _ in $(seq 600); do
    ls {counted} | wc -l >> {tmp_path}/most
    sleep 0.1
    [ "$(sort -n {tmp_path}/most | tail -n 1)" -lt 2 ] || break
done
rm {counted}/$$
exec cc "$@"
"""
    compiler_here = Compiler((script(tmp_path / "cc", text),), "counting")
    many = {f"f{index}.c": b"int f%d(void) { return 0; }" % index for index in range(6)}
    compile_library(many, output, compiler_here, num_threads=2)
    assert max(map(int, (tmp_path / "most").read_text().split())) == 2


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="cannot be written"):
        compile_library(ANSWER, tmp_path / "none" / "library.so", find_compiler())


def test_a_full_disk(output, monkeypatch):
    def full(path, data):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ModelError, match="the C source cannot be written: No space left"):
        compile_library(ANSWER, output, find_compiler())
    assert list(output.parent.iterdir()) == []
