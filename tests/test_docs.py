"The website: built offline, and read in a browser by mouse, keyboard and axe, light and dark, large and small"
import ast, os, re, shutil, subprocess, sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urldefrag, urljoin

import docs, nbformat, pytest, reference
from axe_playwright_python.sync_playwright import Axe

REPO = 'someone/course'
DESK,PHONE = (1280, 900),(390, 844)
PAGES = ['index', '06_interpretation', 'practice/01_one_hot', 'api/recommender', 'search']

@pytest.fixture(scope='session')
def site(tmp_path_factory):
    "The website of this course as of a fork called someone/course, built once"
    tmp = tmp_path_factory.mktemp('site')
    docs.build(dest=tmp/'docs', repo=REPO, branch='main', work=tmp/'proc')
    return tmp/'docs'

@pytest.fixture(scope='session')
def pages(site): return sorted(o.relative_to(site).as_posix() for o in site.rglob('*.html') if '_static' not in o.parts)

@pytest.fixture(scope='session')
def texts(site, pages): return {o: (site/o).read_text(encoding='utf-8') for o in pages}

# ---- what is in it ----

def test_every_notebook_and_module_has_a_page(root, pages):
    nbs = {o.relative_to(root/'nbs').with_suffix('.html').as_posix() for o in (root/'nbs').rglob('*.ipynb')
           if '.ipynb_checkpoints' not in o.parts}
    lib = root/'collab_course'
    files = [o for o in lib.rglob('*.py') if o.name[0]!='_' and o.stem!='all' and o.parent.name!='practice']
    public = [o for o in files if '__all__ = []' not in o.read_text(encoding='utf-8')]
    mods = {f'api/{o.relative_to(lib).with_suffix("").as_posix()}.html' for o in public}
    assert len(mods)>10 and not (nbs | mods | {'search.html', 'genindex.html'}) - set(pages)

def test_every_page_is_in_the_navigation(texts):
    linked = set(re.findall(r'href="([^"#]+)"',
                            re.search(r'<div class="sidebar-tree">.*?</aside>', texts['index.html'], re.S)[0]))
    assert set(texts) - linked - {'index.html', 'search.html', 'genindex.html', 'py-modindex.html'} == set()

def test_no_directive_is_seen(texts):
    # that page explains one
    assert not [k for k,v in texts.items() if re.search(r'#\|', re.sub(r'<[^>]*>', '', v)) and k!='course/pages.html']

def test_hidden_sources_and_cells(root):
    nb = docs.site_page('index', docs.sources(), None, 'main', {})
    hidden = 'import matplotlib.pyplot as plt, torch'  # in a cell with `#| hide`
    assert hidden in (root/'nbs'/'index.ipynb').read_text(encoding='utf-8')
    assert not any(hidden in c.source for c in nb.cells)
    pic = next(c for c in nb.cells if c.metadata.get('mystnb'))
    assert pic.metadata.tags==['remove-input'] and pic.metadata.mystnb.image.alt.startswith('Two tables')

def test_what_is_folded_in_the_lab_is_folded_here(root, texts):
    nb = docs.site_page('02_dot_product', docs.sources(), None, 'main', {})
    folded = [c for c in nb.cells if 'hide-input' in c.metadata.get('tags', [])]
    assert len(folded)>5 and texts['02_dot_product.html'].count('hide above-input')==len(folded)

def test_alt_texts_arrive(site, texts):
    assert re.search(r'<img[^>]*alt="Two tables of films and people', texts['index.html'])

def test_every_picture_is_described(): assert docs.undescribed(docs.sources())==[]

def test_formulas_are_mathml(texts):
    assert '<math' in texts['13_svdpp.html'] and '<msub>' in texts['13_svdpp.html']
    assert not [k for k,v in texts.items() if re.search('<script[^>]*mathjax', v, re.I)]

ASK = re.compile(r'<(?:script|img|link|iframe|source|video|audio)\b[^>]*?\b(?:src|href)=["\']((?:https?:)?//[^"\']+)',
                 re.I)

def test_nothing_is_asked_from_outside(site, texts):
    assert not {k: m for k,v in texts.items() if (m := ASK.findall(v))}
    css = [(o.name, m) for o in site.rglob('*.css')
           for m in re.findall(r'(?:url\(\s*["\']?|@import\s+["\'])((?:https?:)?//[^"\')]+)',
                               o.read_text(encoding='utf-8'))]
    assert list(site.rglob('*.css')) and not css

