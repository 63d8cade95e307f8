"A page made from a Recommender: its payload, its file, the command line, and that it answers like the library"
import json, re, types, warnings
from base64 import b64decode

import numpy as np
import pandas as pd
import pytest

from collab_course.answers import RatingCounts
from collab_course.checks import ArgError
from collab_course.command_line import main
from collab_course.interpretation import factor_pca
from collab_course.list_answers import factors_of
from collab_course.list_models import EASE, Blend, WeightedALS
from collab_course.page_data import PageFile, average_of_lists, page_data, rating_step, script_json
from collab_course.recommender import Recommender
from collab_course.served import DotProductTables, NetworkTables
from collab_course.tables import planted_ratings

quick = dict(valid_pct=0, seed=0, progress=False)

def planted(step=1, low=1):
    "A small table of stars"
    return planted_ratings(120, 60, 3_000, n_factors=3, rating_range=(low, 5), step=step, seed=3).ratings

def fitted(df, **settings):
    "A model of a small table, trained for a moment"
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return Recommender.fit(df, **quick | settings)

def dot_product(df, **settings): return fitted(df, model='dot_product', n_factors=6, n_epoch=3, **settings)

def with_lists(rec, model):
    "The same with another list model, which answers alone"
    lists = rec.lists.with_model(model)
    return Recommender.from_parts(factors_of(lists, rec.history), rec.users_vocab, rec.items_vocab, rec.history,
                                  rec.rating_name, rec.titles, rec.rating_range, lists=lists, rates=False)

def with_als(rec):
    "The same with lists by weighted ALS alone"
    return with_lists(rec, WeightedALS.fit(rec.lists.of_history(rec.history), n_factors=8))

def numbers(text): return np.frombuffer(b64decode(text), '<f4')

def payload_in(path):
    "The payload of a page, as a browser reads it"
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text('utf-8'), re.S)
    return json.loads(found[1])

@pytest.fixture(scope='module')
def stars(): return dot_product(planted())

@pytest.fixture(scope='module')
def halves(): return dot_product(planted(.5, .5))

@pytest.fixture(scope='module')
def no_range(stars):
    served = DotProductTables(**stars.served.state())
    return Recommender.from_parts(served, stars.users_vocab, stars.items_vocab, stars.history, stars.rating_name)

@pytest.fixture(scope='module')
def levels(): return fitted(planted(), model='neighbours', n_factors=6, n_epoch=3)

@pytest.fixture(scope='module')
def clicks(): return with_als(fitted(planted()[['user', 'movie']], feedback='clicks'))

@pytest.fixture(scope='module')
def blend(clicks):
    ease = EASE.fit(clicks.lists.of_history(clicks.history))
    return with_lists(clicks, Blend([ease, clicks.lists.model]))

@pytest.fixture(scope='module')
def counts():
    df = planted()
    return with_als(fitted(df.assign(rating=df.rating**2), feedback='counts'))

@pytest.fixture(scope='module')
def stars_lists(): return with_als(fitted(planted(), model='lists'))

# ---- the payload ----

def test_a_payload_has_the_model_and_the_items_by_ratings(stars):
    data = page_data(stars, noun='film', source='Planted.')
    rows = np.array(data['rows'])
    assert (np.diff(data['counts'])<=0).all() and data['ids']==stars.items_vocab.ids(rows).tolist()
    np.testing.assert_array_equal(numbers(data['factors']).reshape(-1, data['width']), stars.served.item_factors[rows])
    np.testing.assert_array_equal(numbers(data['bias']), stars.served.item_bias[rows])
    assert data['average']==stars.mean_user.tolist() and data['range']==list(stars.served.y_range)
    assert data['titles']==[str(i) for i in data['ids']] and data['noun']=='film' and data['source']=='Planted.'

def test_the_map_is_that_of_chapter_06(stars):
    data = page_data(stars)
    pca = factor_pca(stars.model, stars.dls, 2)
    assert pca.scores.index.tolist()==data['ids']
    np.testing.assert_allclose(numbers(data['map']['x']), pca.scores[0], atol=1e-4)
    np.testing.assert_allclose(numbers(data['map']['y']), pca.scores[1], atol=1e-4)
    np.testing.assert_allclose(data['map']['explained'], pca.explained, atol=1e-6)

