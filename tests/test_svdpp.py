"Chapter 13: bags against dense matrices, leaving out against a loop, folding up, features, days, no leak from the test"
import math

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.tabular.all import Learner, MSELossFlat
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.testing import assert_close

from collab_course.create_params import DotProductBias
from collab_course.tables import planted_ratings
from collab_course.dot_product import mse_on
from collab_course.loaders import RatingsDL, RatingsDataLoaders
from collab_course.loops import step_by_groups
from collab_course.features import MultiHot, feature_bags
from collab_course.svdpp import SVDpp, day_loaders, fit_svdpp, person_days, svdpp_recipe
from collab_course.training import one_cycle

quick = settings(deadline=None, max_examples=40)
PLANTED = planted_ratings(60, 40, 1201, rating_range=(1, 5), step=1.).ratings
TIMED = PLANTED.assign(timestamp=np.random.default_rng(0).integers(0, 20*86400, len(PLANTED)))
SPLIT = np.arange(1000), np.arange(1000, 1201)

def loaders(seed=0, bs=128, table=PLANTED, split=SPLIT, **kwargs):
    return RatingsDataLoaders.from_df(table, splits=split, seed=seed, bs=bs, device='cpu', **kwargs)

def new_model(dls, seed=0, n_factors=6, sd=0.3, **kwargs):
    torch.manual_seed(seed)
    return SVDpp.from_dls(dls, n_factors=n_factors, sd=sd, **kwargs)

def side(dls, seed=0):
    "Random features for everybody and everything"
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({'user': dls.classes['user'][1:], 'age': rng.integers(10, 70, dls.n_users-1),
                           'town': rng.choice(list('abc'), dls.n_users-1)})
    films = pd.DataFrame({'movie': dls.classes['movie'][1:], 'genres': rng.choice(['x', 'x|y', 'y|z'], dls.n_items-1)})
    return dict(user_bags=feature_bags(people, 'user', dls.classes['user']),
                item_bags=feature_bags(films, 'movie', dls.classes['movie']))

@st.composite
def entries(draw):
    n_rows, n_cols = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    n = draw(st.integers(0, 30))
    rows, cols = (draw(st.lists(st.integers(0, m-1), min_size=n, max_size=n)) for m in (n_rows, n_cols))
    return rows, cols, n_rows, n_cols, draw(st.sampled_from([0., 0.5, 1.]))

def by_hand(rows, cols, n_rows, n_cols, power):
    M = np.zeros((n_rows, n_cols))
    M[rows, cols] = 1
    return torch.tensor(M/np.maximum(M.sum(1, keepdims=True), 1)**power)

# the sparse matrix

@quick
@given(entries(), st.integers(1, 9))
def test_values_and_gradients_are_those_of_the_dense_matrix(e, width):
    bag, M = MultiHot(*e).double(), by_hand(*e)
    table = torch.randn(e[3], width, dtype=torch.float64)
    up = torch.randn(e[2], width, dtype=torch.float64)
    a, b = (table.clone().requires_grad_() for _ in range(2))
    ours, theirs = bag(a), M@b
    assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
    (ours*up).sum().backward(), (theirs*up).sum().backward()
    assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-6)

@quick
@given(entries())
def test_dense_and_has_show_the_same_entries(e):
    bag, M = MultiHot(*e), by_hand(*e)
    assert_close(bag.dense().double(), M, atol=1e-6, rtol=0)
    r, c = (o.flatten() for o in torch.meshgrid(torch.arange(e[2]), torch.arange(e[3]), indexing='ij'))
    assert torch.equal(bag.has(r, c), M.flatten()>0)
    assert len(bag)==int((M>0).sum())

def test_sums_and_gradients_are_those_of_embedding_bag():
    rows, cols = torch.tensor([0, 0, 2, 2, 2]), torch.tensor([1, 3, 0, 3, 4])
    theirs = nn.EmbeddingBag(5, 4, mode='sum')
    table = theirs.weight.detach().clone().requires_grad_()
    ours = MultiHot(rows, cols, 4, 5, power=0)(table)
    out = theirs(cols, torch.tensor([0, 2, 2, 5]))
    assert_close(ours, out)
    up = torch.randn(4, 4)
    (ours*up).sum().backward(), (out*up).sum().backward()
    assert_close(table.grad, theirs.weight.grad)

def test_gradcheck_in_double():
    bag = MultiHot([0, 0, 1, 3], [0, 2, 2, 1], 4, 3).double()
    assert torch.autograd.gradcheck(bag, torch.randn(3, 2, dtype=torch.float64, requires_grad=True))

