"The command line and its reader: files of all kinds, the messages for wrong ones, streams and exit codes"
import bz2, csv, errno, gzip, io, json, lzma, os, re, shlex, signal, subprocess, sys, tempfile, time, zipfile
from pathlib import Path

import numpy as np, pandas as pd, pyarrow as pa, pyarrow.compute, pyarrow.parquet as pq, pytest
from hypothesis import given, settings, strategies as st

import collab_course
from collab_course.checks import Arg, ArgError
from collab_course.command_line import aligned, in_words, main, width_of
from collab_course.reading import TableError, has_header, read_ratings
from collab_course.recommender import Recommender
from collab_course.tables import planted_ratings
from brief import brief_training

brief = pytest.fixture(brief_training, scope='module', autouse=True)

plain = 'user,item,rating,title\nann,007,5,"Dune, part 1"\nbob,7,4.5,Émile\nann,7,1,Émile\n'
frame = pd.DataFrame(dict(user=['ann', 'bob', 'ann'], item=['007', '7', '7'], rating=[5, 4.5, 1],
                          title=['Dune, part 1', 'Émile', 'Émile']))

def told(e):
    "The message of an error in the words of the program"
    return in_words(e.value)

def same(df, other): return df.astype(object).values.tolist()==other.astype(object).values.tolist() and [*df]==[*other]
def as_sep(sep, **kwargs): return frame.to_csv(index=False, sep=sep, lineterminator='\n', **kwargs)

# ---- bytes and letters

def zipped(text, *more):
    f = io.BytesIO()
    with zipfile.ZipFile(f, 'w', zipfile.ZIP_DEFLATED) as z:
        for i,t in enumerate((text, *more)): z.writestr(f'part{i}.csv', t)
    return f.getvalue()

packings = dict(gzip=lambda b: gzip.compress(b), two_gzips=lambda b: gzip.compress(b[:20]) + gzip.compress(b[20:]),
                bzip2=bz2.compress, xz=lzma.compress,
                zstd=lambda b: pa.compress(b, codec='zstd', asbytes=True), zip=zipped, none=lambda b: b)

@pytest.mark.parametrize('pack', packings)
def test_compressed_files_are_known_by_their_bytes_and_not_by_their_names(pack, file):
    for name in ('ratings.csv', 'ratings.gz', 'ratings.parquet'):
        assert same(read_ratings(file(packings[pack](plain.encode()), name)).ratings, frame)

@pytest.mark.parametrize('pack', [p for p in packings if p!='none'])
def test_a_truncated_compressed_file_is_refused(pack, file):
    packed = packings[pack]((plain*50).encode())
    with pytest.raises(TableError, match=r'^cut.csv cannot be unpacked as \w+ \(.*\): is it complete\?'):
        read_ratings(file(packed[:-15], 'cut.csv'))

def test_a_bomb_is_met_before_it_fills_the_memory(file):
    for bomb in (pa.compress(bytes(300_000_000), codec='zstd', asbytes=True), zipped(bytes(300_000_000))):
        with pytest.raises(TableError, match=r'unpacks to more than 268,435,456 bytes'): read_ratings(file(bomb))

def test_a_zip_must_hold_one_file(file):
    with pytest.raises(TableError, match=r'holds 2 files \(part0.csv, part1.csv\), not one'):
        read_ratings(file(zipped(plain, plain)))
    with pytest.raises(TableError, match='holds 0 files'):
        read_ratings(file(zipped('').replace(b'part0.csv', b'__MACOSX/')))

def test_what_a_mac_adds_to_a_zip_does_not_count(file):
    f = io.BytesIO()
    with zipfile.ZipFile(f, 'w') as z:
        z.writestr('a.csv', plain), z.writestr('__MACOSX/._a.csv', 'x'), z.writestr('folder/', '')
    assert same(read_ratings(file(f.getvalue())).ratings, frame)

texts = {'commas': plain, 'tabs': as_sep('\t'), 'semicolons': as_sep(';'), 'pipes': as_sep('|'),
         'all quoted': as_sep(',', quoting=csv.QUOTE_ALL),
         'tabs, all quoted': as_sep('\t', quoting=csv.QUOTE_ALL), '::': as_sep('|').replace('|', '::'),
         'CRLF': plain.replace('\n', '\r\n'),
         'CR': plain.replace('\n', '\r'), 'empty lines': '\n\n' + plain.replace('\n', '\n\n'),
         'no last newline': plain[:-1], 'BOM': '\ufeff' + plain,
         "Excel's first line": 'sep=;\r\n' + as_sep(';').replace('\n', '\r\n'), 'utf-16': plain.encode('utf-16'),
         'spaces around names': plain.replace('user,item,rating', 'user, item , rating'),
         'other columns': plain.replace('\n', ',x\n').replace('title,x', 'title,when')}

@pytest.mark.parametrize('form', texts)
def test_text_of_each_form_gives_the_same_table(form, file): assert same(read_ratings(file(texts[form])).ratings, frame)

def test_a_named_separator_and_encoding_are_obeyed(file):
    assert same(read_ratings(file(as_sep('~').encode('latin-1')), sep='~', encoding='latin-1').ratings, frame)
    assert same(read_ratings(file(as_sep('~').replace('~', '<>')), sep='<>').ratings, frame)
    assert same(read_ratings(file(as_sep('\t')), sep='tab').ratings, frame)

def test_standard_input_is_a_file(monkeypatch):
    monkeypatch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(gzip.compress(plain.encode()))))
    assert same(read_ratings('-').ratings, frame)

def test_quotation_marks_between_tabs_may_be_letters(file):
    df = read_ratings(file('user\titem\trating\na\t"Weird Al" Live\t3\nb\t"Heroes\t4\nc\t7" single\t4\n')).ratings
    assert df.item.tolist()==['"Weird Al" Live', '"Heroes', '7" single'] and len(df)==3

def test_a_quoted_field_may_hold_lines_and_quotes(file):
    df = read_ratings(file('user,item,rating,title\na,x,3,"two\nlines"\nb,y,4,"say ""hi"""\n')).ratings
    assert df.title.tolist()==['two\nlines', 'say "hi"']

def test_a_header_may_span_lines(file):
    assert len(read_ratings(file('user,item,rating,"a\nb"\na,x,3,1\nb,y,4,1\n')).ratings)==2

# ---- the header

@pytest.mark.parametrize('text,n',
                         [('196\t242\t3\t881250949\n186\t302\t3\t891717742\n', 2),
                          ('1::1193::5::978300760\n1::661::3::978302109\n', 2),
    ('A1,B0001,5.0,139\nA2,B0002,4.0,139\n', 2), ('1 2 3\n', 1), ('Alice,Book,5\nBob,Dune,4\n', 2),
    ('1;2;3,5\n2;2;4,5\n', 2)])
def test_without_a_header_no_rating_is_lost(text, n, file):
    t = read_ratings(file(text))
    assert [*t.ratings]==['user', 'item', 'rating'] and len(t.ratings)==n
    assert 'user = column 1, item = column 2, rating = column 3, since the first line holds no names' in t.notes[1]

def test_columns_without_names_go_by_number(file):
    f = file('B1,A1,881250949,5\nB2,A2,891717742,4\n')
    assert read_ratings(f, '2', '1', '4').ratings.values.tolist()==[['A1', 'B1', 5], ['A2', 'B2', 4]]
    assert read_ratings(f, user_name=2, rating_name=4).ratings.item.tolist()==['B1', 'B2']
    assert read_ratings(file('A1,B1,5,Emma\nA2,B2,4,Dune\n'), title_name='4').ratings.title.tolist()==['Emma', 'Dune']

@pytest.mark.parametrize('rows,header',
                         [([['user', 'item', 'rating'], ['1', '2', '3']], True),
                          ([['a', 'b', 'c'], ['x', 'y', 'z']], True), ([['a', 'b', 'c']], True),
    ([['1', '2', '3']], False), ([['x', 'y', '2020'], ['1', 'b', '3']], True),
    ([['user', '1', '2'], ['a', '3', '4']], True), ([['', 'a', '3'], ['7', 'b', '3']], True)])
def test_a_header_is_told_from_data(rows, header): assert has_header(rows)==header

# ---- columns

@pytest.mark.parametrize('head,roles', [
    ('userId,movieId,rating,timestamp', 'userId movieId rating'),
    ('User-ID;ISBN;Book-Rating', 'User-ID ISBN Book-Rating'), ('user_id,anime_id,rating', 'user_id anime_id rating'),
    ('reviewerID,asin,overall,unixReviewTime', 'reviewerID asin overall'),
    ('Customer ID\tProduct ID\tStars', 'Customer ID|Product ID|Stars'),
    ('index,user,userId,movie,movieId,score', 'userId movieId score'),
    ('reader,book,rate,name', 'reader book rate name'), ('USER,TITLE,RATING', 'USER TITLE RATING'),
    ('user_id,book_id,rating,title', 'user_id book_id rating title'), ('uid,iid,r,score', 'uid iid score')])
def test_well_known_names_are_guessed_and_said(head, roles, file):
    sep = re.search('[,;\t]', head)[0]
    n = len(head.split(sep))
    t = read_ratings(file('\n'.join([head, *(sep.join(f'{i}{j}' for j in range(n)) for i in range(1, 4))])))
    want = roles.split('|' if '|' in roles else ' ')
    assert [*t.ratings]==want
    assert t.notes[1]=='columns: ' + ', '.join(f'{r} = {c}' for r,c in zip(('user', 'item', 'rating', 'title'), want))
    assert t.names==dict(zip(('user_name', 'item_name', 'rating_name', 'titles'), want))

def test_named_columns_go_before_guesses(file):
    f = file('user,reviewer,item,rating,score\n1,2,3,4,5\n2,3,4,5,6\n')
    t = read_ratings(f, user_name='reviewer', rating_name='score')
    assert [*t.ratings]==['reviewer', 'item', 'score'] and t.ratings.values.tolist()==[[2, 3, 5], [3, 4, 6]]

def test_a_guessed_title_must_be_one_for_each_item(file):
    t = read_ratings(file('user,item,rating,name\n1,7,4,ann\n2,7,4,bob\n'))
    assert [*t.ratings]==['user', 'item', 'rating'] and 'titles' not in t.names and "'name' is left out" in t.notes[-1]

# ---- ids and ratings

def ids(file, *texts):
    return read_ratings(file('user,item,rating\n'
                             + ''.join(f'{t},i{k},3\n' for k,t in enumerate(texts)))).ratings.user.tolist()

@pytest.mark.parametrize('texts',
                         [('007', '7'), ('1e5', '100000'), ('1.0', '1'), ('NA', 'nan'), ('None', 'null'), ('True', '1'),
                          ('NaN', '#N/A'), ('-0', '0'), ('+1', '1'),
    ('9'*19, '1'), ('1_000', '1'), ('٣', '3'), ('#na', 'x'), ('0x10', '16'), ('inf', '1'), ('2020-01-01', '1'),
    ('ſ', 's'), ('é', 'e\u0301')])
def test_ids_stay_as_they_are_written(texts, file): assert ids(file, *texts)==[*texts]

def test_ids_are_numbers_where_all_are_written_as_numbers(file):
    assert ids(file, '0', '-5', '123456789012345678')==[0, -5, 123456789012345678]
def test_spaces_around_ids_go_and_that_is_said(file):
    t = read_ratings(file('user,item,rating\n 7,a,3\n7 ,b,4\n'))
    assert t.ratings.user.tolist()==[7, 7] and "spaces around them in 'user' were removed" in t.notes[2]

