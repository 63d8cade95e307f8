"Fold-in against scikit-learn, closed forms and known truth; questions, metadata, and what is refused"
import copy

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import Ridge
from sklearn.metrics import ndcg_score
from torch.testing import assert_close

from collab_course.metrics import ndcg_at
from collab_course.newcomers import Folded, MetadataModel, fold_in, representative, signup_questions, trained_vectors
from collab_course.create_params import DotProductBias
from collab_course.tables import planted_ratings
from collab_course.dot_product import DotProduct
from collab_course.loaders import RatingsDataLoaders

quick = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 10**6)

def world(y_range=(0, 5.5), n_factors=4, sd=0.5, bs=64):
    "A model with weights far from zero, and the loaders that it belongs to; every id has a training row"
    step = dict(rating_range=(1, 5), step=1) if y_range else {}
    p = planted_ratings(n_users=40, n_items=30, n_ratings=700, n_factors=4, skew=1, seed=0, **step)
    dls = RatingsDataLoaders.from_df(p.ratings, valid_pct=0.02, seed=0, bs=bs, device='cpu')
    model,g = DotProductBias(dls.n_users, dls.n_items, n_factors, y_range),torch.Generator().manual_seed(0)
    with torch.no_grad():
        for t in model.parameters(): t.copy_(sd*torch.randn(t.shape, generator=g))
    return model,dls

model,dls = world()
free,free_dls = world(y_range=None)

def table(n_people, n_each, seed=0, other='movie', new='user'):
    rng = np.random.default_rng(seed)
    known = np.array(dls.classes[other][1:])
    rows = [(f'n{u}', k, r) for u in range(n_people)
            for k,r in zip(rng.permutation(known)[:n_each], rng.integers(1, 6, n_each))]
    return pd.DataFrame(rows, columns=[new, other, 'rating'])

# ndcg

@quick
@given(seeds, st.integers(2, 30), st.integers(1, 40), st.booleans())
def test_ndcg_is_scikit_learns_with_and_without_ties(seed, n, k, ties):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (5, n)).astype(float) if ties else rng.standard_normal((5, n))
    gains = rng.integers(0, 5, (5, n)).astype(float)
    gains[:,0] += 1
    np.testing.assert_allclose(ndcg_at(scores, gains, k),
                               [ndcg_score(g[None], s[None], k=k) for g,s in zip(gains, scores)], atol=1e-9)

def test_the_best_order_has_ndcg_one_and_a_worthless_one_is_not_a_number():
    gains = np.array([[0, 3, 1.], [0, 0, 0]])
    res = ndcg_at(gains, gains)
    assert res[0]==pytest.approx(1) and np.isnan(res[1])

def test_items_that_must_not_be_listed_come_last():
    scores = np.array([[-np.inf, 2, 1, -np.inf]])
    assert ndcg_at(scores, [[1, 0, 0, 0]], k=2)[0]==0
    assert ndcg_at(scores, [[0, 0, 1, 0]], k=2)[0]==pytest.approx(1/np.log2(3))

def test_items_that_must_not_be_listed_earn_nothing_although_the_best_list_has_them():
    assert ndcg_at([[1, -np.inf, -np.inf]], [[0, 1, 0]], k=2)[0]==0
    assert ndcg_at([[1, -np.inf]], [[1, 1]], k=2)[0]==pytest.approx(1/(1 + 1/np.log2(3)))
    assert ndcg_at([[-np.inf, -np.inf]], [[1, 0]])[0]==0

@quick
@given(seeds)
def test_ndcg_does_not_depend_on_the_order_of_the_columns(seed):
    rng = np.random.default_rng(seed)
    scores,gains,order = rng.integers(0, 3, (3, 12)),rng.integers(0, 2, (3, 12)),rng.permutation(12)
    np.testing.assert_allclose(ndcg_at(scores, gains, 4), ndcg_at(scores[:,order], gains[:,order], 4))