def test_the_order_of_the_entries_does_not_matter_and_a_repeated_one_counts_once():
    a, b = MultiHot([1, 0, 1, 1], [2, 0, 0, 2], 2, 3), MultiHot([0, 1, 1], [0, 0, 2], 2, 3)
    assert torch.equal(a.dense(), b.dense())
    assert len(a)==3

def test_a_matrix_without_entries_gives_zeros():
    bag = MultiHot([], [], 3, 2)
    assert torch.equal(bag(torch.ones(2, 4)), torch.zeros(3, 4))
    assert not bag.has(torch.arange(3), torch.zeros(3, dtype=torch.int64)).any()

@pytest.mark.parametrize('args,text', [(([0], [3], 2, 3), 'cols must be numbers from 0 to 2, and 3'),
                                       (([-1], [0], 2, 3), 'rows must be numbers'),
    (([0, 1], [0], 2, 3), '2 rows for 1 columns'), (([0.5], [0], 2, 3), 'whole numbers'),
    (([[0]], [[0]], 2, 3), 'whole numbers'), (([0], [0], 0, 3), 'n_rows')])
def test_wrong_entries_are_refused(args, text):
    with pytest.raises(ValueError, match=text): MultiHot(*args)

@pytest.mark.parametrize('table', [torch.ones(4, 2), torch.ones(3)])
def test_a_table_of_another_size_is_refused(table):
    with pytest.raises(ValueError, match='must have 3 rows'): MultiHot([0], [0], 2, 3)(table)

def test_it_travels_with_the_model_and_its_weights():
    bag = MultiHot([0, 1], [1, 0], 2, 2)
    other = MultiHot([0, 1], [0, 1], 2, 2)
    other.load_state_dict(bag.state_dict())
    assert torch.equal(other.dense(), bag.dense())
    assert not list(bag.parameters())

# leaving out the own pair

def by_loop(model, x, own):
    "Predictions pair by pair, each with its own loops over what was rated and who rated"
    seen = [*zip(*(o.tolist() for o in np.divmod(model.rated.keys.numpy(), model.rated.n_cols)))]
    res = []
    for u,i in x.tolist():
        films, raters = [f for p,f in seen if p==u], [p for p,f in seen if f==i]
        person, film = model.user_factors[u].clone(), model.item_factors[i].clone()
        for f in films: person += (own or f!=i)*model.rated_factors[f]/len(films)**0.5
        for p in raters: film += (own or p!=u)*model.rater_factors[p]/len(raters)**0.5
        score = (person*film).sum() + model.user_bias[u] + model.item_bias[i] + model.start
        res.append(0.5 + 5*torch.sigmoid(score))
    return torch.stack(res)

@pytest.mark.parametrize('training', [True, False])
def test_predictions_are_those_of_a_plain_loop(training):
    dls = loaders()
    model = new_model(dls).train(training)
    x = dls.train_ds.x[:60]
    with torch.no_grad(): assert_close(model(x), by_loop(model, x, own=not training), atol=1e-5, rtol=1e-5)

def test_in_training_a_pair_outside_the_bags_keeps_them_whole():
    dls = loaders()
    model, x = new_model(dls), dls.valid_ds.x
    with torch.no_grad(): assert_close(model.train()(x), model.eval()(x))

def test_the_pair_itself_gets_no_gradient_through_its_own_bags():
    dls = loaders()
    model = new_model(dls).train()
    x = dls.train_ds.x[:1]
    model(x).sum().backward()
    u, i = x[0].tolist()
    assert not model.rated_factors.grad[i].any()
    assert not model.rater_factors.grad[u].any()
    assert model.rated_factors.grad.any() and model.rater_factors.grad.any()

def test_left_in_on_demand():
    dls = loaders()
    model, x = new_model(dls, leave_out=False), dls.train_ds.x
    with torch.no_grad(): assert_close(model.train()(x), model.eval()(x))

def test_doubled_pairs_leave_their_bags_altogether():
    twice = pd.concat([PLANTED, PLANTED.iloc[:100]], ignore_index=True)
    dls = loaders(table=twice, split=(np.r_[:1000, 1201:1301], SPLIT[1]), duplicates='keep')
    model = new_model(dls).train()
    x = dls.train_ds.x[:40]
    with torch.no_grad(): assert_close(model(x), by_loop(model, x, own=False), atol=1e-5, rtol=1e-5)

# newcomers

