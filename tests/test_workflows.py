"What GitHub runs for us: pinned actions, few permissions, the Pythons that we name, and a tag that fits its version"
import re, subprocess

import pytest, yaml

WRITES = {('docs.yml', 'publish'): {'contents': 'write'}, ('release.yml', 'publish'): {'id-token': 'write'}}

@pytest.fixture(scope='module')
def files(root): return {o.name: o.read_text(encoding='utf-8') for o in (root/'.github'/'workflows').glob('*.yml')}

@pytest.fixture(scope='module')
def flows(files): return {k: yaml.safe_load(v) for k,v in files.items()}

@pytest.fixture(scope='module')
def jobs(flows): return {(name, k): job for name,flow in flows.items() for k,job in flow['jobs'].items()}

@pytest.fixture(scope='module')
def steps(jobs): return [(*k, step) for k,job in jobs.items() for step in job.get('steps', [])]

def events(flow): return flow[True]  # YAML reads the key `on` as a boolean

# ---- actions ----

def used(files): return [o for text in files.values() for o in re.findall(r'uses: *(\S+) *(.*)', text)]

def test_each_action_is_pinned_by_commit_and_names_its_version(files):
    ours = [ref for ref,_ in used(files) if ref.startswith('./')]
    others = [o for o in used(files) if o[0] not in ours]
    assert ours==['./.github/workflows/ci.yml'] and len(others) > 5
    for ref,note in others:
        assert re.fullmatch(r'[\w.-]+/[\w./-]+@[0-9a-f]{40}', ref), ref
        assert re.fullmatch(r'# v\d+\.\d+\.\d+', note), (ref, note)

def test_an_action_is_everywhere_the_same(files):
    pins = {o for o in used(files) if not o[0].startswith('./')}
    assert len({ref.partition('@')[0] for ref,_ in pins})==len(pins)

def test_a_workflow_that_is_called_is_there_and_may_be_called(flows):
    called = [job['uses'] for flow in flows.values() for job in flow['jobs'].values() if 'uses' in job]
    assert called and all('workflow_call' in events(flows[o.rpartition('/')[2]]) for o in called)

# ---- permissions ----

def test_workflows_may_only_read(flows):
    assert {name: o.get('permissions') for name,o in flows.items()}==dict.fromkeys(flows, {'contents': 'read'})

def test_two_jobs_may_write_and_no_other(jobs):
    assert {k: o['permissions'] for k,o in jobs.items() if 'permissions' in o}==WRITES

def test_jobs_that_may_write_run_none_of_our_code(jobs):
    for k in WRITES:
        steps = jobs[k]['steps']
        assert not [o for o in steps if 'actions/checkout' in o.get('uses', '')]
        assert not [o for o in steps if re.search(r'make|python|pip', o.get('run', ''))]
        assert jobs[k]['needs']

def test_a_pull_request_publishes_nothing(flows, jobs):
    assert 'pull_request' in events(flows['docs.yml']) and 'pull_request' not in events(flows['release.yml'])
    assert not [o for o in flows.values() if {'pull_request_target', 'workflow_run'} & {*events(o)}]
    allowed = jobs['docs.yml', 'publish']['if']
    assert allowed=="github.ref == 'refs/heads/main' && github.event_name != 'pull_request'"

def test_no_checkout_keeps_the_token(steps):
    found = [o for *_,o in steps if 'actions/checkout' in o.get('uses', '')]
    assert found and all(o['with']['persist-credentials'] is False for o in found)

def test_commands_take_what_others_named_from_variables(steps):
    "An expression in a command would run a branch's or a title's name as code"
    assert not [o['run'] for *_,o in steps if '${{' in o.get('run', '')]

def test_no_job_runs_for_ever(jobs):
    assert not [k for k,o in jobs.items() if 'uses' not in o and 'timeout-minutes' not in o]

# ---- versions ----

