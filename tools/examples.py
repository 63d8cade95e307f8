"Find an example of each public name: the first cell that calls it, with what came out"
import ast, json, re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

MANY = 8   # lines of code that an example may have
LONG = 12  # lines of output that are shown
WIDE = 100 # characters of a line of output that are shown
HIDING = ('hide', 'include: false', 'echo: false')

@dataclass
class Example:
    "Code from a cell, and the text that the cell showed"
    path: Path    # notebook
    id: str       # of the cell
    code: str     # as it stands in the cell
    output: str   # '' where it showed no text
    picture: bool # did the cell draw something?

# ---- cells ----

@dataclass
class Cell:
    "A code cell: its source without directives, and what it showed"
    id: str
    source: str
    directives: list[str]
    outputs: list[dict] = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module: # empty where the cell isn't plain Python
        "The cell's syntax tree"
        try: return ast.parse(re.sub(r'^[%!].*$', 'pass', self.source, flags=re.M))
        except SyntaxError: return ast.Module([], [])

    @property
    def exported(self) -> bool:
        "Whether the library holds this cell"
        return any(o.split(':')[0].split()[0].startswith('export') for o in self.directives)

    @property
    def hidden(self) -> bool:
        "Whether a page leaves this cell out"
        return any(o in HIDING for o in self.directives)

    @property
    def text(self) -> str:
        "What the cell showed, as text"
        found = [plain(o) for o in self.outputs if o.get('name')!='stderr']
        return '\n'.join(o for o in found if o)

    @property
    def picture(self) -> bool:
        "Whether the cell drew something"
        return any('image/png' in o.get('data', {}) for o in self.outputs)

def joined(
    text: str | list[str], # as a notebook holds it
) -> str:
    "Return lines as one text"
    return ''.join(text)

def plain(
    output: dict, # of a cell
) -> str: # '' where the text only names an object
    "Return the text of an output"
    text = joined(output.get('text') or output.get('data', {}).get('text/plain', ''))
    only_a_name = re.fullmatch(r'<.*>', text.strip(), re.S)
    drawn = 'image/png' in output.get('data', {})
    return '' if only_a_name or drawn else text.rstrip()

def cell_of(
    cell: dict, # of a notebook
) -> Cell:
    "Return a code cell without its directives"
    lines = joined(cell['source']).splitlines()
    n = next((i for i,o in enumerate(lines) if o.strip() and not o.lstrip().startswith('#|')), len(lines))
    directives = [o.strip()[2:].strip() for o in lines[:n] if o.strip()]
    return Cell(cell.get('id', ''), '\n'.join(lines[n:]), directives, cell.get('outputs', []))

def cells(
    path: Path, # notebook
) -> list[Cell]:
    "Return the code cells of a notebook"
    found = json.loads(path.read_text(encoding='utf-8'))['cells']
    return [cell_of(o) for o in found if o['cell_type']=='code']

# ---- what a name stands for ----

def modules(
    lib: Path, # folder of the library
) -> dict[str, ast.Module]: # by names such as 'folding' or 'course.pages'
    "Parse the library's modules"
    paths = [o for o in sorted(lib.rglob('*.py')) if o.name[0]!='_' and o.parent.name!='practice']
    name = lambda o: '.'.join(o.relative_to(lib).with_suffix('').parts)
    return {name(o): ast.parse(o.read_text(encoding='utf-8')) for o in paths}

