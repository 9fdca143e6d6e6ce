"""What other rooms and other people hand to this room: whatever it is, it is read or refused in words."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bcikit.safety import Consent, GateSettings
from bcikit.safety.consent import load_screening
from bcikit.safety.stimulus import StimulusDesign
from bcikit.safety.stimulus.frames import FrameAnalyser, load_frames
from bcikit.signal import BciError, ConfigError
from bcikit.signal.settings import check_settings

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["screen", "target", "schedule", "clinical", "width_cm", "frequency_hz", "depth", "size_deg", "full_screen"]

pytestmark = pytest.mark.requirement("SAF-096")


@pytest.mark.requirement("SAF-096")
@settings(max_examples=100, deadline=None)
@given(values=st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JSON, max_size=5))
def test_designs(values):
    with pytest.raises(BciError):
        check_settings(StimulusDesign, values, where="design")


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_consent_and_screening_files(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "record.json"
    path.write_bytes(content)
    for load in (Consent.load, load_screening):
        with pytest.raises(BciError):
            load(path)


@settings(max_examples=100, deadline=None)
@given(values=st.dictionaries(st.text(max_size=5) | st.sampled_from(list(GateSettings.model_fields)), JSON, max_size=4))
def test_settings(values):
    with contextlib.suppress(BciError):
        assert isinstance(check_settings(GateSettings, values, where="gate"), GateSettings)


def npy(head: str) -> bytes:
    text = head.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300))
@example(content=b"PK\x03\x04")
@example(content=b"\x80\x04\x95")
@example(content=npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 1, 3)}"))
@example(content=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 1, 1, 3)}"))
@example(content=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 9, 9, 3)}"))
@example(content=npy("{'descr': '<f8', 'fortran_order': False, 'shape': (True, 9.5, 9, 3)}"))
@example(content=npy("{'descr': [], 'fortran_order': False, 'shape': (1, 1, 1, 3)}"))
@example(content=npy("{'descr': 'V0', 'fortran_order': False, 'shape': (1, 1, 1, 3)}"))
@example(content=npy("[" * 100))
def test_frame_files(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "frames.npy"
    path.write_bytes(content)
    with pytest.raises(BciError):
        load_frames(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.gif", b"GIF89a\x40\x00\x40\x00\xf0\x00\x00"),
        ("bomb.gif", b"GIF89a" + (65535).to_bytes(2, "little") * 2 + b"\x00\x00\x00,\x00\x00\x00\x00"),
        ("none.gif", b"no picture at all"),
    ],
)
def test_a_broken_animation_is_refused_in_words(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BciError, match=name):
        list(load_frames(tmp_path / name))


def test_a_broken_picture_in_a_folder_is_refused_in_words(tmp_path):
    (tmp_path / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\x00" * 40)
    with pytest.raises(BciError, match=r"0\.png"):
        list(load_frames(tmp_path))


def test_a_design_with_a_number_of_thousands_of_digits_is_refused_in_words(tmp_path):
    from bcikit.safety.stimulus import load_design

    (tmp_path / "design.toml").write_text("clinical = " + "9" * 5000)
    with pytest.raises(ConfigError, match="no TOML"):
        load_design(tmp_path / "design.toml")


@pytest.mark.requirement("SAF-099")
def test_frames_with_objects_are_never_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    np.save(tmp_path / "evil.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    with pytest.raises(BciError):
        load_frames(tmp_path / "evil.npy")
    assert not (tmp_path / "owned").exists()


@settings(max_examples=40, deadline=None)
@given(shape=st.lists(st.integers(0, 5), max_size=4), seed=st.integers(0, 9))
def test_frames_of_any_shape(shape, seed):
    frame = np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)
    analyser = FrameAnalyser(60.0)
    try:
        analyser.add(frame)
    except BciError:
        return
    assert analyser.report().n_frames == 1
