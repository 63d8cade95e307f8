"Chapter 06: biases, components, neighbours and the picture against independent computations, and what is refused"
import base64, copy, io

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from sklearn.decomposition import PCA

from collab_course.create_params import DotProductBias
from collab_course.tables import planted_ratings
from collab_course.dot_product import DotProduct, quick_fit
from collab_course.factor_map import FactorPlot, neighbours_of_all, place_labels, plot_factors, without_year
from collab_course.movielens import article_first
from collab_course.interpretation import bias_ranking, factor_pca, nearest
from collab_course.loaders import RatingsDataLoaders

K = 6
MEASURES = ('cosine', 'euclidean', 'dot')
quick = settings(deadline=None, max_examples=40)

def filled(dls, n_factors=K, seed=0, sd=0.5):
    "A model with random weights far from zero, row 0 the most extreme"
    g = torch.Generator().manual_seed(seed)
    m = DotProductBias(dls.n_users, dls.n_items, n_factors)
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(sd*torch.randn(p.shape, generator=g))
            p[0] = 99.
    return m

def loaders(ratings, **kw): return RatingsDataLoaders.from_df(ratings, **{'seed': 0, 'device': 'cpu', **kw})

@pytest.fixture(scope='module')
def ratings():
    return planted_ratings(n_users=60, n_items=40, n_ratings=900, n_factors=3, skew=1, step=1, rating_range=(1, 5),
                           seed=1).ratings

@pytest.fixture(scope='module')
def dls(ratings): return loaders(ratings)

@pytest.fixture(scope='module')
def model(dls): return filled(dls)

@pytest.fixture(scope='module')
def sparse():
    "Loaders in which item 9 has no training row, and its model"
    df = pd.DataFrame(dict(user=[1, 2, 3, 4, 1, 2, 3, 1, 1], movie=[5, 5, 5, 5, 6, 6, 6, 7, 9],
                           rating=[5, 4, 3, 4, 1, 2, 3, 4, 5.]))
    with pytest.warns(UserWarning, match='without a training row'): dls = loaders(df, splits=(list(range(8)), [8]))
    return dls, filled(dls)

def training(dls):
    "The training rows as a frame of ids"
    (users, items), (u, i) = dls.train_ds.x.numpy().T, dls.classes.values()
    return pd.DataFrame(dict(user=[u[o] for o in users], item=[i[o] for o in items], rating=dls.train_ds.y.numpy()))

def row(dls, item): return dls.classes[dls.cat_names[1]].index(item)

# biases

def test_bias_ranking_has_each_items_bias_with_the_count_and_mean_of_its_training_rows(model, dls):
    df, by = bias_ranking(model, dls), training(dls).groupby('item').rating
    assert list(df.columns)==['bias', 'count', 'mean_rating'] and df.index.name=='movie'
    assert set(df.index)==set(by.groups)
    pd.testing.assert_series_equal(df['count'].sort_index(), by.size().sort_index(), check_names=False)
    np.testing.assert_allclose(df.mean_rating.sort_index(), by.mean().sort_index(), rtol=1e-6)
    assert df.bias.tolist()==[model.item_bias[row(dls, i)].item() for i in df.index]
    assert df.bias.is_monotonic_decreasing and df.bias.max()<50 # row 0 is in no ranking

def test_validation_rows_are_not_counted(ratings):
    dls = loaders(ratings, valid_pct=0.5)
    assert bias_ranking(filled(dls), dls)['count'].sum()==len(dls.train_ds)<len(ratings)

def test_min_count_leaves_out_the_rarely_rated_and_zero_keeps_the_never_rated(sparse):
    dls, m = sparse
    assert set(bias_ranking(m, dls).index)=={5, 6, 7}
    assert set(bias_ranking(m, dls, min_count=3).index)=={5, 6}
    whole = bias_ranking(m, dls, min_count=0)
    assert whole['count'][9]==0 and np.isnan(whole.mean_rating[9]) and len(whole)==4

def test_equal_biases_stay_in_the_order_of_the_vocabulary(dls):
    m = filled(dls)
    with torch.no_grad(): m.item_bias[:] = 0.5
    assert bias_ranking(m, dls).index.is_monotonic_increasing

# components

