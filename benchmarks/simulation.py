"""Speed of the simulated user beside MNE's simulator, and how widely each artefact is spread.

bcikit bench simulation
"""

import table  # noqa: I001  first: it sets one BLAS thread before numpy is loaded

import time
from collections.abc import Callable

import numpy as np

from bcikit.acquisition import open_source
from bcikit.simulation.incidents import KINDS

CHANNELS = 32
SFREQ = 250.0
BAR = 50.0
"""Times faster than real time at 32 channels on one core."""


def user(seconds: float, options: str = "", chunk: int = 10) -> Callable[[], None]:
    """Return a function that lets a simulated user live for so many seconds."""
    source = open_source(f"sim:motor-imagery?seed=1&channels={CHANNELS}&sfreq={SFREQ:g}&chunk={chunk}{options}")
    source.start()
    pulls = round(seconds * SFREQ / chunk)

    def run() -> None:
        for _ in range(pulls):
            source.pull()

    return run


def mne_user(seconds: float) -> Callable[[], None]:
    """Return a function that makes so many seconds of EEG by MNE: eight dipoles, coloured noise, blinks."""
    import mne

    mne.set_log_level("ERROR")
    montage = mne.channels.make_standard_montage("biosemi32")
    info = mne.create_info(montage.ch_names, SFREQ, "eeg").set_montage(montage)
    raw = mne.io.RawArray(np.zeros((len(montage.ch_names), 2)), info).set_eeg_reference(projection=True)
    info = raw.info
    sphere = mne.make_sphere_model("auto", "auto", info=info)
    normals = np.random.default_rng(0).standard_normal((8, 3))
    normals[:, 2] = np.abs(normals[:, 2])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    places = sphere["r0"] + 0.8 * sphere["layers"][0]["rad"] * normals
    space = mne.setup_volume_source_space(pos={"rr": places, "nn": normals}, sphere=sphere)
    forward = mne.make_forward_solution(info, trans=None, src=space, bem=sphere, eeg=True, meg=False, mindist=0.0)
    vertices = [forward["src"][0]["vertno"]]
    covariance = mne.make_ad_hoc_cov(info)
    rng = np.random.default_rng(1)
    n = round(seconds * SFREQ)
    waves = np.sin(2 * np.pi * 10 * np.arange(n) / SFREQ + rng.uniform(0, 6, (len(vertices[0]), 1))) * 2e-8

    def run() -> None:
        raw = mne.simulation.simulate_raw(
            info, mne.VolSourceEstimate(waves, vertices, 0, 1 / SFREQ), forward=forward, verbose="ERROR"
        )
        mne.simulation.add_noise(raw, covariance, iir_filter=[0.2, -0.2, 0.04], random_state=0, verbose="ERROR")
        mne.simulation.add_eog(raw, random_state=0, verbose="ERROR")

    return run


def speed(*, quick: bool) -> list[table.Row]:
    """Return the rows on speed."""
    rounds, seconds = (3, 4.0) if quick else (9, 20.0)
    times = table.measure({"twin": user(seconds), "mne": mne_user(seconds)}, rounds=rounds)
    real = seconds / min(times["twin"])
    rows = [
        table.Row(
            f"user, {CHANNELS} channels, chunks of 10, oscillators",
            f"{real:.0f} x real time",
            f"MNE simulate_raw {seconds / min(times['mne']):.0f} x",
            table.ratio(times["mne"], times["twin"]),
            f">= {BAR:g} x real time",
            bool(real >= BAR),
        )
    ]
    others = {
        "the same, neural masses of Jansen and Rit": ("&model=jansen-rit", 10),
        "the same, drifting pattern": ("&drift=5", 10),
        "the same, one chunk a second": ("", 250),
    }
    for what, (options, chunk) in others.items():
        found = table.measure({"twin": user(seconds, options, chunk)}, rounds=rounds)["twin"]
        real = seconds / min(found)
        bar = f">= {BAR:g} x" if "drifting" not in what else "-"
        rows.append(
            table.Row(what, f"{real:.0f} x real time", "-", real / BAR, bar, None if bar == "-" else real >= BAR)
        )
    begin = time.perf_counter()
    open_source("sim:motor-imagery?seed=9&channels=32")
    opened = time.perf_counter() - begin
    rows.append(table.Row("opening a user", f"{1e3 * opened:.0f} ms", "-", 2 / opened, "<= 2 s", opened <= 2))
    return rows


def quantiles(values: list[float], unit: str) -> tuple[str, float]:
    """Return the 5, 50 and 95 % quantiles as text, and the ratio of the outer ones."""
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return f"{low:.3g} / {middle:.3g} / {high:.3g} {unit}", float(high / max(low, 1e-12))


def artefacts(*, quick: bool) -> list[table.Row]:
    """Return the spread of each artefact over users: from the ground truth, and from the signal."""
    seeds = range(3 if quick else 12)
    found: dict[str, list[float]] = {}
    for seed in seeds:
        with open_source(f"sim:rest?seed={seed}&duration=120&chunk=250&emg_per_min=6&pops_per_min=6") as source:
            for _ in source:
                pass
        for fact in source.truth:
            if "size_uv" in fact.data:
                found.setdefault(f"{fact.what}, size in uV", []).append(abs(fact.data["size_uv"]))
            if fact.what in ("blink", "emg"):
                found.setdefault(f"{fact.what}, seconds", []).append(fact.data["duration"])
    rows = []
    for what, values in sorted(found.items()):
        text, spread = quantiles(values, "")
        rows.append(table.Row(f"{what} ({len(values)} of them)", text, "5 / 50 / 95 %", spread, "-", None))
    for kind in sorted(set(KINDS) - {"sight"}):
        peaks = [incident(kind, seed) for seed in seeds]
        text, spread = quantiles(peaks, "uV p-p")
        rows.append(table.Row(f"incident {kind}, worst channel", text, "5 / 50 / 95 %", spread, "-", None))
    return rows


def incident(kind: str, seed: int) -> float:
    """Return the largest peak to peak of one second while an incident lasts."""
    with open_source(f"sim:rest?seed={seed}&duration=6&chunk=250&incidents={kind}@2~3*3&blink_per_min=0") as source:
        data = np.concatenate([chunk.data for chunk in source])
    return float(np.ptp(data[500:1250].reshape(3, 250, -1), axis=1).max())


if __name__ == "__main__":
    arguments = table.options()
    rows = speed(quick=arguments.quick) + artefacts(quick=arguments.quick)
    table.show("Simulated user", rows, as_json=arguments.json)
