"What people and machines read of the library: reference, examples, docstrings, twins of the pages, llms.txt"
import ast, re
from importlib import import_module
from posixpath import dirname, join, normpath

import docs, nbformat, pytest, reference, tutor, twins
from examples import all_uses, best, cells, front_names
from examples import modules as parsed

import collab_course
from collab_course import Recommender
from collab_course.course.pages import read_page, solution_name
from collab_course.tables import planted_ratings

# exceptions are raised, not called
NO_EXAMPLE = {'bundle.BundleError'}
# these answers are one call that the course shows elsewhere, since it teaches this call
SHOWN_ANYWAY = {'make_learner'}

@pytest.fixture(scope='module')
def notebooks(): return docs.sources()

@pytest.fixture(scope='module')
def texts(notebooks):
    "{name of a page without a notebook: its Markdown}, on GitHub under someone/course"
    return docs.written(notebooks, 'someone/course', 'main')

@pytest.fixture(scope='module')
def read(root, notebooks, texts, tmp_path_factory):
    "{name of a file: its text}, all that is written for machines"
    dest = tmp_path_factory.mktemp('twins')
    return {o: (dest/o).read_text(encoding='utf-8') for o in twins.write(root, dest, notebooks, texts)}

@pytest.fixture(scope='module')
def front(root): return front_names(root/'collab_course')

@pytest.fixture(scope='module')
def examples(root, notebooks, front):
    return best(all_uses(root/'collab_course', reference.reading_order(notebooks)), front)

@pytest.fixture(scope='module')
def modules(root): return {o.name: o for o in reference.library(root/'collab_course')}

# ---- pages of the reference ----

TOY = '''"""About *toys*"""
__all__ = ['size', 'f', 'C']
# %% ../nbs/01_x.ipynb #abc
size = 3 # How large
def f(
    a, # First | of two, with `x|y`
    b:int=2, # Second
    *,
    c='<c>', # Third
)->float: # A number
    "Does it"
class C:
    "A thing"
    kind: 'str' # Which one
    def __init__(self,
        n, # How many
    ): pass
    def _hidden(self): pass
    @property
    def size(self):
        "Of it"
    def run(self,
        fast:Literal[True, 'no']=True, # Quickly?
    ):
        "Runs"
def not_public(x): pass
'''

@pytest.fixture
def toy(tmp_path):
    "Markdown of a small module"
    path = tmp_path/'collab_course'/'toy.py'
    path.parent.mkdir()
    path.write_text(TOY)
    shelf = reference.Shelf({}, {}, {}, set(), {}, tmp_path)
    return reference.module_page(reference.Source(path), 'api/toy', shelf)

@pytest.mark.parametrize('text', [
    '# toy', r'About \*toys\*', "{py:function} f(a, b=2, *, c='<c>') -> float", 'Returns: A number',
    r'| `a` |  |  | First \| of two, with `x\|y` |', '| `b` | `int` | `2` | Second |', '{py:class} C(n)',
    '{py:method} C.run(fast=True)', '{py:property} C.size',
    '| `kind` | `str` | Which one |', "| `fast` | `Literal[True, 'no']` | `True` | Quickly? |", '{py:data} size', '| {py:obj}`run() <collab_course.toy.C.run>` | Runs |'])
def test_reference_of_a_module(toy, text): assert text in toy

def test_private_names_are_nowhere(toy, texts):
    assert 'hidden' not in toy and 'not_public' not in toy
    assert not [(k, m) for k,v in texts.items() if k.startswith('api/')
                for m in re.findall(r'\{py:\w+\} [\w.]*\b_[a-z]\w*|^ *(?:.*\W)?_[a-z]\w*\(', v, re.M)]

def test_every_public_name_is_in_the_reference(modules, texts):
    miss = [f'{k}.{n}' for k,o in modules.items() for n in o.public
            if not re.search(rf'\{{py:\w+\}} {n}\b|`{n} <collab_course', texts[f'api/{k.replace(".", "/")}'])]
    assert len(modules)>50 and not miss

def test_every_link_to_a_name_arrives(modules, texts):
    there = {k for k in modules}
    for k in modules:
        page = texts[f'api/{k.replace(".", "/")}']
        there |= {f'{k}.{n}' for n in re.findall(r'^:::+\{py:\w+\} ([\w.]+)', page, re.M)}
    links = [(k, to) for k,v in texts.items() for to in re.findall(r'\{py:obj\}`[^`]*<collab_course\.([^>]*)>`', v)]
    assert len(links)>1000 and not [o for o in links if o[1] not in there]

