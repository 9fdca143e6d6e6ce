"""``python -m bcikit.viewer``: the live viewer in a process of its own."""

import sys

from bcikit.signal import MissingDependencyError

if __name__ == "__main__":
    try:
        from bcikit.viewer.start import main
    except ImportError as error:
        if error.name not in ("PySide6", "pyqtgraph"):
            raise
        sys.exit(str(MissingDependencyError(error.name, "gui", "The viewer")))
    sys.exit(main())
