"Chapters 02, 04 and 05: shapes, ranges and gradients of the models, equals in fastai, and planted factors found"
import copy

import numpy as np
import pytest
import torch
from fastai.collab import EmbeddingDotBias
from fastai.tabular.all import Embedding, Learner, Module, MSELossFlat, sigmoid_range
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from collab_course.create_params import DotProductBias, create_params
from collab_course.tables import planted_ratings
from collab_course.dot_product import DotProduct, mse_on, quick_fit
from collab_course.embedding_nn import CollabNN
from collab_course.loaders import RatingsDataLoaders
from weights import big, rows

MODELS = [DotProduct, DotProductBias]
both = pytest.mark.parametrize('cls', MODELS)

@st.composite
def sizes(draw): return tuple(draw(st.integers(*o)) for o in ((1, 12), (1, 12), (1, 6), (0, 20), (0, 10**6)))

quick = settings(deadline=None, max_examples=30)

# what comes out

@both
@quick
@given(sizes())
def test_any_number_of_pairs_gives_as_many_float32_predictions(cls, s):
    n_users, n_items, k, n, seed = s
    res = big(cls(n_users, n_items, k), seed=seed)(rows(n_users, n_items, n, seed))
    assert res.shape==(n,) and res.dtype==torch.float32

@both
def test_a_batch_of_one_keeps_its_axis_and_its_loss(cls):
    m, x = big(cls(5, 7, 3)), rows(5, 7, 9)
    whole = m(x)
    assert_close(torch.cat([m(x[i:i+1]) for i in range(9)]), whole)
    y = torch.tensor([3.])
    assert m(x[:1]).shape==y.shape
    assert_close(F.mse_loss(m(x[:1]), y), (whole[0]-3)**2)

@both
@quick
@given(sizes(), st.integers(0, 10**6))
def test_the_order_of_the_pairs_does_not_matter(cls, s, seed):
    n_users, n_items, k, n, _ = s
    m, x = big(cls(n_users, n_items, k)), rows(n_users, n_items, n)
    p = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    assert_close(m(x[p]), m(x)[p])

def test_the_first_column_is_the_user():
    for cls in MODELS:
        m = cls(3, 9, 2)
        assert m(torch.tensor([[2, 8]])).shape==(1,)
        with pytest.raises(IndexError): m(torch.tensor([[8, 2]]))

def test_without_a_range_the_prediction_is_the_plain_sum():
    x = rows(5, 7, 20)
    u, i = x.numpy().T
    m = big(DotProduct(5, 7, 3, y_range=None))
    uf, itf = (t.weight.detach().numpy() for t in (m.user_factors, m.item_factors))
    np.testing.assert_allclose(m(x).detach(), np.einsum('nf,nf->n', uf[u], itf[i]), rtol=1e-5, atol=1e-6)
    b = big(DotProductBias(5, 7, 3, y_range=None))
    uf, ub, itf, ib = (p.detach().numpy() for p in (b.user_factors, b.user_bias, b.item_factors, b.item_bias))
    np.testing.assert_allclose(b(x).detach(), np.einsum('nf,nf->n', uf[u], itf[i]) + ub[u] + ib[i], rtol=1e-5,
                               atol=1e-6)

@both
@pytest.mark.parametrize('lo,hi', [(0, 5.5), (1, 5), (-10, 10), (0.5, 0.75)])
def test_predictions_stay_within_the_range_and_start_in_its_middle(cls, lo, hi):
    x = rows(30, 40, 500)
    res = big(cls(30, 40, 4, y_range=(lo, hi)), sd=1)(x)
    assert lo<res.min() and res.max()<hi and res.std()>0.1*(hi-lo)
    assert_close(cls(30, 40, 4, y_range=(lo, hi))(x), torch.full((500,), (lo+hi)/2), atol=0.02*(hi-lo), rtol=0)

@both
def test_the_default_range_is_0_to_5_5(cls):
    x = rows(5, 7, 20)
    m = big(cls(5, 7, 3))
    want = big(cls(5, 7, 3, y_range=None))(x)
    assert_close(m(x), torch.sigmoid(want)*5.5)

@both
@pytest.mark.parametrize('x', [torch.zeros(4, 3, dtype=torch.int64), torch.zeros(4, 1, dtype=torch.int64),
                               torch.zeros(2, dtype=torch.int64), torch.zeros(4, 2)],
                         ids=['three columns', 'one column', 'no batch', 'float ids'])
def test_input_of_the_wrong_shape_or_dtype_is_refused(cls, x):
    with pytest.raises((ValueError, IndexError, RuntimeError)): cls(5, 7, 3)(x)

