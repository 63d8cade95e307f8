"Chapter 10, `steps`: the lean loop against `Learner`, gradients against autograd, Adagrad against slow loops"
import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.collab import CollabDataLoaders, EmbeddingDotBias, EmbeddingNN
from fastai.data.core import DataLoaders
from fastai.optimizer import Adam
from fastai.tabular.all import Learner, MSELossFlat, TabDataLoader, sigmoid_range
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from collab_course.create_params import DotProductBias
from collab_course.tables import planted_ratings, random_split, validate_ratings
from collab_course.dot_product import DotProduct, mse_on
from collab_course.embedding_nn import CollabNN
from collab_course.side_features import SideFeatureNN
from collab_course.loaders import RatingsDataLoaders
from collab_course.vocab import ids_to_rows, make_vocab
from collab_course.steps import cosine_cycle, fill_gradients, fit_rows, step_by_rows, tables_of
from collab_course.training import adam_memory, good_recipe, lean_fit
from weights import big, rows

quick = settings(deadline=None, max_examples=40)
PLANTED = planted_ratings(60, 40, 1201, rating_range=(1, 5), step=1.)

def loaders(bs=64, seed=0, drop_last=False):
    return RatingsDataLoaders.from_df(PLANTED.ratings, valid_pct=200/1201, seed=seed, bs=bs, drop_last=drop_last,
                                      device='cpu')

def by_learner(model, dls, n_epoch, lr, wd, **kwargs):
    learn = Learner(dls, model, loss_func=MSELossFlat(), **kwargs)
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(n_epoch, lr, wd=wd)
    return learn.recorder.values[-1][1]

def assert_same_training(new_model, make_dls, lr=1e-2, wd=0.3, n_epoch=3, **kwargs):
    res = []
    for lean in (False, True):
        dls = make_dls()
        torch.manual_seed(1)
        model = new_model(dls)
        opt = partial(Adam, sqr_mom=kwargs.get('sqr_mom', 0.99))
        if lean: mse = lean_fit(model, dls, n_epoch, lr, wd, **kwargs)
        else: mse = by_learner(model, dls, n_epoch, lr, wd, opt_func=opt)
        res.append((model, mse))
    (theirs, their_mse), (ours, our_mse) = res
    for (name,p),q in zip(theirs.named_parameters(), ours.parameters()):
        assert_close(q, p, atol=5e-5, rtol=1e-4, msg=lambda m: f'{name}: {m}')
    assert our_mse==pytest.approx(their_mse, rel=1e-4)
    return ours

# the same weights as a Learner

def dot(k=8, y_range=(0, 5.5)): return lambda d: DotProductBias(d.n_users, d.n_items, k, y_range)

def twins():
    "Two models with the same weights"
    a, b = dot()(loaders()), dot()(loaders())
    b.load_state_dict(a.state_dict())
    return a, b

@pytest.mark.parametrize('bs', [16, 64, 100, 500, 5000])
def test_the_same_weights_as_a_learner_whatever_the_batch_size(bs): assert_same_training(dot(), lambda: loaders(bs))

@pytest.mark.parametrize('y_range', [None, (0, 5.5), (0.5, 5.5), (-3, 12)])
def test_the_same_weights_as_a_learner_whatever_the_range(y_range):
    assert_same_training(dot(8, y_range), lambda: loaders(128))

@pytest.mark.parametrize('k', [0, 1, 50])
def test_the_same_weights_as_a_learner_whatever_the_width(k): assert_same_training(dot(k), loaders)

@pytest.mark.parametrize('lr, wd, n_epoch', [(5e-3, 0.1, 1), (0.1, 0., 4)])
def test_the_same_weights_as_a_learner_whatever_the_recipe(lr, wd, n_epoch):
    assert_same_training(dot(), loaders, lr, wd, n_epoch)

def test_a_rate_of_zero_moves_nothing():
    model = dot()(loaders())
    before = [p.detach().clone() for p in model.parameters()]
    lean_fit(model, loaders(), 1, lr=0., wd=0.3)
    for p,q in zip(model.parameters(), before): assert_close(p.detach(), q, atol=0, rtol=0)

def test_the_same_weights_as_a_learner_with_a_lone_last_row_and_without_a_last_batch():
    assert len(loaders(100).train_ds)==1001
    assert_same_training(dot(), lambda: loaders(100))
    assert_same_training(dot(), lambda: loaders(100, drop_last=True))