@pytest.mark.parametrize('scores,gains,k,msg', [
    ([[1, np.nan]], [[1, 0]], 10, 'NaN'), ([[1, 2]], [[1, -1]], 10, 'at least 0'),
    ([[1, 2]], [[np.nan, 0]], 10, 'at least 0'), ([[1, 2]], [[1, 0, 0]], 10, 'one shape'),
    ([1, 2], [1, 0], 10, 'one shape'), ([[1, 2]], [[1, 0]], 0, 'k must be')])
def test_ndcg_refuses_what_has_no_order(scores, gains, k, msg):
    with pytest.raises(ValueError, match=msg): ndcg_at(scores, gains, k)

# fold-in

def numpy_ridge(m, d, rows, side, penalty):
    "The closed form, written in numpy on the stacked design matrix"
    other = 'item' if side=='user' else 'user'
    c = d.cat_names[other=='item']
    i = [d.classes[c].index(k) for k in rows[c]]
    f,b,mine = (getattr(m, n).detach().double().numpy()
                for n in (f'{other}_factors', f'{other}_bias', f'{side}_factors'))
    y = rows.rating.to_numpy(float)
    if m.y_range: y = np.log(y/(m.y_range[1]-y))
    used = d.train_ds.x[:,int(side=='item')].unique().numpy()
    mean = np.append(mine[used].mean(0), getattr(m, f'{side}_bias').detach().double().numpy()[used].mean())
    X = np.column_stack([f[i], np.ones(len(i))])
    stacked,target = np.vstack([X, np.sqrt(penalty)*np.eye(len(mean))]),np.append(y - b[i], np.sqrt(penalty)*mean)
    return np.linalg.lstsq(stacked, target, rcond=None)[0],X,y - b[i],mean

@pytest.mark.parametrize('side', ['user', 'item'])
@pytest.mark.parametrize('m,d', [(model, dls), (free, free_dls)])
@pytest.mark.parametrize('penalty', [0.1, 10])
def test_fold_in_is_the_ridge_solution_for_either_side(m, d, side, penalty):
    new,other = ('user', 'movie') if side=='user' else ('movie', 'user')
    rows = table(6, 9, other=other, new=new)
    res = fold_in(m, d, rows, side, penalty)
    for who,vector in zip(res.ids, res.vectors):
        w,X,y,mean = numpy_ridge(m, d, rows[rows[new]==who], side, penalty)
        np.testing.assert_allclose(vector, w, atol=1e-5)
        np.testing.assert_allclose(vector, mean + Ridge(alpha=penalty, fit_intercept=False).fit(X, y - X@mean).coef_,
                                   atol=1e-5)

def test_fold_in_minimises_its_loss():
    rows = table(1, 5)
    w,X,y,mean = numpy_ridge(model, dls, rows, 'user', 2.)
    best = minimize(lambda v: ((X@v - y)**2).sum() + 2*((v - mean)**2).sum(), np.zeros(len(mean))).x
    np.testing.assert_allclose(fold_in(model, dls, rows, penalty=2.).vectors[0], best, atol=1e-3)

@quick
@given(seeds, st.integers(1, 5), st.integers(1, 12))
def test_newcomers_do_not_influence_each_other_and_row_order_does_not_matter(seed, n, k):
    rows = table(n, k, seed)
    together = fold_in(model, dls, rows.sample(frac=1, random_state=seed), ids=[f'n{u}' for u in range(n)])
    for u in range(n):
        assert_close(together.vectors[u], fold_in(model, dls, rows[rows.user==f'n{u}']).vectors[0], atol=1e-5,
                     rtol=1e-4)

def test_a_huge_penalty_keeps_the_prior_and_a_tiny_one_obeys_the_ratings():
    rows,prior = table(1, 3),torch.arange(5.)
    assert_close(fold_in(model, dls, rows, penalty=1e9, prior=prior).vectors[0], prior, atol=1e-4, rtol=0)
    pred = fold_in(model, dls, rows, penalty=1e-6).predict(model, dls).loc['n0', rows.movie]
    np.testing.assert_allclose(pred, rows.rating, atol=1e-2)

