"Chapter 08: the network's shapes, gradients and equals, and feature tables that stay aligned with a vocabulary"
import copy

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.collab import CollabDataLoaders, EmbeddingNN
from fastai.tabular.all import Learner, MSELossFlat, get_emb_sz
from hypothesis import given, settings, strategies as st
from sklearn.preprocessing import MultiLabelBinarizer, OneHotEncoder, StandardScaler
from torch.testing import assert_close

from collab_course.tables import planted_ratings
from collab_course.dot_product import mse_on, quick_fit
from collab_course.embedding_nn import CollabNN
from collab_course.side_features import SideFeatureNN
from collab_course.features import feature_table
from collab_course.loaders import RatingsDataLoaders
from collab_course.vocab import na
from weights import big, rows

def feats(n, k, seed=0):
    t = torch.randn(n, k, generator=torch.Generator().manual_seed(seed))
    t[0] = 0
    return t

def side(u=5, uw=3, i=7, iw=2, uf=4, itf=6, **kwargs):
    return SideFeatureNN((u, uw), (i, iw), feats(u, uf), feats(i, itf, 1), **{'n_act': 8, **kwargs})

def make(kind, **kwargs): return CollabNN((5, 3), (7, 2), **{'n_act': 8, **kwargs}) if kind=='plain' else side(**kwargs)
both = pytest.mark.parametrize('kind', ['plain', 'side'])
quick = settings(deadline=None, max_examples=30)

@st.composite
def sizes(draw):
    ints = lambda lo,hi: draw(st.integers(lo, hi))
    return (ints(1, 12), ints(1, 5)), (ints(1, 12), ints(1, 5)), ints(1, 6), ints(0, 20), ints(0, 10**6)

def by_numpy(m, x, y_range):
    "Forward pass by hand"
    w = {k: v.detach().numpy().astype(np.float64) for k,v in m.state_dict().items()}
    u,i = x.numpy().T
    parts = [w['user_factors.weight'][u], w['item_factors.weight'][i]]
    if 'user_features' in w: parts += [w['user_features'][u], w['item_features'][i]]
    hidden = np.maximum(np.concatenate(parts, 1) @ w['layers.0.weight'].T + w['layers.0.bias'], 0)
    res = (hidden @ w['layers.2.weight'].T + w['layers.2.bias'])[:,0]
    if y_range is None: return res
    lo,hi = y_range
    return lo + (hi-lo)/(1 + np.exp(-res))

# what comes out

@quick
@given(sizes(), st.sampled_from([None, (0, 5.5), (1, 5), (-3, 8)]))
def test_predictions_equal_a_forward_pass_in_numpy(s, y_range):
    user_sz,item_sz,n_act,n,seed = s
    m,x = big(CollabNN(user_sz, item_sz, y_range, n_act), seed=seed),rows(user_sz[0], item_sz[0], n, seed)
    res = m(x)
    assert res.shape==(n,) and res.dtype==torch.float32
    np.testing.assert_allclose(res.detach(), by_numpy(m, x, y_range), rtol=1e-4, atol=1e-5)

@quick
@given(sizes(), st.integers(0, 4), st.integers(0, 4), st.sampled_from([None, (0, 5.5)]))
def test_predictions_with_features_equal_a_forward_pass_in_numpy(s, uf, itf, y_range):
    user_sz,item_sz,n_act,n,seed = s
    m = big(SideFeatureNN(user_sz, item_sz, feats(user_sz[0], uf, seed), feats(item_sz[0], itf, seed+1), y_range,
                          n_act), seed=seed)
    x = rows(user_sz[0], item_sz[0], n, seed)
    assert m.rows(x).shape==(n, user_sz[1]+item_sz[1]+uf+itf)
    np.testing.assert_allclose(m(x).detach(), by_numpy(m, x, y_range), rtol=1e-4, atol=1e-5)