def reference(model, dls, n):
    "Centred factors of the `n` most rated items"
    count = training(dls).item.value_counts()
    ids = sorted(count.index, key=lambda i: (-count[i], i))[:n]
    X = model.item_factors.detach().double().numpy()[[row(dls, i) for i in ids]]
    return ids, X - X.mean(0)

@pytest.mark.parametrize('n_items', [12, 25, 10**6])
def test_components_are_those_of_sklearn_torch_and_the_covariance_up_to_sign(model, dls, n_items):
    ids, X = reference(model, dls, n_items)
    pca = factor_pca(model, dls, 4, n_items)
    assert pca.scores.index.tolist()==ids and pca.scores.columns.tolist()==[0, 1, 2, 3]
    other = PCA(4, svd_solver='full').fit(X)
    np.testing.assert_allclose(pca.explained, other.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(pca.scores), np.abs(other.transform(X)), atol=1e-9)
    vals, vecs = np.linalg.eigh(X.T @ X)
    np.testing.assert_allclose(np.abs(pca.axes), np.abs(vecs[:,::-1][:,:4].T), atol=1e-6)
    torchs = torch.from_numpy(X) @ torch.pca_lowrank(torch.from_numpy(X), q=K, niter=20)[2][:,:4]
    np.testing.assert_allclose(np.abs(pca.scores), torchs.abs(), atol=1e-6)

def test_axes_are_orthonormal_scores_are_projections_and_all_shares_sum_to_one(model, dls):
    pca = factor_pca(model, dls, K)
    ids, X = reference(model, dls, 1000)
    np.testing.assert_allclose(pca.axes @ pca.axes.T, np.eye(K), atol=1e-12)
    np.testing.assert_allclose(X @ pca.axes.T, pca.scores, atol=1e-12)
    assert pca.explained.sum()==pytest.approx(1) and (np.diff(pca.explained)<=0).all()

@quick
@given(st.integers(0, 10**6), st.booleans())
def test_any_rotation_or_reflection_of_the_factors_leaves_scores_and_signs_alone(dls, seed, flip):
    m = filled(dls)
    want = factor_pca(m, dls, 3)
    Q = torch.linalg.qr(torch.randn(K, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))[0]
    if flip: Q[:,0] *= -1
    with torch.no_grad(): m.item_factors.copy_((m.item_factors.double() @ Q).float())
    got = factor_pca(m, dls, 3)
    np.testing.assert_allclose(got.scores, want.scores, atol=2e-4)
    np.testing.assert_allclose(got.explained, want.explained, atol=1e-5)

def test_scores_lean_towards_items_with_more_ratings(dls):
    for seed in range(5):
        m = filled(dls, seed=seed)
        scores, count = factor_pca(m, dls, K).scores, training(dls).item.value_counts()
        assert (scores.corrwith(np.log(count[scores.index]))>0).all()

def test_with_equal_counts_the_largest_score_is_positive():
    df = pd.DataFrame([(u, i, float((u*i)%5 + 1)) for u in range(1, 7) for i in range(1, 9)],
                      columns=['user', 'movie', 'rating'])
    dls = loaders(df, splits=(list(range(len(df)-8)), list(range(len(df)-8, len(df)))))
    for seed in range(5):
        scores = factor_pca(filled(dls, seed=seed), dls, 3).scores
        assert all(scores[c][scores[c].abs().idxmax()]>0 for c in scores)

def test_items_without_training_rows_are_in_no_pca(sparse):
    dls, m = sparse
    assert factor_pca(m, dls, 2).scores.index.tolist()==[5, 6, 7]

def test_pca_shows_itself_in_one_line(model, dls):
    assert repr(factor_pca(model, dls, 2)).startswith('FactorPCA of 40 items, explained: ')

# planted truth

def procrustes_r2(scores, truth):
    "Share of the variance of `truth` that `scores` give after the best rotation and one stretch"
    Z, T = scores - scores.mean(0), truth - truth.mean(0)
    U, s, Vt = np.linalg.svd(Z.T @ T)
    return 1 - ((T - Z @ U @ Vt*s.sum()/(Z**2).sum())**2).sum()/(T**2).sum()

