"List models: closed forms, least squares, equal results in every batch, reasons that add up, arrays that are checked"
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collab_course.checks import ArgError
from collab_course.list_models import (EASE, Blend, Interests, ListScores, Popularity, WeightedALS, best_lists,
                                       clear_winner, climb, fit_lists, gram, groups, hold_back, interest_weights,
                                       liked_from, list_model_from_state, list_settings, padded_width, quadratic_forms,
                                       search_lists, some_people, why_no_ease, z_scores)
from collab_course.ranking import History, rank_items

quick = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)
KINDS = ('popularity', 'ease', 'ease by people', 'als', 'blend')

def crowd(seed=0, n_users=30, n_items=20, share=0.25):
    "People with interests, row 0 of both sides without any"
    rng = np.random.default_rng(seed)
    table = (rng.random((n_users, n_items))<share)*rng.choice([0.3, 1.], (n_users, n_items))
    table[0] = table[:,0] = 0
    users,items = table.nonzero()
    return Interests.from_pairs(users, items, table[users, items], n_users, n_items)

def make(kind, interests):
    if kind=='popularity': return Popularity.fit(interests)
    if kind=='als': return WeightedALS.fit(interests, n_factors=5, n_epoch=3)
    if kind=='blend': return Blend([make('ease', interests), make('als', interests)])
    if kind=='ease': return EASE.fit(interests, 3.)
    own = interests.of(np.flatnonzero(interests.counts))
    return EASE.by_people(own, Popularity.fit(interests).popularity, 3.)

def closed_form(X, penalty):
    "EASE as its paper writes it"
    inverse = np.linalg.inv(X.T@X + penalty*np.eye(X.shape[1]))
    B = inverse/-np.diag(inverse)
    np.fill_diagonal(B, 0)
    return B

def test_interests_are_sorted_and_merged():
    got = Interests.from_pairs([1, 0, 1, 1, 0], [3, 2, 1, 3, 0], [0.3, 0, 1, 1, 1], 2, 4)
    assert got.table().tolist()==[[0]*4, [0, 1, 0, 1]]
    assert got.items.tolist()==[1, 3] and got.counts.tolist()==[0, 2] and len(got)==2
    assert Interests.from_pairs([], [], [], 0, 1).table().shape==(0, 1)

@quick
@given(seeds)
def test_interests_do_not_depend_on_the_order_of_rows(seed):
    rng = np.random.default_rng(seed)
    users,items = rng.integers(0, 6, 40),rng.integers(0, 5, 40)
    weights = rng.choice([0, 0.3, 1], 40)
    order = rng.permutation(40)
    a = Interests.from_pairs(users, items, weights, 6, 5)
    b = Interests.from_pairs(users[order], items[order], weights[order], 6, 5)
    assert (a.table()==b.table()).all() and (a.items==b.items).all()
    assert (a.mirrored().table()==a.table().T).all()
    assert (a.of([5, 1, 1]).table()==a.table()[[5, 1, 1]]).all()

@pytest.mark.parametrize('args, says', [
    (([0], [9], [1.], 1, 3), 'items has row 9, but rows go from 0 to 2'),
    (([-1], [1], [1.], 1, 3), 'users has row -1'),
    (([0], [1], [-1.], 1, 3), 'weights must be finite and at least 0, not -1.0'),
    (([0], [1], [np.nan], 1, 3), 'weights must be finite'),
    (([0, 0], [1], [1.], 1, 3), 'three lists of one length')])
def test_wrong_pairs_are_named(args, says):
    with pytest.raises(ArgError, match=says): Interests.from_pairs(*args)

def test_weights():
    assert liked_from((1, 5))==4 and liked_from((0.5, 5))==3.875
    assert interest_weights([1, 3, 4, 5]).tolist()==[0.3, 0.3, 1, 1]
    assert interest_weights([4, 5], rating_range=(1, 5)).tolist()==[1, 1]
    assert interest_weights([3, 3, 3]).tolist()==[1, 1, 1]
    assert interest_weights([1, 3, 5], low=0).tolist()==[0, 0, 1]
    assert interest_weights([7, 7], 'clicks').tolist()==[1, 1]
    counts = interest_weights([1, 10, 1000], 'counts')
    assert np.isclose(counts.mean(), 1) and (np.diff(counts)>0).all()
    assert interest_weights([0, 0], 'counts').tolist()==[0, 0]
    assert interest_weights([], 'counts').shape==(0,)
    with pytest.raises(ArgError, match='counts must be finite and at least 0, not -2'):
        interest_weights([1, -2], 'counts')
    with pytest.raises(ArgError, match="feedback must be 'stars' or 'counts' or 'clicks'"):
        interest_weights([1], 'likes')

