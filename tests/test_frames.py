"Tables of every kind become pandas, or are refused before anything is learned from them"
import enum
import uuid
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab_course.bundle import pack_ids, unpack_ids
from collab_course.checks import ArgError
from collab_course.frames import as_frame
from collab_course.recommender import Recommender
from collab_course.tables import validate_ratings
from collab_course.vocab import Vocab, plain_kind

plain = pd.DataFrame(dict(user=[1, 1, 2, 3], movie=[7, 8, 7, 9], rating=[3., 4., 1., 5.]))

class Streamed:
    "A table of another library, which speaks Arrow's stream alone"
    def __arrow_c_stream__(self, requested_schema=None):
        return pa.Table.from_pandas(plain).__arrow_c_stream__(requested_schema)

class Converted:
    "A table of another library, which converts itself"
    def to_pandas(self): return plain

def decimals():
    ratings = pa.array([Decimal(f'{k:.2f}') for k in plain.rating])
    return pa.table(dict(user=plain.user, movie=plain.movie, rating=ratings))

@pytest.mark.parametrize('table', [pa.Table.from_pandas(plain), decimals(), plain.to_dict('records'),
                                   plain.to_dict('list'), Streamed(), Converted()])
def test_a_table_of_another_kind_holds_what_pandas_would(table):
    pd.testing.assert_frame_equal(validate_ratings(table), plain)

@pytest.mark.parametrize('table, words', [
    ('r.csv', r"read_ratings\('r.csv'\)"), (Path('r.csv'), r"read_ratings\('r.csv'\)"),
    (np.zeros(3), 'not numpy.ndarray'), (plain.user, 'not pandas.Series'), ([[1, 2, 3]], 'not list'),
    ({1: 2.0}, 'not dict'), (dict(user=[1], movie=[1, 2]), 'cannot become a table')])
def test_what_is_no_table_is_refused_by_module_and_type(table, words):
    with pytest.raises(ArgError, match=words): as_frame(table)

def test_the_advice_for_a_path_works(tmp_path):
    from collab_course.reading import read_ratings
    path = tmp_path/'r.csv'
    plain.to_csv(path, index=False)
    with pytest.raises(ArgError) as e: as_frame(path)
    scope = dict(read_ratings=read_ratings)
    exec(str(e.value).split('read the file with ')[1], scope)
    assert scope['ratings'].equals(read_ratings(path).ratings)

@pytest.mark.parametrize('ids', [pd.Categorical([1, 1, 2, 3]), pd.Categorical(list('aabc')),
                                 np.array([1, 1, 2, 3], np.float16)])
def test_categories_and_short_floats_are_ids_by_their_values(ids):
    df = validate_ratings(plain.assign(user=ids))
    vocab = Vocab.from_column(df.user)
    assert vocab.ids(vocab.rows(plain.assign(user=ids).user)).tolist()==list(ids)

def test_uuids_are_ids_by_their_text_and_are_found_as_either():
    ids = [uuid.UUID(int=k) for k in (1, 1, 2, 3)]
    vocab = Vocab.from_column(validate_ratings(plain.assign(user=ids)).user)
    assert vocab.kind=='str'
    assert vocab.rows(ids).tolist()==vocab.rows([*map(str, ids)]).tolist()==[1, 1, 2, 3]

def test_true_and_false_are_ratings_as_on_the_command_line():
    for dtype in (bool, 'boolean', object):
        flags = pd.Series([True, False, True, True], dtype=dtype)
        assert validate_ratings(plain.assign(rating=flags)).rating.tolist()==[1, 0, 1, 1]

def test_a_text_among_numbers_is_named_and_dropping_it_helps():
    df = plain.assign(rating=pd.Series([3, 'good', 1, 5], dtype=object))
    with pytest.raises(ArgError, match="'good' isn't a number, as in 1 of 4 rows"): validate_ratings(df)
    assert validate_ratings(df[df.rating!='good']).rating.tolist()==[3, 1, 5]

