"""Estimators and classifiers by name, with strict settings.

The built-in ones are listed here; a package adds its own through the entry-point groups
``dollygrip.estimators`` and ``dollygrip.classifiers``. Each entry is a class that takes one
argument ``settings``, a frozen dataclass whose type is the parameter's annotation and whose
fields all have defaults.
"""

import dataclasses
import hashlib
import importlib
import json
import os
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dollygrip.runners.strict import SettingsError as SettingsError
from dollygrip.runners.strict import build

if TYPE_CHECKING:
    from dollygrip.runners.needs import Need

Kind = Literal["estimator", "classifier"]

KINDS: tuple[Kind, ...] = ("estimator", "classifier")
BUILT_IN: dict[Kind, dict[str, str]] = {
    "estimator": {
        "auto": "dollygrip.runners.auto:AutoEstimator",
        "colmap": "dollygrip.runners.estimators.colmap:ColmapEstimator",
        "dense": "dollygrip.runners.estimators.dense:DenseEstimator",
        "flow": "dollygrip.runners.estimators.flow:FlowEstimator",
        "global2d": "dollygrip.runners.estimators.global2d:Global2DEstimator",
        "glomap": "dollygrip.runners.estimators.colmap:GlomapEstimator",
        "megasam": "dollygrip.runners.estimators.megasam:MegasamEstimator",
        "poses": "dollygrip.runners.estimators.poses:PosesEstimator",
    },
    "classifier": {
        "learned": "dollygrip.classifiers.learned:LearnedClassifier",
        "raw_delta": "dollygrip.classifiers.raw_delta:RawDeltaClassifier",
        "steps_et": "dollygrip.classifiers.steps:ETSteps",
        "steps_spatialvid": "dollygrip.classifiers.steps:SpatialVidSteps",
        "threshold": "dollygrip.classifiers.threshold:ThresholdClassifier",
    },
}
# ``external:vipe`` is the estimator ``external`` with its setting ``system`` at "vipe".
EXTERNAL, SYSTEM = "external", "system"
_EXTERNAL_TARGET = "dollygrip.runners.estimators.external:ExternalEstimator"
# Of a settings file.
_MOST_BYTES = 64 * 1024
_MOST_DOTS = 1000


@dataclass(frozen=True)
class Choice:
    """An estimator or a classifier, chosen but not yet made: small, and fit for any process.

    Attributes:
        kind: "estimator" or "classifier".
        name: Its name in the registry.
        target: "module:Class".
        settings: Every setting, defaults included, JSON-ready.
    """

    kind: Kind
    name: str
    target: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Short and stable: equal exactly for the same thing with the same settings."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {"kind": self.kind, "name": self.name, "settings": self.settings}

    def needs(self) -> "tuple[Need, ...]":
        """What has to be there for it to run, whether or not it is.

        It is not made for that: to make one may load what it runs on.

        Raises:
            ImportError: A package that it cannot even be looked at without is not installed.
        """
        look = getattr(_load(self.target), "needs", None)
        return () if look is None else tuple(look(self._built()))

    def gpus(self, there: bool) -> float:
        """How many GPUs it takes to itself; none where it does not say.

        Args:
            there: Whether there are any: some take one only then.
        """
        ask = getattr(_load(self.target), "gpus", None)
        return 0.0 if ask is None else float(ask(self._built(), there))

    def about(self) -> str:
        """Where it comes from and under which licence, where it says so."""
        tell = getattr(_load(self.target), "about", None)
        return "" if tell is None else str(tell(self._built()))

    def make(self) -> Any:
        """The estimator or classifier itself.

        Raises:
            ImportError: It, or a package it needs, is not installed.
        """
        made, settings = _load(self.target), self._built()
        return made() if settings is None else made(settings)

    def _built(self) -> Any:
        """The settings as the type that they are of; None where there are none."""
        kind = _settings_type(_load(self.target))
        return None if kind is None else build(kind, self.settings, self.name)


def names(kind: Kind) -> list[str]:
    """All names of a kind."""
    found = sorted(_targets(kind))
    if kind == "estimator":
        from dollygrip.runners.estimators.description import names as systems

        found += [f"{EXTERNAL}:{system}" for system in systems()]
    return found


