"Make the pages of the library reference from the source, with an example of each name from a notebook"
import ast, io, json, re, tokenize
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from posixpath import dirname, relpath

from examples import Example, Library, all_uses, best, homes, modules

# what one does with it; other classes have a plain table of methods
TASKS = {'Recommender': {
    'Train': 'fit update from_model from_shards from_parts',
    'Ask': 'recommend recommend_all predict similar similar_users',
    'Serve newcomers': 'fold_in',
    'Explain': 'explain',
    'Measure': 'evaluate',
    'Keep and show': 'save load without_history to_html',
    'Look inside': 'users items user_vectors item_vectors classes model dls feedback n_train user_name item_name',
}}

# what learners call of the course itself
STUDY = ('course.exercises.practice', 'course.progress.keep_progress', 'course.progress.forget_progress',
         'course.standing.progress')

def slug(
    title: str, # text of a heading
) -> str:
    "Return the name that JupyterLab gives to a heading, for links"
    return title.strip().replace(' ', '-')

def md(
    text: str, # plain, with names in backticks
) -> str: # also for a cell of a table
    "Return Markdown that shows `text` as it is"
    parts = re.split(r'(`[^`]+`)', text)
    parts[::2] = [re.sub(r'([\\*_$<>\[\]{}~#])', r'\\\1', o) for o in parts[::2]]
    return ''.join(parts).replace('|', r'\|')

def code(
    text: str, # '' gives ''
) -> str: # for a cell of a table
    "Return a name or an expression as code"
    return f'`{text}`'.replace('|', r'\|') if text else ''

# ---- what is in a module ----

class Source:
    "A module's text, its tree, the comments by line, and the cell that each line comes from"
    def __init__(self,
        path: Path, # a module that was exported from a notebook
    ):
        text = Path(path).read_text(encoding='utf-8')
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        self.path = Path(path)
        self.tree = ast.parse(text)
        self.comments = {o.start[0]: o.string[1:].strip() for o in tokens if o.type==tokenize.COMMENT}
        marks = {k: re.fullmatch(r'%% (\S+\.ipynb) #(\S+)', o) for k,o in self.comments.items()}
        self.cells = [(k, *m.groups()) for k,m in marks.items() if m]

    @property
    def name(self) -> str: # such as 'folding' or 'course.pages'
        "Name of the module inside the library"
        parts = self.path.with_suffix('').parts
        return '.'.join(parts[parts.index('collab_course')+1:])

    @cached_property
    def public(self) -> list[str]:
        "Names in `__all__` that aren't private"
        found = [o.value for o in self.tree.body if isinstance(o, ast.Assign)
                 and getattr(o.targets[0], 'id', '')=='__all__']
        names = [o.value for o in found[0].elts] if found and isinstance(found[0], ast.List) else []
        return [o for o in names if not o.startswith('_')]

    def cell(self,
        node: ast.AST, # of the tree
    ) -> tuple[Path, str] | None:
        "Return notebook and id of the cell that `node` was written in"
        before = [o for o in self.cells if o[0]<node.lineno]
        return ((self.path.parent/before[-1][1]).resolve(), before[-1][2]) if before else None

    def nodes(self) -> list[tuple[str, ast.stmt]]:
        "Return the public names that are defined here, in their order, each with its tree"
        return [(n, o) for o in self.tree.body for n in given_names(o) if n in self.public]

    def passed_on(self) -> dict[str, str]: # such as {'SVDpp': 'svdpp_training.SVDpp'}
        "Return the public names that come from other modules, with their full names"
        imports = [o for o in self.tree.body if isinstance(o, ast.ImportFrom)]
        return {k: v for k,v in homes(imports).items() if k in self.public}

def given_names(
    node: ast.stmt, # of a module
) -> list[str]:
    "Return the names that a statement defines"
    if hasattr(node, 'name'): return [node.name]
    targets = getattr(node, 'targets', None) or [getattr(node, 'target', None)]
    return [o.id for t in targets for o in getattr(t, 'elts', [t]) if isinstance(o, ast.Name)]

