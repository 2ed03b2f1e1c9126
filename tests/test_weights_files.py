"""Weights files: what is saved loads as it was, and nothing damaged or foreign loads."""

import ast
import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import temperfill
from temperfill import weights_files, weights_reading
from temperfill.config import (
    GeneratorConfig,
    from_json,
)
from temperfill.nets.generator import Generator
from temperfill.runs.folder import load_state, save_state
from temperfill.systems.atma import ATMAConfig
from temperfill.systems.building import build
from temperfill.systems.partialconv import PartialConvConfig
from temperfill.systems.wavefill import WaveFillConfig
from temperfill.weights_files import load_generator, load_tensors, save_generator
from temperfill.weights_reading import method_in, read_metadata

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
    new["sha256"] = weights_files.digest(weights_reading.summed(new), stored)
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
        stored, old, metadata | {"sha256": weights_files.digest(weights_reading.summed(metadata), stored)}
    )
    assert method_in(old) == "ours"
    assert same_weights(load_generator(old, method="ours"), load_generator(path))
    # Files that named their method before the sum covered it.
    first = metadata | {"method": "ours", "sha256": weights_files.digest(metadata["config"], stored)}
    safetensors.torch.save_file(stored, old, first)
    assert same_weights(load_generator(old, method="ours"), load_generator(path))
    other = tampered(path, lambda t: t, method="deepfillv2")
    with pytest.raises(ValueError, match=r"tampered\.safetensors: config\.widths: unknown key"):
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
    assert found == 2  # foreign weights, and the state of a run


@pytest.mark.parametrize(
    ("config", "message"),
    [("{", "not valid JSON"), ("[]", "expected an object"), ('{"width": "a"}', "width: expected int"),
     ('{"depth": 1}', "depth: unknown key"), ('{"width": 8}', "missing|shape")],
)  # fmt: skip
def test_configuration_that_does_not_fit_is_refused(path: Path, config: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_generator(tampered(path, lambda t: t, config=config))


@pytest.mark.parametrize(
    "config",
    [
        *({"width": width} for width in (1000, 4000, 10**9, 10**400)),
        *({"head_dim": 10**7}, {"heads": 64, "head_dim": 1024}, {"heads": 10**9}, {"patch_size": 10**9}),
        *({"key_stride": 10**9}, {"temperature_init": 1e308}, {"masked_score": -1.7e308}, {"width": -24}),
        *({"attention": "a" * 100_000}, {"a" * 100_000: 1}),
    ],
)
def test_a_small_file_cannot_ask_for_much(config: dict[str, Any], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", lambda tensor, **_: made.append(tensor.numel()))
    file = tampered(path, lambda _: {"x": torch.zeros(1)}, config=json.dumps(config))
    with pytest.raises(ValueError, match=r"tampered\.safetensors") as error:
        load_generator(file)
    assert len(str(error.value)) < 1000
    assert sum(made) < 2_000_000


def test_numbers_of_another_kind_are_refused(path: Path) -> None:
    for dtype in (torch.complex64, torch.int64, torch.bool):

        def change(tensors: dict[str, torch.Tensor], dtype: torch.dtype = dtype) -> None:
            name = sorted(tensors)[0]
            tensors[name] = tensors[name].to(dtype)

        with pytest.raises(ValueError, match=f"is of type {dtype}, expected torch.float32"):
            load_generator(tampered(path, change))


def test_headers_of_millions_of_tensors_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "many.safetensors"
    path.write_bytes((5_000_000).to_bytes(8, "little") + b" " * 5_000_000)
    with pytest.raises(ValueError, match="its header has 5,000,000 bytes"):
        read_metadata(path)


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
