"Run each task of this repository: `python tasks.py lab`, or `make lab`; needs nothing but Python"
import sys
from configparser import ConfigParser
from pathlib import Path

root = Path(__file__).resolve().parent
cfg = ConfigParser(delimiters=['='], interpolation=None)
cfg.read(str(root/'settings.ini'), encoding='utf-8')
min_python = tuple(int(o) for o in cfg['DEFAULT']['min_python'].split('.'))

def _too_old():
    "One sentence for a Python that is too old, naming a newer one where there is one"
    from os import devnull
    from shutil import which
    from subprocess import call
    names = ['python3.%d' % i for i in range(20, min_python[1]-1, -1)]
    with open(devnull, 'w') as null:
        found = [o for o in names if which(o) and call([o, '-c', ''], stdout=null, stderr=null)==0]
    hint = 'install one from python.org or your package manager, then run `make lab PYTHON=python3.12`'
    if found: hint = 'run `make lab PYTHON=%s`' % found[0]
    versions = min_python + tuple(sys.version_info[:2])
    return 'Python %d.%d or newer is needed and this is %d.%d: %s.' % (versions + (hint,))

if sys.version_info[:2] < min_python: sys.exit(_too_old())

import hashlib, json, os, platform, re, secrets, shutil, subprocess, time  # noqa: E402
from contextlib import suppress  # noqa: E402
from urllib.request import ProxyHandler, Request, build_opener  # noqa: E402

venv = root/'.venv'
stamp = venv/'collab_course.stamp'
log = venv/'setup.log'
engine_stamp = venv/'distributed.stamp'
lib = root/cfg['DEFAULT']['lib_name']
GB = 2**30
# fastai's own: a torch function that it uses is to go; pandas 3 hands it arrays that are read-only
QUIET = 'ignore::FutureWarning:torch.jit._script,ignore:The given NumPy array is not writable:UserWarning'

class TaskError(Exception):
    "What went wrong and what to do, in a sentence; `code` is what the process exits with"
    def __init__(self, msg, code=1):
        super().__init__(msg)
        self.code = code or 1

def say(msg): print(msg, flush=True)

def span(
    s,  # seconds
):
    "`s` as people say it"
    return f'{s:.0f} s' if s<100 else f'{s//60:.0f} min {s%60:.0f} s'

def exe(
    name='python',  # a command that is installed in the virtual environment
):
    "Path of a command in `.venv`"
    return str(venv/'Scripts'/f'{name}.exe' if os.name=='nt' else venv/'bin'/name)

def environ(**kw):
    "The environment of every step: `.venv` first, and Jupyter's, IPython's, matplotlib's and npm's own files inside it"
    env = {k:v for k,v in os.environ.items() if k not in ('PYTHONHOME', 'PYTHONPATH')}
    env.update(VIRTUAL_ENV=str(venv), PATH=os.pathsep.join([str(Path(exe()).parent), env.get('PATH', '')]),
               PYTHONUTF8='1', **kw)
    # threads that wait should sleep: spinning ones make small tensors crawl on a busy machine
    env.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    homes = dict(JUPYTER_CONFIG_DIR='jupyter', JUPYTER_DATA_DIR='jupyter-data', JUPYTER_RUNTIME_DIR='jupyter-run',
                 IPYTHONDIR='ipython',
                 MPLCONFIGDIR='matplotlib', npm_config_cache='npm')
    for k,v in homes.items(): env.setdefault(k, str(venv/'var'/v))
    if venv.is_dir(): (venv/'var').mkdir(exist_ok=True)
    env['PYTHONWARNINGS'] = ','.join(o for o in (QUIET, env.get('PYTHONWARNINGS')) if o)
    return env

def run(
    cmd,    # command and arguments
    todo,   # what to do where it fails
    **env,  # environment variables to set
):
    "Runs a step in the repository; its failing ends the task"
    code = subprocess.run([str(o) for o in cmd], cwd=root, env=environ(**env)).returncode
    if code: raise TaskError(f'`{Path(cmd[0]).stem} {" ".join(map(str, cmd[1:]))}` failed: {todo}', code)

def tool(name, *args, todo): run([exe(), root/'tools'/f'{name}.py', *args], todo)

