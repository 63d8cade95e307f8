"Exercises and questions: what a check says to every kind of answer, and that it never raises"
import inspect, os, random, re, sys
from multiprocessing import get_context

import numpy as np, pandas as pd, pytest, torch
from hypothesis import given, settings, strategies as st

from collab_course.course.differences import difference, shown
from collab_course.course.exercises import (Exercise, Practice, catalogue, is_stub, practice, practices, source_of,
                                            stub_of)
from collab_course.course.pages import Question, inline_html
from collab_course.course.progress import keep_progress

def lookup(
    weight,  # (n_rows, n_factors) table
    ids,     # (batch,) row numbers
):
    "Rows `ids` of `weight`."
    return weight[ids]

def make(**kw):
    ex = Exercise(lookup, 'Pick rows', hints=('one', 'two'), then='Well.', **kw)
    @ex.spec
    def _(weight, ids): return torch.stack([weight[i] for i in ids.tolist()])
    @ex.cases
    def _(rng):
        yield torch.arange(6.).view(3, 2),torch.tensor([0, 2])
        yield torch.arange(8.).view(4, 2),torch.tensor([1, 1, 3])
    @ex.mistake('columns were picked')
    def _(weight, ids): return weight[:, ids]
    @ex.mistake('rows begin at 0')
    def _(weight, ids): return weight[ids-1]
    return ex

@pytest.fixture
def ex(): return make()

# ---- stubs ----

def test_the_stub_is_the_solution_without_its_body():
    stub = stub_of(source_of(lookup))
    assert stub.endswith('"Rows `ids` of `weight`."\n    ...')
    assert 'return' not in stub and '# (batch,) row numbers' in stub

def stub_like(weight, ids): ...
def stub_with_pass(weight, ids): pass
def stub_with_comment(weight, ids):
    "Something else"
    # nothing yet
    ...

@pytest.mark.parametrize('answer', [stub_like, stub_with_pass, stub_with_comment, ...])
def test_an_untouched_stub_is_not_attempted(ex, answer): assert ex.check(answer).status=='not attempted'

def test_a_stub_that_was_written_to_is_attempted(ex):
    assert ex.check(lambda weight, ids: weight).status=='wrong'
    assert ex.check(lookup).status=='right'
    assert not is_stub(lookup, ex.stub) and not is_stub(3, ex.stub)

def power(x, by=lambda: 2):
    "Defaults have code of their own, and annotations too from Python 3.14 on"
    ...

class Powers:
    names = [str(o) for o in (2, 3)]
    def square(self, by=lambda: 2): ...

@pytest.mark.parametrize('answer', [power, Powers])
def test_other_code_of_a_stub_is_not_taken_for_its_body(answer): assert is_stub(answer, inspect.getsource(answer))

BUGGY = '''
def mean(
    x,  # (n,) tensor
):
    "Mean of `x`."
    return x.sum()/(len(x)-1)
'''

def mean(
    x,  # (n,) tensor
):
    "Mean of `x`."
    return x.sum()/len(x)

def test_a_bug_hunt_is_not_attempted_until_something_changes():
    ex = Exercise(mean, 'Find the bug', stub=BUGGY)
    ex.spec(lambda x: sum(x.tolist())/len(x))
    ex.cases(lambda rng: iter([(torch.arange(4.),)]))
    ex.mistake('still n-1')(lambda x: x.sum()/(len(x)-1)*1)
    assert ex.check(ex.untouched()).status=='not attempted'
    assert ex.check(lambda x: x.sum()/(len(x)+1)).status=='wrong'
    assert ex.check(mean).status=='right'

CLASS = '''
class Scale:
    def __init__(self, by): ...
    def __call__(self, x): ...
'''

class Scale:
    "Multiplies"
    def __init__(self, by): self.by = by
    def __call__(self, x): return self.by*x

class HalfDone:
    def __init__(self, by): self.by = by
    def __call__(self, x): ...

