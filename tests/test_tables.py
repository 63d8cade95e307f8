"Odd tables of ratings, splits that do not leak, and planted ratings"
from functools import partial

import numpy as np, pandas as pd, pytest
from hypothesis import given, settings, strategies as st

from collab_course.movielens import load_ratings
from collab_course.tables import Split, canonical_fold, leave_k_split, planted_ratings, random_split
from collab_course.tables import time_split, user_split, validate_ratings


# ---- validation

def table(**cols): return pd.DataFrame({**dict(user=[1, 1, 2, 3], movie=[7, 8, 7, 9], rating=[3, 4.5, 1, 5]), **cols})

@pytest.mark.parametrize('df,words', [
    (table().drop(columns='movie'), ["no column 'movie'", "['user', 'rating']", 'Name the right one with item_name']),
    (table().rename(columns={'rating': 'ratings'}), ["did you mean 'ratings'", 'Name the right one with rating_name']),
    (table().iloc[:0], ['no rows']),
    (pd.concat([table(), table()[['user']]], axis=1), ["2 columns are called 'user'"]),
    (table(user=[1, np.nan, 2, 3]), ["column 'user'", 'no id in 1 of 4', 'NaN']),
    (table(movie=['a', None, 'b', 'c']), ["column 'movie'", 'no id in 1 of 4']),
    (table(movie=pd.array([1, None, 3, 4], dtype='Int64')), ["column 'movie'", 'no id in 1 of 4']),
    (table(rating=[1, np.nan, np.nan, 2]), ["column 'rating'", '2 of 4', 'Drop']),
    (table(rating=pd.array([1, None, 3, 4], dtype='Int64')), ["column 'rating'", '1 of 4']),
    (table(rating=['3', '4', '1', '5']), ['not numeric', "'3'", 'pd.to_numeric']),
    (table(rating=pd.to_datetime(['2020-01-01']*4)), ['not numeric']),
    (table(rating=[1j, 2, 3, 4]), ['not numeric']),
    (table(rating=[1, np.inf, 3, -np.inf]), ['infinite', 'in 2 of 4']),
    (table(user=['1', 1, 2, 3]), ['mixes ids', "['int', 'str']"]),
    (table(movie=[[1], [2], [3], [4]]), ['cannot be hashed', '[1]']),
    (table(user=[5]*4, movie=[1, 2, 3, 4]), ["column 'user'", 'one id only, 5']),
    (table(movie=[5]*4, user=[1, 2, 3, 4]), ["column 'movie'", 'one id only']),
    (table(user=[1, 1, 2, 3], movie=[7, 7, 7, 9]), ['1 row repeats', "duplicates='keep'"]),
    (table(user=[1, 1, 2, 3], movie=[7, 7, 7, 9]).assign(rating=[3, 3, 3, 3]), ['1 row repeats'])])
def test_a_bad_table_is_refused_with_the_place_and_the_cure(df, words):
    with pytest.raises(ValueError) as e: validate_ratings(df)
    assert not [w for w in words if w not in str(e.value)], str(e.value)

@pytest.mark.parametrize('thing', [None, [[1, 2, 3]], {'user': 1}, pd.Series([1])])
def test_what_is_no_frame_is_a_type_error(thing):
    with pytest.raises(TypeError, match='DataFrame'): validate_ratings(thing)

def test_the_range_is_checked_when_it_is_given():
    with pytest.raises(ValueError, match='not between 1 and 5 in 1 of 4'):
        validate_ratings(table(rating=[1, 5, 5.5, 2]), rating_range=(1, 5))
    df = table()
    assert validate_ratings(df, rating_range=(1, 5)) is df

def test_one_column_cannot_play_two_parts():
    with pytest.raises(ValueError, match='column of its own'): validate_ratings(table(), item_name='user')

