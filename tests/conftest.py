"What the tests share: the repository's root, `tasks.py` and `tools/` to import from, a browser, and which begin"
import gc, os, shutil, signal, subprocess, sys
from collections import Counter
from configparser import ConfigParser
from pathlib import Path

import hypothesis, pytest
from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/'tools')]
sys.modules.setdefault('rfc3987_syntax', None)  # a grammar of addresses, as in tools/execute.py
os.environ.setdefault('MPLBACKEND', 'agg')
os.environ['COLLAB_COURSE_PROGRESS'] = os.devnull + '/none' # whoever runs the tests may keep progress of their own
# some tests fork, and a child cannot use the threads that OpenMP made in its parent: it would wait for ever
os.environ['OMP_NUM_THREADS'] = '1'
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE') # threads that wait should sleep, as in every task
# a run in the background ignores Ctrl-C, and processes that tests start and interrupt would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)
# what a power cut would leave can't be seen here, so nobody waits for the disk
os.fsync = lambda fd: os.fstat(fd) and None

# these take longest, however few tests they are: started last, one of them would keep a single worker busy at the end
LONG = [f'test_{o}' for o in ('docs', 'sharding', 'bundle', 'lab', 'tasks', 'practice', 'recommender', 'command_line',
                              'launch', 'page_view', 'figures', 'execute', 'ratings_index', 'site', 'exercises',
                              'extremes', 'threads', 'movielens')]

# how long an example takes says nothing of what is tested
hypothesis.settings.register_profile('any machine', deadline=None,
                                     suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile('any machine')

# Python would look through what the libraries and the tests have made again and again, for nothing: it stays to the end
gc.disable()

@pytest.hookimpl(tryfirst=True)  # before xdist's own, which runs the tests
def pytest_runtestloop():
    gc.freeze()
    gc.enable()

def pytest_configure(config): config.option.loadscopereorder = False  # xdist would start the files with most tests

def pytest_collection_modifyitems(items):
    "Tests that several processes share: the long files first, then those with most tests"
    if 'PYTEST_XDIST_WORKER' not in os.environ: return
    sizes = Counter(o.path for o in items)
    place = {o: LONG.index(o.stem) if o.stem in LONG else len(LONG) for o in sizes}
    items.sort(key=lambda o: (place[o.path], -sizes[o.path], o.path))

@pytest.fixture(scope='session')
def root(): return ROOT

@pytest.fixture(scope='session')
def settings(root):
    "What `settings.ini` says"
    cfg = ConfigParser(delimiters=['='], interpolation=None)
    cfg.read(root/'settings.ini', encoding='utf-8')
    return cfg['DEFAULT']

@pytest.fixture
def file(tmp_path):
    "Writes a file and gives its path"
    def write(content, name='ratings.csv'):
        (tmp_path/name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path/name
    return write

# milliseconds that a browser and its pages have for each step: Playwright's own 30 seconds are few on a busy machine
PATIENCE = 600_000

def _launch(p):
    "Chromium: of this machine, or else Playwright's own, which is fetched once"
    exe = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'chrome'))), None)
    try: return p.chromium.launch(executable_path=exe, timeout=PATIENCE)
    except Error:
        if exe: raise
    r = subprocess.run([sys.executable, '-m', 'playwright', 'install', 'chromium'], capture_output=True, text=True)
    try: return p.chromium.launch(timeout=PATIENCE)
    except Error as e:
        pytest.fail(
            f'There is no browser to look at the pages with, and none could be fetched: install Chromium or '
            f'Chrome.\n{r.stdout[-500:]}{r.stderr[-500:]}{e}', pytrace=False)

def _patient(make):
    "`new_context` or `new_page` of a browser, with our patience"
    def made(**kw):
        res = make(**kw)
        res.set_default_timeout(PATIENCE)
        return res
    return made

@pytest.fixture(scope='module')
def browser():
    with sync_playwright() as p:
        res = _launch(p)
        res.new_context,res.new_page = _patient(res.new_context),_patient(res.new_page)
        yield res
        res.close()

@pytest.fixture(scope='module')
def window(browser):
    "Gives a page, with scripts or without: always the same two, since a new one takes a second"
    opened = {}
    def page_of(scripts):
        if scripts not in opened:
            opened[scripts] = _watched(browser.new_context(java_script_enabled=scripts).new_page())
        return opened[scripts]
    return page_of

def _watched(page):
    "A page that notes in `seen` what it loads from elsewhere, logs and raises"
    page.seen = []
    page.on('request', lambda r: r.url.startswith(('file:', 'data:')) or page.seen.append(r.url))
    page.on('console', lambda m: page.seen.append(m.text))
    page.on('pageerror', lambda e: page.seen.append(str(e)))
    return page

@pytest.fixture
def show_html(window, tmp_path):
    "Opens pages, the next in the place of the last; at the end nothing may have been loaded, logged or raised"
    def open_page(html, width, height, java_script_enabled=True, color_scheme='light', reduced_motion='no-preference'):
        page = window(java_script_enabled)
        page.emulate_media(color_scheme=color_scheme, reduced_motion=reduced_motion)
        page.set_viewport_size(dict(width=width, height=height))
        path = tmp_path/'page.html'
        path.write_text(html, encoding='utf-8')
        page.goto(path.as_uri())
        shown.append(page)
        return page
    shown = []
    yield open_page
    seen = [o for page in shown for o in page.seen]
    for page in shown: page.seen.clear()
    assert seen==[]
