"The website: built offline, and read in a browser by mouse, keyboard and axe, light and dark, large and small"
import ast, copy, html, json, os, re, shutil, subprocess, sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from urllib.parse import quote_plus, unquote, urldefrag, urljoin

import cells, colab, docs, landing, links, nbformat, path, pytest
from axe_playwright_python.sync_playwright import Axe

REPO = 'someone/course'
DESK,PHONE = (1280, 900),(390, 844)
PAGES = ['index', '06_interpretation', 'practice/01_one_hot', 'api/recommender', 'search']
PLAY = '<!doctype html><html lang="en"><title>Play</title><link rel="icon" href="data:,"><h1>Play'

@pytest.fixture(scope='session')
def site(tmp_path_factory):
    "The website of this course as of a fork called someone/course, built once"
    tmp = tmp_path_factory.mktemp('site')
    docs.write(tmp/'play'/'index.html', PLAY)
    docs.build(dest=tmp/'docs', repo=REPO, branch='main', work=tmp/'proc', play=tmp/'play')
    return tmp/'docs'

@pytest.fixture(scope='session')
def pages(site): return sorted(o.relative_to(site).as_posix() for o in site.rglob('*.html') if '_static' not in o.parts)

@pytest.fixture(scope='session')
def nbs():
    "{name of a page: its notebook}, as a page shows it"
    return {k: docs.page(nbformat.read(v, as_version=4)) for k,v in path.sources().items()}

@pytest.fixture(scope='session')
def course(nbs, pages):
    "The course, whose pages without a notebook are taken from the website"
    return path.Course(nbs, {k: '# -' for k in (o.removesuffix('.html') for o in pages) if k.startswith('api/')})

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
    assert len(mods)>10 and not (nbs | mods | {'search.html', 'map.html', 'play/index.html'}) - set(pages)

def test_every_page_is_in_the_navigation(texts):
    linked = set(re.findall(r'href="([^"#]+)"', sidebar(texts['learning.html'])))
    assert set(texts) - linked - {'index.html', 'learning.html', 'search.html'} == set()

def sidebar(text): return re.search(r'<nav class="sidebar-tree".*?</nav>', text, re.S)[0]

def code_of(text): return ' '.join(re.sub(r'<[^>]*>', '', o) for o in re.findall(r'<pre\b.*?</pre>', text, re.S))

def test_no_directive_is_seen(texts):
    explain = {'course/pages.html', 'contributing.html'}
    seen = {k for k,v in texts.items() if '#|' in code_of(v)}
    assert seen<=explain and 'contributing.html' in seen

def cell(source, *outputs, **metadata):
    "A code cell as `readme.page` gives it"
    c = nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)
    return docs.page(nbformat.v4.new_notebook(cells=[c])).cells

def test_hidden_sources_and_cells():
    assert cell('#| hide\nimport torch')==[]
    pic = nbformat.v4.new_output('display_data', {'image/png': 'aGk='})
    c, = cell('#| echo: false\n#| fig-alt: Two tables\ndraw()', pic)
    cells.code_cell(c)
    assert c.metadata.tags==['remove-input'] and c.metadata.mystnb.image.alt=='Two tables'

@pytest.mark.parametrize('source,folded',
    [('import torch', True), ('#| export\nfrom a import b\nfrom c import d', True),
     ('#| export\ndef _rows(n): return n', True), ('#| export\n_kinds = dict(a=1)\nclass _Kind: pass', True),
     ('from a import b\nb(1)', False), ('#| export\ndef rows(n): return n', False), ('kinds = 1', False),
     ('!ls', False), ('_ = draw()', False), ('', False)])
def test_imports_and_private_cells_are_folded(source, folded):
    c = nbformat.v4.new_code_cell(source)
    c.metadata.transient,c.metadata.alt = dict(remove_source=False),''
    cells.code_cell(c)
    assert c.metadata.get('tags', [])==(['hide-input'] if folded else [])

def test_links_in_what_a_cell_shows_lead_to_pages():
    html = '<a class="do" href="../01_x.ipynb">one</a><a href="https://x.org/a.ipynb">two</a>'
    c, = cell('f()', nbformat.v4.new_output('display_data', {'text/html': html}))
    cells.change_output_links(c, lambda to: to.replace('.ipynb', '.html'))
    assert c.outputs[0].data['text/html']==html.replace('01_x.ipynb', '01_x.html')

