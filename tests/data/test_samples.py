"""Samples: a function of seed and number alone, whatever the workers; corrupt pictures; folders."""

import hashlib
import random
import threading
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill.config import DataConfig
from temperfill.data import Batch, PictureFolders, batches


def write_pictures(folder: Path, num: int, size: tuple[int, int] = (48, 40), start: int = 0) -> None:
    """Plain pictures whose red tells which one it is, with a bright left half, so that flips show."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + num):
        pixels = np.zeros((size[1], size[0], 3), np.uint8)
        pixels[..., 0] = 10 * i
        pixels[:, : size[0] // 2, 1] = 200
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "pictures", 7)
    return tmp_path / "pictures"


def config(*folders: Path, **values: object) -> DataConfig:
    return DataConfig(train=folders, **({"resize": 36, "crop_size": 32} | values))  # type: ignore[arg-type]


def identity(sample: Batch) -> int:
    """Which picture of ``write_pictures`` a sample shows."""
    return round(float(sample.image[..., 0, :, :].median()) * 255 / 10)


def same(one: Iterable[Batch], two: Iterable[Batch]) -> bool:
    return all(torch.equal(a, b) for x, y in zip(one, two, strict=True) for a, b in zip(x, y, strict=True))


def take(dataset: PictureFolders, count: int, first: int = 0, workers: int = 0, size: int = 3) -> list[Batch]:
    with closing(batches(dataset, size, first, workers)) as source:
        return list(islice(source, count))


def test_squashed_pictures_are_seen_whole(tmp_path: Path) -> None:
    Image.linear_gradient("L").resize((96, 40)).save(tmp_path / "a.png")
    sample = PictureFolders(config(tmp_path, resize=32, squash=True, flip=False), 0)[0]
    whole = Image.open(tmp_path / "a.png").convert("RGB").resize((32, 32), Image.Resampling.LANCZOS)
    assert torch.equal((sample.image * 255).round().byte(), torch.from_numpy(np.array(whole)).permute(2, 0, 1))
    with pytest.raises(ValueError, match="squash does not take sketches"):
        config(tmp_path, squash=True, sketches=(tmp_path,))


def test_strokes_have_the_direction_of_the_configuration(folder: Path) -> None:
    upright, turned = (
        PictureFolders(config(folder, mask_strokes=strokes), 0)[3] for strokes in ("deepfillv2", "turned")
    )
    assert torch.equal(upright.image, turned.image)
    # On squares the strokes of one are those of the other turned, but the square that is united with them is not.
    assert not torch.equal(upright.mask, turned.mask)
    assert upright.mask.any()


def test_sample_has_the_documented_form(folder: Path) -> None:
    (batch,) = take(PictureFolders(config(folder), 0), 1, size=4)
    assert batch.image.shape == (4, 3, 32, 32)
    assert batch.image.dtype == torch.float32
    assert 0 <= batch.image.min() <= batch.image.max() <= 1
    assert batch.mask.shape == (4, 1, 32, 32)
    assert set(batch.mask.unique().tolist()) == {0.0, 1.0}
    for mask, (row, column) in zip(batch.mask, batch.centre.tolist(), strict=True):
        assert mask[0, row, column] == 1
    assert batch.corrupt.tolist() == [-1] * 4


def test_sample_is_a_function_of_seed_and_number(folder: Path) -> None:
    one, two, other = (PictureFolders(config(folder), seed) for seed in (5, 5, 6))
    forwards = [one[i] for i in range(30)]
    backwards = [two[i] for i in reversed(range(30))][::-1]
    assert same(forwards, backwards)
    assert not same(forwards, [other[i] for i in range(30)])


def test_samples_of_a_picture_differ_between_epochs(folder: Path) -> None:
    dataset = PictureFolders(config(folder), 0)
    masks = [dataset[i].mask for i in range(21)]
    assert len({mask.numpy().tobytes() for mask in masks}) == 21
    flipped = {bool(dataset[i].image[1, 0, 0] < 0.5) for i in range(21)}
    assert flipped == {True, False}
    plain = PictureFolders(config(folder, flip=False), 0)
    assert all(plain[i].image[1, 0, 0] > 0.5 for i in range(21))


def test_same_batches_for_any_workers_and_first_step(folder: Path) -> None:
    dataset = PictureFolders(config(folder), 1)
    expected = take(dataset, 6)
    for workers in (0, 1, 2):
        assert same(expected[2:], take(dataset, 4, first=2, workers=workers))
    assert same(take(dataset, 1, first=10**6), take(dataset, 1, first=10**6, workers=1))


@pytest.mark.parametrize("world", [2, 3])
def test_parts_of_all_ranks_are_the_batch_of_one(folder: Path, world: int) -> None:
    """The order is a function of (seed, step, rank, world): whatever the world, every step has the same samples."""
    dataset = PictureFolders(config(folder), 1)
    expected = take(dataset, 5, first=1, size=6)
    parts = []
    for rank in range(world):
        with closing(batches(dataset, 6, 1, rank % 2, rank, world)) as source:
            parts.append(list(islice(source, 5)))
    joined = [Batch(*(torch.cat(tensors) for tensors in zip(*step, strict=True))) for step in zip(*parts, strict=True)]
    assert same(joined, expected)
    assert [batch.number.tolist() for batch in expected] == [list(range(6 * s, 6 * s + 6)) for s in range(1, 6)]
    with pytest.raises(ValueError, match="a batch of 6 pictures cannot be divided among 4 processes"):
        batches(dataset, 6, 0, 0, 0, 4)


def test_one_order_at_a_time_is_kept(folder: Path) -> None:
    dataset = PictureFolders(config(folder), 0)
    order = [dataset.index(number) for number in range(70)]
    assert [dataset.index(number) for number in reversed(range(70))] == order[::-1]
    ((epoch, kept),) = dataset._permutations.values()
    assert (epoch, kept.dtype, len(kept)) == (0, np.uint32, 7)


@pytest.mark.parametrize("epoch", [0, 1, 2, 1000])
def test_every_epoch_is_a_permutation(folder: Path, epoch: int) -> None:
    dataset = PictureFolders(config(folder), 0)
    order = [dataset.index(epoch * 7 + i) for i in range(7)]
    assert sorted(order) == list(range(7))
    assert order != [dataset.index((epoch + 1) * 7 + i) for i in range(7)]
    assert identity(dataset[epoch * 7]) == order[0]


def test_balanced_draws_folders_in_turn(tmp_path: Path) -> None:
    for name, num, start in (("a", 2, 0), ("b", 5, 10), ("c", 3, 20)):
        write_pictures(tmp_path / name, num, start=start)
    folders = [tmp_path / name for name in "abc"]
    balanced = PictureFolders(config(*folders, balanced=True), 0)
    order = np.array([balanced.index(i) for i in range(3 * 60)])
    bounds = [(0, 2), (2, 7), (7, 10)]
    for turn, (start, stop) in enumerate(bounds):
        drawn = order[turn::3]
        assert np.bincount(drawn - start, minlength=stop - start).tolist() == [60 // (stop - start)] * (stop - start)
        first_epoch = drawn[: stop - start]
        assert sorted(first_epoch) == list(range(start, stop))
    plain = PictureFolders(config(*folders), 0)
    assert sorted(plain.index(i) for i in range(10)) == list(range(10))


def test_global_generators_are_untouched(folder: Path) -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[union-attr]
    expected = [take(PictureFolders(config(folder), 0), 3, workers=workers) for workers in (0, 1)]
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[union-attr]
    assert torch.equal(torch.get_rng_state(), before[2])
    random.seed(2), np.random.seed(2), torch.manual_seed(2)
    assert all(same(e, take(PictureFolders(config(folder), 0), 3)) for e in expected)


def test_corrupt_picture_is_named_and_replaced_deterministically(folder: Path) -> None:
    (folder / "03.png").write_bytes((folder / "03.png").read_bytes()[:60])
    (folder / "04.png").write_text("this is text")
    dataset = PictureFolders(config(folder), 0)
    found: dict[int, set[int]] = {3: set(), 4: set()}
    for number in range(70):
        sample = dataset[number]
        index = dataset.index(number)
        assert sample.corrupt == (index if index in found else -1)
        if index in found:
            assert identity(sample) not in found
            found[index].add(identity(sample))
    assert all(len(replacements) > 1 for replacements in found.values())
    assert same(take(dataset, 10), take(dataset, 10, workers=2))


def test_thin_and_half_pictures_are_unreadable_and_others_stay_as_they_were(folder: Path) -> None:
    dataset = PictureFolders(config(folder), 0)
    shown = b"".join((dataset[number].image * 255).round().byte().numpy().tobytes() for number in range(7))
    assert hashlib.sha256(shown).hexdigest()[:16] == "0f486fa11b8f9740"
    Image.new("RGB", (1, 2000)).save(folder / "03.png")
    with (folder / "04.png").open("wb") as file:
        Image.effect_noise((300, 200), 90).save(file, "JPEG")
        file.truncate(file.tell() // 2)
        file.seek(0, 2)
        file.write(b"\xff\xd9")
    dataset = PictureFolders(config(folder), 0)
    unreadable = {dataset.index(number) for number in range(28) if dataset[number].corrupt >= 0}
    assert {dataset.name(index).rpartition("/")[2] for index in unreadable} == {"03.png", "04.png"}


def test_a_folder_without_a_readable_picture_is_an_error_and_no_endless_search(tmp_path: Path) -> None:
    for i in range(5):
        (tmp_path / f"{i}.jpg").write_text("text")
    with pytest.raises(ValueError, match=r"no training picture can be read: .*jpg.* from all 5"):
        PictureFolders(config(tmp_path), 0)[0]


def test_a_place_that_does_not_answer_is_an_error_and_replaces_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The samples of a resumed run would depend on what was down when."""
    dataset = PictureFolders(config(folder), 0)

    def down(_: int) -> bytes:
        raise ConnectionError("no answer")

    monkeypatch.setattr(dataset.pictures, "read", down)
    with pytest.raises(ConnectionError):
        dataset[0]


