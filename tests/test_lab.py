"Your own copy of the notebooks follows the course, keeps what you wrote, and opens in JupyterLab without questions"
import json, os, re, shutil, socket, subprocess, sys, threading

import nbformat
import pytest
import tasks
import work
from nbformat.sign import NotebookNotary

KERNEL = dict(kernelspec=dict(name='python3', display_name='Python 3 (ipykernel)', language='python'),
              language_info=dict(name='python', version='3.12.1'))

def code(*lines, **meta): return dict(cell_type='code', execution_count=None, id='c0de', metadata=meta, outputs=[],
                                      source=[f'{o}\n' for o in lines[:-1]] + [*lines[-1:]])

def notebook(*cells): return dict(cells=list(cells), metadata={}, nbformat=4, nbformat_minor=5)

def save(path, *cells):
    "Write a small notebook"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(work.as_bytes(notebook(*cells)))
    return path

def source(path): return json.loads(path.read_bytes())['cells'][0]['source'][0].rstrip()

class Course:
    "A course of three notebooks, a learner's copy of it, and what `make lab` says"
    names = '00_start.ipynb', 'index.ipynb', 'practice/00_start.ipynb'
    def __init__(self, folder):
        self.nbs,self.work = folder/'nbs',folder/'work'
        for o in self.names: self.pull(o, 'the first')

    def pull(self, name, text): save(self.nbs/name, code(text, f'# {name}'))
    def lab(self, kernel=KERNEL): return work.copy(self.nbs, self.work, kernel)
    def mine(self, name='00_start.ipynb', text='mine'): return save(self.work/name, code(text))
    def sources(self): return {o.relative_to(self.work).as_posix(): source(o)
                               for o in sorted(self.work.rglob('*.ipynb'))}

@pytest.fixture
def course(tmp_path): return Course(tmp_path)

# ---- copying ----

def test_learners_get_all_but_the_teachers_edition(course):
    for o in ('teaching/00_start.ipynb', '.ipynb_checkpoints/index.ipynb', '_proc/index.ipynb'): course.pull(o, 'away')
    assert course.lab()==[]
    assert course.sources()==dict.fromkeys(course.names, 'the first')

def test_a_pull_refreshes_what_was_not_changed(course):
    course.lab()
    course.pull('00_start.ipynb', 'the second')
    assert course.lab()==[]
    assert course.sources()=={**dict.fromkeys(course.names, 'the first'), '00_start.ipynb': 'the second'}

def test_what_you_changed_stays_and_the_newer_one_is_next_to_it(course):
    course.lab()
    course.mine()
    assert course.lab()==[] and len(course.sources())==3  # there is nothing newer
    course.pull('00_start.ipynb', 'the second')
    said, = course.lab()
    assert '00_start (new).ipynb' in said and '\n' not in said
    assert course.sources()['00_start.ipynb']=='mine' and course.sources()['00_start (new).ipynb']=='the second'
    assert course.lab()==[] and len(course.sources())==4  # we say it once

def test_the_newer_one_follows_the_course_until_you_change_it(course):
    course.lab()
    course.mine()
    for text in ('the second', 'the third'):
        course.pull('00_start.ipynb', text)
        course.lab()
    course.mine('00_start (new).ipynb', 'mine too')
    course.pull('00_start.ipynb', 'the fourth')
    assert '(new 2)' in course.lab()[0]
    found = course.sources()
    assert [found[f'00_start{o}.ipynb'] for o in ('', ' (new)', ' (new 2)')]==['mine', 'mine too', 'the fourth']

def test_outputs_of_your_own_count_as_a_change(course):
    course.lab()
    path = course.work/'00_start.ipynb'
    nb = json.loads(path.read_bytes())
    nb['cells'][0]['outputs'] = [dict(output_type='stream', name='stdout', text=['seen\n'])]
    path.write_bytes(work.as_bytes(nb))
    course.pull('00_start.ipynb', 'the second')
    course.lab()
    assert b'seen' in path.read_bytes() and len(course.sources())==4