def test_classes_are_compared_method_by_method():
    ex = Exercise(Scale, 'A class', stub=CLASS)
    ex.spec(lambda by, x: dict(out=torch.tensor([by*o for o in x.tolist()])))
    ex.use(lambda cls, by, x: dict(out=cls(by)(x)))
    ex.cases(lambda rng: iter([(2., torch.arange(3.))]))
    assert ex.check(ex.untouched()).status=='not attempted'
    assert 'out: Got None, expected a tensor: is a `return` missing?' in ex.check(HalfDone).text
    assert ex.check(Scale).status=='right'
    assert ex.check(Scale(2.)).status=='wrong'

# ---- answers ----

def test_a_right_answer_is_right_and_says_what_it_has_shown(ex):
    assert repr(ex.check(lookup))=='lookup: right, on 2 inputs. Well.'

@pytest.mark.parametrize('answer,says',
                         [(lambda weight, ids: weight[:, ids], 'columns'),
                          (lambda weight, ids: weight[ids-1], 'rows begin')])
def test_a_known_mistake_is_named(ex, answer, says):
    res = ex.check(answer)
    assert res.status=='wrong' and says in res.mistake and f'Perhaps: {res.mistake}' in res.text

def test_a_mistake_is_named_where_it_agrees_on_all_inputs_even_if_another_agrees_where_both_fail(ex):
    @ex.mistake('only the second input')
    def _(weight, ids): return weight[ids-1] if len(ids)==3 else weight[ids]
    assert ex.check(lambda weight, ids: weight[ids-1] if len(ids)==3 else weight[ids]).mistake=='only the second input'

def test_of_two_mistakes_at_once_the_one_that_is_shown_is_named(ex):
    answer = lambda weight, ids: weight[ids-1] if len(ids)==2 else weight*2
    assert ex.check(answer).mistake=='rows begin at 0'

def test_each_part_of_a_dict_gets_a_line():
    text = shown(dict(a=torch.ones(3), b=torch.ones(9, 9), c=torch.ones(2, 2)))
    assert [l.strip()[:2] for l in text.splitlines()]==['a:', 'b:', 'c:', '[1'] and 'shape (9, 9)' in text

def boom(weight, ids): raise SystemExit(3)
def interrupt(weight, ids): raise KeyboardInterrupt
def deep(weight, ids): return deep(weight, ids)
class Rude:
    def __eq__(self, other): raise RuntimeError('no')
    def __repr__(self): raise RuntimeError('no repr')
    def __getattr__(self, name): raise RuntimeError('no attributes')

@pytest.mark.parametrize('answer',
                         [boom, interrupt, deep, lambda: 1, lambda *a, **k: Rude(), lambda w, i: float('nan'),
                          lambda w, i: [w], lambda w, i: dict(a=1), lambda w, i: 'text', lambda w, i: w[i].to_sparse(),
                                    lambda w, i: w[i].long(), lambda w, i: w[i].requires_grad_()*2,
                          lambda w, i: object(), lambda w, i: (o for o in w), len, print, 3, 'text', None, [1], {},
                          dict, int, Rude, torch.nn.Linear,
                                    torch.tensor([1.]), pd.DataFrame({'a': [1]})])
def test_no_answer_makes_a_check_raise_or_pass(ex, answer):
    res = ex.check(answer)
    assert res.status=='wrong' and repr(res).startswith('lookup: ')

def test_an_interrupt_ends_the_check_at_once(ex):
    calls = []
    def answer(weight, ids):
        calls.append(1)
        raise KeyboardInterrupt
    assert 'interrupted' in ex.check(answer).text and len(calls)==1

def test_the_line_of_an_error_is_shown(ex):
    def answer(weight, ids):
        far = ids + 7
        return weight[far]
    text = ex.check(answer).text
    assert 'IndexError' in text and 'return weight[far]' in text

def test_an_error_inside_the_library_names_the_learners_line(ex):
    def answer(weight, ids): return torch.nn.functional.linear(weight, ids)
    assert 'torch.nn.functional.linear(weight, ids)' in ex.check(answer).text

def test_what_was_printed_is_shown_for_the_input_that_fails(ex, capsys):
    def answer(weight, ids):
        print('shape', tuple(weight.shape))
        return weight
    text = ex.check(answer).text
    assert 'printed' in text and 'shape (3, 2)' in text
    assert capsys.readouterr().out==''