@both
@pytest.mark.parametrize('training', [True, False])
def test_a_batch_of_one_gives_what_it_gives_among_others(kind, training):
    m,x = big(make(kind)).train(training),rows(5, 7, 9)
    whole = m(x)
    assert m(x[:1]).shape==(1,)
    assert_close(torch.cat([m(x[i:i+1]) for i in range(9)]), whole)

@both
def test_the_range_is_kept_and_none_lifts_it(kind):
    x = rows(5, 7, 200)
    free = big(make(kind, y_range=None), sd=2)
    ranged = big(make(kind), sd=2)
    assert free(x).max()>5.5 or free(x).min()<0
    assert_close(ranged(x), torch.sigmoid(free(x))*5.5)

def test_the_first_column_is_the_user():
    m = CollabNN((3, 2), (9, 4))
    assert m(torch.tensor([[2, 8]])).shape==(1,)
    with pytest.raises(IndexError): m(torch.tensor([[8, 2]]))

@both
@pytest.mark.parametrize('x', [torch.zeros(4, 3, dtype=torch.int64), torch.zeros(4, 1, dtype=torch.int64),
                               torch.zeros(2, dtype=torch.int64), torch.zeros(4, 2)],
                         ids=['three columns', 'one column', 'no batch', 'float ids'])
def test_input_of_the_wrong_shape_or_dtype_is_refused(kind, x):
    with pytest.raises((ValueError, IndexError, RuntimeError)): make(kind)(x)

@both
@pytest.mark.parametrize('pair', [[5, 0], [0, 7], [-1, 0]])
def test_a_row_that_the_tables_do_not_have_is_refused(kind, pair):
    with pytest.raises(IndexError): make(kind)(torch.tensor([pair]))

# what goes in

@pytest.mark.parametrize('sz,what', [(944, 'user_sz must be'), ((944,), 'user_sz must be'),
                                     ((944, 74, 1), 'user_sz must be'), ((0, 3), 'rows in user_sz'),
                                     ((5, -1), 'width in user_sz'), ((5., 3), 'rows in user_sz'),
                                     ((5, 2.5), 'width in user_sz'), ('ab', 'user_sz must be')])
def test_a_size_that_is_no_pair_of_whole_numbers_is_refused(sz, what):
    with pytest.raises(ValueError, match=what): CollabNN(sz, (7, 2))
    with pytest.raises(ValueError, match=what): SideFeatureNN(sz, (7, 2), None, None)

@both
@pytest.mark.parametrize('n_act', [0, -1, 2.5, True, None])
def test_less_than_one_activation_is_refused(kind, n_act):
    with pytest.raises(ValueError, match='n_act'): make(kind, n_act=n_act)

@both
def test_one_activation_is_enough(kind): assert make(kind, n_act=1)(rows(5, 7, 4)).shape==(4,)

def test_tables_of_width_0_leave_the_features():
    m = big(side(uw=0, iw=0))
    assert m.rows(rows(5, 7, 3)).shape==(3, 10)
    with pytest.raises(ValueError, match='no inputs'): CollabNN((5, 0), (7, 0))
    with pytest.raises(ValueError, match='no inputs'): SideFeatureNN((5, 0), (7, 0), None, None)

def test_the_sizes_of_get_emb_sz_fit():
    r = planted_ratings(n_users=30, n_items=20, n_ratings=300, seed=0).ratings
    dls = RatingsDataLoaders.from_df(r, seed=0, device='cpu')
    assert CollabNN(*get_emb_sz(dls))(dls.train_ds.x).shape==(len(dls.train_ds),)

@pytest.mark.parametrize('shape', [(4, 3), (6, 3), (5,), (5, 3, 1)])
def test_features_of_another_length_than_the_table_are_refused(shape):
    with pytest.raises(ValueError, match='user_features must have one row for each of the 5 rows'):
        SideFeatureNN((5, 3), (7, 2), torch.zeros(shape), None)
    with pytest.raises(ValueError, match='item_features must have one row for each of the 5 rows'):
        SideFeatureNN((7, 2), (5, 3), None, torch.zeros(shape))

