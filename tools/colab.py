"Copies of the notebooks that set themselves up on Colab, and the buttons that lead to them"
import re, sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

sys.path.insert(0, str(Path(__file__).parent))
from execute import root
from links import target
from path import MAP
from readme import change_links, outside

def buttons(
    name: str, # of a page
    repo: str|None, # owner/name on GitHub; None: it is not known
    branch: str, # that the notebooks are on
) -> str:
    "The line with `Open in Colab` and `Binder`; empty where nobody knows where the repository lives"
    if not repo or name==MAP or name.split('/')[0] in ('bench', 'api'): return ''
    to = {'Open in Colab': colab_url(repo, name),
          'Open in Binder': f'https://mybinder.org/v2/gh/{repo}/{branch}?urlpath=lab/tree/nbs/{name}.ipynb'}
    return '<p class="open-in">' + ' '.join(f'<a href="{v}">{k}</a>' for k,v in to.items()) + '</p>'

def colab_url(
    repo: str|None, # owner/name on GitHub
    name: str, # of a page
) -> str:
    "Address of a page's copy on Colab"
    return f'https://colab.research.google.com/github/{repo}/blob/gh-pages/colab/{name}.ipynb'

def setup_cell(
    repo: str|None, # owner/name on GitHub
    branch: str, # to install from
) -> NotebookNode:
    "The cell that sets a notebook up on Colab, and does nothing elsewhere"
    return nbformat.v4.new_code_cell(f'''import sys
if 'google.colab' in sys.modules: # elsewhere the course is installed already
    import subprocess
    print('Installing the course, a few minutes …')
    url = 'git+https://github.com/{repo}@{branch}'
    subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', url], check=True)''', id='colab-setup')

def link(
    to: str, # where the link leads, as written
    path: Path, # the notebook that it stands in
    pages: dict[str, Path], # from `path.sources`
    repo: str|None, # owner/name on GitHub
    branch: str, # that the notebooks are on
) -> str:
    "The link as it has to be in a copy: to another copy, or to the file on GitHub"
    if outside(to): return to
    to,*anchor = to.split('#')
    page,full = target(path, to, pages)
    if page is None or page.startswith('bench/'):
        return f'https://github.com/{repo}/blob/{branch}/{full.relative_to(root).as_posix()}'
    return '#'.join([colab_url(repo, page), *anchor])

def colab(
    name: str, # of a page
    pages: dict[str, Path], # from `path.sources`
    repo: str|None, # owner/name on GitHub
    branch: str, # to install from
) -> NotebookNode:
    "A copy of the notebook whose first cell sets it up, and whose links lead to other copies"
    nb = nbformat.read(pages[name], as_version=4)
    raw = f'https://raw.githubusercontent.com/{repo}/{branch}/bench/results/'
    for c in nb.cells:
        if c.cell_type=='code': c.source = re.sub(r'(?:\.\./)+bench/results/', raw, c.source)
        else: c.source = change_links(c.source, lambda to,_: link(to, pages[name], pages, repo, branch))
    at = next((i for i,c in enumerate(nb.cells) if c.cell_type=='code'), len(nb.cells))
    nb.cells.insert(at, setup_cell(repo, branch))
    return nb