def test_changing_an_input_is_told_and_does_no_harm_to_the_check(ex):
    def answer(weight, ids):
        res = weight[ids].clone()
        weight.zero_()
        return res
    assert 'changed its argument `weight`' in ex.check(answer).text
    assert make(in_place=True).check(answer).status=='right'
    assert ex.check(lookup).status=='right'

@pytest.mark.parametrize('arg', [pd.DataFrame({'a': [2, 1]}), [2, 1], {'a': 1}, np.array([2., 1.])])
def test_changing_a_frame_a_list_or_a_dict_is_told_too(arg):
    def size(o):
        "Length"
        return len(o)
    ex = Exercise(size, 'Length')
    ex.spec(lambda o: len(o))
    ex.cases(lambda rng: iter([(arg,)]))
    def answer(o):
        n = len(o)
        if isinstance(o, pd.DataFrame): o['new'] = 1
        elif isinstance(o, np.ndarray): o[0] = 7
        else: o.clear()
        return n
    assert 'changed its argument `o`' in ex.check(answer).text and ex.check(size).status=='right'

def test_the_generators_are_as_they_were(ex):
    def seed():
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
    seed()
    want = random.random(),np.random.rand(),torch.rand(1).item()
    seed()
    def answer(weight, ids):
        random.random()
        np.random.rand()
        torch.rand(1)
        return weight[ids]
    ex.check(answer)
    assert (random.random(),np.random.rand(),torch.rand(1).item()) == want

def test_a_random_answer_meets_the_same_dice_each_time(ex):
    answer = lambda weight, ids: weight[ids] + torch.rand(1)
    assert repr(ex.check(answer))==repr(ex.check(answer))

# ---- differences ----

T = torch.arange(6.).view(3, 2)

@pytest.mark.parametrize('got,want,says', [
    (T.T, T, 'transposed'), (-T, T, 'All signs are flipped'), (2*T+2, T+1, '2 times'), (T+1, T, 'off by 1'),
    (torch.arange(8.).flip(0), torch.arange(8.), 'another order'),
    (torch.tensor([5, 6]), torch.tensor([4, 5]), 'off by 1'), (None, T, 'return'),
    (T.numpy(), T, 'Got an array, expected a tensor'),
    (torch.arange(4.)[:, None], torch.arange(4.), 'keepdim'), (torch.arange(4.), torch.arange(4.)[:, None], 'keepdim'),
    (torch.ones(3, 3), torch.ones(3), 'paired every row'), (T.long(), T, 'dtype'),
    (torch.tensor([1., 5., 9., 2.]), torch.tensor([5., 9., 2., 3.]), 'shifted by one place'),
    (T*float('nan'), T, 'It contains NaN'), (dict(a=1), dict(a=1, b=2), '`b` is missing'),
    (dict(a=1, b=2), dict(a=1), '`b`, which'),
    ([1, 2], [1, 2, 3], 'Got length 2'), ([1, 3], [1, 2], 'At [1]'), (dict(a=T, b=-T), dict(a=T, b=T), 'b: 5 of 6'),
    ('a', 'b', "Got 'a'"), (3.5, 3, 'Got 3.5'), (True, 'a', 'Got True'),
    (dict(a=1), [1], 'Got a dict, expected a list'), (dict(a=1, b=...), dict(a=1, b=2), 'b: There is still'),
    (dict(a=None), dict(a=T), 'a: Got None, expected a tensor'), (np.bool_(False), 1, 'Got 0, expected 1'),
    (np.array([True, False]), np.array([False, True]), '2 of 2'),
    (pd.DataFrame({'a': [1, 2]}), pd.DataFrame({'a': [1, 3]}), 'column `a`'),
    (pd.Series([1], index=['x']), pd.Series([1], index=['y']), 'index'),
    (pd.DataFrame({'a': [1]}), pd.DataFrame({'b': [1]}), 'missing')])
def test_a_difference_is_told_in_words(got, want, says): assert says in difference(got, want)

@pytest.mark.parametrize('got,want',
                         [(T.double(), T), (T.clone().requires_grad_(), T), (np.float64(2), 2.), (torch.tensor(2.), 2),
                          ((1, 2), [1, 2]), (dict(b=1, a=2), dict(a=2, b=1)), (float('nan'), float('nan')), (T+1e-6, T),
                                      (True, True), (pd.DataFrame({'a': [1]}), pd.DataFrame({'a': [1.]})),
                          (torch.empty(0, 3), torch.empty(0, 3)), ('a', 'a'), (None, None)])