# ---- set-up ----

def wanted():
    "What the stamp says of an environment that is up to date"
    h = hashlib.sha256('{}.{}'.format(*sys.version_info[:2]).encode())
    for o in ('settings.ini', 'setup.py', 'pyproject.toml'): h.update((root/o).read_bytes())
    return h.hexdigest()

def is_set_up():
    "Whether a whole install of this metadata has been done, with this version of Python"
    return stamp.is_file() and stamp.read_text().strip()==wanted() and Path(exe()).exists()

def installer(
    *what,  # what to install, and how; nothing: the course with all that it needs
):
    "The command that installs into `.venv`"
    what = what or ('-e', '.[dev]')
    if os.environ.get('COLLAB_COURSE_INSTALLER', 'pip')!='uv':
        return [exe(), '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off',
                *what]
    if not shutil.which('uv'):
        raise TaskError(
            'COLLAB_COURSE_INSTALLER=uv is set, but there is no `uv`: install it, or unset the variable to use pip.')
    return ['uv', 'pip', 'install', '--python', exe(), *what]

def check_disk():
    "Stops before an install that the disk has no room for"
    if any(venv.glob('[lL]ib/**/site-packages/torch/version.py')): return
    need = 7 if sys.platform=='linux' and platform.machine()=='x86_64' else 2
    free = shutil.disk_usage(root).free/GB
    if free < need:
        raise TaskError(
            f'The disk is too full: about {need} GB are needed in {root} (most of it is PyTorch), {free:.1f} GB '
            f'are free. '
                        'Free some, or move the repository to a larger disk.')

def _venv_works():
    "Whether `.venv` has a Python of our version, with pip"
    code = 'import sys, pip; print("%d.%d" % sys.version_info[:2])'
    try: r = subprocess.run([exe(), '-c', code], capture_output=True, text=True)
    except OSError: return False
    return r.returncode==0 and r.stdout.strip()=='{}.{}'.format(*sys.version_info[:2])

def make_venv():
    "Creates `.venv`, anew where it is broken or of another Python; a good one is left alone"
    if _venv_works(): return
    ver = '{}.{}'.format(*sys.version_info[:2])
    say(f'Making .venv with Python {ver} …')
    if os.environ.get('COLLAB_COURSE_INSTALLER')=='uv' and shutil.which('uv'):
        cmd = ['uv', 'venv', '--quiet', '--clear', '--seed', '--python', sys.executable, str(venv)]
    else:
        check_venv_module(ver)
        cmd = [sys.executable, '-m', 'venv', '--clear', str(venv)]
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode: raise TaskError(explain(r.stdout) or f'Making .venv failed: {last_line(r.stdout)}', r.returncode)

def check_venv_module(
    ver,  # such as 3.12
):
    "Debian keeps `ensurepip` in a package of its own"
    try: import ensurepip, venv as _  # noqa: F401
    except ImportError:
        raise TaskError(
            f'This Python has no `venv`: on Debian and Ubuntu run `sudo apt install python{ver}-venv`, elsewhere '
            f'install Python from python.org; '
                        'then try again.') from None

def last_line(out): return next((l.strip() for l in reversed(out.splitlines()) if l.strip()), 'no message')

_causes = [
    (r'No space left on device|Errno 28|not enough (?:disk )?space',
     'The disk got full while installing (about 7 GB in `.venv`, and pip unpacks in the temporary '
     'folder, which TMPDIR can move): free some and run the same command again.'),
    (r'CERTIFICATE_VERIFY_FAILED|SSLError|invalid peer certificate',
     'The package index could not be reached safely: its certificate was not accepted. Behind a company '
     'proxy, point PIP_CERT to its certificate; then run the same command again.'),
    (r'NewConnectionError|Failed to establish|[Nn]ame resolution|getaddrinfo|[Nn]etwork is unreachable|[Tt]imed '
     r'out|Connection refused|ConnectionError|'
     r'RemoteDisconnected|dns error|error sending request|ProxyError|connection broken',
     'The package index could not be reached: check the network (or the proxy, or pip\'s '
     'index setting) and run the same command again; what is already downloaded is kept.'),
    (r'No module named (?:ensurepip|venv)|ensurepip is not available',
     'This Python has no `venv`: on Debian and Ubuntu run `sudo apt install python3-venv`, then try again.'),
    (r'Permission denied|Errno 13',
     'Part of `.venv` or of pip\'s cache may not be written: see whom it belongs to, or remove `.venv`, then run the '
     'same command again.'),
    (r'No matching distribution|No solution found',
     'The package index has no version of a package for this Python and kind of machine: try Python 3.12 '
     '(`make lab PYTHON=python3.12`); where that is what you have, check the network and pip\'s index setting.'),
]