def decorators(
    node: ast.FunctionDef, # a function
) -> set[str]:
    "Return the names of a function's decorators"
    return {getattr(getattr(o, 'func', o), 'id', '') for o in node.decorator_list}

def is_property(
    node: ast.FunctionDef, # a function of a class
) -> bool:
    "Check whether a function is asked for without parentheses"
    return bool(decorators(node) & {'property', 'cached_property'})

def methods(
    node: ast.ClassDef, # a class
) -> list[ast.FunctionDef]:
    "Return the public methods and properties of a class, and what a call of its object does"
    found = [o for o in node.body if isinstance(o, ast.FunctionDef)]
    return [o for o in found if not o.name.startswith('_') or o.name=='__call__']

def init_of(
    node: ast.ClassDef, # a class
) -> ast.FunctionDef | None:
    "Return the function that makes an object, if the class has one"
    return next((o for o in node.body if isinstance(o, ast.FunctionDef) and o.name=='__init__'), None)

@dataclass
class Argument:
    "One argument, or one field of a class"
    name: str
    node: ast.AST | None          # None: a star alone
    default: ast.expr | None=None # None: there is none

def arguments(
    f: ast.FunctionDef, # a function
    method: bool,       # of a class, so that the first one is its object?
) -> list[Argument]:
    "Return the arguments of a function, without `self`"
    a = f.args
    plain = a.posonlyargs + a.args
    defaults = [None]*(len(plain) - len(a.defaults)) + a.defaults
    found = [Argument(o.arg, o, d) for o,d in zip(plain, defaults)]
    if method and 'staticmethod' not in decorators(f): found = found[1:]
    if a.vararg: found.append(Argument(f'*{a.vararg.arg}', a.vararg))
    elif a.kwonlyargs: found.append(Argument('*', None))
    found += [Argument(o.arg, o, d) for o,d in zip(a.kwonlyargs, a.kw_defaults)]
    return found + ([Argument(f'**{a.kwarg.arg}', a.kwarg)] if a.kwarg else [])

def fields(
    node: ast.ClassDef, # a class
) -> list[Argument]:
    "Return the fields that a class declares"
    found = [o for o in node.body if isinstance(o, ast.AnnAssign) and not o.target.id.startswith('_')]
    return [Argument(o.target.id, o, o.value) for o in found]

def type_text(
    node: ast.expr | None, # an annotation
) -> str: # '' where there is none
    "Write an annotation; a class named in quotes loses them, the choices of a Literal keep theirs"
    text = ast.unparse(node) if node else ''
    return text if 'Literal[' in text else re.sub(r"'([\w.]+)'", r'\1', text)

def signature(
    args: list[Argument],       # from `arguments`
    ret: ast.expr | None=None,  # what comes back
) -> str:
    "Write a signature without types, but for what comes back"
    shown = [o.name if o.default is None else f'{o.name}={ast.unparse(o.default)}' for o in args]
    gives = f' -> {type_text(ret)}' if ret else ''
    return f'({", ".join(shown)}){gives}'

def doc(
    node: ast.AST, # module, class or function
) -> str:
    "Return a docstring as Markdown"
    return md((ast.get_docstring(node) or '').replace('\n', ' '))

def table(
    head: list[str],       # names of the columns
    rows: list[list[str]], # Markdown of each cell
) -> str: # '' where there is no row
    "Write a Markdown table without the columns that are empty"
    if not rows: return ''
    kept = [i for i in range(len(head)) if i in (0, len(head)-1) or any(o[i] for o in rows)]
    lines = [[o[i] for i in kept] for o in [head, ['---']*len(head), *rows]]
    return ''.join(f'| {" | ".join(o)} |\n' for o in lines)

