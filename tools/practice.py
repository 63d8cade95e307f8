"Write pages and practice notebooks from the teacher's edition: `python tools/practice.py [NN…] [--check] [--pages]`"
import sys
from argparse import ArgumentParser
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))
from collab_course.course.pages import write_page

teaching = root/'nbs'/'teaching'
folder = root/'nbs'/'practice'
pages = root/'collab_course'/'course'/'practice'

INTRO = '''# Practice: {o.chapter} {o.title}

> {o.counts}, on [chapter {o.chapter}](../{o.chapter}_{o.name}.ipynb)

Write your answers where the `...` stand, run the cell, then the check below it. It shows what it got and what \
it expected, and never stops the notebook. Stuck? `ex.{first}.hint()` gives one hint after the other, \
`ex.{first}.solution()` shows one way to do it. To keep your progress, run `keep_progress()` before you begin.'''

END = '''## Where you stand

`keep_progress()` writes one file on this machine, from then on, and nothing leaves it. `forget_progress()` \
deletes the file.'''

def page(
    path,  # a notebook of nbs/teaching
):
    "The words of a chapter's practice, as its exercises read them"
    nb = nbformat.read(path, 4)
    try: return write_page([(c.cell_type, c.source) for c in nb.cells])
    except ValueError as e: raise SystemExit(f'nbs/teaching/{path.name}: {e}') from None

def cells(
    o,  # a `Practice`
):
    "(kind, text) of every cell of a practice notebook"
    md,code = (lambda t: ('markdown', t)),(lambda t: ('code', t))
    yield md(INTRO.format(o=o, first=o.bank[0].name))
    setup = f'\n{o.setup}' if o.setup else ''
    yield code('from collab_course.course.exercises import practice\n'
               'from collab_course.course.progress import forget_progress, keep_progress\n'
               f'from collab_course.course.standing import progress{setup}')
    yield code(f"ex = practice('{o.name}')\nex")
    for e in o.bank:
        yield md(f'## {e.title}')
        if e.text: yield md(e.text)
        yield code(e.stub)
        yield code(f'ex.{e.name}.check({e.name})')
    yield md('## Questions')
    yield md('Each choice unfolds and says why it is right or wrong. Choose before you look.')
    for n,q in enumerate(o.questions, 1): yield md(q.markdown(n))
    yield md("Your choices can be checked here too: write letters in quotes, such as `'b'`, or `'ac'` where more than "
             "one is right.")
    yield code('ex.mark({\n' + ''.join(f'    {n}: ...,\n' for n in o.with_choices) + '})')
    yield md(END)
    yield code(f"progress('{o.chapter}')")

def notebook(
    o,         # a `Practice`
    old=None,  # the notebook as it is: cells that stay the same keep their outputs
):
    "The practice notebook of a chapter"
    had = {(c.cell_type, c.source): c for c in old.cells} if old else {}
    make = dict(markdown=new_markdown_cell, code=new_code_cell)
    nb = new_notebook(metadata=dict(kernelspec=dict(display_name='python3', language='python', name='python3')))
    nb.cells = [had.get((k, t)) or make[k](t) for k,t in cells(o)]
    for i,c in enumerate(nb.cells): c.id = f'{o.name.replace("_", "-")}-{i:02}'
    return nb

def wanted(
    path,      # a notebook of nbs/teaching
    chapters,  # names such as dot_product or 03; none: all
):
    "Whether a chapter was asked for"
    return not chapters or path.stem in chapters or path.stem[:2] in chapters or path.stem[3:] in chapters

def write_pages(
    chapters,  # such as dot_product or 03; none: all
    check,     # True: write nothing
):
    "Names of the pages that were not what the teacher's edition says"
    bad = []
    for path in sorted(teaching.glob('*.ipynb')):
        if not wanted(path, chapters): continue
        to,text = pages/f'{path.stem[3:]}.md',page(path)
        if to.exists() and to.read_text(encoding='utf-8')==text: continue
        bad.append(to.relative_to(root).as_posix())
        if not check: to.write_text(text, encoding='utf-8', newline='\n')
    return bad

def write_notebooks(
    chapters,  # such as dot_product or 03; none: all
    check,     # True: write nothing
):
    "Names of the practice notebooks that were not what the library makes"
    # imports torch and reads the pages, so not before they are written
    from collab_course.course.exercises import practice, practices
    bad = []
    for o in [practice(c) for c in chapters] or practices():
        path = folder/f'{o.chapter}_{o.name}.ipynb'
        old = nbformat.read(path, 4) if path.exists() else None
        nb = notebook(o, old)
        if old and [(c.cell_type, c.source) for c in old.cells]==[(c.cell_type, c.source) for c in nb.cells]: continue
        bad.append(path.relative_to(root).as_posix())
        if not check:
            folder.mkdir(exist_ok=True)
            nbformat.write(nb, path)
    return bad

def main(
    args=None,  # command line; None: of this process
):
    "Writes, or with --check compares; 1 where something differs"
    p = ArgumentParser(description="Write the pages of nbs/teaching and the notebooks of nbs/practice.")
    p.add_argument('chapters', nargs='*', help='such as dot_product or 03 (default: all)')
    p.add_argument('--check', action='store_true', help='write nothing; say what is not as it would be written')
    p.add_argument('--pages', action='store_true', help='only the pages of words, which takes no second')
    a = p.parse_args(args)
    bad = write_pages(a.chapters, a.check)
    if not a.pages: bad += write_notebooks(a.chapters, a.check)
    for o in bad: print(f"{o}: {'is not what nbs/teaching makes: run `make practice`' if a.check else 'written'}")
    return int(a.check and bool(bad))

if __name__=='__main__': sys.exit(main())