def test_swapped_columns_are_seen_and_can_be_insisted_on():
    df = pd.DataFrame(dict(user=[1, 2, 3, 4, 5]*40, movie=np.repeat(range(40), 5), rating=range(200)))
    df = pd.concat([df, df.assign(movie=df.movie+40), df.assign(movie=df.movie+80)], ignore_index=True)
    with pytest.raises(ValueError, match=r'are they swapped\? If it is right, pass rating_range with the ends'):
        validate_ratings(df)
    assert validate_ratings(df, rating_range=(0, 199)) is df

def test_a_time_taken_for_the_rating_is_seen_and_can_be_insisted_on():
    df = planted_ratings(30, 20, 300).ratings
    with pytest.raises(ValueError, match='takes 300 whole values in 300 rows, as ids and times do'):
        validate_ratings(df, rating_name='timestamp')
    assert validate_ratings(df, rating_name='timestamp', rating_range=(0, 299)) is df

@pytest.mark.parametrize('bad', [5, (1, 2, 3), ('1', '5'), (5, 1), (float('nan'), 5)])
def test_a_range_is_two_numbers_the_lower_first(bad):
    with pytest.raises(ValueError, match='rating_range must be'): validate_ratings(table(), rating_range=bad)
    with pytest.raises(ValueError, match='rating_range must be'): planted_ratings(rating_range=bad)

def test_numpy_and_python_ids_of_one_kind_are_no_mixture():
    df = table(user=pd.Series([np.int64(1), 1, np.int32(2), 3], dtype=object),
               movie=pd.Series(['a', np.str_('b'), 'a', 'c'], dtype=object))
    assert validate_ratings(df) is df

@pytest.mark.parametrize('how,rating', [('first', 3), ('last', 5), ('mean', 4)])
def test_doubled_pairs_are_merged_as_asked(how, rating):
    df = pd.DataFrame(dict(user=['a', 'a', 'b'], movie=['x', 'x', 'y'], rating=[3, 5, 1], note=['p', 'q', 'r']),
                      index=[9, 9, 4])
    res = validate_ratings(df, duplicates=how)
    assert res.rating.tolist()==[rating, 1] and res.user.tolist()==['a', 'b'] and len(df)==3

def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match="not 'median'"): validate_ratings(table(), duplicates='median')

# pandas 2 takes texts for one that differ after a NUL character, and such ids are refused
text = partial(st.text, st.characters(exclude_categories=['Cs'], exclude_characters='\0'*(pd.__version__<'3')))
ids = st.one_of(st.lists(st.integers(-2**60, 2**60), min_size=2), st.lists(text(max_size=9), min_size=2),
                st.lists(st.tuples(st.integers(0, 3), text(max_size=2)), min_size=2))

@st.composite
def good_tables(draw):
    users,items = ([*dict.fromkeys(draw(ids))] for _ in range(2))
    if len(users)<2: users = ['p', 'q']
    if len(items)<2: items = [10, 20]
    pairs = [(u, i) for u in users[:6] for i in items[:6]]
    picked = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) + [pairs[0], pairs[-1]]
    u,i = zip(*dict.fromkeys(picked))
    y = draw(st.lists(st.floats(-1e6, 1e6), min_size=len(u), max_size=len(u)))
    return pd.DataFrame({'user': pd.Series(u), 'movie': pd.Series(i), 'rating': y})

@settings(max_examples=60, deadline=None)
@given(good_tables(), st.data())
def test_good_tables_pass_untouched_and_one_hole_is_always_found(df, d):
    before = df.copy()
    assert validate_ratings(df) is df
    pd.testing.assert_frame_equal(df, before)
    row,col = d.draw(st.integers(0, len(df)-1)),d.draw(st.sampled_from(['user', 'movie', 'rating']))
    holed = df.astype({col: object}) if col!='rating' else df.copy()
    holed.at[row, col] = None
    with pytest.raises(ValueError, match=f"column '{col}'"): validate_ratings(holed)

@settings(max_examples=40, deadline=None)
@given(good_tables(), st.sampled_from(['first', 'last', 'mean']), st.data())
def test_merging_leaves_each_pair_once(df, how, d):
    again = df.iloc[d.draw(st.lists(st.integers(0, len(df)-1), max_size=9))]
    res = validate_ratings(pd.concat([df, again]), duplicates=how)
    assert len(res)==len(df) and not res.duplicated(['user', 'movie']).any()
    np.testing.assert_allclose(np.sort(res.rating), np.sort(df.rating))


