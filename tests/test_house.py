"The walls of the house: imports run one way, nobody imports a private name, no private name has two meanings"
import ast
from collections import defaultdict

import pytest

# a module imports only from those before it; `course` stands apart
ORDER = '''checks files forks quiet movielens frames tables extremes vocab reading ratings_index ranking distances
metrics crowds folding bundle checkpoints loaders loops lookups one_hot dot_product create_params steps training
sharding features embedding_nn
side_features svdpp_training svdpp levels served list_models intervals baselines model_tables components interpretation
factor_map scoring evaluation lists newcomer_tables newcomer_rows newcomers feedback convert fastai_collab
choices answers list_answers page page_data page_view fitting two_models
distributed launch recommender command_line all'''.split()
COURSE = 'figures walk differences pages notes progress exercises standing'.split()
# these start without torch, fastai and matplotlib
LIGHT = '''checks files forks movielens frames tables extremes vocab reading ratings_index ranking distances
metrics crowds folding served list_models intervals bundle checkpoints launch feedback choices answers
list_answers components page page_data page_view recommender command_line'''.split()
HEAVY = {'torch', 'fastai', 'matplotlib', 'sklearn', 'scipy'}

@pytest.fixture(scope='module')
def trees(root):
    "{module: its syntax tree}, names as they follow `collab_course.`"
    lib = root/'collab_course'
    names = {'.'.join(o.relative_to(lib).with_suffix('').parts): o for o in lib.rglob('*.py') if o.name[0]!='_'}
    return {k: ast.parse(v.read_text(encoding='utf-8')) for k,v in names.items()}

def imported(name, tree):
    "(module, names) of each import of our own modules, wherever it stands"
    folder = name.split('.')[:-1]
    for o in ast.walk(tree):
        if isinstance(o, ast.Import):
            for a in o.names:
                if a.name.startswith('collab_course.'): yield a.name.split('.', 1)[1], []
        if isinstance(o, ast.ImportFrom):
            base = folder[:len(folder) - o.level + 1] if o.level else None
            mod = [*base, *filter(None, [o.module])] if o.level else (o.module or '').split('.')[1:]
            if not o.level and (o.module or '').split('.')[0]!='collab_course': continue
            if mod: yield '.'.join(mod), [a.name for a in o.names]
            else: yield from ((a.name, []) for a in o.names if a.name[0]!='_')

def test_each_module_has_its_place(trees):
    own = {o for o in trees if not o.startswith('course.')}
    assert own==set(ORDER)
    assert {o.split('.')[1] for o in trees if o.startswith('course.')
            and not o.startswith('course.practice')}==set(COURSE)

def test_imports_run_one_way(trees):
    place = {o: i for i,o in enumerate(ORDER)}
    bad = [(k, to) for k,t in trees.items() if k in place for to,_ in imported(k, t) if to and place[to]>=place[k]]
    assert not bad

def test_the_course_imports_nothing_of_the_library(trees):
    place = {f'course.{o}': i for i,o in enumerate(COURSE)}
    wing = {k: t for k,t in trees.items() if k in place}
    bad = [(k, to) for k,t in wing.items() for to,
           _ in imported(k, t) if to not in ('', 'course.practice') and place.get(to, 99)>=place[k]]
    back = [(k, to) for k,t in trees.items() if k in ORDER for to,_ in imported(k, t) if to.startswith('course')]
    assert not bad and not back

def test_nobody_imports_a_private_name(trees):
    assert not [(k, to, n) for k,t in trees.items() for to,
                ns in imported(k, t) for n in ns if n.startswith('_') and not n.startswith('__')]

def test_no_private_name_has_two_meanings(trees):
    homes = defaultdict(set)
    for k,t in trees.items():
        if k.startswith('course.practice.'): continue
        for o in t.body:
            if isinstance(o, (ast.FunctionDef, ast.ClassDef)) and o.name.startswith('_'): homes[o.name].add(k)
    assert not {n: ks for n,ks in homes.items() if len(ks)>1}

@pytest.mark.parametrize('name', LIGHT)
def test_a_light_module_imports_nothing_heavy(trees, name):
    seen = set()
    def top(stmts):
        for o in stmts:
            if isinstance(o, ast.If) and ast.unparse(o.test)=='TYPE_CHECKING': continue
            if isinstance(o, ast.Import): yield from (a.name.split('.')[0] for a in o.names)
            if isinstance(o, ast.ImportFrom) and not o.level: yield o.module.split('.')[0]
            if isinstance(o, ast.ImportFrom) and o.level:
                for to in ([o.module] if o.module else [a.name for a in o.names]): yield from reach(to)
    def reach(mod):
        if mod in seen or mod not in trees: return
        seen.add(mod)
        yield from top(trees[mod].body)
    assert not set(reach(name)) & HEAVY

def test_all_collects_the_library_and_nothing_of_the_course(trees):
    assert not [to for to,_ in imported('all', trees['all']) if to.startswith('course')]

def signatures(tree):
    "Each public function and method of public classes, with the name to show"
    for o in tree.body:
        if isinstance(o, ast.FunctionDef) and not o.name.startswith('_'): yield o.name, o
        if not isinstance(o, ast.ClassDef) or o.name.startswith('_'): continue
        for f in o.body:
            if isinstance(f, ast.FunctionDef) and (not f.name.startswith('_') or f.name=='__init__'):
                yield f'{o.name}.{f.name}', f

def test_every_public_signature_is_typed_and_each_parameter_has_its_comment(root):
    bad = []
    for path in sorted((root/'collab_course').rglob('*.py')):
        if path.name[0]=='_' or path.parent.name=='practice': continue
        text = path.read_text(encoding='utf-8')
        lines = text.splitlines()
        for name,f in signatures(ast.parse(text)):
            plain = f.args.posonlyargs + f.args.args + f.args.kwonlyargs
            asked = [a for a in plain if a.arg not in ('self', 'cls', 'ctx')]
            bad += [(path.stem, name, a.arg) for a in asked if a.annotation is None
                    or ' # ' not in lines[a.end_lineno-1]]
            inner = {id(o) for g in ast.walk(f) if isinstance(g, ast.FunctionDef) and g is not f for o in ast.walk(g)}
            gives = any(isinstance(o, ast.Return) and o.value is not None and id(o) not in inner for o in ast.walk(f))
            if gives and f.returns is None: bad.append((path.stem, name, 'return'))
            if not f.name.startswith('__') and ast.get_docstring(f) is None: bad.append((path.stem, name, 'docstring'))
    assert not bad
