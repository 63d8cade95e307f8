"Levels: gradients, thresholds, tables that numpy serves, fold-in, and the choice between neighbours and biases"
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st

from collab_course import fitting
from collab_course.fitting import (CheckedRatings, fit_table, inner_order, neighbours_settings, search_decay,
                                   training_settings)
from collab_course.folding import fold_rows
from collab_course.levels import LevelBias, LevelLoss, LevelSVDpp, common_thresholds, fit_levels, row_rates
from collab_course.loaders import RatingsDataLoaders
from collab_course.recommender import Recommender, mean_row, rare_row
from collab_course.served import LevelTables, expected_ratings, from_state, scores_at_levels
from collab_course.svdpp import SVDpp
from collab_course.tables import planted_ratings

quick = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 2**32 - 1)
N_USERS,N_ITEMS = 7,11
STARS = np.arange(1., 6)

def tables(seed=0, n_levels=5):
    rng = np.random.default_rng(seed)
    dots = [rng.normal(0, 1, s) for s in ((N_USERS, 3), N_USERS, (N_ITEMS, 3), N_ITEMS)]
    thresholds = np.sort(rng.normal(0, 2, (N_USERS, n_levels - 1)), axis=1)
    return LevelTables(*dots, thresholds, np.sort(rng.choice(20, n_levels, replace=False))/2)

def every_pair(): return np.repeat(np.arange(N_USERS), N_ITEMS),np.tile(np.arange(N_ITEMS), N_USERS)

def planted(n=2_000, **kwargs):
    given = dict(n_users=80, n_items=60, n_factors=4, skew=1, rating_range=(1, 5), step=1, seed=0) | kwargs
    return planted_ratings(n_ratings=n, **given).ratings

# --- the loss

@quick
@given(seeds, st.sampled_from([2, 3, 5, 10]), st.sampled_from([0., 0.3, 1.]))
def test_the_gradient_is_that_of_autograd(seed, n_levels, share):
    generator = torch.Generator().manual_seed(seed)
    def draw(*size): return torch.randn(*size, generator=generator, dtype=torch.float64)
    x,t = draw(20).requires_grad_(),draw(20, n_levels - 1).sort(1).values.requires_grad_()
    y = torch.randint(0, n_levels, (20,), generator=generator)
    levels = draw(n_levels).sort().values
    below = torch.sigmoid(t - x[:,None])
    chances = torch.cat([below, torch.ones(20, 1)], 1) - torch.cat([torch.zeros(20, 1), below], 1)
    chosen = chances.gather(1, y[:,None]).clamp_min(1e-6)
    theirs = (1 - share)*(chances@levels - levels[y]).square().mean() - share*chosen.log().mean()
    ours,errors = LevelLoss.apply(x, t, y, levels, share)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-9)
    torch.testing.assert_close(errors, (chances@levels - levels[y]).detach())
    for a,b in zip(torch.autograd.grad(ours, (x, t)), torch.autograd.grad(theirs, (x, t))):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)

def test_thresholds_start_where_the_ratings_are():
    y = torch.tensor([0]*10 + [1]*40 + [2]*50)
    t = common_thresholds(y, 3, spread=1.)
    torch.testing.assert_close(torch.sigmoid(t), torch.tensor([0.1, 0.5]))

# --- tables in numpy

@quick
@given(seeds, st.sampled_from([2, 5, 10]))
def test_predictions_are_those_of_torch_and_of_every_batch(seed, n_levels):
    model = tables(seed, n_levels)
    users,items = every_pair()
    predicted = model.predict(users, items)
    torch_model = model.to_torch()
    assert type(torch_model) is LevelBias
    theirs = torch_model.double()(torch.from_numpy(np.stack([users, items], 1))).numpy()
    np.testing.assert_allclose(predicted, theirs, rtol=1e-6)
    alone = [model.predict(users[[k]], items[[k]])[0] for k in range(len(users))]
    assert predicted.tolist() == alone
    assert predicted.min()>=model.levels[0] and predicted.max()<=model.levels[-1]

@quick
@given(seeds)
def test_a_person_s_order_is_that_of_the_scores(seed):
    model = tables(seed)
    for user in range(N_USERS):
        scores = model.exact_scores(np.full(N_ITEMS, user), np.arange(N_ITEMS))
        predicted = model.predict(np.full(N_ITEMS, user), np.arange(N_ITEMS))
        assert (np.diff(predicted[np.argsort(scores)])>=0).all()

@quick
@given(seeds)
def test_chances_add_up_and_give_the_expected_rating(seed):
    model = tables(seed)
    users,items = every_pair()
    chances = model.chances(users, items)
    assert chances.min()>=0
    np.testing.assert_allclose(chances.sum(1), 1)
    np.testing.assert_allclose(chances@model.levels, model.predict(users, items), rtol=1e-5)

