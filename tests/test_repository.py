"Files for people who find this repository: links arrive, names exist, forms and versions are what they claim"
import json, re, shutil, subprocess
from datetime import date
from importlib.metadata import entry_points

import pytest, yaml

import collab_course, tasks
from collab_course.checks import ArgError
from test_english import better

def markdown(root):
    "Files that people read on GitHub"
    found = [*root.glob('*.md'), *(root/'.github').rglob('*.md'), *(root/'contrib').rglob('*.md'),
             root/'bench'/'README.md']
    return {o.relative_to(root).as_posix(): o.read_text(encoding='utf-8') for o in sorted(found)}

def prose(text): return re.sub(r'^```.*?^```|^ {4}.*?$|`[^`\n]+`', '', text, flags=re.S|re.M)

def anchors(text):
    "What GitHub calls the headings of a file"
    heads = re.findall(r'^#+ (.+)$', re.sub(r'^```.*?^```', '', text, flags=re.S|re.M), re.M)
    return {re.sub(r'[^\w\- ]', '', o.lower()).replace(' ', '-') for o in heads}

def blocks(text, kind):
    "Blocks of code of a kind"
    return re.findall(rf'^```{kind}\n(.*?)^```', text, re.S|re.M)

@pytest.fixture(scope='module')
def texts(root): return markdown(root)

@pytest.fixture(scope='module')
def guide(texts): return texts['CONTRIBUTING.md']

@pytest.fixture(scope='module')
def forms(root):
    return {o.name: yaml.safe_load(o.read_text(encoding='utf-8'))
            for o in (root/'.github'/'ISSUE_TEMPLATE').glob('*.yml')}

# ---- what the files say ----

def test_the_files_that_people_look_for_are_there(texts):
    asked = 'README CHANGELOG CONTRIBUTING CODE_OF_CONDUCT SECURITY'.split()
    assert {f'{o}.md' for o in asked} | {'.github/PULL_REQUEST_TEMPLATE.md'} <= set(texts)

def test_links_arrive(texts, root):
    bad = []
    for name,text in texts.items():
        for to in re.findall(r'\]\(([^)\s]+)', prose(text)):
            if re.match(r'(https|mailto):', to): continue
            path,_,part = to.partition('#')
            full = (root/name).parent/path if path else root/name
            if not full.exists(): bad.append((name, to))
            elif part and full.suffix=='.md' and part not in anchors(full.read_text(encoding='utf-8')):
                bad.append((name, to))
    assert not bad

def test_no_turn_that_readers_stumbled_over(texts):
    ours = {k: v for k,v in texts.items() if not k.startswith('contrib/')}
    assert not [(k, turn, say) for k,v in ours.items() for turn,say in better(v).items()]

def test_tasks_that_are_named_exist(texts):
    named = {(k, o) for k,v in texts.items() for o in re.findall(r'\bmake ([a-z]+)', '\n'.join(code(v)))}
    assert len(named)>10 and not [o for o in named if o[1] not in {*tasks.tasks, 'help'}]

def code(text):
    "What stands in backticks or in a block of commands"
    return re.findall(r'`([^`\n]+)`', text) + blocks(text, 'sh')

def test_commands_of_nbdev_that_are_named_exist(guide):
    there = {o.name for o in entry_points(group='console_scripts')}
    table = {o for row in re.findall(r'^\| (`nbdev.+?) \|', guide, re.M) for o in re.findall(r'`(nbdev-[\w-]+)', row)}
    # a driver and a name in a message: git calls them
    named = set(re.findall(r'\b(nbdev-[a-z-]+)\b', guide))
    assert len(table)>=10 and table <= named <= there

def test_paths_that_are_named_exist(guide, root):
    paths = [o for o in re.findall(r'`([\w./]+)`', guide) if '/' in o and not re.search('NN|name|results', o)]
    made = ('_docs/', '.venv/', 'work/')
    assert len(paths)>10 and not [o for o in paths if not o.startswith(made) and not (root/o).exists()]

def test_the_tests_that_are_named_exist(guide, root):
    files = set(re.findall(r'tests/\w+\.py', guide))
    names = set(re.findall(r'\btest_\w+', guide)) - {o.split('/')[1][:-3] for o in files} - {'test_close', 'test_eq'}
    everything = '\n'.join(o.read_text(encoding='utf-8') for o in (root/'tests').glob('test_*.py'))
    assert all((root/o).is_file() for o in files) and names
    assert not [o for o in names if f'def {o}(' not in everything]

# ---- the worked example ----

@pytest.fixture(scope='module')
def example(guide, root):
    "The check, the function and the call, and names of the page that they go into"
    check,function,call = blocks(guide, 'python')
    space = {}
    nb = json.loads((root/'nbs'/'library'/'metrics.ipynb').read_text(encoding='utf-8'))
    cells = [''.join(o['source']) for o in nb['cells'] if o['cell_type']=='code']
    exec('\n'.join(o for o in cells if re.search(r'^(from|import) ', o, re.M) and 'def ' not in o), space)
    exec(re.search(r'`(from sklearn[^`]+)`', guide)[1], space)
    exec('from collab_course.metrics import *', space)
    assert 'reciprocal_rank' not in space  # or the guide shows how to add what is there
    return check,function,call,space