def test_nothing_about_people_is_in_a_page(tmp_path):
    df = planted()
    df = df.assign(user='reader-' + df.user.astype(str))
    for rec in (dot_product(df), fitted(df[['user', 'movie']], feedback='clicks')):
        text = rec.to_html(tmp_path/'page.html').read_text('utf-8')
        assert 'reader-' not in text
        data = page_data(rec)
        floats = {name for name,value in data.items() if isinstance(value, str) and len(value)>200}
        assert floats=={'factors', 'bias'} or floats=={'factors'}
        assert len(numbers(data['factors']))==data['width']*len(data['ids']) and len(data['average'])==data['width'] + 1

def test_titles_where_there_are_some_and_a_script_in_one(stars, tmp_path):
    odd = '</script><script>alert(1)</script><!-- &'
    rec = dot_product(planted(), titles={1: odd, 2: '三体', 3: None, 4: 'أهلا'})
    path = rec.to_html(tmp_path/'page.html')
    data = payload_in(path)
    by_id = dict(zip(data['ids'], data['titles']))
    assert [by_id[i] for i in (1, 2, 3, 4)]==[odd, '三体', '3', 'أهلا']
    assert '<script>alert' not in path.read_text('utf-8')

@pytest.mark.parametrize('text', ['</script>', '<!--', ']]>', '\u2028', '"\\', '\x00'])
def test_json_is_safe_inside_a_script(text):
    found = script_json(dict(title=text))
    assert '<' not in found and json.loads(found)==dict(title=text)

@pytest.mark.parametrize('make', [str, float, lambda i: i + 2**60, lambda i: f'книга {i}', lambda i: f'本{i}',
                                  lambda i: f'كتاب {i}', lambda i: f'पुस्तक {i}', lambda i: f'ספר {i}'])
def test_ids_of_each_kind(make, tmp_path):
    df = planted()
    rec = dot_product(df.assign(movie=df.movie.map(make)))
    data = payload_in(rec.to_html(tmp_path/'page.html'))
    given = {str(make(i)) for i in df.movie.unique()}
    assert {str(i) for i in data['ids']}==given=={*data['titles']}

@pytest.mark.parametrize('low,high,ratings,step', [(1, 5, [1, 2, 3], 1), (.5, 5, [.5, 1, 4.5], .5), (1, 10, [3, 4], 1),
    (0, 100, range(100), 10), (-10, 10, [.03, 7.1], 2), (1, 5, None, 1), (.5, 5, None, .5), (1, 5, [1.25, 1.5], .5),
    (3, 3, [3], 1), (0, 1, [0, 1], 1), (1, 6.3, [2.7, 2.8], .53), (1, 10, [1, 6.5, 7], .5), (0, 100, [5, 10], 5),
    (1, 10, [1, 1.25], 1), (1, 5, [1, 1.2], .5)])
def test_visitors_give_ratings_in_round_steps(low, high, ratings, step):
    found = rating_step(low, high, None if ratings is None else np.array(ratings, np.float32))
    assert found==pytest.approx(step) and (high - low)/found<=20

def test_a_page_of_part_of_the_items(stars):
    with pytest.warns(UserWarning, match='the page holds the 20 most rated of 60 items, as n_items asks'):
        data = page_data(stars, n_items=20)
    full = page_data(stars)
    assert data['ids']==full['ids'][:20] and data['n_left_out']==40 and len(numbers(data['map']['x']))==20

# ---- odd models ----

def test_a_model_of_another_day(stars, tmp_path):
    "Without history, saved and loaded, a page says the same"
    full = page_data(stars)
    saved = Recommender.load(stars.save(tmp_path/'whole'))
    forgot = Recommender.load(stars.save(tmp_path/'forgot', history=False))
    assert page_data(saved)==full
    assert page_data(forgot)==full

def test_lists_without_a_history(blend, stars, stars_lists, tmp_path):
    forgot = Recommender.load(blend.save(tmp_path/'clicks', history=False))
    assert page_data(forgot)['average']==page_data(blend)['average']
    network = types.SimpleNamespace(kind='network', n_factors=None)
    def average(history):
        rec = types.SimpleNamespace(served=network, rates=True, lists=stars_lists.lists, history=history)
        return average_of_lists(rec, stars_lists.lists.model)
    known = average(stars_lists.history)
    guessed = average(RatingCounts.of(stars_lists.history))
    assert known[-1]==guessed[-1]==0
    scores = stars_lists.lists.model.row_scores(np.stack([known, guessed])[:,:-1])[:,1:]
    assert np.corrcoef(scores)[0,1]>.95