@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_features_that_are_no_numbers_are_refused_with_their_row(bad):
    t = feats(7, 2)
    t[3, 1] = bad
    with pytest.raises(ValueError, match='item_features holds NaN or infinite numbers in row 3'):
        SideFeatureNN((5, 3), (7, 2), None, t)

@pytest.mark.parametrize('p', [-0.1, 1, 1.5])
def test_a_blank_share_outside_0_to_1_is_refused(p):
    with pytest.raises(ValueError, match='p_blank'): side(p_blank=p)

def test_features_may_be_a_frame_an_array_or_a_tensor_of_any_number_type():
    f = np.arange(10).reshape(5, 2)
    for o in (f, f.astype(np.float64), torch.tensor(f), pd.DataFrame(f), pd.DataFrame(f, index=list('abcde'))):
        m = SideFeatureNN((5, 3), (7, 2), o, None)
        assert m.user_features.dtype==torch.float32
        assert_close(m.user_features, torch.tensor(f, dtype=torch.float32))

def test_features_are_copied_not_shared():
    f = torch.ones(5, 2)
    m = SideFeatureNN((5, 3), (7, 2), f, None)
    f.zero_()
    assert (m.user_features==1).all()

# parameters and buffers

def test_all_weights_are_found_and_features_are_buffers():
    m = side()
    assert {n: tuple(p.shape) for n,p in m.named_parameters()}=={
        'user_factors.weight': (5, 3), 'item_factors.weight': (7, 2), 'layers.0.weight': (8, 15),
        'layers.0.bias': (8,), 'layers.2.weight': (1, 8), 'layers.2.bias': (1,)}
    assert {n: tuple(b.shape) for n,b in m.named_buffers()}=={'user_features': (5, 4), 'item_features': (7, 6)}
    assert {t.dtype for t in m.double().state_dict().values()}=={torch.float64}

@both
def test_a_state_dict_carries_the_whole_model(kind, tmp_path):
    m,x = big(make(kind)),rows(5, 7, 20)
    torch.save(m.state_dict(), tmp_path/'m.pth')
    other = make(kind)
    if kind=='side': other.user_features.zero_()
    assert not torch.allclose(other(x), m(x))
    other.load_state_dict(torch.load(tmp_path/'m.pth', weights_only=True))
    assert torch.equal(other(x), m(x))
    with pytest.raises(RuntimeError, match='size mismatch'):
        CollabNN((5, 3), (8, 2), n_act=8).load_state_dict(CollabNN((5, 3), (7, 2), n_act=8).state_dict())

def test_a_model_moves_as_a_whole():
    m = side().to('meta')
    assert {t.device.type for t in m.state_dict().values()}=={'meta'}
    assert m(torch.empty(4, 2, dtype=torch.int64, device='meta')).shape==(4,)

@both
def test_a_copy_shares_no_weights(kind):
    m,x = big(make(kind)),rows(5, 7, 20)
    twin,before = copy.deepcopy(m),m(x).detach()
    big(twin, sd=2, seed=1)
    assert torch.equal(m(x), before) and not torch.allclose(twin(x), before)

# gradients

@both
def test_only_rows_that_were_looked_up_get_a_gradient(kind):
    m,x = big(make(kind)),torch.tensor([[1, 2], [3, 2], [1, 6]])
    m(x).sum().backward()
    for table,want in ((m.user_factors, [1, 3]), (m.item_factors, [2, 6])):
        assert (table.weight.grad.abs().sum(1)>0).nonzero().flatten().tolist()==want
    assert all(p.grad.abs().sum()>0 for p in m.layers.parameters())

def test_features_get_no_gradient():
    m = big(side())
    m(rows(5, 7, 9)).sum().backward()
    assert m.user_features.grad is None and not m.user_features.requires_grad

@both
def test_gradients_are_those_of_finite_differences(kind):
    m,x = big(make(kind)).double(),rows(5, 7, 12)
    names,ps = zip(*((n, p.detach().requires_grad_()) for n,p in m.named_parameters()))
    assert torch.autograd.gradcheck(lambda *ps: torch.func.functional_call(m, dict(zip(names, ps)), (x,)), ps)

