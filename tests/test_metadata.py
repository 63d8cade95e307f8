"`settings.ini`, `pyproject.toml`, `setup.py` and the package agree"
import ast, re, subprocess, sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11): import tomllib
else: import tomli as tomllib

# what `setup()` sets, and what `[project].dynamic` calls it; packages are no field of `[project]`
FIELDS = dict(version='version', description='description', long_description='readme',
              long_description_content_type='readme', author='authors',
              author_email='authors', license_expression='license', license_files=None, keywords='keywords',
              classifiers='classifiers',
              install_requires='dependencies', package_data=None,
              extras_require='optional-dependencies',
              entry_points={'nbdev': 'entry-points', 'console_scripts': 'scripts'}, packages=None)
# what comes with a package that is required
PACKAGE = dict(fastcore='fastai', fastprogress='fastai', numpy='pandas', IPython='fastcore', PIL='matplotlib',
               fbgemm_gpu='fbgemm-gpu-cpu')

@pytest.fixture(scope='module')
def pyproject(root): return tomllib.loads((root/'pyproject.toml').read_text(encoding='utf-8'))

def given(root, monkeypatch):
    "What `setup.py` gives to `setup()`"
    seen = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **kw: seen.update(kw))
    monkeypatch.chdir(root)
    exec(compile((root/'setup.py').read_text(encoding='utf-8'), 'setup.py', 'exec'),
         dict(__file__=str(root/'setup.py'), __name__='__main__'))
    return seen

@pytest.fixture
def kwargs(root, monkeypatch): return given(root, monkeypatch)

def names(reqs): return {canonicalize_name(Requirement(o).name) for o in reqs}

def test_name(settings, pyproject, root):
    assert settings['lib_name'] == pyproject['project']['name'] == pyproject['tool']['nbdev']['lib_path']
    assert (root/settings['lib_name']/'__init__.py').is_file()

def test_python(settings, pyproject): assert pyproject['project']['requires-python'] == f">={settings['min_python']}"

def test_ruff_reads_the_oldest_python(settings, pyproject):
    assert pyproject['tool']['ruff']['target-version'] == 'py' + settings['min_python'].replace('.', '')

def test_dynamic_lists_all_that_setup_sets(kwargs, pyproject):
    fields = {f for k in kwargs
              for f in ([FIELDS[k][o] for o in kwargs[k]] if isinstance(FIELDS[k], dict) else [FIELDS[k]])}
    assert fields - {None} == set(pyproject['project']['dynamic'])

def test_nothing_is_said_twice(settings, pyproject):
    assert set(pyproject['project']) == {'name', 'requires-python', 'dynamic', 'urls'}
    assert 'version' not in settings

def test_version(kwargs, root, settings):
    import collab_course
    assert kwargs['version'] == collab_course.__version__
    assert re.fullmatch(r'\d+\.\d+\.\d+', kwargs['version'])

def test_setup_gives_what_the_settings_say(kwargs, settings):
    assert [kwargs[o] for o in ('description', 'author', 'license_expression')] == [
        settings[o] for o in ('description', 'author', 'license')]
    assert kwargs['install_requires'] == settings['requirements'].split()
    lib = settings['lib_name']
    assert kwargs['packages'] == [lib, f'{lib}.course', f'{lib}.course.practice']
    assert kwargs['package_data'] == {lib: ['py.typed'], f'{lib}.course': ['*.mplstyle'],
                                      f'{lib}.course.practice': ['*.md']}

def test_each_extra_is_said_once_and_dev_holds_them_all(kwargs, settings):
    own = {o: settings[f'{o}_requirements'].split() for o in ('course', 'docs', 'dev')}
    assert kwargs['extras_require'] == own | dict(dev=own['course'] + own['docs'] + own['dev'])
    every = [Requirement(o).name for o in [*kwargs['install_requires'], *sum(own.values(), [])]]
    assert sorted(o for o in every if every.count(o) > 1)==['torch', 'torch']  # `dev` keeps to what TorchRec goes with

def test_classifiers_are_whole(kwargs, settings):
    found = kwargs['classifiers']
    assert all(' :: ' in o and o==o.strip() for o in found) and len({*found})==len(found)
    assert any(re.fullmatch(r'Development Status :: [1-7] - [A-Z][\w/-]+', o) for o in found)
    # an SPDX expression takes the place of these, and PyPI refuses both together
    assert not [o for o in found if o.startswith('License ::')]

