"""Texture from the photograph: a thick hole is filled with pieces of the known part, arranged as a guide says.

Three steps, each in a file: offsets for the cells of a small picture (:mod:`.labelling`), a field of nearest patches
that is carried from size to size (:mod:`.field`), and gradients of the copies laid over the guide (:mod:`.blending`).
Pure: numpy and BLAS, no disk, clock or global random numbers.
"""

from temperfill.synthesis.pyramid import Synthesis, synthesise

__all__ = ["Synthesis", "synthesise"]