def test_neighbours_that_are_folded_become_one():
    shows = nbformat.v4.new_output('stream', text='1')
    found = [*cell('import a'), *cell('def f(): pass', jupyter=dict(source_hidden=True)), *cell('f()', shows),
             *cell('_a = 1'), *cell('import b'), *cell('import c', shows)]
    res = cells.joined(found)
    assert [c.source for c in res]==['import a\n\ndef f(): pass', 'f()', '_a = 1\n\nimport b', 'import c']
    assert [path.plumbing(c) for c in res]==[True, False, True, True]

def test_what_is_folded_in_the_lab_is_folded_here(nbs, texts):
    shown = nbs['02_dot_product'].cells
    in_lab = [c for c in shown if c.metadata.get('jupyter', {}).get('source_hidden')]
    folded = [c for c in cells.joined(copy.deepcopy(shown)) if c.cell_type=='code' and path.plumbing(c)]
    assert len(in_lab)>5 and texts['02_dot_product.html'].count('hide above-input')==len(folded)

def test_no_page_opens_with_imports(nbs, texts):
    first = {k: next((c for c in v.cells if c.cell_type=='code'), None) for k,v in nbs.items()}
    bare = [k for k,c in first.items() if c and path.is_import(ast.parse(c.source).body[0]) and path.plumbing(c)]
    assert len(bare)>30 and not [k for k in bare if 'Show the imports' not in texts[f'{k}.html']]

def test_alt_texts_arrive(texts):
    assert re.search(r'<img[^>]*alt="Twelve films by twelve people', texts['00_whole_game.html'])

def test_every_picture_is_described(): assert cells.undescribed(path.sources())==[]

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

def test_the_map_needs_no_library(site, texts):
    assert 'class="live-map"' in texts['06_interpretation.html'] and not list(site.rglob('*plotly*'))

def test_no_machine_in_it(texts, root):
    assert not [k for k,v in texts.items() if str(root) in v or 'site-packages/' in v]

# ---- the path ----

def test_the_path_is_chapter_practice_next_chapter(course):
    order = course.order()
    assert len(order)==len(set(order)) and order[0]=='before' and order[-2:]==course.projects
    chapters = [o for o in order if re.match(r'\d\d_', o)]
    assert chapters==sorted(chapters) and len(chapters)>16
    own = {c: f'practice/{c}' for c in chapters if f'practice/{c}' in course.practices}
    assert len(own)>15 and all(order[order.index(c)+1]==p for c,p in own.items())
    assert not [o for o in order if o.split('/')[0] in ('teaching', 'bench', 'library', 'api', 'course')]

def test_each_practice_belongs_to_a_chapter(course):
    assert not [o for o in course.practices if course.owner(o) is None]
    assert not [o.name for o in course.chapters if o.number and o.practice not in course.practices]

def around(text):
    "Where the buttons below a page lead: back, on"
    to = [re.search(rf'<a class="{o}-page" href="([^"]+)"', text) for o in ('prev', 'next')]
    return [o and o[1] for o in to]

def test_buttons_follow_the_path(course, texts):
    order = [f'{o}.html' for o in course.order()]
    seen = {o: [to and urljoin(o, to) for to in around(texts[o])] for o in order}
    assert seen=={o: [a, b] for o,a,b in zip(order, [None, *order], [*order[1:], None])}
    assert not [k for k,v in texts.items() if k not in order and k!='index.html' and any(around(v))]

def test_the_sidebar_shows_where_one_is(course, texts):
    for o in course.order():
        here = re.findall(r'current-page"><a class="reference internal" href="([^"]+)"', sidebar(texts[f'{o}.html']))
        assert here==['#']
    apart = sidebar(texts['library/checks.html'])
    assert re.findall(r'<details class="apart"( open)?><summary>([^<]+)', apart)[:3]==[('', 'Reference'), (' open',
        'Library pages'), ('', 'How the course works')]

def test_a_practice_is_nested_below_its_chapter(texts):
    side = sidebar(texts['learning.html'])
    assert re.search(r'href="04_bias.html">04 Bias and weight decay</a>\s*<ul><li[^>]*><a[^>]*'
                     r'href="practice/04_bias.html">Practice</a>', side)
    assert re.search(r'href="14_feedback.html">14 Feedback</a>\s*<ul><li[^>]*><a[^>]*href="practice/09_newcomers.html">'
                     'Practice: 09', side)

