"Build the website `_docs/` from the committed notebooks and the library; nothing is run or fetched"
import json, os, re, shutil, subprocess, sys, time
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from posixpath import relpath

import nbformat

sys.path.insert(0, str(Path(__file__).parent))
from execute import root
from readme import change_links, outside, page
import reference

# the walk in parts, and the other folders, as the navigation shows them
PARTS = [('Part 1: from a row to a model', range(-1, 10)), ('Part 2: how good, how fast, how far', range(10, 15)),
         ('Part 3: the product', range(15, 100))]
FOLDERS = dict(practice='Practice', projects='Projects', library='Library pages', course='How the course works',
               teaching='For teachers', bench='Measurements', api='Reference')
PLOTLY = 'application/vnd.plotly.v1+json'

class DocsError(Exception): "Why there is no website, and where to look"

def sources():
    "{name of a page: the notebook it is made of}; the index first"
    found = {o.relative_to(root/'nbs').with_suffix('').as_posix(): o for o in (root/'nbs').rglob('*.ipynb')}
    found |= {f'bench/{o.stem}': o for o in (root/'bench').glob('*.ipynb')}
    return {k:found[k] for k in sorted(found, key=lambda o: (o!='index', o)) if not re.search(r'(^|/)[._]', k)}

# ---- links ----

def _target(path, to, pages):
    "Where a link written in the notebook `path` leads: a page's name, or a path in the repository"
    full = (path.parent/to).resolve()
    name = next((k for k,v in pages.items() if v==full), None)
    if name is None and not (full.is_file() and full.is_relative_to(root)):
        raise DocsError(f'{path.relative_to(root).as_posix()}: the link `{to}` leads nowhere')
    return name,full

def site_link(
    to,     # where the link leads, as written
    html,   # written in HTML?
    name,   # of the page
    pages,  # from `sources`
    files,  # dict that gets the files that are linked to
):
    "The link as it has to be on the website"
    if outside(to): return to
    to,*anchor = to.split('#')
    page,full = _target(pages[name], to, pages)
    if page is None: files[dest := f'files/{full.relative_to(root).as_posix()}'] = full
    else: dest = f"{page}.{'html' if html else 'ipynb'}"
    return '#'.join([relpath(dest, os.path.dirname(name) or '.'), *anchor])

# ---- Colab and Binder ----

def buttons(
    name,    # of a page
    repo,    # owner/name on GitHub; None: it is not known
    branch,  # that the notebooks are on
):
    "The line with `Open in Colab` and `Binder`; empty where nobody knows where the repository lives"
    if not repo or name=='index' or name.split('/')[0] in ('bench', 'api'): return ''
    to = {'Open in Colab': colab_url(repo, name),
          'Open in Binder': f'https://mybinder.org/v2/gh/{repo}/{branch}?urlpath=lab/tree/nbs/{name}.ipynb'}
    return '<p class="open-in">' + ' '.join(f'<a href="{v}">{k}</a>' for k,v in to.items()) + '</p>'

def colab_url(repo, name): return f'https://colab.research.google.com/github/{repo}/blob/gh-pages/colab/{name}.ipynb'

def setup_cell(
    repo,    # owner/name on GitHub
    branch,  # to install from
):
    "The cell that sets a notebook up on Colab, and does nothing elsewhere"
    return nbformat.v4.new_code_cell(f'''import sys
if 'google.colab' in sys.modules: # elsewhere the course is installed already
    import subprocess
    print('Installing the course, a few minutes …')
    url = 'git+https://github.com/{repo}@{branch}'
    subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', url], check=True)''', id='colab-setup')

