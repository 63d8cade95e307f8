"Ratings that cannot be meant are refused or said before a training, and legitimate ones never are"
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st

from collab_course.checks import ArgError
from collab_course.convert import to_served
from collab_course.create_params import DotProductBias
from collab_course.extremes import Row, check_far, check_float32, check_meaning, check_ratings, codes_of, doubts
from collab_course.extremes import log_advice, odd_ends, shown, tail_of, usual_limits, without_missing
from collab_course.loaders import RatingsDataLoaders
from collab_course.movielens import load_ratings
from collab_course.recommender import Recommender
from collab_course.tables import canonical_fold, planted_ratings

quiet = pytest.mark.filterwarnings('ignore:.*(no better than biases|long tail|apart from the rest)')
PAIRS = planted_ratings(n_users=40, n_items=30, n_ratings=700, rating_range=(1, 5), step=1, seed=0).ratings

def fit(y=None, **kw):
    df = PAIRS if y is None else PAIRS.assign(rating=np.resize(y, len(PAIRS)))
    return Recommender.fit(df, **(dict(n_factors=3, n_epoch=2, seed=0, progress=False) | kw))

def refusal(call, *args, **kw):
    with pytest.raises(ArgError) as e: call(*args, **kw)
    return str(e.value), e.value

def rows_of(message): return [part.position for part in message.args if isinstance(part, Row)]

# far from all others

def skewed(rng, n):
    "Tables as they are published, none of which has an outlier"
    sigma, alpha, size = rng.uniform(0.3, 3), rng.uniform(0.5, 3), rng.lognormal(0, 3)
    return dict(stars=rng.choice(np.arange(1, 6), n, p=rng.dirichlet([1]*5)),
                halves=rng.choice(np.arange(1, 11)/2, n, p=rng.dirichlet([1]*10)),
                percent=np.round(100*rng.beta(2, 1, n)), jokes=rng.uniform(-10, 10, n),
                normal=rng.normal(5, 1, n)*size, both_tails=rng.standard_cauchy(n)*size,
                hours=np.round(rng.lognormal(1.5, sigma, n), 1), money=(rng.pareto(alpha, n) + 1)*size,
                plays=np.floor(rng.pareto(alpha, n) + 1), words=rng.zipf(alpha + 1, n).astype(float),
                visits=rng.geometric(rng.uniform(0.05, 0.9), n), goals=rng.poisson(rng.uniform(0.1, 20), n),
                thumbs=rng.choice([0, 1], n, p=[0.95, 0.05]), events=rng.choice([1, 3, 10], n, p=[0.9, 0.0995, 0.0005]),
                mostly_one=np.where(rng.random(n)<0.9, 1, np.ceil(rng.pareto(1, n) + 1)))

@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(50, 5_000))
def test_no_legitimate_table_is_refused(seed, n):
    for name, y in skewed(np.random.default_rng(seed), n).items(): assert (name, check_far(pd.Series(y)))==(name, None)

@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(600, 5_000), st.floats(1.1, 1e6), st.booleans(), st.floats(-1e3, 1e3),
       st.floats(1e-3, 1e6), st.integers(5, 11))
def test_a_rating_far_from_a_scale_is_always_named(seed, n, gap, high, low, step, n_levels):
    rng = np.random.default_rng(seed)
    y = low + step*rng.integers(0, n_levels, n)
    at = int(rng.integers(n))
    width = np.ptp(np.delete(y, at))
    y[at] = (y.max() + gap*width) if high else (y.min() - gap*width)
    named = pd.Series(y, index=np.arange(n)*3)
    may_be_honest = y[at]<=0 if high else y[at]>=0
    if may_be_honest:
        check_far(named)
        assert rows_of(doubts(named)[0])==[at]
        return
    says, e = refusal(check_far, named)
    assert f' in row {3*at}. ' in says and e.got.tolist()==[y[at]] and f'1 of {n:,} ratings is far' in says
    assert rows_of(e)==[at]