# ---- splits

@settings(max_examples=40, deadline=None)
@given(st.integers(200, 290), st.floats(0.1, 0.9), st.integers(0, 99), st.integers(0, 3))
def test_every_split_is_a_partition_that_counts_the_new(n, pct, seed, kind):
    df = planted_ratings(20, 15, n, seed=seed).ratings
    df.index = [0]*n # the index must not matter
    s = [lambda: random_split(df, pct, seed), lambda: user_split(df, pct, seed), lambda: time_split(df, pct),
         lambda: time_split(df, pct, per_user=True)][kind]()
    train,test = s
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n))
    known_u,known_i = set(df.user.iloc[train]),set(df.movie.iloc[train])
    cold = [(u not in known_u, i not in known_i) for u,i in zip(df.user.iloc[test], df.movie.iloc[test])]
    assert s.unseen_rows==sum(u or i for u,i in cold)
    assert s.unseen_users==len(set(df.user.iloc[test])-known_u)
    assert s.unseen_items==len(set(df.movie.iloc[test])-known_i)

@pytest.mark.parametrize('seed', [-1, 1.5, 'lucky', True])
def test_a_seed_is_a_whole_number(seed):
    df = planted_ratings(20, 15, 100).ratings
    for f in (lambda: random_split(df, seed=seed), lambda: user_split(df, seed=seed),
              lambda: planted_ratings(20, 15, 100, seed=seed)):
        with pytest.raises(ValueError, match=f'seed must be a whole number, at least 0, not {seed!r}'): f()

@pytest.mark.parametrize('kind', ['int64[pyarrow]', 'double[pyarrow]', 'Float64'])
def test_ratings_of_other_libraries_are_numbers_too(kind):
    df = planted_ratings(20, 15, 100, rating_range=(1, 5), step=1).ratings.astype({'rating': kind})
    assert validate_ratings(df) is df

def test_a_seed_fixes_a_split_and_another_changes_it():
    df = planted_ratings(50, 40, 900).ratings
    a,b,c = (random_split(df, seed=s).test for s in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)

def test_time_splits_keep_the_future_out_of_training():
    df = planted_ratings(50, 40, 900).ratings.sample(frac=1, random_state=0)
    train,test = time_split(df)
    assert df.timestamp.iloc[train].max() < df.timestamp.iloc[test].min()
    s = time_split(df, per_user=True)
    last_train = df.iloc[s.train].groupby('user').timestamp.max()
    first_test = df.iloc[s.test].groupby('user').timestamp.min()
    assert (last_train.reindex(first_test.index) < first_test).all()

@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 0.99), st.integers(0, 99))
def test_the_last_rows_of_each_person_leave_everybody_something_to_learn_from(pct, seed):
    assert time_split(planted_ratings(20, 15, 250, seed=seed).ratings, pct, per_user=True).unseen_users==0

def test_user_split_shares_nobody():
    df = planted_ratings(50, 40, 900).ratings
    s = user_split(df, 0.3, seed=1)
    assert not set(df.user.iloc[s.train]) & set(df.user.iloc[s.test]) and s.unseen_users==15
    assert s.unseen_rows==len(s.test)

@pytest.mark.parametrize('pct', [0, 1, -0.1, 20, '0.2', None])
def test_a_share_is_between_0_and_1(pct):
    for split in (random_split, user_split, time_split):
        with pytest.raises(ValueError, match='share between 0 and 1'): split(planted_ratings(9, 9, 30).ratings, pct)

def test_an_empty_part_is_refused():
    with pytest.raises(ValueError, match='test part would be empty'):
        random_split(planted_ratings(9, 9, 30).ratings, 0.001)

@pytest.mark.parametrize('split', [random_split, user_split, time_split])
def test_splits_name_the_column_that_is_missing(split):
    with pytest.raises(ValueError, match="no column 'usr'"): split(planted_ratings(9, 9, 30).ratings, user_name='usr')
    with pytest.raises(TypeError, match='DataFrame'): split(None)