word = st.text(st.characters(blacklist_categories=('Cs', 'Cc')), min_size=1, max_size=12).map(str.strip).filter(bool)

@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(word, word, st.integers(-9, 9)), min_size=1, max_size=8), st.sampled_from(',;\t|'))
def test_whatever_is_written_is_read_back(rows, sep):
    out = io.StringIO()
    csv.writer(out, delimiter=sep, quoting=csv.QUOTE_ALL).writerows([['user', 'item', 'rating'], *rows])
    with tempfile.TemporaryDirectory() as d:
        path = Path(d)/'r'
        path.write_bytes(gzip.compress(out.getvalue().encode()))
        df = read_ratings(path, sep=sep).ratings
    strip = lambda s: pa.compute.utf8_trim_whitespace(s).as_py()
    assert df.astype({'user': str, 'item': str}).values.tolist()==[[strip(u), strip(i), r] for u,i,r in rows]

def test_ratings_may_have_a_decimal_comma_in_all_of_the_column(file):
    t = read_ratings(file('user;item;rating\na;x;3,5\nb;y;4\nc;y;2,25\n'))
    assert t.ratings.rating.tolist()==[3.5, 4, 2.25] and t.notes[-1]=='ratings have a decimal comma: 3,5 is read as 3.5'

def test_ratings_are_whole_numbers_where_all_are(file):
    assert read_ratings(file('user,item,rating\na,x,3\nb,y, 4.0 \n')).ratings.rating.tolist()==[3, 4]
    assert read_ratings(file('user,item,rating\na,x,.5\nb,y,1e1\nc,y,-2.\n')).ratings.rating.tolist()==[.5, 10, -2]

# ---- what is refused

head = 'user,item,rating\n'
bad = {
    'empty': ('', 'x is empty'), 'blank': (' \n\n', 'x is empty'),
    'header only': (head, 'has a header line and no rows'),
    'header without newline': (head[:-1], 'has a header line and no rows'),
    'latin-1': (head.encode() + b'a,caf\xe9,3\n',
                'x is not utf-8: byte 0xe9 at position 22, in line 2, cannot be read. Name the right encoding with '
                '--encoding'),
    'binary': (b'\x01\x02\0\0\x05' * 50, "isn't text"), 'pickle': (b'\x80\x04\x95' + bytes(50), 'x is a pickle'),
    'json': ('[{"user": 1}]', 'x: no column has a name that is known for the item or rating'),
    'json lines': ('{"user": 1}\n', 'x: no column has a name that is known for the item or rating'),
    'html': ('<!DOCTYPE html><html>', 'x is a web page'), 'sqlite': (b'SQLite format 3\0', 'x is an SQLite database'),
    'tar': (bytes(257) + b'ustar', 'x is a tar archive'),
    'tar.gz': (gzip.compress(bytes(257) + b'ustar'), 'x is a tar archive'),
    'old Excel': (b'\xd0\xcf\x11\xe0', 'x is an old Excel workbook'),
    'feather': (b'ARROW1\0', 'x is a damaged Arrow or Feather file'),
    'one column': ('ratings\n3\n4\n',
                   "is not cut into 3 or more columns by tabs, commas, semicolons, |, :: or spaces. Its first line is "
                   "'ratings'"),
    'too many fields': (head + 'a,x,3\na,y,3,4\n',
                        "x, line 3: 4 fields where the first line has 3: 'a', 'y', '3', '4'."),
    'too few fields': (head + 'a,x,3\n\na,y\n', "x, line 4: 2 fields where the first line has 3: 'a', 'y'."),
    'open quote': (head + 'a,"x,3\nb,y,4\n',
                   'line 2: 2 fields where the first line has 3: \'a\', \'x,3\\nb,y,4\\n\'. Is a quotation mark '
                   'not closed?'),
    'line break in an id': (head + 'a,"x\ny",3\nb,y,4\n',
                            "x, line 2, column 'item': the id holds a line break; is a quotation mark not closed?"),
    'no user id': (head + 'a,x,3\n,x,3\n ,y,3\n',
                   "x, line 3, column 'user': there is no id (and 1 more). Drop or repair the row"),
    'no item id': (head + 'a,,3\n', "x, line 2, column 'item': there is no id"),
    'no rating': (head + 'a,x,\n', "x, line 2, column 'rating': there is no rating"),
    'text as rating': (head + 'a,x,3\n\nb,x,good\nc,x,bad\n',
                       "x, line 4, column 'rating': 'good' isn't a number (and 1 more). Drop or repair the row, or "
                       "name the column with the ratings by --rating"),
    'nan as rating': (head + 'a,x,nan\n', "'nan' isn't a number"),
    'infinite rating': (head + 'a,x,1e999\n', "'1e999' isn't a number"),
    'thousands': ('user;item;rating\na;x;1,000\n', "'1,000' isn't a number"),
    'comma and point': ('user;item;rating\na;x;3.5\nb;x;4,5\n', "x, line 3, column 'rating': '4,5' isn't a number"),
    'stars': (head + 'a,x,★★★\n', "'★★★' isn't a number"),
    'unknown names': ('a,b,c\nx,y,z\n',
                      "x: no column has a name that is known for the user, item or rating. The columns are 'a', 'b', "
                      "'c'. Name the right ones with --user COLUMN --item COLUMN --rating COLUMN"),
    'no item column': ('user,1,2\na,3,4\n', 'no column has a name that is known for the item'),
    'ratings under another name': ('user,item,punkte\na,x,4\nb,x,5\n',
                                   "no column has a name that is known for the rating, but 'punkte' could hold it. "
                                   'Name it with --rating punkte, or take each row for a click with --feedback clicks'),
    'two user columns': ('user,reviewer,item,rating\na,b,x,3\n',
                         "x: 2 columns could be the user: 'user', 'reviewer'. The columns are 'user', 'reviewer', "
                         "'item', 'rating'. Name the right one with --user"),
    'two rating columns': ('user,item,rating,score\na,x,3,4\n', "2 columns could be the rating: 'rating', 'score'"),
    'two item ids': ('user,movie_id,item_id,rating\na,x,3,4\n', '2 columns could be the item')}

@pytest.mark.parametrize('case', bad)
def test_a_file_that_is_wrong_is_refused_with_the_place_and_the_cure(case, file):
    content,message = bad[case]
    with pytest.raises(TableError) as e: read_ratings(file(content, 'x'))
    assert message in told(e)

calls = {
    'no such column': (plain, dict(user_name='User'),
                       "has no column 'User' (did you mean 'user'?); it has 'user', 'item', 'rating', 'title'"),
    'nothing like it': (plain, dict(user_name='xyz'), "has no column 'xyz'; it has"),
    'doubled name': ('user,item,item,rating\na,x,y,3\n', dict(item_name='item'),
                     "2 columns of x are called 'item': rename them"),
    'a name without a header': ('1,2,3\n', dict(user_name='user'),
                                "x has no header line: name a column by number, 1 to 3, not 'user'. Its first line is "
                                "'1', '2', '3'"),
    'a number too high': ('1,2,3\n', dict(user_name='4'), 'name a column by number, 1 to 3'),
    'zero': ('1,2,3\n', dict(user_name='0'), 'name a column by number, 1 to 3'),
    'one column twice': (plain, dict(user_name='item', item_name='item'), 'need a column each'),
    'unknown encoding': (plain, dict(encoding='klingon'), "there is no encoding 'klingon'"),
    'wrong encoding': (plain.encode('latin-1'), dict(encoding='ascii'), 'x is not ascii: byte 0xc9'),
    'wrong separator': (plain, dict(sep=';'),
                        "x: its first line has 1 column by semicolons. Omit --sep, and the separator is found out"),
                        'empty separator': (plain, dict(sep=''), 'the separator is empty'),
    'two columns of one name': ('user,item,item ,rating\na,x,y,3\n', {},
                                "2 columns of x are called 'item': rename them"),
    'no header, columns by name': ('player,b1,5\nann,b2,4\n', dict(no_header=True, item_name='b1'),
                                   'x has no header line: name a column by number')}

@pytest.mark.parametrize('case', calls)
def test_wrong_words_about_a_file_are_refused(case, file):
    content,kwargs,message = calls[case]
    with pytest.raises(TableError) as e: read_ratings(file(content, 'x'), **kwargs)
    assert message in told(e)

def test_a_path_that_leads_nowhere_is_refused(tmp_path, file):
    file(plain)
    with pytest.raises(TableError, match=r"there is no file .*rating.csv \(did you mean 'ratings.csv'\?\)"):
        read_ratings(tmp_path/'rating.csv')
    with pytest.raises(TableError, match='there is no file'): read_ratings(tmp_path/'no'/'r.csv')
    with pytest.raises(TableError, match='is a folder, not a file'): read_ratings(tmp_path)

# ---- Parquet

def parquet(tmp_path, **cols):
    table = pa.table({**dict(user=[1, 2, 3], item=['007', '7', 'x'], rating=[1., 2.5, 3.]), **cols})
    pq.write_table(table, tmp_path/'r.csv')
    return tmp_path/'r.csv'

@pytest.mark.parametrize('users,want',
                         [(pa.array([1, 2, 3], pa.int32()), [1, 2, 3]), (pa.array([1, 2, 3], pa.uint64()), [1, 2, 3]),
                          (pa.array([1., 2., 3.]), [1, 2, 3]), (pa.array(['01', '1', 'NA']), ['01', '1', 'NA']),
    (pa.array(['1', '2', '3']), [1, 2, 3]), (pa.array(['a', 'b', 'a']).dictionary_encode(), ['a', 'b', 'a']),
    (pa.array(['a', 'b', 'a'], pa.large_string()), ['a', 'b', 'a'])])
def test_ids_in_parquet_keep_their_values(users, want, tmp_path):
    assert read_ratings(parquet(tmp_path, user=users)).ratings.user.tolist()==want

@pytest.mark.parametrize('ratings',
                         [pa.array([1, 2, 3], pa.int8()), pa.array(['1', '2', '3']), pa.array([1, 2, 3], pa.float32()),
                          pa.array([1, 2, 3]).cast(pa.decimal128(21, 1))])
def test_ratings_in_parquet_may_be_any_numbers(ratings, tmp_path):
    assert read_ratings(parquet(tmp_path, rating=ratings)).ratings.rating.tolist()==[1, 2, 3]

@pytest.mark.parametrize('cols,message',
                         [(dict(user=[1, None, 3]), "r.csv, row 2, column 'user': there is no id"),
                          (dict(rating=[1., 2., None]), "row 3, column 'rating': there is no rating"),
    (dict(user=[1.5, 2, 3]), "column 'user' holds double and not ids"),
    (dict(user=[True, False, True]), "column 'user' holds bool"),
    (dict(item=[[1], [2], [3]]), "column 'item' holds list"),
    (dict(rating=[[1], [2], [3]]), "column 'rating' holds list"),
    (dict(rating=['1', 'x', '3']), "row 2, column 'rating': 'x' isn't a number"),
    (dict(user=[1e300, 2, 3]), "column 'user' holds double")])
def test_wrong_columns_of_parquet_are_refused(cols, message, tmp_path):
    with pytest.raises(TableError) as e: read_ratings(parquet(tmp_path, **cols))
    assert message in told(e)

