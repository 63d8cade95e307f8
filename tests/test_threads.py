"Threads and forked processes: a seed holds, nobody's random numbers are touched, and nobody waits for ever"
import copy, multiprocessing, os, pickle, random, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import numpy as np, pytest, torch

from collab_course.create_params import DotProductBias
from collab_course.evaluation import cross_validate
from collab_course.fitting import new_dot_product, training_settings
from collab_course.lists import rank_fit
from collab_course.loaders import RatingBatches, RatingsDataLoaders, RatingsDL
from collab_course.loops import no_denormals, one_at_a_time, own_random
from collab_course.recommender import Recommender
from collab_course.served import NetworkTables
from collab_course.tables import planted_ratings, random_split
from collab_course.training import lean_fit

pytestmark = pytest.mark.filterwarnings('ignore:on .* ratings kept back:UserWarning')

@pytest.fixture(scope='module')
def df(): return planted_ratings(30, 25, 300, seed=3, rating_range=(1, 5), step=1).ratings

@pytest.fixture(scope='module')
def rec(df): return Recommender.fit(df, n_factors=4, n_epoch=1, seed=0, progress=False)

@pytest.fixture
def eager_threads():
    "Threads take turns as often as they can"
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)

def states():
    "Where all generators of the process are"
    _,numbers,place,*_ = np.random.get_state()
    return random.getstate(), numbers.tolist(), place, torch.get_rng_state().tolist()

def weights(df, model, seed, **kwargs):
    rec = Recommender.fit(df, model=model, n_factors=4, n_epoch=1, seed=seed, progress=False, **kwargs)
    return torch.cat([p.flatten() for p in rec.model.parameters()])

def ranked(dls, loss, seed):
    with own_random(0): model = DotProductBias(dls.n_users, dls.n_items, 4, None)
    rank_fit(model, dls, loss, n_epoch=1, seed=seed)
    return model.user_factors.detach()

def same_in_threads(f, jobs):
    "Does each job give in a crowd of threads what it gives alone?"
    alone = [f(*job) for job in jobs]
    with ThreadPoolExecutor(4) as pool: crowd = list(pool.map(lambda job: f(*job), jobs))
    return [torch.equal(a, b) for a,b in zip(alone, crowd)]

@pytest.mark.parametrize('model', ['dot_product', 'neighbours'])
def test_fits_with_seeds_in_threads_equal_the_same_fits_alone(df, model, eager_threads):
    assert all(same_in_threads(weights, [(df, model, seed) for seed in range(4)]*2))

@pytest.mark.parametrize('loss', ['softmax', 'bpr', 'bce'])
def test_ranking_with_seeds_in_threads_equals_the_same_alone(df, loss, eager_threads):
    dls = RatingsDataLoaders.from_df(df, seed=0)
    assert all(same_in_threads(lambda seed: ranked(dls, loss, seed), [(seed,) for seed in range(4)]*2))

def test_cross_validations_in_threads_equal_the_same_alone(df, eager_threads):
    def fit(dls):
        model = DotProductBias(dls.n_users, dls.n_items, 4)
        lean_fit(model, dls, 1)
        return model
    split = random_split(df, .2, 0)
    def rmse(seed): return torch.tensor(cross_validate({'dot': fit}, df, [split], seeds=[seed]).rmse)
    assert all(same_in_threads(rmse, [(seed,) for seed in range(4)]*2))

@pytest.mark.parametrize('model', ['dot_product', 'neighbours'])
def test_no_generator_moves_while_a_model_is_fitted(df, model):
    found = []
    before = states()
    weights(df, model, 0, on_epoch=lambda *_: found.append(states()))
    assert found and all(o==before for o in [*found, states()])

def test_a_bystanders_numbers_are_those_of_its_seed(df, eager_threads):
    for seed in (random.seed, np.random.seed, torch.manual_seed): seed(9)
    mine = random.Random(9), np.random.RandomState(9), torch.Generator().manual_seed(9)
    done = Event()
    def fits():
        for seed in range(6): weights(df, 'dot_product', seed)
        done.set()
    thread = Thread(target=fits)
    thread.start()
    wrong = n = 0
    while not done.is_set():
        drawn = random.random(), np.random.rand(), torch.rand(1).item()
        wanted = mine[0].random(), mine[1].random_sample(), torch.rand(1, generator=mine[2]).item()
        wrong += drawn!=wanted
        n += 1
    thread.join()
    assert n>10 and not wrong

@pytest.mark.parametrize('loss', ['softmax', 'bpr', 'bce'])
def test_no_generator_moves_while_lists_are_learned(df, loss):
    dls = RatingsDataLoaders.from_df(df, seed=0)
    model = DotProductBias(dls.n_users, dls.n_items, 4, None)
    before = states()
    rank_fit(model, dls, loss, n_epoch=1, seed=5)
    assert states()==before

def test_the_start_is_that_of_the_class_after_the_seed(df):
    settings = training_settings(len(df), (1, 5), n_factors=4, seed=11)
    dls = RatingsDataLoaders.from_df(df, seed=0)
    model = new_dot_product(dls, settings, {})
    with own_random(11): want = DotProductBias(dls.n_users, dls.n_items, 4)
    assert all(torch.equal(a, b) for a,b in zip(model.parameters(), want.parameters()))