def test_rows_of_newcomers_are_the_mean_row_plus_what_sets_their_bag_apart():
    dls = loaders()
    model = new_model(dls)
    fit_svdpp(model, dls, n_epoch=1)
    seen = dls.train_ds.x
    bags = [[3, 7, 9], [], [5]]
    rows, cols = zip(*[(i, j) for i,bag in enumerate(bags) for j in bag])
    got = model.newcomer_rows(MultiHot(rows, cols, 3, dls.n_items))
    with torch.no_grad():
        users, user_bias, _, _ = model.tables()
        people = seen[:,0].unique()
        pairs = torch.unique(seen, dim=0)
        common = model.rated_factors[pairs[:,1]].mean(0)
        for row,bag in zip(got, bags):
            want = users[people].mean(0)
            for j in bag: want = want + (model.rated_factors[j] - common)/len(bag)**0.5
            assert_close(row[:-1], want, atol=1e-5, rtol=1e-4)
            assert_close(row[-1], user_bias[people].mean() + model.start)

def test_an_average_bag_changes_little_whatever_its_length():
    dls = loaders()
    model = new_model(dls)
    with torch.no_grad(): model.rated_factors.copy_(torch.ones_like(model.rated_factors))
    short, long = MultiHot([0], [3], 1, dls.n_items), MultiHot([0]*20, range(1, 21), 1, dls.n_items)
    assert_close(model.newcomer_rows(short), model.newcomer_rows(long), atol=1e-5, rtol=1e-5)

def test_without_bags_of_what_people_rated_there_are_no_rows_of_newcomers():
    dls = loaders()
    with pytest.raises(ValueError, match='rated=True'):
        new_model(dls, rated=False).newcomer_rows(MultiHot([0], [1], 1, dls.n_items))

# folding up

@pytest.mark.parametrize('kwargs', [{}, dict(rated=False), dict(raters=False), dict(rated=False, raters=False),
                                    dict(side=True), dict(y_range=None), dict(power=1.)])
def test_folded_up_it_predicts_the_same(kwargs):
    dls = loaders()
    if kwargs.pop('side', False): kwargs = side(dls)
    model = new_model(dls, **kwargs)
    fit_svdpp(model, dls, n_epoch=1)
    flat = model.collapse()
    assert type(flat) is DotProductBias and not flat.training
    x = torch.cartesian_prod(torch.arange(dls.n_users), torch.arange(dls.n_items))
    with torch.no_grad(): assert_close(flat(x), model(x), atol=2e-5, rtol=1e-5)

def test_folding_up_draws_no_random_numbers_and_leaves_the_model_alone():
    model = new_model(loaders())
    before = {k: v.clone() for k,v in model.state_dict().items()}
    torch.manual_seed(3)
    want = torch.rand(1)
    torch.manual_seed(3)
    flat = model.collapse()
    assert torch.equal(torch.rand(1), want)
    with torch.no_grad(): flat.user_factors.add_(1)
    assert all(torch.equal(v, before[k]) for k,v in model.state_dict().items())

def test_without_a_day_only_the_day_is_missing_and_nothing_is_folded_up():
    dls = day_loaders(TIMED, SPLIT, seed=0, bs=128, device='cpu')
    model = new_model(dls)
    fit_svdpp(model, dls, n_epoch=1)
    x = dls.valid_ds.x.clone()
    with torch.no_grad():
        assert not torch.allclose(model(x), model(x[:,:2]))
        x[:,2] = 0
        assert_close(model(x), model(x[:,:2]))
    with pytest.raises(TypeError, match='days'): model.collapse()

# training

def test_steps_are_those_of_torchs_optimizer_bit_by_bit():
    dls = loaders()
    ours, theirs = new_model(dls), new_model(dls)
    groups = lambda model: [([p for n,p in model.named_parameters() if n.endswith('bias')], 0.01),
                            ([p for n,p in model.named_parameters() if not n.endswith('bias')], 0.3), ([], 0.5)]
    step = step_by_groups(ours, groups(ours), 0.95)
    opt = torch.optim.AdamW([dict(params=p, weight_decay=wd) for p,wd in groups(theirs) if p], eps=1e-5, fused=True)
    for k in range(5):
        x, y = dls.train_ds.x[k*50:(k+1)*50], dls.train_ds.y[k*50:(k+1)*50]
        step((x, y), 0.01*(k+1), 0.9 - 0.01*k)
        opt.zero_grad()
        (theirs(x) - y).square().mean().backward()
        for group in opt.param_groups: group.update(lr=0.01*(k+1), betas=(0.9 - 0.01*k, 0.95))
        opt.step()
    assert all(torch.equal(a, b) for a,b in zip(ours.parameters(), theirs.parameters()))

def test_weights_without_a_gradient_stay_as_they_are():
    layers = nn.ModuleDict(dict(used=nn.Linear(1, 1), idle=nn.Linear(1, 1)))
    layers.forward = lambda x: layers['used'](x)[:,0]
    before = layers['idle'].weight.clone()
    step = step_by_groups(layers, [(list(layers.parameters()), 0.5)], 0.9)
    step((torch.ones(3, 1), torch.zeros(3)), 0.1, 0.9)
    assert torch.equal(layers['idle'].weight, before) and layers['used'].weight.grad is not None

