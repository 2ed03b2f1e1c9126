"""Two processes train what one would; a failing one ends all with its reason; only rank 0 writes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from temperfill import cli
from temperfill.config import DataConfig, LossConfig, MachineConfig, RunConfig, TrainConfig
from temperfill.presets import PRESETS
from temperfill.runs.folder import load_state
from temperfill.systems.table import BASELINES, published
from train import processes
from train.processes import finish, said, start

pytestmark = pytest.mark.dist


@pytest.fixture
def config(pictures: Path) -> TrainConfig:
    tiny = PRESETS["tiny"]
    return replace(
        tiny,
        generator=replace(tiny.generator, width=4, head_dim=4),
        discriminator=replace(tiny.discriminator, width=4, feature_dim=8),
        loss=LossConfig(perceptual_weight=0),
        data=DataConfig(train=(pictures,), resize=36, crop_size=32),
        machine=MachineConfig(device="cpu", workers=0, threads=1),
        num_steps=4,
        batch_size=4,
        learning_rate=1e-3,
        log_every=1,
        save_every=2,
        sample_every=4,
    )


def on(config: Any, devices: int) -> Any:
    return replace(config, machine=replace(config.machine, devices=devices))


def run(config: RunConfig, folder: Path, devices: int, **options: Any) -> list[int | None]:
    return finish(start(on(config, devices), folder, devices, **options))


def state_of(folder: Path) -> dict[str, Any]:
    return load_state(folder / "state.pt")


def log_of(folder: Path) -> list[dict[str, Any]]:
    timed = ("seconds", "images_per_second")
    lines = (json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines())
    return [{key: value for key, value in line.items() if key not in timed} for line in lines]


def assert_near(one: Path, two: Path, parts: tuple[str, ...] = ("generator", "discriminator", "ema")) -> None:
    """Weights equal to 1e-6, logged figures to 1e-5."""
    states = [state_of(folder)["networks"] for folder in (one, two)]
    for part in parts:
        for name, tensor in states[0][part].items():
            torch.testing.assert_close(states[1][part][name], tensor, atol=1e-6, rtol=0, msg=f"{part}.{name}")
    for a, b in zip(log_of(one), log_of(two), strict=True):
        assert a.keys() == b.keys()
        for key in a.keys() - {"validation"}:
            np.testing.assert_allclose(a[key], b[key], rtol=2e-5, atol=1e-6, err_msg=key)


def same(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(k == "seconds" or same(v, two[k]) for k, v in one.items())
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)


@pytest.mark.parametrize("adversarial", ["hinge", "wgan-gp"])
def test_two_processes_train_what_one_trains(config: TrainConfig, tmp_path: Path, adversarial: Any) -> None:
    """Both networks, their average, and all figures, in float64."""
    config = replace(config, loss=replace(config.loss, adversarial=adversarial))
    assert run(config, tmp_path / "one", 1, fault=processes.in_double) == [0], said(tmp_path / "one", 0)
    assert run(config, tmp_path / "two", 2, fault=processes.in_double) == [0, 0], said(tmp_path / "two", 0)
    assert_near(tmp_path / "one", tmp_path / "two")
    trained = state_of(tmp_path / "one")["networks"]["generator"]
    assert any((trained[n] - t).abs().max() > 1e-3 for n, t in initial(config).items())
    assert said(tmp_path / "two", 1) == ""
    assert "on 2 cpu devices" in said(tmp_path / "two", 0)
    assert sorted(path.name for path in (tmp_path / "two").rglob("*")) == sorted(
        path.name for path in (tmp_path / "one").rglob("*")
    )


def initial(config: RunConfig) -> dict[str, torch.Tensor]:
    from temperfill.train.networks import Networks

    return Networks(config).generator.state_dict()


@pytest.mark.slow
def test_a_signal_to_one_stops_all_and_the_run_goes_on_bit_for_bit(config: TrainConfig, tmp_path: Path) -> None:
    config = replace(config, save_every=100, val_every=1, machine=replace(config.machine, workers=1))
    score = processes.counted_score
    assert run(config, tmp_path / "whole", 2, score=score) == [0, 0]
    assert run(config, tmp_path / "parts", 2, fault=processes.interrupted_at_2, score=score) == [130, 0]
    assert state_of(tmp_path / "parts")["progress"]["step"] == 2
    assert "Stopped: saved step 2 of 4" in said(tmp_path / "parts", 0)
    assert said(tmp_path / "parts", 1) == ""
    assert run(config, tmp_path / "parts", 2, score=score) == [0, 0]
    assert same(state_of(tmp_path / "parts")["networks"], state_of(tmp_path / "whole")["networks"])
    assert [line for line in log_of(tmp_path / "parts") if "validation" not in line] == [
        line for line in log_of(tmp_path / "whole") if "validation" not in line
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_a_run_moves_between_one_process_and_two(config: TrainConfig, tmp_path: Path, first: int, second: int) -> None:
    """The same samples in the same steps: figures that only such a run gives, and weights equal but for rounding."""
    assert run(config, tmp_path / "whole", 1, fault=processes.in_double) == [0]
    config_of_half = replace(config, machine=replace(config.machine, max_minutes=1e-6))
    for step in (1, 2):
        assert run(config_of_half, tmp_path / "moved", first, fault=processes.in_double) == [0] * first
        assert state_of(tmp_path / "moved")["progress"]["step"] == step
    assert run(config, tmp_path / "moved", second, fault=processes.in_double) == [0] * second
    assert_near(tmp_path / "moved", tmp_path / "whole")


@pytest.mark.slow
def test_a_signal_that_comes_twice_at_once_is_one(config: TrainConfig, tmp_path: Path) -> None:
    """Ctrl-C under torchrun: the terminal sends it to every process, and torchrun passes it on at once."""
    assert run(config, tmp_path / "run", 2, fault=processes.interrupted_twice_at_2) == [130, 0]
    assert state_of(tmp_path / "run")["progress"]["step"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "codes", "speaker", "message"),
    [
        (processes.failing_at_3, [2, 2], 0, "error: rank 1: its disk is on fire; the last saved state is kept"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                (processes.killed_at_3, [2, -signal.SIGKILL], 0, "ended without a word"),
                (processes.main_killed_at_3, [-signal.SIGKILL, 2], 1, "the process of rank 0 ended"),
                (processes.main_fails_to_save, [2, 2], 0, "No space left on device"),
                (processes.stuck_at_3, [2, 2], 0, "error: rank 1: its disk is on fire; the last saved state is kept"),
            )
        ),
    ],
)
def test_one_that_fails_ends_all_with_its_reason(
    config: TrainConfig, tmp_path: Path, fault: Any, codes: list[int], speaker: int, message: str
) -> None:
    """An error of one, kills, a full disk, and a wait that no lost connection ends, as those of NCCL."""
    started = start(on(config, 2), tmp_path / "run", 2, fault=fault)
    first = min(range(2), key=lambda rank: codes[rank])
    started[first].join(60)
    began = time.monotonic()
    assert finish(started, 30) == codes
    assert time.monotonic() - began < 20
    assert message in said(tmp_path / "run", speaker)
    assert said(tmp_path / "run", speaker).count(message) == 1
    if speaker == 0:
        assert "error" not in said(tmp_path / "run", 1)
    if fault is not processes.main_fails_to_save:
        assert state_of(tmp_path / "run")["progress"]["step"] == 2
        assert run(config, tmp_path / "run", 2) == [0, 0]


@pytest.mark.slow
def test_bad_input_is_said_once_before_anything_is_written(config: TrainConfig, tmp_path: Path) -> None:
    nowhere = replace(config, data=replace(config.data, train=(tmp_path / "nowhere",)))
    codes = run(nowhere, tmp_path / "run", 2)
    assert codes[0] == 2
    assert codes[1] != 0  # by its own error, or because rank 0 was gone before they met
    assert said(tmp_path / "run", 0).count("nowhere is not a folder") == 1
    assert said(tmp_path / "run", 1) == ""
    assert not (tmp_path / "run").exists()


def test_wrong_numbers_of_processes_are_refused(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from temperfill.train import train

    with pytest.raises(ValueError, match=r"multiple of devices times nodes \(3\), got 4"):
        on(config, 3)
    with pytest.raises(ValueError, match="cuda:1 is one GPU, but devices and nodes ask for 2"):
        MachineConfig(device="cuda:1", nodes=2)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="2 processes were started, but devices times nodes is 1: give --devices"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    cli.main(["train", "tiny", "--run-dir", "x", "--dry-run", "--devices", "2", "--nodes=4"])
    machine = json.loads(capsys.readouterr().out)["machine"]
    assert (machine["devices"], machine["nodes"]) == (2, 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", BASELINES)
def test_other_methods_train_on_two_processes(name: str, pictures: Path, tmp_path: Path) -> None:
    """Equal to one process where no batch normalisation takes its statistics from a part of the batch."""
    config: Any = published(name)
    off = dict.fromkeys(config.loss.VGG_WEIGHTS, 0.0)
    if name != "partialconv":
        config = replace(config, discriminator=replace(config.discriminator, width=4))
    config = replace(
        config,
        generator=replace(config.generator, width=4),
        loss=replace(config.loss, **off),
        data=DataConfig(train=(pictures,), resize=72, crop_size=72),
        machine=MachineConfig(device="cpu", workers=0, threads=1),
        num_steps=2,
        batch_size=4,  # with one picture for each process, batch normalisation of 1x1 maps is not defined
        log_every=1,
        sample_every=100,
        learning_rate=1e-4,
    )
    assert run(config, tmp_path / "two", 2, fault=processes.in_double) == [0, 0], said(tmp_path / "two", 0)
    if name in ("deepfillv2", "wavefill"):
        assert run(config, tmp_path / "one", 1, fault=processes.in_double) == [0]
        assert_near(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_ten_times_killed_on_two_processes_ends_in_the_same_weights(config: TrainConfig, tmp_path: Path) -> None:
    """SIGKILL to a random rank at a random moment: the others end too, and the run ends bit for bit as a whole one."""
    config = replace(config, num_steps=30, machine=replace(config.machine, workers=1))
    assert run(config, tmp_path / "whole", 2) == [0, 0]
    rng = np.random.default_rng(0)
    for _ in range(10):
        started = start(on(config, 2), tmp_path / "killed", 2)
        time.sleep(float(rng.uniform(1, 6)))
        started[int(rng.integers(2))].kill()
        assert None not in finish(started, 60)
    assert run(config, tmp_path / "killed", 2) == [0, 0]
    assert same(state_of(tmp_path / "killed")["networks"], state_of(tmp_path / "whole")["networks"])
    assert log_of(tmp_path / "killed") == log_of(tmp_path / "whole")


def command(config: TrainConfig, folder: Path) -> list[str]:
    """The words of a call of the program for a configuration."""
    from temperfill.config import to_json

    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(to_json(config)))
    return ["train", str(folder / "config.json"), "--run-dir", str(folder / "run")]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["fabric", "torchrun", "slurm"])
def test_every_launcher_gives_the_same_run(config: TrainConfig, tmp_path: Path, launcher: str) -> None:
    """Fabric's own processes, torchrun's, and processes with what srun sets; then Ctrl-C to all of them."""
    words = [*command(config, tmp_path / "x"), "--devices", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_PORT": "29517"}
    module = ["-m", "temperfill", *words]
    if launcher == "slurm":
        common = {"SLURM_NTASKS": "2", "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "test", "SLURM_NODELIST": "localhost"}
        common |= {"SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1", "SLURM_NODEID": "0"}
        ranks = [{"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)} for rank in range(2)]
        calls = [([sys.executable, *module], environment | common | own) for own in ranks]
    elif launcher == "torchrun":
        head = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29519"]
        calls = [([*head, *module], environment)]
    else:
        calls = [([sys.executable, *module], environment)]
    started = [subprocess.Popen(c, env=e, stderr=subprocess.PIPE, text=True) for c, e in calls]
    output = "".join(process.communicate(timeout=300)[1] for process in started)
    assert [process.returncode for process in started] == [0] * len(calls), output
    assert output.count("Done: saved step 4 of 4") == 1
    assert run(config, tmp_path / "plain", 2) == [0, 0]
    assert same(state_of(tmp_path / "x" / "run")["networks"], state_of(tmp_path / "plain")["networks"])


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["fabric", "torchrun"])
def test_ctrl_c_to_the_whole_group_saves_once(config: TrainConfig, tmp_path: Path, launcher: str) -> None:
    """Exit status 130 of the program itself; torchrun has one of its own for processes that end with another than 0."""
    words = [*command(replace(config, num_steps=100_000), tmp_path / "x"), "--devices", "2"]
    head = (
        []
        if launcher == "fabric"
        else ["torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29521", "-m"]
    )
    call = [sys.executable, "-m", *head, "temperfill", *words]
    started = subprocess.Popen(
        call, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    log, deadline = tmp_path / "x" / "run" / "log.jsonl", time.monotonic() + 120
    while time.monotonic() < deadline and (not log.exists() or log.read_text().count("\n") < 3):
        time.sleep(0.1)
    os.killpg(started.pid, signal.SIGINT)
    _, output = started.communicate(timeout=120)
    assert output.count("Stopped: saved step") == 1, output
    assert output.count("temperfill: interrupted") == 1
    assert state_of(tmp_path / "x" / "run")["progress"]["step"] == len(log_of(tmp_path / "x" / "run"))
    assert started.returncode == 130 or launcher == "torchrun"
