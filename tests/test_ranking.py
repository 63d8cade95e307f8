"Lists: the best of every row, equal scores in the order of the vocabulary, and each score the one that `predict` gives"
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collab_course.ranking import History, as_mask, group_by_user, largest, rank_items, top_k
from collab_course.served import DotProductTables, NetworkTables

quick = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32 - 1)

def dot(n_users, n_items, n_factors, seed=0, scale=0.5, y_range=(0, 5.5)):
    rng = np.random.default_rng(seed)
    sizes = ((n_users, n_factors), n_users, (n_items, n_factors), n_items)
    return DotProductTables(*(rng.normal(0, scale, s) for s in sizes), y_range)

def network(n_users, n_items, seed=0, y_range=(0, 5.5)):
    rng = np.random.default_rng(seed)
    layers = [(rng.normal(size=(9, 7)), rng.normal(size=9)), 'relu', (rng.normal(size=(1, 9)), rng.normal(size=1))]
    return NetworkTables(rng.normal(size=(n_users, 4)), rng.normal(size=(n_items, 3)), layers, y_range)

def by_hand(model, users, n, allowed, histories=None):
    "Lists by scoring every pair with `predict` and sorting everything"
    res = []
    for at,u in enumerate(users):
        own = set() if histories is None else set(histories[at].tolist())
        items = np.array([i for i in range(1, model.n_items) if allowed[i] and i not in own], int)
        scores = model.predict(np.full(len(items), u), items)
        best = np.argsort(-scores, kind='stable')[:n]
        res += [(at, int(items[b]), scores[b]) for b in best]
    return res

def lists(model, users, n, allowed, history=None, **kwargs):
    return [(int(w), int(i), s) for w,i,s in zip(*rank_items(model, users, n, allowed, history, **kwargs))]

@quick
@given(seeds, st.integers(1, 40), st.sampled_from([0, 1, 4, 30]), st.sampled_from([None, (0, 5.5)]), st.booleans(),
       st.integers(4, 400))
def test_lists_are_those_of_predict_sorted_bit_for_bit(seed, n, n_factors, y_range, deep, n_items):
    rng = np.random.default_rng(seed)
    model = network(12, n_items, seed, y_range) if deep else dot(12, n_items, n_factors, seed,
                                                                 rng.choice([0.01, 0.5, 3]), y_range)
    users = rng.integers(1, 12, 6)
    allowed = rng.random(n_items) < rng.choice([0.1, 0.9, 1])
    history = History.from_pairs(rng.integers(0, 12, 50), rng.integers(1, n_items, 50), 12).of(users)
    assert lists(model, users, n, allowed, history) == by_hand(model, users, n, allowed, history)
    assert lists(model, users, n, allowed, block_bytes=1) == by_hand(model, users, n, allowed)

@quick
@given(seeds, st.integers(1, 12), st.sampled_from([None, (0, 5.5)]))
def test_equal_scores_go_in_the_order_of_the_vocabulary(seed, n, y_range):
    rng = np.random.default_rng(seed)
    model = DotProductTables(np.ones((4, 1)), np.zeros(4), rng.integers(0, 3, (3000, 1)), np.zeros(3000), y_range)
    for at in (0, 1):
        items = [i for w,i,_ in lists(model, [1, 2], n, np.ones(3000, bool)) if w==at]
        assert items == sorted(range(1, 3000), key=lambda i: (-model.item_factors[i,0], i))[:n]

@quick
@given(seeds, st.integers(1, 12), st.booleans(), st.sampled_from([None, (0, 5.5)]))
def test_lists_of_what_each_person_may_be_shown_are_those_of_predict(seed, n, deep, y_range):
    rng = np.random.default_rng(seed)
    model = network(9, 60, seed, y_range) if deep else dot(9, 60, 4, seed, 0.5, y_range)
    users = rng.integers(1, 9, 5)
    only,hidden = [History.from_pairs(rng.integers(0, 4, 40), rng.integers(1, 60, 40), 5) for _ in range(2)]
    want = []
    for at,u in enumerate(users):
        allowed = np.isin(np.arange(60), only[at])
        want += [(at, i, s) for _,i,s in by_hand(model, [u], n, allowed, [hidden[at]])]
    res = lists(model, users, n, np.ones(60, bool), hidden, only=only)
    assert res == want and 4 not in [at for at,_,_ in res] # the last may be shown nothing

@quick
@given(seeds, st.integers(1, 30), st.sampled_from([500, 3000]), st.sampled_from([(0.5, 5.5), (1, 1.0001), (0, 1e6)]),
       st.sampled_from([-60, 0, 60]))
def test_lists_at_the_flat_ends_of_the_sigmoid_are_those_of_predict(seed, n, n_items, y_range, shift):
    model = dot(3, n_items, 4, seed, 4, y_range)
    model.user_bias = model.user_bias + np.float32(shift)
    assert lists(model, [1, 2], n, np.ones(n_items, bool)) == by_hand(model, [1, 2], n, np.ones(n_items, bool))