def test_the_start_predicts_the_mean():
    dls = loaders()
    model = new_model(dls, sd=0.)
    assert_close(model.eval()(dls.valid_ds.x), torch.full((201,), dls.train_ds.y.mean().item()), atol=1e-4, rtol=1e-4)

def test_without_a_range_the_start_is_the_mean_too():
    dls = loaders()
    model = new_model(dls, sd=0., y_range=None)
    assert_close(model.eval()(dls.valid_ds.x), torch.full((201,), dls.train_ds.y.mean().item()), atol=1e-4, rtol=1e-4)

def test_it_learns():
    dls = loaders()
    recipe = svdpp_recipe(1000)
    model = new_model(dls, **recipe['model'])
    start = mse_on(model, dls.valid)
    assert fit_svdpp(model, dls, **recipe['fit']) < 0.8*start
    assert not model.training

def test_what_it_returns_is_the_validation_mse():
    dls = loaders()
    model, seen = new_model(dls), []
    got = fit_svdpp(model, dls, n_epoch=2, on_epoch=lambda *o: seen.append(o))
    assert got==pytest.approx(mse_on(model, dls.valid), rel=1e-5)
    assert [o[0] for o in seen]==[0, 1] and seen[-1][2]==got

def test_the_same_seeds_give_the_same_weights():
    runs = []
    for _ in range(2):
        dls = loaders()
        model = new_model(dls)
        fit_svdpp(model, dls, n_epoch=2)
        runs.append(model.state_dict())
    assert all(torch.equal(a, b) for a,b in zip(*(o.values() for o in runs)))

def test_each_group_of_parameters_gets_its_own_decay():
    dls = day_loaders(TIMED, SPLIT, seed=0, bs=128, device='cpu')
    model = new_model(dls, **side(dls))
    for p in model.parameters(): p.data.fill_(1.)
    stranger = [model.user_factors[0], model.user_bias[0]]
    lr, n, decay, bias_decay = 1e-2, len(dls.train), 1.4, 0.5
    fit_svdpp(model, dls, n_epoch=1, lr=lr, decay=decay, bias_decay=bias_decay)
    left = [math.prod(1 - rate*decay*share/(n*lr) for rate,_ in one_cycle(n, lr)) for share in (1, bias_decay)]
    assert_close(torch.stack([o.mean() for o in stranger]), torch.tensor(left), atol=1e-5, rtol=1e-4)

@pytest.mark.parametrize('kwargs', [{}, dict(rated=False), dict(raters=False), dict(rated=False, raters=False)])
def test_every_combination_trains(kwargs):
    dls = loaders()
    assert math.isfinite(fit_svdpp(new_model(dls, **kwargs), dls, n_epoch=1))

def test_a_learner_trains_it_too():
    dls = loaders()
    model = new_model(dls, sd=0.1)
    learn = Learner(dls, model, loss_func=MSELossFlat())
    before = mse_on(model, dls.valid)
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(3, 1e-2, wd=0.3)
    assert learn.recorder.values[-1][1] < before
    preds, _ = learn.get_preds()
    with torch.no_grad(): assert_close(preds.flatten(), model.collapse()(dls.valid_ds.x), atol=1e-5, rtol=1e-5)

def test_the_test_ratings_change_nothing():
    runs = []
    for table in (TIMED, TIMED.assign(rating=np.r_[TIMED.rating[:1000],
                                                   np.random.default_rng(1).permutation(TIMED.rating[1000:])])):
        dls = day_loaders(table, SPLIT, seed=0, bs=128, device='cpu')
        model = new_model(dls, **side(dls))
        fit_svdpp(model, dls, n_epoch=2)
        with torch.no_grad(): runs.append(([*model.state_dict().values()], model(dls.valid_ds.x), dls.valid_ds.y))
    (wa, pa, ya), (wb, pb, yb) = runs
    assert all(torch.equal(a, b) for a,b in zip(wa, wb)) and torch.equal(pa, pb)
    assert not torch.equal(ya, yb)

def test_the_test_pairs_are_in_no_bag():
    dls = loaders()
    model = new_model(dls)
    assert not model.rated.has(*dls.valid_ds.x.T).any()
    assert model.rated.has(*dls.train_ds.x.T).all() and model.raters.has(*dls.train_ds.x.T.flip(0)).all()

