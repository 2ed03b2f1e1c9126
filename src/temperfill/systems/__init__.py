"""What can be trained: ``table`` names every system, ``building`` gives its network and its recipe.

A folder of this package is a system: its own module is the configuration, which imports nothing heavy, ``network`` the
generator, and ``losses`` how it is trained. Our own network is in :mod:`temperfill.nets`, its configuration in
:mod:`temperfill.config`; all others are systems of comparison.
"""