@pytest.mark.parametrize('size', [DESK, PHONE], ids=['desk', 'phone'])
@pytest.mark.parametrize('name', ['before', 'practice/16_saving', 'teaching/01_one_hot'])
def test_the_sidebar_scrolls_to_where_one_is(tab, name, size):
    t = tab(f'{name}.html', size)
    here,box = (t.locator(o).bounding_box() for o in ('.sidebar-tree .current-page > a', '.sidebar-scroll'))
    assert box['y']<=here['y'] and here['y'] + here['height']<=box['y'] + box['height']

def test_a_chapter_ends_with_one_box(course, texts):
    assert not [k for k,v in texts.items() if '<strong>Next</strong> ·' in v]
    for c in [o for o in course.chapters if o.number]:
        box = re.findall(r'<div class="next-box[^>]*>.*?</div>\s*</div>', texts[f'{c.name}.html'], re.S)
        assert len(box)==1
        to = [o.split('#')[0] for o in re.findall(r'href="([^"]+)"', box[0])]
        practice = course.practices[c.practice]
        assert to[0]==f'{c.practice}.html'
        assert (practice.counts if course.owner(c.practice) is c else practice.title) in box[0]
        assert to[1]==f'{cells.next_page(c, course)}.html'
        assert to[2:]==[f'api/{o}.html' for o in c.reference] and c.reference

# ---- the front page ----

def front(texts, what): return re.findall(what, texts['index.html'], re.S)

def test_numbers_of_the_front_page_are_counted(root, texts):
    said = [(root/'nbs'/'practice'/o.name).read_text(encoding='utf-8') for o in (root/'nbs'/'practice').glob('*.ipynb')]
    counts = [re.search(r'> (\d+) exercises? and (\d+) questions?', o).groups() for o in said]
    want = [len(list((root/'nbs').glob('[0-9]*.ipynb'))), *(sum(map(int, o)) for o in zip(*counts))]
    assert list(map(int, front(texts, r'<li><strong>(\d+)</strong>')))==want and min(want)>15

def test_a_card_for_each_chapter(site, course, texts):
    cards = front(texts, r'<li class="card">\s*<div class="shown">.*?</li>')
    chapters = [o for o in course.chapters if o.number]
    assert len(cards)==len(chapters)
    for text,c in zip(cards, chapters):
        image = site/re.search(r'<img src="([^"]+)" alt="">', text)[1]
        assert image.stem==c.name and 1000<image.stat().st_size<50_000
        assert c.number in text and f'{c.minutes} min' in text and f'href="{c.practice}.html"' in text
        assert html.escape(c.question, False) in html.unescape(text)

def test_minutes_follow_their_rule():
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell('word '*1000), *cell('a = 1\n'*100),
                                         *cell('import torch\n'*500)])
    assert path.minutes(nb)==20 and (path.WORDS, path.LINES)==(200, 10)  # 5 + 10.1 minutes

def test_buttons_of_the_front_page(texts):
    to = dict((text, to) for to,text in front(texts, r'<a(?: class="first")? href="([^"]+)">([^<]+)</a>'))
    assert to['Start with chapter 00']=='00_whole_game.html'
    assert to['Rate films, watch your row move']=='play/index.html'
    assert to['Open in Colab'].endswith('/colab/00_whole_game.ipynb') and 'Run it yourself' not in to

@pytest.mark.parametrize('fails', [False, True])
def test_the_page_to_play_with_is_made_where_it_can_be(tmp_path, monkeypatch, capsys, fails):
    class PlayError(Exception): pass
    def make(dest):
        if fails: raise PlayError('no data')
        docs.write(dest/'index.html', PLAY)
        return 'planted'
    monkeypatch.setattr(docs, 'play', SimpleNamespace(make=make, PlayError=PlayError))
    made,said = docs.play_page(tmp_path/'play'),capsys.readouterr()
    assert made==(None if fails else tmp_path/'play')
    assert ('no data' in said.err) if fails else ('made from planted' in said.out)

def test_what_a_link_to_a_page_shows(texts):
    meta = lambda name,page: re.search(rf'<meta (?:name|property)="{name}" content="([^"]*)"', texts[page])[1]
    assert 'weight decay' in meta('description', '04_bias.html')==meta('og:description', '04_bias.html')
    assert meta('og:title', '04_bias.html')=='04 Bias and weight decay'
    assert re.fullmatch(r'https://someone\.github\.io/course/_static/page\.png', meta('og:image', 'index.html'))
    assert not [k for k,v in texts.items() if 'play/' not in k and 'name="description"' not in v]