def test_plain_batches_are_those_of_the_loader(df):
    ds = RatingsDataLoaders.from_df(df, seed=0).train_ds
    for kwargs in (dict(bs=7, shuffle=True, seed=3), dict(bs=7), dict(bs=len(ds)-1, shuffle=True, seed=3)):
        plain,full = RatingBatches(ds, **kwargs),RatingsDL(ds, **kwargs)
        assert len(plain)==len(full)
        for _ in range(2):
            for (x,y),(x2,y2) in zip(plain, full, strict=True): assert x.equal(x2) and y.equal(y2)

def test_a_second_thread_with_a_seed_waits_for_the_first():
    inside = Event()
    order = []
    def second():
        inside.wait()
        with own_random(1): order.append(torch.rand(1).item())
    thread = Thread(target=second)
    thread.start()
    with own_random(0):
        inside.set()
        thread.join(.2)
        order.append('first')
    thread.join()
    with own_random(1): assert order==['first', torch.rand(1).item()]

def test_denormal_numbers_are_lost_in_the_training_thread_alone():
    tiny = torch.tensor(1e-40)
    half = lambda: (tiny*.5).item()
    inside,leave = Event(),Event()
    def training():
        with no_denormals():
            inside.set()
            leave.wait()
    thread = Thread(target=training)
    thread.start()
    inside.wait()
    elsewhere = half()
    leave.set()
    thread.join()
    with no_denormals(): within = half()
    assert elsewhere>0 and within==0 and half()>0

def test_handing_out_a_network_draws_nothing():
    rows = np.ones((3, 2), np.float32)
    layers = [(np.ones((4, 4), np.float32), np.ones(4, np.float32)), 'relu',
              (np.ones((1, 4), np.float32), np.ones(1, np.float32))]
    torch.rand(1) # the state exists
    before = states()
    model = NetworkTables(rows, rows, layers, None).to_torch()
    assert states()==before and {p.device.type for p in model.parameters()}=={'cpu'}
    assert model(torch.tensor([[1, 2]])).tolist()==[21.]

def test_many_threads_ask_one_recommender_and_get_the_same_lists(df, rec, eager_threads):
    users = df.user.unique().tolist()
    alone = [rec.recommend(u).to_dict('list') for u in users]
    fresh = Recommender.fit(df, n_factors=4, n_epoch=1, seed=0, progress=False) # nothing is cached yet
    with ThreadPoolExecutor(8) as pool:
        crowd = [list(pool.map(lambda u: fresh.recommend(u).to_dict('list'), users)) for _ in range(4)]
    assert all(o==alone for o in crowd)

def test_saves_in_threads_leave_one_whole_file_that_answers(df, rec, tmp_path, eager_threads):
    path = tmp_path/'m.safetensors'
    u = df.user.iloc[0]
    with ThreadPoolExecutor(6) as pool:
        saves = [pool.submit(rec.save, path) for _ in range(12)]
        lists = [pool.submit(rec.recommend, u) for _ in range(24)]
        for o in saves: o.result()
    assert all(o.result().equals(rec.recommend(u)) for o in lists)
    assert Recommender.load(path).recommend(u).equals(rec.recommend(u))
    assert not [o for o in os.listdir(tmp_path) if o.endswith('.tmp')]

def test_copies_give_the_same_lists(df, rec):
    want = rec.recommend_all()
    for same in (copy.copy(rec), copy.deepcopy(rec), pickle.loads(pickle.dumps(rec))):
        assert same.recommend_all().equals(want)

forked = '''
import multiprocessing, torch
from collab_course.recommender import Recommender
from collab_course.tables import planted_ratings
df = planted_ratings(60, 50, 800, seed=3, rating_range=(1, 5), step=1).ratings
def fit(seed): return Recommender.fit(df, n_factors=8, n_epoch=1, valid_pct=0, seed=seed, progress=False)
torch.set_num_threads(4)
torch.rand(900, 900)@torch.rand(900, 900)
rec = fit(0)
def scores(n): return rec.model(torch.ones(100_000, 2, dtype=torch.long)).sum().item()
with multiprocessing.get_context('fork').Pool(2) as pool:
    lists = pool.map(rec.recommend, [1, 2, 3])
    assert [o.equals(rec.recommend(u)) for o,u in zip(lists, [1, 2, 3])]==[True]*3
    assert len(set(pool.map(scores, [0, 1])))==1
    again = pool.map(fit, [0, 1])
assert again[0].recommend_all().equals(rec.recommend_all())
assert torch.get_num_threads()==4
print('answered')
'''

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
def test_forked_workers_answer_and_train_whatever_their_parent_did():
    env = {k: v for k,v in os.environ.items() if k!='OMP_NUM_THREADS'}
    command = [sys.executable, '-W', 'ignore', '-c', forked]
    res = subprocess.run(command, env=env, capture_output=True, text=True)
    assert res.stdout.split()==['answered'], res.stderr[-2000:]

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
def test_a_forked_child_finds_the_lock_of_seeds_free():
    inside,leave = Event(),Event()
    def holds():
        with own_random(0):
            inside.set()
            leave.wait()
    thread = Thread(target=holds)
    thread.start()
    inside.wait()
    def child():
        assert one_at_a_time.lock.acquire(blocking=False)
        with own_random(1): pass
    assert not one_at_a_time.lock.acquire(blocking=False) # here it is held
    process = multiprocessing.get_context('fork').Process(target=child)
    process.start()
    process.join()
    leave.set()
    thread.join()
    assert process.exitcode==0