def test_the_class_shows_what_one_does_with_it_first(texts):
    page = texts['api/recommender']
    calls = {k for k,v in vars(Recommender).items() if not k.startswith('_')} & {*re.findall(r'\w+',
        ' '.join(reference.TASKS['Recommender'].values()))}
    shown = [k for k in vars(Recommender) if not k.startswith('_')]
    assert calls=={*shown}
    assert page.index('**Train**')<page.index('{py:method} Recommender.fit')<page.index('## Inside the module')
    assert all(page.count(f'`{o}() <collab')==1 or page.count(f'`{o} <collab')==1 for o in shown)

def test_the_reference_leads_to_lesson_and_source(root, texts):
    page = texts['api/folding']
    assert 'Lesson: [09 ' in page and 'Source: [One row](<../library/folding.ipynb#One-row>)' in page
    start,end = map(int, re.search(r'blob/main/collab_course/folding\.py#L(\d+)-L(\d+)\)', page).groups())
    lines = (root/'collab_course'/'folding.py').read_text(encoding='utf-8').splitlines()[start-1:end]
    assert lines[0]=='def scores_of('

def test_the_overview_names_every_module(modules, texts):
    rows = re.findall(r'^\| \[([\w.]+)\]\(<(\S+)\.md>\) \| (.+) \|$', texts['api/index'], re.M)
    assert [o[0] for o in rows]==[*modules]
    assert not [o for o in rows if f'api/{o[1]}' not in texts or not o[2]]

# ---- examples ----

def test_what_people_call_has_an_example(examples, front):
    methods = [f'recommender.Recommender.{k}' for k in vars(Recommender) if not k.startswith('_')]
    asked = {*front, *reference.STUDY, *methods} - NO_EXAMPLE
    assert len(asked)>80 and not asked - {*examples}

def test_examples_stand_in_their_notebooks(examples):
    by_path = {o.path: None for o in examples.values()}
    for path in by_path: by_path[path] = {c.id: c for c in cells(path)}
    for name,o in examples.items():
        cell = by_path[o.path][o.id]
        assert o.code in cell.source, name
        assert not cell.exported, name
        shown = [l.rstrip('…') for l in o.output.splitlines()]
        assert all(l in cell.text for l in shown), name

def test_an_example_is_short_and_not_private(examples):
    assert not [k for k,o in examples.items() if len(o.code.splitlines())>8 or re.search(r'(?<!\w)_[a-z]', o.code)]

@pytest.fixture
def small(tmp_path):
    "A function that finds the example of a name in a notebook of some cells, each a source or (source, output)"
    lib = tmp_path/'collab_course'
    lib.mkdir()
    (lib/'all.py').write_text('from .m import f, C\n')
    (lib/'m.py').write_text('def f(x) -> int: pass\nclass C:\n    def go(self): pass\ndef made() -> C: pass\n')
    def find(name, *sources):
        nb = nbformat.v4.new_notebook()
        for o in sources:
            source,text = (o, '') if isinstance(o, str) else o
            c = nbformat.v4.new_code_cell(source)
            if text: c.outputs = [nbformat.v4.new_output('execute_result', {'text/plain': text})]
            nb.cells.append(c)
        nbformat.write(nb, tmp_path/'01_x.ipynb')
        return best(all_uses(lib, [tmp_path/'01_x.ipynb']), set()).get(name)
    return find

FROM = 'from collab_course.all import *'

def test_the_first_cell_that_shows_what_comes_out_is_the_example(small):
    o = small('m.f', FROM, 'y = f(1)', ('f(2)', '7'), ('f(3)', '8'))
    assert (o.code, o.output)==('f(2)', '7')

def test_a_long_cell_gives_its_statement(small):
    o = small('m.f', FROM, ('\n'.join(f'a{i} = {i}' for i in range(9)) + '\nf(2)', '7'))
    assert (o.code, o.output)==('f(2)', '7')

def test_a_test_is_better_than_a_value_that_nobody_sees(small):
    assert small('m.f', FROM, 'y = f(1)', '#| hide\ntest_eq(f(2), 7)').code=='test_eq(f(2), 7)'

