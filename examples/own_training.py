"""Trains a network in a loop of your own: `python examples/own_training.py DIR`.

The package's pictures and masks, its network and its losses are used one by one; loss, optimizer and loop are yours.
A few steps on one photograph show that it works, and not what it is able to learn. `temperfill train` does the same
with a discriminator, averaged weights, validation and states that a run goes on from.
"""

import shutil
import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader

import temperfill
from temperfill.config import DataConfig, GeneratorConfig
from temperfill.data import PictureFolders
from temperfill.losses import reconstruction
from temperfill.nets.generator import Generator
from temperfill.weights_files import save_generator

SAMPLES = Path(temperfill.__file__).parent / "samples"
STEPS = 6


def main(folder: Path) -> None:
    """Writes own.safetensors, a model that every command takes: temperfill inpaint --model DIR/own.safetensors.

    The samples are those of the package's own training: the number of a sample decides on its crop and its mask.
    """
    torch.manual_seed(0)
    network = Generator(GeneratorConfig(width=8, head_dim=8))  # or temperfill.network("base").requires_grad_().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-4)
    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    shutil.copy(SAMPLES / "photo.jpg", photos)
    samples = PictureFolders(DataConfig(train=(photos,), resize=72, crop_size=64), seed=0)
    loader = DataLoader(samples, batch_size=2, sampler=range(2 * STEPS))  # ``len(samples)`` would be one epoch
    for step, batch in enumerate(loader):
        output = network(batch.image, batch.mask)
        loss = sum(reconstruction(made, batch.image, batch.mask, 2.0) for made in (output.refined, output.coarse))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: loss {loss.item():.3f}, temperatures {output.temperatures.mean(0).tolist()}")
    save_generator(folder / "own.safetensors", network.eval())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