@pytest.mark.parametrize('y_range', [None, (0, 5.5)])
@pytest.mark.parametrize('side', ['user', 'item'])
def test_noise_free_ratings_give_the_true_vector(y_range, side):
    m,d = world(y_range)
    known = trained_vectors(m, d, side)
    truth = Folded(['new'], known.factors[:1].clone(), known.bias[:1].clone(), side)
    pred = truth.predict(m, d).loc['new']
    lo,hi = d.train_ds.y.min().item(),d.train_ds.y.max().item()
    stars = {k: v for k,v in pred.items() if y_range is None or lo<=v<=hi}
    assert len(stars)>8
    assert_close(fold_in(m, d, stars, side, penalty=1e-7).vectors, truth.vectors, atol=2e-3, rtol=1e-2)

def test_on_planted_ratings_the_error_falls_as_ratings_grow():
    p = planted_ratings(n_users=100, n_items=400, n_ratings=10_000, n_factors=3, noise=0.5, skew=1, seed=1)
    d = RatingsDataLoaders.from_df(p.ratings, seed=0, device='cpu')
    items,m = np.array(d.classes['movie'][1:])-1,DotProductBias(d.n_users, d.n_items, 3, y_range=None)
    with torch.no_grad():
        m.item_factors[1:],m.item_bias[1:] = torch.from_numpy(p.item_factors[items]),torch.from_numpy(
            p.item_bias[items])
    rng = np.random.default_rng(0)
    true = np.column_stack([rng.normal(0, p.user_factors.std(), (30, 3)), rng.normal(p.mean, 0.4, 30)])
    def error(n):
        which = np.array([rng.permutation(len(items))[:n] for _ in true])
        y = np.einsum('uf,unf->un', true[:,:3],
                      p.item_factors[items][which]) + true[:,3:] + p.item_bias[items][which] + rng.normal(0, 0.5,
                          which.shape)
        rows = pd.DataFrame({'user': np.repeat(np.arange(30), n), 'movie': items[which.ravel()]+1, 'rating': y.ravel()})
        res = fold_in(m, d, rows, penalty=1.5, prior=torch.tensor([0, 0, 0, p.mean])).vectors.numpy()
        return np.linalg.norm(res - true, axis=1).mean()
    errors = [error(n) for n in (1, 10, 60, 360)]
    assert errors[0] > errors[1] > errors[2] > errors[3] and errors[3] < 0.5*errors[2]

def test_what_the_chapter_no_longer_builds_is_still_imported_from_its_module():
    from collab_course import newcomer_rows, newcomers
    for name in newcomer_rows.__all__: assert getattr(newcomers, name) is getattr(newcomer_rows, name)
    assert set(newcomers.__all__)=={'fold_in', *newcomer_rows.__all__}

def test_a_dict_is_a_table_of_one_newcomer():
    rows = table(1, 4)
    by_dict = fold_in(model, dls, dict(zip(rows.movie, rows.rating)))
    assert by_dict.ids==['new'] and len(by_dict)==1
    assert_close(by_dict.vectors, fold_in(model, dls, rows).vectors)
    assert fold_in(model, dls, dict(zip(rows.movie, rows.rating)), ids=['me']).ids==['me']

def test_newcomers_without_ratings_stay_at_the_prior():
    mean = trained_vectors(model, dls).vectors.mean(0)
    assert_close(fold_in(model, dls, {}, ids=['a']).vectors[0], mean)
    res = fold_in(model, dls, table(1, 3), ids=['n9', 'n0'])
    assert_close(res.vectors[0], mean)
    assert not torch.allclose(res.vectors[1], mean)

def test_a_prior_is_matched_by_name():
    prior = Folded(['n1', 'n0'], torch.randn(2, 4), torch.randn(2))
    res = fold_in(model, dls, table(2, 3), penalty=1e9, prior=prior)
    assert res.ids==['n1', 'n0']
    assert_close(res.vectors, prior.vectors, atol=1e-3, rtol=0)
    flipped = fold_in(model, dls, table(2, 3), penalty=1e9, prior=prior, ids=['n0', 'n1'])
    assert_close(flipped.vectors, prior.vectors.flip(0), atol=1e-3, rtol=0)