@pytest.mark.parametrize('bs', [64, 512])
def test_it_is_the_learner_as_it_comes(bs):
    theirs, ours = twins()
    by_learner(theirs, loaders(bs), 2, 1e-2, 0.1)
    lean_fit(ours, loaders(bs), 2, 1e-2, 0.1)
    for p,q in zip(ours.parameters(), theirs.parameters()): assert_close(p, q, atol=5e-5, rtol=1e-4)

def test_a_memory_that_is_asked_for_is_taken(): assert_same_training(dot(), lambda: loaders(500), sqr_mom=0.9)

def test_another_memory_gives_other_weights():
    a, b = twins()
    for m,o in ((a, 0.99), (b, 0.9)): lean_fit(m, loaders(500), 10, 0.1, sqr_mom=o)
    assert (a.user_bias - b.user_bias).abs().max() > 1e-3

class Doubled(DotProductBias):
    def forward(self, x): return super().forward(x)/2 + 1

class Blanked(DotProductBias):
    def forward(self, x): return sigmoid_range(self.user_bias[x[:,0]], 0, 5.5)

def side(d):
    g = torch.Generator().manual_seed(0)
    return SideFeatureNN((d.n_users, 5), (d.n_items, 4), torch.rand(d.n_users, 2, generator=g), None, n_act=10,
                         p_blank=0.3)

AUTOGRAD = {'DotProduct': lambda d: DotProduct(d.n_users, d.n_items, 5),
            'CollabNN': lambda d: CollabNN((d.n_users, 5), (d.n_items, 7), n_act=10),
            'SideFeatureNN with blanks': side,
            'a subclass with another forward': lambda d: Doubled(d.n_users, d.n_items, 5),
            'a subclass with idle parameters': lambda d: Blanked(d.n_users, d.n_items, 5),
            'EmbeddingDotBias': lambda d: EmbeddingDotBias(5, d.n_users, d.n_items, y_range=(0, 5.5)),
            'EmbeddingNN with BatchNorm and predictions of shape (batch, 1)':
                lambda d: EmbeddingNN([(d.n_users, 5), (d.n_items, 6)], [8], y_range=(0, 5.5))}

@pytest.mark.parametrize('name', AUTOGRAD)
def test_the_same_weights_as_a_learner_for_a_model_trained_by_autograd(name):
    assert_same_training(AUTOGRAD[name], lambda: loaders(100), wd=0.2)

def test_a_frozen_table_stays_and_the_others_train_as_with_a_learner():
    def frozen(d):
        model = dot()(d)
        model.item_bias.requires_grad_(False)
        return model
    model = assert_same_training(frozen, loaders)
    torch.manual_seed(1)
    assert_close(model.item_bias, frozen(loaders()).item_bias, atol=0, rtol=0)

def test_fastais_own_loaders_can_be_trained_on():
    def theirs():
        return CollabDataLoaders.from_df(PLANTED.ratings, item_name='movie', seed=0, bs=64, dl_type=TabDataLoader,
                                         device='cpu')
    dls = theirs()
    sizes = [len(dls.classes[c]) for c in ('user', 'movie')]
    mses = [lean_fit(model(*sizes), dls, 8, 2e-2, 0.1)
            for model in (lambda u,i: DotProductBias(u, i, 5), lambda u,i: EmbeddingDotBias(5, u, i, y_range=(0, 5.5)))]
    assert max(mses) < PLANTED.ratings.rating.var()

# gradients by hand

@quick
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 5), st.integers(1, 40), st.integers(0, 10**6),
       st.sampled_from([None, (0, 5.5), (-1, 2)]))
def test_gradients_by_hand_are_those_of_autograd(n_users, n_items, k, n, seed, y_range):
    model, x = big(DotProductBias(n_users, n_items, k, y_range), seed=seed), rows(n_users, n_items, n, seed)
    y = torch.rand(n, generator=torch.Generator().manual_seed(seed))*5
    MSELossFlat()(model(x), y).backward()
    grads = [torch.full_like(t, 9.) for t in tables_of(model)]
    err = fill_gradients(grads, tables_of(model), x, y, y_range)
    assert_close(err, (model(x) - y).detach(), atol=1e-5, rtol=1e-5)
    for g,p in zip(grads, (model.user_factors, model.user_bias, model.item_factors, model.item_bias)):
        assert_close(g, p.grad, atol=1e-5, rtol=1e-4)