# equals

def test_without_features_it_is_the_plain_network():
    plain,m,x = big(CollabNN((5, 3), (7, 2), n_act=8)),SideFeatureNN((5, 3), (7, 2), None, None, n_act=8),rows(5, 7, 20)
    m.load_state_dict(plain.state_dict(), strict=False)
    assert_close(m(x), plain(x))

def test_it_is_fastais_network_with_one_layer_and_no_normalisation():
    m,x = big(CollabNN((5, 3), (7, 2), n_act=8)),rows(5, 7, 20)
    f = EmbeddingNN([(5, 3), (7, 2)], [8], y_range=(0, 5.5), use_bn=False, bn_cont=False)
    f.load_state_dict(dict(zip(f.state_dict(), m.state_dict().values())))
    assert_close(m(x), f(x).squeeze(1))

# blanking

def test_rows_are_blanked_in_training_only_and_features_never():
    m,x = big(side(p_blank=0.5)),rows(5, 7, 4000)
    torch.manual_seed(0)
    seen = m.train().rows(x)
    user_gone,item_gone = (seen[:,:3]==0).all(1),(seen[:,3:5]==0).all(1)
    assert abs(user_gone.float().mean()-0.5)<0.05 and abs(item_gone.float().mean()-0.5)<0.05
    assert abs((user_gone & item_gone).float().mean()-0.25)<0.05
    assert_close(seen[~user_gone][:,:3], m.user_factors(x[:,0])[~user_gone])
    assert_close(seen[:,5:], m.eval().rows(x)[:,5:])
    assert torch.equal(m(x), m(x))
    assert not (m.rows(x)[:,:5]==0).any()

def test_a_blanked_row_gets_no_gradient():
    m = big(side(p_blank=0.999)).train()
    torch.manual_seed(0)
    m(torch.tensor([[1, 2]])).sum().backward()
    assert m.user_factors.weight.grad.abs().sum()==0 and m.item_factors.weight.grad.abs().sum()==0

# training

@pytest.fixture(scope='module')
def planted(): return planted_ratings(n_users=200, n_items=100, n_ratings=8000, n_factors=2, noise=0.3, seed=0)

@pytest.mark.parametrize('with_learner', [False, True], ids=['quick_fit', 'Learner'])
@both
def test_it_learns_what_the_mean_rating_misses(planted, kind, with_learner, tmp_path):
    dls = RatingsDataLoaders.from_df(planted.ratings, seed=0, bs=128, path=tmp_path, device='cpu')
    torch.manual_seed(0)
    u,i = (dls.n_users, 8),(dls.n_items, 8)
    if kind=='plain': m = CollabNN(u, i)
    else: m = SideFeatureNN(u, i, feats(dls.n_users, 3), feats(dls.n_items, 3), p_blank=0.1)
    if with_learner:
        learn = Learner(dls, m, loss_func=MSELossFlat())
        with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(5, 1e-2)
        assert_close(learn.get_preds()[0], torch.cat([m.eval()(x) for x,_ in dls.valid]).detach())
    else: quick_fit(m, dls, lr=1e-2)
    assert mse_on(m, dls.valid) < 0.6*dls.valid_ds.y.var()

def test_learner_and_quick_fit_take_the_same_steps(planted):
    res = []
    for with_learner in (False, True):
        dls = RatingsDataLoaders.from_df(planted.ratings, seed=0, bs=128, device='cpu')
        torch.manual_seed(0)
        m = CollabNN((dls.n_users, 8), (dls.n_items, 8))
        if with_learner:
            learn = Learner(dls, m, loss_func=MSELossFlat())
            with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(3, 1e-2)
        else: quick_fit(m, dls, n_epoch=3, lr=1e-2)
        res.append(mse_on(m, dls.valid))
    assert abs(res[0]-res[1])<5e-3