def test_links_between_pages_arrive(site, texts):
    ids = {k: set(re.findall(r'\bid="([^"]+)"', v)) for k,v in texts.items()}
    bad = []
    for k,v in texts.items():
        for to in re.findall(r'<a\b[^>]*?href="([^"]*)"', v):
            if re.match(r'[a-z]+:', to): continue
            path,anchor = urldefrag(unquote(urljoin(k, to or '#')))
            if not (site/path).is_file() or anchor and path in ids and anchor not in ids[path]: bad.append((k, to))
    assert len(texts)>30 and not bad

def test_plotly_comes_along(site, texts):
    alive = {f'{k}.html' for k,v in docs.sources().items() if docs.PLOTLY in v.read_text(encoding='utf-8')}
    assert {k for k,v in texts.items() if 'class="plotly-json"' in v}==alive and '06_interpretation.html' in alive
    assert (site/'_static'/'plotly.min.js').stat().st_size>10**6

def test_no_machine_in_it(texts, root):
    assert not [k for k,v in texts.items() if str(root) in v or 'site-packages/' in v]

# ---- what goes wrong ----

@pytest.fixture
def small(tmp_path, monkeypatch):
    "A repository of two notebooks; a function that adds Markdown to the first"
    nbs = tmp_path/'nbs'
    nbs.mkdir()
    def write(text='', name='index'):
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell('# T'),
                                                       nbformat.v4.new_markdown_cell(text)]), nbs/f'{name}.ipynb')
    write()
    write('## A part', '01_x')
    (tmp_path/'collab_course').mkdir()
    monkeypatch.setattr(docs, 'root', tmp_path)
    shutil.copytree(docs.Path(docs.__file__).parents[1]/'docs', tmp_path/'docs')
    (tmp_path/'tools').symlink_to(docs.Path(docs.__file__).parent)
    return write

@pytest.mark.parametrize('link',
                         ['[a](02_none.ipynb)', '<a href="02_none.ipynb">a</a>', '[a](../none.csv)',
                          '[a](../../outside.txt)'])
def test_a_broken_link_names_notebook_and_link(small, link):
    small(link)
    with pytest.raises(docs.DocsError, match=r'nbs/index\.ipynb: the link `[^`]*(none|outside)[^`]*` leads nowhere'):
        docs.prepare(docs.root/'out', None, 'main')

def test_a_failed_build_leaves_the_old_website(small, monkeypatch):
    old = docs.root/'_docs'
    old.mkdir()
    (old/'index.html').write_text('old')
    small('[a](01_x.ipynb#No-such-part)')
    with pytest.raises(docs.DocsError, match=r'nbs/index\.ipynb.*No-such-part'):
        docs.build(dest=old, work=docs.root/'_proc')
    assert [o.name for o in old.iterdir()]==['index.html'] and (old/'index.html').read_text()=='old'
    small('[a](01_x.ipynb#A-part)')
    assert docs.build(dest=old, work=docs.root/'_proc')==['index', '01_x']
    assert 'href="01_x.html#a-part"' in (old/'index.html').read_text(encoding='utf-8')

def test_files_of_the_repository_come_along(small):
    (docs.root/'some.csv').write_text('a,b')
    files = {}
    assert docs.site_link('../some.csv', False, 'index', docs.sources(), files)=='files/some.csv'
    assert files=={'files/some.csv': docs.root/'some.csv'}
    assert docs.site_link('01_x.ipynb#A', True, 'index', docs.sources(), files)=='01_x.html#A'
    assert docs.site_link('https://x.org/a.ipynb', False, 'index', docs.sources(), files)=='https://x.org/a.ipynb'

# ---- API reference ----

def test_reference_of_a_module(tmp_path):
    path = tmp_path/'collab_course'/'toy.py'
    path.parent.mkdir()
    path.write_text('''"About *toys*"
__all__ = ['f', 'C']
# %% ../nbs/01_x.ipynb #abc
def f(
    a, # First | of two, with `x|y`
    b:int=2, # Second
    *,
    c='<c>', # Third
)->float: # A number
    "Does it"
class C:
    "A thing"
    def __init__(self,
        n, # How many
    ): pass
    def _hidden(self): pass
    @property
    def size(self):
        "Of it"
@patch
def run(self:C,
    fast=True, # Quickly?
):
    "Runs"
def not_public(x): pass
''')
    text = reference.page(path, lambda o: None)
    assert r'# toy' in text and r'About \*toys\*' in text
    assert "{py:function} f(a, b=2, *, c='<c>') -> float" in text
    assert r'| `a` |  |  | First \| of two, with `x\|y` |' in text and "| `b` | `int` | `2` | Second |" in text
    assert 'Returns: A number' in text
    assert '{py:class} C(n)' in text and '{py:method} C.run(fast=True)' in text and '{py:property} C.size' in text
    assert '| `fast` | `True` | Quickly? |' in text
    assert 'hidden' not in text and 'not_public' not in text

