"""What is made of the references that a command which draws is given."""

import shutil
from dataclasses import replace

from reinfer.cli.sources import LOW_LEVEL, TOY_AGENT, sort
from reinfer.cli.trials import SWEEP_FILE
from reinfer.runs.directory import RunDirectory, resolve
from reinfer.stages.low_level import PRESETS


def test_of_a_sweep_only_models_that_are_meant_are_judged(tmp_path):
    """Two half-cheetahs and a hopper: nobody said which half-cheetah."""
    (tmp_path / SWEEP_FILE).write_text("")
    for seed, body in enumerate(("half_cheetah", "half_cheetah", "hopper")):
        config = replace(PRESETS["quick"], body=body, seed=seed)
        run = RunDirectory.create(tmp_path, "low", config, ["test"], [], name=f"seed{seed}")
        shutil.copytree(resolve(f"shipped:{body}/low"), run.model, dirs_exist_ok=True)
    found = sort([str(tmp_path), "shipped:toy/seed0"])
    assert found.sweeps == [tmp_path] and len(found.runs) == 3 and len(found.of_kind(TOY_AGENT)) == 1
    assert [named.model.config["body"] for named in found.of_kind(LOW_LEVEL)] == ["hopper"]
    both = sort([str(tmp_path), str(tmp_path / "low" / "seed1")])
    assert {named.model.config["body"] for named in both.of_kind(LOW_LEVEL)} == {"hopper", "half_cheetah"}
