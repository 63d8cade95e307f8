"Set-up does its work once, and what goes wrong is a sentence; JupyterLab opens where it's asked to"
import ast, importlib.util, os, re, shutil, signal, socket, subprocess, sys
from collections import namedtuple

import pytest

FILES = ('tasks.py', 'settings.ini', 'setup.py', 'pyproject.toml')
NOWHERE = dict(PIP_INDEX_URL='http://127.0.0.1:9/simple', PIP_RETRIES='1', PIP_CONFIG_FILE=os.devnull,
               PIP_NO_CACHE_DIR='1')
HERE = '{}.{}'.format(*sys.version_info[:2])

def copied(root, folder):
    "Copy what set-up needs, without an environment"
    for o in FILES: shutil.copy(root/o, folder)
    (folder/'collab_course').mkdir()
    shutil.copy(root/'collab_course'/'__init__.py', folder/'collab_course')
    return folder

@pytest.fixture
def copy(root, tmp_path): return copied(root, tmp_path)

@pytest.fixture
def tasks(copy):
    "`tasks.py` of the copy as a module"
    spec = importlib.util.spec_from_file_location('tasks_copy', copy/'tasks.py')
    m = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(m)
    return m

@pytest.fixture
def ready(tasks, monkeypatch):
    "`tasks` with an installer that prints `ready.says` and returns `ready.code`, on a disk that is large enough"
    def env():
        exe = tasks.Path(tasks.exe())
        exe.parent.mkdir(parents=True, exist_ok=True)
        if not exe.exists(): exe.symlink_to(sys.executable)
    tasks.says, tasks.code, tasks.calls, tasks.asked = 'Successfully installed', 0, 0, []
    def installer(*what):
        tasks.calls += 1
        tasks.asked.append(what)
        return [sys.executable, '-c', f'import sys; print({tasks.says!r}); sys.exit({tasks.code})']
    monkeypatch.setattr(tasks, 'make_venv', env)
    monkeypatch.setattr(tasks, 'installer', installer)
    monkeypatch.setattr(tasks, 'check_disk', lambda: None)
    return tasks

def run(folder, *args, python=sys.executable, **env):
    "`tasks.py` of `folder` as a process"
    return subprocess.run([python, 'tasks.py', *args], cwd=folder, env={**os.environ, **env}, capture_output=True,
                          text=True, encoding='utf-8')

def one_sentence(r):
    "What a failed task said; no traceback"
    assert r.returncode not in (0, None) and 'Traceback' not in r.stderr, r.stderr
    return r.stderr.strip()

# ---- the stamp ----

def test_installs_once(ready, capsys):
    assert not ready.is_set_up()
    ready.setup()
    assert ready.is_set_up() and ready.calls==1
    capsys.readouterr()
    ready.setup()
    assert ready.calls==1 and capsys.readouterr().out==''

@pytest.mark.parametrize('name', FILES[1:])
def test_installs_again_when_metadata_changes(ready, copy, name):
    ready.setup()
    with (copy/name).open('a') as f: f.write('\n# changed\n')
    assert not ready.is_set_up()
    ready.setup()
    assert ready.is_set_up() and ready.calls==2

def test_not_when_anything_else_changes(ready, copy):
    ready.setup()
    (copy/'collab_course'/'__init__.py').write_text('__version__ = "9.9.9"\n')
    assert ready.is_set_up()

def test_minutes_of_unpacking_are_announced(tasks, monkeypatch, capsys):
    monkeypatch.setattr(tasks.time, 'monotonic', iter(range(0, 400, 40)).__next__)
    list(tasks.follow(['Collecting torch\n', '  Attempting uninstall: setuptools\n']))
    assert 'Collecting torch' in (said := capsys.readouterr().out) and tasks.UNPACKING in said and '  Att' not in said

def test_installs_again_for_another_python(ready, monkeypatch):
    ready.setup()
    monkeypatch.setattr(ready.sys, 'version_info', (3, 99, 0))
    assert not ready.is_set_up()

def test_installs_again_when_the_environment_is_gone(ready):
    ready.setup()
    ready.Path(ready.exe()).unlink()
    assert not ready.is_set_up()

def test_a_failed_install_leaves_no_stamp(ready, copy):
    ready.setup()
    (copy/'settings.ini').write_text((copy/'settings.ini').read_text() + '\n# changed\n')
    ready.code, ready.says = 3, 'ERROR: something odd'
    with pytest.raises(ready.TaskError, match='something odd') as e: ready.setup()
    assert e.value.code==3 and not ready.stamp.exists()
    assert 'something odd' in ready.log.read_text()