def test_a_deleted_copy_comes_back_and_a_deleted_chapter_stays(course):
    course.lab()
    (course.work/'index.ipynb').unlink()
    (course.nbs/'00_start.ipynb').unlink()
    course.lab()
    assert set(course.sources())==set(course.names)

def test_files_of_your_own_stay(course):
    course.lab()
    course.mine('my idea.ipynb')
    (course.work/'page.html').write_text('<p>mine')
    course.lab()
    assert course.sources()['my idea.ipynb']=='mine' and (course.work/'page.html').read_text()=='<p>mine'

@pytest.mark.parametrize('says', [None, '', '{', '[]', '{"written": 3}'])
def test_without_its_memory_nothing_is_overwritten(course, says):
    course.lab()
    course.mine()
    memory = course.work/work.MEMORY
    if says is None: memory.unlink()
    else: memory.write_text(says)
    course.pull('index.ipynb', 'the second')
    course.lab()
    found = course.sources()
    assert found['00_start.ipynb']=='mine' and found['index.ipynb']=='the first'
    assert found['index (new).ipynb']=='the second' and found['practice/00_start.ipynb']=='the first'

def test_another_python_refreshes_and_puts_nothing_next_to_yours(course):
    course.lab()
    course.mine()
    other = {**KERNEL, 'language_info': dict(name='python', version='3.14.0')}
    assert course.lab(other)==[]
    assert course.sources()=={**dict.fromkeys(course.names, 'the first'), '00_start.ipynb': 'mine'}
    nb = json.loads((course.work/'index.ipynb').read_bytes())
    assert nb['metadata']['language_info']['version']=='3.14.0'

def test_a_folder_in_the_place_of_a_notebook_stays(course):
    (course.work/'index.ipynb').mkdir(parents=True)
    assert 'index (new).ipynb' in course.lab()[0]
    assert (course.work/'index.ipynb').is_dir()

def test_a_conflict_of_git_pull_leaves_the_copy_as_it_was(course):
    course.lab()
    (course.nbs/'index.ipynb').write_text('<<<<<<< HEAD')
    course.pull('00_start.ipynb', 'the second')
    said, = course.lab()
    assert said.startswith("nbs/index.ipynb isn't a notebook")
    assert course.sources()['index.ipynb']=='the first' and course.sources()['00_start.ipynb']=='the second'
    course.pull('index.ipynb', 'the third')
    assert course.lab()==[] and course.sources()['index.ipynb']=='the third'

class Killed(BaseException): "The process ended here"

@pytest.mark.parametrize('n', range(7))
def test_killed_at_any_time_nothing_is_lost_or_half_written(course, monkeypatch, n):
    course.lab()
    course.mine()
    for o in course.names: course.pull(o, 'the second')
    done = []
    def replace(*args):
        done.append(args)
        if len(done)>n: raise Killed
        return real(*args)
    def no_time(*args): raise OSError
    real = os.replace
    with monkeypatch.context() as m:
        m.setattr(os, 'replace', replace)
        m.setattr(os, 'unlink', no_time)  # who is killed tidies nothing up
        try: course.lab()
        except Killed: pass
    assert course.sources()['00_start.ipynb']=='mine'
    assert set(course.sources().values()) <= {'mine', 'the first', 'the second'}
    course.lab()
    second = ('00_start (new).ipynb', *course.names[1:])
    assert course.sources()=={'00_start.ipynb': 'mine', **dict.fromkeys(second, 'the second')}
    assert course.lab()==[]

def test_what_a_killed_copy_left_is_removed_an_hour_later(course):
    course.lab()
    old,young = (course.work/'practice'/f'{work.PART}{o}' for o in ('old', 'young'))
    for o in (old, young): o.write_text('half')
    os.utime(old, (0, 0))
    course.lab()
    assert young.exists() and not old.exists()

# ---- what the copy looks like ----

