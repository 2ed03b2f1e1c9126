"""Networks of a run: what they save is what earlier versions saved, so that their runs go on."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from temperfill.runs.folder import load_state, save_state
from temperfill.systems.table import load_run
from temperfill.train import train
from temperfill.train.networks import Networks

OLD = json.loads(Path(__file__).with_name("old_run.json").read_text(encoding="utf-8"))
"""A run by commit d23de11: its configuration, its progress, and the shapes of its tensors by name."""


def tensors(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    return {name: 0.1 * torch.randn(shape) for name, shape in shapes.items()}


def optimizer(old: dict[str, Any]) -> dict[str, Any]:
    """The state of an Adam optimizer after two steps."""
    moments = [
        {"step": torch.tensor(2.0), "exp_avg": torch.zeros(s), "exp_avg_sq": torch.ones(s)} for s in old["moments"]
    ]
    group = old["group"] | {"betas": tuple(old["group"]["betas"]), "params": list(range(len(moments)))}
    return {"state": dict(enumerate(moments)), "param_groups": [group]}


@pytest.fixture
def run_dir(pictures: Path, tmp_path: Path) -> Path:
    """That run as it was after two of its four steps, but for the values of its tensors and the place of its data."""
    config = OLD["config"] | {"data": OLD["config"]["data"] | {"train": [str(pictures)]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks: dict[str, Any] = {name: tensors(OLD[name]) for name in ("generator", "discriminator")}
    networks["ema"] = networks["generator"]
    networks |= {f"{name}_optimizer": optimizer(OLD[f"{name}_optimizer"]) for name in ("generator", "discriminator")}
    save_state(tmp_path / "state.pt", {"networks": networks, "progress": OLD["progress"] | {"step": 2}})
    return tmp_path


def test_a_run_of_an_earlier_version_goes_on(run_dir: Path) -> None:
    before, config = load_state(run_dir / "state.pt"), load_run(run_dir / "config.json")
    assert (config.data.mask_strokes, config.loss.perceptual_pasted) == ("turned", True)
    train(config, run_dir)
    after = load_state(run_dir / "state.pt")
    assert after["progress"].keys() == before["progress"].keys()
    assert (before["progress"]["step"], after["progress"]["step"]) == (2, 4)
    assert after["networks"].keys() == before["networks"].keys()
    for name in ("generator", "discriminator", "ema"):
        shapes = {key: list(tensor.shape) for key, tensor in after["networks"][name].items()}
        assert shapes == OLD["generator" if name == "ema" else name]
    for name in ("generator_optimizer", "discriminator_optimizer"):
        assert [part["step"] for part in after["networks"][name]["state"].values()] == [4] * len(OLD[name]["moments"])


def other(state: dict[str, Any], change: str) -> None:
    networks, progress = state["networks"], state["progress"]
    moments = networks["generator_optimizer"]["state"]
    match change.split(" "):
        case ["progress", name, value]:
            progress[name] = {"text": "x", "nan": float("nan"), "part": 5.5, "below": -5, "one": 7}[value]
        case ["network", name, value]:
            networks[name] = {"none": None, "list": [1], "numbers": {"a": 1}}[value]
        case ["moments", "shape"]:
            moments[0]["exp_avg"] = torch.zeros(3)
        case ["moments", "nan"]:
            moments[0]["exp_avg"].fill_(float("nan"))
        case ["moments", "lost"]:
            del moments[0]["exp_avg_sq"]
        case ["moments", "many"]:
            moments[10**6] = moments[0]
        case ["interval", name]:
            state["interval"] = {"values": [], "seconds": 0.0, "temperatures": []} | {name: [1]}
        case ["contents"]:
            state["contents"] = [1]
        case ["groups"]:
            networks["generator_optimizer"]["param_groups"] = [1]


@pytest.mark.parametrize(
    "change",
    [
        *(f"progress step {value}" for value in ("text", "nan", "part", "below")),
        *("progress corrupt one", "progress best_loss text", "progress seconds nan", "progress unknown one"),
        *(f"network {name} {value}" for name in ("generator", "ema") for value in ("none", "list", "numbers")),
        *("network discriminator_optimizer none", "network discriminator_optimizer numbers"),
        *("moments shape", "moments nan", "moments lost", "moments many", "groups"),
        *("interval values", "interval seconds", "interval temperatures", "contents"),
    ],
)
def test_a_state_that_cannot_be_is_refused_in_one_line(change: str, run_dir: Path) -> None:
    path = run_dir / "state.pt"
    state = load_state(path)
    other(state, change)
    save_state(path, state)
    with pytest.raises(ValueError, match=r"state\.pt"):
        train(load_run(run_dir / "config.json"), run_dir)


@pytest.mark.parametrize("lost", ["ema", "discriminator_optimizer"])
def test_a_state_that_lacks_a_part_is_refused(run_dir: Path, lost: str) -> None:
    state = load_state(run_dir / "state.pt")["networks"]
    del state[lost]
    with pytest.raises(ValueError, match=f"the state lacks '{lost}'"):
        Networks(load_run(run_dir / "config.json")).load(state, "the state")