def test_classifiers_name_each_python_from_the_oldest_on(kwargs, settings):
    pythons = [o.rpartition(' :: ')[2] for o in kwargs['classifiers'] if re.search(r'Python :: 3\.\d+$', o)]
    oldest,newest = (int(o.split('.')[1]) for o in (settings['min_python'], pythons[-1]))
    assert pythons==settings['pythons'].split()==[f'3.{o}' for o in range(oldest, newest+1)]
    assert newest >= sys.version_info[1]  # what runs here is claimed, too

def test_license_is_spdx_with_its_text(kwargs, root):
    assert kwargs['license_expression']=='Apache-2.0' and kwargs['license_files']==['LICENSE']
    text = (root/'LICENSE').read_text(encoding='utf-8')
    assert 'Apache License' in text and 'Version 2.0, January 2004' in text

def test_a_release_on_github_makes_the_links_of_the_readme_whole(root, monkeypatch):
    monkeypatch.setenv('GITHUB_REPOSITORY', 'them/this')
    release = given(root, monkeypatch)
    links = re.findall(r'(!?)\[[^]]*\]\(([^)#]+)', release['long_description'])
    assert all(o.startswith('https://') for _,o in links)
    ours = [(mark, *re.fullmatch(r'https://github.com/them/this/(blob|raw)/v([^/]+)/(.*)', o).groups())
            for mark,o in links if 'them/this' in o]
    assert {'nbs/00_whole_game.ipynb', 'docs/page.gif'} <= {o[3] for o in ours}
    for mark,kind,version,path in ours:
        assert (kind=='raw')==bool(mark) and version==release['version'] and (root/path).is_file()

def imports(path, at_once=False):
    "Top-level packages that a module imports, in all or as soon as it's imported itself"
    tree = ast.parse(path.read_text(encoding='utf-8'))
    later = {o for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for o in ast.walk(f)} if at_once else ()
    for n in ast.walk(tree):
        if n in later: continue
        if isinstance(n, ast.Import): yield from (o.name.split('.')[0] for o in n.names)
        if isinstance(n, ast.ImportFrom) and not n.level: yield n.module.split('.')[0]

def test_every_import_is_required(root, settings):
    lib = settings['lib_name']
    # Python 3.10 has no tomllib of its own
    own = {lib, *sys.stdlib_module_names, 'tomllib'}
    have = names(settings['requirements'].split())
    optional = have | names(settings['distributed_requirements'].split())
    for p in (root/lib).rglob('*.py'):
        for at_once,allowed in ((True, have), (False, optional)):
            used = {*imports(p, at_once)} - own
            assert not {o for o in used if canonicalize_name(PACKAGE.get(o, o)) not in allowed}, p

def test_tools_are_required(root, kwargs):
    "What tools and tests import comes with the `dev` extra"
    have = names(kwargs['install_requires'] + kwargs['extras_require']['dev'])
    comes_with = dict(sklearn='fastai', scipy='fastai', PIL='fastai', yaml='fastai', nbformat='nbclient',
                      jupyter_client='nbclient', jupyter_core='nbclient', zmq='nbclient',
                      traitlets='nbclient', IPython='nbdev',
                      fastcore='nbdev', packaging='build', tomli='build', numpy='pandas')
    own = {o.stem for d in ('tools', 'tests', 'bench') for o in (root/d).glob('*.py')} | {'tasks', 'setup',
        settings_name(root)}
    # Python 3.10 has no tomllib of its own
    used = {o for d in ('tools', 'tests') for p in (root/d).glob('*.py')
            for o in imports(p)} - own - {*sys.stdlib_module_names, 'tomllib'}
    missing = {o for o in used if canonicalize_name(comes_with.get(o, o)) not in have}
    assert used and not missing

def local_imports(path, folders):
    "Modules of other packages that a script imports, itself or by scripts in some folders"
    found,todo,done = set(),[path],set()
    while todo:
        done.add(p := todo.pop())
        for name in imports(p):
            here = [d/f'{name}.py' for d in folders if (d/f'{name}.py').is_file()]
            if not here: found.add(name)
            todo += [o for o in here if o not in done]
    return found