# what the caller sees

@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
def test_each_epoch_is_reported_and_reporting_changes_nothing(fit):
    said, (quiet, loud) = [], twins()
    a = fit(quiet, loaders(), 3)
    b = fit(loud, dls := loaders(), 3, on_epoch=lambda *o: said.append((*o, mse_on(loud, dls.valid))))
    assert a==b and [o[0] for o in said]==[0, 1, 2]
    for _,train,valid,check in said: assert valid==pytest.approx(check) and 0<train<10
    assert said[2][1]<said[0][1] and b==pytest.approx(said[2][2])
    for p,q in zip(quiet.parameters(), loud.parameters()): assert_close(p, q, atol=0, rtol=0)

@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
def test_the_reported_training_error_is_the_mean_over_all_rows(fit):
    said, dls = [], loaders(100)
    model = dot()(dls)
    expected = np.mean([((model(x) - y)**2).sum().item() for x,y in dls.train])*len(dls.train)/len(dls.train_ds)
    fit(model, dls, 1, lr=0., wd=0., on_epoch=lambda *o: said.append(o))
    assert said[0][1]==pytest.approx(expected, rel=1e-5)

@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
def test_without_validation_rows_the_error_is_nan_and_training_goes_on(fit):
    dls = DataLoaders(loaders().train, device='cpu')
    model = dot()(loaders())
    before = model.user_factors.detach().clone()
    assert math.isnan(fit(model, dls, 1)) and (model.user_factors!=before).any()

@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
def test_the_result_is_the_error_on_the_validation_rows_and_the_model_is_left_ready(fit):
    dls = loaders()
    res = fit(model := dot()(dls), dls, 2)
    assert isinstance(res, float) and not model.training and res==pytest.approx(mse_on(model, dls.valid))
    assert all(p.grad is None and p.requires_grad for p in model.parameters()) and torch.is_grad_enabled()

@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
def test_the_same_seed_trains_the_same_model(fit):
    def one(seed):
        torch.manual_seed(seed)
        fit(model := dot()(dls := loaders(seed=seed)), dls, 2)
        return model.user_factors
    assert_close(one(0), one(0), atol=0, rtol=0)
    assert (one(0)!=one(1)).any()

def small_number(): return (torch.tensor(1e-40)*1).item()

@pytest.mark.parametrize('flush', [False, True])
def test_the_treatment_of_tiny_numbers_is_left_as_it_was(flush):
    torch.set_flush_denormal(flush)
    try:
        lean_fit(dot()(loaders()), loaders(), 1)
        def stop(*args): raise KeyboardInterrupt
        with pytest.raises(KeyboardInterrupt): fit_rows(dot()(loaders()), loaders(), 2, on_epoch=stop)
        assert (small_number()==0)==flush
    finally: torch.set_flush_denormal(False)

@pytest.mark.parametrize('bad, message',
                         [(dict(n_epoch=0), 'n_epoch must be a whole number'),
                          (dict(n_epoch=1.5), 'n_epoch must be'),
                          (dict(lr=-1), 'lr must be a number, at least 0, not -1'),
    (dict(lr=float('nan')), 'lr must be'), (dict(wd='0.1'), "wd must be a number, at least 0, not '0.1'"),
    (dict(wd=True), 'wd must be'), (dict(lr=math.inf), 'lr must be')])
@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
def test_a_wrong_recipe_is_refused_before_anything_is_trained(fit, bad, message):
    model = dot()(dls := loaders())
    before = model.user_factors.detach().clone()
    with pytest.raises(ValueError, match=message): fit(model, dls, **bad)
    assert_close(model.user_factors.detach(), before, atol=0, rtol=0)

@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
def test_no_training_rows_is_an_error(fit):
    dls = loaders()
    dls.loaders[0] = dls.train.new(dls.train_ds.new_empty())
    with pytest.raises(ValueError, match='no training rows'): fit(dot()(dls), dls)

def test_predictions_of_a_wrong_number_are_an_error():
    class Two(DotProduct):
        def forward(self, x): return super().forward(x).repeat(2)
    with pytest.raises(ValueError, match=r'shape \(128,\) for ratings of shape \(64,\)'):
        lean_fit(Two(61, 41, 3), loaders())

