"""Spatial steps against MNE and against what they must do."""

import mne
import numpy as np
import pytest

from bcikit.processing import (
    Bipolar,
    Interpolate,
    Laplacian,
    OcularRegression,
    Pipeline,
    Rereference,
    Rest,
    SpatialFilter,
    learn,
    with_montage,
)
from bcikit.signal import ArgumentError, Bad, DataError, Recording, StreamInfo

NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "Cz", "C4", "P3", "P4", "O1", "Oz", "O2", "T7", "T8")


@pytest.fixture(scope="module")
def head() -> Recording:
    """Return smooth activity on a head: a few dipoles far away, so that neighbours look alike."""
    info = with_montage(StreamInfo(name="head", sfreq=100.0, ch_names=NAMES))
    rng = np.random.default_rng(0)
    xyz = info.positions_array()
    centres = rng.uniform(-0.05, 0.05, (4, 3))
    gain = 1.0 / (0.01 + ((xyz[:, None] - centres) ** 2).sum(axis=2) * 100)
    return Recording.from_arrays(info, rng.standard_normal((500, 4)) @ gain.T + 0.01 * rng.standard_normal((500, 14)))


def test_average_reference_is_mnes(head) -> None:
    got = Rereference().apply(head)
    raw = mne.set_eeg_reference(head.to_mne(), "average", verbose="ERROR")[0]
    np.testing.assert_allclose(got.data.T * 1e-6, raw.get_data(), atol=1e-15)
    assert got.info.reference == "average"
    np.testing.assert_allclose(got.data.sum(axis=1), 0, atol=1e-9)


def test_single_and_linked_references(head) -> None:
    single = Rereference(reference="Cz").apply(head).data
    np.testing.assert_allclose(single, head.data - head.data[:, [5]])
    linked = Rereference(reference=["T7", "T8"]).apply(head).data
    np.testing.assert_allclose(linked, head.data - head.data[:, [12, 13]].mean(axis=1, keepdims=True))


def test_named_bads_never_enter_the_average(head) -> None:
    data = head.data.copy()
    data[:, 0] += 1e5
    got = Rereference(bads=["Fp1"]).apply(Recording.from_arrays(head.info, data)).data
    np.testing.assert_allclose(got[:, 1:], head.data[:, 1:] - head.data[:, 1:].mean(axis=1, keepdims=True), atol=1e-9)


def test_flat_and_affected_samples_leave_the_average(head) -> None:
    data, mask = head.data.copy(), np.zeros(head.data.shape, np.uint8)
    data[100:200, 3] = 1e4
    mask[100:200, 3] = int(Bad.FLAT)
    got = Rereference().apply(Recording.from_arrays(head.info, data, mask=mask))
    others = [column for column in range(14) if column != 3]
    want = head.data[:, others] - head.data[:, others].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(got.data[100:200][:, others], want[100:200], atol=1e-9)
    assert not got.mask[:, others].any()


def test_a_bad_linked_electrode_marks_every_channel(head) -> None:
    mask = np.zeros(head.data.shape, np.uint8)
    mask[50, 12] = int(Bad.RAILED)
    got = Rereference(reference=["T7", "T8"]).apply(Recording.from_arrays(head.info, head.data, mask=mask))
    assert (got.mask[50] & int(Bad.AFFECTED)).all()
    assert not got.mask[51].any()


def test_bipolar_and_laplacian(head) -> None:
    got = Bipolar(pairs=[["C3", "C4"]]).apply(head)
    assert got.info.ch_names == ("C3-C4",)
    np.testing.assert_allclose(got.data[:, 0], head.data[:, 4] - head.data[:, 6], atol=1e-12)
    step = Laplacian(channels=["Cz"])
    got = step.apply(head)
    assert got.data[:, 5].std() < 0.5 * head.data[:, 5].std(), "what neighbours share goes"
    np.testing.assert_array_equal(got.data[:, 0], head.data[:, 0])
    constant = step.apply(Recording.from_arrays(head.info, np.ones((10, 14))))
    np.testing.assert_allclose(constant.data[:, 5], 0, atol=1e-12)


def test_positions_are_asked_for_by_name(head) -> None:
    bare = head.info.replace(positions=None)
    for step in (Laplacian(), Interpolate(bads=["Cz"]), Rest()):
        with pytest.raises(ArgumentError, match="positions"):
            step.configure(bare)
    with pytest.raises(ArgumentError, match="knows none"):
        with_montage(StreamInfo(name="x", sfreq=1.0, ch_names=("a",)))


def test_laplacian_of_a_channel_that_is_no_electrode_is_refused_by_name(head) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=(*NAMES, "EOG"), ch_types=("eeg",) * 14 + ("eog",))
    with pytest.raises(ArgumentError, match="laplacian has EOG, which are no EEG channels"):
        Pipeline.from_config([{"step": "laplacian", "channels": ["Cz", "EOG"]}]).configure(with_montage(info))


def test_rest_is_mnes_and_undoes_the_reference(head) -> None:
    step = Rest(grid=30.0)
    got = step.apply(head).data
    shifted = Recording.from_arrays(head.info, head.data - head.data[:, [5]])
    np.testing.assert_allclose(step.apply(shifted).data, got, atol=1e-6 * np.abs(got).max())


def test_interpolation_is_mnes(head) -> None:
    got = Interpolate(bads=["Oz"], automatic=False).apply(head)
    raw = head.to_mne()
    raw.info["bads"] = ["Oz"]
    raw.interpolate_bads(origin=(0, 0, 0.04), verbose="ERROR")
    np.testing.assert_allclose(got.data[:, 10] * 1e-6, raw.get_data(picks="Oz")[0], rtol=1e-6, atol=1e-15)
    assert (got.mask[:, 10] == int(Bad.INTERPOLATED)).all()
    assert np.corrcoef(got.data[:, 10], head.data[:, 10])[0, 1] > 0.97