@pytest.mark.parametrize('seed', [0, 1])
def test_planted_factors_are_recovered_up_to_a_rotation(seed):
    p = planted_ratings(n_users=600, n_items=300, n_ratings=30_000, n_factors=4, noise=0.3, skew=1, factor_sd=1,
                        seed=seed)
    dls = loaders(p.ratings.assign(rating=p.ratings.rating - p.mean), seed=seed, bs=512)
    torch.manual_seed(seed)
    m = DotProductBias(dls.n_users, dls.n_items, 10, y_range=None)
    untrained = factor_pca(m, dls, 4).scores
    quick_fit(m, dls, n_epoch=8, lr=2e-2, wd=0.2)
    pca = factor_pca(m, dls, 5)
    truth = p.item_factors[pca.scores.index.to_numpy()-1]
    scores = pca.scores.to_numpy()[:,:4]
    assert procrustes_r2(scores, truth)>0.97
    assert procrustes_r2(scores, np.random.default_rng(0).permutation(truth))<0.2
    assert procrustes_r2(untrained.to_numpy(), truth)<0.2
    assert procrustes_r2(scores[:,:3], truth[:,:3])<0.9 # three axes of four are another plane
    assert pca.explained[3]>4*pca.explained[4]

# neighbours

def brute(model, dls, item, by, ids):
    F = model.item_factors.detach().double().numpy()
    q = F[row(dls, item)]
    def one(v):
        if by=='euclidean': return np.sqrt(sum((a-b)**2 for a,b in zip(v, q)))
        dot = sum(a*b for a,b in zip(v, q))
        return dot if by=='dot' else dot/np.sqrt(sum(a*a for a in v)*sum(b*b for b in q))
    vals = {i: one(F[row(dls, i)]) for i in ids if i!=item}
    return sorted(vals.items(), key=lambda kv: kv[1] if by=='euclidean' else -kv[1])

@pytest.mark.parametrize('by', MEASURES)
@pytest.mark.parametrize('item', [1, 17, 40])
def test_nearest_is_what_comparing_one_by_one_finds(model, dls, item, by):
    want = brute(model, dls, item, by, bias_ranking(model, dls).index)
    got = nearest(model, dls, item, 8, by)
    assert got.index.tolist()==[i for i,_ in want[:8]] and list(got.columns)==[by, 'count', 'mean_rating']
    np.testing.assert_allclose(got[by], [v for _,v in want[:8]], rtol=1e-9)
    everything = nearest(model, dls, item, 10**6, by)
    assert len(everything)==39 and item not in everything.index

def test_the_default_is_ten_by_cosine(model, dls):
    got = nearest(model, dls, 3)
    pd.testing.assert_frame_equal(got, nearest(model, dls, 3, 10, 'cosine'))
    assert len(got)==10

@pytest.mark.parametrize('by', MEASURES)
def test_min_count_and_the_never_rated(sparse, by):
    dls, m = sparse
    assert set(nearest(m, dls, 5, by=by).index)=={6, 7}
    assert nearest(m, dls, 5, by=by, min_count=2).index.tolist()==[6]
    assert nearest(m, dls, 7, by=by, min_count=3).index.isin([5, 6]).all()
    with pytest.raises(ValueError, match='9 has no training rating'): nearest(m, dls, 9, by=by)

def test_length_counts_for_dot_alone(dls):
    m = filled(dls)
    before = {by: nearest(m, dls, 3, 39, by)[by] for by in MEASURES}
    with torch.no_grad(): m.item_factors[row(dls, 8)] *= 10
    after = {by: nearest(m, dls, 3, 39, by)[by] for by in MEASURES}
    assert after['cosine'][8]==pytest.approx(before['cosine'][8])
    assert after['dot'][8]==pytest.approx(10*before['dot'][8])
    assert after['euclidean'][8]>before['euclidean'][8]

def test_items_without_a_direction_have_no_cosine_and_cannot_be_asked(dls):
    m = filled(dls)
    with torch.no_grad(): m.item_factors[row(dls, 8)] = 0
    assert 8 not in nearest(m, dls, 3, 100).index and 8 in nearest(m, dls, 3, 100, 'euclidean').index
    with pytest.raises(ValueError, match='all zero'): nearest(m, dls, 8)
    with pytest.raises(ValueError, match='all zero'): nearest(filled(dls, 0), dls, 3)

def test_an_unknown_item_gets_an_error_with_near_matches(ratings):
    named = ratings.assign(movie=ratings.movie.map('Film number {} (1999)'.format))
    dls = loaders(named)
    m = filled(dls)
    with pytest.raises(ValueError, match=r"no item 'film number 17'; did you mean 'Film number 17 \(1999\)'"):
        nearest(m, dls, 'film number 17')
    with pytest.raises(ValueError, match="no item 'zzz'; the ids are such as"): nearest(m, dls, 'zzz')
    with pytest.raises(ValueError, match='no item'): nearest(m, dls, '#na#')

