"""Exported decoders give what Python gives: compiled by gcc, run by onnxruntime, read back by nir."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding import Model
from bcikit.decoding.spiking import run_nir
from bcikit.signal import ArgumentError

KINDS = ("csp-lda", "erp-lda", "toeplitz-lda", "errp-lda")


@pytest.fixture(params=KINDS)
def model(request, trials, tmp_path) -> tuple[Model, Path]:
    made = Model.fit(request.param, trials)
    # Where re-centring has come to goes along.
    made.mapping = np.eye(8) + 0.1 * np.random.default_rng(0).standard_normal((8, 8))
    return made, made.save(tmp_path / "model.skops")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_c99_compiled_equals_python(model, trials, tmp_path):
    made, path = model
    source = tmp_path / "decoder.c"
    result = CliRunner().invoke(app, ["export-model", str(path), "--c", str(source)])
    assert result.exit_code == 0, result.output
    text = source.read_text()
    assert "Worst case" in text
    assert "malloc" not in text
    library = tmp_path / "decoder.so"
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *strict, "-shared", "-fPIC", "-o", library, source, "-lm"], check=True, timeout=60)
    decide = ctypes.CDLL(str(library)).bcikit_decide
    expected = made.probabilities(trials.X)
    for X, row in zip(trials.X, expected, strict=True):
        window = np.ascontiguousarray(X)
        found = np.zeros(2)
        decide(window.ctypes.data_as(ctypes.c_void_p), found.ctypes.data_as(ctypes.c_void_p))
        np.testing.assert_allclose(found, row, atol=1e-6)


def test_onnx_equals_python(model, trials, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    made, path = model
    target = tmp_path / "decoder.onnx"
    result = CliRunner().invoke(app, ["export-model", str(path), "--onnx", str(target)])
    assert result.exit_code == 0, result.output
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"window": trials.X})
    np.testing.assert_allclose(found, made.probabilities(trials.X), atol=1e-6)
    about = session.get_modelmeta().custom_metadata_map
    assert about["channels"] == ",".join(trials.ch_names)


def test_spikes_go_out_as_nir(trials, tmp_path):
    nir = pytest.importorskip("nir")
    made = Model.fit("spiking", trials)
    path, target = made.save(tmp_path / "model.skops"), tmp_path / "net.nir"
    assert CliRunner().invoke(app, ["export-model", str(path), "--nir", str(target)]).exit_code == 0
    estimator = made.estimator
    found = run_nir(nir.read(target), estimator.currents(trials.X), n_steps=estimator.n_steps, dt=estimator.dt)
    np.testing.assert_array_equal(found, estimator.spikes(trials.X))


def test_what_has_no_export_is_said(trials, tmp_path):
    path = Model.fit("tangent-lr", trials).save(tmp_path / "model.skops")
    for option in ("--c", "--onnx", "--nir"):
        result = CliRunner().invoke(app, ["export-model", str(path), option, str(tmp_path / "x")])
        assert isinstance(result.exception, ArgumentError)
        assert "tangent-lr" in str(result.exception)
    with pytest.raises(ArgumentError, match="Say what to write"):
        CliRunner().invoke(app, ["export-model", str(path)], catch_exceptions=False)
