"Chapter 01 and `lookups`: four lookups that agree, what they refuse, what they cost, and which rows an optimizer moves"
from functools import partial

import numpy as np
import pytest
import torch
from fastai.optimizer import Adam as FastaiAdam
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, SparseAdam
from torch.testing import assert_close

from collab_course.lookups import as_embedding, as_linear, lookup_bytes, lookup_cost, rows_moved
from collab_course.one_hot import four_lookups, lookup_index, lookup_one_hot, one_hot

def gen(seed): return torch.Generator().manual_seed(seed)

@st.composite
def tables_and_ids(draw, min_ids=0, dtype=torch.float32):
    "A table of normal noise and ids in a tensor of 0 to 3 dimensions; few rows, so that ids repeat"
    n, f, seed = draw(st.integers(1, 40)), draw(st.integers(1, 8)), draw(st.integers(0, 10**6))
    shape = draw(st.lists(st.integers(min_ids, 6), max_size=3))
    return torch.randn(n, f, generator=gen(seed), dtype=dtype), torch.randint(n, shape, generator=gen(seed+1))

# the four ways

@settings(deadline=None)
@given(tables_and_ids(), st.integers(0, 10**6))
def test_four_ways_agree_in_values_and_gradients_for_any_shape(Wi, seed):
    W, ids = Wi
    upstream = torch.randn(*ids.shape, W.shape[1], generator=gen(seed))
    want = torch.zeros_like(W).index_add(0, ids.reshape(-1), upstream.reshape(-1, W.shape[1]))
    res = four_lookups(W, ids, upstream)
    assert list(res) == ['one_hot @ W', 'W[i]', 'nn.Embedding', 'nn.Linear']
    for rows, grad in res.values():
        assert_close(rows, W[ids])
        assert_close(grad, want)

@settings(deadline=None)
@given(tables_and_ids(dtype=torch.float64))
def test_four_ways_agree_in_double_precision(Wi):
    for rows, grad in four_lookups(*Wi).values():
        assert rows.dtype == grad.dtype == torch.float64
        assert_close(rows, Wi[0][Wi[1]])

@pytest.mark.parametrize('n', [944, 1665])
def test_four_ways_agree_at_the_size_of_movielens(n):
    W, ids = torch.randn(n, 50, generator=gen(0)), torch.randint(n, (64,), generator=gen(1))
    up = torch.randn(64, 50, generator=gen(2))
    (r0, g0), *others = four_lookups(W, ids, up).values()
    for r, g in others:
        assert_close(r, r0)
        assert_close(g, g0)

@settings(deadline=None)
@given(st.integers(2, 9), st.integers(1, 7))
def test_gradients_of_repeated_ids_add(n, times):
    for _, grad in four_lookups(torch.zeros(n, 3), [1]*times + [0]).values():
        assert_close(grad[1], torch.full((3,), float(times)))
        assert_close(grad[0], torch.ones(3))
        assert_close(grad[2:], torch.zeros(n-2, 3))

def test_four_lookups_leave_the_table_alone():
    W = torch.randn(5, 3, generator=gen(0)).requires_grad_()
    before = W.detach().clone()
    four_lookups(W, [1, 1])
    assert torch.equal(W, before) and W.grad is None

@settings(deadline=None)
@given(tables_and_ids())
def test_one_hot_agrees_with_pytorch(Wi):
    W, ids = Wi
    x = one_hot(ids, len(W))
    assert x.dtype == torch.float32
    assert torch.equal(x, F.one_hot(ids, len(W)).float())
    assert torch.equal(x.argmax(-1), ids)

@pytest.mark.parametrize('ids', [3, [3], (3,), np.array([3]), np.int32(3), torch.tensor([3], dtype=torch.int32),
                                 torch.tensor([3], dtype=torch.uint8)])
def test_ids_may_be_numbers_lists_arrays_and_any_integer_tensor(ids):
    W = torch.randn(5, 2, generator=gen(0))
    for f in (lookup_one_hot, lookup_index): assert_close(f(W, ids).reshape(2), W[3])