def explain(
    out,  # what an installer printed
):
    "The sentence for a known cause of failure, or None"
    return next((msg for pat,msg in _causes if re.search(pat, out)), None)

def install(
    *what,  # as for `installer`
):
    "Runs the installer, shows what it is at, and keeps its whole output in `.venv/setup.log`"
    p = subprocess.Popen(installer(*what), cwd=root, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, encoding='utf-8', errors='replace')
    try:
        with log.open('w', encoding='utf-8') as f:
            for line in follow(p.stdout): f.write(line)
        code = p.wait()
    finally:
        if p.poll() is None:
            p.terminate()
            p.wait()
    out = log.read_text(encoding='utf-8')
    if code:
        raise TaskError(explain(out)
                        or f'Installing failed: {last_line(out)} (all of it is in {log.relative_to(root)})', code)

# the last that pip says before it unpacks some gigabytes
_unpacks = re.compile(r'\s*(?:Installing collected|Attempting uninstall|Found existing|Uninstalling|Successfully un)')
UNPACKING = 'unpacking the packages: pip says nothing for some minutes'

def follow(
    lines,  # output of an installer
):
    "Passes lines on; on a terminal the last is always seen, elsewhere one every half minute"
    t0 = seen = time.monotonic()
    tty = sys.stdout.isatty()
    for l in lines:
        yield l
        short = UNPACKING if _unpacks.match(l) else re.sub(r'\s+', ' ', l).strip()[:70]
        if tty: print(f'\r  {short:<72}', end='', flush=True)
        elif time.monotonic()-seen > 30:
            seen = time.monotonic()
            say(f'  {span(seen-t0)}: {short}')
    if tty: print(f'\r{"":<74}\r', end='', flush=True)

def setup(*args):
    "make .venv and install everything into it; does nothing where nothing has changed"
    if is_set_up(): return
    t = time.monotonic()
    check_disk()
    with suppress(FileNotFoundError): stamp.unlink()
    make_venv()
    say('Installing the course into .venv: a first time 5 to 10 minutes and 7 GB of disk (mostly PyTorch), later '
        'seconds …')
    key = wanted()
    install()
    stamp.write_text(key + '\n')
    say(f'Set up in {span(time.monotonic()-t)}.')

# ---- what trains tables cut in pieces ----

engine = cfg['DEFAULT']['distributed_requirements'].split()
engine_torch = cfg['DEFAULT']['distributed_torch']
# notebooks that need it, in any folder and with any number
engine_notebooks = ('many_machines', 'sharding')

def site_packages():
    "Where packages are in `.venv`, on Linux"
    return venv/'lib'/'python{}.{}'.format(*sys.version_info[:2])/'site-packages'

def torch_version():
    "The version of PyTorch in `.venv`, such as 2.14.1+cpu; None: there is none"
    with suppress(OSError):
        text = (site_packages()/'torch'/'version.py').read_text(encoding='utf-8')
        return re.search(r"^__version__ = '([^']+)'", text, re.M)[1]

def no_engine():
    "Why there can be no TorchRec here, in a sentence, or None; asks for nothing from the network"
    if sys.platform!='linux': return 'TorchRec comes for Linux only: here, one process trains a model.'
    found = torch_version()
    if found and not found.startswith(f'{engine_torch}.'):
        pip = Path(exe('pip')).relative_to(root)
        return (f"TorchRec {engine[0].partition('==')[2]} goes with PyTorch {engine_torch}, and .venv holds {found}: "
                f"`{pip} install 'torch=={engine_torch}.*'` gets it.")