@quick
@given(seeds, st.sampled_from([0.05, 0.3, 0.9]))
def test_products_of_sparse_rows(seed, share):
    it = crowd(seed, 40, 30, share)
    X = it.table()
    np.testing.assert_allclose(gram(it), X@X.T, atol=1e-12)
    M = np.linalg.inv(X@X.T + np.eye(len(X)))
    np.testing.assert_allclose(quadratic_forms(it.mirrored(), M), np.diag(X.T@M@X), atol=1e-12)

def test_groups_hold_everybody_once():
    it = crowd(3, 50, 40, 0.3)
    seen = np.zeros(it.table().shape)
    for rows,items,weights in groups(it, 4, 100):
        assert (padded_width(it.counts[rows])==items.shape[1]).all()
        np.add.at(seen, (rows[:,None], items), weights)
    assert (seen==it.table()).all()
    counts = np.arange(1, 2000)
    assert (padded_width(counts)>=counts).all() and (padded_width(counts)<=1.5*counts).all()

@quick
@given(seeds, st.sampled_from(['ease', 'ease by people']))
def test_ease_is_the_closed_form(seed, kind):
    it = crowd(seed)
    X = it.table()
    newcomers = crowd(seed + 1)
    model = make(kind, it)
    want = newcomers.table()@closed_form(X, 3.)
    got = model.table(newcomers)
    known = want[:,1:].any(1)
    np.testing.assert_allclose(got[known,1:], want[known,1:], atol=2e-5)

def test_als_rows_are_stationary_points_of_its_loss():
    it = crowd(5)
    model = WeightedALS.fit(it, n_factors=4, penalty=0.2, alpha=3., n_epoch=400)
    V = model.item_factors.astype(float)
    U = model.user_rows(it)
    X = it.table()
    seen = X>0
    n_users,n_items = (it.counts>0).sum(),(X.sum(0)>0).sum()
    def slopes(rows, other, X, n_other):
        S = rows@other.T
        errors = np.where(X>0, X*(S - 1), 0) + S/3
        ridge = 0.2*np.sqrt(X.sum(1) + n_other/3)
        return (errors@other + ridge[:,None]*rows)[X.any(1)]
    assert np.abs(slopes(U, V, X, n_items)).max()<1e-5
    assert np.abs(slopes(V, U, X.T, n_users)).max()<1e-3
    assert np.allclose(V.T@V, np.diag(model.squares), atol=1e-5) and (np.diff(model.squares)<=1e-6).all()
    assert seen.any() and not V[0].any()

@pytest.mark.parametrize('n_factors', [2, 40])
def test_short_and_long_rows_are_solved_alike(n_factors):
    it = crowd(1, 60, 30, 0.4)
    model = WeightedALS.fit(it, n_factors=n_factors, n_epoch=2)
    one = it.of([3])
    np.testing.assert_allclose(model.addends(one).sum(0), model.user_rows(one)[0], atol=1e-10)

@pytest.mark.parametrize('kind', KINDS)
def test_scores_are_the_same_in_every_batch(kind):
    it = crowd(2, 90, 40)
    model = make(kind, it)
    together = model.scores(it)
    alone = np.concatenate([model.scores(it.of([u])) for u in range(len(it))])
    assert (together==alone).all() and together.dtype==np.float32
    assert (together[:,0]==-np.inf).all() and np.isfinite(together[:,1:]).all()
    order = np.random.default_rng(0).permutation(len(it))
    assert (model.scores(it.of(order))==together[order]).all()

@pytest.mark.parametrize('kind', KINDS[1:])
@pytest.mark.parametrize('discount', [0, 0.5])
def test_reasons_add_up(kind, discount):
    it = crowd(4)
    model = make(kind, it).discounted(discount)
    table = model.table(it)
    for user in (1, 7, 20):
        for item in range(1, it.n_items):
            reasons = model.reasons(it.of([user]), item)
            assert len(reasons)==it.counts[user]
            assert np.isclose(reasons.sum(), table[user, item], atol=1e-6)
    assert (Popularity.fit(it).reasons(it.of([1]), 2)==0).all()
    with pytest.raises(ArgError, match='of one person, not of 30'): model.reasons(it, 1)

