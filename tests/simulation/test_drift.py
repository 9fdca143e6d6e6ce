"""Under a drifting pattern a frozen decoder falls, and one that goes on learning does not."""

from copy import deepcopy

import numpy as np
import pytest

from bcikit.decoding import epochs, make_decoder
from bcikit.decoding.adaptation import update_estimator
from bcikit.decoding.centre import Recentring, centre_of
from bcikit.processing import Bandpass

CALIBRATION = 60


def _trials(simulate, drift, seed):
    address = f"sim:motor-imagery?schedule=1&trials=180&seed={seed}&drift={drift}&ability=0.95&confusion=0&chunk=250"
    recording = Bandpass(l_freq=8, h_freq=30, order=4).apply(simulate(address))
    cues = {"cue/left_hand": "left_hand", "cue/right_hand": "right_hand"}
    return epochs(recording, events=cues, tmin=0.5, tmax=3.5, max_bad=1.0)


def _frozen(trials):
    decoder = make_decoder("tangent-lr", sfreq=250).fit(trials.X[:CALIBRATION], trials.y[:CALIBRATION])
    right = decoder.predict(trials.X[CALIBRATION:]) == trials.y[CALIBRATION:]
    return decoder, float(np.mean(right))


def _adaptive(decoder, trials):
    """Decide each trial first; its cue is known when it is over."""
    decoder = deepcopy(decoder)
    centre = Recentring(centre_of(trials.X[:CALIBRATION]), rate=0.05)
    right = []
    for X, label in zip(trials.X[CALIBRATION:, None], trials.y[CALIBRATION:], strict=True):
        here = centre.mapping @ X
        right.append(decoder.predict(here)[0] == label)
        update_estimator(decoder, here, label, rate=0.05)
        centre.update(X)
    return float(np.mean(right))


@pytest.mark.slow
def test_a_frozen_decoder_loses_fifteen_points_and_an_adaptive_one_at_most_three(simulate):
    still, frozen, adaptive = [], [], []
    for seed in (1, 2, 3):
        still.append(_frozen(_trials(simulate, 0, seed))[1])
        drifting = _trials(simulate, 3, seed)
        decoder, accuracy = _frozen(drifting)
        frozen.append(accuracy)
        adaptive.append(_adaptive(decoder, drifting))
    assert np.mean(still) - np.mean(frozen) >= 0.15, (still, frozen)
    assert np.mean(still) - np.mean(adaptive) <= 0.03, (still, adaptive)