def test_who_and_what_has_no_training_row_is_predicted_the_mean():
    cold = PLANTED.user.isin([1, 2]) | PLANTED.movie.isin([1, 2])
    dls = loaders(split=(np.flatnonzero(~cold), np.flatnonzero(cold)))
    model = new_model(dls, sd=0.1)
    fit_svdpp(model, dls, n_epoch=5)
    users, movies = dls.classes['user'], dls.classes['movie']
    both = torch.tensor([[0, 0], *([users.index(u), movies.index(m)] for u in (1, 2) for m in (1, 2))])
    with torch.no_grad(): assert_close(model(both), torch.full((5,), dls.train_ds.y.mean().item()), atol=1e-4, rtol=0)
    for p in (model.user_factors, model.user_bias, model.item_factors, model.item_bias):
        assert not p[:3].any() and p[3:].any()

def test_a_cold_film_has_what_its_features_tell():
    cold = PLANTED.movie.isin([1, 2])
    dls = loaders(split=(np.flatnonzero(~cold), np.flatnonzero(cold)))
    films = pd.DataFrame({'movie': dls.classes['movie'][1:],
                          'good': (np.array(dls.classes['movie'][1:])<=20).astype(int)})
    table = PLANTED.assign(rating=np.where(PLANTED.movie<=20, 5., 1.))
    dls = loaders(table=table, split=(np.flatnonzero(~cold), np.flatnonzero(cold)))
    model = new_model(dls, sd=0.05, item_bags=feature_bags(films, 'movie', dls.classes['movie']))
    assert fit_svdpp(model, dls, n_epoch=6, decay=0.3)**0.5 < 1.

def test_predictions_do_not_depend_on_the_company():
    dls = loaders()
    model = new_model(dls, **side(dls)).eval()
    x = dls.valid_ds.x
    with torch.no_grad(): assert_close(model(x), torch.cat([model(o[None]) for o in x]))

def test_loaders_of_other_pairs_are_refused():
    dls = loaders()
    model = new_model(dls)
    with pytest.raises(ValueError, match='other pairs than the loaders train on'):
        fit_svdpp(model, loaders(split=(np.arange(999), np.arange(999, 1201))))
    with pytest.raises(ValueError, match='other pairs than the loaders train on'):
        fit_svdpp(new_model(dls, rated=False), loaders(split=(np.arange(201, 1201), np.arange(201))))

def test_loaders_of_another_order_are_fine():
    dls = loaders()
    model = new_model(dls)
    assert math.isfinite(fit_svdpp(model, loaders(split=(SPLIT[0][::-1].copy(), SPLIT[1])), n_epoch=1))

def test_no_dense_matrix_of_people_and_items():
    "A matrix of these people and items would take 400 TB"
    x = torch.stack([torch.arange(1, 1001)*9_000, torch.arange(1, 1001)*9_999], 1)
    bag = MultiHot(*x.T, 10_000_000, 10_000_000)
    assert sum(o.numel()*o.element_size() for o in bag.buffers()) < 400e6

@pytest.mark.parametrize('kwargs,error,text',
                         [(dict(decay=-1), ValueError, 'decay'), (dict(lr=-1), ValueError, 'lr'),
                          (dict(n_epoch=0), ValueError, 'n_epoch'),
    (dict(sqr_mom=1), ValueError, 'sqr_mom'), (dict(bias_decay='x'), ValueError, 'bias_decay')])
def test_rates_that_are_none_are_refused(kwargs, error, text):
    dls = loaders()
    with pytest.raises(error, match=text): fit_svdpp(new_model(dls), dls, **kwargs)

def test_other_models_are_referred_to_lean_fit():
    dls = loaders()
    with pytest.raises(TypeError, match='lean_fit'): fit_svdpp(DotProductBias(dls.n_users, dls.n_items, 3), dls)

@pytest.mark.parametrize('kwargs,text', [(dict(n_factors=0), 'n_factors'), (dict(y_range=(5, 1)), 'y_range'),
                                         (dict(y_range=(4.9, 5.5)), 'do not fit into y_range'),
                                         (dict(y_range=(1.5, 5)), 'from 1 to 5 do not fit'),
                                         (dict(mean=9.), 'lies outside y_range'),
                                         (dict(power=float('nan')), 'power'), (dict(sd=-1), 'sd'),
                                         (dict(n_days=-1), 'n_days')])
def test_models_that_make_no_sense_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text): new_model(loaders(), **kwargs)

def test_bags_of_another_vocabulary_are_refused():
    dls = loaders()
    bags = side(dls)
    with pytest.raises(ValueError, match='user_bags has 41 rows'): new_model(dls, user_bags=bags['item_bags'])
    with pytest.raises(TypeError, match='feature_bags makes it'): new_model(dls, user_bags=torch.ones(61, 2))