def test_fold_in_leaves_model_and_table_as_they_were():
    before,rows = copy.deepcopy(model.state_dict()),table(3, 4)
    kept = rows.copy()
    fold_in(model, dls, rows)
    for k,v in model.state_dict().items(): assert_close(v, before[k], rtol=0, atol=0)
    pd.testing.assert_frame_equal(rows, kept)

def test_a_model_of_biases_alone_can_be_folded_into():
    m,d = world(n_factors=0)
    res = fold_in(m, d, table(2, 5))
    assert res.factors.shape==(2, 0) and res.predict(m, d).shape==(2, d.n_items-1)

def test_predictions_are_the_models_own_and_leave_out_row_0():
    known = trained_vectors(model, dls)
    pred = known.predict(model, dls)
    assert list(pred.columns)==dls.classes['movie'][1:] and '#na#' not in known.ids
    x = torch.tensor([[dls.classes['user'].index(known.ids[3]), i] for i in range(1, dls.n_items)])
    with torch.no_grad(): np.testing.assert_allclose(pred.loc[known.ids[3]], model(x), atol=1e-5)

first = dls.classes['movie'][1]
@pytest.mark.parametrize('ratings,msg', [
    ({10**6: 4}, 'there is no movie 1000000'), ({'#na#': 4}, 'another type'), ({str(first): 4}, 'another type'),
    ({first: float('nan')}, 'no rating'), ({first: 5.4}, 'not between 1.0 and 5.0'),
    ({first: 0}, 'not between'), ({first: float('inf')}, 'infinite'), ({first: '4'}, 'not numeric'), ({}, 'no ratings'),
    (pd.DataFrame({'user': [1, 1], 'movie': [first, first], 'rating': [4, 5]}), 'repeat a pair'),
    (pd.DataFrame({'user': [None], 'movie': [first], 'rating': [4]}), 'has no id'),
    (pd.DataFrame({'user': [1], 'item': [first], 'rating': [4]}), "no column 'movie'")])
def test_fold_in_refuses_what_would_give_a_wrong_row(ratings, msg):
    with pytest.raises(ValueError, match=msg): fold_in(model, dls, ratings)

@pytest.mark.parametrize('kw,msg', [
    (dict(penalty=0), 'penalty'), (dict(penalty=float('nan')), 'penalty'), (dict(side='film'), 'side must be'),
    (dict(prior=torch.zeros(3)), 'must hold 5 numbers'),
    (dict(ids=['x', 'x']), 'named twice'), (dict(ids=['x', 'y']), 'not among the names'),
    (dict(prior=Folded(['new'], torch.zeros(1, 4), torch.zeros(1), 'item')), "side 'item'")])
def test_fold_in_refuses_settings_that_make_no_sense(kw, msg):
    with pytest.raises(ValueError, match=msg): fold_in(model, dls, {first: 4}, **kw)

no_penalties = [0, -1, float('nan'), float('inf'), True, '10', None]
@pytest.mark.parametrize('bad', no_penalties)
def test_what_is_no_penalty_is_refused_wherever_one_is_given(bad):
    with pytest.raises(ValueError, match='penalty must be a number above 0'):
        fold_in(model, dls, {first: 4}, penalty=bad)
    with pytest.raises(ValueError, match='penalty must be a number above 0'):
        signup_questions(model, dls, 3, 'informative', penalty=bad)

@pytest.mark.parametrize('kind', [int, np.int64, np.float32])
def test_a_penalty_may_be_any_kind_of_number(kind):
    assert_close(fold_in(model, dls, {first: 4}, penalty=kind(10)).vectors, fold_in(model, dls, {first: 4}).vectors)
    assert signup_questions(model, dls, 3, 'informative', penalty=kind(10))==signup_questions(model, dls, 3,
        'informative')

