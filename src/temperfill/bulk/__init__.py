"""Folders of pictures to folders of results: once each, again only what is missing, on one machine or many.

============  ========================================================================================================
``job``       a request from its first look at the folders to its report
``matching``  which mask is whose, names of results, parts of a job
``manifest``  what is done already
``work``      what is done to one picture
``threads``   several pictures at once on this machine
``cluster``   the same on Ray
``summary``   counts, progress, report
============  ========================================================================================================
"""

from temperfill.bulk.job import Request, parse_shard, run
from temperfill.bulk.summary import Summary
from temperfill.bulk.work import BulkOptions

__all__ = ["BulkOptions", "Request", "Summary", "parse_shard", "run"]