def test_the_advice_about_a_far_rating_works():
    y = PAIRS.rating.to_numpy(float).copy()
    y[5] = 99
    says, _ = refusal(fit, y)
    assert says=='1 of 700 ratings is far from all others, which go from 1 to 5: 99 in row 5. Correct it, ' \
        'drop it with missing=99, or pass rating_range=(1, 99) if it is meant'
    with pytest.warns(UserWarning) as seen: assert fit(y, rating_range=(1, 99)).rating_range==(1, 99)
    assert not [o for o in seen if 'far from' in str(o.message)]

@quiet
def test_dropped_rows_are_counted():
    y = PAIRS.rating.to_numpy(float).copy()
    y[5] = 99
    r = fit(y, missing=[99, -1], valid_pct=0)
    assert (r.report['n_missing'], r.n_train, r.rating_range)==(1, 699, (1, 5))
    assert 'n_missing' not in fit().report

@pytest.mark.parametrize('typo', [10, 50, 55, 99, 1e30, -9])
def test_one_typo_among_80000_ratings_of_movielens_is_named(typo):
    ratings = load_ratings()
    y = ratings.rating.iloc[canonical_fold(ratings, 1).train].astype(float)
    check_far(y)
    y.iloc[123] = typo
    assert f'{typo:g}'.lstrip('-')[:2] in (says := refusal(check_far, y)[0]) and f'in row {y.index[123]}.' in says

def test_several_far_ratings_are_named_at_once():
    y = np.append(np.tile([1, 2, 3, 4, 5], 800), [50, 99, -70])
    says, e = refusal(check_far, pd.Series(y))
    assert '3 of 4,003 ratings are far' in says and e.got.tolist()==[-70, 50, 99] and 'missing' not in says
    assert usual_limits(y.astype(float))==(1, 5)

def test_a_stated_range_is_taken_as_meant():
    y = pd.Series([1, 2, 3, 4, 5]*100 + [99, -1])
    check_meaning(y, (-1, 99))
    assert doubts(y, (-1, 99))==[]

several = {'-99': [-99]*3, '44 and 55': [44, 44, 55], '-9': [-9]*9}

@pytest.mark.parametrize('typos', several.values(), ids=several)
def test_several_mistakes_in_a_small_table_are_refused(typos):
    y = load_ratings().rating.head(1_000).astype(float)
    y.iloc[[5, 300, 700, *range(800, 797 + len(typos))]] = typos
    assert refusal(check_far, y)[1].got.tolist()==sorted(set(typos))

scales = {'thumbs': ([-1, 1], 1e6), '0 and 1': ([0, 1], 10), 'three': ([1, 2, 3], 33), 'four': ([1, 2, 3, 4], 44),
          'below': (range(1, 6), -1), 'above': (range(1, 6), 8), 'from 0': (range(6), -1), 'high': (range(6, 11), 1),
          'tenths': (np.arange(40, 51)/10, 1), 'from 7': (range(7, 11), 0)}

@pytest.mark.parametrize('levels,end', scales.values(), ids=scales)
def test_a_lone_end_is_said_with_row_and_value_and_the_advice_ends_it(levels, end):
    y = pd.Series(np.append(np.tile([*levels], 200), end).astype(float))
    check_meaning(y)
    says = [*map(str, doubts(y))]
    row = len(y) - 1
    assert len(says)==1 and f'1 of {len(y):,} ratings is {shown(end)}, apart from the others' in says[0]
    assert f'see row {row}. ' in says[0] and f'missing={shown(end)}' in says[0]
    assert doubts(without_missing(y.to_frame('r'), 'r', end)[0].r)==[] and doubts(y, (y.min(), y.max()))==[]

def test_steps_that_a_scale_may_have_are_not_said():
    stars = load_ratings().rating.to_numpy(float)
    for end in (0, 6): assert odd_ends(np.append(stars, end))==[]
    for f in (np.log, np.log1p, np.sqrt, np.square, np.exp): assert doubts(pd.Series(f(stars)))==[]

