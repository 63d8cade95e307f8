"The checks that all pages share: what they let pass, what they refuse, and what their errors carry"
import copy, pickle
from fractions import Fraction

import numpy as np, pandas as pd, pytest
from hypothesis import given, strategies as st

from collab_course.checks import type_name
from collab_course.checks import (Arg, ArgError, ArgTypeError, as_list, brief, check_above, check_choice, check_columns,
                                  check_no_gaps, check_range,
                                  check_rate, check_seed, check_share, check_table, check_values, check_whole,
                                  close_matches, did_you_mean, is_number,
                                  is_whole, kind_of, listed, must_be, some_rows, to_numpy)

nan,inf = float('nan'),float('inf')
def flag(arg): return f'--{arg.name.replace("_", "-")}' + ''.join(f' {value}' for value in arg.values)
def caught(f, *args, **kw):
    with pytest.raises(ArgError) as e: f(*args, **kw)
    return e.value


# ---- errors with fields

def test_an_error_names_arguments_as_python_does_and_as_the_program_does():
    e = ArgError('too few rows for ', Arg('valid_pct', 0.1), ': pass ', Arg('valid_pct', 0), ' or another ',
                 Arg('seed'))
    assert str(e)=='too few rows for valid_pct=0.1: pass valid_pct=0 or another seed'
    assert e.render(flag)=='too few rows for --valid-pct 0.1: pass --valid-pct 0 or another --seed'

def test_an_argument_may_have_none_as_its_value():
    assert str(Arg('seed', None))=='seed=None' and str(Arg('seed'))==repr(Arg('seed'))=='seed'
    assert str(Arg('by', 'dot'))=="by='dot'"

def test_an_error_carries_the_argument_the_value_and_what_is_allowed():
    e = must_be('n_factors', 'a whole number', 2.5)
    assert (e.arg, e.got, e.expected)==('n_factors', 2.5, 'a whole number')
    assert str(e)=='n_factors must be a whole number, not 2.5'
    assert e.render(flag)=='--n-factors must be a whole number, not 2.5'

def test_an_error_of_type_is_also_one_of_value():
    e = must_be('users', 'a collection of ids', 'ab', ArgTypeError)
    assert isinstance(e, TypeError) and isinstance(e, ValueError) and isinstance(e, ArgError)
    assert not isinstance(must_be('n', 'more', 1), TypeError)

@pytest.mark.parametrize('twin', [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))],
                         ids=['copy', 'deepcopy', 'pickle'])
@pytest.mark.parametrize('kind', [ArgError, ArgTypeError])
def test_a_copy_of_an_error_keeps_its_message_and_fields(kind, twin):
    e = kind('pass ', Arg('valid_pct', 0), ' or another ', Arg('seed'), arg='valid_pct', got=[1, 2], expected='a share')
    same = twin(e)
    assert type(same) is kind and str(same)==str(e)=='pass valid_pct=0 or another seed'
    assert same.render(flag)==e.render(flag)
    assert (same.arg, same.got, same.expected)==('valid_pct', [1, 2], 'a share')

def test_an_error_can_be_raised_in_another_process():
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool, pytest.raises(ArgError,
        match='^n must be a whole number, at least 1, not 0$') as e:
        pool.submit(check_whole, 1, n=0).result()
    assert (e.value.arg, e.value.got)==('n', 0)

def test_an_error_without_parts_is_empty(): assert str(ArgError())==''

@pytest.mark.parametrize('value,text',
                         [(1, '1'), ('a', "'a'"), (None, 'None'),
                          ('x'*100, repr('x'*100)[:60] + '…' + repr('x'*100)[-10:])])
def test_long_values_are_cut_in_the_middle(value, text): assert brief(value)==text

@given(st.text() | st.binary() | st.lists(st.integers()))
def test_no_value_makes_a_long_message(value): assert len(brief(value))<=80

def test_values_are_joined_for_a_sentence(): assert listed([1, 'a', None])=="1, 'a', None" and listed([])==''


# ---- numbers and choices

@pytest.mark.parametrize('good', [0, 7, 10**30, np.int8(3), np.uint64(2**63)])
def test_whole_numbers(good): assert is_whole(good)

@pytest.mark.parametrize('bad', [True, False, np.True_, -1, 1., 1.5, '3', None, nan, [1], np.array([1])])
def test_what_is_not_a_whole_number(bad): assert not is_whole(bad)

@pytest.mark.parametrize('good', [0, -1.5, np.float32(2), Fraction(1, 3), 1e300, 10**400])
def test_numbers(good): assert is_number(good)

@pytest.mark.parametrize('bad', [True, np.False_, nan, inf, -inf, '1', None, 1j, np.float32('nan'), [1.]])
def test_what_is_not_a_number(bad): assert not is_number(bad)

