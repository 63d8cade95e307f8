"Served models: numpy gives what PyTorch gives, in every batch; fold-in is least squares; arrays are checked"
import subprocess, sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

from collab_course.create_params import DotProductBias
from collab_course.folding import addends, fold_loss, fold_row, fold_rows, ridge, scores_of
from collab_course.served import DotProductTables, NetworkTables, activations, from_state, served_kinds, torch_layer

quick = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**32 - 1)
ranges = st.sampled_from([None, (0, 5.5), (-3, 12)])
N_USERS,N_ITEMS = 9,13
TORCH = dict(relu=nn.ReLU, sigmoid=nn.Sigmoid, tanh=nn.Tanh, silu=nn.SiLU, mish=nn.Mish)

def dot(seed=0, n_factors=4, y_range=(0, 5.5)):
    rng = np.random.default_rng(seed)
    return DotProductTables(*(rng.normal(0, 0.5, s)
                              for s in ((N_USERS, n_factors), N_USERS, (N_ITEMS, n_factors), N_ITEMS)), y_range)

def network(seed=0, names=('relu', 'mish'), y_range=(0, 5.5)):
    rng = np.random.default_rng(seed)
    widths = [7, *rng.integers(1, 90, len(names)), 1]
    layers = []
    for k,name in enumerate([*names, None]):
        layers.append((rng.normal(size=(widths[k+1], widths[k]))/widths[k]**0.5, rng.normal(size=widths[k+1])))
        if name: layers.append(name)
    return NetworkTables(rng.normal(size=(N_USERS, 4)), rng.normal(size=(N_ITEMS, 3)), layers, y_range)

def both(seed, n_factors=4, names=('relu',), y_range=(0, 5.5)):
    return [dot(seed, n_factors, y_range), network(seed, names, y_range)]
def every_pair(): return np.repeat(np.arange(N_USERS), N_ITEMS),np.tile(np.arange(N_ITEMS), N_USERS)

names = st.lists(st.sampled_from([*activations]), max_size=3)

@quick
@given(seeds, st.sampled_from([0, 1, 4, 50]), names, ranges)
def test_predictions_are_those_of_torch(seed, n_factors, names, y_range):
    users,items = every_pair()
    for model in both(seed, n_factors, names, y_range):
        theirs = model.to_torch().double()(torch.from_numpy(np.stack([users, items], 1))).numpy()
        np.testing.assert_allclose(model.predict(users, items), theirs, rtol=1e-6, atol=1e-6)
        assert model.predict(users, items).dtype == np.float32

@quick
@given(seeds, names)
def test_a_prediction_is_the_same_in_every_batch(seed, names):
    "Bit for bit: alone, among others in any order, in a batch of any length"
    rng = np.random.default_rng(seed)
    users,items = every_pair()
    for model in both(seed, 50, names):
        expected = dict(zip(zip(users.tolist(), items.tolist()), model.exact_scores(users, items)))
        for n in (1, 2, 3, 63, 64, 65, 200):
            u,i = rng.integers(0, N_USERS, n),rng.integers(0, N_ITEMS, n)
            assert model.exact_scores(u, i).tolist() == [expected[pair] for pair in zip(u.tolist(), i.tolist())]

def test_a_million_pairs_are_predicted_in_blocks():
    users,items = np.random.default_rng(0).integers(0, 9, (2, 100_000))
    for model in both(0):
        whole = model.predict(users, items)
        assert whole[70_000:70_010].tolist() == model.predict(users[70_000:70_010], items[70_000:70_010]).tolist()
        assert model.predict(users[:0], items[:0]).shape == (0,)

@quick
@given(seeds, names, ranges)
def test_raw_scores_are_the_exact_ones_up_to_rounding(seed, names, y_range):
    users,items = every_pair()
    for model in both(seed, 4, names, y_range):
        exact = model.exact_scores(users, items).reshape(N_USERS, N_ITEMS)
        np.testing.assert_allclose(model.raw_scores(np.arange(N_USERS)), exact, rtol=1e-4, atol=1e-5)
        through = model.through_range(exact, np.arange(N_USERS)).ravel()
        np.testing.assert_allclose(through, model.predict(users, items), rtol=1e-6)
    np.testing.assert_allclose(network(seed).raw_scores(np.arange(5), numbers=1),
                               network(seed).raw_scores(np.arange(5)), rtol=1e-4, atol=1e-5)