def test_a_title_or_an_id_of_another_type_leads_to_the_right_id(model, dls):
    titles = pd.Series({i: f'Film number {i}' for i in range(1, 41)})
    with pytest.raises(ValueError, match=r"did you mean 23 \(Film number 23\)"):
        nearest(model, dls, 'Film number 23', titles=titles)
    with pytest.raises(ValueError, match="no item '23'; did you mean 23"): nearest(model, dls, '23')

# ids, titles, column names

@pytest.mark.parametrize('as_dict', [False, True])
def test_titles_are_attached_to_items_known_by_ids(model, dls, as_dict):
    titles = pd.Series({i: f'Film {i}' for i in range(99, 0, -1)}) # more than needed, in another order
    arg = titles.to_dict() if as_dict else titles
    for df in (bias_ranking(model, dls, titles=arg), nearest(model, dls, 3, titles=arg),
               plot_factors(model, dls, n_titles=3, titles=arg).points):
        assert df.columns[0]=='title' and df.title.tolist()==[f'Film {i}' for i in df.index]

@pytest.mark.parametrize('titles,error,words', [
    ({i: 'x' for i in range(1, 40)}, ValueError, 'no entry for 1 of 40 items, such as 40'),
    ({str(i): 'x' for i in range(1, 41)}, ValueError, 'no entry for 40 of 40'),
    (pd.Series(['x']*41, index=[*range(1, 41), 7]), ValueError, 'several entries for 7'),
    (pd.Series(['x']*99), ValueError, r"by position, not by 'movie'.*set_index\('movie'\)"),
    (pd.DataFrame(dict(title=['x'])), TypeError, 'must be a Series or a dict')],
    ids=['missing', 'other type', 'doubled', 'by position', 'frame'])
def test_titles_that_do_not_fit_are_refused(model, dls, titles, error, words):
    for f in (lambda: bias_ranking(model, dls, titles=titles), lambda: nearest(model, dls, 3, titles=titles),
              lambda: plot_factors(model, dls, titles=titles)):
        with pytest.raises(error, match=words): f()

@pytest.mark.parametrize('item_name', ['count', 'bias', 'title', 'row', 'cosine', 'left', 'x', 'Item id'])
def test_any_column_names_and_string_ids(ratings, item_name):
    df = ratings.rename(columns=dict(user='who', rating='stars', movie=item_name)).astype({item_name: str})
    dls = loaders(df, user_name='who', item_name=item_name, rating_name='stars')
    m = filled(dls)
    titles = {str(i): f'Film {i}' for i in range(1, 41)}
    assert bias_ranking(m, dls, titles=titles).index.name==item_name
    assert nearest(m, dls, '3', titles=titles).shape==(10, 4)
    assert factor_pca(m, dls).scores.index.name==item_name
    assert len(plot_factors(m, dls, n_titles=5, titles=titles).titled)==5

def test_tuples_as_ids(ratings):
    dls = loaders(ratings.assign(movie=[(i, 'x') for i in ratings.movie]))
    m = filled(dls)
    assert nearest(m, dls, (3, 'x'), 39).index.isin([(i, 'x') for i in range(1, 41)]).all()
    assert len(plot_factors(m, dls, n_titles=5).titled)==5

def test_float_ids_get_the_same_titles_as_whole_ones(ratings):
    names = []
    for kind in (int, float):
        dls = loaders(ratings.astype({'movie': kind}))
        names.append(plot_factors(filled(dls), dls, n_titles=5,
                                  titles={i: f'Film {i}' for i in range(1, 41)}).titled.name)
    assert names[0].tolist()==names[1].tolist()

# what is refused

ALL = [bias_ranking, factor_pca, plot_factors, lambda m, d: nearest(m, d, 3)]

@pytest.mark.parametrize('f', ALL)
def test_a_model_of_another_size_than_the_loaders_is_refused(dls, f):
    with pytest.raises(ValueError, match='item_.* of the model has 99 rows, and the loaders need 41'):
        f(DotProductBias(dls.n_users, 99, K), dls)
    with pytest.raises(ValueError, match='user_factors of the model has 99 rows, and the loaders need 61'):
        f(DotProductBias(99, dls.n_items, K), dls)