def test_one_check_takes_several_arguments_and_finds_the_wrong_one():
    check_whole(n_users=1, n_items=2)
    e = caught(check_whole, n_users=1, n_items=0)
    assert (e.arg, e.got)==('n_items', 0) and str(e)=='n_items must be a whole number, at least 1, not 0'
    assert str(caught(check_whole, 5, n=4))=='n must be a whole number, at least 5, not 4'

@pytest.mark.parametrize('bad', [0, -1., nan, inf, True, '1', None])
def test_a_number_above_0(bad):
    check_above(lr=1e-9, wd=3)
    assert str(caught(check_above, lr=bad))==f'lr must be a number above 0, not {bad!r}'

@pytest.mark.parametrize('bad', [-.1, nan, inf, True, '1', None])
def test_a_rate_is_at_least_0(bad):
    check_rate(wd=0, mom=1e9)
    assert str(caught(check_rate, wd=bad))==f'wd must be a number, at least 0, not {bad!r}'

@pytest.mark.parametrize('bad', [1, 1.5, -1])
def test_a_rate_may_have_a_limit(bad):
    check_rate(1, mom=0, sqr_mom=.999)
    assert str(caught(check_rate, 1, mom=bad))==f'mom must be a number, at least 0 and below 1, not {bad!r}'

@pytest.mark.parametrize('bad', [0, 1, -.2, 20, nan, True, '0.2', None])
def test_a_share_lies_between_0_and_1(bad):
    check_share('valid_pct', .2)
    assert str(caught(check_share, 'valid_pct', bad))==f'valid_pct must be a share between 0 and 1, not {bad!r}'

@pytest.mark.parametrize('bad', [-1, 1.5, 'lucky', True])
def test_a_seed_is_none_or_a_whole_number(bad):
    for seed in (None, 0, np.int64(3), 2**64): check_seed(seed)
    assert str(caught(check_seed, bad))==f'seed must be a whole number, at least 0, not {bad!r}'

@pytest.mark.parametrize('bad', ['median', None, 1, ['mean'], {}, nan])
def test_a_choice_is_one_of_those_listed(bad):
    check_choice('how', 'mean', ('mean', 'first'))
    e = caught(check_choice, 'how', bad, ('mean', 'first'))
    assert str(e)==f"how must be 'mean' or 'first', not {bad!r}" and e.arg=='how' and e.expected=="'mean' or 'first'"

@pytest.mark.parametrize('bad',
                         [5, (5, 1), (1, 1), (1,), (1, 2, 3), ('1', '5'), 'ab', (1, 'a'), (nan, 1), (1, nan), {1, 5}])
def test_a_range_is_two_numbers_the_lower_first(bad):
    for good in (None, (1, 5), [0, .5], (-inf, inf)): check_range(good)
    e = caught(check_range, bad)
    assert str(e)==f'rating_range must be (lowest, highest), such as (1, 5), not {bad!r}' and e.got is bad

@pytest.mark.parametrize('bad', [(-inf, 5), (0, inf)])
def test_a_range_can_be_asked_to_be_finite(bad):
    check_range(bad)
    assert 'y_range must be (lowest, highest)' in str(caught(check_range, bad, 'y_range', finite=True))


# ---- words for values

@pytest.mark.parametrize('value,kind',
                         [('1', 'text'), (1, 'a whole number'), (-3, 'a whole number'), (np.int8(1), 'a whole number'),
                          (True, 'bool'), (1.5, 'float'),
                                        (b'a', 'bytes'), (None, 'NoneType'), ((1, 2), 'tuple'),
                                        (pd.Timestamp('2020'), 'Timestamp')])
def test_kinds_of_ids(value, kind): assert kind_of(value)==kind

def test_close_matches_do_not_mind_the_case():
    films = ['Star Wars (1977)', 'Stargate (1994)', 'Heat (1995)']
    assert close_matches('STAR WARS', films, 1)==['Star Wars (1977)'] and close_matches('zzz', films)==[]
    assert close_matches('', films)==[]

def test_close_matches_are_found_in_large_collections_without_a_full_search():
    films = [f'film {i:06}' for i in range(20_000)]
    assert close_matches('film 004321', films, 1)==['film 004321']
    assert close_matches('film 01234', films, 1)[0].startswith('film 0')

def test_a_suggestion_is_made_only_if_something_is_near():
    assert did_you_mean('raiting', ['user', 'rating'])==" (did you mean 'rating'?)"
    assert did_you_mean('zzz', ['user'])=='' and did_you_mean(7, [7, 8])==" (did you mean '7'?)"
    assert did_you_mean('a', [])==''


# ---- arrays and collections

