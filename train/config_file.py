"""Settings from a TOML file and from flags, and the file that a run leaves behind."""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfuzz import process

from nlp.errors import TrainingError
from nlp.write import replacing
from train.config import Config, flag, recipe
from train.config_check import problems, value_problems, without_unused

if TYPE_CHECKING:
    from train.augment import Augmentation

_KINDS = {"str": str, "int": int, "float": float}


def read_config(path: Path | None, given: Mapping[str, Any]) -> Config:
    """The recipe's settings, then those of the file, then those of the flags.

    Args:
        path: a TOML file with names of ``Config`` and a table ``[augmentation]``; none is needed.
        given: settings by name that override the file.

    Raises:
        TrainingError: an unknown name (with the nearest), a value of the wrong type or out of range,
            or a contradiction; all problems at once.
    """
    return _read(path, given, problems)


def read_run_config(path: Path) -> Config:
    """The settings that a run was made with, from the file that it left behind.

    Names, types and ranges are checked, and no more: the run went through, and a default that changed since must not
    make a contradiction of a setting that it made no use of. Such settings are those of the recipe today.

    Raises:
        TrainingError: the file cannot be read, or is not that of a run; all problems at once.
    """
    return without_unused(_read(path, {}, value_problems))


def _read(path: Path | None, given: Mapping[str, Any], wrong: Callable[[Config], Iterable[str]]) -> Config:
    place = str(path) if path else "the settings"
    chosen = (_parse(path) if path else {}) | dict(given)
    names = [each.name for each in fields(Config)]
    found = [*_unknown(chosen, names, place)]
    start = recipe(chosen.get("recipe", "ladnn"))
    table = chosen.pop("augmentation", {})
    known = {name: value for name, value in chosen.items() if name in names}
    try:
        known["augmentation"] = _with_table(start.augmentation, table, f"{place}, [augmentation]")
    except TrainingError as error:
        found.append(str(error))
    floats = {each.name for each in fields(Config) if each.type == "float"}
    values: dict[str, Any] = {
        name: float(v) if name in floats and type(v) is int else v for name, v in known.items()
    }
    config = replace(start, **values)
    if found := [*found, *wrong(config)]:
        raise TrainingError("\n".join([f"{place} cannot be used:", *found]))
    return config


def write_config(config: Config, path: Path) -> None:
    """Write every setting as TOML, complete or not at all; ``read_config`` gives the same back."""
    names = (each.name for each in fields(config) if each.name != "augmentation")
    plain = [_line(name, getattr(config, name)) for name in names]
    ranges = config.augmentation
    nested = [_line(each.name, getattr(ranges, each.name)) for each in fields(ranges)]
    with replacing([path]) as [file]:
        file.write("\n".join([*plain, "", "[augmentation]", *nested, ""]).encode())


def add_flags(parser: argparse.ArgumentParser) -> None:
    """One flag per setting; those that are not given stay out of the namespace's settings."""
    group = parser.add_argument_group("settings", "these override --config, which overrides the recipe")
    for each in fields(Config):
        if each.name == "augmentation":
            continue
        meaning = each.metadata["help"].replace("%", "%%")
        options: dict[str, Any] = {"default": None, "dest": f"setting_{each.name}"}
        if each.type == "bool":
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = _KINDS[str(each.type)]
            options["metavar"] = None if each.metadata["choices"] else "X"
            options["choices"] = each.metadata["choices"] or None
        default = str(each.default).lower() if each.type == "bool" else each.default
        group.add_argument(flag(each.name), help=f"{meaning} (default: {default})", **options)


def given_flags(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that the command line names."""
    found = {each.name: getattr(options, f"setting_{each.name}", None) for each in fields(Config)}
    return {name: value for name, value in found.items() if value is not None}


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(f"there is no file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} is not TOML: {error}") from error


def _unknown(chosen: Iterable[str], known: Iterable[str], place: str) -> Iterator[str]:
    names = list(known)
    for name in chosen:
        if name not in names:
            near = process.extractOne(name, names)[0]  # also of a part, such as rotate
            yield f"{place}: there is no setting {name!r}; the nearest is {near!r}"


def _with_table(start: Augmentation, table: object, place: str) -> Augmentation:
    """The augmentation with the values of a TOML table, whose lists are ranges."""
    if not isinstance(table, Mapping):
        raise TrainingError(f"{place} must be a table; found {table!r}")
    wrong = list(_unknown(table, (each.name for each in fields(start)), place))
    for name, value in table.items():
        if hasattr(start, name) and (need := _unlike(value, getattr(start, name))):
            wrong.append(f"{place}: {name} must be {need}; found {value!r}")
    if wrong:
        raise TrainingError("\n".join(wrong))
    return replace(start, **{name: _like(value, getattr(start, name)) for name, value in table.items()})


def _unlike(value: object, example: object) -> str | None:
    numbers = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
        return "made of numbers"
    if isinstance(example, tuple) != isinstance(value, list | tuple):
        return f"{len(example)} numbers, [lowest, highest]" if isinstance(example, tuple) else "one number"
    if isinstance(example, tuple) and len(numbers) != len(example):
        return f"{len(example)} numbers, [lowest, highest]"
    return None


def _like(value: Any, example: object) -> Any:
    return tuple(float(each) for each in value) if isinstance(example, tuple) else float(value)


def _line(name: str, value: object) -> str:
    """``name = value`` as TOML; JSON's texts, numbers and lists are also TOML's."""
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"