@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(500, 5_000))
def test_tails_are_hardly_ever_called_odd(seed, n):
    tables = skewed(np.random.default_rng(seed), n)
    assert sum(bool(odd_ends(y)) for name, y in tables.items() if name!='events')<=2

def test_a_row_whose_label_comes_twice_is_named_by_its_position():
    y = pd.concat([pd.Series([1., 2, 3, 4, 5]*100)]*2)
    y.iloc[600] = 44
    assert '44 in row 100 (at .iloc[600]). ' in refusal(check_far, y)[0]

def test_a_note_about_an_end_says_nothing_of_tails():
    y = pd.Series(np.append(np.tile([1., 2, 3], 200), [99]*3))
    assert len(doubts(y))==1 and '99, apart from the others' in str(doubts(y)[0])

# codes and tails

levels = {'-1 below 6 to 10': ([-1, 6, 7, 8, 9, 10], [-1]), '-1 below 0 to 10': (range(-1, 11), [-1]),
    '0 below 7 to 10': ([0, 7, 8, 9, 10], [0]), '0 without a 1': ([0, 2, 3, 4, 5], [0]),
    '99 above -10 to 10': ([*range(-10, 11), 99], [99]), '99 above 1 to 5': ([1, 2, 3, 4, 5, 99], [99]),
    'stars': (range(1, 6), []), '0 to 10': (range(11), []), 'half stars': (np.arange(1, 11)/2, []),
    'thumbs': ([-1, 1], []), 'three': ([-1, 0, 1], []), 'grades': (range(0, 101, 10), []), 'signed': (range(-5, 6), [])}

@pytest.mark.parametrize('values,codes', levels.values(), ids=levels)
def test_codes_for_not_rated_are_noticed(values, codes):
    y = np.tile(np.array(values, float), 50)
    assert [*codes_of(y)]==codes
    assert [f'missing={shown(c)}' in str(o) for o, c in zip(doubts(pd.Series(y)), codes)]==[True]*len(codes)

def test_a_zero_that_is_far_more_frequent_than_the_ratings_beside_it_is_noticed():
    books = np.repeat(np.arange(11.), [600, 2, 3, 6, 8, 45, 32, 66, 92, 60, 86])
    assert codes_of(books)=={0: 600} and codes_of(books[600:])=={}
    assert codes_of(np.random.default_rng(0).poisson(0.4, 2_000).astype(float))=={}

def test_a_long_tail_is_said_with_the_remedy():
    rng = np.random.default_rng(0)
    hours = np.round(rng.lognormal(1.5, 2, 2_000), 1)
    assert 'np.log1p' in str(doubts(pd.Series(hours))[0]) and doubts(pd.Series(np.log1p(hours)))==[]
    assert tail_of(np.repeat([1., 5], [900, 100])) is None and tail_of(-hours) is None

@pytest.mark.parametrize('size', [1e-9, 1e-3, 1, 1e6])
@pytest.mark.parametrize('sigma', [1.5, 3, 8])
def test_the_advice_about_a_long_tail_ends_the_note(size, sigma):
    y = pd.Series(size*np.exp(sigma*np.random.default_rng(1).standard_normal(3_000)))
    way = log_advice(y.to_numpy()).split('such as ')[1]
    if way=='np.log1p': way += '(y)'
    assert doubts(y) and doubts(eval(way, dict(np=np, y=y)))==[]

