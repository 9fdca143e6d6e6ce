"""Recommended decoders beside plain pipelines of pyRiemann and scikit-learn, on the same trials and folds.

Each run is decided by what was learned from the person's other runs. Where the recommended decoder is more than .01
below the best plain pipeline, the default is wrong and the bar missed; unless the difference is of so few trials that
no pipeline is told apart from it: McNemar's exact test on the same trials, one-sided, at .05 divided by the number of
pipelines, since the best is chosen after the fact. Recordings: BCIKIT_DATA, or ../shared/data.
"""

import os
import sys
import warnings
from pathlib import Path

from table import Row, options, show  # first: it sets one BLAS thread

import numpy as np  # isort: skip

warnings.filterwarnings("ignore")

FOLDERS = (("eegmmidb", "motor-imagery"), ("ssvep_exo", "ssvep"), ("muse", "p300"), ("muse", "ssvep"))
ALLOWED = 0.01
LEVEL = 0.05


def folder() -> Path:
    here = Path(__file__).resolve().parents[1]
    for place in (os.environ.get("BCIKIT_DATA"), here.parent / "shared" / "data", here.parents[1] / "shared" / "data"):
        if place and Path(place).is_dir():
            return Path(place)
    raise SystemExit("No recordings: set BCIKIT_DATA to a folder with eegmmidb, ssvep_exo, muse.")


def imagery(sfreq: float, frequencies: dict[str, float]) -> dict:  # noqa: ARG001 - one way to call all three
    from pyriemann.classification import MDM
    from pyriemann.estimation import Covariances
    from pyriemann.spatialfilters import CSP
    from pyriemann.tangentspace import TangentSpace
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    def covariances():
        return Covariances("oas")

    return {
        "CSP + LDA": make_pipeline(covariances(), CSP(nfilter=6), LinearDiscriminantAnalysis()),
        "tangent space + LR": make_pipeline(covariances(), TangentSpace(), LogisticRegression(max_iter=1000)),
        "tangent space + SVM": make_pipeline(covariances(), TangentSpace(), SVC(kernel="linear", probability=False)),
        "MDM": make_pipeline(covariances(), MDM()),
    }


def ssvep(sfreq: float, frequencies: dict[str, float]) -> dict:
    from pyriemann.classification import MDM
    from pyriemann.estimation import BlockCovariances
    from pyriemann.tangentspace import TangentSpace
    from scipy.signal import butter, sosfilt
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    filters = [butter(2, (f - 1, f + 1), "bandpass", fs=sfreq, output="sos") for f in frequencies.values()]

    def bank(X):
        return np.concatenate([sosfilt(one, X, axis=2) for one in filters], axis=1)

    def spectrum(X):
        power = np.abs(np.fft.rfft(X - X.mean(axis=2, keepdims=True), n=round(4 * sfreq), axis=2)) ** 2
        at = np.fft.rfftfreq(round(4 * sfreq), 1 / sfreq)
        return np.concatenate([np.log(power[:, :, np.abs(at - f) < 0.6].mean(axis=2)) for f in frequencies.values()], 1)

    def correlations(X):
        # The largest canonical correlation is the largest singular value of the product of orthonormal bases.
        time = np.arange(X.shape[2]) / sfreq
        sines = [
            np.array([part(2 * np.pi * h * f * time) for h in (1, 2) for part in (np.sin, np.cos)]).T
            for f in frequencies.values()
        ]
        bases = [np.linalg.qr(one - one.mean(axis=0))[0] for one in sines]
        trials = np.linalg.qr((X - X.mean(axis=2, keepdims=True)).swapaxes(1, 2))[0]
        return np.stack([np.linalg.norm(base.T @ trials, 2, axis=(1, 2)) for base in bases], axis=1)

    def covariances(X_channels: int):
        return [FunctionTransformer(bank), BlockCovariances(block_size=X_channels, estimator="oas")]

    return {
        "block covariances, tangent space + LR": lambda n: make_pipeline(
            *covariances(n), TangentSpace(), LogisticRegression(max_iter=1000)
        ),
        "block covariances, MDM": lambda n: make_pipeline(*covariances(n), MDM()),
        "CCA + LDA": make_pipeline(FunctionTransformer(correlations), LinearDiscriminantAnalysis()),
        "log power + LDA": make_pipeline(
            FunctionTransformer(spectrum), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        ),
    }


