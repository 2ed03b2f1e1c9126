"""Training (paper, section IV-B): ``loop`` trains, ``step`` is one update, ``networks`` what is trained and saved.

``ranks`` has the processes of a run, and ``messages`` what it says. The losses of each system are in
:mod:`temperfill.systems`.
"""

from temperfill.train.loop import Score, train
from temperfill.train.networks import RunState
from temperfill.train.ranks import started_as_main

__all__ = ["RunState", "Score", "started_as_main", "train"]
