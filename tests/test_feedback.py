"Chapter 14: how unequally counts are spread, and the loop: what it costs, what brings it back, what is refused"
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from collab_course.feedback import feedback_loop
from collab_course.metrics import coverage, gini
from collab_course.tables import planted_ratings

quick = settings(deadline=None, max_examples=40)

# concentration

counts = st.lists(st.integers(0, 100), min_size=1, max_size=30).filter(any)

@quick
@given(counts)
def test_gini_is_half_the_relative_mean_difference(c):
    a = np.array(c, float)
    assert gini(c)==pytest.approx(abs(a[:,None]-a).sum()/(2*len(a)*a.sum()), abs=1e-9)

@quick
@given(counts, st.integers(1, 9))
def test_gini_depends_neither_on_order_nor_on_scale(c, k):
    assert gini([k*o for o in reversed(c)])==pytest.approx(gini(c), abs=1e-9)

@pytest.mark.parametrize('c,expected', [([5, 5, 5], 0), ([0, 0, 0, 9], 0.75), ([7], 0)])
def test_gini_of_extremes(c, expected): assert gini(c)==pytest.approx(expected)

def test_coverage_is_the_share_above_zero(): assert coverage([0, 3, 0, 1])==0.5 and coverage([0, 0])==0

@pytest.mark.parametrize('bad', [[], [-1, 2], [np.nan, 1], [[1, 2]], [np.inf, 1]])
def test_counts_that_are_none_are_refused(bad):
    for f in (gini, coverage):
        with pytest.raises(ValueError, match='counts'): f(bad)

def test_nothing_has_no_gini():
    with pytest.raises(ValueError, match='all counts are 0'): gini([0, 0])

# the loop

@pytest.fixture(scope='module')
def loop_world(): return planted_ratings(n_users=600, n_items=120, n_ratings=3000, n_factors=3, seed=3)

def end(df, c): return df[c].iloc[-3:].mean()

def test_the_loop_has_a_row_a_round_and_follows_its_seed(loop_world):
    a,b,c = (feedback_loop(loop_world, rounds=6, seed=s) for s in (0, 0, 1))
    assert a['round'].tolist()==[2, 3, 4, 5, 6]
    pd.testing.assert_frame_equal(a, b)
    assert not a.equals(c)

def test_without_a_list_nobody_follows_it_and_without_enthusiasts_all_count_alike(loop_world):
    none = feedback_loop(loop_world, n_list=0, n_fans=0)
    assert (none.followed==0).all() and (none.niche==0).all() and np.allclose(none.people_gini, 0)

def test_enthusiasts_take_the_list_and_cost_stars_that_a_cap_or_ratings_bring_back(loop_world):
    calm,taken,capped,rated = (feedback_loop(loop_world, **kw)
                               for kw in (dict(n_fans=0), {}, dict(cap=5), dict(rank_by='ratings')))
    assert end(taken, 'niche')>0.9 and end(calm, 'niche')==0
    assert end(taken, 'stars') < end(calm, 'stars')-0.3
    assert min(end(capped, 'stars'), end(rated, 'stars')) > end(calm, 'stars')-0.1
    assert taken.people_gini.iloc[0]>0.2 and capped.people_gini.max()<1e-9

def test_random_places_widen_what_is_watched(loop_world):
    narrow,wide = (feedback_loop(loop_world, n_fans=0, explore=e) for e in (0, 5))
    assert (wide.coverage>narrow.coverage+0.05).all() and (wide.gini<narrow.gini-0.05).all()

def test_a_list_without_pull_changes_nothing_that_is_watched(loop_world):
    with_list,without = (feedback_loop(loop_world, pull=1., n_list=n, explore=0, seed=0, n_fans=0) for n in (10, 0))
    assert abs(with_list.stars.mean()-without.stars.mean()) < 0.05
    assert with_list.followed.mean() < 0.3

def test_two_fans_keep_the_list_where_people_follow_it_and_lose_it_where_they_do_not():
    worlds = [planted_ratings(n_users=1200, n_items=200, n_ratings=5000, n_factors=3, seed=s) for s in range(2)]
    for seed,w in enumerate(worlds):
        ignored,followed = (feedback_loop(w, n_fans=2, pull=pull, seed=seed).niche for pull in (1, 40))
        assert ignored.iloc[0]==followed.iloc[0]>0.8
        assert ignored.iloc[-1]==0 and followed.nunique()==1

def test_five_fans_hold_most_of_a_list_that_nobody_follows():
    w = planted_ratings(n_users=1200, n_items=200, n_ratings=5000, n_factors=3, seed=0)
    assert feedback_loop(w, n_fans=5, pull=1, seed=0).niche.iloc[-1]>0.6

def test_the_parts_of_the_loop_are_where_they_always_were():
    from collab_course import crowds, feedback
    for name in ('choose_films', 'FilmCounts', 'show_lists', 'play_round'):
        assert getattr(feedback, name) is getattr(crowds, name) and name in feedback.__all__

@pytest.mark.parametrize('kw,msg',
                         [(dict(rank_by='stars'), 'rank_by'), (dict(rounds=1), 'rounds'),
                          (dict(n_list=500), '120 films'), (dict(explore=11), 'explore'),
                                    (dict(rounds=601), 'fewer rounds'), (dict(n_watch=0), 'n_watch'),
                                    (dict(pull=0), 'pull'), (dict(pull=-1), 'pull'),
                                    (dict(pull=float('nan')), 'pull'), (dict(n_fans=-5), 'n_fans'),
                                    (dict(fan_rounds=-1), 'fan_rounds'), (dict(cap=0), 'cap'), (dict(cap=-3), 'cap')])
def test_a_loop_that_cannot_be_is_refused(loop_world, kw, msg):
    with pytest.raises(ValueError, match=msg): feedback_loop(loop_world, **kw)