def engine_parts():
    "What to install; fbgemm-gpu, which somebody put there for GPUs, shares its folder with fbgemm-gpu-cpu and stays"
    has_gpu = any(site_packages().glob('fbgemm_gpu-*.dist-info'))
    return [o for o in engine if not (has_gpu and o.startswith('fbgemm-gpu-cpu'))]

def engine_wanted():
    "What the stamp says where the engine is there; it lies in `.venv`, so a new one has none"
    return ' '.join(['{}.{}'.format(*sys.version_info[:2]), str(torch_version()), *engine_parts()])

def distributed(*args):
    "install TorchRec, which trains tables cut in pieces (Linux only); does nothing where it's there"
    problem = no_engine()
    if problem: raise TaskError(problem)
    key = engine_wanted()
    if engine_stamp.is_file() and engine_stamp.read_text().strip()==key: return
    with suppress(FileNotFoundError): engine_stamp.unlink()
    t = time.monotonic()
    say('Installing TorchRec into .venv, for chapter 18 and `fit --workers`: seconds, and 60 MB …')
    install('--no-deps', *engine_parts())
    engine_stamp.write_text(key + '\n')
    say(f'TorchRec is there after {span(time.monotonic()-t)}.')

def with_engine():
    "Whether TorchRec is there, once what can be done for it is done; says what is left out where it isn't"
    problem = no_engine()
    if not problem: distributed()
    else: say(f'{problem} Chapter 18 and the tests of it are left out.')
    return not problem

def needs_engine(
    path,  # a notebook
):
    "Whether TorchRec runs in a notebook"
    return re.sub(r'^\d+_', '', path.stem) in engine_notebooks

def runs_here(
    args,  # notebooks that were asked for
):
    "The notebooks asked for, or else all, without those that need TorchRec where it isn't to be had"
    if args or not no_engine(): return args
    paths = sorted((root/'nbs').rglob('*.ipynb'))
    return [o for o in paths if not needs_engine(o) and '.ipynb_checkpoints' not in o.parts]

# ---- JupyterLab ----

FETCH = f'''import sys
from {lib.name}.movielens import load_ratings
failed = None
try: load_ratings()
except KeyboardInterrupt: sys.exit(130)
except Exception as e: failed = str(e)
try:
    from {lib.name}.course.standing import greeting
    print(greeting(sys.argv[1]))
except Exception as e: print(f"The map of the course cannot be shown: {{e}}", file=sys.stderr)
sys.exit(failed)'''

def fetch_data(
    folder='work',  # where the notebooks are
):
    "Gets the ratings before they are needed and shows the map of the course; the lab opens without them too"
    code = subprocess.run([exe(), '-c', FETCH, folder], cwd=root, env=environ()).returncode
    if code==130: raise KeyboardInterrupt
    if code:
        say('\nThe ratings could not be fetched (see above). JupyterLab opens all the same; the chapters will try '
            'again.\n')