@pytest.mark.parametrize('times', [['9', '10']*15, ['12/1/2020']*30])
def test_times_as_text_are_refused(times):
    with pytest.raises(ValueError, match='text sorts by letters'):
        time_split(planted_ratings(9, 9, 30).ratings.assign(timestamp=times))

def test_times_as_dates_are_sorted_as_dates():
    df = planted_ratings(9, 9, 30).ratings
    dates = df.assign(timestamp=pd.to_datetime(df.timestamp, unit='D'))
    assert time_split(dates).test.tolist()==time_split(df).test.tolist()

def test_time_split_names_what_it_misses():
    df = planted_ratings(9, 9, 30).ratings
    with pytest.raises(ValueError, match="no column 'when'"): time_split(df, time_name='when')
    with pytest.raises(ValueError, match="'timestamp' is missing in 1 of 30"):
        time_split(df.assign(timestamp=df.timestamp.where(df.timestamp!=3)))

def test_canonical_folds_are_the_fifths_of_the_file_and_nothing_else():
    r = load_ratings()
    for i in range(1, 6):
        f = canonical_fold(r, i)
        assert isinstance(f, Split) and f.test[0]==(i-1)*20_000 and f.test[-1]==i*20_000-1 and len(f.train)==80_000
    swapped = r.copy()
    swapped.iloc[[3, 4]] = swapped.iloc[[4, 3]].to_numpy()
    for bad in (r.sort_values('timestamp'), r.iloc[:-1], r.iloc[::-1], swapped):
        with pytest.raises(ValueError, match='row numbers of the file'): canonical_fold(bad, 1)
    for i in (0, 6, '1', 1.5):
        with pytest.raises(ValueError, match='1 to 5'): canonical_fold(r, i)


# ---- planted ratings

@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 8), st.floats(0, 8), st.integers(0, 99), st.data())
def test_planted_pairs_are_different_and_ids_in_range(n_users, n_items, k, skew, seed, d):
    n = d.draw(st.integers(1, n_users*n_items))
    p = planted_ratings(n_users, n_items, n, k, skew=skew, seed=seed)
    df = p.ratings
    assert len(df)==n and not df.duplicated(['user', 'movie']).any() and df.user.between(1, n_users).all()
    assert df.movie.between(1, n_items).all()
    assert df.rating.dtype==np.float32 and p.user_factors.shape==(n_users, k)
    assert p.user_factors.dtype==p.item_bias.dtype==np.float32

def test_the_noise_is_what_separates_ratings_from_the_truth():
    p = planted_ratings(300, 200, 20_000, noise=0.3)
    gap = p.ratings.rating - p.expected(p.ratings.user, p.ratings.movie)
    assert abs(gap.std()-0.3)<0.01 and abs(gap.mean())<0.01
    q = planted_ratings(300, 200, 20_000, noise=0)
    np.testing.assert_allclose(q.ratings.rating, q.expected(q.ratings.user, q.ratings.movie), atol=1e-6)

def test_parts_have_the_spread_that_was_asked_for():
    p = planted_ratings(4000, 3000, 100_000, n_factors=8, bias_sd=0.3, factor_sd=0.6, mean=2)
    prod = p.expected(p.ratings.user,
                      p.ratings.movie) - 2 - p.user_bias[p.ratings.user-1] - p.item_bias[p.ratings.movie-1]
    assert abs(prod.std()-0.6)<0.03 and abs(p.user_bias.std()-0.3)<0.02 and abs(p.item_bias.std()-0.3)<0.02

def test_large_tables_take_the_other_road_and_keep_the_promises():
    p = planted_ratings(9000, 3000, 400_000)
    df = p.ratings
    assert len(df)==400_000 and not df.duplicated(['user', 'movie']).any()
    c = df.movie.value_counts()
    assert c.iloc[:300].mean() > 20*c.iloc[-300:].mean()

