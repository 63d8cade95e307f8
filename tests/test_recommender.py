"Chapter 15: what is recommended and why, strangers, newcomers, models that may be served, bundles that may be loaded"
import copy, decimal, enum, json, pickle, random, subprocess, sys, warnings
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from fastai.collab import CollabDataLoaders, EmbeddingDotBias, EmbeddingNN, collab_learner
from fastai.learner import Learner
from fastai.losses import MSELossFlat
from fastai.tabular.core import TabDataLoader
from hypothesis import assume, given, settings, strategies as st
from torch import nn
from torch.testing import assert_close

from collab_course import answers, fitting, recommender
from collab_course.answers import titles_of_table
from collab_course.newcomers import fold_in
from collab_course.baselines import fit_biases
from collab_course.bundle import BundleError, load_bundle, save_bundle
from collab_course.checks import close_matches
from collab_course.create_params import DotProductBias
from collab_course.tables import planted_ratings, random_split
from collab_course.dot_product import DotProduct
from collab_course.embedding_nn import CollabNN
from collab_course.side_features import SideFeatureNN
from collab_course.folding import fold_rows
from collab_course.interpretation import nearest
from collab_course.levels import LevelBias
from collab_course.list_models import Blend, EASE, WeightedALS
from collab_course.lists import rank_fit
from collab_course.loaders import RatingsDataLoaders
from collab_course.ranking import largest, rank_items
from collab_course.served import DotProductTables
from collab_course.vocab import id_dtypes, ids_to_rows
from collab_course.recommender import Recommender
from collab_course.training import adam_memory, good_recipe
from brief import brief_training
from weights import big

brief = pytest.fixture(brief_training, scope='module', autouse=True)
quick = settings(deadline=None, max_examples=30)
seeds = st.integers(0, 10**6)
planted = planted_ratings(n_users=40, n_items=30, n_ratings=700, n_factors=4, skew=1, rating_range=(1, 5), step=1,
                          seed=0).ratings
titles = {i: f'Film № {i}' for i in range(1, 25)} # some have none

def loaders(df=planted, valid_pct=0.1, **kw):
    return RatingsDataLoaders.from_df(df, valid_pct=valid_pct, seed=0, bs=64, device='cpu', **kw)
dls = loaders()
def dot(dls=dls, n_factors=4, seed=0, y_range=(0, 5.5)):
    return big(DotProductBias(dls.n_users, dls.n_items, n_factors, y_range), seed=seed)
def net(dls=dls): return big(CollabNN((dls.n_users, 5), (dls.n_items, 6), n_act=7))
def features(dls=dls):
    g = torch.Generator().manual_seed(1)
    return big(SideFeatureNN((dls.n_users, 3), (dls.n_items, 4), torch.randn(dls.n_users, 2, generator=g),
                             torch.randn(dls.n_items, 5, generator=g), n_act=6, p_blank=0.3))

rec = Recommender.from_model(dot(), dls, titles)
network = Recommender.from_model(net(), dls, titles)
either = pytest.mark.parametrize('rec', [rec, network], ids=['dot product', 'network'])
all_pairs = pd.DataFrame([(u, i) for u in dls.classes['user'][1:] for i in dls.classes['movie'][1:]],
                         columns=['user', 'movie'])
seen = set(zip(planted.user, planted.movie))
trained_items = {dls.classes['movie'][r] for r in dls.train_ds.x[:,1].tolist()}
def same(a, b): pd.testing.assert_frame_equal(a, b, check_exact=True)

# predict

def directly(model, df, dls=dls):
    with torch.no_grad(): return model.eval()(dls.test_dl(df, bs=10**6).one_batch()[0]).reshape(-1).numpy()

@pytest.mark.parametrize('make',
                         [dot, lambda: dot(y_range=None), lambda: dot(n_factors=0), net, features,
                          lambda: big(DotProduct(dls.n_users, dls.n_items, 4))])
def test_predictions_are_those_of_the_model(make):
    model = make()
    np.testing.assert_allclose(Recommender.from_model(model, dls).predict(all_pairs).prediction,
                               directly(model, all_pairs), rtol=1e-5, atol=1e-5)

@pytest.mark.parametrize('kw',
                         [{}, dict(layers=[8, 6]), dict(layers=[8], ps=[0.4], embed_p=0.3),
                          dict(layers=[8], use_bn=False), dict(layers=[8], bn_final=True),
                                dict(layers=[8, 5], lin_first=False), dict(layers=[8], act_cls=nn.Tanh()),
                                dict(layers=[])])
@pytest.mark.parametrize('y_range', [(0, 5.5), None])
def test_any_network_of_fastai_is_served_exactly(kw, y_range):
    model = EmbeddingNN([(dls.n_users, 5), (dls.n_items, 4)], **{'layers': [9], **kw}, y_range=y_range)
    model.train()
    # batch statistics of its own
    for _ in range(3):
        model(torch.stack([torch.randint(0, dls.n_users, (64,)), torch.randint(0, dls.n_items, (64,))], 1))
    np.testing.assert_allclose(Recommender.from_model(model, dls).predict(all_pairs).prediction,
                               directly(model, all_pairs), rtol=1e-4, atol=1e-5)

def test_predict_keeps_the_callers_table():
    df = pd.DataFrame({'note': ['b', 'a'], 'movie': [3, 4], 'user': [2, 1]}, index=[7, 7])
    res = rec.predict(df)
    assert list(res)==['note', 'movie', 'user', 'prediction'] and res.index.tolist()==[7, 7] and 'prediction' not in df
    assert res.prediction.dtype==np.float32
    same(res.drop(columns='prediction'), df)

def test_predict_takes_a_list_of_dicts_and_one_dict():
    df = pd.DataFrame([dict(user=1, movie=2), dict(user=2, movie=3)])
    same(rec.predict(df.to_dict('records')), rec.predict(df))
    same(rec.predict(dict(user=1, movie=2)), rec.predict(df[:1]))

def test_an_empty_table_gets_an_empty_column():
    res = rec.predict(pd.DataFrame({'user': [], 'movie': []}))
    assert list(res)==['user', 'movie', 'prediction'] and len(res)==0 and res.prediction.dtype==np.float32

@pytest.mark.parametrize('dtype', ['int8', 'int32', 'uint16', 'float64', 'Int64', 'category', 'object'])
def test_ids_are_found_by_value_whatever_their_dtype(dtype):
    df = all_pairs[:50]
    assert rec.predict(df.astype({'user': dtype, 'movie': dtype})).prediction.tolist()==rec.predict(
        df).prediction.tolist()

@quick
@given(seeds, st.integers(1, 300))
def test_scores_follow_ids_whatever_the_order_of_rows(seed, n):
    df = all_pairs.sample(n, random_state=seed)
    for r in (rec, network):
        part = r.predict(df).prediction
        assert part.tolist()==r.predict(all_pairs).prediction[df.index].tolist()

@pytest.mark.parametrize('pairs,error,msg', [
    (pd.DataFrame({'user': [1]}), ValueError, "no column 'movie'"), (pd.Series([1]), TypeError, 'DataFrame'),
    (None, TypeError, 'DataFrame'), ('x', TypeError, 'DataFrame'),
    (pd.DataFrame({'user': [1], 'movie': [1], 'prediction': [0]}), ValueError, 'already'),
    (pd.DataFrame({'user': [1, None], 'movie': [1, 2]}), ValueError, 'no id in 1 of 2'),
    (pd.DataFrame({'user': ['1'], 'movie': [1]}), ValueError, "'1' is text"),
    (pd.DataFrame({'user': [True], 'movie': [1]}), ValueError, 'bool'),
    (pd.DataFrame({'user': [1.5], 'movie': [1]}), ValueError, 'no user 1.5'),
    (pd.DataFrame({'user': [2.**60], 'movie': [1]}), ValueError, 'floats'),
    (pd.DataFrame({'user': [[1]], 'movie': [1]}), ValueError, 'cannot be an id|convert'),
    (pd.DataFrame({'user': [99], 'movie': [1]}), ValueError, 'nearest are 40, 39, 38'),
    (pd.DataFrame([[1, 2, 3]], columns=['user', 'user', 'movie']), ValueError, 'several columns')])
def test_predict_refuses(pairs, error, msg):
    with pytest.raises(error, match=msg): rec.predict(pairs)

# recommend

@either
@pytest.mark.parametrize('exclude', [True, False])
def test_a_list_is_all_predictions_sorted_and_cut(rec, exclude):
    scores = rec.predict(all_pairs)
    for u in (1, 7, 40):
        mine = scores[(scores.user==u) & scores.movie.isin(trained_items)]
        if exclude: mine = mine[[(u, m) not in seen for m in mine.movie]]
        best = mine.sort_values('prediction', ascending=False, kind='stable').head(6)
        res = rec.recommend(u, n=6, exclude_seen=exclude)
        assert res.movie.tolist()==best.movie.tolist() and res.score.tolist()==best.prediction.tolist()

@either
def test_what_was_rated_is_never_recommended_be_it_for_validation(rec):
    res = rec.recommend_all(n=30)
    assert not {*zip(res.user, res.movie)} & seen
    assert {*zip(res.user, res.movie)} | seen >= {(u, i) for u in range(1, 41) for i in trained_items}

@quick
@given(seeds, st.integers(1, 40), st.booleans())
def test_recommend_is_recommend_all(seed, n, exclude):
    users = random.Random(seed).sample(range(1, 41), 3)
    for r in (rec, network):
        same(r.recommend_all(n, users, exclude),
             pd.concat([r.recommend(u, n, exclude) for u in users], ignore_index=True))

def test_blocks_do_not_change_a_digit(monkeypatch):
    whole = [r.recommend_all(5) for r in (rec, network)]
    monkeypatch.setattr(recommender, 'rank_items', partial(rank_items, block_bytes=4*31*3))
    for r,w in zip((rec, network), whole): same(r.recommend_all(5), w)

@quick
@given(st.sets(st.integers(1, 30)), seeds)
def test_what_is_allowed_is_respected_in_both_forms(allowed, seed):
    res = rec.recommend_all(4, allowed=allowed)
    assert set(res.movie) <= allowed
    same(res, rec.recommend_all(4, allowed=lambda items: items.movie.isin(allowed)))
    same(res, rec.recommend_all(4, allowed=lambda items: items.movie.isin(allowed).tolist()))

ODD_CHOICES = {
    'one id': ('1', TypeError, 'must be a collection of ids'),
    'a number': (5, TypeError, 'must be a collection of ids'),
    'ids of another type': (['1'], ValueError, 'text'),
    'a missing id': ([1, None], ValueError, 'holds 1 missing ids: drop them'),
    'a mask': (rec.items['count']>3, TypeError, 'must be ids, not True and False for each item'),
    'a dict of lists': ({1: [2]}, TypeError, 'pass a DataFrame with a column of users and one of items'),
    'a table of numbers': (np.ones((2, 2)), TypeError, 'collection of ids'),
    'a function that gives ids': (lambda i: i.movie, ValueError, 'True or False for each of the 30 rows'),
    'a function that gives too little': (lambda i: [True], ValueError, 'True or False for each of the 30 rows'),
    'a function that gives a table': (lambda i: i[i['count']>3], TypeError, 'return the condition'),
    'a table without users': (pd.DataFrame({'movie': [1]}), ValueError, "no columns called 'user'"),
    'users of another type': (pd.DataFrame({'user': ['1'], 'movie': [1]}), ValueError, 'another type'),
    'a table with a gap': (pd.DataFrame({'user': [1], 'movie': [None]}), ValueError, "no id in 1 of 1 rows of 'movie'"),
}

@pytest.mark.parametrize('arg', ['allowed', 'exclude'])
@pytest.mark.parametrize('choice,error,msg', ODD_CHOICES.values(), ids=ODD_CHOICES)
def test_odd_choices_are_refused_by_name(arg, choice, error, msg):
    for call in (lambda **kw: rec.recommend(1, **kw), lambda **kw: rec.recommend_all(2, **kw)):
        with pytest.raises(error, match=msg) as e: call(**{arg: choice})
    if 'type' not in msg and msg!='text': assert str(e.value).startswith(arg)

stock = [*range(3, 20), 999, 88_000] # what a shop has; some of it nobody has rated

def test_what_is_in_stock_may_hold_items_that_nobody_has_rated():
    known = [i for i in stock if i<900]
    for ask in (partial(rec.recommend, 1), partial(rec.recommend_all, 4), partial(rec.fold_in, {1: 5., 2: 3.}),
                partial(rec.similar, 5)):
        same(ask(allowed=stock), ask(allowed=known))
        assert len(ask(allowed=stock)) and set(ask(allowed=stock).movie) <= set(known)
        assert not set(ask(exclude=stock).movie) & set(stock)
        same(ask(exclude=stock), ask(allowed=lambda items: ~items.movie.isin(stock)))
        assert not set(ask(allowed=stock, exclude=[3, 4, 5]).movie) & {3, 4, 5}

def test_a_stock_that_nobody_has_rated_lists_nothing_and_says_so():
    with pytest.warns(UserWarning, match='none of the ids in allowed has a training rating, such as 999'):
        assert not len(rec.recommend(1, allowed=[999]))

NOTHING_LEFT = {
    'too many ratings asked': (dict(min_count=10**6), 'no item has 1000000 training ratings, as min_count asks'),
    'no stock': (dict(allowed=[]), 'allowed chooses no item'),
    'a condition that nothing meets': (dict(allowed=lambda items: items['count']<0), 'allowed chooses no item'),
    'few ratings in stock': (dict(allowed=lambda items: items['count']<15, min_count=20),
                             'no item in allowed has 20 training ratings, as min_count asks'),
    'all left out': (dict(exclude=range(1, 31)), 'exclude leaves no item'),
    'others asked for': (dict(allowed=pd.DataFrame({'user': [2], 'movie': [3]})),
                         "allowed names no item that can be listed for 1 of 1 people, such as user 1"),
    'all left out of one': (dict(exclude=pd.DataFrame({'user': 1, 'movie': range(1, 31)})),
                            "exclude leaves no item for 1 of 1 people, such as user 1"),
}

@pytest.mark.parametrize('kw,msg', NOTHING_LEFT.values(), ids=NOTHING_LEFT)
def test_an_empty_list_says_why(kw, msg):
    with pytest.warns(UserWarning) as said: assert not len(rec.recommend(1, **kw))
    assert len(said)==1 and msg in str(said[0].message)

def test_full_lists_say_nothing_and_an_empty_one_says_that_all_is_rated(recwarn):
    rec.recommend_all(3, allowed=all_pairs, exclude=planted)
    assert not recwarn.list
    seen_by_one = planted[planted.user==1].movie
    with pytest.warns(UserWarning, match='leaves only what is rated already for 1 of 1 people, such as user 1'):
        assert not len(rec.recommend(1, allowed=seen_by_one))

def test_people_whose_lists_are_empty_are_counted():
    with pytest.warns(UserWarning, match='for 38 of 40 people, such as user 2'):
        assert set(rec.recommend_all(3, allowed=all_pairs[all_pairs.user.isin([1, 5])]).user)=={1, 5}

def test_similar_says_once_that_nothing_is_left():
    for kw in (dict(min_count=10**6), dict(allowed=[])):
        with pytest.warns(UserWarning) as said: assert not len(rec.similar(1, **kw))
        assert len(said)==1

def test_answers_of_a_sorted_table_are_put_in_order_by_their_index():
    def often(items): return items['count']>20
    same(rec.recommend(1, allowed=often), rec.recommend(1, allowed=lambda items: often(items.sort_values('count'))))

@pytest.mark.parametrize('answer', [
    lambda items: items.set_index('movie').sort_values('title')['count']>20,
    lambda items: items.set_index('movie')['count']>20,
    lambda items: (items['count']>20).set_axis(items.title), lambda items: (items['count']>20).set_axis([0]*30)])
def test_answers_with_another_index_than_the_table_are_refused(answer):
    msg = 'allowed: the function returned a Series with another index than .items.*keep the index'
    with pytest.raises(ValueError, match=msg): rec.recommend(1, allowed=answer)

@either
def test_a_table_says_for_each_person_what_may_be_listed(rec):
    pairs = all_pairs.sample(300, random_state=0)
    pairs = pd.concat([pairs, pd.DataFrame({'user': [1, 999], 'movie': [999, 3]})]) # nobody knows these
    people = [5, 1, 5, 40, 2]
    for kw in (dict(allowed=pairs), dict(exclude=pairs), dict(allowed=pairs, exclude=pairs[::2])):
        res = rec.recommend_all(4, people, **kw)
        each = []
        for u in people:
            own = {k: v[v.user==u].movie.tolist() for k,v in kw.items()}
            each.append(rec.recommend(u, 4, **own))
        same(res, pd.concat(each, ignore_index=True))
    newcomers = pd.DataFrame({'user': [900, 901], 'movie': [1, 2], 'rating': [5., 1.]})
    res = rec.fold_in(newcomers, 3, allowed=pd.DataFrame({'user': [900, 900, 901], 'movie': [7, 9, 12]}))
    assert sorted(zip(res.user, res.movie))==[(900, 7), (900, 9), (901, 12)]

