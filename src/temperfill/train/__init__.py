"""Training (paper, section IV-B): ``loop`` trains, ``step`` is one update, ``networks`` what is trained and saved.

``recipes`` has the losses of each method, ``ranks`` the processes of a run, and ``notes`` what a run says.
"""

from temperfill.train.loop import Score, train
from temperfill.train.networks import Progress
from temperfill.train.ranks import started_as_main

__all__ = ["Progress", "Score", "started_as_main", "train"]
