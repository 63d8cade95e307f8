"A table in parts: checked whole before anything is written, dealt at random, read in streams that processes share"
import errno, json, os, signal, tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collab_course import ratings_index as module
from collab_course.ratings_index import RatingsIndex, describe_index, index_ratings
from collab_course.tables import planted_ratings

@pytest.fixture(scope='module')
def table():
    "4,000 ratings sorted by person, with text for items"
    df = planted_ratings(200, 60, 4000, rating_range=(1, 5), step=0.5).ratings
    df['movie'] = 'film ' + df['movie'].astype(str)
    return df[['user', 'movie', 'rating']].sort_values('user', ignore_index=True)

def save(df, folder, n=4):
    "Saves a table in `n` parts of the same length"
    folder.mkdir(exist_ok=True)
    for k,rows in enumerate(np.array_split(np.arange(len(df)), n)):
        df.iloc[rows].to_parquet(folder/f'part-{k:02}.parquet', index=False)
    return folder

@pytest.fixture(scope='module')
def parts(table, tmp_path_factory): return save(table, tmp_path_factory.mktemp('ratings')/'parts')

@pytest.fixture(scope='module')
def forty(table, tmp_path_factory): return save(table, tmp_path_factory.mktemp('ratings')/'forty', 40)

@pytest.fixture(scope='module')
def index(parts, tmp_path_factory): return index_ratings(parts, tmp_path_factory.mktemp('index')/'out', seed=1)

def tree(folder): return sorted(str(o.relative_to(folder)) for o in folder.rglob('*'))
def rated(index, *parts):
    "The ratings of an index with their ids, sorted"
    pairs,ratings = (np.concatenate(o) for o in zip(*(index.rows(part) for part in parts)))
    user,item,_ = index.names.values()
    df = pd.DataFrame({user: index.users.ids(pairs[:, 0]), item: index.items.ids(pairs[:, 1]), 'rating': ratings})
    return df.sort_values([user, item, 'rating'], ignore_index=True)
def read(index, streams=range(8), bs=80, **kwargs):
    "Batches as rows of user, item, rating"
    return [np.column_stack(o) for o in index.batches(streams, bs, **kwargs)]
def as_set(batches): return sorted(map(tuple, np.concatenate(batches).tolist()))

# --- what is in it

def test_an_index_holds_the_table_and_nothing_else(index, table):
    want = table.sort_values(['user', 'movie'], ignore_index=True)
    pd.testing.assert_frame_equal(rated(index, 'train', 'valid'), want, check_dtype=False)
    assert (index.n_train, index.n_valid) == (3600, 400)
    assert (index.n_users, index.n_items) == (201, 1 + table['movie'].nunique())
    assert index.names==dict(user='user', item='movie', rating='rating') and index.rating_range==(1.0, 5.0)

def test_vocabularies_are_sorted_and_count_training_ratings(index, table):
    train = rated(index, 'train')
    for vocab,column in ((index.users, 'user'), (index.items, 'movie')):
        ids = sorted(table[column].unique())
        assert vocab.to_list()==['#na#', *ids] and vocab.name==column
        want = train[column].value_counts().reindex(ids, fill_value=0)
        assert vocab.counts.tolist()==[0, *want]

def test_the_layout_is_the_one_that_others_may_write(index):
    names = tree(index.path)
    streams = [f'{part}/stream={k}' for part in ('train', 'valid') for k in range(8)]
    files = [f'{o}/part-00000.parquet' for o in streams]
    tables = ['facts.json', 'users.parquet', 'items.parquet', 'train', 'valid']
    assert names==sorted([*tables, *streams, *files])
    types = {name: pq.read_schema(index.path/name).types for name in ('users.parquet', 'items.parquet', files[0])}
    assert [*types.values()]==[
        [pa.int64(), pa.int64()], [pa.large_string(), pa.int64()], [pa.int32(), pa.int32(), pa.float32()]]

@pytest.mark.parametrize('dtype,kind', [('int32', 'int32'), ('uint64', 'uint64'), ('float64', 'int64'),
                                        ('string', 'str'), ('category', 'str'), ('Int16', 'int16')])