def as_categories(df): return df.astype({name: 'category' for name in ('user', 'movie')})

def test_categories_count_by_their_values_wherever_ids_are_taken():
    pairs = all_pairs.sample(300, random_state=0)
    new = pd.DataFrame({'user': [900, 900, 901], 'movie': [1, 2, 3], 'rating': [5., 1., 4.]})
    own = pd.DataFrame({'user': [900, 900, 901], 'movie': [7, 9, 12]})
    for call in (lambda f: rec.recommend(1, allowed=f(pairs)), lambda f: rec.recommend_all(3, exclude=f(pairs)),
                 lambda f: rec.recommend_all(3, users=f(pairs).user, allowed=f(pairs).movie),
                 lambda f: rec.similar(1, exclude=f(pairs).movie[:9]), lambda f: rec.fold_in(f(new), allowed=f(own)),
                 lambda f: rec.fold_in(f(new), exclude=f(own)), lambda f: rec.update(f(new)).recommend_all(3),
                 lambda f: rec.predict(f(pairs))[['prediction']]):
        same(call(as_categories), call(pd.DataFrame))
    assert rec.evaluate(as_categories(planted))['rmse']==rec.evaluate(planted)['rmse']

def test_strangers_get_their_own_choices_too():
    table = pd.DataFrame({'user': [998, 998, 999, 999, 999], 'movie': [3, 4, 5, 6, 7]})
    for how in ('mean', 'popular'):
        res = rec.recommend_all(2, [998, 1, 999], allowed=table, on_unknown=how)
        assert set(res[res.user==998].movie)=={3, 4} and set(res[res.user==999].movie) < {5, 6, 7}
        assert not len(res[res.user==1])
        left = rec.recommend_all(30, [998, 999], exclude=table, on_unknown=how)
        assert not {*zip(left.user, left.movie)} & {*zip(table.user, table.movie)}

def test_min_count_leaves_out_what_few_have_rated():
    counts = rec.items.set_index('movie')['count']
    for ask in (partial(rec.recommend, 1, 30), partial(rec.fold_in, {1: 5.}, 30), partial(rec.similar, 5, 30)):
        res = ask(min_count=24)
        assert len(res) and counts[res.movie].min()>=24
        same(res, ask(min_count=1, allowed=lambda items: items['count']>=24))

def test_a_function_that_changes_its_table_changes_nothing_else():
    before = rec.items
    def spoil(items):
        items['count'] = 0
        return items['count']==0
    rec.recommend(1, allowed=spoil)
    same(rec.items, before)

def test_equal_scores_go_in_the_order_of_the_vocabulary():
    flat = DotProductBias(dls.n_users, dls.n_items, 2)
    with torch.no_grad():
        for p in flat.parameters(): p.zero_()
        flat.item_bias[[5, 9, 20]] = 1.
    res = Recommender.from_model(flat, dls).recommend(1, n=30, exclude_seen=False).movie.tolist()
    first = [dls.classes['movie'][r] for r in (5, 9, 20)]
    assert res==first + [i for i in dls.classes['movie'][1:] if i not in first]

def test_equal_scores_keep_their_order_in_a_catalogue_with_far_more_of_them_than_candidates():
    n,g = 3000,torch.Generator().manual_seed(0)
    m = DotProductTables(np.ones((4, 1)), np.zeros(4), torch.randint(0, 3, (n, 1), generator=g).numpy(), np.zeros(n))
    _,items,scores = rank_items(m, np.array([1, 2]), 7, np.arange(n)>0)
    best = [i for i in range(1, n) if m.item_factors[i,0]==2][:7]
    assert items.tolist()==best*2

def test_scores_that_the_sigmoid_makes_equal_keep_the_order_of_the_vocabulary():
    n = 500
    m = DotProductTables(np.ones((2, 1)), np.zeros(2), np.linspace(50, 100, n)[:,None], np.zeros(n), (0, 5.5))
    _,items,scores = rank_items(m, np.array([1]), 4, np.arange(n)>0)
    assert items.tolist()==[1, 2, 3, 4] and set(scores.tolist())=={5.5}

@quick
@given(st.integers(1, 60), st.integers(1, 5000), seeds)
def test_top_is_topk(k, n, seed):
    x = torch.randn(25, max(n, k), generator=torch.Generator().manual_seed(seed))
    at = torch.from_numpy(largest(x.numpy(), k).copy())
    at = at.gather(1, x.gather(1, at).argsort(descending=True))
    vals = x.topk(k).values
    assert_close(x.gather(1, at), vals, rtol=0, atol=0)

def test_fewer_are_left_than_asked_for():
    res = rec.recommend(1, n=1000)
    assert len(res)==len(trained_items - {m for u,m in seen if u==1}) and res.score.is_monotonic_decreasing

@either
def test_nothing_left_is_an_empty_table_of_the_usual_form(rec):
    full,empty = rec.recommend(1, n=2),rec.recommend(1, allowed=[])
    assert len(empty)==0 and list(empty)==list(full)==['user', 'movie', 'title', 'score']
    assert (empty.dtypes.drop('title')==full.dtypes.drop('title')).all() and empty.index.equals(pd.RangeIndex(0))
    assert list(rec.recommend_all(users=[]))==list(full) and len(rec.recommend_all(users=[]))==0

def test_results_have_fresh_indices_and_the_dtypes_of_the_ids():
    res = rec.recommend_all(2)
    assert res.index.equals(pd.RangeIndex(len(res))) and res.user.dtype==res.movie.dtype==np.int64
    assert res.score.dtype==np.float32

def test_a_title_that_is_not_known_is_missing():
    items = rec.items.set_index('movie').title
    assert items[3]=='Film № 3' and pd.isna(items[30])

@pytest.mark.parametrize('n', [0, -1, 2.5, '3', True])
def test_n_is_a_whole_number(n):
    for call in (lambda: rec.recommend(1, n), lambda: rec.recommend_all(n), lambda: rec.similar(1, n),
                 lambda: rec.fold_in({1: 5}, n)):
        with pytest.raises(ValueError, match='n must be'): call()

# strangers

lonely = pd.concat([planted, pd.DataFrame({'user': [77, 77], 'movie': [1, 88], 'rating': [4, 3]})], ignore_index=True)

def with_validation_strangers():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        d = RatingsDataLoaders.from_df(lonely, splits=(np.arange(len(planted)), np.arange(len(planted), len(lonely))),
                                       bs=64, device='cpu')
    return Recommender.from_model(dot(d), d)

def test_an_id_without_training_ratings_is_unknown_and_never_listed():
    r = with_validation_strangers()
    with pytest.raises(ValueError, match='no training rating'): r.recommend(77)
    with pytest.raises(ValueError, match='no training rating'): r.similar(88)
    assert 88 not in set(r.recommend_all(100).movie) | set(r.similar(1, 100).movie)
    assert 77 not in set(r.recommend_all(1).user) and 1 not in set(r.recommend(77, 100, on_unknown='mean').movie)
    assert 1 not in set(r.recommend(77, 100, on_unknown='popular').movie)

def test_the_mean_row_stands_in_for_strangers():
    users,items = (t[1:].mean(0) for t in (rec.model.user_factors, rec.model.item_factors))
    u,i = rec.model.user_bias[1:].mean(),rec.model.item_bias[1:].mean()
    end = lambda s: (torch.sigmoid(s)*5.5).item()
    pairs = pd.DataFrame({'user': [99, 1, 99], 'movie': [2, 98, 98]})
    raw = [users@rec.model.item_factors[2] + u + rec.model.item_bias[2],
           rec.model.user_factors[1]@items + rec.model.user_bias[1] + i, users@items + u + i]
    np.testing.assert_allclose(rec.predict(pairs, on_unknown='mean').prediction, [end(s) for s in raw], rtol=1e-5)

def test_popular_is_the_mean_of_the_side_that_is_known():
    train = dls.train_ds
    mean = lambda c,row: train.y[train.x[:,c]==row].mean().item()
    res = rec.predict(pd.DataFrame({'user': [99, 1, 99, 1], 'movie': [2, 98, 98, 2]}), on_unknown='popular').prediction
    np.testing.assert_allclose(res[:3], [mean(1, 2), mean(0, 1), train.y.mean()], rtol=1e-6)
    assert res[3]==rec.predict(dict(user=1, movie=2)).prediction[0]

def test_popular_lists_the_most_rated_with_their_means():
    res = rec.recommend(99, 5, on_unknown='popular')
    by_count = rec.items.sort_values('count', ascending=False, kind='stable').head(5)
    assert res.movie.tolist()==by_count.movie.tolist() and res.user.tolist()==[99]*5
    np.testing.assert_allclose(res.score, by_count.mean_rating, rtol=1e-6)

@pytest.mark.parametrize('how', ['mean', 'popular'])
def test_strangers_among_others_keep_their_place_and_leave_the_others_alone(how):
    res = rec.recommend_all(3, [5, 99, 2, 98], on_unknown=how)
    assert res.user.tolist()==[5]*3 + [99]*3 + [2]*3 + [98]*3
    for u in (5, 2): same(res[res.user==u].reset_index(drop=True), rec.recommend(u, 3))
    assert res[res.user==99].movie.tolist()==res[res.user==98].movie.tolist()==rec.recommend(1234, 3,
        on_unknown=how).movie.tolist()

def test_similar_to_a_stranger():
    res = rec.similar(99, 4, on_unknown='popular')
    assert res.score.isna().all() and res.movie.tolist()==rec.recommend(99, 4, on_unknown='popular').movie.tolist()
    mean = rec.model.item_factors[1:].double().mean(0)
    cos = torch.cosine_similarity(rec.model.item_factors[1:].double(), mean[None])
    np.testing.assert_allclose(rec.similar(99, 4, on_unknown='mean').score, cos.sort(descending=True).values[:4],
                               rtol=1e-5)

def test_another_type_is_refused_whatever_may_stand_in():
    for how in ('raise', 'mean', 'popular'):
        for call in (lambda: rec.recommend('1', on_unknown=how), lambda: rec.similar(b'1', on_unknown=how),
                     lambda: rec.predict([dict(user=1, movie='1')], on_unknown=how)):
            with pytest.raises(ValueError, match='convert it'): call()
    with pytest.raises(ValueError, match='on_unknown must be'): rec.recommend(1, on_unknown='na')

@pytest.mark.parametrize('none', [None, float('nan'), pd.NA, pd.NaT])
def test_a_missing_id_is_refused_whatever_may_stand_in(none):
    for how in ('raise', 'mean', 'popular'):
        with pytest.raises(ValueError, match='user must be an id, not'): rec.recommend(none, on_unknown=how)
        with pytest.raises(ValueError, match='item must be an id, not'): rec.similar(none, on_unknown=how)

@pytest.mark.parametrize('text', ['Film № 7', 'film № 7'])
def test_a_title_where_ids_are_numbers_is_answered_with_its_id(text):
    for call in (lambda: rec.similar(text), lambda: rec.explain(1, text), lambda: rec.recommend(1, allowed=[text]),
                 lambda: rec.recommend(1, exclude=[text]), lambda: rec.fold_in({text: 5}),
                 lambda: rec.predict({'user': 1, 'movie': text}), lambda: rec.evaluate(planted[:1].assign(movie=text)),
                 lambda: rec.update(planted[:1].assign(movie=text)),
                 lambda: rec.recommend(1, allowed=pd.DataFrame({'user': [1], 'movie': [text]}))):
        with pytest.raises(ValueError, match="pass the id: .* title is that of movie 7") as e: call()
        assert 'convert' not in str(e.value)
    with pytest.raises(ValueError, match="'7' is text and the ids are whole numbers.*: convert it"): rec.similar('7')
    with pytest.raises(ValueError, match="'xyz' is text and .*: pass an id"): rec.similar('xyz')

def test_a_newcomer_without_an_id_is_called_new_in_a_table_of_choices():
    own = pd.DataFrame({'user': [1], 'movie': [7]})
    with pytest.raises(ValueError, match="allowed.*the newcomer is called 'new'"): rec.fold_in({1: 5}, allowed=own)
    with pytest.warns(UserWarning, match="such as user 'new'"): rec.fold_in({1: 5}, allowed=own.assign(user='1'))
    assert rec.fold_in({1: 5}, allowed=own.assign(user='new')).movie.tolist()==[7]

def test_a_table_where_ids_are_asked_is_told_to_pass_a_column():
    with pytest.raises(TypeError, match=r"users must be a collection of ids, not a table: .* such as df\['user'\]"):
        rec.recommend_all(users=rec.users)
    assert len(rec.recommend_all(1, users=rec.users['user']))==40

def test_a_lone_tuple_is_told_what_pairs_are():
    with pytest.raises(TypeError, match=r"pairs must be .* a list of dicts, such as \[{'user': …"): rec.predict((1, 50))

def test_text_ids_get_the_nearest_texts_and_titles():
    df = planted.assign(movie=planted.movie.map('film-{:02}'.format))
    d = loaders(df)
    r = Recommender.from_model(dot(d), d, {'film-07': 'The Third Man', 'film-08': 'Ran'})
    with pytest.raises(ValueError, match='film-12'): r.similar('Film-012')
    with pytest.raises(ValueError, match='film-07'): r.similar('the third man')
    with pytest.raises(ValueError, match='whole number.*text'): r.similar(7)

def test_the_nearest_text_of_a_million_is_found_in_time():
    known = [f'reader-{i:07}' for i in range(1_000_000)]
    assert close_matches('reader-0123456x', known)[0]=='reader-0123456'

# similar

@pytest.mark.parametrize('by', ['cosine', 'euclidean', 'dot'])
@pytest.mark.parametrize('min_count', [1, 20])
def test_similar_is_nearest_of_chapter_06(by, min_count):
    for item in (1, 15):
        res,theirs = rec.similar(item, 8, by, min_count),nearest(rec.model, rec.dls, item, 8, by, min_count)
        assert res.movie.tolist()==theirs.index.tolist()
        np.testing.assert_allclose(res.score, theirs[by])

def test_a_network_has_similar_items_too():
    res = network.similar(3, 5)
    X = torch.from_numpy(network.served.item_rows[1:]).double()
    cos = torch.cosine_similarity(X, X[2][None])
    np.testing.assert_allclose(res.score, cos[cos<1 - 1e-9].sort(descending=True).values[:5], rtol=1e-6)

def test_a_model_without_factors_has_no_neighbours():
    r = Recommender.from_model(dot(n_factors=0), dls)
    with pytest.raises(ValueError, match='near to nothing'): r.similar(1)
    with pytest.raises(ValueError, match='by must be'): rec.similar(1, by='taste')

# fold in, explain

@quick
@given(seeds, st.integers(1, 20), st.sampled_from([0.5, 10., 100.]))
def test_folded_lists_are_those_of_chapter_09(seed, n, penalty):
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({'user': np.repeat([901, 902], n),
                       'movie': np.concatenate([rng.permutation(np.arange(1, 31))[:n] for _ in range(2)]),
                       'rating': rng.integers(1, 6, 2*n)})
    scores = fold_in(rec.model, rec.dls, df, penalty=penalty).predict(rec.model, rec.dls)
    res = rec.fold_in(df, 5, penalty)
    np.testing.assert_allclose(res.score, [scores.loc[u, m] for u,m in zip(res.user, res.movie)], atol=1e-4)
    assert not {*zip(res.user, res.movie)} & {*zip(df.user, df.movie)}

def test_a_newcomer_who_was_added_is_served_like_one_who_was_folded_in():
    df = planted[planted.user==3].assign(user=500)
    larger = rec.update(df)
    same(larger.recommend(500, 5), rec.fold_in(df, 5))
    same(larger.recommend(3, 5), rec.recommend(3, 5))
    assert len(rec.users)==40 and larger.users.user.tolist()[-1]==500
    assert larger.report=={'n_added': len(df)} and rec.report=={} and larger.n_train==rec.n_train + len(df)
    assert len(larger.history)==len(rec.history) + len(df)
    same(larger.items[['movie', 'title']], rec.items[['movie', 'title']])

def test_newcomers_may_come_one_after_the_other():
    a,b = (planted[planted.user==u].assign(user=500 + u) for u in (3, 4))
    one,other = rec.update(pd.concat([a, b])),rec.update(a).update(b)
    same(one.recommend_all(5), other.recommend_all(5))

def fold_loss(r, w, items, target, penalty):
    raw = r.model.layers(torch.cat([w.expand(len(items), -1), r.model.item_factors.weight[items]], 1)).squeeze(1)
    return (((raw - target)**2).sum() + penalty*((w - torch.from_numpy(r.mean_user))**2).sum()).item()