def test_damaged_parquet_is_refused(tmp_path):
    path = parquet(tmp_path)
    data = path.read_bytes()
    for broken in (data[:-1], data[:len(data)//2], b'PAR1' + bytes(100) + b'PAR1', data[:10] + b'\xff'*40 + data[50:]):
        path.write_bytes(broken)
        with pytest.raises(TableError, match='is a damaged Parquet file'): read_ratings(path)

def test_parquet_that_claims_too_many_rows_is_refused(tmp_path):
    n = 12_000_000
    pq.write_table(pa.table(dict(user=np.ones(n, np.int8), item=np.ones(n, np.int8), rating=np.ones(n, np.int8))),
                   tmp_path/'r')
    with pytest.raises(TableError, match=r'claims 12,000,000 rows in [\d,]+ bytes'): read_ratings(tmp_path/'r')

def test_parquet_without_rows_is_refused(tmp_path):
    with pytest.raises(TableError, match='has no rows'):
        read_ratings(parquet(tmp_path, user=pa.array([], pa.int64()), item=pa.array([], pa.string()),
                             rating=pa.array([], pa.float64())))

# ---- the commands

kinds = np.arange(24)//8

def planted(seed=0):
    "Ratings 0 to 10 of 90 people for 24 items of three kinds; everybody loves one kind"
    rng = np.random.default_rng(seed)
    who,what = np.nonzero(rng.random((90, 24))<0.5)
    y = 3 + 5*(who%3==kinds[what]) + rng.normal(0, 0.7, len(who))
    item = np.array([f'{i:03d}' for i in range(23)] + ['7'])[what]
    return pd.DataFrame(dict(reader=[f'r{u}' for u in who], book=item, title=[f'Книга {i}' for i in item],
                             score=y.round().clip(0, 10).astype(int)))

class Ran:
    "Exit code, results and notes of a command in this process"
    def __init__(self, capsys): self.capsys = capsys
    def __call__(self, *args):
        self.capsys.readouterr()
        res = Ran(self.capsys)
        res.code = main([str(o) for o in args])
        res.out,res.err = self.capsys.readouterr()
        return res

@pytest.fixture
def ran(capsys): return Ran(capsys)

@pytest.fixture(scope='module')
def shelf(tmp_path_factory):
    "A folder with a table and a model of it"
    home = tmp_path_factory.mktemp('shelf')
    table = planted()
    later = table.sample(50, random_state=0)
    table.drop(later.index).to_csv(home/'books.tsv', sep='\t', index=False)
    later.drop(columns='title').to_csv(home/'later.csv', index=False)
    assert main(['fit', str(home/'books.tsv'), '--out', str(home/'model'), '--seed', '0', '--epochs', '15',
                 '--quiet'])==0
    return home

@pytest.fixture(scope='module')
def rec(shelf): return Recommender.load(shelf/'model')

def test_fit_says_what_it_read_and_measured_and_the_result_is_the_file(shelf, ran, tmp_path):
    r = ran('fit', shelf/'books.tsv', '--out', tmp_path/'new', '--epochs', 2, '--seed', 1)
    assert r.code==0 and r.out==f'{tmp_path/"new"}\n' and (tmp_path/'new').is_file()
    lines = r.err.splitlines()
    assert re.fullmatch(r'books.tsv: separated by tabs, [\d,]+ ratings', lines[0])
    assert lines[1]=='columns: user = reader, item = book, rating = score, title = title'
    assert lines[2].startswith("ids: user read as text, such as 'r")
    assert lines[3].startswith('epoch 1: RMSE ') and 'on ratings kept back' in lines[3]
    assert any(re.fullmatch(r'RMSE on \d+ ratings kept back: \d\.\d{4}; biases alone: \d\.\d{4}',
                            l) for l in lines)

def test_quiet_is_quiet(shelf, ran, tmp_path):
    r = ran('fit', shelf/'books.tsv', '--out', tmp_path/'new', '--epochs', 1, '-q')
    assert (r.code, r.err)==(0, '') and r.out
    assert ran('evaluate', shelf/'model', shelf/'books.tsv', '-q').err==''

def test_the_same_seed_gives_the_same_model(shelf, ran, tmp_path):
    lists = []
    for i in range(2):
        assert ran('fit', shelf/'books.tsv', '--out', tmp_path/f'm{i}', '--epochs', 2, '--seed', 5, '-q').code==0
        lists.append(ran('recommend', tmp_path/f'm{i}', '--all', '--csv').out)
    assert lists[0]==lists[1] and len(lists[0].splitlines())>800

def test_options_reach_the_training(shelf, ran, tmp_path):
    r = ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '--epochs', 3, '--factors', 4, '--batch-size', 100, '--lr',
            '0.02', '--wd', '0.1', '--seed', 3, '--range', '-1', 11, '--valid-pct', '0.2', '--no-refit', '-q')
    assert r.code==0
    m = Recommender.load(tmp_path/'m')
    want = dict(n_epoch=3, bs=100, lr=0.02, wd=0.1, n_factors=4, seed=3, refit=False)
    assert {k: m.report[k] for k in want}==want and m.rating_range==(-1, 11)
    assert m.n_train==pytest.approx(0.8*len(m.history), abs=1)

def test_neighbours_by_an_option(shelf, ran, tmp_path):
    assert ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '--model', 'neighbours', '--epochs', 2, '--factors', 4,
               '--wd', '0.1', '-q').code==0
    r = Recommender.load(tmp_path/'m').report
    assert r['model']=='neighbours' and r['wd']==0.1 and 'decay' not in r
    assert re.search('^model +neighbours$', ran('info', tmp_path/'m').out, re.M)
    assert re.search('^model +(dot_product|neighbours)$', ran('info', shelf/'model').out, re.M)
    assert len(ran('recommend', tmp_path/'m', '--user', 'r3', '-n', 4, '--csv').out.splitlines())==5

def test_recommendations_are_those_of_the_recommender(shelf, rec, ran):
    want = rec.recommend('r3', 4)
    rows = [json.loads(l) for l in ran('recommend', shelf/'model', '--user', 'r3', '-n', 4, '--json').out.splitlines()]
    assert [r['book'] for r in rows]==want.book.tolist() and [r['title'] for r in rows]==want.title.tolist()
    assert np.allclose([r['score'] for r in rows], want.score)
    assert 'Книга' in ran('recommend', shelf/'model', '--user', 'r3', '--json').out
    table = ran('recommend', shelf/'model', '--user', 'r3', '-n', 4).out.splitlines()
    assert table[0].split()==['reader', 'book', 'title', 'score'] and table[1].split()[:2]==['r3', want.book[0]]
    assert len(table)==5

def test_csv_reads_back_as_it_was(shelf, rec, ran):
    want = rec.recommend('r3', 4)
    got = pd.read_csv(io.StringIO(ran('recommend', shelf/'model', '--user', 'r3', '-n', 4, '--csv').out),
                      dtype={'book': str})
    assert got.iloc[:,:3].values.tolist()==want.iloc[:,:3].values.tolist()
    assert np.array_equal(got.score.astype('float32'), want.score)

