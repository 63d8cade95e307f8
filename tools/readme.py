"Make README.md from nbs/index.ipynb: `python tools/readme.py`; with `--check` see only whether it is up to date"
import re, sys
from argparse import ArgumentParser
from pathlib import Path
from posixpath import join, normpath
from shutil import rmtree

sys.modules.setdefault('rfc3987_syntax', None)  # a grammar of addresses, as in tools/execute.py
import nbformat
from nbconvert import MarkdownExporter

sys.path.insert(0, str(Path(__file__).parent))
from execute import directives, root

MARK = '<!-- Made from nbs/index.ipynb by `make readme`: edit the notebook. -->\n\n'
PICS = 'README_files'

def page(
    nb,  # the index
):
    "Only what a page shows: no hidden cells, no directive lines, no code where `#| echo: false`"
    shown = []
    for c in nb.cells:
        ds = directives(c.source)
        if {'hide', 'include false'} & set(ds): continue
        if c.cell_type=='code':
            c.metadata.transient = dict(remove_source='echo false' in ds)
            c.metadata.alt = next((o[8:] for o in ds if o.startswith('fig-alt ')), '')
            c.source = re.sub(r'^(?:\s*#\|[^\n]*\n?)+', '', c.source)
            c.outputs = [o for o in c.outputs if o.get('name')!='stderr']
        if c.source.strip() or c.get('outputs'): shown.append(c)
    nb.cells,nb.metadata.language_info = shown,dict(name='python')
    return nb

def alt(
    c, # a code cell, as `page` gives it
):
    "What the picture of a cell shows: `#| fig-alt:`, else what its object says of itself"
    said = [o.data.get('text/plain', '') for o in c.outputs if 'image/png' in o.get('data', {})]
    return c.metadata.alt or next((o for o in said if o[:1] not in ('', '<')), '')

def change_links(
    text, # Markdown
    f,    # called with where a link leads, and whether it's written in HTML; gives where it leads from now on
):
    "Markdown with other links; code is left alone"
    pats = [r'(\]\()([^)\s]+)((?:\s+"[^"]*")?\))', r'''(<(?:img|a)\b[^>]*?\b(?:src|href)=["'])([^"']+)(["'])''']
    parts = re.split(r'(^```.*?^```[^\n]*$|`[^`\n]+`)', text, flags=re.S|re.M)
    for html,p in enumerate(pats):
        parts[::2] = [re.sub(p, lambda m: m[1]+f(m[2], bool(html))+m[3], o) for o in parts[::2]]
    return ''.join(parts)

def outside(
    to,  # where a link leads
):
    "Whether it names a scheme, a place on the same page or one from the top of the server"
    return bool(re.match(r'[a-z][a-z+.-]*:|[#/]', to, re.I))

def move_links(
    text,    # Markdown
    folder,  # where its relative links start, as seen from the top
):
    "Markdown with links that hold at the top"
    return change_links(text, lambda to,_: to if outside(to) or to.startswith(PICS) else normpath(join(folder, to)))

def plain(
    output,  # of a cell
):
    "A table as text, which is shorter than its HTML and reads as well"
    if 'text/plain' in output.get('data', {}): output.data.pop('text/html', None)
    return output

def make(
    path=root/'nbs'/'index.ipynb',  # the index
):
    "Text of the README, and a dict of picture paths and their bytes"
    nb = page(nbformat.read(path, as_version=4))
    for c in nb.cells:
        if c.cell_type=='code': c.outputs = [plain(o) for o in c.outputs]
    ex = MarkdownExporter()
    text, res = ex.from_notebook_node(nb, resources=dict(output_files_dir=PICS, unique_key='index'))
    for c in nb.cells:
        if alt := c.metadata.get('alt'): text = text.replace('![png]', f'![{alt}]', 1)
    text = re.sub(r'<style\b.*?</style>\s*', '', text, flags=re.S)
    text = '\n'.join(l.rstrip() for l in move_links(text, 'nbs').splitlines())
    return MARK + re.sub(r'\n{3,}', '\n\n', text).strip() + '\n', {k.replace('\\', '/'):v for k,
        v in (res.get('outputs') or {}).items()}

def stale(
    text,  # of the README
    pics,  # picture paths and bytes
):
    "Files that are missing, differ, or are too many"
    now = {'README.md': text.encode(), **pics}
    have = {'README.md': root/'README.md', **{o.relative_to(root).as_posix(): o for o in (root/PICS).glob('*')}}
    return sorted(k for k in {*now, *have} if k not in have or not have[k].exists() or now.get(k)!=have[k].read_bytes())

def write(
    text,  # of the README
    pics,  # picture paths and bytes
):
    "Writes the README and its pictures, and removes pictures that it no longer has"
    rmtree(root/PICS, ignore_errors=True)
    if pics: (root/PICS).mkdir()
    for k,v in pics.items(): (root/k).write_bytes(v)
    (root/'README.md').write_bytes(text.encode())

def main(
    args=None,  # command line; None: of this process
):
    "Write or check; 1 where the README is not up to date"
    p = ArgumentParser(description='README.md from nbs/index.ipynb')
    p.add_argument('--check', action='store_true', help='write nothing; fail where something would change')
    check, (text,pics) = p.parse_args(args).check, make()
    bad = stale(text, pics)
    if not check: write(text, pics)
    if bad: print(f"{'Not up to date' if check else 'Written'}: {', '.join(bad)}")
    return int(check and bool(bad))

if __name__=='__main__': sys.exit(main())