def test_name_and_licence(texts, site):
    assert '<title>04 Bias and weight decay - Collab course</title>' in texts['04_bias.html']
    assert not [k for k,v in texts.items() if 'play/' not in k and 'class="credits"' not in v]
    assert 'Apache License' in (site/'files'/'LICENSE.txt').read_text(encoding='utf-8')
    assert 'genindex.html' not in texts and 'py-modindex.html' not in texts

# ---- what learners should not stumble on ----

def squeezed(text): return re.sub(r'\s+', '', text)

def solves(o): return isinstance(o, ast.FunctionDef) and ast.unparse(o.decorator_list[0]).startswith('ex.exercise')

def solutions(root):
    "Name and body, without blanks, of each function that solves an exercise"
    for file in sorted((root/'nbs'/'teaching').glob('*.ipynb')):
        for c in nbformat.read(file, as_version=4).cells:
            if '@ex.exercise' not in c.source: continue
            lines = c.source.splitlines()
            for f in filter(solves, ast.parse(c.source).body):
                yield f.name,squeezed('\n'.join(lines[f.body[1].lineno-1:f.end_lineno]))

def test_solutions_are_on_the_pages_of_teachers_only(root, texts):
    found = list(solutions(root))
    plain = {k: squeezed(html.unescape(re.sub(r'<[^>]*>', '', v))) for k,v in texts.items()}
    assert len(found)>60 and all(any(s in v for k,v in plain.items() if k.startswith('teaching/')) for _,s in found)
    assert not [(n, k) for n,s in found for k,v in plain.items() if s in v and k.startswith(('practice/', 'projects/'))]

def test_search_does_not_know_the_teachers_pages(site):
    index = json.loads((site/'searchindex.js').read_text(encoding='utf-8')[len('Search.setIndex('):-1])
    secret = {i for i,o in enumerate(index['docnames']) if o.startswith('teaching/')}
    known = [o for kind in ('terms', 'titleterms') for o in index[kind].values()]
    hits = {i for o in known for i in (o if isinstance(o, list) else [o])}
    assert len(secret)>10 and len(hits)>100 and not hits & secret
    assert not {i for o in index['alltitles'].values() for i,_ in o} & secret

# ---- what goes wrong ----

@pytest.fixture
def small(tmp_path, monkeypatch):
    "A repository of two notebooks; a function that adds Markdown to the first"
    nbs = tmp_path/'nbs'
    nbs.mkdir()
    def write(text='', name='index'):
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f'# {name[:2]} T'),
                                                       nbformat.v4.new_markdown_cell(text)]), nbs/f'{name}.ipynb')
    write()
    write('## A part', '01_x')
    (tmp_path/'collab_course').mkdir()
    (tmp_path/'LICENSE').write_text('Apache License')
    for o in (docs, path, links, landing): monkeypatch.setattr(o, 'root', tmp_path)
    shutil.copytree(docs.Path(docs.__file__).parents[1]/'docs', tmp_path/'docs')
    (tmp_path/'tools').symlink_to(docs.Path(docs.__file__).parent)
    return write

@pytest.mark.parametrize('link',
                         ['[a](02_none.ipynb)', '<a href="02_none.ipynb">a</a>', '[a](../none.csv)',
                          '[a](../../outside.txt)'])
def test_a_broken_link_names_notebook_and_link(small, link):
    small(link)
    with pytest.raises(links.DocsError, match=r'nbs/index\.ipynb: the link `[^`]*(none|outside)[^`]*` leads nowhere'):
        docs.prepare(docs.root/'out', None, 'main')

def test_a_failed_build_leaves_the_old_website_and_no_button_leads_nowhere(small, monkeypatch):
    old = docs.root/'_docs'
    old.mkdir()
    (old/'index.html').write_text('old')
    small('[a](01_x.ipynb#No-such-part)')
    with pytest.raises(links.DocsError, match=r'nbs/index\.ipynb.*No-such-part'):
        docs.build(dest=old, work=docs.root/'_proc')
    assert [o.name for o in old.iterdir()]==['index.html'] and (old/'index.html').read_text()=='old'
    small('[a](01_x.ipynb#A-part)')
    assert docs.build(dest=old, work=docs.root/'_proc')==['index', 'map', '01_x']
    assert 'href="01_x.html#a-part"' in (old/'map.html').read_text(encoding='utf-8')
    front = (old/'index.html').read_text(encoding='utf-8')
    assert 'Start with chapter 01' in front and 'href="#run">Run it yourself' in front
    assert 'play/' not in front and 'Colab' not in front and 'git clone' not in front

