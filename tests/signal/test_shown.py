"""At a prompt an object is one readable line, in a notebook a small table."""

import numpy as np
import pytest

from bcikit import open_source
from bcikit.decoding import epochs
from bcikit.processing import Bandpass, Decimate, Notch, Pick, Resample
from bcikit.signal import ArgumentError, Chunk, Event, Health, Recording, StreamInfo

INFO = StreamInfo(name="cap", sfreq=250.0, ch_names=("C3", "C4"), bads=("C4",))
EVENTS = tuple(Event(name=("left", "right")[k % 2], time=float(k)) for k in range(10))
RECORDING = Recording.from_arrays(INFO, np.random.default_rng(0).normal(size=(3000, 2)), events=EVENTS)


@pytest.mark.parametrize(
    ("thing", "line"),
    [
        (INFO, "<StreamInfo 'cap': 2 channels (eeg 2), 250 Hz, uV>"),
        (
            Chunk(data=np.zeros((5, 2)), times=np.arange(5) / 250, first_sample=7, health=Health(lost=3)),
            "<Chunk 5 samples x 2 channels from sample 7, 0.000 to 0.016 s, not clean, 3 lost before it>",
        ),
        (RECORDING, "<Recording 'cap': 2 channels, 12.0 s at 250 Hz, 10 events>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_readable_line(thing: object, line: str) -> None:
    assert repr(thing) == line
    assert "&#x27;cap&#x27;" in thing._repr_html_() or isinstance(thing, Chunk)
    assert thing._repr_html_().startswith("<table>")


def test_names_cannot_write_html() -> None:
    info = StreamInfo(name="<script>", sfreq=250.0, ch_names=("<b>",))
    assert "<script>" not in info._repr_html_()
    assert "<b>" not in info._repr_html_()


def test_trials_by_a_list_of_names() -> None:
    trials = epochs(RECORDING, events=["left", "right"], tmin=0.0, tmax=1.0, channels=["C3", "C4"])
    assert repr(trials) == "<Epochs 10 trials x 2 channels x 250 samples, 0 to 1 s at 250 Hz: left 5, right 5>"
    with pytest.raises(ArgumentError, match="list of names"):
        epochs(RECORDING, events="left", tmin=0.0, tmax=1.0)


def test_a_source_is_one_line_and_can_be_iterated() -> None:
    with open_source("sim:motor-imagery?seed=1&chunk=25") as source:
        assert repr(source) == "<SimSource 'sim-motor-imagery': 16 channels at 250 Hz>"
        for number, chunk in enumerate(source):
            assert chunk.n_times > 0
            if number == 3:
                break


def test_a_source_that_is_over_ends_the_loop(tmp_path) -> None:
    from bcikit.acquisition import FileSource

    with FileSource(RECORDING) as source:
        assert sum(chunk.n_times for chunk in source) == 3000
        assert repr(source).endswith(", over>")


def test_the_first_arguments_of_a_step_have_their_place() -> None:
    assert Bandpass(8, 30).h_freq == 30
    assert Notch(50).freq == 50
    assert Resample(100).sfreq == 100
    assert Decimate(2).factor == 2
    assert Pick(["C3"]).channels == ("C3",)
    with pytest.raises(TypeError):
        Bandpass(8, 30, 4)