@quick
@given(seeds)
def test_mirrors_rows_and_states(seed):
    model = tables(seed)
    users,items = every_pair()
    predicted = model.predict(users, items)
    turned = model.mirrored()
    assert turned.predict(items, users).tolist() == predicted.tolist()
    assert turned.mirrored().state().keys() == model.state().keys()
    assert turned.with_user_rows(turned.user_rows).mirrored().predict(users, items).tolist() == predicted.tolist()
    named = model.with_row0(model.user_rows[4], model.item_rows[6])
    def zero(rows, other): return np.where(rows==0, other, rows)
    assert named.predict(users, items).tolist() == model.predict(zero(users, 4), zero(items, 6)).tolist()
    again = from_state(model.state(), model.settings(), N_USERS, N_ITEMS)
    assert again.predict(users, items).tolist() == predicted.tolist()
    raw = model.raw_scores(np.arange(N_USERS))
    np.testing.assert_allclose(model.through_range(raw, np.arange(N_USERS)).ravel(), predicted, rtol=1e-5)

@pytest.mark.parametrize('name,value,text', [
    ('levels', np.array([1, 1, 2, 3, 4], np.float32), 'levels must be two ascending'),
    ('levels', np.array([1], np.float32), 'levels must be two ascending'),
    ('user_thresholds', np.zeros((N_USERS, 3), np.float32), 'user_thresholds must have the shape'),
    ('user_thresholds', np.full((N_USERS, 4), np.nan, np.float32), 'user_thresholds holds NaN'),
    ('evil', np.zeros(1, np.float32), 'evil')])
def test_odd_arrays_are_refused(name, value, text):
    model = tables()
    with pytest.raises(ValueError, match=text):
        from_state(model.state() | {name: value}, model.settings(), N_USERS, N_ITEMS)

# --- fold-in

@quick
@given(seeds)
def test_the_way_back_finds_the_score(seed):
    rng = np.random.default_rng(seed)
    thresholds = np.sort(rng.normal(0, 3, (9, 4)), axis=1)
    y = rng.uniform(1.25, 4.75, 9)
    np.testing.assert_allclose(expected_ratings(scores_at_levels(y, thresholds, STARS), thresholds, STARS), y)

def test_a_newcomer_s_thresholds_stay_and_high_ratings_lift():
    model = tables()
    centre = model.user_rows[1:].mean(0, dtype=np.float64)
    items = np.array([2, 5, 7])
    low,high = [fold_rows(model, np.zeros(3, int), items, np.full(3, y), 2., centre)[0]
                for y in (model.levels[0], model.levels[-1])]
    np.testing.assert_allclose(low[3:-1], centre[3:-1])
    by_row = model.with_user_rows(np.stack([low, centre, high]))
    predicted = [by_row.predict(np.full(3, k), items).mean() for k in range(3)]
    assert predicted[0] < predicted[1] < predicted[2]

# --- training

def test_rows_with_few_ratings_decay_more():
    rates = row_rates(torch.tensor([0, 2, 50, 200, 10**6]))
    assert rates[2]==1 and rates[3]==0.5 and (rates.diff()<=0).all() and rates[-1]==0.25
    assert (row_rates(torch.tensor([1, 99]), power=0.)==1).all()

def test_training_beats_biases_and_collapses():
    df = planted(4_000)
    dls = RatingsDataLoaders.from_df(df, seed=0, bs=128, device='cpu')
    model = LevelSVDpp.from_dls(dls, n_factors=20, generator=torch.Generator().manual_seed(0))
    start = float(np.var(dls.valid_ds.y.numpy()))
    assert fit_levels(model, dls, 8, lr=2e-2, decay=0.5) < 0.9*start
    with torch.no_grad(): torch.testing.assert_close(model.collapse()(dls.valid_ds.x), model(dls.valid_ds.x))
    plain = SVDpp.from_dls(dls, n_factors=20)
    assert fit_levels(plain, dls, 8, lr=2e-2, decay=0.5) < 0.9*start

# --- the choice

def fitted(df, model='auto', **kwargs):
    table = CheckedRatings.from_df(df)
    return fit_table(table, training_settings(len(table), table.rating_range, model, seed=0, **kwargs))

def test_a_fit_is_repeated_by_its_seed():
    first,again = [fitted(planted(1_000), n_factors=5, n_epoch=2) for _ in range(2)]
    assert first.report==again.report
    assert all((a==b).all() for a,b in zip(first.served.state().values(), again.served.state().values()))
    assert [decay for decay,_ in first.report['tried']['decays']][:2]==[1.4, 0.7]

