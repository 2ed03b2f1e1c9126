"""Options of a filling: what every door takes from their fields, and the keys of results, which outlive versions."""

import inspect
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_type_hints

import pytest

from temperfill import bulk, cli
from temperfill.bulk import work
from temperfill.bulk.manifest import key_of
from temperfill.errors import InputError
from temperfill.inpainter import Inpainter
from temperfill.options import OPTIONS, SERVED, FillKeywords, FillOptions, MaskOptions, Option

OTHER: dict[type, Any] = {int: 3, float: 0.5, bool: True}
NOT_SERVED = {"strategy", "context"}
"""What a service keeps to itself, as it decides how much memory one request takes."""


def other(option: Option) -> Any:
    """A value that is not the default."""
    return option.choices[-1] if option.choices else OTHER[option.kind]


def key(options: FillOptions, **settings: Any) -> str:
    chosen = bulk.BulkOptions(model="telea", filling=options, **settings)
    return key_of("p", "m", chosen.fingerprint() | {"suffix": ".png"})


@pytest.fixture(autouse=True)
def version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "__version__", "0.9")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_door_has_every_option(option: Option, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["inpaint", "--help"])
    shown = " ".join(re.sub(r"[^\x20-\x7e]", " ", capsys.readouterr().out).split())
    flag = f"--{option.name.replace('_', '-')}"
    assert re.search(rf" {flag}[ ,]", shown)  # with a comma before --no-..., where it is yes or no
    assert option.help
    assert f"{option.help} (default: {option.default})" in shown
    assert FillKeywords.__annotations__.keys() == {o.name for o in OPTIONS} - {"seed"}
    call = inspect.signature(Inpainter.__call__).parameters
    assert call["options"].kind is inspect.Parameter.VAR_KEYWORD
    if option.name == "seed":  # on whose number the kind of result depends
        assert call["seed"].default == option.default
    else:
        assert get_type_hints(FillKeywords)[option.name] == get_type_hints(FillOptions)[option.name]
    changed = FillOptions(**{option.name: other(option)})
    assert key(changed) != key(FillOptions())
    assert bulk.BulkOptions(filling=changed).parameters()[option.name] == other(option)


def test_a_service_takes_every_option_but_those_that_it_keeps_to_itself() -> None:
    forms = pytest.importorskip("temperfill.service.forms")
    openapi = pytest.importorskip("temperfill.service.openapi")
    assert {option.name for option in OPTIONS} - {option.name for option in SERVED} == NOT_SERVED
    form = openapi.INPAINT["openapi_extra"]["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    for option in SERVED:
        parse, default = forms.INPAINT_FIELDS[option.name]
        assert default == option.default
        assert parse(option.name, str(other(option)).lower()) == other(option)
        schema = form[option.name]
        if option.most > 1:
            one, few = schema["oneOf"]
            assert few["items"] == one
            assert few["maxItems"] == forms.MOST_TRIES <= option.most
            schema |= one
        assert (schema["default"], schema["description"]) == (option.default, option.help)
        if option.choices:
            assert schema["enum"] == list(option.choices)
            with pytest.raises(forms.Refusal, match=option.name):
                parse(option.name, "none of them")
            continue
        if option.kind is bool:
            assert schema["type"] == "boolean"
            assert parse(option.name, "false") is False
            with pytest.raises(forms.Refusal, match=option.name):
                parse(option.name, "yes")
            continue
        for bound, sign in (("minimum", -1), ("maximum", 1)):
            assert parse(option.name, str(schema[bound])) == schema[bound]
            with pytest.raises(forms.Refusal, match=option.name):
                parse(option.name, str(schema[bound] + sign))
    assert not NOT_SERVED & (forms.INPAINT_FIELDS.keys() | form.keys())


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_values_out_of_range_are_refused_by_name(option: Option) -> None:
    wrong: list[Any] = ["fast", None] if option.choices else [option.low - 1, float("nan"), float("inf")]
    wrong += [1.5] if option.kind is int else []
    wrong = ["yes", 1, None] if option.kind is bool else wrong
    for value in wrong:
        with pytest.raises(InputError, match=f"^{option.name} must"):
            FillOptions(**{option.name: value})
    for value in option.choices or ((True, False) if option.kind is bool else (option.low, option.default)):
        assert getattr(FillOptions(**{option.name: value}), option.name) == value


@pytest.mark.parametrize(
    ("seeds", "fault"),
    [
        ((0, 5, 2), ""),
        (tuple(range(16)), ""),
        (tuple(range(17)), "1 to 16 values, got 17"),
        ((), "1 to 16 values, got 0"),
        ((3, 3), "each value once, got 3, 3"),
        ((1, -1), "seed must"),
    ],
)
def test_several_seeds_are_few_and_differ(seeds: tuple[int, ...], fault: str) -> None:
    if not fault:
        assert FillOptions(seed=seeds).seeds == seeds
    else:
        with pytest.raises(InputError, match=fault):
            FillOptions(seed=seeds)
    assert FillOptions(seed=4).seeds == (4,)


def test_ranges_stand_in_the_help() -> None:
    (temperature,) = (option for option in OPTIONS if option.name == "temperature")
    assert f"{temperature.low:g} to {temperature.high:g}" in temperature.help


def test_keys_of_results_are_those_of_the_first_version() -> None:
    """Computed before the options had a class of their own; another key would make every result again."""
    assert key(FillOptions()) == "2f7b4040af006edfffec7e74c2d90a0456ef6bbd3fc99d6ff99a230046e6e9e1"
    all_of_them = key(
        FillOptions(mask_dilate=3, feather=2, temperature=0.5, strategy="crop", context="full"),
        precision="bf16",
        mask_reading=MaskOptions(invert_mask=True, mask_channel="alpha"),
        resize_mask=True,
        quality=80,
        max_pixels=5,
    )
    assert all_of_them == "c8fc1e15747611141208070becd5851e3aceab0a722917fbcb250ed49d63b3d3"


@dataclass(frozen=True)
class Later(FillOptions):
    """With options that came later."""

    grain: Literal["auto", "none"] = "auto"
    number: int = 0


def test_an_option_that_came_later_changes_no_key_at_its_default() -> None:
    assert key(Later()) == key(FillOptions())
    assert key(Later(feather=2)) == key(FillOptions(feather=2))
    assert len({key(Later()), key(Later(grain="none")), key(Later(number=1))}) == 3


def test_settings_are_told_flat_by_the_names_of_their_flags() -> None:
    told = bulk.BulkOptions().parameters()
    assert json.loads(json.dumps(told)) == told
    names = {f.name for cls in (FillOptions, MaskOptions, bulk.BulkOptions) for f in fields(cls)}
    assert told.keys() == names - {"mask_reading", "filling"}
    assert asdict(replace(FillOptions(), feather=4)).items() <= told.items() ^ {("feather", 0), ("feather", 4)}