@pytest.mark.parametrize('kind', KINDS)
def test_models_come_back_from_their_arrays(kind):
    it = crowd(6)
    model = make(kind, it)
    again = list_model_from_state(model.state(), model.settings(), it.n_items)
    assert type(again) is type(model) and (again.scores(it)==model.scores(it)).all()
    assert again.settings()==model.settings() and again.describe()==model.describe()
    if kind!='popularity': assert (again.reasons(it.of([3]), 4)==model.reasons(it.of([3]), 4)).all()

@pytest.mark.parametrize('kind, change, says', [
    ('als', lambda o: o.pop('popularity'), 'popularity'),
    ('als', lambda o: o.update(item_factors=o['item_factors'][1:]), 'item_factors must have the shape'),
    ('als', lambda o: o.update(item_factors=o['item_factors'].astype(float)), 'must hold float32'),
    ('ease', lambda o: o['matrix'].__setitem__((2, 1), np.nan), 'matrix holds NaN'),
    ('ease', lambda o: o.update(more=o['matrix']), 'more'),
    ('ease by people', lambda o: o['items'].__setitem__(0, 99), 'items must lie between 1 and 19'),
    ('ease by people', lambda o: o['bounds'].__setitem__(1, 9999), 'bounds must rise'),
    ('ease by people', lambda o: o.update(bounds=o['bounds'][:-1]), 'bounds must rise'),
    ('ease by people', lambda o: o['rest'].__setitem__(1, 0), 'rest must be above 0'),
    ('ease by people', lambda o: o['weights'].__setitem__(1, -1), 'weights must be above 0'),
    ('ease by people', lambda o: o.update(matrix=o['matrix'][1:,1:]), 'matrix must have the shape'),
    ('popularity', lambda o: o.update(popularity=o['popularity'][:3]), 'popularity must have the shape'),
    ('popularity', lambda o: o['popularity'].__setitem__(1, -1), 'popularity must be at least 0')])
def test_wrong_arrays_are_refused(kind, change, says):
    model = make(kind, crowd(6))
    arrays = {name: array.copy() for name,array in model.state().items()}
    change(arrays)
    with pytest.raises(ArgError, match=says): list_model_from_state(arrays, model.settings(), 20)

@pytest.mark.parametrize('change', [
    lambda o: o.update(model='pickle'), lambda o: o.pop('model'), lambda o: o.update(model=['als']),
    lambda o: o.update(penalty='0.3'), lambda o: o.update(penalty=-1.), lambda o: o.pop('alpha'),
    lambda o: o.update(alpha=float('nan')), lambda o: o.update(model='blend', models=[]),
    lambda o: o.update(model='blend', models='als'), lambda o: o.update(model='blend', models=[3])])
def test_wrong_settings_are_refused(change):
    model = make('als', crowd(6))
    told = model.settings()
    change(told)
    with pytest.raises(ArgError): list_model_from_state(model.state(), told, 20)

def test_a_blend_in_a_blend_is_refused():
    model = make('blend', crowd(6))
    told = dict(model='blend', models=[model.settings()])
    arrays = {f'0.{name}': array for name,array in model.state().items()}
    with pytest.raises(ArgError, match='blend'): list_model_from_state(arrays, told, 20)

@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('discount', [0, 1])
def test_lists_are_those_of_the_scores(kind, discount):
    it = crowd(7, 40, 30)
    lister = ListScores(make(kind, it), it, discount)
    scores = lister.model.scores(it).copy()
    scores[it.pairs()] = -np.inf
    scores[:,5] = -np.inf
    allowed = np.arange(30)!=5
    users = np.array([3, 1, 39, 3])
    which,items,got = rank_items(lister, users, 6, allowed, it.of(users))
    for place,user in enumerate(users):
        want = np.argsort(-scores[user], kind='stable')[:6]
        assert items[which==place].tolist()==want.tolist()
        assert (got[which==place]==scores[user, want]).all()
        _,alone,own = rank_items(lister, [user], 6, allowed, it.of([user]))
        assert alone.tolist()==want.tolist() and (own==scores[user, want]).all()
    only = History.from_pairs([0, 0, 1], [4, 5, 6], 2)
    assert set(rank_items(lister, [1, 2], 9, allowed, only=only)[1].tolist())=={4, 6}

def wide(seed=0, n_users=300, n_items=12_000):
    "A catalogue with a head and a long tail"
    rng = np.random.default_rng(seed)
    items = (n_items**rng.random(9000)).astype(int).clip(1, n_items-1)
    return Interests.from_pairs(rng.integers(1, n_users, 9000), items, np.ones(9000), n_users, n_items)

