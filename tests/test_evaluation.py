"Measures against independent ones, baselines against plain loops, training for lists, and what is refused"
import itertools
import math
import random

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, mean_absolute_error, mean_squared_error, ndcg_score
from torch.testing import assert_close

from collab_course.create_params import DotProductBias
from collab_course.movielens import load_ratings
from collab_course.tables import canonical_fold, planted_ratings, random_split
from collab_course.dot_product import DotProduct, quick_fit
from collab_course.embedding_nn import CollabNN
from collab_course.baselines import ItemKNN, baseline, fit_biases
from collab_course.evaluation import cross_validate, evaluate_lists, evaluate_ratings, paired
from collab_course.lists import rank_fit
from collab_course.metrics import coverage, gini, list_metrics, mae, ndcg_at, novelty, rmse, score_metrics
from collab_course.ranking import top_k
from collab_course.scoring import rated_table, score_all
from collab_course.loaders import RatingsDataLoaders
from collab_course.recommender import Recommender

quick = settings(deadline=None, max_examples=60)
PLANTED = planted_ratings(60, 40, 1200, rating_range=(1, 5), step=1.)

def loaders(ratings=PLANTED.ratings, seed=0, splits=None, **kwargs):
    return RatingsDataLoaders.from_df(ratings, splits=splits, seed=seed, device='cpu', **{'bs': 64, **kwargs})

def table(rows): return pd.DataFrame(rows, columns=['user', 'movie', 'rating']).astype({'rating': float})

TINY = table([(1, 1, 5), (1, 2, 4), (2, 1, 3), (2, 3, 5), (3, 2, 2), (3, 3, 4), (1, 3, 4), (2, 2, 1), (3, 1, 5)])
def tiny(train=range(6), valid=(6, 7, 8)): return loaders(TINY, splits=(list(train), list(valid)))

# ratings

vectors = st.integers(1,
                      20).flatmap(
                          lambda n: st.tuples(*[hnp.arrays(np.float64, n, elements=st.floats(-9, 9, width=32))]*2))

@quick
@given(vectors)
def test_errors_equal_sklearns(pair):
    pred,y = pair
    assert rmse(pred, y)==pytest.approx(mean_squared_error(y, pred)**0.5, abs=1e-12)
    assert mae(pred, y)==pytest.approx(mean_absolute_error(y, pred), abs=1e-12)
    assert rmse(pred, y) >= mae(pred, y) - 1e-12

def test_errors_take_tensors_and_lists(): assert rmse(torch.tensor([1., 2.]), [1, 4])==pytest.approx(2**0.5)

@pytest.mark.parametrize('pred,y,why', [
    ([1., 2.], [1.], 'one length'), ([], [], 'one length'), ([[1.], [2.]], [1., 2.], 'one length'),
    ([1., math.nan], [1., 2.], 'pred holds NaN'), ([1., 2.], [math.inf, 2.], 'y holds NaN')])
def test_errors_refuse_what_does_not_fit(pred, y, why):
    for f in (rmse, mae):
        with pytest.raises(ValueError, match=why): f(pred, y)

# lists

def slow_top(row, k, seen):
    left = [i for i in range(len(row)) if i not in seen and row[i]>-math.inf]
    best = sorted(left, key=lambda i: (-row[i], i))[:k]
    return best + [-1]*(k - len(best))

tables = st.tuples(st.integers(1, 4), st.integers(1, 7)).flatmap(lambda s: st.tuples(
    hnp.arrays(np.float64, s, elements=st.sampled_from([-math.inf, -1., 0., 1., 2., math.inf])), hnp.arrays(bool, s),
    hnp.arrays(bool, s), st.integers(1, 9)))

@quick
@given(tables)
def test_top_k_equals_a_sort_by_hand(o):
    scores,seen,_,k = o
    want = [slow_top(r, k, set(np.flatnonzero(s))) for r,s in zip(scores, seen)]
    before = scores.copy()
    for arg in (seen, np.nonzero(seen)):
        got = top_k(scores, k, arg)
        assert got.dtype==np.int64 and got.tolist()==want
    assert (scores==before).all()

def test_all_seen_leaves_an_empty_list():
    assert top_k([[1., 2.]], 3, np.ones((1, 2), dtype=bool)).tolist()==[[-1, -1, -1]]