def test_a_network_folds_in_to_a_row_that_no_small_step_betters():
    items,y = torch.tensor([1, 4, 9, 20, 25]),torch.tensor([5., 4, 1, 2, 5])
    target = torch.logit(y/5.5)
    w = torch.from_numpy(fold_rows(network.served, np.zeros(5, int), items.numpy(), y.double().numpy(), 1.,
                                   network.mean_user.astype(float))[0]).float()
    best,g = fold_loss(network, w, items, target, 1.),torch.Generator().manual_seed(0)
    assert best < fold_loss(network, torch.from_numpy(network.mean_user), items, target, 1.)
    assert all(fold_loss(network, w + 0.02*torch.randn(w.shape, generator=g), items, target, 1.) > best - 1e-4
               for _ in range(50))

# ---- columns that nobody has named, and tables from elsewhere

tiny = dict(model='dot_product', n_factors=1, n_epoch=1, valid_pct=0, seed=0, progress=False)

@pytest.mark.parametrize('names', [('userId', 'movieId', 'rating'), ('Customer ID', 'product_id', 'Stars'),
                                   ('user_id:token', 'item_id:token', 'rating:float'), ('reader', 'title', 'score')])
def test_fit_finds_columns_by_their_usual_names_and_keeps_these(names):
    df = planted.set_axis([*names, 'timestamp'], axis=1)
    by_name = Recommender.fit(df, *names, **tiny)
    found = Recommender.fit(df, **tiny)
    assert (found.user_name, found.item_name, found.rating_name)==names
    same(found.recommend_all(3), by_name.recommend_all(3))

def test_the_names_of_the_course_come_first():
    more = planted.assign(userId=1, item=2, stars=3.)
    same(Recommender.fit(more, **tiny).recommend_all(3), Recommender.fit(planted, **tiny).recommend_all(3))

def test_a_name_that_is_given_is_never_taken_for_something_else():
    df = planted.rename(columns={'user': 'item', 'movie': 'product'})
    found = Recommender.fit(df, user_name='item', **tiny)
    assert (found.user_name, found.item_name)==('item', 'product')

@pytest.mark.parametrize('change,words', [
    (lambda df: df.rename(columns={'user': 'reader'}).assign(customer=1),
     "2 columns could be the user: 'reader', 'customer'. The columns are .*'movie'.* the right one with user_name="),
    (lambda df: df.rename(columns={'user': 'x', 'rating': 'y'}),
     "no column has a name that is known for the user or rating. The columns are 'x'.*with user_name=.*rating_name="),
    (lambda df: df.set_axis(['user', 'user', 'rating', 'timestamp'], axis=1), "2 columns of ratings are called 'user'"),
    (lambda df: df[[]], 'the table of ratings has no columns')])
def test_where_it_is_not_clear_fit_asks(change, words):
    with pytest.raises(ValueError, match=words): Recommender.fit(change(planted))

def test_the_answer_to_what_fit_asks_helps():
    df = planted.rename(columns={'user': 'reader'}).assign(customer=1)
    same(Recommender.fit(df, user_name='reader', **tiny).items, Recommender.fit(planted, **tiny).items)

unkept = dict(times=lambda u: pd.Timestamp(u, unit='D'), days=lambda u: pd.Timestamp(u, unit='D').date(),
              bytes=lambda u: bytes([u, 255]), pairs=lambda u: (u, 'x'), choices=lambda u: people[u],
              huge=lambda u: 2**64 + u, infinite=lambda u: np.inf if u==3 else float(u))
people = [*enum.Enum('people', [f'p{u}' for u in range(200)])]

@pytest.mark.parametrize('kind', unkept)
def test_ids_that_no_bundle_can_keep_are_refused_by_fit_and_the_advice_works(kind, tmp_path):
    df = planted.assign(user=[unkept[kind](u) for u in planted.user.tolist()])
    with pytest.raises(ValueError, match="column 'user' holds ids such as .*convert the column before training") as e:
        Recommender.fit(df, **tiny)
    call = str(e.value).split('e.g. with ')[1]
    r = Recommender.fit(df.assign(user=eval(f'df.user{call}')), **tiny)
    assert len(r.users)==planted.user.nunique()
    same(Recommender.load(r.save(tmp_path/'b')).recommend_all(3), r.recommend_all(3))

@pytest.mark.parametrize('names', [[0, 1, 2, 3], [('a', 'u'), ('a', 'i'), ('b', 'y'), ('b', 't')]])
def test_columns_that_no_bundle_can_name_are_refused_by_fit_and_the_advice_works(names, tmp_path):
    ratings = planted.set_axis(pd.Index(names), axis=1)
    with pytest.raises(ValueError, match="name that isn't text") as e: Recommender.fit(ratings, *names[:3], **tiny)
    df = eval(str(e.value).split('e.g. with ')[1])
    r = Recommender.fit(df, *map(str, names[:3]), **tiny)
    assert Recommender.load(r.save(tmp_path/'b')).user_name==str(names[0])

def test_half_a_character_in_the_name_of_a_column_is_refused_by_fit():
    df = planted.set_axis(pd.Index(['user', 'movie\ud800', 'rating', 'timestamp'], dtype=object), axis=1)
    with pytest.raises(ValueError, match='half a character in its name'): Recommender.fit(df, item_name='movie\ud800')

def test_what_cannot_be_kept_is_refused_before_torch_is_imported():
    code = '''import sys, pandas as pd
from collab_course.recommender import Recommender
df = pd.DataFrame([(u, i) for u in range(30) for i in range(20)], columns=['user', 'movie']).assign(rating=3.)
df.loc[::2, 'rating'] = 5
days = df.assign(user=pd.to_datetime(df.user, unit='D'))
for bad,kw in ((days, {}), (df.set_axis([0, 1, 2], axis=1), dict(user_name=0, item_name=1, rating_name=2)),
               (df.rename(columns={'user': 'x'}), {})):
    try: Recommender.fit(bad, **kw)
    except ValueError: print('torch' in sys.modules)'''
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.split()==['False']*3, done.stderr

def other_forms(df):
    "The same rows as other libraries, plain Python or other columns hold them"
    decimals = df.assign(rating=[decimal.Decimal(str(y)) for y in df.rating])
    return dict(arrow=pa.Table.from_pandas(df, preserve_index=False), dicts=df.to_dict('records'),
                columns=df.to_dict('list'), categories=df.astype({'user': 'category', 'movie': 'category'}),
                decimals=decimals)

@pytest.mark.filterwarnings('ignore:.*rows are in the history')
@pytest.mark.parametrize('form', other_forms(planted))
def test_every_method_takes_a_table_of_any_kind(form):
    known,new = planted.head(50),planted.head(60).assign(user=planted.user.head(60) + 1000)
    assert rec.evaluate(other_forms(known)[form])==rec.evaluate(known)
    assert rec.predict(other_forms(known)[form]).prediction.tolist()==rec.predict(known).prediction.tolist()
    same(rec.fold_in(other_forms(new)[form], 3), rec.fold_in(new, 3))
    same(rec.update(other_forms(new)[form]).recommend_all(3), rec.update(new).recommend_all(3))

@pytest.mark.filterwarnings('ignore:.*rows are in the history')
def test_true_and_false_are_ratings_for_every_method():
    flags = planted.assign(rating=planted.rating>3)
    numbers = flags.assign(rating=flags.rating.astype(float))
    r = Recommender.fit(flags, **tiny)
    new = flags.head(60).assign(user=1000)[flags.head(60).movie.duplicated()==0]
    assert r.evaluate(flags)==r.evaluate(numbers)
    same(r.update(new).recommend_all(3), r.update(new.assign(rating=new.rating.astype(float))).recommend_all(3))

def test_a_path_among_tables_is_told_how_to_be_read():
    with pytest.raises(TypeError, match=r"read_ratings\('r.csv'\)"): Recommender.fit('r.csv')
    with pytest.raises(TypeError, match=r"read_ratings\('r.csv'\)"): rec.evaluate('r.csv')

long = 'x'*20_000
long_table = planted.assign(user=long + planted.user.astype(str), title=long + planted.movie.astype(str))
long_asks = dict(unknown=lambda r: r.recommend(long), kind=lambda r: r.recommend(long.encode()),
    pairs=lambda r: r.predict(dict(user=long, movie=1)), column=lambda r: r.predict(pd.DataFrame({long: [1]})),
    known=lambda r: r.fold_in(long_table.head(1)), beyond=lambda r: r.update(long_table.head(2).assign(rating=99)),
    repeats=lambda r: r.update(pd.concat([long_table.head(2)]*2)),
    titles=lambda r: r.update(long_table[:1], titles=long), gap=lambda r: r.evaluate(long_table.assign(rating=None)),
    fit=lambda r: Recommender.fit(pd.concat([long_table]*2)),
    wide=lambda r: r.evaluate(long_table[:3].assign(rating=None, **{f'c{k}': 'w'*60 for k in range(300)})))

@pytest.fixture(scope='module')
def long_rec(): return Recommender.fit(long_table, titles='title', **tiny)

@pytest.mark.parametrize('ask', long_asks)
def test_what_is_long_makes_no_long_message(ask, long_rec):
    with pytest.raises((ValueError, TypeError)) as e: long_asks[ask](long_rec)
    assert len(str(e.value))<2500

@pytest.mark.parametrize('ratings,error,msg', [
    ({}, ValueError, 'no ratings'), ({99: 5}, ValueError, 'no movie 99'), ({1: 9}, ValueError, 'not between'),
    ({1: float('nan')}, ValueError, 'no rating'), ({'1': 3}, ValueError, 'text'),
    ([1, 2], TypeError, 'DataFrame or a dict'),
    (pd.DataFrame({'user': [7, 7], 'movie': [1, 1], 'rating': [5, 4]}), ValueError, 'repeat a pair'),
    (pd.DataFrame({'user': [7], 'movie': [1], 'rating': [5]}), ValueError, 'known already'),
    (pd.DataFrame({'user': ['x'], 'movie': [1], 'rating': [5]}), ValueError, 'another type'),
    (pd.DataFrame({'user': [900], 'movie': [1]}), ValueError, "no column 'rating'"),
    (pd.DataFrame({'user': [None], 'movie': [1], 'rating': [5]}), ValueError, 'no id')])
def test_fold_in_refuses(ratings, error, msg):
    with pytest.raises(error, match=msg): rec.fold_in(ratings)

def test_ratings_of_items_that_nobody_has_rated_are_skipped_and_it_is_said():
    mine = {1: 5., 2: 1.}
    with pytest.warns(UserWarning, match='1 of 3 ratings are skipped: no training rating has movie 999'):
        res = rec.fold_in({**mine, 999: 4.}, 5)
    same(res, rec.fold_in(mine, 5))
    two = pd.DataFrame({'user': [900, 901], 'movie': [1, 999], 'rating': [5., 5.]})
    with pytest.warns(UserWarning, match='1 of 2 ratings are skipped'): res = rec.fold_in(two, 5)
    mean = rec.recommend(999, 5, on_unknown='mean') # nothing is left of the other one
    np.testing.assert_allclose(res[res.user==901].score, mean.score, atol=1e-6)

def by_least_squares(X, y, penalty, centre):
    A = X.T@X + penalty*np.eye(len(centre))
    return centre + np.linalg.solve(A, X.T@(y - X@centre))

def test_a_known_person_who_rates_more_is_solved_for_with_old_and_new_ratings():
    mine = planted[planted.user==3].movie
    unseen = [m for m in sorted(trained_items) if m not in set(mine)][:2]
    more = pd.DataFrame({'user': 3, 'movie': [*unseen, mine.iloc[0]], 'rating': 5})
    later = rec.update(more, penalty=3.)
    known = rec.history.rows[:rec.n_train]
    new = [dls.classes['movie'].index(m) for m in more.movie]
    old = (known[:,0]==3) & ~np.isin(known[:,1], new)
    items = np.append(known[old,1], new)
    y = np.append(rec.history.ratings[:rec.n_train][old], [5.]*3)/5.5
    X = np.c_[rec.served.item_factors, np.ones(31)].astype(float)[items]
    w = by_least_squares(X, np.log(y/(1 - y)) - rec.served.item_bias[items], 3., rec.mean_user.astype(float))
    np.testing.assert_allclose(later.served.user_rows[3], w, atol=1e-5)
    others = np.arange(41)!=3
    np.testing.assert_array_equal(later.served.user_rows[others], rec.served.user_rows[others])
    np.testing.assert_array_equal(later.served.item_rows, rec.served.item_rows)
    assert later.n_train==rec.n_train - (known[:,0]==3).sum() + old.sum() + 3 and later.report=={'n_added': 2}
    assert not {*unseen} & set(later.recommend(3, 30).movie)

@either
def test_a_pair_that_is_rated_again_replaces_the_old_rating(rec):
    first = planted.iloc[[0]]
    later = rec.update(first.assign(rating=1)).update(first.assign(rating=5))
    pair = [dls.classes['user'].index(first.user.iloc[0]), dls.classes['movie'].index(first.movie.iloc[0])]
    at = (later.history.rows==pair).all(1)
    assert later.history.ratings[at].tolist()==[5.] and len(later.history)==len(rec.history)
    assert later.report=={'n_added': 0} and rec.report=={}
    np.testing.assert_array_equal(later.history.rows, rec.history.rows) # at its place
    np.testing.assert_array_equal(later.served.item_rows, rec.served.item_rows)

def bits(r):
    "Everything that an answer depends on"
    return [*r.served.state().values(), r.history.rows, r.history.ratings, r.history.n_train, r.history.n_added]

@either
def test_all_ratings_sent_again_change_nothing(rec):
    more = pd.DataFrame({'user': [3, 900], 'movie': [777, 777], 'rating': [5, 4]})
    for r,df in ((rec, planted), (rec.update(more), pd.concat([planted, more]))):
        again = r.update(df.sample(frac=1, random_state=0))
        for ours,theirs in zip(bits(again), bits(r), strict=True): np.testing.assert_array_equal(ours, theirs)
        same(again.recommend_all(), r.recommend_all())
        same(again.items, r.items)

def test_of_a_whole_table_sent_again_only_what_is_new_counts():
    news = pd.DataFrame({'user': [3, 901], 'movie': [1, 2], 'rating': [1, 4]})
    both = pd.concat([planted, news]).drop_duplicates(['user', 'movie'], keep='last')
    ours,theirs = rec.update(both),rec.update(news)
    for a,b in zip(bits(ours), bits(theirs), strict=True): np.testing.assert_array_equal(a, b)

def test_the_row_of_a_trained_item_stays_though_all_its_ratings_come_again():
    users,items = rec.history.train_rows.T
    at = items==1 + rec.history.item_counts[1:].argmin()
    one = pd.DataFrame(dict(user=rec.users_vocab.ids(users[at]), movie=rec.items_vocab.ids(items[at]),
                            rating=6 - rec.history.train_ratings[at]))
    later = rec.update(one)
    np.testing.assert_array_equal(later.served.item_rows, rec.served.item_rows)
    assert (later.served.user_rows!=rec.served.user_rows).any(1).sum()==(one.rating!=3).sum()
    assert later.history.n_added==0 and len(later.history)==len(rec.history)

def test_a_rating_that_was_kept_back_is_trained_on_once_it_changes():
    n = rec.history.n_train
    users,items = rec.history.rows[n:].T
    kept = pd.DataFrame(dict(user=rec.users_vocab.ids(users), movie=rec.items_vocab.ids(items),
                             rating=rec.history.ratings[n:]))
    assert len(kept)>10 and rec.update(kept).n_train==n
    assert rec.update(kept.assign(rating=6 - kept.rating)).n_train==n + (kept.rating!=3).sum()

def test_a_pair_with_several_ratings_gets_the_one_that_comes_again():
    twice = pd.concat([planted, planted[:1].assign(rating=1), planted[:1].assign(rating=2)], ignore_index=True)
    r = small_fit(twice, valid_pct=0, duplicates='keep')
    later = r.update(planted[:1].assign(rating=2))
    assert len(later.history)==len(planted) and later.n_train==len(planted)
    same(later.update(planted[:1].assign(rating=2)).recommend_all(3), later.recommend_all(3))

@either
def test_new_items_get_rows_from_ratings_and_the_mean_rows_stay(rec):
    loved = pd.DataFrame({'user': range(1, 21), 'movie': 777, 'rating': 5})
    hated = loved.assign(movie=778, rating=1)
    later = rec.update(pd.concat([loved, hated]), titles={777: 'Loved', 1: 'another title'})
    others = pd.DataFrame({'user': range(21, 41)})
    stars = [later.predict(others.assign(movie=i)).prediction for i in (777, 778)]
    assert (stars[0] > stars[1]).all()
    titles = later.items.set_index('movie').title
    assert titles[777]=='Loved' and pd.isna(titles[778]) and titles[1]=='another title' and titles[2]=='Film № 2'
    np.testing.assert_array_equal(later.mean_item, rec.mean_item)
    np.testing.assert_array_equal(later.served.item_rows[:31], rec.served.item_rows)
    # what came later moves with more ratings, what was trained on doesn't
    again = later.update(pd.DataFrame({'user': [30, 30], 'movie': [777, 1], 'rating': [1, 1]}))
    assert np.flatnonzero((again.served.item_rows!=later.served.item_rows).any(1)).tolist()==[31]

