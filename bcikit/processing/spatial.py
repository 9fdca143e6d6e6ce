"""Spatial steps that are a matrix: bipolar pairs, Laplacian, REST, learnt filters, ocular regression."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.linear import LinearStep, embed, matrix_by_mne, positions_of
from bcikit.signal import ArgumentError, StreamInfo, check_int


@dataclass(kw_only=True, eq=False)
class Bipolar(LinearStep):
    """Differences between pairs of electrodes, named "anode-cathode".

    Parameters
    ----------
    pairs : sequence of (str, str)
        Anode and cathode of each output channel.
    """

    name: ClassVar[str] = "bipolar"
    pairs: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        self.pairs = tuple(tuple(pair) for pair in self.pairs)
        if not self.pairs or any(len(pair) != 2 for pair in self.pairs):
            raise ArgumentError(f"pairs is {self.pairs!r}; it must be a list of pairs, as in [['C3', 'Cz']].")

    def design(self, info: StreamInfo) -> tuple[NDArray[np.float64], StreamInfo]:
        """Return one row a pair."""
        matrix = np.zeros((len(self.pairs), info.n_channels))
        for row, pair in enumerate(self.pairs):
            anode, cathode = info.index_of(pair, who="bipolar")
            matrix[row, anode] += 1.0
            matrix[row, cathode] -= 1.0
        names = tuple("-".join(pair) for pair in self.pairs)
        return matrix, info.replace(ch_names=names, ch_types=("eeg",) * len(names), positions=None, reference="bipolar")


@dataclass(kw_only=True, eq=False)
class Laplacian(LinearStep):
    """Each electrode minus the mean of its nearest neighbours, weighted by the inverse distance (Hjorth 1975).

    Parameters
    ----------
    n_neighbours : int
        How many.
    channels : sequence of str
        Electrodes to take it of; the others pass unchanged. Empty for every EEG channel.
    """

    name: ClassVar[str] = "laplacian"
    n_neighbours: int = 4
    channels: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_int("n_neighbours", self.n_neighbours, low=1, high=32)
        self.channels = tuple(self.channels)

    def design(self, info: StreamInfo) -> tuple[NDArray[np.float64], StreamInfo]:
        """Return the unit matrix minus the weights of the neighbours."""
        eeg = info.indices(ch_type="eeg")
        if len(eeg) <= self.n_neighbours:
            raise ArgumentError(
                f"laplacian needs more than {self.n_neighbours} EEG channels; {info.name!r} has {len(eeg)}."
            )
        xyz = positions_of(info, eeg, who="laplacian")
        chosen = info.index_of(self.channels, who="laplacian") if self.channels else eeg
        others = [info.ch_names[column] for column in chosen if column not in eeg]
        if others:
            raise ArgumentError(f"channels of laplacian has {', '.join(others)}, which are no EEG channels.")
        matrix = np.eye(info.n_channels)
        for column in chosen:
            distance = np.linalg.norm(xyz - info.positions_array()[column], axis=1)
            distance[eeg.index(column)] = np.inf
            nearest = np.argsort(distance, kind="stable")[: self.n_neighbours]
            weights = 1.0 / np.maximum(distance[nearest], 1e-6)
            matrix[column, np.asarray(eeg)[nearest]] -= weights / weights.sum()
        return matrix, info.replace(reference="laplacian")


@dataclass(kw_only=True, eq=False)
class Rest(LinearStep):
    """Reference at infinity (REST, Yao 2001), by MNE's implementation on a spherical head model.

    Parameters
    ----------
    grid : float
        Distance between the sources of the model in millimetres.
    """

    name: ClassVar[str] = "rest"
    grid: float = 20.0

    def design(self, info: StreamInfo) -> tuple[NDArray[np.float64], StreamInfo]:
        """Return MNE's matrix for the EEG channels."""
        return _rest(info, self.grid), info.replace(reference="REST")


@lru_cache(maxsize=8)
def _rest(info: StreamInfo, grid: float) -> NDArray[np.float64]:
    """Return the matrix of REST; the head model takes half a second, and a plan is made of a stream more than once."""
    import mne

    eeg = info.indices(ch_type="eeg")

    def rest(raw: "mne.io.BaseRaw") -> "mne.io.BaseRaw":
        sphere = mne.make_sphere_model("auto", "auto", raw.info, verbose="ERROR")
        sources = mne.setup_volume_source_space(sphere=sphere, pos=grid, exclude=30.0, verbose="ERROR")
        forward = mne.make_forward_solution(raw.info, None, sources, sphere, meg=False, verbose="ERROR")
        return mne.set_eeg_reference(raw, "REST", forward=forward, verbose="ERROR")[0]

    matrix = embed(matrix_by_mne(info, eeg, rest), eeg, info.n_channels)
    matrix.flags.writeable = False
    return matrix


