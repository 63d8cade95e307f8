"A notebook as Sphinx reads it: only what a page shows, plumbing folded, and the box at its end"
import re, sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

sys.path.insert(0, str(Path(__file__).parent))
from colab import buttons
from links import beside, site_link
from path import MAP, Chapter, Course, imports, plumbing
from readme import alt, change_links, page

# below the heading of a practice
RUN = ('<p class="run">You can answer the questions on this page. To write code and have it checked, '
       '<a href="../index.html#run">run the course yourself</a>.</p>')

def undescribed(
    pages: dict[str, Path], # from `path.sources`
) -> list[tuple[str, str]]:
    "Pictures that nothing describes, as (page, id of the cell)"
    shows = lambda c: any('image/png' in o.get('data', {}) for o in c.get('outputs', []))
    return [(k, c.id) for k,v in pages.items() for c in page(nbformat.read(v, as_version=4)).cells if shows(c)
            and not alt(c)]

def code_cell(
    c: NotebookNode, # a code cell
) -> None:
    "Change a cell to what MyST-NB wants: folded source by tag, alt text by metadata"
    tag = 'remove-input' if c.metadata.transient['remove_source'] else 'hide-input' if plumbing(c) else None
    meta = {'tags': [tag]} if tag else {}
    shown = dict(image=dict(alt=alt(c))) if alt(c) else {}
    if tag and imports(c): shown['code_prompt_show'] = 'Show the imports'
    if shown: meta['mystnb'] = shown
    c.metadata = nbformat.from_dict(meta)

def change_output_links(
    c: NotebookNode,            # a code cell
    link: Callable[[str], str], # gives where a link to a notebook leads from now on
) -> None:
    "Change links to notebooks in what a cell shows"
    for o in c.outputs:
        if 'text/html' not in o.get('data', {}): continue
        found = r"""(<a\b[^>]*?\bhref=["'])([^"':]+\.ipynb)"""
        o.data['text/html'] = re.sub(found, lambda m: m[1] + link(m[2]), o.data['text/html'])

def is_silent(
    c: NotebookNode, # a cell, as `readme.page` gives it
) -> bool:
    "Whether it is folded code that shows nothing"
    return c.cell_type=='code' and plumbing(c) and not c.outputs and not c.metadata.transient['remove_source']

def joined(
    cells: list[NotebookNode], # as `readme.page` gives them
) -> list[NotebookNode]:
    "Make one cell of neighbours that are folded and show nothing"
    res = []
    for c in cells:
        if res and is_silent(res[-1]) and is_silent(c):
            res[-1].source += f'\n\n{c.source}'
            res[-1].metadata['jupyter'] = dict(source_hidden=True)
        else: res.append(c)
    return res

def next_page(
    chapter: Chapter, # of the course
    course: Course, # its chapters and their order
) -> str|None:
    "Name of what comes after a chapter and its practice; after the last chapter a project, or None"
    names = [o.name for o in course.chapters] + course.projects
    after = names[names.index(chapter.name)+1:]
    return after[0] if after else None

def next_box(
    chapter: Chapter|None, # None where the page is none
    course: Course, # its chapters and their order
) -> str:
    "Markdown of the box at a chapter's end: its practice, what comes next, its reference"
    if chapter is None: return ''
    to = lambda text,page,end: f'[{text}](<{beside(f"{page}.{end}", chapter.name)}>)'
    practice,after = course.practices.get(chapter.practice),next_page(chapter, course)
    apis = [(o, f'api/{o.replace(".", "/")}') for o in chapter.reference]
    own = practice and course.owner(practice.name) is chapter
    rows = dict(Practice=to(practice.counts if own else practice.title, practice.name, 'ipynb') if practice else '',
                Next=to(course.titles[after], after, 'ipynb') if after else '',
                Reference=', '.join(to(f'`{o}`', page, 'md') for o,page in apis if page in course.titles))
    words = dict(Next='Next' if after in course.projects else 'Next chapter')
    shown = ''.join(f':::{{container}} next-{k.lower()}\n**{words.get(k, k)}**\n\n{v}\n:::\n'
                    for k,v in rows.items() if v)
    return f'::::{{container}} next-box\n{shown}::::' if shown else ''

def without_next_line(
    text: str, # Markdown
) -> str:
    "Markdown without the line that says what comes next: a box says it"
    return re.sub(r'^\*\*Next\*\* · .*\n?', '', text, flags=re.M).rstrip()

def site_page(
    name: str, # of a page
    nb: NotebookNode, # its notebook, as `readme.page` gives it
    pages: dict[str, Path], # from `path.sources`
    course: Course, # its chapters and their order
    repo: str|None, # owner/name on GitHub, or None
    branch: str, # that the notebooks are on
    files: dict[str, Path], # gets the files that are linked to
) -> None:
    "Give the notebook links that hold on the website, buttons at its top and a box at its end"
    nb.metadata.language_info['pygments_lexer'] = 'ipython3'
    box = next_box(next((o for o in course.chapters if o.name==name), None), course)
    nb.cells = joined(nb.cells)
    for c in nb.cells:
        if c.cell_type=='code':
            code_cell(c)
            change_output_links(c, lambda to: site_link(to, True, name, pages, files))
        else: c.source = change_links(c.source, lambda to,html: site_link(to, html, name, pages, files))
    if box:
        for c in nb.cells: c.source = c.source if c.cell_type=='code' else without_next_line(c.source)
        nb.cells = [c for c in nb.cells if c.source or c.cell_type=='code']
        nb.cells.append(new_markdown_cell(box, id='next-box'))
    if name.startswith('practice/'): nb.cells.insert(1, new_markdown_cell(RUN, id='run'))
    if name==MAP: nb.cells[0].source = re.sub(r'^# .*', f'# {course.titles[MAP]}', nb.cells[0].source)
    if bar := buttons(name, repo, branch): nb.cells.insert(1, new_markdown_cell(bar, id='open-in'))
    if name.startswith('teaching/'): nb.metadata['no-search'] = True  # solutions stay out of what is found
