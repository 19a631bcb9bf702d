"""`lofi-daemon --stdio [--set KEY=VALUE]…` with a puppet for ACE-Step (support/puppet_stages.py)."""

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import puppet_stages

puppet_stages._daemon(tuple(word for flag, word in itertools.pairwise(sys.argv[1:]) if flag == "--set"))
