"""Comparing decoders over people: bcikit beside MOABB.

Speed: 12 people, 2 sessions of 2 runs, 16 channels at 125 Hz (a Cyton with Daisy), made up; every motor-imagery
decoder; within sessions, across sessions, across people. Both read the same files, filter them with the same causal
filter, cut the same trials and use the same folds; MOABB runs pyRiemann's pipelines where pyRiemann has them, else our
decoders as its pipelines. Scores must be equal to 1e-6. Both have as many processes as there are cores (MOABB's
n_jobs), each with one BLAS thread.

Each part (bcikit, MOABB by each split, bcikit once more) is a process of its own, of which seconds and processor time
are taken after its imports; what is done is kept in a folder beside the system's temporary files until the code
changes, so that a run that was killed goes on with the part that it was in.
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path

from table import Row, options, show  # first: it sets one BLAS thread

import numpy as np  # isort: skip

warnings.filterwarnings("ignore")

BAND = {"step": "bandpass", "l_freq": 8.0, "h_freq": 32.0, "order": 4}
WINDOW = (0.4, 2.8)  # whole samples
SFREQ, N_CHANNELS = 125.0, 16
DECODERS = ("csp-lda", "tangent-lr", "tangent-svm", "mdm", "fgmdm", "acm-svm", "fbcsp", "spiking")
SPLITS = ("within-session", "cross-session", "cross-subject")
JOBS = os.cpu_count() or 1


PARTS = ("bcikit", *SPLITS, "bcikit again")
"""In this order: ours before and after MOABB's, so that a load that comes or goes hits both."""

Scores = dict[tuple[str, str, str], tuple[float, float]]


def write_people(root: Path, *, n_people: int, n_trials: int) -> None:
    """Write a FIF file a run: sources with a rhythm, two of which are weaker in one class each, mixed per person."""
    import mne
    from scipy.signal import lfilter

    shared = np.random.default_rng(99).standard_normal((N_CHANNELS, N_CHANNELS))
    names = [f"E{k + 1}" for k in range(N_CHANNELS)]
    n_times = round((4.0 * n_trials + 4.0) * SFREQ)
    for person in range(1, n_people + 1):
        rng = np.random.default_rng(person)
        mix = shared + 0.5 * rng.standard_normal(shared.shape)
        for session in (1, 2):
            moved = mix + 0.1 * rng.standard_normal(shared.shape)
            for run in (1, 2):
                rhythm = lfilter([1], [1, -1.75, 0.95], rng.standard_normal((N_CHANNELS, n_times)))
                onsets = 2.0 + 4.0 * np.arange(n_trials)
                labels = [("left_hand", "right_hand")[k % 2] for k in range(n_trials)]
                for onset, label in zip(onsets, labels, strict=True):
                    start = round(onset * SFREQ)
                    rhythm[int(label == "right_hand"), start : start + round(3.5 * SFREQ)] *= rng.uniform(0.5, 0.9)
                data = 1e-6 * (moved @ rhythm + 2.0 * rng.standard_normal((N_CHANNELS, n_times)))
                raw = mne.io.RawArray(data, mne.create_info(names, SFREQ, "eeg"), verbose="ERROR")
                raw.set_annotations(mne.Annotations(onsets, [3.0] * n_trials, labels))
                place = root / f"sub-{person:02d}" / f"ses-{session}"
                place.mkdir(parents=True, exist_ok=True)
                raw.save(place / f"run-{run}_raw.fif", verbose="ERROR", overwrite=True)


def by_bcikit(root: Path, out: Path) -> tuple[float, Scores]:
    """Return seconds, and accuracy and AUC of each decoder, split and person."""
    from bcikit.decoding.evaluation.study import run_study

    study = out / "study.toml"
    study.write_text(
        f"decoders = {list(DECODERS)}\nsplits = {list(SPLITS)}\n[[data]]\npath = '{root}'\n"
        "paradigm = 'motor-imagery'\nevents = { left_hand = 'left_hand', right_hand = 'right_hand' }\n"
        f"window = {list(WINDOW)}\n[[pipeline]]\nname = 'band'\n"
        f"steps = [{{ step = 'bandpass', l_freq = {BAND['l_freq']}, h_freq = {BAND['h_freq']}, order = 4 }}]\n"
    )
    begin = time.perf_counter()
    done = run_study(study, out / "results", jobs=JOBS)
    spent = time.perf_counter() - begin
    return spent, {
        (row["decoder"], row["split"], str(int(row["subject"]))): (row["accuracy"], row["auc"]) for row in done.rows
    }