def test_the_worked_example_fails_before_and_passes_after(example, guide):
    check,function,call,space = example
    with pytest.raises(NameError, match="name 'reciprocal_rank' is not defined"): exec(check, dict(space))
    assert "NameError: name 'reciprocal_rank' is not defined" in guide
    done = dict(space)
    exec(function, done)
    exec(check, done)
    assert repr(eval(call, done)) in guide

def test_the_check_of_the_worked_example_notices_the_mistake(example):
    check,function,_,space = example
    wrong = dict(space)
    exec(function.replace('+ 1', '+ 2'), wrong)
    with pytest.raises(AssertionError, match='close'): exec(check, wrong)

def test_the_worked_example_checks_what_it_is_given(example):
    _,function,_,space = example
    done = dict(space)
    exec(function, done)
    with pytest.raises(ArgError, match='holds an item twice'): done['reciprocal_rank']([[1, 1]], ([0], [1]))

# ---- versions and licence ----

@pytest.fixture(scope='module')
def citation(root): return yaml.safe_load((root/'CITATION.cff').read_text(encoding='utf-8'))

@pytest.fixture(scope='module')
def releases(texts):
    "(version, day) as the changelog lists them"
    return re.findall(r'^## \[(\d+\.\d+\.\d+)\] - (\S+)$', texts['CHANGELOG.md'], re.M)

def test_the_changelog_tells_of_this_version(releases):
    versions = [tuple(map(int, o.split('.'))) for o,_ in releases]
    days = [date.fromisoformat(o) for _,o in releases]
    assert releases[0][0]==collab_course.__version__
    assert versions==sorted(versions, reverse=True) and days==sorted(days, reverse=True)

def test_the_changelog_keeps_its_form(texts):
    heads = re.findall(r'^##+ (.+)$', texts['CHANGELOG.md'], re.M)
    assert heads[0]=='[Unreleased]'
    kinds = 'Added Changed Deprecated Removed Fixed Security'.split()
    assert not [o for o in heads if o not in kinds and o[0]!='[']

def test_the_citation_is_of_this_version(citation, releases):
    settings = tasks.cfg['DEFAULT']
    assert (citation['version'], str(citation['date-released']))==releases[0]
    assert citation['license']==settings['license'] and citation['authors']==[dict(name=settings['author'])]

def test_the_citation_has_what_the_format_asks_for(citation):
    assert citation['cff-version']=='1.2.0' and {'message', 'title', 'authors'} <= set(citation)
    assert {o['type'] for o in citation['references']}=={'article', 'book'}
    assert all({'type', 'title', 'authors'} <= set(o) for o in citation['references'])

# ---- forms, container, hooks ----

KINDS = {'markdown', 'input', 'textarea', 'dropdown', 'checkboxes'}

def test_every_form_asks_for_something(forms):
    asked = {k: v for k,v in forms.items() if k!='config.yml'}
    assert len(asked)>=3 and forms['config.yml'].keys() <= {'blank_issues_enabled', 'contact_links'}
    for form in asked.values():
        assert {'name', 'description', 'body'} <= form.keys()
        ids = [o['id'] for o in form['body'] if o['type']!='markdown']
        assert len(set(ids))==len(ids) and all(re.fullmatch(r'[\w-]+', o) for o in ids)
        assert all(o['type'] in KINDS and o['attributes'] for o in form['body'])
        assert any(o.get('validations', {}).get('required') for o in form['body'])

def test_the_line_that_prints_versions_runs(forms, capsys):
    field = next(o for o in forms['bug.yml']['body'] if o['id']=='versions')
    line = re.search(r'`python -c "(.+)"`', field['attributes']['description'])[1]
    exec(line, {})
    assert collab_course.__version__ in capsys.readouterr().out.split()

def test_dependabot_looks_where_something_is(root):
    config = yaml.safe_load((root/'.github'/'dependabot.yml').read_text(encoding='utf-8'))
    assert config['version']==2
    assert [(o['package-ecosystem'], o['directory']) for o in config['updates']]==[('github-actions', '/')]
    assert list((root/'.github'/'workflows').glob('*.yml'))

def test_the_container_runs_a_task(root):
    config = json.loads((root/'.devcontainer'/'devcontainer.json').read_text(encoding='utf-8'))
    assert config['postCreateCommand'].split()==['make', 'setup'] and 'setup' in tasks.tasks
    python = config['customizations']['vscode']['settings']['python.defaultInterpreterPath']
    assert python=='${containerWorkspaceFolder}/.venv/bin/python'
    minor = int(re.search(r'python:3\.(\d+)', config['image'])[1])
    assert minor >= tasks.min_python[1]

def test_hooks_are_tasks(root):
    config = yaml.safe_load((root/'.pre-commit-config.yaml').read_text(encoding='utf-8'))
    repo, = config['repos']
    assert repo['repo']=='local'
    called = [o['entry'].split() for o in repo['hooks']]
    assert [o[:2] for o in called]==[['python3', 'tasks.py']]*3
    assert [o[2] for o in called]==['export', 'readme', 'lint'] and {o[2] for o in called} <= set(tasks.tasks)