# parameters

def test_all_tables_are_found_and_nothing_else():
    dot, bias = DotProduct(944, 1665, 50), DotProductBias(944, 1665, 50)
    shapes = {n: tuple(p.shape) for n,p in dot.named_parameters()}
    assert shapes=={'user_factors.weight': (944, 50), 'item_factors.weight': (1665, 50)}
    assert {n: tuple(p.shape) for n,p in bias.named_parameters()}=={
        'user_factors': (944, 50), 'user_bias': (944,), 'item_factors': (1665, 50), 'item_bias': (1665,)}
    for m in (dot, bias): assert list(m.state_dict())==[n for n,_ in m.named_parameters()]
    assert all(p.requires_grad and p.dtype==torch.float32 for m in (dot, bias) for p in m.parameters())

@quick
@given(st.lists(st.integers(0, 9), min_size=1, max_size=3))
def test_create_params_gives_a_trainable_parameter_of_any_size(size):
    p = create_params(size)
    assert type(p) is nn.Parameter and list(p.shape)==size and p.requires_grad and p.is_leaf and p.dtype==torch.float32

def test_create_params_draws_small_normal_numbers_from_torchs_generator():
    torch.manual_seed(3)
    a = create_params([400, 100])
    b = create_params([400, 100])
    torch.manual_seed(3)
    assert_close(a, create_params([400, 100]))
    assert not torch.equal(a, b)
    assert abs(a.mean())<3e-4 and abs(a.std()-0.01)<2e-4
    assert 0.02<a.abs().max()<0.06 # normal, neither uniform nor cut at two standard deviations

@both
def test_a_state_dict_carries_the_whole_model(cls, tmp_path):
    m, x = big(cls(5, 7, 3)), rows(5, 7, 20)
    torch.save(m.state_dict(), tmp_path/'m.pth')
    other = cls(5, 7, 3)
    assert not torch.allclose(other(x), m(x))
    other.load_state_dict(torch.load(tmp_path/'m.pth', weights_only=True))
    assert torch.equal(other(x), m(x))
    with pytest.raises(RuntimeError, match='size mismatch'): cls(5, 8, 3).load_state_dict(m.state_dict())

@both
def test_a_copy_shares_no_weights(cls):
    m, x = big(cls(5, 7, 3)), rows(5, 7, 20)
    twin, before = copy.deepcopy(m), m(x).detach()
    big(twin, sd=2, seed=1)
    assert torch.equal(m(x), before) and not torch.allclose(twin(x), before)

# gradients

@both
@quick
@given(sizes())
def test_only_rows_that_were_looked_up_get_a_gradient(cls, s):
    n_users, n_items, k, n, seed = s
    m, x = big(cls(n_users, n_items, k), seed=seed), rows(n_users, n_items, n, seed)
    m(x).sum().backward()
    for name,p in m.named_parameters():
        moved = p.grad.reshape(len(p), -1).abs().sum(1)>0
        assert moved.nonzero().flatten().tolist()==sorted(set(x[:, 0 if name.startswith('user') else 1].tolist()))

def test_gradients_are_those_of_finite_differences():
    m, x = big(DotProductBias(4, 5, 2)).double(), rows(4, 5, 12)
    ps = [p.detach().requires_grad_() for p in m.parameters()]
    f = lambda *ps: torch.func.functional_call(m, dict(zip([n for n,_ in m.named_parameters()], ps)), (x,))
    assert torch.autograd.gradcheck(f, ps)

# equals

class WithEmbeddings(Module):
    "Chapter 04's form, by columns of biases"
    def __init__(self, n_users, n_items, n_factors, y_range):
        self.user_factors,self.user_bias = Embedding(n_users, n_factors),Embedding(n_users, 1)
        self.item_factors,self.item_bias = Embedding(n_items, n_factors),Embedding(n_items, 1)
        self.y_range = y_range
    def forward(self, x):
        users,items = x.unbind(1)
        res = (self.user_factors(users) * self.item_factors(items)).sum(1, keepdim=True)
        res = res + self.user_bias(users) + self.item_bias(items)
        return (res if self.y_range is None else sigmoid_range(res, *self.y_range)).squeeze(1)

ours = ['user_factors', 'user_bias', 'item_factors', 'item_bias']
others = {'embeddings': (lambda u,i,k,r: WithEmbeddings(u, i, k, r), ours),
          'fastai': (lambda u,i,k,r: EmbeddingDotBias(k, u, i, r), ['u_weight', 'u_bias', 'i_weight', 'i_bias'])}