def test_tensors_on_any_device_and_arrays_become_numpy():
    import torch
    w = torch.nn.Parameter(torch.ones(2))
    assert to_numpy(w).tolist()==[1, 1] and to_numpy(w, np.float64).dtype==np.float64
    assert to_numpy([1, 2], np.int8).dtype==np.int8
    a = np.arange(3)
    assert to_numpy(a) is a and to_numpy(pd.Series([1., 2])).tolist()==[1, 2]

@pytest.mark.parametrize('good', [[1, 2], (1, 2), {1: 0, 2: 0}, np.array([1, 2]), pd.Series([1, 2]), pd.Index([1, 2])])
def test_any_collection_is_a_list(good): assert as_list('users', good)==[1, 2]

@pytest.mark.parametrize('bad', ['ab', b'ab', 3, None, iter([1])])
def test_a_text_is_not_a_collection_of_letters(bad):
    e = caught(as_list, 'users', bad)
    assert isinstance(e, TypeError) and str(e).startswith('users must be a collection of ids, not ') and e.arg=='users'


# ---- tables

def table(**cols): return pd.DataFrame({**dict(user=[1, 1, 2], movie=[7, 8, 7], rating=[3., 4.5, 1]), **cols})
names = dict(user_name='user', item_name='movie', rating_name='rating')

def test_a_good_table_passes():
    assert check_columns(table(), **names) is None and check_table(table(), ['user']) is None

def test_wrong_rows_are_counted_and_the_first_three_shown():
    df = pd.DataFrame({'x': range(2000)})
    says = some_rows(df, df.x%2==1)
    assert says.startswith('1,000 of 2,000 rows, such as\n') and all(f'{i}  {i}' in says for i in (1, 3, 5))
    assert '7  7' not in says

@pytest.mark.parametrize('thing', [None, [[1, 2, 3]], {'user': [1]}, 'ratings.csv', pd.Series([1])])
def test_what_is_not_a_table_is_named_by_its_type(thing):
    for f in (check_columns, check_table):
        e = caught(f, thing)
        assert isinstance(e, TypeError) and f'not {type_name(thing)}' in str(e) and 'DataFrame' in str(e)

def test_a_missing_column_names_its_argument():
    e = caught(check_columns, table().rename(columns={'rating': 'ratings'}), **names)
    assert (e.arg, e.got)==('rating_name', 'rating') and "did you mean 'ratings'" in str(e)
    assert str(e).endswith('Name the right one with rating_name')
    assert e.render(flag).endswith('Name the right one with --rating-name')

def test_each_part_needs_a_column_of_its_own():
    assert 'needs a column of its own' in str(caught(check_columns, table(), user_name='user', item_name='user'))

def test_a_column_that_comes_twice_is_refused():
    twice = pd.concat([table(), table()[['user']]], axis=1)
    assert "2 columns are called 'user'" in str(caught(check_columns, twice, **names))
    assert "several columns named 'user'" in str(caught(check_table, twice))

def test_a_table_without_rows_is_refused():
    assert str(caught(check_columns, table()[:0], **names))=='the table of ratings has no rows'

def test_a_column_of_any_table_is_suggested():
    assert "there is no column 'usr' (did you mean 'user'?)" in str(caught(check_table, table(), ['usr']))

def test_gaps_are_counted_and_located():
    check_no_gaps(pd.DataFrame({'age': [1, 2]}))
    df = pd.DataFrame({'age': [1, None, None]}, index=['a', 'b', 'c'])
    assert str(caught(check_no_gaps, df))=="column 'age' has no value for 2 ids, such as ['b', 'c']: fill it first"

@pytest.mark.parametrize('bad,says',
                         [([3, nan, 1], "column 'rating' has no rating in 1 of 3 rows"),
                          (['3', '4', '1'], "is not numeric: it starts with '3'"),
                                      ([True, False, True], 'not numeric'), ([1j, 2, 3], 'not numeric'),
                                      ([1, inf, 2], 'is infinite, or too large for float32, in 1 of 3 rows'),
                                      ([1, 1e39, 2], 'too large for float32'),
                                      (pd.to_datetime(['2020']*3), 'not numeric')])
def test_ratings_are_finite_numbers(bad, says): assert says in str(caught(check_values, table(rating=bad), 'rating'))

def test_ratings_lie_within_their_range():
    check_values(table(), 'rating', (1, 5))
    e = caught(check_values, table(), 'rating', (2, 4))
    assert "column 'rating' is not between 2 and 4 in 2 of 3 rows" in str(e)
    assert e.render(flag).endswith('Drop them, or give another --rating-range')
    assert 'rating_range must be' in str(caught(check_values, table(), 'rating', (5, 1)))
