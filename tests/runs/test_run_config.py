"""Settings: what is accepted, what is refused and in which words."""

import dataclasses
import math
from typing import Literal

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from reinfer.runs.config import differences, digest, from_dict, load, setting, to_dict, validate
from reinfer.runs.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True)
class Inner:
    rate: float = setting(1.0, "rate", low=0.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    seed: int = setting(0, "seed", low=0)
    learning_rate: float = setting(1e-3, "step size", low=1e-6, high=1.0)
    body: str = setting("toy", "body", choices=("toy", "ant"))
    layers: tuple[int, ...] = setting((64, 64), "widths", low=1, fewest=1)
    tags: tuple[str, ...] = setting((), "labels")
    speed_mps: tuple[float, float] = setting((0.3, 3.0), "range")
    encoder: str | None = setting(None, "model")
    flag: bool = setting(False, "flag")
    mode: Literal["fast", "slow"] = setting("fast", "mode")
    inner: Inner = Inner()

    def __post_init__(self):
        if self.speed_mps[0] > self.speed_mps[1]:
            raise ValueError(f"speed_mps: {self.speed_mps} must ascend")


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"sead": 1}, ("'sead'", "did you mean 'seed'", "learning_rate")),
        ({"inner": {"rat": 1}}, ("'inner.rat'", "did you mean 'rate'")),
        ({"learning_rate": 2}, ("learning_rate", "2.0", "between 1e-06 and 1.0")),
        ({"learning_rate": math.nan}, ("learning_rate", "nan", "finite")),
        ({"learning_rate": math.inf}, ("learning_rate", "inf", "finite")),
        ({"learning_rate": "fast"}, ("learning_rate", "'fast'", "a number")),
        ({"learning_rate": True}, ("learning_rate", "True", "a number")),
        ({"seed": -1}, ("seed", "-1", "at least 0")),
        ({"seed": 1.0}, ("seed", "1.0", "an integer")),
        ({"body": "cow"}, ("body", "'cow'", "one of toy, ant")),
        ({"mode": "medium"}, ("mode", "'medium'", "one of fast, slow")),
        ({"layers": [8, 0]}, ("layers", "0", "at least 1")),
        ({"layers": [8, "x"]}, ("layers[1]", "'x'", "an integer")),
        ({"layers": 8}, ("layers", "8", "a list")),
        ({"layers": []}, ("layers", "()", "at least 1 value")),
        ({"speed_mps": [1.0]}, ("speed_mps", "2 values")),
        ({"speed_mps": [2.0, 1.0]}, ("speed_mps", "must ascend")),
        ({"encoder": 3}, ("encoder", "3", "text or nothing")),
        ({"flag": 1}, ("flag", "1", "true or false")),
        ({"inner": 3}, ("inner", "3", "table")),
        ({"inner": {"rate": -1.0}}, ("inner.rate", "-1.0", "at least 0")),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(mapping, words):
    with pytest.raises(ConfigError) as caught:
        from_dict(Settings, mapping, "file.toml")
    assert str(caught.value).startswith("file.toml: ")
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_validate_checks_what_a_constructor_lets_through():
    good = Settings(seed=3)
    assert validate(good) is good
    with pytest.raises(ConfigError, match="inner.rate"):
        validate(Settings(inner=Inner(rate=-2.0)))


@given(
    st.builds(
        Settings,
        seed=st.integers(0, 2**31),
        learning_rate=st.floats(1e-6, 1.0),
        body=st.sampled_from(("toy", "ant")),
        layers=st.lists(st.integers(1, 10**6), min_size=1).map(tuple),
        tags=st.lists(st.text()).map(tuple),
        encoder=st.none() | st.text(),
        flag=st.booleans(),
        mode=st.sampled_from(("fast", "slow")),
        inner=st.builds(Inner, rate=st.floats(0, 1e300)),
    )
)
def test_dict_and_back_is_the_same_config(config):
    assert from_dict(Settings, to_dict(config)) == config
    assert digest(from_dict(Settings, to_dict(config))) == digest(config)


def test_equal_settings_have_equal_digests_and_others_do_not():
    assert digest(Settings(learning_rate=1)) == digest(Settings(learning_rate=1.0))
    assert digest(Settings(learning_rate=1)) != digest(Settings(learning_rate=0.5))
    assert digest(Settings(inner=Inner(2.0))) != digest(Settings())


def test_toml_overrides_the_preset_and_nothing_else(tmp_path):
    preset = Settings(seed=7, inner=Inner(4.0), layers=(3,))
    path = tmp_path / "mine.toml"
    path.write_text(tomli_w.dumps({"learning_rate": 1, "layers": [1, 2]}))
    loaded = load(Settings, preset, path)
    assert loaded == dataclasses.replace(preset, learning_rate=1.0, layers=(1, 2))
    assert isinstance(loaded.learning_rate, float)
    assert load(Settings, preset, None) == preset


@pytest.mark.parametrize(("text", "words"), [("seed = ", "not valid TOML"), ("sede = 1", "did you mean 'seed'")])
def test_a_bad_toml_file_is_named(tmp_path, text, words):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load(Settings, Settings(), path)
    assert str(path) in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(Settings, Settings(), tmp_path / "absent.toml")


def test_differences_name_each_changed_key():
    old, new = to_dict(Settings()), to_dict(Settings(seed=2, inner=Inner(3.0)))
    assert differences(old, new) == ["inner.rate: 1.0 -> 3.0", "seed: 0 -> 2"]
    assert differences(old, old) == []