@quick
@given(seeds, names)
def test_slopes_are_those_of_autograd(seed, names):
    items = np.array([1, 5, 5, 9])
    for model in both(seed, 4, names):
        row = model.user_rows[3].astype(np.float64)
        raw,slopes = model.slopes(row, items)
        np.testing.assert_allclose(raw, model.exact_scores(np.full(4, 3), items), rtol=1e-9, atol=1e-9)
        if model.linear: continue
        x = torch.tensor(row).expand(4, -1).clone().requires_grad_()
        net = nn.Sequential(*map(torch_layer, model.layers)).double()
        out = net(torch.cat([x, torch.tensor(model.item_rows[items]).double()], 1)).squeeze(1)
        np.testing.assert_allclose(slopes, torch.autograd.grad(out.sum(), x)[0].numpy(), rtol=1e-8, atol=1e-10)

@pytest.mark.parametrize('name', activations)
def test_activations_are_those_of_torch(name):
    x = np.concatenate([np.linspace(-40, 40, 997), [0, -1e3, 1e3, -1e-30]])
    f,slope = activations[name]
    t = torch.tensor(x, requires_grad=True)
    y = TORCH[name]()(t)
    y.sum().backward()
    np.testing.assert_allclose(f(x), y.detach().numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope(x), t.grad.numpy(), rtol=1e-7, atol=1e-12)
    assert f(x.astype(np.float32)).dtype == np.float32

def test_a_torch_model_of_tables_is_equal_and_draws_no_random_number():
    before = torch.get_rng_state()
    model = dot()
    m = model.to_torch()
    assert type(m) is DotProductBias and not any(p.requires_grad for p in m.parameters()) and not m.training
    assert all((getattr(m, k).numpy()==v).all() for k,v in model.state().items())
    assert not any(p.requires_grad for p in network().to_torch().parameters())
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad(): m.item_bias[1] = 99
    assert model.item_bias[1] != 99

@quick
@given(seeds)
def test_other_users_and_other_row_0(seed):
    users,items = every_pair()
    for model in both(seed):
        order = np.random.default_rng(seed).permutation(N_USERS)
        other = model.with_user_rows(model.user_rows[order])
        assert other.predict(users, items).tolist() == model.predict(order[users], items).tolist()
        assert other.n_users == N_USERS
        named = model.with_row0(model.user_rows[4], model.item_rows[6])
        zero = lambda rows, r: np.where(rows==0, r, rows)
        assert named.predict(users, items).tolist() == model.predict(zero(users, 4), zero(items, 6)).tolist()
        assert (model.user_rows[0] != model.user_rows[4]).any()

def test_parts_add_up_to_the_score():
    model = dot()
    parts = model.parts(3, 7)
    assert parts['item_bias'] + parts['user_bias'] + parts['factors'].sum() == pytest.approx(
        model.exact_scores(np.array([3]), np.array([7]))[0])
    assert network().parts(3, 7) is None

def test_a_model_says_what_it_is():
    assert (dot().describe(), dot().n_factors, dot().n_users, dot().n_items) == ('4 factors', 4, N_USERS, N_ITEMS)
    assert (network().describe(), network().n_factors, network().n_users, network().n_items) == ('a network', None,
        N_USERS, N_ITEMS)
    assert dot(y_range=[0, 5]).y_range == (0., 5.) and dot(y_range=None).y_range is None
    assert all(served_kinds[m.kind] is type(m) for m in both(0))

# --- fold-in

@quick
@given(seeds, st.integers(1, 12), st.sampled_from([0.5, 10., 100.]))
def test_a_dot_product_folds_in_by_one_ridge(seed, n, penalty):
    rng = np.random.default_rng(seed)
    model,items,y = dot(seed),rng.permutation(N_ITEMS)[:n],rng.uniform(1, 5, n)
    centre = model.user_rows[1:].mean(0, dtype=np.float64)
    row = fold_rows(model, np.zeros(n, int), items, y, penalty, centre)[0]
    X = np.c_[model.item_factors[items], np.ones(n)].astype(float)
    left = np.r_[X, penalty**0.5*np.eye(5)]
    right = np.r_[scores_of(y, model.y_range) - model.item_bias[items], penalty**0.5*centre]
    np.testing.assert_allclose(row, np.linalg.lstsq(left, right, rcond=None)[0], rtol=1e-7, atol=1e-9)

