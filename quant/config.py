"""From what Hydra composes to typed settings, and the hash that names them.

Only this module and main know hydra and omegaconf.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quant.core.errors import ConfigError
from quant.core.store import digest_json
from quant.settings import Config

# what names where a run happens, not what it computes
RUNTIME = ("stage", "date", "model", "paths", "tracking", "audit", "tune", "importance", "drift",
           "changes", "bundle", "asof", "since", "regions")  # fmt: skip
# how a vendor is asked, never what it says
ASKING = ("folder", "batch", "refresh", "offline", "base_url", "per_minute")


def resolved(config: Config) -> dict[str, Any]:
    """Plain nested dict of all settings."""
    return dataclasses.asdict(config)


def config_hash(config: Config) -> str:
    """First 12 hex digits of sha256 over the settings that decide results.

    Run-time parts are left out, a disabled group collapses, and neither a data folder nor how a
    vendor is asked counts: the data's own digest enters the keys of results.
    """
    tree = {k: v for k, v in resolved(config).items() if k not in RUNTIME}
    data = {k: v for k, v in tree["data"].items() if k != "root"}
    asked = {k: v for k, v in data["vendor"].items() if k not in ASKING}
    tree["data"] = {**data, "vendor": asked}
    for name, group in tree.items():
        if isinstance(group, dict) and group.get("enabled") is False:
            tree[name] = {"enabled": False}
    return digest_json(tree)[:12]


def run_name(config: Config) -> str:
    """Name of a run of these settings, for people."""
    region, provider = config.region.name, config.data.provider
    return f"{config.sprint}-{region}-{provider}-{config_hash(config)}"


def register() -> None:
    """Put the schema where Hydra finds it (first in the defaults list of conf/config.yaml)."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="schema", node=Config)


def typed(composed: Any) -> Config:
    """Return the composed configuration as a Config.

    Raises ConfigError for a key no dataclass has (`+typo=1` too), and for a value of a wrong type
    or unit.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain = OmegaConf.create(OmegaConf.to_container(composed, resolve=True))
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), plain))
    except OmegaConfBaseException as error:
        raise ConfigError(first_line(error)) from error
    assert isinstance(config, Config)
    config.region.check_facts()
    return config


def from_tree(tree: Mapping[str, Any]) -> Config:
    """Settings of a stored tree; what it leaves out keeps its default.

    Raises ConfigError for a key or value that this version of the code does not take.
    """
    from omegaconf import OmegaConf

    return typed(OmegaConf.create(dict(tree)))


def of_run(folder: Path) -> Config:
    """The settings of the run that left its composition in `folder`."""
    import yaml

    return from_tree(yaml.safe_load((folder / ".hydra" / "config.yaml").read_text()))


def used(conf: Path, folder: Path) -> list[Path]:
    """The files below `conf` that a run was composed of, sorted.

    folder : of the run, where Hydra left what was chosen; without that, every file
    """
    import yaml

    said = folder / ".hydra" / "hydra.yaml"
    if not said.is_file():
        return sorted(p for p in conf.rglob("*.yaml") if p.relative_to(conf).parts[0] != "bundles")
    chosen = yaml.safe_load(said.read_text())["hydra"]["runtime"]["choices"]
    todo = [conf / "config.yaml"]
    todo += [conf / group / f"{option}.yaml" for group, option in chosen.items()
             if option and not group.startswith("hydra/")]  # fmt: skip
    found: set[Path] = set()
    while todo:
        path = todo.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        defaults = (yaml.safe_load(path.read_text()) or {}).get("defaults", [])
        todo += [path.parent / f"{d}.yaml" for d in defaults if isinstance(d, str)]
    return sorted(found)


def first_line(error: Exception) -> str:
    """One sentence out of Hydra's and OmegaConf's several."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0].rstrip(".") if lines else type(error).__name__
    if text.startswith("Ambiguous value"):
        return f"{text}; several values need --multirun, one with a comma in it needs quotes."
    if any(word in text for word in ("Lexer", "no viable", "mismatched", "parsing override")):
        told = text.removeprefix("LexerNoViableAltException: ")
        return (
            f"the override can not be read ({told}); it is key=value, and a value with special "
            "characters needs quotes inside quotes: 'data.root=\"/my (prices)\"'."
        )
    options = [i for i, line in enumerate(lines) if line.startswith("Available options")]
    if options:
        return f"{text}; choose one of {', '.join(lines[options[0] + 1 :]).split(', Config')[0]}."
    cause = str(error.__cause__ or "").splitlines()
    why = f": {cause[0].rstrip('.')}" if cause and cause[0] not in text else ""
    where = next((line for line in lines if line.startswith("full_key: ")), "")
    where = f" (at {where.removeprefix('full_key: ')})" if where else ""
    return f"{text}{why}{where}; `quant --help` lists the groups, `quant --cfg job` all keys."


def compositions(conf: Path) -> dict[str, dict[str, Any]]:
    """What runs would be composed of: choice -> dotted key -> value, interpolations as written.

    conf : a folder of config groups; every region alone, and with every other choice one at a time
    Raises ConfigError for a choice that can not be composed.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    def composed(words: list[str]) -> dict[str, Any]:
        tree = OmegaConf.to_container(compose("config", words), resolve=False)
        return {k: v for k, v in _leaves(tree) if not k.startswith("hydra.")}

    found: dict[str, dict[str, Any]] = {}
    regions = sorted(path.stem for path in (conf / "region").glob("*.yaml"))
    choices = sorted(
        f"{path.parent.relative_to(conf).as_posix()}={path.stem}"
        for path in conf.glob("*/**/*.yaml")
        if path.relative_to(conf).parts[0] not in ("region", "bundles")
    )
    # the values of files alone: the schema of today may not fit those of another day
    store = ConfigStore.instance()
    store.store(name="schema", node={})
    running = GlobalHydra.instance().hydra  # of the run that asks, put back at the end
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf.resolve()), version_base=None):
            for region in regions:
                for choice in ["", *choices]:
                    words = [f"region={region}", *([choice] if choice else [])]
                    if choice.count("/"):  # a group within a group is added to those asked for
                        words[1] = f"+{choice}"
                    found[" ".join(w.removeprefix("+") for w in words)] = composed(words)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"{conf} can not be composed: {first_line(error)}") from error
    finally:
        GlobalHydra.instance().hydra = running
        register()
    return found


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