def has_browser():
    "Whether a browser can be opened from here"
    if sys.platform in ('win32', 'darwin') or os.environ.get('BROWSER'): return True
    return bool(os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'))

def lab_command(
    args,           # more arguments for `jupyter lab`
    browser=True,   # open one?
    folder='work',  # where the notebooks are
):
    "The command line of JupyterLab on the index"
    ours = root/'tools'/'lab'  # no news; folded code takes little room
    res = [exe(), '-m', 'jupyterlab', '--log-level=ERROR', '--LabApp.log_level=ERROR', f'--ServerApp.root_dir={root}',
           '-y',
           '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate', '--LabApp.news_url=None',
           '--LanguageServerManager.autodetect=False',  # it'd start a type checker, whose messages stop the reader
           f'--LabApp.app_settings_dir={ours}', '--LabApp.custom_css=True',
           f'--ServerApp.tornado_settings=static_custom_path={ours}']
    if hasattr(os, 'geteuid') and os.geteuid()==0: res.append('--allow-root')
    if not browser: res.append('--no-browser')
    return [*res, *args, str(root/folder/'index.ipynb')]

def encryption():
    "Options that encrypt what server and kernels exchange, where that's possible: other kernels warn of eavesdropping"
    can = [exe(), '-c', 'import sys, zmq; sys.exit(not zmq.has("curve"))']
    return ['--AsyncMappingKernelManager.transport_encryption=auto'] if attempt(can) else []

def server_info(
    p,             # process of the server
    env,           # its environment
    timeout=3600,  # seconds; a busy machine needs some, and a server that ended is noticed at once
):
    "What the server wrote about itself, once it answers: the true port and token"
    info = Path(env['JUPYTER_RUNTIME_DIR'])/f'jpserver-{p.pid}.json'
    for _ in range(timeout*5):
        if p.poll() is not None: raise TaskError('JupyterLab ended at once: what it said is above.', p.returncode)
        with suppress(OSError, ValueError):
            found = json.loads(info.read_text(encoding='utf-8'))
            ask(found, 'api/status')  # on a busy machine it may have written before it listens
            return found
        time.sleep(.2)
    raise TaskError(f'JupyterLab did not start within {timeout} seconds.')

def address(
    info,           # from `server_info`
    folder='work',  # where the notebooks are
):
    "The address to open"
    return f"{info['url']}lab/tree/{folder}/index.ipynb" + (f"?token={info['token']}" if info['token'] else '')

def ask(
    info,           # from `server_info`
    path,           # below the server's address
    method='GET',   # of HTTP
):
    "Body of an answer of the server on this machine; no proxy is asked"
    req = Request(info['url']+path, method=method, headers={'Authorization': f"token {info['token']}"})
    with build_opener(ProxyHandler({})).open(req, timeout=600) as r: return r.read()

def check_lab(
    info,    # from `server_info`
    folder,  # where the notebooks are
):
    "The server answers, serves the index with our styles, asks for no news, and starts no language server"
    json.loads(ask(info, 'api/status'))
    index = json.loads(ask(info, f'api/contents/{folder}/index.ipynb?content=1'))
    if index['type']!='notebook': raise TaskError(f"{folder}/index.ipynb isn't a notebook.")
    code = [o for o in index['content']['cells'] if o['cell_type']=='code']
    if folder=='work' and not all(o['metadata'].get('trusted') for o in code):
        say(f'{folder}/index.ipynb is not trusted, perhaps because you changed it: its figures live once it has run.')
    if b'jupyter-config-data' not in ask(info, f'lab/tree/{folder}/index.ipynb'):
        raise TaskError('The page of JupyterLab is not served.')
    ask(info, 'custom/custom.css')
    news = json.loads(ask(info, 'lab/api/settings/@jupyterlab/apputils-extension:notification'))
    if news['schema']['properties']['fetchNews']['default']!='false':
        raise TaskError('JupyterLab would ask whether to fetch its news.')
    if json.loads(ask(info, 'lsp/status'))['sessions']:
        raise TaskError('JupyterLab would start a language server, whose messages cover the page.')
    ask(info, 'api/shutdown', 'POST')

def lab(*args):
    "set up, fetch the ratings, open JupyterLab on your own copy in work/ (`--here`: on nbs/; `--check`: try and stop)"
    check,here = '--check' in args,'--here' in args
    args = [o for o in args if o not in ('--check', '--here')]
    folder = 'nbs' if here else 'work'
    tool('work', *(['--here'] if here else []), todo='mend it, or open nbs/ itself: `make lab ARGS=--here`.')
    fetch_data(folder)
    browser = has_browser() and not check
    env = environ()
    env.setdefault('JUPYTER_TOKEN', secrets.token_hex(24))
    p = subprocess.Popen(lab_command([*encryption(), *args], browser, folder), cwd=root, env=env)
    try:
        info = server_info(p, env)
        say(f"\nJupyterLab is open at\n\n    {address(info, folder)}\n" + ('' if check else '\nCtrl-C here ends it.'))
        if check:
            try: check_lab(info, folder)
            except OSError as e: raise TaskError(f"JupyterLab doesn't answer as it should: {e}.") from None
            say('JupyterLab answered, and is stopped again.')
        if p.wait() > 0: raise TaskError('JupyterLab ended with an error: what it said is above.', p.returncode)
    except KeyboardInterrupt: say('\nEnding JupyterLab …')
    finally:
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt): p.wait(60 if p.poll() is None else 0)
        if p.poll() is None: p.kill()

# ---- tests ----