@either
def test_an_updated_recommender_is_saved_and_loaded(rec, tmp_path):
    more = pd.DataFrame({'user': [3, 900, 901], 'movie': [777, 777, 2], 'rating': [5, 4, 1]})
    later = rec.update(more, titles={777: 'New'})
    again = Recommender.load(later.save(tmp_path/'m'))
    same(again.recommend_all(5), later.recommend_all(5))
    same(again.items, later.items)
    yet = pd.DataFrame({'user': [1], 'movie': [777], 'rating': [1]})
    same(again.update(yet).recommend_all(5), later.update(yet).recommend_all(5))

@quick
@given(seeds)
def test_an_update_with_any_ratings_explains_itself_and_lists_what_predict_gives(seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 12)
    columns = [rng.integers(1, end, n) for end in (60, 45, 6)]
    df = pd.DataFrame(dict(zip(['user', 'movie', 'rating'], columns))).drop_duplicates(['user', 'movie'])
    later = rec.update(df)
    known = {*planted[['user', 'movie', 'rating']].itertuples(index=False, name=None)}
    news = [row for row in df.itertuples(index=False, name=None) if row not in known]
    assume(news)
    u = news[0][0]
    best = later.recommend(u, 5)
    assert later.predict(best[['user', 'movie']]).prediction.tolist()==best.score.tolist()
    assert not set(best.movie) & set(df[df.user==u].movie)
    rest = later.explain(u, best.movie[0]).set_index('reason').contribution['rest']
    assert abs(rest) < 1e-4 # the row is what the ratings give

@pytest.mark.parametrize('ratings,msg', [
    (pd.DataFrame({'user': [1], 'movie': [1], 'rating': [9]}), 'not between'),
    (pd.DataFrame({'user': [1, 1], 'movie': [1, 1], 'rating': [1, 2]}), 'repeat a pair'),
    (pd.DataFrame({'user': [1], 'movie': ['x'], 'rating': [2]}), 'another type'),
    (pd.DataFrame({'user': [1], 'movie': [1]}), "no column 'rating'"), (planted[:0], 'no ratings')])
def test_update_refuses(ratings, msg):
    with pytest.raises(ValueError, match=msg): rec.update(ratings)

def test_a_penalty_too_small_to_solve_with_is_named():
    one = pd.DataFrame({'user': [500], 'movie': [1], 'rating': [5.]})
    for call in (rec.fold_in, rec.update, lambda df, penalty: rec.update(df).explain(500, 2, penalty=penalty)):
        with pytest.raises(ValueError, match='no single solution at the penalty 1e-300: pass a larger penalty'):
            call(one, penalty=1e-300)

def test_update_needs_ids(): 
    with pytest.raises(TypeError, match='need an id'): rec.update({1: 5})

@either
@pytest.mark.parametrize('n', [0, 3, 1000])
def test_an_explanation_adds_up_to_the_score(rec, n):
    for u,i in ((1, 2), (7, 30), (40, 11)):
        score = np.log((p := rec.predict(dict(user=u, movie=i)).prediction[0]/5.5)/(1 - p))
        res = rec.explain(u, i, n)
        assert res.contribution.sum()==pytest.approx(score, abs=1e-4)
        mine = rec.history.rows[:rec.n_train][rec.history.rows[:rec.n_train,0]==u]
        assert (res.reason=='rating').sum()==min(n, len(mine))
        assert set(res.movie.dropna()) <= {m for who,m in seen if who==u}

def test_an_explanation_by_factors_adds_up_too():
    res = rec.explain(1, 2, 2, by='factors')
    score = torch.logit(torch.tensor(rec.predict(dict(user=1, movie=2)).prediction[0]/5.5)).item()
    assert res.contribution.sum()==pytest.approx(score, abs=1e-4) and res.reason.tolist()[-1]=='other factors'
    with pytest.raises(ValueError, match='a network has no factors'): network.explain(1, 2, by='factors')

def test_a_folded_person_is_explained_by_ratings_alone():
    larger = rec.update(planted[planted.user==3].assign(user=500))
    res = larger.explain(500, 8).set_index('reason').contribution
    assert abs(res['rest']) < 1e-5 < abs(res['other ratings'])

def test_the_level_of_a_person_stands_apart_and_ratings_keep_what_goes_through_factors():
    mine = planted[planted.user==3].assign(user=500)
    larger = rec.update(mine)
    res,m = larger.explain(500, 8, 1000),larger.model
    X = np.c_[rec.model.item_factors.numpy(), np.ones(len(rec.model.item_bias))].astype(float)
    at = np.array([dls.classes['movie'].index(o) for o in mine.movie])
    c = rec.mean_user.astype(float)
    share = mine.rating.to_numpy()/5.5
    surprise = np.log(share/(1 - share)) - rec.model.item_bias.numpy()[at] - X[at]@c
    A = np.linalg.inv(X[at].T@X[at] + 10*np.eye(len(c)))
    taste = np.append(X[dls.classes['movie'].index(8),:-1], 0)
    parts = res[res.reason=='rating'].set_index('movie').contribution
    np.testing.assert_allclose(parts.loc[mine.movie.tolist()].to_numpy(float), X[at]@A@taste*surprise, atol=1e-5)
    level = res.set_index('reason').contribution['user level']
    assert level==pytest.approx(m.user_bias[-1].item() - c[-1], abs=1e-5) and abs(level) > 1e-3

def test_each_addend_is_what_its_rating_does_to_the_folded_score():
    mine = planted[planted.user==3].assign(user=500)
    other = mine.copy()
    other.iloc[0, other.columns.get_loc('rating')] = 1 if mine.rating.iloc[0]>2 else 5
    a,b = (rec.update(df) for df in (mine, other))
    changed = mine.movie.iloc[0]
    parts = [r.explain(500, 8, 1000).dropna(subset='movie').set_index('movie').contribution for r in (a, b)]
    logits = [torch.logit(torch.tensor(r.predict(dict(user=500, movie=8)).prediction[0]/5.5)).item() for r in (a, b)]
    level = [r.explain(500, 8, 1000).set_index('reason').contribution['user level'] for r in (a, b)]
    assert logits[1] - logits[0]==pytest.approx(parts[1][changed] - parts[0][changed] + level[1] - level[0], abs=1e-4)
    np.testing.assert_allclose(parts[0].drop(changed).sort_index(), parts[1].drop(changed).sort_index(), atol=1e-6)

def test_a_range_that_ends_at_the_ratings_cannot_be_turned_round():
    r = Recommender.from_model(dot(y_range=(0, 5)), dls)
    with pytest.raises(ValueError, match='wider y_range'): r.fold_in({1: 5})

@pytest.mark.parametrize('call', [
    lambda: rec.recommend(1, exclude_seen='no'), lambda: rec.recommend_all(2, exclude_seen=0),
    lambda: rec.fold_in({1: 5}, exclude_seen='no'), lambda: rec.save('x', history='no'),
    lambda: Recommender.fit(planted, refit='no'), lambda: Recommender.fit(planted, progress='no')])
def test_a_flag_is_true_or_false(call):
    with pytest.raises(TypeError, match="must be True or False, not ('no'|0)"): call()

# vectors

def test_vectors_and_their_dot_products_are_those_of_the_lists():
    r = with_validation_strangers()
    ids,vectors = r.item_vectors()
    assert 88 not in ids.tolist() and vectors.dtype==np.float32 and len(ids)==len(vectors)
    u_ids,u_vectors = r.user_vectors()
    assert 77 not in u_ids.tolist() and len(u_ids)==40
    mine = u_vectors[u_ids.tolist().index(7)]
    bias = r.served.item_bias[[r.classes['movie'].index(i) for i in ids.tolist()]]
    best = ids[np.argsort(-(vectors@mine + bias), kind='stable')[:5]]
    assert best.tolist()==r.recommend(7, 5, exclude_seen=False).movie.tolist()

@either
@pytest.mark.parametrize('by', ['cosine', 'euclidean', 'dot'])
def test_similar_users_are_the_nearest_rows(rec, by):
    ids,vectors = rec.user_vectors()
    v = vectors.astype(float)
    mine = v[ids.tolist().index(7)]
    lengths = np.linalg.norm(v, axis=1)
    far = {'cosine': -(v@mine)/lengths, 'dot': -(v@mine), 'euclidean': np.linalg.norm(v - mine, axis=1)}[by]
    want = [u for u in ids[np.argsort(far, kind='stable')].tolist() if u!=7][:5]
    res = rec.similar_users(7, 5, by, min_count=1)
    assert res.user.tolist()==want and list(res)==['user', 'score']

def test_similar_users_of_strangers_and_with_few_ratings():
    counts = rec.users.set_index('user')['count']
    assert counts[rec.similar_users(7, 40, min_count=15).user].min()>=15
    assert rec.similar_users(999, 1, on_unknown='popular').user.tolist()==[counts.idxmax()]
    assert len(rec.similar_users(999, 3, on_unknown='mean'))==3
    with pytest.raises(ValueError, match='there is no user 999'): rec.similar_users(999)
    with pytest.warns(UserWarning, match='no item has 1000 training ratings, as min_count asks'):
        assert not len(rec.similar(5, min_count=1000))
    with pytest.warns(UserWarning, match='nothing else that is allowed has 2 training ratings, as min_count asks'):
        assert not len(rec.similar(5, min_count=2, allowed=[5]))

@pytest.mark.parametrize('call', [
    lambda: rec.similar([1, 2]), lambda: rec.recommend([1, 2]), lambda: rec.explain({1}, 2),
    lambda: rec.similar_users(pd.Series([1])), lambda: rec.explain(1, np.array([2]))])
def test_several_ids_where_one_is_asked_are_refused(call):
    msg = '(user|item) must be one id, not (.|\n)*(takes several|one after the other)'
    with pytest.raises(TypeError, match=msg): call()

@pytest.mark.parametrize('pairs', [1, {}, [{}], None])
def test_predict_says_what_it_takes(pairs):
    msg = r"pairs must be a DataFrame or a list of dicts, such as \[{'user': …, 'movie': …}\], not"
    with pytest.raises(TypeError, match=msg): rec.predict(pairs, 318)

# clicks

def test_a_model_of_clicks_folds_in_and_says_why_it_has_no_rmse():
    clicks = planted.assign(rating=1)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        d = loaders(clicks)
        model = DotProductBias(d.n_users, d.n_items, 4, y_range=None)
        rank_fit(model, d, n_epoch=3, seed=0, wd=0.1, at_least=1)
    r = Recommender.from_model(model, d)
    assert len(r.fold_in({1: 1, 2: 1}, 5))==5 and not {1, 2} & set(r.fold_in({1: 1, 2: 1}, 30).movie)
    assert len(r.update(clicks[clicks.user==3].assign(user=500)).recommend(500, 5))==5
    with pytest.raises(ValueError, match='no RMSE: measure its lists, with evaluate_lists'): r.evaluate(clicks[:9])

# evaluate

def test_evaluate_counts_and_measures():
    df = pd.concat([planted[:50], pd.DataFrame({'user': [99, 1], 'movie': [1, 98], 'rating': [3, 3]})])
    res = rec.evaluate(df)
    err = rec.predict(planted[:50]).prediction - planted.rating[:50]
    assert (res['n'], res['n_unknown'], res['n_seen'])==(50, 2, 50)
    assert res['rmse']==pytest.approx(np.sqrt((err**2).mean()), rel=1e-5)
    assert res['mae']==pytest.approx(err.abs().mean(), rel=1e-5)

def test_the_baseline_minimises_its_shrunk_errors():
    x,y = dls.train_ds.x.numpy(),dls.train_ds.y.numpy().astype(float)
    mean,u,i = fit_biases(x, y, (41, 31), rounds=200)
    loss = lambda u,i: ((y - mean - u[x[:,0]] - i[x[:,1]])**2).sum() + 15*(u**2).sum() + 10*(i**2).sum()
    rng = np.random.default_rng(0)
    assert all(loss(u + rng.normal(0, 0.01, u.shape), i + rng.normal(0, 0.01, i.shape)) > loss(u, i) for _ in range(50))

def test_evaluate_refuses_another_scale():
    with pytest.raises(ValueError, match='not between'): rec.evaluate(planted.assign(rating=planted.rating*2))
    with pytest.raises(ValueError, match="no column 'rating'"): rec.evaluate(planted.drop(columns='rating'))

# fit

def small_fit(df=planted, **kw): return Recommender.fit(df, **{**dict(seed=0, progress=False, n_factors=4), **kw})
@pytest.fixture(scope='module')
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return small_fit(n_epoch=12)

@pytest.mark.filterwarnings('ignore')
def test_the_same_seed_gives_the_same_bits_and_disturbs_nobody(fitted):
    random.seed(3), torch.manual_seed(3), np.random.seed(3)
    expected = random.random(),torch.rand(1).item(),np.random.rand()
    random.seed(3), torch.manual_seed(3), np.random.seed(3)
    again = small_fit(n_epoch=12)
    assert (random.random(), torch.rand(1).item(), np.random.rand())==expected
    assert again.report==fitted.report
    same(again.recommend_all(), fitted.recommend_all())

@pytest.mark.filterwarnings('ignore')
def test_a_run_without_a_seed_tells_the_one_it_took():
    a = small_fit(seed=None)
    same(a.recommend_all(2), small_fit(seed=a.report['seed']).recommend_all(2))

def test_the_report_says_what_was_done(fitted):
    r = fitted.report
    assert r['n_train']==630 and r['n_valid'] + r['n_unknown']==70 and r['refit'] and r['seed']==0 and r['n_factors']==4
    assert r['y_range']==[0., 5.5]
    assert fitted.n_train==700 and fitted.rating_range==(1., 5.) and json.loads(json.dumps(r))==r

@pytest.mark.filterwarnings('ignore')
def test_without_refit_the_model_that_was_measured_is_kept():
    r = small_fit(refit=False)
    assert r.n_train==630 and len(r.history)==700
    i = r.history.rows[630:]
    df = pd.DataFrame({'user': [r.classes['user'][o] for o in i[:,0]], 'movie': [r.classes['movie'][o] for o in i[:,1]],
                       'rating': r.history.ratings[630:]})
    assert r.evaluate(df)['rmse']==pytest.approx(r.report['valid_rmse'])
    assert r.evaluate(df)['baseline_rmse']==pytest.approx(r.report['baseline_rmse'])

@pytest.mark.filterwarnings('ignore')
def test_the_report_comes_before_the_second_training():
    calls = []
    small_fit(n_epoch=2, model='dot_product', on_epoch=lambda *a: calls.append(a),
              on_report=lambda r: calls.append(r))
    assert [type(c) for c in calls]==[tuple]*2 + [dict] + [tuple]*2
    assert [c[0] for c in calls if isinstance(c, tuple)]==[0, 1, 0, 1] and calls[0][2]>0 and np.isnan(calls[-1][2])

@pytest.mark.filterwarnings('ignore')
def test_a_line_is_printed_where_progress_is_wanted(capsys):
    small_fit(progress=True)
    assert 'ratings kept back' in capsys.readouterr().out
    small_fit()
    assert capsys.readouterr().out==''

@pytest.mark.parametrize('kw,msg', [
    (dict(valid_pct=-0.1), 'valid_pct'), (dict(valid_pct=1), 'valid_pct'), (dict(valid_pct='0'), 'valid_pct'),
    (dict(valid_pct=1e-5), 'leaves a part empty'), (dict(titles='name'), "no column 'name'"),
    (dict(titles={'x': 'y'}), 'none of the ids'),
    (dict(rating_range=(1, 4)), 'not between'), (dict(n_epoch=0), 'n_epoch'), (dict(lr=-1), 'lr'),
    (dict(duplicates='sum'), 'duplicates')])
def test_fit_refuses(kw, msg):
    with pytest.raises(ValueError, match=msg): small_fit(**kw)

@pytest.mark.parametrize('refit', [True, False])
def test_with_nothing_kept_back_all_rows_are_trained_on_once_and_nothing_is_claimed(refit, capsys):
    epochs,reports = [],[]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        r = small_fit(valid_pct=0, refit=refit, n_epoch=2, on_epoch=lambda *a: epochs.append(a),
                      on_report=reports.append)
    assert r.n_train==len(r.history)==700 and [e[0] for e in epochs]==[0, 1] and np.isnan(epochs[0][2])
    assert {k: r.report[k] for k in ('valid_rmse', 'valid_mae', 'baseline_rmse', 'n_train', 'n_valid', 'n_unknown',
                                     'refit')}==dict(
        valid_rmse=None, valid_mae=None, baseline_rmse=None, n_train=700, n_valid=0, n_unknown=0, refit=False)
    assert reports==[r.report] and json.loads(json.dumps(r.report))==r.report
    small_fit(valid_pct=0, progress=True, n_epoch=1)
    assert 'not measured' in capsys.readouterr().out

def test_a_training_without_measuring_learns_from_every_row():
    r = small_fit(valid_pct=0, n_epoch=10)
    rows = [(r.classes['user'][u], r.classes['movie'][i], y)
            for (u,i),y in zip(r.history.rows.tolist(), r.history.ratings.tolist())]
    assert sorted(rows)==sorted(zip(planted.user, planted.movie, planted.rating))
    assert r.evaluate(planted)['rmse'] < planted.rating.std() - 0.1

