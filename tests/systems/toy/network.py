"""The toy's generator."""

import torch
from temperfill.systems.toy import ToyConfig
from torch import Tensor, nn

from temperfill.geometry import SizeRule
from temperfill.nets.network import GeneratorOutput, Network


class Toy(Network):
    """Two convolutions."""

    SIZE_RULE = SizeRule()

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(
            nn.Conv2d(4, config.width, 5, padding=2), nn.ReLU(), nn.Conv2d(config.width, 3, 5, padding=2), nn.Sigmoid()
        )

    def forward(self, image: Tensor, mask: Tensor) -> GeneratorOutput:
        known = torch.where(mask > 0.5, 0, image)
        refined = self.layers(torch.cat([known, mask], 1))
        return GeneratorOutput(refined, refined, refined.new_zeros(len(refined), 0))
