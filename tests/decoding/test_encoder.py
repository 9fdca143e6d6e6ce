"""Networks of two public architectures, with random weights, on the table beside covariances."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding import Model
from bcikit.signal import DataError, Event, Recording, StreamInfo

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

N_CHANNELS, N_TIMES, SFREQ = 4, 192, 128.0


class Graph:
    """Builds a network layer by layer, its weights drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[object] = []
        self.weights: list[object] = []
        self.last = "x"

    def add(self, kind: str, *shapes: tuple[int, ...], **attributes: object) -> None:
        from onnx import helper, numpy_helper

        names = [self.last]
        for shape in shapes:
            name = f"w{len(self.weights)}"
            fan = int(np.prod(shape[1:])) or 1
            values = self.rng.normal(0.0, 1.0 / np.sqrt(fan), shape).astype(np.float32)
            self.weights.append(numpy_helper.from_array(values, name))
            names.append(name)
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        self.last = output

    def normalise(self, n: int) -> None:
        """Add a batch normalisation with the statistics of an untrained network."""
        from onnx import helper, numpy_helper

        names = []
        for values in (np.ones(n), np.zeros(n), np.zeros(n), np.ones(n)):
            names.append(f"w{len(self.weights)}")
            self.weights.append(numpy_helper.from_array(values.astype(np.float32), names[-1]))
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node("BatchNormalization", [self.last, *names], [output], epsilon=1e-3))
        self.last = output

    def square(self) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node("Mul", [self.last, self.last], [f"t{len(self.nodes)}"]))
        self.last = f"t{len(self.nodes) - 1}"

    def save(self, path: Path) -> Path:
        from onnx import TensorProto, helper

        self.add("Flatten", axis=1)
        shape = ["n", 1, N_CHANNELS, N_TIMES]
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, ["n", None])],
            self.weights,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(made)
        onnx.save_model(made, str(path))
        return path


def eegnet(path: Path) -> Path:
    """EEGNet-8,2 without its classifier (Lawhern et al. 2018, J Neural Eng 15(5))."""
    g = Graph(0)
    g.add("Conv", (8, 1, 1, 64), pads=[0, 31, 0, 32])
    g.normalise(8)
    g.add("Conv", (16, 1, N_CHANNELS, 1), group=8)
    g.normalise(16)
    g.add("Elu")
    g.add("AveragePool", kernel_shape=[1, 4], strides=[1, 4])
    g.add("Conv", (16, 1, 1, 16), group=16, pads=[0, 7, 0, 8])
    g.add("Conv", (16, 16, 1, 1))
    g.normalise(16)
    g.add("Elu")
    g.add("AveragePool", kernel_shape=[1, 8], strides=[1, 8])
    return g.save(path)