def test_files_of_the_repository_come_along(small):
    (docs.root/'some.csv').write_text('a,b')
    files = {}
    assert links.site_link('../some.csv', False, 'map', path.sources(), files)=='files/some.csv'
    assert files=={'files/some.csv': docs.root/'some.csv'}
    assert links.site_link('01_x.ipynb#A', True, 'map', path.sources(), files)=='01_x.html#A'
    assert links.site_link('https://x.org/a.ipynb', False, 'map', path.sources(), files)=='https://x.org/a.ipynb'

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
    ran,code = [],compile(colab.setup_cell(REPO, 'dev').source, 'cell', 'exec')
    monkeypatch.setattr(subprocess, 'run', lambda cmd, **kw: ran.append(cmd))
    exec(code, {})
    assert ran==[]
    monkeypatch.setitem(sys.modules, 'google.colab', None)
    exec(code, {})
    assert len(ran)==1 and ran[0][1:4]==['-m', 'pip', 'install'] and ran[0][-1]==f'git+https://github.com/{REPO}@dev'

def test_colab_copies_link_to_each_other(site):
    text = (site/'colab'/'map.ipynb').read_text(encoding='utf-8')
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
    assert 'mybinder' not in texts['api/dot_product.html'] and 'mybinder' not in texts['map.html']

def test_no_buttons_where_nobody_knows_the_address(small):
    docs.prepare(docs.root/'out', None, 'main')
    files = [o for o in (docs.root/'out').rglob('*') if o.suffix in ('.ipynb', '.md', '.json')]
    said = [o.name for o in files if re.search('mybinder|open-in|colab.research', o.read_text(encoding='utf-8'))]
    assert len(files)==4 and not said

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

FRAME = '''size => {
    const frame = document.createElement("iframe")
    Object.assign(frame, {width: size[0], height: size[1], style: "border: 0"})
    document.body.replaceChildren(frame)
    window.load = url => new Promise(done => {
        frame.onload = () => done(frame.contentDocument.documentElement.scrollWidth)
        frame.src = url
    })}'''

def test_pages_load_in_peace_and_fit_a_phone(tab, base, pages):
    "In a frame as wide as a phone, which takes less time than a window for each of hundreds"
    t,bad = tab('play/index.html'),{} # a page with an icon, for which nothing more is asked
    t.evaluate(FRAME, PHONE)
    for k in pages:
        t.asked.clear()
        t.said.clear()
        wide = t.evaluate('load', f'{base}{k}') > PHONE[0]
        outside = [o for o in t.asked if not o.startswith((base, 'data:', 'blob:'))]
        if t.said or outside or wide or f'{base}{k}' not in t.asked:
            bad[k] = (t.said[:2], outside[:2], t.frames[1].evaluate(LOST) if wide else [])
    assert len(pages)>30 and not bad

def found(t):
    "Where the results of a search lead, in their order"
    t.wait_for_selector('#search-results li a')
    t.wait_for_function('/found \\w+ pages?/.test(document.querySelector("#search-results").innerText)')
    return t.locator('#search-results li > a').evaluate_all('os => os.map(o => o.getAttribute("href"))')

@pytest.mark.parametrize('start,box', [('index', '[type=search]'), ('04_bias', '.sidebar-search')])
def test_search_leads_to_a_page(tab, start, box):
    t = tab(f'{start}.html')
    t.fill(box, 'principal')
    t.press(box, 'Enter')
    found(t)
    t.locator('#search-results a[href*="06_interpretation.html"]').first.click()
    t.wait_for_url('**/06_interpretation.html*')
    assert 'principal' in t.inner_text('article')

FIRST = {'weight decay': '04_bias.html', 'embedding': '01_one_hot.html', 'loader': '03_loaders.html',
         'sigmoid_range': '02_dot_product.html', 'newcomers': '09_newcomers.html', 'SVD++': '13_svdpp.html',
         'Recommender.fit': 'api/recommender.html', 'save a model': '16_saving.html', 'save': '16_saving.html',
         'cold start': '09_newcomers.html'}

@pytest.mark.parametrize('where', ['http', 'file'])
def test_search_finds_the_chapter_first(tab, site, where):
    # excerpts, which only a server can give, take most of the time
    top,words = {},list(FIRST)[:2 if where=='http' else None]
    for word in words:
        query = quote_plus(word)
        t = tab(f'search.html?q={query}')
        if where=='file': t.goto(f'{(site/"search.html").as_uri()}?q={query}')
        top[word] = found(t)[0].split('#')[0]
        assert not t.said
    assert top=={o: FIRST[o] for o in words}