def test_directives_alone_are_left_out_and_hidden_code_is_folded():
    hidden = code('#| hide', 'import torch')
    quiet = code('#| echo: false', '#| fig-alt: A map', 'draw()', tags=['x'])
    plain = code('#| export', 'def f(): pass')
    nb = notebook(code('#| default_exp one_hot'), code('#| hide', '#| default_exp a', ''), hidden, quiet, plain, code())
    cells = work.as_opened(nb, KERNEL)['cells']
    assert [o['source'] for o in cells]==[o['source'] for o in (hidden, quiet, plain, code())]
    assert [o['metadata'] for o in cells]==[dict(jupyter=dict(source_hidden=True)),
                                            dict(tags=['x'], jupyter=dict(source_hidden=True)), {}, {}]
    assert work.as_opened(nb, KERNEL)['metadata']==KERNEL and nb['metadata']=={}

def test_nothing_else_changes_in_a_notebook(root):
    for name,path in work.sources(root/'nbs').items():
        was = json.loads(path.read_bytes())
        now = json.loads(work.as_bytes(work.as_opened(was, KERNEL)))
        assert nbformat.validate(now) is None
        kept = [o for o in was['cells'] if not work.only_directives(o)]
        what = lambda cells: [(o['source'], o.get('outputs')) for o in cells]
        assert what(kept)==what(now['cells']), name

def links(nb):
    "Relative addresses in the text cells of a notebook"
    texts = [''.join(o['source']) for o in nb['cells'] if o['cell_type']=='markdown']
    found = [o.split('#')[0] for t in texts for o in re.findall(r'\]\(<?([^)\s>]+)>?\)', t)]
    return [o for o in found if o and not re.match(r'\w+:', o)]

def test_every_link_leads_somewhere_from_the_copy_too(root):
    copies = work.sources(root/'nbs')
    missing = []
    for name,path in copies.items():
        for o in links(json.loads(path.read_bytes())):
            to = os.path.normpath(f'work/{name}/../{o}').replace(os.sep, '/')
            there = to[5:] in copies if to.startswith('work/') else (root/to).exists()
            if not there: missing.append(f'{name}: {o}')
    assert not missing, '\n'.join(missing)

def test_files_that_cells_read_are_there_from_the_copy_too(root):
    missing = []
    for name,path in work.sources(root/'nbs').items():
        text = '\n'.join(''.join(o['source']) for o in json.loads(path.read_bytes())['cells'] if o['cell_type']=='code')
        for o in re.findall(r"['\"]((?:\.\./)+bench/[^'\"]+\.csv)['\"]", text):
            if not (root/os.path.normpath(f'work/{name}/../{o}')).exists(): missing.append(f'{name}: {o}')
    assert not missing, '\n'.join(missing)

# ---- trust ----

@pytest.fixture
def home(tmp_path, monkeypatch):
    "Jupyter's folder for data"
    res = tmp_path/'jupyter'
    monkeypatch.setenv('JUPYTER_DATA_DIR', str(res))
    return res

def is_trusted(path):
    notary = NotebookNotary()
    try: return notary.check_signature(nbformat.read(path, as_version=4))
    finally: notary.store.close()

def test_only_what_we_copied_is_trusted(course, home, monkeypatch):
    course.lab()
    mine = course.mine()
    ours = [course.work/o for o in course.names[1:]]
    work.trust(ours, home)
    assert all(map(is_trusted, ours)) and not is_trusted(mine)
    signed = []
    monkeypatch.setattr(work, 'sign', signed.extend)
    work.trust(ours, home)
    assert signed==[]  # once is enough
    (home/'notebook_secret').write_text('another')
    work.trust(ours, home)
    assert sorted(signed)==sorted(ours)