@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_a_prior_that_holds_no_numbers_is_refused(bad):
    prior = torch.tensor([0, 0, bad, 0, 0])
    with pytest.raises(ValueError, match='prior.*finite'): fold_in(model, dls, {first: 4}, prior=prior)
    with pytest.raises(ValueError, match='prior.*finite'):
        fold_in(model, dls, {}, prior=Folded(['a'], prior[None,:4], prior[-1:]))

def test_names_are_a_list_and_not_the_letters_of_one():
    with pytest.raises(TypeError, match='ids must be a list'): fold_in(model, dls, {first: 4}, ids='x')

def no_training_rows():
    "Loaders as they are left when a learner is loaded from a file: all ids, no training row"
    d = copy.copy(dls)
    d.__dict__['loaders'] = [copy.copy(o) for o in dls.loaders]
    ds = copy.copy(dls.train_ds)
    ds.x,ds.y = ds.x[:0],ds.y[:0]
    d.loaders[0].dataset = ds
    return d

@pytest.mark.parametrize('use', [
    lambda d: fold_in(model, d, {first: 4}), lambda d: fold_in(model, d, {}, ids=['x']),
    lambda d: representative(model, d), lambda d: signup_questions(model, d, 3),
    lambda d: fold_in(model, d, {}, ids=['x'], prior=torch.zeros(5)), lambda d: trained_vectors(model, d, 'item'),
    lambda d: MetadataModel(model, d, people(), ['kind'])])
def test_loaders_without_training_rows_are_refused(use):
    d = no_training_rows()
    assert len(d.train_ds.x)==0 and len(dls.train_ds.x)
    with pytest.raises(ValueError, match='no id has a training rating'): use(d)

@quick
@given(st.integers(1, 60), st.sampled_from(['user', 'item']))
def test_trained_vectors_are_those_with_ratings_enough(least, side):
    n = train_frame('user' if side=='user' else 'item').size()
    want = [dls.classes['user' if side=='user' else 'movie'][i] for i in n[n>=least].index]
    if want: assert trained_vectors(model, dls, side, min_ratings=least).ids==want
    else:
        with pytest.raises(ValueError, match=f'no id has {least} training ratings'):
            trained_vectors(model, dls, side, min_ratings=least)

def test_ratings_must_be_a_table_or_a_dict():
    with pytest.raises(TypeError, match='DataFrame or a dict'): fold_in(model, dls, [(first, 4)])

def test_an_id_that_training_never_saw_is_refused_and_left_out():
    rows = pd.DataFrame({'user': [1, 1, 2, 2, 3], 'movie': [1, 2, 1, 2, 3], 'rating': [1., 2, 3, 4, 5]})
    d = RatingsDataLoaders.from_df(rows.assign(movie=[1, 2, 1, 2, 3]), splits=([0, 1, 2, 3], [4]), device='cpu', bs=2)
    m = DotProductBias(d.n_users, d.n_items, 2)
    assert trained_vectors(m, d, 'item').ids==[1, 2] and trained_vectors(m, d).ids==[1, 2]
    with pytest.raises(ValueError, match='no training rating'): fold_in(m, d, {3: 4.})
    with pytest.raises(ValueError, match='more than the 2 items'): signup_questions(m, d, 3)

def test_a_range_that_ends_at_the_highest_rating_is_refused():
    m,d = world()
    m.y_range = (0, 5)
    with pytest.raises(ValueError, match='wider y_range'): fold_in(m, d, {first: 5})

def test_a_model_with_other_loaders_is_refused():
    with pytest.raises(ValueError, match='trained on'): fold_in(DotProductBias(7, 9, 4), dls, {first: 4})

# representative

@pytest.mark.parametrize('side', ['user', 'item'])
def test_the_representative_has_the_least_error_of_all_candidates(side):
    all_ = trained_vectors(model, dls, side)
    x,y = dls.train_ds.x[:,int(side=='user')].numpy(),dls.train_ds.y.numpy()
    errors = ((all_.predict(model, dls).to_numpy()[:,x-1] - y)**2).sum(1)
    assert representative(model, dls, side).ids==[all_.ids[errors.argmin()]]

# metadata

