"Surprise's SVD with its defaults, or another of its algorithms where the variant names one"
from importlib.metadata import version

import pandas as pd
from surprise import SVD, BaselineOnly, Dataset, KNNBaseline, Reader, SVDpp

from clock import arguments, asked, fit_folds, serve

SEEDED = {'-': SVD, 'SVDpp': SVDpp}
QUIET = {'KNNBaseline': KNNBaseline, 'BaselineOnly': BaselineOnly}

def algorithm(seed):
    if variant in SEEDED: return SEEDED[variant](random_state=seed)
    return QUIET[variant](verbose=False)

def fit(ratings, train, test, seed):
    data = Dataset.load_from_df(ratings.iloc[train], Reader(rating_scale=(1, 5)))
    return algorithm(seed).fit(data.build_full_trainset())

def predict(model, pairs): return [model.predict(u, i).est for u,i in zip(pairs.user, pairs.movie)]

def unseen(model, inner_user):
    "The films that a person has not rated, under their own ids"
    seen = {i for i,_ in model.trainset.ur[inner_user]}
    return [model.trainset.to_raw_iid(i) for i in model.trainset.all_items() if i not in seen]

def recommend(model, user):
    scored = sorted(((model.predict(user, i).est, i) for i in unseen(model, model.trainset.to_inner_uid(user))),
                    reverse=True)
    return pd.DataFrame({'user': user, 'movie': [i for _,i in scored[:10]]})

def recommend_all(model):
    return pd.concat([recommend(model, model.trainset.to_raw_uid(u)) for u in model.trainset.all_users()])

if __name__=='__main__':
    ratings,task,variant,_ = arguments()
    v = version('scikit-surprise')
    if task=='serve': serve(ratings, v, fit, recommend, recommend_all)
    else: fit_folds(ratings, v, fit, **asked(task, predict, recommend_all))
