"""Training (paper, section IV-B): ``loop`` trains, ``step`` is one update, ``networks`` what is trained and saved.

``recipes`` has the losses of each method, ``ranks`` the processes of a run, and ``messages`` what a run says.
"""

from temperfill.train.loop import Score, train
from temperfill.train.networks import RunState
from temperfill.train.ranks import started_as_main

__all__ = ["RunState", "Score", "started_as_main", "train"]
