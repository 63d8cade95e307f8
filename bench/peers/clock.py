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
    "(number, training positions, test positions) of each fold"
    for i in sorted(ratings.fold.unique()): yield int(i), np.flatnonzero(ratings.fold!=i), np.flatnonzero(ratings.fold==i)

def rmse(pred, test):
    "Of a prediction for every test row"
    pred = np.asarray(pred, dtype=float)
    assert pred.shape==(len(test),) and np.isfinite(pred).all(), 'not every test row has a prediction'
    return float(np.sqrt(np.mean((pred - test.rating.to_numpy())**2)))

def fit_folds(
    ratings,  # DataFrame: user, movie, rating, fold
    version,  # of the system
    fit,      # (ratings, train, test, seed) → model; sees the ratings of the training rows alone
    predict,  # (model, DataFrame of user and movie) → predictions
    seeds=1,  # how many
):
    "One line a fold and seed"
    for seed in range(seeds):
        for i,train,test in folds(ratings):
            rows = ratings.iloc[test]
            model,fit_s = cpu(fit, ratings[['user', 'movie', 'rating']], train, test, seed)
            pred,predict_s = cpu(predict, model, rows[['user', 'movie']])
            say(version=version, fold=i, seed=seed, rmse=rmse(pred, rows), fit_s=fit_s, predict_s=predict_s)

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
    say(version=version, first_s=ones[0][1], one_s=median(s for _,s in ones[1:]), all_s=median(times), people=len(users), items=rows.movie.nunique(), peak=peak())

def arguments():
    "(ratings, task, variant, more words) from the command line"
    folder,task,variant,*more = sys.argv[1:]
    return pd.read_csv(Path(folder)/'ratings.csv'), task, variant, more