def test_reference_of_the_library(texts):
    t = texts['api/dot_product.html']
    assert 'id="collab_course.dot_product.quick_fit"' in t and 'Highest learning rate of the one-cycle schedule' in t
    assert 'Mean squared error on the validation rows' in t
    assert re.search(r'Lesson: <a[^>]*href="\.\./02_dot_product\.html#', t)

def test_every_public_name_is_in_the_reference(root, texts):
    miss = [f'{o.stem}.{n}' for o in (root/'collab_course').glob('*.py') if o.name[0]!='_' and o.stem!='all'
            for n in reference.Source(o).public()
            if f'id="collab_course.{o.stem}.{n}"' not in texts[f'api/{o.stem}.html']]
    assert not miss

# ---- Colab and Binder ----

def test_colab_copies_set_themselves_up(site):
    copies = sorted((site/'colab').rglob('*.ipynb'))
    assert len(copies)>16
    for o in copies:
        nb = nbformat.read(o, as_version=4)
        nbformat.validate(nb)
        first = next(c for c in nb.cells if c.cell_type=='code')
        tree = ast.parse(first.source)
        guard = next(n for n in tree.body if isinstance(n, ast.If))
        assert not eval(ast.unparse(guard.test), dict(sys=sys))
        assert f'git+https://github.com/{REPO}@main' in ast.unparse(guard) and not guard.orelse
        assert all(isinstance(n, (ast.Import, ast.If)) for n in tree.body)

def test_the_setup_cell_installs_on_colab_only(monkeypatch):
    ran,code = [],compile(docs.setup_cell(REPO, 'dev').source, 'cell', 'exec')
    monkeypatch.setattr(subprocess, 'run', lambda cmd, **kw: ran.append(cmd))
    exec(code, {})
    assert ran==[]
    monkeypatch.setitem(sys.modules, 'google.colab', None)
    exec(code, {})
    assert len(ran)==1 and ran[0][1:4]==['-m', 'pip', 'install'] and ran[0][-1]==f'git+https://github.com/{REPO}@dev'

def test_colab_copies_link_to_each_other(site):
    text = (site/'colab'/'index.ipynb').read_text(encoding='utf-8')
    assert f'https://colab.research.google.com/github/{REPO}/blob/gh-pages/colab/02_dot_product.ipynb' in text
    assert '](02_dot_product.ipynb)' not in text

def test_colab_copies_find_the_tables_of_the_measurements(site):
    code = {o.stem: '\n'.join(c.source for c in nbformat.read(o, as_version=4).cells if c.cell_type=='code')
            for o in (site/'colab').rglob('*.ipynb')}
    assert not [k for k,v in code.items() if '../bench' in v]
    assert f'https://raw.githubusercontent.com/{REPO}/main/bench/results/04_accuracy.csv' in code['2_beat_the_table']

def test_buttons(texts, site):
    t = texts['02_dot_product.html']
    to = re.search(r'href="https://colab\.research\.google\.com/github/someone/course/blob/gh-pages/([^"]+)"', t)[1]
    assert (site/to).is_file()
    assert 'href="https://mybinder.org/v2/gh/someone/course/main?urlpath=lab/tree/nbs/02_dot_product.ipynb"' in t
    assert 'mybinder' not in texts['api/dot_product.html'] and 'mybinder' not in texts['index.html']

def test_no_buttons_where_nobody_knows_the_address(tmp_path):
    docs.prepare(tmp_path, None, 'main')
    files = [o for o in tmp_path.rglob('*') if o.suffix in ('.ipynb', '.md')]
    assert len(files)>30
    assert not [o.name for o in files if re.search('mybinder|open-in|colab.research', o.read_text(encoding='utf-8'))]

def test_binder_environment(root):
    env,post = (root/'binder'/'environment.yml').read_text(),root/'binder'/'postBuild'
    assert 'python=3.11' in env and os.access(post, os.X_OK)
    assert subprocess.run(['sh', '-n', post]).returncode==0
    assert "-e '.[course]'" in post.read_text() and 'course_requirements' in (root/'settings.ini').read_text()

# ---- in a browser ----

@pytest.fixture(scope='module')
def base(site):
    "Address of a server of the website"
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args): pass
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()

