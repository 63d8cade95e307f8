"What the tests share: the repository's root, and `tasks.py` and `tools/` to import from"
import os, signal, sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/'tools')]
os.environ.setdefault('MPLBACKEND', 'agg')
os.environ['COLLAB_COURSE_PROGRESS'] = os.devnull + '/none' # whoever runs the tests may keep progress of their own
os.environ['OMP_NUM_THREADS'] = '1' # some tests fork, and a child cannot use the threads that OpenMP made in its parent: it would wait for ever
signal.signal(signal.SIGINT, signal.default_int_handler) # a run in the background ignores Ctrl-C, and processes that tests start and interrupt would inherit that

@pytest.fixture(scope='session')
def root(): return ROOT
