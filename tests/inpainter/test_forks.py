"""A process that filled and forks: its children fill, too."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import multiprocessing
import numpy as np
import torch
from temperfill.inpainter import Inpainter

def blur(image, mask):
    weights = torch.ones(3, 3, 9, 9) / 243
    return torch.nn.functional.conv2d(image, weights, padding=4)

pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
hole = np.zeros((256, 256), bool)
hole[100:140, 100:140] = True
inpainter = Inpainter(blur, "cpu", "fp32")

def fill(_):
    return inpainter(pixels, hole, output_type="np", strategy="full", texture="network")

torch.set_num_threads(2)
first = fill(0)
with multiprocessing.get_context("fork").Pool(1) as pool:
    again = pool.map_async(fill, range(1)).get(20)
print(all(np.abs(first.astype(int) - each).max() <= 1 for each in again), torch.get_num_threads())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_children_of_a_process_that_filled_do_not_hang() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["True", "2"], done.stderr