def test_of_the_course_itself_what_is_as_git_has_it_is_trusted(tmp_path, monkeypatch):
    me = '-c', 'user.name=a', '-c', 'user.email=a@b.c'
    def git(*args): subprocess.run(['git', *me, *args], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setattr(work, 'root', tmp_path)
    names = 'bench/1.ipynb', 'nbs/ü.ipynb', 'nbs/changed.ipynb', 'nbs/staged.ipynb'
    for o in names: save(tmp_path/o, code('the first'))
    assert work.as_git_has_them('nbs', 'bench')==[]
    git('init', '-q')
    git('add', '.')
    git('commit', '-qm', 'one')
    for o in (*names[2:], 'nbs/untracked.ipynb'): save(tmp_path/o, code('mine'))
    git('add', names[3])
    assert work.as_git_has_them('nbs')==[tmp_path/names[1]]
    assert work.as_git_has_them('nbs', 'bench')==[tmp_path/o for o in names[:2]]

# ---- the real lab ----

SMALL = '02_dot_product.ipynb', 'index.ipynb', 'practice/01_one_hot.ipynb'

@pytest.fixture(scope='module')
def clone(root, tmp_path_factory):
    "A small clone of the repository that shares the environment; Jupyter's own files are apart"
    res = tmp_path_factory.mktemp('clone')
    for o in ('tasks.py', 'settings.ini', 'setup.py', 'pyproject.toml'): shutil.copy(root/o, res)
    shutil.copytree(root/'tools', res/'tools', ignore=shutil.ignore_patterns('__pycache__'))
    for o in SMALL:
        (res/'nbs'/o).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root/'nbs'/o, res/'nbs'/o)
    (res/'collab_course').symlink_to(root/'collab_course', target_is_directory=True)
    (res/'.venv').symlink_to(sys.prefix, target_is_directory=True)
    (res/'jupyter').mkdir()
    return res

def environ(clone):
    own = {f'JUPYTER_{o}_DIR': str(clone/'jupyter'/o) for o in ('CONFIG', 'DATA', 'RUNTIME')}
    return {**os.environ, **own, 'IPYTHONDIR': str(clone/'jupyter'/'ipython')}

# the environment is shared: a clone must not install itself into it, whatever its metadata say
TASKS = [sys.executable, '-c', 'import sys, tasks; tasks.setup = lambda: None; sys.exit(tasks.main(sys.argv[1:]))']

def run(clone, *args):
    return subprocess.run([*TASKS, 'lab', *args], cwd=clone, env=environ(clone),
                          capture_output=True, text=True, encoding='utf-8')

def address(folder): return rf'http://(?:localhost|127\.0\.0\.1):(\d+)/lab/tree/{folder}/index\.ipynb\?token=(\w{{16,}})'

def hold(port):
    "Listen on a port as somebody else would"
    try: return socket.create_server(('localhost', port))
    except OSError: assert port==8888  # held by somebody else already, which is just as good

def test_a_copy_that_cannot_be_written_is_one_sentence(clone, tmp_path):
    for o in clone.iterdir():
        if o.name not in ('work', 'jupyter'): (tmp_path/o.name).symlink_to(o)
    for o in ('tasks.py', 'tools'): (tmp_path/o).unlink()
    shutil.copy(clone/'tasks.py', tmp_path)
    shutil.copytree(clone/'tools', tmp_path/'tools')
    (tmp_path/'work').write_text('a file of mine')
    r = run(tmp_path, '--check')
    assert r.returncode==1 and 'Traceback' not in r.stderr and "Can't write the copy of the notebooks: " in r.stderr
    assert 'ARGS=--here' in r.stderr and (tmp_path/'work').read_text()=='a file of mine'