def test_it_trains_on_fastais_loaders(planted):
    dls = CollabDataLoaders.from_df(planted.ratings, user_name='user', item_name='movie', rating_name='rating',
                                    seed=0, bs=128, device='cpu')
    torch.manual_seed(0)
    learn = Learner(dls, CollabNN(*get_emb_sz(dls)), loss_func=MSELossFlat())
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(3, 1e-2)
    assert learn.recorder.values[-1][1] < 0.7*planted.ratings.rating.var()

def test_features_carry_over_to_items_without_a_rating():
    "Items differ by one known feature alone, and half of them have no training row"
    rng = np.random.default_rng(0)
    good = pd.Series(rng.random(200)<0.5, index=range(200))
    r = pd.DataFrame({'user': rng.integers(0, 50, 6000), 'movie': rng.integers(0, 200, 6000)}).drop_duplicates()
    r['rating'] = np.where(r.movie.map(good), 4., 2.) + rng.normal(0, 0.1, len(r))
    split = [np.flatnonzero(r.movie%2==k) for k in (0, 1)]
    dls = RatingsDataLoaders.from_df(r, splits=split, bs=64, seed=0, rating_range=(0, 6), device='cpu')
    t = feature_table(pd.DataFrame({'movie': range(200), 'good': good.to_numpy(int)}), 'movie',
                      dls.classes['movie'], numbers=['good'])
    def fit(features):
        torch.manual_seed(0)
        return quick_fit(SideFeatureNN((dls.n_users, 4), (dls.n_items, 4), None, features, p_blank=0.3), dls, lr=1e-2)
    assert fit(t) < 0.1 < 0.8 < fit(None)

# feature tables

@pytest.fixture
def frame():
    return pd.DataFrame({'id': [3, 1, 2], 'sex': ['F', 'M', 'F'], 'tags': ['b|a', '', 'c'], 'age': [20, 30, 40],
                         'height': [1.5, 2., 2.5]})

vocab = [na, 1, 2, 3]

def test_rows_follow_the_vocabulary_whatever_the_order_of_the_frame(frame):
    t = feature_table(frame, 'id', vocab, one_hot=['sex'], multi_hot=['tags'])
    want = pd.DataFrame([[0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 0, 1], [1, 0, 1, 1, 0]], index=vocab,
                        columns=['sex: F', 'sex: M', 'tags: a', 'tags: b', 'tags: c']).astype('float32')
    pd.testing.assert_frame_equal(t, want, check_index_type=False)
    pd.testing.assert_frame_equal(t, feature_table(frame.iloc[::-1].set_axis([9, 9, 9]), 'id', vocab,
                                                   one_hot=['sex'], multi_hot=['tags']))
    back = feature_table(frame, 'id', [na, 3, 2, 1], one_hot=['sex'], multi_hot=['tags'])
    np.testing.assert_array_equal(back.to_numpy()[[0, 3, 2, 1]], t.to_numpy())

@quick
@given(st.integers(2, 40), st.integers(0, 10**6))
def test_it_agrees_with_sklearn(n, seed):
    rng = np.random.default_rng(seed)
    f = pd.DataFrame({'id': rng.permutation(n), 'kind': rng.choice(list('xyz'), n), 'age': rng.normal(40, 9, n),
                      'tags': ['|'.join(rng.permutation(list('abcd'))[:rng.integers(0, 4)]) for _ in range(n)]})
    t = feature_table(f, 'id', [na, *range(n)], one_hot=['kind'], multi_hot=['tags'], numbers=['age'])
    s = f.sort_values('id')
    kinds = OneHotEncoder().fit_transform(s[['kind']]).toarray()
    tags = MultiLabelBinarizer().fit_transform([[o for o in v.split('|') if o] for v in s.tags])
    want = np.concatenate([kinds, tags, StandardScaler().fit_transform(s[['age']])], 1)
    assert t.shape==(n+1, want.shape[1]) and not t.iloc[0].any() and set(t.dtypes)=={np.dtype('float32')}
    np.testing.assert_allclose(t.iloc[1:], want, rtol=1e-4, atol=1e-5)