def test_bad_folders_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--data\.train"):
        PictureFolders(DataConfig(), 0)
    with pytest.raises(NotADirectoryError, match="nowhere"):
        PictureFolders(config(tmp_path / "nowhere"), 0)
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"file\.png"):
        PictureFolders(config(tmp_path / "file.png"), 0)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    with pytest.raises(ValueError, match=r"no pictures in .*empty"):
        PictureFolders(config(tmp_path / "empty"), 0)


@pytest.mark.parametrize("size", [(32, 32), (9, 300), (300, 9), (1, 1), (36, 40)])
def test_any_picture_size_gives_the_crop(tmp_path: Path, size: tuple[int, int]) -> None:
    write_pictures(tmp_path, 1, size)
    for crop_size in (8, 32, 36):
        sample = PictureFolders(config(tmp_path, crop_size=crop_size), 0)[0]
        assert sample.image.shape == (3, crop_size, crop_size)
        assert sample.mask.any()


def corrupt(folder: Path) -> Path:
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(b"no picture")
    return folder


def write_sketches(folder: Path, pictures: Path, size: tuple[int, int] = (48, 40)) -> None:
    """A sketch for each picture: dots, so that every pixel is a part of its own."""
    folder.mkdir(parents=True)
    for path in sorted(pictures.iterdir()):
        lines = np.zeros(size[::-1], np.uint8)
        lines[::4, ::2] = 255
        Image.fromarray(lines).save(folder / f"{path.stem}.png")


