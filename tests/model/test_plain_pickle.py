import io
import pickle
import pickletools
import struct
import zlib

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.errors import ModelError
from alphaseeker.model import plain_pickle
from alphaseeker.model.plain_pickle import canonical_bytes, decode, encode

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab=:", max_size=3), inner),
    max_leaves=20,
)
CONTENT = {
    "text": "x" * 70_000,
    "list": [1, -1, 2**40, 2.5, None, True, b"\x00" * 300],
    "again": {},
}


class Marker:
    """Pickled by its class, which is a global."""


class Runs:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def pack(content):
    return zlib.compress(content)


@settings(deadline=None)
@given(PLAIN)
def test_plain_containers_come_back_equal(content):
    assert decode(encode(content)) == content


def test_the_file_is_one_that_joblib_reads(tmp_path):
    path = tmp_path / "content.joblib"
    path.write_bytes(encode(CONTENT))
    assert joblib.load(path) == CONTENT


def test_what_is_written_names_no_code():
    names = {opcode.name for opcode, _, _ in pickletools.genops(zlib.decompress(encode(CONTENT)))}
    assert not names & {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ"}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "thing",
    [Marker(), Marker, np.zeros(3), np.float64(1.0), {1}, frozenset([1]), 1j, (1, 2), len],
    ids=["object", "class", "array", "scalar", "set", "frozenset", "complex", "tuple", "function"],
)
def test_a_pickle_of_anything_else_is_refused(thing, protocol):
    with pytest.raises(ModelError, match="get the file again"):
        decode(pack(pickle.dumps({"a": [thing]}, protocol=protocol)))


def test_code_in_a_pickle_does_not_run(tmp_path):
    path = tmp_path / "made"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(ModelError, match="pickle uses"):
            decode(pack(pickle.dumps(Runs(path), protocol=protocol)))
    assert not path.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x04\x82\x01.",  # an extension code
        b"\x80\x04P1\n.",  # a persistent id
        b"\x80\x04]Q.",  # a persistent id from the stack
        b"\x80\x05\x97.",  # an out-of-band buffer
        b"\x80\x04]r\xff\xff\xff\x7f.",  # a memo slot that would take gigabytes
        b"\x80\x04" + b")" + b"\x85" * 100_000 + b".",  # a tuple nested to death
    ],
    ids=["extension", "persistent", "binpersistent", "buffer", "memo", "nested tuple"],
)
def test_opcodes_that_plain_containers_do_not_need_are_refused(program):
    with pytest.raises(ModelError, match="which a file of plain containers never does"):
        decode(pack(program))


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b".",
        b"\x80\x04",
        b"\x80\x63N.",
        b"\x80\x04h\x07.",
        b"\x80\x04]]a",
        b"\x80\x04NNs.",
        b"\x80\x04N]a.",
        b"\x80\x04}]Ns.",
        b"\x80\x04a.",
        b"\x80\x04e.",
        b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N.",
        b"\x80\x04\x8c\x02\xff\xfe.",
        b"\x80\x04N.N.",
        b"\x80\x04N.rest",
        "€".encode(),
    ],
)
def test_programs_that_go_wrong_are_refused(program):
    with pytest.raises(ModelError):
        decode(pack(program))


def test_damaged_compression_is_refused():
    raw = encode(CONTENT)
    for end in range(len(raw)):
        with pytest.raises(ModelError):
            decode(raw[:end])
    with pytest.raises(ModelError, match="after its end"):
        decode(raw + b"x")
    with pytest.raises(ModelError, match="not a zlib-compressed joblib file"):
        decode(pickle.dumps(CONTENT))


def test_a_small_file_that_decompresses_to_a_large_one_is_refused():
    bomb = pack(b"\x00" * 10_000_000)
    with pytest.raises(ModelError, match="more than the allowed 1000000 bytes"):
        decode(bomb, limit=1_000_000)


def test_too_many_opcodes_are_refused():
    with pytest.raises(ModelError, match="more than 200000 opcodes"):
        decode(pack(b"\x80\x04" + b"]" * plain_pickle.MAX_OPCODES + b"."))


def test_deep_nesting_is_refused_when_checked():
    deep = decode(pack(b"\x80\x04" + b"]" * 50_000 + b"a" * 49_999 + b"."))
    with pytest.raises(ModelError, match="nested deeper than 32"):
        canonical_bytes(deep)


def test_a_list_that_holds_itself_is_refused_when_checked():
    looped = decode(pack(b"\x80\x04]\x94h\x00a."))
    with pytest.raises(ModelError, match="nested deeper than 32"):
        canonical_bytes(looped)


def test_shared_lists_that_multiply_are_refused_when_checked(monkeypatch):
    monkeypatch.setattr(plain_pickle, "MAX_CONTENT_BYTES", 100_000)
    content = [0]
    for _ in range(20):
        content = [content, content]
    with pytest.raises(ModelError, match="more than 100000 bytes"):
        canonical_bytes(content)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        ("a", b"a"),
        (0.0, -0.0),
        ([], {}),
        (["ab"], ["a", "b"]),
        ([[1], 2], [[1, 2]]),
        ({"a": 1}, {"a": 2}),
        (None, []),
    ],
)
def test_unequal_contents_encode_differently(one, other):
    assert canonical_bytes(one) != canonical_bytes(other)


def test_the_order_of_keys_does_not_matter():
    assert canonical_bytes({"a": 1, "b": 2}) == canonical_bytes({"b": 2, "a": 1})


@pytest.mark.parametrize(
    "value", [(1,), {1}, 1j, np.float64(1), {1: 2}, 2**63, "\ud800", bytearray(b"x")]
)
def test_values_that_are_not_plain_are_not_encoded(value):
    with pytest.raises(ModelError):
        encode({"a": value})


def test_a_file_that_would_be_too_large_is_not_made(monkeypatch):
    monkeypatch.setattr(plain_pickle, "MAX_FILE_BYTES", 100)
    with pytest.raises(ModelError, match="at most 100 are allowed"):
        encode({"a": np.random.default_rng(0).bytes(1000)})


def test_the_unpickler_itself_refuses_globals_and_persistent_ids():
    for program in (pickle.dumps(Marker), b"\x80\x04P1\n."):
        with pytest.raises(pickle.UnpicklingError, match=r"names code|persistent id"):
            plain_pickle._PlainUnpickler(io.BytesIO(program)).load()
