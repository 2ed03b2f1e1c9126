"""Weights files, states and run folders: what is saved loads as it was, and nothing damaged or foreign loads."""

import ast
import contextlib
import itertools
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import temperfill
from temperfill import checkpoint
from temperfill.checkpoint import (
    RunFolder,
    load_generator,
    load_state,
    load_tensors,
    method_in,
    read_metadata,
    save_generator,
    save_state,
)
from temperfill.config import (
    ATMAConfig,
    GeneratorConfig,
    LossConfig,
    MachineConfig,
    PartialConvConfig,
    TrainConfig,
    WaveFillConfig,
    from_json,
    to_json,
)
from temperfill.nets.building import build
from temperfill.nets.generator import Generator

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


def output(generator: Generator) -> torch.Tensor:
    noise = torch.Generator().manual_seed(1)
    image, mask = torch.rand(1, 3, 16, 24, generator=noise), torch.zeros(1, 1, 16, 24)
    mask[..., 4:9, 5:11] = 1
    with torch.inference_mode():
        return generator(image, mask).refined


def tampered(path: Path, tensors: Callable[[dict[str, torch.Tensor]], Any], **metadata: str) -> Path:
    """The file with other content and a digest that fits it, as an attacker or another version would write it."""
    stored, old = safetensors.torch.load_file(path), read_metadata(path)
    stored = tensors(stored) or stored
    new = old | metadata
    new["sha256"] = checkpoint.digest(checkpoint.summed(new), stored)
    out = path.with_name("tampered.safetensors")
    safetensors.torch.save_file(stored, out, new)
    return out