def test_metadata_changed_while_installing(ready, copy):
    "The stamp is of the metadata that was installed"
    ready.says = 'x'
    ready.installer = lambda *_: [sys.executable, '-c', f'open({str(copy/"setup.py")!r}, "a").write("# changed")']
    ready.setup()
    assert not ready.is_set_up()

SETUP = 'import tasks, sys; tasks.check_disk = lambda: None; sys.exit(tasks.main(["setup"]))'

@pytest.fixture(scope='module')
def offline(root, tmp_path_factory):
    "A copy where set-up met an index at which nobody listens, with a real environment and a real pip; what it said"
    copy = copied(root, tmp_path_factory.mktemp('offline'))
    return copy,subprocess.run([sys.executable, '-c', SETUP], cwd=copy, env={**os.environ, **NOWHERE},
                               capture_output=True, text=True, encoding='utf-8')

def test_an_interrupted_install_is_quiet_and_leaves_no_stamp(offline):
    "A package index that never answers, and Ctrl-C"
    copy,_ = offline
    with socket.create_server(('127.0.0.1', 0)) as s:
        env = {**os.environ, **NOWHERE, 'PIP_INDEX_URL': f'http://127.0.0.1:{s.getsockname()[1]}/simple',
               'PYTHONUNBUFFERED': '1'}
        p = subprocess.Popen([sys.executable, '-c', SETUP], cwd=copy, env=env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, encoding='utf-8', start_new_session=True)
        s.accept()  # pip has asked
        os.killpg(p.pid, signal.SIGINT)
        out, err = p.communicate()
    assert (p.returncode, err.strip()) == (130, ''), err
    assert 'Installing the course' in out and not (copy/'.venv'/'collab_course.stamp').exists()

# ---- what goes wrong ----

def test_parses_on_old_pythons(root): ast.parse((root/'tasks.py').read_text(encoding='utf-8'), feature_version=(3, 6))

@pytest.mark.parametrize('version', [(3, 6, 15), (3, 9, 18)])
def test_old_python(copy, version):
    code = (
        f'import sys; sys.version_info = {version}; exec(compile(open("tasks.py").read(), "tasks.py", "exec"), '
        f'dict(__file__="tasks.py", __name__="__main__"))')
    r = subprocess.run([sys.executable, '-c', code, 'lab'], cwd=copy, capture_output=True, text=True)
    assert one_sentence(r).startswith(f'Python 3.10 or newer is needed and this is 3.{version[1]}: ')
    assert 'make lab PYTHON=python3.' in r.stderr and not (copy/'.venv').exists()

def test_no_venv_module(copy):
    "As on Debian without python3-venv: `ensurepip` isn't there"
    (copy/'ensurepip.py').write_text('raise ModuleNotFoundError("No module named \'ensurepip\'")')
    r = subprocess.run([sys.executable, '-c', SETUP], cwd=copy, capture_output=True, text=True,
                       env={**os.environ, 'COLLAB_COURSE_INSTALLER': 'pip'})
    assert f'sudo apt install python{HERE}-venv' in one_sentence(r)

def test_no_network(offline):
    copy,r = offline
    assert one_sentence(r).startswith('The package index could not be reached: check the network')
    assert not (copy/'.venv'/'collab_course.stamp').exists()

@pytest.mark.parametrize('says,sentence', [
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", 'The disk got full'),
    ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))\nCould not fetch URL",
     'certificate was not accepted'),
    ("WARNING: Retrying: NewConnectionError('Failed to establish a new connection: [Errno -3] Temporary failure in "
     "name resolution')\n"
     "ERROR: No matching distribution found for setuptools>=77", 'check the network'),
    ("ReadTimeoutError: HTTPSConnectionPool: Read timed out.", 'check the network'),
    ("error: error sending request for url\n  Caused by: dns error", 'check the network'),
    ("ERROR: No matching distribution found for torch>=2.4", 'no version of a package for this Python'),
    ("[Errno 13] Permission denied: 'x'", 'may not be written'),
    ("line one\nERROR: nobody knows this one\n", 'Installing failed: ERROR: nobody knows this one (all of it is in'),
])
def test_causes(ready, says, sentence):
    ready.says, ready.code = says, 1
    with pytest.raises(ready.TaskError, match=re.escape(sentence)): ready.setup()
    assert not ready.stamp.exists()

