"""The version of bcikit; rooms import it from here, so that none imports the face of the package."""

__version__ = "0.2.0"