def test_the_docs_extra_makes_the_website(root, kwargs):
    have = names(kwargs['install_requires'] + kwargs['extras_require']['docs'])
    comes_with = dict(nbformat='nbclient', jupyter_client='nbclient', zmq='nbclient', fastcore='nbdev',
                      PIL='matplotlib', docutils='sphinx', numpy='pandas')
    folders = [root/'tools', root/'docs', root]
    used = {o for p in (root/'tools'/'docs.py', root/'docs'/'conf.py') for o in local_imports(p, folders)}
    used -= {*sys.stdlib_module_names, settings_name(root)}
    assert {'nbdev', 'nbconvert'} <= used
    assert not {o for o in used if canonicalize_name(comes_with.get(o, o)) not in have}

def test_nbdev_passes_over_cells_that_need_torchrec_and_make_test_runs_them(root, pyproject, monkeypatch):
    spec = spec_from_file_location('tasks_of_metadata', root/'tasks.py')
    tasks = module_from_spec(spec)
    spec.loader.exec_module(tasks)
    flags = pyproject['tool']['nbdev']['tst_flags'].split()
    assert 'torchrec' in flags and 'notest' in flags  # as nbdev has it by default
    commands = []
    monkeypatch.setattr(tasks, 'run', lambda cmd, todo, **env: commands.append([*map(str, cmd)]))
    monkeypatch.setattr(tasks, 'no_engine', lambda: None)
    tasks.test_notebooks()
    (command,) = commands
    assert command[command.index('--flags')+1]=='torchrec'

def settings_name(root): return next(o.parent.name for o in root.glob('*/__init__.py') if o.parent.name!='tests')

def pinned(root):
    "{name: version} of constraints.txt"
    lines = [o for o in (root/'constraints.txt').read_text(encoding='utf-8').splitlines() if o and o[0]!='#']
    return dict(o.split('==') for o in lines)

def test_the_versions_of_the_run_are_those_that_we_allow(root, settings):
    found = pinned(root)
    reqs = [Requirement(o) for k in ('requirements', 'course_requirements', 'docs_requirements', 'dev_requirements')
            for o in settings[k].split()]
    wanted = {canonicalize_name(o.name): o.specifier for o in reqs}
    missing = set(wanted) - set(found)
    assert missing=={'pip', 'setuptools'}  # they install, and install themselves anew
    assert not [(k, found[k]) for k in found.keys() & wanted if found[k] not in wanted[k]]

def test_constraints_name_what_our_requirements_need_in_turn(root):
    assert {'numpy', 'fastcore', 'torchvision', 'jupyter-server', 'nbformat'} <= set(pinned(root))

def test_the_job_with_the_lowest_versions_asks_for_each_lower_bound(root, settings):
    out = subprocess.run([sys.executable, root/'tools'/'constraints.py', '--lowest'], capture_output=True, text=True)
    parts = ('requirements', 'course_requirements', 'docs_requirements', 'dev_requirements')
    bounds = [o.replace('>=', '==') for part in parts for o in settings[part].split() if '>=' in o]
    assert out.stdout.split()==bounds and {'torch==2.4', 'jupyterlab==4.2', 'pytest==9'} <= {*bounds}

LEAVES = """from nbdev.quarto import nbdev_sidebar, refresh_quarto_yml
from nbdev.release import write_requirements
refresh_quarto_yml()
nbdev_sidebar.__wrapped__()
write_requirements.__wrapped__()"""

def test_git_ignores_what_commands_of_nbdev_leave(root, tmp_path):
    "`nbdev-prepare` and others write files for Quarto first; a run of git says what is new"
    for o in ('.gitignore', 'pyproject.toml', 'nbs/index.ipynb', 'collab_course/__init__.py'):
        (tmp_path/o).parent.mkdir(exist_ok=True)
        (tmp_path/o).write_bytes((root/o).read_bytes())
    def do(*cmd): return subprocess.run(cmd, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    do('git', 'init', '--quiet')
    before = do('git', 'status', '--porcelain', '--untracked-files=all')
    do(sys.executable, '-c', LEAVES)
    left = {o.relative_to(tmp_path).as_posix() for o in tmp_path.rglob('*') if o.name in ('_quarto.yml', 'nbdev.yml',
        'sidebar.yml', 'requirements.txt')}
    assert left=={'nbs/_quarto.yml', 'nbs/nbdev.yml', 'nbs/sidebar.yml', 'requirements.txt'}
    assert do('git', 'status', '--porcelain', '--untracked-files=all')==before