def test_full_disk_is_seen_before_installing(tasks, monkeypatch):
    monkeypatch.setattr(tasks.shutil, 'disk_usage', lambda _: namedtuple('usage', 'total used free')(9e9, 8e9, 1e9))
    assert tasks.main(['setup'])==1 and not tasks.venv.exists()
    with pytest.raises(tasks.TaskError, match=r'about [27] GB are needed in .*, 0\.9 GB are free'): tasks.check_disk()

def test_a_disk_that_has_torch_already_needs_less(tasks, monkeypatch):
    monkeypatch.setattr(tasks.shutil, 'disk_usage', lambda _: namedtuple('usage', 'total used free')(9e9, 8e9, 1e9))
    torch = tasks.venv/'lib'/'python3.11'/'site-packages'/'torch'
    torch.mkdir(parents=True)
    (torch/'version.py').touch()
    tasks.check_disk()

def test_uv_only_when_asked(tasks, monkeypatch):
    monkeypatch.delenv('COLLAB_COURSE_INSTALLER', raising=False)
    assert tasks.installer()[1:3] == ['-m', 'pip']
    monkeypatch.setenv('COLLAB_COURSE_INSTALLER', 'uv')
    monkeypatch.setattr(tasks.shutil, 'which', lambda _: None)
    with pytest.raises(tasks.TaskError, match='no `uv`'): tasks.installer()
    monkeypatch.setattr(tasks.shutil, 'which', lambda o: o)
    assert tasks.installer()[:3] == ['uv', 'pip', 'install']

def test_a_failing_step_says_which_and_what_is_left(ready, monkeypatch, capsys):
    ready.setup()
    monkeypatch.setattr(ready, 'same_after_export', lambda: None)
    monkeypatch.setattr(ready, 'same_readme',
                        lambda: ready.run([sys.executable, '-c', 'raise SystemExit(7)'], 'run `make readme`.'))
    assert ready.main(['test'])==7
    err = capsys.readouterr().err
    assert 'Step "README" failed' in err and 'run `make readme`.' in err and 'Not run: ruff, notebooks, tests.' in err

def test_changes_by_export_are_named(ready, copy, monkeypatch):
    (copy/'nbs').mkdir()
    monkeypatch.setattr(ready, 'export', lambda: None)
    ready.same_after_export()
    monkeypatch.setattr(ready, 'export', lambda: (copy/'collab_course'/'tables.py').write_text('x'))
    with pytest.raises(ready.TaskError, match=r'changed collab_course.tables\.py'): ready.same_after_export()

# ---- TorchRec ----

def with_torch(tasks, version='2.14.1+cpu'):
    "Put a PyTorch into the environment of a copy"
    folder = tasks.site_packages()/'torch'
    folder.mkdir(parents=True, exist_ok=True)
    (folder/'version.py').write_text(f"__all__ = []\n__version__ = '{version}'\ndebug = False\n")

@pytest.fixture
def on_linux(ready, monkeypatch):
    "`ready`, set up with a PyTorch that TorchRec goes with, on Linux"
    monkeypatch.setattr(ready.sys, 'platform', 'linux')
    ready.setup()
    with_torch(ready)
    return ready

def test_torchrec_is_installed_once_as_it_is_and_setup_knows_nothing_of_it(on_linux, capsys):
    assert on_linux.main(['distributed'])==0
    assert on_linux.asked[1:]==[('--no-deps', *on_linux.engine)] and 'TorchRec is there' in capsys.readouterr().out
    assert on_linux.main(['distributed'])==0
    assert on_linux.calls==2 and on_linux.is_set_up() and capsys.readouterr().out==''

def test_torchrec_is_pinned_with_what_it_is_built_for(tasks, root):
    pinned = dict(o.split('==') for o in tasks.engine if '==' in o)
    assert {'torchrec', 'fbgemm-gpu-cpu', 'tensordict'} <= set(pinned)
    assert 'duckdb' not in pinned  # its newest versions leave out the oldest Python
    assert not [o for o in tasks.engine if o.startswith('torch=') or o=='fbgemm-gpu']
    newest = int(tasks.engine_torch.split('.')[1]) + 1
    assert f'torch<2.{newest};sys_platform=="linux"' in tasks.cfg['DEFAULT']['dev_requirements'].split()
    assert f'\ntorch=={tasks.engine_torch}.' in (root/'constraints.txt').read_text()

def test_torchrec_is_installed_again_where_the_environment_is_new_or_pytorch_another(on_linux):
    on_linux.distributed()
    with_torch(on_linux, '2.14.2')
    on_linux.distributed()
    shutil.rmtree(on_linux.venv)
    on_linux.setup()
    with_torch(on_linux)
    on_linux.distributed()
    assert [o[:1] for o in on_linux.asked]==[(), ('--no-deps',), ('--no-deps',), (), ('--no-deps',)]

