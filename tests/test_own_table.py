"A table that somebody brings along: semicolons, decimal commas, dates with the day first, ids that are text"
import json, re, warnings
from argparse import Namespace

import numpy as np, pandas as pd, pytest

from collab_course.command_line import main, measured_facts, say_report
from collab_course.frames import as_frame
from collab_course.reading import TableError, open_table, ratings_table, read_ratings
from collab_course.tables import leave_k_split, time_split, validate_ratings

def times(folder, *dates, quoted='"{}"'):
    "Times of a file with these dates, and what is said about them"
    text = ''.join(f'{user};{user};1;{quoted.format(date)}\n' for user,date in enumerate(dates))
    (folder/'r.csv').write_text('user;item;rating;played\n' + text)
    named = dict(user=None, item=None, rating=None, time='played')
    table = ratings_table(open_table(folder/'r.csv'), named)
    return [str(o)[:16].removesuffix(' 00:00') for o in table.ratings.played], ' '.join(table.notes)

@pytest.mark.parametrize('written,read,note', [
    (['13.01.2024', '02.01.2024', '1.2.2024'], ['2024-01-13', '2024-01-02', '2024-02-01'], 'have the day first'),
    (['02.01.2024', '03.01.2024'], ['2024-01-02', '2024-01-03'], '02.01.2024 is read as 2024-01-02'),
    (['2.1.24 9:05', '1.2.98 23:00'], ['2024-01-02 09:05', '1998-02-01 23:00'], 'day first'),
    (['02/01/2024', '13/01/2024'], ['2024-01-02', '2024-01-13'], 'day first'),
    (['02/01/2024 2:05 PM', '01/13/2024 1:00 AM'], ['2024-02-01 14:05', '2024-01-13 01:00'], 'have the month first'),
    (['09 2, 2009', '09 13, 2009'], ['2009-09-02', '2009-09-13'], 'month first'),
    (['Sa 13.01.2024', 'So 14.01.2024'], ['2024-01-13', '2024-01-14'], 'day first'),
    (['07/07/2024', '08/08/2024'], ['2024-07-07', '2024-08-08'], 'first')])
def test_dates_are_read_in_the_order_that_the_whole_column_shows(written, read, note, tmp_path):
    found,notes = times(tmp_path, *written)
    assert found==read and note in notes

@pytest.mark.parametrize('written,read', [
    (['2024-02-01', '2024-01-13'], ['2024-02-01', '2024-01-13']),
    (['2024/2/1', '2024.01.13'], ['2024-02-01', '2024-01-13']),
    (['2024-02-01T10:00:00Z', '2024-02-01T10:00:00+02:00'], ['2024-02-01 10:00', '2024-02-01 08:00']),
    (['13 Jan 2024', 'Feb 1, 2024 3:04 PM'], ['2024-01-13', '2024-02-01 15:04']),
    (['1400000000', '1300000000'], ['1400000000', '1300000000'])])
def test_dates_that_can_be_read_in_one_way_need_no_note(written, read, tmp_path):
    found,notes = times(tmp_path, *written)
    assert found==read and 'first' not in notes

@pytest.mark.parametrize('written,says', [
    (['01/02/2024', '03-04-2024'], "column 'played' holds dates such as '01/02/2024', and no row tells whether"),
    (['13.01.2024', '14.01.2024', '01.31.2024'], "line 4, column 'played': '01.31.2024' isn't a time, though times"),
    (['13.01.2024', '31.02.2024'], "line 3, column 'played': '31.02.2024' isn't a time"),
    (['13.01.2024', '2024-01-14'], "line 3, column 'played': '2024-01-14' isn't a time"),
    (['13.13.2024', '01.02.2024'], "'13.13.2024' isn't a time"),
    (['2024-31-01', '2024-01-31'], "line 2, column 'played': '2024-31-01' isn't a time"),
    (['soon', '2024-01-31', 'later'], r"line 2, column 'played': 'soon' isn't a time \(and 1 more\)"),
    (['13.01.2024', ''], "line 3, column 'played': there is no time")])
def test_a_date_that_is_none_is_shown_and_doubtful_ones_are_refused(written, says, tmp_path):
    with pytest.raises(TableError, match=says): times(tmp_path, *written)

def test_dates_as_text_in_parquet_are_no_categories(tmp_path):
    df = pd.DataFrame(dict(user=[1, 2, 3], item=[1, 2, 3], rating=[1, 2, 3],
                           played=['02.03.2024', '01.04.2024', '02.03.2024']))
    df.to_parquet(tmp_path/'r.parquet')
    named = dict(user=None, item=None, rating=None, time='played')
    table = ratings_table(open_table(tmp_path/'r.parquet'), named)
    assert table.ratings.played.dt.month.tolist()==[3, 4, 3]