@pytest.mark.parametrize('ids', [[], torch.empty(0, dtype=torch.int64)])
def test_no_ids_give_no_rows(ids):
    W = torch.randn(5, 2, generator=gen(0))
    for f in (lookup_one_hot, lookup_index): assert f(W, ids).shape == (0, 2)

def test_lookups_work_on_a_bias_of_one_number_per_row():
    b = torch.randn(5, generator=gen(0))
    assert_close(lookup_one_hot(b, [4, 4, 0]), b[[4, 4, 0]])
    assert_close(lookup_index(b, [4, 4, 0]), b[[4, 4, 0]])

# what is refused

takes_ids = [lambda ids: one_hot(ids, 5), lambda ids: lookup_one_hot(torch.ones(5, 2), ids),
             lambda ids: lookup_index(torch.ones(5, 2), ids),
             lambda ids: four_lookups(torch.ones(5, 2), ids), lambda ids: rows_moved(SGD, [ids], 5)]

@pytest.mark.parametrize('f', takes_ids)
@pytest.mark.parametrize('ids,names', [(5, 'ids is 5'), (-1, 'ids is -1'), ([0, 9], r'ids\[1\] is 9'),
                                       ([[0, 1], [-3, 7]], r'ids\[1\]\[0\] is -3'),
                                       (torch.tensor([4, 5]), r'ids\[1\] is 5')])
def test_ids_without_a_row_are_named(f, ids, names):
    with pytest.raises(IndexError, match=names + '.*5 rows.*0 to 4'): f(ids)

@pytest.mark.parametrize('f', takes_ids)
@pytest.mark.parametrize('ids,names', [(2.5, 'float.*2.5'), ([1., 2.], 'float.*1.0'),
                                       (torch.tensor([float('nan')]), 'float.*nan'),
                                       ([True, False], 'bool.*True'), (['Alien'], 'Alien.*vocabulary'),
                                       ([1, None], 'None')])
def test_ids_that_are_no_whole_numbers_are_named(f, ids, names):
    with pytest.raises(TypeError, match='whole numbers.*' + names): f(ids)

@settings(deadline=None)
@given(st.integers(1, 30), st.integers(-10**9, 10**9))
def test_one_hot_takes_exactly_the_rows_of_the_table(n, i):
    if 0 <= i < n: assert one_hot(i, n).sum() == 1
    else:
        with pytest.raises(IndexError, match=f'is {i},'): one_hot(i, n)

@pytest.mark.parametrize('W', [torch.ones(3), torch.ones(3, 2, 2), torch.ones(3, 2, dtype=torch.int64)])
@pytest.mark.parametrize('f', [as_embedding, as_linear])
def test_layers_refuse_what_is_no_table_of_floats(f, W):
    with pytest.raises(ValueError, match='floats of shape'): f(W)

def test_pytorch_refuses_what_the_lesson_says_it_refuses():
    emb, lin = nn.Embedding(5, 3), nn.Linear(5, 3, bias=False)
    for bad in (torch.tensor([5]), torch.tensor([-1])):
        with pytest.raises(IndexError): emb(bad)
    for bad in (torch.tensor([1.]), torch.tensor([True])):
        with pytest.raises(RuntimeError): emb(bad)
    for bad in (torch.tensor([1]), F.one_hot(torch.tensor([1]), 5)):
        with pytest.raises(RuntimeError): lin(bad)

# the layers

def test_layers_are_trainable_copies():
    W = torch.randn(5, 3, generator=gen(0))
    for layer, weight in ((as_embedding(W), lambda l: l.weight), (as_linear(W), lambda l: l.weight.T)):
        assert layer.weight.requires_grad
        with torch.no_grad(): layer.weight.zero_()
        assert_close(weight(layer), torch.zeros(5, 3))
        assert W.abs().min() > 0

def test_making_layers_draws_no_random_numbers():
    W = torch.randn(5, 3, generator=gen(0))
    before = torch.get_rng_state()
    as_embedding(W), as_linear(W, bias=torch.ones(3)), four_lookups(W, 1)
    rows_moved(SGD, [[1]], 5), lookup_cost(lookup_index, 10, n_runs=1)
    assert torch.equal(torch.get_rng_state(), before)

