"The page's JavaScript answers as the library does, in Chromium"
import numpy as np
import pytest

from collab_course.folding import addends
from collab_course.list_models import WeightedALS, z_reasons
from collab_course.page import engine_js
from collab_course.page_data import as_base64, page_data
from collab_course.recommender import Recommender
from collab_course.tables import planted_ratings

N_PEOPLE = 50

def planted(feedback='stars'):
    "A small table, half of it of rarely rated items"
    df = planted_ratings(150, 200, 5000, rating_range=(1, 5), step=1, seed=7).ratings
    return df.drop(columns='rating').assign(clicks=1) if feedback=='clicks' else df

def with_als(rec):
    "The same with lists by weighted ALS alone"
    interests = rec.lists.of_history(rec.history)
    lists = rec.lists.with_model(WeightedALS.fit(interests, n_factors=12))
    return Recommender.from_parts(rec.served, rec.users_vocab, rec.items_vocab, rec.history, rec.rating_name,
                                  None, rec.rating_range, lists=lists, rates=False)

@pytest.fixture(scope='module')
def stars():
    return Recommender.fit(planted(), model='dot_product', n_factors=12, n_epoch=8, valid_pct=0, seed=0,
                           progress=False)

@pytest.fixture(scope='module')
def levels():
    "The default's rating model, which predicts by levels"
    rec = Recommender.fit(planted(), valid_pct=0, seed=0, progress=False)
    parts = (rec.served, rec.users_vocab, rec.items_vocab, rec.history, rec.rating_name, None, rec.rating_range)
    return Recommender.from_parts(*parts)

@pytest.fixture(scope='module')
def lists():
    rec = Recommender.fit(planted(), model='lists', valid_pct=0, seed=0, progress=False)
    return with_als(rec)

@pytest.fixture(scope='module')
def clicks():
    rec = Recommender.fit(planted('clicks'), feedback='clicks', valid_pct=0, seed=0, progress=False)
    return with_als(rec)

ANSWERS = '''([data, people, penalty]) => {
  const page = unpack(data)
  return people.map(person => {
    const fold = foldIn(page, new Map(person), penalty ?? page.penalty)
    const scores = allScores(page, fold)
    const list = best(scores, page, fold.ratings, 10)
    return {row: [...fold.row], scores: [...scores], list, place: project(page, fold.row),
            why: list.length ? reasons(page, fold, list[0]) : [], apart: [...apart(page, fold)]}
  })
}'''

@pytest.fixture(scope='module')
def tab(browser):
    res = browser.new_page()
    res.add_script_tag(content=engine_js)
    yield res
    res.close()

def people_of(payload, values, n=N_PEOPLE):
    "Random people: each has rated 1 to 30 items"
    rng = np.random.default_rng(1)
    n_items = len(payload['ids'])
    for _ in range(n):
        items = rng.choice(n_items, rng.integers(1, 31), replace=False)
        yield [[int(i), float(v)] for i,v in zip(items, rng.choice(values, len(items)))]

def library(rec, payload, person, **given):
    "Positions on the page of what the library lists, and the scores"
    asked = {payload['ids'][i]: v for i,v in person}
    df = rec.fold_in(asked, n=len(payload['ids']), **given)
    at = {o: i for i,o in enumerate(payload['ids'])}
    return df[rec.item_name].map(at).tolist(),df.score.to_numpy()

def assert_equal_lists(rec, payload, people, found, **given):
    assert len(people)==len(found)
    for person,answer in zip(people, found):
        items,scores = library(rec, payload, person, **given)
        np.testing.assert_allclose(np.array(answer['scores'])[items], scores, atol=1e-5)
        assert answer['list']==items[:10]

@pytest.mark.parametrize('kind', ['stars', 'levels', 'lists', 'clicks'])
def test_fifty_people_get_the_same_list(tab, kind, request):
    rec = request.getfixturevalue(kind)
    payload = page_data(rec)
    people = [*people_of(payload, [1] if kind=='clicks' else range(1, 6))]
    found = tab.evaluate(ANSWERS, [payload, people, None])
    assert_equal_lists(rec, payload, people, found)

@pytest.mark.parametrize('penalty', [.01, 1, 1e6])
def test_penalties(tab, stars, penalty):
    payload = page_data(stars)
    people = [*people_of(payload, range(1, 6), 5)]
    found = tab.evaluate(ANSWERS, [payload, people, penalty])
    assert_equal_lists(stars, payload, people, found, penalty=penalty)

def test_an_immense_penalty_leaves_the_average_person(tab, stars):
    payload = page_data(stars)
    person = [[0, 1.], [1, 5.]]
    far,none = tab.evaluate(ANSWERS, [payload, [person, []], 1e12])
    np.testing.assert_allclose(far['row'], none['row'], atol=1e-9)
    np.testing.assert_allclose(none['row'], payload['average'])
    assert none['place']==[0, 0] and not np.any(none['apart'])

def test_nobody_knows_you_yet(tab, stars, lists):
    no_rows = np.zeros(0, int)
    nobody = lists.lists.interests(no_rows, no_rows, np.zeros(0), 1)
    average = stars.served.with_user_rows(stars.mean_user[None])
    for payload,scores in ((page_data(stars), average.raw_scores([0])[0]),
                           (page_data(lists), lists.lists.scores(nobody)[0])):
        answer, = tab.evaluate(ANSWERS, [payload, [[]], None])
        assert not answer['why'] and answer['place']==[0, 0] and not np.any(answer['apart'])
        order = 1 + np.argsort(-scores[1:], kind='stable')
        assert [payload['rows'][i] for i in answer['list']]==order[:10].tolist()

