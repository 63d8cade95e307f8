"Every exercise and question: what a check says is proven, and pages and notebooks are what the teacher's edition makes"
import ast, functools, inspect, json, re

import nbformat, numpy as np, pytest

from collab_course.course.differences import difference
from collab_course.course.exercises import Exercise, practices, source_of
from collab_course.course.notes import note_html
from practice import cells, folder, page, pages, teaching

every = practices()
exercises = [(o, e) for o in every for e in o.exercises]
questions = [(o, n, q) for o in every for n,q in enumerate(o.questions, 1)]
each_exercise = pytest.mark.parametrize('o,e', exercises, ids=[f'{o.name}-{e.name}' for o,e in exercises])
each_question = pytest.mark.parametrize('o,n,q', questions, ids=[f'{o.name}-{n}' for o,n,_ in questions])
each_chapter = pytest.mark.parametrize('o', every, ids=[o.name for o in every])

asked = {}

def once(f):
    "A method of `Exercise` that remembers what it gave for the very same arguments"
    def remembered(*args):
        key = f, *map(id, args)
        if key not in asked: asked[key] = f(*args), args # which stay, so that nothing else gets their ids
        return asked[key][0]
    return remembered

@pytest.fixture
def one_trial(monkeypatch):
    "Checks share inputs, what is expected, and what known mistakes give; an answer itself is always tried"
    outcome,mistake = Exercise.outcome,once(Exercise.outcome)
    known = lambda e, f: any(f is o for o,_ in e.mistakes)
    monkeypatch.setattr(Exercise, 'inputs', once(Exercise.inputs))
    monkeypatch.setattr(Exercise, 'expected', once(Exercise.expected))
    monkeypatch.setattr(Exercise, 'outcome', lambda e, f, args: (mistake if known(e, f) else outcome)(e, f, args))

def another(f):
    "A function or class that does the same, not taken for the known mistake itself"
    if inspect.isclass(f): return type(f)(f.__name__, (f,), {})
    return functools.wraps(f)(lambda *args, **kwargs: f(*args, **kwargs))

@each_exercise
def test_the_stub_is_not_attempted(o, e): assert e.check(e.untouched()).status=='not attempted'

@each_exercise
def test_the_solution_is_right(o, e): assert e.check(e.answer).text.startswith('right')

@each_exercise
def test_the_solution_as_text_is_right_too(o, e):
    space = dict(vars(__import__(e.answer.__module__, fromlist='_')))
    exec(e.solution(), space)
    assert e.check(space[e.name]).status=='right'

@each_exercise
def test_each_mistake_is_wrong_and_recognised_as_itself(o, e, one_trial):
    found = [(e.check(another(f)), says) for f,says in e.mistakes]
    assert len(found)>=2 and all(r.status=='wrong' and r.mistake==says and says in r.text for r,says in found)

@each_exercise
def test_the_specification_is_not_the_solution(o, e):
    assert e.specification is not e.answer and not re.search(rf'\b{e.name}\(', source_of(e.specification))

@each_exercise
def test_cases_and_what_is_expected_are_the_same_each_time(o, e):
    one,two = e.inputs(),list(e.make_inputs(np.random.default_rng(0)))
    assert len(one)==len(two)
    a,b = [[e.specification(*args) for args in cs] for cs in (one, two)]
    assert all(difference(x, y) is None for x,y in zip(a, b))

@each_exercise
def test_answers_of_the_wrong_kind_are_wrong_and_never_raise(o, e, one_trial):
    for bad in (lambda *a, **k: 'text', lambda *a, **k: [], lambda *a, **k: 1/0, lambda: 3, 3, 'text', object()):
        assert e.check(bad).status=='wrong'

@each_exercise
def test_hints_are_graded_and_the_task_says_what_is_asked(o, e):
    assert len(e.hints)>=2 and e.title and e.then
    assert e.answer.__doc__ and len(e.answer.__doc__.splitlines())==1

@each_exercise
def test_parameters_have_a_comment(o, e):
    lines = e.stub.splitlines()
    f = ast.parse(e.stub).body[0]
    if isinstance(f, ast.FunctionDef): assert all('#' in lines[a.lineno-1] for a in f.args.args)

@each_question
def test_every_choice_is_explained(o, n, q):
    assert q.answer or len(q.choices)>=3 and all(len(t)>0 and len(why.split())>=4 for t,why in q.choices)
    assert q.answer or len({t for t,_ in q.choices})==len(q.choices)

@each_question
def test_code_marks_and_emphasis_are_closed(o, n, q):
    for t in [q.text, q.answer, *(x for c in q.choices for x in c)]:
        assert t.count('`')%2==0 and re.sub(r'`[^`]*`', '', t).count('**')%2==0

@each_chapter
def test_a_chapter_has_its_share(o):
    shares = 2 if o.name=='recommender' else 1 # the whole use of the library, with reading files and the command line
    assert 3<=len(o.bank)<=6*shares and 8<=len(o.questions)<=15*shares
    assert sum(bool(q.choices) for q in o.questions)>=5 and any(q.answer for q in o.questions)

