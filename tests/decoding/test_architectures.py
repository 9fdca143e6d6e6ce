"""Architectures of braindecode: what is said where torch is missing, and, where it is there, the whole way."""

import csv
import importlib.util
import json
import pickle
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from bcikit.decoding import Epochs, Model, make_decoder
from bcikit.decoding.architectures import note_on
from bcikit.decoding.encoder import check_encoder
from bcikit.decoding.registry import decoder_class
from bcikit.session import load_config
from bcikit.signal import (
    Address,
    ArgumentError,
    DataError,
    Event,
    MissingDependencyError,
    ModelError,
    Recording,
    StreamInfo,
)

WITH_TORCH = all(
    importlib.util.find_spec(name) for name in ("torch", "braindecode", "onnx", "onnxscript", "onnxruntime")
)
needs_torch = pytest.mark.skipif(not WITH_TORCH, reason="torch and braindecode are not installed; see docs/decoding")
without_torch = pytest.mark.skipif(WITH_TORCH, reason="torch and braindecode are installed")
EEGNET = "braindecode:EEGNet"
SHALLOW = "braindecode:ShallowFBCSPNet"


def _trials(n: int = 40) -> Epochs:
    rng = np.random.default_rng(0)
    X = 10.0 * rng.standard_normal((n, 4, 250))
    y = np.array(["left", "right"])[np.arange(n) % 2]
    X[y == "right", 0] *= 3.0
    return Epochs(
        X=X,
        y=y,
        groups=np.arange(n) // (n // 2),
        runs=np.arange(n) // (n // 2),
        samples=np.arange(n) * 300,
        sfreq=125.0,
        tmin=0.0,
        tmax=2.0,
        ch_names=("C3", "C4", "Cz", "Pz"),
    )


@pytest.mark.parametrize(
    ("encoder", "error", "said"),
    [
        ("torch:net.pt", ArgumentError, "allowed: onnx:FILE, braindecode:NAME"),
        ("braindecode:", ArgumentError, "allowed: onnx:FILE, braindecode:NAME"),
        ("onnx:net.onnx?seed=1", ArgumentError, "option of onnx:net.onnx is 'seed'"),
        (f"{EEGNET}?sed=1", ArgumentError, "Did you mean 'seed'"),
        (f"{EEGNET}?seed=two", ArgumentError, "seed"),
        (f"{EEGNET}?seed=1&weights=w.pt", ArgumentError, "leave out seed or weights"),
        (f"{EEGNET}?weights=nothing.pt", ModelError, "is no file"),
    ],
)
def test_an_address_that_means_nothing_is_refused(encoder, error, said):
    with pytest.raises(error, match=said):
        check_encoder(encoder)
    with pytest.raises(error, match=said):
        Model.fit("encoder", _trials(), params={"encoder": encoder})


def test_what_nobody_trained_is_called_so():
    assert "random weights (seed 3)" in note_on(Address.parse(f"{EEGNET}?seed=3"))
    assert not note_on(Address.parse(f"{EEGNET}?weights=w.pt"))
    assert make_decoder(f"encoder={EEGNET}", sfreq=125.0).note == note_on(Address.parse(EEGNET))


def test_frequencies_of_targets_go_only_to_decoders_that_ask_for_them():
    from bcikit.decoding.evaluation.task import Task

    task = Task(
        name="x", paradigm="ssvep", runs=(), events={}, tmin=0.0, tmax=1.0, filters=(), recommended="fbcca",
        params={"frequencies": {"a": 10.0}},
    )  # fmt: skip
    assert task.decoder_params("fbcca") == {"frequencies": {"a": 10.0}}
    for name in ("csp-lda", "encoder", f"encoder={EEGNET}"):
        assert make_decoder(
            name, sfreq=125.0, **{"encoder": EEGNET} if name == "encoder" else {}, **task.decoder_params(name)
        )


def test_weights_count_from_the_folder_of_the_session_file(tmp_path):
    path = tmp_path / "session.toml"
    path.write_text(
        '[source]\naddress = "sim:motor-imagery"\n\n[paradigm]\nname = "motor-imagery"\n\n'
        f'[decoder]\nencoder = "{EEGNET}?weights=nets/w.safetensors"\n'
    )
    address = Address.parse(load_config(path).decoder.encoder)
    assert Path(address.options["weights"]) == tmp_path / "nets" / "w.safetensors"
    assert address.body == "EEGNet"


@without_torch
def test_without_torch_it_is_said_how_to_get_it():
    with pytest.raises(MissingDependencyError, match=r"index-url https://download\.pytorch\.org/whl/cpu") as caught:
        Model.fit("encoder", _trials(), params={"encoder": EEGNET})
    assert "pip install braindecode" in str(caught.value)
    assert "uv sync" not in str(caught.value)  # no extra brings it