def test_k_larger_than_the_catalogue_is_filled_up(): assert top_k([[1., 2.]], 4).tolist()==[[1, 0, -1, -1]]
def test_nobody_has_no_lists(): assert top_k(np.zeros((0, 5)), 3).shape==(0, 3)

@pytest.mark.parametrize('seen,why', [
    (np.ones((1, 3), dtype=bool), 'table of bools of shape'), (np.ones((2, 2)), 'table of bools of shape'),
    (([0], [2]), "column that isn't a whole number from 0 to 1"),
    (([-1], [0]), "row that isn't a whole number"), (([0, 1], [0]), 'one length'),
    (([0.], [1.]), "isn't a whole number")])
def test_top_k_refuses_a_mask_that_does_not_fit(seen, why):
    with pytest.raises(ValueError, match=why): top_k(np.zeros((2, 2)), 1, seen)

@pytest.mark.parametrize('scores,k,why',
                         [([[math.nan]], 1, 'NaN'), ([1., 2.], 1, 'a row for each person'), ([[1.]], 0, 'k must be'),
                          ([[1.]], True, 'k must be')])
def test_top_k_refuses_bad_scores(scores, k, why):
    with pytest.raises(ValueError, match=why): top_k(scores, k)

def slow_marks(row, liked, k):
    "Precision, recall, NDCG and average precision of one list, place by place"
    if not liked: return [math.nan]*4
    hits = dcg = ap = 0
    for place,i in enumerate(row[:k], 1):
        if i in liked: hits,dcg,ap = hits + 1,dcg + 1/math.log2(place + 1),ap + (hits + 1)/place
    best = min(k, len(liked))
    return [hits/k, hits/len(liked), dcg/sum(1/math.log2(p + 1) for p in range(1, best+1)), ap/best]

@quick
@given(tables)
def test_marks_equal_a_loop_over_places(o):
    scores,seen,liked,k = o
    lists = top_k(scores, k, seen)
    for wanted in (k, k+2, max(1, k-1)):
        got = list_metrics(lists, liked, wanted)
        assert list(got)==['precision', 'recall', 'ndcg', 'map']
        want = [slow_marks(l, set(np.flatnonzero(r)), wanted) for l,r in zip(lists.tolist(), liked)]
        np.testing.assert_allclose(got.to_numpy(), want, atol=1e-12)
        np.testing.assert_allclose(list_metrics(lists, np.nonzero(liked), wanted).to_numpy(), want, atol=1e-12)

@pytest.mark.parametrize('k', [1, 3, 10, 30])
def test_marks_equal_chapter_09_and_sklearn(k):
    rng = np.random.default_rng(k)
    scores,liked = rng.permutation(600).reshape(30, 20).astype(float),rng.random((30, 20))<0.3
    liked[3] = False
    got = list_metrics(top_k(scores, k), liked)
    np.testing.assert_allclose(got.ndcg, ndcg_at(scores, liked, k))
    some = liked.any(1)
    assert got.ndcg[some].mean()==pytest.approx(ndcg_score(liked[some], scores[some], k=k))
    if k>=20:
        np.testing.assert_allclose(got['map'][some],
                                   [average_precision_score(l, s) for l,s in zip(liked[some], scores[some])])

def test_a_list_takes_ties_by_position_and_a_measurement_shares_them():
    scores,liked = np.zeros((1, 3)),[[True, False, False]]
    assert list_metrics(top_k(scores, 1), liked).precision.tolist()==[1.]
    for k,recall in ((1, 1/3), (2, 2/3), (3, 1), (9, 1)):
        assert score_metrics(scores, np.array(liked), k).recall[0]==pytest.approx(recall)

small = st.integers(1, 5).flatmap(lambda n: st.tuples(
    hnp.arrays(np.float64, n, elements=st.sampled_from([-math.inf, 0., 1., math.inf])), hnp.arrays(bool, n),
    st.integers(1, 6)))

@quick
@given(small)
def test_shared_ties_are_the_mean_over_all_orders(o):
    "Of items, by measuring the list that each order of the catalogue makes"
    scores,liked,k = o
    each = []
    for order in map(list, itertools.permutations(range(len(scores)))):
        lists = top_k(scores[order][None], k)
        each.append(list_metrics(lists, liked[order][None]).to_numpy())
    got = score_metrics(scores[None], liked[None], k).to_numpy()
    np.testing.assert_allclose(got, np.mean(each, 0), atol=1e-12)
    np.testing.assert_allclose(got[:,2], ndcg_at(scores[None], liked[None], k), atol=1e-12)