drop = dict(missing=(np.nan, 'has no rating'), infinite=(np.inf, 'is infinite'), huge=(-10**999, 'is infinite'),
            text=('good', "'good' isn't a number"), lists=([3], "isn't a number"),
            signal=(Decimal('sNaN'), 'has no rating'), quiet=(Decimal('NaN'), 'has no rating'),
            complex=(2+1j, r"\(2\+1j\) isn't a number"), date=(pd.Timestamp('2020'), "isn't a number"))

@pytest.mark.parametrize('bad, words', drop.values(), ids=drop)
def test_dropping_the_rows_that_are_named_helps(bad, words):
    df = plain.assign(rating=pd.Series([3., bad, 1., 5.], dtype=object))
    with pytest.raises(ArgError, match=f'{words}.*1 of 4 rows(.|\n)*[Dd]rop them'): validate_ratings(df)
    assert validate_ratings(df.drop(index=1)).rating.tolist()==[3, 1, 5]

@pytest.mark.parametrize('bad, words', drop.values(), ids=drop)
def test_where_all_rows_are_wrong_none_is_to_be_dropped(bad, words):
    df = plain.assign(rating=pd.Series([bad]*4, dtype=object), stars=plain.rating)
    with pytest.raises(ArgError, match=f'{words}(.|\n)*Repair the column, or name another one$'): validate_ratings(df)
    assert len(validate_ratings(df, rating_name='stars'))==4

def test_complex_ratings_become_numbers_as_advised():
    df = plain.assign(rating=plain.rating + 1j)
    with pytest.raises(ArgError, match='Take real parts, e.g. with np.real'): validate_ratings(df)
    assert validate_ratings(df.assign(rating=np.real(df.rating))).rating.tolist()==plain.rating.tolist()

def test_what_is_outside_the_range_is_dropped_or_the_range_is_widened():
    for rating_range,words in (((2, 5), 'Drop them, or give'), ((7, 9), 'Give')):
        with pytest.raises(ArgError, match=f'\n{words} another rating_range$'):
            validate_ratings(plain, rating_range=rating_range)
    assert len(validate_ratings(plain[plain.rating>=2], rating_range=(2, 5)))==3

def test_an_id_that_signals_is_a_missing_one():
    ids = pd.Series([Decimal('sNaN'), 1, 2, 3], dtype=object)
    for ask in (lambda: validate_ratings(plain.assign(user=ids)), lambda: Vocab('user', [1, 2, 3]).rows(ids)):
        with pytest.raises(ArgError, match="column 'user' has no id in 1 of 4 rows"): ask()

def test_ids_that_differ_after_a_nul_stay_different_or_are_refused():
    ids = [f'key\0{k}' for k in (1, 1, 2, 3)]
    for dtype in (object, 'string'):
        df = plain.assign(user=pd.Series(ids, dtype=dtype))
        try: good = validate_ratings(df)
        except ArgError as e: assert 'NUL' in str(e) and pd.__version__<'3'
        else: assert Vocab.from_column(good.user).index.tolist()==sorted({*ids})

def test_numbers_as_text_become_numbers_as_advised():
    df = plain.assign(rating=list('3415'))
    with pytest.raises(ArgError, match='pd.to_numeric'): validate_ratings(df)
    assert validate_ratings(df.assign(rating=pd.to_numeric(df.rating))).rating.tolist()==[3, 4, 1, 5]

def test_pairs_rated_twice_are_shown_though_their_ids_have_no_order():
    colour = enum.Enum('colour', 'red blue')
    df = plain.assign(user=[colour.red, colour.blue, colour.red, colour.red])
    with pytest.raises(ArgError, match='1 row repeats a pair'): validate_ratings(df)

def test_text_with_half_a_character_is_refused():
    ids = pd.Series(['a\ud800', 'b', 'c', 'd'], dtype=object)
    with pytest.raises(ArgError, match='half a character in'): validate_ratings(plain.assign(user=ids))

def test_floats_that_merge_are_refused_among_objects_too():
    ids = pd.Series([2.0**53, 2.0**53 + 2, 5., 6.], dtype=object)
    with pytest.raises(ArgError, match='cannot tell'): Vocab.from_column(ids).rows(ids)

