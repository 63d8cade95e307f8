"Files as public data sets publish them, made by short functions: each is read right, or refused with words that help"
import gzip, io, json, random, re, zipfile
from pathlib import Path

import pandas as pd, pyarrow as pa, pytest

from collab_course.command_line import in_words, main
from collab_course.reading import TableError, known_columns, read_ratings, read_titles

def planted(n=240, seed=1, stars=(1, 2, 3, 4, 5)):
    "Rows of user, item, rating, time: each pair once, in random order"
    rng = random.Random(seed)
    pairs = rng.sample([(u, i) for u in range(1, 31) for i in range(1, 21)], n)
    return [(u, i, rng.choice(stars), 1_400_000_000 + 7919*k) for k,(u,i) in enumerate(pairs)]

rows = planted()

def lines(form, data=rows, head='', **more):
    "A text with a line for each row; `form` takes u, i, r, t and the number k of the row"
    return head + ''.join(form.format(u=u, i=i, r=r, t=t, k=k) + '\n' for k,(u,i,r,t) in enumerate(data))

def asin(i): return f'B0{i:08d}'
def person(u): return f'A{u:012d}'
def isbn(i): return f'0{i:08d}X'

def netflix():
    "Blocks, a film each"
    by_film = sorted(rows, key=lambda row: row[1])
    out = []
    for u,i,r,t in by_film:
        if f'{i}:' not in out: out.append(f'{i}:')
        out.append(f'{u},{r},2005-09-06')
    return '\n'.join(out) + '\n'

def records(**names): return [{n: v for n,v in zip(names.values(), row)} for row in rows]
def json_lines(*names): return ''.join(json.dumps(dict(zip(names, row), text='fine, "really"')) + '\n' for row in rows)

def feather(compression):
    f = io.BytesIO()
    pd.DataFrame(rows, columns=['user', 'item', 'rating', 'time']).to_feather(f, compression=compression)
    return f.getvalue()

def zipped(**files):
    f = io.BytesIO()
    with zipfile.ZipFile(f, 'w') as z:
        for name,text in files.items(): z.writestr(f'ml/{name}.csv', text)
    return f.getvalue()

def adjacency():
    "NGCF's and LightGCN's train.txt: a user and items in each line"
    return ''.join(' '.join(map(str, [u, *sorted(i for v,i,*_ in rows if v==u)])) + '\n' for u in range(1, 31))

matrix = '%%MatrixMarket matrix coordinate real general\n%made by hand\n30 20 240\n'
ints,texts = str,'{}'

