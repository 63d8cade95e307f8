"myFM's Bayesian factorization machine (Gibbs sampling), with the features that its own MovieLens 100k example builds"
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from scipy import sparse

warnings.filterwarnings('ignore', message='pkg_resources')
from myfm import MyFMRegressor, RelationBlock  # noqa: E402

from clock import arguments, asked, fit_folds, side  # noqa: E402

BAGS,SIDE,DATES = 'bags','side','dates'
# variant: (what it uses besides the ids, samples)
VARIANTS = {'mf': ((), 200), 'svdpp': ((BAGS,), 200), 'svdpp-side': ((BAGS, SIDE), 200),
            'svdpp-dates': ((BAGS, DATES), 512), 'svdpp-side-dates': ((BAGS, SIDE, DATES), 512)}

def one_hot(values, vocab):
    "A row for each value; of zeros where the vocabulary lacks it"
    at = pd.Index(vocab).get_indexer(values)
    known = np.flatnonzero(at>=0)
    return sparse.csr_matrix((np.ones(len(known)), (known, at[known])), shape=(len(values), len(vocab)))

def bags(a, b, n_a, n_b):
    "For each a the b that go with it, 1 over the root of their number each"
    m = sparse.csr_matrix((np.ones(len(a)), (a, b)), shape=(n_a, n_b))
    return sparse.diags(1/np.sqrt(np.maximum(m.getnnz(1), 1))) @ m

def about_people(ids):
    "Age in steps of five years, gender, occupation, first character of the zip code"
    df = side()[0].set_index('user').loc[ids]
    cols = df.age//5, df.gender, df.occupation, df.zip.astype(str).str[0]
    return [one_hot(c, c.unique()) for c in cols]

def about_films(ids):
    "Genres, 1 over the root of their number each"
    df = side()[1].set_index('movie').genres.reindex(ids).str.get_dummies().to_numpy(dtype=float)
    return [sparse.csr_matrix(df/np.sqrt(np.maximum(df.sum(1, keepdims=True), 1)))]

class Features:
    "One-hot ids, and what the variant adds to them; vocabularies and bags are of the training rows alone"
    def __init__(self, rows, uses):
        self.users,self.movies = np.unique(rows.user),np.unique(rows.movie)
        self.days = np.unique(self._day(rows)) if DATES in uses else None
        u,i = np.searchsorted(self.users, rows.user),np.searchsorted(self.movies, rows.movie)
        n,m = len(self.users),len(self.movies)
        self.blocks = [[sparse.identity(n)], [sparse.identity(m)]]
        if BAGS in uses:
            self.blocks[0].append(bags(u, i, n, m))
            self.blocks[1].append(bags(i, u, m, n))
        if SIDE in uses:
            self.blocks[0] += about_people(self.users)
            self.blocks[1] += about_films(self.movies)
        days = [] if self.days is None else [len(self.days)]
        self.groups = days + [b.shape[1] for o in self.blocks for b in o]
        self.tables = [sparse.vstack([sparse.hstack(o), sparse.csr_matrix((1, sum(b.shape[1] for b in o)))],
                                     format='csr') for o in self.blocks]

    def _day(self, rows): return rows.timestamp.to_numpy()//86_400

    def __call__(self, rows):
        "(dates or None, relation blocks); an unknown id gets the last row of its table, which is empty"
        at = [pd.Index(v).get_indexer(o) for v,o in ((self.users, rows.user), (self.movies, rows.movie))]
        dates = None if self.days is None else one_hot(self._day(rows), self.days)
        return dates, [RelationBlock(np.where(k<0, t.shape[0] - 1, k), t) for k,t in zip(at, self.tables)]

def fit(ratings, train, test, seed):
    rows = ratings.iloc[train]
    features = Features(rows, uses)
    dates,blocks = features(rows)
    fm = MyFMRegressor(rank=10, random_seed=seed)
    return features, fm.fit(dates, rows.rating.to_numpy(), X_rel=blocks, n_iter=n_iter, n_kept_samples=n_iter,
                            group_shapes=features.groups)

def predict(model, pairs):
    features,fm = model
    return fm.predict(*features(pairs), n_workers=1)

if __name__=='__main__':
    ratings,task,variant,_ = arguments()
    uses,n_iter = VARIANTS[variant]
    fit_folds(ratings, version('myfm'), fit, extra=('timestamp',) if DATES in uses else (),
              **asked(task, predict, None))
