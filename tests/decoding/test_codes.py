"""c-VEP by a shifted template: the right lag, looking at none, and what is refused."""

import numpy as np
import pytest

from bcikit.decoding import make_decoder
from bcikit.paradigms.cvep import M_SEQUENCE
from bcikit.signal import ArgumentError, DataError

SFREQ, PERIOD = 250.0, 63 / 60
LAGS = {"up": 0.0, "right": 16 / 60, "down": 32 / 60, "left": 48 / 60}


def windows(n: int, *, seed: int, cycles: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return windows in which each onset of a bright bit answers with one wave, on two of four channels."""
    rng = np.random.default_rng(seed)
    labels = np.array([*LAGS, "none"] * (n // 5))
    length = round(cycles * PERIOD * SFREQ)
    t = np.arange(length) / SFREQ
    wave = np.exp(-0.5 * ((np.arange(60) / SFREQ - 0.1) / 0.02) ** 2)
    X = rng.normal(0.0, 2.0, (len(labels), 4, length))
    for row, label in enumerate(labels):
        if label == "none":
            continue
        code = np.array([int(bit) for bit in M_SEQUENCE])
        bits = np.floor((t + LAGS[label]) * 60 + 1e-9).astype(int) % 63
        light = code[bits]
        train = np.maximum(np.diff(light, prepend=light[-1]), 0)
        X[row, :2] += np.array([[1.6], [1.0]]) * np.convolve(train, wave)[:length]
    return X, labels


def test_each_lag_and_looking_at_none_are_told_apart():
    decoder = make_decoder("code-template", sfreq=SFREQ, lags=LAGS, period=PERIOD).fit(*windows(60, seed=0))
    X, y = windows(100, seed=1)
    found = decoder.predict(X)
    assert np.mean(found == y) > 0.9
    assert abs(decoder.filter_[:2]).min() > 3 * abs(decoder.filter_[2:]).max()
    # The code is one: a target of whom half the others' trials were seen is decided by their template.
    X, y = windows(60, seed=2)
    few = np.concatenate([np.flatnonzero(y == "up")[:3], np.flatnonzero(y != "up")])
    fitted = make_decoder("code-template", sfreq=SFREQ, lags=LAGS, period=PERIOD).fit(X[few], y[few])
    X, y = windows(100, seed=3)
    assert np.mean(fitted.predict(X[y == "up"]) == "up") > 0.8


def test_what_cannot_be_is_refused():
    X, y = windows(20, seed=0)
    with pytest.raises(ArgumentError, match="lags has no lag"):
        make_decoder("code-template", sfreq=SFREQ, lags={}, period=PERIOD).fit(X, y)
    with pytest.raises(DataError, match="none of them has a lag"):
        make_decoder("code-template", sfreq=SFREQ, lags={"a": 0.0}, period=PERIOD).fit(X, y)
    with pytest.raises(DataError, match="holds no cycle"):
        make_decoder("code-template", sfreq=SFREQ, lags=LAGS, period=3.0).fit(X, y)
    with pytest.raises(ArgumentError, match="period"):
        make_decoder("code-template", sfreq=SFREQ, lags=LAGS, period=0.0).fit(X, y)