@each_chapter
def test_the_right_letters_are_spread(o):
    first = [q.right for q in o.questions if q.choices]
    assert max(map(first.count, first)) <= len(first)/2 + 1

@each_chapter
def test_all_right_choices_are_marked_right(o):
    res = o.mark({n: q.right for n,q in enumerate(o.questions, 1) if q.choices})
    assert set(res.table.verdict)=={'right'}

@each_chapter
def test_the_practice_notebook_is_what_the_library_makes(o):
    nb = nbformat.read(folder/f'{o.chapter}_{o.name}.ipynb', 4)
    assert [(c.cell_type, c.source) for c in nb.cells]==list(cells(o)), 'run `make practice`'

def not_attempted(e, data):
    "Whether an output shows untouched starter code, as text and framed as a check frames it now"
    res = e.check(e.untouched())
    framed = note_html(res.kind, f'{e.name}: {res.label}', res.body)
    text,html = (''.join(data[kind]) for kind in ('text/plain', 'text/html'))
    return text==repr(res) and html.startswith(framed.removesuffix('\n</div>'))

@each_chapter
def test_the_committed_notebook_holds_stubs_only_and_says_so(o):
    nb = json.loads((folder/f'{o.chapter}_{o.name}.ipynb').read_text(encoding='utf-8'))
    shown = {''.join(c['source']): c['outputs'][0]['data']
             for c in nb['cells'] if c['cell_type']=='code' and c['outputs']}
    for e in o.bank: assert not_attempted(e, shown[f'ex.{e.name}.check({e.name})'])

@pytest.mark.parametrize('o,e', [(o, e) for o,e in exercises if e.in_chapter],
                         ids=[f'{o.name}-{e.name}' for o,e in exercises if e.in_chapter])
def test_an_exercise_of_the_chapter_stands_there_as_starter_code_with_its_check(root, o, e):
    nb = json.loads((root/'nbs'/f'{o.chapter}_{o.name}.ipynb').read_text(encoding='utf-8'))
    code = [(''.join(c['source']), c['outputs']) for c in nb['cells'] if c['cell_type']=='code']
    sources = [source for source,_ in code]
    assert sources.count(e.stub)==1
    check,outputs = code[sources.index(e.stub)+1]
    assert check==f'ex.{e.name}.check({e.name})'
    assert not_attempted(e, outputs[0]['data'])

def test_every_chapter_has_practice_and_a_notebook_that_it_belongs_to(root):
    have = {f'{o.chapter}_{o.name}' for o in every}
    assert have | {'14_feedback'}=={o.stem for o in (root/'nbs').glob('[01][0-9]_*.ipynb') if int(o.stem[:2])<=18}
    assert '14_feedback' not in have # its exercises are in 09

def test_practice_and_teaching_have_the_same_chapters(root):
    names = lambda d: {o.name for o in (root/'nbs'/d).glob('*.ipynb')}
    assert names('practice')==names('teaching')=={f'{o.chapter}_{o.name}.ipynb' for o in every}

@each_chapter
def test_the_chapter_leads_to_its_practice_and_both_have_one_title(root, o):
    nb = json.loads((root/'nbs'/f'{o.chapter}_{o.name}.ipynb').read_text(encoding='utf-8'))
    assert ''.join(nb['cells'][0]['source']).splitlines()[0]==f'# {o.chapter} {o.title}'
    assert any(f'practice/{o.chapter}_{o.name}.ipynb' in ''.join(c['source']) for c in nb['cells'])

@each_chapter
def test_the_right_choice_is_not_told_by_its_length(o):
    qs = [q for q in o.questions if len(q.right)==1]
    longest = [max(range(len(q.choices)), key=lambda i: len(q.choices[i][0]))=='abcdefgh'.index(q.right) for q in qs]
    assert sum(longest) <= len(qs)/2

@each_question
def test_no_explanation_says_the_verdict_twice(o, n, q):
    assert not [why for _,why in q.choices if re.match(r'(No|Yes|Right|Wrong)[:,.]', why)]

@each_chapter
def test_the_page_says_what_the_teachers_notebook_says(o):
    assert (pages/f'{o.name}.md').read_text(
        encoding='utf-8')==page(teaching/f'{o.chapter}_{o.name}.ipynb'), 'run `make practice`'

def test_each_practice_module_has_one_page_and_each_page_a_module():
    assert {p.stem for p in pages.glob('*.md')}=={o.name for o in every}

@each_chapter
def test_the_teachers_notebook_keeps_words_out_of_python(o):
    cells = [''.join(c['source'])
             for c in json.loads((teaching/f'{o.chapter}_{o.name}.ipynb').read_text(encoding='utf-8'))['cells']
             if c['cell_type']=='code']
    calls = [n for s in cells for n in ast.walk(ast.parse(s)) if isinstance(n, ast.Call)]
    assert not [k.arg for n in calls if ast.unparse(n.func)=='ex.exercise'
                for k in n.keywords if k.arg in ('title', 'text', 'hints', 'then', 'stub')]
    assert not [n for n in calls if ast.unparse(n.func)=='ex.ask']