@without_torch
@pytest.mark.parametrize("command", ["evaluate", "run"])
def test_without_torch_a_command_ends_with_2_before_anything_is_recorded(command_line, tmp_path, command):
    if command == "run":
        ended = command_line("run", _session_file(tmp_path), "--screen", "none")
    else:
        ended = command_line("evaluate", _drawn(tmp_path), *FISTS, "-d", f"encoder={EEGNET}")
    assert ended.code == 2, ended
    assert "pip install torch torchaudio" in ended.err, ended
    assert not (tmp_path / "lived").exists()


FISTS = ("-p", "motor-imagery", "--events", "T1=left,T2=right")


def _drawn(root: Path) -> Path:
    """Write two runs of a person in which the amplitude of a channel tells the class; return their folder."""
    place = root / "data" / "sub-01" / "ses-1"
    place.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for run in range(2):
        data = rng.standard_normal((4, 30 * 600))
        starts = 600 * np.arange(30) + 50
        for trial, start in enumerate(starts):
            data[trial % 2, start : start + 500] *= 0.3
        events = tuple(
            Event(name=f"T{trial % 2 + 1}", time=start / 125.0, sample=int(start)) for trial, start in enumerate(starts)
        )
        info = StreamInfo(name="x", sfreq=125.0, ch_names=("C3", "C4", "Cz", "Pz"))
        recording = Recording.from_arrays(info, 5.0 * data.T, events=events)
        recording.to_mne().save(place / f"run-{run}_raw.fif", verbose="ERROR")
    return root / "data"