@pytest.mark.parametrize('other', others)
@quick
@given(sizes(), st.sampled_from([None, (0, 5.5), (1, 5)]))
def test_equal_weights_give_equal_predictions_and_gradients(other, s, y_range):
    n_users, n_items, k, n, seed = s
    m = big(DotProductBias(n_users, n_items, k, y_range), seed=seed)
    make, names = others[other]
    o = make(n_users, n_items, k, y_range)
    pairs = [(m.get_parameter(a), o.get_parameter(f'{b}.weight')) for a,b in zip(ours, names)]
    with torch.no_grad():
        for a,b in pairs: b.copy_(a.view_as(b))
    x, y = rows(n_users, n_items, n+1, seed), torch.linspace(1, 5, n+1)
    assert_close(m(x), o(x).reshape(-1))
    for p in (m(x), o(x).reshape(-1)): F.mse_loss(p, y).backward()
    for a,b in pairs: assert_close(a.grad, b.grad.view_as(a))

def test_without_bias_it_is_the_dot_product():
    d, b, x = big(DotProduct(5, 7, 3)), DotProductBias(5, 7, 3), rows(5, 7, 20)
    with torch.no_grad():
        for f in ('user_factors', 'item_factors'): getattr(b, f).copy_(getattr(d, f).weight)
        b.user_bias.zero_(), b.item_bias.zero_()
    assert_close(b(x), d(x))
    with torch.no_grad(): b.item_bias.fill_(1)
    assert (b(x)>d(x)).all()

def test_two_more_factors_can_say_what_biases_say():
    b, x = big(DotProductBias(5, 7, 3)), rows(5, 7, 20)
    d = DotProduct(5, 7, 5)
    one = lambda p: torch.ones(len(p), 1)
    d.load_state_dict({'user_factors.weight': torch.cat([b.user_factors, b.user_bias[:,None], one(b.user_bias)], 1),
                       'item_factors.weight': torch.cat([b.item_factors, one(b.item_bias), b.item_bias[:,None]], 1)})
    assert_close(d(x), b(x))

def test_no_factors_leave_the_biases():
    m, x = big(DotProductBias(5, 7, 0, y_range=None)), rows(5, 7, 20)
    assert_close(m(x), m.user_bias[x[:,0]] + m.item_bias[x[:,1]])

# training

NOISE = 0.3

@pytest.fixture(scope='module')
def world():
    return planted_ratings(n_users=300, n_items=200, n_ratings=30_000, n_factors=2, factor_sd=0.8, noise=NOISE, seed=1)

def loaders(world, bs=512): return RatingsDataLoaders.from_df(world.ratings, seed=1, bs=bs)

def fitted(cls, world, n_factors, seed=1):
    dls = loaders(world)
    torch.manual_seed(seed)
    m = cls(dls.n_users, dls.n_items, n_factors, y_range=None)
    return quick_fit(m, dls, n_epoch=12, lr=0.1, wd=0.02), m, dls

def test_planted_ratings_are_found_to_near_the_noise_and_not_without_factors(world):
    loss, m, dls = fitted(DotProductBias, world, 3)
    alone = fitted(DotProductBias, world, 0)[0]
    assert NOISE**2*0.95 < loss < NOISE**2*1.15
    assert alone > NOISE**2*4
    users, items = (np.array(v[1:]) for v in dls.classes.values())
    with torch.no_grad():
        found = m.cpu()(torch.cartesian_prod(torch.arange(1, len(users)+1), torch.arange(1, len(items)+1)))
    truth = world.expected(np.repeat(users, len(items)), np.tile(items, len(users)))
    assert np.corrcoef(found, truth)[0,1]>0.98

def test_biases_are_found_as_they_were_planted(world):
    _, m, dls = fitted(DotProductBias, world, 3)
    for key,bias,factors,true in zip(dls.classes, (m.user_bias, m.item_bias), (m.item_factors, m.user_factors),
                                     (world.user_bias, world.item_bias)):
        own = (m.user_factors if key=='user' else m.item_factors) @ factors[1:].mean(0)
        learned = (bias + own).detach().cpu().numpy()[1:]
        assert np.corrcoef(learned, true[np.array(dls.classes[key][1:])-1])[0,1]>0.9