def moabb_parts(root: Path, n_people: int):
    """Return MOABB's data set of the files, a paradigm that filters as bcikit does, and bcikit's folds."""
    import mne
    from moabb.datasets.base import BaseDataset
    from moabb.paradigms import LeftRightImagery
    from sklearn.model_selection import BaseCrossValidator
    from sklearn.preprocessing import FunctionTransformer

    class Files(BaseDataset):
        def __init__(self) -> None:
            events = {"left_hand": 1, "right_hand": 2}
            people = list(range(1, n_people + 1))
            super().__init__(
                subjects=people, sessions_per_subject=2, events=events, code="Files", interval=[0, 4],
                paradigm="imagery",
            )  # fmt: skip

        def _get_single_subject_data(self, subject):
            return {
                str(session - 1): {
                    str(run - 1): mne.io.read_raw_fif(
                        root / f"sub-{subject:02d}" / f"ses-{session}" / f"run-{run}_raw.fif", preload=True,
                        verbose="ERROR",
                    )
                    for run in (1, 2)
                }
                for session in (1, 2)
            }  # fmt: skip

        def data_path(self, subject, **_):  # noqa: ARG002
            return str(root)

    def causal(raw):
        from bcikit.processing import Pipeline
        from bcikit.signal import Recording

        made = raw.copy()
        picks = mne.pick_types(raw.info, eeg=True)
        filtered = Pipeline.from_config([BAND]).apply(Recording.from_mne(raw.copy().pick(picks)))
        made._data[picks] = 1e-6 * filtered.data.T
        return made

    class Causal(LeftRightImagery):
        def _get_raw_pipelines(self):
            return [FunctionTransformer(causal)]

    class Folds(BaseCrossValidator):
        def get_n_splits(self, *_, **__):
            return 5

        def split(self, X, y, groups=None):  # noqa: ARG002
            from bcikit.decoding import make_folds

            _, folds = make_folds(np.asarray(y), None, split="shuffled", seed=0)
            for fold in range(5):
                yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    return Files(), Causal(tmin=WINDOW[0], tmax=WINDOW[1] - 1 / SFREQ, scorer=["accuracy", "roc_auc"]), Folds


def moabb_pipelines() -> dict:
    """Return pyRiemann's pipelines, and our decoders where it has none."""
    from pyriemann.classification import MDM, FgMDM
    from pyriemann.estimation import Covariances
    from pyriemann.tangentspace import TangentSpace
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.svm import SVC

    from bcikit.decoding.moabb import MoabbDecoder

    def delayed(X):
        n_times = X.shape[2] - 3 * 8
        return np.concatenate([X[:, :, start : start + n_times] for start in (24, 16, 8, 0)], axis=1)

    def svm():
        return SVC(kernel="linear", tol=1e-6)

    def covariances():
        return Covariances("oas")

    return {
        "csp-lda": make_pipeline(MoabbDecoder(name="csp-lda", sfreq=SFREQ)),
        "tangent-lr": make_pipeline(covariances(), TangentSpace(), LogisticRegression(max_iter=1000)),
        "tangent-svm": make_pipeline(covariances(), TangentSpace(), svm()),
        "mdm": make_pipeline(covariances(), MDM()),
        "fgmdm": make_pipeline(covariances(), FgMDM()),
        "acm-svm": make_pipeline(FunctionTransformer(delayed), covariances(), TangentSpace(), svm()),
        "fbcsp": make_pipeline(MoabbDecoder(name="fbcsp", sfreq=SFREQ)),
        "spiking": make_pipeline(MoabbDecoder(name="spiking", sfreq=SFREQ)),
    }


def by_moabb(root: Path, out: Path, n_people: int, split: str) -> tuple[float, Scores]:
    """Return seconds, and accuracy and AUC of each decoder and person, as means over sessions."""
    import moabb
    from moabb.evaluations import CrossSessionEvaluation, CrossSubjectEvaluation, WithinSessionEvaluation

    moabb.set_log_level("error")
    dataset, paradigm, folds = moabb_parts(root, n_people)
    kind, more = {
        "within-session": (WithinSessionEvaluation, {"cv_class": folds}),
        "cross-session": (CrossSessionEvaluation, {}),
        "cross-subject": (CrossSubjectEvaluation, {}),
    }[split]
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    pipelines = moabb_pipelines()
    begin = time.perf_counter()
    evaluation = kind(
        paradigm=paradigm, datasets=[dataset], overwrite=True, hdf5_path=str(out / "moabb"), n_jobs=JOBS, **more
    )
    table = evaluation.process(pipelines)
    spent = time.perf_counter() - begin
    for _, row in table.iterrows():
        both = float(row["score_accuracy"]), float(row["score_roc_auc"])
        found.setdefault((row["pipeline"], split, str(row["subject"])), []).append(both)
    return spent, {key: tuple(np.mean(values, axis=0).tolist()) for key, values in found.items()}