def test_people_get_the_kind_they_were_planted_with(shelf, ran):
    rows = pd.DataFrame([json.loads(l) for l in ran('recommend', shelf/'model', '--all', '-n', 1,
                                                    '--json').out.splitlines()])
    kind = rows.book.map(lambda b: 2 if b=='7' else int(b)//8)
    assert (kind==rows.reader.str[1:].astype(int)%3).mean()>0.95

def test_several_users_and_all_are_answered_in_order(shelf, rec, ran):
    r = ran('recommend', shelf/'model', '--user', 'r5', '--user', 'r2', '-n', 2, '--csv').out.splitlines()
    assert r[0]=='reader,book,title,score' and [l.split(',')[0] for l in r[1:]]==['r5', 'r5', 'r2', 'r2']
    all_ = ran('recommend', shelf/'model', '--all', '-n', 2, '--csv').out.splitlines()
    assert [l.split(',')[:2] for l in all_[1:]]==rec.recommend_all(2)[['reader', 'book']].values.tolist()
    assert len(ran('recommend', shelf/'model', '--all', '-n', 2).out.splitlines())==len(all_)

def test_seen_items_come_only_when_asked_for(shelf, ran):
    seen = set(pd.read_csv(shelf/'books.tsv', sep='\t', dtype=str).query('reader=="r4"').book)
    books = lambda *more: {json.loads(l)['book']
                           for l in ran('recommend', shelf/'model', '--user', 'r4', '-n', 99, '--json',
                                        *more).out.splitlines()}
    assert seen and not books() & seen and books('--include-seen') >= seen

def test_007_is_not_7(shelf, rec, ran):
    for item in ('7', '007'):
        got = [json.loads(l)['book'] for l in ran('similar', shelf/'model', '--item', item, '-n', 3,
                                                  '--json').out.splitlines()]
        assert got==rec.similar(item, 3).book.tolist() and item not in got
    assert ran('similar', shelf/'model', '--item', '07').code==1

def test_an_item_may_be_named_by_its_title(shelf, rec, ran):
    want = ran('similar', shelf/'model', '--item', '7', '--csv').out
    assert ran('similar', shelf/'model', '--title', 'книга 7', '--csv').out==want
    r = ran('similar', shelf/'model', '--title', 'книга 02')
    assert r.code==1 and "3 titles match 'книга 02': name one by its id" in r.err and 'Книга 021' in r.err
    r = ran('similar', shelf/'model', '--title', 'Книга99')
    assert r.code==1 and "no title contains 'Книга99'; close ones are\nbook  title\n" in r.err

@pytest.fixture(scope='module')
def movielens(tmp_path_factory):
    "A model whose titles are written as MovieLens writes them"
    home = tmp_path_factory.mktemp('movielens')
    titles = {50: 'Star Wars (1977)', 51: 'Star Trek: The Motion Picture (1979)', 52: 'Godfather, The (1972)',
              53: 'Sabrina (1995)', 54: 'Sabrina (1954)', 55: 'Alien (1979)', 56: 'Alien 3 (1992)', 57: '1984 (1984)',
              58: '50 (1999)', 59: 'Nosferatu (1922)', 60: 'Café (1990)', 61: None}
    rng = np.random.default_rng(0)
    df = pd.DataFrame([(u, i, int(rng.integers(1, 6))) for u in range(30) for i in titles if rng.random()<.8],
                      columns=['user', 'item', 'rating'])
    df['title'] = df.item.map(titles)
    df.to_csv(home/'ratings.csv', index=False)
    assert main(['fit', str(home/'ratings.csv'), '--out', str(home/'m'), '--epochs', '1', '--seed', '0', '-q'])==0
    return home

@pytest.mark.parametrize('typed,item', [('Star Wars', 50), ('star wars (1977)', 50), ('The Godfather', 52),
    ('godfather', 52), ('alien', 55), ('1984', 57), ('motion picture', 51), ('CAFÉ', 60)])
def test_a_title_is_found_as_people_say_it_and_a_note_says_which(typed, item, movielens, ran):
    r = ran('similar', movielens/'m', '--item', typed, '--csv')
    assert r.code==0 and f'{typed!r} is taken for {item}, ' in r.err
    assert r.out==ran('similar', movielens/'m', '--item', item, '--csv').out!=''

@pytest.mark.parametrize('typed,words', [('Sabrina', "2 titles match 'Sabrina': name one by its id\nitem  title\n  53"),
    ('star', '2 titles match'), ('Star Warz', "no title contains 'Star Warz'; close ones are\nitem  title\n  50"),
    ('sta', "no title contains 'sta'"), ('1922', '1922'), ('197', '197'), ('zzz', "no title contains 'zzz'\n")])
def test_a_title_that_may_mean_another_item_is_never_taken(typed, words, movielens, ran):
    r = ran('similar', movielens/'m', '--item', typed)
    assert r.code==1 and words in r.err and 'taken' not in r.err

def test_an_id_goes_before_a_title_and_a_note_says_so(movielens, ran):
    r = ran('similar', movielens/'m', '--item', '50', '--csv')
    assert "'50' is taken for an id; the title '50 (1999)' is that of 58" in r.err
    assert r.out!=ran('similar', movielens/'m', '--title', '50', '--csv').out

def test_similar_takes_measure_and_least_count(shelf, rec, ran):
    out = ran('similar', shelf/'model', '--item', '003', '--by', 'euclidean', '--min-count', 40, '--json').out
    assert [json.loads(l)['book'] for l in out.splitlines()]==rec.similar('003', 10, 'euclidean', 40).book.tolist()

def test_strangers_are_an_error_or_get_a_stand_in(shelf, ran):
    r = ran('recommend', shelf/'model', '--user', 'r3', '--user', 'r300')
    assert r.code==1 and r.out=='' and "there is no reader 'r300'" in r.err
    assert 'pass --on-unknown mean or popular' in r.err
    for how in ('mean', 'popular'):
        r = ran('recommend', shelf/'model', '--user', 'r300', '-n', 2, '--on-unknown', how, '--csv')
        assert r.code==0 and [l.split(',')[0] for l in r.out.splitlines()]==['reader', 'r300', 'r300']
    r = ran('similar', shelf/'model', '--item', 'x', '-n', 1, '--on-unknown', 'popular', '--json')
    assert json.loads(r.out)['score'] is None

def test_evaluate_says_errors_beside_the_baseline(shelf, rec, ran):
    r = ran('evaluate', shelf/'model', shelf/'later.csv', '--json')
    later = pd.read_csv(shelf/'later.csv', dtype={'book': str})
    assert r.code==0 and json.loads(r.out)==rec.evaluate(later)
    table = ran('evaluate', shelf/'model', shelf/'later.csv').out
    assert re.search(
        r'^ratings scored +50\nleft out +0\nRMSE +\d\.\d{4}\nRMSE of biases alone +\d\.\d{4}\nmean '
        r'absolute error +\d\.\d{4}\nlists measured +\d+\nNDCG@10 +0\.\d{4} \(most rated: 0\.\d{4}\)\n'
        r'recall@10 +[01]\.\d{4} \(most rated: [01]\.\d{4}\)$', table.strip())
    assert 'NDCG@3 ' in ran('evaluate', shelf/'model', shelf/'later.csv', '-k', 3).out

def test_evaluate_reads_ids_as_the_model_has_them(shelf, ran, file):
    r = ran('evaluate', shelf/'model', file('reader,book,score\nr1,7,3\nr2,7,3\n'), '--json')
    assert json.loads(r.out)['n']==2
    r = ran('evaluate', shelf/'model', parquet(shelf, user=['r1', 'r2', 'r2'], item=[7, 7, 8]), '--json')
    assert (json.loads(r.out)['n'], json.loads(r.out)['n_unknown'])==(2, 1)
    assert 'left out for a user or an item without training ratings: 1 of 3 rows' in r.err

def test_evaluate_takes_other_names_and_no_names(shelf, ran, file):
    f = file('person;thing;stars\nr1;007;3,5\nr2;7;3\n')
    assert ran('evaluate', shelf/'model', f).code==1
    assert json.loads(ran('evaluate', shelf/'model', f, '--user', 'person', '--item', 'thing', '--json').out)['n']==2
    assert json.loads(ran('evaluate', shelf/'model', file('r1,007,3\nr2,7,3\n'), '--json').out)['n']==2

def test_evaluate_warns_of_ratings_that_were_trained_on(shelf, ran):
    n = len(pd.read_csv(shelf/'books.tsv', sep='\t'))
    assert f'careful: {n:,} of {n:,} rows are in the history' in ran('evaluate', shelf/'model',
        shelf/'books.tsv').err

def test_evaluate_with_strangers_alone_is_an_error_and_said_once(shelf, ran, file):
    r = ran('evaluate', shelf/'model', file('reader,book,score\nx,y,3\nz,y,3\n'))
    assert r.code==1 and r.out=='' and 'there is nothing to evaluate' in r.err
    assert 'careful' not in r.err and 'left out' not in r.err

def test_info_tells_what_is_inside(shelf, rec, ran):
    out,(lo,hi) = ran('info', shelf/'model').out,rec.rating_range
    assert (
        f'users 90 (reader)\nitems 24 (book)\ntitles yes\nratings {len(rec.history):,} (score), from {lo:g} to '
        f'{hi:g}\nlists by' in re.sub(' +', ' ', out))
    assert 'seed 0' in out and '\nRMSE before the second training ' in out and '\nNDCG@10 before the second ' in out
    d = json.loads(ran('info', shelf/'model', '--json').out)
    assert (d['users'], d['items'], d['columns'], d['rating_range'])==(90, 24, ['reader', 'book', 'score'], [lo, hi])
    assert d['report']['n_epoch']==15

def test_whole_number_ids_are_asked_for_as_numbers(ran, tmp_path):
    df = planted().assign(reader=lambda d: d.reader.str[1:].astype(int), book=lambda d: d.book.astype(int)*100)
    df = df.drop_duplicates(['reader', 'book'])
    df.drop(columns='title').to_parquet(tmp_path/'r.parquet')
    assert ran('fit', tmp_path/'r.parquet', '--out', tmp_path/'m', '--epochs', 1, '-q').code==0
    rows = [json.loads(l) for l in ran('recommend', tmp_path/'m', '--user', 7, '-n', 3, '--json').out.splitlines()]
    assert all(r['reader']==7 and type(r['book']) is int for r in rows) and 'title' not in rows[0]
    for text in ('07', '7.0', 'r7', '', '9'*30):
        r = ran('recommend', tmp_path/'m', '--user', text)
        assert r.code==1 and f"{text!r} isn't one of this model's user ids: they are whole numbers, such as 0" in r.err
    assert 'the nearest are' in ran('recommend', tmp_path/'m', '--user', 700).err
    assert 'this model has no titles' in ran('similar', tmp_path/'m', '--title', 'x').err
    (tmp_path/'x.csv').write_text('user,item,rating\n1,abc,3\n2,7,3\n')
    r = ran('evaluate', tmp_path/'m', tmp_path/'x.csv')
    assert r.code==1 and "line 2, column 'item': 'abc' isn't a whole number, and the model's ids are" in r.err

def test_titles_may_come_in_a_file_of_their_own(shelf, ran, tmp_path):
    planted().drop(columns='title').to_csv(tmp_path/'r.csv', index=False)
    (tmp_path/'t.csv').write_text('book,title,genre\n'
                                  + ''.join(f'{b},"Buch, {b}",x\n' for b in ('000', '001', '7', '7')))
    assert ran('fit', tmp_path/'r.csv', '--titles', tmp_path/'t.csv', '--out', tmp_path/'m', '--epochs', 1,
               '-q').code==0
    items = Recommender.load(tmp_path/'m').items.set_index('book').title
    assert items['7']=='Buch, 7' and items['000']=='Buch, 000' and items.notna().sum()==3
    (tmp_path/'t.csv').write_text('thing;titel\n7;Sieben\n')
    planted().rename(columns={'book': 'thing', 'title': 'titel'}).to_csv(tmp_path/'r.csv', index=False)
    args = ['fit', tmp_path/'r.csv', '--item', 'thing', '--titles', tmp_path/'t.csv', '--title', 'titel', '--out',
            tmp_path/'m', '--epochs', 1, '-q']
    assert ran(*args).code==0 and Recommender.load(tmp_path/'m').items.title.dropna().tolist()==['Sieben']
    (tmp_path/'t.csv').write_text('thing,genre\n7,x\n')
    r = ran(*args)
    assert r.code==1 and "t.csv has no column 'titel'; it has 'thing', 'genre'" in r.err
    assert 't.csv: no column has a name that is known for the title' in ran('fit', tmp_path/'r.csv', '--item', 'thing',
        '--titles', tmp_path/'t.csv', '--out', tmp_path/'m').err

def test_ratings_twice_need_a_word(shelf, ran, file, tmp_path):
    text = planted().to_csv(index=False) + planted().iloc[:3].to_csv(index=False, header=False)
    r = ran('fit', file(text), '--out', tmp_path/'m')
    assert r.code==1 and '3 rows repeat a pair' in r.err and 'Merge them with --duplicates first, last or mean' in r.err
    assert not (tmp_path/'m').exists()
    assert ran('fit', file(text), '--out', tmp_path/'m', '--duplicates', 'last', '--epochs', 1, '-q').code==0

def test_fetch_writes_once_and_shows_the_terms(ran, tmp_path, monkeypatch):
    monkeypatch.setattr('collab_course.movielens.load_ratings', lambda: print('Fetching') or planted().head(3))
    want = planted().head(3).to_csv(index=False, lineterminator='\n')
    r = ran('fetch', 'ml-100k')
    assert (r.code, r.out)==(0, want) and 'Fetching' in r.err and 'It may be used for research' in r.err
    r = ran('fetch', 'ml-100k', '--out', tmp_path/'r.csv', '-q')
    assert (r.code, r.out, r.err)==(0, f'{tmp_path/"r.csv"}\n', '')
    assert (tmp_path/'r.csv').read_text(encoding='utf-8')==want
    r = ran('fetch', 'ml-100k', '--out', tmp_path/'r.csv')
    assert r.code==1 and 'is there already' in r.err
    assert ran('fetch', 'ml-100k', '--out', tmp_path/'r.parquet').code==0
    assert len(pd.read_parquet(tmp_path/'r.parquet'))==3
    assert 'must end in .csv or .parquet' in ran('fetch', 'ml-100k', '--out', tmp_path/'r.txt').err

def test_a_fetch_that_fails_leaves_no_file(ran, tmp_path, monkeypatch):
    class Full(pd.DataFrame):
        def to_csv(self, f, **kwargs):
            f.write(b'half')
            raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr('collab_course.movielens.load_ratings', lambda: Full())
    r = ran('fetch', 'ml-100k', '--out', tmp_path/'r.csv')
    assert r.code==1 and 'No space left on device' in r.err and not list(tmp_path.iterdir())

# ---- where a model may be written and read

def test_a_model_is_replaced_and_nothing_else(shelf, ran, tmp_path):
    args = ['fit', shelf/'books.tsv', '--epochs', 1, '-q', '--out']
    assert [ran(*args, tmp_path/'m').code for _ in range(2)]==[0, 0]
    (tmp_path/'docs').mkdir()
    (tmp_path/'docs'/'letter.txt').write_text('x')
    r = ran(*args, tmp_path/'docs')
    assert r.code==1 and 'is a folder, and a bundle is a file' in r.err
    assert [o.name for o in (tmp_path/'docs').iterdir()]==['letter.txt']
    r = ran(*args, tmp_path/'docs'/'letter.txt')
    assert r.code==1 and "is there, and isn't a whole model: name another file with --out" in r.err
    assert (tmp_path/'docs'/'letter.txt').read_text()=='x'
    assert 'is a file, and --out names a file in a folder' in ran(*args, tmp_path/'docs'/'letter.txt'/'deeper').err

def test_a_folder_that_cannot_be_written_is_refused_before_training(shelf, ran, tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda *_: False)
    r = ran('fit', shelf/'books.tsv', '--out', tmp_path/'m')
    assert r.code==1 and 'nothing can be written into' in r.err and 'RMSE' not in r.err

def test_a_full_disk_is_a_sentence(shelf, ran, tmp_path, monkeypatch):
    def full(*_): raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr('collab_course.bundle.os.fsync', full)
    r = ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '--epochs', 1, '-q')
    assert r.code==1 and r.out==''
    assert r.err.startswith('collab-course: No space left on device while saving the bundle')