class Library:
    "The library's functions and classes by full name, and the class of what each returns"
    def __init__(self,
        trees: dict[str, ast.Module], # from `modules`
    ):
        self.defined = {k: [o.name for o in t.body if hasattr(o, 'name')] for k,t in trees.items()}
        self.classes = {o.name: f'{k}.{o.name}' for k,t in trees.items() for o in t.body
                        if isinstance(o, ast.ClassDef)}
        self.brought = {k: homes([o for o in t.body if isinstance(o, ast.ImportFrom)])
                        for k,t in trees.items()}
        self.front = {k: self.home(v) for k,v in self.brought.get('all', {}).items()}
        self.gives = {o: o for o in self.classes.values()}
        for module,tree in trees.items():
            for o in tree.body:
                self.note(f'{module}.', o)
                if isinstance(o, ast.ClassDef):
                    for f in o.body: self.note(f'{module}.{o.name}.', f)

    def home(self,
        full: str, # module and name
    ) -> str:
        "Return the full name where something is defined; a module may only pass it on"
        module,_,name = full.rpartition('.')
        if name in self.defined.get(module, [name]): return full
        return self.home(self.brought[module][name]) if name in self.brought[module] else full

    def note(self,
        prefix: str,    # of the full name
        node: ast.stmt, # a function, or something else
    ) -> None:
        "Keep the class that a function returns"
        if not isinstance(node, ast.FunctionDef) or node.returns is None: return
        said = node.returns.value if isinstance(node.returns, ast.Constant) else ast.unparse(node.returns)
        if said in self.classes: self.gives[prefix + node.name] = self.classes[said]

def homes(
    imports: list[ast.ImportFrom], # of a notebook or a module
) -> dict[str, str]: # such as {'ridge': 'folding.ridge'}
    "Return the full names of what is imported from the library"
    ours = [(o, re.sub(r'^collab_course\.?', '', o.module or '')) for o in imports
            if o.level or (o.module or '').split('.')[0]=='collab_course']
    return {a.asname or a.name: f'{module}.{a.name}' for o,module in ours for a in o.names}

class Names:
    "What the names of a notebook stand for: functions and classes of the library, and objects of its classes"
    def __init__(self,
        library: Library,  # what there is
        cs: list[Cell],    # of the notebook
    ):
        self.library = library
        brought = homes([o for c in cs for o in ast.walk(c.tree) if isinstance(o, ast.ImportFrom)])
        if brought.get('Recommender')=='.Recommender': brought['Recommender'] = library.front['Recommender']
        if 'all.*' in brought.values(): brought = library.front | brought
        self.full = {k: library.home(v) for k,v in brought.items() if k not in own_names(cs)}
        self.objects: dict[str, str | None] = {}

    def called(self,
        func: ast.expr, # what stands before the parentheses
    ) -> str: # such as 'folding.ridge'; '' where nobody knows
        "Name what is called"
        if isinstance(func, ast.Name): return self.full.get(func.id, '')
        if not isinstance(func, ast.Attribute): return ''
        owner = self.kind(func.value)
        return f'{owner}.{func.attr}' if owner else ''

    def kind(self,
        node: ast.expr, # any expression
    ) -> str | None:
        "Return the class of an expression's value, or the class that it names"
        if isinstance(node, ast.Call): return self.library.gives.get(self.called(node.func))
        if not isinstance(node, ast.Name): return None
        named = self.full.get(node.id)
        return self.objects.get(node.id) or (named if self.library.gives.get(named)==named else None)

    def learn(self,
        stmt: ast.stmt, # a statement that was run
    ) -> None:
        "Keep the classes of the names that a statement gives a value"
        if not isinstance(stmt, ast.Assign): return
        for o in stmt.targets:
            if isinstance(o, ast.Name): self.objects[o.id] = self.kind(stmt.value)

    def used(self,
        stmt: ast.stmt, # a statement
    ) -> set[str]:
        "Return the full names of what a statement calls, and of properties that it asks for"
        calls = [o.func for o in ast.walk(stmt) if isinstance(o, ast.Call)]
        asked = [o for o in ast.walk(stmt) if isinstance(o, ast.Attribute)]
        makers = [o.value for o in calls if isinstance(o, ast.Attribute)] # `EASE.fit(…)` makes an EASE
        classes = {*self.library.classes.values()} & {self.called(o) for o in makers}
        return ({self.called(o) for o in calls + asked} | classes) - {''}

# ---- the best cell for a name ----

def own_names(
    cs: list[Cell], # of a notebook
) -> set[str]:
    "Return functions and classes that a notebook defines without exporting them"
    return {o.name for c in cs if not c.exported for o in c.tree.body if hasattr(o, 'name')}

def lines_of(
    source: str,   # of a cell
    node: ast.AST, # a statement in it
) -> str:
    "Return a statement as it stands in a cell"
    return '\n'.join(source.splitlines()[node.lineno-1:node.end_lineno])

