"Tables in pieces: the same numbers whatever the number of processes, and nothing lost when one is killed"
import json, os, random, subprocess, sys
from pathlib import Path

import pytest
import torch

from collab_course import sharding
from collab_course.checkpoints import bias_pace, last_step, load_tables, read_report, read_run
from collab_course.ratings_index import RatingsIndex, index_ratings
from collab_course.sharding import initial_rows
from collab_course.steps import one_cycle
from collab_course.tables import planted_ratings
from workers import KILLS, SETTINGS

pytestmark = [pytest.mark.torchrec,
              pytest.mark.skipif(sys.platform!='linux', reason='TorchRec has wheels for Linux only')]
WORKERS = Path(__file__).with_name('workers.py')

@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    "A folder where processes have trained: 31 × 20 rows, 193 ratings, in batches of 40 whose last ones are ragged"
    seed = random.SystemRandom().randrange(10**6)
    folder = tmp_path_factory.mktemp('runs')/f'kills-{seed}' # the name says at which steps the killed run was killed
    folder.mkdir()
    planted_ratings(30, 20, 203, rating_range=(1, 5), step=1., seed=0).ratings.to_parquet(folder/'ratings.parquet')
    index_ratings(folder/'ratings.parquet', folder/'index', valid_pct=0.05, seed=0)
    (folder/'tmp').mkdir() # PyTorch leaves files there
    env = os.environ | dict(PYTHONPATH=os.pathsep.join(map(str, [WORKERS.parents[1], *sys.path])), TMPDIR=folder/'tmp')
    r = subprocess.run([sys.executable, WORKERS, folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       env=env)
    (folder/'all.log').write_text(r.stdout)
    assert r.returncode==0, r.stdout[-6000:]
    return folder

def plain_tables(index, n_factors, n_epoch, bs, lr, wd, seed):
    "The same training without TorchRec: whole tables, exact row-wise Adagrad, rows as wide as they are"
    sizes = dict(user=index.n_users, item=index.n_items)
    tables = [initial_rows(n, n_factors, seed, name)[:,:n_factors+1].clone().requires_grad_()
              for name,n in sizes.items()]
    sums = [torch.zeros(n) for n in sizes.values()]
    pace = torch.ones(n_factors+1)
    pace[n_factors] = bias_pace # the bias is stored larger than it's used
    rates = one_cycle(n_epoch*index.n_steps(bs), lr)
    batches = [o for epoch in range(n_epoch) for o in index.batches(range(8), bs, epoch, seed)]
    for (users,items,ratings),(rate,_) in zip(batches, rates, strict=True):
        ids = [torch.from_numpy(o) for o in (users, items)]
        u,i = (table[rows]*pace for table,rows in zip(tables, ids))
        score = (u[:,:n_factors]*i[:,:n_factors]).sum(1) + u[:,n_factors] + i[:,n_factors]
        errors = 5.5*torch.sigmoid(score) - torch.from_numpy(ratings)
        (((errors**2).sum() + wd*((u**2).sum() + (i**2).sum()))/2).backward()
        with torch.no_grad():
            for table,total,rows in zip(tables, sums, ids):
                rows = rows.unique()
                grad = table.grad[rows]
                total[rows] += (grad**2).mean(1)
                table[rows] -= rate*grad/(total[rows].sqrt() + 1e-8)[:,None]
                table.grad = None
    return {f'tables.{name}': table.detach().numpy() for name,table in zip(sizes, tables)}

def difference(one, two, what='tables'):
    "The largest difference between tables of two runs"
    return max(abs(one[name] - two[name]).max() for name in one if name.startswith(what))

@pytest.fixture(scope='module')
def tables(runs):
    "{name of a run: its tables and sums}"
    names = 'one two four killed half half-without one-means two-means one-exact two-exact'.split()
    return {name: load_tables(runs/name) for name in names}

def test_the_table_is_odd_and_ragged(runs):
    index = RatingsIndex(runs/'index')
    assert index.n_users%2 and index.n_users%4 and index.n_valid
    sizes = [[len(o[2]) for o in index.batches(range(k, k + 4), 40)] for k in (0, 4)]
    assert sizes[0][-1]<sizes[0][0] and sizes[0][-1]!=sizes[1][-1]

@pytest.mark.parametrize('k,names', [(5, ('one', 'two', 'four', 'half')), (3, ('one-exact', 'two-exact'))])
def test_plain_pytorch_and_any_number_of_processes_agree(runs, tables, k, names):
    plain = plain_tables(RatingsIndex(runs/'index'), **SETTINGS | dict(n_factors=k))
    for name in names:
        found = {table: rows[:,:k+1] for table,rows in tables[name].items() if table.startswith('tables')}
        assert difference(plain, found)<1e-5, name
        assert not tables[name]['tables.user'][:,k+1:].any() # the padding stays 0

def test_the_sums_of_squares_are_the_same_for_any_number_of_processes(tables):
    for name in ('two', 'four', 'half'): assert difference(tables['one'], tables[name], 'sums')<1e-4, name

def test_training_moved_the_tables(runs, tables):
    before = initial_rows(31, SETTINGS['n_factors'], SETTINGS['seed'], 'user')
    assert abs(tables['one']['tables.user'] - before.numpy())[1:].max()>0.1
    report = read_report(runs/'two')
    assert report['n_valid']==10 and report['n_train']==193 and report['world']==2
    assert report['valid_rmse']==pytest.approx(read_report(runs/'one')['valid_rmse'], abs=1e-6)
    assert read_run(runs/'two')==read_run(runs/'one')

def test_killed_at_five_random_steps_it_ends_as_if_nothing_had_happened(runs, tables):
    assert len([*runs.glob('kill-*')])==KILLS
    assert difference(tables['killed'], tables['two'])==0, runs.name
    assert difference(tables['killed'], tables['two'], 'sums')==0, runs.name

def test_saved_by_two_and_continued_by_one_it_equals_the_run_on_two(runs, tables):
    assert read_report(runs/'half')['world']==1 and last_step(runs/'half')==last_step(runs/'two')
    assert difference(tables['half'], tables['two'])<1e-5

def test_without_the_optimizers_sums_a_checkpoint_leads_elsewhere(tables):
    assert difference(tables['half-without'], tables['two'])>0.01

def test_a_mean_in_each_process_depends_on_their_number(tables):
    assert difference(tables['one-means'], tables['two-means'])>1e-3

def test_only_with_a_prefix_for_each_attempt_is_the_store_empty_after_a_restart(runs):
    "In PyTorch's own, new processes read the addresses of dead ones: gloo can't connect, or waits for five minutes"
    assert json.loads((runs/'stores.json').read_text())==dict(plain=True, ours=False)

def test_the_only_process_that_finds_a_damaged_file_says_so(runs):
    path = runs/'damaged/train/stream=7/part-00000.parquet'
    lines = (runs/'all.log').read_text().splitlines()
    found = [line for line in lines if line.startswith('error: ')]
    assert len(found)==1 and found[0].startswith(f"error: {path} isn't a Parquet file, or a damaged one")
    assert 'the processes ended' in lines

def test_killed_while_it_saves_nothing_is_lost(runs):
    *kills,after = json.loads((runs/'saving.json').read_text())
    assert len(kills)==20 and all(o['died'] for o in kills)
    for o in kills:
        assert o['last'] in (o['before'], o['before'] + 1)
        assert all(value==[o['last']]*2 for value in o['values'].values()), o
    assert sum(o['half'] for o in kills)>=5 # half a checkpoint was there
    assert any(o['last']>o['before'] for o in kills) # and some died after the pointer had moved
    assert after['last']==kills[-1]['last'] + 1 and after['steps']==[after['last'] - 1, after['last']]

def test_a_process_holds_half_of_the_rows_and_half_of_the_memory(runs):
    one = json.loads((runs/'memory-one-0.json').read_text())
    for rank in (0, 1):
        two = json.loads((runs/f'memory-two-{rank}.json').read_text())
        assert two['rows']==two['due']<=-(-one['rows']//2)
        assert two['growth']<=0.6*one['growth'], (two, one)

def test_another_version_of_pytorch_is_one_sentence_with_the_commands(monkeypatch):
    monkeypatch.setattr(sharding, 'version', lambda name: '2.15.0')
    with pytest.raises(ImportError, match="this is torch 2.15.0: run `pip install 'torch==2.14.*'`, then `make dist"):
        sharding.check_engine()