def test_paths_without_a_model_are_refused(shelf, ran, tmp_path):
    for cmd in (['recommend', '--user', 'x'], ['similar', '--item', 'x'], ['info'], ['evaluate', shelf/'later.csv']):
        at = lambda d: ran(*cmd[:1], d, *cmd[1:])
        assert at(tmp_path/'no').code==1 and 'there is no file' in at(tmp_path/'no').err
        assert at(tmp_path).code==1
        assert 'is a folder: name the file that `collab-course fit` has written' in at(tmp_path).err
    assert "did you mean 'model'?" in ran('info', shelf/'modell').err

def test_a_damaged_model_is_refused(shelf, ran, tmp_path):
    (tmp_path/'m').write_bytes((shelf/'model').read_bytes()[:-1])
    r = ran('recommend', tmp_path/'m', '--user', 'r1')
    assert r.code==1 and 'is truncated' in r.err
    (tmp_path/'m').write_text('{')
    assert ran('info', tmp_path/'m').code==1

def test_a_model_of_the_first_edition_is_refused_in_one_sentence(shelf, ran, tmp_path):
    (tmp_path/'m').mkdir()
    (tmp_path/'m'/'bundle.json').write_text('{}')
    for r in (ran('info', tmp_path/'m'), ran('recommend', tmp_path/'m', '--user', 'r1'),
              ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '-q')):
        assert r.code==1 and 'is a bundle of the first edition' in r.err and len(r.err.splitlines())==1

# ---- what people met in practice

def test_ids_beyond_64_bits_stay_what_they_are(tmp_path):
    t = read_ratings(parquet(tmp_path, user=pa.array([2**64-1, 7, 2**63], pa.uint64())))
    assert t.ratings.user.tolist()==['18446744073709551615', '7', '9223372036854775808']
    assert 'user read as text, since some are too large for 64 bits with a sign' in t.notes[2]

@pytest.mark.parametrize('users', [pa.array([1, 2, 3]).cast(pa.decimal128(21, 1)), pa.array([1, 2, 3], pa.uint64())])
def test_whole_numbers_of_any_type_are_ids(users, tmp_path):
    assert read_ratings(parquet(tmp_path, user=users)).ratings.user.tolist()==[1, 2, 3]

@pytest.mark.skipif(not hasattr(pa, 'string_view'), reason='an older pyarrow has no such type')
def test_string_view_is_text(tmp_path):
    f = parquet(tmp_path, user=pa.array(['01', '1', 'x'], pa.string_view()),
                rating=pa.array(['1', '2', '3'], pa.string_view()))
    assert read_ratings(f).ratings[['user', 'rating']].values.tolist()==[['01', 1], ['1', 2], ['x', 3]]

def test_true_and_false_are_ratings_and_that_is_said(tmp_path, file):
    for f in (parquet(tmp_path, rating=[True, False, True]),
              file('user,item,rating\n1,007,True\n2,7,FALSE\n3,x,true\n', 'b.csv')):
        t = read_ratings(f)
        assert t.ratings.rating.tolist()==[1, 0, 1] and 'ratings are true or false: read as 1 and 0' in t.notes

def test_ids_that_all_end_in_0_are_whole_numbers_and_that_is_said(file):
    t = read_ratings(file(head + '7.0,a,3\n10.0,b,4\n'))
    assert t.ratings.user.tolist()==[7, 10] and 'user read as whole numbers, 7.0 as 7' in t.notes[2]
    assert ids(file, '7.0', '007.0')==['7.0', '007.0'] and ids(file, '7.0', '7.5')==['7.0', '7.5']

@pytest.mark.parametrize('text,n', [('ann7;book 67;2,0\nbob;book 3;4,5\n', 2), ('ann;dune;2\nbob;emma;4,5\n', 2)])
def test_decimal_commas_are_numbers_when_a_header_is_looked_for(text, n, file):
    assert len(read_ratings(file(text)).ratings)==n

def test_a_first_rating_that_looks_like_a_header_is_kept_by_a_word(file):
    f = file('player,b1,5\nann,b1,4\nann,b2,3\n')
    with pytest.raises(TableError, match=r'If the first line is a rating and no header, add no_header=True$') as e:
        read_ratings(f)
    assert told(e).endswith('If the first line is a rating and no header, add --no-header')
    assert read_ratings(f, no_header=True).ratings.values.tolist()==[['player', 'b1', 5], ['ann', 'b1', 4],
        ['ann', 'b2', 3]]
    assert any("though it holds the number '5'" in n and '--no-header' in in_words(n)
               for n in read_ratings(f, item_name='b1', rating_name='5').notes)
    assert len(read_ratings(file('ann,dune,\nbob,emma,4\n'.replace(',\n', ',3\n')), no_header=True).ratings)==2

def test_all_columns_that_cannot_be_guessed_are_asked_for_at_once(file):
    with pytest.raises(TableError) as e: read_ratings(file('a,score,stars\nx,3,4\n', 'x'))
    assert (
        "x: no column has a name that is known for the user or item; 2 columns could be the rating: 'score', 'stars'. "
        "The columns are" in told(e))
    assert 'Name the right ones with --user COLUMN --item COLUMN --rating COLUMN' in told(e)
    assert "Name the right ones with user_name='COLUMN', item_name='COLUMN', rating_name='COLUMN'" in str(e.value)

def test_a_row_number_is_no_user(file):
    rows = ''.join(f'{k},u{k%5},i{k%7},{k%3}\n' for k in range(30))
    with pytest.raises(TableError,
                       match='column 1 is different in every row: is it a row number or a time. Name the columns: '
                             'user_name=2, item_name=3, rating_name=4') as e:
        read_ratings(file(rows))
    assert told(e).endswith('Name the columns: --user 2 --item 3 --rating 4')
    assert len(read_ratings(file(rows), '1', '3', '4').ratings)==30

def test_a_first_line_that_is_shorter_than_the_others_is_named(file):
    with pytest.raises(TableError, match='its first line has 1 field by commas, and others have 3'):
        read_ratings(file('my ratings\nuser,item,rating\na,x,3\n'))

def test_similar_to_several_says_which_is_whose(shelf, rec, ran):
    for args in (['--item', '003', '--item', '7'], ['--title', 'книга 003', '--title', 'книга 7']):
        rows = [json.loads(l) for l in ran('similar', shelf/'model', *args, '-n', 2, '--json').out.splitlines()]
        assert [r['book_asked'] for r in rows]==['003', '003', '7', '7']
        assert [r['book'] for r in rows]==[*rec.similar('003', 2).book, *rec.similar('7', 2).book]
        assert [l.split(',')[0] for l in ran('similar', shelf/'model', *args, '-n', 2,
                                             '--csv').out.splitlines()]==['book_asked', '003', '003', '7', '7']
        assert [l.split()[0] for l in ran('similar', shelf/'model', *args, '-n', 2).out.splitlines()]==['book_asked',
            '003', '003', '7', '7']

def test_a_distance_is_called_one(shelf, ran):
    rows = [json.loads(l) for l in ran('similar', shelf/'model', '--item', '003', '--by', 'euclidean',
                                       '--json').out.splitlines()]
    assert all('score' not in r for r in rows) and [r['distance'] for r in rows]==sorted(r['distance'] for r in rows)
    assert 'distance' in ran('similar', '--help').out

def test_similarities_are_written_as_short_as_scores(shelf, ran):
    assert all(len(l.split(',')[-1])<=13 for l in ran('similar', shelf/'model', '--item', '003',
                                                      '--csv').out.splitlines())

def test_stand_ins_are_said(shelf, ran):
    for how,words in (('popular', 'the list is that of the most rated items'),
                      ('mean', 'the list is that of the mean row')):
        r = ran('recommend', shelf/'model', '--user', 'r3', '--user', 'nobody', '--on-unknown', how)
        assert r.code==0 and r.err==f"'nobody' has no ratings: {words}\n"
        assert f"'x' has no ratings: {words}" in ran('similar', shelf/'model', '--item', 'x', '--on-unknown', how).err

def test_empty_lists_are_said(shelf, ran):
    r = ran('similar', shelf/'model', '--item', '7', '--min-count', 9999)
    assert r.code==0 and 'has 9999 training ratings, as --min-count asks' in r.err

def test_titles_from_a_file_are_counted(ran, tmp_path):
    planted().drop(columns='title').to_csv(tmp_path/'r.csv', index=False)
    fit = ['fit', tmp_path/'r.csv', '--titles', tmp_path/'t.csv', '--out', tmp_path/'m', '--epochs', 1]
    (tmp_path/'t.csv').write_text('book,title\n7,Sieben\n7,Seven\n003,Drei\n003,Drei\n')
    err = ran(*fit).err
    assert 't.csv: titles for 2 of 24 items' in err
    assert "1 item has several titles there: the first is taken, such as 'Sieben' for '7'" in err
    (tmp_path/'t.csv').write_text('book,title\nx7,Sieben\n')
    r = ran(*fit)
    assert r.code==1
    assert "t.csv has titles for none of the 24 items: ids there are such as 'x7', and here such as '0" in r.err

def test_merged_ratings_are_counted(ran, file, tmp_path):
    text = planted().to_csv(index=False) + planted().iloc[:3].to_csv(index=False, header=False)
    r = ran('fit', file(text), '--out', tmp_path/'m', '--duplicates', 'last', '--epochs', 1)
    assert f'3 rows repeat a pair: {len(planted()):,} ratings are left, the last of each pair' in r.err
    err = ran('fit', file(text), '--out', tmp_path/'m').err
    assert 'reader  book  score' in err and not re.search(r'^\d+ +r', err, re.M)

def test_a_model_need_not_be_measured(shelf, ran, file, tmp_path):
    r = ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '--epochs', 2, '--valid-pct', 0, '--seed', 0)
    assert r.code==0 and 'kept back' not in r.err and 'not measured' in r.err
    out = ran('info', tmp_path/'m').out
    assert re.search('RMSE +not measured', out) and ran('info', tmp_path/'m', '--json').code==0
    r = ran('fit', file('user,item,rating\n' + ''.join(f'u{k},i{k},{k%5}\n' for k in range(30))), '--out',
            tmp_path/'m2', '--epochs', 1, '--seed', 0)
    assert r.code==0 and 'not measured' in r.err and ran('info', tmp_path/'m2').code==0

@pytest.mark.parametrize('words', ['', '  '])
def test_an_empty_title_is_refused(words, shelf, ran):
    r = ran('similar', shelf/'model', '--title', words)
    assert r.code==1 and '--title is empty' in r.err

def test_a_model_that_needs_too_much_memory_is_a_sentence(ran, monkeypatch):
    def fail(*_):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 9 bytes")
    monkeypatch.setattr('collab_course.command_line.load_model', fail)
    assert ran('info', 'm').code==1 and ran('info', 'm').err=='collab-course: there is not enough memory for that\n'
    def bug(*_): raise RuntimeError('shapes do not fit')
    monkeypatch.setattr('collab_course.command_line.load_model', bug)
    with pytest.raises(RuntimeError, match='shapes'): ran('info', 'm')

def test_a_closed_output_is_said_and_closed_errors_do_not_mix_with_results(shelf, ran, monkeypatch, capsys):
    with monkeypatch.context() as m:
        m.setattr(sys, 'stdout', None)
        assert main(['info', str(shelf/'model')])==1
    assert capsys.readouterr().err=='collab-course: standard output is closed: there is no place for results\n'
    with monkeypatch.context() as m:
        m.setattr(sys, 'stderr', None)
        assert main(['evaluate', str(shelf/'model'), str(shelf/'later.csv'), '--json'])==0
    assert len(capsys.readouterr().out.splitlines())==1