@both
def test_a_learner_trains_and_validates_it_even_on_one_pair(cls, world):
    n = 64*20+1
    dls = RatingsDataLoaders.from_df(world.ratings[:1600], splits=(np.arange(n), np.arange(n, 1600)), bs=64,
                                     val_bs=53, seed=0)
    assert len(list(dls.valid)[-1][1])==1
    torch.manual_seed(0)
    learn = Learner(dls, cls(dls.n_users, dls.n_items, 5), loss_func=MSELossFlat())
    with learn.no_bar(), learn.no_logging():
        before = mse_on(learn.model.to(dls.device), dls.train)
        learn.fit_one_cycle(10, 0.05)
        preds, targs = learn.get_preds()
        assert preds.shape==targs.shape==(len(dls.valid_ds),)
        assert mse_on(learn.model, dls.train)<before*0.5
        assert_close(mse_on(learn.model, dls.valid), learn.validate()[0], rtol=1e-4, atol=0)

def test_the_quick_loop_ends_where_fit_one_cycle_ends(world):
    dls = loaders(world)
    torch.manual_seed(0)
    learn = Learner(dls, DotProductBias(dls.n_users, dls.n_items, 5), loss_func=MSELossFlat())
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(3, 1e-2, wd=0.1)
    torch.manual_seed(0)
    loop = quick_fit(DotProductBias(dls.n_users, dls.n_items, 5), loaders(world), n_epoch=3, wd=0.1)
    torch.manual_seed(0)
    other = quick_fit(DotProductBias(dls.n_users, dls.n_items, 5), loaders(world), n_epoch=3, lr=5e-3, wd=0.1)
    want = learn.recorder.values[-1][1]
    assert abs(loop-want)<0.02*want<abs(other-want)

def test_the_quick_loop_repeats_itself_for_a_seed(world):
    a, b, c = (fitted(DotProduct, world, 2, seed)[0] for seed in (4, 4, 5))
    assert abs(a-b)<1e-5<abs(a-c)

def test_decay_shortens_the_tables(world):
    def length(wd):
        dls = loaders(world)
        torch.manual_seed(0)
        m = DotProductBias(dls.n_users, dls.n_items, 5)
        quick_fit(m, dls, wd=wd)
        return m.item_factors.norm().item()
    assert length(1.)<0.8*length(0.)

def test_the_mean_squared_error_weighs_every_row_the_same():
    m = DotProduct(5, 7, 3, y_range=None)
    with torch.no_grad():
        for p in m.parameters(): p.zero_()
    x = rows(5, 7, 5)
    assert_close(mse_on(m, [(x[:4], torch.full((4,), 1.)), (x[4:], torch.full((1,), 4.))]), (4*1+16)/5)

def test_the_error_of_no_rows_is_not_a_number_and_training_without_validation_works(world):
    dls = RatingsDataLoaders.from_df(world.ratings, seed=0, bs=64)
    dls = RatingsDataLoaders(dls.train, dls.valid.new(dls.valid_ds.new_empty()), device=dls.device)
    model = DotProductBias(dls.n_users, dls.n_items, 3)
    assert np.isnan(quick_fit(model, dls, n_epoch=1)) and mse_on(model, dls.train)<4

def test_a_column_of_predictions_is_refused_and_not_broadcast():
    x,y = torch.ones(4, 2, dtype=torch.int64),torch.rand(4)
    column = lambda x: torch.zeros(len(x), 1)
    column.eval = lambda: None
    with pytest.raises(ValueError, match=r'shape \(4, 1\) for ratings of shape \(4,\)'): mse_on(column, [(x, y)])

@pytest.mark.parametrize('n_epoch', [0, -1, 1.5])
def test_quick_fit_needs_a_whole_number_of_epochs(n_epoch):
    with pytest.raises(ValueError, match='n_epoch must be a whole number'): quick_fit(None, None, n_epoch=n_epoch)

@pytest.mark.parametrize('y_range', [(8, -1), (3, 3), (float('nan'), 5), (0, float('inf')), 5, 'ab', (.5,), (1, 2, 3)])
@pytest.mark.parametrize('make', [DotProduct, DotProductBias,
                                  lambda u, i, n, y_range: CollabNN((u, n), (i, n), y_range)])
def test_a_range_that_is_none_is_refused_before_training(make, y_range):
    with pytest.raises(ValueError, match='y_range must be'): make(3, 4, 2, y_range=y_range)

def test_loaders_without_training_rows_are_refused(world):
    dls = RatingsDataLoaders.from_df(world.ratings, seed=0)
    empty = RatingsDataLoaders(dls.train.new(dls.train_ds.new_empty()), dls.valid)
    with pytest.raises(ValueError, match='no training rows'): quick_fit(DotProduct(dls.n_users, dls.n_items, 2), empty)
