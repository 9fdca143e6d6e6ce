"""MATLAB 5 files: what is whole is read, what is damaged is named before SciPy's reader sees it."""

import struct
import zlib

import numpy as np
import pytest
from scipy import sparse
from scipy.io import savemat

from bcikit import read_recording
from bcikit.signal import SourceError

MAP = "data=x rate=fs unit=uV"


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def ints(*values: int, kind: int = 5) -> bytes:
    return element(kind, struct.pack(f"<{len(values)}i", *values))


def array(kind: int, *parts: bytes, shape=(1, 1), name: bytes = b"odd", flags: int = 0) -> bytes:
    return element(14, ints(kind | flags, 0, kind=6) + ints(*shape) + element(1, name) + b"".join(parts))


def numbers(values: int = 1, **told) -> bytes:
    return array(6, element(9, bytes(8 * values)), **told)


def opaque(kind: bytes) -> bytes:
    """Return a value of a class, as MATLAB keeps its strings, tables and times: it has no shape."""
    texts = element(1, b"note") + element(1, b"MCOS") + element(1, kind)
    return element(14, ints(17, 0, kind=6) + texts + array(13, element(6, bytes(24)), shape=(6, 1), name=b""))


def packed(content: bytes, *, cut: int = 0, damage: bool = False) -> bytes:
    raw = zlib.compress(content)
    raw = b"\xff" * len(raw) if damage else raw[: len(raw) - cut]
    return struct.pack("<II", 15, len(raw)) + raw


def nested(depth: int) -> bytes:
    return numbers(name=b"") if depth == 0 else array(1, nested(depth - 1), name=b"")


@pytest.fixture
def written(tmp_path):
    """Write a recording of three samples of two channels, and what is given behind it."""

    def write(more: bytes = b""):
        savemat(tmp_path / "a.mat", {"x": np.arange(6.0).reshape(3, 2), "fs": 100.0})
        with (tmp_path / "a.mat").open("ab") as file:
            file.write(more)
        return tmp_path / "a.mat"

    return write


@pytest.mark.parametrize(
    "beside",
    [
        b"",
        opaque(b"string"),
        array(3, element(1, b"inline"), ints(8), element(1, b"expr\0\0\0\0"), numbers(name=b"")),
        array(16, numbers(name=b"")),
        array(1, element(14, b"")),
        packed(numbers()),
    ],
    ids=["nothing", "a value of a class", "an old object", "a function", "an empty cell", "a packed array"],
)
def test_what_else_a_file_may_hold_does_not_keep_its_samples_from_being_read(written, beside):
    np.testing.assert_array_equal(read_recording(written(beside), map=MAP).data, np.arange(6.0).reshape(3, 2))


@pytest.mark.parametrize("kind", [float, complex])
def test_sparse_arrays_beside_the_samples(tmp_path, kind):
    thin = sparse.csc_matrix(np.eye(4, 5, dtype=kind))
    savemat(tmp_path / "a.mat", {"x": np.arange(6.0).reshape(3, 2), "fs": 100.0, "thin": thin})
    assert read_recording(tmp_path / "a.mat", map=MAP).data.shape == (3, 2)


SPARSE = {"shape": (2, 2), "flags": 0}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (bytes(4), "it ends inside an element"),
        (element(9, bytes(8)), "an element of type 9 stands where an array must be"),
        (element(14, element(1, bytes(8))), "an element of type 1 stands where numbers must be"),
        (element(14, ints(6, kind=6)), "an array has no flags"),
        (packed(element(9, bytes(8))), "an element of type 9 stands where an array must be"),
        (packed(numbers(), damage=True), "a packed array cannot be unpacked"),
        (packed(numbers(), cut=6), "a packed array is cut off"),
        (nested(40), "arrays are nested too deeply"),
        (numbers(shape=(2, -1)), "an array has the shape 2x-1"),
        (numbers(shape=(3,)), "an array has the shape 3"),
        (array(2, ints(0), element(1, b"")), "the fields of a structure have no names"),
        (array(1, numbers(), shape=(9, 9)), r"it says that it has 81 arrays within \d+ bytes"),
        (array(1, element(9, bytes(8))), "an element of type 9 stands where an array must be"),
        (element(14, ints(6, 0, kind=6) + ints(1, 1) + ints(1)), "an element of type 5 stands where a name must be"),
        (array(99), "an array is of class 99"),
        (array(6, element(8, bytes(8))), "numbers are of type 8"),
        (numbers(2, shape=(3, 1)), "an array of 3 numbers holds 2"),
        (array(6, element(9, bytes(9))), "an array of 1 numbers holds 1"),
        (array(5, ints(0, 1), ints(0, 1), element(9, bytes(16)), **SPARSE), "does not fit its own indices"),
        (array(5, ints(0, 7), ints(0, 1, 2), element(9, bytes(16)), **SPARSE), "does not fit its own indices"),
        (array(5, ints(0, 1), ints(0, 2, 1), element(9, bytes(16)), **SPARSE), "does not fit its own indices"),
        (array(5, ints(0, 1), ints(0, 1, 2), element(9, bytes(8)), **SPARSE), "an array of 2 numbers holds 1"),
    ],
)
def test_damage_is_named(written, more, said):
    with pytest.raises(SourceError, match=rf"a\.mat is damaged: .*{said}"):
        read_recording(written(more), map=MAP)