def shallow(path: Path) -> Path:
    """ShallowFBCSPNet without its classifier (Schirrmeister et al. 2017, Human Brain Mapping 38(11))."""
    g = Graph(1)
    g.add("Conv", (40, 1, 1, 13))
    g.add("Conv", (40, 40, N_CHANNELS, 1))
    g.normalise(40)
    g.square()
    g.add("AveragePool", kernel_shape=[1, 75], strides=[1, 15])
    g.add("Log")
    return g.save(path)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Return a study of two networks beside CSP, on drawn recordings of one person with two runs."""
    root = tmp_path_factory.mktemp("networks")
    rng = np.random.default_rng(5)
    for run in range(2):
        data = rng.standard_normal((4, 40 * 320))
        events = []
        for trial in range(40):
            start = 320 * trial + 32
            label = trial % 2
            data[label, start : start + N_TIMES] *= 0.3
            events.append(Event(name=f"T{label + 1}", time=start / SFREQ, sample=start))
        info = StreamInfo(name="x", sfreq=SFREQ, ch_names=("C3", "C4", "Cz", "Pz"))
        place = root / "data" / "sub-01" / "ses-1"
        place.mkdir(parents=True, exist_ok=True)
        recording = Recording.from_arrays(info, 5.0 * data.T, events=tuple(events))
        recording.to_mne().save(place / f"run-{run}_raw.fif", verbose="ERROR")
    nets = {"eegnet": eegnet(root / "eegnet.onnx"), "shallow": shallow(root / "shallow.onnx")}
    tables = "".join(
        f'\n[[decoder]]\nname = "{name}"\ndecoder = "encoder"\nparams = {{ encoder = "onnx:{path}" }}\n'
        for name, path in nets.items()
    )
    (root / "study.toml").write_text(
        'name = "networks"\ndecoders = ["csp-lda"]\nsplits = ["leave-run-out"]\n\n[[data]]\npath = "data"\n'
        'paradigm = "motor-imagery"\nevents = { T1 = "left", T2 = "right" }\nwindow = [0.0, 1.5]\n' + tables
    )
    return root / "study.toml"


def test_two_public_architectures_stand_on_one_table_with_covariances(study, tmp_path):
    result = CliRunner().invoke(app, ["evaluate", str(study), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    with (tmp_path / "results.csv").open(newline="") as file:
        found = {row["decoder"]: float(row["accuracy"]) for row in csv.DictReader(file)}
    assert set(found) == {"csp-lda", "eegnet", "shallow"}
    # Random filters with a trained head know the power of a channel; nothing more is expected of them.
    assert found["shallow"] > 0.6
    assert found["csp-lda"] >= max(found["eegnet"], found["shallow"]) - 0.1


def test_a_head_and_its_network_are_stored_without_pickle(study, tmp_path):
    from bcikit.decoding.evaluation.layouts import find_tasks
    from bcikit.decoding.evaluation.task import load_task

    (task,) = find_tasks(
        study.parent / "data", paradigm="motor-imagery", events={"T1": "left", "T2": "right"}, window=(0.0, 1.5)
    )
    trials = load_task(task)[0].trials
    for name in ("eegnet", "shallow"):
        model = Model.fit("encoder", trials, params={"encoder": f"onnx:{study.parent / name}.onnx"}, reject=0.6)
        again = Model.load(model.save(tmp_path / f"{name}.skops"))
        np.testing.assert_array_equal(again.probabilities(trials.X[:4]), model.probabilities(trials.X[:4]))
        assert json.dumps(again.sheet.to_dict())
        assert again.sheet.reject == 0.6


def test_a_network_exported_for_one_window_takes_any_number(study, tmp_path):
    from bcikit.decoding.external import OnnxNetwork

    free = study.parent / "eegnet.onnx"
    for batch in (1, 3):
        made = onnx.load(str(free))
        made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
        onnx.save_model(made, str(tmp_path / "fixed.onnx"))
        X = np.random.default_rng(0).standard_normal((5, N_CHANNELS, N_TIMES))
        found = OnnxNetwork.read(str(tmp_path / "fixed.onnx")).run(X)
        np.testing.assert_allclose(found, OnnxNetwork.read(str(free)).run(X), rtol=1e-4, atol=1e-6)


def test_an_embedding_that_is_too_large_for_a_head_is_refused_before_it_fills_the_memory(tmp_path):
    g = Graph(2)
    g.add("Conv", (40, 1, 1, 13))  # 40 filters of 4 channels x 180 samples
    trials = replace(
        _two_trials(), X=np.ones((20, N_CHANNELS, N_TIMES)), ch_names=("C3", "C4", "Cz", "Pz"), sfreq=SFREQ, tmax=1.5
    )
    with pytest.raises(DataError, match="gives 28800 features of a window; a head takes 4096 at most"):
        Model.fit("encoder", trials, params={"encoder": f"onnx:{g.save(tmp_path / 'wide.onnx')}"})


def test_an_embedding_that_is_not_finite_is_said(study):
    X = np.zeros((20, N_CHANNELS, N_TIMES))  # the logarithm of no power
    trials = replace(_two_trials(), X=X, ch_names=("C3", "C4", "Cz", "Pz"), sfreq=SFREQ, tmax=1.5)
    with pytest.raises(DataError, match="windows an embedding that is not finite"):
        Model.fit("encoder", trials, params={"encoder": f"onnx:{study.parent / 'shallow.onnx'}"})


def _two_trials():
    from bcikit.decoding import Epochs

    rng = np.random.default_rng(0)
    return Epochs(
        X=rng.standard_normal((20, 2, 50)),
        y=np.array(["a", "b"] * 10),
        groups=np.zeros(20, dtype=np.int64),
        runs=np.zeros(20, dtype=np.int64),
        samples=np.arange(20) * 100,
        sfreq=100.0,
        tmin=0.0,
        tmax=0.5,
        ch_names=("C3", "C4"),
    )


def test_a_study_computes_again_what_another_network_of_that_name_decides(tmp_path):
    from bcikit.decoding.evaluation.jobs import ScoreJob

    file = tmp_path / "net.onnx"
    job = ScoreJob(
        data="d", pipeline="p", decoder="net", kind="encoder", split="within", seed=0, who="S1", trials=("t",),
        params=(("encoder", f"onnx:{file}"),), metric="accuracy",
    )  # fmt: skip
    keys = []
    for content in (b"", b"one network", b"another one, longer"):
        if content:
            file.write_bytes(content)
        keys.append(job.key)
        assert job.key == keys[-1]
    assert len(set(keys)) == 3
