import json
from pathlib import Path

RULES = json.loads((Path(__file__).parents[1] / "answers" / "data_rules.json").read_text())
