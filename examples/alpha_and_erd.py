"""Two classics of EEG with the steps that run live: alpha with closed eyes, and the ERD of imagined movement.

    python examples/alpha_and_erd.py FOLDER --out out

FOLDER holds the recordings of subject 1 of the EEG Motor Movement/Imagery data (PhysioNet, ODC-By 1.0; Schalk and
others 2004): R01 eyes open, R02 eyes closed, R06, R10 and R14 imagined fists or feet. Without a folder MNE downloads
them.
"""

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import bcikit
from bcikit.processing import Erd, Highpass, Laplacian, Notch, Pick, Pipeline, Psd, learn_reference, with_montage
from bcikit.signal import Recording

OCCIPITAL = ("O1", "Oz", "O2")
MOTOR = ("C3", "Cz", "C4")
BANDS = {"mu": (8.0, 13.0), "beta": (16.0, 24.0)}
CLASSES = {"T1": "fists", "T2": "feet"}


def load(folder: str | None, run: int) -> Recording:
    """Return one run in microvolts with electrode positions."""
    if folder is None:
        import mne

        path = Path(mne.datasets.eegbci.load_data(1, [run], update_path=False)[0])
    else:
        path = sorted(Path(folder).glob(f"S001R{run:02d}*.edf"))[0]
    return bcikit.read_recording(path)


def alpha(folder: str | None) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, float]]:
    """Return frequencies, the mean occipital spectrum of each run, and its alpha peak over 16 to 20 Hz."""
    spectra, ratios = {}, {}
    for name, run in (("eyes open", 1), ("eyes closed", 2)):
        psd = Psd(window=1.6, hop=0.8, fmin=2.0, fmax=40.0)
        pipeline = Pipeline([Pick(channels=OCCIPITAL), Highpass(freq=1), psd])
        result = pipeline.apply(load(folder, run))
        clean = slice(None) if result.mask is None else ~result.mask.any(axis=1)
        density = result.data[clean].mean(axis=0).reshape(len(OCCIPITAL), -1).mean(axis=0)
        peak = density[(psd.freqs >= 8) & (psd.freqs <= 13)].max()
        floor = density[(psd.freqs >= 16) & (psd.freqs <= 20)].mean()
        spectra[name], ratios[name] = density, float(peak / floor)
    return psd.freqs, spectra, ratios


def erd(folder: str | None) -> tuple[np.ndarray, dict[str, np.ndarray], Recording]:
    """Return times around the cue and each class's ERD, shape (n_trials, n_times, n_channels, n_bands)."""
    filters = Pipeline([Notch(freq=60), Highpass(freq=1), Laplacian()])
    around = np.arange(-1.5, 4.0, 0.1)
    trials: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES.values()}
    for run in (6, 10, 14):
        recording = load(folder, run)
        if recording.info.positions is None or np.isnan(recording.info.positions_array()).any():
            recording = Recording.from_arrays(with_montage(recording.info), recording.data, events=recording.events)
        filtered = filters.apply(recording)
        rest = [(e.time + 1.0, e.time + e.duration) for e in filtered.events if e.name == "T0"]
        reference = learn_reference(filtered, bands=BANDS, spans=rest)
        step = Erd(bands=BANDS, reference=reference)
        change = step.apply(filtered)
        # An update stands for the middle of its window: the delay that the step reports.
        moments = change.times - step.delay
        for event in filtered.events:
            if event.name in CLASSES and event.time + around[-1] < moments[-1]:
                rows = np.searchsorted(moments, event.time + around)
                trials[CLASSES[event.name]].append(change.data[rows].reshape(around.size, -1, len(BANDS)))
    return around, {name: np.stack(found) for name, found in trials.items()}, recording


def draw_alpha(freqs: np.ndarray, spectra: dict[str, np.ndarray], ratios: dict[str, float], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for (name, density), colour in zip(spectra.items(), ("tab:gray", "tab:blue"), strict=True):
        axes.semilogy(freqs, density, color=colour, label=f"{name}: peak {ratios[name]:.1f} times 16-20 Hz")
    axes.axvspan(8, 13, color="tab:blue", alpha=0.08)
    axes.set(
        xlabel="frequency (Hz)", ylabel="power density (uV²/Hz)", title=f"Occipital alpha ({', '.join(OCCIPITAL)})"
    )
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_erd(around: np.ndarray, trials: dict[str, np.ndarray], recording: Recording, path: Path) -> None:
    import mne

    figure, axes = plt.subplots(2, 4, figsize=(13, 6), layout="constrained", width_ratios=[1, 1, 1, 1.1])
    columns = recording.info.index_of(MOTOR)
    head = recording.to_mne().info
    during = (around >= 1.0) & (around <= 3.0)
    for row, (name, values) in zip(axes, trials.items(), strict=True):
        for axis, channel, column in zip(row, MOTOR, columns, strict=False):
            for index, (band, colour) in enumerate(zip(BANDS, ("tab:blue", "tab:orange"), strict=True)):
                middle = np.median(values[:, :, column, index], axis=0)
                low, high = np.percentile(values[:, :, column, index], [30, 70], axis=0)
                axis.plot(around, middle, color=colour, label=band)
                axis.fill_between(around, low, high, color=colour, alpha=0.15, linewidth=0)
            axis.axhline(0, color="0.6", linewidth=0.8)
            axis.axvline(0, color="0.3", linewidth=0.8, linestyle="--")
            axis.set(ylim=(-100, 130), title=f"{name}: {channel}", xlabel="s after the cue")
        row[0].set_ylabel("change of power (%)")
        row[0].legend(frameon=False, loc="upper left")
        map_of = np.median(values[:, during].mean(axis=1)[:, :, 0], axis=0)
        image, _ = mne.viz.plot_topomap(
            map_of, head, axes=row[3], show=False, vlim=(-60, 60), cmap="RdBu_r", contours=0, sensors=False
        )
        row[3].set_title(f"{name}: mu, 1 to 3 s")
        figure.colorbar(image, ax=row[3], label="%", shrink=0.7)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="where the EDF files are; downloaded if left out")
    parser.add_argument("--out", default="out", help="folder for the pictures")
    arguments = parser.parse_args()
    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)

    freqs, spectra, ratios = alpha(arguments.folder)
    for name, ratio in ratios.items():
        print(f"occipital alpha, {name}: peak {ratio:.1f} times the density at 16 to 20 Hz")
    draw_alpha(freqs, spectra, ratios, out / "alpha.png")

    around, trials, recording = erd(arguments.folder)
    columns = recording.info.index_of(MOTOR)
    during = (around >= 1.0) & (around <= 3.0)
    for name, values in trials.items():
        mean = np.median(values[:, during].mean(axis=1), axis=0)
        for channel, column in zip(MOTOR, columns, strict=True):
            changes = ", ".join(f"{band} {mean[column, i]:+.0f} %" for i, band in enumerate(BANDS))
            print(f"imagined {name} ({len(values)} trials), {channel}: {changes}")
    draw_erd(around, trials, recording, out / "erd.png")
    print(f"pictures: {out / 'alpha.png'}, {out / 'erd.png'}")


if __name__ == "__main__":
    main()
