"Write the practice notebooks from the teacher's edition: `python tools/practice.py [NN…] [--check]`"
import sys
from argparse import ArgumentParser
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))
from collab_course.course.exercises import practice, practices

folder = root/'nbs'/'practice'

INTRO = '''# Practice: {o.chapter} {o.title}

> {o.counts}, on [chapter {o.chapter}](../{o.chapter}_{o.name}.ipynb)

Write your answers where the `...` stand, run the cell, then the check below it. It says what came and what was expected, and never stops the notebook. Stuck? `ex.{first}.hint()` gives one hint after the other, `ex.{first}.solution()` shows one way to do it. If the course is to remember what you do, run `keep_progress()` before you begin.'''

END = '''## Where you stand

`keep_progress()` writes one file on this machine, from then on, and nothing leaves it. `forget_progress()` deletes the file.'''

def cells(
    o,  # a `Practice`
):
    "(kind, text) of every cell of a practice notebook"
    md,code = (lambda t: ('markdown', t)),(lambda t: ('code', t))
    yield md(INTRO.format(o=o, first=o.exercises[0].name))
    yield code('from collab_course.course.exercises import practice\nfrom collab_course.course.progress import progress, keep_progress, forget_progress' + (f'\n{o.setup}' if o.setup else ''))
    yield code(f"ex = practice('{o.name}')\nex")
    for e in o.exercises:
        yield md(f'## {e.title}')
        if e.text: yield md(e.text)
        yield code(e.stub)
        yield code(f'ex.{e.name}.check({e.name})')
    yield md('## Questions')
    yield md('Each choice unfolds and says why it is right or wrong. Choose before you look.')
    for n,q in enumerate(o.questions, 1): yield md(q.markdown(n))
    yield md("Your choices can be checked here too: write letters in quotes, such as `'b'`, or `'ac'` where more than one is right.")
    yield code('ex.mark({\n' + ''.join(f'    {n}: ...,\n' for n,q in enumerate(o.questions, 1) if q.choices) + '})')
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

def main(
    args=None,  # command line; None: of this process
):
    "Writes, or with --check compares; 1 where something differs"
    p = ArgumentParser(description='Write nbs/practice from the exercises and questions of the library.')
    p.add_argument('chapters', nargs='*', help='such as dot_product or 03 (default: all)')
    p.add_argument('--check', action='store_true', help='write nothing; say which notebook is not what would be written')
    a,bad = p.parse_args(args),[]
    for o in [practice(c) for c in a.chapters] or practices():
        path = folder/f'{o.chapter}_{o.name}.ipynb'
        old = nbformat.read(path, 4) if path.exists() else None
        nb = notebook(o, old)
        if old and [(c.cell_type, c.source) for c in old.cells]==[(c.cell_type, c.source) for c in nb.cells]: continue
        bad.append(path.name)
        if not a.check:
            folder.mkdir(exist_ok=True)
            nbformat.write(nb, path)
    if bad: print('\n'.join(f"nbs/practice/{o}: {'is not what the library makes: run `make practice`' if a.check else 'written'}" for o in bad))
    return int(a.check and bool(bad))

if __name__=='__main__': sys.exit(main())
