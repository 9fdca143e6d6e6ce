"""How real is the twin? A page with the twin beside recordings of people: uv run python examples/realism.py DATA OUT.

DATA holds `eegmmidb` (PhysioNet, S001) and `ssvep_exo` (Kalunga et al. 2016); OUT gets `realism.html` and
`realism.json`: spectra, covariance eigenvalues, the course of the ERD, accuracy of the decoders of motor imagery and
their rank correlation (Kendall), what the quality rules say, and SSVEP.
"""

import base64
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from bcikit.acquisition import open_source, read_recording
from bcikit.decoding import epochs, make_decoder
from bcikit.processing import Bandpass
from bcikit.safety import QualityMonitor
from bcikit.signal import Recording
from bcikit.simulation.fit import Fit, fit_twin, live_through

DECODERS = ("csp-lda", "tangent-lr", "tangent-svm", "mdm", "fgmdm", "fbcsp")
TASKS = {
    "imagined fists / feet": ((6, 10, 14), {"T1": "both_hands", "T2": "feet"}),
    "imagined left / right": ((4, 8, 12), {"T1": "left_hand", "T2": "right_hand"}),
    "executed fists / feet": ((5, 9, 13), {"T1": "both_hands", "T2": "feet"}),
}
SEEDS = (1, 2, 3)
STRIP = tuple(f"{row}{column}" for row in ("FC", "C", "CP") for column in ("5", "3", "1", "z", "2", "4", "6"))
"""Electrodes that the decoders get: the sensorimotor strip."""


