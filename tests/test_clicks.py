"What a table holds is noticed, said and served: stars, counts or clicks"
import io
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from collab_course.checks import ArgError
from collab_course.command_line import main
from collab_course.extremes import check_interests, feedback_of, understand
from collab_course.movielens import load_ratings
from collab_course.recommender import Recommender

def kind(y): return feedback_of(pd.DataFrame({'rating': y}), 'rating')

def refusal(call, *args, **kw):
    with pytest.raises(ArgError) as e: call(*args, **kw)
    return str(e.value)

# what a column holds

def star_tables(rng, n):
    "Tables of ratings, some with mistakes in them"
    def scale(levels): return rng.choice(levels, n, p=rng.dirichlet([2]*len(levels)))
    stars = scale(range(1, 6)).astype(float)
    return dict(stars=stars, halves=scale(np.arange(1, 11)/2), ten=scale(range(1, 11)), from_0=scale(range(11)),
                percent=np.round(100*rng.beta(2, 1, n)), low=np.round(100*rng.beta(1, 2, n)),
                even=rng.integers(0, 101, n), jokes=rng.uniform(-10, 10, n), normal=rng.normal(5, 1, n),
                thumbs=rng.choice([0, 1], n, p=[.95, .05]),
                three=rng.choice([-1, 0, 1], n), zeros=np.where(rng.random(n)<.6, 0, scale(range(1, 11))),
                typo=np.append(stars, 99), typos=np.append(stars, [44, 55, 55]), code=np.append(stars, [99]*(n//10)),
                ids=rng.permutation(n), times=10**9 + rng.integers(0, 10**7, n))

def count_tables(rng, n):
    "Tables of what was counted, with tails of many kinds"
    alpha = rng.uniform(.5, 2)
    return dict(hours=np.round(rng.lognormal(1.5, rng.uniform(1.5, 3), n), 1), money=(rng.pareto(alpha, n) + 1)*7,
                plays=np.floor(rng.pareto(alpha, n) + 1), words=rng.zipf(alpha + 1, n).astype(float),
                visits=rng.geometric(rng.uniform(.05, .25), n), purchases=np.minimum(rng.zipf(2, n), 40),
                bunches=1 + rng.negative_binomial(.5, .05, n))

@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(500, 5_000))
def test_no_table_of_ratings_is_taken_for_counts(seed, n):
    for name, y in star_tables(np.random.default_rng(seed), n).items(): assert (name, kind(y))==(name, 'stars')

@pytest.mark.parametrize('n,least', [(300, .95), (1_000, .99), (4_000, 1)])
def test_counts_are_noticed_by_their_tail(n, least):
    tables = [y for seed in range(30) for y in count_tables(np.random.default_rng(seed), n).values()]
    assert np.mean([kind(y)=='counts' for y in tables])>=least

def test_small_counts_are_known_by_the_name_of_their_column():
    y = pd.Series([1, 2, 3]*9)
    for name in ('plays', 'Play-Count', 'n_purchases', 'hours'): assert feedback_of(y.to_frame(name), name)=='counts'
    assert feedback_of(y.to_frame('rating'), 'rating')==feedback_of((y - 2).to_frame('plays'), 'plays')=='stars'

def test_real_ratings_are_ratings_and_their_ids_and_times_are_no_counts():
    ratings = load_ratings()
    assert [feedback_of(ratings, c) for c in ('rating', 'timestamp', 'user', 'movie')]==['stars']*4
    assert feedback_of(ratings)=='clicks'

def test_equal_values_are_clicks_whatever_they_are():
    for value in (1, 0, 5., True): assert kind([value]*9)=='clicks'

def test_what_cannot_be_read_is_left_to_the_checks_of_stars():
    for y in ([1, None], ['a', 'b'], [], [np.nan]*3, [1, np.inf]): assert kind(y)=='stars'

def test_a_stated_range_means_ratings():
    y = np.random.default_rng(0).zipf(2, 999)
    df = pd.DataFrame({'rating': y})
    assert (feedback_of(df, 'rating'), feedback_of(df, 'rating', (1, 10**6)))==('counts', 'stars')

def test_a_typo_among_stars_is_still_refused():
    stars = load_ratings().head(5_000)
    y = stars.rating.astype(float)
    y.iloc[7] = 99
    assert '1 of 5,000 ratings is far from all others' in refusal(understand, stars.assign(rating=y),
                                                                       rating_name='rating')

PAIRS = pd.DataFrame([(u, i) for u in range(60) for i in range(40) if (u*7 + i*3)%5], columns=['user', 'movie'])

def test_ids_times_and_prices_are_no_counts():
    rng = np.random.default_rng(0)
    ids = rng.permutation(len(PAIRS))*17
    assert 'as ids and times do' in refusal(understand, PAIRS.assign(rating=ids), rating_name='rating')
    price = np.round(np.exp(rng.normal(3, 2, 40)), 2)
    says = refusal(understand, PAIRS.assign(price=price[PAIRS.movie]), rating_name='price')
    assert says=="column 'price' is the same wherever 'movie' is the same, as a price or an id is: name the counts " \
        "with rating_name, or take rows for clicks with feedback='clicks'"
    assert understand(PAIRS.assign(price=1), rating_name='price', feedback='clicks').feedback=='clicks'

# what is said

def test_one_sentence_says_what_was_understood():
    plays = np.random.default_rng(0).zipf(1.7, len(PAIRS))
    plays[:2] = 1, 352_698
    df = PAIRS.assign(plays=plays)
    assert [*map(str, understand(df, rating_name='plays').notes)]==[
        "column 'plays' goes from 1 to 352,698: treated as counts, weighted by their logarithm; "
        "if they are ratings, give feedback='stars'"]
    assert [*map(str, understand(df).notes)]==['no column of ratings: each row is a click']
    assert [*map(str, understand(df.assign(plays=1), rating_name='plays').notes)]==[
        f"all {len(df):,} values of 'plays' are 1: each row is a click"]
    for told in ('counts', 'clicks'): assert understand(df, rating_name='plays', feedback=told).notes==[]
    assert understand(PAIRS.assign(rating=1 + PAIRS.movie%5), rating_name='rating').notes==[]

def test_a_scale_that_may_be_counts_is_said():
    y = np.resize([1]*60 + [2]*20 + [3]*7 + [4, 5, 7], len(PAIRS))
    found = understand(PAIRS.assign(rating=y), rating_name='rating')
    assert found.feedback=='stars' and "if they count something, give feedback='counts'" in str(found.notes[0])

def test_feedback_is_checked():
    def says(df, **kw): return refusal(understand, df, **kw)
    assert "feedback must be 'stars' or 'counts' or 'clicks', not 'likes'" in says(PAIRS, feedback='likes')
    assert 'stars need a column: name it with rating_name' in says(PAIRS, feedback='stars')
    counts = dict(rating_name='n', feedback='counts')
    assert 'is below 0, and counts are not, in 1,920 of 1,920' in says(PAIRS.assign(n=-1), **counts)
    assert "all counts in column 'n' are 0" in says(PAIRS.assign(n=0), **counts)

# pairs that come twice

def test_clicks_are_counted_and_counts_added():
    df = pd.DataFrame(dict(user=[1, 1, 2, 1, 2], movie=[7, 7, 7, 8, 9], n=[3, 4, 5, 0, 2]))
    clicks = understand(df)
    assert clicks.ratings[['user', 'movie', 'clicks']].values.tolist()==[[1, 7, 2], [2, 7, 1], [1, 8, 1], [2, 9, 1]]
    assert clicks.feedback=='counts'
    says = '1 row repeats a pair: clicks are counted, up to 2 a pair, and weighted by their logarithm'
    assert str(clicks.notes[-1])==says
    counts = understand(df, rating_name='n', feedback='counts')
    assert counts.ratings.values.tolist()==[[1, 7, 7], [2, 7, 5], [2, 9, 2]]
    assert [*map(str, counts.notes)]==['1 row with a count of 0 left out',
                                       '1 row repeats a pair: counts are added, up to 7 a pair']
    assert check_interests(df, rating_name='n', duplicates='last').n.tolist()==[4, 5, 2]

def test_a_table_without_doubled_pairs_keeps_its_rows_and_labels():
    df = PAIRS.assign(n=1 + PAIRS.user%3*PAIRS.movie).set_index(PAIRS.index*2 + 9)
    assert check_interests(df, rating_name='n').equals(df)
    assert understand(PAIRS).ratings.clicks.eq(1).all() and understand(PAIRS).feedback=='clicks'
    assert 'clicks' not in PAIRS

def test_ids_are_checked_as_those_of_ratings_are():
    wrong = [('user', [1, None, 2], 'has no id'), ('movie', [7]*3, 'one id only'), ('user', [1, '1', 2], 'mixes')]
    for col, bad, says in wrong:
        df = pd.DataFrame(dict(user=[1, 2, 3], movie=[7, 8, 9])).assign(**{col: bad})
        assert says in refusal(understand, df)

# end to end, with lists that are known by construction

def two_groups(seed=0, n_people=80, n_items=24, n_each=8):
    "Clicks: people of even numbers take items of even numbers, the others odd ones"
    rng = np.random.default_rng(seed)
    rows = [(u, i) for u in range(1, n_people + 1)
            for i in rng.permutation(np.arange(u%2 or 2, n_items + 1, 2))[:n_each]]
    return pd.DataFrame(rows, columns=['user', 'item'])

def are_own(users, items): return bool((np.asarray(users)%2==np.asarray(items)%2).all())

def fitted(df, **kw): return Recommender.fit(df, **dict(seed=0, progress=False) | kw)

clicks = two_groups()
forms = {'clicks': clicks, 'ones': clicks.assign(rating=1),
         'events': pd.concat([clicks, clicks[::3]], ignore_index=True),
         'plays': clicks.assign(plays=np.random.default_rng(1).zipf(1.8, len(clicks)))}

@pytest.fixture(scope='module', params=forms)
def served(request):
    "A model of each form of clicks"
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        rec = fitted(forms[request.param])
    return request.param,rec,[str(o.message) for o in notes]

def test_each_form_of_clicks_is_understood_aloud(served):
    name,rec,notes = served
    says = dict.fromkeys(['clicks', 'events'], 'no column of ratings: each row is a click')
    says |= dict(ones="values of 'rating' are 1: each row is a click",
                 plays='treated as counts, weighted by their logarithm')
    assert (rec.feedback=='counts')==(name=='plays') and rec.feedback!='stars'
    assert any(says[name] in note for note in notes)
    assert (name=='events')==any('clicks are counted, up to 2 a pair' in note for note in notes)

def test_everybodys_list_holds_the_own_groups_items_that_are_left(served):
    _,rec,_ = served
    lists = rec.recommend_all(4)
    assert len(lists)==4*80 and are_own(lists.user, lists.item)
    known = {*map(tuple, clicks.values.tolist())}
    assert not known & {*map(tuple, lists[['user', 'item']].values.tolist())} and 'prediction' not in lists

def test_newcomers_get_the_items_of_the_group_that_they_clicked(served):
    _,rec,_ = served
    assert are_own(1, rec.fold_in({1: 1., 3: 1.}, 5).item) and are_own(2, rec.fold_in({2: 1., 4: 1.}, 5).item)

def test_what_is_like_an_item_is_of_its_group(served):
    _,rec,_ = served
    for item in (1, 2): assert are_own(item, rec.similar(item, 5, min_count=1).item)

def test_a_model_of_clicks_predicts_no_ratings_and_measures_its_lists(served):
    _,rec,_ = served
    with pytest.raises(ArgError, match='no ratings to predict'): rec.predict(clicks.head())
    known = {*map(tuple, clicks.values.tolist())}
    left = [(u, i) for u in range(1, 81) for i in range(1, 25) if u%2==i%2 and (u, i) not in known]
    res = rec.evaluate(pd.DataFrame(left, columns=['user', 'item']).assign(**{rec.rating_name: 1}))
    assert 'rmse' not in res and res['ndcg']==res['recall']==1 and res['popular_ndcg']<.9 and res['n_lists']==80

def test_a_model_of_clicks_is_saved_explained_and_updated(served, tmp_path):
    _,rec,_ = served
    same = Recommender.load(rec.save(tmp_path/'m'))
    assert same.recommend(7, 4).equals(rec.recommend(7, 4)) and same.feedback==rec.feedback
    reasons = rec.explain(7, int(rec.recommend(7, 1).item[0]))
    best = reasons[reasons.reason=='rated'].sort_values('contribution').item.iloc[-1]
    assert are_own(7, best)
    more = rec.update(pd.DataFrame(dict(user=[900]*2, item=[1, 3])).assign(**{rec.rating_name: 1}))
    assert are_own(1, more.recommend(900, 5).item)

def test_stars_show_their_list_score_and_the_expected_rating():
    rng = np.random.default_rng(0)
    stars = clicks.assign(rating=rng.integers(3, 6, len(clicks)))
    rec = fitted(stars, model='auto', n_epoch=2)
    assert rec.feedback=='stars' and {*rec.recommend(1, 3)}>={'user', 'item', 'score'}
    assert are_own(1, fitted(stars, model='lists').recommend(1, 4).item)

# on the command line

def run(capsys, *args):
    code = main([*map(str, args)])
    out = capsys.readouterr()
    return code, out.out, out.err

def items_of(out, column='item'): return pd.read_csv(io.StringIO(out))[column]

@pytest.mark.parametrize('name', forms)
def test_a_file_of_clicks_goes_from_fit_to_evaluate(name, capsys, tmp_path):
    apart = clicks.groupby('user').tail(1)
    df = forms[name]
    df[~df.set_index(['user', 'item']).index.isin(apart.set_index(['user', 'item']).index)].to_csv(
        tmp_path/'r.csv', index=False)
    apart.assign(plays=1).to_csv(tmp_path/'apart.csv', index=False)
    code,out,err = run(capsys, 'fit', tmp_path/'r.csv', '--out', tmp_path/'m', '--seed', 0)
    assert code==0 and out==f'{tmp_path/"m"}\n' and 'NDCG@10 of ' in err and 'careful' not in err
    assert ('treated as counts' if name=='plays' else 'each row is a click') in err and 'epoch' not in err
    assert (name=='events')==('clicks are counted, up to 2 a pair' in err)
    code,out,err = run(capsys, 'recommend', tmp_path/'m', '--all', '-n', 5, '--csv')
    assert code==0 and are_own(items_of(out, 'user'), items_of(out)) and out.splitlines()[0]=='user,item,score'
    code,out,err = run(capsys, 'similar', tmp_path/'m', '--item', 3, '-n', 4, '--min-count', 1, '--csv')
    assert code==0 and are_own(3, items_of(out))
    code,out,err = run(capsys, 'evaluate', tmp_path/'m', tmp_path/'apart.csv')
    assert code==0 and 'RMSE' not in out and re.search(r'recall@10 +1\.0000 \(most rated: 0\.\d+\)', out)
    code,out,err = run(capsys, 'info', tmp_path/'m')
    assert code==0 and re.search(r'^lists +by ', out, re.M) and re.search('^(clicks|counts) ', out, re.M)

def test_newcomers_of_clicks_name_items_alone(capsys, tmp_path):
    clicks.assign(title=[f'Film {i}=x' for i in clicks.item]).to_csv(tmp_path/'r.csv', index=False)
    (tmp_path/'new.txt').write_text('2\n4\n')
    assert run(capsys, 'fit', tmp_path/'r.csv', '--out', tmp_path/'m', '--seed', 0, '-q')[0]==0
    for told in (['--rate', '2', '--rate', '4=1'], ['--rate', 'Film 2=x', '--rate', '4'],
                 ['--ratings', tmp_path/'new.txt']):
        code,out,err = run(capsys, 'fold-in', tmp_path/'m', '-n', 5, '--csv', *told)
        assert code==0 and are_own(2, items_of(out)), err

def test_what_feedback_says_is_done(capsys, tmp_path):
    rng = np.random.default_rng(0)
    clicks.assign(rating=rng.integers(1, 6, len(clicks))).to_csv(tmp_path/'r.csv', index=False)
    def fit(*args): return run(capsys, 'fit', tmp_path/'r.csv', '--out', tmp_path/'m', '--seed', 0, *args)
    for kind in ('counts', 'clicks'):
        code,_,err = fit('--feedback', kind)
        assert code==0 and 'epoch' not in err and re.search(f'^{kind} ', run(capsys, 'info', tmp_path/'m')[1], re.M)
    assert 'epoch' not in (says := fit('--model', 'lists')[2]) and 'NDCG@10' in says
    says = fit('--model', 'dot_product', '--epochs', 1)[2]
    assert 'epoch 1' in says and 'NDCG@10' not in says
    code,_,err = fit('--feedback', 'clicks', '--model', 'neighbours')
    assert code==1 and '--model neighbours predicts ratings' in err
    code,_,err = fit('--feedback', 'counts', '--range', 1, 5)
    assert code==1 and '--range is for ratings, and these are counts' in err

def test_counts_below_zero_are_named_by_their_line(capsys, tmp_path):
    clicks.assign(plays=[-1, *range(1, len(clicks))]).to_csv(tmp_path/'r.csv', index=False)
    code,_,err = run(capsys, 'fit', tmp_path/'r.csv', '--out', tmp_path/'m', '--feedback', 'counts')
    assert code==1 and "r.csv, line 2, column 'plays': -1 is not between 0 and" in err

@pytest.mark.parametrize('time', ['{k}', '2020-01-{day:02d}T{k:02d}:00:00'])
def test_rows_may_be_kept_back_by_their_times(time, capsys, tmp_path):
    times = [time.format(k=k%24, day=1 + k%28) for k in range(len(clicks))]
    clicks.assign(timestamp=times).to_csv(tmp_path/'r.csv', index=False)
    def fit(*args): return run(capsys, 'fit', tmp_path/'r.csv', '--out', tmp_path/'m', '--seed', 0, *args)
    code,_,err = fit('--split', 1)
    assert code==0 and 'time = timestamp' in err and 'NDCG@10 of 80 lists' in err
    assert fit('--split', 'time', '--time', 'timestamp')[0]==0
    code,_,err = fit('--split', 'week')
    assert code==2 and "'week' isn't random, time or a whole number" in err
    clicks.to_csv(tmp_path/'r.csv', index=False)
    code,_,err = fit('--split', 'time')
    assert code==1 and 'no column has a name that is known for the time' in err and '--time COLUMN' in err

def test_a_column_of_ratings_may_be_left_out_and_pairs_are_added_aloud():
    df = pd.concat([clicks, clicks[:9]]).assign(rating=-1)
    with pytest.warns(UserWarning, match='9 rows repeat a pair: clicks are counted, up to 2 a pair'):
        rec = fitted(df, feedback='clicks')
    assert are_own(1, rec.recommend(1, 4).item) and rec.rating_range[0]>0

@pytest.mark.parametrize('table', ['clicks', 'plays'])
def test_without_a_history_the_factors_make_the_lists(table, capsys, tmp_path):
    forms[table].to_csv(tmp_path/'r.csv', index=False)
    assert run(capsys, 'fit', tmp_path/'r.csv', '--out', tmp_path/'m', '--seed', 0, '--no-history', '-q')[0]==0
    code,out,err = run(capsys, 'recommend', tmp_path/'m', '--all', '--include-seen', '-n', 4, '--csv')
    assert code==0 and are_own(items_of(out, 'user'), items_of(out)), err

# what is new, and what has no effect

def test_counts_that_are_all_0_are_refused_and_the_advice_works():
    df = PAIRS.assign(plays=0)
    says = refusal(fitted, df, rating_name='plays')
    assert "all counts in column 'plays' are 0: name another column with rating_name" in says
    assert fitted(df, rating_name='plays', feedback='clicks').feedback=='clicks'

@pytest.mark.parametrize('count', [0, -1, -0.5])
def test_new_counts_are_above_0(served, count):
    name,rec,_ = served
    more = pd.DataFrame({'user': [1, 1], 'item': [1, 3], rec.rating_name: [1., count]})
    column = f'column {rec.rating_name!r} is 0 or below'
    for call in (rec.fold_in, rec.update, rec.evaluate):
        new = more if call!=rec.fold_in else more.assign(user=999)
        says = refusal(call, new)
        assert column in says and '1 of 2 rows' in says and says.endswith('Drop them')
    assert column in refusal(rec.fold_in, {1: count})

def test_models_of_clicks_know_new_people_after_an_update(served):
    name,rec,_ = served
    more = pd.DataFrame({'user': [901]*3, 'item': [1, 3, 5], rec.rating_name: 1.})
    assert are_own(1, rec.update(more).recommend(901, 4).item)

def test_clicks_that_come_again_weigh_more_by_their_logarithm():
    from collab_course.list_answers import ServedLists, mean_log
    from collab_course.list_models import Popularity
    y = np.array([1., 1, 3])
    lists = ServedLists(Popularity(np.zeros(4)), 'clicks', scale=mean_log(y, 'clicks'))
    np.testing.assert_allclose(lists.weights(y), [.75, .75, 1.5])
    assert mean_log(np.ones(7), 'clicks')==1

unused = dict(n_epoch=3, lr=0.1, wd=0.2, bs=64, n_factors=7, rating_range=(1, 5))

@pytest.mark.parametrize('name', unused)
def test_what_lists_do_not_use_is_said(name):
    with pytest.warns(UserWarning, match=f'lists of clicks are trained without {name}=.*no effect'):
        fitted(clicks, **{name: unused[name]})

def test_features_that_lists_do_not_use_are_refused():
    says = refusal(fitted, clicks, user_features=pd.DataFrame(dict(user=clicks.user.unique(), age=1.)))
    assert says=='lists of clicks are trained without user_features: leave it out'

def test_new_clicks_that_come_twice_are_added_as_fit_adds_them(served):
    _,rec,_ = served
    twice = pd.DataFrame({'user': [902]*3, 'item': [1, 1, 3], rec.rating_name: 1.})
    once = pd.DataFrame({'user': [902]*2, 'item': [1, 3], rec.rating_name: [2., 1.]})
    assert rec.fold_in(twice, 4).equals(rec.fold_in(once, 4))
    assert rec.update(twice).recommend(902, 4).equals(rec.update(once).recommend(902, 4))
    if rec.feedback=='clicks': assert rec.fold_in([1, 1, 3], 4).score.equals(rec.fold_in(once, 4).score)
