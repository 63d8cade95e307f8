"Make pages of the API reference from the source: signatures, docstrings and the comment on each parameter"
import ast, io, json, re, tokenize
from pathlib import Path

def slug(
    title,  # text of a heading
):
    "The name that JupyterLab gives to a heading, for links"
    return title.strip().replace(' ', '-')

def md(
    text,  # plain, with names in backticks
):
    "`text` as Markdown that shows it as it is, also in a cell of a table"
    parts = re.split(r'(`[^`]+`)', text)
    parts[::2] = [re.sub(r'([\\*_$<>\[\]{}~#])', r'\\\1', o) for o in parts[::2]]
    return ''.join(parts).replace('|', r'\|')

class Source:
    "A module's text, its tree, the comments by line, and the cell that each line comes from"
    def __init__(self,
        path,  # a module that was exported from a notebook
    ):
        self.path,text = Path(path),Path(path).read_text(encoding='utf-8')
        self.tree = ast.parse(text)
        comments = [o for o in tokenize.generate_tokens(io.StringIO(text).readline) if o.type==tokenize.COMMENT]
        self.comments = {o.start[0]: o.string[1:].strip() for o in comments}
        self.cells = [(l, *m.groups()) for l,o in self.comments.items()
                      if (m := re.fullmatch(r'%% (\S+\.ipynb) #(\S+)', o))]

    def public(self):
        "Names in `__all__`"
        found = [o.value for o in self.tree.body if isinstance(o, ast.Assign)
                 and getattr(o.targets[0], 'id', '')=='__all__']
        return [o.value for o in found[0].elts] if found and isinstance(found[0], ast.List) else []

    def cell(self,
        node,  # of the tree
    ):
        "Notebook and id of the cell that `node` was written in, or None"
        before = [o for o in self.cells if o[0]<node.lineno]
        return ((self.path.parent/before[-1][1]).resolve(), before[-1][2]) if before else None

def _decorators(f): return {getattr(getattr(o, 'func', o), 'id', ''): o for o in f.decorator_list}

def _patched(f):
    "The class that a function with `@patch` becomes a method of"
    return getattr(f.args.args[0].annotation, 'id', None) if 'patch' in _decorators(f) and f.args.args else None

def _shown(f): return (f.name[0]!='_' or f.name in ('__call__',)) and 'overload' not in _decorators(f)

def classes(
    src,  # `Source`
):
    "Return {public class: its methods} and functions in their order; a patched class of another module has no tree"
    funs = [o for o in src.tree.body if isinstance(o, (ast.FunctionDef, ast.AsyncFunctionDef))]
    own = {o.name: (o, [f for f in o.body if isinstance(f, ast.FunctionDef) and _shown(f)]) for o in src.tree.body
           if isinstance(o, ast.ClassDef) and o.name in src.public()}
    for f in funs:
        c = _patched(f)
        if c and c[0]!='_' and _shown(f): own.setdefault(c, (None, []))[1].append(f)
    return own,[o for o in funs if o.name in src.public() and not _patched(o)]

def _args(f, method):
    "Arguments with their defaults, without `self`; None is a star alone"
    a = f.args
    plain = a.posonlyargs + a.args
    ds = [None]*(len(plain) - len(a.defaults)) + a.defaults
    res = [(o.arg, o, d) for o,d in zip(plain, ds)][1 if method and 'staticmethod' not in _decorators(f) else 0:]
    if a.vararg: res.append(('*'+a.vararg.arg, a.vararg, None))
    elif a.kwonlyargs: res.append(('*', None, None))
    res += [(o.arg, o, d) for o,d in zip(a.kwonlyargs, a.kw_defaults)]
    return res + ([('**'+a.kwarg.arg, a.kwarg, None)] if a.kwarg else [])

def _fields(c):
    "The fields of a dataclass or a named tuple, as arguments"
    return [(o.target.id, o, o.value) for o in c.body if isinstance(o, ast.AnnAssign)]

def signature(
    args,     # from `_args`
    ret=None, # tree of what is returned
):
    "A signature without types, but for the type returned"
    return f"({', '.join(n if d is None else f'{n}={ast.unparse(d)}' for n,_,d in args)})" + (f' -> {ast.unparse(ret)}'
        if ret else '')

def _table(src, args):
    "Markdown table of arguments, a row each"
    rows = [(n, ast.unparse(o.annotation) if o.annotation else '', '' if d is None else ast.unparse(d),
             src.comments.get(o.lineno, '')) for n,o,d in args if o]
    if not rows: return ''
    code = lambda o: f'`{o}`'.replace('|', r'\|') if o else ''
    cols = [0, *([1] if any(o[1] for o in rows) else []), *([2] if any(o[2] for o in rows) else []), 3]
    shown = [[code(n), code(t), code(d), md(c)] for n,t,d,c in rows]
    line = lambda row: f"| {' | '.join(row[i] for i in cols)} |\n"
    return line(['parameter', 'type', 'default', 'what it is']) + line(['---']*4) + ''.join(map(line, shown))