# name: content, and how ids are written (user, item); what is read must equal `rows`
read = {
    'MovieLens 100k': (lines('{u}\t{i}\t{r}\t{t}'), int, int),
    'MovieLens 1M': (lines('{u}::{i}::{r}::{t}'), int, int),
    'MovieLens 20M, latest': (lines('{u},{i},{r}.0,{t}', head='userId,movieId,rating,timestamp\n'), int, int),
    'HetRec MovieLens': (lines('{u}\t{i}\t{r}\t29\t10\t2006\t23\t17\t16',
                               head='userID\tmovieID\trating\tdate_day\tdate_month\tdate_year\tdate_hour\t'
                                    'date_minute\tdate_second\n'), int, int),
    'Netflix prize': (netflix(), int, int),
    'Book-Crossing': (lines('"{u}";"0{i}X";"{r}"', head='"User-ID";"ISBN";"Book-Rating"\n'), int, '0{}X'.format),
    'Amazon 2014': (lines('A{u:012d},B0{i:08d},{r}.0,{t}'), person, asin),
    'Amazon 2018': (lines('B0{i:08d},A{u:012d},{r}.0,{t}'), person, asin),
    'Amazon 2018, books': (lines('0{i:08d}X,A{u:012d},{r}.0,{t}'), person, isbn),
    'Amazon 2023': (lines('A{u:012d},B0{i:08d},{r}.0,{t}', head='user_id,parent_asin,rating,timestamp\n'),
                    person, asin),
    'Amazon reviews': (json_lines('reviewerID', 'asin', 'overall', 'unixReviewTime'), int, int),
    'Yelp': (json_lines('user_id', 'business_id', 'stars', 'useful'), int, int),
    'Google Local': (''.join(json.dumps(dict(user_id=u, name=f'Ann {u}', rating=r, gmap_id=f'0x{i}:0')) + '\n'
                             for u,i,r,_ in rows), int, '0x{}:0'.format),
    'Goodreads': (json_lines('user_id', 'book_id', 'rating', 'n_votes'), int, int),
    'Epinions reviews': (''.join(f'{dict(item=f"x{i}", user=f"y{u}", stars=float(r), review="a fine, fine ""one")}\n'
                                 for u,i,r,_ in rows), 'y{}'.format, 'x{}'.format),
    'Anime': (lines('{u},{i},{r}', head='user_id,anime_id,rating\n'), int, int),
    'MyAnimeList': (lines('ann{u},{i},12,{r}', head='username,anime_id,my_watched_episodes,my_score\n'),
                    'ann{}'.format, int),
    'Jester': (lines('{u}\t\t{i}\t\t{r}.000'), int, int),
    'Epinions': (lines('{u}  {i}  {r}'), int, int),
    'Epinions, in columns': (lines('{u:8d}{i:8d}{r:4d}'), int, int),
    'FilmTrust': (lines('{u} {i} {r}'), int, int),
    'Douban': (lines('{u}\t{i}\t{r}', head='user_id\tmovie_id\trating\n'), int, int),
    'BeerAdvocate': (lines('7,Vecchio,{t},{r},2,2,ann{u},Hefe,1.5,1.5,Beer {i},5.0,{i}',
                           head='brewery_id,brewery_name,review_time,review_overall,review_aroma,review_appearance,'
                                'review_profilename,beer_style,review_palate,review_taste,beer_name,beer_abv,'
                                'beer_beerid\n'), 'ann{}'.format, int),
    'Food.com': (lines('{u},{i},2003-02-17,{r},"Great, ""really"" great"',
                       head='user_id,recipe_id,date,rating,review\n'), int, int),
    'BoardGameGeek': (lines('{k},user {u},{r}.0,,{i},Game {i}', head=',user,rating,comment,ID,name\n'),
                      'user {}'.format, 'Game {}'.format),
    'Yahoo! R3': (lines('{u}\t{i}\t{r}'), int, int),
    'MovieTweetings': (lines('{u}::00{i:05d}::{r}::{t}'), int, '00{:05d}'.format),
    'RecBole': (lines('{u}\t{i}\t{r}.0\t{t}.0', head='user_id:token\titem_id:token\trating:float\ttimestamp:float\n'),
                int, int),
    'KONECT': (lines('{u} {i} {r} {t}', head='% bip weighted\n% 240 30 20\n'), int, int),
    'Matrix Market': (lines('{u} {i} {r}', head=matrix), int, int),
    'our own --json': (json_lines('user', 'movie', 'score', 'n'), int, int),
    'a list of records': (json.dumps(records(u='user', i='item', r='rating')), int, int),
    'Excel, semicolons': ('\ufeff' + lines('{u};{i};{r},0', head='user;item;rating\n'), int, int),
    'tabs, CR and quotes': (lines('"u ""{u}"""\t"{i}"\t"{r}"', head='user\titem\trating\n').replace('\n', '\r'),
                            'u "{}"'.format, int),
    'Feather': (feather('lz4'), int, int), 'Feather, zstd': (feather('zstd'), int, int),
    'Feather, not packed': (feather('uncompressed'), int, int),
    'JSON Lines, packed': (gzip.compress(json_lines('user', 'item', 'rating', 't').encode()), int, int)}

def found(table):
    "Rows as a set of (user, item, rating), whatever the order of rows and columns"
    cols = [table.names[o] for o in ('user_name', 'item_name', 'rating_name')]
    return {*map(tuple, table.ratings[cols].astype(object).values.tolist())}