# the recipe

@pytest.mark.parametrize('n', [1, 100, 80_000, 1_000_000, 10**9])
def test_the_recipe_fits_what_it_is_for(n):
    recipe = svdpp_recipe(n)
    assert set(recipe)=={'bs', 'model', 'fit'}
    assert 16<=recipe['bs']<=2**20 and 0.8<recipe['fit']['sqr_mom']<1

@pytest.mark.parametrize('n', [100_000, 1_000_000, 10_000_000, 20_000_000, 50_000_000])
def test_an_epoch_has_about_as_many_steps_at_every_size(n):
    "A step looks through all bags, so more steps for more ratings would be a quadratic cost"
    assert 50 < n/svdpp_recipe(n)['bs'] < 120

def test_many_rows_take_larger_batches_and_faster_rates():
    plain, wide = svdpp_recipe(181_600), svdpp_recipe(181_600, n_rows=98_000)
    assert wide['bs']==4*plain['bs'] and wide['fit']['lr']==2*plain['fit']['lr']
    assert svdpp_recipe(80_000, n_rows=943 + 1682)==svdpp_recipe(80_000)
    assert svdpp_recipe(181_600, bs=64, n_rows=98_000)==svdpp_recipe(181_600, bs=64)

def test_the_recipe_takes_a_batch_size():
    assert svdpp_recipe(80_000, bs=64)['bs']==64
    assert svdpp_recipe(80_000, bs=64)['fit']['sqr_mom'] > svdpp_recipe(80_000, bs=4096)['fit']['sqr_mom']

def test_text_ids_and_other_names_work():
    df = PLANTED.rename(columns=dict(user='who', movie='what', rating='stars'))
    df = df.assign(who='p' + df.who.astype(str), what='w' + df.what.astype(str))
    dls = RatingsDataLoaders.from_df(df, 'who', 'what', 'stars', splits=SPLIT, seed=0, bs=128, device='cpu')
    plain = loaders()
    for d in (dls, plain): assert d.n_users==61 and d.n_items==41
    model = new_model(dls)
    assert math.isfinite(fit_svdpp(model, dls, n_epoch=1))

# features

VOCAB = ['#na#', 'a', 'b', 'c', 'd']
TABLE = pd.DataFrame({'id': list('dcba'), 'genres': ['x|y', 'y', 'x', 'z | x'], 'flag': [1, 0, 0, 1],
                      'few': [3, 1, 1, 2]})

def as_sets(bags): return [{bags.names[j] for j in row.nonzero().flatten().tolist()} for row in bags.dense()]

def test_features_are_in_the_order_of_the_vocabulary():
    got = as_sets(feature_bags(TABLE, 'id', VOCAB))
    assert got==[set(), {'genres: x', 'genres: z', 'flag', 'few: 2'}, {'genres: x', 'few: 1'},
                 {'genres: y', 'few: 1'}, {'genres: x', 'genres: y', 'flag', 'few: 3'}]

def test_the_order_of_the_table_does_not_matter():
    a, b = (feature_bags(t, 'id', VOCAB) for t in (TABLE, TABLE.iloc[[2, 0, 3, 1]]))
    assert as_sets(a)==as_sets(b)

def test_each_row_weighs_one_over_the_root_of_its_features():
    M = feature_bags(TABLE, 'id', VOCAB).dense()
    assert_close((M**2).sum(1), torch.tensor([0., 1, 1, 1, 1]))

def test_text_may_stay_whole():
    assert 'genres: x|y' in feature_bags(TABLE, 'id', VOCAB, sep=None).names

@pytest.mark.parametrize('flags', [[True, False, True, True], [1, 0, 1, 1], [1., 0., 1., 1.]])
def test_a_flag_is_one_feature(flags):
    bags = feature_bags(pd.DataFrame({'id': list('abcd'), 'f': flags}), 'id', VOCAB)
    assert bags.names==['f'] and [bool(o) for o in as_sets(bags)[1:]]==[bool(o) for o in flags]

@quick
@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=60), st.integers(1, 12))
def test_every_number_falls_into_one_bin_and_bins_are_in_order(values, n_bins):
    if set(values) <= {0, 1}: values = [*values, 2.]
    ids = list(range(len(values)))
    bags = feature_bags(pd.DataFrame({'id': ids, 'v': values}), 'id', ['#na#', *ids], n_bins=n_bins)
    assert bags.n_cols<=n_bins and (bags.dense()[1:]>0).sum(1).eq(1).all()
    bins = bags.cols.numpy()
    order = np.argsort(values, kind='stable')
    assert (np.diff(bins[order])>=0).all()
    for a,b in zip(order, order[1:]): assert values[a]!=values[b] or bins[a]==bins[b]