def test_scores_that_the_sigmoid_makes_equal_keep_the_order_of_the_vocabulary():
    n = 500
    model = DotProductTables(np.ones((2, 1)), np.zeros(2), np.linspace(50, 100, n)[:,None], np.zeros(n), (0, 5.5))
    assert lists(model, [1], 4, np.ones(n, bool)) == [(0, i, 5.5) for i in (1, 2, 3, 4)]

@quick
@given(st.integers(1, 60), st.integers(1, 5000), seeds)
def test_the_largest_are_those_of_a_sort(k, n, seed):
    scores = np.random.default_rng(seed).normal(size=(25, max(n, k))).astype(np.float32)
    cols = largest(scores, k)
    assert all(len(set(row)) == k for row in cols.tolist())
    np.testing.assert_array_equal(np.sort(np.take_along_axis(scores, cols, 1), 1), np.sort(scores, 1)[:, -k:])

@quick
@given(seeds, st.integers(1, 9))
def test_lists_agree_with_top_k(seed, n):
    model = dot(20, 60, 5, seed)
    users,items = np.divmod(np.arange(20*60), 60)
    scores = model.predict(users, items).reshape(20, 60).astype(float)
    scores[:,0] = -np.inf
    rng = np.random.default_rng(seed)
    seen = rng.integers(0, 20, 100),rng.integers(1, 60, 100)
    history = History.from_pairs(*seen, 20)
    which,items,_ = rank_items(model, np.arange(20), n, np.ones(60, bool), history)
    assert items.reshape(20, n).tolist() == top_k(scores, n, seen).tolist()

def test_nothing_is_listed_where_nothing_is_left():
    model = dot(3, 5, 2)
    assert lists(model, [1, 2], 3, np.zeros(5, bool)) == []
    assert lists(model, [], 3, np.ones(5, bool)) == []
    assert [i for _,i,_ in lists(model, [1], 9, np.arange(5)==4)] == [4]
    types = [o.dtype for o in rank_items(model, [], 3, np.ones(5, bool))]
    assert types == [o.dtype for o in rank_items(model, [1], 3, np.ones(5, bool))] == [np.int64, np.int64, np.float32]

def test_row_0_is_never_listed(): assert 0 not in rank_items(dot(3, 5, 2), [0, 1, 2], 5, np.ones(5, bool))[1]

def test_one_person_may_ask_twice_with_another_history():
    model = dot(3, 9, 2)
    best = rank_items(model, [1], 2, np.ones(9, bool))[1]
    history = History(np.array([0, 0, 1]), best[:1])
    assert rank_items(model, [1, 1], 1, np.ones(9, bool), history)[1].tolist() == best.tolist()

def test_blocks_bound_the_memory():
    model,allowed = dot(4001, 5000, 8),np.ones(5000, bool)
    rank_items(model, [1], 10, allowed)
    tracemalloc.start()
    try:
        rank_items(model, np.arange(1, 4001), 10, allowed, block_bytes=2_000_000)
        assert tracemalloc.get_traced_memory()[1] < 16_000_000 # the whole table would take 80 MB
    finally: tracemalloc.stop()

@quick
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 9)), max_size=30), st.lists(st.integers(0, 6), max_size=12))
def test_histories_are_those_of_a_loop(pairs, people):
    users,items = np.array([u for u,_ in pairs], int),np.array([i for _,i in pairs], int)
    history = History.from_pairs(users, items, 7)
    own = [[i for u,i in pairs if u==k] for k in range(7)]
    assert [history[k].tolist() for k in range(7)] == own and len(history) == 7
    some = history.of(people)
    assert [some[k].tolist() for k in range(len(people))] == [own[p] for p in people]
    who,rated = some.pairs()
    assert list(zip(who.tolist(), rated.tolist())) == [(k, i) for k,p in enumerate(people) for i in own[p]]
    bounds,order = group_by_user(users, 7)
    assert [order[bounds[k]:bounds[k+1]].tolist() for k in range(7)] == [[at for at,(u,_) in enumerate(pairs) if u==k]
        for k in range(7)]

@pytest.mark.parametrize('mask,why', [
    (np.ones((1, 3), dtype=bool), 'table of bools of shape'), (np.ones((2, 2)), 'table of bools of shape'),
    (([0], [2]), "column that isn't a whole number from 0 to 1"), (([-1], [0]), "row that isn't a whole number"),
    (([0, 1], [0]), 'one length'), (([0.], [1.]), "isn't a whole number")])
def test_a_mask_that_does_not_fit_is_refused(mask, why):
    with pytest.raises(ValueError, match=f'seen.*{why}'): as_mask(mask, (2, 2), 'seen')
