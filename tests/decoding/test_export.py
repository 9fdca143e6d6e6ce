"""Exported decoders give what Python gives: compiled by gcc, run by onnxruntime, read back by nir."""

import ctypes
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding import Model
from bcikit.decoding.spiking import run_nir
from bcikit.signal import ArgumentError

KINDS = {
    "csp-lda": {},
    "auto": {},
    "erp-lda": {},
    "toeplitz-lda": {},
    "errp-lda": {},
    "tangent-lr": {},
    "tangent-svm": {"estimator": "lwf"},
    "mdm": {},
    "acm-svm": {"order": 3},
}


@pytest.fixture(params=list(KINDS))
def model(request, trials, tmp_path) -> tuple[Model, Path]:
    made = Model.fit(request.param, trials, params=KINDS[request.param])
    # Where re-centring has come to goes along.
    made.mapping = np.eye(8) + 0.1 * np.random.default_rng(0).standard_normal((8, 8))
    return made, made.save(tmp_path / "model.skops")


def compiled(source: Path, folder: Path) -> ctypes.CDLL:
    """Return a C file as a library, compiled as strictly as gcc can."""
    library = folder / f"{source.stem}.so"
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *strict, "-shared", "-fPIC", "-o", library, source, "-lm"], check=True, timeout=60)
    return ctypes.CDLL(str(library))


def decided(library: ctypes.CDLL, window: np.ndarray, n_classes: int) -> tuple[int, np.ndarray]:
    given, found = np.ascontiguousarray(window), np.full(n_classes, 0.5)
    status = library.bcikit_decide(given.ctypes.data_as(ctypes.c_void_p), found.ctypes.data_as(ctypes.c_void_p))
    return status, found


def loud(trials) -> np.ndarray:
    """Return windows of an amplifier at its limits: very large, very small, a channel far off, one nearly still."""
    X = trials.X[:6].copy()
    X[0] *= 1e6
    X[1] *= 1e-6
    X[2, 3] += 1e5
    X[3, 2] *= 1e-3
    X[4, 0] *= 1e3
    return X


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_c99_compiled_equals_python(model, trials, tmp_path):
    made, path = model
    source = tmp_path / "decoder.c"
    result = CliRunner().invoke(app, ["export-model", str(path), "--c", str(source)])
    assert result.exit_code == 0, result.output
    text = source.read_text()
    assert "Worst case" in text
    assert "malloc" not in text
    library = compiled(source, tmp_path)
    windows = np.concatenate([trials.X, loud(trials)])
    for X, row in zip(windows, made.probabilities(windows), strict=True):
        status, found = decided(library, X, 2)
        assert status == 0
        np.testing.assert_allclose(found, row, atol=1e-6)
    # Nothing is decided by what is no number.
    for wrong in (np.nan, np.inf):
        X = trials.X[0].copy()
        X[3, -1] = wrong
        status, found = decided(library, X, 2)
        assert (status, found.tolist()) == (1, [0.0, 0.0])
    # Nor by an electrode that measures nothing, wherever it stands still.
    for channels, value in ((3, 0.0), (0, -187_500.0), (slice(None), 0.0)):
        X = trials.X[0].copy()
        X[channels] = value
        status, found = decided(library, X, 2)
        assert (status, found.tolist()) == (1, [0.0, 0.0])
    X = trials.X[0].copy()
    X[3, :-1] = 0.0
    assert decided(library, X, 2)[0] == 0