def hashes():
    "What is in the notebooks and in the modules made from them"
    files = [o for d,pat in ((root/'nbs', '*.ipynb'), (lib, '*.py'), (lib, '*.md')) for o in sorted(d.rglob(pat))
             if '.ipynb_checkpoints' not in o.parts]
    return {str(o.relative_to(root)): hashlib.sha256(o.read_bytes()).hexdigest() for o in files}

def export(*args):
    "write the modules from the notebooks, and clean the notebooks"
    run([exe('nbdev-export')], 'see the message above; the notebook it names has to be mended.')
    tool('practice', '--pages', todo='the message above names the notebook of nbs/teaching.')
    run([exe('nbdev-clean')], 'see the message above.')

def same_after_export():
    "Exporting and cleaning change nothing"
    before = hashes()
    export()
    after = hashes()
    bad = sorted(o for o in {*before, *after} if before.get(o)!=after.get(o))
    if bad: raise TaskError(f"exporting and cleaning changed {', '.join(bad)}: look at what changed, and keep it.")

def same_readme():
    "README.md is what the index makes"
    tool('readme', '--check', todo='run `make readme`.')

def lint(*args):
    "ruff on notebooks, library and everything else; lines of notebooks end at 100 characters"
    plain = ['tasks.py', 'setup.py', 'tools', 'tests', 'bench', 'contrib', 'docs']
    run([exe('ruff'), 'check', '--quiet', 'nbs', lib.name, *plain], 'mend what is named above.')
    run([exe('ruff'), 'check', '--quiet', '--select', 'E501', '--line-length', '100', 'nbs'],
        'wrap what is named above.')

def cores():
    "How many processor cores we may use"
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1

def test_notebooks():
    "Every cell of every notebook runs"
    threads = os.environ.get('OMP_NUM_THREADS') or '1'
    workers = max(1, min(4, cores()//int(threads))) if threads.isdigit() else 1
    names = '|'.join(engine_notebooks)
    # plain `nbdev-test` passes over the cells that need TorchRec
    which = ['--skip-file-re', rf'^[_.]|^(?:\d+_)?(?:{names})\.ipynb$'] if no_engine() else ['--flags', 'torchrec']
    run([exe('nbdev-test'), '--n-workers', workers, *which], 'the traceback above names notebook and cell.',
        OMP_NUM_THREADS=threads, MPLBACKEND='agg')

def has_chromium():
    "Whether a browser for the tests is there, on the machine or as Playwright's own"
    if any(map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'chrome'))): return True
    code = 'from playwright.sync_api import sync_playwright as s, Error\nwith s() as p: p.chromium.launch().close()'
    return subprocess.run([exe(), '-c', code], cwd=root, env=environ(), capture_output=True).returncode==0

def attempt(
    cmd,    # command and arguments
    **env,  # environment variables to set
):
    "Whether a command worked, within an hour"
    try: return subprocess.run(cmd, cwd=root, env=environ(**env), capture_output=True, timeout=3600).returncode==0
    except subprocess.TimeoutExpired: return False

def browser():
    "Get Chromium where there is none: from Playwright, else from Debian's packages"
    if has_chromium(): return
    say('      getting Chromium for the tests of pages …')
    if attempt([exe('playwright'), 'install', 'chromium']): return
    if not shutil.which('apt-get') or os.geteuid(): return # the tests say what is missing
    attempt(['apt-get', 'update', '-qq'], DEBIAN_FRONTEND='noninteractive')
    attempt(['apt-get', 'install', '-y', '-qq', 'chromium'], DEBIAN_FRONTEND='noninteractive')

def pytest(*args):
    "The tests of tests/, one file more at a time than there are cores: some wait for browsers and processes"
    browser()
    marked = ['-m', 'not torchrec'] if no_engine() else []
    run([exe(), '-m', 'pytest', '-q', '-n', min(4, cores() + 1), '--dist', 'loadfile', *marked, *args],
        'see the failures above.', MPLBACKEND='agg')