class TestSketches:
    """Lines belong to their picture, lie in the hole, are shown as often as asked, and change nothing else."""

    @pytest.fixture
    def config(self, tmp_path: Path) -> DataConfig:
        write_pictures(tmp_path / "pictures", 6)
        write_sketches(tmp_path / "sketches", tmp_path / "pictures")
        return DataConfig(
            train=(tmp_path / "pictures",), sketches=(tmp_path / "sketches",), resize=40, crop_size=32, sketch_share=1.0
        )

    def test_the_samples_are_those_of_a_run_without(self, config: DataConfig) -> None:
        plain = PictureFolders(replace(config, sketches=()), seed=3)
        guided = PictureFolders(config, seed=3)
        for number in range(12):
            one, two = plain[number], guided[number]
            assert one.sketch.shape == (0, 32, 32)
            assert same([one._replace(sketch=two.sketch)], [two])

    def test_lines_follow_crop_and_flip_and_stay_in_the_hole(self, tmp_path: Path, config: DataConfig) -> None:
        for path in (tmp_path / "pictures").iterdir():  # pictures that show their own lines
            lines = np.asarray(Image.open(tmp_path / "sketches" / f"{path.stem}.png"))
            Image.fromarray(np.repeat(lines[..., None], 3, 2)).save(path)
        dataset = PictureFolders(replace(config, sketch_parts=0.0), seed=1)
        seen = 0
        for number in range(12):
            sample = dataset[number]
            assert torch.equal(sample.sketch, sample.image[:1] * sample.mask)
            seen += int(sample.sketch.sum())
        assert seen > 0

    def test_share_and_parts(self, config: DataConfig) -> None:
        whole = PictureFolders(replace(config, sketch_parts=0.0), seed=1)
        none = PictureFolders(replace(config, sketch_share=0.0), seed=1)
        some = PictureFolders(replace(config, sketch_parts=1.0), seed=1)
        half = PictureFolders(replace(config, sketch_share=0.5, sketch_parts=0.0), seed=1)
        shown = 0
        for number in range(40):
            lines = whole[number].sketch
            assert none[number].sketch.sum() == 0
            part = some[number].sketch
            assert torch.all(part <= lines)
            assert 0.2 < part.sum() / lines.sum() < 0.8
            found = half[number].sketch
            assert found.sum() in (0, lines.sum())
            shown += bool(found.sum())
        assert 10 <= shown <= 30

    def test_another_size_counts_as_unreadable_and_says_what_to_do(self, tmp_path: Path, config: DataConfig) -> None:
        dataset = PictureFolders(config, seed=1)
        for path in (tmp_path / "sketches").iterdir():
            Image.fromarray(np.zeros((20, 24), np.uint8)).save(path)
        with pytest.raises(ValueError, match=r"24x20, but its picture 48x40 in training.*--short-side 40"):
            dataset[0]

    def test_missing_and_foreign_sketches_are_refused(self, tmp_path: Path, config: DataConfig) -> None:
        first = min((tmp_path / "sketches").iterdir())
        first.rename(first.with_name("zzz.png"))
        with pytest.raises(ValueError, match="is no sketch of"):
            PictureFolders(config, seed=1)[0]
        (tmp_path / "sketches" / "zzz.png").unlink()
        with pytest.raises(ValueError, match="holds 5 sketches of 6 pictures"):
            PictureFolders(config, seed=1)
        with pytest.raises(ValueError, match="one folder for each of the 1"):
            replace(config, sketches=(tmp_path, tmp_path))

    def test_sketches_behind_http_are_those_of_their_pictures(self, tmp_path: Path) -> None:
        """Names with a space, '#' or '%', which are written otherwise in a URL."""
        pytest.importorskip("aiohttp")
        write_pictures(tmp_path / "pictures", 3)
        for path, name in zip(sorted((tmp_path / "pictures").iterdir()), ("a b#1", "ü 50%", "c"), strict=True):
            path.rename(path.with_stem(name))
        write_sketches(tmp_path / "lines", tmp_path / "pictures")

        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

        def samples(where: Path | str, lines: Path | str) -> list[Batch]:
            data = DataConfig((where,), resize=40, crop_size=32, sketches=(lines,), sketch_share=1.0)
            dataset = PictureFolders(data, 1)
            assert sorted(map(dataset.pictures.label, range(3))) == ["a b#1.png", "c.png", "ü 50%.png"]
            return [dataset[number] for number in range(3)]

        with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                url = f"http://127.0.0.1:{server.server_address[1]}"
                found = samples(f"{url}/pictures", f"{url}/lines")
            finally:
                server.shutdown()
                thread.join()
        assert same(found, samples(tmp_path / "pictures", tmp_path / "lines"))
