"""The page that `quant --help` prints: what a run is, and how to order one."""

from quant.config_paths import CONF
from quant.stages import ALONE, CATALOGUE, GROUPS, ORDERS

PAGE = """\
quant: industry-aware equity research and trading for the US and China

One run is one choice from every group of settings, carried through stages to a report.
Results are stored by content: a rerun skips what is unchanged, a crash resumes.

  python -m quant.main                                the main job on the embedded simulated market
  python -m quant.main region=cn stage=e2e            the same for China
  python -m quant.main region=us data=files data.root=~/prices     on your own parquet or CSV
  python -m quant.main optimizer.turnover.tau=0.10    change one setting
  python -m quant.main --multirun costs.multiplier=1,2    compare; every job is one tracked run
  python -m quant.main experiment=smoke               small and quick: a first look

Stages (stage=..., each brings what it needs)
{stages}

Groups (group=option; `+group=option` is never needed)
{groups}

Where things go
  outputs/runs/      logs as JSON lines          outputs/store/   stored results (safe to delete)
  reports/index.html where to begin              data/            tables published for reading
  mlruns/            tracking; `make ui` opens it
  model_cards/       the newest card of every model
  conf/bundles/      what every run was made from: stage=reproduce bundle=<folder> makes it again

Also
  --cfg job          all settings of this run, composed       --debug      more log
  --info defaults    where every choice comes from            --hydra-help Hydra's own options
  quant -sc install=bash                                      tab completion: eval its output
The RL controller is off by default: sprint=s3 trains it (torch needed: `make setup`), stage=rl_gate
judges it and exits with 1 where it does not beat the best constant knobs; experiment=rehearsal does
all of it inside 2010 to 2019. rl.policy=<policy.npz> uses one trained before.
"""


def page() -> str:
    """Render the page from the catalogue of stages and the folders under conf/."""
    rows = {"e2e": f"all of the below but {', '.join(ALONE[:-1])} and {ALONE[-1]}", **CATALOGUE}
    rows |= {k: "= " + " + ".join(v) for k, v in GROUPS.items() if k != "e2e"}
    rows |= ORDERS
    stages = "\n".join(f"  {name:<11}{about}" for name, about in rows.items())
    groups = []
    for folder in sorted(p for p in CONF.iterdir() if p.is_dir() and p.name != "bundles"):
        options = sorted(p.stem for p in folder.glob("*.yaml"))
        if options:
            groups.append(f"  {folder.name:<11}{' | '.join(options)}")
    return PAGE.format(stages=stages, groups="\n".join(groups))