def test(*args):
    "everything that must hold: export, README, lint, notebooks, tests"
    steps = [('export and clean', same_after_export), ('README', same_readme), ('ruff', lint),
             ('notebooks', test_notebooks), ('tests', pytest)]
    done = []
    for i,(name,f) in enumerate(steps):
        say(f'[{i+1}/{len(steps)}] {name}')
        t = time.monotonic()
        try: f()
        except TaskError as e:
            left = ', '.join(o for o,_ in steps[i+1:])
            raise TaskError(f'Step "{name}" failed after {span(time.monotonic()-t)}: {e}'
                            + (f' Not run: {left}.' if left else ''), e.code) from None
        done.append((name, time.monotonic()-t))
        if i+1<len(steps): say(f'      passed, {span(done[-1][1])}')
    say(f"All steps passed in {span(sum(t for _,t in done))}: " + ', '.join(f'{n} {span(t)}' for n,t in done))

# ---- the rest ----

def course(*args):
    "run notebooks in a real kernel and save their outputs (all, or those named: `make course ARGS=\"03 bias\"`)"
    tool('execute', *runs_here(args), todo='the message above names notebook and cell; the others are saved.')

def drift(*args):
    "run notebooks afresh and compare with what they have saved"
    tool('drift', *runs_here(args), todo='see the differences above, saved → fresh.')

def bench(*args):
    "the measurements of bench/ (all, or the files named)"
    files = [Path(o).resolve() for o in args] or sorted(o for o in (root/'bench').glob('*')
                                                        if o.suffix in ('.py', '.ipynb') and o.name[0] not in '_.')
    for o in files:
        if not args and no_engine() and needs_engine(o): continue
        if o.suffix=='.ipynb': tool('execute', o, '--workers', 1, todo='the message above names the cell.')
        else: run([exe(), o], 'see the message above.')

def readme(*args):
    "write README.md from nbs/index.ipynb"
    tool('readme', *args, todo='see the message above.')

def practice(*args):
    "write nbs/practice from the teacher's edition in nbs/teaching, and run what is new (all, or the chapters named)"
    export()
    tool('practice', *args, todo='the message above names the exercise.')
    tool('execute', *(f'practice/{o}' for o in args or ['']),
         todo='the message above names notebook and cell; the others are saved.')

def docs(*args):
    "the website from the saved notebooks, in _docs/ (`--repo owner/name`: with buttons for Colab and Binder)"
    tool('docs', *args, todo='the message above says where to look; the website is as it was.')

def clean(*args):
    "remove what can be made again, never your own work/ (`--all`: .venv too)"
    here = ['build', 'dist', '_proc', '_docs', '.pytest_cache', '.ruff_cache', '.hypothesis',
            *(['.venv', 'bench/peers/.venv'] if '--all' in args else [])]
    dirs = [root/o for o in here] + [o for d in (root, lib, root/'nbs', root/'tests', root/'tools', root/'bench',
                                                 root/'bench'/'peers') for o in d.glob('*')
                                     if o.name in ('__pycache__', '.ipynb_checkpoints') or o.suffix=='.egg-info']
    for o in dirs: shutil.rmtree(o, ignore_errors=True)

tasks = dict(lab=lab, test=test, course=course, drift=drift, bench=bench, readme=readme, practice=practice, docs=docs,
             export=export, lint=lint, setup=setup, distributed=distributed, clean=clean)
uses_engine = ('test', 'course', 'drift', 'bench', 'practice')

def main(
    args,  # task and its arguments
):
    "Runs a task; the exit code"
    # a console may lack our dots and arrows
    for o in (sys.stdout, sys.stderr): getattr(o, 'reconfigure', lambda **kw: None)(errors='replace')
    if not args or args[0] not in tasks:
        say('\n'.join(f'  {k:<12}{f.__doc__}' for k,f in tasks.items()))
        return 0 if not args or args[0] in ('help', '-h', '--help') else 2
    try:
        if args[0] not in ('setup', 'clean'): setup()
        if args[0] in uses_engine: with_engine()
        tasks[args[0]](*args[1:])
    except TaskError as e:
        sys.stdout.flush()
        print(f'\n{e}', file=sys.stderr)
        return e.code
    except KeyboardInterrupt: return 130
    except OSError as e:
        if e.errno!=28: raise
        print('\n' + explain('Errno 28'), file=sys.stderr)
        return 1
    return 0

if __name__=='__main__': sys.exit(main(sys.argv[1:]))