@pytest.fixture(scope='module')
def tab(browser, base):
    "A function that opens a page; what it asked for, and its errors, are in `.asked` and `.said`"
    tabs = {}
    def open(name, size=DESK, scheme='light'):
        if (size, scheme) not in tabs: tabs[size, scheme] = _tab(browser, size, scheme)
        t = tabs[size, scheme]
        t.asked.clear()
        t.said.clear()
        t.goto(f'{base}{name}')
        return t
    return open

def _tab(browser, size, scheme):
    t = browser.new_context(viewport=dict(width=size[0], height=size[1]), color_scheme=scheme,
                            reduced_motion='reduce').new_page()
    t.asked,t.said = [],[]
    t.on('request', lambda r: t.asked.append(r.url))
    t.on('console', lambda m: t.said.append(m.text) if m.type in ('error', 'warning') else None)
    t.on('pageerror', lambda e: t.said.append(str(e)))
    return t

LOST = '''() => [...document.querySelectorAll('article *')]
    .filter(o => o.getBoundingClientRect().right > innerWidth + 1 &&
    !o.closest('pre, .output, .table-wrapper, .math, svg')).map(o => o.outerHTML.slice(0, 90)).slice(0, 3)'''

def test_pages_load_in_peace_and_fit_a_phone(tab, base, pages, texts):
    bad = {}
    for k in pages:
        t,live = tab(k, PHONE),'plotly-json' in texts[k]
        if live: t.locator('.plotly-live svg.main-svg').first.wait_for()
        outside = [o for o in t.asked if not o.startswith((base, 'data:', 'blob:'))]
        wide = t.evaluate('document.documentElement.scrollWidth') > PHONE[0]
        needless = not live and any('plotly' in o for o in t.asked)
        if t.said or outside or wide or needless:
            bad[k] = (t.said[:2], outside[:2], needless, t.evaluate(LOST) if wide else [])
    assert len(pages)>30 and not bad

@pytest.mark.parametrize('word,page',
                         [('sigmoid_range', '02_dot_product.html'), ('fold_in', 'api/newcomers.html'),
                          ('principal', '06_interpretation.html')])
def test_search_finds(tab, word, page):
    t = tab('index.html')
    t.fill('.sidebar-search', word)
    t.press('.sidebar-search', 'Enter')
    t.wait_for_selector('#search-results li a')
    t.wait_for_function('/found \\d+ pages?/.test(document.querySelector("#search-results").innerText)')
    link = t.locator(f'#search-results a[href*="{page}"]').first
    link.click()
    t.wait_for_url(f'**/{page}*')
    assert word in t.inner_text('article')

def test_plotly_lives(tab):
    t = tab('06_interpretation.html')
    fig = t.locator('.plotly-live').first
    fig.locator('svg.main-svg').first.wait_for()
    fig.scroll_into_view_if_needed()
    assert t.locator('.plotly-live').count()==t.locator('script.plotly-json').count()>0
    assert fig.get_attribute('aria-label') and not t.locator('img.has-live').first.is_visible()
    box = t.locator('.plotly-live .scatterlayer path.point').nth(40).bounding_box()
    assert fig.locator('.hoverlayer .hovertext').count()==0
    t.mouse.move(box['x'] + box['width']/2, box['y'] + box['height']/2, steps=4)
    fig.locator('.hoverlayer .hovertext').first.wait_for()

@contextmanager
def without_script(browser, base, name):
    c = browser.new_context(java_script_enabled=False)
    t = c.new_page()
    t.goto(f'{base}{name}')
    yield t
    c.close()

def test_pictures_stand_in_without_script(browser, base):
    with without_script(browser, base, '06_interpretation.html') as t:
        pics = t.locator('.cell_output img')
        assert pics.count()>5 and all(pics.nth(i).is_visible() for i in range(pics.count()))

MOVES = r'''fig => { const i = fig.querySelector('input[type=range]')
    const drawn = () => [...fig.querySelectorAll('svg *, img')].map(o => o.outerHTML).join('')
    const now = () => i.value + fig.innerText + drawn()
    i.focus(); window.seen = now; return now() }'''

def test_figures_with_sliders_react_to_arrow_keys(tab, texts):
    tried = 0
    for k in [k for k,v in texts.items() if '<figure' in v and "type: 'range'" in v]:
        t = tab(k)
        for fig in t.locator('article figure:has(input[type=range])').element_handles():
            before = fig.evaluate(MOVES)
            key = 'ArrowLeft' if fig.evaluate(
                'f => { const i = f.querySelector("input[type=range]"); return i.value==i.max }') else 'ArrowRight'
            t.keyboard.press(key)
            assert t.evaluate('seen()')!=before, (k, key)
            tried += 1
    assert tried or not any("type: 'range'" in v for v in texts.values())