def people(n_cat=3, seed=0):
    rng = np.random.default_rng(seed)
    ids = dls.classes['user'][1:]
    return pd.DataFrame({'user': ids, 'kind': rng.choice(list('abc')[:n_cat], len(ids)),
                         'size': rng.normal(50, 10, len(ids))})

def planted_by_metadata():
    "A model whose user rows follow from the table"
    m,t = copy.deepcopy(model),people()
    way = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    feats = torch.tensor(np.column_stack([*(t.kind==k for k in 'abc'), (t['size']-50)/10]).astype('float32'))
    with torch.no_grad(): m.user_factors[1:],m.user_bias[1:] = (feats@way)[:,:4],(feats@way)[:,4]
    return m,t

def test_rows_that_follow_from_the_metadata_are_found():
    m,t = planted_by_metadata()
    known = trained_vectors(m, dls)
    left = {
        n: float(
            ((MetadataModel(m, dls, t, ['kind'], ['size'], layers=(), n_epoch=n,
                            wd=0).vectors(t).vectors - known.vectors)**2).mean()) for n in (1, 1000)}
    assert left[1000] < 0.02*left[1]

def test_metadata_vectors_do_not_depend_on_the_order_or_the_company_of_the_newcomers():
    meta,t = MetadataModel(model, dls, people(), ['kind'], ['size']),people()
    both = meta.vectors(t)
    flipped = meta.vectors(t[::-1])
    assert flipped.ids==both.ids[::-1]
    assert_close(flipped.vectors.flip(0), both.vectors)
    assert_close(meta.vectors(t.iloc[[2]]).vectors[0], both.vectors[2])

def test_the_same_seed_gives_the_same_metadata_model_and_leaves_the_global_seed_alone():
    torch.manual_seed(7)
    state = torch.random.get_rng_state()
    a,b = (MetadataModel(model, dls, people(), ['kind'], ['size'], seed=3).vectors(people()).vectors for _ in range(2))
    assert_close(a, b)
    assert torch.equal(state, torch.random.get_rng_state())

@pytest.mark.parametrize('kw', [dict(cat_names=['kind']), dict(cont_names=['size'])])
def test_categories_alone_and_numbers_alone_are_enough(kw):
    assert MetadataModel(model, dls, people(), **kw).vectors(people()).vectors.shape==(len(people()), 5)

def test_metadata_of_films_gives_rows_for_films():
    t = pd.DataFrame({'movie': dls.classes['movie'][1:], 'year': np.arange(dls.n_items-1.)})
    res = MetadataModel(model, dls, t, cont_names=['year'], side='item').vectors(t)
    assert res.side=='item' and res.predict(model, dls).shape==(dls.n_items-1, dls.n_users-1)

@pytest.mark.parametrize('change,msg', [
    (lambda t: t.drop(columns='size'), "no column 'size'"),
    (lambda t: t.assign(size=t['size'].where(t.index>2)), "'size' is missing in 3"),
    (lambda t: t.iloc[2:], 'lacks'), (lambda t: pd.concat([t, t[:1]]), 'twice')])
def test_a_table_that_does_not_describe_everybody_is_refused(change, msg):
    with pytest.raises(ValueError, match=msg): MetadataModel(model, dls, change(people()), ['kind'], ['size'])

@pytest.mark.parametrize('change,msg',
                         [(dict(kind='z'), "category 'z'"), (dict(kind=None), 'missing'),
                          (dict(size=float('nan')), 'missing')])
def test_newcomers_with_unknown_metadata_are_refused(change, msg):
    with pytest.raises(ValueError, match=msg):
        MetadataModel(model, dls, people(), ['kind'], ['size']).vectors(people()[:1].assign(**change))

def test_a_category_means_the_same_whatever_type_its_column_has():
    meta,t = MetadataModel(model, dls, people(), ['kind']),people()
    want = meta.vectors(t).vectors
    for k in 'abc':
        one = t[t.kind==k].head(1)
        assert_close(meta.vectors(one.assign(kind=pd.Categorical([k]))).vectors[0], want[one.index[0]])
    assert_close(meta.vectors(t.assign(kind=pd.Categorical(t.kind, list('zcba')))).vectors, want)