def _returns(src, f):
    "What a function returns, in words, where its signature has a comment for it"
    c = src.comments.get(f.returns.end_lineno) if f.returns and f.returns.end_lineno<f.body[0].lineno else None
    return f'\nReturns: {md(c)}\n' if c else ''

def _doc(node): return md((ast.get_docstring(node) or '').replace('\n', ' '))

def _directive(kind, sig, body, options=(), fence=':::'):
    "A Sphinx directive of the Python domain"
    return f"{fence}{{py:{kind}}} {sig}\n" + ''.join(f':{o}:\n' for o in options) + f'\n{body}\n{fence}\n\n'

def function(
    src,           # `Source`
    f,             # its tree
    lesson,        # gives a link to the lesson for a tree
    owner='',      # class of a method
):
    "A function or method: signature, docstring, parameters, what it returns"
    decs = _decorators(f)
    if 'property' in decs: return _directive('property', f'{owner}{f.name}', _doc(f))
    args = _args(f, bool(owner))
    names = {'cls_method', *decs} if 'cls_method=True' in map(ast.unparse,
                                                              getattr(decs.get('patch'), 'keywords', [])) else set(decs)
    options = [o for o,on in (('classmethod', names & {'classmethod', 'cls_method'}),
                              ('staticmethod', 'staticmethod' in names)) if on]
    body = f"{_doc(f)}\n\n{_table(src, args)}{_returns(src, f)}{'' if owner else lesson(f)}"
    return _directive('method' if owner else 'function', f'{owner}{f.name}{signature(args, f.returns)}', body, options)

def klass(
    src,     # `Source`
    name,    # of the class
    node,    # its tree; None: it is of another module
    methods, # trees of what it can do
    lesson,  # gives a link to the lesson for a tree
):
    "A class: how it is made and its public methods"
    inner = ''.join(function(src, f, lesson, owner=f'{name}.') for f in methods)
    if node is None: return inner
    init = next((o for o in node.body if isinstance(o, ast.FunctionDef) and o.name=='__init__'), None)
    args = _args(init, True) if init else _fields(node)
    return _directive('class', name + (signature(args) if args else ''),
                      f'{_doc(node)}\n\n{_table(src, args)}{lesson(node)}', fence='::::') + inner

def _constants(src):
    "Public names that are neither functions nor classes"
    known = {o.name for o in src.tree.body if hasattr(o, 'name')}
    return ''.join(_directive('data', n, md(_comment_of(src, n))) for n in src.public() if n not in known)

def _comment_of(src, name):
    node = next((o for o in src.tree.body if isinstance(o, ast.Assign) and getattr(o.targets[0], 'id', '')==name), None)
    return src.comments.get(node.end_lineno, '') if node else ''

def headings(
    nb,  # a notebook as a dict
):
    "{id of a cell: (title, link name) of the heading above it}"
    res,seen,last = {},{},None
    for c in nb['cells']:
        if c['cell_type']=='markdown':
            for t in re.findall(r'^#{1,4} +(.+?)\s*$', ''.join(c['source']), flags=re.M):
                name = slug(re.sub(r'[`*]', '', t))
                n = seen[name] = seen.get(name, -1) + 1
                last = (t, f'{name}-{n}' if n else name)
        res[c.get('id')] = last
    return res

def page(
    path,   # a module
    where,  # gives the name of a notebook's page, as seen from the reference, or None where it has no page
):
    "Markdown of a module's page, or None where nothing in it is public"
    src = Source(path)
    own,funs = classes(src)
    if not src.public(): return None
    nbs = {}
    def lesson(node):
        cell = src.cell(node)
        if not cell or not (to := where(cell[0])): return ''
        heads = nbs.setdefault(cell[0],
                               headings(json.loads(cell[0].read_text(encoding='utf-8')))) if cell[0].exists() else {}
        title,name = heads.get(cell[1]) or (None, None)
        kind = 'Lesson' if cell[0].parent.name=='nbs' else 'Page'
        return f'\n{kind}: [{title}](<{to}#{name}>)\n' if title else ''
    module = f'collab_course.{".".join(path.with_suffix("").parts[path.parts.index("collab_course")+1:])}'
    sources = [(path.parent/o[1]).resolve() for o in src.cells]
    built = next(((o, to) for o in sources if (to := where(o))), None)
    words = 'in the chapter' if built and built[0].parent.name=='nbs' else 'on the page'
    parts = [(o.lineno, function(src, o, lesson))
             for o in funs] + [(c[0].lineno if c[0] else 10**9, klass(src, n, *c, lesson)) for n,c in own.items()]
    top = f'# {module.split(".", 1)[1]}\n\n{_doc(src.tree)}\n\n' + (f'Built {words} [](<{built[1]}>).\n\n'
        if built else '')
    return f'{top}```{{py:module}} {module}\n```\n\n{_constants(src)}' + ''.join(t for _,
        t in sorted(parts, key=lambda o: o[0]))
