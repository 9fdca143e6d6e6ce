"""Models of many people, for somebody who was never recorded."""

from pathlib import Path


def population_folder() -> Path:
    """Return the folder in which models of many people are kept for this user."""
    import platformdirs

    return Path(platformdirs.user_data_dir("bcikit", appauthor=False)) / "populations"