def test_ctrl_c_while_importing_waits(monkeypatch):
    from collab_course.command_line import uninterrupted
    done = []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append(1)
    assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler

mistakes = [['--valid-pct', '5'], ['--valid-pct', '-1'], ['--valid-pct', '0.0001'], ['--range', '5', '1'],
            ['--range', '0', 'inf'], ['--range', 'nan', '1'], ['--range', '2', '3'],
            ['--lr', '1000', '--epochs', '3', '--model', 'dot_product'],
            ['--lr', '-1'], ['--lr', 'nan'], ['--wd', '-1'],
    ['--wd', 'inf'], ['--seed', '-1'], ['--factors', '-3'], ['--batch-size', '0'], ['--epochs', '0'],
    ['--duplicates', 'keep'], ['--model', 'svd'], ['--sep', ''], ['--sep', ';'], ['--encoding', 'x'], ['--user', 'x'],
    ['--rating', 'title'],
    ['--titles', 'nowhere.csv'], ['--title', 'score'], ['--item', 'reader'], ['--no-header']]

@pytest.mark.parametrize('args', mistakes, ids=' '.join)
def test_messages_hold_no_words_of_python(args, shelf, ran, tmp_path):
    r = ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '--seed', 0, *args)
    assert r.code in (1, 2) and r.err and not (tmp_path/'m').exists()
    assert not re.search(
        r"\w=|_name\b|\b(valid_pct|rating_range|y_range|n_factors|n_epoch|bs|titles "
        r"has|on_unknown|validate_ratings|DataFrame|Series|index|Traceback)\b|^lr|\(lowest",
        r.err.splitlines()[-1]), r.err

def test_what_to_do_about_a_learning_rate(shelf, ran, tmp_path):
    assert 'try a smaller --lr' in ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '--lr', '1000', '--epochs', 3,
                                       '--model', 'dot_product', '-q').err

def test_evaluate_shows_ids_of_both_sides(shelf, ran, file):
    r = ran('evaluate', shelf/'model', file('reader,book,score\nx,y,3\nz,y,3\n'))
    assert "reader: 'x' in the file, 'r0' in the model; book: 'y' in the file, '000' in the model" in r.err

def test_evaluate_advises_no_range_since_it_takes_none(shelf, ran, file):
    r = ran('evaluate', shelf/'model', file('reader,book,score\nr1,7,3\nr2,7,99\n'))
    assert r.code==1 and r.err.rstrip().endswith(
        "line 3, column 'score': 99 is not between 1 and 10. Drop or repair the row, or rescale them all: "
        'the model was trained on that range')
    assert '--range' not in r.err

def test_a_file_where_a_model_is_due_is_said(shelf, ran):
    r = ran('evaluate', shelf/'later.csv', shelf/'model')
    assert r.code==1 and 'first comes the file that `collab-course fit` has written' in r.err

def test_a_damaged_model_can_be_replaced_after_it_is_removed(shelf, ran, tmp_path):
    (tmp_path/'m').write_bytes((shelf/'model').read_bytes()[:-1])
    r = ran('fit', shelf/'books.tsv', '--out', tmp_path/'m')
    assert r.code==1 and "is there, and isn't a whole model: name another file with --out, or remove it" in r.err
    assert 'RMSE' not in r.err
    (tmp_path/'m').unlink()
    assert ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '--epochs', 1, '-q').code==0


# ---- words, streams and exit codes

@pytest.mark.parametrize('args',
                         [['fit'], ['fit', 'r.csv'], ['recommend', 'm'], ['recommend', 'm', '--user', '1', '--all'],
                          ['recommend', 'm', '--all', '-n', '0'], ['recommend', 'm', '--all', '-n', 'x'],
    ['recommend', 'm', '--all', '--csv', '--json'], ['recommend', 'm', '--all', '--on-unknown', 'x'], ['similar', 'm'],
    ['similar', 'm', '--item', '1', '--title', 'x'], ['evaluate', 'm'], ['info'],
    ['fetch', 'ml-1m'], ['fly'], ['fit', 'r.csv', '--out', 'm', '--seed', '-1'],
    ['fit', 'r.csv', '--out', 'm', '--range', '1'], ['fit', 'r.csv', '--out', 'm', '--fact', '3'],
    ['info', 'm', '--csv']])
def test_wrong_usage_has_exit_code_2(args, ran):
    r = ran(*args)
    assert r.code==2 and r.out=='' and 'usage: collab-course' in r.err

@pytest.mark.parametrize('cmd', ['fit', 'recommend', 'similar', 'evaluate', 'info', 'fetch', 'fold-in'])
def test_each_command_has_help_with_two_examples(cmd, ran):
    r = ran(cmd, '--help')
    assert r.code==0 and r.err=='' and len(re.findall(rf'^  collab-course {cmd} ', r.out, re.M))>=2

def test_version_and_help_of_all(ran):
    assert ran('--version').out==f'collab-course {collab_course.__version__}\n'
    assert ran('--help').code==0 and 'examples:' in ran('--help').out

@pytest.mark.parametrize('error,code,words',
                         [(KeyboardInterrupt(), 130, 'stopped'), (MemoryError(), 1, 'not enough memory'),
                          (BrokenPipeError(), 141, ''),
                          (OSError(5, 'Input/output error', 'x'), 1, 'Input/output error: x')])
def test_what_ends_a_command_has_its_exit_code(error, code, words, ran, monkeypatch):
    def fail(*_): raise error
    monkeypatch.setattr('collab_course.command_line.load_model', fail)
    monkeypatch.setattr('collab_course.command_line.mute', lambda: None)
    r = ran('info', 'm')
    assert r.code==code and words in r.err and 'Traceback' not in r.err and bool(words)==bool(r.err)

def test_a_bug_is_not_hidden(ran, monkeypatch):
    def bug(*_): raise KeyError('bug')
    monkeypatch.setattr('collab_course.command_line.load_model', bug)
    with pytest.raises(KeyError): ran('info', 'm')

def test_warnings_of_the_library_are_notes_and_those_of_others_are_not(shelf, ran, file, tmp_path):
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(dict(user=np.repeat(np.arange(30), 20), item=np.tile(np.arange(20), 30),
                              rating=rng.integers(1, 6, 600)))
    r = ran('fit', file(noise.to_csv(index=False)), '--out', tmp_path/'m', '--epochs', 30, '--wd', '0', '--seed', 0,
            '--model', 'dot_product')
    careful = (r'^careful: on \d+ ratings kept back the model .* no better than biases alone '
               r'.* leave --wd, --epochs as tuned')
    assert r.code==0 and re.search(careful, r.err, re.M)
    assert 'Warning' not in r.err

def test_messages_speak_of_flags():
    assert in_words(ArgError('Name it with ', Arg('user_name')))=='Name it with --user'
    assert in_words(ArgError(Arg('valid_pct', 0.1), ' of 3 rows'))=='--valid-pct 0.1 of 3 rows'
    assert in_words(ArgError('pass ', Arg('on_unknown', 'mean', 'popular'), ' or ',
                             Arg('rating_range', (1, 5.5))))=='pass --on-unknown mean or popular or --range 1 5.5'

@pytest.mark.parametrize('case', {**bad, **calls})
def test_messages_in_python_hold_no_flags(case, file):
    content,kwargs = (*bad[case][:1], {}) if case in bad else calls[case][:2]
    with pytest.raises(TableError) as e: read_ratings(file(content, 'x'), **kwargs)
    assert not re.search(r'--\w', str(e.value))

def test_a_title_cannot_command_the_terminal():
    assert aligned(['title'], [['a\x1b[2Jb\r\n\u202ec']])[1]=='a\ufffd[2Jb\ufffd\ufffd\ufffdc'

def test_columns_are_aligned_whatever_the_script():
    rows = [['007', '紅樓夢', 1.5], ['7', 'Zoe\u0308', 10.25], ['x', None, None], ['y', '👍🏽', -3.]]
    lines = aligned(['id', 'title', 'score'], rows)
    assert {width_of(l) for l in lines if l!=lines[3]}=={width_of(lines[0])} and lines[3]=='x'
    assert max(map(width_of, aligned(['id', 'title', 'score'], [['1', '漢'*50, 1.]], width=40)))<=40
    assert aligned(['a'], [])==['a']

# ---- real processes

def process(*args, **kwargs):
    env = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[1]), 'OMP_NUM_THREADS': '1', 'PYTHONUNBUFFERED': '',
           'PYTHONIOENCODING': 'ascii'}
    return subprocess.Popen([sys.executable, '-m', 'collab_course.command_line', *map(str, args)],
                            stderr=subprocess.PIPE, env=env, **{'stdout': subprocess.PIPE, **kwargs})

def test_help_and_most_errors_need_no_torch(root, tmp_path):
    (tmp_path/'x.csv').write_text('a,b,c\nx,y,z\n')
    code = f"""import sys; from collab_course.command_line import main
heavy = lambda: {{'torch', 'fastai', 'pandas', 'numpy', 'pyarrow'}} & set(sys.modules)
assert not heavy(), heavy()
assert main(['fit', '--help'])==0 and main(['info', 'no'])==1
assert main(['fit', r'{tmp_path/'x.csv'}', '--out', 'm'])==1
assert not heavy(), heavy()"""
    p = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=root)
    assert p.returncode==0, p.stderr

def test_a_command_in_a_process_of_its_own(shelf, rec):
    out,err = (p := process('recommend', shelf/'model', '--user', 'r3', '-n', '2', '--json')).communicate()
    assert (p.returncode, err)==(0, b'')
    assert [json.loads(l)['title'] for l in out.decode('utf-8').splitlines()]==rec.recommend('r3', 2).title.tolist()
    assert 'Книга'.encode() in out

def test_a_reader_that_has_gone_is_no_trouble(shelf):
    p = process('recommend', shelf/'model', '--all', '-n', '20', '--csv')
    p.stdout.close()
    assert p.stderr.read()==b'' and p.wait()==141

@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs a device that is always full')
def test_results_that_find_no_room_are_an_error():
    with open('/dev/full', 'wb') as full: p = process('--help', stdout=full)
    assert p.stderr.read()==b'collab-course: No space left on device\n' and p.wait()==1

def wait_until_asleep(pid):
    "Python looks for signals when a read is interrupted, and not between two parts of one that it's busy with"
    state = Path(f'/proc/{pid}/stat')
    if not state.exists(): return time.sleep(1.5)
    while state.read_text().rpartition(')')[2].split()[0]!='S': time.sleep(.01)

@pytest.mark.skipif(os.name=='nt', reason='Windows has no SIGINT for one process')
def test_ctrl_c_is_a_word_and_130():
    p = process('fit', '-', '--out', 'm', stdin=subprocess.PIPE)
    p.stdin.write(b'user,item,rating\n' + b'1,2,3\n'*2**17)  # more than a pipe holds: now it's reading
    p.stdin.flush()
    wait_until_asleep(p.pid)
    p.send_signal(signal.SIGINT)
    assert p.wait()==130 and p.stderr.read()==b'stopped; nothing was saved\n'
    p.stdin.close()

# ---- what may be listed, newcomers, titles

def rows(r): return [json.loads(line) for line in r.out.splitlines()]