@pytest.mark.parametrize('f', ALL)
def test_weights_that_are_not_numbers_are_refused(dls, f):
    m = filled(dls)
    with torch.no_grad():
        m.item_factors[4,1] = float('nan')
        m.item_bias[4] = float('inf')
    with pytest.raises(ValueError, match='NaN or infinite'): f(m, dls)

@pytest.mark.parametrize('f', ALL)
def test_models_without_such_tables_are_refused_with_the_way_out(dls, f):
    for m in (torch.nn.Linear(2, 1), DotProduct(dls.n_users, dls.n_items, K)):
        with pytest.raises(TypeError, match='from_fastai'): f(m, dls)

def test_components_that_cannot_be_are_refused(model, dls, sparse):
    with pytest.raises(ValueError, match='40 items with 6 factors have 6 components, not 7'): factor_pca(model, dls, 7)
    with pytest.raises(ValueError, match='3 items with 6 factors have 2 components, not 3'):
        factor_pca(sparse[1], sparse[0])
    with pytest.raises(ValueError, match='have 0 components'): factor_pca(filled(dls, 0), dls, 1)
    with pytest.raises(ValueError, match='n_components must be a whole number'): factor_pca(model, dls, 1.5)
    with pytest.raises(ValueError, match='n_items must be a whole number'): factor_pca(model, dls, n_items=0)
    same = filled(dls)
    with torch.no_grad(): same.item_factors[:] = 0.3
    with pytest.raises(ValueError, match='the same factors'): factor_pca(same, dls)

@pytest.mark.parametrize('kw,words', [
    (dict(by='manhattan'), "by must be 'cosine' or 'euclidean' or 'dot'"), (dict(n=0), 'n must be'),
    (dict(min_count=0), 'min_count must be')])
def test_wrong_arguments_of_nearest_are_refused(model, dls, kw, words):
    with pytest.raises(ValueError, match=words): nearest(model, dls, 3, **kw)

@pytest.mark.parametrize('kw,words', [
    (dict(components=(1, 1)), 'two different'), (dict(components=(0, 1, 2)), 'two different'),
    (dict(components=(0, -1)), 'components must be'),
    (dict(n_titles=0), 'n_titles must be'), (dict(size=(50, 600)), 'width must be'),
    (dict(components=(0, 6)), 'have 6 components, not 7'),
    (dict(info=pd.DataFrame(dict(year=[1999]), index=[1])), 'info has no entry for 39 of 40'),
    (dict(size=(200, 200)), 'labels fill the picture')])
def test_wrong_arguments_of_plot_factors_are_refused(model, dls, kw, words):
    names = {i: f'A film with a rather long title, number {i}' for i in range(1, 41)}
    with pytest.raises(ValueError, match=words): plot_factors(model, dls, **{'titles': names, **kw})

def test_nothing_changes_the_model(dls):
    m = filled(dls)
    before = {k: v.clone() for k,v in m.state_dict().items()}
    for f in ALL: f(m, dls)
    assert all(torch.equal(v, before[k]) for k,v in m.state_dict().items())
    assert all(p.requires_grad for p in m.parameters())

# labels

def overlaps(boxes):
    "Pairs of boxes that share more than an edge"
    b = np.asarray(boxes, float)
    return [(i, j) for i in range(len(b)) for j in range(i)
            if min(b[i,2], b[j,2]) - max(b[i,0], b[j,0])>1e-9 and min(b[i,3], b[j,3]) - max(b[i,1], b[j,1])>1e-9]

@st.composite
def crowds(draw):
    n = draw(st.integers(1, 12))
    close = draw(st.booleans()) # all at nearly one place, or anywhere
    coord = lambda hi: st.floats(100, 110) if close else st.floats(0, hi)
    points = draw(st.lists(st.tuples(coord(300), coord(200)), min_size=n, max_size=n))
    return points, draw(st.lists(st.tuples(st.floats(3, 60), st.floats(3, 14)), min_size=n, max_size=n))

