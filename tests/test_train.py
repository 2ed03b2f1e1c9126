"""Training: resumes bit for bit, survives kills, stops when it should, learns, and says what it does."""

import io
import json
import math
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill.cli.parsing import logged
from temperfill.config import DataConfig, GeneratorConfig, LossConfig, MachineConfig, TrainConfig, from_json
from temperfill.nets.generator import Generator
from temperfill.presets import PRESETS
from temperfill.runs.folder import load_state, save_state
from temperfill.systems.ours.losses import PerceptualLoss
from temperfill.train import networks as networks_module
from temperfill.train import train
from temperfill.train.networks import Networks
from temperfill.train.step import learning_rate
from temperfill.weights_files import load_generator, save_generator
from temperfill.weights_reading import read_metadata

LOSSES = {"coarse", "refined", "discriminator", "adversarial"}


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _shown() -> Iterator[None]:
    """On stderr, as by the command line."""
    with logged():
        yield


@pytest.fixture
def config(pictures: Path) -> TrainConfig:
    return replace(
        PRESETS["tiny"],
        loss=LossConfig(perceptual_weight=0),
        data=DataConfig(train=(pictures,), resize=36, crop_size=32),
        machine=MachineConfig(device="cpu", workers=0, threads=1),
        num_steps=4,
        batch_size=2,
        learning_rate=1e-3,
        log_every=1,
        save_every=2,
        sample_every=1000,
    )


def log_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def steps_of(run: Path) -> list[int]:
    return [record["step"] for record in log_of(run) if "validation" not in record]


def timeless(run: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k not in ("seconds", "images_per_second")} for line in log_of(run)]


def same_state(one: Any, two: Any) -> bool:
    """Whether two states are the same bit for bit, but for the time spent."""
    if isinstance(one, torch.Tensor):
        return one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(k == "seconds" or same_state(v, two[k]) for k, v in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same_state, one, two))
    return bool(one == two)


def assert_same_run(one: Path, two: Path) -> None:
    assert same_state(load_state(one / "state.pt"), load_state(two / "state.pt"))
    assert timeless(one) == timeless(two)
    weights = [load_generator(run / "generator.safetensors").state_dict() for run in (one, two)]
    assert same_state(dict(weights[0]), dict(weights[1]))


def stop_after(steps: int, number: int = signal.SIGINT) -> Callable[[Generator], dict[str, float]]:
    """A score that asks for the end by a signal; with val_every=1 after that step."""
    calls: list[int] = []

    def score(_: Generator) -> dict[str, float]:
        calls.append(1)
        if len(calls) == steps:
            os.kill(os.getpid(), number)
        return {"loss": 1.0 / len(calls)}

    return score


def interrupted(config: TrainConfig, run: Path, steps: int, number: int = signal.SIGINT) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(config, run, stop_after(steps, number))