def test_long_ids_make_no_long_message():
    long = 'x'*100_000
    doubled = pd.concat([plain.assign(user=long + plain.user.astype(str))]*2)
    for df in (plain.assign(user=long), doubled, plain.assign(user=[long, None, 'a', 'b'])):
        with pytest.raises(ArgError) as e: validate_ratings(df)
        assert len(str(e.value))<1500

values = st.one_of(st.integers(-2**63, 2**63-1), st.floats(), st.text(max_size=5), st.booleans(), st.none(),
                   st.binary(max_size=3), st.decimals(), st.datetimes(), st.uuids(),
                   st.complex_numbers(), st.tuples(st.integers(0, 3)), st.lists(st.integers(0, 3), max_size=2))
kinds = st.sampled_from(['int8', 'int64', 'uint64', 'float16', 'float32', 'float64', 'bool', 'Int64', 'boolean',
                         'category', 'string', 'object'])

@st.composite
def column(draw):
    "A column of some dtype, of one kind of values or of several"
    n = 6
    one = draw(st.sampled_from(values.wrapped_strategy.original_strategies if hasattr(values, 'wrapped_strategy')
                               else values.original_strategies))
    drawn = draw(st.lists(draw(st.sampled_from([one, one, values])), min_size=n, max_size=n))
    col = pd.Series([None]*n, dtype=object)
    for k,value in enumerate(drawn): col.iat[k] = value
    try: return col.astype(draw(kinds))
    except (TypeError, ValueError, ArithmeticError): return col

@settings(max_examples=150, deadline=None, derandomize=True)
@given(column(), column(), column())
@pytest.mark.filterwarnings('ignore')
def test_any_table_is_refused_in_a_sentence_or_its_ids_come_back(user, movie, rating):
    df = pd.DataFrame(dict(user=user, movie=movie, rating=rating))
    try: good = validate_ratings(df, duplicates='keep')
    except ArgError as e:
        assert len(str(e))<3000
        return
    for name in ('user', 'movie'):
        try:
            vocab = Vocab.from_column(good[name])
            rows = vocab.rows(good[name])
        except ArgError: continue
        assert list(vocab.ids(rows))==good[name].tolist()
        # what `fit` takes for ids, a bundle gives back
        ids = vocab.index.tolist()
        assert plain_kind(good[name])==vocab.kind
        if vocab.kind: assert unpack_ids('ids', pack_ids('ids', ids))==ids

@st.composite
def plain_column(draw):
    "A column of ids of one kind that a bundle can keep"
    kind = draw(st.sampled_from([st.integers(-2**63, 2**63-1), st.integers(0, 3), st.text(max_size=3),
                                 st.floats(-1e9, 1e9), st.uuids()]))
    few = draw(st.lists(kind, min_size=2, max_size=6, unique=True))
    drawn = draw(st.lists(st.sampled_from(few), min_size=6, max_size=6))
    col = pd.Series(drawn, dtype=object)
    return col.astype(draw(st.sampled_from(['object', 'category']))) if draw(st.booleans()) else col.infer_objects()

stars = st.sampled_from([[1., 5, 2, 4, 3, 1], [True, False, True, True, False, True], [Decimal(k) for k in range(6)]])
fitted = dict(n_factors=1, n_epoch=1, valid_pct=0, seed=0, progress=False)

@settings(max_examples=60, deadline=None, derandomize=True)
@given(plain_column() | column(), plain_column() | column(), stars.map(pd.Series) | column())
@pytest.mark.filterwarnings('ignore')
def test_any_table_is_refused_by_fit_in_a_sentence_or_saved_and_loaded(tmp_path_factory, user, movie, rating):
    df = pd.DataFrame(dict(user=user, movie=movie, rating=rating))
    try: rec = Recommender.fit(df, duplicates='last', **fitted)
    except ArgError as e:
        assert len(str(e))<3000
        return
    again = Recommender.load(rec.save(tmp_path_factory.getbasetemp()/'any'))
    assert again.classes==rec.classes
    def answers(r): return r.predict(df).prediction if r.rates else r.recommend_all(3).score
    assert answers(again).tolist()==answers(rec).tolist()