@pytest.mark.parametrize('name', read)
def test_a_public_format_is_read_as_it_was_meant(name, file):
    content,user,item = read[name]
    t = read_ratings(file(content))
    assert found(t)=={(user(u), item(i), r) for u,i,r,_ in rows} and len(t.ratings)==len(rows)

gowalla = lines('{u}\t2010-10-19T23:{k:02d}:27Z\t{i}0.2359091167\t-97.7951395833\t{i}', rows[:60])
unlike = [(u, i, 1 + i%7, t) for u,i,r,t in rows]
pairs_only = {
    'pairs': lines('{u},{i}', head='user_id,item_id\n'), 'pairs without a header': lines('{u} {i}'),
    'RetailRocket': lines('{t},{u},view,{i},', head='timestamp,visitorid,event,itemid,transactionid\n'),
    'pairs with times': lines('{u},{i},{t}', head='user_id,item_id,timestamp\n'),
    'H&M': lines('2018-09-20,{u},{i},0.{k}7,2', head='t_dat,customer_id,article_id,price,sales_channel_id\n'),
    'KuaiRec': lines('{u},{i},{k}8,10867,{t},1.27',
                     head='user_id,video_id,play_duration,video_duration,time,watch_ratio\n'),
    'matrix of pairs': '%%MatrixMarket matrix coordinate pattern general\n20 12 240\n' + lines('{u} {i}'),
    'records': json.dumps(records(u='user', i='item'))}

@pytest.mark.parametrize('name', pairs_only)
def test_a_table_without_ratings_is_a_table_of_clicks(name, file):
    t = read_ratings(file(pairs_only[name]))
    assert 'rating_name' not in t.names and {*map(tuple, t.ratings.values.tolist())}=={row[:2] for row in rows}
    assert ' rows' in t.notes[0] and t.ratings.equals(read_ratings(file(pairs_only[name]), feedback='clicks').ratings)

def test_numbers_that_are_not_used_are_named(file):
    notes = read_ratings(file(pairs_only['H&M'])).notes
    assert str(notes[-1])=="not used: 'price'; if one of them says how much, name it with rating_name='price'"
    assert read_ratings(file(pairs_only['pairs with times'])).notes[-1][:5]=='ids: '

def test_ratings_under_an_unknown_name_are_no_clicks(file):
    table = file(lines('{u};{i};{r}', head='user;item;punkte\n'))
    with pytest.raises(TableError) as e: read_ratings(table)
    assert "known for the rating, but 'punkte' could hold it. Name it with rating_name='punkte', or take each row " \
        "for a click with feedback='clicks'" in str(e.value)
    assert found(read_ratings(table, rating_name='punkte'))=={row[:3] for row in rows}
    assert [*read_ratings(table, feedback='clicks').ratings]==['user', 'item']
    for kind in ('stars', 'counts'):
        with pytest.raises(TableError, match='no column has a name that is known for the rating'):
            read_ratings(table, feedback=kind)

counts = {'Last.fm, HetRec': ('userID\tartistID\tweight\n', '{u}\t{i}\t{r}'),
          'plays': ('user,song,plays\n', '{u},{i},{r}'),
          'purchases': ('customer_id,sku,date,quantity\n', '{u},{i},2020-01-02,{r}')}

@pytest.mark.parametrize('name', counts)
def test_a_count_stands_where_there_is_no_rating(name, file):
    head,line = counts[name]
    assert found(read_ratings(file(lines(line, head=head))))=={row[:3] for row in rows}

def test_a_rating_comes_before_a_count(file):
    t = read_ratings(file(lines('{u},{i},{k},{r}', head='user,item,plays,rating\n')))
    assert t.names['rating_name']=='rating'

def test_large_counts_without_a_header_are_read_once_they_are_called_so(file):
    large = file(lines('{u},{i},{t}'))
    with pytest.raises(TableError, match='column 3 holds numbers as ids and times are'): read_ratings(large)
    assert read_ratings(large, feedback='counts').ratings.rating.tolist()==[row[3] for row in rows]