def test_bins_hold_about_as_many_ids_each():
    ids = list(range(1000))
    bags = feature_bags(pd.DataFrame({'id': ids, 'v': np.random.default_rng(0).exponential(size=1000)}), 'id',
                        ['#na#', *ids])
    assert np.ptp(np.bincount(bags.cols))<=2 and bags.n_cols==10

@pytest.mark.parametrize('table,text', [
    (TABLE.iloc[:3], "1 ids have no row in the features, such as \\['a'\\]"),
    (pd.concat([TABLE, TABLE[:1]]), "holds 'd' more than once"),
    (TABLE.assign(few=[1, np.nan, 2, 3]), "column 'few' has no value for 1 ids"),
    (TABLE.assign(few=[1, np.inf, 2, 3]), "column 'few' is infinite"),
    (TABLE[['id']], 'there are no features'), (TABLE.drop(columns='id'), "no column 'id'"),
    (TABLE.assign(id=[1, 2, 3, 4]), 'another type')])
def test_tables_that_would_be_read_wrongly_are_refused(table, text):
    with pytest.raises(ValueError, match=text): feature_bags(table, 'id', VOCAB)

def test_gaps_are_no_feature_on_demand():
    bags = feature_bags(TABLE.iloc[:3].assign(few=[1, np.nan, 2]), 'id', VOCAB, on_missing='zero')
    got = as_sets(bags)
    assert got[1]==set() and got[3]=={'genres: y'}

def test_a_vocabulary_without_na_is_refused():
    with pytest.raises(ValueError, match='#na#'): feature_bags(TABLE, 'id', VOCAB[1:])
    with pytest.raises(ValueError, match='#na#'): feature_bags(TABLE, 'id', {'id': VOCAB})

def test_ids_outside_the_vocabulary_are_left_aside():
    more = pd.concat([TABLE, pd.DataFrame({'id': ['zz'], 'genres': ['new'], 'flag': [1], 'few': [9]})])
    assert as_sets(feature_bags(more, 'id', VOCAB))==as_sets(feature_bags(TABLE, 'id', VOCAB))

def test_pandas_own_types_work():
    t = TABLE.astype({'genres': 'category', 'flag': 'boolean', 'few': 'Int64'})
    assert as_sets(feature_bags(t, 'id', VOCAB))==as_sets(feature_bags(TABLE, 'id', VOCAB))

def test_seventeen_million_possible_pairs_of_id_and_feature_need_no_matrix():
    ids = list(range(4000))
    bags = feature_bags(pd.DataFrame({'id': ids, 'zip': [f'z{i}' for i in ids]}), 'id', ['#na#', *ids])
    assert bags.n_cols==4000 and len(bags)==4000

# days

def test_days_of_a_person_are_numbered_by_training_rows_alone():
    t = pd.DataFrame({'user': [1, 1, 2, 1, 2, 3], 'timestamp': [0, 90_000, 10, 86_399, 10, 5]})
    got = person_days(t, [0, 1, 2])
    assert got.tolist()==[1, 2, 3, 1, 3, 0]

def test_datetimes_and_seconds_give_the_same_days():
    as_dates = TIMED.assign(timestamp=pd.to_datetime(TIMED.timestamp, unit='s'))
    assert (person_days(TIMED, SPLIT[0])==person_days(as_dates, SPLIT[0])).all()

@pytest.mark.parametrize('times,text', [([1., np.nan, 2.], 'no time in 1 rows'),
                                        (['a', 'b', 'c'], 'seconds or datetimes')])
def test_times_that_are_none_are_refused(times, text):
    with pytest.raises(ValueError, match=text):
        person_days(pd.DataFrame({'user': [1, 2, 3], 'timestamp': times}), [0, 1])

def test_a_day_that_training_has_not_seen_adds_nothing():
    dls = day_loaders(TIMED, SPLIT, seed=0, bs=128, device='cpu')
    model = new_model(dls)
    fit_svdpp(model, dls, n_epoch=2)
    assert not model.day_factors[0].any() and model.day_bias[0]==0
    assert model.day_factors[1:].any(1).all()

def test_loaders_with_days_are_the_same_loaders_otherwise():
    a, b = day_loaders(TIMED, SPLIT, seed=0, bs=128, device='cpu'), loaders()
    for d,e in zip(a.loaders, b.loaders):
        assert isinstance(d, RatingsDL)
        assert torch.equal(d.dataset.x[:,:2], e.dataset.x) and torch.equal(d.dataset.y, e.dataset.y)
    assert (a.train_ds.x[:,2]>0).all() and a.n_days==int(a.train_ds.x[:,2].max()) + 1