@quick
@given(tables)
def test_scores_without_ties_are_measured_as_the_lists_that_they_make(o):
    scores,_,liked,k = o
    rng = np.random.default_rng(k)
    different = rng.permuted(np.tile(np.arange(scores.shape[1], dtype=float), (len(scores), 1)), axis=1)
    scores = np.where(scores==-math.inf, scores, different)
    want = list_metrics(top_k(scores, k), liked)
    np.testing.assert_allclose(score_metrics(scores, liked, k), want, atol=1e-12)
    np.testing.assert_allclose(score_metrics(scores, np.nonzero(liked), k), want, atol=1e-12)

@pytest.mark.parametrize('scores,liked,why', [
    ([[math.nan, 1.]], [[True, True]], 'hold NaN'), ([1., 2.], [True, False], 'a row for each person'),
    ([[1., 2.]], [[True]], 'table of bools of shape'), ([[1., 2.]], [[1, 0]], 'table of bools of shape')])
def test_scores_that_do_not_fit_are_refused(scores, liked, why):
    with pytest.raises(ValueError, match=why): score_metrics(scores, np.array(liked))

def test_people_without_a_liked_item_have_no_mark_and_spoil_no_mean():
    marks = list_metrics([[0], [0]], [[True, False], [False, False]])
    assert marks.iloc[1].isna().all() and marks.mean().tolist()==[1., 1., 1., 1.]

def test_empty_places_are_misses():
    assert list_metrics([[-1, 2]], [[False, False, True]]).precision[0]==0.5
    assert list_metrics([[-1, -1]], [[True, False]]).iloc[0].tolist()==[0., 0., 0., 0.]

def test_a_list_shorter_than_k_is_judged_by_k():
    assert list_metrics([[0]], [[True, True]], 4).iloc[0, :2].tolist()==[0.25, 0.5]

@pytest.mark.parametrize('lists,liked,why', [
    ([[1, 1]], [[True, True]], 'list 0 holds an item twice'), ([[0], [1, ]], [[True, True]], 'shape'),
    ([[2]], [[True, True]], 'lists hold 2'), ([[-2]], [[True, True]], 'lists hold -2'),
    ([[0.5]], [[True]], 'positions of items'), ([0, 1], [[True, True]], 'positions of items'),
    ([[0]], [[1.]], 'table of bools'), ([[0]], ([1], [0]), "row that isn't a whole number")])
def test_marks_refuse_lists_that_are_none(lists, liked, why):
    with pytest.raises(ValueError, match=why): list_metrics(lists, liked)

def test_novelty_is_the_mean_of_the_surprise_of_every_place():
    assert novelty([[0, 1], [2, -1]], [8, 4, 1], 8)==pytest.approx((0 + 1 + 3)/3)
    assert novelty([[3]], [8, 4, 1, 0], 8)==pytest.approx(3)
    assert math.isnan(novelty([[-1]], [1], 1))
    with pytest.raises(ValueError, match='lists hold 1'): novelty([[1]], [1], 1)
    with pytest.raises(ValueError, match='n_users must be'): novelty([[0]], [1], 0)

# baselines

@pytest.mark.filterwarnings('ignore:.* rows are in the history')
def test_the_biases_are_those_of_recommender():
    rec = Recommender.fit(PLANTED.ratings, n_factors=0, seed=0, n_epoch=1, valid_pct=0)
    x,y = PLANTED.ratings[['user', 'movie']].to_numpy(),PLANTED.ratings.rating.to_numpy(np.float64)
    mean,u,i = fit_biases(x, y, (61, 41))
    want = (mean + u[x[:,0]] + i[x[:,1]]).clip(*rec.rating_range)
    lowest = PLANTED.ratings.assign(rating=1.) # each row by itself: its error is the prediction minus 1
    some = range(0, len(lowest), 9)
    got = [1 + rec.evaluate(lowest[n:n+1])['baseline_rmse'] for n in some]
    np.testing.assert_allclose(got, want[some])

