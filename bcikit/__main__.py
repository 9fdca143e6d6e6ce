"""``python -m bcikit``."""

from bcikit.cli import main

main()