def spectrum(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    from scipy.signal import welch

    f, p = welch(recording.data, recording.info.sfreq, nperseg=round(2 * recording.info.sfreq), axis=0)
    keep = (f >= 1) & (f <= 45)
    return f[keep], 10 * np.log10(p[keep] + 1e-12).mean(axis=1)


def eigenvalues(recording: Recording) -> np.ndarray:
    band = Bandpass(l_freq=1, h_freq=40, order=4).apply(recording).data
    band = band - band.mean(axis=1, keepdims=True)
    values = np.sort(np.linalg.eigvalsh(np.cov(band.T)))[::-1]
    return values / values.sum()


def erd(recording: Recording, cues: dict[str, str], channel: str, wanted: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the course of mu power at a channel about cues of one class, in per cent of the second before."""
    from scipy.signal import butter, sosfiltfilt

    sfreq = recording.info.sfreq
    names = [name.strip(".") for name in recording.info.ch_names]
    sos = butter(4, [8, 13], "band", fs=sfreq, output="sos")
    power = sosfiltfilt(sos, recording.data[:, names.index(channel)]) ** 2
    window = round(0.25 * sfreq)
    power = np.convolve(power, np.ones(window) / window, "same")
    span = np.arange(round(-1.5 * sfreq), round(4 * sfreq))
    starts = [e.sample for e in recording.events if cues.get(e.name) == wanted and e.sample is not None]
    pieces = [power[s + span] for s in starts if s + span[0] >= 0 and s + span[-1] < len(power)]
    mean = np.mean(pieces, axis=0)
    return span / sfreq, 100 * (mean / mean[span < 0].mean() - 1)


def accuracy(runs: list[Recording], cues: dict[str, str]) -> dict[str, float]:
    """Return the accuracy of each decoder, leaving one run out."""
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_score

    band = [Bandpass(l_freq=7, h_freq=30, order=4).apply(run) for run in runs]
    trials = epochs(band, events=cues, tmin=0.5, tmax=3.5, max_bad=1.0, channels=STRIP)
    wide = epochs(
        [Bandpass(l_freq=4, h_freq=40, order=4).apply(run) for run in runs],
        events=cues, tmin=0.5, tmax=3.5, max_bad=1.0,
    )  # fmt: skip
    scores = {}
    for name in DECODERS:
        # A filter bank has its own filters and wants the wide band.
        used = wide if name == "fbcsp" else trials
        decoder = make_decoder(name, sfreq=runs[0].info.sfreq)
        scores[name] = float(
            np.mean(cross_val_score(decoder, used.X, used.y, cv=LeaveOneGroupOut(), groups=used.groups))
        )
    return scores


def quality(recording: Recording) -> dict[str, int]:
    """Return how many channel verdicts of each level the quality rules gave, once a second."""
    monitor = QualityMonitor(recording.info)
    counts: dict[str, int] = {}
    for chunk in recording.chunks(round(recording.info.sfreq)):
        monitor.update(chunk)
        if monitor.known:
            for verdict in monitor.quality().values():
                counts[str(verdict.level.name)] = counts.get(str(verdict.level.name), 0) + 1
    return counts


def motor(data: Path) -> dict:
    from scipy.stats import kendalltau

    result: dict = {"tasks": {}, "fits": {}}
    real_all, twin_all = [], []
    for task, (numbers, cues) in TASKS.items():
        runs = [read_recording(data / "eegmmidb" / f"S001R{number:02d}.edf") for number in numbers]
        fit = fit_twin(runs[0], cues=cues)
        real = accuracy(runs, cues)
        settings, twins, each = matched(runs, fit, cues, float(np.mean(list(real.values()))))
        twin = {name: float(np.mean([one[name] for one in each])) for name in DECODERS}
        tau = kendalltau([real[n] for n in DECODERS], [twin[n] for n in DECODERS])
        result["tasks"][task] = {"real": real, "twin": twin, "tau": float(tau.statistic), "p": float(tau.pvalue)}
        result["fits"][task] = {**fit.to_dict(), "matched_ability": settings.ability}
        print(
            task,
            {n: (round(real[n], 3), round(twin[n], 3)) for n in DECODERS},
            f"tau {tau.statistic:.2f} ability {settings.ability:.2f}",
            flush=True,
        )
        real_all.append([real[n] for n in DECODERS])
        twin_all.append([twin[n] for n in DECODERS])
        if task == "imagined fists / feet":
            result["curves"] = curves(runs[0], twins[0][0], cues)
            result["quality"] = {"real": quality(runs[0]), "twin": quality(twins[0][0])}
            result["fit_rows"] = Fit.rows(fit)
    tau = kendalltau(np.mean(real_all, axis=0), np.mean(twin_all, axis=0))
    result["tau"] = float(tau.statistic)
    result["p"] = float(tau.pvalue)
    return result


def matched(runs: list[Recording], fit: Fit, cues: dict[str, str], level: float) -> tuple:
    """Return the twins whose mean accuracy over the decoders is nearest to the person's.

    At the ceiling all decoders are alike and their ranks are noise; only the mean is matched, never the ranks.
    """
    found = []
    for share in (1.0, 0.6, 0.4, 0.25, 0.15):
        settings = replace(fit.settings, ability=share * fit.settings.ability)
        twins = [[live_through(run, settings, cues=cues, seed=10 * s + i) for i, run in enumerate(runs)] for s in SEEDS]
        each = [accuracy(twin, cues) for twin in twins]
        far = abs(float(np.mean([list(one.values()) for one in each])) - level)
        found.append((far, settings, twins, each))
    _, settings, twins, each = min(found, key=lambda item: item[0])
    return settings, twins, each


def curves(real: Recording, twin: Recording, cues: dict[str, str]) -> dict:
    out = {}
    for name, recording in (("real", real), ("twin", twin)):
        f, db = spectrum(recording)
        t, course = erd(recording, cues, "Cz", "feet")
        out[name] = {
            "hz": f.tolist(), "db": db.tolist(), "eigenvalues": eigenvalues(recording)[:30].tolist(),
            "seconds": t.tolist(), "erd": course.tolist(),
        }  # fmt: skip
    return out


def ssvep(data: Path) -> dict:
    """Return accuracy of untrained canonical correlation for each subject, and for twins of rising strength."""
    import mne

    found: dict = {"people": {}, "twins": {}}
    codes = {2: 13.0, 3: 21.0, 4: 17.0}
    for folder in sorted((data / "ssvep_exo").glob("subject*")):
        scores = []
        for path in sorted(folder.glob("*raw.fif")):
            raw = mne.io.read_raw_fif(path, preload=True, verbose="ERROR")
            marks = mne.read_events(str(path).replace("_raw.fif", "-eve.fif"), verbose="ERROR")
            first = raw.first_samp
            starts = [(m[0] - first, codes[m[2]]) for m in marks if m[2] in codes]
            scores.append(cca(raw.get_data("eeg").T, raw.info["sfreq"], starts))
        if scores:
            found["people"][folder.name] = float(np.mean(scores))
    for size in (0.3, 0.6, 1.0, 1.5, 2.5):
        address = f"sim:ssvep?schedule=1&trials=32&seed=3&sfreq=256&phase_lock=0&ssvep_uv={size}"
        with open_source(address) as source:
            chunks, events = [], []
            for chunk in source:
                chunks.append(chunk.data)
                events += source.pull_events()
        starts = [
            (e.sample, float(e.name[7:-2])) for e in events if e.name.startswith("target/") and "rest" not in e.name
        ]
        found["twins"][f"{size:g} uV"] = cca(np.concatenate(chunks), 256.0, starts)
    return found


def cca(data: np.ndarray, sfreq: float, starts: list[tuple[int, float]]) -> float:
    """Return the accuracy of canonical correlation with two harmonics, 1 to 5 s after the start."""
    from scipy.signal import butter, sosfiltfilt

    band = sosfiltfilt(butter(4, [6, 45], "band", fs=sfreq, output="sos"), data, axis=0)
    right = []
    for start, true in starts:
        x = band[round(start + sfreq) : round(start + 5 * sfreq)]
        if len(x) < 4 * sfreq - 1:
            continue
        t = np.arange(len(x)) / sfreq
        q, _ = np.linalg.qr(x - x.mean(axis=0))
        found = {}
        for f in (13.0, 17.0, 21.0):
            waves = [g(2 * np.pi * k * f * t) for k in (1, 2) for g in (np.sin, np.cos)]
            r, _ = np.linalg.qr(np.column_stack(waves))
            found[f] = np.linalg.svd(q.T @ r, compute_uv=False)[0]
        right.append(max(found, key=found.__getitem__) == true)
    return float(np.mean(right))


def picture(draw) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 3.4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    draw(axes)
    axes.legend(frameon=False, fontsize=8)
    axes.grid(visible=True, color="#e4e8ec", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def page(result: dict) -> str:
    c = result["motor"]["curves"]
    colours = {"real": "#1f2933", "twin": "#2563a8"}

    def lines(x: str | None, y: str, xlabel: str, ylabel: str, *, log: bool = False):
        def draw(axes) -> None:
            for name, colour in colours.items():
                values = c[name][y]
                axes.plot(c[name][x] if x else range(1, len(values) + 1), values, color=colour, label=name)
            axes.set_xlabel(xlabel)
            axes.set_ylabel(ylabel)
            if log:
                axes.set_yscale("log")

        return picture(draw)

    images = [
        ("Mean spectrum of 64 electrodes", lines("hz", "db", "Hz", "dB uV²/Hz")),
        ("Eigenvalues of the covariance, 1 to 40 Hz", lines(None, "eigenvalues", "number", "share of power", log=True)),
        ("Mu power at Cz about cues for the feet", lines("seconds", "erd", "s from the cue", "% of before")),
    ]
    rows = "".join(
        f"<tr><td>{task}</td><td>{name}</td><td>{found['real'][name]:.3f}</td><td>{found['twin'][name]:.3f}</td></tr>"
        for task, found in result["motor"]["tasks"].items()
        for name in DECODERS
    )
    taus = "".join(
        f"<li>{task}: Kendall's tau {found['tau']:.2f} (p {found['p']:.2f})</li>"
        for task, found in result["motor"]["tasks"].items()
    )
    fits = "".join(
        f"<tr><td>{name}</td><td>{real:.3g}</td><td>{twin:.3g}</td><td>{100 * far:+.0f} %</td></tr>"
        for name, real, twin, far in result["motor"]["fit_rows"]
    )
    figures = "".join(f"<figure><img src='{s}'><figcaption>{t}</figcaption></figure>" for t, s in images)
    people = ", ".join(f"{k} {v:.2f}" for k, v in result["ssvep"]["people"].items())
    twins = ", ".join(f"{k} {v:.2f}" for k, v in result["ssvep"]["twins"].items())
    return f"""<!doctype html><html lang=en><meta charset=utf-8><title>How real is the twin?</title><style>
body{{font:15px/1.5 system-ui,sans-serif;max-width:1040px;margin:32px auto;padding:0 20px;color:#1f2933}}
table{{border-collapse:collapse;font-size:14px}}td,th{{padding:3px 16px 3px 0;
border-bottom:1px solid #dde2e7;text-align:left}}
.f{{display:flex;flex-wrap:wrap;gap:12px}}figure{{margin:0}}img{{width:480px}}figcaption{{color:#5b6875}}</style>
<h1>How real is the twin?</h1><p>A twin fitted to one person (PhysioNet eegmmidb, S001), living through the same cues
with the same electrodes.</p><div class=f>{figures}</div>
<h2>Fit to run 6</h2><table><tr><th>feature</th><th>person</th><th>twin</th><th>difference</th></tr>{fits}</table>
<h2>Decoders, leaving one run out</h2><table>
<tr><th>task</th><th>decoder</th><th>person</th><th>twin</th></tr>{rows}</table>
<ul>{taus}<li>mean of the tasks: tau {result["motor"]["tau"]:.2f} (p {result["motor"]["p"]:.2f})</li></ul>
<h2>Quality rules</h2><p>Person: {result["motor"]["quality"]["real"]}; twin: {result["motor"]["quality"]["twin"]}</p>
<h2>SSVEP, untrained canonical correlation, 4 s, three targets</h2>
<p>People: {people}.<br>Twins by size of the response:
{twins}.</p></html>"""


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    result = {"motor": motor(data), "ssvep": ssvep(data)}
    (out / "realism.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    (out / "realism.html").write_text(page(result), encoding="utf-8")
    print("tau of the means", result["motor"]["tau"], "quality", result["motor"]["quality"], "ssvep", result["ssvep"])


if __name__ == "__main__":
    main()