def test_interpolation_replaces_what_is_bad_and_nothing_else(head) -> None:
    data, mask = head.data.copy(), np.zeros(head.data.shape, np.uint8)
    data[100:110, 10] = np.nan
    mask[105:120, 11] = int(Bad.FLAT)
    got = Interpolate().apply(Recording.from_arrays(head.info, data, mask=mask))
    assert np.isfinite(got.data).all()
    assert (got.mask[100:110, 10] == int(Bad.INTERPOLATED)).all()
    assert (got.mask[105:120, 11] == int(Bad.INTERPOLATED)).all()
    untouched = np.ones(data.shape, bool)
    untouched[100:110, 10] = untouched[105:120, 11] = False
    np.testing.assert_array_equal(got.data[untouched], head.data[untouched])
    assert not got.mask[untouched].any()


def test_with_most_channels_bad_nothing_is_made_up(head) -> None:
    data = head.data.copy()
    data[10, :9] = np.nan
    got = Interpolate().apply(Recording.from_arrays(head.info, data))
    assert np.isnan(got.data[10, :9]).all()
    assert (got.mask[10, :9] == int(Bad.NAN)).all()


def test_nan_never_spreads_through_a_matrix(head) -> None:
    data = head.data.copy()
    data[10, 0] = np.nan
    step = SpatialFilter(weights=[[1, 0, -1], [0, 1, 0]], channels=["Fp1", "F3", "C3"])
    got = step.apply(Recording.from_arrays(head.info, data))
    assert np.isfinite(got.data).all()
    assert got.mask[10].tolist() == [int(Bad.AFFECTED), 0]


@pytest.mark.parametrize("method", ["csp", "xdawn"])
def test_learnt_filters_separate_and_survive_a_file(head, method) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.standard_normal((60, 14, 100))
    if method == "csp":
        X[y == 1, 4] *= 4
    else:
        X[y == 1, 4] += 3 * np.sin(np.linspace(0, np.pi, 100))
    step = getattr(learn, method)(X, y, channels=NAMES, n_components=2)
    again = Pipeline.from_config(Pipeline([step]).to_config())
    recording = Recording.from_arrays(head.info, X[1].T)
    got = again.apply(recording)
    np.testing.assert_allclose(got.data, X[1].T @ np.asarray(step.weights).T, atol=1e-9)
    strongest = np.abs(np.asarray(step.weights))[:, 4] / np.abs(np.asarray(step.weights)).max(axis=1)
    assert strongest.max() == pytest.approx(1.0)


def test_average_referenced_epochs_can_be_learnt_from(head) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 14, 100))
    X -= X.mean(axis=1, keepdims=True)
    assert np.isfinite(learn.csp(X, np.arange(40) % 2, channels=NAMES).weights).all()
    with pytest.raises(DataError, match="finite"):
        learn.csp(X * np.nan, np.arange(40) % 2, channels=NAMES)


def test_ica_from_mne(head) -> None:
    rng = np.random.default_rng(0)
    blink = np.zeros(500)
    blink[::100] = 80
    blink = np.convolve(blink, np.hanning(30), "same")
    mixed = head.data / head.data.std() * 5 + blink[:, None] * np.r_[1, 1, 0.3, 0.3, np.zeros(10)]
    mixed += 0.1 * rng.standard_normal(mixed.shape)
    recording = Recording.from_arrays(head.info, mixed)
    raw = recording.to_mne()
    ica = mne.preprocessing.ICA(
        n_components=5, random_state=0, max_iter=2000, fit_params={"tol": 1e-2}, verbose="ERROR"
    )
    # Other tests turn MNE's log down for the whole process.
    with mne.utils.use_log_level("WARNING"), pytest.warns(RuntimeWarning, match="high-pass"):
        ica.fit(raw)
    sources = ica.get_sources(raw).get_data()
    worst = int(np.argmax([abs(np.corrcoef(blink, source)[0, 1]) for source in sources]))
    step = learn.ica_removal(ica, exclude=[worst])
    got = step.apply(recording).data
    with mne.utils.use_log_level("ERROR"):
        want = ica.apply(raw.copy(), exclude=[worst]).get_data().T * 1e6
    centred = (got - got.mean(axis=0)) - (want - want.mean(axis=0))
    assert np.abs(centred).max() < 1e-6 * np.abs(want).max()
    assert abs(np.corrcoef(got[:, 0], blink)[0, 1]) < 0.3
    with pytest.raises(ArgumentError, match="nothing to remove"):
        learn.ica_removal(ica)


def test_ocular_regression_is_learnt_and_removes(info) -> None:
    rng = np.random.default_rng(0)
    eog = np.convolve(rng.standard_normal(2000), np.ones(30), "same") * 20
    brain = rng.standard_normal((2000, 7)) * 5
    share = np.linspace(0.4, 0.05, 7)
    data = np.hstack([brain + eog[:, None] * share, eog[:, None]])
    recording = Recording.from_arrays(info, data)
    step = learn.ocular_regression(recording)
    assert isinstance(step, OcularRegression)
    np.testing.assert_allclose(np.asarray(step.weights)[:, 0], share, atol=0.01)
    np.testing.assert_allclose(step.apply(recording).data[:, :7], brain, atol=5)
    with pytest.raises(DataError, match="no EOG"):
        learn.ocular_regression(recording.pick([0, 1]))