def test_methods_are_known_by_how_their_object_was_made(small):
    made = 'from collab_course.m import made'
    assert small('m.C.go', FROM, made, 'c = made()', ('c.go()', '7')).code=='c.go()'
    assert small('m.C.go', FROM, 'c = C()', ('c.go()', '7')).code=='c.go()'
    assert small('m.C.go', FROM, 'c = other()', ('c.go()', '7')) is None

def test_a_name_that_the_page_defines_itself_is_another(small):
    assert small('m.f', FROM, 'def f(x): return x', ('f(2)', '2')) is None
    assert small('m.f', ('f(2)', '2')) is None

def test_private_names_make_no_example(small): assert small('m.f', FROM, ('f(_hidden)', '7')) is None

# ---- docstrings ----

WORDS = {'allowed', 'exclude', 'ex', 'get_emb_sz', 'collab_learner', 'Learner'}  # of arguments, of fastai

def said(name):
    "Docstring of a module, by its name inside the library; '' for the library itself"
    return import_module(f'collab_course.{name}'.rstrip('.')).__doc__

@pytest.fixture(scope='module')
def there(root):
    "All names of the library, alone and behind their module or class"
    trees = parsed(root/'collab_course')
    names = {*trees, *(k.split('.')[-1] for k in trees), 'all', 'command_line', 'course', 'practice'}
    for k,tree in trees.items():
        for o in tree.body:
            for n in reference.given_names(o):
                names |= {n, f'{k}.{n}', f'{k.split(".")[-1]}.{n}'}
            if isinstance(o, ast.ClassDef):
                own = [f.name for f in o.body if isinstance(f, ast.FunctionDef)]
                names |= {n for f in own for n in (f, f'{o.name}.{f}')}
    return names

def test_each_module_says_what_is_where(modules):
    assert not [k for k in modules if len(said(k).split('\n\n'))<2]
    assert not [k for k in modules for l in said(k).splitlines()[2:] if len(l)>100]

def test_names_in_docstrings_exist(modules, there):
    texts = {k: re.sub(r'```.*?```', '', said(k), flags=re.S) for k in [*modules, '', 'course']}
    words = [(k, o) for k,v in texts.items() for o in re.findall(r'`([A-Za-z][\w.]*)`', v)]
    bad = [(k, o) for k,o in words if o.removeprefix('collab_course.') not in there | WORDS]
    assert len(words)>300 and not bad

def test_the_package_lists_every_module(modules):
    listed = re.findall(r'^- `collab_course\.([\w.]+)`: (.+)$', collab_course.__doc__.split('\nModules:\n')[1], re.M)
    assert not {*modules} - {k for k,_ in listed}
    assert not [(k, line) for k,line in listed if k in modules and not said(k).startswith(line)]

def test_the_five_lines_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ratings = planted_ratings(n_users=200, n_items=190, n_ratings=6000, skew=0, rating_range=(1, 5), step=1,
                              seed=0).ratings
    code, = re.findall(r'```python\n(.*?)```', collab_course.__doc__, re.S)
    names = dict(ratings=ratings)
    exec(code, names)
    last = ast.unparse(ast.parse(code).body[-1].value)
    again = eval(last, names)
    assert again.recommend(196).equals(names['rec'].recommend(196))
    assert code in (docs.root/'docs'/'llms.md').read_text(encoding='utf-8')

def test_arguments_with_comments_are_one_call_away():
    from fastcore.docments import DocmentText
    assert 'DocmentText(Recommender.fit)' in collab_course.__doc__
    assert '# One row a rating' in str(DocmentText(Recommender.fit))

# ---- twins ----

def test_every_page_has_a_twin_but_those_with_solutions(notebooks, texts, read):
    asked = {f'{k}.md' for k in {*notebooks, *texts} if not k.startswith('teaching/')}
    assert asked | {'llms.txt', 'index.md'}=={*read}

def test_a_twin_has_text_code_output_and_what_pictures_show(read):
    text = read['01_one_hot.md']
    assert text.startswith('# 01 One-hot vectors and lookups\n') and '```python\n' in text and '```text\n' in text
    assert '*Picture: ' in read['06_interpretation.md']
    assert not [k for k,v in read.items() if re.search(r'^#\|', v, re.M) and k!='course/pages.md']