def argument_table(
    src: Source,          # where they stand
    args: list[Argument], # with the comment on each line
    kind: str,            # 'parameter' or 'field'
) -> str:
    "Write a table of arguments, a row each"
    rows = [[code(o.name), code(type_text(getattr(o.node, 'annotation', None))),
             code(ast.unparse(o.default)) if o.default else '', md(src.comments.get(o.node.lineno, ''))]
            for o in args if o.node]
    return table([kind, 'type', 'default', 'what it is'], rows)

def returns(
    src: Source,         # where it stands
    f: ast.FunctionDef,  # a function
) -> str: # '' where its signature has no comment
    "Say what a function returns, in words"
    at = f.returns.end_lineno if f.returns else f.body[0].lineno
    said = src.comments.get(at) if at<f.body[0].lineno else None
    return f'\nReturns: {md(said)}\n' if said else ''

def headings(
    nb: dict, # a notebook
) -> dict[str, tuple[str, str] | None]: # by ids of cells
    "Return title and link name of the heading above each cell"
    res,seen,last = {},{},None
    for c in nb['cells']:
        if c['cell_type']=='markdown':
            for t in re.findall(r'^#{1,4} +(.+?)\s*$', ''.join(c['source']), flags=re.M):
                name = slug(re.sub(r'[`*]', '', t))
                n = seen[name] = seen.get(name, -1) + 1
                last = (t, f'{name}-{n}' if n else name)
        res[c.get('id')] = last
    return res

# ---- pages ----

def directive(
    kind: str,            # such as 'function'
    sig: str,             # name and arguments
    body: str,            # Markdown
    options: tuple=(),    # such as 'classmethod'
    fence: str=':::',     # more colons than what is inside
) -> str:
    "Write a Sphinx directive of the Python domain"
    said = ''.join(f':{o}:\n' for o in options)
    return f'{fence}{{py:{kind}}} {sig}\n{said}\n{body}\n{fence}\n\n'

def ref(
    full: str,  # module and name
    shown: str, # what the link says
) -> str:
    "Write a link to a name of the reference"
    return f'{{py:obj}}`{shown} <collab_course.{full}>`'

@dataclass
class Shelf:
    "Everything that the pages of the reference need to know about the others"
    pages: dict[str, Path]                   # name of each page on the site, and its notebook
    found: dict[str, Example]                # examples by full name
    lessons: dict[str, Example]              # the first lesson that calls a name
    front: set[str]                          # full names of what people call
    modules: dict[str, Source]               # the library's modules by name
    root: Path                               # of the repository
    repo: str | None=None                    # owner/name on GitHub
    branch: str='main'                       # that the library is on
    heads: dict[Path, dict]=field(default_factory=dict) # of the notebooks read so far

    @cached_property
    def names(self) -> dict[Path, str]:
        "The page of each notebook"
        return {v: k for k,v in self.pages.items()}

    def heading(self,
        path: Path, # notebook
        id: str,    # of a cell
    ) -> tuple[str, str] | None:
        "Return title and link name of the heading above a cell"
        if path not in self.heads:
            self.heads[path] = headings(json.loads(path.read_text(encoding='utf-8'))) if path.exists() else {}
        return self.heads[path].get(id)

    def link(self,
        page: str,  # that has the link
        path: Path, # notebook that it leads to
        id: str,    # of a cell in it
    ) -> str: # '' where the notebook has no page
        "Write a link to the heading above a cell, with the page's number or name before it"
        head,name = self.heading(path, id),self.names.get(path)
        if not head or not name: return ''
        number = re.match(r'\d\d', path.stem)
        before = f'{number[0]} ' if number and not re.match(r'\d\d', head[0]) else ''
        return f'[{before}{head[0]}](<{relpath(f"{name}.ipynb", dirname(page))}#{head[1]}>)'

    def github(self,
        src: Source,    # a module
        node: ast.stmt, # something in it
    ) -> str: # '' where nobody knows the address
        "Write a link to the lines on GitHub"
        if not self.repo: return ''
        path = src.path.relative_to(self.root).as_posix()
        lines = f'L{node.lineno}-L{node.end_lineno}'
        return f'[source](https://github.com/{self.repo}/blob/{self.branch}/{path}#{lines})'

    def example(self,
        page: str, # that shows it
        full: str, # module and name
    ) -> str: # '' where there is none
        "Write an example, what came out, and where it stands"
        o = self.found.get(full)
        if not o: return ''
        where = self.link(page, o.path, o.id)
        if not where: return ''
        out = f'\n```text\n{o.output}\n```\n' if o.output else ''
        drawn = ', where it draws a picture' if o.picture else ''
        return f'\n```python\n{o.code}\n```\n{out}\nExample from {where}{drawn}'

    def more(self,
        page: str,      # that shows it
        src: Source,    # its module
        node: ast.stmt, # a function or a class
        full: str,      # its module and name
    ) -> list[str]:
        "Write links to the lesson that calls a name first, and to its source"
        o,shown = self.lessons.get(full),self.found.get(full)
        lesson = self.link(page, o.path, o.id) if o and o!=shown else ''
        return [f'Lesson: {lesson}' if lesson else '', self.github(src, node)]

    def below(self,
        page: str,      # that shows it
        src: Source,    # its module
        node: ast.stmt, # a function or a class
        full: str,      # its module and name
    ) -> str:
        "Write what stands below a description: an example, and where there is more"
        said = [self.example(page, full), *self.more(page, src, node, full)]
        text = ' · '.join(o for o in said if o)
        return f'\n{text}\n' if text else ''

