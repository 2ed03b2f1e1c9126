"""``python -m temperfill`` is the command ``temperfill``."""

from temperfill.cli import main

if __name__ == "__main__":
    main()
