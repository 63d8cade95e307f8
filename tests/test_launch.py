"Several processes on this machine: one command, one sentence where it fails, the usual model at the end"
import json, os, shutil, signal, subprocess, sys, time, tracemalloc
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import numpy as np
import pandas as pd
import pytest

from collab_course.answers import RatingCounts
from collab_course.baselines import fit_biases
from collab_course.checkpoints import load_tables, read_report, used_rows, write_json
from collab_course.command_line import main
from collab_course.extremes import wider
from collab_course.launch import WorkersFailed, follow, run_workers, setting_words, why_failed, worker_environ
from collab_course.ratings_index import RatingsIndex, index_ratings
from collab_course.recommender import Recommender, biases_in, counts_in, mean_row
from collab_course.served import DotProductTables
from collab_course.tables import planted_ratings
from collab_course.vocab import Vocab

linux = pytest.mark.skipif(sys.platform!='linux', reason='TorchRec comes for Linux only')

STAND_IN = '''
import os, signal, sys, time
rank,what = int(os.environ['RANK']),sys.argv[-1].partition('=')[2]
attempt = int(os.environ['TORCHELASTIC_RESTART_COUNT'])
said = os.path.join(os.path.dirname(__file__), f'said-{attempt}')
if rank==0:
    print('epoch 1: RMSE 1.0 on ratings kept back', flush=True)
    open(said, 'w').close()
while not os.path.exists(said): time.sleep(.05) # a process that fails ends the others, too
if what=='4':
    print('process', os.getpid())
    print('process', os.getppid())
    time.sleep(3600)
if attempt==0 and rank==1: os.kill(os.getpid(), signal.SIGKILL)
if attempt==1 and rank==1: raise MemoryError
if attempt==2 and rank==0:
    sys.stderr.write('error: got nonsense\\n')
    sys.exit(1)
'''

@pytest.fixture
def litter(tmp_path, monkeypatch):
    "The folder for temporary files of what is started: PyTorch's launcher makes one of its own there, and leaves it"
    (tmp_path/'tmp').mkdir()
    monkeypatch.setenv('TMPDIR', str(tmp_path/'tmp'))
    return tmp_path/'tmp'

@pytest.fixture
def stand_in(tmp_path, monkeypatch, litter):
    "What each process runs in place of a training: it fails in three ways, or sleeps if its seed is 4"
    (tmp_path/'stand_in.py').write_text(STAND_IN)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)
    return dict(index=tmp_path/'index', checkpoint=tmp_path/'ckpt', module='stand_in')

# ---- what is started, and how it ends ----

@linux
def test_a_failure_is_one_sentence(stand_in, litter):
    said = []
    with pytest.raises(WorkersFailed) as e: run_workers(**stand_in, max_restarts=5, on_line=said.append)
    assert e.value.why=='got nonsense' and '\n' not in str(e.value)
    assert str(e.value).startswith('2 processes could not train the model: got nonsense. Their messages are in ')
    # what the library itself refuses isn't tried again: the fourth try would work. One may end before it says anything
    assert 1<=len(said)<=3
    log = (stand_in['checkpoint']/'workers.log').read_text().splitlines()
    log = [line for line in log if 'error: got nonsense' not in line]
    assert why_failed(log)=='there is not enough memory for that'
    first = log[:next(k for k,line in enumerate(log) if 'MemoryError' in line)]
    assert why_failed(first)=='a process was killed, perhaps because memory ran out'
    assert not [*litter.iterdir()]

def is_alive(pid):
    try: state = open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0]
    except FileNotFoundError: return False
    return state!='Z'

def wait_until_gone(pids):
    while any(map(is_alive, pids)): time.sleep(.05)

