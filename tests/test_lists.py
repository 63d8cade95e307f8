"Training for lists: losses, the loop, bags, and decay that fits tables of every size"
import numpy as np, pandas as pd, pytest, torch
from torch.nn.functional import cross_entropy, softplus
from torch.testing import assert_close

from collab_course.baselines import baseline
from collab_course.create_params import DotProductBias
from collab_course.dot_product import DotProduct
from collab_course.evaluation import evaluate_lists
from collab_course.list_models import Interests
from collab_course.lists import (Bags, bag_scores, bce_loss, bpr_loss, collapse_bags, fit_bags, interests_of,
                                 people_a_batch, rank_fit, softmax_loss)
from collab_course.loaders import RatingsDataLoaders
from collab_course.metrics import ndcg_at
from collab_course.training import one_cycle

def loaders(rows, splits=None):
    df = pd.DataFrame(rows, columns=['user', 'movie', 'rating'])
    return RatingsDataLoaders.from_df(df, splits=splits, seed=0, bs=64, device='cpu')

def some_ratings(n_users=60, n_items=20):
    rng = np.random.default_rng(0)
    return loaders([(u, i, int(rng.integers(1, 6))) for u in range(1, n_users+1)
                    for i in rng.permutation(n_items)[:8] + 1])

def scores_model(dls, k=2): return DotProductBias(dls.n_users, dls.n_items, k, y_range=None)

# interests

@pytest.mark.parametrize('low', [0., 0.3])
def test_weights_of_a_batch_are_those_of_its_people(low):
    dls = some_ratings()
    x,y = dls.train_ds.x,dls.train_ds.y
    want = torch.zeros(dls.n_users, dls.n_items, dtype=torch.float64)
    want[x[:,0],x[:,1]] = torch.where(y>=4, 1., low).double()
    people = np.array([7, 1, 60, 33])
    assert_close(torch.from_numpy(interests_of(dls.train_ds, 4, low).of(people).table()), want[people])

# losses

def test_softmax_loss_is_a_weighted_cross_entropy():
    torch.manual_seed(0)
    s,w = torch.randn(4, 6),torch.rand(4, 6)*(torch.rand(4, 6)<.5)
    rows,cols = w.nonzero().T
    want = (cross_entropy(s[rows], cols, reduction='none')*w[rows,cols]).sum()/w.sum()
    assert_close(softmax_loss(s, w), want)

@pytest.mark.parametrize('loss', [bpr_loss, bce_loss])
def test_rated_items_are_never_a_no(loss):
    s = torch.tensor([[0., 50., 0.]], requires_grad=True)
    loss(s, torch.tensor([[1., 0.3, 0.]]), 50).backward()
    assert s.grad[0,1]<=0 and s.grad[0,2]>0 and s.grad[0,0]<0

def test_sampled_losses_in_the_mean_of_many_draws():
    torch.manual_seed(0)
    s,w = torch.tensor([[1., -1., .5, 2.]]),torch.tensor([[1., 0., 0., .5]])
    bpr = sum(wi*softplus(s[0,[1, 2]] - si).sum()/4 for si,wi in ((1., 1.), (2., .5)))/1.5
    bce = sum(wi*(softplus(torch.tensor(-si)) + 20_000*softplus(s[0,[1, 2]]).sum()/4)
              for si,wi in ((1., 1.), (2., .5)))/1.5
    assert_close(bpr_loss(s, w, 20_000), bpr, rtol=.03, atol=0)
    assert_close(bce_loss(s, w, 20_000), bce, rtol=.03, atol=0)

# rank_fit

def groups():
    "People and items of two kinds, nearly all of their own kind rated; some rows of liked items are kept back"
    rng = np.random.default_rng(0)
    rows = [(u, i, 5) for u in range(1, 41) for i in range(1, 31) if u%2==i%2]
    valid = rng.permutation(len(rows))[:100]
    return loaders(rows, (np.setdiff1d(np.arange(len(rows)), valid), valid))

@pytest.mark.parametrize('kwargs', [dict(), dict(loss='bpr', wd=.5), dict(loss='bce', wd=.5)])
def test_training_for_lists_finds_planted_groups_and_popularity_does_not(kwargs):
    dls = groups()
    torch.manual_seed(0)
    model = scores_model(dls, 8)
    rank_fit(model, dls, bs=8, n_epoch=30, seed=0, **{'wd': 1.5, **kwargs})
    assert evaluate_lists(baseline(dls, 'popularity'), dls, 3)['recall'] < .9
    assert evaluate_lists(model, dls, 5)['recall'] > .95
    assert not model.training