def test_a_categorical_column_trains_what_its_values_train():
    want = MetadataModel(model, dls, people(), ['kind']).vectors(people()).vectors
    t = people().assign(kind=lambda d: pd.Categorical(d.kind, list('zcba')))
    meta = MetadataModel(model, dls, t, ['kind'])
    assert_close(meta.vectors(people()).vectors, want)
    with pytest.raises(ValueError, match="category 'z'"): meta.vectors(t.iloc[:1].assign(kind=pd.Categorical(['z'])))

def test_a_metadata_model_of_the_often_rated_needs_nobody_else_in_the_table():
    often = trained_vectors(model, dls, min_ratings=20).ids
    t = people()
    assert 0<len(often)<len(t)
    few,all_ = (MetadataModel(model, dls, o, ['kind'], min_ratings=20).vectors(t).vectors
                for o in (t[t.user.isin(often)], t))
    assert_close(few, all_)
    assert not torch.allclose(few, MetadataModel(model, dls, t, ['kind']).vectors(t).vectors)

@pytest.mark.parametrize('kw,msg', [
    (dict(), 'neither cat_names nor cont_names'), (dict(cat_names=['kind'], n_epoch=0), 'n_epoch'),
    (dict(cat_names=['kind'], n_epoch=-1), 'n_epoch'),
    (dict(cat_names=['kind'], min_ratings=0), 'min_ratings'), (dict(cont_names=['kind']), "'kind' is not numeric"),
    (dict(cat_names=['kind'], lr=0), 'lr must be')])
def test_a_metadata_model_that_cannot_be_is_refused(kw, msg):
    with pytest.raises(ValueError, match=msg): MetadataModel(model, dls, people(), **kw)

@pytest.mark.parametrize('kw', [dict(cat_names='kind'), dict(cont_names='size')])
def test_column_names_are_a_list_and_not_the_letters_of_one(kw):
    with pytest.raises(TypeError, match=f'{[*kw][0]} must be a list'): MetadataModel(model, dls, people(), **kw)

@pytest.mark.parametrize('size,msg', [(np.inf, 'infinite'), (-np.inf, 'infinite'), ('big', 'not numeric')])
def test_numbers_that_are_none_are_refused_in_training_and_for_newcomers(size, msg):
    meta,t = MetadataModel(model, dls, people(), ['kind'], ['size']),people()
    bad = t.assign(size=[size]*len(t))
    with pytest.raises(ValueError, match=f"'size'.*{msg}"): MetadataModel(model, dls, bad, ['kind'], ['size'])
    with pytest.raises(ValueError, match=f"'size'.*{msg}"): meta.vectors(bad[:1])

# questions

@pytest.mark.parametrize('by', ['known', 'contested', 'informative', 'random'])
def test_questions_are_different_trained_items(by):
    res = signup_questions(model, dls, 12, by, seed=0)
    assert len(set(res))==12 and set(res) <= set(trained_vectors(model, dls, 'item').ids)

def train_frame(side='item'):
    return pd.DataFrame({'i': dls.train_ds.x[:,int(side=='item')].numpy(),
                         'y': dls.train_ds.y.numpy().astype(float)}).groupby('i').y

def test_known_and_contested_are_counts_and_sums_of_squares():
    g = train_frame()
    for by,w in (('known', g.size()), ('contested', g.var(ddof=0)*g.size())):
        got = [w[dls.classes['movie'].index(k)] for k in signup_questions(model, dls, 8, by)]
        np.testing.assert_allclose(got, w.sort_values(ascending=False)[:8], atol=1e-6)

def test_the_first_informative_question_lowers_the_expected_variance_most():
    V = np.column_stack([model.item_factors.detach().numpy(), np.ones(dls.n_items)]).astype(float)
    share = train_frame().size().reindex(range(dls.n_items)).fillna(0).to_numpy()/trained_vectors(model,
        dls).factors.shape[0]
    def variance(A): return (share*np.einsum('nd,de,ne->n', V, np.linalg.inv(A), V)).sum()
    base = 3.*np.eye(5)
    gains = share*(variance(base) - np.array([variance(base + np.outer(v, v)) for v in V]))
    assert signup_questions(model, dls, 1, 'informative', penalty=3.)==[dls.classes['movie'][gains.argmax()]]