def function(
    src: Source,         # its module
    f: ast.FunctionDef,  # its tree
    page: str,           # that shows it
    shelf: Shelf,        # the other pages
    owner: str='',       # class of a method, with a dot
) -> str:
    "Write a function or method: signature, docstring, parameters, what it returns, an example"
    full = f'{src.name}.{owner}{f.name}'
    shown = shelf.below(page, src, f, full)
    if is_property(f): return directive('property', f'{owner}{f.name}', f'{doc(f)}\n{shown}')
    args = arguments(f, bool(owner))
    options = tuple(o for o in ('classmethod', 'staticmethod') if o in decorators(f))
    body = f'{doc(f)}\n\n{argument_table(src, args, "parameter")}{returns(src, f)}{shown}'
    kind = 'method' if owner else 'function'
    return directive(kind, f'{owner}{f.name}{signature(args, f.returns)}', body, options)

def by_task(
    node: ast.ClassDef, # a class
) -> dict[str, list[ast.FunctionDef]]:
    "Return what an object can do by task, where there are tasks"
    there = {o.name: o for o in methods(node)}
    if node.name not in TASKS: return {'': list(there.values())}
    return {k: [there[o] for o in v.split() if o in there] for k,v in TASKS[node.name].items()}

def overview(
    src: Source,         # its module
    node: ast.ClassDef,  # a class
) -> str:
    "Write a table of what an object can do"
    row = lambda o: [ref(f'{src.name}.{node.name}.{o.name}', f'{o.name}' + ('' if is_property(o) else '()')), doc(o)]
    rows = [r for task,fs in by_task(node).items() for r in [*([[f'**{task}**', '']] if task else []), *map(row, fs)]]
    return table(['call', 'what it does'], rows)

def klass(
    src: Source,         # its module
    node: ast.ClassDef,  # its tree
    page: str,           # that shows it
    shelf: Shelf,        # the other pages
) -> str:
    "Write a class: what it can do at a glance, how it is made, its fields and its methods"
    inner = ''.join(function(src, o, page, shelf, f'{node.name}.') for fs in by_task(node).values() for o in fs)
    init = init_of(node)
    made = arguments(init, True) if init else fields(node)
    held = argument_table(src, fields(node), 'field') if init else ''
    full = f'{src.name}.{node.name}'
    parts = [doc(node), overview(src, node), argument_table(src, made, 'parameter' if init else 'field'), held,
             shelf.below(page, src, node, full)]
    body = '\n\n'.join(o for o in parts if o)
    return directive('class', node.name + (signature(made) if made else ''), body, fence='::::') + inner

