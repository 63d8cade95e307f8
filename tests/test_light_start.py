"A process that only asks a Recommender starts without PyTorch and fastai"
import json, subprocess, sys

import numpy as np
import pytest

from collab_course.answers import RatingHistory
from collab_course.recommender import Recommender
from collab_course.served import DotProductTables
from collab_course.vocab import Vocab

USE = """
import json, re, sys
from pathlib import Path
from collab_course.recommender import Recommender
rec = Recommender.load(sys.argv[1])
answers = [rec.recommend(42), rec.recommend_all(3, [1, 2]), rec.similar(50), rec.predict([dict(user=1, movie=2)]),
           rec.fold_in({1: 5., 2: 1.}), rec.explain(1, 300), rec.users, rec.items,
           rec.recommend(10**6, on_unknown='mean'), rec.recommend(10**6, on_unknown='popular')]
rec.save(sys.argv[2])
status = Path('/proc/self/status') # ru_maxrss also counts what the parent held when it started this process
peak = int(re.search(r'VmHWM:\\s+(\\d+)', status.read_text())[1]) if status.exists() else 0
heavy = [o for o in ('torch', 'fastai', 'matplotlib', 'scipy', 'sklearn', 'IPython') if o in sys.modules]
print(json.dumps(dict(rows=[len(o) for o in answers], heavy=heavy, megabytes=peak/1024)))
"""

@pytest.fixture(scope='module')
def movielens_size(tmp_path_factory):
    "A bundle of the size of MovieLens 100k"
    rng = np.random.default_rng(0)
    n_users,n_items,n = 944,1683,100_000
    tables = [rng.normal(0, 0.1, size).astype(np.float32) for size in ((n_users, 50), n_users, (n_items, 50), n_items)]
    pairs = 1 + rng.choice((n_users-1)*(n_items-1), n, replace=False)
    rows = np.stack([1 + (pairs-1)//(n_items-1), 1 + (pairs-1)%(n_items-1)], 1).astype(np.int32)
    history = RatingHistory(rows, rng.integers(1, 6, n).astype(np.float32), n, (n_users, n_items))
    vocabs = Vocab('user', range(1, n_users)),Vocab('movie', range(1, n_items))
    rec = Recommender.from_parts(DotProductTables(*tables, y_range=(0, 5.5)), *vocabs, history)
    return rec.save(tmp_path_factory.mktemp('light')/'rec')

def test_load_and_recommend_start_without_the_libraries_that_train(movielens_size, tmp_path, root):
    out = subprocess.run([sys.executable, '-c', USE, str(movielens_size), str(tmp_path/'again')], capture_output=True,
                         text=True, check=True, cwd=root).stdout
    found = json.loads(out)
    assert found['heavy']==[] and all(found['rows'])
    assert found['megabytes']<200

IMPORT_ALL = """
import copy, importlib, json, random, sys, numpy as np, pandas as pd, pandas._config.config as config
def draw(): return [random.random(), np.random.rand()]
def seed():
    random.seed(3)
    np.random.seed(3)
options = copy.deepcopy(config._global_config)
seed()
due = draw()
seed()
for name in sys.argv[1:]: importlib.import_module(name)
drawn = draw()
same_options = config._global_config==options
from collab_course.loaders import RatingsDataLoaders
from collab_course.svdpp import SVDpp, fit_svdpp
table = pd.DataFrame(dict(user=np.arange(60)%6, movie=np.arange(60)//6, rating=1. + np.arange(60)%5))
dls = RatingsDataLoaders.from_df(table, seed=0, bs=16, device='cpu')
before = set(sys.modules)
fit_svdpp(SVDpp.from_dls(dls, n_factors=2), dls, n_epoch=1)
print(json.dumps(dict(same_numbers=drawn==due, same_options=same_options, compiler='torch._dynamo' in before,
                      new_modules=len({*sys.modules} - before))))
"""

@pytest.fixture(scope='module')
def imported(root):
    "What a process finds that imports every module of the library, and then trains"
    mods = ['.'.join(o.relative_to(root).with_suffix('').parts) for o in sorted((root/'collab_course').rglob('*.py'))
            if o.name[0]!='_' and o.parent.name!='practice']
    r = subprocess.run([sys.executable, '-c', IMPORT_ALL, *mods], capture_output=True, text=True, cwd=root)
    assert r.returncode==0, r.stderr[-2000:]
    return json.loads(r.stdout.splitlines()[-1])

def test_importing_the_library_leaves_the_options_of_pandas_as_they_were(imported): assert imported['same_options']

def test_importing_the_library_draws_no_random_numbers(imported): assert imported['same_numbers']

def test_a_training_imports_next_to_nothing(imported):
    "The first optimizer of a process imports some 900 modules, and takes a second for it"
    assert imported['new_modules']<20 and not imported['compiler']

def test_the_front_door_stands_in_the_package_and_costs_nothing_before_it_is_opened(root):
    code = """import sys, collab_course
light = 'pandas' not in sys.modules
from collab_course import Recommender
from collab_course.recommender import Recommender as same
print(light, Recommender is same, 'torch' in sys.modules, hasattr(collab_course, 'recomender'))"""
    r = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=root)
    assert r.stdout.split()==['True', 'True', 'False', 'False'], r.stderr