@pytest.mark.parametrize('written,right', [
    (['01.01.2024', '13.01.2024', '02.02.2024'], [1, 1, 2]), (['01/13/2024', '02/02/2024', '01/02/2024'], [1, 2, 1]),
    (['2024-02-01', '2024-01-13', '2024-03-01'], [2, 1, 3])])
def test_the_advice_about_dates_as_text_works(written, right):
    ratings = pd.DataFrame(dict(user=[1, 2, 1], movie=[1, 2, 3], played=written))
    for split in (time_split, lambda df, **how: leave_k_split(df, seed=0, **how)):
        with pytest.raises(ValueError, match='text sorts by letters: convert') as e: split(ratings, time_name='played')
    code = str(e.value).split('with ')[1]
    assert eval(code, dict(pd=pd, ratings=ratings)).dt.month.tolist()==right

def test_the_advice_about_doubtful_dates_names_both_orders():
    ratings = pd.DataFrame(dict(user=[1, 1], movie=[1, 2], played=['01/02/2024', '02/02/2024']))
    with pytest.raises(ValueError, match='dayfirst=True.*, or without dayfirst if months come first'):
        time_split(ratings, time_name='played')

# what the terminal says about a model

REPORT = dict(valid_rmse=1.2, n_valid=373, baseline_rmse=1.4, n_lists=62, valid_ndcg=.119, popular_ndcg=.061,
              refit=False, predicted_ndcg=.175, lists_by='predictions')

@pytest.mark.parametrize('more,says', [
    ({}, 'NDCG@10 of 62 lists by predictions: 0.175; most rated: 0.061; the list model: 0.119'),
    (dict(lists_by='lists', predicted_ndcg=.05),
     'NDCG@10 of 62 lists by the list model: 0.119; most rated: 0.061; predictions: 0.050'),
    (dict(lists_by=None, predicted_ndcg=None), 'NDCG@10 of 62 lists: 0.119; most rated: 0.061')])
def test_the_score_that_is_shown_is_that_of_the_lists_served(more, says, capsys):
    report = {name: value for name,value in (REPORT | more).items() if value is not None}
    say_report(Namespace(quiet=False), report)
    assert capsys.readouterr().err.splitlines()[1]==says
    shown = float(re.search(r': (0\.\d+);', says)[1])
    assert measured_facts(report)['NDCG@10'].startswith(f'{shown:.4f} of 62 lists')

@pytest.fixture(scope='module')
def club(tmp_path_factory):
    "A model of a club's games: ids are text, games have titles, grades go by halves"
    from collab_course import Recommender
    rng = np.random.default_rng(0)
    pairs = rng.permutation(30*20)[:400]
    df = pd.DataFrame(dict(member=[f'm{i//20:02d}' for i in pairs], game_id=[f'bgg{i%20:02d}' for i in pairs],
                           grade=rng.integers(2, 21, 400)/2))
    df['title'] = 'Game ' + df.game_id.str[3:]
    path = tmp_path_factory.mktemp('club')/'club.safetensors'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        rec = Recommender.fit(df, user_name='member', item_name='game_id', rating_name='grade', titles='title',
                              model='dot_product', n_epoch=1, seed=0, progress=False)
    rec.save(path)
    return rec,df,path

def ran(capsys, *args):
    code = main([*map(str, args)])
    return code, *capsys.readouterr()

def test_items_allowed_for_each_person_are_said_to_be_so(club, capsys, tmp_path):
    rec,df,path = club
    mine = df[df.member=='m03']
    mine.to_csv(tmp_path/'mine.csv', index=False)
    for who in (['--user', 'm03'], ['--all']):
        code,out,err = ran(capsys, 'recommend', path, *who, '--allowed', tmp_path/'mine.csv', '--csv')
        assert code==0 and "for each person in column 'member'" in err and 'the column of items alone' in err, err
    code,out,err = ran(capsys, 'recommend', path, '--user', 'm03', '--allowed', tmp_path/'mine.csv', '--csv')
    assert out.splitlines()[1:]==[] and re.search('--allowed names .* leaves only what is rated already', err)
    with pytest.warns(UserWarning, match="allowed names items for each person, in column 'member', and leaves only "
                      r"what is rated already for 1 of 1 people, such as member 'm03': .*pass their ids alone"):
        assert not len(rec.recommend('m03', allowed=mine))
    with pytest.warns(UserWarning, match="^allowed leaves only what is rated already for 1 of 2 people, .*'m03'$"):
        rec.recommend_all(users=['m03', 'm04'], allowed=mine.game_id.tolist())
    with pytest.warns(UserWarning, match="names no item .* such as member 'm04': for the same items .* ids alone$"):
        assert not len(rec.recommend('m04', allowed=mine))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert len(rec.recommend('m03', allowed=mine, exclude_seen=False))
        assert len(rec.recommend('m03', allowed=df.game_id.unique()))