@settings(deadline=None)
@given(tables_and_ids(min_ids=1), st.integers(0, 10**6))
def test_a_shared_bias_makes_an_embedding_a_linear_layer_with_bias(Wi, seed):
    W, ids = Wi
    b = torch.randn(W.shape[1], generator=gen(seed))
    emb, b_emb, lin = as_embedding(W), b.clone().requires_grad_(), as_linear(W, bias=b)
    up = torch.randn(*ids.shape, W.shape[1], generator=gen(seed+1))
    left, right = emb(ids) + b_emb, lin(one_hot(ids, len(W)))
    assert_close(left, right)
    assert_close(left, as_embedding(W + b)(ids))
    left.backward(up), right.backward(up)
    assert_close(emb.weight.grad, lin.weight.grad.T)
    assert_close(b_emb.grad, lin.bias.grad, rtol=1e-4, atol=1e-4)

def test_a_sparse_gradient_holds_the_looked_up_rows_alone():
    emb = as_embedding(torch.ones(9, 2), sparse=True)
    emb(torch.tensor([7, 2, 7])).sum().backward()
    g = emb.weight.grad.coalesce()
    assert g.indices().tolist() == [[2, 7]]
    assert g.values().tolist() == [[1., 1.], [2., 2.]]

def test_a_padding_row_gets_no_gradient_but_keeps_its_value():
    W = torch.randn(4, 2, generator=gen(0))
    emb = as_embedding(W, padding_idx=1)
    emb(torch.tensor([1, 1, 3])).sum().backward()
    assert_close(emb(torch.tensor(1)), W[1])
    assert_close(emb.weight.grad, torch.tensor([[0., 0], [0, 0], [0, 0], [1, 1]]))

def test_a_lookup_builds_nothing_as_wide_as_the_table():
    W, seen = torch.ones(1000, 2, requires_grad=True), {}
    for name, f in dict(product=lookup_one_hot, index=lookup_index, embedding=lambda W, i: F.embedding(i, W)).items():
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            f(W, torch.tensor([3, 0, 3]))
        seen[name] = max(t.numel() for t in kept)
    assert seen == dict(product=3000, index=3, embedding=3)

def test_only_the_product_is_spoiled_by_a_broken_row():
    W = torch.ones(4, 2)
    W[2] = float('nan')
    assert lookup_one_hot(W, [0, 1]).isnan().all()
    assert_close(lookup_index(W, [0, 1]), torch.ones(2, 2))

# what it costs

@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(1, 60), st.integers(1, 80))
def test_bytes_are_those_of_the_real_tensors(n, f, bs):
    W, ids = torch.zeros(n, f), torch.zeros(bs, dtype=torch.int64)
    real = dict(ids=ids, one_hot=one_hot(ids, n), picked=W[ids], table=W)
    assert lookup_bytes(n, f, bs) == {k: t.nbytes for k, t in real.items()}

@pytest.mark.parametrize('backward', [False, True])
def test_cost_calls_the_lookup_as_often_as_asked_with_valid_ids(backward):
    calls = []
    def pick(W, ids):
        calls.append((tuple(W.shape), tuple(ids.shape), W.grad))
        return lookup_index(W, ids)
    assert lookup_cost(pick, 30, n_factors=4, bs=7, backward=backward, n_runs=3) > 0
    assert calls == [((30, 4), (7,), None)]*3

def test_cost_includes_the_backward_pass_only_when_asked():
    class Spy(torch.autograd.Function):
        n = 0
        @staticmethod
        def forward(ctx, W, ids): return W[ids]
        @staticmethod
        def backward(ctx, g):
            Spy.n += 1
            return torch.zeros(30, 50), None
    lookup_cost(Spy.apply, 30, n_runs=2)
    assert Spy.n == 0
    lookup_cost(Spy.apply, 30, n_runs=2, backward=True)
    assert Spy.n == 2

# which rows move

N = 8
some_steps = st.lists(st.lists(st.integers(0, N-1), min_size=1, max_size=4), min_size=1, max_size=8)
momentum = partial(SGD, momentum=.9)

def counts(steps): return torch.stack([one_hot(o, N).sum(0) for o in steps])