def test_stars_are_stars():
    r = planted_ratings(step=0.5, rating_range=(0.5, 5)).ratings.rating
    assert set(r*2)<=set(range(1, 11)) and r.min()>=0.5 and r.max()<=5

def test_a_seed_fixes_everything():
    a,b,c = (planted_ratings(seed=s) for s in (3, 3, 4))
    pd.testing.assert_frame_equal(a.ratings, b.ratings)
    assert not np.array_equal(a.user_factors, c.user_factors)

def test_too_many_ratings_are_refused():
    with pytest.raises(ValueError, match='do not fit'): planted_ratings(10, 10, 101)
    with pytest.raises(ValueError, match='too many for 6,000 users'): planted_ratings(6000, 5000, 29_000_000)

@pytest.mark.parametrize('arg', ['n_users', 'n_items', 'n_ratings', 'n_factors'])
@pytest.mark.parametrize('bad', [0, -1, 2.5, '9', None, True])
def test_sizes_are_whole_numbers(arg, bad):
    with pytest.raises(ValueError, match=f'{arg} must be a whole number'): planted_ratings(**{arg: bad})

@pytest.mark.parametrize('args',
                         [dict(noise=None), dict(noise=-1), dict(noise=float('nan')), dict(step=0),
                          dict(step=float('inf'))])
def test_noise_and_steps_are_sane(args):
    with pytest.raises(ValueError, match=[*args][0]): planted_ratings(**args)

def test_the_truth_is_told_for_known_pairs_only():
    p = planted_ratings(20, 30, 100)
    with pytest.raises(ValueError, match='users has the id 0, and there are 1 to 20'): p.expected([0], [1])
    with pytest.raises(ValueError, match='items has the id 31'): p.expected([1], [31])
    with pytest.raises(ValueError, match='give pairs'): p.expected([1, 2, 3], [1])


# ---- some rows of each person

@settings(max_examples=40, deadline=None)
@given(good_tables(), st.integers(1, 4), st.integers(0, 99))
def test_k_rows_of_each_person_are_kept_back_and_people_with_fewer_stay(df, k, seed):
    n = df.user.value_counts()
    if n.max()<=k:
        with pytest.raises(ValueError, match=f'more than {k} rows: ask for a smaller k'): leave_k_split(df, k)
        return
    split = leave_k_split(df, k, seed)
    assert sorted([*split.train, *split.test])==[*range(len(df))]
    left = df.user.iloc[split.test].value_counts()
    assert {*left}=={k} and {*left.index}=={*n.index[n>k]} and split.unseen_users==0
    assert leave_k_split(df, k, seed).test.tolist()==split.test.tolist()

def test_the_latest_rows_of_each_person_are_those_of_their_last_times():
    df = pd.DataFrame(dict(user=[1, 2, 1, 1, 2, 3], movie=[5, 6, 7, 8, 9, 5], timestamp=[3, 9, 9, 1, 2, 1]))
    df.index = [4]*6
    assert leave_k_split(df, 1, time_name='timestamp').test.tolist()==[1, 2]
    assert leave_k_split(df, 2, time_name='timestamp').test.tolist()==[0, 2]
    days = df.assign(timestamp=pd.to_datetime(df.timestamp, unit='D'))
    assert leave_k_split(days, 2, time_name='timestamp').test.tolist()==[0, 2]
    assert {*map(int, np.concatenate([leave_k_split(df, 1, seed).test for seed in range(30)]))}=={0, 1, 2, 3, 4}

@pytest.mark.parametrize('kw,words', [
    (dict(k=0), 'k must be a whole number'), (dict(k=1.5), 'k must be a whole number'),
    (dict(time_name='when'), "no column 'when'"), (dict(time_name='title'), 'text sorts by letters'),
    (dict(seed='x'), 'seed must be'), (dict(user_name='users'), "did you mean 'user'")])
def test_a_split_of_k_rows_checks_what_it_is_given(kw, words):
    df = pd.DataFrame(dict(user=[1, 1, 2], movie=[5, 6, 7], title=['a', 'b', 'c']))
    with pytest.raises(ValueError, match=words): leave_k_split(df, **kw)