@quick
@given(crowds())
def test_labels_collide_neither_with_each_other_nor_with_points_nor_leave_the_picture(crowd):
    points, sizes = crowd
    boxes = place_labels(points, sizes, (300, 200), dot=2)
    assert overlaps(boxes)==[]
    assert (boxes[:,:2]>=0).all() and (boxes[:,2:]<=[300, 200]).all()
    assert (boxes[:,2:] - boxes[:,:2] >= np.array(sizes)).all()
    for x,y in np.round(points):
        assert not ((boxes[:,0]<x+2) & (x-2<boxes[:,2]) & (boxes[:,1]<y+2) & (y-2<boxes[:,3])).any()
    assert (boxes==place_labels(points, sizes, (300, 200), dot=2)).all()

def gap(point, box): return np.hypot(max(0, box[0]-point[0], point[0]-box[2]), max(0, box[1]-point[1], point[1]-box[3]))

def test_a_lonely_label_lies_right_beside_its_point():
    (box,) = place_labels([(100, 80)], [(40, 10)], (300, 200))
    assert gap((100, 80), box)<=6 and box[0]>100 and abs((box[1] + box[3])/2 - 80)<=1

def test_at_the_edge_a_label_stays_in_the_picture_and_near():
    for point in ((0, 0), (300, 200), (300, 0)):
        (box,) = place_labels([point], [(40, 10)], (300, 200))
        assert gap(point, box)<=8

def test_a_second_round_brings_no_label_farther_away():
    rng = np.random.default_rng(0)
    points, sizes = rng.uniform(0, [200, 120], (25, 2)), np.full((25, 2), (38, 9))
    total = [sum(gap(p, b) for p,b in zip(points, place_labels(points, sizes, (200, 120), dot=1, rounds=r)))
             for r in (1, 2)]
    assert total[1]<=total[0]

@pytest.mark.parametrize('n,size', [(40, (30, 30)), (1, (500, 10)), (1, (10, 500))])
def test_labels_that_do_not_fit_are_refused(n, size):
    with pytest.raises(ValueError, match='ask for fewer'): place_labels(np.full((n, 2), 50.), [size]*n, (120, 100))

# the picture

@pytest.fixture(scope='module')
def plot(model, dls):
    titles = {i: f'Film <{i}> & Co. $x$ (1990)' if i%2 else f'{i}' for i in range(1, 41)}
    info = pd.DataFrame(dict(year=[1990 + i if i!=7 else pd.NA for i in range(1, 41)]), index=range(1, 41))
    return plot_factors(model, dls, n_titles=20, titles=titles, info=info)

def test_one_object_gives_a_png_html_and_words(plot):
    bundle = plot._repr_mimebundle_()
    assert set(bundle)=={'text/html', 'image/png', 'text/plain'}
    image = Image.open(io.BytesIO(base64.b64decode(bundle['image/png'])))
    assert image.format=='PNG' and image.size==plot.size
    assert len(np.unique(np.asarray(image.convert('L'))))>20
    assert bundle['text/html'].count(bundle['image/png'])==1 and bundle==plot._repr_mimebundle_()
    assert bundle['text/plain'].startswith(f'{plot.title}. 40 items by component 0')
    assert repr(plot)=='FactorPlot of 40 items, 20 with a title'

def test_dots_lie_at_their_scores(plot, model, dls):
    scores = factor_pca(model, dls, 3).scores
    np.testing.assert_allclose(plot.points[['x', 'y']], scores[[0, 2]])
    live = plot.live_data()
    for axis,column in (('x', 0), ('y', 2)):
        assert np.corrcoef(live[axis], scores[column])[0, 1]>0.99999
        assert 0<min(live[axis])<max(live[axis])<1

def test_a_note_has_count_mean_and_what_else_is_known(plot):
    live = plot.live_data()
    for name,note,(i,o) in zip(live['names'], live['notes'], plot.points.iterrows(), strict=True):
        assert name==(f'Film <{i}> & Co. $x$ (1990)' if i%2 else str(i))
        want = f'{o["count"]:,} ratings, mean rating {o.mean_rating:.2f}'
        assert note==want + (f', year {1990+i}' if i!=7 else '')

def test_the_nearest_are_those_of_nearest(plot, model, dls):
    live = plot.live_data()
    rated = plot.points['count'].min()
    for place,item in enumerate(plot.points.index):
        want = nearest(model, dls, item, 10, min_count=rated).index
        assert [plot.points.index[i] for i in live['near'][place]]==list(want)

@pytest.mark.parametrize('n', [0, 1, 3])
def test_few_items_have_few_neighbours(n): assert neighbours_of_all(np.eye(3)[:n], 10).shape==(n, max(n-1, 0))