def test_ids_come_back_in_their_type(table, tmp_path, dtype, kind):
    text = kind=='str'
    df = table.assign(user=('u' + table['user'].astype(str) if text else table['user']).astype(dtype))
    got = index_ratings(save(df, tmp_path/'in', 3), tmp_path/'out', seed=1)
    want = [*map(str, df['user'].unique())] if text else df['user'].astype(int).unique().tolist()
    assert got.users.to_list()[1:]==sorted(want) and got.facts['dtypes']['user']==kind
    if not text: assert str(got.users.ids(np.array([1])).dtype)==kind

def test_far_apart_ids_and_text_of_all_kinds_find_their_rows(table, tmp_path):
    far = table.assign(user=table['user']*10**15 - 10**17, movie=table['movie'].str.replace('film', 'é\n"😀'))
    got = index_ratings(save(far, tmp_path/'in', 7), tmp_path/'out', seed=1)
    want = far.sort_values(['user', 'movie'], ignore_index=True)
    pd.testing.assert_frame_equal(rated(got, 'train', 'valid'), want, check_dtype=False)

@pytest.mark.parametrize('order', ['one file', 'forty files', 'backwards', 'shuffled'])
def test_the_index_does_not_depend_on_how_the_table_was_cut(index, table, tmp_path, order):
    df = dict(backwards=table[::-1], shuffled=table.sample(frac=1, random_state=0)).get(order, table)
    n = {'one file': 1, 'forty files': 40}.get(order, 6)
    same = index_ratings(save(df, tmp_path/'in', n), tmp_path/'out', seed=1)
    other = index_ratings(tmp_path/'in', tmp_path/'other', seed=2)
    assert same.fingerprint==index.fingerprint!=other.fingerprint

def test_a_changed_rating_changes_the_fingerprint(index, table, tmp_path):
    df = table.copy()
    df.loc[3999, 'rating'] = 1.5 if df.loc[3999, 'rating']!=1.5 else 2.0
    assert index_ratings(save(df, tmp_path/'in', 6), tmp_path/'out', seed=1).fingerprint!=index.fingerprint

