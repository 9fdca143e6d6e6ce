"""What a researcher does in a notebook: MNE in and out, slices by seconds, pictures, tables."""

import mne
import numpy as np
import pytest

from bcikit.decoding import Epochs, epochs, make_decoder
from bcikit.signal import Bad, DataError, Event, Recording, StreamInfo

RNG = np.random.default_rng(0)


@pytest.fixture
def raw():
    data = RNG.normal(0, 2e-5, (3, 5000))
    made = mne.io.RawArray(data, mne.create_info(["C3", "Cz", "C4"], 250.0, "eeg"), verbose="ERROR")
    marks = [2.0 + k for k in range(16)]
    made.set_annotations(mne.Annotations(marks, [0] * 16, ["left", "right"] * 8))
    return made


def test_epochs_of_mne_s_raw_and_back(raw):
    trials = epochs(raw, events={"left": "l", "right": "r"}, tmin=0.0, tmax=0.8)
    assert trials.counts() == {"l": 8, "r": 8}
    np.testing.assert_allclose(trials.X[0], raw.get_data()[:, 500:700] * 1e6)
    out = trials.to_mne()
    assert out.event_id == {"l": 1, "r": 2}
    back = Epochs.from_mne(out)
    np.testing.assert_allclose(back.X, trials.X)
    assert back.y.tolist() == trials.y.tolist()
    make_decoder("csp-lda", sfreq=250.0).fit(back.X, back.y)


def test_mne_epochs_in_without_bad_channels(raw):
    found, codes = mne.events_from_annotations(raw, verbose="ERROR")
    made = mne.Epochs(raw, found, codes, 0.0, 0.5, baseline=None, preload=True, verbose="ERROR")
    made.info["bads"] = ["Cz"]
    trials = Epochs.from_mne(made, labels={"left": "l"})
    assert trials.ch_names == ("C3", "C4")
    assert trials.classes == ("l",)
    with pytest.raises(DataError, match="classes asked for"):
        Epochs.from_mne(made, labels={"feet": "f"})


def recording() -> Recording:
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"), bads=("C4",))
    data = RNG.normal(0, 20, (2500, 2))
    mask = np.zeros(data.shape, np.uint8)
    mask[100:120] = int(Bad.RAILED)
    events = (Event(name="a", time=52.0, sample=500), Event(name="BAD_move", time=53.0, sample=750, duration=2.0))
    return Recording.from_arrays(info, data, start=50.0, events=events, mask=mask)


def test_a_recording_is_sliced_by_seconds():
    whole = recording()
    part = whole[1.0:4.0]
    assert part.n_times == 750
    assert part.samples[0] == 250
    assert part.times[0] == pytest.approx(51.0)
    assert [event.name for event in part.events] == ["a", "BAD_move"]
    late = whole[4.0:]
    assert [(event.name, event.duration) for event in late.events] == [("BAD_move", pytest.approx(1.0))]
    assert np.array_equal(whole[:].data, whole.data)
    with pytest.raises(DataError):
        whole[3]


def test_a_recording_is_drawn_and_is_a_table(tmp_path):
    whole = recording()
    figure = whole.plot()
    figure.savefig(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5_000
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["C3", "C4"]
    assert len(whole.plot(["C4"]).axes[0].lines) >= 1
    pandas = pytest.importorskip("pandas")
    table = whole.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert table.shape == (2500, 2)
    assert "<table>" in whole._repr_html_()
