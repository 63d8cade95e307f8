"Prediction intervals: exact shares, coverage on planted data overall and in each bucket, and what is refused"
import json, subprocess, sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collab_course.baselines import fit_biases
from collab_course.intervals import Intervals, conformal_rank, halving_edges
from collab_course.tables import planted_ratings, random_split

quick = settings(deadline=None, max_examples=60)

def bound(share, n_kept, n_new):
    "Four standard deviations of the coverage of `n_new` rows, by an order statistic of `n_kept`"
    return 4*(share*(1 - share)*(1/n_kept + 1/n_new))**0.5

# the rank

@quick
@given(st.integers(1, 400), st.integers(1, 99))
def test_the_rank_is_the_smallest_that_is_enough(n, percent):
    rank = int(conformal_rank(n, percent/100))
    assert rank*100 >= (n + 1)*percent > (rank - 1)*100

@pytest.mark.parametrize('n,share', [(9, .9), (10, .9), (25, .9), (7, .5), (40, .95)])
def test_coverage_of_few_rows_is_exact_on_average(n, share):
    "A new error falls into each of the n + 1 gaps equally often"
    rng = np.random.default_rng(n)
    old,new = rng.exponential(size=(1500, n)),rng.exponential(size=1500)
    counts = np.ones(n, int)
    widths = [Intervals.from_errors(o, counts).width([1], share)[0] for o in old]
    expected = conformal_rank(n, share)/(n + 1)
    assert expected>=share - 1e-12
    assert abs((new<=widths).mean() - expected) < 4*(expected*(1 - expected)/1500)**0.5

def test_too_few_rows_give_an_infinite_interval():
    assert Intervals.from_errors([1.]*8, [3]*8).width([3], .9).tolist()==[np.inf]
    assert Intervals.from_errors([1.]*9, [3]*9).width([3], .9).tolist()==[1.]

# buckets

@quick
@given(st.lists(st.integers(0, 30), min_size=1, max_size=300), st.integers(1, 7), st.integers(1, 60))
def test_buckets_are_as_large_as_asked_and_hold_each_row_once(counts, n_buckets, min_rows):
    counts = np.array(counts)
    edges = halving_edges(counts, n_buckets, min_rows)
    assert len(edges)<n_buckets and (np.diff(edges)>0).all()
    sizes = np.bincount(np.searchsorted(edges, counts), minlength=len(edges) + 1)
    assert sizes.sum()==len(counts) and (len(edges)==0 or sizes.min()>=min_rows)

def test_a_width_is_that_of_the_bucket_by_hand():
    sizes,counts = np.r_[np.arange(1, 101), np.arange(101, 201)]/100,np.r_[[9]*100, [2]*100]
    intervals = Intervals.from_errors(-sizes, counts, n_buckets=2)
    assert intervals.edges.tolist()==[2]
    assert intervals.width([0, 2, 3, 500], .5).tolist()==[1.51, 1.51, .51, .51] # the 51st of 100

def test_errors_on_a_grid_are_held(): # a border stored with fewer digits would miss them all
    assert (Intervals.from_errors([.7]*50, [1]*50).width([1], .9)>=.7).all()

@pytest.mark.parametrize('share', [.5, .8, .9, .95])
def test_coverage_overall_and_in_each_bucket(share):
    "Errors that grow for rare items: buckets hold the share everywhere, one width for all does not"
    rng = np.random.default_rng(0)
    def draw(n):
        counts = rng.geometric(.01, n)
        return rng.standard_t(4, n)*(1 + 3/np.sqrt(counts)),counts
    kept,new = draw(8_000),draw(40_000)
    intervals,plain = Intervals.from_errors(*kept),Intervals.from_errors(*kept, n_buckets=1)
    assert len(intervals)==5 and len(plain)==1
    held = np.abs(new[0])<=intervals.width(new[1], share)
    held_plain = np.abs(new[0])<=plain.width(new[1], share)
    for o in (held, held_plain): assert abs(o.mean() - share) < bound(share, 8_000, 40_000)
    which = np.searchsorted(intervals.edges, new[1])
    for b,n_kept in enumerate(np.diff(intervals.bounds)):
        part = which==b
        assert abs(held[part].mean() - share) < bound(share, n_kept, part.sum())
    rare = which==0
    assert held_plain[rare].mean() < share - bound(share, np.diff(intervals.bounds)[0], rare.sum())