def test_each_python_that_the_package_names_has_a_row(jobs, settings):
    named = settings['pythons'].split()
    assert named[0]==settings['min_python'] and len(named) > 3
    assert jobs['ci.yml', 'test']['strategy']['matrix']['python']==named

def test_macos_has_the_oldest_and_the_newest(jobs):
    matrix = jobs['ci.yml', 'test']['strategy']['matrix']
    assert matrix['include']==[dict(python=matrix['python'][i], os='macos-latest') for i in (0, -1)]

def test_the_lowest_versions_are_installed_on_the_oldest_python(jobs, settings):
    steps = jobs['ci.yml', 'lowest']['steps']
    python, = (o['with']['python-version'] for o in steps if 'setup-python' in o.get('uses', ''))
    setup, = (o for o in steps if o.get('run')=='make setup')
    assert python==settings['min_python'] and setup['env']=={'PIP_CONSTRAINT': 'lowest.txt'}
    assert 'python tools/constraints.py --lowest > lowest.txt' in [o.get('run') for o in steps]

def test_saved_outputs_are_compared_under_the_versions_that_printed_them(jobs, root):
    steps = jobs['ci.yml', 'same']['steps']
    python, = (o['with']['python-version'] for o in steps if 'setup-python' in o.get('uses', ''))
    assert re.match(rf'# .* on Python {re.escape(python)}\.', (root/'constraints.txt').read_text(encoding='utf-8'))
    assert [o['run'] for o in steps if 'run' in o]==['make setup', 'make drift']

# ---- commands ----

def test_tasks_and_tools_are_there(steps, root):
    import tasks
    commands = '\n'.join(o.get('run', '') for *_,o in steps)
    made = re.findall(r'^make (\w+)', commands, re.M)
    tools = re.findall(r'\bpython (\S+\.py)', commands)
    assert {'setup', 'test', 'docs', 'drift'} <= {*made} <= {*tasks.tasks}
    assert tools and all((root/o).is_file() for o in tools)

def test_nbdev_runs_without_our_tasks(jobs):
    job = jobs['ci.yml', 'nbdev']
    assert [o['run'] for o in job['steps'] if 'run' in o]==[
        "pip install -e '.[dev]'", 'nbdev-export', 'nbdev-clean', 'git diff --exit-code', 'nbdev-test']
    assert job['strategy']['matrix']['threads']==['1', '2', '4']

def check_tag(
    jobs,
    folder,  # with dist/
    tag,     # such as v0.2.0
):
    "What the step of the release says about a tag, and its exit code"
    step, = (o for o in jobs['release.yml', 'build']['steps'] if 'version' in o.get('name', ''))
    r = subprocess.run(['bash', '-e', '-c', step['run']], cwd=folder, env=dict(GITHUB_REF_NAME=tag),
                       capture_output=True, text=True)
    return r.returncode, r.stdout

@pytest.fixture
def dist(tmp_path):
    "What `python -m build` leaves, of version 0.2.0"
    (tmp_path/'dist').mkdir()
    for end in ('.tar.gz', '-py3-none-any.whl'): (tmp_path/'dist'/f'collab_course-0.2.0{end}').touch()
    return tmp_path

def test_a_tag_of_this_version_is_released(jobs, dist): assert check_tag(jobs, dist, 'v0.2.0')==(0, '')

@pytest.mark.parametrize('tag', ['v0.2.1', 'v0.2', 'v0.2.0rc1'])
def test_a_tag_of_another_version_is_not_released(jobs, dist, tag):
    code,says = check_tag(jobs, dist, tag)
    assert code==1 and f'The tag {tag} has no' in says and '__version__' in says

def test_a_release_needs_both_files(jobs, dist):
    (dist/'dist'/'collab_course-0.2.0-py3-none-any.whl').unlink()
    assert check_tag(jobs, dist, 'v0.2.0')[0]==1

def test_a_release_waits_for_the_tests_and_for_what_is_built(jobs):
    assert jobs['release.yml', 'publish']['needs']==['test', 'build']
    assert jobs['release.yml', 'publish']['environment']=='pypi'