def test_random_questions_follow_their_seed():
    assert signup_questions(model, dls, 9, 'random', seed=1)==signup_questions(model, dls, 9, 'random',
        seed=1)!=signup_questions(model, dls, 9, 'random', seed=2)

def test_an_unknown_way_to_ask_is_refused():
    with pytest.raises(ValueError, match='by must be'): signup_questions(model, dls, 3, 'best')

# ---- what a practitioner got past it

def test_newcomers_may_be_a_category_with_unused_values():
    movies = dls.classes['movie'][1:3]
    R = pd.DataFrame(dict(user=['n', 'n', 'm'], movie=[movies[0], movies[1], movies[0]], rating=[4., 3., 2.]))
    plain = fold_in(model, dls, R.query('user=="n"'))
    assert_close(fold_in(model, dls, R.astype({'user': 'category'}).query('user=="n"')).vectors, plain.vectors)

def test_one_vector_is_a_prior_for_everybody():
    movie,who = dls.classes['movie'][1],representative(model, dls)
    R = pd.DataFrame(dict(user=['n', 'm'], movie=[movie]*2, rating=[4., 2.]))
    got = fold_in(model, dls, R, prior=who)
    assert got.ids==['n', 'm']
    assert_close(got.vectors, fold_in(model, dls, R, prior=who.vectors[0]).vectors)
    none = fold_in(model, dls, {}, prior=who)
    assert none.ids==who.ids and none.ids is not who.ids

@pytest.mark.parametrize('call',
                         [lambda m, d: representative(m, d), lambda m, d: trained_vectors(m, d), lambda m,
                          d: signup_questions(m, d, 3, 'informative'),
                                  lambda m, d: fold_in(m, d, {d.classes['movie'][1]: 3.})])
def test_a_model_that_failed_in_training_is_refused(call):
    failed = copy.deepcopy(model)
    with torch.no_grad(): failed.user_factors[2],failed.item_factors[2] = float('nan'),float('nan')
    with pytest.raises(ValueError, match='NaN or infinite'): call(failed, dls)

def test_a_model_or_loaders_of_another_kind_are_refused_with_the_way_out():
    with pytest.raises(TypeError, match='from_fastai'): representative(DotProduct(dls.n_users, dls.n_items, 3), dls)
    with pytest.raises(TypeError, match='RatingsDataLoaders'): representative(model, dls.train)

def test_tables_that_are_none_or_name_a_column_twice_are_refused():
    movie = dls.classes['movie'][1]
    twice = pd.DataFrame([['n', movie, 3., 4.]], columns=['user', 'movie', 'rating', 'rating'])
    with pytest.raises(ValueError, match='several columns'): fold_in(model, dls, twice)

def test_a_model_with_thresholds_for_each_person_is_refused_with_advice_that_works():
    from collab_course.levels import LevelBias
    plain = DotProductBias.from_tables(*(torch.randn(dls_n, *more) for more in ((2,), ()) for dls_n in (4, 5)))
    tables = dict(plain.named_parameters())
    ratings = pd.DataFrame(dict(user=[1, 2, 3, 1], movie=[1, 2, 3, 4], rating=[1., 2, 3, 3]))
    dls = RatingsDataLoaders.from_df(ratings, valid_pct=0.25, seed=0, device='cpu')
    thresholds = torch.tensor([[0., 1]]*4)
    levels = LevelBias.from_level_tables(**tables, user_thresholds=thresholds, levels=torch.arange(1., 4))
    words = r"thresholds of its own for each person.*call fold_in of its Recommender.*model='dot_product'"
    for side,known in (('user', {1: 2.}), ('item', {1: 2.})):
        with pytest.raises(TypeError, match=words): fold_in(levels, dls, known, side)
    with pytest.raises(TypeError, match=words): representative(levels, dls)