def data(
    src: Source,    # its module
    name: str,      # a public name
    node: ast.stmt, # the line that gives it its value
) -> str:
    "Write a public name that is neither function nor class"
    return directive('data', name, md(src.comments.get(node.end_lineno, '')))

def entry(
    src: Source,    # its module
    name: str,      # a public name
    node: ast.stmt, # its tree
    page: str,      # that shows it
    shelf: Shelf,   # the other pages
) -> str:
    "Write a public name of a module"
    if isinstance(node, ast.ClassDef): return klass(src, node, page, shelf)
    if isinstance(node, ast.FunctionDef): return function(src, node, page, shelf)
    return data(src, name, node)

def contents(
    src: Source,      # a module
    names: list[str], # of it
) -> str: # '' for one name, which is seen anyway
    "Write a table of functions and classes, a line each"
    found = [(n, o) for n,o in src.nodes() if n in names and hasattr(o, 'name')]
    rows = [[ref(f'{src.name}.{n}', n if isinstance(o, ast.ClassDef) else f'{n}()'), doc(o)] for n,o in found]
    return table(['name', 'what it does'], rows) + '\n' if len(rows)>1 else ''

def of_others(
    src: Source,  # a module
    shelf: Shelf, # the other pages
) -> str: # '' where there is nothing
    "Write a table of the names that a module passes on from others"
    rows = []
    for name,full in src.passed_on().items():
        module,_,at_home = full.rpartition('.')
        node = dict(shelf.modules[module].nodes())[at_home] if module in shelf.modules else None
        if node: rows.append([ref(full, name), f'`{module}`', doc(node)])
    return '## From other modules\n\n' + table(['name', 'module', 'what it does'], rows) + '\n' if rows else ''

def built_in(
    src: Source,  # a module
    page: str,    # that shows it
    shelf: Shelf, # the other pages
) -> str: # '' where no page shows its source
    "Say on which page a module is built"
    paths = [(src.path.parent/o[1]).resolve() for o in src.cells]
    path = next((o for o in paths if o in shelf.names), None)
    if path is None: return ''
    words = 'in the chapter' if path.parent.name=='nbs' else 'on the page'
    return f'Built {words} [](<{relpath(f"{shelf.names[path]}.ipynb", dirname(page))}>), where its source stands.\n\n'

def sections(
    src: Source,      # a module
    names: list[str], # of it
    page: str,        # that shows them
    shelf: Shelf,     # the other pages
    level: str='##',  # of the headings
) -> str:
    "Write names in the sections of the notebook that builds them"
    text,last = '',None
    for name,node in src.nodes():
        if name not in names: continue
        cell = src.cell(node)
        head = cell and shelf.heading(*cell)
        if head and head!=last:
            link = shelf.link(page, *cell)
            text += f'{level} {head[0]}\n\n' + (f'Source: {link}\n\n' if link else '')
            last = head
        text += entry(src, name, node, page, shelf)
    return text

def module_page(
    src: Source,  # a module with public names
    page: str,    # its name on the site
    shelf: Shelf, # the other pages
) -> str:
    "Write a module's page: first what people call, then what the library calls itself"
    said = (ast.get_docstring(src.tree) or '').split('\n\n')
    text = f'# {src.name}\n\n' + '\n\n'.join(md(o.replace('\n', ' ')) for o in said) + '\n\n'
    text += built_in(src, page, shelf) + f'```{{py:module}} collab_course.{src.name}\n```\n\n'
    here = [n for n,_ in src.nodes()]
    first = [o for o in here if f'{src.name}.{o}' in shelf.front]
    rest = [o for o in here if o not in first]
    if not first or not rest:
        return text + contents(src, src.public) + sections(src, src.public, page, shelf) + of_others(src, shelf)
    text += contents(src, first) + sections(src, first, page, shelf) + of_others(src, shelf)
    text += '## Inside the module\n\nThe library itself calls these.\n\n'
    return text + contents(src, rest) + sections(src, rest, page, shelf, '###')

