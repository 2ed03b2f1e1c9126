"""Whether FID and LPIPS are those of the packages torch-fidelity and lpips, on the same random weights and pictures.

python -m venv /tmp/parity
/tmp/parity/bin/pip install -e . torch-fidelity==0.4.0 lpips==0.1.4 torchvision scipy
/tmp/parity/bin/python benchmarks/metrics_parity.py

In an environment of its own, as the package keeps these out. Published weights need no download: both sides read the
same files of random numbers, and what is compared is the code. Two things differ by choice: this package does as
pytorch-fid, which scales bytes to [-1, 1] by 127.5 where torch-fidelity and TensorFlow scale by 128, and which resizes
as torch does now and not as TensorFlow 1 did. So pictures are of 299 pixels, at which nothing is resized, and the first
lines give ours the bytes over 256, which makes both inputs equal; the last ones tell what the scale alone changes.
"""

import argparse
import tempfile
from pathlib import Path

import lpips
import numpy as np
import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_statistics_to_metric

from temperfill import metrics
from temperfill.nets.inception import InceptionFeatures
from temperfill.nets.lpips import LPIPSFeatures

SIDE = 299


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=8)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    pictures = torch.randint(0, 256, (2, arguments.pictures, 3, SIDE // 13, SIDE // 13)).repeat_interleave(13, 3)
    pictures = pictures.repeat_interleave(13, 4).byte()
    print("| figure | ours | package | largest difference |")
    print("|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        compare_inception(pictures, Path(folder) / "inception.pth")
        for net in ("alex", "vgg"):
            compare_lpips(pictures.float() / 255, net, Path(folder))


@torch.inference_mode()
def compare_inception(pictures: Tensor, path: Path) -> None:
    """Features and FID of two sets of pictures (2, N, 3, 299, 299)."""
    torch.save(inception_weights(), path)
    theirs = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(path))
    weights = torch.load(path, weights_only=True)
    ours = InceptionFeatures({name: tensor for name, tensor in weights.items() if not name.startswith("fc.")})
    expected = [theirs(half)[0] for half in pictures]
    for what, scale in (("the same input", 256), ("each its own scale", 255)):
        report_inception(what, [ours(half.float() / scale) for half in pictures], expected)


def report_inception(what: str, ours: list[Tensor], theirs: list[Tensor]) -> None:
    """Features (N, 2048) of both sets, and FID of each package."""
    found = [ours, theirs]
    apart = max((a - b).abs().max().item() for a, b in zip(*found, strict=True))
    scale = found[1][0].abs().mean().item()
    print(f"| Inception features, {what}; mean {scale:.3f} | | | {apart:.1e} |")
    moments = [metrics.Moments(2048) for _ in range(2)]
    for moment, features in zip(moments, found[0], strict=True):
        moment.add(features)
    fid = metrics.frechet_distance(*moments[0].mean_covariance(), *moments[1].mean_covariance())
    statistics = [{"mu": np.mean(f.numpy(), 0), "sigma": np.cov(f.double().numpy(), rowvar=False)} for f in found[1]]
    theirs_fid = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    print(f"| FID, {what} | {fid:.6f} | {theirs_fid:.6f} | {abs(fid - theirs_fid):.1e} |")


def inception_weights() -> dict[str, Tensor]:
    """Random weights by the names of the published file, such that features have a size and a spread."""
    names = _Recorder()
    FeatureExtractorInceptionV3.load_state_dict, kept = names, FeatureExtractorInceptionV3.load_state_dict
    with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        torch.save({}, file.name)
        FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=file.name)
    FeatureExtractorInceptionV3.load_state_dict = kept
    found = {}
    for name, tensor in names.state.items():
        if name.endswith("running_var"):
            found[name] = torch.rand_like(tensor) + 0.5
        elif tensor.ndim > 1:
            found[name] = torch.randn_like(tensor) * (2 / tensor[0].numel()) ** 0.5
        elif tensor.is_floating_point():
            found[name] = torch.randn_like(tensor) * 0.1 + (1 if name.endswith("bn.weight") else 0)
        else:
            found[name] = tensor
    return found


class _Recorder:
    """Keeps the state of a module instead of loading one into it."""

    state: dict[str, Tensor]

    def __get__(self, module: torch.nn.Module, _: type) -> "_Recorder":
        self.state = module.state_dict()
        return self

    def __call__(self, _: dict[str, Tensor]) -> None: ...


@torch.inference_mode()
def compare_lpips(pictures: Tensor, net: str, folder: Path) -> None:
    """LPIPS of pairs of pictures (2, N, 3, H, W) in [0, 1]."""
    theirs = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False).eval()
    state = theirs.state_dict()
    network = {f"features.{n.split('.', 2)[2]}": t for n, t in state.items() if n.startswith("net.slice")}
    heads = {n: t.abs() for n, t in state.items() if n.startswith("lin") and n.endswith("model.1.weight")}
    heads = {n: t for n, t in heads.items() if not n.startswith("lins.")}
    theirs.load_state_dict(state | heads | {n.replace("lin", "lins.", 1): t for n, t in heads.items()})
    torch.save(network, folder / "network.pth")
    torch.save(heads, folder / "heads.pth")
    ours = LPIPSFeatures.from_files(folder / "network.pth", folder / "heads.pth")
    a, b = pictures
    found = metrics.lpips(ours(a), ours(b), ours.heads).flatten()
    expected = theirs(a, b, normalize=True).flatten()
    values = f"{found.mean():.6f} | {expected.mean():.6f}"
    print(f"| LPIPS, {ours.kind}, mean | {values} | {(found - expected).abs().max():.1e} |")


if __name__ == "__main__":
    main()
