"""Coverage-guided fuzzing of pictures by atheris (Linux): inputs that reach new lines of Pillow and images are kept.

python -m tests.fuzz.guided CORPUS -max_total_time=600 -timeout=5 -rss_limit_mb=4096

CORPUS is a folder, in which the whole files of ``cases`` are laid first. What follows are options of libFuzzer; it ends
with a status other than 0 at the first case that raises anything but ValueError and OSError, and keeps its bytes.
"""

import hashlib
import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["PIL", "temperfill.images"]):
    from temperfill import images  # noqa: F401 - instrumented here, and used by the cases

from tests.fuzz.cases import whole_pictures


def main() -> None:
    contents, check = whole_pictures()
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for content in contents:
        (corpus / hashlib.sha256(content).hexdigest()).write_bytes(content)
    warnings.simplefilter("ignore")

    def one(content: bytes) -> None:
        try:
            check(content, content)
        except (ValueError, OSError):
            return

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