def test_a_wrong_separator_does_not_make_pairs_of_ratings(file):
    with pytest.raises(TableError, match='its first line has 2 columns by commas. Omit sep'):
        read_ratings(file(lines('{u};{i};{r},5')), sep=',')
    assert read_ratings(file(lines('{u},{i}')), sep=',').ratings.shape==(240, 2)

def test_files_with_and_without_ratings_are_not_one_table(file):
    a,b = file(lines('{u},{i},{r}', head='user,item,rating\n'), 'a'),file(lines('{u},{i}', head='user,item\n'), 'b')
    for srcs in ([a, b], [b, a]):
        with pytest.raises(TableError, match='a has ratings, and b has none: read them apart, or take each row'):
            read_ratings(srcs)
    assert len(read_ratings([a, b], feedback='clicks').ratings)==480

clicks = ". If each row is a click, give feedback='clicks'"
refused = {
    'Gowalla': (gowalla, "column 2 holds times, not ids: '2010-10-19T23:00:27Z'", dict(user_name=1, item_name=5)),
    'Yoochoose': (lines('{u},2014-04-07T10:51:09.277Z,{i},0'), 'column 2 holds times, not ids',
                  dict(user_name=1, item_name=3)),
    'Last.fm 1K': (lines('user_{u}\t2009-05-04T23:08:57Z\tf1b1\tDeep Dish\t{i}\tFly'), 'column 2 holds times, not',
                   dict(user_name=1, item_name=5)),
    'Steam': (lines('{u},Game {i},purchase,1.0,0'), "'purchase' isn't a number", {}),
    'Frappe': (lines('{u}\t{i}\tmorning\tsunday\t1'), "'morning' isn't a number", {}),
    'Foursquare': (lines('{u}\t49bbd6c0{i}\t4bf58dd8\tBar\t40.7\t-74.0\t-240\tTue Apr 03'),
                   "'4bf58dd8' isn't a number", {}),
    'user, item, time': (lines('{u},{i},{t}'), 'column 3 holds numbers as ids and times are, such as 14000', {}),
    'Taobao': (lines('{u},{i},41{i:05d},pv,{t}'), 'column 3 holds numbers as ids and times are', {}),
    'item property': (lines('{u},{i},{r},x', unlike), 'column 3 is the same wherever an item is the same', {})}

@pytest.mark.parametrize('name', refused)
def test_what_holds_no_ratings_is_refused_and_the_advice_for_clicks_works(name, file):
    content,message,kw = refused[name]
    with pytest.raises(TableError) as e: read_ratings(file(content, 'x'))
    assert message in str(e.value) and clicks in str(e.value)
    some = pd.DataFrame(rows[:60] if name=='Gowalla' else rows)
    t = read_ratings(file(content, 'x'), feedback='clicks', **kw)
    assert t.ratings.shape==(len(some), 2) and t.ratings.nunique().tolist()==some.nunique().tolist()[:2]

def test_lists_of_ids_are_told_to_become_lines(file):
    with pytest.raises(TableError, match='a user and items in each line, separated by spaces: make it a line for each'):
        read_ratings(file(adjacency(), 'x'))

doubtful = {
    'Ciao': (''.join(f'{u},{i},{1+k%7},{r},4,20110304\n' for k,(u,i,r,_) in enumerate(rows)),
             'which column holds the ratings, 3 or 4? Each holds a few small numbers. Name it with rating_name=3 or 4',
             4),
    'Last.fm 360K': (lines('{u}\tmbid-{i}\tThe {i}\t{r}'), "'The", 4),
    'Ciao, one category an item': (''.join(f'{u},{i},{1+i%7},{r},4,20110304\n' for u,i,r,_ in rows),
                                   'as a category is. Name the right one: rating_name=4', 4),
    'a category by number': (lines('{u},{i},41{i:05d},{r},{t}'), 'column 3 holds numbers as ids and times are', 4)}

@pytest.mark.parametrize('name', doubtful)
def test_the_advice_of_a_refusal_works(name, file):
    content,message,right = doubtful[name]
    with pytest.raises(TableError, match=re.escape(message)): read_ratings(file(content))
    t = read_ratings(file(content), rating_name=right)
    assert t.ratings.rating.tolist()==[r for _,_,r,_ in rows]