@pytest.mark.parametrize('title,first,short', [
    ('Rock, The (1996)', 'The Rock (1996)', 'The Rock'),
    ("Appartement, L' (1996)", "L'Appartement (1996)", "L'Appartement"),
    ('City of Lost Children, The (Cité des enfants perdus, La) (1995)',
     'The City of Lost Children (Cité des enfants perdus, La) (1995)',
     'The City of Lost Children (Cité des enfants perdus, La)'),
    ('Theatre, Theory', 'Theatre, Theory', 'Theatre, Theory'),
    ('Me, Myself and I', 'Me, Myself and I', 'Me, Myself and I'),
    ('The', 'The', 'The'), ('1984', '1984', '1984'),
    ('A, B, The', 'The A, B', 'The A, B'), ('(1990)', '(1990)', '(1990)')])
def test_titles_as_people_say_them(title, first, short):
    assert article_first(title)==first and without_year(first)==short

def test_the_most_rated_get_the_titles(plot, dls):
    count = training(dls).item.value_counts()
    assert count[plot.titled.index].min()>=count[plot.points.index[20:]].max()

def test_titles_as_drawn_do_not_collide(plot):
    fig = plot.figure()
    renderer = FigureCanvasAgg(fig).get_renderer()
    (ax,) = fig.axes
    drawn = {t.get_text(): t.get_window_extent(renderer).extents for t in ax.texts}
    assert set(drawn)==set(plot.titled.name) and len(drawn)==20
    assert overlaps(list(drawn.values()))==[]
    assert not any(t.get_parse_math() for t in ax.texts) # a title may hold dollars
    inside = ax.get_window_extent(renderer).extents
    assert all((e[:2]>=inside[:2]-1).all() and (e[2:]<=inside[2:]+1).all() for e in drawn.values())

def test_the_names_of_the_axes_and_the_title_lie_inside_the_picture(plot):
    fig = plot.figure()
    renderer = FigureCanvasAgg(fig).get_renderer()
    fig.draw(renderer)
    (ax,) = fig.axes
    axes = ax.get_window_extent(renderer).extents
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title):
        box = text.get_window_extent(renderer).extents
        assert text.get_text() and (box[:2]>=2).all() and (box[2:]<=np.array(plot.size) - 2).all()
        assert overlaps([box, axes])==[]
    for tick in ax.yaxis.get_ticklabels():
        assert overlaps([tick.get_window_extent(renderer).extents,
                         ax.yaxis.label.get_window_extent(renderer).extents])==[]

def test_the_title_is_the_callers_or_says_what_is_shown(plot, model, dls):
    assert plot.title==plot.figure().axes[0].get_title()=='The 40 most rated items by components 0 and 2'
    own = plot_factors(model, dls, n_titles=3, title='a < $b$')
    assert own.figure().axes[0].get_title()=='a < $b$' and own.live_data()['title']=='a < $b$'
    assert 'alt="a &lt; $b$. ' in own.html('')

def test_a_line_leads_to_each_title_that_had_to_move_far():
    at = pd.DataFrame(dict(x=[0., 0.01, 0.02, 1], y=[0., 0.01, 0, 1], name=list('abcd'), full=list('abcd'), note='',
                           left=[300, 200, 60, 785], bottom=[300, 200, 60, 540],
                           right=[340, 240, 100, 805], top=[315, 215, 75, 555]))
    plot = FactorPlot(at, ('x', 'y'), (900, 650))
    assert np.isfinite(plot.leaders()).all(1).tolist()==[True, True, True, False]
    (ax,) = plot.figure().axes
    assert sum(np.isfinite(l.get_xydata()).all() for l in ax.lines)==3

def crossed(plot):
    "Lines that run through a title, as (dot, title)"
    titled = plot.titled
    boxes = titled[['left', 'bottom', 'right', 'top']].to_numpy()
    found = []
    for i,(dot,end) in enumerate(zip(plot.pixels()[plot.has_title], plot.leaders())):
        if not np.isfinite(end).all(): continue
        steps = dot + np.linspace(0, 1, 200)[:,None]*(end - dot)
        for j,(l,b,r,t) in enumerate(boxes):
            inside = (l+1<steps[:,0]) & (steps[:,0]<r-1) & (b+1<steps[:,1]) & (steps[:,1]<t-1)
            if j!=i and inside.any(): found.append((titled.name.iloc[i], titled.name.iloc[j]))
    return found

