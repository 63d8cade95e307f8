"cmfrec's CMF (alternating least squares) with its defaults, and its option of implicit features"
from importlib.metadata import version

from cmfrec import CMF

from clock import arguments, asked, fit_folds, recommended

def fit(ratings, train, test, seed):
    rows = ratings.iloc[train].set_axis(['UserId', 'ItemId', 'Rating'], axis=1)
    return CMF(add_implicit_features=implicit, random_state=seed, nthreads=1, verbose=False).fit(rows), rows

def predict(model, pairs): return model[0].predict(pairs.user, pairs.movie)

def recommend_all(model):
    "One call a person, as cmfrec has it"
    cmf,rows = model
    return recommended({u: cmf.topN(u, n=10, exclude=seen) for u,
                        seen in rows.groupby('UserId').ItemId.unique().items()})

if __name__=='__main__':
    ratings,task,variant,_ = arguments()
    implicit = variant=='implicit'
    fit_folds(ratings, version('cmfrec'), fit, **asked(task, predict, recommend_all))