other = {
    'a matrix': ((','.join(['1.5']*30) + '\n')*30, 'has 30 columns and no header line: is it a matrix?'),
    'fractions': (lines('{u},{r}.25,{i}'), 'column 2 holds fractions, not ids'),
    'a dense matrix': ('%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n',
                       "only 'matrix coordinate real general'"),
    'a name of the user': (''.join(json.dumps({'user_id': u, 'name': f'Ann {u}', 'rating': r, 'where': i}) + '\n'
                             for u,i,r,_ in rows), "each user has only one item in column 'name'"),
    'MIND': (lines('{k}\tU{u}\t11/11/2019 9:05:58 AM\tN1 N2\tN{i}-1'), 'column 1 is different in every row'),
    'tar': (bytes(257) + b'ustar', 'is a tar archive: unpack it and name the file with the ratings'),
    'XML': ('<?xml version="1.0"?><myanimelist>', 'is XML'), 'MATLAB': (b'MATLAB 5.0 MAT-file', 'is a MATLAB file'),
    'R': (b'RDX3\nX\n', 'is an R data file'), 'numpy': (b'\x93NUMPY\x01', 'is a numpy array'),
    'half a JSON line': ('{"user": 1, "item": 2, "rating": 3}\n{"user": 1,\n', 'line 2: there is no JSON record'),
    'JSON of numbers': ('[[1, 2, 3]]', 'record 1: there is no JSON record'),
    'JSON by columns': ('{"user": {"0": 1}, "item": {"0": 1}, "rating": {"0": 1}}',
                        "line 1, column 'user': there is a dict"),
    'JSON, text and numbers': ('{"user": "1", "item": 2, "rating": 3}\n{"user": 1, "item": 2, "rating": 3}\n',
                               "line 2, column 'user': 1 is a number, and text stands before it"),
    'JSON, no rating': ('{"user": 1, "item": 2, "rating": 3}\n{"user": 1, "item": 2}\n', "line 2, column 'rating'"),
    'JSON, half a letter': ('{"user": "\\ud800", "item": 2, "rating": 3}\n', 'holds half of a letter'),
    'JSON, deep': ('[' + '{"a":'*100_000, 'there is no JSON record'),
    'LibraryThing': ("reviews[('3206242', 'tth')] = {'stars': 4.0}\n"*3, 'known for the user or item'),
    'damaged Feather': (feather('lz4')[:-20], 'is a damaged Arrow or Feather file')}

@pytest.mark.parametrize('name', other)
def test_what_cannot_be_read_is_refused_in_words(name, file):
    content,message = other[name]
    with pytest.raises(TableError, match=re.escape(message)): read_ratings(file(content, 'x'))

def test_separators_may_be_typed_with_backslashes(file):
    t = read_ratings(file(lines('{u}\t\t{i}\t\t{r}')), sep=r'\t\t')
    assert found(t)=={row[:3] for row in rows}
    for sep in ('tab', '\t', r'\t'):
        assert read_ratings(file(lines('{u}\t{i}\t{r}')), sep=sep).ratings.rating.tolist()==[row[2] for row in rows]

def test_an_empty_column_and_an_empty_field_stay_what_they_are(file):
    t = read_ratings(file('user\titem\tnote\trating\n1\t2\t\t5\n2\t3\t\t4\n'))
    assert t.ratings.values.tolist()==[[1, 2, 5], [2, 3, 4]]
    with pytest.raises(TableError, match='line 2, column 2: there is no id'):
        read_ratings(file('1\t\t7\t\t5\n1\t\t\t\t5\n'))

def test_lines_keep_their_numbers_after_remarks_and_blocks(file):
    netflix = '1:\n7,3,2005-09-06\n2:\n7,x,2005-09-06\n'
    for text,n,name in ((matrix + '1 1 3\n1 2 x\n', 5, '3'), (netflix, 4, "'rating'")):
        with pytest.raises(TableError, match=f"line {n}, column {name}: 'x' isn't a number"): read_ratings(file(text))