def test_fit_rows_wants_the_model_it_knows():
    for model in (Doubled(61, 41, 3), CollabNN((61, 3), (41, 3))):
        with pytest.raises(TypeError, match=f'exactly a DotProductBias, not a {type(model).__name__}: take lean_fit'):
            fit_rows(model, loaders())

def test_fit_rows_refuses_frozen_parameters_and_moves_nothing():
    model = dot()(loaders())
    model.item_bias.requires_grad_(False)
    before = [t.clone() for t in tables_of(model)]
    with pytest.raises(ValueError, match='item_bias.*frozen.*lean_fit'): fit_rows(model, loaders())
    for t,b in zip(tables_of(model), before): assert_close(t, b, atol=0, rtol=0)

def test_a_model_with_nothing_to_train_is_an_error():
    for model in (dot()(loaders()), CollabNN((61, 3), (41, 3))):
        with pytest.raises(ValueError, match='nothing to train'): lean_fit(model.requires_grad_(False), loaders())

@pytest.mark.parametrize('bad', [1, 1., 1.5, -0.1, math.nan, math.inf, True, '0.9', None])
def test_a_memory_below_0_or_of_1_is_refused(bad):
    with pytest.raises(ValueError, match='sqr_mom must be a number, at least 0 and below 1, not'):
        lean_fit(dot()(loaders()), loaders(), sqr_mom=bad)

def test_no_memory_at_all_still_trains(): assert math.isfinite(lean_fit(dot()(loaders()), loaders(), sqr_mom=0))

@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
def test_swapped_arguments_are_an_error(fit):
    with pytest.raises(TypeError,
                       match='the model comes first, then the loaders, not RatingsDataLoaders and DotProductBias'):
        fit(loaders(), dot()(loaders()))

@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
@pytest.mark.parametrize('n_users, n_items, message',
                         [(30, 41, '30 rows of users and 41 of items.*61 and 41'),
                          (61, 40, '61 rows of users and 40 of items.*61 and 41')])
def test_a_model_smaller_than_the_loaders_is_an_error(fit, n_users, n_items, message):
    dls = loaders()
    assert (dls.n_users, dls.n_items)==(61, 41)
    with pytest.raises(ValueError, match=message): fit(DotProductBias(n_users, n_items, 3), dls)

def test_a_model_larger_than_the_loaders_trains(): assert math.isfinite(fit_rows(DotProductBias(70, 50, 3), loaders()))

@pytest.mark.parametrize('fit', [lean_fit, fit_rows])
def test_float64_tables_train_as_float32_do(fit):
    a, b = twins()
    b.double()
    assert fit(a, loaders(), 2)==pytest.approx(fit(b, loaders(), 2), rel=1e-4) and b.user_factors.dtype==torch.float64
    assert_close(b.user_factors.float(), a.user_factors, atol=1e-4, rtol=1e-3)

# schedule, memory, recipe

@quick
@given(st.integers(1, 200), st.floats(1e-4, 1))
def test_the_schedule_is_fastais(n, lr):
    from fastai.callback.schedule import combined_cos
    theirs = combined_cos(0.25, lr/25, lr, lr/1e5)
    assert np.allclose(cosine_cycle(n, lr/25, lr, lr/1e5), [theirs(i/n) for i in range(n)], rtol=1e-4, atol=1e-6*lr)

def test_adams_memory_is_fastais_for_small_batches_and_has_a_floor():
    assert [adam_memory(bs) for bs in (1, 16, 64)]==[0.99]*3
    assert adam_memory(128)==pytest.approx(0.99**2)
    assert adam_memory(1024)==adam_memory(10**6)==pytest.approx(0.8515, abs=1e-4)

@pytest.mark.parametrize('bs', [0, -1, math.nan, 64., '64', True])
def test_a_memory_wants_a_batch_of_whole_ratings(bs):
    with pytest.raises(ValueError, match='bs must be a whole number'): adam_memory(bs)

def test_the_recipe_for_movielens_100k_is_the_tuned_one():
    assert good_recipe(80_000)==dict(bs=1024, n_epoch=5, lr=0.01, wd=0.3072, sqr_mom=0.8515)