class Payload:
    """Runs a command when it is unpickled by anything that runs code."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def test_saved_generator_gives_the_same_output(generator: Generator, path: Path) -> None:
    loaded = load_generator(path)
    assert loaded.config == CONFIG
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert torch.equal(output(loaded), output(generator))
    assert torch.equal(output(load_generator(path, "cpu")), output(generator))


def test_file_names_its_method_and_one_that_names_none_is_ours(path: Path, tmp_path: Path) -> None:
    assert read_metadata(path)["method"] == method_in(path) == "ours"
    metadata = read_metadata(path)
    del metadata["method"]
    old, stored = tmp_path / "old.safetensors", safetensors.torch.load_file(path)
    safetensors.torch.save_file(stored, old, metadata)
    with pytest.raises(ValueError, match="SHA-256"):  # the method cannot get lost
        load_generator(old)
    safetensors.torch.save_file(
        stored, old, metadata | {"sha256": checkpoint.digest(checkpoint.summed(metadata), stored)}
    )
    assert method_in(old) == "ours"
    assert same_weights(load_generator(old, method="ours"), load_generator(path))
    # Files that named their method before the sum covered it.
    first = metadata | {"method": "ours", "sha256": checkpoint.digest(metadata["config"], stored)}
    safetensors.torch.save_file(stored, old, first)
    assert same_weights(load_generator(old, method="ours"), load_generator(path))
    other = tampered(path, lambda t: t, method="deepfillv2")
    with pytest.raises(ValueError, match=r"tampered\.safetensors: config\.attention: unknown key"):
        load_generator(other)
    for load in (method_in, load_generator):
        with pytest.raises(ValueError, match="holds a generator of the method 'gan'; known are ours, partialconv"):
            load(tampered(path, lambda t: t, method="gan"))
    with pytest.raises(ValueError, match="of the method ours, not of wavefill"):
        load_generator(path, method="wavefill")


def same_weights(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    states = one.state_dict(), two.state_dict()
    return all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


@pytest.mark.parametrize("config", [PartialConvConfig(width=2), ATMAConfig(width=2), WaveFillConfig(width=4)])
def test_generators_of_other_methods_are_stored_with_their_statistics(config: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = build(config).train()
    generator(torch.rand(2, 3, 72, 72), torch.zeros(2, 1, 72, 72))  # moves statistics
    for name, buffer in generator.named_buffers():
        if name.endswith("num_batches_tracked"):
            buffer.fill_(10**6)  # beyond half precision
    for dtype in (torch.float32, torch.float16):
        save_generator(tmp_path / "weights.safetensors", generator, dtype=dtype)
        loaded = load_generator(tmp_path / "weights.safetensors")
        assert loaded.config == config
        assert not loaded.training
        for name, tensor in loaded.state_dict().items():
            expected = generator.state_dict()[name]
            assert tensor.dtype == expected.dtype
            assert torch.equal(
                tensor, expected.to(dtype).to(expected.dtype) if expected.is_floating_point() else expected
            )


def test_channels_last_weights_are_saved_alike(generator: Generator, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_generator(other, generator.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    assert read_metadata(other) == read_metadata(path)  # the SHA-256 of the content among it
    assert torch.allclose(output(load_generator(other)), output(generator), atol=1e-6)


def test_half_precision_is_stored_and_loads_as_float32(generator: Generator, path: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.safetensors"
    save_generator(half, generator, dtype=torch.float16)
    assert half.stat().st_size < 0.6 * path.stat().st_size
    loaded = load_generator(half)
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, generator.state_dict()[name].half().float())
    assert torch.allclose(output(loaded), output(generator), atol=0.02)


def test_other_tensors_and_metadata_are_stored(generator: Generator, tmp_path: Path) -> None:
    path = tmp_path / "averaged.safetensors"
    averaged = {name: tensor * 2 for name, tensor in generator.state_dict().items()}
    save_generator(path, generator, averaged, {"step": "12"})
    assert read_metadata(path)["step"] == "12"
    assert from_json(GeneratorConfig, json.loads(read_metadata(path)["config"])) == CONFIG
    for name, tensor in load_generator(path).state_dict().items():
        assert torch.equal(tensor, averaged[name])


def test_any_flipped_bit_of_the_weights_is_found(path: Path, tmp_path: Path) -> None:
    content, rng = path.read_bytes(), np.random.default_rng(0)
    header = int.from_bytes(content[:8], "little") + 8
    positions = [*rng.integers(0, header, 40), *rng.integers(header, len(content), 40), 0, 7, len(content) - 1]
    for position in positions:
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        (tmp_path / "flipped.safetensors").write_bytes(damaged)
        with pytest.raises(ValueError, match="flipped"):
            load_generator(tmp_path / "flipped.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 0.5, -1])
def test_truncated_file_is_refused(path: Path, keep: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))] if isinstance(keep, float) else content[: int(keep)])
    with pytest.raises(ValueError, match=r"weights\.safetensors"):
        load_generator(path)


def test_missing_file_and_folder_are_os_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match="no weights file at"):
            load_generator(path)


def test_foreign_files_are_refused(tmp_path: Path, path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(2)}, foreign)
    with pytest.raises(ValueError, match="is not a temperfill generator"):
        load_generator(foreign)
    for content in (b"text", b"\x00" * 100, b"\xff" * 100, b"PK\x03\x04" + bytes(50)):
        foreign.write_bytes(content)
        with pytest.raises(ValueError, match="is not a safetensors file"):
            load_generator(foreign)
    with pytest.raises(ValueError, match="format temperfill-generator-0, expected temperfill-generator-1"):
        load_generator(tampered(path, lambda t: t, format="temperfill-generator-0"))


def test_pickles_are_never_executed(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    files = [tmp_path / "plain.pt", tmp_path / "zip.pt", tmp_path / "legacy.pt"]
    files[0].write_bytes(pickle.dumps(Payload(marker)))
    torch.save({"networks": Payload(marker), "progress": {}}, files[1])
    torch.save({"networks": Payload(marker)}, files[2], _use_new_zipfile_serialization=False)
    for file in files:
        for load in (load_state, load_generator):
            with pytest.raises(ValueError, match="is not a"):
                load(file)
    assert not marker.exists()
    torch.load(files[1], weights_only=False)
    assert marker.exists()  # the payload is alive


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {k: v for k, v in t.items() if "bias" not in k}, "missing"),
        (lambda t: t.update(extra=torch.zeros(1)), "unexpected.*extra"),
        (lambda t: t.update({"coarse.0.convolution.weight": torch.zeros(3)}), "shape|missing|unexpected"),
        (lambda t: {k: v[..., :1].contiguous() for k, v in t.items()}, "has shape"),
        (lambda t: t[sorted(t)[3]].fill_(float("nan")), "not finite"),
        (lambda t: t[sorted(t)[3]].view(-1)[0].fill_(float("inf")), "not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(path: Path, change: Any, message: str) -> None:
    def apply(tensors: dict[str, torch.Tensor]) -> Any:
        result = change(tensors)
        return result if isinstance(result, dict) else tensors

    with pytest.raises(ValueError, match=message) as error:
        load_generator(tampered(path, apply))
    assert "tampered.safetensors" in str(error.value)


def test_tensors_that_are_not_finite_are_named(path: Path) -> None:
    for name in sorted(safetensors.torch.load_file(path))[::10]:

        def spoil(tensors: dict[str, torch.Tensor], name: str = name) -> None:
            tensors[name].view(-1)[-1] = float("nan")

        with pytest.raises(ValueError, match=rf"tampered\.safetensors: {re.escape(name)} holds .* not finite"):
            load_generator(tampered(path, spoil))


def test_no_call_in_the_package_can_run_code_of_a_file() -> None:
    refused = {"pickle.load", "pickle.loads", "pickle.Unpickler", "torch.jit.load", "eval", "exec", "os.system"}
    found = 0
    for path in Path(temperfill.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            called, place = ast.unparse(call.func), f"{path}:{call.lineno}"
            options = {option.arg: ast.unparse(option.value) for option in call.keywords}
            assert called not in refused, place
            assert options.get("allow_pickle", "False") == options.get("shell", "False") == "False", place
            if called == "torch.load":
                assert options["weights_only"] == "True", place
                found += 1
    assert found == 2  # weights of others, and the state of a run


@pytest.mark.parametrize(
    ("config", "message"),
    [("{", "not valid JSON"), ("[]", "expected an object"), ('{"width": "a"}', "width: expected int"),
     ('{"depth": 1}', "depth: unknown key"), ('{"width": 8}', "missing|shape")],
)  # fmt: skip
def test_configuration_that_does_not_fit_is_refused(path: Path, config: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_generator(tampered(path, lambda t: t, config=config))


def test_load_tensors_changes_nothing_if_it_fails(generator: Generator) -> None:
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    wrong = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    wrong[sorted(wrong)[-1]] = torch.full_like(wrong[sorted(wrong)[-1]], float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        load_tensors(generator, wrong, "here")
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


def test_weights_that_would_not_load_are_not_written(generator: Generator, path: Path) -> None:
    before = path.read_bytes()
    for value, dtype in ((float("nan"), torch.float32), (1e6, torch.float16)):
        wrong = {name: torch.full_like(tensor, value) for name, tensor in generator.state_dict().items()}
        with pytest.raises(ValueError, match="not finite"):
            save_generator(path, generator, wrong, dtype=dtype)
    assert path.read_bytes() == before


def test_failure_while_writing_keeps_the_old_file(
    generator: Generator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_path = path.with_name("state.pt")
    save_state(state_path, {"networks": {}, "progress": {"step": 1}})
    before = path.read_bytes(), state_path.read_bytes(), sorted(path.parent.iterdir())

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        save_generator(path, generator, {k: v * 2 for k, v in generator.state_dict().items()})
    with pytest.raises(OSError, match="Input/output error"):
        save_state(state_path, {"networks": {}, "progress": {"step": 2}})
    assert (path.read_bytes(), state_path.read_bytes(), sorted(path.parent.iterdir())) == before


def test_disk_full_is_an_os_error_and_keeps_the_old_files(generator: Generator, path: Path) -> None:
    """A file-size limit stands for the full disk; it can only be set in a process of its own."""
    state_path = path.with_name("state.pt")
    save_state(state_path, {"networks": {}, "progress": {"step": 1}})
    before = path.read_bytes(), state_path.read_bytes(), sorted(path.parent.iterdir())
    script = textwrap.dedent("""
        import pathlib, resource, signal, sys, torch
        from temperfill.checkpoint import load_generator, save_generator, save_state
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
    with folder.opened(TrainConfig(), 2):
        folder.log({"step": 3, "loss": 0.5})
        with pytest.raises(ValueError, match="JSON"):
            folder.log({"step": 4, "loss": float("nan")})
    records = [json.loads(line) for line in folder.log_path.read_text().splitlines()]
    assert records == [{"step": 1}, {"step": 2}, {"step": 3, "loss": 0.5}]
    assert not list(tmp_path.rglob("*.partial"))
    assert from_json(TrainConfig, json.loads(folder.config_path.read_text())) == TrainConfig()


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