def test_a_file_of_a_zip_is_named_by_a_path(file, tmp_path):
    text = lines('{u},{i},{r}', head='userId,movieId,rating\n')
    z = file(zipped(ratings=text, movies='movieId,title\n1,Dune\n'), 'ml.zip')
    with pytest.raises(TableError, match=re.escape('Name the file with the ratings, such as ml.zip/ml/ratings.csv')):
        read_ratings(z)
    assert found(read_ratings(z/'ml'/'ratings.csv'))=={row[:3] for row in rows}
    assert read_titles(str(z) + '/ml/movies.csv').to_dict()=={1: 'Dune'}
    with pytest.raises(TableError, match=r"holds no file ml/rating.csv \(did you mean 'ml/ratings.csv'\?\)"):
        read_ratings(z/'ml'/'rating.csv')
    with pytest.raises(TableError, match="isn't a zip, so it holds no file r.csv"):
        read_ratings(file(text, 'r')/'r.csv')

def test_several_files_are_one_table(file):
    a,b = (file(lines('{u},{i},{r}', part, 'user,item,rating\n'), name)
           for part,name in ((rows[:99], 'a'), (rows[99:], 'b')))
    t = read_ratings([a, b])
    assert t.ratings.values.tolist()==[[*row[:3]] for row in rows] and t.notes[-1]=='2 files: 240 ratings in all'
    assert read_ratings([a]).ratings.equals(read_ratings(a).ratings)
    c = file('user,item,rating\n007,1,5\n', 'c')
    assert read_ratings([a, c]).ratings.user.tolist()==[*(str(row[0]) for row in rows[:99]), '007']
    with pytest.raises(TableError, match="a has the columns 'user', 'item', 'rating', and d 'uid', 'item', 'rating'"):
        read_ratings([a, file('user_id,item,rating\n1,1,5\n'.replace('user_id', 'uid'), 'd')])
    with pytest.raises(ValueError, match='path must be a file or several'): read_ratings([])

def test_a_table_is_no_path():
    df = pd.DataFrame(rows)
    arrow = pa.table(dict(a=[1]))
    for table,kind in ((df, r'pandas\.\S+'), (7, 'int'), (None, 'NoneType'), (arrow, r'pyarrow\.lib\.Table')):
        for reader in (read_ratings, read_titles):
            with pytest.raises(TypeError, match=f'^path must be the name of a file, not {kind}: '): reader(table)

@pytest.mark.parametrize('head,want', [
    ('id,name', {7: 'Dune'}), ('id,title', {7: 'Dune'}), ('ID,Year,Title', {7: 'Dune'}),
    ('artist_id,name', {7: 'Dune'}), ('nr,title', {7: 'Dune'}), ('item_id:token,movie_title:token_seq', {7: 'Dune'})])
def test_titles_are_found_under_an_id(head, want, file):
    row = '7,x,Dune' if head.count(',')==2 else '7,Dune'
    assert read_titles(file(f'{head}\n{row}\n')).to_dict()==want

def test_a_column_of_ids_that_is_not_known_is_renamed(file):
    for head,why in (('nr,year,title', 'no column is known for ids'),
                     ('film_id,movie_id,title', 'could all hold the ids')):
        with pytest.raises(TableError, match=f"{why} of the items; it has .* Rename the right one to 'movie'$"):
            read_titles(file(f'{head}\n7,8,Dune\n'), 'movie')
        right = head.replace(head.split(',')[0], 'movie', 1)
        assert read_titles(file(f'{right}\n7,8,Dune\n'), 'movie').to_dict()=={7: 'Dune'}

def test_titles_may_be_json(file):
    text = '{"asin": "B01", "title": "Dune", "also": [1]}\n{"asin": "B02", "title": null}\n'
    assert read_titles(file(text)).to_dict()=={'B01': 'Dune'}