@settings(deadline=None)
@given(some_steps)
def test_plain_sgd_moves_looked_up_rows_by_the_number_of_lookups(steps):
    assert_close(rows_moved(SGD, steps, N, n_factors=4), .1 * 2 * counts(steps), rtol=1e-4, atol=1e-5)

@settings(deadline=None)
@given(some_steps, st.booleans())
def test_momentum_moves_rows_by_the_sum_of_all_faded_lookups(steps, sparse):
    want, v = [], torch.zeros(N)
    for c in counts(steps):
        v = .9*v + c
        want.append(.1 * 2 * v)
    assert_close(rows_moved(momentum, steps, N, n_factors=4, sparse=sparse), torch.stack(want), rtol=1e-4, atol=1e-5)

@settings(deadline=None)
@given(some_steps)
def test_adam_moves_rows_by_its_two_memories(steps):
    want, m, v = [], torch.zeros(N), torch.zeros(N)
    for t, c in enumerate(counts(steps), 1):
        m, v = .9*m + .1*c, .999*v + .001*c**2
        want.append(.1 * 2 * (m/(1-.9**t)) / ((v/(1-.999**t)).sqrt() + 1e-8))
    assert_close(rows_moved(Adam, steps, N, n_factors=4), torch.stack(want), rtol=1e-3, atol=1e-5)

@settings(deadline=None)
@given(some_steps)
@pytest.mark.parametrize('opt', [Adam, momentum, partial(FastaiAdam, wd=0)])
def test_optimizers_with_memory_move_every_row_seen_so_far_and_no_other(opt, steps):
    assert ((rows_moved(opt, steps, N) > 0) == (counts(steps).cumsum(0) > 0)).all()

@settings(deadline=None)
@given(some_steps)
def test_sparse_adam_moves_the_rows_of_the_batch_alone(steps):
    assert ((rows_moved(SparseAdam, steps, N, sparse=True) > 0) == (counts(steps) > 0)).all()

@pytest.mark.parametrize('opt,lr_wd', [(AdamW, .001), (FastaiAdam, .001), (partial(SGD, weight_decay=.1), .01)])
def test_weight_decay_takes_the_same_share_of_rows_that_were_never_looked_up_in_each_step(opt, lr_wd):
    moved = rows_moved(opt, [[1]]*6, N)
    assert (moved > 0).all()
    shrink = moved[1:,0] / moved[:-1,0]
    W0 = torch.randn(N, 2, generator=gen(0))[0].norm()
    assert_close(moved[0,0], lr_wd*W0, rtol=1e-3, atol=0)
    assert_close(shrink, torch.full((5,), 1-lr_wd), rtol=5e-4, atol=0)

def test_a_row_under_decay_alone_keeps_its_direction():
    emb = as_embedding(torch.tensor([[3., -4], [1, 1]]))
    opt = FastaiAdam(list(emb.parameters()), lr=.1)
    for _ in range(5):
        emb(torch.tensor([1])).sum().backward()
        opt.step()
        opt.zero_grad()
    row = emb.weight[0].detach()
    assert row.norm() < 5
    assert_close(row/row.norm(), torch.tensor([.6, -.8]))

def test_adam_refuses_sparse_gradients_and_sparse_adam_refuses_dense_ones():
    with pytest.raises(RuntimeError, match='SparseAdam'): rows_moved(Adam, [[1]], N, sparse=True)
    with pytest.raises(RuntimeError, match='dense'): rows_moved(SparseAdam, [[1]], N)

def test_rows_moved_is_repeatable_and_depends_on_the_seed():
    decay = partial(SGD, weight_decay=.1)
    a, b, c = (rows_moved(decay, [[1], [2]], N, seed=s) for s in (0, 0, 1))
    assert_close(a, b)
    assert (a[:,0] - c[:,0]).abs().max() > 1e-4

def test_rows_moved_wants_at_least_one_step():
    with pytest.raises(ValueError, match='at least one step'): rows_moved(SGD, [], N)

def test_rows_moved_warns_about_nothing(recwarn):
    rows_moved(SparseAdam, [[1], [2, 2]], N, sparse=True)
    assert [str(w.message) for w in recwarn if issubclass(w.category, UserWarning)] == []
