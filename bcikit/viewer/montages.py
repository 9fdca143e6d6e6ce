"""Montages: what of the channels is drawn, as sums of channels; they change the picture and nothing else."""

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import ArgumentError, ConfigError, StreamInfo
from bcikit.signal.documents import read_toml

AS_RECORDED = "as recorded"
CHAINS: dict[str, tuple[tuple[str, ...], ...]] = {
    "longitudinal bipolar": (
        ("Fp1", "F7", "T7", "P7", "O1"),
        ("Fp1", "F3", "C3", "P3", "O1"),
        ("Fz", "Cz", "Pz"),
        ("Fp2", "F4", "C4", "P4", "O2"),
        ("Fp2", "F8", "T8", "P8", "O2"),
    ),
    "transverse bipolar": (
        ("F7", "F3", "Fz", "F4", "F8"),
        ("T7", "C3", "Cz", "C4", "T8"),
        ("P7", "P3", "Pz", "P4", "P8"),
    ),
}
"""Chains of the American Clinical Neurophysiology Society's guideline 3 (Acharya et al. 2016)."""

_OLD_NAMES = {"t3": "t7", "t4": "t8", "t5": "p7", "t6": "p8"}
_EARS = (("A1", "M1", "TP9"), ("A2", "M2", "TP10"))
_NEIGHBOURS = 4
_Real = TypeVar("_Real", np.float32, np.float64)


@dataclass(frozen=True, eq=False)
class Montage:
    """A montage of a stream.

    Attributes
    ----------
    name : str
        What it is called.
    labels : tuple of str
        Of the traces.
    types : tuple of str
        Channel type of each trace.
    matrix : ndarray of float64, shape (n_traces, n_channels), or None
        What is summed up; None where the channels are drawn as they are.
    sources : tuple of tuple of int
        Channels that a trace is about, for its colour and for the click on its name.
    """

    name: str
    labels: tuple[str, ...]
    types: tuple[str, ...]
    matrix: NDArray[np.float64] | None
    sources: tuple[tuple[int, ...], ...]

    @property
    def n_traces(self) -> int:
        """Number of traces."""
        return len(self.labels)

    def apply(self, data: NDArray[_Real]) -> NDArray[_Real]:
        """Return what is shown of samples ``(n_times, n_channels)``: ``(n_times, n_traces)``, as exact as these are.

        A trace whose channels are all there is shown, whatever the others do: NaN stays with who has it.
        """
        if self.matrix is None:
            return data
        weights = self.matrix.astype(data.dtype)
        lost = np.isnan(data)
        if not lost.any():
            return data @ weights.T
        made: NDArray[_Real] = np.where(lost, data.dtype.type(0), data) @ weights.T
        made[(lost @ (weights != 0).T) > 0] = np.nan
        return made


def names_of(info: StreamInfo) -> list[str]:
    """Return the montages that make sense for a stream, the recorded one first."""
    found = [AS_RECORDED]
    eeg = info.indices(ch_type="eeg")
    if len(eeg) < 2:
        return found
    found.append("average")
    if _ears(info):
        found.append("linked ears")
    found += [name for name in CHAINS if _chain_pairs(info, CHAINS[name])]
    known = ~np.isnan(info.positions_array()[eeg]).any(axis=1)
    if known.sum() > _NEIGHBOURS:
        found.append("Laplacian")
    return found


def make_montage(info: StreamInfo, name: str, *, bad: Collection[str] = ()) -> Montage:
    """Return a montage for a stream; bad channels are in no sum, and drawn as they are where they stand alone.

    Raises
    ------
    ArgumentError
        If the stream has not what it needs.
    """
    if name == AS_RECORDED:
        own = tuple((index,) for index in range(info.n_channels))
        return Montage(name, info.ch_names, info.ch_types, None, own)
    eeg = info.indices(ch_type="eeg")
    good = [index for index in eeg if info.ch_names[index] not in bad]
    matrix = np.eye(info.n_channels)
    if name in CHAINS:
        pairs = _chain_pairs(info, CHAINS[name])
        return _of_pairs(info, name, pairs)
    if name == "average":
        if not good:
            raise ArgumentError("The average reference needs a channel that is not bad.")
        matrix[np.ix_(eeg, good)] -= 1.0 / len(good)
    elif name == "linked ears":
        ears = [index for index in _ears(info) if info.ch_names[index] not in bad]
        if not ears:
            raise ArgumentError("Linked ears need A1 and A2, M1 and M2, or TP9 and TP10.")
        matrix[np.ix_(eeg, ears)] -= 1.0 / len(ears)
    elif name == "Laplacian":
        places = info.positions_array()
        there = [index for index in good if not np.isnan(places[index]).any()]
        for index in eeg:
            near = sorted(there, key=lambda other: float(np.linalg.norm(places[other] - places[index])))
            near = [other for other in near if other != index][:_NEIGHBOURS]
            if near and not np.isnan(places[index]).any():
                matrix[index, near] -= 1.0 / len(near)
    else:
        raise ArgumentError(f"{name!r} is no montage; allowed: {', '.join(names_of(info))}, or a file.")
    own = tuple((index,) for index in range(info.n_channels))
    return Montage(name, info.ch_names, info.ch_types, matrix, own)