def colab(
    name,    # of a page
    pages,   # from `sources`
    repo,    # owner/name on GitHub
    branch,  # to install from
):
    "A copy of the notebook whose first cell sets it up, and whose links lead to other copies"
    nb = nbformat.read(pages[name], as_version=4)
    def link(to, html):
        if outside(to): return to
        to,*anchor = to.split('#')
        page,full = _target(pages[name], to, pages)
        if page is None or page.startswith('bench/'):
            return f'https://github.com/{repo}/blob/{branch}/{full.relative_to(root).as_posix()}'
        return '#'.join([colab_url(repo, page), *anchor])
    for c in nb.cells:
        if c.cell_type=='markdown': c.source = change_links(c.source, link)
        else:
            c.source = re.sub(r'(?:\.\./)+bench/results/',
                              f'https://raw.githubusercontent.com/{repo}/{branch}/bench/results/', c.source)
    at = next((i for i,c in enumerate(nb.cells) if c.cell_type=='code'), len(nb.cells))
    nb.cells.insert(at, setup_cell(repo, branch))
    return nb

# ---- pages ----

def _live(output):
    "A plotly figure as a picture, with what the page draws it from"
    data = dict(output.data)
    fig = json.dumps(data.pop(PLOTLY), separators=(',', ':')).replace('</', '<\\/')
    html = f'<script type="application/json" class="plotly-json">{fig}</script>'
    script = nbformat.v4.new_output('display_data', {'text/html': html})
    return [nbformat.v4.new_output('display_data', data), script]

def _alt(c):
    "What the picture of a cell shows: `#| fig-alt:`, else what its object says of itself"
    said = [o.data.get('text/plain', '') for o in c.get('outputs', []) if 'image/png' in o.get('data', {})]
    return c.metadata.alt or next((o for o in said if o[:1] not in ('', '<')), '')

def _cell(c):
    "A code cell as MyST-NB wants it: folded source by tag, alt text by metadata, plotly as picture and data"
    folded = c.metadata.get('jupyter', {}).get('source_hidden')
    tag = 'remove-input' if c.metadata.transient['remove_source'] else 'hide-input' if folded else None
    meta = {'tags': [tag]} if tag else {}
    if alt := _alt(c): meta['mystnb'] = dict(image=dict(alt=alt))
    c.outputs = [p for o in c.outputs for p in (_live(o) if PLOTLY in o.get('data', {}) else [o])]
    c.metadata = nbformat.from_dict(meta)

def undescribed(
    pages,  # from `sources`
):
    "Pictures that nothing describes, as (page, id of the cell)"
    shows = lambda c: any('image/png' in o.get('data', {}) for o in c.get('outputs', []))
    return [(k, c.id) for k,v in pages.items() for c in page(nbformat.read(v, as_version=4)).cells if shows(c)
            and not _alt(c)]

def site_page(
    name,    # of a page
    pages,   # from `sources`
    repo,    # owner/name on GitHub, or None
    branch,  # that the notebooks are on
    files,   # dict that gets the files that are linked to
):
    "The notebook as Sphinx reads it: only what a page shows, links that hold on the website"
    nb = page(nbformat.read(pages[name], as_version=4))
    nb.metadata.language_info['pygments_lexer'] = 'ipython3'
    for c in nb.cells:
        if c.cell_type=='code': _cell(c)
        else: c.source = change_links(c.source, lambda to,html: site_link(to, html, name, pages, files))
    if bar := buttons(name, repo, branch): nb.cells.insert(1, nbformat.v4.new_markdown_cell(bar, id='open-in'))
    return nb

def _toctree(title, names):
    return f'```{{toctree}}\n:caption: {title}\n:titlesonly:\n:hidden:\n\n' + '\n'.join(names) + '\n```\n\n'

def navigation(
    names,  # of all pages
):
    "The tree at the side of each page, as Markdown for the index"
    number = lambda o: int(m[0]) if (m := re.match(r'\d+', o)) else -1 # what to know before comes first
    top = sorted((o for o in names if '/' not in o and o!='index'), key=number)
    groups = [(title, [o for o in top if number(o) in chapters]) for title,chapters in PARTS]
    groups += [(title, [o for o in names if o.startswith(f'{folder}/')]) for folder,title in FOLDERS.items()]
    return ''.join(_toctree(t, ns) for t,ns in groups if ns)

def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')