@given(st.integers(1, 10**9))
def test_a_recipe_has_whole_batches_and_keeps_the_decay_of_an_epoch(n):
    r = good_recipe(n)
    decay = n/r['bs']*r['lr']*r['wd']
    assert set(r)=={'bs', 'n_epoch', 'lr', 'wd', 'sqr_mom'}
    assert r['sqr_mom']==pytest.approx(adam_memory(r['bs']), abs=1e-4)
    assert isinstance(r['bs'], int) and 16<=r['bs']<=8192 and r['lr']*r['wd']<=0.1
    assert n<80 or n>10**8 or decay==pytest.approx(0.5 if n<20_000 else 0.24, rel=0.05)
    assert not 1500<n<600_000 or 50<n/r['bs']<120

@pytest.mark.parametrize('n', [0, -1, 2.5, '100'])
def test_a_recipe_wants_a_number_of_rows(n):
    with pytest.raises(ValueError, match='n_ratings must be a whole number'): good_recipe(n)

@pytest.mark.parametrize('fit', ['lean', 'rows'])
def test_planted_factors_are_found(fit):
    p = planted_ratings(500, 300, 40_000, noise=0.3, seed=1)
    recipe = good_recipe(32_000)
    dls = RatingsDataLoaders.from_df(p.ratings, seed=0, bs=recipe.pop('bs'), device='cpu')
    def rmse(k):
        torch.manual_seed(0)
        model = DotProductBias(dls.n_users, dls.n_items, k, (-1, 8))
        return (lean_fit(model, dls, **recipe) if fit=='lean' else fit_rows(model, dls, 10))**0.5
    assert rmse(10) < 0.45 < 0.5 < rmse(0)

# row-wise Adagrad

def slow_rows(model, x, y, sums, lr, wd):
    "One step in float64 numpy, one rating at a time: all gradients first, then all sums, then all moves"
    t = [p.detach().numpy().astype(float).reshape(len(p), -1)
         for p in (model.user_factors, model.user_bias, model.item_factors, model.item_bias)]
    lo,hi = model.y_range or (0, 1)
    grads = []
    for (u,i),r in zip(x.tolist(), y.tolist()):
        s = t[0][u]@t[2][i] + t[1][u,0] + t[3][i,0]
        share = 1/(1 + np.exp(-s))
        slope = (s - r) if model.y_range is None else (lo + (hi-lo)*share - r)*(hi-lo)*share*(1-share)
        grads += [(0, u, slope*t[2][i] + wd*t[0][u]), (1, u, slope + wd*t[1][u]),
                  (2, i, slope*t[0][u] + wd*t[2][i]), (3, i, slope + wd*t[3][i])]
    for k,row,g in grads: sums[k][row] += (g**2).mean() if g.size else 0
    for k,row,g in grads: t[k][row] = t[k][row] - lr*g/np.sqrt(sums[k][row])
    return t

@quick
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 25), st.integers(0, 10**6),
       st.sampled_from([None, (0, 5.5), (1, 2)]), st.floats(0, 0.3))
def test_two_steps_of_rows_are_those_of_a_plain_loop(n_users, n_items, k, n, seed, y_range, wd):
    model = big(DotProductBias(n_users, n_items, k, y_range), seed=seed)
    sums = [np.full(m, 1e-6) for m in (n_users, n_users, n_items, n_items)]
    step = step_by_rows(model, wd)
    for s in range(2):
        x, y = rows(n_users, n_items, n, seed+s), torch.rand(n, generator=torch.Generator().manual_seed(seed+s))*5
        expected = slow_rows(model, x, y, sums, 0.1, wd)
        with torch.no_grad(): step((x, y), 0.1)
        for t,e in zip(tables_of(model), expected):
            assert_close(t.view(len(t), -1).double(), torch.tensor(e), atol=1e-4, rtol=1e-4)

def test_only_the_rows_of_the_batch_are_moved_and_no_others_decay():
    model = big(DotProductBias(50, 60, 4))
    before = [t.clone() for t in tables_of(model)]
    x = torch.tensor([[3, 7], [3, 9], [40, 7]])
    with torch.no_grad(): step_by_rows(model, 0.2)((x, torch.tensor([1., 5., 3.])), 0.1)
    for t,b,ids in zip(tables_of(model), before, ([3, 40], [3, 40], [7, 9], [7, 9])):
        assert (t!=b).view(len(t), -1).any(1).nonzero().flatten().tolist()==ids