def test_answers_unfold_by_keyboard_and_mouse(tab, texts):
    k = next(k for k,v in texts.items() if k.startswith('practice/') and '<details' in v)
    t = tab(k)
    a,b = (t.locator('article details:visible').nth(i) for i in (0, 1))
    a.locator('summary').focus()
    t.keyboard.press('Enter')
    b.locator('summary').click()
    assert a.evaluate('o => o.open') and b.evaluate('o => o.open')
    t.evaluate('dispatchEvent(new Event("beforeprint"))')
    assert t.locator('article details:not([open])').count()==0
    t.evaluate('dispatchEvent(new Event("afterprint"))')
    assert t.locator('article details[open]').count()==2

def focused(t):
    return t.evaluate(
        '(() => { const o = document.activeElement; return [o.tagName, o.className.toString(), o.closest("article") ? '
        '"article" : o.closest(".sidebar-drawer") ? "sidebar" : ""] })()')

def test_tab_reaches_everything(tab):
    t = tab('index.html')
    seen = []
    while len(seen)<250 and ['A', 'article'] not in [[o[0], o[2]] for o in seen if 'headerlink' not in o[1]]:
        t.keyboard.press('Tab')
        seen.append(focused(t))
    assert 'skip-to-content' in seen[0][1]
    assert any('sidebar-search' in c for _,c,_ in seen) and sum(w=='sidebar' and n=='A' for n,_,w in seen)>30
    assert any('theme-toggle' in c for _,c,_ in seen) and seen[-1][0]=='A' and seen[-1][2]=='article'

def test_boxes_that_scroll_can_be_reached(tab):
    t = tab('06_interpretation.html', PHONE)
    boxes = t.locator('article pre, article .output')
    assert boxes.evaluate_all('os => os.filter(o => o.scrollWidth > o.clientWidth + 1).length')>3
    assert boxes.evaluate_all(
        'os => os.filter(o => o.scrollWidth > o.clientWidth + 1 && getComputedStyle(o).overflowX!="visible" && '
        'o.tabIndex!=0).length')==0

def test_theme_switch(tab):
    t = tab('index.html')
    color = lambda: t.evaluate('getComputedStyle(document.body).backgroundColor')
    seen = [color()]
    for _ in range(3):
        t.locator('button.theme-toggle:visible').focus()
        t.keyboard.press('Enter')
        seen.append(color())
    t.evaluate('localStorage.clear()')
    assert len(set(seen))==2

def test_phone_menu_opens_by_keyboard(tab):
    t = tab('index.html', PHONE)
    link = t.locator('.sidebar-tree a').first
    assert link.bounding_box()['x']<0
    t.locator('.nav-overlay-icon').focus()
    t.keyboard.press('Enter')
    t.wait_for_function('document.querySelector(".sidebar-tree a").getBoundingClientRect().x >= 0')

def test_paper_has_no_navigation(tab):
    t = tab('06_interpretation.html')
    t.locator('.plotly-live svg.main-svg').first.wait_for()
    t.emulate_media(media='print')
    try:
        hidden = ('.sidebar-drawer', '.toc-drawer', '.mobile-header', '.content-icon-container', '.related-pages',
                  '.open-in', '.plotly-live')
        assert [o for o in hidden if t.locator(o).first.is_visible()]==[]
        assert t.locator('article h1').is_visible() and t.locator('img.has-live').first.is_visible()
    finally: t.emulate_media(media='screen')

# of hundreds that look alike, a few
TRIM = """document.querySelectorAll("article details").forEach(o => o.open = true)
document.querySelectorAll("article .cell").forEach((o, i) => {
    if (i > 12 && !o.querySelector(".plotly-live")) o.remove() })
document.querySelectorAll(".plotly-live ~ .plotly-live, .plotly-live .point ~ .point ~ .point")
    .forEach(o => o.remove())"""

def serious(res):
    return [(v['id'], n['target'], n['failureSummary'][:200]) for v in res.response['violations']
            if v['impact'] in ('serious', 'critical') for n in v['nodes'][:3]]

@pytest.mark.parametrize('size', [DESK, PHONE], ids=['desk', 'phone'])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('name', PAGES)
def test_axe(tab, name, scheme, size):
    t = tab(f'{name}.html' + ('?q=sigmoid_range' if name=='search' else ''), size, scheme)
    if name=='search': t.wait_for_selector('#search-results li a')
    if name.startswith('06'): t.locator('.plotly-live svg.main-svg').first.wait_for()
    t.evaluate(TRIM)
    assert serious(Axe().run(t))==[]