# ---- git and nbdev ----

def attributes(root, *paths):
    "{path: {attribute: value}} as git reads .gitattributes"
    asked = ['merge', 'diff', 'eol', 'text', 'linguist-generated']
    cmd = ['git', 'check-attr', *asked, '--', *paths]
    r = subprocess.run(cmd, cwd=root, capture_output=True, text=True, check=True)
    found = {o: {} for o in paths}
    for line in r.stdout.splitlines():
        path,name,value = line.rsplit(': ', 2)
        found[path][name] = value
    return found

@pytest.fixture
def clone(root, tmp_path):
    "An empty repository with the attributes of this one"
    subprocess.run(['git', 'init', '-q', tmp_path], check=True)
    shutil.copy(root/'.gitattributes', tmp_path)
    return tmp_path

def test_notebooks_merge_by_cells_and_text_ends_its_lines_alike(clone):
    got = attributes(clone, 'nbs/04_bias.ipynb', 'nbs/practice/04_bias.ipynb', 'tests/golden/planted.bundle',
                     'collab_course/metrics.py', 'collab_course/_modidx.py')
    nb,practice,golden,module,index = got.values()
    assert (nb['merge'], nb['diff'], nb['eol'])==('jupyternotebook', 'jupyternotebook', 'lf')
    assert golden['text']=='unset'
    assert practice['linguist-generated']==index['linguist-generated']=='set'
    assert nb['linguist-generated']==module['linguist-generated']=='unspecified'

def test_the_hooks_of_nbdev_change_no_attributes(clone, monkeypatch):
    from nbdev.clean import nbdev_install_hooks
    home = clone/'home'
    home.mkdir()
    monkeypatch.setenv('HOME', str(home))
    monkeypatch.chdir(clone)
    before = (clone/'.gitattributes').read_text()
    nbdev_install_hooks.__wrapped__()
    assert (clone/'.gitattributes').read_text()==before
    assert 'nbdev-merge' in (clone/'.gitconfig').read_text()

def test_what_the_hooks_write_is_ignored(root, clone):
    shutil.copy(root/'.gitignore', clone)
    r = subprocess.run(['git', 'check-ignore', '.gitconfig', 'nbs/.last_checked'], cwd=clone, capture_output=True,
                       text=True)
    assert r.stdout.split()==['.gitconfig', 'nbs/.last_checked']

def test_nbdevs_migration_stops_before_it_overwrites_the_settings(root, tmp_path):
    from configparser import InterpolationError
    from nbdev.migrate import nbdev_migrate_config
    lib = tmp_path/'collab_course'
    lib.mkdir()
    for o in ('settings.ini', 'pyproject.toml', 'collab_course/__init__.py'): shutil.copy(root/o, tmp_path/o)
    before = {o: o.read_bytes() for o in tmp_path.rglob('*') if o.is_file()}
    with pytest.raises(InterpolationError, match='see CONTRIBUTING.md'): nbdev_migrate_config.__wrapped__(tmp_path)
    assert before=={o: o.read_bytes() for o in tmp_path.rglob('*') if o.is_file()}

def test_without_the_guard_the_migration_would_overwrite_them(root, tmp_path):
    from nbdev.migrate import nbdev_migrate_config
    (tmp_path/'collab_course').mkdir()
    for o in ('pyproject.toml', 'collab_course/__init__.py'): shutil.copy(root/o, tmp_path/o)
    lines = (root/'settings.ini').read_text(encoding='utf-8').splitlines()
    (tmp_path/'settings.ini').write_text('\n'.join(o for o in lines if not o.startswith('repo =')))
    nbdev_migrate_config.__wrapped__(tmp_path)
    assert '[tool.ruff]' not in (tmp_path/'pyproject.toml').read_text()

# ---- on the website ----

@pytest.mark.parametrize('repo', ['someone/course', None])
def test_the_guide_is_a_page_whose_links_hold(root, texts, repo):
    import guide, path
    pages = path.sources()
    page = guide.written(root, pages, repo, 'main')['contributing']
    to = re.findall(r'\]\(([^)\s]+)\)', prose(page))
    inside = {o for o in to if not o.startswith('https:')}
    assert inside=={'course/exercises.ipynb', 'course/pages.ipynb'} and {o[:-6] for o in inside} <= set(pages)
    assert ('https://github.com/someone/course/blob/main/SECURITY.md' in to)==bool(repo)
    plain = lambda text: re.sub(r'\[([^\]]+)\]\([^)]*\)', r'\1', text)
    assert plain(page)==plain(texts['CONTRIBUTING.md'])

@pytest.mark.parametrize('html,name', [(False, 'contributing.md'), (True, 'contributing.html')])
def test_a_link_to_the_guide_leads_to_its_page(html, name):
    import links, path
    files = {}
    assert links.site_link('../CONTRIBUTING.md#nbdev-here', html, 'map', path.sources(), files)==f'{name}#nbdev-here'
    assert not files