def test_an_item_that_came_later(stars, clicks):
    new = pd.DataFrame(dict(user=[1, 2, 3], movie=[999, 999, 999], rating=[5, 4, 5]))
    assert 999 in page_data(stars.update(new))['ids']
    later = clicks.update(new.drop(columns='rating'))
    assert 999 not in page_data(later)['ids'] # lists know it after the next training

def test_one_item_and_one_factor():
    df = planted()
    one = fitted(df, model='dot_product', n_factors=1, n_epoch=2)
    flat = page_data(one)['map']
    assert flat['explained']==pytest.approx([1, 0]) and not numbers(flat['y']).any()
    with pytest.warns(UserWarning, match='the page holds the 1 most rated'): alone = page_data(one, n_items=1)
    assert len(alone['ids'])==1 and alone['map']['explained']==[0, 0]

def test_biases_alone_have_no_page(levels):
    rec = fitted(planted(), model='dot_product', n_factors=0)
    with pytest.raises(ArgError, match=r"biases alone: train one with factors, by Recommender.fit\(…, model="):
        page_data(rec)

def test_a_network_has_no_page(stars):
    rows = np.ones((2, 3), np.float32)
    net = NetworkTables(rows, rows, [(np.ones((1, 6)), np.ones(1))])
    rec = types.SimpleNamespace(served=net, rates=True, lists=None)
    with pytest.raises(ArgError, match='a page multiplies rows of factors, and this model is a network'): page_data(rec)

def test_lists_without_factors_get_some(blend):
    rec = with_lists(blend, blend.lists.model.models[0])
    data = page_data(rec)
    assert data['note']=="This page lists by weighted ALS; the model's own lists are by EASE."
    with pytest.raises(ArgError, match='save the model with its history'): page_data(rec.without_history())

def test_a_page_says_where_it_lists_otherwise(blend, stars, clicks, tmp_path):
    assert page_data(stars)['note']=='' and page_data(clicks)['note']==''
    page = blend.to_html(tmp_path/'page.html', source='Of books.')
    note = "This page lists by weighted ALS; the model's own lists are by EASE and weighted ALS."
    assert payload_in(page)['source']==f'Of books. {note}' and note in repr(page)

@pytest.mark.parametrize('wrong,words', [(dict(n_items=0), 'n_items must be'), (dict(noun=3), 'noun must be text'),
    (dict(noun=' '), "noun must be a word such as 'film'"),
    (dict(min_count=10**6), 'leaves nothing to list'), (dict(title=b'x'), 'title must be text'),
    (dict(presets={'x': {1: 9}}), 'has the rating 9, which is not between 1 and 5'),
    (dict(presets={'x': {12345: 4}}), 'there is no movie 12345'), (dict(presets=['x']), 'presets must be')])
def test_what_is_refused(stars, wrong, words, tmp_path):
    with pytest.raises(ValueError, match=words): stars.to_html(tmp_path/'page.html', **wrong)
    assert not (tmp_path/'page.html').exists()

# ---- the file ----

def test_a_page_is_written_whole_or_not_at_all(stars, tmp_path, monkeypatch):
    path = stars.to_html(tmp_path/'new'/'page.html')
    before = path.read_bytes()
    def full(*_): raise OSError(28, 'No space left on device')
    monkeypatch.setattr('collab_course.files.write_parts', full)
    with pytest.raises(OSError, match='No space left'): stars.to_html(path, title='Another')
    assert path.read_bytes()==before and [o.name for o in path.parent.iterdir()]==['page.html']

def test_only_a_page_is_replaced(stars, tmp_path):
    model = stars.save(tmp_path/'model.safetensors')
    before = model.read_bytes()
    with pytest.raises(ArgError, match="is there, and isn't a page of this library: name another file"):
        stars.to_html(model)
    assert model.read_bytes()==before
    page = stars.to_html(tmp_path/'page.html')
    assert 'Another' in stars.to_html(page, title='Another').read_text('utf-8')
    with pytest.raises(TypeError, match='path must be the name of a file'): stars.to_html(3)