def test_what_stands_apart_is_found_last(tab):
    hits = [o.split('#')[0] for o in found(tab('search.html?q=gradient'))]
    ranks = [0 if re.match(r'\d|before', o) else 1 if o.startswith('practice/') else 2 for o in hits]
    assert ranks==sorted(ranks) and len(set(ranks))==3

def test_the_map_answers(tab):
    t = tab('06_interpretation.html')
    assert t.locator('.live-map svg').count()==2 and t.locator('.live-map img').count()==0
    t.locator('.live-map input').first.fill('The Rock (1996)')
    assert t.locator('.live-map').first.locator('li button').count()==10
    assert 'The Rock (1996)' in t.locator('.live-map [aria-live]').first.inner_text()

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
    t = tab('learning.html')
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

@pytest.mark.parametrize('name', ['index', '01_one_hot'])
def test_theme_switch(tab, name):
    t = tab(f'{name}.html')
    color = lambda: t.evaluate('getComputedStyle(document.body).backgroundColor')
    seen = [color()]
    for _ in range(3):
        t.locator('button.theme-toggle:visible').focus()
        t.keyboard.press('Enter')
        seen.append(color())
    t.evaluate('localStorage.clear()')
    assert len(set(seen))==2

def test_phone_menu_opens_by_keyboard(tab):
    t = tab('map.html', PHONE)
    link = t.locator('.sidebar-tree a').first
    assert link.bounding_box()['x']<0
    t.locator('.nav-overlay-icon').focus()
    t.keyboard.press('Enter')
    t.wait_for_function('document.querySelector(".sidebar-tree a").getBoundingClientRect().x >= 0')

def test_paper_has_no_navigation(tab):
    t = tab('06_interpretation.html')
    t.emulate_media(media='print')
    try:
        hidden = ('.sidebar-drawer', '.toc-drawer', '.mobile-header', '.content-icon-container', '.related-pages',
                  '.open-in', '.live-map .tools')
        assert [o for o in hidden if t.locator(o).first.is_visible()]==[]
        assert t.locator('article h1').is_visible() and t.locator('.live-map svg').first.is_visible()
    finally: t.emulate_media(media='screen')

# of hundreds that look alike, a few
TRIM = """document.querySelectorAll("article details").forEach(o => o.open = true)
document.querySelectorAll("article .cell").forEach((o, i) => {
    if (i > 12 && !o.querySelector(".live-map")) o.remove() })
document.querySelectorAll("article dl.py").forEach((o, i) => { if (i > 6) o.remove() })
document.querySelectorAll(".live-map circle ~ circle ~ circle, .live-map option ~ option ~ option, " +
    "article tr:nth-child(n+5), .sidebar-tree .apart li:nth-child(n+4), .toc-drawer li:nth-child(n+5), " +
    "article .cell pre > .line:nth-child(n+7)").forEach(o => o.remove())
const seen = new Set()
for (const o of document.querySelectorAll("article pre span[class]:not(.line)")) {
    const look = o.className + (o.closest(".cell_output, .output_area") ? " there" : " here")
    if (seen.has(look)) o.replaceWith(...o.childNodes)
    seen.add(look)
}"""

def serious(res):
    return [(v['id'], n['target'], n['failureSummary'][:200]) for v in res.response['violations']
            if v['impact'] in ('serious', 'critical') for n in v['nodes'][:3]]

LOOKS = {'light, desk': (DESK, 'light', PAGES), 'light, phone': (PHONE, 'light', PAGES),
         # the dark differs in its colours alone, and on a phone from that in what is above the page
         'dark, desk': (DESK, 'dark', PAGES), 'dark, phone': (PHONE, 'dark', ['index', 'practice/01_one_hot'])}

@pytest.mark.parametrize('name,look', [(name, look) for look,(_,_,names) in LOOKS.items() for name in names])
def test_axe(tab, name, look):
    size,scheme,_ = LOOKS[look]
    t = tab(f'{name}.html' + ('?q=sigmoid_range' if name=='search' else ''), size, scheme)
    if name=='search': t.wait_for_selector('#search-results li a')
    t.evaluate(TRIM)
    only = dict(runOnly=['color-contrast']) if scheme=='dark' else {}
    options = dict(resultTypes=['violations'], **only) # without the thousands of parts that are right
    assert serious(Axe().run(t, options=options))==[]