def test_no_line_runs_through_a_title(dls):
    n_lines = 0
    for seed in range(4):
        plot = plot_factors(filled(dls, seed=seed), dls, n_titles=18,
                            titles={i: f'A film with the number {i} (1990)' for i in range(1, 41)})
        n_lines += np.isfinite(plot.leaders()).all(1).sum()
        assert crossed(plot)==[]
    assert n_lines

def test_titles_only_on_dots_that_lie_apart(model, dls):
    plot = plot_factors(model, dls, apart=120)
    dots = plot.pixels()[plot.has_title]
    gaps = np.linalg.norm(dots[:,None] - dots, axis=2)
    assert gaps[np.triu_indices(len(dots), 1)].min()>=120 and 3<len(dots)<30
    assert plot.has_title[0] # the most rated item is chosen first

def test_dots_have_the_colour_of_their_mean_rating(model, dls):
    plot = plot_factors(model, dls, n_titles=10)
    live = plot.live_data()
    shade = pd.Series(live['shade'], plot.points.index)
    assert len(set(live['shades']))==16 and shade.min()==0 and shade.max()==15
    assert plot.points.mean_rating.corr(shade)>0.98
    low,high = plot.color_ends()
    assert plot.points.mean_rating.min()<=low<high<=plot.points.mean_rating.max()
    fig = plot.figure()
    fig.draw(FigureCanvasAgg(fig).get_renderer())
    bar = fig.axes[0].child_axes[0]
    assert bar.get_ylabel()=='mean rating'
    right = bar.get_tightbbox(FigureCanvasAgg(fig).get_renderer()).x1
    assert right<=plot.size[0] # nothing is cut

def test_pictures_of_few_items_and_of_a_flat_cloud(sparse, dls):
    assert len(plot_factors(sparse[1], sparse[0], (0, 1)).titled)==3
    flat = filled(dls)
    with torch.no_grad(): flat.item_factors[:,1:] = 0
    live = plot_factors(flat, dls, (0, 1), n_titles=40).live_data()
    assert len(live['x'])==40 and set(live['y'])=={0.5}

# ---- what a practitioner got past it

def test_long_names_and_line_breaks_do_not_fill_the_picture(model, dls):
    names = {i: f'a very long name\nof number {i} ' + 'x'*200 for i in dls.classes['movie'][1:]}
    plot = plot_factors(model, dls, n_titles=10, n_items=50, titles=names)
    assert plot.titled.name.str.endswith('…').all() and not plot.points.name.str.contains('\n').any()
    assert plot.points.full.str.contains('x'*200).all()

def test_huge_factors_still_have_ticks(model, dls):
    huge = copy.deepcopy(model)
    with torch.no_grad(): huge.item_factors.mul_(1e14)
    assert plot_factors(huge, dls, n_titles=3, n_items=50).png()[:4]==b'\x89PNG'

@pytest.mark.parametrize('kwargs, match',
                         [(dict(components=1), 'components must be'), (dict(components=None), 'components must be'),
                                           (dict(size=800), 'size must be'), (dict(size=(800, 600, 1)), 'size must be'),
                                           (dict(titles=['x']*25), 'indexed by item id')])
def test_arguments_of_another_kind_are_refused(model, dls, kwargs, match):
    with pytest.raises((TypeError, ValueError), match=match): plot_factors(model, dls, n_items=50, n_titles=3, **kwargs)

def test_part_of_a_date_is_no_item():
    days = pd.date_range('2024-01-01', periods=30)
    rng = np.random.default_rng(0)
    df = pd.DataFrame(dict(user=rng.integers(0, 9, 400), movie=days[rng.integers(0, 30, 400)],
                           rating=rng.integers(1, 6, 400)*1.)).drop_duplicates(['user', 'movie'])
    dls = RatingsDataLoaders.from_df(df, seed=0)
    model = DotProductBias(dls.n_users, dls.n_items, 3)
    with pytest.raises(ValueError, match='no item'): nearest(model, dls, '2024-01')
    assert len(nearest(model, dls, df.movie.mode()[0], 5))==5

def test_loaders_of_fastai_are_refused_with_the_way_out(model, dls):
    with pytest.raises(TypeError, match='from_fastai'): bias_ranking(model, dls.train)
