"""Lets a benchmark import its neighbours, as the folder is no package, and limits polars."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
# One thread, as ours has; read when polars is first imported.
os.environ["POLARS_MAX_THREADS"] = "1"
