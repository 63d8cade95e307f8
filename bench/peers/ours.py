"The course's DotProductBias: trained by `lean_fit`, by the same recipe through fastai's Learner, and by Recommender; what Recommender's serving costs"
from time import process_time

started = process_time()
import hashlib, json, sys
from functools import partial
from pathlib import Path
import numpy as np
import pandas as pd
import torch
from fastai.callback.schedule import Learner
from fastai.losses import MSELossFlat
from fastai.optimizer import Adam
from fastai.torch_core import set_seed
from collab_course import __version__
from collab_course.create_params import DotProductBias
from collab_course.loaders import RatingsDataLoaders
from collab_course.recommender import Recommender
from collab_course.scale import good_recipe, lean_fit
from clock import arguments, cpu, fit_folds, peak, say, serve
import_s = process_time() - started

torch.set_num_threads(1)

def _start(ratings, train, test, seed):
    "Loaders, an untrained model and what is left of the recipe"
    set_seed(seed)
    recipe = good_recipe(len(train))
    dls = RatingsDataLoaders.from_df(ratings, splits=(train, test), seed=seed, bs=recipe.pop('bs'), device='cpu')
    return dls, DotProductBias(dls.n_users, dls.n_items, 50), recipe

def fit_lean(ratings, train, test, seed):
    dls,model,recipe = _start(ratings, train, test, seed)
    lean_fit(model, dls, **recipe)
    return model,dls

def fit_learner(ratings, train, test, seed):
    dls,model,recipe = _start(ratings, train, test, seed)
    learn = Learner(dls, model, loss_func=MSELossFlat(), opt_func=partial(Adam, sqr_mom=recipe.pop('sqr_mom')))
    n_epoch,lr = recipe.pop('n_epoch'),recipe.pop('lr')
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(n_epoch, lr, **recipe)
    return model,dls

@torch.no_grad()
def predict(trained, pairs):
    model,dls = trained
    return torch.cat([model.eval()(b[0]) for b in dls.test_dl(pairs, bs=8192)]).numpy()

def fit_product(ratings, train, test, seed): return Recommender.fit(ratings.iloc[train], seed=seed, progress=False)

def predict_product(rec, pairs): return rec.predict(pairs, on_unknown='popular').prediction.to_numpy()

def recommend(rec, user): return rec.recommend(user)

def recommend_all(rec): return rec.recommend_all(10)

def digest(rec):
    "Of the recommendations of twenty people: ids and scores to the last bit"
    recs = rec.recommend_all(10, users=rec.users[rec.user_name].tolist()[:20])
    return hashlib.sha256(recs[rec.item_name].to_numpy().tobytes() + recs.score.to_numpy().tobytes()).hexdigest()

def save(rec, path):
    "What saving takes, and what there is then"
    _,save_s = cpu(rec.save, path)
    return dict(save_s=save_s, bytes=sum(o.stat().st_size for o in Path(path).iterdir()), digest=digest(rec))

def million(path, n_users=10_000, n_items=1_000_000):
    "Everybody's ten of a million items, by random weights; then the bundle"
    rng = np.random.default_rng(0)
    ratings = pd.DataFrame({'user': np.repeat(np.arange(n_users), n_items//n_users), 'movie': rng.permutation(n_items), 'rating': rng.integers(1, 6, n_items)})
    at = np.arange(n_items)
    dls = RatingsDataLoaders.from_df(ratings, splits=(at[at%10_000>0], at[::10_000]), device='cpu')
    rec,make_s = cpu(Recommender.from_model, DotProductBias(dls.n_users, dls.n_items, 50), dls)
    before = peak()
    first_s,*ones = [cpu(rec.recommend, u)[1] for u in range(5)]
    recs,all_s = cpu(rec.recommend_all, 10)
    again = recs.merge(ratings, on=['user', 'movie'])
    assert len(recs)==10*n_users and not recs.duplicated(['user', 'movie']).any() and not len(again)
    say(version=__version__, items=n_items, people=n_users, make_s=make_s, first_s=first_s, one_s=float(np.median(ones)), all_s=all_s, before=before, peak=peak(), **save(rec, path))

def load(path):
    "In a fresh process: loading and the first answers"
    rec,load_s = cpu(Recommender.load, path)
    user = rec.users[rec.user_name].iloc[0]
    first_s,one_s = (cpu(rec.recommend, user)[1] for _ in range(2))
    say(import_s=import_s, load_s=load_s, first_s=first_s, one_s=one_s, people=len(rec.users), items=len(rec.items), peak=peak(), digest=digest(rec))

if __name__=='__main__':
    ratings,task,variant,more = arguments()
    folder = Path(sys.argv[1])
    fit = dict(lean=fit_lean, learner=fit_learner, recommender=fit_product)[variant]
    if task=='fit': fit_folds(ratings, __version__, fit, predict_product if variant=='recommender' else predict, seeds=3 if variant=='lean' else 1)
    elif task=='serve': serve(ratings, __version__, fit, recommend, recommend_all)
    elif task=='million': million(folder/'million')
    elif task=='load': load(folder/more[0])
    else:
        titles = {int(k): v for k,v in json.loads((folder/'titles.json').read_text()).items()}
        rec = Recommender.fit(ratings[['user', 'movie', 'rating']], titles=titles, seed=0, refit=False, progress=False)
        say(**save(rec, folder/more[0]))