@pytest.mark.parametrize('bs', [None, 64, 256])
def test_the_memory_of_adam_follows_the_batch(monkeypatch, bs):
    took = []
    monkeypatch.setattr(fitting, 'lean_fit', lambda *a, **kw: took.append(kw['sqr_mom']))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        r = small_fit(bs=bs, model='dot_product')
    assert took==[adam_memory(bs) if bs else good_recipe(len(planted))['sqr_mom']]*2 and r.report['sqr_mom']==took[0]

@pytest.mark.filterwarnings('ignore')
def test_newcomers_leave_the_report_of_the_training_and_are_counted(tmp_path):
    r = small_fit(refit=False)
    a,b = (planted[planted.user==u].assign(user=500 + u) for u in (3, 4))
    larger = r.update(a).update(b)
    assert larger.report=={**r.report, 'n_added': len(a) + len(b)} and 'n_added' not in r.report
    assert Recommender.load(larger.save(tmp_path/'b')).report==larger.report

def test_equal_ratings_teach_nothing():
    for kw in (dict(model='dot_product'), dict(rating_range=(1, 5)), dict(feedback='stars')):
        with pytest.raises(ValueError, match='nothing to learn'): small_fit(planted.assign(rating=4), **kw)

def test_a_model_that_is_no_better_than_biases_is_announced():
    noise = planted.assign(rating=np.random.default_rng(0).integers(1, 6, len(planted)))
    with pytest.warns(UserWarning, match='no better than biases alone'):
        small_fit(noise, model='dot_product', n_factors=50, wd=0., n_epoch=30)

def test_nothing_to_measure_is_announced():
    apart = pd.DataFrame({'user': range(20), 'movie': range(20), 'rating': [1, 5]*10})
    with pytest.warns(UserWarning, match='nobody can tell'): r = small_fit(apart)
    assert r.report['valid_rmse'] is None and r.report['n_unknown']==2

@pytest.mark.filterwarnings('ignore')
def test_planted_taste_is_found():
    p = planted_ratings(n_users=300, n_items=100, n_ratings=12_000, factor_sd=0.8, noise=0.3, seed=1)
    # who rates what is drawn at random, so only a rating model has something to learn
    r = Recommender.fit(p.ratings, model='dot_product', n_factors=10, seed=0, progress=False)
    assert r.report['valid_rmse'] < r.report['baseline_rmse'] - 0.15
    best = r.recommend_all(5)
    rest = r.recommend_all(100)
    assert p.expected(best.user, best.movie).mean() > p.expected(rest.user, rest.movie).mean() + 0.8

@pytest.mark.filterwarnings('ignore')
def test_other_columns_dtypes_ranges_and_doubled_pairs():
    df = pd.DataFrame({'leser': planted.user.astype('int32'), 'buch': planted.movie.map('№{}'.format),
                       'note': planted.rating*2.5 - 2.5, 'titel': planted.movie.map('Käse {}'.format)})
    r = Recommender.fit(pd.concat([df, df[:5].assign(note=0)]), 'leser', 'buch', 'note', titles='titel',
                        rating_range=(0, 10), duplicates='first', n_factors=3, seed=0, progress=False)
    res = r.recommend(5, 2)
    assert list(res)==['leser', 'buch', 'title', 'score', 'prediction'] and res.leser.dtype=='int32'
    assert r.report['y_range']==[-2.5, 11.25] and len(r.history)==700
    assert (res.title=='Käse ' + res.buch.str[1:]).all()

def test_column_names_that_results_need_are_refused():
    for bad in ('score', 'prediction', 'count'):
        with pytest.raises(ValueError, match='rename'):
            Recommender.from_model(dot(), loaders(planted.rename(columns={'movie': bad}), item_name=bad))
    d = loaders(planted.rename(columns={'movie': 'title'}), item_name='title')
    assert list(Recommender.from_model(dot(d), d).recommend(1, 2))==['user', 'title', 'score']
    with pytest.raises(ValueError, match="called 'title' already"): Recommender.from_model(dot(d), d, titles)

@pytest.mark.parametrize('odd,error,msg',
                         [(['a'], TypeError, 'Series or a dict'),
                          (pd.Series(['a', 'b'], [1, 1]), ValueError, 'several entries'),
                          ({1: 7}, TypeError, 'must be text'),
                          ({'1': 'a'}, ValueError, "such as 1: its index.*such as '1', and the ids are a whole number"),
                          ({1: 'a\ud800'}, ValueError, 'titles hold half a character'),
                          (pd.DataFrame({'movie': range(50), 'name': 'a', 'year': 2}), ValueError,
                           "titles has no column 'title'; it has 'movie', 'name', 'year': rename"),
                          (pd.DataFrame({'item': range(50), 'title': 'a'}), ValueError,
                           "titles has no column 'movie'; it has 'item', 'title': rename")])
def test_odd_titles_are_refused(odd, error, msg):
    with pytest.raises(error, match=msg): Recommender.from_model(dot(), dls, odd)

films = pd.DataFrame({'movie': range(1, 31), 'title': [f'Film № {i}' for i in range(1, 31)]})
right = films.set_index('movie').title
with_titles = planted.assign(title=planted.movie.map(right))
more_films = pd.DataFrame({'user': [3], 'movie': [31], 'rating': [5]})

@pytest.mark.parametrize('titles', [
    films.title, with_titles.title, with_titles.drop_duplicates('movie').title, pd.Series(films.title.tolist()),
    films.sample(frac=1, random_state=0, ignore_index=True).sort_values('title').title],
    ids=['films', 'ratings', 'first rows', 'a list', 'sorted'])
def test_titles_by_position_are_refused_where_ids_are_no_positions(titles):
    calls = (lambda: small_fit(planted, titles=titles), lambda: Recommender.from_model(dot(), dls, titles),
             lambda: rec.update(more_films, titles=titles))
    for call in calls:
        with pytest.raises(ValueError, match=r"titles is indexed by position.*set_index\('movie'\)\['title'\]"): call()
    with pytest.raises(ValueError, match="titles is indexed by position.* pass titles='title'"):
        small_fit(with_titles, titles=titles.rename('title'))

def test_the_forms_of_titles_that_are_advised_work():
    assert Recommender.from_model(dot(), dls, right).items.title.tolist()==right.tolist()
    r = small_fit(with_titles, titles='title', n_epoch=1)
    assert r.items.title.tolist()==right.tolist()
    for titles in (films.assign(year=1999), films.astype({'movie': 'category'}), films.astype({'title': 'category'}),
                   films.title.set_axis(films.movie).rename(None), films.set_index('movie').title.to_dict(),
                   pd.concat([films, films[:3]]), with_titles.drop_duplicates('movie').set_index('movie')['title']):
        same(Recommender.from_model(dot(), dls, titles).items[['movie', 'title']], r.items[['movie', 'title']])

def test_titles_by_position_are_taken_where_ids_are_positions():
    d = loaders(planted.assign(movie=planted.movie - 1))
    assert Recommender.from_model(dot(d), d, films.title).items.title.tolist()==right.tolist()
    with pytest.raises(ValueError, match=r'pass titles.to_dict\(\)'):
        Recommender.from_model(dot(d), d, pd.concat([films, films]).title.reset_index(drop=True))

def test_an_update_can_change_titles():
    later = rec.update(planted[:1], titles={1: 'Renamed', 30: 'Named at last'})
    assert later.items.title.tolist()==['Renamed', *rec.items.title[1:-1], 'Named at last']
    assert pd.isna(rec.items.title.iloc[-1]) and rec.items.title[0]=='Film № 1'

# models

class Embeddings(nn.Module):
    "The class of chapter 04, and with `movie` of the book"
    def __init__(self, d, item='item', y_range=(0, 5.5), bias=True):
        super().__init__()
        self.item,self.y_range,self.has_bias = item,y_range,bias
        self.user_factors = nn.Embedding(d.n_users, 4)
        setattr(self, f'{item}_factors', nn.Embedding(d.n_items, 4))
        if bias: self.user_bias = nn.Embedding(d.n_users, 1)
        if bias: setattr(self, f'{item}_bias', nn.Embedding(d.n_items, 1))
    def forward(self, x):
        res = (self.user_factors(x[:,0])*getattr(self, f'{self.item}_factors')(x[:,1])).sum(1, keepdim=True)
        if self.has_bias: res = res + self.user_bias(x[:,0]) + getattr(self, f'{self.item}_bias')(x[:,1])
        return torch.sigmoid(res)*(self.y_range[1] - self.y_range[0]) + self.y_range[0]

@pytest.mark.parametrize('item', ['item', 'movie'])
@pytest.mark.parametrize('bias', [True, False])
def test_models_of_embeddings_are_known_by_their_tables(item, bias):
    m = Embeddings(dls, item, bias=bias)
    np.testing.assert_allclose(Recommender.from_model(m, dls).predict(all_pairs).prediction, directly(m, all_pairs),
                               atol=1e-5)

class Crossed(Embeddings):
    def forward(self, x): return super().forward(x.flip(1).clamp(max=30))

class TwiceNN(CollabNN):
    def forward(self, x): return 2*super().forward(x)

@pytest.mark.parametrize('model,msg',
                         [(Crossed(dls), 'gives other predictions'), (TwiceNN((41, 3), (31, 3)), "can't be served"),
                          (nn.Linear(2, 1), "can't be served")])
def test_what_only_resembles_a_known_model_is_refused(model, msg):
    with pytest.raises(TypeError, match=msg): Recommender.from_model(model, dls)

def test_a_strange_layer_is_refused():
    m = CollabNN((41, 3), (31, 3))
    m.layers = nn.Sequential(nn.Linear(6, 4), nn.Softmax(1), nn.Linear(4, 1))
    with pytest.raises(TypeError, match='Softmax'): Recommender.from_model(m, dls)

def test_tables_of_another_size_and_broken_weights_are_refused():
    with pytest.raises(ValueError, match='loaders that it was trained on'):
        Recommender.from_model(DotProductBias(41, 99, 3), dls)
    m = dot()
    with torch.no_grad(): m.item_bias[3] = float('nan')
    with pytest.raises(ValueError, match='training has failed'): Recommender.from_model(m, dls)

def test_the_model_of_the_caller_stays_as_it_is():
    m = features()
    m.train()
    before = copy.deepcopy(m.state_dict())
    r = Recommender.from_model(m, dls)
    scores = r.predict(all_pairs)
    assert m.training and all(p.requires_grad for p in m.parameters())
    with torch.no_grad(): m.user_factors.weight.zero_()
    same(r.predict(all_pairs), scores)
    assert not torch.equal(before['user_factors.weight'], m.user_factors.weight)

def their_loaders(df, **kw):
    return CollabDataLoaders.from_df(df, seed=0, bs=64, dl_type=TabDataLoader, device='cpu', **kw)

@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('use_nn', [False, True])
@pytest.mark.parametrize('text', [False, True])
def test_a_fastai_learner_is_served_with_its_own_predictions(use_nn, text):
    df = planted.rename(columns={'movie': 'item'})[['user', 'item', 'rating']]
    if text: df = df.astype({'user': str, 'item': str})
    theirs = their_loaders(df)
    torch.manual_seed(0)
    learn = collab_learner(theirs, n_factors=5, use_nn=use_nn, y_range=(0, 5.5), layers=[10])
    with learn.no_bar(), learn.no_logging(): learn.fit(1, 1e-2)
    rows = df.loc[theirs.train_ds.items.index[:300], ['user', 'item']]
    with learn.no_bar(): preds,_ = learn.get_preds(dl=theirs.test_dl(rows))
    r = Recommender(learn)
    np.testing.assert_allclose(r.predict(rows).prediction, preds.flatten(), atol=1e-4)
    assert len(r.history)<=len(df)
    assert not set(zip(*r.recommend_all(30)[['user', 'item']].to_numpy().T)) & set(zip(df.user, df.item))

def test_a_learner_of_this_library_is_served():
    m = dot()
    r = Recommender(Learner(dls, m, loss_func=MSELossFlat()), titles)
    same(r.recommend_all(3), rec.recommend_all(3))

@pytest.mark.filterwarnings('ignore')
def test_what_is_no_learner_and_a_learner_without_ratings_are_refused(tmp_path):
    with pytest.raises(TypeError, match='Recommender.fit'): Recommender(planted)
    with pytest.raises(TypeError, match='Recommender.from_model'): Recommender(dot())
    learn = Learner(dls, EmbeddingDotBias(3, dls.n_users, dls.n_items), loss_func=MSELossFlat())
    learn.dls = learn.dls.new_empty()
    with pytest.raises(ValueError, match='no training rows'): Recommender(learn)

# bundles

@either
def test_everything_is_equal_after_save_and_load(rec, tmp_path):
    again = Recommender.load(rec.save(tmp_path/'b'))
    for call in (lambda r: r.recommend_all(), lambda r: r.predict(all_pairs), lambda r: r.similar(3),
                 lambda r: r.explain(1, 2), lambda r: r.fold_in({1: 5, 2: 3}), lambda r: r.users,
                 lambda r: r.items, lambda r: r.recommend(99, on_unknown='mean'),
                 lambda r: r.recommend(99, on_unknown='popular'),
                 lambda r: r.predict(dict(user=99, movie=98), on_unknown='mean'),
                 lambda r: r.update(planted[planted.user==3].assign(user=500)).recommend_all()):
        same(call(rec), call(again))
    assert again.evaluate(planted)==rec.evaluate(planted) and again.report==rec.report
    assert again.rating_range==rec.rating_range
    assert repr(again)==repr(rec) and (again.user_name, again.item_name, again.rating_name)==('user', 'movie', 'rating')
    assert (tmp_path/'b').read_bytes()==again.save(tmp_path/'c').read_bytes()

def test_a_larger_one_keeps_the_means_of_the_trained_people(tmp_path):
    larger = rec.update(planted[planted.user==3].assign(user=500))
    again = Recommender.load(larger.save(tmp_path/'b'))
    same(again.fold_in({1: 5}), rec.fold_in({1: 5}))
    same(again.recommend_all(), larger.recommend_all())

def test_the_same_bits_in_another_process(tmp_path, root):
    rec.save(tmp_path/'d'), network.save(tmp_path/'n')
    code = (
        "import sys; from collab_course.recommender import Recommender; r = [Recommender.load(p) for p in "
        "sys.argv[1:]]; "
            "print(*[t.score.to_numpy().tobytes().hex() for o in r for t in (o.recommend_all(5), o.fold_in({1: 5, "
            "2: 1}))])")
    out = subprocess.run([sys.executable, '-c', code, str(tmp_path/'d'), str(tmp_path/'n')], capture_output=True,
                         text=True, check=True, cwd=root).stdout.split()
    assert out==[t.score.to_numpy().tobytes().hex() for o in (rec, network)
                 for t in (o.recommend_all(5), o.fold_in({1: 5, 2: 1}))]

def test_loading_runs_nothing_of_pickle(tmp_path, monkeypatch):
    rec.save(tmp_path/'b')
    def refuse(*a, **kw): raise AssertionError('pickle')
    for module,name in ((pickle, 'load'), (pickle, 'loads'), (torch, 'load')): monkeypatch.setattr(module, name, refuse)
    Recommender.load(tmp_path/'b')

ids = st.one_of(st.lists(st.integers(-2**62, 2**62), min_size=2, max_size=6, unique=True),
                st.lists(st.text(min_size=1).filter(lambda s: s!='#na#' and '\x00' not in s
                                                    and not any(0xd800<=ord(c)<0xe000 for c in s)), min_size=2,
                                                    max_size=6, unique=True),
                st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32).filter(lambda f: 0<abs(f)<2**53),
                         min_size=2, max_size=6, unique=True))

@settings(deadline=None, max_examples=40)
@given(ids, ids, seeds)
def test_vocabularies_survive_as_bijections_and_so_do_scores(tmp_path_factory, users, items, seed):
    rows = pd.DataFrame([(u, i, 1 + (a + b)%5) for a,u in enumerate(users) for b,i in enumerate(items)
                         if (a, b)!=(0, 1)], columns=['user', 'movie', 'rating'])
    d = RatingsDataLoaders.from_df(rows, splits=(np.arange(1, len(rows)), np.array([0])), bs=8,
                                   device='cpu') if len(rows)>2 else None
    if d is None: return
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        r = Recommender.from_model(dot(d, 2, seed), d)
    again = Recommender.load(r.save(tmp_path_factory.mktemp('h')/'b'))
    assert again.classes==r.classes and [type(o) for o in again.classes['user']]==[type(o) for o in r.classes['user']]
    for vocab in (again.users_vocab, again.items_vocab):
        known = pd.Series(vocab.index)
        assert vocab.rows(known, 'na').tolist()==list(range(1, len(known)+1))
        assert vocab.ids(np.arange(1, len(known)+1)).tolist()==known.tolist()
    same(again.recommend_all(3, exclude_seen=False), r.recommend_all(3, exclude_seen=False))