class TestResume:
    @pytest.mark.parametrize(
        ("adversarial", "precision", "workers"),
        [("hinge", "fp32", 0), ("hinge", "bf16", 1), ("wgan-gp", "fp32", 1), ("wgan-gp", "bf16", 0)],
    )
    def test_two_and_two_steps_are_four(
        self, config: TrainConfig, tmp_path: Path, adversarial: Any, precision: Any, workers: int
    ) -> None:
        config = replace(
            config,
            loss=replace(config.loss, adversarial=adversarial),
            precision=precision,
            data=replace(config.data, crop_size=32 if precision == "fp32" else 36),
            machine=replace(config.machine, workers=workers),
            val_every=1,
            schedule="cosine",
            warmup_steps=3,
        )
        train(config, tmp_path / "whole", stop_after(0))
        interrupted(config, tmp_path / "parts", 2)
        assert steps_of(tmp_path / "parts") == [1, 2]
        score = stop_after(0)
        for _ in range(2):
            score(None)  # type: ignore[arg-type]
        other_workers = replace(config, machine=replace(config.machine, workers=1 - workers))
        assert train(other_workers, tmp_path / "parts", score).step == 4
        assert_same_run(tmp_path / "whole", tmp_path / "parts")

    def test_finished_run_stays_as_it_is(self, config: TrainConfig, tmp_path: Path) -> None:
        config = replace(config, num_steps=2)
        train(config, tmp_path)
        before = load_state(tmp_path / "state.pt"), log_of(tmp_path)
        assert train(config, tmp_path).step == 2
        assert same_state(before[0], load_state(tmp_path / "state.pt"))
        assert log_of(tmp_path) == before[1]

    def test_a_stop_in_an_interval_of_the_log_changes_no_figure(self, config: TrainConfig, tmp_path: Path) -> None:
        small = replace(config.generator, width=4, head_dim=4)
        config = replace(config, generator=small, num_steps=6, log_every=5, save_every=1000, val_every=1)
        train(config, tmp_path / "whole", stop_after(0))
        whole = [line for line in timeless(tmp_path / "whole") if "validation" not in line]
        assert steps_of(tmp_path / "whole") == [5, 6]
        for offset in range(1, 5):
            run = tmp_path / f"stopped-at-{offset}"
            interrupted(config, run, offset)
            train(config, run, stop_after(0))
            assert [line for line in timeless(run) if "validation" not in line] == whole

        steps = iter(range(1, 7))

        def fall(_: Generator) -> dict[str, float]:
            """Ends a run with nothing saved since step 3, as a kill does."""
            return {"loss": 1 / (next(steps) - 4)}

        config = replace(config, save_every=3)
        with pytest.raises(ZeroDivisionError):
            train(config, tmp_path / "fallen", fall)
        assert load_state(tmp_path / "fallen" / "state.pt")["progress"]["step"] == 3
        train(config, tmp_path / "fallen", stop_after(0))
        assert [line for line in timeless(tmp_path / "fallen") if "validation" not in line] == whole

    @pytest.mark.parametrize(("first", "log_every"), [(2, 1), (3, 20)])
    def test_a_longer_run_is_one_that_was_as_long_from_the_start(
        self, config: TrainConfig, tmp_path: Path, first: int, log_every: int
    ) -> None:
        config = replace(config, num_steps=5, log_every=log_every)
        train(config, tmp_path / "whole")
        train(replace(config, num_steps=first), tmp_path / "parts")
        assert steps_of(tmp_path / "parts")[-1] == first
        train(config, tmp_path / "parts")
        assert_same_run(tmp_path / "whole", tmp_path / "parts")
        with pytest.raises(ValueError, match="num_steps: 5 -> 4"):
            train(replace(config, num_steps=4), tmp_path / "parts")

    def test_a_longer_run_says_what_becomes_of_its_learning_rate(
        self, config: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        config = replace(config, num_steps=1, schedule="cosine")
        train(config, tmp_path)
        train(replace(config, num_steps=2), tmp_path)
        said = capsys.readouterr().err
        assert "Changed since the last start: num_steps: 1 -> 2." in said
        assert "cosine schedule over 2 steps" in said

    def test_moved_pictures_are_gone_on_with_if_they_are_the_same(
        self, config: TrainConfig, pictures: Path, tmp_path: Path
    ) -> None:
        here, there, other = (tmp_path / name for name in ("here", "there", "other"))
        for place in (here, other):
            shutil.copytree(pictures, place)
        config = replace(config, num_steps=4, data=replace(config.data, train=(here,)))
        train(config, tmp_path / "whole")
        train(replace(config, num_steps=2), tmp_path / "parts")
        here.rename(there)
        Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(min(other.iterdir()))
        with pytest.raises(ValueError, match=r"(?s)data\.train: .* the same pictures"):
            train(replace(config, data=replace(config.data, train=(other,))), tmp_path / "parts")
        train(replace(config, data=replace(config.data, train=(there,))), tmp_path / "parts")
        assert_same_run(tmp_path / "whole", tmp_path / "parts")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signal_saves_and_raises(self, config: TrainConfig, tmp_path: Path, number: int) -> None:
        handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        config = replace(config, save_every=1000, val_every=1)
        interrupted(config, tmp_path, 3, number)
        assert load_state(tmp_path / "state.pt")["progress"]["step"] == 3
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
        assert train(config, tmp_path, stop_after(0)).step == 4

    def test_second_signal_stops_at_once(self, config: TrainConfig, tmp_path: Path) -> None:
        def score(_: Generator) -> dict[str, float]:
            handler = signal.getsignal(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            # Another thread may take the signal: Python's handler runs a little later, and two at once count as one.
            while signal.getsignal(signal.SIGINT) is handler:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
            pytest.fail("the second signal had no effect")

        # Started in the background, a process ignores the signal: then the second one would be ignored too.
        usual = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                train(replace(config, save_every=1000, val_every=2), tmp_path, score)
        finally:
            signal.signal(signal.SIGINT, usual)
        assert not (tmp_path / "state.pt").exists()

    def test_training_works_outside_the_main_thread(self, config: TrainConfig, tmp_path: Path) -> None:
        thread = threading.Thread(target=train, args=(replace(config, num_steps=1), tmp_path))
        thread.start()
        thread.join()
        assert load_state(tmp_path / "state.pt")["progress"]["step"] == 1

    def test_changed_configuration_is_refused_field_by_field(self, config: TrainConfig, tmp_path: Path) -> None:
        config = replace(config, num_steps=2)
        train(config, tmp_path)
        changed = replace(config, num_steps=1, learning_rate=0.1, generator=replace(config.generator, heads=3))
        with pytest.raises(ValueError, match="another configuration") as error:
            train(changed, tmp_path)
        for line in ("num_steps: 2 -> 1", "learning_rate: 0.001 -> 0.1", "generator.heads: 2 -> 3"):
            assert line in str(error.value)
        machine = MachineConfig(device="auto", workers=1, threads=1, max_minutes=5)
        assert train(replace(config, machine=machine), tmp_path).step == 2

    def test_damaged_state_is_refused(self, config: TrainConfig, tmp_path: Path) -> None:
        config = replace(config, num_steps=1)
        train(config, tmp_path)
        state = load_state(tmp_path / "state.pt")
        wrong = {
            "lacks 'ema'": {k: v for k, v in state["networks"].items() if k != "ema"},
            "ema does not fit: missing": state["networks"] | {"ema": {}},
        }
        for message, networks in wrong.items():
            save_state(tmp_path / "state.pt", state | {"networks": networks})
            with pytest.raises(ValueError, match=rf"state\.pt.*{message}"):
                train(config, tmp_path)
        save_state(tmp_path / "state.pt", state | {"progress": {"epoch": 3}})
        with pytest.raises(ValueError, match=r"state\.pt is of another version"):
            train(config, tmp_path)

    def test_global_random_state_is_untouched(self, config: TrainConfig, tmp_path: Path) -> None:
        torch.manual_seed(7)
        before = torch.get_rng_state()
        train(replace(config, num_steps=1), tmp_path)
        assert torch.equal(torch.get_rng_state(), before)


def kill_at_random(config: TrainConfig, folder: Path, rounds: int) -> list[str]:
    """Kills a run ``rounds`` times, and compares it with one that nobody killed.

    The kills come in turns: at a random moment after the start, at one after a step, at one after the temporary file of
    a save has appeared, and at one after the first of a save's two files has been replaced.

    Returns:
        Where each kill landed, by what it left.
    """
    train(config, folder / "whole")
    # Each process starts with the modules loaded, so that kills fall into training and not into imports.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["temperfill.train"])
    rng, run, killed, landed = np.random.default_rng(0), folder / "killed", [], []
    for kills in range(rounds):
        before, lines = traces(run), num_lines(run)
        process = context.Process(target=train, args=(config, run))
        process.start()
        turn = kills % 4
        if turn:  # a run that is killed faster than it starts would never end
            wait_for(lambda lines=lines: num_lines(run) > lines, process)  # type: ignore[misc]
        saved = changed(run / "state.pt")
        if turn == 3:
            wait_for(lambda saved=saved: changed(run / "state.pt") != saved, process)  # type: ignore[misc]
        if turn == 2:
            wait_for(lambda: partial_files(run), process)
        time.sleep(float(rng.uniform(0, (0.5, 0.1, 0.03, 0.003)[turn])))
        process.kill()
        killed.append(process)
        while is_running(process.pid or 0):
            time.sleep(0.002)
        landed.append(place_of_kill(run, before))
    process = context.Process(target=train, args=(config, run))
    process.start()
    process.join(600)
    assert process.exitcode == 0
    # Not earlier, as it waits for the workers too, which need some seconds to notice that they are orphans.
    for process in killed:
        process.join(30)
    codes = [process.exitcode for process in killed]
    assert set(codes) <= {0, -signal.SIGKILL}
    assert steps_of(run) == list(range(1, config.num_steps + 1))
    assert_same_run(folder / "whole", run)
    assert not list(run.rglob("*.partial"))
    return [place for place, code in zip(landed, codes, strict=True) if code]


def wait_for(condition: Callable[[], object], process: Any) -> None:
    """Waits until a condition holds, at most a minute, and no longer than a process lives."""
    deadline = time.monotonic() + 60
    while not condition() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.0002)


def partial_files(run: Path) -> list[Path]:
    """Files that a process is writing or was killed over."""
    return list(run.glob(".temperfill-*.partial"))


def changed(path: Path) -> int:
    """When a file was changed, ns; 0 without one."""
    return path.stat().st_mtime_ns if path.exists() else 0


def traces(run: Path) -> tuple[int, int, set[Path]]:
    """When log and state were changed, and which temporary files there are; each start writes the log anew."""
    return changed(run / "log.jsonl"), changed(run / "state.pt"), set(partial_files(run))


def place_of_kill(run: Path, before: tuple[int, int, set[Path]]) -> str:
    """Where a run was killed: nobody but the killed process could have finished or removed its temporary files."""
    log, saved, files = before
    state, generator = run / "state.pt", run / "generator.safetensors"
    step = str(load_state(state)["progress"]["step"]) if state.exists() else ""  # both are whole after each kill
    stored = load_generator(generator) and read_metadata(generator)["step"] if generator.exists() else ""
    if changed(run / "log.jsonl") == log:
        return "while starting"
    second = changed(state) != saved and stored != step  # the generator's turn came, and was not over
    if set(partial_files(run)) - files:
        return f"while writing {generator.name if second else state.name}"
    return "between state.pt and generator.safetensors" if second else "between saves"


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def num_lines(run: Path) -> int:
    """Lines of a log that a process is writing or was killed over."""
    path = run / "log.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


class TestKill:
    def test_killed_run_equals_one_that_nobody_killed(self, config: TrainConfig, tmp_path: Path) -> None:
        machine = replace(config.machine, workers=1)
        landed = kill_at_random(replace(config, num_steps=12, save_every=2, machine=machine), tmp_path, 4)
        assert len(landed) >= 3

    @pytest.mark.slow
    @pytest.mark.parametrize("workers", [0, 2])
    def test_killed_fifty_times(self, config: TrainConfig, tmp_path: Path, workers: int) -> None:
        """Fifty kills, of which a good part lands inside a save, change no bit of what the run ends in."""
        machine = replace(config.machine, workers=workers)
        landed = kill_at_random(replace(config, num_steps=160, save_every=3, machine=machine), tmp_path, 50)
        places = Counter(landed)
        print(f"{workers} workers, kills by place: {dict(places.most_common())}")
        assert len(landed) == 50, "the run ended before its last kill; give it more steps"
        # Every fourth kill aims at state.pt, and every fourth at what follows it, which is soon over: all may miss.
        assert places["while writing state.pt"] >= 5
        assert places["while starting"] + places["between saves"] >= 10

    def test_disk_full_leaves_the_last_good_state(self, config: TrainConfig, tmp_path: Path) -> None:
        """A file-size limit stands for the full disk; it can only be set in a process of its own."""
        run = tmp_path / "run"
        config = replace(config, val_every=1)
        interrupted(config, run, 2)
        before = (run / "state.pt").read_bytes()
        script = textwrap.dedent("""
            import pathlib, resource, signal, sys
            from temperfill.config import TrainConfig, load_json
            from temperfill.train import train
            run = pathlib.Path(sys.argv[1])
            config = load_json(TrainConfig, run / "config.json")
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            try:
                train(config, run)
            except OSError as error:
                print(error)
                raise SystemExit(7)
        """)
        result = subprocess.run([sys.executable, "-c", script, str(run)], capture_output=True, text=True, check=False)
        assert result.returncode == 7, result.stderr
        assert "state.pt" in result.stdout
        assert (run / "state.pt").read_bytes() == before
        assert not list(run.rglob("*.partial"))
        assert train(config, run, stop_after(0)).step == 4
        assert steps_of(run) == [1, 2, 3, 4]


class TestStops:
    def test_non_finite_loss_names_step_and_term_and_keeps_the_last_good_state(
        self, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from temperfill import losses

        calls: list[int] = []

        def wrong(pred: torch.Tensor, *_: Any) -> torch.Tensor:
            calls.append(1)
            return pred.mean() * (math.nan if len(calls) == 6 else 1.0)

        monkeypatch.setattr(losses, "reconstruction", wrong)
        with pytest.raises(ValueError, match="the refined loss became nan at step 3; the last saved state is kept"):
            train(config, tmp_path)
        state = load_state(tmp_path / "state.pt")
        assert state["progress"]["step"] == 2
        assert all(tensor.isfinite().all() for tensor in state["networks"]["generator"].values())

    def test_weights_that_are_not_finite_are_never_saved(
        self, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A gradient may overflow although every loss was finite."""
        average = Networks.average

        def poison(self: Networks, decay: float) -> None:
            average(self, decay)
            if decay > 0.3:  # step 4
                next(self.discriminator.parameters()).data.fill_(math.inf)

        monkeypatch.setattr(networks_module.Networks, "average", poison)
        with pytest.raises(ValueError, match=r"step 4, and the last good state is kept: discriminator: .*not finite"):
            train(config, tmp_path)
        assert load_state(tmp_path / "state.pt")["progress"]["step"] == 2

    def test_early_stop_keeps_the_best_model(self, config: TrainConfig, tmp_path: Path) -> None:
        found = iter([3.0, 2.0, 2.5, 2.0, 9.0, 1.0])
        seen: list[dict[str, torch.Tensor]] = []

        def score(generator: Generator) -> dict[str, float]:
            assert not generator.training
            seen.append({name: tensor.clone() for name, tensor in generator.state_dict().items()})
            return {"loss": next(found), "psnr": 20.0}

        config = replace(config, num_steps=50, val_every=2, patience=3)
        progress = train(config, tmp_path, score)
        assert (progress.step, progress.best_loss, progress.best_step) == (10, 2.0, 4)
        assert same_state(dict(load_generator(tmp_path / "generator.safetensors").state_dict()), seen[1])
        assert read_metadata(tmp_path / "generator.safetensors")["step"] == "4"
        validations = [line for line in log_of(tmp_path) if "validation" in line]
        assert [line["step"] for line in validations] == [2, 4, 6, 8, 10]
        assert validations[0]["validation"] == {"loss": 3.0, "psnr": 20.0}
        assert train(config, tmp_path, score).step == 10  # it has stopped for good
        assert len(seen) == 5

    def test_resumed_run_keeps_the_patience(self, config: TrainConfig, tmp_path: Path) -> None:
        config = replace(config, num_steps=50, val_every=1, patience=3)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path, lambda _: (os.kill(os.getpid(), signal.SIGINT), {"loss": 1.0})[1])
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path, lambda _: (os.kill(os.getpid(), signal.SIGINT), {"loss": 2.0})[1])
        progress = train(config, tmp_path, lambda _: {"loss": 3.0})
        assert (progress.step, progress.best_loss, progress.best_step) == (4, 1.0, 1)

    def test_validation_is_once_an_epoch_and_patience_zero_never_stops(
        self, config: TrainConfig, tmp_path: Path
    ) -> None:
        progress = train(replace(config, num_steps=11, patience=0), tmp_path, lambda _: {"loss": 1.0})
        assert progress.step == 11
        assert [line["step"] for line in log_of(tmp_path) if "validation" in line] == [5, 10, 11]

    def test_validation_that_is_not_finite_stops(self, config: TrainConfig, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="validation loss became nan at step 3"):
            train(replace(config, val_every=3), tmp_path, lambda _: {"loss": math.nan})
        assert load_state(tmp_path / "state.pt")["progress"]["step"] == 2

    def test_time_limit_saves_after_the_step_at_hand(
        self, config: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        limited = replace(config, machine=replace(config.machine, max_minutes=1e-6))
        for step in (1, 2):
            assert train(limited, tmp_path / "parts").step == step
            assert load_generator(tmp_path / "parts" / "generator.safetensors")
        assert "Time is up (max_minutes 1e-06): saved step 2 of 4" in capsys.readouterr().err
        train(config, tmp_path / "parts")
        train(config, tmp_path / "whole")
        assert_same_run(tmp_path / "whole", tmp_path / "parts")

    def test_corrupt_pictures_are_named_counted_and_remembered(
        self, config: TrainConfig, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copytree(pictures, tmp_path / "pictures")
        (tmp_path / "pictures" / "5.png").write_text("no picture")
        data = replace(config.data, train=(tmp_path / "pictures",), max_corrupt_share=0.1)
        config = replace(config, data=data, num_steps=10, val_every=5)
        progress = train(config, tmp_path / "run")
        shown = capsys.readouterr().err
        assert shown.count("5.png") == 1
        assert "unreadable pictures replaced: 1 of 10" in shown
        assert progress.corrupt == [5]
        assert train(config, tmp_path / "run").corrupt == progress.corrupt
        (tmp_path / "run" / "state.pt").unlink()
        config = replace(config, data=replace(data, max_corrupt_share=0.09))
        (tmp_path / "run" / "generator.safetensors").unlink()
        with pytest.raises(ValueError, match=r"1 of 10 training pictures are unreadable.*max-corrupt-share"):
            train(config, tmp_path / "run")

    def test_changed_number_of_pictures_is_said(
        self, config: TrainConfig, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copytree(pictures, tmp_path / "pictures")
        config = replace(config, data=replace(config.data, train=(tmp_path / "pictures",)), val_every=1)
        interrupted(config, tmp_path / "run", 1)
        (tmp_path / "pictures" / "0.png").unlink()
        assert train(config, tmp_path / "run", stop_after(0)).pictures == 9
        assert "held 10 pictures when this run was saved" in capsys.readouterr().err


class TestBadInput:
    """Each is found before the run folder is made."""

    def check(self, config: TrainConfig, run: Path, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            train(config, run)
        assert not run.exists()

    def test_folders(self, config: TrainConfig, tmp_path: Path) -> None:
        run = tmp_path / "run"
        self.check(replace(config, data=DataConfig()), run, ValueError, r"--data\.train")
        missing = replace(config, data=replace(config.data, train=(tmp_path / "nowhere",)))
        self.check(missing, run, NotADirectoryError, "nowhere")
        (tmp_path / "texts").mkdir()
        (tmp_path / "texts" / "1.png").write_text("text")
        unreadable = replace(config, data=replace(config.data, train=(tmp_path / "texts",)))
        self.check(unreadable, run, ValueError, r"no training picture can be read: .*1\.png")

    def test_perceptual_loss_without_weights_says_what_to_get(self, config: TrainConfig, tmp_path: Path) -> None:
        wanted = replace(config, loss=LossConfig())
        self.check(wanted, tmp_path / "run", ValueError, r"vgg16-397923af\.pth.*--loss\.perceptual-weight 0")
        nowhere = replace(config.machine, perceptual_path=tmp_path / "vgg.pth")
        self.check(replace(wanted, machine=nowhere), tmp_path / "run", FileNotFoundError, r"vgg\.pth")

    def test_devices(self, config: TrainConfig, tmp_path: Path) -> None:
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        for device in (f"cuda:{count}", f"cuda:{count + 7}"):
            machine = replace(config.machine, device=device)
            self.check(replace(config, machine=machine), tmp_path / "run", ValueError, f"device {device} was asked for")

    def test_weights_to_start_from(self, config: TrainConfig, tmp_path: Path) -> None:
        run = tmp_path / "run"
        self.check(replace(config, init_path=tmp_path), run, FileNotFoundError, r"state\.pt")
        self.check(replace(config, init_path=tmp_path / "none"), run, FileNotFoundError, "no weights file")
        save_generator(tmp_path / "other.safetensors", Generator(GeneratorConfig(width=4)))
        other = replace(config, init_path=tmp_path / "other.safetensors")
        self.check(other, run, ValueError, r"other\.safetensors.*has shape")

    def test_run_folder_that_cannot_be_written(self, config: TrainConfig, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for run in (tmp_path / "file", tmp_path / "file" / "run"):
            with pytest.raises(OSError, match="file"):
                train(config, run)

    def test_run_folder_among_the_pictures(self, config: TrainConfig, pictures: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(pictures)
        for run in (pictures / "runs" / "one", tmp_path / "link" / "run"):
            self.check(config, run, ValueError, "lies inside the training folder")
        with pytest.raises(ValueError, match="lies inside the training folder"):
            train(config, pictures)

    def test_start_that_failed_does_not_bind_the_folder(self, config: TrainConfig, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="VGG"):
            train(replace(config, loss=LossConfig()), tmp_path / "run")
        assert train(replace(config, num_steps=1), tmp_path / "run").step == 1


class TestLearning:
    def test_loss_falls_and_everything_is_logged(
        self, config: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        config = replace(config, num_steps=40, learning_rate=2e-3, log_every=10, sample_every=20, save_every=100)
        train(config, tmp_path)
        records = log_of(tmp_path)
        assert [record["step"] for record in records] == [10, 20, 30, 40]
        assert records[-1]["refined"] < 0.5 * records[0]["refined"]
        assert records[-1]["coarse"] < 0.5 * records[0]["coarse"]
        for record in records:
            assert record.keys() >= LOSSES | {"seconds", "images_per_second", "learning_rate"}
            assert record["learning_rate"] == 2e-3
            assert record["images_per_second"] > 0
            figures = (record[name] for name in ("temperature_low", "temperature", "temperature_high"))
            for low, mean, high in zip(*figures, strict=True):
                assert 0 < low <= mean <= high
            assert len(record["temperature"]) == config.generator.heads
        assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == ["0000020.png", "0000040.png"]
        with Image.open(tmp_path / "samples" / "0000040.png") as sheet:
            assert sheet.size[0] >= 4 * 32
            assert sheet.size[1] >= 8 * 32
        generator = load_generator(tmp_path / "generator.safetensors")
        assert same_state(dict(generator.state_dict()), load_state(tmp_path / "state.pt")["networks"]["ema"])
        assert from_json(TrainConfig, json.loads((tmp_path / "config.json").read_text())) == config
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith("Training a generator of 0.5 M parameters (attention mhtma) on 10 pictures, 32x32")
        assert str(tmp_path) in lines[1]
        assert "Ctrl-C" in lines[2]
        shown = next(line for line in lines if line.startswith("step 20/40"))
        for part in ("refined 0.", "discriminator ", "T 0.", "images/s", " left"):
            assert part in shown
        assert lines[-1].startswith("Done: saved step 40 of 40 in ")

    @pytest.mark.parametrize("attention", ["atma", "contextual", "none"])
    def test_other_attentions_train(self, config: TrainConfig, tmp_path: Path, attention: Any) -> None:
        train(replace(config, generator=replace(config.generator, attention=attention), num_steps=1), tmp_path)
        assert load_generator(tmp_path / "generator.safetensors").config.attention == attention

    def test_perceptual_loss_joins_in(
        self, config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Features(torch.nn.Module):
            def forward(self, image: torch.Tensor, count: int) -> list[torch.Tensor]:
                return [image[:, :, ::2], image.square(), 3 * image][:count]

        from temperfill.train import step

        monkeypatch.setattr(step, "_load_vgg", lambda _: Features())
        for on, local in (("coarse", False), ("both", True)):
            loss = LossConfig(perceptual_weight=0.5, perceptual_on=on, perceptual_local=local, texture_weight=1.0)  # type: ignore[arg-type]
            train(replace(config, num_steps=1, loss=loss), tmp_path / on)
            (record,) = log_of(tmp_path / on)
            assert record["perceptual"] > 0
            assert record["texture"] > 0
        one, other = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
        first, second, third, two = (
            PerceptualLoss(Features(), layers)(one, other)  # type: ignore[arg-type]
            for layers in ((1,), (2,), (3,), (1, 3))
        )
        torch.testing.assert_close(third, 3 * (one - other).abs().mean())
        torch.testing.assert_close(two, first + third)
        assert first > 0
        assert second > 0

    def test_adversarial_loss_can_start_late_or_never(self, config: TrainConfig, tmp_path: Path) -> None:
        train(replace(config, loss=replace(config.loss, adversarial_start=2)), tmp_path / "late")
        found = [record.keys() & LOSSES for record in log_of(tmp_path / "late")]
        assert found == [LOSSES - {"adversarial"}] * 2 + [LOSSES] * 2
        train(replace(config, loss=replace(config.loss, adversarial_weight=0.0)), tmp_path / "never")
        assert all(record.keys() & LOSSES == {"coarse", "refined"} for record in log_of(tmp_path / "never"))
        before, after = Networks(config), load_state(tmp_path / "never" / "state.pt")["networks"]["discriminator"]
        assert same_state(dict(before.discriminator.state_dict()), after)

    def test_new_run_starts_from_the_weights_of_another(self, config: TrainConfig, tmp_path: Path) -> None:
        train(config, tmp_path / "first")
        first = load_state(tmp_path / "first" / "state.pt")["networks"]
        start = replace(config, num_steps=1, learning_rate=1e-12)
        for init in (tmp_path / "first", tmp_path / "first" / "generator.safetensors"):
            run = tmp_path / f"from {init.name}"
            train(replace(start, init_path=init), run)
            second = load_state(run / "state.pt")["networks"]
            for name, tensor in second["ema"].items():
                assert torch.allclose(tensor, first["ema"][name], atol=1e-6)
            name = "linear.parametrizations.weight.original"
            judges = second["discriminator"][name], first["discriminator"][name]
            assert torch.allclose(*judges, atol=1e-6) == init.is_dir()
        moved = tmp_path / "first moved"
        (tmp_path / "first").rename(moved)  # needed at the start only
        assert train(replace(start, init_path=tmp_path / "first"), tmp_path / "from first").step == 1

    def test_what_comes_of_weights_has_their_terms(self, config: TrainConfig, tmp_path: Path) -> None:
        first, run = tmp_path / "first.safetensors", tmp_path / "run"
        save_generator(first, Networks(config).generator, extra_metadata={"terms": "for tests"})
        start = replace(config, num_steps=1, init_path=first)
        for steps in (1, 2):  # the second call goes on
            train(replace(start, num_steps=steps), run)
            assert read_metadata(run / "generator.safetensors")["terms"] == "for tests"
        train(replace(start, init_path=run), tmp_path / "next")
        assert read_metadata(tmp_path / "next" / "generator.safetensors")["terms"] == "for tests"

    def test_edges_of_batch_and_crop(self, config: TrainConfig, tmp_path: Path) -> None:
        small = replace(config, data=replace(config.data, resize=8, crop_size=8), batch_size=1, num_steps=1)
        assert train(small, tmp_path / "small").step == 1
        assert train(replace(config, batch_size=23, num_steps=1), tmp_path / "wrapped").step == 1

    def test_validation_pictures_inside_training_are_warned_of(
        self, config: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = replace(config.data, val=config.data.train)
        train(replace(config, num_steps=1, data=data), tmp_path)
        assert "lies inside a training folder" in capsys.readouterr().err


def test_learning_rate_is_a_function_of_the_step() -> None:
    config = TrainConfig(learning_rate=1.0, num_steps=110, warmup_steps=10)
    assert [learning_rate(config, step) for step in (0, 4, 9, 10, 50, 10**9)] == [0.1, 0.5, 1.0, 1.0, 1.0, 1.0]
    cosine = replace(config, schedule="cosine")
    rates = [learning_rate(cosine, step) for step in range(10, 111)]
    assert rates[0] == 1
    assert rates[50] == pytest.approx(0.505)
    assert rates[100] == pytest.approx(0.01)
    assert all(a > b for a, b in pairwise(rates))
    assert learning_rate(cosine, 10**9) == pytest.approx(0.01)
    linear = replace(config, schedule="linear", warmup_steps=0, num_steps=100)
    assert [learning_rate(linear, step) for step in (0, 50, 75, 99, 100, 10**9)] == pytest.approx(
        [1, 1, 0.5, 0.02, 0, 0]
    )


def test_averaged_weights_follow_the_generator(config: TrainConfig) -> None:
    networks = Networks(config)
    start = {name: tensor.clone() for name, tensor in networks.ema.state_dict().items()}
    with torch.no_grad():
        for parameter in networks.generator.parameters():
            parameter.add_(1)
    networks.average(0.9)
    for name, tensor in networks.ema.state_dict().items():
        assert torch.allclose(tensor, start[name] + 0.1, atol=1e-5)


def test_first_steps_weigh_the_start_less(config: TrainConfig, tmp_path: Path) -> None:
    """Averaged weights of a short run are near the trained ones, not near the random start."""
    train(replace(config, num_steps=10, ema_decay=0.999, save_every=1000), tmp_path)
    state, start = load_state(tmp_path / "state.pt")["networks"], Networks(config).generator.state_dict()
    to_end = sum(float((state["ema"][n] - state["generator"][n]).square().sum()) for n in start)
    to_start = sum(float((state["ema"][n] - start[n]).square().sum()) for n in start)
    assert to_end < to_start


def test_output_of_no_terminal_is_plain(config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    train(replace(config, num_steps=2), tmp_path)
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().count("\nstep ") == 2
