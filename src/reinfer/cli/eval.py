"""``reinfer eval SUBJECT``: how good a model is, for people or, with ``--json``, as one JSON object."""

import importlib
import json as json_format
from dataclasses import dataclass

from reinfer.cli.parsing import parse
from reinfer.runs.config import nearest, seed_setting, setting, validate
from reinfer.runs.errors import ConfigError

#: Subjects of a module ``eval_SUBJECT`` each, which is imported once it is asked for.
_OF_A_MODULE = ("transfer", "scratch", "change", "robustness", "inference", "process")
SUBJECTS = ("toy", "low", *_OF_A_MODULE)


@dataclass(frozen=True, slots=True)
class EvalToyOptions:
    """How well a toy agent solves the toy's held-out tasks, and how soon it knows them."""

    model: str = setting("shipped:toy/seed0", "run, model folder or shipped:NAME")
    seed: int = seed_setting("of the starts")
    mixture: bool = setting(True, "judge the mixture prior too, which takes longer than all else")
    json: bool = setting(False, "print one JSON object")


@dataclass(frozen=True, slots=True)
class EvalLowOptions:
    """How well a low-level policy follows commands it was never given."""

    body: str = setting("half_cheetah", "robot: a name, or a file of your own that ends in .py")
    model: str | None = setting(None, "run, model folder or shipped:NAME; by default the shipped one of the body")
    timing: str | None = setting(None, "timing of the physics; by default the one it was trained with")
    seed: int = seed_setting("of the commands and starts")
    json: bool = setting(False, "print one JSON object")


def run(arguments: list[str]) -> int:
    """Dispatch to what is to be evaluated."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: reinfer eval {'|'.join(SUBJECTS)} [OPTIONS]; reinfer eval toy --help tells the options of one")
        return 0
    subject, *rest = arguments
    if subject not in SUBJECTS:
        raise ConfigError(f"eval: unknown subject {subject!r}; {nearest(subject, SUBJECTS)}")
    from reinfer.runs.compilation import enable_cache

    enable_cache()
    if subject in _OF_A_MODULE:
        return importlib.import_module(f"reinfer.cli.eval_{subject}").run(rest)
    if subject == "low":
        from reinfer.cli.eval_low import eval_low

        options = validate(parse(EvalLowOptions, "reinfer eval low", rest))
        return eval_low(options.body, options.model, options.seed, options.json, options.timing)
    return eval_toy(validate(parse(EvalToyOptions, "reinfer eval toy", rest)))


def eval_toy(options: EvalToyOptions) -> int:
    """Evaluate and print; returns the exit code."""
    from reinfer.evaluation.toy import evaluate_toy
    from reinfer.inference.agent import ToyAgent
    from reinfer.runs.directory import resolve

    found = evaluate_toy(ToyAgent.load(resolve(options.model)), options.seed, options.mixture)
    if options.json:
        print(json_format.dumps(found, indent=2))
        return 0
    print(f"return over {found['n_tasks']} held-out tasks: {found['return_mean']:.2f}")
    for family, value in found["return_by_family"].items():
        print(f"  {family:<18} {value:8.2f}")
    print("rows of context  family known  target error")
    for rows, accuracy in found["class_accuracy_by_rows"].items():
        print(f"{rows:>15}  {accuracy:12.3f}  {found['target_error_by_rows'][rows]:12.4f}")
    if found["purity"] is not None:
        print(
            f"mixture: {found['components']} components, purity {found['purity']:.3f}; merged to "
            f"{found['merged_components']}, NMI {found['nmi']:.3f}"
        )
    return 0
