"""The head: potentials at any 10-05 electrode for current dipoles in a four-shell sphere, computed offline by MNE.

The table that ships with the package is made by ``python -m bcikit.simulation.leadfield`` (a few seconds, no
download); opening a simulated user only reads it, so that it costs milliseconds and does not load MNE.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.montage import montage_name
from bcikit.signal import ArgumentError, check_channels

TABLE = "leadfield.npz"
GRID_MM = 28.0
"""Distance of the dipoles of the background in millimetres."""

SITES: dict[str, tuple[str, float]] = {
    "hand_left": ("C3", 0.86),
    "hand_right": ("C4", 0.86),
    "premotor_left": ("FC3", 0.84),
    "premotor_right": ("FC4", 0.84),
    "feet": ("Cz", 0.82),
    "tongue_left": ("C5", 0.84),
    "tongue_right": ("C6", 0.84),
    "occipital_left": ("O1", 0.80),
    "occipital_right": ("O2", 0.80),
    "occipital": ("Oz", 0.80),
    "parietal_left": ("P3", 0.76),
    "parietal_right": ("P4", 0.76),
    "parieto_occipital": ("POz", 0.76),
    "parietal": ("Pz", 0.66),
    "central": ("Cz", 0.60),
    "cingulate": ("FCz", 0.68),
    "midfrontal": ("Fz", 0.72),
    "frontal_left": ("F3", 0.80),
    "frontal_right": ("F4", 0.80),
}
"""Named dipoles: the electrode above, and the depth as a share of the brain's radius."""