@dataclass(kw_only=True, eq=False)
class SpatialFilter(LinearStep):
    """Components by weights that were learnt offline; see `bcikit.processing.learn`.

    Parameters
    ----------
    weights : sequence of sequence of float
        One row a component, one column a channel.
    channels : sequence of str
        Channels of the columns, found by name.
    names : sequence of str
        Names of the components; "S1", "S2", ... if left out.
    """

    name: ClassVar[str] = "spatial"
    weights: Sequence[Sequence[float]]
    channels: Sequence[str]
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        matrix = check_matrix("weights", self.weights)
        self.channels = tuple(self.channels)
        if matrix.shape[1] != len(self.channels):
            raise ArgumentError(
                f"weights has {matrix.shape[1]} columns for {len(self.channels)} channels; they must be as many."
            )
        self.weights = matrix.tolist()
        self.names = tuple(self.names)
        if self.names and len(self.names) != len(matrix):
            raise ArgumentError(f"names has {len(self.names)} entries for {len(matrix)} components.")

    def design(self, info: StreamInfo) -> tuple[NDArray[np.float64], StreamInfo]:
        """Return the weights at the columns of the channels."""
        columns = info.index_of(self.channels, who="spatial")
        matrix = np.zeros((len(self.weights), info.n_channels))
        matrix[:, columns] = np.asarray(self.weights)
        names = tuple(self.names) or tuple(f"S{index + 1}" for index in range(len(matrix)))
        return matrix, info.replace(ch_names=names, ch_types=("eeg",) * len(names), positions=None)


@dataclass(kw_only=True, eq=False)
class Unmix(LinearStep):
    """A square matrix on some channels, which keep their names: components removed by ICA, for instance.

    Parameters
    ----------
    weights : sequence of sequence of float
        Square, one row and one column a channel.
    channels : sequence of str
        Channels of the rows and columns, found by name.
    """

    name: ClassVar[str] = "unmix"
    weights: Sequence[Sequence[float]]
    channels: Sequence[str]

    def __post_init__(self) -> None:
        matrix = check_matrix("weights", self.weights)
        self.channels = tuple(self.channels)
        if matrix.shape != (len(self.channels),) * 2:
            raise ArgumentError(
                f"weights has shape {matrix.shape}; for {len(self.channels)} channels it must be square."
            )
        self.weights = matrix.tolist()

    def design(self, info: StreamInfo) -> tuple[NDArray[np.float64], StreamInfo]:
        """Return the weights at the rows and columns of the channels."""
        columns = info.index_of(self.channels, who="unmix")
        return embed(np.asarray(self.weights), columns, info.n_channels), info


@dataclass(kw_only=True, eq=False)
class OcularRegression(LinearStep):
    """Subtracts from each EEG channel its share of the EOG channels (Gratton and others 1983).

    Parameters
    ----------
    weights : sequence of sequence of float
        One row an EEG channel, one column an EOG channel; `bcikit.processing.learn.ocular_regression` finds them.
    channels, eog : sequence of str
        EEG channels of the rows and EOG channels of the columns, found by name.
    """

    name: ClassVar[str] = "ocular"
    weights: Sequence[Sequence[float]]
    channels: Sequence[str]
    eog: Sequence[str]

    def __post_init__(self) -> None:
        matrix = check_matrix("weights", self.weights)
        self.channels, self.eog = tuple(self.channels), tuple(self.eog)
        if matrix.shape != (len(self.channels), len(self.eog)):
            raise ArgumentError(
                f"weights has shape {matrix.shape} for {len(self.channels)} channels and {len(self.eog)} EOG channels."
            )
        self.weights = matrix.tolist()

    def design(self, info: StreamInfo) -> tuple[NDArray[np.float64], StreamInfo]:
        """Return the unit matrix minus the weights."""
        eeg = info.index_of(self.channels, who="ocular")
        eog = info.index_of(self.eog, who="ocular")
        matrix = np.eye(info.n_channels)
        matrix[np.ix_(eeg, eog)] -= np.asarray(self.weights)
        return matrix, info


def check_matrix(name: str, values: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return values as a finite matrix.

    Raises
    ------
    ArgumentError
        If they are none.
    """
    try:
        matrix = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must be a list of rows of numbers, all of one length.") from None
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
        raise ArgumentError(f"{name} must be a matrix of finite numbers; it has shape {matrix.shape}.")
    return matrix