def test_one_round_of_biases_by_hand():
    x,y = np.array([[1, 1], [1, 2], [2, 1]]),np.array([5., 3., 4.])
    mean,u,i = fit_biases(x, y, (3, 3), rounds=1, shrink=(1, 1))
    assert mean==4
    np.testing.assert_allclose(i, [0, 1/3, -1/2])
    np.testing.assert_allclose(u, [0, ((1 - 1/3) + (-1 + 1/2))/3, (0 - 1/3)/2])

def test_baselines_hold_means_and_counts_of_the_training_rows():
    dls = tiny()
    x = dls.valid_ds.x
    assert_close(baseline(dls, 'mean')(x), torch.full((3,), 23/6))
    assert_close(baseline(dls, 'item mean')(x), torch.tensor([4.5, 3., 4.]))
    assert_close(baseline(dls, 'popularity').item_bias.data, torch.tensor([0., 2., 2., 2.]))
    mean,u,i = fit_biases(dls.train_ds.x.numpy(), dls.train_ds.y.numpy().astype(float), (4, 4))
    assert_close(baseline(dls)(x), torch.tensor(mean + u[x[:,0]] + i[x[:,1]]).float())

def test_items_without_a_training_row_get_the_mean():
    dls = tiny(train=[0, 1, 2, 4], valid=[3, 5])
    for how in ('mean', 'item mean'):
        assert_close(baseline(dls, how).item_bias[3].item() + baseline(dls, how).user_bias[2].item(), 3.5)
    assert baseline(dls, 'biases').item_bias[3]==0

def test_a_baseline_is_refused_by_an_unknown_name_and_draws_nothing():
    with pytest.raises(ValueError, match="how must be 'mean' or"): baseline(tiny(), 'median')
    torch.manual_seed(3)
    want = torch.rand(1)
    torch.manual_seed(3)
    baseline(tiny())
    assert torch.rand(1)==want

def slow_knn(dls, k, shrink):
    "Item-kNN by loops over pairs of items and over each person's ratings"
    x,y = dls.train_ds.x.numpy(),dls.train_ds.y.numpy().astype(float)
    mean,bu,bi = fit_biases(x, y, (dls.n_users, dls.n_items))
    left = {(u, i): r - mean - bu[u] - bi[i] for (u, i),r in zip(x.tolist(), y)}
    sim = np.zeros((dls.n_items, dls.n_items))
    for i in range(dls.n_items):
        for j in range(dls.n_items):
            who = [u for u in range(dls.n_users) if (u, i) in left and (u, j) in left]
            if i==j or not who: continue
            a,b = (np.array([left[u, o] for u in who]) for o in (i, j))
            sim[i,j] = max(0, a@b/max(1e-9, math.sqrt((a@a)*(b@b)))*len(who)/(len(who) + shrink))
    sim = sim.round(9)
    for i in range(dls.n_items): sim[i][sim[i]<np.sort(sim[i])[-min(k, dls.n_items)]] = 0
    def predict(u, i):
        mine = [j for (v, j) in left if v==u]
        return mean + bu[u] + bi[i] + sum(sim[i,j]*left[u,j] for j in mine)/(sum(sim[i,j] for j in mine) + 0.1)
    return predict

@pytest.mark.parametrize('k,shrink', [(3, 0), (10, 5), (100, 50)])
def test_item_knn_equals_loops(k, shrink):
    dls = loaders(planted_ratings(20, 12, 120).ratings)
    model,predict = ItemKNN(dls, k, shrink),slow_knn(dls, k, shrink)
    want = [predict(u, i) for u,i in dls.valid_ds.x.tolist()]
    assert_close(model(dls.valid_ds.x), torch.tensor(want).float(), atol=1e-5, rtol=1e-5)

def test_item_knn_for_lists_is_a_sum_of_cosines_of_who_rated():
    dls = loaders(planted_ratings(20, 12, 120).ratings)
    M = np.zeros((dls.n_users, dls.n_items))
    M[tuple(dls.train_ds.x.numpy().T)] = 1
    norm = np.sqrt(M.sum(0)).clip(1e-9)
    cos = M.T@M/np.outer(norm, norm)
    np.fill_diagonal(cos, 0)
    assert_close(ItemKNN(dls, k=100, shrink=0, implicit=True).table.double(), torch.tensor(M@cos), atol=1e-5, rtol=1e-5)