@quick
@given(seeds, names)
def test_a_network_folds_in_to_a_row_that_is_better_than_the_centre(seed, names):
    model,items,scores = network(seed, names),np.array([1, 4, 9, 11]),scores_of(np.array([5., 4, 1, 2]), (0, 5.5))
    centre = model.user_rows[1:].mean(0, dtype=np.float64)
    row = fold_row(model, items, scores, 1., centre)
    assert fold_loss(model, row, items, scores, 1., centre) <= fold_loss(model, centre, items, scores, 1., centre)

@pytest.mark.parametrize('name', ['sigmoid', 'tanh', 'silu', 'mish'])
def test_a_smooth_network_folds_in_to_a_row_that_no_small_step_betters(name):
    "A straight line may end at a kink such as that of `relu`; far from the ratings the last digits come slowly"
    rng = np.random.default_rng(0)
    items,scores = np.array([1, 4, 9, 11]),scores_of(np.array([5., 4, 1, 2]), (0, 5.5))
    for seed in range(20):
        model = network(seed, [name])
        centre = model.user_rows[1:].mean(0, dtype=np.float64)
        row = fold_row(model, items, scores, 1., centre, 200)
        loss = lambda w: fold_loss(model, w, items, scores, 1., centre)
        assert all(loss(row + 0.02*rng.normal(size=4)) > loss(row) - 1e-4 for _ in range(50))

def test_newcomers_are_folded_in_one_by_one():
    model,centre = dot(),np.zeros(5)
    who,items,y = np.array([1, 0, 1]),np.array([2, 3, 4]),np.array([5., 1, 2])
    rows = fold_rows(model, who, items, y, 1., centre)
    assert rows.shape == (2, 5)
    assert rows[0].tolist() == fold_rows(model, who[[1]]*0, items[[1]], y[[1]], 1., centre)[0].tolist()

def test_the_centre_stays_where_the_penalty_is_high():
    centre = np.arange(5.)
    np.testing.assert_allclose(fold_row(dot(), np.array([1]), np.array([9.]), 1e12, centre), centre, atol=1e-9)
    np.testing.assert_allclose(ridge(np.zeros((0, 5)), np.zeros(0), 3., centre), centre)

def test_addends_add_up_to_what_folding_changed():
    items,y,centre = np.array([1, 4, 9]),np.array([5., 4, 1]),np.zeros(5)
    model = dot()
    row = fold_rows(model, np.zeros(3, int), items, y, 2., centre)[0]
    parts,level = addends(model, 7, items, y, 2., centre)
    before,after = (model.slopes(w, np.array([7]))[0][0] for w in (centre, row))
    assert parts.sum() + level == pytest.approx(after - before) and level == pytest.approx(row[-1])
    parts,level = addends(network(), 7, items, y, 2., np.zeros(4))
    assert len(parts) == 3 and level == 0

def test_a_range_that_ends_at_the_ratings_cannot_be_turned_round():
    with pytest.raises(ValueError, match='wider y_range'): scores_of(np.array([1., 5.]), (0, 5))
    assert scores_of(np.array([1., 5.]), None).tolist() == [1, 5]

# --- arrays of strangers

@quick
@given(seeds, names, ranges)
def test_a_model_comes_back_from_its_state(seed, names, y_range):
    users,items = every_pair()
    for model in both(seed, 4, names, y_range):
        again = from_state(model.state(), model.settings(), N_USERS, N_ITEMS)
        assert again.predict(users, items).tolist() == model.predict(users, items).tolist()
        assert again.settings() == model.settings() and again.y_range == model.y_range

def put(name, value): return lambda arrays,settings: (arrays if name in arrays or name=='evil' else settings).update(
    {name: value(arrays.get(name)) if callable(value) else value})
def drop(name): return lambda arrays,settings: arrays.pop(name)
def first(value):
    def f(a):
        a = a.copy()
        a.flat[0] = value
        return a
    return f

