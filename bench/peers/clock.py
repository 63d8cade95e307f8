"What the scripts of all systems share: one thread, the folds, the clock, the lines that they write"
import gc, json, os, sys
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import pandas as pd

if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

def cpu(
    f,     # function to time
    *args, # for it
):
    "What `f` returns, and the CPU seconds that all threads of this process spent in it"
    gc.collect()
    start = process_time()
    res = f(*args)
    return res, process_time() - start

def peak():
    "Most memory that this process has held, in bytes; None where Python cannot tell"
    try: from resource import RUSAGE_SELF, getrusage
    except ImportError: return None
    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform=='darwin' else 1024)

def say(**kw): print(json.dumps(kw), flush=True)

def folds(ratings):
    "(number, training positions, test positions) of each fold; rows of fold 0 are never tested on"
    for i in sorted(set(ratings.fold) - {0}):
        yield int(i), np.flatnonzero(ratings.fold!=i), np.flatnonzero(ratings.fold==i)

def hide(ratings, test, extra=()):
    "What a fit is given: a 3 in the place of each test rating"
    return ratings[['user', 'movie', 'rating', *extra]].assign(rating=np.where(np.isin(np.arange(len(ratings)), test),
        3, ratings.rating))

def rmse(pred, test):
    "Of a prediction for every test row"
    pred = np.asarray(pred, dtype=float)
    assert pred.shape==(len(test),) and np.isfinite(pred).all(), 'not every test row has a prediction'
    return float(np.sqrt(np.mean((pred - test.rating.to_numpy())**2)))

def recommended(lists):
    "The DataFrame of a dict that has ten film ids for each person"
    return pd.DataFrame({'user': np.repeat(list(lists), 10), 'movie': np.concatenate(list(lists.values()))})

def _as_lists(recs, rows):
    "(people, a row of ten film ids for each), of a DataFrame that has each person's films together, the best first"
    _check(recs, set(zip(rows.user, rows.movie)), rows.user.nunique())
    people = recs.user.to_numpy()[::10]
    assert (recs.user.to_numpy().reshape(-1, 10)==people[:,None]).all(), 'the lists are not person by person'
    return dict(people=people.tolist(), lists=recs.movie.to_numpy().reshape(-1, 10).tolist())

def fit_folds(
    ratings,             # DataFrame: user, movie, rating, fold and the columns named in `extra`
    version,             # of the system
    fit,                 # (ratings, train, test, seed) → model; the test rows are there, their ratings are not
    predict=None,        # (model, DataFrame of user, movie and `extra`) → predictions; None: none are asked for
    recommend_all=None,  # model → DataFrame with user and movie: everybody's 10, the best first; None: as before
    seeds=1,             # how many
    extra=(),            # columns that `fit` and `predict` get besides, such as `timestamp`
    **note,              # goes into each line
):
    "One line a fold and seed"
    for seed in range(seeds):
        for i,train,test in folds(ratings):
            rows,said = ratings.iloc[test],dict(note)
            model,said['fit_s'] = cpu(fit, hide(ratings, test, extra), train, test, seed)
            if predict is not None:
                pred,said['predict_s'] = cpu(predict, model, rows[['user', 'movie', *extra]])
                said['rmse'] = rmse(pred, rows)
            if recommend_all is not None:
                recs,said['list_s'] = cpu(recommend_all, model)
                said.update(_as_lists(recs, ratings.iloc[train]))
            say(version=version, fold=i, seed=seed, **said)

def _check(recs, seen, n_users, n=10):
    "n different films for each person, none of which the person has rated"
    pairs = set(zip(recs.user, recs.movie))
    assert len(recs)==len(pairs)==n_users*n and not pairs & seen, 'these are no recommendations'

def serve(
    ratings,        # DataFrame: user, movie, rating, fold
    version,        # of the system
    fit,            # as for `fit_folds`
    recommend,      # (model, user) → DataFrame with columns user and movie: the person's 10
    recommend_all,  # model → the same for everybody
    enough=2.,      # CPU seconds after which `recommend_all` is not repeated
):
    "One line: CPU seconds of a person's ten recommendations (first and median) and of everybody's"
    _,train,test = next(folds(ratings))
    rows = ratings.iloc[train]
    seen,users = set(zip(rows.user, rows.movie)),sorted(rows.user.unique())
    model = fit(ratings[['user', 'movie', 'rating']], train, test, 0)
    ones = [cpu(recommend, model, u) for u in users[:21]]
    for recs,_ in ones: _check(recs, seen, 1)
    times = []
    while not times or (sum(times)<enough and len(times)<5):
        recs,s = cpu(recommend_all, model)
        times.append(s)
    _check(recs, seen, len(users))
    say(version=version, first_s=ones[0][1], one_s=median(s for _,s in ones[1:]), all_s=median(times),
        people=len(users), items=rows.movie.nunique(), peak=peak())

def asked(task, predict, recommend_all):
    "What `fit_folds` is to do for a task: 'fit': predictions; 'lists': everybody's ten; 'both'"
    return dict(predict=predict if task in ('fit', 'both') else None,
                recommend_all=recommend_all if task in ('lists', 'both') else None)

def side():
    "(people, films): what is known of them besides the ratings"
    return [pd.read_csv(Path(sys.argv[1])/f'{o}.csv') for o in ('users', 'movies')]

def arguments():
    "(ratings, task, variant, more words) from the command line"
    folder,task,variant,*more = sys.argv[1:]
    return pd.read_csv(Path(folder)/'ratings.csv'), task, variant, more