def test_everything_is_rated(tab, stars, lists):
    for rec,payload in (stars, page_data(stars)), (lists, page_data(lists)):
        everything = [[i, 1. + i%5] for i in range(len(payload['ids']))]
        answer, = tab.evaluate(ANSWERS, [payload, [everything], None])
        assert answer['list']==[]
        items,scores = library(rec, payload, everything, exclude_seen=False)
        np.testing.assert_allclose(np.array(answer['scores'])[items], scores, atol=1e-5)

def test_reasons_of_stars(tab, stars):
    payload = page_data(stars)
    order = np.array(payload['rows'])
    people = [*people_of(payload, range(1, 6), 10)]
    for person,answer in zip(people, tab.evaluate(ANSWERS, [payload, people, None])):
        at,y = np.array(person).T
        item = order[answer['list'][0]]
        rows = order[at.astype(int)]
        parts,_ = addends(stars.served, item, rows, y, 10., stars.mean_user.astype(np.float64))
        given = dict(answer['why'])
        np.testing.assert_allclose([given[int(i)] for i in at], parts, atol=1e-9)
        assert [part for _,part in answer['why']]==sorted(given.values(), reverse=True)

def test_reasons_of_lists(tab, lists):
    payload = page_data(lists)
    order = np.array(payload['rows'])
    people = [*people_of(payload, range(1, 6), 10)]
    for person,answer in zip(people, tab.evaluate(ANSWERS, [payload, people, None])):
        at,y = np.array(person).T
        rows = order[at.astype(int)]
        one = lists.lists.interests(np.zeros(len(rows), int), rows, y, 1)
        parts = z_reasons(lists.lists.model, one, order[answer['list'][0]])
        given = {order[int(i)]: part for i,part in answer['why']}
        np.testing.assert_allclose([given[i] for i in one.items], parts, atol=1e-5)

NEAREST = '([data, item, n, least]) => nearest(unpack(data), item, n, least)'

def test_nearest_are_the_similar(tab, stars):
    payload = page_data(stars)
    for item,least in (0, 5), (7, 1), (150, 20):
        found = tab.evaluate(NEAREST, [payload, item, 8, least])
        df = stars.similar(payload['ids'][item], n=8, min_count=least)
        assert [payload['ids'][i] for i,_ in found]==df[stars.item_name].tolist()
        np.testing.assert_allclose([cosine for _,cosine in found], df.score, atol=1e-6)

def test_a_row_of_zeros_is_near_to_nothing(tab, stars):
    payload = page_data(stars)
    factors = stars.served.item_factors[payload['rows']].copy()
    factors[3] = 0
    found = tab.evaluate(NEAREST, [payload | dict(factors=as_base64(factors)), 0, 500, 1])
    assert len(found)==len(factors) - 2 and 3 not in dict(found)
    assert tab.evaluate(NEAREST, [payload | dict(factors=as_base64(factors)), 3, 5, 1])==[]

def test_equal_scores_come_as_in_the_vocabulary(tab, stars):
    payload = page_data(stars)
    twins = stars.served.item_factors[payload['rows']]*0
    same = payload | dict(factors=as_base64(twins), bias=as_base64(twins[:,0]))
    answer, = tab.evaluate(ANSWERS, [same, [[[5, 4.]]], None])
    rows = [payload['rows'][i] for i in answer['list']]
    assert rows==[r for r in range(1, 12) if r!=payload['rows'][5]][:10]

def test_the_map_moves_with_the_row(tab, stars):
    payload = page_data(stars)
    answer, = tab.evaluate(ANSWERS, [payload, [[[0, 1.], [1, 5.]]], None])
    away = np.array(answer['row']) - payload['average']
    np.testing.assert_allclose(answer['place'], np.array(payload['map']['axes'])@away[:-1])

def test_items_left_out_do_not_change_the_others(tab, lists):
    with pytest.warns(UserWarning, match='40 most rated'): payload = page_data(lists, n_items=40)
    people = [*people_of(payload, range(1, 6), 5)]
    for person,answer in zip(people, tab.evaluate(ANSWERS, [payload, people, None])):
        items,scores = library(lists, payload, person, allowed=payload['ids'])
        np.testing.assert_allclose(np.array(answer['scores'])[items], scores, atol=1e-5)
        assert answer['list']==items[:10]

def test_a_model_without_a_range(tab, stars):
    payload = page_data(stars) | dict(range=None)
    person = [[0, 1.], [1, 5.], [2, 4.]]
    answer, = tab.evaluate(ANSWERS, [payload, [person], None])
    X = np.c_[stars.served.item_factors, np.ones(stars.served.n_items)].astype(float)[payload['rows']]
    bias = stars.served.item_bias[payload['rows']].astype(float)
    at,y = np.array(person).T
    x,centre = X[at.astype(int)],stars.mean_user.astype(float)
    gap = y - bias[at.astype(int)] - x@centre
    row = centre + np.linalg.solve(x.T@x + 10*np.eye(X.shape[1]), x.T@gap)
    np.testing.assert_allclose(answer['scores'], X@row + bias, atol=1e-5)
    shown = tab.evaluate('data => [-3, 3.3, 9].map(stars => shownStars(unpack(data), stars))', payload)
    assert shown==[1, 3.3, 5]
