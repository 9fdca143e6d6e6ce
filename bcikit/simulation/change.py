"""Change: another day, another cap, a pattern that moves."""

import numpy as np
from numpy.typing import NDArray

from bcikit.simulation.leadfield import Head


class Mixing:
    """What the electrodes see against what they saw at first: a turn among neighbours, and gains.

    A cap that slips, gel that dries and a brain that works in another way all let an electrode see more of what its
    neighbour saw. Here that is a rotation: it keeps power and is undone exactly by who knows it. Its generator has one
    angle for each pair of electrodes closer than six centimetres.

    Parameters
    ----------
    head : Head
        Where the electrodes are.
    rate : float
        Degrees a minute by which the pattern turns, the typical electrode.
    session : float
        Size of the difference to session 0; 0 for none.
    seed : numpy.random.SeedSequence
        Of the user: the direction of the drift.
    session_seed : int
        Of the session.
    """

    def __init__(
        self, head: Head, *, rate: float, session: float, seed: np.random.SeedSequence, session_seed: int
    ) -> None:
        self._rate = np.deg2rad(rate)
        self._turn = _generator(head, np.random.default_rng(seed))
        self._start = np.eye(len(head.ch_names))
        if session and session_seed:
            from scipy.linalg import expm

            rng = np.random.default_rng((session_seed, 7))
            gains = np.exp(0.15 * session * rng.standard_normal(len(self._start)))
            self._start = expm(np.deg2rad(12 * session) * _generator(head, rng)) * gains[:, None]
        self.still = rate == 0 and not (session and session_seed)
        """True where nothing changes and nothing needs to be computed."""

    def at(self, minutes: float) -> NDArray[np.float64]:
        """Return the matrix that takes what the electrodes would have seen to what they see."""
        from scipy.linalg import expm

        turn = expm(self._rate * minutes * self._turn) if self._rate else 1.0
        return np.asarray(turn @ self._start if self._rate else self._start)


def session_shift(session: float, session_seed: int) -> float:
    """Return by how many hertz the rhythms of a session differ from those of session 0."""
    if not session or not session_seed:
        return 0.0
    return float(0.4 * session * np.random.default_rng((session_seed, 8)).standard_normal())


def _generator(head: Head, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return an antisymmetric matrix among near electrodes, scaled so that one radian turns the typical one by it."""
    distance = np.linalg.norm(head.positions[:, None] - head.positions, axis=2)
    weights = np.where(distance < 0.06, 1.0, 0.0) * rng.choice([-1.0, 1.0], distance.shape)
    upper = np.triu(weights, 1)
    turn = upper - upper.T
    size = np.sqrt(np.mean(np.sum(turn**2, axis=1)))
    return turn / size if size > 0 else turn
