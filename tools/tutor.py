"Write the page for assistants that tutor: how to help, and which mistakes the checks recognize; no solutions"
import ast, re, sys
from configparser import ConfigParser
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from collab_course.course.pages import Page, read_page, write_page

def teaching(
    root: Path, # of the repository
) -> list[nbformat.NotebookNode]:
    "Read the teacher's notebooks in their order"
    return [nbformat.read(o, as_version=4) for o in sorted((root/'nbs'/'teaching').glob('*.ipynb'))]

def code_trees(
    nb: nbformat.NotebookNode, # of the teacher's edition
) -> list[ast.stmt]:
    "Return the statements of its code cells"
    return [o for c in nb.cells if c.cell_type=='code' for o in ast.parse(c.source).body]

def decorated(
    nb: nbformat.NotebookNode, # of the teacher's edition
) -> list[tuple[ast.stmt, str, ast.expr]]: # function or class, the decorator as text and as a tree
    "Return what is decorated, once for each decorator"
    return [(o, ast.unparse(d), d) for o in code_trees(nb) for d in getattr(o, 'decorator_list', [])]

def solutions(
    nb: nbformat.NotebookNode, # of the teacher's edition
) -> dict[str, ast.stmt]: # by name
    "Return the solution of each exercise"
    return {o.name: o for o,text,_ in decorated(nb) if text.startswith('ex.exercise')}

def in_chapter(
    nb: nbformat.NotebookNode, # of the teacher's edition
) -> set[str]:
    "Return the exercises that the chapter itself asks"
    return {o.name for o,text,_ in decorated(nb) if text.startswith('ex.exercise') and 'in_chapter=True' in text}

def mistakes(
    nb: nbformat.NotebookNode, # of the teacher's edition
) -> dict[str, list[str]]: # by exercise
    "Return what the checks say of mistakes that they recognize"
    given = {o.targets[0].id: o.value for o in code_trees(nb) if isinstance(o, ast.Assign)
             and isinstance(o.targets[0], ast.Name)}
    found = [(text.split('.')[1], ast.literal_eval(given.get(getattr(call.args[0], 'id', ''), call.args[0])))
             for _,text,call in decorated(nb) if '.mistake(' in text]
    found += [pair for o in code_trees(nb) if isinstance(o, ast.For) for pair in in_loop(o)]
    return {name: [said for n,said in found if n==name] for name,_ in found}

def in_loop(
    node: ast.For, # over tuples of a wrong answer and what the check says of it
) -> list[tuple[str, str]]: # exercise, what is said
    "Return the mistakes that a loop makes, if it makes some"
    name = re.search(r'ex\.(\w+)\.mistake\(', ast.unparse(node))
    if not name: return []
    rows = [[e.value for e in o.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
            for o in getattr(node.iter, 'elts', []) if isinstance(o, ast.Tuple)]
    return [(name[1], max(o, key=len)) for o in rows if o]

def words(
    nb: nbformat.NotebookNode, # of the teacher's edition
) -> Page:
    "Return title and exercises of a chapter"
    return read_page(write_page([(c.cell_type, c.source) for c in nb.cells]))

def chapter(
    nb: nbformat.NotebookNode, # of the teacher's edition
) -> str:
    "Write a chapter's exercises with the number of hints and the mistakes that their checks recognize"
    said,known,asked = words(nb),mistakes(nb),in_chapter(nb)
    text = f'### {said.chapter} {said.title}\n\n'
    for name,o in said.words.items():
        mark = ', asked in the chapter' if name in asked else ''
        text += f'**`ex.{name}`**: {o.title} ({len(o.hints)} hints{mark})\n\n'
        text += ''.join(f'- {m[:1].upper()}{m[1:]}\n' for m in known.get(name, [])) + '\n'
    return text

def versions(
    root: Path, # of the repository
) -> dict[str, str]:
    "Return the versions that the course asks for, in words"
    ini = ConfigParser()
    ini.read(root/'settings.ini', encoding='utf-8')
    said = ini['DEFAULT']
    main = [o.replace('>=', ' ') for o in said['requirements'].split() if o.startswith(('fastai', 'torch', 'pandas'))]
    return dict(python=said['min_python'], versions=', '.join(main) + ' or newer')

def page(
    root: Path,             # of the repository
    map: str='index.ipynb', # page that the map of the course is on
) -> str:
    "Write the page"
    text = (root/'docs'/'tutor.md').read_text(encoding='utf-8')
    for k,v in dict(versions(root), map=map).items(): text = text.replace(f'{{{k}}}', v)
    return text + '\n' + ''.join(chapter(o) for o in teaching(root))