def compute(part: str, folder: Path, n_people: int) -> None:
    """Do one part, and keep its seconds and scores."""
    with tempfile.TemporaryDirectory() as out:
        if part.startswith("bcikit"):
            spent, scores = by_bcikit(folder / "people", Path(out))
        else:
            spent, scores = by_moabb(folder / "people", Path(out), n_people, part)
    text = json.dumps({"seconds": spent, "scores": [[*key, *value] for key, value in scores.items()]})
    (folder / f"{part}.part").write_text(text)


def kept_folder(n_people: int, n_trials: int) -> Path:
    """Return where the parts of this code, these peers and these sizes are kept."""
    found = hashlib.sha256(json.dumps([n_people, n_trials, JOBS, DECODERS, SPLITS]).encode())
    for name in ("moabb", "pyriemann", "scikit-learn", "numpy", "scipy", "mne"):
        found.update(f"{name} {version(name)}".encode())
    folders = [Path(__file__).parents[1] / "bcikit" / room for room in ("acquisition", "decoding", "processing")]
    for file in sorted([Path(__file__), *(file for folder in folders for file in folder.rglob("*.py"))]):
        found.update(file.read_bytes())
    return Path(tempfile.gettempdir()) / f"bcikit-bench-evaluation-{found.hexdigest()[:16]}"


def part_of(name: str, folder: Path, n_people: int) -> dict:
    """Return seconds, processor seconds and scores of a part: kept ones, or of a process that does it now."""
    kept = folder / f"{name}.json"
    if kept.is_file():
        found = json.loads(kept.read_text())
        print(f"{name}: {found['seconds']:.1f} s, kept from {found['when']}", file=sys.stderr, flush=True)
        return found
    print(f"{name} ...", file=sys.stderr, flush=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--part", name, "--folder", str(folder), "--people", str(n_people)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads((folder / f"{name}.part").read_text())
    found["processor"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found["when"] = time.strftime("%Y-%m-%d %H:%M")
    kept.with_suffix(".new").write_text(json.dumps(found))
    kept.with_suffix(".new").rename(kept)
    print(
        f"{name}: {found['seconds']:.1f} s, {found['processor']:.1f} s of processors with imports",
        file=sys.stderr, flush=True,
    )  # fmt: skip
    return found


def speed(*, quick: bool) -> list[Row]:
    n_people, n_trials = (3, 20) if quick else (12, 40)
    folder = kept_folder(n_people, n_trials)
    if not (folder / "people").is_dir():
        (folder / "writing").mkdir(parents=True, exist_ok=True)
        write_people(folder / "writing", n_people=n_people, n_trials=n_trials)
        (folder / "writing").rename(folder / "people")
    parts = {name: part_of(name, folder, n_people) for name in PARTS}
    scored = {name: {tuple(row[:3]): tuple(row[3:]) for row in found["scores"]} for name, found in parts.items()}
    here = scored["bcikit"]
    there = {key: value for split in SPLITS for key, value in scored[split].items()}
    if set(here) != set(there):
        raise RuntimeError(f"not the same scores: {sorted(set(here) ^ set(there))[:5]}")
    rows = []
    processes = f"{JOBS} {'process' if JOBS == 1 else 'processes each'}"
    # Of few people most of the time are imports, which the bar is not about.
    for what, unit, bar in (
        ("seconds", "s", None if quick else 5.0),
        ("processor", "s of processors, with imports", None),
    ):
        ours = [parts[name][what] for name in PARTS if name.startswith("bcikit")]
        theirs = sum(parts[split][what] for split in SPLITS)
        times = theirs / float(np.mean(ours))
        rows.append(
            Row(
                f"{n_people} people x {len(DECODERS)} decoders x {len(SPLITS)} splits, {processes}",
                f"{' and '.join(f'{value:.1f}' for value in ours)} {unit}", f"MOABB {theirs:.1f} {unit}", times,
                f">= {bar:g}" if bar else "", times >= bar if bar else None,
            )
        )  # fmt: skip
    for decoder in DECODERS:
        keys = [key for key in here if key[0] == decoder]
        apart = [abs(here[key][0] - there[key][0]) for key in keys]
        # MOABB ranks each session of a person who is left out for itself; there only the share that is right compares.
        apart += [abs(here[key][1] - there[key][1]) for key in keys if key[1] != "cross-subject"]
        mean = float(np.mean([here[key][0] for key in keys]))
        what = f"{decoder}: accuracy and AUC, largest difference of {len(apart)}"
        rows.append(Row(what, f"mean {mean:.3f}", "MOABB", max(apart), "<= 1e-6", max(apart) <= 1e-6))
    return rows


def main() -> None:
    if "--part" in sys.argv:
        given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
        compute(given["--part"], Path(given["--folder"]), int(given["--people"]))
        return
    asked = options()
    rows = speed(quick=asked.quick)
    show("Comparison of decoders over people", rows, as_json=asked.json)


if __name__ == "__main__":
    main()
