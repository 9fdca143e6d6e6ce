"""``python -m bcikit.viewer.clinic``: the clinic window in a process of its own."""

import sys

from bcikit.viewer.clinic.start import main

if __name__ == "__main__":
    sys.exit(main())