def test_item_knn_finds_planted_clusters():
    "Two groups of people, each with its own items: the lists stay inside the group"
    rows = [(u, i, 4) for u in range(1, 21) for i in range(1, 21) if u%2==i%2 and (u//2 + i//2)%5]
    dls = loaders(table(rows), valid_pct=0.1)
    lists = top_k(score_all(ItemKNN(dls, shrink=0, implicit=True), dls), 2, rated_table(dls.train_ds))
    assert ((lists + np.arange(1, 21)[:,None])%2==0).all()

@pytest.mark.parametrize('kwargs', [dict(k=0), dict(k=1.5), dict(shrink=-1)])
def test_item_knn_refuses_sizes_that_are_none(kwargs):
    with pytest.raises(ValueError, match='must be a whole number'): ItemKNN(tiny(), **kwargs)

# scores and lists of models

@pytest.mark.parametrize('y_range', [None, (0, 5.5)])
def test_score_all_equals_the_model_pair_by_pair(y_range):
    dls = loaders()
    torch.manual_seed(0)
    model = DotProductBias(dls.n_users, dls.n_items, 5, y_range)
    for p in model.parameters(): p.data.normal_()
    got = score_all(model, dls, users=[3, 1])
    assert got.shape==(2, dls.n_items) and got.dtype==np.float64 and (got[:,0]==-math.inf).all()
    for r,u in enumerate((3, 1)):
        x = torch.tensor([[dls.classes['user'].index(u), i] for i in range(1, dls.n_items)])
        np.testing.assert_allclose(got[r,1:], model(x).detach().numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got, score_all(model, dls)[[2, 0]], rtol=1e-12)

@pytest.mark.parametrize('make',
                         [lambda d: DotProduct(d.n_users, d.n_items, 4),
                          lambda d: CollabNN((d.n_users, 4), (d.n_items, 3)), ItemKNN])
def test_score_all_takes_models_of_pairs(make):
    dls = loaders()
    model = make(dls).eval()
    x = torch.cartesian_prod(torch.arange(1, dls.n_users), torch.arange(1, dls.n_items))
    with torch.no_grad(): want = model(x).view(dls.n_users-1, -1)
    np.testing.assert_allclose(score_all(model, dls)[:,1:], want.numpy(), rtol=1e-6)

def test_score_all_refuses_unknown_people():
    with pytest.raises(ValueError, match='not in the vocabulary'): score_all(baseline(tiny()), tiny(), users=[99])

def test_evaluate_ratings_equals_sklearn():
    dls = loaders()
    model = baseline(dls)
    pred = model(dls.valid_ds.x).detach().numpy()
    got = evaluate_ratings(model, dls)
    assert got['rmse']==pytest.approx(mean_squared_error(dls.valid_ds.y, pred)**0.5)
    assert got['mae']==pytest.approx(mean_absolute_error(dls.valid_ds.y, pred))

def test_evaluate_lists_person_by_person():
    dls = loaders(seed=1)
    model,k = baseline(dls),5
    seen,liked = {},{}
    for u,i in dls.train_ds.x.tolist(): seen.setdefault(u, set()).add(i)
    for (u,i),r in zip(dls.valid_ds.x.tolist(), dls.valid_ds.y.tolist()):
        liked.setdefault(u, set()).update([i] if r>=4 else [])
    scores = score_all(model, dls)
    lists = [slow_top(scores[u-1], k, seen.get(u, set())) for u in range(1, dls.n_users)]
    marks = np.array([slow_marks(l, liked.get(u, set()), k) for u,l in enumerate(lists, 1)])
    shown = np.bincount(np.ravel(lists), minlength=dls.n_items)[1:]
    got = evaluate_lists(model, dls, k)
    np.testing.assert_allclose([got[o] for o in ('precision', 'recall', 'ndcg', 'map')], np.nanmean(marks, 0))
    assert got['people']==sum(map(bool, liked.values()))
    assert (got['coverage'], got['gini'])==(coverage(shown), gini(shown))
    counts = np.bincount(dls.train_ds.x[:,1], minlength=dls.n_items)
    assert got['novelty']==pytest.approx(novelty(lists, counts, dls.n_users-1))

def test_model_scores_and_lists_get_the_same_marks():
    dls = loaders()
    torch.manual_seed(0)
    model = DotProductBias(dls.n_users, dls.n_items, 5)
    for p in model.parameters(): p.data.normal_()
    scores = score_all(model, dls)
    want = evaluate_lists(model, dls)
    assert evaluate_lists(scores, dls)==want
    assert evaluate_lists(np.where(np.isinf(scores), 1e9, scores), dls)==want
    assert evaluate_lists(top_k(scores, 10, rated_table(dls.train_ds)), dls)==pytest.approx(want)

def test_the_order_of_the_file_moves_no_measurement():
    "A constant gets what a random order gets, and popularity the same from ids in another order"
    dls,ratings = loaders(),PLANTED.ratings
    other = loaders(ratings.assign(movie=41 - ratings.movie))
    for how in ('mean', 'popularity'):
        one,two = evaluate_lists(baseline(dls, how), dls),evaluate_lists(baseline(other, how), other)
        for o in ('precision', 'recall', 'ndcg', 'map'): assert one[o]==pytest.approx(two[o], abs=1e-6)

def test_a_perfect_list_gets_full_marks():
    dls = tiny()
    scores = np.zeros((3, 4))
    users,items = dls.valid_ds.x.T.numpy()
    scores[users-1,items] = dls.valid_ds.y
    got = evaluate_lists(scores, dls, k=1)
    assert (got['precision'], got['recall'], got['ndcg'], got['map'], got['people'])==(1., 1., 1., 1., 2)

def test_where_everything_is_seen_no_list_has_an_item_and_nothing_is_to_be_found():
    rows = [(1, 1, 5), (1, 2, 5), (2, 1, 4), (2, 2, 4), (2, 2, 5)]
    dls = loaders(table(rows), splits=([0, 1, 2, 3], [4]), duplicates='keep')
    got = evaluate_lists(baseline(dls), dls)
    assert (got['coverage'], got['people'])==(0., 0) and all(math.isnan(got[o]) for o in ('ndcg', 'gini', 'novelty'))

def test_what_was_rated_in_training_too_is_not_to_be_found():
    rows = [(1, 1, 5), (2, 2, 4), (3, 3, 4), (1, 1, 5), (1, 2, 5)]
    dls = loaders(table(rows), splits=([0, 1, 2], [3, 4]), duplicates='keep')
    scores = np.array([[0., 0, 2, 1]]*3)
    got = evaluate_lists(scores, dls, k=2)
    assert (got['recall'], got['ndcg'], got['people'])==(1., 1., 1)

def test_novelty_counts_people_and_not_rows_given_twice():
    rows = [(1, 1, 5), (1, 1, 4), (1, 1, 3), (2, 2, 4), (1, 2, 4)]
    dls = loaders(table(rows), splits=([0, 1, 2, 3], [4]), duplicates='keep')
    assert evaluate_lists(np.array([[2], [1]]), dls)['novelty']==1.

def test_without_a_liked_item_there_are_no_people_and_no_marks():
    got = evaluate_lists(baseline(tiny()), tiny(), at_least=6)
    assert got['people']==0 and math.isnan(got['ndcg']) and got['coverage']>0

@pytest.mark.parametrize('lists,why', [
    (np.array([[1]]), 'a list for each of the 3 people'), (np.array([[0], [3], [1]]), '#na#'),
    (np.array([[1], [3], [1]]), 'list 0 holds an item that its person rated in training'),
    (np.zeros((3, 3)), 'scores must have shape'), (np.array([[4], [3], [1]]), 'lists hold 4')])
def test_evaluate_lists_refuses_what_belongs_to_no_list(lists, why):
    dls = tiny(train=[0, 1, 2, 4, 5], valid=[3, 6, 7, 8])
    with pytest.raises(ValueError, match=why): evaluate_lists(lists, dls)

# folds

def trained(dls):
    model = DotProductBias(dls.n_users, dls.n_items, 3)
    quick_fit(model, dls, n_epoch=1)
    return model

SPLITS = [random_split(PLANTED.ratings, seed=s) for s in range(3)]

def test_cross_validate_has_a_row_for_each_model_fold_and_seed_whatever_else_is_trained():
    fits = {'mean': lambda d: baseline(d, 'mean'), 'dot': trained}
    res = cross_validate(fits, PLANTED.ratings, SPLITS, seeds=(0, 1), bs=64, device='cpu')
    assert res[['model', 'fold', 'seed']].drop_duplicates().shape[0]==len(res)==12
    assert list(res)==['model', 'fold', 'seed', 'rmse', 'mae']
    alone = cross_validate({'dot': trained}, PLANTED.ratings, SPLITS, seeds=(0, 1), bs=64, device='cpu')
    pd.testing.assert_frame_equal(res[res.model=='dot'].reset_index(drop=True), alone)
    dots = alone.groupby('fold').rmse
    assert (dots.max()>dots.min()).all()
    for f,split in enumerate(SPLITS, 1):
        y = PLANTED.ratings.rating.to_numpy()
        want = np.sqrt(np.mean((y[split.test] - y[split.train].mean())**2))
        assert res[(res.model=='mean') & (res.fold==f)].rmse.to_numpy()==pytest.approx(want, abs=1e-5)

def test_cross_validate_leaves_the_random_generators_as_they_were():
    torch.manual_seed(1), random.seed(1)
    want = torch.rand(1).item(),random.random()
    torch.manual_seed(1), random.seed(1)
    cross_validate({'dot': trained}, PLANTED.ratings, SPLITS[:1], device='cpu')
    assert (torch.rand(1).item(), random.random())==want

def test_numbers_stand_for_the_published_folds():
    ratings = load_ratings()
    res = cross_validate({'mean': lambda d: baseline(d, 'mean')}, ratings, [3], device='cpu')
    train,test = canonical_fold(ratings, 3)
    y = ratings.rating.to_numpy(float)
    assert res.fold.tolist()==[3]
    assert res.rmse[0]==pytest.approx(np.sqrt(np.mean((y[test] - y[train].mean())**2)), abs=1e-5)

def frame(**models):
    return pd.concat([pd.DataFrame(dict(model=m, fold=range(1, len(v)+1), seed=0, rmse=v, ndcg=v))
                      for m,v in models.items()])

def test_paired_differences_by_hand():
    res = frame(a=[.9, .8, .7], b=[.95, .9, .65])
    got = paired(res, 'a', 'b')
    d = np.array([-.05, -.1, .05])
    assert got==pytest.approx(dict(difference=d.mean(), spread=.15, se=d.std(ddof=1)*(1/3 + 1/4)**.5, won=2, folds=3))
    assert paired(res, 'a', 'b', test_ratio=0)['se']==pytest.approx(d.std(ddof=1)/3**.5)
    assert paired(res, 'a', 'b', 'ndcg')['won']==1
    assert math.isnan(paired(frame(a=[1.], b=[2.]), 'a', 'b')['se'])

def test_paired_takes_the_mean_over_seeds_first():
    more = pd.concat([frame(a=[.9, .9], b=[1., 1.]), frame(a=[.7, .7], b=[1., 1.]).assign(seed=1)])
    assert paired(more, 'a', 'b')['difference']==pytest.approx(-.2)

def test_paired_refuses_unknown_names_and_missing_folds():
    with pytest.raises(ValueError, match='a model must be'): paired(frame(a=[1.], b=[1.]), 'a', 'c')
    with pytest.raises(ValueError, match='by must be'): paired(frame(a=[1.]), 'a', 'a', 'fold')
    with pytest.raises(ValueError, match='not measured on the same folds'): paired(frame(a=[1., 2.], b=[1.]), 'a', 'b')
    with pytest.raises(ValueError, match='same seeds'):
        paired(pd.concat([frame(a=[1.], b=[1.]), frame(a=[1.]).assign(seed=1)]), 'a', 'b')
    with pytest.raises(ValueError, match="'b' has no rmse"): paired(frame(a=[1., 2.], b=[math.nan, math.nan]), 'a', 'b')
    for ratio in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match='test_ratio must be'):
            paired(frame(a=[1., 2.], b=[1., 3.]), 'a', 'b', test_ratio=ratio)

@pytest.mark.parametrize('folds', [[2, SPLITS[0]], [1, 1]])
def test_folds_of_one_number_are_refused(folds):
    with pytest.raises(ValueError, match='different numbers'):
        cross_validate({'biases': baseline}, PLANTED.ratings, folds)

def test_numpys_generator_is_seeded_too_and_left_alone():
    seen = []
    def fit(dls):
        seen.append(np.random.rand())
        return baseline(dls)
    for global_seed in (1, 2):
        np.random.seed(global_seed)
        want = np.random.RandomState(global_seed).rand()
        cross_validate({'biases': fit}, PLANTED.ratings, SPLITS[:1], seeds=(0, 1), device='cpu')
        assert np.random.rand()==want
    assert seen[:2]==seen[2:] and seen[0]!=seen[1]

def test_ids_that_are_text_and_columns_of_other_names_work_as_well():
    df = PLANTED.ratings.rename(columns=dict(user='who', movie='what', rating='stars')).astype({'who': str,
        'what': str})
    names = dict(user_name='who', item_name='what', rating_name='stars')
    res = cross_validate({'biases': baseline}, df, SPLITS[:1], evaluate_lists, bs=64, device='cpu', **names)
    want = cross_validate({'biases': baseline}, PLANTED.ratings, SPLITS[:1], evaluate_lists, bs=64, device='cpu')
    assert res.people[0]==want.people[0] and res.ndcg[0]==pytest.approx(want.ndcg[0], abs=.05)

def test_trainings_that_fail_say_so():
    dls = tiny()
    with pytest.raises(ValueError, match='the training failed'):
        rank_fit(DotProductBias(dls.n_users, dls.n_items, 2, y_range=None), dls, lr=1e30, n_epoch=3)

def test_models_of_other_tables_are_refused():
    dls = tiny()
    big = DotProductBias(9, 9, 2, y_range=None)
    for call in (lambda: score_all(big, dls), lambda: evaluate_lists(big, dls), lambda: evaluate_ratings(big, dls),
                 lambda: rank_fit(big, dls)):
        with pytest.raises(ValueError, match='the loaders need'): call()

@pytest.mark.parametrize('what', [None, 3, {'a': 1}, 'model'])
def test_what_is_no_model_is_refused(what):
    for f in (evaluate_ratings, score_all, evaluate_lists):
        with pytest.raises(TypeError, match='pass a trained'): f(what, tiny())
    with pytest.raises(TypeError, match='pass RatingsDataLoaders'): baseline(what)

def test_without_validation_rows_there_is_no_error_to_measure():
    dls = Recommender.fit(PLANTED.ratings, model='dot_product', n_factors=2, seed=0, n_epoch=1).dls
    with pytest.raises(ValueError, match='no validation rows'): evaluate_ratings(baseline(dls), dls)

@pytest.mark.parametrize('at_least', [math.nan, '4', None, True])
def test_at_least_is_a_number(at_least):
    dls = tiny()
    with pytest.raises(ValueError, match='at_least must be a number'):
        evaluate_lists(baseline(dls), dls, at_least=at_least)
    with pytest.raises(ValueError, match='at_least must be a number'):
        rank_fit(DotProductBias(dls.n_users, dls.n_items, 2, y_range=None), dls, at_least=at_least)

@pytest.mark.parametrize('counts', [[9, 9], [-1, 1], [math.nan, 1], [[1, 1]]])
def test_novelty_refuses_counts_that_cannot_be(counts):
    with pytest.raises(ValueError, match='counts must be'): novelty([[0, 1]], counts, 3)

def test_cross_validate_says_which_argument_is_wrong():
    with pytest.raises(TypeError, match='fits must be a dict'): cross_validate([baseline], PLANTED.ratings, SPLITS)
    with pytest.raises(TypeError, match='folds must be a list'):
        cross_validate({'biases': baseline}, PLANTED.ratings, 3)
    with pytest.raises(TypeError, match="'loss' must give back the trained model"):
        cross_validate({'loss': lambda dls: 0.5}, PLANTED.ratings, SPLITS, device='cpu')

def test_paired_refuses_rows_given_twice_and_gives_plain_numbers():
    res = frame(a=[.9, .8], b=[.95, .9])
    with pytest.raises(ValueError, match="'a' has two rows"): paired(pd.concat([res, res]), 'a', 'b')
    assert {type(o) for o in paired(res, 'a', 'b').values()}=={float, int}

def test_lists_are_judged_alike_with_loaders_of_days():
    from collab_course.svdpp import day_loaders
    df = planted_ratings(40, 30, 700, rating_range=(1, 5), step=1., seed=0).ratings
    df['timestamp'] = np.arange(len(df))*86400 # each rating on a day of its own: no day of the validation rows is known
    split = random_split(df, seed=0)
    plain,timed = RatingsDataLoaders.from_df(df, splits=tuple(split), device='cpu'),day_loaders(df, split, device='cpu')
    assert (timed.valid_ds.x[:,2]==0).all()
    assert evaluate_lists(baseline(timed), timed)==evaluate_lists(baseline(plain), plain)
    assert evaluate_lists(baseline(plain), plain)['people']>20
