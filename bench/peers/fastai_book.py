"fastai's collab_learner as the book runs it"
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from fastai.collab import TabularCollab, collab_learner
from fastai.tabular.core import Categorify, TabDataLoader, TabWeightedDL, TransformBlock
from fastai.torch_core import set_seed

from clock import arguments, asked, fit_folds, serve

torch.set_num_threads(1)
dl_type = TabWeightedDL

def loaders(ratings, train, test):
    "What `CollabDataLoaders.from_df` does, with a split of our own: it makes a random one and accepts no other"
    to = TabularCollab(ratings, [Categorify()], ['user', 'movie'], y_names=['rating'], y_block=TransformBlock(),
                       splits=[list(train), list(test)])
    return to.dataloaders(bs=64, dl_type=dl_type, device='cpu')

def fit(ratings, train, test, seed, n_epoch=5):
    set_seed(seed)
    learn = collab_learner(loaders(ratings, train, test), n_factors=50, y_range=(0, 5.5))
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(n_epoch, 5e-3, wd=0.1)
    return learn

def fit_briefly(*args): return fit(*args, n_epoch=1) # what it learns makes no difference to the time that serving takes

def predict(learn, pairs, bs=None):
    with learn.no_bar():
        return learn.get_preds(dl=learn.dls.test_dl(pairs, **({} if bs is None else {'bs': bs})))[0].squeeze().numpy()

def _vocab(learn): return [np.array(list(learn.dls.classes[c])[1:]) for c in ('user', 'movie')]

def _best(learn, users):
    "The ten best films of each person among those not rated in training, from predictions for all pairs, 8,192 a batch"
    everybody,items = _vocab(learn)
    pairs = pd.DataFrame({'user': np.repeat(users, len(items)), 'movie': np.tile(items, len(users))})
    scores = predict(learn, pairs, bs=8192).reshape(len(users), -1).copy()
    at = {u: k for k,u in enumerate(users)}
    rows = learn.dls.train_ds.items
    u,i = everybody[rows.user - 1],rows.movie.to_numpy() - 1
    known = np.isin(u, users)
    scores[[at[o] for o in u[known]], i[known]] = -np.inf
    best = np.argsort(-scores, 1)[:,:10]
    return pd.DataFrame({'user': np.repeat(users, 10), 'movie': items[best].ravel()})

def recommend(learn, user): return _best(learn, np.array([user]))

def recommend_all(learn): return _best(learn, _vocab(learn)[0])

if __name__=='__main__':
    ratings,task,variant,_ = arguments()
    if variant=='mended': dl_type = TabDataLoader
    v = version('fastai')
    if task=='serve': serve(ratings, v, fit_briefly, recommend, recommend_all)
    else: fit_folds(ratings, v, fit, **asked(task, predict, recommend_all))
