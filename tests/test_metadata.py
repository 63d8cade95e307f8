"`settings.ini`, `pyproject.toml`, `setup.py` and the package agree"
import ast, re, subprocess, sys
from configparser import ConfigParser

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11): import tomllib
else: import tomli as tomllib

# what `setup()` sets, and what `[project].dynamic` calls it; packages are no field of `[project]`
FIELDS = dict(version='version', description='description', long_description='readme',
              long_description_content_type='readme', author='authors',
              author_email='authors', license='license', keywords='keywords', classifiers='classifiers',
              install_requires='dependencies', package_data=None,
              extras_require='optional-dependencies',
              entry_points={'nbdev': 'entry-points', 'console_scripts': 'scripts'}, packages=None)
# what comes with a package that is required
PACKAGE = dict(fastcore='fastai', fastprogress='fastai', numpy='pandas', IPython='fastcore', PIL='matplotlib',
               fbgemm_gpu='fbgemm-gpu-cpu')

@pytest.fixture(scope='module')
def settings(root):
    cfg = ConfigParser(delimiters=['='], interpolation=None)
    cfg.read(root/'settings.ini', encoding='utf-8')
    return cfg['DEFAULT']

@pytest.fixture(scope='module')
def pyproject(root): return tomllib.loads((root/'pyproject.toml').read_text(encoding='utf-8'))

@pytest.fixture
def kwargs(root, monkeypatch):
    "What `setup.py` gives to `setup()`"
    seen = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **kw: seen.update(kw))
    monkeypatch.chdir(root)
    exec(compile((root/'setup.py').read_text(encoding='utf-8'), 'setup.py', 'exec'),
         dict(__file__=str(root/'setup.py'), __name__='__main__'))
    return seen

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
    assert (kwargs['description'],kwargs['author'],kwargs['license']) == (settings['description'],settings['author'],
        settings['license'])
    assert kwargs['install_requires'] == settings['requirements'].split()
    lib = settings['lib_name']
    assert kwargs['packages'] == [lib, f'{lib}.course', f'{lib}.course.practice']
    assert kwargs['package_data'] == {lib: ['py.typed'], f'{lib}.course': ['*.mplstyle'],
                                      f'{lib}.course.practice': ['*.md']}
    assert set(settings['dev_requirements'].split()
               + settings['course_requirements'].split()) == set(kwargs['extras_require']['dev'])

def test_status_is_a_known_classifier(kwargs):
    assert any(re.fullmatch(r'Development Status :: [1-7] - [A-Z][\w/-]+', o) for o in kwargs['classifiers'])

def test_license_file(root): assert 'Apache License' in (root/'LICENSE').read_text()

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
    comes_with = dict(sklearn='fastai', scipy='fastai', PIL='fastai', nbformat='nbclient', jupyter_client='nbclient',
                      jupyter_core='nbclient', zmq='nbclient',
                      fastcore='nbdev', packaging='build', tomli='build', numpy='pandas')
    own = {o.stem for d in ('tools', 'tests', 'bench') for o in (root/d).glob('*.py')} | {'tasks', 'setup',
        settings_name(root)}
    # Python 3.10 has no tomllib of its own
    used = {o for d in ('tools', 'tests') for p in (root/d).glob('*.py')
            for o in imports(p)} - own - {*sys.stdlib_module_names, 'tomllib'}
    missing = {o for o in used if canonicalize_name(comes_with.get(o, o)) not in have}
    assert used and not missing

def settings_name(root): return next(o.parent.name for o in root.glob('*/__init__.py') if o.parent.name!='tests')

def pinned(root):
    "{name: version} of constraints.txt"
    lines = [o for o in (root/'constraints.txt').read_text(encoding='utf-8').splitlines() if o and o[0]!='#']
    return dict(o.split('==') for o in lines)

def test_the_versions_of_the_run_are_those_that_we_allow(root, settings):
    found = pinned(root)
    reqs = [Requirement(o) for k in ('requirements', 'course_requirements', 'dev_requirements')
            for o in settings[k].split()]
    wanted = {canonicalize_name(o.name): o.specifier for o in reqs}
    missing = set(wanted) - set(found)
    assert missing=={'pip', 'setuptools'}  # they install, and install themselves anew
    assert not [(k, found[k]) for k in found.keys() & wanted if found[k] not in wanted[k]]

def test_constraints_name_what_our_requirements_need_in_turn(root):
    assert {'numpy', 'fastcore', 'torchvision', 'jupyter-server', 'nbformat'} <= set(pinned(root))

def test_the_job_with_the_lowest_versions_asks_for_each_lower_bound(root, settings):
    out = subprocess.run([sys.executable, root/'tools'/'constraints.py', '--lowest'], capture_output=True, text=True)
    bounds = [o.replace('>=', '==') for o in settings['requirements'].split() if '>=' in o]
    assert out.stdout.split()==bounds and 'torch==2.4' in bounds
