"""Scores of fitted linear classifiers, one a class, in a few microseconds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def linear_scores(classifier: Any, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one score a class, shape ``(n, n_classes)``, of a fitted scikit-learn classifier.

    Two classes get ``[0, d]`` with d the decision function, so that a softmax gives the logistic function of d.
    The matrix product is done here: scikit-learn's checks of the input cost more than the product itself.
    """
    coefficients = getattr(classifier, "coef_", None)
    n_classes = len(classifier.classes_)
    if (
        coefficients is None
        or coefficients.shape[0] not in (1, n_classes)
        or (coefficients.shape[0] == n_classes == 3 and not hasattr(classifier, "predict_log_proba"))
    ):
        values = classifier.decision_function(features)
    else:
        values = features @ coefficients.T + classifier.intercept_
    values = np.asarray(values, dtype=np.float64)
    if n_classes == 2:
        values = values.reshape(-1)
        return np.stack([np.zeros_like(values), values], axis=1)
    return values
