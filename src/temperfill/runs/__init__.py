"""Training runs on the disk: ``folder`` writes and reads one, ``record`` and ``log`` its log, ``page`` shows it."""
