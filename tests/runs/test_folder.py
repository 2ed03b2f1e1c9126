"""Folders of runs: a state loads as it was saved, whatever kills the run, and a folder is for one run alone."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from temperfill.config import (
    GeneratorConfig,
    LossConfig,
    MachineConfig,
    TrainConfig,
    from_json,
    to_json,
)
from temperfill.nets.generator import Generator
from temperfill.runs.folder import RunFolder, load_state, save_state
from temperfill.weights_files import load_generator, save_generator
from temperfill.weights_reading import read_metadata

CONFIG = GeneratorConfig(width=4, head_dim=4)


@pytest.fixture
def generator() -> Generator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Generator(CONFIG).eval()


@pytest.fixture
def path(generator: Generator, tmp_path: Path) -> Path:
    save_generator(tmp_path / "weights.safetensors", generator)
    return tmp_path / "weights.safetensors"


def test_disk_full_is_an_os_error_and_keeps_the_old_files(generator: Generator, path: Path) -> None:
    """A file-size limit stands for the full disk; it can only be set in a process of its own."""
    state_path = path.with_name("state.pt")
    save_state(state_path, {"networks": {}, "progress": {"step": 1}})
    before = path.read_bytes(), state_path.read_bytes(), sorted(path.parent.iterdir())
    script = textwrap.dedent("""
        import pathlib, resource, signal, sys, torch
        from temperfill.runs.folder import save_state
        from temperfill.weights_files import load_generator, save_generator
        path = pathlib.Path(sys.argv[1])
        generator = load_generator(path)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        failures = 0
        for save in (
            lambda: save_generator(path, generator, dtype=torch.float16),
            lambda: save_state(path.with_name("state.pt"), {"networks": generator.state_dict(), "progress": {}}),
        ):
            try:
                save()
            except OSError as error:
                failures += error.filename is not None and error.errno > 0
        raise SystemExit(10 + failures)
    """)
    result = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert result.returncode == 12, result.stderr
    assert (path.read_bytes(), state_path.read_bytes(), sorted(path.parent.iterdir())) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starts processes by fork")
@pytest.mark.slow
def test_fifty_kills_while_saving_leave_whole_files(tmp_path: Path) -> None:
    """A process saves without a pause until SIGKILL: each time both files are whole, and not older than before."""
    generator, rng = Generator(GeneratorConfig(width=2, head_dim=2)), np.random.default_rng(0)
    folder, step, stored = RunFolder(tmp_path), 0, 0

    def tensors(number: int) -> dict[str, torch.Tensor]:
        return {name: torch.full_like(tensor, number) for name, tensor in generator.state_dict().items()}

    def save(number: int) -> None:
        save_state(folder.state_path, {"networks": tensors(number), "progress": {"step": number}})
        save_generator(folder.generator_path, generator, tensors(number), {"step": str(number)})

    save(0)
    for kills in range(50):
        before = folder.state_path.stat().st_mtime_ns
        child = os.fork()
        if child == 0:
            try:
                torch.set_num_threads(1)  # the threads of the parent are not here
                for number in itertools.count(step + 1):
                    save(number)
            finally:
                os._exit(1)
        end = time.monotonic() + 30
        while kills % 2 and folder.state_path.stat().st_mtime_ns == before and time.monotonic() < end:
            time.sleep(0.001)  # a process that is killed before it has saved would show nothing
        time.sleep(float(rng.uniform(0, 0.04)))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        state = load_state(folder.state_path)
        assert state["progress"]["step"] >= step
        step = state["progress"]["step"]
        assert stored <= int(read_metadata(folder.generator_path)["step"]) <= step
        assert all(torch.equal(state["networks"][name], tensor) for name, tensor in tensors(step).items())
        stored = int(read_metadata(folder.generator_path)["step"])
        loaded = load_generator(folder.generator_path).state_dict()
        assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors(stored).items())
    assert step >= 20
    assert len(list(tmp_path.glob(".*.partial"))) > 5  # kills while a file was written
    with folder.opened(TrainConfig(), step):
        assert not list(tmp_path.glob(".*.partial"))


def test_state_round_trip(generator: Generator, tmp_path: Path) -> None:
    optimizer = torch.optim.Adam(generator.parameters(), 1e-3)
    output_sum = generator(torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)).refined.sum()
    output_sum.backward()
    optimizer.step()
    state = {"networks": {"optimizer": optimizer.state_dict()}, "progress": {"best_loss": float("inf"), "corrupt": [1]}}
    save_state(tmp_path / "state.pt", state)
    loaded = load_state(tmp_path / "state.pt")
    assert loaded["progress"] == state["progress"]
    moments = loaded["networks"]["optimizer"]["state"]
    for index, values in optimizer.state_dict()["state"].items():
        assert all(torch.equal(moments[index][name], value) for name, value in values.items())


def test_damaged_states_are_refused(generator: Generator, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"networks": generator.state_dict(), "progress": {}})
    content, rng = path.read_bytes(), np.random.default_rng(0)
    with zipfile.ZipFile(path) as archive:
        start = max(archive.infolist(), key=lambda info: info.file_size).header_offset + 200
    for position in [start, start + 500, *rng.integers(0, len(content), 20)]:
        damaged = bytearray(content)
        damaged[position] ^= 16
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):  # nothing is raised in the padding between tensors
            found = load_state(path)["networks"]
            assert position > start + 500
            assert all(torch.equal(found[name], tensor) for name, tensor in generator.state_dict().items())
    path.write_bytes(content[: start + 1] + bytes([content[start + 1] ^ 1]) + content[start + 2 :])
    with pytest.raises(ValueError, match="does not match its checksum"):
        load_state(path)
    for part in (b"", b"text", content[:100], content[: len(content) // 2], content[:-1]):
        path.write_bytes(part)
        with pytest.raises(ValueError, match=r"state\.pt is not a readable training state"):
            load_state(path)
    path.write_bytes(content)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb:
        for name in old.namelist():
            bomb.writestr(name, old.read(name))
        bomb.writestr("zeros", bytes(1_000_000))
    with pytest.raises(ValueError, match="compressed or overlap"):
        load_state(tmp_path / "bomb.pt")
    torch.save({"networks": [1], "progress": None}, path)
    with pytest.raises(ValueError, match="is not a training state"):
        load_state(path)
    torch.save({"weights": 1}, path)
    with pytest.raises(ValueError, match="is not a training state"):
        load_state(path)
    with pytest.raises(FileNotFoundError):
        load_state(tmp_path / "none.pt")


def test_run_folder_refuses_another_configuration(generator: Generator, tmp_path: Path) -> None:
    config = TrainConfig()
    folder = RunFolder(tmp_path / "run")
    assert folder.read(config) is None
    assert not folder.path.exists()
    with folder.opened(config, 0):
        pass
    other = replace(config, seed=1, loss=LossConfig(hole_weight=6.0), machine=MachineConfig(device="cpu"))
    assert folder.read(other) is None  # nothing is trained yet, so nothing is lost
    save_state(folder.state_path, {"networks": {}, "progress": {}})
    assert folder.read(replace(config, machine=MachineConfig(device="cpu", max_minutes=3))) is not None
    with pytest.raises(ValueError, match=r"another configuration") as error:
        folder.read(other)
    lines = [line.strip() for line in str(error.value).splitlines()]
    assert lines[1:3] == ["loss.hole_weight: 1.0 -> 6.0", "seed: 0 -> 1"]
    assert not any("device" in line for line in lines)


def test_key_missing_in_an_older_run_counts_as_its_default(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    old = to_json(TrainConfig())
    del old["loss"]["perceptual_local"], old["schedule"], old["machine"]
    old["loss"]["hole_weight"] = 1  # an int where a float is meant
    folder.config_path.write_text(json.dumps(old))
    save_state(folder.state_path, {"networks": {}, "progress": {}})
    assert folder.read(TrainConfig()) is not None
    with pytest.raises(ValueError, match=r"schedule: 'constant' -> 'cosine'"):
        folder.read(TrainConfig(schedule="cosine"))
    folder.config_path.unlink()
    with pytest.raises(ValueError, match=r"without its config\.json"):
        folder.read(TrainConfig())


def test_run_folder_is_cleared_of_what_a_killed_run_left(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "samples").mkdir()
    for leftover in (tmp_path / ".temperfill-12.partial", tmp_path / "samples" / ".temperfill-34.partial"):
        leftover.write_bytes(b"half")
    lines = [json.dumps({"step": step}) for step in (1, 2, 3)]
    folder.log_path.write_text("\n".join([*lines, "not a record", '{"seconds": 1}', "[1]"]) + '\n{"step": 2, "los')
    config = TrainConfig(log_every=1)
    with folder.opened(config, 2):
        folder.log({"step": 3, "loss": 0.5})
        with pytest.raises(ValueError, match="JSON"):
            folder.log({"step": 4, "loss": float("nan")})
    records = [json.loads(line) for line in folder.log_path.read_text().splitlines()]
    assert records == [{"step": 1}, {"step": 2}, {"step": 3, "loss": 0.5}]
    assert not list(tmp_path.rglob("*.partial"))
    assert from_json(TrainConfig, json.loads(folder.config_path.read_text())) == config


def test_run_folder_is_for_one_process(tmp_path: Path) -> None:
    def enter_in_another_process() -> int:
        """Exit code: 0 if the folder lets it in, 7 if it names the reason."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with RunFolder(tmp_path).opened(TrainConfig(), 0):
                    code = 0
            except OSError as error:
                code = 7 if "another process" in str(error) and error.filename == str(tmp_path) else 2
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    with RunFolder(tmp_path).opened(TrainConfig(), 0):
        assert enter_in_another_process() == 7
    assert enter_in_another_process() == 0


def test_unwritable_run_folder_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run", Path("/proc/nowhere")):
        with pytest.raises(OSError), RunFolder(path).opened(TrainConfig(), 0):  # noqa: PT011
            pass