def _session_file(root: Path, encoder: str = EEGNET) -> Path:
    values = {
        "session": {"name": "lived", "subject": "P01", "seed": 3},
        "source": {"address": "sim:motor-imagery?channels=FC3,FC4,C3,Cz,C4,CP3,CPz,CP4&sfreq=125&seed=3"},
        "pipeline": {"steps": [{"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4}]},
        "paradigm": {
            "name": "motor-imagery",
            "settings": {
                "calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 10, "eyes_open": 0.0, "eyes_closed": 0.0,
                "between_runs": 0.0, "instructions": 0.0, "beep": 0.5, "cue": 1.0, "cue_duration": 0.5,
                "feedback": 1.5, "stop": 2.6, "window": [0.5, 1.5], "rest": [1.0, 1.2], "feedback_rate": 4.0,
            },
        },
        "decoder": {"encoder": encoder, "reject": 0.6},
        "recording": {"folder": "lived"},
    }  # fmt: skip
    path = root / "session.toml"
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return path


def _network(name: str, *, n_outputs: int):
    """Return an architecture for the windows of `_trials`, by torch alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # braindecode and MNE warn of themselves
        from braindecode import models

        return getattr(models, name)(n_chans=4, n_outputs=n_outputs, n_times=250, sfreq=125.0).eval()


@needs_torch
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["EEGNet", "ShallowFBCSPNet"])
def test_embeddings_are_torch_s_own_and_come_again_by_seed(name):
    trials = _trials()
    found = make_decoder("encoder", sfreq=125.0, encoder=f"braindecode:{name}?seed=7").fit(trials.X, trials.y)
    torch = pytest.importorskip("torch")
    torch.manual_seed(7)
    network = _network(name, n_outputs=2)
    network.final_layer = torch.nn.Identity()
    with torch.inference_mode():
        expected = network(torch.from_numpy(trials.X.astype(np.float32))).numpy().reshape(len(trials.X), -1)
    state = torch.random.get_rng_state()
    np.testing.assert_allclose(found.embed(trials.X), expected, rtol=1e-5, atol=1e-5)
    # The free batch axis: one window gives what it gives among forty.
    np.testing.assert_allclose(found.embed(trials.X[:1]), expected[:1], rtol=1e-5, atol=1e-5)
    assert f"{name} of braindecode with random weights (seed 7), without its final_layer" in found.why_
    other = make_decoder("encoder", sfreq=125.0, encoder=f"braindecode:{name}?seed=8").fit(trials.X, trials.y)
    assert np.abs(other.embed(trials.X) - expected).max() > 1e-3
    # Whoever draws beside it goes on where they were.
    assert torch.equal(state, torch.random.get_rng_state())


@needs_torch
@pytest.mark.timeout(300)
@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_weights_of_a_file_are_used_and_refused_where_they_do_not_fit(tmp_path, ending):
    torch = pytest.importorskip("torch")
    write = pytest.importorskip("safetensors.torch").save_file if ending == "safetensors" else torch.save
    trials = _trials()
    torch.manual_seed(7)
    # Four classes: what is left out may be of any size.
    state = dict(_network("EEGNet", n_outputs=4).state_dict())
    path = tmp_path / f"w.{ending}"
    encoder = f"{EEGNET}?weights={path}"
    write(state, path)
    found = make_decoder("encoder", sfreq=125.0, encoder=encoder).fit(trials.X, trials.y)
    drawn = make_decoder("encoder", sfreq=125.0, encoder=f"{EEGNET}?seed=7").fit(trials.X, trials.y)
    np.testing.assert_allclose(found.embed(trials.X), drawn.embed(trials.X), rtol=1e-5, atol=1e-5)
    assert not found.note
    assert f"weights of w.{ending}" in found.why_
    write({**state, "conv_temporal.weight": torch.zeros(8, 1, 1, 32)}, path)
    with pytest.raises(ModelError, match=r"conv_temporal\.weight is \(8, 1, 1, 32\), not \(8, 1, 1, 64\)"):
        make_decoder("encoder", sfreq=125.0, encoder=encoder).fit(trials.X, trials.y)
    write({key: value for key, value in state.items() if key != "bnorm_1.weight"}, path)
    with pytest.raises(ModelError, match=r"bnorm_1\.weight is missing"):
        make_decoder("encoder", sfreq=125.0, encoder=encoder).fit(trials.X, trials.y)
    path.write_bytes(pickle.dumps({"conv_temporal.weight": Path("x")}))
    with pytest.raises(ModelError, match="holds no tensors alone"):
        make_decoder("encoder", sfreq=125.0, encoder=encoder).fit(trials.X, trials.y)


@needs_torch
@pytest.mark.timeout(300)
def test_a_saved_model_decides_where_torch_cannot_be_imported(tmp_path):
    trials = _trials()
    model = Model.fit("encoder", trials, params={"encoder": EEGNET}, reject=0.6)
    assert model.scores.accuracy > 0.7
    assert "random weights (seed 0)" in model.sheet.why
    assert any("random weights" in note for note in model.sheet.scores["notes"])
    path = model.save(tmp_path / "model.skops")
    np.save(tmp_path / "X.npy", trials.X[:5])
    code = f"""
import json, sys
import numpy as np

class Without:
    def find_spec(self, name, *rest):
        if name in ("torch", "braindecode"):
            raise ImportError(name)

sys.meta_path.insert(0, Without())
from bcikit.decoding import Model
print(json.dumps(Model.load({str(path)!r}).probabilities(np.load({str(tmp_path / "X.npy")!r})).tolist()))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True)
    np.testing.assert_array_equal(json.loads(ended.stdout), model.probabilities(trials.X[:5]))


@needs_torch
@pytest.mark.timeout(300)
def test_what_cannot_be_made_is_refused_in_words():
    with pytest.raises(ArgumentError, match="Did you mean 'EEGNet'"):
        check_encoder("braindecode:EEGNett")
    trials = replace(_trials(), X=_trials().X[:, :, :20], tmax=0.16)
    with pytest.raises(DataError, match="HybridNet gives no embedding of windows of 4 channels x 20 samples at 125 Hz"):
        make_decoder("encoder", sfreq=125.0, encoder="braindecode:HybridNet").fit(trials.X, trials.y)
    with pytest.raises(ArgumentError, match="needs sfreq"):
        decoder_class("encoder")(encoder=EEGNET).fit(trials.X, trials.y)


@needs_torch
@pytest.mark.timeout(300)
def test_networks_and_covariances_stand_on_one_table(command_line, tmp_path):
    data = _drawn(tmp_path)
    ended = command_line(
        "evaluate", data, *FISTS, "-d", "csp-lda", "-d", f"encoder={EEGNET}", "-d", f"encoder={SHALLOW}"
    )
    assert ended.code == 0, ended
    for name in ("csp-lda", f"encoder={EEGNET}", f"encoder={SHALLOW}"):
        assert name in ended.out
    assert "ShallowFBCSPNet has random weights (seed 0)" in ended.out
    study = tmp_path / "study.toml"
    study.write_text(
        'name = "networks"\ndecoders = ["csp-lda"]\nsplits = ["leave-run-out"]\n\n[[data]]\npath = "data"\n'
        'paradigm = "motor-imagery"\nevents = { T1 = "left", T2 = "right" }\nwindow = [0.0, 2.0]\n\n[[decoder]]\n'
        f'name = "shallow"\ndecoder = "encoder"\nparams = {{ encoder = "{SHALLOW}" }}\n'
    )
    ended = command_line("evaluate", study, "--out", tmp_path / "out")
    assert ended.code == 0, ended
    assert "shallow: ShallowFBCSPNet has random weights" in ended.err
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        found = {row["decoder"]: float(row["accuracy"]) for row in csv.DictReader(file)}
    assert set(found) == {"csp-lda", "shallow"}
    assert found["shallow"] > 0.6


@needs_torch
@pytest.mark.timeout(300)
def test_a_session_trains_it_and_replays_bit_for_bit(tmp_path):
    from bcikit.decoding.store import read_sheet
    from bcikit.session import Engine
    from bcikit.session.models import MODEL
    from bcikit.session.repeat import replay

    Engine(load_config(_session_file(tmp_path))).run()
    found = replay(tmp_path / "lived")
    assert found.identical, found.difference
    assert found.n_replayed >= 10
    sheet = read_sheet(tmp_path / "lived" / MODEL)
    assert (sheet.decoder, sheet.reject) == ("encoder", 0.6)
    assert "EEGNet of braindecode with random weights" in sheet.why