@linux
@pytest.mark.parametrize('sig', [signal.SIGINT, signal.SIGKILL])
def test_all_end_with_their_parent_however_it_ends(stand_in, sig, litter):
    code = ('import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n'
            f'from collab_course.launch import run_workers\nrun_workers({str(stand_in["index"])!r}, '
            f'{str(stand_in["checkpoint"])!r}, module="stand_in", seed=4)')
    with subprocess.Popen([sys.executable, '-uc', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as p:
        lines = (line.split() for line in p.stdout)
        pids = [int(next(o for o in lines if o[0]=='process')[1]) for _ in range(4)]
        assert all(map(is_alive, pids)) and len({*pids})==3  # two processes, and torchrun twice
        p.send_signal(sig)
        p.communicate()
    assert p.returncode==-sig
    wait_until_gone(pids)
    assert not [*litter.iterdir()] and {o.name for o in stand_in['checkpoint'].iterdir()}=={'workers.log'}

@linux
def test_a_command_that_does_not_start_is_a_failure(tmp_path):
    assert follow([sys.executable, '-c', 'import sys; sys.exit(7)'], worker_environ(1), tmp_path/'log', print)==(7, [])

def test_the_user_decides_on_threads_and_network(monkeypatch):
    for name in ('OMP_NUM_THREADS', 'GLOO_SOCKET_IFNAME'): monkeypatch.setenv(name, 'mine')
    env = worker_environ(2)
    assert env['OMP_NUM_THREADS']==env['GLOO_SOCKET_IFNAME']=='mine'
    monkeypatch.delenv('GLOO_SOCKET_IFNAME')
    assert worker_environ(2)['GLOO_SOCKET_IFNAME']=='lo'

def test_flags_of_the_launcher_are_those_of_the_trainer():
    from collab_course.distributed import shard_parser
    settings = dict(n_factors=3, n_epoch=2, bs=64, lr=.5, wd=.25, seed=7, every=11)
    found = vars(shard_parser().parse_args(['index', '--checkpoint=c', *setting_words(settings)]))
    assert {name: found[name] for name in settings}==settings

def test_a_full_disk_under_the_log_hides_no_reason(tmp_path):
    says = "import sys; sys.exit('RuntimeError: [enforce fail at inline_container.cc:672] . unexpected pos 704')"
    code,lines = follow([sys.executable, '-c', says], worker_environ(1), tmp_path/'gone'/'log', print)
    assert code==1 and why_failed(lines)=='a checkpoint could not be written, perhaps because the disk is full'

def test_a_line_of_a_traceback_is_no_reason():
    assert why_failed(['Traceback (most recent call last):', '  raise ValueError: x', 'see Error: y']) == \
           'a process ended'

# ---- the same answers as the gathered tables ----

@pytest.fixture(scope='module')
def parts(tmp_path_factory):
    "Ratings in two Parquet files with titles, as a person with a large table has them"
    folder = tmp_path_factory.mktemp('parts')
    df = planted_ratings(n_users=301, n_items=203, n_ratings=6_000, n_factors=4, skew=1, rating_range=(1, 5),
                         step=1, seed=0).ratings
    df['title'] = df.movie.map('Film № {}'.format)
    for i,part in enumerate(np.array_split(np.arange(len(df)), 2)):
        df.iloc[part].to_parquet(folder/f'part-{i}.parquet', index=False)
    return folder

@pytest.fixture(scope='module')
def trained(parts, tmp_path_factory):
    "A model of two processes, made by the program"
    folder = tmp_path_factory.mktemp('trained')
    args = ['fit', parts/'part-0.parquet', parts/'part-1.parquet', '--workers', 2, '--checkpoint', folder/'ckpt',
            '--out', folder/'model', '--seed', 5, '--epochs', 2, '--factors', 6, '--batch-size', 256, '--lr', 0.2]
    (folder/'tmp').mkdir()
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err, pytest.MonkeyPatch.context() as m:
        m.setenv('TMPDIR', str(folder/'tmp'))
        code = main([*map(str, args)])
    assert code==0, err.getvalue()
    # importing TorchRec makes PyTorch's cache, which is one and the same for all processes of a person
    assert not [o for o in (folder/'tmp').iterdir() if not o.name.startswith('torchinductor_')]
    shutil.rmtree(folder/'tmp')
    return folder,out.getvalue(),err.getvalue()

def program(capsys, *args):
    "Exit code and what was said"
    code = main([*map(str, args)])
    said = capsys.readouterr()
    return code,said.out,said.err

@pytest.mark.torchrec
def test_the_program_says_what_fit_says(trained):
    folder,out,err = trained
    assert out.strip()==str(folder/'model')
    lines = err.splitlines()
    assert [o.partition(':')[0] for o in lines if o.startswith('epoch')]==['epoch 1', 'epoch 2']
    assert any(o.startswith('RMSE on 600 ratings kept back: ') for o in lines)
    assert 'the model is the dot product with biases, and its predictions make the lists' in lines
    assert lines[-1].startswith(f'try: collab-course recommend {folder/"model"} --user ')
    assert not [o for o in folder.iterdir() if o.name not in ('ckpt', 'model')]

@pytest.mark.torchrec
def test_predictions_are_those_of_the_gathered_tables(trained):
    folder,*_ = trained
    rec,index = Recommender.load(folder/'model'),RatingsIndex(folder/'ckpt'/'index')
    tables = load_tables(folder/'ckpt')
    users,items = tables['tables.user'],tables['tables.item']
    assert users.shape==(302, 8) and not users[:,7:].any() and not items[:,7:].any() # the pad stays 0
    rows,ratings = index.rows('valid')
    np.testing.assert_array_equal(rec.served.user_rows, used_rows(users, 6))
    np.testing.assert_array_equal(rec.served.item_rows, used_rows(items, 6))
    u,i = (used_rows(o, 6)[side].astype(float) for o,side in zip((users, items), rows.T))
    score = (u[:,:6]*i[:,:6]).sum(1) + u[:,6] + i[:,6]
    low,high = wider(index.rating_range)
    gathered = (low + (high-low)/(1 + np.exp(-score))).astype(np.float32)
    pairs = pd.DataFrame(dict(user=index.users.ids(rows[:,0]), movie=index.items.ids(rows[:,1])))
    known = index.users.known(rows[:,0]) & index.items.known(rows[:,1])
    predicted = rec.predict(pairs[known]).prediction.to_numpy()
    np.testing.assert_allclose(predicted, gathered[known].clip(1, 5), rtol=0, atol=5e-7)
    assert rec.report['valid_rmse']==pytest.approx(np.sqrt(np.mean((gathered[known]-ratings[known])**2)), rel=1e-6)
    assert rec.report | dict(n_factors=6, n_epoch=2, bs=256, seed=5, refit=False, workers=2)==rec.report

@pytest.mark.torchrec
def test_the_bundle_is_as_usual(trained, capsys):
    folder,*_ = trained
    rec = Recommender.load(folder/'model')
    assert len(rec.history)==6000 and rec.items.title.tolist()==[f'Film № {i}' for i in rec.items.movie]
    user = rec.users.user[0]
    code,out,_ = program(capsys, 'recommend', folder/'model', '--user', user, '-n', 3, '--json')
    lists = [json.loads(line) for line in out.splitlines()]
    assert code==0 and [o['movie'] for o in lists]==rec.recommend(user, 3).movie.tolist()
    assert program(capsys, 'info', folder/'model')[0]==0

@pytest.mark.torchrec
def test_a_training_that_is_done_makes_the_same_bundle_again_without_processes(trained, capsys, tmp_path):
    "On any system, since nothing is trained"
    folder,*_ = trained
    code,out,err = program(capsys, 'fit', '--resume', '--checkpoint', folder/'ckpt', '--out', tmp_path/'again')
    assert code==0 and out.strip()==str(tmp_path/'again') and 'epoch' not in err
    assert (tmp_path/'again').read_bytes()==(folder/'model').read_bytes()

@pytest.mark.torchrec
def test_counts_in_place_of_a_history_are_the_same(trained):
    folder,*_ = trained
    index = RatingsIndex(folder/'ckpt'/'index')
    whole,counted = (Recommender.from_shards(folder/'ckpt', index, history=o) for o in (True, False))
    np.testing.assert_array_equal(counted.served.user_rows, whole.served.user_rows)
    for side in ('user', 'item'):
        for what in ('counts', 'means'):
            a,b = (getattr(rec.history, f'{side}_{what}') for rec in (whole, counted))
            np.testing.assert_allclose(a, b, rtol=1e-12)
    assert counted.report.pop('baseline_rmse')==pytest.approx(whole.report.pop('baseline_rmse'), rel=1e-9)
    assert counted.report==whole.report
    with pytest.raises(ValueError, match='saved without its history'): counted.recommend(whole.users.user[0])

def test_biases_by_files_are_those_of_the_table(parts, tmp_path):
    index = index_ratings(str(parts), tmp_path/'index', seed=0)
    rows,ratings = index.rows('train')
    expected = fit_biases(rows, ratings.astype(float), (index.n_users, index.n_items))
    for a,b in zip(expected, biases_in(index, counts_in(index).mean)): np.testing.assert_allclose(a, b, atol=1e-12)

@pytest.mark.torchrec
def test_index_and_checkpoint_must_belong_together(trained, parts, tmp_path):
    folder,*_ = trained
    other = index_ratings(str(parts), tmp_path/'index', seed=6)
    with pytest.raises(ValueError, match="trained on other ratings than those in .*, so its rows are other people's"):
        Recommender.from_shards(folder/'ckpt', other)
    with pytest.raises(ValueError, match='holds no training in pieces'): Recommender.from_shards(tmp_path, other)

@pytest.mark.torchrec
def test_a_training_that_is_not_done_makes_no_model(trained, tmp_path):
    folder,*_ = trained
    half = shutil.copytree(folder/'ckpt', tmp_path/'ckpt')
    (half/'report.json').unlink()
    with pytest.raises(ValueError, match="isn't done"): Recommender.from_shards(half, half/'index')

@pytest.mark.torchrec
@pytest.mark.parametrize('flags,says', [
    (['--lr', '0.4'], 'was started with --lr 0.2, not 0.4'),
    (['--factors', '7'], 'was started with --factors 6, not 7'),
    (['--seed', '6'], 'was started with --seed 5, not 6')])
def test_a_training_goes_on_with_its_own_settings(trained, capsys, tmp_path, flags, says):
    folder,*_ = trained
    code,_,err = program(capsys, 'fit', '--resume', '--checkpoint', folder/'ckpt', '--out', tmp_path/'m', *flags)
    assert code==1 and says in err and not (tmp_path/'m').exists()
    assert read_report(folder/'ckpt')['lr']==0.2

@pytest.mark.torchrec
def test_a_training_goes_on_with_its_own_files(trained, parts, capsys, tmp_path):
    folder,*_ = trained
    goes_on = ('--resume', '--checkpoint', folder/'ckpt', '--out', tmp_path/'m')
    code,_,err = program(capsys, 'fit', parts/'part-1.parquet', *goes_on)
    assert code==1 and 'began with other files, such as' in err and 'part-0.parquet' in err
    assert not (tmp_path/'m').exists()
    assert program(capsys, 'fit', parts/'part-1.parquet', parts/'part-0.parquet', *goes_on)[0]==0

# ---- what is refused, before anything is read ----

def test_pairs_rated_twice_name_the_cures_of_fit(parts, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr('collab_course.sharding.engine_problem', lambda: None)
    df = pd.read_parquet(parts/'part-0.parquet')
    pd.concat([df, df.head(1)]).to_parquet(tmp_path/'twice.parquet')
    code,_,err = program(capsys, 'fit', tmp_path/'twice.parquet', '--workers', 2, '--out', tmp_path/'model',
                         '--checkpoint', tmp_path/'ckpt')
    assert code==1 and 'Merge them with --duplicates first, last or mean' in err and '--duplicates keep' not in err
    assert [o.name for o in tmp_path.iterdir()]==['twice.parquet']

@pytest.mark.parametrize('flags,says', [
    (['--resume'], '--resume goes on with a training: name its folder with --checkpoint'),
    (['--checkpoint', 'ckpt'], '--checkpoint is for a training in several processes: add, for example, --workers 2'),
    (['--workers', '3'], '--workers must be one of [1, 2, 4, 8], since the ratings lie in 8 streams, not 3'),
    (['--workers', '9'], '--workers must be one of [1, 2, 4, 8]'),
    (['--workers', '2', '--model', 'lists'], '--model lists is trained by one process: omit --workers, or --model'),
    (['--workers', '2', '--model', 'neighbours'], '--model neighbours is trained by one process'),
    (['--workers', '2', '--feedback', 'clicks'], 'trains a model of ratings, and clicks have none'),
    (['--workers', '2', '--feedback', 'counts'], 'trains a model of ratings, and counts have none'),
    (['--workers', '2', '--split', 'time'], 'the ratings kept back are random ones: omit --split and --time'),
    (['--workers', '2', '--time', 'when'], 'omit --split and --time'),
    (['--workers', '2', '--batch-size', '100'], '--batch-size must be a multiple of 8'),
    (['--workers', '2', '--wd', '-1'], '--wd must be'),
    (['--workers', '2', '--resume', '--checkpoint', 'nowhere', 'no'], None)])
def test_odd_options_are_one_sentence(parts, capsys, tmp_path, monkeypatch, flags, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('collab_course.sharding.engine_problem', lambda: None)
    if says is None: flags,says,files = flags[:-1],'there is no training in nowhere to go on with',[]
    else: files = [parts/'part-0.parquet']
    code,out,err = program(capsys, 'fit', *files, '--out', 'model', *flags)
    assert (code, out)==(1, '') and says in err and len(err.splitlines())==1
    assert not [*tmp_path.iterdir()]

def test_no_process_is_a_wrong_use(parts, capsys, tmp_path):
    code,_,err = program(capsys, 'fit', parts/'part-0.parquet', '--out', tmp_path/'m', '--workers', '0')
    assert code==2 and "argument --workers: '0' isn't a whole number of at least 1" in err
    code,_,err = program(capsys, 'fit', '--out', tmp_path/'m')
    assert code==2 and 'the following arguments are required: RATINGS' in err

def test_a_folder_with_another_training_or_something_else_is_left_alone(parts, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr('collab_course.sharding.engine_problem', lambda: None)
    ask = ('fit', parts/'part-0.parquet', '--workers', 2, '--out', tmp_path/'model', '--checkpoint', tmp_path/'ckpt')
    (tmp_path/'ckpt').write_text('a file')
    assert 'is a file, and --checkpoint names a folder' in program(capsys, *ask)[2]
    (tmp_path/'ckpt').unlink()
    (tmp_path/'ckpt').mkdir()
    (tmp_path/'ckpt'/'letters.txt').write_text('Dear all')
    assert 'holds something else, such as letters.txt: name an empty folder' in program(capsys, *ask)[2]
    write_json(tmp_path/'ckpt'/'run.json', dict(lr=.2))
    assert 'holds a training already: go on with it by --resume, or name another folder' in program(capsys, *ask)[2]
    assert sorted(o.name for o in (tmp_path/'ckpt').iterdir())==['letters.txt', 'run.json']

@pytest.mark.parametrize('platform,found,says', [
    ('linux', None, 'training in several processes needs torchrec and fbgemm_gpu: install what is missing with `make '
                    'distributed`'),
    ('darwin', None, 'training in several processes needs Linux')])
def test_without_torchrec_the_command_is_named_before_anything_is_read(parts, capsys, tmp_path, monkeypatch, platform,
                                                                       found, says):
    import collab_course.sharding as sharding
    monkeypatch.setattr(sharding.sys, 'platform', platform)
    monkeypatch.setattr(sharding, 'find_spec', lambda name: found)
    code,out,err = program(capsys, 'fit', parts/'part-0.parquet', '--workers', 2, '--out', tmp_path/'m')
    assert (code, out)==(1, '') and says in err and len(err.splitlines())==1 and not [*tmp_path.iterdir()]

def test_a_worker_that_fails_saves_nothing_and_is_one_sentence(parts, capsys, tmp_path, monkeypatch):
    "The processes are not started; what they would have left is told"
    def fails(*args, **kwargs): raise WorkersFailed(2, 'a process was killed, perhaps because memory ran out', 'log')
    monkeypatch.setattr('collab_course.sharding.engine_problem', lambda: None)
    monkeypatch.setattr('collab_course.launch.run_workers', fails)
    ask = ('fit', parts/'part-0.parquet', '--workers', 2, '--out', tmp_path/'model', '-q')
    code,out,err = program(capsys, *ask)
    assert (code, out)==(1, '') and not [*tmp_path.iterdir()]
    assert err==('collab-course: the training failed, and no model was saved: a process was killed, perhaps because '
                 'memory ran out. With --checkpoint, another try could go on\n')
    code,_,err = program(capsys, *ask, '--checkpoint', tmp_path/'ckpt')
    assert code==1 and '--resume goes on with what was saved' in err and not (tmp_path/'model').exists()
    assert read_report(tmp_path/'ckpt') is None and RatingsIndex(tmp_path/'ckpt'/'index').n_train==2700

def test_ctrl_c_tells_what_is_left(parts, capsys, tmp_path, monkeypatch):
    def stopped(*args, **kwargs): raise KeyboardInterrupt
    monkeypatch.setattr('collab_course.sharding.engine_problem', lambda: None)
    monkeypatch.setattr('collab_course.launch.run_workers', stopped)
    ask = ('fit', parts/'part-0.parquet', '--workers', 2, '--out', tmp_path/'model', '-q')
    assert program(capsys, *ask)==(130, '', 'stopped; nothing was saved\n') and not [*tmp_path.iterdir()]
    assert program(capsys, *ask, '--checkpoint', tmp_path/'ckpt')==(130, '', 'stopped; --resume goes on\n')

# ---- an index of its own ----

def test_the_program_indexes_what_fit_can_read(parts, capsys, tmp_path):
    df = pd.read_parquet(parts)
    df.rename(columns=dict(user='reader', movie='book', rating='score')).to_csv(tmp_path/'table.csv', index=False)
    flags = ['--user', 'reader', '--item', 'book', '--rating', 'score', '--seed', 3, '--streams', 4, '--valid-pct', .2]
    code,out,err = program(capsys, 'index', tmp_path/'table.csv', '--out', tmp_path/'a', *flags)
    assert code==0 and out.strip()==str(tmp_path/'a') and '4,800 ratings to train and 1,200 kept back' in err
    assert 'ratings.parquet' not in err
    index = RatingsIndex(tmp_path/'a')
    assert index.names==dict(user='reader', item='book', rating='score') and index.n_streams==4
    assert program(capsys, 'index', parts, '--out', tmp_path/'b', '--seed', 3, '-q')==(0, f'{tmp_path/"b"}\n', '')
    assert RatingsIndex(tmp_path/'b').users.index.tolist()==index.users.index.tolist()

def test_an_index_refuses_what_the_reader_refuses(capsys, tmp_path):
    (tmp_path/'table.csv').write_text('user,movie,rating\n1,2,3\n1,2,4\n2,3,5\n')
    code,out,err = program(capsys, 'index', tmp_path/'table.csv', '--out', tmp_path/'index')
    assert (code, out)==(1, '') and 'repeats a pair' in err and not (tmp_path/'index').exists()
    assert program(capsys, 'index', tmp_path/'table.csv', '--out', tmp_path/'index', '--duplicates', 'keep',
                   '--valid-pct', 0, '-q')[0]==0
    assert RatingsIndex(tmp_path/'index').n_train==3

# ---- many people ----

def peak_of(f, *args, **kwargs):
    "Result of a call, and the bytes that it took at most"
    tracemalloc.start()
    try: return f(*args, **kwargs),tracemalloc.get_traced_memory()[1]
    finally: tracemalloc.stop()

@pytest.mark.parametrize('as_id', [lambda n: np.arange(n)*3 + 7, lambda n: [f'reader-{i:07d}' for i in range(n)]])
def test_many_people_need_no_second_copy_of_their_tables(tmp_path, as_id):
    "Neither to build a model nor to save or load it: at ten million people, a copy is two gigabytes"
    n,m,rng = 100_000,50,np.random.default_rng(0)
    tables = [rng.standard_normal((size, 64), dtype=np.float32)*.1 for size in (n+1, m+1)]
    counts = [np.r_[0, np.full(n, m)], np.r_[0, np.full(m, n)]]
    means = [np.r_[np.nan, np.full(size, 3.)] for size in (n, m)]
    users,items = Vocab('user', as_id(n)),Vocab('movie', np.arange(m))
    served = DotProductTables(tables[0], tables[0][:,0], tables[1], tables[1][:,0], (0., 5.5))
    parts = (served, users, items, RatingCounts(n*m, counts, means, 3.))
    rec,built = peak_of(Recommender.from_parts, *parts, rating_range=(1., 5.))
    path,saved = peak_of(rec.save, tmp_path/'model', history=False)
    again,loaded = peak_of(Recommender.load, path)
    size,ids = path.stat().st_size,8*n
    # what is loaded stays, and pandas finds text by a table of 100 bytes an id; the users' rows have 25,600,000 bytes
    assert built<ids + 2**23 and saved<5*ids and loaded<size + 24*ids, (size, built, saved, loaded)
    assert again.users_vocab.index.equals(users.index)
    user = users.index[12_345]
    assert again.recommend(user, 3, exclude_seen=False).equals(rec.recommend(user, 3, exclude_seen=False))

def test_mean_rows_are_those_of_the_whole_table():
    table = np.random.default_rng(0).standard_normal((70_001, 3), dtype=np.float32)
    counts = np.arange(70_001)%3
    expected = table[counts>0].mean(axis=0, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(mean_row(table, counts), expected)
