"""How converted checkpoints of DeepFillv2 lie in their files (https://github.com/nipponjo/deepfillv2-pytorch).

The first layout has the names of the authors' TensorFlow layers, and their weights, which pad halved maps as TensorFlow
does; the second one has the weights that the port trained further with its own padding.
"""

from functools import partial

from temperfill.systems.deepfillv2 import DeepFillV2Config
from temperfill.systems.released import Layout

_DILATED = [f"{n}_atrous" for n in (7, 8, 9, 10)]
_ENTRY = ["1", "2_downsample", "3", "4_downsample", "5", "6"]
_DECODER = ["11", "12", "13_upsample", "14", "15_upsample", "16", "17"]
_TENSORFLOW = {
    "coarse": [f"conv{n}" for n in (*_ENTRY, *_DILATED, *_DECODER)],
    "refinement.convolution_branch": [f"xconv{n}" for n in (*_ENTRY, *_DILATED)],
    "refinement.before": [f"pmconv{n}" for n in _ENTRY],
    "refinement.after": ["pmconv9", "pmconv10"],
    "refinement.decoder": [f"allconv{n}" for n in _DECODER],
}
_DOWN = [f"down_block{block}.{layer}" for block in (1, 2) for layer in ("conv1_downsample", "conv2")]
_UP = [f"up_block{block}.{layer}" for block in (1, 2) for layer in ("conv1_upsample", "conv2")]


def _port(convolution: str, attention: str) -> dict[str, list[str]]:
    """Layers of the port, whose branches changed their names."""
    plain = [f"conv_bn{n}" for n in range(1, 8)]
    return {
        "coarse": [f"stage1.{n}" for n in ("conv1", *_DOWN, *plain, *_UP, "conv_to_rgb")],
        "refinement.convolution_branch": [f"stage2.{convolution}_{n}" for n in ("conv1", *_DOWN, *plain[:5])],
        "refinement.before": [f"stage2.{attention}_{n}" for n in ("conv1", *_DOWN, "conv_bn1")],
        "refinement.after": [f"stage2.{attention}_{n}" for n in ("conv_bn4", "conv_bn5")],
        "refinement.decoder": [f"stage2.{n}" for n in ("conv_bn6", "conv_bn7", *_UP, "conv_to_rgb")],
    }


def _name(ours: str, layers: dict[str, list[str]]) -> str:
    part, number, rest = next(
        (part, *ours[len(part) + 1 :].split(".", 1)) for part in layers if ours.startswith(f"{part}.")
    )
    layer = layers[part][int(number)]
    inner = "conv.conv" if layer.endswith("_upsample") else "conv"
    return f"{layer}.{inner}.{rest.rpartition('.')[2]}"


LAYOUTS = tuple(
    Layout(
        f"nipponjo/deepfillv2-pytorch, {name}",
        DeepFillV2Config(tensorflow=layers is _TENSORFLOW),
        partial(_name, layers=layers),
        under=("G",),
        ignored=".fuse_weight",
    )
    for name, layers in (
        ("networks_tf.py", _TENSORFLOW),
        ("networks.py", _port("conv", "ca")),
        ("networks.py of 2021", _port("b1", "b2")),
    )
)
