"""Sessions in threads of their own, and engines in other processes, give the same answers."""

import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.inference.session import Session
from alphaseeker.model.backends import PREDICTORS
from ticks import quotes

THREADS = 8
TICKS = 1_500
LONGEST_S = 600  # a hang, on a loaded machine too
every_backend = pytest.mark.parametrize("backend", [*PREDICTORS])


@pytest.fixture
def serving(trained):
    """Return an engine that serves the small model by a named backend."""

    def serve(backend):
        engine = AlphaSeekerMLEngine(
            load_config(None, {"BACKEND": backend, "NUM_THREADS": 2, "TRADE_WITHOUT_EDGE": True})
        )
        engine.load_model(trained[0])
        return engine

    return serve


@every_backend
def test_eight_threads_give_what_one_gives(serving, market, backend):
    model = serving(backend)._pool.model
    rows = list(quotes(market.head(TICKS)))
    alone = Session("SIMULATED", model)
    expected = [alone.update(*row) for row in rows]
    got = [None] * THREADS
    begin = threading.Barrier(THREADS)

    def work(place):
        session = Session("SIMULATED", model)
        begin.wait()
        got[place] = [session.update(*row) for row in rows]

    threads = [threading.Thread(target=work, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answers == expected for answers in got)


HISTORY_IS_CLEARED = """
import sys, threading, pandas
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from ticks import quotes

engine = AlphaSeekerMLEngine(load_config(None, {"TRADE_WITHOUT_EDGE": True}))
engine.load_model(sys.argv[1])
rows = list(quotes(pandas.read_parquet(sys.argv[2])))
session = engine.session("SIMULATED")
over = threading.Event()

def clear():
    while not over.is_set():
        engine.clear_history()
        session.restore(snapshot)

session.update(*rows[0])
snapshot = session.snapshot()
thread = threading.Thread(target=clear)
thread.start()
try:
    for turn in range(6):
        for row in rows:
            session.update(row[0] + turn * 10**14, *row[1:])
finally:
    over.set()
    thread.join()
print("alive")
"""


def test_another_thread_may_clear_the_history(trained, market, tmp_path):
    frame = tmp_path / "market.parquet"
    market.head(3_000).to_parquet(frame)
    assert run_python(HISTORY_IS_CLEARED, trained[0], frame) == "alive"


def run_python(script, *arguments):
    """Return the last line that a script prints in a process of its own."""
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script, *[str(argument) for argument in arguments]],
        capture_output=True,
        text=True,
        timeout=1_800,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def answers_of(engine, rows, batch):
    session = engine.session("SIMULATED")
    signals = [tuple(session.update(*row)) for row in rows]
    probabilities = [answer["probabilities"] for answer in engine.predict_batch(batch)]
    return signals, probabilities


@every_backend
def test_a_forked_child_answers_as_its_parent(serving, market, backend):
    engine = serving(backend)
    rows = list(quotes(market.head(TICKS)))
    first, rest = rows[:1_000], rows[1_000:]
    batch = market.head(600)
    answers_of(engine, first, batch)  # whatever starts threads has started them
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside other threads
        child = os.fork()
    if child == 0:
        try:
            signals, probabilities = answers_of(engine, rest, batch)
            os.write(write, repr((signals[-1], probabilities[-1])).encode())
        finally:
            os._exit(0)
    os.close(write)
    ready, _, _ = select.select([read], [], [], LONGEST_S)
    if not ready:
        os.kill(child, 9)
    os.waitpid(child, 0)
    assert ready, "the child hangs"
    signals, probabilities = answers_of(engine, rest, batch)
    assert os.read(read, 65_536).decode() == repr((signals[-1], probabilities[-1]))
    os.close(read)


def test_a_child_that_was_forked_during_a_tick_goes_on(serving, market):
    session = serving("forest").session("SIMULATED")
    row = next(quotes(market))
    held, done = threading.Event(), threading.Event()

    def hold():
        with session.lock:
            held.set()
            done.wait(LONGEST_S)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        signal.alarm(LONGEST_S)
        session.update(*row)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert status == 0


def spawned(path, backend, queue):
    engine = AlphaSeekerMLEngine(
        load_config(None, {"BACKEND": backend, "TRADE_WITHOUT_EDGE": True})
    )
    engine.load_model(path)
    queue.put((engine._pool.model.predictor.name, np.asarray(golden_scores(engine)).tobytes()))


def golden_scores(engine):
    artifact = engine._pool.model.artifact
    return engine._pool.model.predictor.predict_matrix(artifact.golden_features)


@every_backend
def test_a_spawned_process_serves_the_same(serving, trained, backend):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=spawned, args=(trained[0], backend, queue))
    process.start()
    name, scores = queue.get(timeout=LONGEST_S)
    process.join(LONGEST_S)
    assert process.exitcode == 0
    engine = serving(backend)
    assert name == backend
    assert scores == engine._pool.model.artifact.golden_scores.tobytes()
    assert scores == golden_scores(engine).tobytes()


COUNT_COMPILATIONS = """
import sys
from numba.core import event

class Count(event.Listener):
    def __init__(self):
        self.names = []
    def on_start(self, happening):
        self.names.append(str(happening.data["dispatcher"]))
    def on_end(self, happening):
        pass

import pandas
from alphaseeker.config import load_config
from alphaseeker.engine import AlphaSeekerMLEngine
from ticks import quotes

path, frame, backend = sys.argv[1:4]
market = pandas.read_parquet(frame)
engine = AlphaSeekerMLEngine(load_config(None, {"BACKEND": backend, "TRADE_WITHOUT_EDGE": True}))
engine.load_model(path)
count = Count()
event.register("numba:compile", count)
rows = market.to_dict("records")
for row in rows[:300]:
    engine.predict(row, replay=True)
    engine.manage_risk(row, {"signal": 1, "signal_label": "BUY", "confidence": 0.6}, 10_000.0)
session = engine.session("other")
for row in quotes(market.head(300)):
    session.update(*row)
engine.predict_batch(market.head(400))
print(count.names)
"""


@every_backend
def test_nothing_is_compiled_after_load_model(trained, market, tmp_path, backend):
    frame = tmp_path / "market.parquet"
    market.head(500).to_parquet(frame)
    assert run_python(COUNT_COMPILATIONS, trained[0], frame, backend) == "[]"
