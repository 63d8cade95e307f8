"Write what machines read beside the website: each page as Markdown, and llms.txt"
import re, shutil, sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from posixpath import dirname, relpath

import nbformat

sys.path.insert(0, str(Path(__file__).parent))
from examples import plain
from readme import alt, change_links, outside, page

SOLVED = 'teaching/'  # pages with solutions have no twin
GROUPS = {'Chapters': r'before|\d\d_\w+', 'Practice': 'practice/.*', 'Projects': 'projects/.*',
          'Library reference': 'api/.*', 'How the library is built': 'library/.*',
          'How the course works': 'course/.*', 'Optional': 'bench/.*'}

def has_twin(
    name: str, # of a page
) -> bool:
    "Check whether a page is written for machines, too"
    return not name.startswith(SOLVED)

# ---- a page as Markdown ----

def fence(
    text: str, # what stands in it
    kind: str, # 'python' or 'text'
) -> str:
    "Return a block of code or output"
    ticks = '`'*max(3, 1 + max(map(len, re.findall('`+', text)), default=0))
    return f'{ticks}{kind}\n{text}\n{ticks}'

def shown(
    output: nbformat.NotebookNode, # of a code cell
) -> str: # '' where there is none
    "Return the text of an output as Markdown"
    if output.output_type=='error': return fence(f'{output.ename}: {output.evalue}', 'text')
    if 'text/markdown' in output.get('data', {}): return output.data['text/markdown']
    text = re.sub(r'\x1b\[[\d;]*m', '', plain(output))
    return fence(text, 'text') if text else ''

def code_cell(
    c: nbformat.NotebookNode, # as `readme.page` gives it
) -> str:
    "Write a code cell: source, text that came out, and what its picture shows"
    source = '' if c.metadata.transient['remove_source'] else fence(c.source.rstrip(), 'python')
    picture = f'*Picture: {alt(c)}*' if alt(c) else ''
    return '\n\n'.join(o for o in [source, *map(shown, c.outputs), picture] if o)

def without_folds(
    text: str, # Markdown with choices that unfold
) -> str:
    "Keep the choices of a question, and drop what they unfold to: learners choose before they look"
    text = re.sub(r'<details><summary>An answer</summary>.*?</details>\s*', '', text, flags=re.S)
    choice = lambda m: f"- {unescape(re.sub(r'</?code>', '`', m[1]))}\n"
    return re.sub(r'<details><summary>(.*?)</summary>.*?</details>\s*', choice, text, flags=re.S)

def without_pictures(
    text: str, # Markdown
) -> str:
    "Put descriptions in the place of pictures"
    text = re.sub(r'!\[([^\]]*)\]\([^)]*\)', r'*Picture: \1*', text)
    return re.sub(r'<img\b[^>]*?\balt="([^"]*)"[^>]*>', r'*Picture: \1*', text)

def twin(
    nb: nbformat.NotebookNode,      # a notebook
    link: Callable[[str, bool], str], # gives a link as it has to be
) -> str:
    "Write a notebook as Markdown: what its page shows, with alt texts in place of pictures"
    parts = []
    for c in page(nb).cells:
        text = code_cell(c) if c.cell_type=='code' else change_links(without_pictures(without_folds(c.source)), link)
        parts.append(text.strip())
    return '\n\n'.join(o for o in parts if o) + '\n'

def plain_reference(
    text: str, # a page of `reference`
) -> str:
    "Turn Sphinx's directives and roles into plain Markdown"
    text = re.sub(r'```\{py:module\}.*?```\n*', '', text, flags=re.S)
    text = re.sub(r'^:{3,}\{py:(\w+)\} (.+)\n((?::\w+:\n)*)', lambda m: f'### `{m[2]}`\n', text, flags=re.M)
    text = re.sub(r'^:{3,}\n', '', text, flags=re.M)
    text = re.sub(r'\{py:obj\}`([^`<]+?) <[^`]*>`', r'`\1`', text)
    return re.sub(r'\n{3,}', '\n\n', text)

# ---- links ----