def clipped(
    text: str, # what a cell showed
) -> str:
    "Return the beginning of a text, with a mark where something is left out"
    lines = [o if len(o)<=WIDE else o[:WIDE-1] + '…' for o in text.splitlines()]
    return '\n'.join(lines if len(lines)<=LONG else [*lines[:LONG-1], '…'])

def rank(
    c: Cell,        # a cell
    stmt: ast.stmt, # the statement in it that calls a name
) -> int: # 0 is best
    "Say how good an example is: seen, and with what came out; then tests; then a value that isn't shown"
    last = stmt is c.tree.body[-1]
    shows = bool(c.text or c.picture)
    asserts = re.match(r'test_(eq|close|is|eq_type)\b|assert\b', ast.unparse(stmt))
    fails = 'test_fail' in ast.unparse(stmt)
    if hasattr(stmt, 'name'): return 6 # a function that the page defines
    if fails: return 5
    if not c.hidden and shows: return 0 if last else 1
    if asserts: return 2
    return 4 if c.hidden else 3

def shown_code(
    c: Cell,        # a cell
    stmt: ast.stmt, # the statement in it that calls a name
) -> str:
    "Return a short cell whole, or a statement of a long one"
    whole = c.source.strip('\n')
    if not c.hidden and len(whole.splitlines())<=MANY: return whole
    return lines_of(c.source, stmt)

def is_fit(
    code: str, # of an example
) -> bool:
    "Whether code is short enough and names nothing private"
    return len(code.splitlines())<=MANY and not re.search(r'(?<!\w)_[A-Za-z]\w*', code)

def uses(
    path: Path,       # notebook
    module: str,      # that it exports; '' for none
    library: Library, # what there is
) -> Iterator[tuple[str, int, Example]]: # full name, rank, example
    "Go through a notebook and give each use of a name of the library"
    cs = cells(path)
    names = Names(library, cs)
    for c in cs:
        if c.exported: names.full |= {o.name: f'{module}.{o.name}' for o in c.tree.body if hasattr(o, 'name')}
        for stmt in [] if c.exported else c.tree.body:
            names.learn(stmt)
            if isinstance(stmt, ast.Import | ast.ImportFrom): continue
            code = shown_code(c, stmt)
            if not is_fit(code): continue
            ends = stmt is c.tree.body[-1] or code==c.source.strip('\n')
            found = Example(path, c.id, code, clipped(c.text) if ends else '', c.picture and ends)
            for name in names.used(stmt): yield name,rank(c, stmt),found

def exports(
    path: Path, # notebook
) -> str: # '' for none
    "Return the module that a notebook exports"
    found = re.search(r'#\| *default_exp ([\w.]+)', path.read_text(encoding='utf-8'))
    return found[1] if found else ''

@dataclass
class Use:
    "A cell that calls a name of the library"
    name: str        # full, such as 'folding.ridge' or 'recommender.Recommender.fit'
    rank: int        # from `rank`
    own: bool        # does the notebook export the name?
    at: int          # place of the notebook in the order in which one looks
    example: Example

def all_uses(
    lib: Path,         # folder of the library
    paths: list[Path], # notebooks, in the order in which to look
) -> list[Use]:
    "Return each use of a name in notebooks"
    library = Library(modules(lib))
    return [Use(name, place, bool(module) and name.startswith(f'{module}.'), at, found)
            for at,path in enumerate(paths) for module in [exports(path)]
            for name,place,found in uses(path, module, library)]

def front_names(
    lib: Path, # folder of the library
) -> set[str]:
    "Return full names of what `from collab_course.all import *` brings"
    return {*Library(modules(lib)).front.values()}

def best(
    found: list[Use],  # from `all_uses`
    front: set[str],   # names that people call
) -> dict[str, Example]: # by full name
    "Return the best example of each name: what people call by the lessons first, the rest by its own page"
    def key(o):
        called = any(o.name==f or o.name.startswith(f'{f}.') for f in front)
        return o.rank, not (called or o.own), o.example.code.count('\n')>2, o.at
    res = {}
    for o in found:
        if o.name not in res or key(o)<key(res[o.name]): res[o.name] = o
    return {k: o.example for k,o in res.items()}