def test_coverage_of_planted_ratings():
    "Biases are fitted on one part, intervals on the second, and the third is held"
    ratings = planted_ratings(1500, 600, 60_000, n_factors=3, noise=.6, seed=1).ratings
    rest,new = random_split(ratings, test_pct=.3, seed=0)
    train,kept = (rest[o] for o in random_split(ratings.iloc[rest], test_pct=.2, seed=1))
    x,y = ratings[['user', 'movie']].to_numpy(),ratings.rating.to_numpy(float)
    mean,user,item = fit_biases(x[train], y[train], (1501, 601))
    errors = mean + user[x[:,0]] + item[x[:,1]] - y
    counts = np.bincount(x[train,1], minlength=601)[x[:,1]]
    intervals = Intervals.from_errors(errors[kept], counts[kept])
    held = np.abs(errors[new])<=intervals.width(counts[new], .9)
    assert abs(held.mean() - .9) < bound(.9, len(kept), len(new))
    which = np.searchsorted(intervals.edges, counts[new])
    for b,n_kept in enumerate(np.diff(intervals.bounds)):
        assert abs(held[which==b].mean() - .9) < bound(.9, n_kept, (which==b).sum())

def test_a_large_bucket_keeps_some_rows_always_the_same_ones():
    rng = np.random.default_rng(0)
    errors,counts = rng.normal(size=30_000),np.full(30_000, 7)
    one,two = (Intervals.from_errors(errors, counts, max_rows=5_000) for _ in range(2))
    assert len(one.errors)==5_000 and (one.errors==two.errors).all()
    assert abs((np.abs(rng.normal(size=40_000))<=one.width([7], .9)).mean() - .9) < bound(.9, 5_000, 40_000)

# state

def some(): return Intervals.from_errors(np.linspace(-2, 2, 400), np.arange(400))

def test_a_round_trip_changes_nothing():
    back = Intervals.from_state(some().state())
    counts = np.arange(500)
    for share in (.1, .5, .9, .99):
        assert back.width(counts, share).tolist()==some().width(counts, share).tolist()

@pytest.mark.parametrize('change,why', [
    (lambda s: s.pop('edges'), 'not those of such a model'),
    (lambda s: s.update(more=s['edges']), 'not those of such a model'),
    (lambda s: s.update(errors=s['errors'].astype(np.float32)), 'errors must hold float64'),
    (lambda s: s.update(errors=np.full_like(s['errors'], np.nan)), 'errors holds NaN'),
    (lambda s: s.update(errors=-s['errors']), 'errors must be sizes'),
    (lambda s: s.update(errors=s['errors'][:-1]), 'bounds must be rising from 0 to 399'),
    (lambda s: s.update(errors=s['errors'][::-1]), 'errors must rise in each bucket'),
    (lambda s: s.update(edges=s['edges'][::-1]), 'edges must be rising'),
    (lambda s: s.update(edges=-1 - s['edges'][::-1]), 'edges must be rising, from 0'),
    (lambda s: s.update(edges=s['edges'].astype(float)), 'edges must hold int64'),
    (lambda s: s.update(bounds=s['bounds'][:-1]), 'bounds must have the shape'),
    (lambda s: s.update(bounds=s['bounds'] + 1), 'bounds must be rising'),
    (lambda s: s.update(bounds=s['bounds'][[0, *[1]*(len(s['bounds']) - 2), -1]]), 'bounds must be rising')])
def test_arrays_that_are_not_intervals_are_refused(change, why):
    arrays = {k: v.copy() for k,v in some().state().items()}
    change(arrays)
    with pytest.raises(ValueError, match=why): Intervals.from_state(arrays)

@pytest.mark.parametrize('errors,counts,why', [
    ([], [], 'one or more'), ([1., np.inf], [1, 2], 'finite'), ([[1.]], [1], 'list of finite'),
    ([1.], [1, 2], 'a count for each error'), ([1.], [-1], 'at least 0'), ([1.], [.5], 'whole numbers')])
def test_errors_that_do_not_fit_are_refused(errors, counts, why):
    with pytest.raises(ValueError, match=why): Intervals.from_errors(errors, counts)

@pytest.mark.parametrize('share', [0, 1, 90, '0.9', True, None, np.nan])
def test_a_share_lies_between_0_and_1(share):
    with pytest.raises(ValueError, match='share must be a share between 0 and 1'): some().width([1], share)

def test_a_program_that_only_reads_intervals_starts_lightly():
    code = 'import collab_course.intervals, json, sys; print(json.dumps([*sys.modules]))'
    loaded = json.loads(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout)
    assert not {'torch', 'fastai', 'matplotlib', 'sklearn', 'scipy'} & set(loaded)