def test_messages_about_formats_name_flags_on_the_command_line(file):
    with pytest.raises(TableError) as e: read_ratings(file(doubtful['Ciao'][0]))
    assert in_words(e.value).endswith('Name it with --rating 3 or 4')

@pytest.mark.parametrize('columns,want', [
    (['userId', 'movieId', 'rating', 'timestamp'], ('userId', 'movieId', 'rating')),
    (['User-ID', 'ISBN', 'Book-Rating'], ('User-ID', 'ISBN', 'Book-Rating')),
    (['user', 'movie', 'rating', 'title'], ('user', 'movie', 'rating')),
    (['user', 'user_id', 'title', 'score', 'stars'], ('user_id', 'title', None)),
    ([0, 1, 2], (None, None, None)), ([], (None,)*3)])
def test_columns_are_known_by_their_names(columns, want):
    assert known_columns(columns)==dict(zip(('user', 'item', 'rating'), want))

# ---- any table in any form

def one_of_many(rng):
    "A random table: ids as numbers or odd texts, ratings whole or halves"
    odd = rng.random()<.5
    names = ['007', '7', 'NA', 'a b', 'é', '"q"', "o'x", '1e5', '#1', 'x,y', 'x;y', '-', 'None', '01.0', 'Ω|', 'a  b',
             '"Weird', 'a"', 'a\tb', 'true', '{1}', '[2', '%3', '50%', '2001-02-03', 'x\x0b7', ':b', 'a\u2028b']
    ids = rng.sample(names, 16) if odd else [*range(1, 17)]
    if odd and rng.random()<.1: ids[0] = 'two\nlines'
    step = rng.choice([1, .5])
    pairs = rng.sample([(u, i) for u in ids for i in ids], rng.randint(1, 60))
    data = [(u, i, rng.randint(1, 10)*step) for u,i in pairs]
    return pd.DataFrame(data, columns=['user', 'item', 'rating'])

def written(df, rng):
    "The bytes of a table in a random form, and this form"
    form = rng.choice(['csv']*5 + ['json', 'records', 'python', 'parquet', 'feather'])
    f = io.BytesIO()
    if form=='parquet': df.to_parquet(f)
    elif form=='feather': df.to_feather(f)
    elif form=='csv':
        sep,end = rng.choice([',', ';', '\t', '|', '::', '\t\t', ' ']),rng.choice(['\n', '\r\n', '\r'])
        quoting,header = rng.choice([0, 1]),rng.random()<.8
        text = '\n'.join(sep.join(map(str, row)) for row in [[*df]*header, *df.astype(object).values.tolist()] if row)
        if len(sep)==1: text = df.to_csv(sep=sep, index=False, header=header, lineterminator='\n', quoting=quoting)
        form = (form, sep, end, quoting, header)
        f.write(text.replace('\n', end).encode(rng.choice(['utf-8-sig', 'utf-8', 'utf-16'])))
    else:
        data = df.astype(object).to_dict('records')
        text = json.dumps(data) if form=='records' else '\n'.join(map(json.dumps if form=='json' else repr, data))
        f.write(text.encode())
    return f.getvalue(), form

def outcome(data, df, path):
    "What became of a table: 'same', 'refused', or what differs"
    path.write_bytes(data)
    try: t = read_ratings(path)
    except TableError: return 'refused'
    wanted,got = ([[str(u), str(i), float(r)] for u,i,r in table.astype(object).values.tolist()]
                  for table in (df, t.ratings))
    return 'same' if wanted==got else f'{wanted[:5]} became {got[:5]}'

def fuzz(n, seed, folder):
    "Count what becomes of random tables in random forms"
    rng = random.Random(seed)
    counts,faults = {'same': 0, 'refused': 0}, []
    for _ in range(n):
        df = one_of_many(rng)
        data,form = written(df, rng)
        what = outcome(gzip.compress(data) if rng.random()<.2 else data, df, Path(folder)/'x')
        if what in counts: counts[what] += 1
        else: faults.append((form, what))
    return counts, faults

def test_what_is_written_in_any_form_is_read_back_or_refused(tmp_path):
    counts,faults = fuzz(300, 3, tmp_path)
    assert not faults and counts['same']>150 and sum(counts.values())==300