def choose(kind: Kind, name: str, settings: Mapping[str, Any] | None = None) -> Choice:
    """Look a name up and check settings for it.

    Args:
        kind: "estimator" or "classifier".
        name: One of :func:`names`.
        settings: The settings that differ from the defaults.

    Returns:
        The choice, with every setting filled in.

    Raises:
        SettingsError: No such name, no such setting, a value of the wrong type, or a package that
            is not installed.
    """
    target = _target(kind, name)
    if target is None:
        raise SettingsError(
            f"no {kind} is called {str(name)[:60]!r}; there is {', '.join(names(kind))}"
        )
    try:
        made = _load(target)
    except ImportError as error:
        raise SettingsError(f"{kind} {name!r} cannot be loaded: {error}") from error
    settings_type = _settings_type(made)
    given = dict(settings or {})
    if target == _EXTERNAL_TARGET:
        given[SYSTEM] = name.partition(":")[2]
    if settings_type is None:
        if given:
            raise SettingsError(f"{kind} {name!r} takes no settings")
        return Choice(kind, name, target)
    built = build(settings_type, given, f"{kind}.{name}")
    filled = json.loads(json.dumps(dataclasses.asdict(built)))
    return Choice(kind, name, target, filled)


def read_settings(path: str | os.PathLike[str]) -> dict[Kind, dict[str, Any]]:
    """The settings of a TOML file with tables such as ``[estimator.flow]``.

    Args:
        path: The file.

    Returns:
        For each kind, settings by name.

    Raises:
        SettingsError: The file cannot be read, is no TOML, or names something unknown.
    """
    try:
        # A pipe is as good as a file, and has no size to ask for.
        with Path(path).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise SettingsError(f"settings {path} are more than {_MOST_BYTES // 1024} KiB")
        # tomllib takes the square of the time for a key of many parts.
        if max(line.count(b".") for line in content.split(b"\n")) > _MOST_DOTS:
            raise SettingsError(f"settings {path} have a line with more than {_MOST_DOTS} dots")
        data = tomllib.loads(content.decode())
    except OSError as error:
        raise SettingsError(f"cannot read settings {path}: {error.strerror}") from error
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"settings {path} are not TOML: {error}") from error
    except RecursionError as error:
        raise SettingsError(f"settings {path} are nested too deeply") from error
    return check_settings(data)


def check_settings(data: Mapping[str, Any]) -> dict[Kind, dict[str, Any]]:
    """Settings by kind and name, every name known.

    Raises:
        SettingsError: A table names something unknown.
    """
    if not isinstance(data, Mapping):
        raise SettingsError(f"settings are tables or a file, not {data!r:.60}")
    for key, tables in data.items():
        if key not in KINDS:
            raise SettingsError(
                f"unknown table [{str(key)[:60]}]; allowed: [estimator.NAME], [classifier.NAME]"
            )
        if not isinstance(tables, Mapping):
            raise SettingsError(f"{key!r} must be a table such as [{key}.{names(key)[0]}]")
        for name, table in tables.items():
            if _target(key, name) is None:
                known = ", ".join(names(key))
                raise SettingsError(f"no {key} is called {str(name)[:60]!r}; there is {known}")
            if not isinstance(table, Mapping):
                raise SettingsError(f"{key}.{name} must be a table")
    return {kind: dict(data.get(kind, {})) for kind in KINDS}


def _target(kind: Kind, name: str) -> str | None:
    if not isinstance(name, str):  # Python's callers may say anything
        return None
    if kind == "estimator" and name.startswith(f"{EXTERNAL}:"):
        return _EXTERNAL_TARGET
    return _targets(kind).get(name)


def _targets(kind: Kind) -> dict[str, str]:
    third_party = {entry.name: entry.value for entry in entry_points(group=f"dollygrip.{kind}s")}
    return {**third_party, **BUILT_IN[kind]}


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _settings_type(made: Any) -> Any:
    # Only this one: others may name types that are not loaded here.
    hint = getattr(made.__init__, "__annotations__", {}).get("settings")
    return typing.get_type_hints(made.__init__)["settings"] if isinstance(hint, str) else hint