def test_biases_alone_are_served_where_they_are_better(monkeypatch):
    monkeypatch.setattr(fitting, 'beats_biases', lambda report: False)
    res = fitted(planted(1_000), n_epoch=1)
    assert res.report['model']=='biases' and res.report['n_factors']==0 and 'decay' not in res.report
    assert res.report['valid_rmse'] == pytest.approx(res.report['tried']['biases'], rel=1e-6)
    assert res.served.n_factors==0 and res.history.n_train==1_000
    assert 'biases alone, better than neighbours' in fitting.report_line(res.report)

def test_no_factors_are_the_shrunk_biases():
    df = planted(1_500, rating_range=(0, 10))
    res = fitted(df, 'dot_product', n_factors=0)
    assert res.report['valid_rmse'] == pytest.approx(res.report['baseline_rmse'], rel=1e-6)
    assert res.served.describe()=='0 factors'

def test_many_different_ratings_are_numbers_and_few_are_levels():
    df = planted(1_500)
    rng = np.random.default_rng(1)
    fine = df.assign(rating=df.rating + rng.uniform(-0.4, 0.4, len(df)))
    assert fitted(df, 'neighbours', n_factors=3, n_epoch=1).served.kind=='levels'
    assert fitted(fine, 'neighbours', n_factors=3, n_epoch=1).served.kind=='dot product'
    half = df.assign(rating=df.rating/2)
    assert fitted(half, 'neighbours', n_factors=3, n_epoch=1).served.levels.tolist()==[0.5, 1, 1.5, 2, 2.5]

def test_given_settings_are_not_searched():
    assert 'tried' not in fitted(planted(1_000), 'neighbours', n_factors=3, n_epoch=1, wd=0.1).report
    assert 'decays' not in fitted(planted(1_000), n_factors=3, n_epoch=1, wd=0.1).report['tried']

def test_the_search_goes_on_while_it_helps():
    asked = []
    def error(decay):
        asked.append(decay)
        return abs(decay - 0.35)
    best,tried = search_decay(error, 1.6)
    assert (best, asked)==(0.4, [1.6, 0.8, 0.4, 0.2]) and len(tried)==4
    assert search_decay(lambda decay: -decay, 1.)[0]==8
    assert search_decay(lambda decay: None, 1.)==(1., [])

def test_inner_rows_are_training_rows_of_whole_people():
    users = np.repeat(np.arange(1, 1_001), 100)
    order = np.random.default_rng(0).permutation(100_000)[:80_000]
    mine,n = inner_order(users, order, seed=3)
    assert set(mine)<=set(order) and 39_000<len(mine)<41_000 and n==len(mine) - len(mine)//10
    counts = np.bincount(users[order], minlength=1_001)
    own = np.bincount(users[mine], minlength=1_001)
    assert ((own==0) | (own==counts)).all()
    assert len(inner_order(users, order[:1_000], seed=3)[0])==1_000

def test_small_and_wide_tables_take_larger_batches():
    usual = neighbours_settings(100_000, n_rows=2_600)
    assert usual['lr']==0.01 and neighbours_settings(100_000, n_rows=9_700)['bs']==2*usual['bs']
    assert neighbours_settings(100_000, n_rows=50_000)['bs']==4*usual['bs']
    assert neighbours_settings(20_000)['lr']==0.02 and neighbours_settings(20_000, bs=64)['lr']==0.01

# --- the product

def test_a_recommender_with_levels_saves_folds_and_updates(tmp_path):
    df = planted(1_500)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        rec = Recommender.fit(df, model='neighbours', n_factors=4, n_epoch=2, seed=0, progress=False)
    again = Recommender.load(rec.save(tmp_path/'levels.bundle'))
    pd.testing.assert_frame_equal(again.predict(df), rec.predict(df))
    pd.testing.assert_frame_equal(again.recommend(1), rec.recommend(1))
    assert rec.recommend(1, 20).score.is_monotonic_decreasing
    scores = rec.fold_in({1: 5., 2: 1., 7: 4.}, 5)
    assert len(scores)==5 and scores.score.is_monotonic_decreasing
    news = pd.DataFrame(dict(user=[1_000, 1_000, 1], movie=[1, 999, 999], rating=[5., 4, 5]))
    updated = rec.update(news)
    asked = pd.DataFrame(dict(user=[1_000, 2], movie=[999, 999]))
    assert updated.predict(asked).prediction.between(1, 5).all()
    parts = rec.explain(1, 5, n=3)
    score = rec.served.exact_scores(*[np.array([rows]) for rows in
                                      (rec.users_vocab.rows([1])[0], rec.items_vocab.rows([5])[0])])[0]
    assert parts.contribution.sum() == pytest.approx(score)

def test_an_item_without_ratings_is_like_those_rarely_rated():
    table = np.arange(40.)[:,None].astype(np.float32)
    counts = np.r_[0, np.full(20, 2), np.full(19, 50)]
    assert rare_row(table, counts)==table[1:21].mean()
    assert rare_row(table, counts, least=21)==mean_row(table, counts)==table[1:].mean()
