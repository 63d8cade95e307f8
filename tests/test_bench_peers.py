"What `bench/peers/clock.py` hands to a system and what it refuses, in a process that keeps to one core"
import json, subprocess, sys

START = '''
import numpy as np, pandas as pd
from clock import fit_folds, folds
rng = np.random.default_rng(0)
pairs = {'user': np.repeat(np.arange(6), 20), 'movie': np.tile(np.arange(20), 6)}
ratings = pd.DataFrame(pairs | {'rating': rng.integers(1, 6, 120), 'timestamp': np.arange(120),
                                'fold': rng.integers(0, 3, 120)})
'''

def run(root, code):
    r = subprocess.run([sys.executable, '-c', START + code], capture_output=True, text=True, cwd=root/'bench'/'peers')
    return r, [json.loads(o) for o in r.stdout.splitlines()]

def test_a_fit_sees_no_test_rating(root):
    r,lines = run(root, '''
def fit(df, train, test, seed):
    assert list(df)==['user', 'movie', 'rating', 'timestamp'] and len(df)==120
    assert (df.rating.iloc[test]==3).all() and (df.rating.iloc[train]==ratings.rating.iloc[train]).all()
    assert sorted([*train, *test])==list(range(120))
    return df.rating.iloc[train].mean()
def predict(mean, pairs):
    assert list(pairs)==['user', 'movie', 'timestamp']
    return np.full(len(pairs), mean)
fit_folds(ratings, '1', fit, predict, extra=('timestamp',))
for i,train,test in folds(ratings):
    y = ratings.rating
    print(((y.iloc[test] - y.iloc[train].mean())**2).mean()**0.5)
''')
    assert not r.returncode, r.stderr
    assert [o['fold'] for o in lines[:2]]==[1, 2]
    assert [round(o['rmse'], 9) for o in lines[:2]]==[round(o, 9) for o in lines[2:]]

def test_lists_of_rated_films_are_refused(root):
    code = '''
def unrated(rows, allowed):
    seen = {u: set(rows.movie[rows.user==u]) for u in sorted(set(rows.user))}
    left = {u: [m for m in range(100, 120) if m not in movies][:10] for u,movies in seen.items()}
    if not allowed: left[0][3] = int(rows.movie[rows.user==0].iloc[0])
    return pd.DataFrame([(u, m) for u,ms in left.items() for m in ms], columns=['user', 'movie'])
fit_folds(ratings, '1', lambda df, train, test, seed: df.iloc[train], recommend_all=lambda rows: unrated(rows, ALLOWED))
'''
    r,lines = run(root, code.replace('ALLOWED', 'True'))
    assert not r.returncode, r.stderr
    assert [len(o['lists']) for o in lines]==[6, 6] and lines[0]['lists'][0]==list(range(100, 110))
    assert 'rmse' not in lines[0]
    r,lines = run(root, code.replace('ALLOWED', 'False'))
    assert 'these are no recommendations' in r.stderr and not lines

def test_rows_of_fold_0_are_never_tested_on(root):
    r,lines = run(root, '''
import json
ratings.fold = (ratings.fold==1).astype(int)
print(json.dumps([[i, len(train), len(test)] for i,train,test in folds(ratings)]), int(ratings.fold.sum()), sep='\\n')
''')
    assert not r.returncode, r.stderr
    n = lines[1]
    assert lines[0]==[[1, 120 - n, n]]

def test_turns_compare_with_the_neighbouring_reference(root):
    code = """
import run
seconds = iter([1., 20., 3., 8., 1., 30., 2., 9., 4.])
asked = []
def measure(system, folder):
    asked.append(system)
    return [dict(fit_s=next(seconds))]
run.measure = measure
res = run.in_turns(['a', 'b'], 'x', 'ref', 2)
seconds = iter([1., 20., 8., 3.])
both = run.in_turns(['a', 'b'], 'x', 'ref', every=2)
print(json.dumps(dict(asked=asked, res=res, both=[o['ratio'] for o in both])))
"""
    r,(line,) = run(root, 'import json\n' + code)
    assert not r.returncode, r.stderr
    assert line['asked']==['ref', 'a', 'ref', 'b', 'ref', 'a', 'ref', 'b', 'ref', 'ref', 'a', 'b', 'ref']
    assert [(o['system'], o['fit_s'], o['reference_s']) for o in line['res']]==[
        ('a', 20, 2), ('b', 8, 2), ('a', 30, 1.5), ('b', 9, 3)]
    assert [o['ratio'] for o in line['res']]==[10, 4, 20, 3]
    assert line['both']==[10, 4]