def prepare(
    dest,   # folder for what Sphinx reads
    repo,   # owner/name on GitHub, or None
    branch, # that the notebooks are on
):
    "Writes all pages to `dest`; their names"
    pages,files = sources(),{}
    nbs = {k: site_page(k, pages, repo, branch, files) for k in pages}
    api = reference.pages(root, pages, repo, branch)
    nbs['index'].cells.append(nbformat.v4.new_markdown_cell(navigation([*pages, *api]), id='navigation'))
    for k,nb in nbs.items(): _write(dest/f'{k}.ipynb', nbformat.writes(nb))
    for k,t in api.items(): _write(dest/f'{k}.md', t)
    for k,v in files.items():
        (dest/k).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(v, dest/k)
    return [*pages, *api]

# ---- the website ----

def sphinx(
    src,   # what `prepare` wrote
    dest,  # folder for the website
):
    "Runs Sphinx; a warning is an error, and names notebook and link"
    cmd = [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going',
           '--color' if sys.stderr.isatty() else '--no-color', '-j', 'auto', '-c', root/'docs', '-d',
           src.parent/'doctrees', src, dest]
    env = {**os.environ, 'PYTHONPATH': str(root/'tools'), 'PYTHONUTF8': '1'}
    r = subprocess.run([str(o) for o in cmd], env=env, cwd=root, capture_output=True, text=True, encoding='utf-8')
    if r.returncode: raise DocsError(r.stderr.replace(f'{src}/', 'nbs/').strip())

def _plotly(dest):
    "plotly.js from the package, where a page needs it"
    if not any('plotly-json' in o.read_text(encoding='utf-8') for o in dest.rglob('*.html')): return
    shutil.copy(Path(find_spec('plotly').origin).parent/'package_data'/'plotly.min.js', dest/'_static')

def _colabs(dest, repo, branch):
    pages = sources()
    for k in pages:
        if not k.startswith('bench/'): _write(dest/f'{k}.ipynb', nbformat.writes(colab(k, pages, repo, branch)))

def swap(
    new,   # a whole website
    dest,  # where it goes, in place of the last one
):
    "Puts the new website where the old one was"
    old = new.with_name('old')
    if dest.exists(): dest.rename(old)
    new.rename(dest)
    shutil.rmtree(old, ignore_errors=True)

def build(
    dest=root/'_docs',  # folder of the website
    repo=None,          # owner/name on GitHub; None: no buttons
    branch='main',      # that the notebooks are on
    work=root/'_proc',  # folder for what is made on the way
):
    "Builds the website aside and puts it in place; the names of its pages"
    shutil.rmtree(work, ignore_errors=True)
    names = prepare(work/'src', repo, branch)
    new = work/'site'
    sphinx(work/'src', new)
    _plotly(new)
    (new/'.nojekyll').touch()
    for o in ('.buildinfo', 'objects.inv'): (new/o).unlink(missing_ok=True)
    shutil.rmtree(new/'_sources', ignore_errors=True)
    if repo: _colabs(new/'colab', repo, branch)
    swap(new, dest)
    return names

def main(
    args=None,  # command line; None: of this process
):
    "Build; 1 where there is nothing new to see"
    p = ArgumentParser(description='The website, from the committed notebooks and the library')
    p.add_argument('--repo', default=os.environ.get('GITHUB_REPOSITORY'),
                   help='owner/name on GitHub, for the buttons (default: GITHUB_REPOSITORY)')
    p.add_argument('--branch', default=os.environ.get('GITHUB_REF_NAME') or 'main',
                   help='that the notebooks are on (default: GITHUB_REF_NAME, or main)')
    o,t = p.parse_args(args),time.monotonic()
    try: names = build(repo=o.repo or None, branch=o.branch)
    except DocsError as e:
        print(f'{e}\nThe website is as it was.', file=sys.stderr)
        return 1
    size = sum(f.stat().st_size for f in (root/'_docs').rglob('*') if f.is_file())
    print(f'{len(names)} pages in {time.monotonic()-t:.0f} s, {size/1e6:.0f} MB: open _docs/index.html')
    return 0

if __name__=='__main__': sys.exit(main())