def test_counts_are_no_ids():
    rng = np.random.default_rng(0)
    for n in (200, 1_000, 5_000):
        table = pd.DataFrame(dict(user=np.arange(n)//10, movie=np.arange(n)%10 + np.arange(n)//100))
        plays = np.floor(200*np.exp(2*rng.standard_normal(n))) + 1
        assert 'long tail' in str(doubts(check_ratings(table.assign(rating=plays)).rating))
        for ids in (np.arange(n), rng.permutation(n) + 1, 880_000_000 + rng.integers(0, 10**7, n)):
            says, _ = refusal(check_ratings, table.assign(rating=ids))
            assert 'as ids and times do. If it is right, pass rating_range with the ends of the scale' in says
            assert f', {ids.max()})' not in says

@quiet
def test_all_of_it_is_said_by_fit():
    with pytest.warns(UserWarning, match='700 ratings are -1, apart from the rest.*missing=-1'): fit([-1, 7, 8, 9, 10])
    with pytest.warns(UserWarning, match='long tail'): fit(np.geomspace(1, 1e6, 700), feedback='stars')

def test_the_warning_about_a_poor_model_names_the_range_first():
    y = PAIRS.rating.to_numpy(float).copy()
    y[:5] = 1_000
    with pytest.warns(UserWarning, match='98% of the ratings are from 1 to 5, in a range from 1 to 1000'):
        fit(y, rating_range=(1, 1_000), n_epoch=1, model='dot_product')

def test_the_warning_about_a_poor_model_calls_no_large_table_small():
    dense = pd.DataFrame([(u, i) for u in range(60) for i in range(60)], columns=['user', 'movie'])
    noise = dense.assign(rating=np.random.default_rng(0).integers(1, 6, len(dense)))
    with pytest.warns(UserWarning, match='no better than biases') as seen:
        Recommender.fit(noise, model='dot_product', n_factors=30, wd=0., n_epoch=20, seed=0, progress=False)
    says = [str(o.message) for o in seen if 'no better' in str(o.message)][0]
    assert 'small' not in says and says.endswith('leave wd, n_epoch as tuned')

def test_the_warning_about_a_small_table_counts_ratings_of_users_and_of_items():
    some = [(u, i) for u in range(30) for i in range(25)][::2][:360]
    noise = pd.DataFrame(some, columns=['user', 'movie'])
    noise['rating'] = np.random.default_rng(0).integers(1, 6, 360)
    n_users, n_items = noise.user.nunique(), noise.movie.nunique()
    with pytest.warns(UserWarning, match='no better than biases') as seen:
        Recommender.fit(noise, model='dot_product', n_factors=9, wd=0., n_epoch=20, seed=0, progress=False)
    says = [str(o.message) for o in seen if 'no better' in str(o.message)][0]
    assert f'a table with {360/n_users:.0f} ratings a user and {360/n_items:.0f} an item is small for that' in says

def test_a_third_of_zeros_in_a_table_of_stars_is_said():
    y = np.random.default_rng(0).choice([0, 1, 2, 3, 4, 5], 3_000, p=[.33, .02, .04, .13, .23, .25])
    says = [str(o) for o in doubts(pd.Series(y))]
    assert len(says)==1 and 'ratings are 0' in says[0] and 'pass missing=0' in says[0]

# float32

close = {'1e9': 1e9 + np.arange(5), '2**60': 2**60 + np.arange(5), 'hundred millionths': 1 + np.arange(5)*1e-8,
         'uint64': np.arange(5).astype(np.uint64) + np.uint64(2**63)}

@pytest.mark.parametrize('y', close.values(), ids=close)
def test_ratings_that_float32_merges_are_refused_and_the_advice_works(y):
    says, _ = refusal(fit, y)
    assert 'of 5 different values 1 stays. Subtract ' in says
    check_float32(pd.Series(y - y[0]))

@pytest.mark.parametrize('size', [1e-300, 1e-44, 1e-40])
def test_ratings_too_small_for_float32_are_refused(size):
    assert 'multiply them' in refusal(check_float32, pd.Series(np.arange(5)*size))[0]

@quiet
@pytest.mark.parametrize('size', [1e-15, 1e-3, 1e6, 6e37])
def test_the_unit_of_the_ratings_makes_no_difference(size):
    a, b = fit(), fit(PAIRS.rating*size)
    assert b.report['valid_rmse']/size==pytest.approx(a.report['valid_rmse'], rel=1e-4)
    assert np.isfinite(b.recommend_all(3).score).all()

def test_ratings_that_spread_too_far_for_float32_are_refused():
    assert 'divide them' in refusal(fit, [-2e38, 2e38])[0]

@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10**6), st.floats(-1e4, 1e4), st.floats(1e-6, 1e6))
def test_random_decimals_pass(seed, low, step):
    y = low + step*np.random.default_rng(seed).random(50)
    y[:2] = low, low + step
    kept = np.abs(y.astype(np.float32).astype(float) - y).max()<step/2000
    if kept: check_float32(pd.Series(y))
    assert kept or step<1