DOT = {
    'a kind that nobody knows': (put('model', 'pickle'), "can't serve a model of kind 'pickle'"),
    'a kind that is a list': (put('model', ['network']), "can't serve"),
    'another kind': (put('model', 'network'), 'not those of such a model'),
    'layers': (put('layers', ['linear']), 'has no layers'),
    'layers that are a text': (put('layers', 'linear'), 'layers must be a list of names'),
    'a range the wrong way round': (put('y_range', [5.5, 0.]), 'y_range must be'),
    'an empty range': (put('y_range', [0., 0.]), 'y_range must be'),
    'half a range': (put('y_range', [0.]), 'y_range must be'),
    'a range of whole numbers': (put('y_range', [0, 5]), 'y_range must be'),
    'a range in words': (put('y_range', 'none'), 'y_range must be'),
    'an infinite range': (put('y_range', [0., np.inf]), 'y_range must be'),
    'a bias missing': (drop('user_bias'), "not those of such a model: .*user_bias"),
    'one array more': (put('evil', np.ones(1)), "evil"),
    'a user less': (put('user_factors', lambda a: a[:-1]), 'user_factors must have the shape'),
    'a factor less': (put('user_factors', lambda a: a[:,:-1]), 'item_factors must have the shape'),
    'doubles': (put('item_factors', lambda a: a.astype(float)), 'item_factors must hold float32, not float64'),
    'a bias as a column': (put('item_bias', lambda a: a[:,None]), 'item_bias must have the shape'),
    'NaN': (put('item_bias', first(np.nan)), 'item_bias holds NaN'),
    'infinity': (put('user_factors', first(np.inf)), 'user_factors holds NaN or infinite'),
    'a row for a table': (put('user_factors', lambda a: a[0]), 'user_factors must have the shape')}

NET = {
    'no layers': (put('layers', []), 'not those of such a model'),
    'a layer less': (put('layers', ['linear', 'relu']), 'not those of such a model'),
    'a layer that runs': (put('layers', ['linear', 'eval', 'linear']), "not 'eval'"),
    'an activation first': (put('layers', ['relu', 'linear', 'linear']), 'not those'),
    'another kind': (put('model', 'dot product'), 'no layers|not those'),
    'three linear layers': (put('layers', ['linear']*3), 'not those'),
    'a list in a list': (put('layers', [['linear']]), 'list of names'),
    'an input less': (put('layers.0.weight', lambda a: a[:,:-1]), 'does not fit 7 inputs'),
    'two outputs': (put('layers.2.weight', lambda a: np.concatenate([a, a])), 'does not fit'),
    'a bias that is a number': (put('layers.2.bias', lambda a: a[0]), 'layers.2.bias must have the shape'),
    'a bias less': (put('layers.0.bias', lambda a: a[:-1]), 'does not fit'),
    'no bias': (drop('layers.2.bias'), 'not those'),
    'narrow rows': (put('user_rows', lambda a: a[:,:2]), 'does not fit 5 inputs'),
    'one row': (put('user_rows', lambda a: a[0]), 'user_rows must have'),
    'NaN': (put('layers.0.weight', first(np.nan)), 'layers.0.weight holds NaN')}

@pytest.mark.parametrize('kind,case', [*(('dot', o) for o in DOT), *(('net', o) for o in NET)])
def test_arrays_that_do_not_fit_are_refused(kind, case):
    model = dot() if kind=='dot' else network(names=['relu'])
    change,why = (DOT if kind=='dot' else NET)[case]
    arrays,settings = model.state(),model.settings()
    change(arrays, settings)
    with pytest.raises(ValueError, match=why): from_state(arrays, settings, N_USERS, N_ITEMS)

def test_serving_needs_no_torch(root):
    code = (
        "import sys, numpy as np; from collab_course.served import *; from collab_course.ranking import *; from "
        "collab_course.folding import *; from collab_course.bundle import *\n"
            "m = DotProductTables(np.ones((3, 2)), np.ones(3), np.ones((4, 2)), np.ones(4), (0, 5.5))\n"
            "rank_items(m, [1], 2, np.ones(4, bool)); fold_rows(m, np.zeros(1, int), np.array([1]), np.array([3.]), "
            "1., np.zeros(3))\n"
            "print(sorted({'torch', 'fastai', 'matplotlib', 'safetensors'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                          cwd=root).stdout == '[]\n'