class Lab:
    "JupyterLab on the copy, on another port than 8888, which is taken: its process and the lines it says"
    def __init__(self, clone):
        self.lines,opened = [],threading.Event()
        self.p = subprocess.Popen([*TASKS, 'lab', '--no-browser'], cwd=clone, env=environ(clone), encoding='utf-8',
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        def read():
            for o in self.p.stdout:
                self.lines.append(o.rstrip())
                if 'Ctrl-C here' in o: opened.set()
            opened.set()
        threading.Thread(target=read, daemon=True).start()
        opened.wait()
        found = re.search(address('work'), '\n'.join(self.lines))
        assert found and int(found[1])!=8888, '\n'.join(self.lines)
        self.url = found[0]
        self.server = dict(url=f'http://localhost:{found[1]}/', token=found[2])

@pytest.fixture(scope='module')
def lab(clone):
    held = hold(8888)
    res = Lab(clone)
    with res.p:
        yield res
        if res.p.poll() is None: tasks.ask(res.server, 'api/shutdown', 'POST')
    if held: held.close()

def test_the_lab_starts_on_a_free_port_and_shows_the_map(lab):
    said = '\n'.join(lab.lines)
    assert '00 The whole game' in said and 'projects are in work/projects' in said

def test_a_chapter_opens_live_and_closes_without_a_question(lab, clone, browser):
    url,lines = lab.url,lab.lines
    path = clone/'work'/'02_dot_product.ipynb'
    seen,said = path.stat().st_mtime_ns,len(lines)
    page = browser.new_page(viewport=dict(width=1440, height=900))
    page.goto(url.replace('index.ipynb', path.name) + '&reset')
    page.locator('#jp-main-statusbar').get_by_text('| Idle').wait_for()
    trusted = page.get_by_title(re.compile('code cells trusted')).get_attribute('title')
    n,m = re.search(r'(\d+) of (\d+)', trusted).groups()
    assert n==m, trusted
    page.locator('.jp-OutputArea input[type=range]').first.wait_for(state='attached')
    bars = page.locator('.jp-InputPlaceholder .jp-Placeholder-content')  # of folded code: no grey ones
    bars.first.wait_for(state='attached')
    look = 'all => all.map(o => [getComputedStyle(o).backgroundColor, o.offsetHeight])'
    assert all(colour=='rgba(0, 0, 0, 0)' and height<=24 for colour,height in bars.evaluate_all(look))
    tabs = page.locator('#jp-main-dock-panel .lm-TabBar-tab')
    assert 'jp-mod-dirty' not in tabs.first.get_attribute('class')
    with page.expect_response(lambda o: o.request.method=='PUT' and path.name in o.url) as saved:
        page.locator('.jp-Toolbar [data-command="docmanager:save"]').first.click()
    assert saved.value.ok and path.stat().st_mtime_ns!=seen
    assert work.Memory(clone/'work'/work.MEMORY).is_ours(path)  # saving has written the same
    tabs.first.locator('.lm-TabBar-tabCloseIcon').click()
    page.locator('.jp-NotebookPanel').wait_for(state='detached')
    assert not page.locator('.jp-Dialog').count() and not page.locator('.Toastify__toast').count()
    assert lines[said:]==[] and not [o for o in lines if 'Warning' in o], '\n'.join(lines)
    page.close()

def test_the_check_finds_nothing_wrong_and_stops_the_lab(lab, capsys):
    tasks.check_lab(lab.server, 'work')
    assert capsys.readouterr().out=='' and lab.p.wait()==0  # all is trusted

@pytest.mark.parametrize('wrong', [None, OSError('no answer'), tasks.TaskError('asks for news')])
def test_asked_to_check_the_lab_opens_no_browser_and_ends_with_what_is_wrong(monkeypatch, capsys, wrong):
    started = []
    def check(info, folder):
        started.append((info, folder))
        if wrong: raise wrong
    class Server:
        returncode = 0
        def __init__(self, cmd, **kw): started.append(cmd)
        def poll(self): return 0
        def wait(self, *args): return 0
    for name,o in dict(tool=lambda *args, **kw: None, fetch_data=len, encryption=list, check_lab=check).items():
        monkeypatch.setattr(tasks, name, o)
    monkeypatch.setattr(tasks, 'server_info', lambda p, env: dict(url='http://localhost:1/', token='t'))
    monkeypatch.setattr(tasks.subprocess, 'Popen', Server)
    try: tasks.lab('--check')
    except tasks.TaskError as e: assert wrong and str(wrong) in str(e)
    else: assert wrong is None
    command,(info,folder) = started
    assert '--no-browser' in command and '--check' not in command and (info['token'], folder)==('t', 'work')
    assert ('is stopped again' in capsys.readouterr().out)==(wrong is None)