# ---- the overview ----

def with_links(
    text: str,              # Markdown with names in backticks
    homes: dict[str, str],  # full name of what each word stands for
) -> str:
    "Turn names of the library into links"
    word = lambda m: ref(homes[m[1]], m[1]) if m[1] in homes else m[0]
    parts = re.split(r'(^```.*?^```)', text, flags=re.S|re.M)
    parts[::2] = [re.sub(r'`([\w.]+)`', word, o) for o in parts[::2]]
    return ''.join(parts)

def start_page(
    lib: Path,              # folder of the library
    sources: list[Source],  # modules with public names
    front: set[str],        # full names of what people call
) -> str:
    "Write the overview: what the package's docstring says, with links, and a table of the modules"
    said = ast.get_docstring(ast.parse((lib/'__init__.py').read_text(encoding='utf-8')))
    intro = said.split('\nModules:\n')[0].split('\n\n', 1)
    names = {o.name: o.name for o in sources} | {o.rpartition('.')[2]: o for o in front if '.' in o}
    known = [(f'{o.name}.{n}', node) for o in sources for n,node in o.nodes() if isinstance(node, ast.ClassDef)]
    names |= {f'{c.name}.{f.name}': f'{full}.{f.name}' for full,c in known if full in front for f in methods(c)}
    rows = [[f'[{o.name}](<{o.name.replace(".", "/")}.md>)', doc_line(o)] for o in sources]
    body = with_links(intro[1], names).replace('\nWhere to look:\n', '\n## Where to look\n')
    return (f'# Library reference\n\n{md(intro[0])}\n\n## Start here\n\n{body}'
            + '\n\n## All modules\n\n' + table(['module', 'what is in it'], rows))

def doc_line(
    src: Source, # a module
) -> str:
    "Return the first line of a module's docstring as Markdown"
    return md((ast.get_docstring(src.tree) or '').split('\n\n')[0].replace('\n', ' '))

def library(
    lib: Path, # its folder
) -> list[Source]:
    "Return the modules with public names; exercises aren't among them"
    paths = [o for o in sorted(lib.rglob('*.py')) if o.name[0]!='_' and o.stem!='all' and o.parent.name!='practice']
    return [o for o in map(Source, paths) if o.public]

def reading_order(
    pages: dict[str, Path], # name of each page on the site, and its notebook
) -> list[Path]:
    "Return the notebooks to look for examples in: lessons, then pages of library and course, then the index"
    kinds = [r'\d\d_\w+', 'library/.*', 'course/.*', 'index|map']
    return [v for o in kinds for k,v in sorted(pages.items()) if re.fullmatch(o, k)]

def shelf(
    root: Path,                 # of the repository
    notebooks: dict[str, Path], # name of each page on the site, and its notebook
    repo: str | None=None,      # owner/name on GitHub, for links to the source
    branch: str='main',         # that the library is on
) -> Shelf:
    "Find examples and lessons of all names"
    lib = root/'collab_course'
    there = Library(modules(lib))
    front = {*STUDY, *there.front.values()}
    found = all_uses(there, reading_order(notebooks))
    lessons = [o for o in found if re.match(r'\d\d_', o.example.path.name) and o.example.path.parent==root/'nbs']
    by_name = {o.name: o for o in library(lib)}
    return Shelf(notebooks, best(found, front), best(lessons, front), front, by_name, root, repo, branch)

def pages(
    shelf: Shelf, # from `shelf`
) -> dict[str, str]: # by names such as 'api/folding'
    "Write all pages of the reference, the overview `api/index` first"
    sources = [*shelf.modules.values()]
    res = {'api/index': start_page(shelf.root/'collab_course', sources, shelf.front)} if sources else {}
    for o in sources:
        page = f'api/{o.name.replace(".", "/")}'
        res[page] = module_page(o, page, shelf)
    return res
