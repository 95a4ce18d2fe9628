"""The chaos suite: real brokers, real daemons, faults by seed, and an oracle that judges.

Nothing here is shared with the engine. What the oracles of `tests/oracle` know about windows and
gates is used again; they are found by path, as their own tests find them.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORACLES = ROOT / "tests" / "oracle"

if str(ORACLES) not in sys.path:
    sys.path.insert(0, str(ORACLES))