def fit_twice(seed):
    res = []
    for global_seed in (1, 2):
        dls = some_ratings()
        torch.manual_seed(0)
        model = scores_model(dls, 4)
        torch.manual_seed(global_seed)
        loss = rank_fit(model, dls, loss='bpr', n_epoch=2, bs=16, seed=seed)
        res.append((loss, model, torch.rand(1).item()))
    return res

def test_a_seed_fixes_the_training_and_leaves_torch_alone():
    (la,a,ra),(lb,b,rb) = fit_twice(5)
    assert la==lb
    for p,q in zip(a.parameters(), b.parameters()): assert_close(p, q, rtol=0, atol=0)
    torch.manual_seed(1)
    assert torch.rand(1).item()==ra!=rb

def test_without_a_seed_torchs_generator_decides():
    (la,*_),(lb,*_) = fit_twice(None)
    assert la!=lb

def test_validation_rows_and_na_play_no_part():
    dls,other = some_ratings(),some_ratings()
    other.valid_ds.y = other.valid_ds.y.flip(0)
    models = []
    for d in (dls, other):
        torch.manual_seed(0)
        models.append(scores_model(d, 4))
        before = models[-1].item_factors[0].detach().clone()
        rank_fit(models[-1], d, n_epoch=2, wd=0., seed=0)
        assert_close(models[-1].item_factors[0].detach(), before)
    for p,q in zip(*(m.parameters() for m in models)): assert_close(p, q, rtol=0, atol=0)

@pytest.mark.parametrize('kwargs,why', [
    (dict(loss='hinge'), "loss must be 'softmax' or"), (dict(n_neg=0), 'n_neg must be'), (dict(bs=0), 'bs must be'),
    (dict(n_epoch=0), 'n_epoch must be'), (dict(low=-1), 'low must be a number'), (dict(wd=-1), 'wd must be a number'),
    (dict(at_least=6), 'nothing is known to be liked'), (dict(seed=-1), 'seed must be')])
def test_rank_fit_refuses_settings_that_are_none(kwargs, why):
    dls = some_ratings()
    with pytest.raises(ValueError, match=why): rank_fit(scores_model(dls), dls, **kwargs)

def test_rank_fit_refuses_other_models():
    dls = some_ratings()
    with pytest.raises(ValueError, match='y_range=None'): rank_fit(DotProductBias(dls.n_users, dls.n_items, 2), dls)
    with pytest.raises(TypeError, match='not a DotProduct'): rank_fit(DotProduct(dls.n_users, dls.n_items, 2), dls)
    with pytest.raises(ValueError, match='the loaders need'): rank_fit(DotProductBias(2, 2, 2, y_range=None), dls)

# decay that fits tables of every size

def test_batches_are_about_fifteen_up_to_512_people():
    assert [people_a_batch(n) for n in (1, 100, 943, 6_040, 10**6)]==[8, 8, 64, 408, 512]

def planted(n_users, n_items=120, n_kinds=6, seed=0):
    "Ten items a person, most of their kind and by popularity; three more to be found"
    rng = np.random.default_rng(seed)
    fame = rng.exponential(1, n_items)
    kind = rng.integers(n_kinds, size=n_users)
    chance = fame*np.where(np.arange(n_items)%n_kinds==np.arange(n_kinds)[:,None], 8., 1.)
    noise = np.log(chance)[kind] + rng.gumbel(size=(n_users, n_items))
    items = np.argsort(-noise, 1)[:,:13]
    rng.permuted(items, axis=1, out=items)
    rows = np.stack([np.repeat(np.arange(n_users), 13), items.ravel() + 1, np.full(items.size, 5)], 1)
    rows[:,0] += 1
    valid = np.flatnonzero(np.arange(len(rows))%13>=10)
    return loaders(rows, (np.setdiff1d(np.arange(len(rows)), valid), valid))

@pytest.mark.parametrize('n_users', [300, 3_000])
def test_one_default_decay_beats_popularity_on_tables_of_two_sizes(n_users):
    dls = planted(n_users)
    torch.manual_seed(0)
    model = scores_model(dls, 64)
    rank_fit(model, dls, seed=0)
    found = evaluate_lists(model, dls)['ndcg']
    assert found > evaluate_lists(baseline(dls, 'popularity'), dls)['ndcg'] + .1