def test_the_short_cut_for_one_person_changes_no_list():
    it = wide()
    model = WeightedALS.fit(it, n_factors=8, n_epoch=2)
    lister = ListScores(model, it)
    allowed = np.ones(it.n_items, dtype=bool)
    allowed[np.argsort(-model.popularity)[:3]] = False
    bar = np.where(allowed, 0, -np.inf).astype(np.float32)
    users = np.arange(1, 60)
    which,items,scores = rank_items(lister, users, 10, allowed, it.of(users))
    taken = 0
    for place,user in enumerate(users):
        found = lister.candidates(user, 10, bar)
        taken += found is not None
        _,alone,own = rank_items(lister, [user], 10, allowed, it.of([user]))
        assert alone.tolist()==items[which==place].tolist() and (own==scores[which==place]).all()
    assert taken>30
    _,every,_ = rank_items(lister, [1], 99_999, allowed, it.of([1]))
    assert len(every)==allowed[1:].sum() - allowed[it[1]].sum()

@pytest.mark.parametrize('kind', KINDS)
def test_somebody_without_interests_gets_what_is_popular(kind):
    it = crowd(8)
    lister = ListScores(make(kind, it), it)
    popularity = np.bincount(it.items, it.weights, minlength=it.n_items).astype(np.float32)
    want = np.argsort(-popularity[1:], kind='stable')[:5] + 1
    assert rank_items(lister, [0], 5, np.ones(20, bool))[1].tolist()==want.tolist()
    assert rank_items(lister, [0, 3], 5, np.ones(20, bool))[1][:5].tolist()==want.tolist()

@pytest.mark.parametrize('kind', KINDS)
def test_edges(kind):
    for pairs in ([(1, 1)], [(1, 1), (1, 2)], [(1, 1), (2, 1)], [(1, 1), (1, 2), (2, 1), (2, 2)]):
        users,items = np.array(pairs).T
        it = Interests.from_pairs(users, items, np.ones(len(users)), 3, 4)
        model = make(kind, it)
        scores = model.scores(it)
        assert np.isfinite(scores[:,1:]).all()
        assert (model.scores(it.of([]))==np.zeros((0, 4))).all()
        every = History(np.array([0, 3]), np.array([1, 2, 3]))
        assert len(rank_items(ListScores(model, it), [1], 5, np.ones(4, bool), every)[1])==0
    with pytest.raises(ArgError, match='about 9 items, but the model has 4'): model.scores(crowd(0, 5, 9))

@pytest.mark.parametrize('kind', ('ease', 'als', 'blend'))
def test_nothing_to_learn_from_becomes_popularity(kind):
    for weights in ([0., 0.], []):
        it = Interests.from_pairs([1]*len(weights), [1]*len(weights), weights, 2, 3)
        model = fit_lists(it, list_settings(1, 1, 0) | dict(model=kind))
        assert isinstance(model, Popularity) and (model.scores(it)[:,1:]==0).all()
        settings,log = search_lists(it)
        assert settings['model']=='blend' and not len(log)

@pytest.mark.parametrize('kind', ('ease', 'ease by people', 'als', 'blend'))
def test_identical_items_tie_and_keep_the_order_of_the_vocabulary(kind):
    it = crowd(9, 30, 10, 0.4)
    users,items = it.pairs()
    twin = items==4
    both = Interests.from_pairs(np.append(users, users[twin]), np.append(items, np.full(twin.sum(), 10)),
                                np.append(it.weights, it.weights[twin]), 30, 11)
    lone = crowd(10, 8, 10, 0.3)
    who,what = lone.pairs()
    keep = what!=4
    asked = Interests.from_pairs(who[keep], what[keep], lone.weights[keep], 8, 11)
    scores = make(kind, both).scores(asked)
    np.testing.assert_allclose(scores[:,4], scores[:,10], rtol=1e-4, atol=1e-5)

def test_z_scores():
    table,spread = z_scores(np.array([[9., 1, 2, 3], [9., 4, 4, 4]]))
    assert np.allclose(table[:,1:].mean(1), 0) and np.allclose(table[0,1:].std(), 1) and spread[1,0]==1
    assert (table[1,1:]==0).all()

