"""`python -m tests.leaks [word ...]`: the leak table, or its rows whose name has such a word."""

import sys

from tests.leaks import run
from tests.leaks.catalogue import CATALOGUE


def main(words: list[str]) -> None:
    """Print a row a leak, then the counts, and what is found in the clean pipeline."""
    lab, found = run.Lab(), []
    for row in CATALOGUE:
        if not words or any(word in row.name for word in words):
            found.append(run.study(row, lab))
            print(found[-1].line(), flush=True)
    missed = sum(not one.caught for one in found)
    flat = sum(not one.gain.inflated for one in found)
    kinds = len({one.leak.mechanism for one in found})
    print(f"{len(found)} leaks, {kinds} mechanisms, {missed} missed, {flat} not inflated")
    for market in ("us", "cn"):
        print(f"clean pipeline, {market}: {run.clean_faults(market, lab) or 'silent'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
