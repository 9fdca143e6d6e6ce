"""XDF and JSON lines: what is encoded is decoded bit for bit, whatever it is."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.recording.jsonlines import encode_line, read_lines, to_json
from bcikit.recording.xdf import encode_file_header, encode_samples, encode_stream_header, encode_texts
from bcikit.recording.xdf_reader import read_xdf
from bcikit.signal import RecordingError

FLOATS = st.floats(width=64)


@settings(max_examples=20, deadline=None)
@given(
    rows=st.lists(st.tuples(FLOATS, FLOATS, FLOATS), max_size=300),
    cuts=st.lists(st.integers(0, 300), max_size=4),
    texts=st.lists(st.text(max_size=300), max_size=5),
    name=st.text(max_size=30),
)
def test_any_samples_and_texts_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[float, float, float]],
    cuts: list[int],
    texts: list[str],
    name: str,
) -> None:
    path = tmp_path_factory.mktemp("xdf") / "x.xdf"
    values = np.array(rows, dtype=np.float64).reshape(-1, 3)
    header = {"kind": "EEG", "channel_format": "double64", "labels": ["a", name, "<&>"]}
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    parts = [
        encode_file_header(),
        encode_stream_header(1, name=name, **header),  # type: ignore[arg-type]
        encode_stream_header(2, name="m", kind="Markers", channel_format="string", labels=["m"]),
    ]
    edges = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    for start, stop in itertools.pairwise(edges):
        parts.append(encode_samples(1, values[start:stop, 0], values[start:stop]))
    parts.append(encode_texts(2, [1.5] * len(texts), texts))
    path.write_bytes(b"".join(parts))
    streams = read_xdf(path)
    np.testing.assert_array_equal(streams[1].values.view(np.int64), values.view(np.int64))
    np.testing.assert_array_equal(streams[1].times.view(np.int64), np.ascontiguousarray(values[:, 0]).view(np.int64))
    assert streams[2].values == texts
    assert streams[1].sizes == [stop - start for start, stop in itertools.pairwise(edges)]
    read, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    np.testing.assert_array_equal(read[0]["time_series"], values)
    assert [text for (text,) in read[1]["time_series"]] == texts


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(records=st.lists(st.dictionaries(st.text(max_size=8), JSON, max_size=4), max_size=5), cut=st.integers(0, 40))
def test_any_records_come_back_and_a_cut_costs_only_the_last(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "x.jsonl"
    lines = [encode_line(record) for record in records]
    path.write_bytes(b"".join(lines))
    printable = [json.loads(json.dumps(r).encode("utf-8", "replace")) for r in records]
    if all(json.dumps(r, ensure_ascii=False).isprintable() for r in printable):
        assert read_lines(path) == printable
    assert len(read_lines(path)) == len(records)
    if lines:
        path.write_bytes(b"".join(lines)[: -1 - min(cut, len(lines[-1]) - 1)])
        assert len(read_lines(path)) == len(records) - 1


def test_what_json_lacks_is_replaced() -> None:
    values = {
        "a": np.float32(0.5),
        "b": np.int64(3),
        "c": np.array([1.0, math.nan]),
        "d": {1},
        "e": Path("x"),
        5: math.inf,
    }
    assert to_json(values) == {"a": 0.5, "b": 3, "c": [1.0, None], "d": [1], "e": "x", "5": None}
    assert json.loads(encode_line({"x": np.bool_(1)})) == {"x": True}


def test_what_is_no_xdf_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"XDF", b"something else"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(RecordingError, match="no XDF"):
            read_xdf(tmp_path / "x")