def test_planted_moods_of_a_day_are_found():
    rng = np.random.default_rng(0)
    day = rng.integers(0, 4, len(PLANTED))
    mood = rng.choice([-1., 1.], size=(61, 4))[PLANTED.user, day]
    table = PLANTED.assign(timestamp=day*86400, rating=3. + mood)
    mses = []
    for dls in (day_loaders(table, SPLIT, seed=0, bs=32, device='cpu'), loaders(table=table, bs=32)):
        mses.append(fit_svdpp(new_model(dls, sd=0.1), dls, n_epoch=8, decay=0.3))
    assert mses[0] < 0.3*mses[1]

def test_everything_of_the_model_moves_to_the_loaders_device():
    "Without a GPU the loaders' device is the CPU, and the model still has to move to it whole"
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    dls = RatingsDataLoaders.from_df(PLANTED, splits=SPLIT, seed=0, bs=128, device=device)
    model = new_model(dls, **side(dls))
    fit_svdpp(model, dls, n_epoch=1)
    assert {o.device.type for o in [*model.parameters(), *model.buffers()]}=={device}
    assert model.collapse().user_factors.device.type==device

def test_loaders_with_days_show_and_count_ids_alone():
    dls = day_loaders(TIMED, SPLIT, bs=128, device='cpu')
    shown = dls.valid.show_batch(show=False, max_n=3)
    names = ['user', 'movie', 'rating']
    assert shown.columns.tolist()==names and shown.values.tolist()==TIMED.iloc[SPLIT[1][:3]][names].values.tolist()
    assert (dls.valid_ds.x[:,2]==0).any() and dls.valid_ds.n_unknown()==0

@pytest.mark.parametrize('lo,hi,want', [(1, 5, (0.5, 5.5)), (0, 10, (-1.25, 11.25)), (-2, 2, (-2.5, 2.5))])
def test_the_range_is_that_of_the_ratings(lo, hi, want):
    table = PLANTED.assign(rating=lo + (PLANTED.rating - 1)*(hi - lo)/4)
    model = SVDpp.from_dls(loaders(table=table))
    assert model.y_range==want
    assert fit_svdpp(model, loaders(table=table), **svdpp_recipe(1000)['fit'])**0.5 < 0.4*(hi - lo)

def test_a_training_that_fails_says_so():
    dls = loaders()
    with pytest.raises(ValueError, match='lr=1e\\+20 .* the training failed'):
        fit_svdpp(new_model(dls), dls, 1, lr=1e20)

def test_the_defaults_are_the_recipe():
    import inspect
    have = inspect.signature(fit_svdpp).parameters
    assert all(have[k].default==v for k,v in svdpp_recipe(80_000)['fit'].items())

@pytest.mark.parametrize('times,seconds,words', [
    (lambda t: t*1000 + 10**12, 86400, 'milliseconds'), (lambda t: t, -5, 'above 0'), (lambda t: t, 0, 'above 0'),
    (lambda t: t, float('nan'), 'above 0'),
    (lambda t: t.astype(float).where(t>t.min(), np.inf), 86400, 'inf'),
    (lambda t: t.astype(str), 86400, 'to_datetime')])
def test_times_that_make_no_days_are_refused(times, seconds, words):
    with pytest.raises(ValueError, match=words):
        person_days(TIMED.assign(timestamp=times(TIMED.timestamp)), SPLIT[0], seconds=seconds)

@pytest.mark.parametrize('column,words', [
    (pd.date_range('2020', periods=3), "'x' holds times: make them numbers"),
    (pd.to_timedelta([1, 2, 3], unit='D'), "'x' holds times"),
    ([['a'], ['b'], []], "'x' holds .*join"), ([{1}, {2}, {3}], "'x' holds .*join")])
def test_columns_that_are_no_features_are_refused(column, words):
    with pytest.raises(TypeError, match=words):
        feature_bags(pd.DataFrame(dict(id=[1, 2, 3], x=column)), 'id', ['#na#', 1, 2, 3])

def test_names_of_large_numbers_can_be_told_apart():
    assert feature_bags(pd.DataFrame(dict(id=[1, 2], n=[1234567, 1234568])), 'id',
                        ['#na#', 1, 2]).names==['n: 1234567', 'n: 1234568']

def test_ids_that_became_floats_are_refused_where_floats_cannot_tell_them_apart():
    big = 2**53 + 1
    table = pd.DataFrame(dict(user=[float(big), float(big+1), float(big+3)], f=['A', 'B', 'C']))
    with pytest.raises(ValueError, match='floats'): feature_bags(table, 'user', ['#na#', big, big+1, big+2])
