"""A spiking decoder: leaky integrate-and-fire neurons in numpy, trained from band powers, exported to NIR."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.fbcsp import BandCovarianceDecoder
from bcikit.signal import MissingDependencyError, check_int, check_range

Array = NDArray[np.float64]


def lif(currents: Array, *, tau: float, dt: float, threshold: float = 1.0) -> Array:
    """Return the spikes of leaky integrate-and-fire neurons that start at rest.

    ``v <- v + dt / tau (i - v)``; a spike where v exceeds the threshold, and v is zero then. This is NIR's LIF
    with ``r = 1`` and ``v_leak = 0`` in Euler steps (Pedersen et al. 2024, Nat Commun 15:8122).

    Parameters
    ----------
    currents : ndarray, shape (..., n_steps, n_neurons)
        Input a time step.
    tau, dt : float
        Time constant and time step in seconds.
    threshold : float
        Membrane voltage of a spike.

    Returns
    -------
    ndarray of 0 and 1, the shape of `currents`
    """
    share = dt / tau
    voltage = np.zeros((*currents.shape[:-2], currents.shape[-1]))
    spikes = np.empty_like(currents)
    for step in range(currents.shape[-2]):
        voltage = voltage + share * (currents[..., step, :] - voltage)
        fired = voltage > threshold
        voltage = np.where(fired, 0.0, voltage)
        spikes[..., step, :] = fired
    return spikes


class SpikingDecoder(BandCovarianceDecoder):
    """Band power as current, two layers of spiking neurons, spike counts as scores.

    CSP filters and bands give log powers (as `FbCsp`), scaled to unit variance; each drives a pair of input neurons,
    one for above and one for below the mean. A rate-coded linear read-out is trained by logistic regression on the
    spike counts of the first layer and becomes the weights of the second, whose neurons' counts decide. It is no better
    than FBCSP: it is the same features on hardware that takes milliwatts.

    Parameters
    ----------
    sfreq : float
        Hz.
    bands : sequence of (float, float)
        Edges in Hz.
    n_filters : int
        CSP filters a band.
    n_steps : int
        Time steps of the network a window.
    tau, dt : float
        Time constant and time step of a neuron in seconds.
    """

    def __init__(
        self,
        *,
        sfreq: float,
        bands: Sequence[tuple[float, float]] = ((8.0, 12.0), (12.0, 20.0), (20.0, 30.0)),
        n_filters: int = 4,
        n_steps: int = 100,
        tau: float = 0.02,
        dt: float = 0.001,
    ) -> None:
        self.sfreq = sfreq
        self.bands = bands
        self.n_filters = n_filters
        self.n_steps = n_steps
        self.tau = tau
        self.dt = dt

    def _fit_matrices(self, matrices: Array, index: NDArray[np.intp], weights: Array | None) -> None:
        from sklearn.linear_model import LogisticRegression

        check_int("n_steps", self.n_steps, low=10)
        check_range("dt", self.dt, low=0.0, high=self.tau, low_open=True, high_open=True, unit="s")
        self.filters_ = self._spatial_filters(matrices, index)
        logs = self._features(matrices)
        self.mean_, self.deviation_ = logs.mean(axis=0), np.maximum(logs.std(axis=0), 1e-9)
        first = self._first_layer(matrices)
        rates = first.mean(axis=1)
        read_out = LogisticRegression(C=10.0, max_iter=1000).fit(rates, index)
        weights = np.vstack([-read_out.coef_, read_out.coef_]) / 2 if len(self.classes_) == 2 else read_out.coef_
        offsets = (
            np.concatenate([-read_out.intercept_, read_out.intercept_]) / 2
            if len(self.classes_) == 2
            else read_out.intercept_
        )
        # A neuron cannot fire less than never: a common offset and a gain put the training windows into its range.
        drive = rates @ weights.T + offsets
        self.gain_ = 4.0 / max(float(np.ptp(drive)), 1e-9)
        self.weights_ = self.gain_ * weights
        self.offsets_ = self.gain_ * (offsets - drive.min()) + 1.2
        counts = self._second_layer(first).sum(axis=1)
        spread = float(np.std(counts - counts.mean(axis=1, keepdims=True)))
        self.unit_ = float(np.std(drive - drive.mean(axis=1, keepdims=True))) / max(spread, 1e-9)

    def currents(self, X: ArrayLike) -> Array:
        """Return the constant input of the first layer, shape ``(n_epochs, n_inputs)``."""
        return self._currents(self.matrices(X))

    def spikes(self, X: ArrayLike) -> Array:
        """Return the spikes of the output neurons, shape ``(n_epochs, n_steps, n_classes)``."""
        return self._second_layer(self._first_layer(self.matrices(X)))

    def _score_matrices(self, matrices: Array) -> Array:
        # Spike counts in the unit of log-odds.
        return self.unit_ * self._second_layer(self._first_layer(matrices)).sum(axis=1)

    def _currents(self, matrices: Array) -> Array:
        z = (self._features(matrices) - self.mean_) / self.deviation_
        return 1.5 + np.concatenate([z, -z], axis=1)

    def _first_layer(self, matrices: Array) -> Array:
        held = np.repeat(self._currents(matrices)[:, None], self.n_steps, axis=1)
        return lif(held, tau=self.tau, dt=self.dt)

    def _second_layer(self, spikes: Array) -> Array:
        return lif(spikes @ self.weights_.T + self.offsets_, tau=self.tau, dt=self.dt)

    def to_nir(self, path: str | Path | None = None) -> Any:
        """Return the network as a NIR graph, and write it to a file where a path is given (extra ``nir``).

        Input are the currents of `currents`, held for `n_steps` steps; output are the spikes of `spikes`.
        """
        try:
            import nir
        except ImportError:
            raise MissingDependencyError("nir", "nir", "Export to neuromorphic chips") from None

        n_inputs, n_classes = self.weights_.shape[1], len(self.classes_)

        def neurons(n: int) -> Any:
            return nir.LIF(
                tau=np.full(n, self.tau), r=np.ones(n), v_leak=np.zeros(n), v_threshold=np.ones(n), v_reset=np.zeros(n)
            )

        graph = nir.NIRGraph(
            nodes={
                "input": nir.Input(input_type=np.array([n_inputs])),
                "first": neurons(n_inputs),
                "read_out": nir.Affine(weight=self.weights_, bias=self.offsets_),
                "second": neurons(n_classes),
                "output": nir.Output(output_type=np.array([n_classes])),
            },
            edges=[("input", "first"), ("first", "read_out"), ("read_out", "second"), ("second", "output")],
        )
        if path is not None:
            nir.write(str(path), graph)
        return graph


def run_nir(graph: Any, currents: Array, *, n_steps: int, dt: float) -> Array:
    """Return the output spikes of a NIR graph of `SpikingDecoder.to_nir`, read back from a file.

    Parameters
    ----------
    graph : nir.NIRGraph
        A chain of LIF and Affine nodes.
    currents : ndarray, shape (n_epochs, n_inputs)
        Held for all steps.
    n_steps : int
        Time steps.
    dt : float
        Seconds a step.
    """
    following = dict(graph.edges)
    values = np.repeat(np.asarray(currents, dtype=np.float64)[:, None], n_steps, axis=1)
    name = following["input"]
    while name != "output":
        node = graph.nodes[name]
        if hasattr(node, "tau"):
            values = lif(values, tau=float(node.tau[0]), dt=dt, threshold=float(node.v_threshold[0]))
        else:
            values = values @ np.asarray(node.weight).T + np.asarray(node.bias)
        name = following[name]
    return values
