"""Methods x pictures x masks to composites, records and a report; and the score of a generator during training.

Pictures become squares (centre crop, Lanczos), composites are PNG with untouched known pixels, and values are those of
:mod:`temperfill.metrics` on their bytes, so that anyone can recompute them from the files.
"""

from temperfill.evaluate.entrants import Entrant, load_entrants
from temperfill.evaluate.evaluation import Prepared, measure, prepare, prepare_with, run
from temperfill.evaluate.inputs import FREE_FORM_SQUARE
from temperfill.evaluate.overlap import check_overlap, pictures_of
from temperfill.evaluate.scorer import LINES_TOLERANCE, Scorer
from temperfill.evaluate.validation import validation_score

__all__ = [
    "FREE_FORM_SQUARE",
    "LINES_TOLERANCE",
    "Entrant",
    "Prepared",
    "Scorer",
    "check_overlap",
    "load_entrants",
    "measure",
    "pictures_of",
    "prepare",
    "prepare_with",
    "run",
    "validation_score",
]