def test_equal_is_equal(got, want): assert difference(got, want) is None

@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=6),
       st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=6))
def test_differences_agree_with_numpy(a, b):
    same = len(a)==len(b) and np.allclose(a, b, rtol=1e-4, atol=1e-4)
    assert (difference(torch.tensor(a), torch.tensor(b)) is None) == same

# ---- the frame ----

def framed(res):
    "What a reader of the HTML sees, line by line"
    html = res._repr_html_().split('</style>')[1]
    return [line.strip() for line in re.sub('<[^>]+>', '\n', html).splitlines() if line.strip()]

def test_the_frame_says_the_verdict_in_words_and_by_a_sign(ex):
    answers = dict(right=lookup, wrong=lambda weight, ids: weight[ids-1], stopped=boom, open=ex.untouched())
    signs = dict(right='✓', wrong='✗', stopped='!', open='○')
    words = dict(right='right, on 2 inputs', wrong='not right yet', stopped='it raised an error',
                 open='not attempted yet')
    for kind,answer in answers.items():
        res = ex.check(answer)
        assert framed(res)[:2]==[signs[kind], f'lookup: {words[kind]}']
        assert f'class="course-note {kind}"' in res._repr_html_()

def test_the_table_has_the_rows_that_differ_alone(ex):
    res = ex.check(lambda weight, ids: weight[ids]*torch.tensor([[1.], [2.], [1.]])[:len(ids)])
    lines = framed(res)
    assert lines[lines.index('expected')+1:][:3]==['[1]', '[8., 10.]', '[4., 5.]'] and '[0]' not in lines

def test_many_rows_are_counted_and_values_stay_text():
    def names(n):
        "Names"
        return ['a <b>']*n
    ex = Exercise(names, 'Names')
    ex.spec(lambda n: ['a']*n)
    ex.cases(lambda rng: iter([(20,)]))
    res = ex.check(names)
    assert 'and 14 more that differ' in framed(res) and 'a &lt;b&gt;' in res._repr_html_()

def test_the_frame_names_the_mistake_the_input_and_what_was_printed(ex):
    def answer(weight, ids):
        print('so far')
        return weight[ids-1]
    lines = framed(ex.check(answer))
    assert 'rows begin at 0' in lines and 'so far' in lines
    assert 'tensor([[0., 1.], [2., 3.], [4., 5.]])' in lines

def test_the_same_answer_gives_the_same_html(ex):
    assert ex.check(lookup)._repr_html_()==make().check(lookup)._repr_html_()

def test_the_line_below_tells_how_many_hints_are_left_and_then_of_the_solution(ex):
    asides = []
    for _ in range(3):
        asides.append(' '.join(framed(ex.check(...))[-3:]))
        ex.hint()
    assert asides==['Stuck? ex.lookup.hint() (2 hints)', 'Stuck? ex.lookup.hint() (1 of 2 hints left)',
                    'Stuck? ex.lookup.solution() shows a way to do it.']

def chapter():
    o = Practice('98', 'toy', 'Toy')
    for solution in (lookup, mean):
        ex = o.exercise(solution, title='Toy')
        ex.spec(solution)
    o.lookup.cases(lambda rng: iter([(torch.ones(3, 2), torch.tensor([1]))]))
    o.mean.cases(lambda rng: iter([(torch.arange(4.),)]))
    return o

def test_a_right_answer_leads_to_the_next_exercise_and_then_to_the_questions():
    o = chapter()
    assert o.lookup.check(lookup).aside=='Chapter 98: 1 of 2 exercises done. Next: `mean`'
    assert o.lookup.check(lookup).aside=='Chapter 98: 1 of 2 exercises done. Next: `mean`'
    assert o.mean.check(mean).aside=='Chapter 98: 2 of 2 exercises done. Next: the questions'
    assert chapter().mean.check(mean).aside=='Chapter 98: 1 of 2 exercises done. Next: `lookup`'