def damaged(data, rng):
    "Bytes with up to six places changed, lost, doubled or cut off"
    data = bytearray(data[:20_000])
    for _ in range(rng.randint(1, 6)):
        i = rng.randrange(len(data) + 1)
        j = i + rng.choice([1, 5, 300])
        change = rng.choice([[rng.choice(b'\0\n\r"\',\t:{[%') for _ in data[i:i+1]], [], [*data[j:j+30], *data[i:j]]])
        data[i:j if len(change)!=1 else i+1] = bytes(change)
        if rng.random()<.1: del data[i:]
    return bytes(data)

def break_files(n, seed, path):
    "Count what becomes of damaged files; errors of another kind than ours go through"
    rng = random.Random(seed)
    whole = [row[0] for table in (read, refused, doubtful, other) for row in table.values()]
    counts = {'read': 0, 'refused': 0}
    for _ in range(n):
        content = rng.choice(whole)
        path.write_bytes(damaged(content if isinstance(content, bytes) else content.encode(), rng))
        for reader in (read_ratings, read_titles):
            try: reader(path)
            except TableError: counts['refused'] += 1
            else: counts['read'] += 1
    return counts

def test_a_damaged_file_is_read_or_refused_in_words(tmp_path):
    counts = break_files(300, 2, tmp_path/'x')
    assert counts['read']>30 and counts['refused']>300
    (tmp_path/'x').write_text('B000000018,A000000000007,3.0,1400000000\nB000015838\n')
    with pytest.raises(TableError, match='1 field'): read_ratings(tmp_path/'x')

letters = ''.join(f'José {u},Çe{i},{1 + (u+i)%5}\n' for u in range(6) for i in range(6))

def test_what_is_valid_utf_8_is_read_so_and_a_note_says_it(tmp_path):
    path = tmp_path/'r.csv'
    path.write_bytes(('user,item,rating\n' + letters).encode())
    for encoding in ('latin-1', 'cp1252', 'ascii'):
        with pytest.warns(UserWarning, match='r.csv is valid UTF-8 and read so, not by encoding=') as seen:
            table = read_ratings(path, encoding=encoding)
        assert in_words(seen[0].message)==f'r.csv is valid UTF-8 and read so, not by --encoding {encoding}'
        assert table.ratings.user[0]=='José 0' and table.ratings.item[0]=='Çe0'

def test_one_encoding_does_for_utf_8_ratings_and_older_titles(tmp_path, capsys):
    (tmp_path/'r.csv').write_bytes(('user,item,rating\n' + letters).encode())
    titles = ''.join(f'Çe{i},Café {i}\n' for i in range(6))
    (tmp_path/'t.csv').write_bytes(('item,title\n' + titles).encode('latin-1'))
    fit = ['fit', str(tmp_path/'r.csv'), '--titles', str(tmp_path/'t.csv'), '--out', str(tmp_path/'m'),
           '--epochs', '1', '--valid-pct', '0']
    assert main(fit)==1 and 't.csv is not utf-8' in (err := capsys.readouterr().err) and '--encoding' in err
    assert main([*fit, '--encoding', 'latin-1'])==0
    assert 'careful: r.csv is valid UTF-8 and read so' in capsys.readouterr().err
    assert main(['recommend', str(tmp_path/'m'), '--user', 'José 3', '--include-seen', '--csv'])==0
    assert ',Çe1,Café 1,' in capsys.readouterr().out

@pytest.mark.parametrize('encoding', ['utf-16-le', 'utf-16-be', 'utf-16', 'utf-32'])
@pytest.mark.parametrize('said', ['utf-8', 'latin-1', 'utf-16'])
def test_letters_of_several_bytes_are_known_with_and_without_a_mark(encoding, said, tmp_path):
    (tmp_path/'r.csv').write_bytes(('user,item,rating\n' + letters).encode(encoding))
    assert read_ratings(tmp_path/'r.csv', encoding=said).ratings.user[0]=='José 0'