# trainings that fail, and models that are accused

@quiet
@pytest.mark.parametrize('size,seed', [(1e5, 0), (1e6, 1), (1e9, 2)])
def test_a_model_that_fit_has_made_is_not_accused(size, seed):
    y = np.random.default_rng(0).integers(1, 200, len(PAIRS)).astype(float)
    y[0] = size
    r = fit(y, rating_range=(1, size), seed=seed)
    assert isinstance(Recommender.from_model(r.model, r.dls), Recommender)

def wide_model(dls, size):
    torch.manual_seed(0)
    model = DotProductBias(dls.n_users, dls.n_items, 4, y_range=(0, size))
    for p in model.parameters(): p.data = 2*torch.randn_like(p)
    return model

@pytest.mark.parametrize('size', [1e-6, 5.5, 1e6, 1e30])
def test_a_forward_of_its_own_is_found_whatever_the_unit(size):
    dls = RatingsDataLoaders.from_df(PAIRS, seed=0, device='cpu')
    pairs = dls.train_ds.x.numpy()
    assert to_served(wide_model(dls, size), dls.classes, pairs).y_range==(0, size)
    louder = wide_model(dls, size)
    louder.register_forward_hook(lambda model, args, out: out + size/50)
    with pytest.raises(TypeError, match='gives other predictions'): to_served(louder, dls.classes, pairs)

failing = [(dict(lr=1e3), 'lr'), (dict(lr=1e30), 'lr'), (dict(wd=1e4), 'wd'), (dict(wd=1e30), 'wd'),
           (dict(lr=1e4, wd=1e4), 'lr and a smaller wd'), (dict(model='neighbours', wd=1e6), 'wd'),
           (dict(model='neighbours', lr=1e30), 'lr')]

@pytest.mark.parametrize('kw,name', failing, ids=str)
def test_a_failed_training_names_the_setting_at_fault(kw, name):
    says, e = refusal(fit, n_epoch=5, **dict(model='dot_product') | kw)
    assert says.endswith(f'the training failed, its numbers grew without limit: try a smaller {name}')
    assert e.arg==name.split()[0] and 'decay' not in says and ('wd' in says)==('wd' in kw)

@pytest.mark.parametrize('kw', [{}, dict(valid_pct=0)], ids=str)
def test_a_learning_rate_that_makes_nonsense_is_not_served(kw):
    says, e = refusal(fit, model='auto', lr=1e3, **kw)
    assert 'with lr=1000' in says
    assert says.endswith('the training failed, its numbers grew without limit: try a smaller lr')

@pytest.mark.parametrize('kw', [dict(n_epoch=1), dict(wd=5.), dict(bs=700), dict(lr=1e-6)], ids=str)
def test_a_setting_that_makes_neighbours_poor_is_named(kw):
    with pytest.warns(UserWarning, match=f'which are taken instead: .*leave {[*kw][0]}=?.* as tuned'):
        fit(**dict(n_epoch=None, n_factors=50) | kw)

@pytest.mark.parametrize('kw,words', [(dict(n_factors=10**9), 'n_factors must be at most 10,000'),
    (dict(lr=-1), 'lr must be a number, at least 0'), (dict(bs=0), 'bs must be a whole number'),
    (dict(valid_pct=2), 'valid_pct must be a share'), (dict(refit='no'), 'refit must be True or False'),
    (dict(n_epoch=1.5), 'n_epoch must be a whole number'), (dict(missing='x'), 'missing must be a number or a list')])