def test_what_was_right_on_another_day_counts_if_progress_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv('COLLAB_COURSE_PROGRESS', str(tmp_path/'progress.jsonl'))
    keep_progress()
    chapter().lookup.check(lookup)
    assert '2 of 2' in chapter().mean.check(mean).aside

def test_hints_and_solutions_have_html_too(ex):
    assert 'Hint 1 of 2: one' in framed(ex.hint())
    assert 'return weight[ids]' in framed(ex.solution())

def test_marks_are_framed(quiz):
    lines = framed(quiz.mark({1: 'a', 2: 'ac'}))
    assert lines[0]=='1 of 2 right' and ['✗', 'no', 'no, because']==lines[7:10]
    assert 'course-note right' in quiz.mark({2: 'ac'})._repr_html_()

# ---- hints and solutions ----

def test_hints_come_one_after_the_other_and_then_the_solution_is_named(ex):
    assert [str(ex.hint()) for _ in range(2)] == ['Hint 1 of 2: one', 'Hint 2 of 2: two']
    assert 'last hint: ex.lookup.solution()' in ex.hint()
    assert str(ex.hint(1)).endswith('one')

@pytest.mark.parametrize('n', [0, 3, -1, 'a', 1.5])
def test_a_hint_that_is_not_there_says_which_are(ex, n): assert 'hint(1) to hint(2)' in ex.hint(n)

def test_the_solution_is_source_that_runs(ex):
    space = {}
    exec(ex.solution(), space)
    assert ex.check(space['lookup']).status=='right'

# ---- questions ----

CHOICES = [('two', 'no, because'), ('three `a<b`', 'yes, because')]

def test_a_question_folds_each_choice_with_its_explanation():
    md = Question('How many?', CHOICES, right='b').markdown(4)
    assert md.startswith('**4.** How many?') and md.count('<details>')==md.count('</details>')==2
    assert '<summary>b) three <code>a&lt;b</code></summary>\n\n**Right.** yes, because' in md

def test_an_open_question_folds_its_answer():
    assert '<summary>An answer</summary>\n\nBecause.' in Question('Why?', answer='Because.').markdown(1)

@pytest.mark.parametrize('kw',
                         [dict(choices=CHOICES), dict(choices=CHOICES, right='c'), dict(),
                          dict(choices=CHOICES, right='a', answer='x'), dict(answer='x', right='a')])
def test_a_question_that_cannot_be_marked_is_refused(kw):
    with pytest.raises(ValueError, match='Why'): Question('Why?', **kw)

@pytest.fixture
def quiz():
    o = Practice('98', 'toy', 'Toy')
    o.ask('How many?', CHOICES, right='b')
    o.ask('Which?', [('x', 'x is'), ('y', 'y is not'), ('z', 'z is')], right='ac')
    o.ask('Why?', answer='Because.')
    return o

def test_choices_are_marked_with_the_reason_of_the_choice(quiz):
    res = quiz.mark({1: 'a', 2: 'C, A', 3: 'my words'}).table
    assert list(res.verdict)==['no', 'right', 'open'] and res.because[1]=='no, because'
    assert list(quiz.mark({2: 'a'}).table.verdict)==['partly right']
    assert list(quiz.mark({2: 'ab'}).table.because)==['y is not']

def test_a_reason_is_shown_in_full_however_long():
    o = Practice('98', 'toy', 'Toy')
    o.ask('How many?', [('two', 'because ' + 'x'*300 + ' end'), ('three', 'is more than two')], right='b')
    res = o.mark({1: 'a'})
    assert 'x'*300 + ' end' in repr(res) and 'x'*300 + ' end' in res._repr_html_()

def test_zero_is_not_called_a_multiple(): assert 'times' not in difference(torch.zeros(4), torch.ones(4))

def test_nothing_chosen_says_how_to_choose(quiz): assert "{1: 'a'}" in quiz.mark({1: ..., 2: ..., 3: None})

@pytest.mark.parametrize('mine,says',
                         [({7: 'a'}, 'no question 7'), ({'a': 'b'}, "no question 'a'"),
                          ({'1': 'b'}, "no question '1'")])
def test_a_number_without_question_is_told(quiz, mine, says): assert says in quiz.mark(mine)