COUNTED = """
#include <cmath>
#include <cstdio>
static long long arithmetic, calls;
struct Counted {
  double value;
  Counted(double given = 0.0) : value(given) {}
};
#define OPERATION(op) \\
  static Counted operator op(Counted a, Counted b) { arithmetic++; return a.value op b.value; } \\
  static Counted &operator op##=(Counted &a, Counted b) { arithmetic++; a.value op##= b.value; return a; } \\
  template <class T> static Counted operator op(Counted a, T b) { return a op Counted((double)b); } \\
  template <class T> static Counted operator op(T a, Counted b) { return Counted((double)a) op b; }
OPERATION(+) OPERATION(-) OPERATION(*) OPERATION(/)
static bool operator<(Counted a, Counted b) { return a.value < b.value; }
static bool operator>(Counted a, Counted b) { return a.value > b.value; }
static bool operator==(Counted a, Counted b) { return a.value == b.value; }
static Counted operator-(Counted a) { return -a.value; }
static Counted exp(Counted a) { calls++; return std::exp(a.value); }
static Counted log(Counted a) { calls++; return std::log(a.value); }
static Counted sqrt(Counted a) { calls++; return std::sqrt(a.value); }
static Counted fabs(Counted a) { return std::fabs(a.value); }
static bool isfinite(Counted a) { return std::isfinite(a.value); }
#define double Counted
#include "decoder.c"
#undef double
int main() {
  static Counted window[CHANNELS][TIMES], probabilities[CLASSES];
  unsigned state = 1;
  for (int c = 0; c < CHANNELS; c++)
    for (int t = 0; t < TIMES; t++) {
      state = state * 1664525u + 1013904223u;
      window[c][t].value = state / 4294967296.0 - 0.5;
    }
  arithmetic = calls = 0;
  int status = bcikit_decide(window, probabilities);
  std::printf("%d %lld %lld\\n", status, arithmetic, calls);
}
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.parametrize("model", ["csp-lda", "erp-lda", "mdm", "acm-svm"], indirect=True)
def test_the_operations_stated_are_those_counted(model, tmp_path):
    _, path = model
    source = tmp_path / "decoder.c"
    assert CliRunner().invoke(app, ["export-model", str(path), "--c", str(source)]).exit_code == 0
    (tmp_path / "count.cpp").write_text(COUNTED)
    subprocess.run(["g++", "-w", "-o", tmp_path / "count", tmp_path / "count.cpp"], check=True, timeout=60)
    printed = subprocess.run([tmp_path / "count"], check=True, timeout=60, capture_output=True, text=True).stdout
    status, arithmetic, calls = map(int, printed.split())
    found = re.search(r"Worst case: (\d+) additions.*, (\d+) calls", source.read_text())
    assert found is not None
    assert status == 0
    if "eigen" in source.read_text():
        # A rotation that is not needed any more is left out.
        assert 0.5 * int(found[1]) <= arithmetic <= int(found[1])
        assert calls <= int(found[2])
    else:
        assert (arithmetic, calls) == (int(found[1]), int(found[2]))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_names_of_any_kind_do_not_leave_the_comment(trials, tmp_path):
    names = np.array(["*/ int x; /*", "左手, ??/"])
    made = Model.fit("csp-lda", replace(trials, y=names[np.unique(trials.y, return_inverse=True)[1]]))
    path, source = made.save(tmp_path / "model.skops"), tmp_path / "decoder.c"
    assert CliRunner().invoke(app, ["export-model", str(path), "--c", str(source)]).exit_code == 0
    found = decided(compiled(source, tmp_path), trials.X[0], 2)[1]
    np.testing.assert_allclose(found, made.probabilities(trials.X[:1])[0], atol=1e-6)
    onnx = pytest.importorskip("onnx")
    target = tmp_path / "decoder.onnx"
    assert CliRunner().invoke(app, ["export-model", str(path), "--onnx", str(target)]).exit_code == 0
    about = {one.key: one.value for one in onnx.load(str(target)).metadata_props}
    assert json.loads(about["sheet"])["classes"] == list(made.classes)


def test_onnx_equals_python(model, trials, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    made, path = model
    target = tmp_path / "decoder.onnx"
    result = CliRunner().invoke(app, ["export-model", str(path), "--onnx", str(target)])
    assert result.exit_code == 0, result.output
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    windows = np.concatenate([trials.X, loud(trials)])
    (found,) = session.run(None, {"window": windows})
    np.testing.assert_allclose(found, made.probabilities(windows), atol=1e-6)
    assert not np.isfinite(session.run(None, {"window": np.full_like(trials.X[:1], np.nan)})[0]).any()
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
    path = Model.fit("fgmdm", trials).save(tmp_path / "model.skops")
    for option in ("--c", "--onnx", "--nir"):
        result = CliRunner().invoke(app, ["export-model", str(path), option, str(tmp_path / "x")])
        assert isinstance(result.exception, ArgumentError)
        assert "fgmdm" in str(result.exception)
    with pytest.raises(ArgumentError, match="Say what to write"):
        CliRunner().invoke(app, ["export-model", str(path)], catch_exceptions=False)


def test_what_was_trained_with_zero_phase_is_written_for_no_device(trials, tmp_path):
    for decoder, options in (("csp-lda", ("--c", "--onnx")), ("spiking", ("--nir",))):
        path = Model.fit(decoder, replace(trials, causal=False)).save(tmp_path / "model.skops")
        for option in options:
            result = CliRunner().invoke(app, ["export-model", str(path), option, str(tmp_path / "x")])
            assert isinstance(result.exception, ArgumentError)
            assert "zero phase" in str(result.exception)
            assert not (tmp_path / "x").exists()