def test_questions_keep_their_choices_and_not_what_they_unfold_to(root, read):
    text = read['practice/01_one_hot.md']
    page = read_page((root/'collab_course'/'course'/'practice'/'one_hot.md').read_text(encoding='utf-8'))
    assert '<details>' not in text and '**Right.**' not in text
    first = page.questions[0]
    assert all(f'- {letter}) {choice}' in text for letter,(choice,_) in zip(first.letters, first.choices))
    assert not [why for q in page.questions for _,why in q.choices if why in text]

def test_links_of_twins_arrive(notebooks, read, root):
    pages = {f'{k}.html' for k in notebooks}
    bad = []
    for k,v in read.items():
        text = re.sub(r'^(`{3,}).*?^\1$|`[^`\n]+`', '', v, flags=re.S|re.M)
        for to in re.findall(r'\]\(<?([^)\s>]+)', text):
            if re.match(r'[a-z]+:|#', to): continue
            full = normpath(join(dirname(k), to.split('#')[0]))
            there = full in read or full in pages or (root/full.removeprefix('files/')).is_file()
            if not there: bad.append((k, to))
    assert not bad

def test_no_directive_is_left_in_a_twin(read):
    assert not [k for k,v in read.items() if '{py:' in v or ':::' in re.sub(r'`[^`]*`', '', v)]
    assert '### `ridge(X, y, penalty, centre) -> np.ndarray`' in read['api/folding.md']

def test_llms_txt_lists_every_twin_once(read):
    text = read['llms.txt']
    assert re.match(r'# collab_course\n\n> \S', text)
    listed = re.findall(r'^- \[[^\]]+\]\(([^)]+)\): \S', text, re.M)
    assert sorted(listed)==sorted({*read} - {'llms.txt', *([] if 'index.md' in listed else ['index.md'])})

# ---- solutions ----

def bare(text):
    "Code without comments and white space"
    return re.sub(r'\s', '', re.sub(r'#.*', '', text))

def bodies(nb):
    "{name of an exercise: what the body of each function of its solution says}"
    res = {}
    for name,node in tutor.solutions(nb).items():
        source = next(c.source for c in nb.cells if c.cell_type=='code' and f' {name}(' in c.source
                      and solution_name(c.source)==name)
        fs = [node] if isinstance(node, ast.FunctionDef) else [o for o in node.body if isinstance(o, ast.FunctionDef)]
        kept = [o.body[1:] if ast.get_docstring(o) else o.body for o in fs]
        lines = [[ast.get_source_segment(source, o) for o in body] for body in kept if body]
        res[name] = [bare('\n'.join(o)) for o in lines]
    return res

def test_no_solution_is_in_what_assistants_read(root, read):
    texts = {k: bare(v) for k,v in read.items()}
    found,tried = set(),0
    for nb in tutor.teaching(root):
        for name,parts in bodies(nb).items():
            tried += 1
            if parts and any(all(o in v for o in parts) for v in texts.values()): found.add(name)
    assert tried>100 and found==SHOWN_ANYWAY

def test_a_solution_would_be_found(root):
    nb = tutor.teaching(root)[1]
    code = next(c.source for c in nb.cells if c.cell_type=='code' and solution_name(c.source)=='one_hot_lookup')
    assert all(o in bare(f'text\n```python\n{code}\n```') for o in bodies(nb)['one_hot_lookup'])

# ---- the page for assistants ----

def test_the_page_for_assistants_names_every_exercise_and_its_hints(root, texts):
    text = texts['tutor']
    for nb in tutor.teaching(root):
        for name,o in tutor.words(nb).words.items():
            assert f'**`ex.{name}`**: {o.title} ({len(o.hints)} hints' in text

def test_the_page_for_assistants_holds_no_hint(root, texts):
    hints = [h for nb in tutor.teaching(root) for o in tutor.words(nb).words.values() for h in o.hints]
    assert len(hints)>200 and not [o for o in hints if o in texts['tutor']]

def test_the_page_for_assistants_names_the_mistakes(root, texts):
    known = [m for nb in tutor.teaching(root) for ms in tutor.mistakes(nb).values() for m in ms]
    assert len(known)>300 and all(m[1:] in texts['tutor'] for m in known)

def test_the_page_for_assistants_says_which_versions(texts):
    text = texts['tutor']
    assert 'Python 3.10' in text and 'fastai 2.8' in text
    assert not re.search(r'\{[a-z]+\}', text.split('## Exercises,')[0])