def test_a_page_goes_where_the_path_says(stars, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    assert stars.to_html('~/page.html')==tmp_path/'page.html'
    with pytest.raises(ArgError, match='is a folder: name a file in it'): stars.to_html(tmp_path)
    with pytest.raises(ArgError, match='path must be the name of a file'): stars.to_html('')

def test_the_path_is_a_link_in_jupyter(stars, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = stars.to_html('my <page> é.html')
    assert isinstance(page, PageFile) and page.is_file() and str(page)=='my <page> é.html'
    html = page._repr_html_()
    assert 'href="my%20%3Cpage%3E%20%C3%A9.html"' in html and '&lt;page&gt;' in html and ' kB)' in html
    assert repr(page).startswith(f'{(tmp_path/page).as_uri()} (')

# ---- the program ----

@pytest.fixture(scope='module')
def model(stars, tmp_path_factory): return stars.save(tmp_path_factory.mktemp('page')/'model')

def test_the_program_writes_a_page(model, tmp_path, capsys):
    out = tmp_path/'page.html'
    assert main(['page', str(model), '--out', str(out), '--title', 'Rate me', '--items', '10', '--noun', 'book'])==0
    said = capsys.readouterr()
    assert said.out==f'{out}\n'
    assert 'careful: the page holds the 10 most rated of 60 items, as --items asks' in said.err
    assert re.search(r'10 books, \d+ kB: open it in a browser', said.err)
    data = payload_in(out)
    assert data['title']=='Rate me' and data['noun']=='book' and len(data['ids'])==10

def test_the_program_replaces_only_a_page(model, tmp_path, capsys):
    letter = tmp_path/'letter.txt'
    letter.write_text('Dear reader')
    assert main(['page', str(model), '--out', str(letter)])==1
    assert "isn't a page of this library: name another file with --out, or remove it first" in capsys.readouterr().err
    assert letter.read_text()=='Dear reader'
    assert main(['page', str(model), '--out', str(tmp_path)])==1
    assert f'{tmp_path} is a folder: name a file in it with --out' in capsys.readouterr().err
    for _ in range(2): assert main(['page', str(model), '--out', str(tmp_path/'page.html'), '-q'])==0
    assert main(['page', str(model), '--out', str(letter/'page.html')])==1
    assert 'is a file, and --out names a file in a folder' in capsys.readouterr().err

# ---- the page answers like the library ----

N_PEOPLE = 50
ANSWER = '''people => {
  const page = unpack(JSON.parse(document.getElementById('data').textContent))
  return people.map(given => {
    const fold = foldIn(page, new Map(given))
    const scores = allScores(page, fold)
    return {scores: [...scores], list: best(scores, page, fold.ratings, 10)}
  })
}'''

def random_people(data, likes):
    "Made-up visitors, who rate 1 to 20 items each"
    rng = np.random.default_rng(5)
    low,high,step = [data['ratings'][o] for o in ('low', 'high', 'step')]
    levels = [1.] if likes else np.arange(low, high + step/2, step)
    for _ in range(N_PEOPLE):
        items = rng.choice(len(data['ids']), rng.integers(1, 21), replace=False)
        yield [[int(i), float(y)] for i,y in zip(items, rng.choice(levels, len(items)))]

@pytest.fixture(scope='module')
def tab(browser):
    res = browser.new_page()
    res.asked = []
    res.on('request', lambda o: res.asked.append(o.url))
    yield res
    res.close()

@pytest.mark.parametrize('name', ['stars', 'halves', 'no_range', 'levels', 'clicks', 'counts', 'stars_lists'])
def test_a_page_answers_fifty_people_like_fold_in(name, tab, request, tmp_path):
    rec = request.getfixturevalue(name)
    path = rec.to_html(tmp_path/'page.html')
    data = payload_in(path)
    tab.goto(path.as_uri())
    people = [*random_people(data, rec.feedback!='stars')]
    at = {one: i for i,one in enumerate(data['ids'])}
    for given,found in zip(people, tab.evaluate(ANSWER, people)):
        df = rec.fold_in({data['ids'][i]: y for i,y in given}, n=len(at))
        items = df[rec.item_name].map(at).tolist()
        np.testing.assert_allclose(np.array(found['scores'])[items], df.score, atol=1e-3)
        assert found['list']==items[:10]
    assert {url.split(':')[0] for url in tab.asked}=={'file'}