def test_rows_train_biases_alone_too():
    model = DotProductBias(61, 41, 0)
    mse = fit_rows(model, loaders(), 10)
    assert mse < 0.9*PLANTED.ratings.rating.var() and model.user_bias.isfinite().all()

# checks of large tables, against slow and plain ones

ids = st.one_of(st.lists(st.integers(-5, 5), min_size=4, max_size=30),
                st.lists(st.integers(-2**63, 2**63-1), min_size=4, max_size=30),
                st.lists(st.sampled_from([2**53, 2**53+1, -2**62, 0, 1]), min_size=4, max_size=30),
                st.lists(st.sampled_from('abcé'), min_size=4, max_size=30))

@quick
@given(ids, ids)
def test_doubled_pairs_are_those_that_pandas_finds(a, b):
    n = min(len(a), len(b))
    df = pd.DataFrame(dict(user=a[:n], movie=b[:n], rating=np.arange(n)%5 + 1.))
    if df.user.nunique()<2 or df.movie.nunique()<2: return
    if df.duplicated(['user', 'movie']).any():
        with pytest.raises(ValueError, match=f"^{df.duplicated(['user', 'movie']).sum()} rows? repeats? a pair"):
            validate_ratings(df, rating_range=(1, 5))
    else: assert validate_ratings(df, rating_range=(1, 5)) is df

@pytest.mark.parametrize('dtype', ['int8', 'int16', 'uint8', 'int32', 'uint32', 'int64', 'uint64', 'Int64',
                                   'float64', 'object', 'str'])
def test_every_type_of_id_gives_the_same_vocabulary_rows_and_split(dtype):
    df = PLANTED.ratings.astype({'user': dtype, 'movie': dtype})
    vocab = make_vocab(df.user)
    assert vocab[1:]==sorted(set(df.user.tolist()))
    assert ids_to_rows(df.user, vocab).tolist()==[vocab.index(o) for o in df.user.tolist()]
    a, b = random_split(df, seed=3), random_split(PLANTED.ratings, seed=3)
    assert (a.test==b.test).all()
    assert (a.unseen_users, a.unseen_items, a.unseen_rows)==(b.unseen_users, b.unseen_items, b.unseen_rows)

@quick
@given(st.lists(st.integers(-2**63, 2**63-1), min_size=1, max_size=20),
       st.lists(st.integers(-2**63, 2**63-1), min_size=1, max_size=20), st.integers(-2**62, 2**62))
def test_ids_are_looked_up_as_a_dictionary_would(known, asked, low):
    for shift,k,a in ((0, known, asked), (low, [o%40 for o in known], [o%60 - 10 for o in asked])):
        k, a = [o+shift for o in k], [o+shift for o in a]
        vocab = make_vocab(k)
        at = {v: n for n,v in enumerate(vocab)}
        assert ids_to_rows(a + k, vocab, on_unknown='na').tolist()==[at.get(o, 0) for o in a + k]

@quick
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=5, max_size=40), st.integers(0, 99),
       st.booleans())
def test_unseen_ids_are_counted_as_sets_would(pairs, seed, as_text):
    df = pd.DataFrame(pairs, columns=['user', 'movie'])
    if as_text: df = df.astype(str)
    s = random_split(df, 0.4, seed)
    tr, te = df.iloc[s.train], df.iloc[s.test]
    new = {c: set(te[c]) - set(tr[c]) for c in df}
    assert (s.unseen_users, s.unseen_items)==(len(new['user']), len(new['movie']))
    assert s.unseen_rows==sum(u in new['user'] or i in new['movie'] for u,i in zip(te.user, te.movie))

def test_half_stars_far_down_the_table_are_seen():
    "A table whose first rows are whole numbers is not mistaken for one of ids"
    y = np.r_[np.arange(2000)%150 + 1., 0.5]
    df = pd.DataFrame(dict(user=np.arange(2001)%10, movie=np.arange(2001), rating=y))
    assert validate_ratings(df) is df
    with pytest.raises(ValueError, match='are they swapped'): validate_ratings(df[:2000])

def test_a_batch_holds_users_beside_users_in_memory():
    x,y = loaders(100).one_batch()
    assert x.shape==(100, 2) and all(o.is_contiguous() for o in x.unbind(1))