_FACE = {
    "eyes": (0.0, 0.095, 0.005),
    "jaw_left": (-0.075, 0.02, -0.02),
    "jaw_right": (0.075, 0.02, -0.02),
    "neck": (0.0, -0.085, -0.045),
    "heart": (-0.05, 0.03, -0.45),
}


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The electrodes of one montage, and what each source does there.

    Attributes
    ----------
    ch_names : tuple of str
        Electrodes, 10-05 names.
    positions : ndarray, shape (n_channels, 3)
        Metres, head coordinates as in MNE.
    reference : str
        What the potentials are measured against.
    """

    ch_names: tuple[str, ...]
    positions: NDArray[np.float64]
    reference: str
    _rows: NDArray[np.int64]
    _against: NDArray[np.int64]

    def site(self, name: str, *, tilt: float = 0.0) -> NDArray[np.float64]:
        """Return microvolts for one nanoampere metre at a named site, shape ``(n_channels,)``.

        Parameters
        ----------
        name : str
            One of `SITES`.
        tilt : float
            Angle in degrees by which the dipole leans from the radius to the front: the hand area lies on the
            wall of a sulcus.
        """
        table = _table()
        index = list(SITES).index(name)
        normal = table["normals"][index]
        forward = np.array([0.0, 1.0, 0.0]) - normal[1] * normal
        forward /= np.linalg.norm(forward)
        angle = np.deg2rad(tilt)
        moment = np.cos(angle) * normal + np.sin(angle) * forward
        return self._referenced(table["site_gain"][:, index] @ moment)

    def best(self, name: str) -> float:
        """Return microvolts for one nanoampere metre on the electrode of the 10-05 system that sees a site best."""
        table = _table()
        index = list(SITES).index(name)
        return float(np.abs(table["site_gain"][:, index] @ table["normals"][index]).max())

    def background(self) -> NDArray[np.float64]:
        """Return a square root of the covariance that equal, independent dipoles everywhere in the brain make.

        Returns
        -------
        ndarray, shape (n_channels, n_channels)
            `A` with ``A @ A.T`` the covariance, scaled to a mean variance of one.
        """
        gain = self._referenced(_table()["grid_gain"])
        covariance = gain @ gain.T
        covariance *= len(covariance) / np.trace(covariance)
        values, vectors = np.linalg.eigh(covariance)
        return vectors * np.sqrt(np.clip(values, 1e-9, None))

    def face(self, name: str) -> NDArray[np.float64]:
        """Return the shape of a source outside the brain, the largest electrode at one.

        Potential of a charge in a homogeneous conductor, which falls as one over the distance, squared for the
        near sources; enough for artefacts, which are judged by their size and place.
        """
        place = np.array(_FACE[name])
        power = {"heart": 1.0, "eyes": 2.5}.get(name, 4.0)
        table = _table()
        shape = np.linalg.norm(table["positions"] - place, axis=1) ** -power
        # A muscle is so near that the reference hardly sees what one electrode does.
        shape = self._referenced(shape) if power < 4.0 else shape[self._rows]
        peak = np.abs(shape).max()
        return shape / peak if peak > 0 else shape

    def gaze(self) -> NDArray[np.float64]:
        """Return the shape of a horizontal eye movement to the right, the largest electrode at one."""
        table = _table()
        right = np.linalg.norm(table["positions"] - np.array([0.035, 0.09, 0.005]), axis=1) ** -2.5
        left = np.linalg.norm(table["positions"] - np.array([-0.035, 0.09, 0.005]), axis=1) ** -2.5
        shape = self._referenced(right - left)
        return shape / np.abs(shape).max()

    def _referenced(self, gain: NDArray[np.float64]) -> NDArray[np.float64]:
        against = gain[self._against].mean(axis=0) if len(self._against) else 0.0
        return gain[self._rows] - against


def make_head(ch_names: tuple[str, ...], *, reference: str = "mastoids") -> Head:
    """Return the head for a montage.

    Parameters
    ----------
    ch_names : tuple of str
        10-05 names, in any case.
    reference : str
        "mastoids" (both, linked), "average" (of the montage), or the name of an electrode.

    Raises
    ------
    ArgumentError
        If a name is not in the 10-05 system.
    """
    table = _table()
    known = [str(name) for name in table["ch_names"]]
    rows = np.array(_find(ch_names, known), dtype=np.int64)
    if reference == "average":
        against = rows
    elif reference == "mastoids":
        against = np.array(_find(("M1", "M2"), known), dtype=np.int64)
    else:
        against = np.array(_find((reference,), known), dtype=np.int64)
    names = tuple(known[row] for row in rows)
    return Head(names, table["positions"][rows], reference, rows, against)


def _find(wanted: tuple[str, ...], known: list[str]) -> list[int]:
    try:
        return check_channels(wanted, known, who="the head model")
    except ArgumentError:
        folded = {name.lower() for name in known}
        unknown = [name for name in wanted if name.lower() not in folded]
        raise ArgumentError(
            f"No electrode called {', '.join(unknown)} in the 10-05 system; use names such as Fz, C3, CP4, PO8."
        ) from None


@cache
def _table() -> dict[str, NDArray[np.float64]]:
    resource = files("bcikit.simulation") / TABLE
    with as_file(resource) as path, np.load(path) as stored:
        return {key: stored[key] if stored[key].dtype.kind == "U" else stored[key].astype(np.float64) for key in stored}


def compute() -> dict[str, Any]:
    """Return the table, computed by MNE: four shells, fitted to a whole montage.

    The sphere is fitted on 64 electrodes over the whole head: central electrodes alone give a head that is two
    centimetres off.
    """
    import mne

    montage = mne.channels.make_standard_montage(montage_name())
    info = mne.create_info(montage.ch_names, 250.0, "eeg", verbose="ERROR").set_montage(montage)
    names64 = mne.channels.make_standard_montage("biosemi64").ch_names
    whole = mne.create_info(names64, 250.0, "eeg", verbose="ERROR").set_montage(montage)
    sphere = mne.make_sphere_model("auto", "auto", info=whole, verbose="ERROR")
    located = info.get_montage().get_positions()["ch_pos"]
    centre, radius = sphere["r0"], sphere["layers"][0]["rad"]
    normals = np.array([located[above] - centre for above, _ in SITES.values()])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    depths = np.array([depth for _, depth in SITES.values()])
    places = centre + radius * depths[:, None] * normals
    sites = mne.setup_volume_source_space(pos={"rr": places, "nn": normals}, sphere=sphere, verbose="ERROR")
    grid = mne.setup_volume_source_space(pos=GRID_MM, sphere=sphere, mindist=5.0, exclude=20.0, verbose="ERROR")

    def gain(space: "mne.SourceSpaces") -> NDArray[np.float64]:
        forward = mne.make_forward_solution(
            info, trans=None, src=space, bem=sphere, eeg=True, meg=False, mindist=0.0, verbose="ERROR"
        )
        return forward["sol"]["data"] * 1e-9 * 1e6  # volts an ampere metre to microvolts a nanoampere metre

    return {
        "ch_names": np.array(montage.ch_names),
        "positions": np.array([located[name] for name in montage.ch_names], dtype=np.float32),
        "normals": normals,
        "site_gain": gain(sites).reshape(len(montage.ch_names), -1, 3).astype(np.float32),
        "grid_gain": gain(grid).astype(np.float32),
    }


def main() -> None:
    """Write the table beside this module."""
    np.savez_compressed(Path(__file__).with_name(TABLE), **compute())


if __name__ == "__main__":
    main()