def test_allowed_items_that_the_model_lacks_are_named(club, capsys, tmp_path):
    (tmp_path/'a.txt').write_text('bgg01\nbgg98\nbgg99\nbgg02\n')
    _,_,err = ran(capsys, 'recommend', club[2], '--user', 'm03', '--allowed', tmp_path/'a.txt')
    assert "a.txt: ids, one a line, 4 items, 2 of them in the model, but not 'bgg98', 'bgg99'" in err

def test_a_typed_grade_may_have_a_decimal_comma(club, capsys):
    with_comma = ran(capsys, 'fold-in', club[2], '--rate', 'Game 01=9,5')
    assert with_comma[0]==0 and with_comma==ran(capsys, 'fold-in', club[2], '--rate', 'Game 01=9.5')
    code,_,err = ran(capsys, 'fold-in', club[2], '--rate', 'Game 01=9,5,5')
    assert code==1 and "'9,5,5' isn't a rating: give a number" in err

def test_games_without_a_grade_may_be_left_out_of_a_newcomers_file(club, capsys, tmp_path):
    (tmp_path/'new.csv').write_text('game_id;grade\nbgg01;9,5\nbgg02;\nbgg03;4,0\nbgg04;8,5\n')
    code,_,err = ran(capsys, 'fold-in', club[2], '--ratings', tmp_path/'new.csv')
    assert code==1 and 'line 3' in err and 'leave out all without a rating with --missing nan' in err
    code,out,err = ran(capsys, 'fold-in', club[2], '--ratings', tmp_path/'new.csv', '--missing', 'nan', '--csv')
    rest = ran(capsys, 'fold-in', club[2], '--rate', 'bgg01=9.5', '--rate', 'bgg03=4', '--rate', 'bgg04=8.5', '--csv')
    assert code==0 and out==rest[1] and '1 row left out: not rated' in err
    (tmp_path/'bad.csv').write_text('game_id;grade\nbgg01;9,5\nbgg02;\nbgg03;11,0\n')
    code,_,err = ran(capsys, 'fold-in', club[2], '--ratings', tmp_path/'bad.csv', '--missing', 'nan')
    assert code==1 and 'line 4' in err and '11 is not between 1 and 10' in err
    (tmp_path/'bad.csv').write_text('game_id;grade\nbgg01;9,5\nbgg02;\nbgg03;8,0\nbgg03;7,0\n')
    code,_,err = ran(capsys, 'fold-in', club[2], '--ratings', tmp_path/'bad.csv', '--missing', 'nan')
    assert code==1 and 'line 5' in err and 'the item has a rating already' in err

def test_a_title_that_stands_for_an_id_gets_the_id(club):
    for ask in (lambda rec: rec.fold_in({'Game 01': 5}), lambda rec: rec.similar('Game 01')):
        with pytest.raises(ValueError, match="no game_id 'Game 01': pass the id: .*title is that of game_id 'bgg01'$"):
            ask(club[0])

def test_advice_about_missing_grades_is_python(club, tmp_path):
    from collab_course import Recommender
    df = club[1].assign(grade=club[1].grade.where(club[1].index!=7))
    df.to_csv(tmp_path/'r.csv', index=False)
    names = dict(user_name='member', item_name='game_id', rating_name='grade')
    with pytest.raises(ValueError) as from_file: read_ratings(tmp_path/'r.csv', **names)
    with pytest.raises(ValueError) as from_fit: Recommender.fit(df, **names)
    for e in (from_file, from_fit):
        code = re.search('missing=(.+)$', str(e.value))[1]
        assert len(read_ratings(tmp_path/'r.csv', **names, missing=eval(code)).ratings)==399

def test_info_shows_what_ids_look_like(club, capsys):
    _,out,_ = ran(capsys, 'info', club[2])
    assert re.search(r"^ids +member: text, such as 'm00'; game_id: text, such as 'bgg00'$", out, re.M), out
    facts = json.loads(ran(capsys, 'info', club[2], '--json')[1])
    assert facts['example_ids']=={'member': 'm00', 'game_id': 'bgg00'}

def test_what_read_ratings_gives_is_refused_as_a_table_with_the_way_to_pass_it(file):
    read = read_ratings(file('user,movie,rating\n1,2,3\n1,3,4\n'))
    with pytest.raises(TypeError, match=r'RatingsTable: pass its \.ratings, and \*\*its\.names'): as_frame(read)
    assert len(as_frame(read.ratings))==2

def test_a_decimal_comma_that_pandas_left_as_text_is_named_with_the_cure(file):
    path = file('member;game;grade\n' + ''.join(f'm{i};g{j};{j+1},5\n' for i in range(6) for j in range(4)))
    names = dict(user_name='member', item_name='game', rating_name='grade')
    with pytest.raises(ValueError, match="column 'grade' is not numeric: '1,5' has a decimal comma"):
        validate_ratings(pd.read_csv(path, sep=';'), **names)
    validate_ratings(pd.read_csv(path, sep=';', decimal=','), **names)
