"""Methods x pictures x masks to composites, records and a report; and the score of a generator during training.

Pictures become squares (centre crop, Lanczos), composites are PNG with untouched known pixels, and figures are those of
:mod:`temperfill.metrics` on their bytes, so that anyone can recompute them from the files.
"""

from temperfill.evaluate.contest import Contestant, contestants
from temperfill.evaluate.inputs import FREE_FORM_SQUARE
from temperfill.evaluate.judge import LINES_TOLERANCE, Judge
from temperfill.evaluate.protocol import Stage, measure, prepare, prepare_with, run
from temperfill.evaluate.validation import validation_score

__all__ = [
    "FREE_FORM_SQUARE",
    "LINES_TOLERANCE",
    "Contestant",
    "Judge",
    "Stage",
    "contestants",
    "measure",
    "prepare",
    "prepare_with",
    "run",
    "validation_score",
]