def test_settings_are_checked_before_the_table(kw, words):
    with pytest.raises((ValueError, TypeError), match=words): Recommender.fit(PAIRS, **kw)

def test_what_can_be_found_without_torch_is_found_without_it():
    code = '''import sys, numpy as np, pandas as pd
from collab_course.recommender import Recommender
pairs = pd.DataFrame([(u, i) for u in range(30) for i in range(20)], columns=['user', 'movie'])
y = np.resize([1., 2, 3, 4, 5], 600)
far = y.copy(); far[3] = 99
for y,kw in ((far, {}), (y*0, dict(feedback='stars')), (y + 1e12, {}), (y, dict(n_factors=-1)),
             (y, dict(missing=range(6))), (y, dict(on_epoch=3))):
    try: Recommender.fit(pairs.assign(rating=y), **kw)
    except (ValueError, TypeError): print('torch' in sys.modules)'''
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.split()==['False']*6, done.stderr

def test_a_matrix_is_told_how_to_become_rows():
    wide = PAIRS.pivot_table(index='user', columns='movie', values='rating')
    wide = wide.reindex(columns=range(100))
    for df in (wide, wide.reset_index(), wide.rename_axis(None)):
        says, _ = refusal(Recommender.fit, df)
        assert len(says)<300
        rows = eval(says.split('row a rating, with ')[1], dict(df=df))
        assert len(rows)==wide.notna().sum().sum() and [*rows][1:]==['item', 'rating']
        assert len(check_ratings(rows, [*rows][0], 'item'))==len(rows)

# clicks

def test_clicks_that_are_called_stars_are_told_what_to_do():
    assert "there is nothing to learn from. If each row is a click, give feedback='clicks'" in refusal(
        fit, [1.], feedback='stars')[0]

def test_a_model_of_clicks_says_why_it_has_no_rmse_and_serves_newcomers():
    dls = RatingsDataLoaders.from_df(PAIRS.assign(rating=1.), seed=0, device='cpu')
    r = Recommender.from_model(DotProductBias(dls.n_users, dls.n_items, 3, y_range=None), dls)
    assert len(r.recommend(1, 3))==3
    assert len(r.fold_in({1: 1., 2: 1.}))
    assert "so its scores aren't ratings" in refusal(r.evaluate, PAIRS.assign(rating=1.).head(20))[0]

# rows without a rating

def test_missing_takes_values_lists_and_nan():
    df = pd.DataFrame({'r': [1, 99, np.nan, 0]})
    assert [len(without_missing(df, 'r', m)[0]) for m in (None, 99, [99, 0], np.nan, [np.nan, 99])]==[4, 3, 2, 3, 2]
    with pytest.warns(UserWarning, match='no rating is missing=7'): without_missing(df, 'r', 7)

@pytest.mark.parametrize('values,left', [
    ([Decimal(1), Decimal(99), Decimal('sNaN'), None], 3), ([Decimal(1), 99, 3.5, np.nan], 3),
    ([True, False, True, None], 4),
    (['1', '99', 'x', None], 4), ([[1], 99, 2, 3], 4)])
@pytest.mark.filterwarnings('ignore:no rating is missing')
def test_missing_is_found_among_values_of_any_kind(values, left):
    df = pd.DataFrame({'r': pd.Series(values, dtype=object)})
    rest,n = without_missing(df, 'r', 99)
    assert (len(rest), n)==(left, 4 - left)

def test_a_table_passes_as_it_is():
    assert check_ratings(PAIRS) is PAIRS

@quiet
def test_row_order_changes_the_split_and_says_nothing_of_the_ids():
    a, b = fit(), Recommender.fit(PAIRS.sample(frac=1, random_state=1), n_factors=3, n_epoch=2, seed=0, progress=False)
    assert a.classes==b.classes and a.report['valid_rmse']!=b.report['valid_rmse']