def test_scales_and_columns_come_from_the_rows_that_decide(frame):
    t = feature_table(frame, 'id', vocab, one_hot=['sex'], multi_hot=['tags'], numbers=['age'],
                      fit_rows=torch.tensor([2, 3, 3, 3, 3]))
    assert t.columns.tolist()==['sex: F', 'tags: a', 'tags: b', 'tags: c', 'age']
    np.testing.assert_allclose(t.age, [0, -0.0, 1, -1]) # mean 30, deviation 10 of ids 2 and 3, each counted once
    assert t['sex: F'].tolist()==[0, 0, 1, 1]
    u = feature_table(frame, 'id', vocab, multi_hot=['tags'], numbers=['age'], fit_rows=[1, 2])
    assert u.columns.tolist()==['tags: c', 'age']
    assert u.age.tolist()==[0, -1, 1, -3] and u['tags: c'].tolist()==[0, 0, 1, 0]

def test_row_0_among_the_rows_that_decide_changes_nothing(frame):
    with_na = feature_table(frame, 'id', vocab, numbers=['age'], fit_rows=[0, 1, 2, 3])
    pd.testing.assert_frame_equal(with_na, feature_table(frame, 'id', vocab, numbers=['age']))

def test_a_column_of_equal_numbers_becomes_zeros(frame):
    assert not feature_table(frame.assign(age=7), 'id', vocab, numbers=['age']).to_numpy().any()

def test_an_id_without_features_is_named_or_gets_zeros(frame):
    longer = [na, 1, 2, 3, 77]
    with pytest.raises(ValueError, match=r"1 ids have no row in the features, such as \[77\]"):
        feature_table(frame, 'id', longer, numbers=['age'])
    t = feature_table(frame, 'id', longer, one_hot=['sex'], numbers=['age'], on_missing='zero')
    assert t.loc[77].tolist()==[0, 0, 0]
    pd.testing.assert_frame_equal(t.iloc[:4], feature_table(frame, 'id', vocab, one_hot=['sex'], numbers=['age']))

def test_features_of_ids_outside_the_vocabulary_are_left_out(frame):
    t = feature_table(frame, 'id', [na, 1, 3], one_hot=['sex'], numbers=['age'])
    assert t.index.tolist()==[na, 1, 3] and t.age.tolist()==[0, 1, -1]

def test_an_id_with_two_rows_is_refused(frame):
    with pytest.raises(ValueError, match="'id' holds 3 more than once"):
        feature_table(pd.concat([frame, frame[:1]]), 'id', vocab, numbers=['age'])

@pytest.mark.parametrize('column,args', [('age', {'numbers': ['age']}), ('sex', {'one_hot': ['sex']}),
                                         ('tags', {'multi_hot': ['tags']})])
def test_a_missing_value_is_refused_with_its_column_and_id(frame, column, args):
    f = frame.astype({column: object})
    f.loc[1, column] = None
    with pytest.raises(ValueError, match=rf"'{column}' has no value for 1 ids, such as \[1\]"):
        feature_table(f, 'id', vocab, **args)

def test_infinite_and_textual_numbers_are_refused(frame):
    with pytest.raises(ValueError, match="'height' is infinite for 2"):
        feature_table(frame.assign(height=[1., 1., np.inf]), 'id', vocab, numbers=['height'])
    with pytest.raises(ValueError, match="'sex' is not numeric: it holds 'M'"):
        feature_table(frame, 'id', vocab, numbers=['sex'])

def test_a_bag_that_is_no_string_is_refused(frame):
    with pytest.raises(ValueError, match="'age' must hold strings"):
        feature_table(frame, 'id', vocab, multi_hot=['age'])

def test_ids_of_another_type_than_the_vocabulary_are_refused(frame):
    with pytest.raises(ValueError, match='another type'):
        feature_table(frame.astype({'id': str}), 'id', vocab, numbers=['age'])
    with pytest.raises(ValueError, match='another type'):
        feature_table(frame.astype({'id': str}), 'id', vocab, numbers=['age'], on_missing='zero')