def test_a_failed_install_of_torchrec_is_one_sentence_and_leaves_no_stamp(on_linux, capsys):
    on_linux.distributed()
    with_torch(on_linux, '2.14.2')
    on_linux.code, on_linux.says = 1, 'ERROR: No matching distribution found for torchrec==1.9.2'
    assert on_linux.main(['test'])==1
    assert 'no version of a package for this Python' in capsys.readouterr().err
    assert not on_linux.engine_stamp.exists() and on_linux.is_set_up()

def test_the_build_for_gpus_stays(on_linux):
    (on_linux.site_packages()/'fbgemm_gpu-1.9.0.dist-info').mkdir()
    on_linux.distributed()
    assert not [o for o in on_linux.asked[-1] if 'fbgemm' in o] and on_linux.engine[0] in on_linux.asked[-1]

@pytest.mark.parametrize('platform,version,says', [
    ('darwin', '2.14.1', 'TorchRec comes for Linux only: here, one process trains a model.'),
    ('linux', '2.4.0', "goes with PyTorch 2.14, and .venv holds 2.4.0: `.venv/bin/pip install 'torch==2.14.*'`"),
    ('linux', '2.15.0+cu130', 'goes with PyTorch 2.14, and .venv holds 2.15.0+cu130')])
def test_where_torchrec_is_not_to_be_had_what_needs_it_is_left_out_aloud(ready, monkeypatch, capsys, platform,
                                                                         version, says):
    ready.setup()
    with_torch(ready, version)
    monkeypatch.setattr(ready.sys, 'platform', platform)
    assert ready.main(['distributed'])==1
    assert says in (err := capsys.readouterr().err) and err.count('\n')==2 and ready.calls==1
    seen = []
    monkeypatch.setattr(ready, 'run', lambda cmd, todo, **env: seen.append([*map(str, cmd)]))
    monkeypatch.setattr(ready, 'browser', lambda: None)
    monkeypatch.setattr(ready, 'test', lambda: (ready.test_notebooks(), ready.pytest()))
    monkeypatch.setitem(ready.tasks, 'test', lambda: ready.test())
    assert ready.main(['test'])==0 and ready.calls==1
    notebooks,tests = seen
    assert re.match(notebooks[-1], '18_many_machines.ipynb') and not re.match(notebooks[-1], '03_loaders.ipynb')
    assert 'not torchrec' in tests and 'Chapter 18 and the tests of it are left out.' in capsys.readouterr().out

def test_all_notebooks_are_those_that_can_run(ready, copy, monkeypatch):
    for o in ('nbs/01_a.ipynb', 'nbs/18_many_machines.ipynb', 'nbs/practice/18_many_machines.ipynb'):
        (copy/o).parent.mkdir(parents=True, exist_ok=True)
        (copy/o).touch()
    monkeypatch.setattr(ready.sys, 'platform', 'darwin')
    assert ready.runs_here(())==[copy/'nbs'/'01_a.ipynb'] and ready.runs_here(['18'])==['18']
    monkeypatch.setattr(ready.sys, 'platform', 'linux')
    assert ready.runs_here(())==()

def test_tasks_that_run_notebooks_get_torchrec_first(on_linux, monkeypatch):
    assert on_linux.uses_engine==('test', 'course', 'drift', 'bench', 'practice')
    for o in on_linux.tasks: monkeypatch.setitem(on_linux.tasks, o, lambda: None)
    assert on_linux.main(['lab'])==on_linux.main(['docs'])==0 and on_linux.calls==1
    assert on_linux.main(['drift'])==0 and on_linux.calls==2

def test_the_notebooks_that_need_torchrec_are_there(root, tasks):
    "A name that is mistyped would leave nothing out"
    there = [o for o in (root/'nbs').rglob('*.ipynb') if tasks.needs_engine(o)]
    assert {'18_many_machines', *tasks.engine_notebooks[1:]}=={o.stem for o in there}

def test_unknown_task(copy):
    r = run(copy, 'nonsense')
    assert r.returncode==2 and re.search(r'^  lab +\w', r.stdout, re.M)
    assert run(copy).returncode==0

def test_every_task_is_in_the_makefile(root, tasks):
    targets = re.search(r'^(lab .*):$', (root/'Makefile').read_text(), re.M)[1].split()
    assert targets == list(tasks.tasks)

