"Every exercise and question: what a check says is proven, and pages and notebooks are what the teacher's edition makes"
import ast, functools, inspect, json, re

import nbformat, numpy as np, pytest

from collab_course.course.differences import difference
from collab_course.course.exercises import Exercise, practices, source_of
from collab_course.course.notes import note_html
from practice import cells, folder, page, pages, teaching

every = practices()
each_chapter = pytest.mark.parametrize('o', every, ids=[o.name for o in every])

asked = {}

def once(f):
    "A method of `Exercise` that remembers what it gave for the very same arguments"
    def remembered(*args):
        key = f, *map(id, args)
        if key not in asked: asked[key] = f(*args), args # which stay, so that nothing else gets their ids
        return asked[key][0]
    return remembered

outcome = Exercise.outcome
inputs,expected,outcome_once = map(once, (Exercise.inputs, Exercise.expected, outcome))

def tried(e, f, args):
    "What an answer gives: a known mistake is tried once, and as an answer again on the first input; others each time"
    mistake = getattr(f, 'mistake', None)
    if mistake and args is not e.inputs()[0]: return outcome_once(e, mistake, args)
    known = any(f is o for o,_ in e.mistakes)
    return (outcome_once if known else outcome)(e, f, args)

@pytest.fixture
def one_trial(monkeypatch):
    "Checks share inputs, what is expected, and what known mistakes give, since some of it is trained for"
    monkeypatch.setattr(Exercise, 'inputs', inputs)
    monkeypatch.setattr(Exercise, 'expected', expected)
    monkeypatch.setattr(Exercise, 'outcome', tried)

def another(f):
    "A function or class that does the same, not taken for the known mistake itself"
    if inspect.isclass(f): return type(f)(f.__name__, (f,), dict(mistake=f))
    res = functools.wraps(f)(lambda *args, **kwargs: f(*args, **kwargs))
    res.mistake = f
    return res

def said(o, check):
    "{name of an exercise: what `check` gives of it}"
    return {e.name: check(e) for e in o.exercises}

def fails(o, holds):
    "Names of the exercises of which something doesn't hold"
    return [name for name,held in said(o, holds).items() if not held]

@each_chapter
def test_the_stub_is_not_attempted(o): assert fails(o, lambda e: e.check(e.untouched()).status=='not attempted')==[]

def as_text(e):
    "The solution, made from the text that learners see"
    space = dict(vars(__import__(e.answer.__module__, fromlist='_')))
    exec(e.solution(), space)
    return space[e.name]

@each_chapter
def test_the_solution_as_text_is_right(o, one_trial):
    assert fails(o, lambda e: e.check(as_text(e)).text.startswith('right'))==[]

@each_chapter
def test_each_mistake_is_wrong_and_recognised_as_itself(o, one_trial):
    for e in o.exercises:
        found = [(e.check(another(f)), says) for f,says in e.mistakes]
        missed = [(r.status, r.mistake, says) for r,says in found
                  if r.status!='wrong' or r.mistake!=says or says not in r.text]
        assert len(found)>=2 and not missed, e.name

@each_chapter
def test_the_specification_is_not_the_solution(o):
    its_own = lambda e: not re.search(rf'\b{e.name}\(', source_of(e.specification))
    assert fails(o, lambda e: e.specification is not e.answer and its_own(e))==[]

@each_chapter
def test_cases_and_what_is_expected_are_the_same_each_time(o, one_trial):
    for e in o.exercises:
        one,two = e.inputs(),list(e.make_inputs(np.random.default_rng(0)))
        assert len(one)==len(two)
        for a,b in zip(one, two): assert difference(e.expected(*a), e.specification(*b)) is None, e.name

@each_chapter
def test_answers_of_the_wrong_kind_are_wrong_and_never_raise(o, one_trial):
    kinds = (lambda *a, **k: 'text', lambda *a, **k: [], lambda *a, **k: 1/0, lambda: 3, 3, 'text', object())
    assert fails(o, lambda e: all(e.check(bad).status=='wrong' for bad in kinds))==[]

@each_chapter
def test_hints_are_graded_and_the_task_says_what_is_asked(o):
    one_line = lambda text: text and len(text.splitlines())==1
    assert fails(o, lambda e: len(e.hints)>=2 and e.title and e.then and one_line(e.answer.__doc__))==[]

def uncommented(e):
    "Parameters of the starter code without a comment"
    lines = e.stub.splitlines()
    f = ast.parse(e.stub).body[0]
    return [a.arg for a in f.args.args if '#' not in lines[a.lineno-1]] if isinstance(f, ast.FunctionDef) else []

@each_chapter
def test_parameters_have_a_comment(o): assert fails(o, lambda e: not uncommented(e))==[]

def questions(o, wrong):
    "Numbers of the questions that are wrong in some way"
    return [n for n,q in enumerate(o.questions, 1) if wrong(q)]

@each_chapter
def test_every_choice_is_explained(o):
    explained = lambda q: len(q.choices)>=3 and all(len(t)>0 and len(why.split())>=4 for t,why in q.choices)
    assert questions(o, lambda q: not q.answer and not explained(q))==[]
    assert questions(o, lambda q: not q.answer and len({t for t,_ in q.choices})<len(q.choices))==[]

def unclosed(text): return text.count('`')%2 or re.sub(r'`[^`]*`', '', text).count('**')%2

@each_chapter
def test_code_marks_and_emphasis_are_closed(o):
    assert questions(o, lambda q: any(map(unclosed, [q.text, q.answer, *(x for c in q.choices for x in c)])))==[]

@each_chapter
def test_a_chapter_has_its_share(o):
    shares = 2 if o.name=='recommender' else 1 # the whole use of the library, with reading files and the command line
    assert 3<=len(o.bank)<=6*shares, 'A chapter has 3 to 6 exercises: replace its weakest, or put yours elsewhere'
    assert 8<=len(o.questions)<=15*shares, 'A chapter has 8 to 15 questions: replace its weakest'
    assert sum(bool(q.choices) for q in o.questions)>=5, 'Five questions or more have answers to choose from'
    assert any(q.answer for q in o.questions), 'One question or more is answered in words'

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

@each_chapter
def test_an_exercise_of_the_chapter_stands_there_as_starter_code_with_its_check(root, o):
    nb = json.loads((root/'nbs'/f'{o.chapter}_{o.name}.ipynb').read_text(encoding='utf-8'))
    code = [(''.join(c['source']), c['outputs']) for c in nb['cells'] if c['cell_type']=='code']
    sources = [source for source,_ in code]
    for e in [e for e in o.exercises if e.in_chapter]:
        assert sources.count(e.stub)==1, e.name
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

@each_chapter
def test_no_explanation_says_the_verdict_twice(o):
    assert questions(o, lambda q: any(re.match(r'(No|Yes|Right|Wrong)[:,.]', why) for _,why in q.choices))==[]

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