@pytest.mark.parametrize('mine', [{1: 'q'}, {1: 'abc'}, {1: 5}, {1: '!'}, {1: ['a', 'z']}])
def test_a_letter_without_choice_is_told(quiz, mine): assert list(quiz.mark(mine).table.verdict)==['no such choice']

@pytest.mark.parametrize('mine', [None, 'ab', 3, ['a']])
def test_what_is_no_dict_is_told(quiz, mine): assert 'dict' in quiz.mark(mine)

@pytest.mark.parametrize('text,html', [
    ('*Fargo* and **all**', '<em>Fargo</em> and <strong>all</strong>'), ('2*x + 3*y', '2*x + 3*y'),
    ('`a*b*c` < d', '<code>a*b*c</code> &lt; d'), ('a * b * c', 'a * b * c')])
def test_a_line_of_markdown_becomes_html(text, html): assert inline_html(text)==html

# ---- chapters ----

def test_a_chapter_is_found_by_name_and_number():
    o = practices()[0]
    assert practice(o.name) is practice(o.chapter) is practice(int(o.chapter)) is practice(f'{o.chapter}_{o.name}') is o

def test_an_unknown_chapter_names_those_that_are():
    with pytest.raises(ValueError, match='one_hot'): practice('nowhere')

def test_the_catalogue_has_each_thing_once():
    cat = catalogue()
    assert len(cat) and not cat.duplicated(['chapter', 'name']).any()

def test_an_exercise_that_is_not_there_names_the_nearest():
    o = practices()[0]
    with pytest.raises(AttributeError, match=f'do you mean {o.exercises[0].name}'): getattr(o, o.exercises[0].name[:-1])
    with pytest.raises(AttributeError, match='there is: '): getattr(o, 'z'*6)
    assert not hasattr(o, '_repr_png_')

def test_an_exercise_says_what_to_do(ex): assert repr(ex)=='Pick rows: write lookup, then ex.lookup.check(lookup)'

def test_all_right_letters_give_their_reasons(quiz): assert quiz.mark({2: 'ac'}).table.because[2]=='x is z is'

@pytest.mark.parametrize('mine', ['ac', 'ca', 'Ac', 'aC', 'Ca', 'cA', 'CA', 'C, a', ['c', 'A'], ('A', 'c')])
def test_letters_count_in_any_order_and_in_either_case(quiz, mine):
    assert list(quiz.mark({2: mine}).table.verdict)==['right']

def learner():
    "What the check says in a notebook, cell after cell"
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config
    shell = InteractiveShell.instance(config=Config(HistoryManager=dict(hist_file=':memory:')))
    sys.modules.pop('collab_course.course.practice.one_hot', None) # a chapter follows the shell that it's opened in
    e = practice('one_hot').exercises[0]
    shell.user_ns.update(vars(sys.modules[e.answer.__module__]), e=e)
    del shell.user_ns[e.name]
    def run(*cells):
        for cell in cells:
            shell.run_cell(cell, store_history=True, cell_id='answer' if 'weight' in cell else None)
        return shell.user_ns['res'].status
    def says(cell): return run(cell, f'res = e.check({e.name})')
    right = e.source
    return [says(right), says(right + '\nthis is no Python'), says(right), says('1/0\n' + right),
            says(right + '\n1/0'), says(e.stub), says(right), says('print(1)'), says(f'{e.name} = {e.name}'),
            says(right + f'\nres = e.check({e.name})'), says(right.replace('def', 'de', 1)), says(right),
            says(f'{e.name}(1, 2, 3)'), says('def other(): return 1/')]

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
def test_an_answer_is_not_praised_when_a_newer_cell_with_it_has_failed(tmp_path, monkeypatch):
    "In a fork, since the shell of IPython changes the process that it is in"
    monkeypatch.setenv('COLLAB_COURSE_PROGRESS', str(tmp_path/'p.json'))
    monkeypatch.setenv('IPYTHONDIR', str(tmp_path))
    context = get_context('fork')
    ours,theirs = context.Pipe(duplex=False)
    process = context.Process(target=lambda: theirs.send(learner()))
    process.start()
    theirs.close()
    found = ours.recv()
    process.join()
    assert found==['right', 'older', 'right', 'older', 'right', 'not attempted', 'right', 'right', 'right', 'right',
                   'older', 'right', 'right', 'right']