@pytest.mark.parametrize('args,what',
                         [({'numbers': 'age'}, r"numbers is a list of columns: write numbers=\['age'\]"),
                          ({'numbers': ['agee']}, "no column 'agee'"),
                                       ({'numbers': ['age'], 'on_missing': 'skip'}, 'on_missing'), ({}, 'no columns'),
                                       ({'numbers': ['age'], 'fit_rows': [0]}, 'no id with features'),
                                       ({'numbers': ['age'], 'fit_rows': [4]}, 'fit_rows'),
                                       ({'numbers': ['age'], 'fit_rows': [-1]}, 'fit_rows'),
                                       ({'numbers': ['age'], 'fit_rows': [True, False, True, True]}, 'fit_rows')])
def test_arguments_that_fit_nothing_are_refused(frame, args, what):
    with pytest.raises(ValueError, match=what): feature_table(frame, 'id', vocab, **args)

def test_strings_as_ids_and_other_separators_work():
    f = pd.DataFrame({'film': ['b', 'a'], 'genres': ['x, y', 'y']})
    t = feature_table(f, 'film', [na, 'a', 'b'], multi_hot=['genres'], sep=', ')
    assert t.columns.tolist()==['genres: x', 'genres: y'] and t.to_numpy().tolist()==[[0, 0], [0, 1], [1, 1]]

def test_tuples_as_ids_work():
    f = pd.DataFrame({'film': [('a', 2), ('a', 1)], 'age': [1, 3]})
    t = feature_table(f, 'film', [na, ('a', 1), ('a', 2), ('b', 1)], numbers=['age'], on_missing='zero')
    assert t.age.tolist()==[0, 1, -1, 0]

def test_the_frame_stays_as_it_was(frame):
    before = frame.copy()
    feature_table(frame, 'id', vocab, one_hot=['sex'], multi_hot=['tags'], numbers=['age'])
    pd.testing.assert_frame_equal(frame, before)

def test_a_constant_number_is_zero_for_everybody_it_was_fitted_on():
    frame = pd.DataFrame(dict(u=range(8), x=[.1]*7 + [.2]))
    x = feature_table(frame, 'u', [na, *range(8)], numbers=['x'], fit_rows=range(1, 8)).x
    assert x[:8].abs().max()<1e-6 and abs(x[7])<1

@pytest.mark.parametrize('frame, lists', [(dict(u=[1, 2], v=pd.Series([1, '1'], dtype=object)), dict(one_hot=['v'])),
    ({'u': [1, 2], 'a': ['b: c', 'd'], 'a: b': ['c', 'e']}, dict(one_hot=['a', 'a: b'])),
    ({'u': [1, 2], 'job': ['x', 'y'], 'job: x': [1., 2.]}, dict(one_hot=['job'], numbers=['job: x']))])
def test_features_that_would_share_a_name_are_refused(frame, lists):
    with pytest.raises(ValueError, match='written alike|second feature'):
        feature_table(pd.DataFrame(frame), 'u', [na, 1, 2], **lists)

@pytest.mark.parametrize('vocab', [[1, 2], [], {'u': [na, 1, 2]}])
def test_a_vocabulary_must_begin_with_na(vocab):
    with pytest.raises(ValueError, match='one vocabulary'):
        feature_table(pd.DataFrame(dict(u=[1, 2], x=[1., 2.])), 'u', vocab, numbers=['x'])

def test_a_table_that_is_none_or_has_a_column_twice_is_refused():
    with pytest.raises(TypeError, match='pass a DataFrame'): feature_table({'u': [1]}, 'u', [na, 1], numbers=['x'])
    twice = pd.DataFrame([[1, 2., 3.]], columns=['u', 'x', 'x'])
    with pytest.raises(ValueError, match='several columns'): feature_table(twice, 'u', [na, 1], numbers=['x'])

def test_blanks_around_the_values_of_a_bag_do_not_make_new_values():
    t = feature_table(pd.DataFrame(dict(u=[1, 2], g=['x | y', 'y|x'])), 'u', [na, 1, 2], multi_hot=['g'])
    assert list(t)==['g: x', 'g: y'] and t.iloc[1:].eq(1).all(axis=None)
