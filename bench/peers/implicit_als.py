"implicit's AlternatingLeastSquares and BayesianPersonalizedRanking; lists alone, they predict no ratings"
import json
from importlib.metadata import version

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from scipy import sparse

from clock import arguments, fit_folds

def weights_of(rows, low):
    "The column `weight` where there is one; else 1 from a rating of 4 on and `low` below"
    if 'weight' in rows: return rows.weight.to_numpy(np.float32)
    return np.where(rows.rating>=4, 1, low).astype(np.float32)

def fitter(
    low=1.,                      # weight of a rating below 4; the others weigh 1
    kind=AlternatingLeastSquares, # class of the model
    **kw,                        # for it
):
    "A function that fits"
    def fit(ratings, train, test, seed):
        rows = ratings.iloc[train]
        (u,users),(i,movies) = (np.unique(rows[c], return_inverse=True)[::-1] for c in ('user', 'movie'))
        m = sparse.csr_matrix((weights_of(rows, low), (u, i)))
        model = kind(**kw, num_threads=1, random_state=seed)
        model.fit(m, show_progress=False)
        return model,m,users,movies
    return fit

def recommend_all(fitted):
    model,m,users,movies = fitted
    at,_ = model.recommend(np.arange(len(users)), m, N=10, filter_already_liked_items=True)
    return pd.DataFrame({'user': np.repeat(users, 10), 'movie': movies[at].ravel()})

if __name__=='__main__':
    ratings,_,variant,more = arguments()
    kind = BayesianPersonalizedRanking if variant=='bpr' else AlternatingLeastSquares
    extra = ('weight',) if 'weight' in ratings else ()
    for kw in map(json.loads, more or ['{}']):
        fit_folds(ratings, version('implicit'), fitter(kind=kind, **kw), recommend_all=recommend_all, extra=extra, **kw)