@pytest.mark.parametrize('bs', [8, 60])
def test_an_epoch_decays_by_wd_whatever_the_number_of_batches(bs):
    dls = some_ratings()
    torch.manual_seed(0)
    model = scores_model(dls, 4)
    model.user_factors.data[0] = 1. # `#na#` gets no gradient, so only decay moves it
    rank_fit(model, dls, n_epoch=4, lr=1e-3, wd=30., bs=bs, seed=0)
    n = -(-60//bs)
    rates = [lr for lr,_ in one_cycle(4*n, 1e-3)]
    want = np.prod([1 - lr*30/n for lr in rates[:4*n]])
    assert_close(model.user_factors[0].detach(), torch.full((4,), float(want)), rtol=1e-4, atol=0)

# bags

def people_of_two_kinds():
    rows = [(u, i) for u in range(1, 61) for i in range(1, 21) if u%2==i%2 and (u*7 + i*3)%5]
    users,items = np.array(rows).T
    return Interests.from_pairs(users, items, np.ones(len(users)), 61, 21)

def test_bags_score_people_who_were_never_seen_by_what_they_rated():
    model = fit_bags(people_of_two_kinds(), n_factors=8, wd=1.5, seed=0)
    new = Interests.from_pairs([0, 0, 1, 1], [2, 4, 1, 3], np.ones(4), 2, 21)
    s = bag_scores(model, new)
    assert s.shape==(2, 21) and (s[:,0]==-np.inf).all() and s.dtype==np.float32
    even = np.arange(1, 21)%2==0
    assert s[0,1:][even].min()>s[0,1:][~even].max() and s[1,1:][~even].min()>s[1,1:][even].max()

def test_a_person_is_the_weighted_mean_of_rows():
    model = Bags(4, 2)
    w = torch.tensor([[0., 1., 0.3, 0.], [0., 0., 0., 0.]])
    rows = model.user_rows(w)
    assert_close(rows[0], (model.bag_factors[1] + 0.3*model.bag_factors[2])/1.3)
    assert_close(rows[1], torch.zeros(2))
    assert_close(model(w)[1], model.item_bias)

def test_tables_without_bags_have_the_same_scores():
    interests = people_of_two_kinds()
    model = fit_bags(interests, n_factors=8, n_epoch=2, seed=0)
    tables = collapse_bags(model, interests)
    want = (tables.user_factors@tables.item_factors.T + tables.item_bias).detach().numpy()
    np.testing.assert_allclose(bag_scores(model, interests)[:,1:], want[:,1:], rtol=1e-4, atol=1e-5)

def test_bags_are_the_same_for_the_same_seed_and_leave_torch_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    a,b = (fit_bags(people_of_two_kinds(), n_factors=4, n_epoch=2, seed=1) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    for p,q in zip(a.parameters(), b.parameters()): assert_close(p, q, rtol=0, atol=0)

def test_hiding_a_part_of_the_bag_helps_to_find_what_was_kept_back():
    dls = planted(400)
    interests = interests_of(dls.train_ds)
    known = interests.table()>0
    x = dls.valid_ds.x
    wanted = np.zeros(known.shape, dtype=bool)
    wanted[x[:,0],x[:,1]] = True
    def ndcg(drop):
        s = np.where(known, -np.inf, bag_scores(fit_bags(interests, 32, drop=drop, seed=0), interests))
        return np.nanmean(ndcg_at(s[1:], wanted[1:]))
    assert ndcg(.5) > ndcg(0.)

@pytest.mark.parametrize('kwargs,why', [(dict(drop=1.), 'drop must be'), (dict(n_factors=0), 'n_factors must be'),
                                        (dict(wd=-1.), 'wd must be'), (dict(bs=0), 'bs must be')])
def test_fit_bags_refuses_settings_that_are_none(kwargs, why):
    with pytest.raises(ValueError, match=why): fit_bags(people_of_two_kinds(), **kwargs)

def test_bags_need_interests():
    with pytest.raises(TypeError, match='pass Interests'): fit_bags(np.zeros((3, 3)))
    nobody = Interests.from_pairs([], [], [], 3, 3)
    with pytest.raises(ValueError, match='nobody is interested'): fit_bags(nobody)