class Links:
    "Where links lead from a twin: to other twins, to pages without one, and to files of the repository"
    def __init__(self,
        root: Path,             # of the repository
        dest: Path,             # folder of the website
        pages: dict[str, Path], # name of each page, and its notebook
    ):
        self.root = root.resolve()
        self.dest = dest
        self.names = {v.resolve(): k for k,v in pages.items()}

    def of(self,
        name: str,  # of the page that the links stand on
        path: Path, # its notebook
    ) -> Callable[[str, bool], str]:
        "Return a function that turns a link as written into one that holds"
        def link(to, html):
            if outside(to): return to
            file,*anchor = to.split('#')
            full = (path.parent/file).resolve()
            page = self.names.get(full)
            if page: goal = f'{page}.md' if has_twin(page) else f'{page}.html'
            else: goal = self.copied(full)
            return '#'.join([relpath(goal, dirname(name) or '.'), *anchor])
        return link

    def copied(self,
        full: Path, # a file of the repository
    ) -> str:
        "Copy a file to the website, and return its place there"
        goal = f'files/{full.relative_to(self.root).as_posix()}'
        (self.dest/goal).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(full, self.dest/goal)
        return goal

def to_twins(
    text: str, # Markdown of a page that is no notebook
) -> str:
    "Change links to pages into links to their twins"
    def link(to, html):
        if outside(to): return to
        page,*anchor = to.split('#')
        kind = '.html' if SOLVED in page else '.md'
        return '#'.join([re.sub(r'\.(ipynb|html)$', kind, page), *anchor])
    text = change_links(text, lambda to,html: to if to.startswith('<') else link(to, html))
    text = re.sub(r'\]\(<([^>]*)>\)', lambda m: f'](<{link(m[1], False)}>)', text)
    return re.sub(r'\[\]\(<([^>]*?)([^/>]+)\.md>\)', r'[\2](<\1\2.md>)', text)

# ---- llms.txt ----

def about(
    text: str, # a twin
) -> tuple[str, str]:
    "Return title and first line of a page"
    title = re.search(r'^# +(.+?)\s*$', text, re.M)
    said = re.search(r'^> +(\S.*?)\s*$', text, re.M) or re.search(r'^(?![#>|`])(\S.*?)\s*$', text, re.M)
    plain = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', said[1]) if said else ''
    return (title[1].replace('`', '') if title else ''),plain

def list_of_pages(
    intro: str,            # how llms.txt begins
    twins: dict[str, str], # name of each page, and its twin
) -> str:
    "Write llms.txt: what this is, where an assistant begins, and every page with its first line"
    line = lambda k: '- [{}]({}.md): {}'.format(about(twins[k])[0], k, about(twins[k])[1])
    order = sorted(twins, key=lambda o: (o!='before', o))
    groups = {title: [k for k in order if re.fullmatch(pat, k)] for title,pat in GROUPS.items()}
    rest = [k for k in order if not any(k in ks for ks in groups.values())]
    groups = {'Start here': rest, **groups}
    return intro + ''.join('\n## {}\n\n{}\n'.format(t, '\n'.join(map(line, ks))) for t,ks in groups.items() if ks)

def write(
    root: Path,             # of the repository
    dest: Path,             # folder of the website
    pages: dict[str, Path], # name of each page, and its notebook
    texts: dict[str, str],  # name of each page that is no notebook, and its Markdown
) -> list[str]:
    "Write the twins and llms.txt; return their names"
    links = Links(root, dest, pages)
    twins = {k: twin(nbformat.read(v, as_version=4), links.of(k, v)) for k,v in pages.items() if has_twin(k)}
    twins |= {k: to_twins(plain_reference(v)) for k,v in texts.items()}
    listed = list_of_pages((root/'docs'/'llms.md').read_text(encoding='utf-8'), twins)
    files = {f'{k}.md': v for k,v in twins.items()} | {'llms.txt': listed}
    files.setdefault('index.md', listed)
    for k,v in files.items():
        (dest/k).parent.mkdir(parents=True, exist_ok=True)
        (dest/k).write_text(v, encoding='utf-8')
    return [*files]
