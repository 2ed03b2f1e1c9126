"""The HTTP service and the editor that it serves.

================  ====================================================================================================
``settings``      what may be asked of a service: limits, names, token
``refusals``      the one way in which a request is turned down
``limits``        what is checked of a request before anything reads it; security headers
``forms``         multipart forms to checked requests
``jobs``          one piece of work at a time: queue, progress, cancelling, time limit
``work``          what is done with a request: decode, fill, encode
``app``           routes
``server``        sockets, signals, slow clients
================  ====================================================================================================

Nothing is imported here: the settings are read by the command line, which must start fast.
"""
