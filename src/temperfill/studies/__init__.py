"""Studies: the tables and figures of the paper, each from training (where it needs any) to its report.

Variants are trained for equal steps on equal data and masks, once with each seed, in run folders of their own, so that
an interrupted study goes on and finished runs are used again; then all are measured by :mod:`temperfill.evaluate`.
"""

from temperfill.studies.branches import branches
from temperfill.studies.compare import ablation, by_ratio, compare
from temperfill.studies.curves import curves
from temperfill.studies.guidance import guidance
from temperfill.studies.variants import ABLATIONS, LEARNED

__all__ = ["ABLATIONS", "LEARNED", "ablation", "branches", "by_ratio", "compare", "curves", "guidance"]