def test_clean_leaves_the_environment_and_never_touches_what_you_wrote(ready, copy):
    ready.setup()
    mine = copy/'work'/'practice'/'01_one_hot.ipynb'
    mine.parent.mkdir(parents=True)
    mine.write_text('my answers')
    for o in ('build', 'nbs/.ipynb_checkpoints', 'collab_course.egg-info'): (copy/o).mkdir(parents=True)
    assert ready.main(['clean'])==0
    assert ready.venv.exists()
    assert not [o for o in ('build', 'nbs/.ipynb_checkpoints', 'collab_course.egg-info') if (copy/o).exists()]
    assert ready.main(['clean', '--all'])==0 and not ready.venv.exists()
    assert mine.read_text()=='my answers'

# ---- the environment of the steps ----

def test_what_the_user_set_stays(tasks, monkeypatch):
    for k in ('OMP_NUM_THREADS', 'MPLCONFIGDIR'): monkeypatch.setenv(k, '3')
    monkeypatch.delenv('IPYTHONDIR', raising=False)
    monkeypatch.setenv('PYTHONPATH', 'elsewhere')
    env = tasks.environ()
    assert env['OMP_NUM_THREADS']==env['MPLCONFIGDIR']=='3' and 'PYTHONPATH' not in env
    assert env['IPYTHONDIR'].startswith(str(tasks.venv)) and env['PATH'].startswith(str(tasks.venv))

@pytest.mark.parametrize('user,cores,threads,workers',
                         [(None, 2, '1', 2), (None, 1, '1', 1), ('2', 2, '2', 1), ('1', 16, '1', 4)])
def test_notebooks_share_the_cores(tasks, monkeypatch, user, cores, threads, workers):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    if user: monkeypatch.setenv('OMP_NUM_THREADS', user)
    monkeypatch.setattr(tasks, 'cores', lambda: cores)
    def run(cmd, todo, **env): seen.update(env, workers=cmd[cmd.index('--n-workers')+1])
    monkeypatch.setattr(tasks, 'run', run)
    seen = {}
    tasks.test_notebooks()
    assert (seen['OMP_NUM_THREADS'], seen['workers']) == (threads, workers)

# ---- JupyterLab ----

@pytest.mark.skipif(not hasattr(os, 'geteuid'), reason='no root user on Windows')
def test_root_is_allowed_only_for_root(tasks, monkeypatch):
    for uid in (0, 1000):
        monkeypatch.setattr(tasks.os, 'geteuid', lambda: uid)
        assert ('--allow-root' in tasks.lab_command([])) == (uid==0)

def test_browser_only_where_there_is_one(tasks, monkeypatch):
    monkeypatch.setattr(tasks.sys, 'platform', 'linux')
    for k in ('DISPLAY', 'WAYLAND_DISPLAY', 'BROWSER'): monkeypatch.delenv(k, raising=False)
    assert not tasks.has_browser() and '--no-browser' in tasks.lab_command([], tasks.has_browser())
    monkeypatch.setenv('DISPLAY', ':0')
    assert tasks.has_browser() and '--no-browser' not in tasks.lab_command(['--port', '9999'], True)
    assert '--port 9999' in ' '.join(tasks.lab_command(['--port', '9999']))

def test_the_lab_opens_your_copy_or_the_course_itself(tasks, ready, monkeypatch):
    def start(cmd, **kw): raise KeyboardInterrupt
    opened = []
    monkeypatch.setattr(tasks, 'tool', lambda name, *args, todo: opened.append([name, *args]))
    monkeypatch.setattr(tasks, 'fetch_data', opened.append)
    monkeypatch.setattr(tasks, 'lab_command', lambda args, browser, folder: opened.append([*args, folder]))
    monkeypatch.setattr(tasks.subprocess, 'Popen', start)
    monkeypatch.setattr(tasks, 'encryption', list)
    for args in ((), ('--here', '--port', '9999')):
        with pytest.raises(KeyboardInterrupt): tasks.lab(*args)
    assert opened==[['work'], 'work', ['work'], ['work', '--here'], 'nbs', ['--port', '9999', 'nbs']]
    info = dict(url='http://localhost:8888/', token='t')
    assert tasks.address(info, 'nbs')=='http://localhost:8888/lab/tree/nbs/index.ipynb?token=t'

def test_the_lab_opens_without_data(ready, copy, capfd):
    (copy/'collab_course'/'movielens.py').write_text(
        'def load_ratings(): raise OSError("no way to the ratings: host, wheel")')
    ready.setup()
    ready.fetch_data()
    out, err = capfd.readouterr()
    assert 'no way to the ratings: host, wheel' in err and 'Traceback' not in err
    assert 'opens all the same' in out