def test_a_discount_moves_rare_items_up():
    it = crowd(11, 200, 30, 0.2)
    model = make('blend', it)
    def mean_popularity(power):
        lister = ListScores(model, it, power)
        _,items,_ = rank_items(lister, np.arange(1, 200), 5, np.ones(30, bool), it.of(np.arange(1, 200)))
        return model.popularity[items].mean()
    assert mean_popularity(0)>mean_popularity(0.5)>mean_popularity(2)
    with pytest.raises(ArgError, match='popularity_discount must be a number, at least 0'): model.discounted(-1)

def test_climbing_finds_the_top_and_tries_each_value_once():
    tried = []
    def measure(o):
        tried.append(o)
        return dict(ndcg=-(o - 5)**2, penalty=o)
    found = climb(measure, (1, 2, 3, 4, 5, 6), 3)
    assert max(found, key=lambda o: o['ndcg'])['penalty']==5 and len(tried)==len(set(tried))<=6
    assert len(climb(lambda o: dict(ndcg=0.), (1, 2, 3), 2))==3
    assert len(climb(lambda o: dict(ndcg=np.nan), (1, 2, 3), 2))==3

def test_the_search_is_repeatable_and_uses_nothing_but_its_rows():
    it = crowd(12, 120, 40, 0.2)
    first,log = search_lists(it, seed=3)
    second,again = search_lists(it, seed=3)
    assert first==second and log.drop(columns='seconds').equals(again.drop(columns='seconds'))
    assert set(log.model)=={'popularity', 'als', 'ease', 'blend'} and first['model']=='blend'
    model = fit_lists(it, first)
    assert np.isfinite(model.scores(it)[:,1:]).all()

def test_a_part_must_beat_the_blend_clearly():
    rng = np.random.default_rng(0)
    def tried(each): return dict(each=each, ndcg=each.mean())
    each = rng.random(400)
    noise = rng.normal(0, 0.1, 400)
    assert clear_winner(tried(each), dict(ease=tried(each - 0.1), als=tried(each + 0.05 + noise)))=='als'
    assert clear_winner(tried(each), dict(ease=tried(each + 0.002 + noise), als=tried(each - 0.1))) is None
    assert clear_winner(tried(each), dict(ease=tried(each))) is None

def test_settings_may_be_any_number_to_start_from():
    it = crowd(12, 120, 40, 0.2)
    start = list_settings(119, 39, 900) | dict(ease_penalty=123., als_penalty=0.2, n_epoch=2)
    found,log = search_lists(it, settings=start)
    assert 123. in set(log.penalty) and found['ease_penalty'] in set(log.penalty)

def test_held_back_rows_are_not_trained_on():
    it = crowd(13)
    known,held = hold_back(it, 1)
    assert not set(zip(*map(np.ndarray.tolist, known.pairs()))) & set(zip(*map(np.ndarray.tolist, held.pairs())))
    assert (known.table() + held.table()==it.table()).all() and len(held.items)==len(it.items)//10

def test_a_search_looks_at_part_of_a_large_table():
    it = crowd(14, 100, 30)
    part = some_people(it, 0, most=200)
    assert 0<len(part.items)<=200 and some_people(it, 0) is it

def test_the_size_decides_on_the_kind():
    assert list_settings(943, 1682, 80_000)['model']=='blend'
    assert list_settings(1892, 17_632, 80_000, 'counts')['model']=='blend'
    assert list_settings(200_000, 4000, 10**7)['model']=='blend'
    assert list_settings(200_000, 20_000, 10**7)['model']=='als'
    assert list_settings(3000, 1_000_000, 10**7)['model']=='als'
    assert why_no_ease(943, 1682)=='' and 'a matrix of 20,000 rows' in why_no_ease(200_000, 20_000)
    assert 'with 1,000,000 items' in why_no_ease(3000, 1_000_000)

def test_where_nothing_but_popularity_counts_lists_are_no_worse():
    rng = np.random.default_rng(0)
    share = 0.7*0.985**np.arange(200)
    table = rng.random((400, 200))<share
    table[:,0] = False
    users,items = table.nonzero()
    it = Interests.from_pairs(users, items, np.ones(len(users)), 400, 200)
    start = list_settings(400, 199, 1, 'clicks') | dict(n_factors=8, n_epoch=4)
    found,log = search_lists(it, 0, 'clicks', start)
    best = log.groupby('model').ndcg.max()
    assert best[found['model']]>best['popularity'] - 0.02
    assert isinstance(fit_lists(it, found | dict(model='popularity')), Popularity)

def test_best_lists():
    scores = np.array([[-np.inf, 3, 9, 1], [-np.inf, 5, 4, 6]], np.float32)
    assert best_lists(scores, 2).tolist()==[[2, 1], [3, 1]]