def test_lists_hold_only_what_is_allowed(shelf, rec, ran, file):
    user = str(rec.users.iloc[0, 0])
    best = [row['book'] for row in rows(ran('recommend', shelf/'model', '--user', user, '-n', 6, '--json'))]
    stock = file('\n'.join([best[1], best[4], 'new in stock']), 'stock.txt')
    some = ran('recommend', shelf/'model', '--user', user, '--allowed', stock, '--json')
    assert [row['book'] for row in rows(some)]==[best[1], best[4]]
    left = ran('recommend', shelf/'model', '--user', user, '-n', 4, '--exclude', stock, '--json')
    assert [row['book'] for row in rows(left)]==[best[0], best[2], best[3], best[5]]
    table = file(f'reader,book\n{user},{best[2]}\nsomebody,{best[0]}\n', 'each.csv')
    mine = ran('recommend', shelf/'model', '--user', user, '--allowed', table, '--json')
    assert [row['book'] for row in rows(mine)]==[best[2]]
    assert 'name the items alone' in ran('similar', shelf/'model', '--item', best[0], '--allowed', table).err

def test_newcomers_are_folded_in_by_flags_or_a_file(shelf, rec, ran, file):
    a,b = rec.items.book[:2]
    want = rec.fold_in({a: 5., b: 1.}, 3)
    by_flags = ran('fold-in', shelf/'model', '--rate', f'{a}=5', '--rate', f'{b}=1', '-n', 3, '--json')
    assert [row['book'] for row in rows(by_flags)]==want.book.tolist()
    table = file(f'book,score\n{a},5\n{b},1\n', 'mine.csv')
    assert rows(ran('fold-in', shelf/'model', '--ratings', table, '-n', 3, '--json'))==rows(by_flags)
    two = file(f'reader,book,score\nx,{a},5\ny,{b},1\n', 'two.csv')
    found = rows(ran('fold-in', shelf/'model', '--ratings', two, '-n', 2, '--json'))
    assert [row['reader'] for row in found]==['x', 'x', 'y', 'y']

@pytest.mark.parametrize('args,words', [([], 'give ratings: --rate ITEM=RATING'),
    (['--rate', '5'], 'takes ITEM=RATING'), (['--rate', '7=11'], '--rate 7=11: the rating is not between 1 and 10,'),
    (['--rate', '7=3', '--rate', 'Книга 7=4'], "rates '7' twice"), (['--rate', '007=good'], "'good' isn't a rating")])
def test_ratings_of_newcomers_that_are_wrong_are_refused(args, words, shelf, ran):
    r = ran('fold-in', shelf/'model', *args)
    assert r.code==1 and words in r.err

def test_an_item_is_known_by_its_title_where_no_id_is_so(shelf, rec, ran):
    item,title = next((i, t) for i,t in zip(rec.items.book, rec.items.title) if any(map(str.isalpha, t)))
    assert ran('similar', shelf/'model', '--item', title).out==ran('similar', shelf/'model', '--item', item).out

def test_fit_says_a_command_that_works(shelf, ran, file, tmp_path):
    out = tmp_path/'my model'
    r = ran('fit', shelf/'books.tsv', '--out', out, '--epochs', 1, '--seed', 0)
    command = shlex.split(r.err.splitlines()[-1].removeprefix('try: collab-course '))
    assert command[:2]==['recommend', str(out)] and ran(*command).code==0

def test_a_history_may_stay_at_home_and_codes_for_missing_are_left_out(shelf, ran, file, tmp_path):
    n = int((pd.read_csv(shelf/'books.tsv', sep='\t').score==5).sum())
    r = ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '--epochs', 1, '--no-history', '--missing', '5')
    assert n>1 and r.code==0 and f'{n:,} rows left out: not rated' in r.err
    assert ran(*shlex.split(r.err.splitlines()[-1].removeprefix('try: collab-course '))).code==0
    assert ran('info', tmp_path/'m').code==0 and ran('info', tmp_path/'m', '--json').code==0

def test_without_a_history_the_advice_of_recommend_is_followed_word_by_word(shelf, ran, file, tmp_path):
    ran('fit', shelf/'books.tsv', '--out', tmp_path/'m', '--epochs', 1, '--seed', 0, '--no-history')
    known = file('book\n007\n', 'known.csv')
    ask = ['recommend', tmp_path/'m', '--user', 'r3', '-n', 50, '--csv', '--exclude', known]
    r = ran(*ask)
    assert r.code==1 and 'the model was saved without its history' in r.err
    assert 'pass --include-seen, together with --exclude for what they know\n' in r.err
    r = ran(*ask, '--include-seen')
    assert r.code==0 and len(r.out.splitlines())==24 and ',007,' not in r.out

gap_files = {'empty': '{u},{i},\n', 'NaN': '{u},{i},NaN\n', 'NA': '{u},{i},NA\n'}

@pytest.mark.parametrize('gap', gap_files)
def test_the_advice_about_empty_ratings_works(gap, ran, file, tmp_path):
    lines = rated(60)
    path = file(''.join([*lines, *(gap_files[gap].format(u=90+k, i=1) for k in range(3))]))
    fit = ['fit', path, '--out', tmp_path/'m', '--epochs', 1, '--valid-pct', 0]
    r = ran(*fit)
    assert r.code==1 and "line 62, column 'rating'" in r.err and '(and 2 more)' in r.err
    advice = re.search('leave out all without a rating with (--missing nan)\n', r.err)[1]
    for missing in (advice.split(), ['--missing', ''], ['--missing=NaN']):
        r = ran(*fit, *missing)
        assert r.code==0 and '3 rows left out: not rated' in r.err
    assert '60 (rating)' in ran('info', tmp_path/'m').out
    table = read_ratings(path, missing=float('nan'))
    assert len(table.ratings)==60 and table.notes[-1]=='3 rows left out: not rated'
    r = ran('evaluate', tmp_path/'m', path, '--missing', 'nan', '--json')
    assert json.loads(r.out)['n']==60

@pytest.mark.parametrize('kind', ['null', 'nan', 'decimal comma'])
def test_gaps_of_any_file_are_left_out(kind, file, tmp_path):
    text = 'user;item;rating\na;x;3,5\nb;y;\nc;x;4\n'
    path = file(text)
    if kind!='decimal comma':
        y = pa.array([3.5, None, 4.]) if kind=='null' else pa.array([3.5, float('nan'), 4.])
        pq.write_table(pa.table(dict(user=['a', 'b', 'c'], item=['x', 'y', 'x'], rating=y)), path)
    with pytest.raises(TableError) as e: read_ratings(path)
    assert 'there is no rating' in told(e) and '--missing nan' in told(e)
    assert read_ratings(path, missing=[-1, float('nan')]).ratings.rating.tolist()==[3.5, 4]
    with pytest.raises(TableError, match="line 5, column 'rating': 'good' isn't a number"):
        read_ratings(file(text + 'd;x;good\n'), missing=float('nan'))

def test_a_column_without_a_name_is_called_by_its_number(file, movielens, ran):
    with pytest.raises(TableError) as e: read_ratings(file('1,7,4\n2,8,5\n3,8,good\n', 'x'))
    assert "x, line 3, column 3: 'good' isn't a number" in told(e)
    r = ran('fold-in', movielens/'m', '--ratings', file('50,5\n52,9\n', 'mine'))
    assert 'mine, line 2, column 2: 9 is not between 1 and 5' in r.err
    with pytest.raises(TableError) as e: read_ratings(file('1,7,4\n2,8,5\n', 'x'), sep='tab')
    assert 'x: its first line has 1 column by tabs. Omit --sep' in told(e)

def test_newcomers_may_have_names_where_the_model_has_numbers(movielens, ran, file):
    rows = [(1, 50, 5), (2, 52, 1), (1, 52, 2), (2, 55, 4)]
    table = ''.join(f'{{{u}}},{i},{y}\n' for u,i,y in rows)
    texts = ['user,item,rating\n' + table.format(0, *who) for who in (('ann', 'bob'), (901, 902))]
    named,numbered = (ran('fold-in', movielens/'m', '--ratings', file(text), '--csv', '-n', 4) for text in texts)
    assert named.code==0 and numbered.out.replace('901', 'ann').replace('902', 'bob')==named.out!=''

def test_a_file_in_a_zip_is_called_by_its_own_name(file):
    path = file(zipped(plain, plain), 'both.zip')
    assert read_ratings(path/'part1.csv').notes[0].startswith('both.zip/part1.csv: separated by commas')
    assert read_ratings(file(zipped(plain), 'one.zip')).notes[0].startswith('one.zip/part0.csv: ')

def test_files_of_what_is_listed_may_have_any_form_and_the_note_counts(movielens, ran, file, monkeypatch):
    ids = [52, 55, 999]
    as_json = ''.join(json.dumps({'id': i, 'shelf': 'A'}) + '\n' for i in ids)
    table = pd.DataFrame(dict(movieId=ids, name='x'))
    forms = {'lines': '52\n55\n999\n', 'CR': '52\r55\r999\r', 'BOM': '\ufeffitem\n52\n55\n999',
             'a name': 'code\n52\n55\n999\n', 'quoted': '"item"\n"52"\n"55"\n"999"\n',
             'semicolons': 'ITEM_ID;price\n52;1,5\n55;2\n999;3\n', 'utf-16': '52\n55\n999\n'.encode('utf-16'),
             'gzip': gzip.compress(b'52\n55\n999\n'), 'JSON Lines': as_json, 'JSON': '[52, 55, 999]',
             'points': 'item\n52.0\n55.0\n999.0\n'}
    files = [file(content, f'{name}.txt') for name,content in forms.items()]
    table.to_parquet(files[0].parent/'p'), table.to_feather(files[0].parent/'f')
    for path in [*files, files[0].parent/'p', files[0].parent/'f']:
        r = ran('recommend', movielens/'m', '--user', 3, '--include-seen', '--allowed', path, '--json')
        assert {row['item'] for row in rows(r)}=={52, 55} and ', 3 items, 2 of them in the model' in r.err, path
    monkeypatch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(b'52\n55\n999\n')))
    assert ran('recommend', movielens/'m', '--user', 3, '--include-seen', '--allowed', '-', '--json').out==r.out
    latin = file('item\ncaf\xe9\n'.encode('latin-1'), 'latin.txt')
    assert "line 2, column 'item': 'café' isn't a whole number" in \
        ran('similar', movielens/'m', '--item', 50, '--exclude', latin, '--encoding', 'latin-1').err

@pytest.mark.parametrize('content,words', [('52,5\n55,1\n', 'has 2 columns and no header line'), ('', 'is empty'),
    ('a,b\n52,5\n', "no column for the item; it has 'a', 'b'. Rename the right one to 'item'"),
    ('item\n', 'has a header line and no rows'), ('{"52": 5}\n', "no column for the item; it has '52'"),
    ('item,itemid,movieid\n1,2,3\n', None), ('film,movie\n52,5\n', "2 columns for the item"),
    ('[52, [55]]\n', 'has'), (b'\x80\x04', 'is a pickle'), ('item\n52\0\n', "isn't text")])
def test_files_of_what_is_listed_that_are_no_lists_are_refused(content, words, movielens, ran, file):
    r = ran('similar', movielens/'m', '--item', '52', '--exclude', file(content, 'stock.txt'))
    assert r.code==(words is not None) and (words or '') in r.err and not re.search('--(rating|item|user|sep)', r.err)

def test_an_empty_name_of_a_file_is_not_no_file(movielens, ran, tmp_path):
    for args in (['recommend', movielens/'m', '--user', 1, '--allowed', ''],
                 ['fold-in', movielens/'m', '--ratings', ''],
                 ['fit', movielens/'ratings.csv', '--out', tmp_path/'o', '--titles', '']):
        r = ran(*args)
        assert r.code==1 and 'is a folder' in r.err and r.out==''

@pytest.mark.parametrize('content', ['item,rating\n50,5\n52,1\n', '50,5\n52,1\n',
    'movieId;stars;note\n50;5,0;x\n52;1,0;x\n',
    'title,rating\nStar Wars,5\nThe Godfather,1\n', '{"item": 50, "rating": 5}\n{"item": 52, "rating": 1}\n',
    'item\trating\n50.0\t5.0\n52.0\t1.0\n'])
