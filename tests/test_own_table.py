"A table that somebody brings along: semicolons, decimal commas, dates with the day first, ids that are text"
import pandas as pd, pytest

from collab_course.reading import TableError, open_table, ratings_table
from collab_course.tables import leave_k_split, time_split

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
    (['01/02/2024', '03-04-2024'], "column 'played' holds dates such as '01/02/2024', and no row tells whether the day"),
    (['13.01.2024', '14.01.2024', '01.31.2024'], "line 4, column 'played': '01.31.2024' isn't a time, though times have"),
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
        with pytest.raises(ValueError, match='text sorts by letters: convert it') as e: split(ratings, time_name='played')
    code = str(e.value).split('with ')[1]
    assert eval(code, dict(pd=pd, ratings=ratings)).dt.month.tolist()==right

def test_the_advice_about_doubtful_dates_names_both_orders():
    ratings = pd.DataFrame(dict(user=[1, 1], movie=[1, 2], played=['01/02/2024', '02/02/2024']))
    with pytest.raises(ValueError, match='dayfirst=True.*, or without dayfirst if months come first'):
        time_split(ratings, time_name='played')
