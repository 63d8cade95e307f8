"Surprise's SVD with its defaults"
from importlib.metadata import version

import pandas as pd
from surprise import SVD, Dataset, Reader

from clock import arguments, fit_folds, serve

def fit(ratings, train, test, seed):
    data = Dataset.load_from_df(ratings.iloc[train], Reader(rating_scale=(1, 5)))
    return SVD(random_state=seed).fit(data.build_full_trainset())

def predict(model, pairs): return [model.predict(u, i).est for u,i in zip(pairs.user, pairs.movie)]

def unseen(model, inner_user):
    "The films that a person has not rated, under their own ids"
    seen = {i for i,_ in model.trainset.ur[inner_user]}
    return [model.trainset.to_raw_iid(i) for i in model.trainset.all_items() if i not in seen]

def recommend(model, user):
    scored = sorted(((model.predict(user, i).est, i) for i in unseen(model, model.trainset.to_inner_uid(user))), reverse=True)
    return pd.DataFrame({'user': user, 'movie': [i for _,i in scored[:10]]})

def recommend_all(model): return pd.concat([recommend(model, model.trainset.to_raw_uid(u)) for u in model.trainset.all_users()])

if __name__=='__main__':
    ratings,task,_,_ = arguments()
    v = version('scikit-surprise')
    if task=='fit': fit_folds(ratings, v, fit, predict)
    else: serve(ratings, v, fit, recommend, recommend_all)