@pytest.mark.parametrize('ids,msg',
                         [(pd.to_datetime(['2020-01-01', '2021-01-01']), 'Timestamp'), ([(1, 2), (3, 4)], 'tuple'),
                          ([True, False], 'bool|whole numbers')])
def test_ids_that_a_bundle_cannot_keep_are_refused_when_saving(tmp_path, ids, msg):
    df = pd.DataFrame({'user': [1, 1, 2, 2], 'movie': pd.Series(list(ids)*2), 'rating': [1, 2, 3, 4]})
    d = RatingsDataLoaders.from_df(df, splits=([0, 1, 2], [3]), bs=8, device='cpu')
    r = Recommender.from_model(dot(d, 2), d)
    assert len(r.recommend_all(5, exclude_seen=False))==4
    with pytest.raises(ValueError, match=msg): r.save(tmp_path/'b')
    assert not (tmp_path/'b').exists()

def test_columns_without_a_text_for_a_name_are_refused_when_saving(tmp_path):
    d = loaders(planted.rename(columns={'user': 0}), user_name=0)
    with pytest.raises(ValueError, match="isn't text"): Recommender.from_model(dot(d), d).save(tmp_path/'b')

def changed(r, tmp_path, change):
    tensors,meta = load_bundle(r.save(tmp_path/'good'))
    change(tensors, meta)
    return save_bundle(tmp_path/'bad', tensors, meta)

def put(where, key, value):
    def change(tensors, meta):
        (tensors if where=='t' else meta)[key] = value(tensors.get(key, meta.get(key))) if callable(value) else value
    return change

def inside(key, at, value):
    def change(tensors, meta):
        if key in tensors: tensors[key] = tensors[key].copy()
        (tensors if key in tensors else meta)[key][at] = value
    return change

def drop(where, key): return lambda tensors,meta: (tensors if where=='t' else meta).pop(key)

def mark(key): return put('t', key, lambda v: v | np.uint8(128))
def cut(key): return put('t', key, lambda v: v[:-1])

@pytest.mark.parametrize('change', [
    put('m', 'kind', 'recipe'), put('m', 'version', 3), put('m', 'version', True), put('m', 'version', '1'),
    put('m', 'extra', 1), drop('m', 'columns'), drop('m', 'report'),
    put('m', 'model', 'network'), put('m', 'model', 'pickle'), put('m', 'model', ['dot product']),
    put('m', 'layers', ['linear']), put('m', 'layers', 'linear'), put('m', 'y_range', [5.5, 0.]),
    put('m', 'y_range', [0., 0.]), put('m', 'y_range', [0.]), put('m', 'y_range', 'none'), put('m', 'y_range', [0, 5]),
    put('m', 'rating_range', None), put('m', 'columns', ['user', 'movie']),
    put('m', 'columns', ['user', 'user', 'rating']), put('m', 'columns', ['user', 'score', 'rating']),
    put('m', 'columns', ['user', 1, 'rating']), put('m', 'columns', ['title', 'movie', 'rating']),
    cut('users'), put('t', 'users', lambda v: np.append(v, 999)), put('t', 'users', lambda v: v[:,None]),
    inside('users', 1, 1), put('t', 'users', lambda v: v>1), put('t', 'users', lambda v: v/0),
    drop('t', 'users'), put('t', 'users.none', np.zeros(40, bool)), put('t', 'items', np.zeros(0, np.int64)),
    cut('titles.ends'), cut('titles.text'), cut('titles.none'), mark('titles.text'), inside('titles.ends', 0, 10**6),
    inside('titles.ends', -1, 1), put('t', 'titles.none', lambda v: v.astype(np.int64)), drop('t', 'titles.text'),
    drop('t', 'titles.ends'), put('t', 'titles', np.arange(30)), put('m', 'n_train', 0), put('m', 'n_train', 10**9),
    put('m', 'n_train', 5.), put('m', 'dtypes', ['int64']), put('m', 'dtypes', ['object', None]),
    put('m', 'dtypes', [['int32'], None]), put('m', 'report', []), drop('t', 'model.user_bias'),
    drop('t', 'history.rows'),
    drop('t', 'mean.user'), put('t', 'model.evil', np.ones(1, np.float32)), put('t', 'evil', np.ones(1, np.float32)),
    put('t', 'mean.evil', np.ones(1, np.float32)), cut('model.user_factors'),
    put('t', 'model.user_factors', lambda t: t[:,:-1]), put('t', 'model.item_factors', lambda t: t.astype(np.float64)),
    put('t', 'model.item_bias', lambda t: t[:,None]), inside('model.item_bias', 1, float('nan')),
    inside('mean.user', 0, float('inf')), cut('mean.item'), put('t', 'mean.item', lambda t: t.astype(np.float64)),
    inside('history.rows', 0, -1), inside('history.rows', 0, 0), inside('history.rows', 0, 10**6),
    inside('history.ratings', 0, float('nan')), cut('history.ratings'),
    put('t', 'history.rows', lambda t: t.astype(np.int64)), put('t', 'history.rows', lambda t: t[:,:1]),
    put('t', 'history.rows', lambda t: t.flatten()), put('t', 'model.user_factors', lambda t: t[0])])
@pytest.mark.filterwarnings('ignore:divide by zero')
def test_a_bundle_that_is_whole_but_does_not_fit_is_refused(change, tmp_path):
    with pytest.raises(BundleError, match='bad'): Recommender.load(changed(rec, tmp_path, change))

@pytest.mark.parametrize('change', [
    put('m', 'layers', []), put('m', 'layers', ['linear', 'relu']), put('m', 'layers', ['linear', 'eval', 'linear']),
    put('m', 'layers', ['relu', 'linear', 'linear']), put('m', 'model', 'dot product'),
    put('m', 'layers', ['linear', 'linear', 'linear']), put('t', 'model.layers.0.weight', lambda t: t[:,:-1]),
    put('t', 'model.layers.2.weight', lambda t: np.concatenate([t, t])),
    put('t', 'model.layers.2.bias', lambda t: t.reshape(())), put('t', 'model.layers.0.bias', lambda t: t[:-1]),
    drop('t', 'model.layers.2.bias'), put('t', 'model.user_rows', lambda t: t[:,:2]),
    put('t', 'model.user_rows', lambda t: t[0]), inside('model.layers.0.weight', 0, float('nan')),
    put('m', 'layers', [['linear']])])
def test_a_network_that_does_not_fit_is_refused(change, tmp_path):
    with pytest.raises(BundleError, match='bad'): Recommender.load(changed(network, tmp_path, change))

text_ids = loaders(planted.assign(user='№' + planted.user.astype(str)))

@pytest.mark.parametrize('change',
                         [cut('users.ends'), cut('users.text'), mark('users.text'), drop('t', 'users.ends'),
                          inside('users.ends', 0, 10**6), put('t', 'users', np.arange(40)),
                          put('t', 'users.none', np.zeros(40, bool)),
    put('t', 'users.text', lambda v: np.concatenate([v[:len('№1'.encode())], v[:-len('№1'.encode())]])),
    put('t', 'users.ends', lambda v: v.astype(np.int32))])
def test_text_ids_that_do_not_fit_are_refused(change, tmp_path):
    r = Recommender.from_model(dot(text_ids), text_ids)
    same(Recommender.load(r.save(tmp_path/'whole')).recommend_all(3), r.recommend_all(3))
    with pytest.raises(BundleError, match='bad'): Recommender.load(changed(r, tmp_path, change))

def test_a_bundle_of_something_else_is_refused(tmp_path):
    save_bundle(tmp_path/'bad', {'a': np.ones(2, np.float32)}, {})
    with pytest.raises(BundleError, match='does not hold a Recommender'): Recommender.load(tmp_path/'bad')
    with pytest.raises(BundleError): Recommender.load(tmp_path/'nowhere')

# without a history

@pytest.fixture(scope='module')
def forgetful(tmp_path_factory):
    "[(with who rated what, without, bytes of the file without it)] of both kinds of models"
    folder = tmp_path_factory.mktemp('forgetful')
    paths = [r.save(folder/f'{i}', history=False) for i,r in enumerate((rec, network))]
    return [(r, Recommender.load(p), p.read_bytes()) for r,p in zip((rec, network), paths)]

def test_a_file_without_history_holds_no_rating_of_anybody(forgetful, tmp_path):
    for r,_,data in forgetful:
        whole = r.save(tmp_path/'whole').read_bytes()
        for part in (r.history.rows, r.history.rows[:20], r.history.ratings[:20]):
            assert part.tobytes() in whole and part.tobytes() not in data
        assert load_bundle(tmp_path/'whole')[1]['version']==2 # which every edition can read

def test_lists_need_no_history_where_nothing_is_left_out(forgetful):
    strange = pd.DataFrame({'user': [1, 99, 99], 'movie': [999, 1, 999]})
    for r,bare,_ in forgetful:
        for ask in (lambda r: r.recommend_all(5, exclude_seen=False, exclude=[3]), lambda r: r.fold_in({1: 5.}, 5),
                    lambda r: r.recommend(99, 5, False, on_unknown='popular'), lambda r: r.similar(5),
                    lambda r: r.predict(strange, 'mean'), lambda r: r.predict(strange, 'popular'),
                    lambda r: r.users, lambda r: r.items): same(ask(bare), ask(r))
        assert bare.n_train==r.n_train and bare.rating_range==r.rating_range and 'ratings' in repr(bare)

def test_what_needs_a_history_says_so_and_its_advice_works(forgetful, tmp_path):
    _,bare,_ = forgetful[0]
    more = pd.DataFrame({'user': [1], 'movie': [2], 'rating': [3]})
    both = 'pass exclude_seen=False, together with exclude for what they know'
    for call,advice in ((lambda: bare.recommend(1), both),
                        (lambda: bare.recommend_all(), 'pass exclude_seen=False'),
                        (lambda: bare.explain(1, 2), "explain by factors, with by='factors'"),
                        (lambda: bare.update(more), 'update one that was saved with it'),
                        (lambda: bare.dls, 'use one that was saved with it')):
        with pytest.raises(ValueError, match=f'saved without its history, .*{advice}'): call()
    assert len(bare.explain(1, 2, by='factors'))
    res = bare.evaluate(planted[:50])
    assert res['n_seen'] is None and np.isnan(res['baseline_rmse'])
    assert res['rmse']==rec.evaluate(planted[:50])['rmse']
    again = Recommender.load(bare.save(tmp_path/'m'))
    same(again.recommend(1, 5, False), bare.recommend(1, 5, False))

@pytest.mark.parametrize('change', [
    drop('t', 'history.mean'), put('t', 'history.rows', np.zeros((0, 2), np.int32)), put('m', 'version', 2),
    cut('history.user_counts'), inside('history.user_counts', 1, -1), inside('history.user_counts', 0, 1),
    inside('history.item_counts', 1, 10**9), inside('history.item_means', 1, 99.),
    inside('history.item_means', 1, float('nan')), inside('history.user_means', 0, 3.),
    put('t', 'history.user_means', lambda t: t.astype(np.float32)), put('t', 'history.mean', np.array([np.nan])),
    put('t', 'history.mean', np.zeros(2)), put('m', 'n_train', 5)])
def test_counts_that_cannot_be_are_refused(change, tmp_path):
    tensors,meta = load_bundle(rec.save(tmp_path/'good', history=False))
    change(tensors, meta)
    with pytest.raises(BundleError, match='bad'): Recommender.load(save_bundle(tmp_path/'bad', tensors, meta))

@pytest.mark.parametrize('change', [
    put('m', 'y_range', [-1e308, 1e308]), put('m', 'rating_range', [-1e308, 1e308]),
    put('t', 'model.user_factors', lambda t: np.full_like(t, 3e38)),
    put('t', 'model.item_bias', lambda t: np.full_like(t, 3.4e38)),
    put('t', 'mean.user', lambda t: np.full_like(t, 3e38)), put('m', 'report', {'valid_rmse': 1.}),
    put('m', 'report', {'baseline_rmse': None, 'valid_rmse': 1., 'refit': True}),
    put('m', 'report', {'n_added': '1'}), put('m', 'report', {'n_added': 1.5}), put('m', 'report', {'n_added': -1}),
    put('m', 'report', {'n_added': 10**9})])
def test_numbers_that_no_answer_could_hold_are_refused(change, tmp_path):
    with pytest.raises(BundleError, match='bad'): Recommender.load(changed(rec, tmp_path, change))

@pytest.mark.parametrize('name', ['user_rows', 'item_rows', 'layers.0.weight', 'layers.0.bias'])
def test_weights_that_no_answer_could_hold_are_refused_in_a_network(name, tmp_path):
    with pytest.raises(BundleError, match='its numbers are so large'):
        Recommender.load(changed(network, tmp_path, put('t', f'model.{name}', lambda t: np.full_like(t, 3e38))))

def test_titles_that_differ_for_one_item_are_said():
    df = planted.assign(title=planted.movie.map('Film {}'.format))
    df.loc[df.index[df.movie==3][1], 'title'] = 'Another'
    with pytest.warns(UserWarning, match="1 items have several titles, such as 3: 'Film 3' and 'Another'; the first"):
        assert titles_of_table(df, 'movie', 'title')[3]=='Film 3'

def test_a_newer_version_asks_for_an_update(tmp_path):
    with pytest.raises(BundleError, match='update'): Recommender.load(changed(rec, tmp_path, put('m', 'version', 5)))

@pytest.mark.filterwarnings('ignore')
def test_dtypes_and_titles_survive(tmp_path, fitted):
    df = planted.astype({'user': 'int16', 'movie': 'int8'}).assign(title=planted.movie.map(titles))
    r = small_fit(df, titles='title')
    again = Recommender.load(r.save(tmp_path/'b'))
    assert again.recommend(1).dtypes.astype(str).to_dict()['user']=='int16'
    assert again.recommend(1).dtypes.astype(str).to_dict()['movie']=='int8'
    same(again.items, r.items)

# odd input