def p300(sfreq: float, frequencies: dict[str, float]) -> dict:  # noqa: ARG001
    from pyriemann.estimation import ERPCovariances, XdawnCovariances
    from pyriemann.spatialfilters import Xdawn
    from pyriemann.tangentspace import TangentSpace
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    def pieces(X):
        length = round(sfreq / 32)
        n = X.shape[2] // length
        return X[:, :, : n * length].reshape(len(X), X.shape[1], n, length).mean(axis=3).reshape(len(X), -1)

    def lda():
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")

    def lr():
        return LogisticRegression(max_iter=1000)

    return {
        "xDAWN covariances, tangent space + LR": make_pipeline(
            XdawnCovariances(4, estimator="oas", xdawn_estimator="scm"), TangentSpace(), lr()
        ),
        "ERP covariances, tangent space + LR": make_pipeline(ERPCovariances(estimator="oas"), TangentSpace(), lr()),
        "amplitudes + shrinkage LDA": make_pipeline(FunctionTransformer(pieces), lda()),
        "xDAWN + shrinkage LDA": make_pipeline(Xdawn(4, estimator="scm"), FunctionTransformer(pieces), lda()),
    }


PLAIN = {"motor-imagery": imagery, "ssvep": ssvep, "p300": p300}


def plain_value(pipeline, data, metric: str) -> tuple[float, np.ndarray]:
    """Return the mean over people of a plain pipeline, each run decided by the person's others, and which are right."""
    from sklearn.base import clone
    from sklearn.metrics import roc_auc_score

    values, right = [], []
    for one in data:
        X, y, groups = one.trials.X, one.trials.y, one.trials.groups
        made = pipeline(X.shape[1]) if callable(pipeline) and not hasattr(pipeline, "fit") else pipeline
        said = np.empty(len(y)) if metric == "auc" else np.empty(len(y), dtype=y.dtype)
        for run in np.unique(groups):
            fitted = clone(made).fit(X[groups != run], y[groups != run])
            test = X[groups == run]
            said[groups == run] = fitted.predict_proba(test)[:, 1] if metric == "auc" else fitted.predict(test)
        values.append(roc_auc_score(y == np.unique(y)[1], said) if metric == "auc" else float(np.mean(said == y)))
        right.append(said == y)
    return float(np.mean(values)), np.concatenate(right)


def probability(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return how likely as many more hits, or more, are where both are equally good (McNemar's exact test)."""
    from scipy.stats import binomtest

    more, less = int(np.sum(theirs & ~ours)), int(np.sum(ours & ~theirs))
    return float(binomtest(more, more + less, alternative="greater").pvalue) if more + less else 1.0


def rows(*, quick: bool) -> list[Row]:
    from bcikit.decoding.evaluation.layouts import find_tasks
    from bcikit.decoding.evaluation.run import evaluate_task
    from bcikit.decoding.evaluation.task import load_task

    found = []
    for name, paradigm in FOLDERS:
        for task in find_tasks(folder() / name, paradigm=paradigm)[: 1 if quick else None]:
            data = load_task(task)
            result = evaluate_task(task, data, [task.recommended], splits=["leave-run-out"])
            mine = result.results[task.recommended]["leave-run-out"]
            ours, hits = mine.mean, np.concatenate([one.y_true == one.y_pred for one in mine.scores])
            frequencies = dict(task.params.get("frequencies", {}))
            plain, right = {}, {}
            for kind, pipeline in PLAIN[paradigm](data[0].trials.sfreq, frequencies).items():
                try:
                    plain[kind], right[kind] = plain_value(pipeline, data, task.metric)
                except (ValueError, np.linalg.LinAlgError):
                    continue  # a single channel has no covariance to speak of
            print(task.name, round(ours, 4), {kind: round(value, 4) for kind, value in plain.items()}, file=sys.stderr)
            best = max(plain, key=plain.__getitem__)
            met, bar = ours >= plain[best] - ALLOWED, f">= -{ALLOWED}"
            if not met and task.metric == "accuracy":
                better = [kind for kind in plain if plain[kind] > ours + ALLOWED]
                p = min(1.0, len(plain) * min(probability(hits, right[kind]) for kind in better))
                met, bar = p >= LEVEL, f"{bar}, or not told apart in {len(hits)} trials (p = {p:.2f})"
            found.append(
                Row(
                    f"{task.name} ({task.metric})", f"{task.recommended} {ours:.3f}", f"{best} {plain[best]:.3f}",
                    ours - plain[best], bar, met,
                )
            )  # fmt: skip
    return found


def main() -> None:
    asked = options()
    show("Recommended decoders beside the best plain pipeline", rows(quick=asked.quick), as_json=asked.json)


if __name__ == "__main__":
    main()
