"""What is left when everything a sound device does is taken off: it must be white, Gaussian, whole and on time."""

from bcikit.validation.residual.look import unexplained

__all__ = ["unexplained"]
