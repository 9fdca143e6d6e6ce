"""``python -m bcikit.clinic``: the clinic window in a process of its own."""

import sys

from bcikit.clinic.start import main

if __name__ == "__main__":
    sys.exit(main())