def few_ratings():
    g = np.random.default_rng(0)
    k = g.choice(2400, 1500, replace=False)
    return pd.DataFrame(dict(user=k//40 + 1, movie=k%40 + 100, rating=g.integers(1, 6, 1500).astype(float)))
odd_table = few_ratings()
def odd_fit(df=odd_table, **kw):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return Recommender.fit(df, **{**dict(seed=1, progress=False, n_factors=8, n_epoch=2), **kw})
@pytest.fixture(scope='module')
def odd(): return odd_fit()
def new(user): return pd.DataFrame({'user': [user]*2, 'movie': [100, 101], 'rating': [5., 2.]})

def test_ids_of_newcomers_that_do_not_fit_the_small_type_stay_themselves(tmp_path):
    larger = odd_fit(odd_table.astype({'user': 'int16'})).update(new(65537))
    assert larger.users.user.tolist()==[*range(1, 61), 65537]
    assert Recommender.load(larger.save(tmp_path/'b')).recommend(65537, 1).user.tolist()==[65537]

@pytest.mark.parametrize('dtype', sorted(id_dtypes))
def test_ids_come_back_in_every_type(dtype):
    text = dtype=='string'
    df = odd_table.assign(user=odd_table.user.astype(dtype),
                          movie=(odd_table.movie - 60).astype(dtype)) if not text else odd_table.astype(
                              {'user': 'string', 'movie': 'string'})
    r,(u,i) = odd_fit(df, model='auto' if text else 'dot_product'),(('1', '100') if text else (1, 40))
    for t in (r.recommend(u, 2), r.recommend_all(2), r.fold_in({i: 5}, 2)): assert str(t.movie.dtype)==dtype
    assert str(r.recommend(u, 2).user.dtype)==str(r.users.user.dtype)==str(r.items.movie.dtype)==dtype
    assert r.explain(u, i, 2).movie.dropna().isin(r.items.movie.tolist()).all() and len(r.similar(i, 2))==2

def test_writing_into_items_and_users_changes_nothing(odd):
    before = odd.items.copy(deep=True),odd.users.copy(deep=True)
    for t in (odd.items, odd.users):
        for c in ('count', 'mean_rating'): t[c].to_numpy().flags.writeable and t[c].to_numpy().fill(0)
        t.loc[:, 'count'] = 0
    same(odd.items, before[0]), same(odd.users, before[1])

@pytest.mark.parametrize('factor,shift', [(10, 0), (1/1000, 0), (1, -3)])
def test_the_unit_of_ratings_does_not_matter(factor, shift):
    p = planted_ratings(n_users=60, n_items=40, n_ratings=1500, factor_sd=0.8, noise=0.3, seed=1).ratings
    losses = []
    a,b = (small_fit(df, n_epoch=3, model='dot_product', on_epoch=lambda *o: losses.append(o))
           for df in (p, p.assign(rating=p.rating*factor + shift)))
    x,y = a.recommend_all(5),b.recommend_all(5)
    assert (x.movie==y.movie).mean() > 0.98
    np.testing.assert_allclose(np.sort(y.score), np.sort(x.score*factor + shift), rtol=1e-3, atol=1e-3*factor)
    assert b.report['valid_rmse']==pytest.approx(a.report['valid_rmse']*factor, rel=1e-3)
    np.testing.assert_allclose(losses[6][1:], np.array(losses[0][1:])*factor**2, rtol=1e-2)

@pytest.mark.parametrize('name', ['prediction', 'reason', 'contribution', 'title'])
def test_a_rating_column_with_the_name_of_a_result_is_refused(name):
    with pytest.raises(ValueError, match='rename'):
        odd_fit(odd_table.rename(columns={'rating': name}), rating_name=name)

def test_newcomers_that_cannot_be_are_refused(odd):
    text = odd_fit(odd_table.assign(user='u' + odd_table.user.astype(str)))
    with pytest.raises(ValueError, match='row 0'): text.update(new('#na#'))
    with pytest.raises(ValueError, match="isn't a whole number"): odd.update(new(1001.5))
    larger = odd.update(new(1001.))
    assert larger.users.user.tolist()[-1]==1001 and larger.users.user.dtype==np.int64
    assert type(larger.classes['user'][-1]) is int

def test_a_hook_that_changes_predictions_is_not_dropped_in_silence():
    m = dot()
    m.register_forward_hook(lambda module, args, out: out + 1)
    with pytest.raises(TypeError, match='hook'): Recommender.from_model(m, dls)

def test_serving_draws_no_random_numbers(tmp_path, monkeypatch):
    def refuse(*a, **kw): raise AssertionError('fork_rng')
    path = network.save(tmp_path/'n'),rec.save(tmp_path/'d')
    monkeypatch.setattr(torch.random, 'fork_rng', refuse)
    before = torch.get_rng_state()
    for p in path:
        r = Recommender.load(p)
        r.fold_in({1: 5}), r.recommend(99,
                                       on_unknown='mean'), r.update(
                                           planted[planted.user==3].assign(user=500)), r.explain(1, 2)
    assert torch.equal(torch.get_rng_state(), before)

@pytest.mark.parametrize('kw,error,msg', [
    (dict(titles=['a']), TypeError, 'titles must be'),
    (dict(titles=pd.DataFrame({'a': [1]})), ValueError, "titles has no column 'movie'"),
    (dict(user_name=['user']), TypeError, 'user_name must be'),
    (dict(seed=2**64), ValueError, 'below 2\\*\\*63'), (dict(on_report=3), TypeError, 'on_report'),
    (dict(on_epoch='x'), TypeError, 'on_epoch'), (dict(lr=1e30), ValueError, 'lr=1e.30 the training failed'),
    (dict(rating_range=(1, np.inf)), ValueError, 'rating_range must be'),
    (dict(titles='name'), ValueError, "'name' is empty"),
    (dict(titles={'100': 'a'}), ValueError, 'text.*whole number')])
def test_fit_names_what_is_wrong(kw, error, msg):
    with pytest.raises(error, match=msg): odd_fit(odd_table.assign(name=None), **kw)

def test_doubled_pairs_are_told_what_fit_can_do():
    with pytest.raises(ValueError, match="merge them with duplicates='first', 'last' or 'mean'"):
        odd_fit(pd.concat([odd_table, odd_table[:3]]))

def test_a_range_far_wider_than_the_ratings_is_doubted():
    with pytest.warns(UserWarning, match='less than half'):
        Recommender.fit(odd_table, rating_range=(0, 100), seed=0, progress=False, n_epoch=1)

def test_ids_can_be_titles():
    r = odd_fit(titles='movie')
    assert r.recommend(1, 2).title.tolist()==r.recommend(1, 2).movie.astype(str).tolist()

def test_from_model_takes_its_arguments_in_order():
    for args in ((dls, dot()), (dot(), dls.train)):
        with pytest.raises(TypeError, match=r'from_model\(model, dls\)'): Recommender.from_model(*args)
    with pytest.raises(TypeError, match='name of a file'): rec.save(None)

def test_ratings_at_the_ends_of_the_range_can_only_be_explained_by_factors():
    r = Recommender.from_model(dot(y_range=(1, 5)), dls)
    for call in (lambda: r.explain(1, 2), lambda: r.fold_in({1: 5})):
        with pytest.raises(ValueError, match='do not lie inside .* train with a wider y_range'): call()
    with pytest.raises(ValueError, match="by='factors'"): r.explain(1, 2)
    assert len(r.explain(1, 2, by='factors'))

def test_a_thousand_strangers_are_ranked_once(monkeypatch):
    calls = []
    monkeypatch.setattr(answers, 'rank_items', lambda *a: calls.append(a) or rank_items(*a))
    res = rec.recommend_all(3, range(1000, 2000), on_unknown='mean')
    assert len(calls)==1 and len(res)==3000 and res.groupby('user').movie.apply(tuple).nunique()==1

def test_evaluate_doubts_rows_that_it_knows_and_rows_that_it_does_not():
    with pytest.warns(UserWarning, match='in the history'): rec.evaluate(planted)
    with pytest.warns(UserWarning, match='nothing was measured'): rec.evaluate(planted.assign(user=999))

def test_the_default_dtype_of_the_program_does_not_matter(odd):
    torch.set_default_dtype(torch.float64)
    try: other = odd_fit()
    finally: torch.set_default_dtype(torch.float32)
    assert all(p.dtype==torch.float32 for p in other.model.parameters())
    assert other.predict(odd_table[:5]).prediction.dtype==np.float32
    assert other.report['valid_rmse']==pytest.approx(odd.report['valid_rmse'], rel=0.02)

# neighbours

PEOPLE = pd.DataFrame(dict(user=sorted(planted.user.unique()))).assign(age=lambda d: 20 + d.user%40,
    city=lambda d: np.where(d.user%2, 'Köln', 'Łódź'))
THINGS = pd.DataFrame(dict(movie=sorted(planted.movie.unique()))).assign(kinds=lambda d: np.where(d.movie%3, 'a|b',
    'b'))

def near_fit(df=planted, **kw): return small_fit(df, **{**dict(model='neighbours', n_epoch=3), **kw})

@pytest.mark.filterwarnings('ignore')
def test_neighbours_beat_the_dot_product_where_taste_is_planted():
    p = planted_ratings(n_users=300, n_items=120, n_ratings=12_000, n_factors=2, skew=1, rating_range=(1, 5), step=1,
                        seed=0).ratings
    dot,near = (Recommender.fit(p, model=m, n_epoch=n, seed=0, progress=False, refit=False).report
                for m,n in (('dot_product', None), ('neighbours', 12)))
    assert near['n_valid']==dot['n_valid'] and near['baseline_rmse']==dot['baseline_rmse']
    assert near['valid_rmse'] < near['baseline_rmse'] - 0.02 and near['valid_rmse'] < dot['valid_rmse'] + 0.005

@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('features',
                         [{}, dict(user_features=PEOPLE), dict(item_features=THINGS),
                          dict(user_features=PEOPLE, item_features=THINGS)], ids=len)
def test_neighbours_serve_save_and_load_like_any_model(features, tmp_path):
    a = near_fit(**features)
    assert type(a.model) is LevelBias and a.report['model']=='neighbours'
    assert json.loads(json.dumps(a.report))==a.report
    b = Recommender.load(a.save(tmp_path/'near'))
    same(a.recommend_all(5), b.recommend_all(5))
    same(a.predict(planted), b.predict(planted))
    same(a.fold_in({1: 5., 2: 1.}), b.fold_in({1: 5., 2: 1.}))
    assert a.recommend(1, 3).movie.nunique()==3 and len(a.explain(1, a.recommend(1, 1).movie[0]))
    assert len(b.similar(1, 3))==3

@pytest.mark.filterwarnings('ignore')
def test_features_change_what_neighbours_predict():
    plain,known = near_fit().predict(planted).prediction,near_fit(user_features=PEOPLE).predict(planted).prediction
    assert (plain - known).abs().max()>1e-4

@pytest.mark.filterwarnings('ignore')
def test_neighbours_on_ids_and_ranges_of_another_table():
    df = planted.assign(leser='r' + planted.user.astype(str), buch='ü' + planted.movie.astype(str),
                        note=(planted.rating - 1)*25.)[['leser', 'buch', 'note']]
    shelf = pd.DataFrame(dict(buch=df.buch.unique())).assign(genre=lambda d: d.buch.str.len())
    r = Recommender.fit(df, 'leser', 'buch', 'note', model='neighbours', item_features=shelf, n_factors=4, n_epoch=3,
                        seed=0, progress=False)
    stars = near_fit(item_features=shelf.assign(movie=shelf.buch.str[1:].astype(int))[['movie', 'genre']])
    assert r.rating_range==(0, 100) and r.report['valid_rmse']==pytest.approx(25*stars.report['valid_rmse'], rel=0.02)
    assert r.recommend('r1', 3).columns.tolist()==['leser', 'buch', 'score']
    assert r.predict(df).prediction.between(-25, 112.5).all()

@pytest.mark.filterwarnings('ignore')
def test_the_seed_decides_all_of_neighbours():
    random.seed(3), torch.manual_seed(3)
    a = near_fit(user_features=PEOPLE)
    random.seed(4), torch.manual_seed(4)
    b = near_fit(user_features=PEOPLE)
    assert a.report==b.report
    same(a.recommend_all(), b.recommend_all())

@pytest.mark.filterwarnings('ignore')
def test_options_reach_the_training_of_neighbours(monkeypatch):
    took = []
    real = fitting.fit_levels
    def spy(model, dls, n_epoch, lr, decay, *args, **kw):
        took.append((n_epoch, lr, round(decay, 6), len(dls.train), dls.train.bs))
        return real(model, dls, n_epoch, lr, decay, *args, **kw)
    monkeypatch.setattr(fitting, 'fit_levels', spy)
    near_fit(n_epoch=2, bs=100, lr=0.02, wd=0.1, valid_pct=0)
    assert took==[(2, 0.02, 0.014, 7, 100)] # 7 batches × 0.02 × 0.1

@pytest.mark.parametrize('kw,words', [
    (dict(model='svd'), "model must be .*'dot_product'.*'neighbours'"),
    (dict(model='dot_product', user_features=PEOPLE), "features need model='neighbours'"),
    (dict(model='neighbours', n_factors=0), 'n_factors must'),
    (dict(model='neighbours', user_features=PEOPLE.drop(columns='user')), "'user'"),
    (dict(model='neighbours', user_features=PEOPLE[1:]), '1'),
    (dict(model='neighbours', user_features=pd.concat([PEOPLE, PEOPLE[:1]])), '1'),
    (dict(model='neighbours', user_features=PEOPLE.assign(user=PEOPLE.user.astype(str))), 'text|str'),
    (dict(model='neighbours', user_features=PEOPLE[['user']]), 'no features'),
    (dict(model='neighbours', item_features=THINGS.assign(kinds=None)), 'kinds'),
    (dict(model='neighbours', item_features=[1, 2]), 'DataFrame'),
    (dict(model='neighbours', user_features=PEOPLE.assign(age=np.inf)), "'age' is infinite")], ids=str)
def test_bad_features_are_refused_before_training(kw, words, monkeypatch):
    def never(*args, **kw): raise AssertionError('trained all the same')
    monkeypatch.setattr(fitting, 'fit_levels', never)
    with pytest.raises((ValueError, TypeError), match=words): small_fit(**kw)

@pytest.mark.filterwarnings('ignore')
def test_the_report_names_the_features():
    r = near_fit(user_features=PEOPLE, item_features=THINGS, valid_pct=0.1).report
    assert r['user_features']==['age', 'city'] and r['item_features']==['kinds']
    assert 'user_features' not in near_fit().report

@pytest.mark.filterwarnings('ignore')
def test_gaps_in_features_can_be_allowed():
    gaps = PEOPLE[1:].assign(age=lambda d: d.age.where(d.age>25))
    with pytest.raises(ValueError, match='user_features: .*on_missing'): near_fit(user_features=gaps)
    assert len(near_fit(user_features=gaps, on_missing='zero').recommend(1, 2))==2

def test_a_misspelt_model_is_named_before_its_features():
    with pytest.raises(ValueError, match='neighbors'): small_fit(model='neighbors', user_features=PEOPLE)

def test_an_svdpp_is_served_folded_up_unless_it_knows_days():
    from collab_course.svdpp import SVDpp, day_loaders, fit_svdpp
    torch.manual_seed(0)
    model = SVDpp.from_dls(dls, n_factors=4)
    fit_svdpp(model, dls, 1)
    r = Recommender.from_model(model, dls)
    assert type(r.model) is DotProductBias
    x = torch.stack([ids_to_rows(planted[c], dls.classes[c]) for c in ('user', 'movie')], 1)
    with torch.no_grad(): assert np.allclose(r.predict(planted[['user', 'movie']]).prediction, model(x), atol=1e-5)
    timed = day_loaders(planted.assign(timestamp=range(len(planted))), random_split(planted, seed=0), bs=64,
                        device='cpu')
    with pytest.raises(TypeError, match='days'): Recommender.from_model(SVDpp.from_dls(timed, n_factors=4), timed)
    assert len(Recommender.from_model(SVDpp.from_dls(timed, n_factors=4, n_days=0).collapse(), timed).recommend(1,
        2))==2

def test_a_trained_model_advises_only_what_it_can_take():
    "Its range and its names are fixed, so neither may be given anew"
    held = planted.head(20)
    for ask in (lambda: rec.evaluate(held.assign(rating=9)), lambda: rec.fold_in({1: 50})):
        with pytest.raises(ValueError, match='rescale them: the model was trained on that range') as e: ask()
        assert 'rating_range' not in str(e.value)
    with pytest.raises(ValueError, match="Rename the right one to 'rating'"):
        rec.evaluate(held.rename(columns={'rating': 'stars'}))

# lists by a list model

def clustered(n_users=60, n_items=40, seed=0):
    "Two crowds: each rates the items of its own half, so what somebody rated tells what they'll rate"
    rng = np.random.default_rng(seed)
    rows = []
    for u in range(1, n_users + 1):
        half = (u%2)*n_items//2
        own = rng.choice(n_items//2, 12, replace=False) + half + 1
        rows += [(u, i, rng.integers(1, 6)) for i in own] # stars are noise
    df = pd.DataFrame(rows, columns=['user', 'movie', 'rating']).drop_duplicates(['user', 'movie'])
    return df.sample(frac=1, random_state=seed).reset_index(drop=True).assign(timestamp=range(len(df)))

crowds = clustered()
def half_of(movies): return set((np.asarray(movies)>20).tolist())
def quiet_fit(df=crowds, **kw):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return Recommender.fit(df, **dict(seed=0, progress=False, n_factors=4, n_epoch=2) | kw)

@pytest.fixture(scope='module')
def both(): return quiet_fit(titles=titles)

@pytest.fixture(scope='module')
def clicks(): return quiet_fit(crowds[['user', 'movie']], titles=titles)

@pytest.fixture(scope='module')
def plays(): return quiet_fit(crowds.assign(rating=np.random.default_rng(0).integers(1, 900, len(crowds))),
                              feedback='counts')

def test_lists_come_from_the_list_model_and_show_expected_stars(both):
    res = both.recommend(1, 5)
    assert list(res)==['user', 'movie', 'title', 'score', 'prediction'] and half_of(res.movie)=={True}
    assert res.prediction.tolist()==both.predict(res[['user', 'movie']]).prediction.tolist()
    interests = both.lists.of_history(both.history)
    scores = both.lists.scores(interests)[both.users_vocab.rows([1])[0]]
    rows = both.items_vocab.rows(res.movie)
    assert res.score.tolist()==scores[rows].tolist() and res.score.is_monotonic_decreasing
    assert 'lists by' in repr(both) and '4 factors' in repr(both)

def test_the_report_and_its_line_name_both_models(both, capsys):
    r = both.report
    assert r['valid_ndcg']>r['popular_ndcg'] and 0<r['valid_recall']<=1 and r['n_lists']>0
    assert r['lists_by']=='lists' and r['feedback']=='stars' and json.loads(json.dumps(r))==r
    quiet_fit(progress=True)
    line = capsys.readouterr().out
    assert 'RMSE' in line and 'biases alone' in line and 'NDCG@10' in line and 'most rated' in line

def test_one_person_is_everybody_and_the_same_seed_gives_the_same_lists(both):
    same(both.recommend_all(4), pd.concat([both.recommend(u, 4) for u in both.users.user], ignore_index=True))
    same(both.recommend_all(4), quiet_fit(titles=titles).recommend_all(4))

def test_a_newcomer_with_the_ratings_of_somebody_known_gets_the_same_list(both):
    mine = crowds[crowds.user==7]
    res = both.fold_in(dict(zip(mine.movie.tolist(), mine.rating.tolist())), 6)
    known = both.recommend(7, 6)
    assert res.movie.tolist()==known.movie.tolist() and res.score.tolist()==known.score.tolist()
    assert list(res)==['user', 'movie', 'title', 'score', 'prediction']

def test_choices_work_on_lists_of_the_list_model(both):
    hidden = pd.DataFrame({'user': [1], 'movie': [21]})
    res = both.recommend_all(3, [1, 2], allowed=[1, 2, 3, 21, 22, 23], exclude=hidden)
    assert set(res.movie)<={1, 2, 3, 21, 22, 23} and 21 not in set(res[res.user==1].movie)
    counts = both.items.set_index('movie')['count']
    assert counts[both.recommend(1, 9, min_count=20).movie].min()>=20
    rated = set(crowds[crowds.user==1].movie)
    assert not rated & set(both.recommend(1, 40).movie) and rated & set(both.recommend(1, 40, exclude_seen=False).movie)

@pytest.mark.parametrize('model', ['both', 'dot product'])
def test_a_discount_lists_less_popular_items(model, both):
    r = both if model=='both' else quiet_fit(model='dot_product')
    counts = r.items.set_index('movie')['count']
    plain,less = (r.recommend_all(5, popularity_discount=d) for d in (0, 1))
    assert counts[less.movie].mean() < counts[plain.movie].mean()
    same(plain, r.recommend_all(5))
    with pytest.raises(ValueError, match='popularity_discount'): r.recommend(1, popularity_discount=-1)

@pytest.mark.parametrize('how', ['mean', 'popular'])
def test_unknown_people_among_others_get_a_stand_in_from_the_list_model_too(both, how):
    res = both.recommend_all(3, [1, 999], on_unknown=how)
    same(res[res.user==1].reset_index(drop=True), both.recommend(1, 3))
    strangers = res[res.user==999]
    assert len(strangers)==3 and strangers.prediction.between(0, 5.5).all()
    with pytest.raises(ValueError, match='there is no user 999'): both.recommend(999)

@pytest.mark.filterwarnings('ignore:.*rows are in the history')
def test_evaluate_measures_lists_beside_the_most_rated(both):
    held = crowds.groupby('user').tail(2)
    r = quiet_fit(crowds.drop(held.index))
    res = r.evaluate(held, k=5)
    assert res['ndcg']>res['popular_ndcg'] and res['recall']>res['popular_recall'] and res['rmse']>0
    assert res['n_lists']==held[held.rating>=4].user.nunique()
    lists = r.recommend_all(5).groupby('user').movie.apply(set)
    liked = held[held.rating>=4].groupby('user').movie.apply(set)
    hits = [len(lists[u] & liked[u])/len(liked[u]) for u in liked.index]
    assert res['recall']==pytest.approx(np.mean(hits), abs=0.02) # equal scores share in one, and don't in the other
    assert np.isnan(r.evaluate(crowds.drop(held.index))['ndcg']) # what was trained on is never listed
    with pytest.raises(ValueError, match='k must be'): r.evaluate(held, k=0)

@pytest.mark.parametrize('kw', [dict(model='dot_product'), dict(model='neighbours')])
def test_a_rating_model_alone_makes_lists_of_its_predictions(kw):
    r = quiet_fit(**kw)
    res = r.recommend(1, 5)
    assert r.lists is None and list(res)==['user', 'movie', 'score']
    assert res.score.tolist()==r.predict(res[['user', 'movie']]).prediction.tolist()
    with pytest.warns(UserWarning, match='in the history'): assert r.evaluate(crowds)['rmse']<2
    with pytest.raises(ValueError, match="by='history' explains scores of a list model"): r.explain(1, 2, by='history')

def test_lists_alone_have_no_predictions_and_say_what_has():
    r = quiet_fit(model='lists')
    assert list(r.recommend(1, 3))==['user', 'movie', 'score'] and r.feedback=='stars' and not r.rates
    with pytest.raises(ValueError, match="model='lists' has scores for lists.*model='auto' predicts"):
        r.predict(dict(user=1, movie=2))

def test_a_list_score_is_the_sum_of_its_reasons(both, clicks):
    for r in (both, clicks):
        item = int(r.recommend(3, 1).movie[0])
        why = r.explain(3, item, n=4, by='history')
        assert why.contribution.sum()==pytest.approx(r.recommend(3, 1).score[0], abs=1e-4)
        assert why.reason.tolist()==['rated']*4 + ['others rated', 'rest']
        assert set(why.movie.dropna())<=set(crowds[crowds.user==3].movie)
    with pytest.raises(ValueError, match="by='ratings' explains predicted ratings"): clicks.explain(3, 1, by='ratings')

@pytest.mark.parametrize('split', ['random', 'time', 2])
def test_rows_are_kept_back_at_random_by_time_or_the_last_of_each(split):
    r = quiet_fit(split=split, refit=False)
    kept = r.history.rows[r.n_train:]
    users = r.users_vocab.ids(kept[:,0])
    if split==2: assert pd.Series(users).value_counts().eq(2).all()
    if split=='time':
        pairs = set(zip(crowds.user.tail(len(kept)), crowds.movie.tail(len(kept))))
        assert {*zip(users.tolist(), r.items_vocab.ids(kept[:,1]).tolist())}==pairs
    assert r.report.get('split', 'random')==split

@pytest.mark.parametrize('kw,words', [
    (dict(split='latest'), "split must be"), (dict(split=0), 'split must be'),
    (dict(feedback='likes'), 'feedback must be'),
    (dict(model='lists', feedback='counts', duplicates='all'), 'duplicates'),
    (dict(model='dot_product', feedback='clicks'), "model='dot_product' predicts ratings, and clicks have none")])
def test_fit_refuses_what_no_list_can_be_made_with(kw, words):
    with pytest.raises(ValueError, match=words): quiet_fit(**kw)

def test_times_without_a_known_name_are_asked_for():
    df = crowds.rename(columns={'timestamp': 'when'})
    with pytest.raises(ValueError, match='time_name'): quiet_fit(df, split='time')
    assert quiet_fit(df, split='time', time_name='when').n_train==len(df)

def test_intervals_hold_their_share_and_need_rows_kept_back(both):
    res = both.predict(crowds, interval=0.9)
    assert list(res)[-3:]==['prediction', 'low', 'high']
    assert ((res.low<=res.prediction.clip(1, 5)) & (res.prediction.clip(1, 5)<=res.high)).all()
    assert res.low.min()>=1 and res.high.max()<=5
    narrow = both.predict(crowds, interval=0.5)
    assert (narrow.high - narrow.low).mean() < (res.high - res.low).mean()
    with pytest.raises(ValueError, match='interval must be a share'): both.predict(crowds, interval=2)
    with pytest.raises(ValueError, match='valid_pct'): quiet_fit(valid_pct=0).predict(crowds, interval=0.9)
    with pytest.raises(ValueError, match='no rows were kept back'): rec.predict(all_pairs, interval=0.9)

# clicks and counts

def test_clicks_need_no_column_of_ratings_and_are_said_aloud(clicks):
    with pytest.warns(UserWarning, match='no column of ratings: each row is a click'):
        r = Recommender.fit(crowds[['user', 'movie']], seed=0, progress=False)
    assert r.feedback=='clicks' and 'clicks' in repr(r) and list(r.recommend(1, 3))==['user', 'movie', 'score']
    assert half_of(r.recommend(2, 5).movie)=={False}
    assert r.report['valid_rmse'] is None and r.report['valid_ndcg']>r.report['popular_ndcg']

def test_a_column_that_may_hold_ratings_is_asked_for():
    with pytest.raises(ValueError, match='no column has a name that is known for the rating'):
        quiet_fit(crowds.rename(columns={'rating': 'how_much'}))
    assert quiet_fit(crowds.rename(columns={'rating': 'how_much'}), feedback='clicks').feedback=='clicks'

def test_clicks_have_no_ratings_to_predict(clicks):
    with pytest.raises(ValueError, match='clicks have no ratings to predict: recommend makes lists'):
        clicks.predict(dict(user=1, movie=2))

def test_what_was_clicked_may_come_as_a_list_a_dict_or_a_table(clicks):
    table = pd.DataFrame({'user': 900, 'movie': [1, 2]})
    same(clicks.fold_in([1, 2], 5), clicks.fold_in({1: 1, 2: 1}, 5))
    same(clicks.fold_in([1, 2], 5).drop(columns='user'), clicks.fold_in(table, 5).drop(columns='user'))
    assert half_of(clicks.fold_in([1, 2], 5).movie)=={False} and not {1, 2} & set(clicks.fold_in([1, 2], 40).movie)

@pytest.mark.filterwarnings('ignore:.*rows are in the history')
def test_clicks_have_all_that_lists_have(clicks):
    assert half_of(clicks.similar(1, 5).movie)=={False} and len(clicks.similar_users(1, 5))==5
    assert clicks.item_vectors()[1].shape[0]==len(clicks.items)
    assert set(clicks.evaluate(crowds[['user', 'movie']]))=={'ndcg', 'recall', 'popular_ndcg', 'popular_recall',
                                                            'n_lists', 'n', 'n_unknown', 'n_seen'}

def test_new_clicks_enter_the_lists_and_the_same_again_change_nothing(clicks):
    new = pd.DataFrame({'user': [500]*4 + [1], 'movie': [1, 2, 3, 88, 2]})
    later = clicks.update(new)
    assert half_of(later.recommend(500, 5).movie)=={False} and 88 not in set(later.recommend_all(50).movie)
    assert later.recommend(500, 5).movie.tolist()==clicks.fold_in([1, 2, 3], 5).movie.tolist()
    assert later.recommend(1, 5).score.tolist()!=clicks.recommend(1, 5).score.tolist()
    same(later.update(new).recommend_all(5), later.recommend_all(5))
    same(later.recommend_all(5, [2, 3]), clicks.recommend_all(5, [2, 3]))

def test_counts_count_by_their_logarithm_and_newcomers_by_the_same_measure(plays):
    mine = plays.history.rated_by(7)
    rated = dict(zip(plays.items_vocab.ids(mine[0]).tolist(), mine[1].tolist()))
    person = plays.users_vocab.ids(np.array([7]))[0]
    assert plays.fold_in(rated, 5).score.tolist()==plays.recommend(person, 5).score.tolist()
    more = plays.fold_in({1: 10_000, 21: 1}, 5)
    assert half_of(more.movie)=={False} and plays.feedback=='counts'

def test_doubled_pairs_of_counts_are_added_up():
    df = crowds.assign(plays=3).drop(columns='rating')
    r = quiet_fit(pd.concat([df, df[:5]]), rating_name='plays', feedback='counts', valid_pct=0)
    assert len(r.history)==len(df) and sorted(r.history.ratings.tolist())[-6:]==[3, 6, 6, 6, 6, 6]

# bundles with lists

LISTS = ('both', 'clicks', 'plays')

@pytest.mark.parametrize('which', LISTS)
def test_lists_are_the_same_after_save_and_load(which, request, tmp_path):
    r = request.getfixturevalue(which)
    again = Recommender.load(r.save(tmp_path/'b'))
    same(again.recommend_all(5), r.recommend_all(5))
    same(again.fold_in({1: 5, 2: 4}, 5), r.fold_in({1: 5, 2: 4}, 5))
    assert (again.report, again.feedback, again.rates, repr(again))==(r.report, r.feedback, r.rates, repr(r))
    if r.rates: same(again.predict(crowds, interval=0.8), r.predict(crowds, interval=0.8))
    assert again.save(tmp_path/'c').read_bytes()==(tmp_path/'b').read_bytes()

def test_an_updated_list_model_is_the_same_after_save_and_load(both, tmp_path):
    later = both.update(pd.DataFrame({'user': [500, 500], 'movie': [1, 99], 'rating': [5, 4]}))
    again = Recommender.load(later.save(tmp_path/'b'))
    same(again.recommend_all(5), later.recommend_all(5))
    assert 99 in set(again.items.movie) and 99 not in set(again.recommend_all(50).movie)

@pytest.mark.parametrize('which', LISTS)
def test_without_a_history_newcomers_get_lists_and_the_rest_is_said(which, request, tmp_path):
    r = request.getfixturevalue(which)
    forgetful = Recommender.load(r.save(tmp_path/'b', history=False))
    same(forgetful.fold_in({1: 5, 2: 4}, 5), r.fold_in({1: 5, 2: 4}, 5))
    with pytest.raises(ValueError, match='does not know who rated what'): forgetful.recommend(1)
    assert len(forgetful.recommend(1, 5, exclude_seen=False))==5 # by the factors that stayed
    with pytest.raises(ValueError, match='does not know who rated what'): forgetful.explain(1, 2, by='history')
    assert len(forgetful.recommend(999, 3, exclude_seen=False, on_unknown='popular'))==3

def test_where_biases_alone_predict_the_list_model_tells_what_is_near():
    r = quiet_fit(n_factors=0, titles=titles)
    assert r.lists is not None and not r.served.item_vectors.shape[1]
    assert half_of(r.similar(30, 8).movie)=={True} and half_of(r.similar(5, 8).movie)=={False}
    assert set(r.similar_users(1, 8).user % 2)=={1} and r.item_vectors()[1].shape[1]>0
    assert len(r.similar(999, 3, on_unknown='mean'))==3

def with_model(r, *kinds):
    interests = r.lists.of_history(r.history)
    models = [kind.fit(interests) for kind in kinds]
    lists = r.lists.with_model(Blend(models) if len(models)>1 else models[0])
    return Recommender.from_parts(r.served, r.users_vocab, r.items_vocab, r.history, lists=lists)

def test_a_bundle_without_a_history_holds_nobody_s_interests(tmp_path):
    few = quiet_fit(clustered(n_users=15, n_items=60))
    with pytest.raises(ValueError, match='EASE by people, which holds who rated what'):
        with_model(few, EASE).save(tmp_path/'b', history=False)
    wide = with_model(few, EASE, WeightedALS)
    arrays,_ = load_bundle(wide.save(tmp_path/'b'))
    kept,_ = load_bundle(wide.save(tmp_path/'c', history=False))
    assert any(name.endswith('bounds') for name in arrays if name.startswith('lists.'))
    assert not any(name.endswith(('bounds', '.items', '.weights')) for name in kept if name.startswith('lists.'))

SPOILED_LISTS = dict(
    less=lambda arrays, meta: arrays.pop([o for o in arrays if o.startswith('lists.')][0]),
    more=lambda arrays, meta: arrays.update({'lists.evil': np.zeros(3)}),
    nan=lambda arrays, meta: [a.fill(np.nan) for name,a in arrays.items()
                              if name.startswith('lists.') and a.dtype.kind=='f'],
    kind=lambda arrays, meta: meta['lists'].update(model='soup'),
    no_kind=lambda arrays, meta: meta['lists'].pop('model'),
    text=lambda arrays, meta: meta.update(lists='ease'),
    feedback=lambda arrays, meta: meta['lists'].update(feedback='likes'),
    scale=lambda arrays, meta: meta['lists'].update(scale=-1.),
    none=lambda arrays, meta: meta.update(lists=None),
    rates=lambda arrays, meta: meta.update(rates='yes'),
    history=lambda arrays, meta: meta.update(history=False),
    intervals=lambda arrays, meta: meta.update(intervals=False),
    edges=lambda arrays, meta: arrays.update({'intervals.errors': -arrays['intervals.errors']}),
    older=lambda arrays, meta: meta.update(version=2),
    entry=lambda arrays, meta: meta.pop('rates'))

@pytest.mark.parametrize('how', SPOILED_LISTS)
def test_a_bundle_whose_lists_do_not_fit_is_refused(both, tmp_path, how):
    arrays,meta = load_bundle(both.save(tmp_path/'b'))
    arrays = {name: array.copy() for name,array in arrays.items()}
    SPOILED_LISTS[how](arrays, meta)
    with pytest.raises(BundleError, match='is a bundle, but'):
        Recommender.load(save_bundle(tmp_path/'c', arrays, meta))

def test_predictions_stay_within_the_range_where_the_model_has_no_limits():
    users = np.repeat(np.arange(30), 12)
    items = (np.arange(360)*7 + users)%25
    df = pd.DataFrame(dict(user=users, movie=items, rating=1. + 4*((users%3) + (items%3)>=2)))
    r = quiet_fit(df.drop_duplicates(['user', 'movie']), n_factors=0)
    pairs = pd.DataFrame([(u, i) for u in range(30) for i in range(25)], columns=['user', 'movie'])
    raw = r.served.predict(*r._pairs(pairs, 'raise').T)
    assert r.served.y_range is None and (raw.min()<1 or raw.max()>5)
    assert r.predict(pairs).prediction.between(1, 5).all()
    assert r.recommend_all(25, exclude_seen=False).prediction.between(1, 5).all()
    assert r.fold_in({0: 5., 1: 5., 2: 5.}, 25).prediction.between(1, 5).all()

@pytest.mark.parametrize('popularity', [3.1, 1e9, 1e300])
def test_a_discount_that_leaves_no_scores_is_refused(both, popularity):
    words = r'popularity_discount must be at most 3 \(1 divides scores by the popularity\)'
    with pytest.raises(ValueError, match=words): both.recommend(1, 3, popularity_discount=popularity)
    with pytest.raises(ValueError, match=words): both.fold_in({1: 5.}, 3, popularity_discount=popularity)
    assert np.isfinite(both.recommend(1, 3, popularity_discount=3).score).all()

def test_a_column_of_times_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="there is no column 'when'"): quiet_fit(time_name='when')
