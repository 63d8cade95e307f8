"The course's models: `lean_fit`, the same recipe through fastai's Learner, and Recommender with its serving"
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
from collab_course.evaluation import top_k
from collab_course.lists import rank_fit, score_all
from collab_course.loaders import RatingsDataLoaders
from collab_course.features import feature_bags
from collab_course.svdpp import SVDpp, day_loaders, fit_svdpp, person_days, svdpp_recipe
from collab_course.recommender import Recommender
from collab_course.training import good_recipe, lean_fit
from clock import arguments, asked, cpu, fit_folds, peak, say, serve, side
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

def fit_ranking(ratings, train, test, seed):
    set_seed(seed)
    dls = RatingsDataLoaders.from_df(ratings, splits=(train, test), seed=seed, device='cpu')
    model = DotProductBias(dls.n_users, dls.n_items, 256, y_range=None)
    rank_fit(model, dls, seed=seed)
    return model,dls

def fit_neighbours(ratings, train, test, seed, with_side=False, with_days=False):
    "By the recipe of chapter 13 as it stands; loaders of days where dates are used"
    recipe = svdpp_recipe(len(train), days=with_days)
    make = day_loaders if with_days else RatingsDataLoaders.from_df
    dls = make(ratings, splits=(train, test), seed=seed, bs=recipe['bs'], device='cpu')
    set_seed(seed)
    model = SVDpp.from_dls(dls, **recipe['model'], **(_bags(dls) if with_side else {}))
    fit_svdpp(model, dls, **recipe['fit'])
    dls.known = ratings.iloc[train]
    return model,dls

def _bags(dls):
    "Age, gender and occupation of people, genres and years of films"
    tables = [o.drop(columns=['zip', 'title'], errors='ignore') for o in side()]
    return {f'{arg}_bags': feature_bags(o, c, dls.classes[c], on_missing='zero') for arg,o,
            c in zip(('user', 'item'), tables, ('user', 'movie'))}

@torch.no_grad()
def predict_dated(trained, pairs):
    "Each person as on the day of the pair; days without a training row are like no day"
    model,dls = trained
    both = pd.concat([dls.known, pairs])
    days = person_days(both, np.arange(len(dls.known)))[len(dls.known):]
    x = torch.cat([b[0] for b in dls.test_dl(pairs, bs=8192)])
    return model.eval()(torch.cat([x, torch.from_numpy(days)[:,None]], 1)).numpy()

def recommend_trained(trained):
    "By the functions of chapter 11: scores of the whole catalogue, rated films taken out"
    model,dls = trained
    x = dls.train_ds.x
    users,movies = (np.array(list(dls.classes[c])[1:]) for c in ('user', 'movie'))
    if isinstance(model, SVDpp): model = model.collapse() # the same scores, much sooner
    best = top_k(score_all(model, dls), 10, (x[:,0]-1, x[:,1]))
    return pd.DataFrame({'user': np.repeat(users, 10), 'movie': movies[best.ravel()-1]})

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
    ratings = pd.DataFrame({'user': np.repeat(np.arange(n_users), n_items//n_users), 'movie': rng.permutation(n_items),
                            'rating': rng.integers(1, 6, n_items)})
    at = np.arange(n_items)
    dls = RatingsDataLoaders.from_df(ratings, splits=(at[at%10_000>0], at[::10_000]), device='cpu')
    rec,make_s = cpu(Recommender.from_model, DotProductBias(dls.n_users, dls.n_items, 50), dls)
    before = peak()
    first_s,*ones = [cpu(rec.recommend, u)[1] for u in range(5)]
    recs,all_s = cpu(rec.recommend_all, 10)
    again = recs.merge(ratings, on=['user', 'movie'])
    assert len(recs)==10*n_users and not recs.duplicated(['user', 'movie']).any() and not len(again)
    say(version=__version__, items=n_items, people=n_users, make_s=make_s, first_s=first_s,
        one_s=float(np.median(ones)), all_s=all_s, before=before, peak=peak(), **save(rec, path))

def load(path):
    "In a fresh process: loading and the first answers"
    rec,load_s = cpu(Recommender.load, path)
    user = rec.users[rec.user_name].iloc[0]
    first_s,one_s = (cpu(rec.recommend, user)[1] for _ in range(2))
    say(import_s=import_s, load_s=load_s, first_s=first_s, one_s=one_s, people=len(rec.users), items=len(rec.items),
        peak=peak(), digest=digest(rec))

NEIGHBOURS = {'neighbours': fit_neighbours, 'neighbours-side': partial(fit_neighbours, with_side=True),
              'neighbours-dates': partial(fit_neighbours, with_days=True),
              'neighbours-side-dates': partial(fit_neighbours, with_side=True, with_days=True)}

if __name__=='__main__':
    ratings,task,variant,more = arguments()
    folder = Path(sys.argv[1])
    fit = dict(lean=fit_lean, learner=fit_learner, recommender=fit_product, ranking=fit_ranking, **NEIGHBOURS)[variant]
    if variant=='recommender': predict,recommend_trained = predict_product,recommend_all
    dated = variant.endswith('dates')
    if dated: predict = predict_dated
    if task in ('fit', 'lists', 'both'):
        fit_folds(ratings, __version__, fit, **asked(task, predict, recommend_trained),
                  seeds=3 if (variant, task)==('lean', 'fit') else 1, extra=('timestamp',) if dated else ())
    elif task=='serve': serve(ratings, __version__, fit, recommend, recommend_all)
    elif task=='million': million(folder/'million')
    elif task=='load': load(folder/more[0])
    else:
        titles = {int(k): v for k,v in json.loads((folder/'titles.json').read_text()).items()}
        rec = Recommender.fit(ratings[['user', 'movie', 'rating']], titles=titles, seed=0, refit=False, progress=False)
        say(**save(rec, folder/more[0]))