def test_ratings_of_newcomers_are_read_like_any_table(content, movielens, ran, file):
    want = ran('fold-in', movielens/'m', '--rate', '50=5', '--rate', '52=1', '--csv')
    r = ran('fold-in', movielens/'m', '--ratings', file(content, 'mine'), '--csv')
    assert want.code==r.code==0 and want.out==r.out!=''

@pytest.mark.parametrize('content,words', [
    ('\nitem,rating\n50,5\n\n52,9\n', "line 5, column 'rating': 9 is not between 1 and 5. Drop or repair the row, or"),
    ('item,rating\n50,5\n50,4\n', "line 3, column 'item': the item has a rating already"),
    ('item,rating\n50,5\n777,4\n', "line 3, column 'item': the model has no such item"),
    ('title,rating\nAlien,5\nSabrina,4\n', "mine, line 3: 2 titles match 'Sabrina'"),
    ('user,item,rating\n99,50,5\n1,50,5\n', "line 3, column 'user': the model knows this person already"),
    ('item,rating\n50,good\n', "line 2, column 'rating': 'good' isn't a number. Drop or repair the row\n"),
    ('item,rating\n50\n', 'Complete the line, or remove it'), ('item,count\n50,3\n', "no column for the rating")])
def test_ratings_of_newcomers_that_cannot_be_name_their_line(content, words, movielens, ran, file):
    r = ran('fold-in', movielens/'m', '--ratings', file(content, 'mine'))
    assert r.code==1 and words in r.err and not re.search('--|update', r.err)

# ---- places

def rated(n, name='rating', low=1):
    return [f'user,item,{name}\n'] + [f'{k//9},{k%9},{low + k*7%5}\n' for k in range(n)]

@pytest.mark.parametrize('value,args,words', [
    ('99', ['--range', 1, 5], "line 12, column 'rating': 99 is not between 1 and 5. Drop or repair the row, "
     'leave it out with --missing 99, or give another --range'),
    ('1e39', [], "line 12, column 'rating': 1e+39 is not between -3e+38 and 3e+38. Drop or repair the row\n"),
    ('1e6', [], ' in second.csv, line 12. Correct it, drop it with --missing 1000000, or pass --range 1 1000000')])
def test_a_rating_that_cannot_be_names_file_and_line_in_the_second_file_too(value, args, words, ran, file, tmp_path):
    first = file(''.join(rated(90)), 'first.csv')
    lines = rated(180)[91:]
    second = file(''.join(['user,item,rating\n', '\n', *lines[:9], f'500,1,{value}\n', *lines[9:]]), 'second.csv')
    r = ran('fit', first, second, '--out', tmp_path/'m', '--epochs', 1, *args)
    assert r.code==1 and words in r.err and 'second.csv, line 12' in r.err

def test_the_advice_about_a_far_rating_works(ran, file, tmp_path):
    path = file(''.join([*rated(150), '500,1,1000000\n']))
    assert ran('fit', path, '--out', tmp_path/'m', '--epochs', 1).code==1
    for advice in (['--missing', 1_000_000], ['--range', 1, 1_000_000]):
        assert ran('fit', path, '--out', tmp_path/'m', '--epochs', 1, '-q', *advice).code==0

def test_pairs_rated_twice_are_shown_with_their_places(ran, file, tmp_path):
    one,two = file(''.join(rated(90)), 'one.csv'),file(''.join(rated(90)), 'two.csv')
    r = ran('fit', one, two, '--out', tmp_path/'m')
    assert re.search(r'^one.csv, line 2 +0 +0 +1\ntwo.csv, line 2 +0 +0 +1$', r.err, re.M)

def test_several_files_are_one_table(ran, file, tmp_path):
    lines = rated(140)
    one,two = file(''.join(lines[:71]), 'one.csv'),file(lines[0] + ''.join(lines[71:]), 'two.csv')
    both = file(''.join(lines), 'both.csv')
    for out,paths in (('a', [one, two]), ('b', [both])):
        assert ran('fit', *paths, '--out', tmp_path/out, '--seed', 0, '--epochs', 1, '-q').code==0
    assert (tmp_path/'a').read_bytes()==(tmp_path/'b').read_bytes()

@pytest.mark.parametrize('content,cure', [('user,item,rating\n1,2,3,4\n2,2,3,4\n', 'mend the first line, or remove it'),
    ('user,item,rating\n1,2,3\n1,3\n', 'Complete the line, or remove it'),
    ('user,item,rating\n1,2,3\n1,Dune, part 1,3\n', 'stands in "quotation marks"')])
def test_a_torn_line_says_how_it_is_mended(content, cure, file):
    with pytest.raises(TableError, match=r'line \d: \d fields where the first line has 3') as e:
        read_ratings(file(content))
    assert cure in str(e.value)

# ---- anything at all

odd_words = ['', '0', '-1', '1e999', 'nan', '٣', '9'*400, '\x00', '\udcff', '--', '~nobody/x', '{}', '\\',
             'a\tb', '1_000', 'idna', 'punycode', 'undefined', '.*']

@pytest.mark.parametrize('odd', odd_words, ids=ascii)
def test_whatever_is_typed_ends_in_words(odd, movielens, ran, tmp_path):
    m,r = movielens/'m',movielens/'ratings.csv'
    fit = ['fit', r, '--out', tmp_path/'o', '-q', '--epochs', 1, '--factors', 2]
    for args in ([odd], ['info', odd], ['recommend', odd, '--user', 1], ['recommend', m, '--user', odd],
                 ['recommend', m, '--all', '-n', odd], ['similar', m, '--item', odd], ['similar', m, '--title', odd],
                 ['fold-in', m, f'--rate={odd}=3'], ['fold-in', m, f'--rate=50={odd}'],
                 ['fold-in', m, '--ratings', odd], ['recommend', m, '--user', 1, '--allowed', odd],
                 ['evaluate', m, odd], ['evaluate', m, r, '--encoding', odd], ['fit', r, odd, '--out', tmp_path/'o'],
                 [*fit, '--sep', odd], [*fit, '--user', odd], [*fit, '--range', odd, 5], [*fit, '--titles', odd],
                 [*fit, '--encoding', odd], ['fetch', 'ml-100k', '--out', odd]):
        got = ran(*args)
        assert got.code in (0, 1, 2) and bool(got.err or got.out), args
        assert 'Traceback' not in got.err and 'codec' not in got.err and 'np.' not in got.err, got.err

def test_bytes_that_the_locale_cannot_read_are_utf_8(movielens):
    env = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[1]), 'LC_ALL': 'C', 'PYTHONUTF8': '0',
           'PYTHONCOERCECLOCALE': '0'}
    program = [sys.executable, '-m', 'collab_course.command_line', 'similar', str(movielens/'m'), '--item']
    p = subprocess.run([*program, 'Café', '-n', '1', '--json'], capture_output=True, env=env)
    assert p.returncode==0 and len(p.stdout.splitlines())==1, p.stderr

@pytest.mark.skipif(os.name=='nt', reason='needs a shell that closes files')
def test_a_closed_input_is_a_sentence():
    command = f'{shlex.quote(sys.executable)} -m collab_course.command_line fit - --out m <&-'
    p = subprocess.run(command, shell=True, capture_output=True, cwd=Path(__file__).parents[1])
    assert (p.returncode, p.stderr)==(1, b'collab-course: standard input is closed: name a file\n')

# ---- mistyped words

@pytest.mark.parametrize('args,words', [(['recomend', 'm'], "did you mean 'recommend'"),
    (['fit', 'r.csv', '--epoch', '3'], "there is no option --epoch (did you mean '--epochs'?)"),
    (['fit', 'r.csv', '--out', 'a', '--out=b'], '--out is given twice'),
    (['fit', 'r.csv', '--out', 'a', 'more.csv'], 'put more.csv beside r.csv: files stand side by side')])
def test_mistyped_and_repeated_words_are_named_first(args, words, ran):
    r = ran(*args)
    assert r.code==2 and words in r.err

def test_the_program_alone_shows_help(ran): assert ran().code==0 and ran().out==ran('--help').out

@pytest.mark.parametrize('out', ['/proc/model', '/dev/null'])
def test_a_target_that_cannot_be_a_file_is_refused_before_training(out, shelf, ran):
    r = ran('fit', shelf/'books.tsv', '--out', out)
    assert r.code==1 and 'name another place with --out' in r.err and 'epoch 1' not in r.err

def test_a_folder_that_is_missing_is_said_before_fetching(ran, tmp_path):
    assert 'make it first' in ran('fetch', 'ml-100k', '--out', tmp_path/'no'/'r.csv').err

# ---- long texts and terminal codes

def test_a_long_text_is_cut_in_one_pass(monkeypatch):
    asked = []
    real = collab_course.command_line.width_of
    monkeypatch.setattr(collab_course.command_line, 'width_of', lambda text: asked.append(len(text)) or real(text))
    assert collab_course.command_line.cut_text('ab字'*10_000, 10)=='ab字ab字a…'
    assert sum(asked)==30_000

def test_long_messages_are_cut(shelf, ran):
    assert len(ran('recommend', shelf/'model', '--user', 'x'*1_000_000).err)<3_000

def test_csv_for_a_terminal_holds_no_codes_and_csv_for_a_program_is_as_it_was(monkeypatch, capsys):
    df = pd.DataFrame(dict(title=['\x1b[31mred']))
    collab_course.command_line.show_table(df, 'csv')
    assert '\x1b[31mred' in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True, raising=False)
    collab_course.command_line.show_table(df, 'csv')
    assert capsys.readouterr().out=='title\n\ufffd[31mred\n'

def test_info_says_settings_in_plain_words(shelf, ran):
    assert not re.search('n_factors|n_epoch|bs ', ran('info', shelf/'model').out)

@pytest.fixture(scope='module')
def films(tmp_path_factory):
    "A folder with the files that the examples of the help name"
    home = tmp_path_factory.mktemp('films')
    df = planted_ratings(220, 190, 9_000, n_factors=2, seed=0).ratings.iloc[:,:3].set_axis(
        ['user', 'item', 'rating'], axis=1)
    df['title'] = ['Star Wars' if i==50 else f'Film {i}' for i in df.item]
    df.to_csv(home/'ratings.csv', index=False)
    df.head(500).to_csv(home/'held_out.csv', index=False)
    df.set_axis(['reader', 'isbn', 'score', 'title'], axis=1).to_csv(home/'books.tsv.gz', sep='\t', index=False)
    df.iloc[:,:2].to_csv(home/'clicks.csv', index=False)
    plays = df.iloc[:,:2].assign(plays=np.random.default_rng(0).zipf(2, len(df)))
    plays.to_csv(home/'plays.tsv', sep='\t', index=False)
    for table,model in (('ratings.csv', 'model'), ('clicks.csv', 'clicks')):
        assert main(['fit', str(home/table), '--out', str(home/f'{model}.safetensors'), '--epochs', '1', '-q'])==0
    return home

@pytest.mark.parametrize('cmd', ['fit', 'recommend', 'fold-in', 'similar', 'evaluate', 'info'])
def test_examples_of_the_help_run(cmd, films, ran, monkeypatch):
    monkeypatch.chdir(films)
    lines = re.findall(r'^  collab-course (.*)', ran(cmd, '--help').out, re.M)
    assert len(lines)>=2
    for line in lines:
        r = ran(*shlex.split(re.split(r' [|>] ', line)[0]))
        assert r.code==0 and r.out, r.err
