"What the tests share: the repository's root, and `tasks.py` and `tools/` to import from"
import os, sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/'tools')]
os.environ.setdefault('MPLBACKEND', 'agg')

@pytest.fixture(scope='session')
def root(): return ROOT
