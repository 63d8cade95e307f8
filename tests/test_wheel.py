"A source package and the wheel made from it hold the library alone, and import from an empty environment"
import json, os, re, subprocess, sys, sysconfig, tarfile, zipfile
from email import message_from_string

import pytest

IGNORE = ('.git', '.venv', 'build', 'dist', '*.egg-info', '__pycache__', '.ipynb_checkpoints', '.hypothesis',
          '.pytest_cache', '.ruff_cache', '_proc')

@pytest.fixture(scope='module')
def built(root, tmp_path_factory):
    "Source package, the wheel made from it, and what building said; from a copy: the repository stays as it is"
    from shutil import copytree, ignore_patterns
    tmp = tmp_path_factory.mktemp('wheel')
    copytree(root, tmp/'src', ignore=ignore_patterns(*IGNORE))
    # where the first is set, setuptools says so; with the second, links of the README become whole
    env = {k:v for k,v in os.environ.items() if k not in ('PYTHONDONTWRITEBYTECODE', 'GITHUB_REPOSITORY')}
    r = subprocess.run([sys.executable, '-m', 'build', '--no-isolation', '--outdir', tmp/'dist', tmp/'src'],
                       env=env, capture_output=True, text=True, encoding='utf-8')
    assert r.returncode==0, r.stdout + r.stderr
    (sdist,),(wheel,) = (tmp/'dist').glob('*.tar.gz'),(tmp/'dist').glob('*.whl')
    return sdist,wheel,r.stdout + r.stderr

@pytest.fixture(scope='module')
def sdist(built):
    with tarfile.open(built[0]) as t: return sorted(o.partition('/')[2] for o in t.getnames() if '/' in o)

@pytest.fixture(scope='module')
def files(built): return zipfile.ZipFile(built[1]).namelist()

@pytest.fixture(scope='module')
def meta(built):
    with zipfile.ZipFile(built[1]) as z:
        return message_from_string(z.read(next(o for o in z.namelist() if o.endswith('.dist-info/METADATA'))).decode())

@pytest.fixture(scope='module')
def python(built, tmp_path_factory):
    "Python of a new environment with the wheel alone; other packages are those that are here already"
    env = tmp_path_factory.mktemp('env')
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', env], check=True)
    exe = env/('Scripts' if os.name=='nt' else 'bin')/'python'
    site = subprocess.run([exe, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'], capture_output=True,
                          text=True, check=True).stdout.strip()
    subprocess.run([sys.executable, '-m', 'pip', '--python', exe, 'install', '--quiet', '--no-deps', '--no-index',
                    '--disable-pip-version-check', built[1]], check=True)
    # a plain path in a .pth file: .pth files of that folder, such as the one of the editable install, aren't read
    with open(os.path.join(site, 'dependencies.pth'), 'w') as f: f.write(sysconfig.get_path('purelib') + '\n')
    return exe

def run(python, code, cwd):
    env = {k:v for k,v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME')}
    r = subprocess.run([python, '-c', code], cwd=cwd, env=env, capture_output=True, text=True)
    assert r.returncode==0, r.stderr
    return r.stdout

def test_no_warnings(built): assert not re.findall(r'.*(?:[Ww]arning|[Dd]eprecat|\*{8}).*', built[2])

def test_the_library_and_nothing_else(files, root):
    lib = root/'collab_course'
    here = {f'collab_course/{o.relative_to(lib).as_posix()}' for end in ('.py', '.md', '.mplstyle', 'py.typed')
            for o in lib.rglob(f'*{end}')}
    assert {o for o in files if '.dist-info/' not in o} == here

def test_the_source_package_is_lean(sdist, files):
    "What the wheel is built from; tests, notebooks and tools need the whole repository"
    made = ('PKG-INFO', 'setup.cfg', 'collab_course.egg-info')
    rest = {o for o in sdist if o!='collab_course' and not o.startswith('collab_course/') and not o.startswith(made)}
    text = {'CHANGELOG.md', 'CITATION.cff', 'LICENSE', 'README.md'}
    assert rest==text | {'MANIFEST.in', 'pyproject.toml', 'settings.ini', 'setup.py'}
    assert {o for o in files if '.dist-info/' not in o} <= {*sdist}

def test_license_is_inside(files): assert any(re.search(r'\.dist-info/.*LICENSE$', o) for o in files)

def test_metadata(meta, settings):
    deps = [re.sub(r'\s', '', o) for o in meta.get_all('Requires-Dist') if 'extra ==' not in o]
    assert (meta['Name'], meta['Summary'], meta['Requires-Python']) == (
        settings['lib_name'], settings['description'], '>='+settings['min_python'])
    assert sorted(deps) == sorted(settings['requirements'].split())
    assert set(meta.get_all('Provides-Extra')) == {'course', 'docs', 'dev'}
    assert (meta['License-Expression'], meta['License'], meta['License-File']) == (settings['license'], None, 'LICENSE')
    assert all(o.split(', ')[1].startswith('https://') for o in meta.get_all('Project-URL'))

def test_readme_is_the_description(meta, root):
    assert meta['Description-Content-Type'].startswith('text/markdown')
    assert meta.get_payload().strip() == (root/'README.md').read_text(encoding='utf-8').strip()

def test_imports_from_an_empty_environment(python, tmp_path):
    out = run(python,
              'import json, sys, collab_course, collab_course.tables as d; from importlib.metadata import version; '
              'print(json.dumps([sys.prefix, collab_course.__file__, d.__file__, version("collab_course"), '
              'collab_course.__version__]))', tmp_path)
    prefix, *paths, installed, own = json.loads(out)
    assert all(os.path.realpath(o).startswith(os.path.realpath(prefix)) for o in paths)
    assert installed == own

EVERY = """import importlib, json, sys
from collab_course.all import *
def course(): return [o for o in sys.modules if o.startswith('collab_course.course')]
people = [type(o).__name__ for o in (Recommender, load_ratings)], course()
for o in LIBRARY: importlib.import_module(o)
library = course()
for o in COURSE: importlib.import_module(o)
print(json.dumps([*people, library, len(course())]))"""

def test_every_module_imports_and_only_the_course_reaches_solutions(python, tmp_path, files):
    "The wheel holds the exercises with their answers, since Colab installs it; who doesn't ask for them gets none"
    mods = [o[:-3].replace('/', '.') for o in files if o.endswith('.py') and '__init__' not in o]
    course = [o for o in mods if o.startswith('collab_course.course.')]
    code = EVERY.replace('LIBRARY', f'{[*{*mods} - {*course}]}').replace('COURSE', f'{course}')
    kinds,at_first,by_library,by_course = json.loads(run(python, code, tmp_path).splitlines()[-1])
    assert kinds==['type', 'function'] and at_first==by_library==[]
    assert by_course > len(course) > 20  # packages come with their modules