def test_files_are_named_in_four_ways(index, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(parts)
    (parts/'notes.txt').touch() # a folder stands for its Parquet files
    ways = ['*.parquet', parts, sorted(parts.glob('part-*')), ['part-0[01].parquet', 'part-*[23].parquet']]
    prints = {index_ratings(way, tmp_path/str(k), seed=1).fingerprint for k,way in enumerate(ways)}
    (parts/'notes.txt').unlink()
    assert prints=={index.fingerprint}

def test_the_share_kept_back(table, parts, tmp_path, monkeypatch):
    none = index_ratings(parts, tmp_path/'none', valid_pct=0, seed=1)
    assert (none.n_train, none.n_valid, none.n_steps(80, 'valid')) == (4000, 0, 0) and not read(none, part='valid')
    monkeypatch.setattr(module, 'most_valid', 90)
    monkeypatch.setattr(module, 'bucket_rows', 500)
    few = index_ratings(parts, tmp_path/'few', seed=1)
    assert (few.n_train, few.n_valid) == (3910, 90)
    # at random: of every tenth of the people about as many
    where = few.rows('valid')[0][:, 0]//20
    assert np.bincount(where, minlength=10)[:10].min()>0
    with pytest.raises(ValueError, match='valid_pct=1e-05 leaves a part empty'):
        index_ratings(parts, tmp_path/'no', valid_pct=1e-5)

def test_progress_is_a_line_a_step(parts, tmp_path):
    lines = []
    index_ratings(parts, tmp_path/'out', progress=lines.append)
    assert len(lines)==6 and lines[0]==f'{parts}/part-00.parquet: 1,000 ratings checked'
    assert lines[-2].startswith('200 users and') and lines[-1]=='dealing 4,000 ratings'

# --- the order

def test_a_table_sorted_by_person_comes_out_shuffled(index):
    users = np.concatenate(read(index))[:, 0]
    same = (users[1:]==users[:-1]).mean()
    ranks = np.corrcoef(np.arange(len(users)), users)[0, 1]
    assert same<0.03 and abs(ranks)<0.06 # sorted: 0.95 and 1

def test_rows_are_dealt_at_random(parts, tmp_path, monkeypatch):
    "Over streams and parts: people and films are spread as chance would spread them"
    monkeypatch.setattr(module, 'part_rows', 100)
    monkeypatch.setattr(module, 'bucket_rows', 600)
    index = index_ratings(parts, tmp_path/'out', valid_pct=0, seed=3)
    files = [o for stream in index.streams['train'] for o in stream.files]
    sizes = [module.read_rows(o).size for o in files]
    assert len(files)==8*5 and sizes==[100]*40
    rows = np.concatenate([module.read_rows(o) for o in files])
    place = np.repeat(np.arange(40), 100)
    for column in ('user', 'item'):
        half = rows[column] > np.median(rows[column])
        seen = np.bincount(place[half], minlength=40)
        chance = 100*half.mean()*(1 - half.mean())
        assert 15 < ((seen - 100*half.mean())**2).sum()/chance < 70 # chi-squared with 40 degrees: 39 ± 9

def test_each_epoch_has_another_order_and_a_seed_repeats_it(index):
    first,again,second,other = (
        read(index, **o) for o in (dict(), dict(), dict(epoch=1), dict(seed=1)))
    assert all(map(np.array_equal, first, again))
    whole = as_set(first)
    assert whole==as_set(second)==as_set(other) and len(whole)==3600
    assert whole==sorted((*map(float, pair), float(y)) for pair,y in zip(*map(np.ndarray.tolist, index.rows('train'))))
    for o in (second, other): assert (first[0]==o[0]).all(1).mean()<0.1

@pytest.mark.parametrize('world', [1, 2, 4, 8])
@pytest.mark.parametrize('bs', [8, 80, 56, 4000, 8000])
def test_any_number_of_processes_sees_the_same_batches(index, world, bs):
    n = 8//world
    shares = [read(index, range(k*n, k*n + n), bs, epoch=2) for k in range(world)]
    joined = [np.concatenate(o) for o in zip(*shares, strict=True)]
    whole = read(index, bs=bs, epoch=2)
    assert len(joined)==len(whole)==index.n_steps(bs)==-(-450//(bs//8))
    assert all(map(np.array_equal, joined, whole)) and {len(o) for o in whole[:-1]} <= {bs}

@pytest.fixture(scope='module')
def in_pieces(parts, tmp_path_factory):
    "An index with thirteen files in each stream"
    with pytest.MonkeyPatch.context() as m:
        m.setattr(module, 'part_rows', 37)
        return index_ratings(parts, tmp_path_factory.mktemp('pieces')/'out', seed=1)

@pytest.mark.parametrize('name', ['index', 'in_pieces'])
@pytest.mark.parametrize('start', [0, 1, 7, 44, 45, 46, 99])
def test_a_start_in_the_middle_goes_on_as_the_whole_run(request, name, start):
    index = request.getfixturevalue(name)
    whole = read(index, [2, 5], epoch=1)
    rest = read(index, [2, 5], epoch=1, start=start)
    assert len(whole)==45 and len(rest)==max(0, 45 - start)
    assert all(map(np.array_equal, rest, whole[start:]))

def test_a_start_reads_no_file_that_it_skips(in_pieces, monkeypatch):
    index = in_pieces
    asked = []
    reading = module.read_rows
    monkeypatch.setattr(module, 'read_rows', lambda path: asked.append(path) or reading(path))
    read(index, [0], start=40)
    assert len(index.streams['train'][0].files)==13 and len(asked)==2

def test_batches_are_typed_and_checked(index):
    users,items,ratings = next(index.batches([0], 8))
    assert [users.dtype, items.dtype, ratings.dtype]==[np.int64, np.int64, np.float32]
    bad = [(dict(bs=81), 'bs must be a multiple of 8'), (dict(bs=0), 'bs must be a whole number'),
           (dict(streams=[8]), 'streams must be different numbers from 0 to 7'), (dict(streams=[1, 1]), 'streams'),
           (dict(streams=[]), 'streams'), (dict(epoch=-1), 'epoch'), (dict(seed=None), 'seed'),
           (dict(start=0.5), 'start'), (dict(part='test'), "part must be 'train' or 'valid'")]
    for kwargs,says in bad:
        with pytest.raises(ValueError, match=says): read(index, **kwargs)
    pairs,ratings = index.rows('valid')
    assert pairs.shape==(400, 2) and [pairs.dtype, ratings.dtype]==[np.int32, np.float32]

# --- an index of another program

def foreign(index, folder, lengths=(5, 0, 1, 9, 5, 5, 5, 5)):
    "The layout as Spark writes it: tables as folders, several files in a stream, streams of other lengths"
    rows = np.concatenate([module.read_rows(o) for o in sorted((index.path/'train').rglob('*.parquet'))])
    ends = np.cumsum(np.multiply(lengths, len(rows)/sum(lengths)).astype(int))
    ends[-1] = len(rows)
    for k,some in enumerate(np.split(rows, ends[:-1])):
        for j,half in enumerate(np.array_split(some, 2)):
            stream = folder/f'train/stream={k}'
            stream.mkdir(parents=True, exist_ok=True)
            (stream/f'.part-{j}.crc').touch()
            module.write_rows(stream/f'part-0000{j}-c0.snappy.parquet', half)
    for name in ('users.parquet', 'items.parquet'):
        whole = pq.read_table(index.path/name)
        (folder/name).mkdir()
        (folder/name/'_SUCCESS').touch()
        pq.write_table(whole[:30], folder/name/'part-00000.parquet')
        pq.write_table(whole[30:], folder/name/'part-00001.parquet')
    (folder/'valid').symlink_to(index.path/'valid')
    return folder

@pytest.fixture
def spark(index, tmp_path): return foreign(index, tmp_path/'spark')

def test_an_index_that_spark_wrote_is_read_like_ours(index, spark):
    got = describe_index(spark, item_name='movie')
    pd.testing.assert_frame_equal(rated(got, 'train', 'valid'), rated(index, 'train', 'valid'))
    assert got.users.counts.tolist()==index.users.counts.tolist() and got.names==index.names
    # the longest stream decides how many steps there are; a finished one gives nothing
    assert got.n_steps(80)==-(-got.streams['train'][3].n_rows//10)==93
    shares = [read(got, [k]) for k in range(8)]
    assert {len(o) for o in shares}=={93} and sum(map(len, shares[1]))==0
    assert as_set([np.concatenate(o) for o in shares])==as_set(read(got))==as_set(read(index))

def change(path, **columns):
    "Writes a table with another column"
    df = pq.read_table(path).to_pandas()
    for name,f in columns.items(): df[name] = f(df[name])
    pq.write_table(pa.Table.from_pandas(df, preserve_index=False), path)

@pytest.mark.parametrize('name,change_it,says', [
    ('train/stream=3/part-00001-c0.snappy.parquet', dict(user=lambda o: o.where(o.index!=4, 201)),
     r"00001-c0.snappy.parquet, row 5, column 'user': got 201, expected numbers from 1 to 200"),
    ('train/stream=3/part-00001-c0.snappy.parquet', dict(item=lambda o: o*0), "row 1, column 'item': got 0"),
    ('train/stream=0/part-00000-c0.snappy.parquet', dict(rating=lambda o: o/0), "column 'rating': got inf"),
    ('users.parquet/part-00001.parquet', dict(count=lambda o: o + 1), r'part-00001.parquet, row 1: the count is'),
    ('users.parquet/part-00001.parquet', dict(id=lambda o: o[::-1].values), 'comes after 200: write different ids'),
    ('items.parquet/part-00000.parquet', dict(id=lambda o: o.where(o.index!=1, o[0])), "1' comes after 'film 1'")])
def test_a_wrong_index_of_another_program_is_refused(spark, name, change_it, says):
    change(spark/name, **change_it)
    with pytest.raises(ValueError, match=says): describe_index(spark)
    assert not (spark/'facts.json').exists()

# --- acceptance 7: what is wrong in part 37 of 40

def with_value(column, value, at=12):
    "The part with one value changed, or a column changed by a function"
    def write(df, path):
        values = value(df[column]) if callable(value) else [value if k==at else o for k,o in enumerate(df[column])]
        cols = {c: pa.array(values if c==column else df[c]) for c in df}
        pq.write_table(pa.table(cols), path)
    return write
def cut(df, path):
    df.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
def spoiled(df, path):
    "A page that can't be read, under a good footer"
    df.to_parquet(path, compression='gzip', index=False)
    data = bytearray(path.read_bytes())
    data[8:500] = bytes(492)
    path.write_bytes(data)

WRONG = {
    'NaN': (with_value('rating', float('nan')), r"row 13, column 'rating': nan isn't a number that float32 can hold"),
    'empty rating': (with_value('rating', None), r"row 13, column 'rating': None stands for a missing value"),
    'infinite': (with_value('rating', float('-inf')), r"row 13, column 'rating': -inf isn't a number"),
    'too large': (with_value('rating', 1e39), r"row 13, column 'rating': 1e\+39 isn't a number that float32"),
    'outside': (with_value('rating', 6.0), r"row 13, column 'rating': 6.0 isn't between 1 and 5. .*rating_range"),
    'several': (with_value('rating', lambda o: [0.0]*100), r'row 1, .*0.0 isn.t between .*\(100 rows near it are'),
    'text': (with_value('rating', lambda o: o.astype(str)), "column 'rating' holds .*string, and ratings are numbers"),
    'nested': (with_value('rating', lambda o: [[x] for x in o]), "column 'rating' holds list<.*, and ratings are"),
    'true or false': (with_value('rating', lambda o: o>3), "column 'rating' holds bool, and ratings are numbers"),
    'a date': (with_value('user', lambda o: pd.to_datetime(o)), "column 'user' holds timestamp.*, and ids are whole"),
    'no id': (with_value('movie', None), r"row 13, column 'movie': None stands for a missing value"),
    'half an id': (with_value('user', 1.5), r"row 13, column 'user': 1.5 isn't a whole number"),
    'NaN as id': (with_value('user', float('nan')), r"row 13, column 'user': nan isn't a whole number"),
    'too large an id': (with_value('user', lambda o: pa.array([2**63 + 5, *o[1:]], 'uint64')), r"row 1, column 'user'"),
    'text for numbers': (with_value('user', lambda o: o.astype(str)), "'user' holds numbers in .*-00.* and text in"),
    'numbers for text': (with_value('movie', lambda o: range(100)), "'movie' holds text in .*part-00.* and numbers in"),
    'nested ids': (with_value('movie', lambda o: [{'a': x} for x in o]), "column 'movie' holds struct<a: .*string>"),
    'bytes': (with_value('movie', lambda o: [x.encode() for x in o]), "column 'movie' holds binary, and ids are"),
    'not UTF-8': (with_value('movie', lambda o: pa.array([b'\xff']*100).view('string')), "text isn't UTF-8. Repair"),
    'row 0': (with_value('movie', '#na#'), r"row 13, column 'movie': '#na#' is the name of row 0 and can't be an id"),
    'missing column': (lambda df, path: df.rename(columns={'rating': 'ratings'}).to_parquet(path),
                       r"has no column 'rating' \(did you mean 'ratings'\?\)"),
    'column twice': (lambda df, path: pq.write_table(pa.table([*map(pa.array, (df.user, df.user, df.movie, df.rating))],
                     ['user', 'user', 'movie', 'rating']), path), "2 columns of .* are called 'user'"),
    'no rows': (lambda df, path: df[:0].to_parquet(path), 'has no rows: leave it out'),
    'no bytes': (lambda df, path: path.write_bytes(b''), "isn't a Parquet file, or a damaged one"),
    'CSV': (lambda df, path: df.to_csv(path), "isn't a Parquet file, or a damaged one"),
    'cut off': (cut, "isn't a Parquet file, or a damaged one"),
    'spoiled': (spoiled, "isn't a Parquet file, or a damaged one"),
}

@pytest.mark.parametrize('case', WRONG)
def test_one_wrong_value_in_part_37_of_40_is_refused_and_nothing_written(table, forty, tmp_path, case):
    write,says = WRONG[case]
    (tmp_path/'in').mkdir()
    for path in forty.iterdir(): (tmp_path/'in'/path.name).symlink_to(path)
    bad = tmp_path/'in'/'part-36.parquet'
    bad.unlink()
    write(table[3600:3700].reset_index(drop=True), bad)
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=says) as e:
        index_ratings(tmp_path/'in', tmp_path/'out', rating_range=(1, 5) if 'float32' not in says else None)
    assert 'part-36.parquet' in str(e.value) and '\n' not in str(e.value) and tree(tmp_path)==before

def test_a_table_that_cannot_be_learned_from_is_refused(table, tmp_path):
    cases = [(dict(user=1), "column 'user' holds one id only"), (dict(movie='m'), "column 'movie' holds one id only"),
             (dict(rating=3.0), 'all 4,000 ratings are 3: there is nothing to learn'),
             (dict(rating=range(10**9, 10**9 + 4000)), "column 'rating', named as the rating, takes 4,000 whole")]
    for k,(columns,says) in enumerate(cases):
        files = save(table.assign(**columns), tmp_path/str(k), 1)
        with pytest.raises(ValueError, match=says): index_ratings(files, tmp_path/'out', duplicates='keep')
    assert not [o for o in tree(tmp_path) if 'out' in o]

def test_columns_are_guessed_or_named(table, tmp_path):
    odd = save(table.set_axis(['userId', 'movieId', 'stars'], axis=1), tmp_path/'known', 2)
    assert index_ratings(odd, tmp_path/'a').names==dict(user='userId', item='movieId', rating='stars')
    odd = save(table.set_axis(['who', 'what', 'how'], axis=1), tmp_path/'unknown', 2)
    with pytest.raises(ValueError, match='part-00.parquet: no column has a name that is known for the user, item or'):
        index_ratings(odd, tmp_path/'b')
    with pytest.raises(ValueError, match=r"has no column 'wo' \(did you mean 'who'\?\)"):
        index_ratings(odd, tmp_path/'b', 'wo', 'what', 'how')
    with pytest.raises(ValueError, match='needs a column of its own'):
        index_ratings(odd, tmp_path/'b', 'who', 'who', 'how')
    assert index_ratings(odd, tmp_path/'b', 'who', 'what', 'how').users.name=='who'

@pytest.mark.parametrize('kwargs,says', [
    (dict(files='none/*.parquet'), "there is no file 'none/.*': give a file, a folder or a pattern"),
    (dict(files=[]), 'files must be a file or several'), (dict(files=5), 'files must be a path, a pattern'),
    (dict(files='.'), "no Parquet file is in '.'"), (dict(rating_range=(5, 1)), 'rating_range must be'),
    (dict(rating_range=(1, float('inf'))), 'rating_range'), (dict(valid_pct=1), 'valid_pct must be'),
    (dict(valid_pct=-.1), 'valid_pct'), (dict(duplicates='mean'), "duplicates must be 'raise' or 'keep'"),
    (dict(n_streams=0), 'n_streams must be'), (dict(seed=-1), 'seed must be'), (dict(user_name=3), 'user_name must be'),
    (dict(engine='spark'), "engine must be 'pyarrow' or 'duckdb'")])
def test_arguments_are_checked(parts, tmp_path, monkeypatch, kwargs, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=says): index_ratings(**dict(files=parts, out='out') | kwargs)
    assert not tree(tmp_path)

def test_a_file_given_twice_is_refused(parts, tmp_path):
    with pytest.raises(ValueError, match='part-03.parquet is given twice: name each file once'):
        index_ratings([parts, parts/'part-03.parquet'], tmp_path/'out')

# --- repeated pairs

@pytest.mark.parametrize('bucket_rows', [2**20, 300])
def test_a_pair_that_comes_again_in_another_part_is_found(table, tmp_path, monkeypatch, bucket_rows):
    monkeypatch.setattr(module, 'bucket_rows', bucket_rows)
    more = table.iloc[[1234]].assign(rating=1.25)
    files = save(pd.concat([table, more]), tmp_path/'in')
    who,what,y = table.iloc[1234]
    says = f'user {who} has rated movie {what!r} more than once, with {min(1.25, y):g} and {max(1.25, y):g}. Merge'
    with pytest.raises(ValueError, match=says): index_ratings(files, tmp_path/'out')
    assert os.listdir(tmp_path)==['in']
    both = index_ratings(files, tmp_path/'out', duplicates='keep', seed=1)
    assert both.n_train + both.n_valid==4001
    assert rated(both, 'train', 'valid').query('user==@who and movie==@what')['rating'].tolist()==sorted([1.25, y])

# --- all or nothing

def test_an_index_that_is_there_is_refused_and_kept(parts, tmp_path):
    (tmp_path/'out').mkdir() # an empty folder will do
    first = index_ratings(parts, tmp_path/'out', seed=1)
    with pytest.raises(ValueError, match=r"out is there already: remove it, give another out, or open it with Rating"):
        index_ratings(parts, tmp_path/'out')
    (tmp_path/'file').touch()
    with pytest.raises(ValueError, match='file is there already: remove it, or give another out$'):
        index_ratings(parts, tmp_path/'file')
    assert RatingsIndex(tmp_path/'out').fingerprint==first.fingerprint and sorted(os.listdir(tmp_path))==['file', 'out']

STEPS = ['as_rows', 'write_rows', 'write_ids', 'write_facts']

@pytest.mark.parametrize('step', STEPS)
def test_a_killed_indexing_leaves_no_index_and_the_next_one_sweeps(index, parts, tmp_path, monkeypatch, step):
    pid = os.fork()
    if not pid:
        setattr(module, step, lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
        index_ratings(parts, tmp_path/'out', seed=1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])==-signal.SIGKILL
    assert os.listdir(tmp_path)==['.out.collab']
    assert index_ratings(parts, tmp_path/'out', seed=1).fingerprint==index.fingerprint
    assert os.listdir(tmp_path)==['out']

@pytest.mark.parametrize('step', STEPS)
@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_an_error_of_the_disk_is_one_sentence_and_leaves_nothing(parts, tmp_path, monkeypatch, step, code):
    def fail(*args, **kwargs): raise OSError(code, os.strerror(code), 'inner')
    monkeypatch.setattr(module, step, fail)
    with pytest.raises(OSError) as e: index_ratings(parts, tmp_path/'out')
    todo = '' if code==errno.EIO else ': make room, or choose another folder'
    assert str(e.value)==f"[Errno {code}] {os.strerror(code)}, so nothing was kept{todo}: '{tmp_path/'out'}'"
    assert e.value.errno==code and not os.listdir(tmp_path)

@pytest.mark.skipif(not Path('/dev/full').exists(), reason='a disk that is always full is a thing of Linux')
@pytest.mark.parametrize('name', ['0.rows', 'part-00000.parquet', 'items.parquet'])
def test_a_disk_that_is_really_full(parts, tmp_path, monkeypatch, name):
    "Through Python's files and through Arrow's writer"
    def full(path, mode):
        return open('/dev/full' if Path(path).name==name else path, mode)
    monkeypatch.setattr(module, 'open', full, raising=False)
    with pytest.raises(OSError, match='No space left on device, so nothing was kept') as e:
        index_ratings(parts, tmp_path/'out')
    assert e.value.errno==errno.ENOSPC and not os.listdir(tmp_path)

def test_ctrl_c_leaves_nothing(parts, tmp_path, monkeypatch):
    def stop(*args, **kwargs): raise KeyboardInterrupt
    monkeypatch.setattr(module, 'write_rows', stop)
    with pytest.raises(KeyboardInterrupt): index_ratings(parts, tmp_path/'out')
    assert not os.listdir(tmp_path)

def test_two_programs_do_not_write_the_same_index(index, parts, tmp_path):
    with module.written_aside(tmp_path/'out') as folder:
        (folder/'mine').touch()
        with pytest.raises(ValueError, match='another program writes .*out just now: wait for it, or give another out'):
            index_ratings(parts, tmp_path/'out')
        other = index_ratings(parts, tmp_path/'other', seed=1)
    assert tree(tmp_path/'out')==['mine'] and other.fingerprint==index.fingerprint

def rewrite(path, **facts): path.write_text(json.dumps(json.loads(path.read_text()) | facts))

@pytest.mark.parametrize('spoil,says', [
    (lambda o: (o/'facts.json').unlink(), "isn't an index of ratings, or only the beginning of one"),
    (lambda o: (o/'facts.json').write_text('{'), "doesn't say what an index of ratings says"),
    (lambda o: (o/'facts.json').write_text('[]'), "doesn't say what an index of ratings says"),
    (lambda o: (o/'facts.json').write_text((o/'facts.json').read_text().replace('"n_train": 3600', '"n_train": 3601')),
     'facts.json was changed after it was written: index the table anew'),
    (lambda o: rewrite(o/'facts.json', version=2), 'is an index of version 2, and this library reads version 1'),
    (lambda o: (o/'train/stream=3/part-00000.parquet').unlink(), 'train holds 3,150 ratings instead of 3,600'),
    (lambda o: (o/'train/stream=3/part-00000.parquet').write_bytes(b'PAR1'), "isn't a Parquet file, or a damaged one"),
    (lambda o: (o/'users.parquet').write_bytes(b'PAR1'), "users.parquet isn't a Parquet file, or a damaged one")])
def test_a_spoiled_index_is_refused(parts, tmp_path, spoil, says):
    index_ratings(parts, tmp_path/'out', seed=1)
    spoil(tmp_path/'out')
    with pytest.raises(ValueError, match=says):
        index = RatingsIndex(tmp_path/'out')
        assert next(index.batches([3], 8)) and index.users

# --- memory, and ids beyond it

def test_memory_follows_a_bucket_and_not_the_table(tmp_path, monkeypatch):
    "Sixteen buckets' worth of ratings take hardly more than four"
    for name in ('batch_rows', 'bucket_rows'): monkeypatch.setattr(module, name, 2**13)
    monkeypatch.setattr(module, 'part_rows', 2**10)
    peaks = []
    for n in (2**15, 2**17):
        at = np.arange(n)
        df = pd.DataFrame(dict(user=at//64, item=at%64, rating=(at%5).astype('float32')))
        save(df, tmp_path/f'in{n}', 4)
        tracemalloc.start()
        index = index_ratings(tmp_path/f'in{n}', tmp_path/f'out{n}', seed=1)
        for _ in index.batches(range(8), 1024): pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.25*peaks[0] < 2**17*12 # bytes of all rows

def test_duckdb_makes_the_same_index(index, parts, table, tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'duckdb_memory', '200MB')
    same = index_ratings(parts, tmp_path/'out', seed=1, engine='duckdb')
    assert same.fingerprint==index.fingerprint and tree(same.path)==tree(index.path)
    assert all((same.path/o).read_bytes()==(index.path/o).read_bytes() for o in tree(index.path) if '.' in o)
    odd = table.assign(user=table['user'].astype(float)*10**12, movie=table['movie'].astype('category'))
    files = save(odd.set_axis(['a "b"', "c'd", 'stars'], axis=1), tmp_path/"it's", 3)
    both = [index_ratings(files, tmp_path/o, 'a "b"', "c'd", seed=1, engine=o) for o in ('duckdb', 'pyarrow')]
    assert both[0].fingerprint==both[1].fingerprint
    with pytest.raises(ValueError, match='more than once'):
        index_ratings(save(pd.concat([table, table[:1]]), tmp_path/'twice', 2), tmp_path/'no', engine='duckdb')
    assert not (tmp_path/'no').exists()

def test_duckdb_that_is_missing_is_one_sentence(parts, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'duckdb', None)
    with pytest.raises(ValueError, match="engine='duckdb' needs DuckDB, which is missing: run `make distributed`"):
        index_ratings(parts, tmp_path/'out', engine='duckdb')
    assert not os.listdir(tmp_path)