def read_montage(info: StreamInfo, path: str | Path) -> Montage:
    """Return the montage of a file.

    It is TOML: ``traces = ["F3-C3", "C3-P3", "Cz-(A1+A2)/2", "EOG"]``, each a channel, minus another one or the mean of
    some.

    Raises
    ------
    ArgumentError
        If the file is no montage, or names a channel that the stream lacks.
    """
    file = Path(path)
    try:
        traces = read_toml(file).get("traces")
    except ConfigError as error:
        raise ArgumentError(f"{file} is no montage: {'; '.join(error.problems)}") from None
    if not isinstance(traces, list) or not traces or not all(isinstance(text, str) for text in traces):
        raise ArgumentError(f'{file}: write traces = ["F3-C3", "Cz-(A1+A2)/2", ...].')
    known = _columns(info)
    rows, sources, types = [], [], []
    for text in traces:
        # A name may have a hyphen of its own: the whole text is looked up before it is taken apart.
        plus, minus = _parts(text, known, where=str(file))
        row = np.zeros(info.n_channels)
        row[plus] += 1.0
        for other in minus:
            row[other] -= 1.0 / len(minus)
        rows.append(row)
        sources.append((plus, *minus))
        types.append(info.ch_types[plus])
    return Montage(file.stem, tuple(traces), tuple(types), np.array(rows), tuple(sources))


def _parts(text: str, known: dict[str, int], *, where: str) -> tuple[int, list[int]]:
    if _key(text) in known:
        return known[_key(text)], []
    for cut in (match.start() for match in re.finditer("-", text)):
        first, rest = text[:cut], text[cut + 1 :]
        mean = re.fullmatch(r"\s*\((.+)\)\s*/\s*(\d+)\s*", rest)
        others = mean[1].split("+") if mean else [rest]
        if mean and int(mean[2]) != len(others):
            raise ArgumentError(f"{where}: {text!r} divides {len(others)} channels by {mean[2]}.")
        if _key(first) in known and all(_key(other) in known for other in others):
            return known[_key(first)], [known[_key(other)] for other in others]
    raise ArgumentError(f"{where}: {text!r} names no channels of this stream.")


def _key(name: str) -> str:
    plain = name.strip().rstrip(".").lower()
    return _OLD_NAMES.get(plain, plain)


def _columns(info: StreamInfo) -> dict[str, int]:
    return {_key(name): index for index, name in enumerate(info.ch_names)}


def _ears(info: StreamInfo) -> list[int]:
    known = _columns(info)
    pairs = zip(*_EARS, strict=True)
    return next(([known[_key(a)], known[_key(b)]] for a, b in pairs if {_key(a), _key(b)} <= known.keys()), [])


def _chain_pairs(info: StreamInfo, chains: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    known = _columns(info)
    pairs = []
    for chain in chains:
        # Only neighbours of the chain: a trace across a missing electrode would look larger than the others.
        for a, b in itertools.pairwise(chain):
            if _key(a) in known and _key(b) in known:
                pairs.append((known[_key(a)], known[_key(b)]))
    return pairs


def _of_pairs(info: StreamInfo, name: str, pairs: list[tuple[int, int]]) -> Montage:
    if not pairs:
        raise ArgumentError(f"{name} needs neighbours of the 10-20 system; this stream has none.")
    others = [index for index, kind in enumerate(info.ch_types) if kind != "eeg"]
    matrix = np.zeros((len(pairs) + len(others), info.n_channels))
    for row, (a, b) in enumerate(pairs):
        matrix[row, a], matrix[row, b] = 1.0, -1.0
    for row, index in enumerate(others, start=len(pairs)):
        matrix[row, index] = 1.0
    labels = [f"{info.ch_names[a]}-{info.ch_names[b]}" for a, b in pairs] + [info.ch_names[index] for index in others]
    types = ["eeg"] * len(pairs) + [info.ch_types[index] for index in others]
    sources = [*pairs, *((index,) for index in others)]
    return Montage(name, tuple(labels), tuple(types), matrix, tuple(sources))
