"""The toy's losses."""

from temperfill.systems.toy import ToyRun
from torch import Tensor, nn

from temperfill import losses
from temperfill.data import Batch
from temperfill.nets.network import GeneratorOutput
from temperfill.systems.building import Recipe


def generator_terms(config: ToyRun, batch: Batch, output: GeneratorOutput, _: nn.Module | None) -> dict[str, Tensor]:
    """L1 distance."""
    distance = losses.reconstruction(output.refined, batch.image, batch.mask, 1.0)
    return {"refined": config.loss.refined_weight * distance}


RECIPE = Recipe(generator_terms)
