"Bad input, a table of it: what goes wrong, and the words that say so"
import errno, io, json, os, re, uuid
from decimal import Decimal
from pathlib import Path

import numpy as np, pandas as pd, pyarrow as pa, pytest, torch
from safetensors.numpy import save as st_save
from collab_course import bundle as bundles
from collab_course.bundle import BundleError
from collab_course.command_line import main
from collab_course.create_params import DotProductBias
from collab_course.loaders import RatingsDataLoaders
from collab_course.tables import planted_ratings
from collab_course.recommender import Recommender
from collab_course.served import NetworkTables
from test_bundle import file_of, forge, reseal, split

def table():
    "Forty people and thirty things, with ids that are text and ratings from 0 to 10"
    df = planted_ratings(40, 30, 600, n_factors=2, mean=5, rating_range=(0, 10), step=0.5, seed=1).ratings
    return pd.DataFrame(dict(who=[f'p{u:02}' for u in df.user], what=[f't{i:02}' for i in df.movie], mark=df.rating,
                             name=[f'Thing {i} ☃' for i in df.movie]))

def names(**kw): return dict(user_name='who', item_name='what', rating_name='mark', seed=0, progress=False, **kw)

def changed(column, value, row=3):
    "The table with one value changed"
    df = table()
    df[column] = df[column].astype(object)
    df.loc[row, column] = value
    return df.infer_objects() if column=='mark' and not isinstance(value, str) else df

def columns(**new): return table().assign(**new)

# ---- a table that cannot be learned from: what is passed to fit, the error, its words ----

FIT = {
    'a list instead of a table': (lambda: [['p1', 't1', 3]], {}, TypeError, 'must be a pandas DataFrame, not list'),
    'no rows': (lambda: table()[:0], {}, ValueError, 'has no rows'),
    'a column that is not there': (table, dict(item_name='waht'), ValueError, "no column 'waht'.*did you mean 'what'"),
    'one column for two things': (table, dict(item_name='who'), ValueError, 'needs a column of its own'),
    'two columns of one name': (lambda: table().set_axis(['who', 'what', 'mark', 'who'], axis=1), {}, ValueError,
                                "2 columns are called 'who'"),
    'a person without an id': (lambda: changed('who', None), {}, ValueError, "column 'who' has no id in 1 of 600 rows"),
    'an item without an id': (lambda: changed('what', np.nan), {}, ValueError,
                              "column 'what' has no id in 1 of 600 rows"),
    'ids of two types': (lambda: changed('who', 7), {}, ValueError, "column 'who' mixes ids of the types"),
    'ids that cannot be hashed': (lambda: columns(what=[[i] for i in table().what]), {}, ValueError,
                                  "column 'what' holds ids that cannot be hashed"),
    'an id called #na#': (lambda: changed('who', '#na#'), {}, ValueError, "'#na#' is the name of row 0"),
    'one person only': (lambda: table()[lambda d: d.who=='p01'], {}, ValueError,
                        "column 'who' holds one id only, 'p01'"),
    'one item only': (lambda: table()[lambda d: d.what=='t01'], {}, ValueError,
                      "column 'what' holds one id only, 't01'"),
    'no rating': (lambda: changed('mark', np.nan), {}, ValueError, "column 'mark' has no rating in 1 of 600 rows"),
    'an infinite rating': (lambda: changed('mark', np.inf), {}, ValueError, "column 'mark' is infinite"),
    'a rating beyond float32': (lambda: changed('mark', 1e39), {}, ValueError,
                                "column 'mark' is infinite, or too large"),
    'a rating in words': (lambda: changed('mark', 'good'), {}, ValueError, "column 'mark' is not numeric"),
    'complex ratings': (lambda: columns(mark=table().mark+1j), {}, ValueError,
                        "column 'mark' is not numeric.*np.real"),
    'a rating that is no number for Python': (lambda: changed('mark', Decimal('sNaN')), {}, ValueError,
                                              "column 'mark' has no rating in 1 of 600 rows"),
    'no rating at all': (lambda: columns(mark=np.nan), {}, ValueError, '600 of 600 rows.*name another one'),
    'no columns': (lambda: pd.DataFrame(index=range(9)), {}, ValueError, 'has no columns'),
    'dates as ids': (lambda: columns(who=pd.to_datetime(table().who.str[1:].astype(int), unit='D')), {}, ValueError,
                     "column 'who' holds ids such as Timestamp.*convert the column"),
    'pairs as ids': (lambda: columns(who=[(o, 1) for o in table().who]), {}, ValueError,
                     r"column 'who' holds ids such as \('p.*convert the column"),
    'a column without a name in text': (lambda: table().rename(columns={'who': 0}), dict(user_name=0), ValueError,
                                        "the column 0 has a name that isn't text"),
    'a rating outside the range given': (table, dict(rating_range=(1, 5)), ValueError,
                                         "column 'mark' is not between 1 and 5"),
    'a range the wrong way round': (table, dict(rating_range=(10, 0)), ValueError,
                                    r'rating_range must be \(lowest, highest\)'),
    'one rating, always the same': (lambda: columns(mark=7.), dict(feedback='stars'), ValueError,
                                    'all 600 ratings are 7: there is nothing to learn from'),
    'ids where ratings should be': (lambda: columns(mark=np.arange(600)), {}, ValueError,
                                    "column 'mark', named as the rating, takes 600 whole values"),
    'a pair rated twice': (lambda: pd.concat([table(), table()[:2]]), {}, ValueError,
                           r"2 rows repeat a pair of \['who', 'what'\]"),
    'an unknown way with pairs rated twice': (table, dict(duplicates='sum'), ValueError,
                                              "duplicates must be .*not 'sum'"),
    'two rows': (lambda: pd.DataFrame(dict(who=['a', 'b'], what=['x', 'y'], mark=[1., 2.])), {}, ValueError, 'rows'),
    'a share of 100 %': (table, dict(valid_pct=1.), ValueError, 'valid_pct'),
    'minus one factor': (table, dict(n_factors=-1), ValueError, 'n_factors must be a whole number.*not -1'),
    'half an epoch': (table, dict(n_epoch=.5), ValueError, 'n_epoch must be a whole number.*not 0.5'),
    'a batch of nothing': (table, dict(bs=0), ValueError, 'bs must be a whole number.*not 0'),
    'a learning rate of nan': (table, dict(lr=float('nan')), ValueError, 'lr must be a number.*not nan'),
    'a decay below zero': (table, dict(wd=-1.), ValueError, 'wd must be a number.*not -1'),
    'a seed in words': (table, dict(seed='lucky'), (ValueError, TypeError), "seed.*'lucky'"),
    'titles from a column that is not there': (table, dict(titles='nmae'), ValueError,
                                               "no column 'nmae'.*did you mean 'name'"),
    'titles for other items': (table, dict(titles={'x': 'X'}), ValueError,
                               "titles has none of the ids of 'what', such as 't01'"),
    'titles that are numbers': (table, dict(titles={'t01': 7}), TypeError, 'titles must be text, not 7'),
}

@pytest.mark.parametrize('case', FIT)
def test_fit_refuses(case):
    make,kw,error,words = FIT[case]
    with pytest.raises(error, match='(?s)'+words): Recommender.fit(make(), **{**names(), **kw})

# ---- what looks odd and is taken, with the plain table that it stands for ----

TAKE = {
    'categories': (lambda df: df.astype({'who': 'category', 'what': 'category'}), lambda df: df),
    'yes and no': (lambda df: df.assign(mark=df.mark>5), lambda df: df.assign(mark=(df.mark>5).astype(float))),
    'decimals': (lambda df: df.assign(mark=[Decimal(str(y)) for y in df.mark]), lambda df: df),
    'a list of dicts': (lambda df: df.to_dict('records'), lambda df: df),
    'a dict of columns': (lambda df: df.to_dict('list'), lambda df: df),
    'an Arrow table': (pa.Table.from_pandas, lambda df: df),
    'UUIDs': (lambda df: df.assign(who=df.who.map(uuid_of)), lambda df: df.assign(who=df.who.map(uuid_of).map(str))),
}

def uuid_of(text): return uuid.UUID(int=int(text[1:]))

@pytest.mark.filterwarnings('ignore:.*no better than biases')
@pytest.mark.parametrize('case', TAKE)
def test_fit_takes(case):
    odd,plain = TAKE[case]
    settings = names(n_factors=1, n_epoch=1, valid_pct=0)
    a,b = Recommender.fit(odd(table()), **settings),Recommender.fit(plain(table()), **settings)
    assert a.classes==b.classes
    pd.testing.assert_frame_equal(a.recommend_all(3), b.recommend_all(3))

# ---- questions to a trained Recommender that have no answer ----

@pytest.fixture(scope='module')
def rec():
    settings = names(model='dot_product', n_factors=4, n_epoch=1, rating_range=(0, 10))
    return Recommender.fit(table(), titles='name', **settings)

def pair(who='p01', what='t01'): return pd.DataFrame(dict(who=[who], what=[what]))
def rated(**changes):
    return pd.DataFrame({**dict(who=['new']*3, what=['t01', 't02', 't03'], mark=[9., 2., 5.]), **changes})

ASK = {
    'a stranger': (lambda r: r.recommend('p41'), ValueError, "there is no who 'p41'.*the nearest are 'p4"),
    'a stranger among pairs': (lambda r: r.predict(pair('P01 ')), ValueError,
                               "there is no who 'P01 '.*nearest are 'p01'"),
    'an unknown item': (lambda r: r.predict(pair(what='t99')), ValueError, "there is no what 't99'"),
    'a number where ids are text': (lambda r: r.recommend(1), ValueError, '1 is a whole number and the ids are text'),
    'a float where ids are text': (lambda r: r.recommend(1.5), ValueError, '1.5 is float and the ids are text'),
    'true as an id': (lambda r: r.similar(True), ValueError, 'True is bool and the ids are text'),
    'bytes as an id': (lambda r: r.recommend(b'p01'), ValueError, "b'p01' is bytes and the ids are text"),
    'a date as an id': (lambda r: r.recommend(pd.Timestamp('2020-01-01')), ValueError,
                        'Timestamp and the ids are text'),
    'no id at all': (lambda r: r.recommend(None), ValueError, 'user must be an id, not None'),
    'a pair without an id': (lambda r: r.predict(pair(who=None)), ValueError, "column 'who' has no id in 1 of 1 rows"),
    'a list as an id': (lambda r: r.recommend(['p01', 'p02']), (ValueError, TypeError),
                        "user must be one id, not .*: recommend_all.users=…. takes several"),
    'row 0 by its name': (lambda r: r.recommend('#na#'), ValueError, "there is no who '#na#'"),
    'an id as long as a book': (lambda r: r.recommend('p'*100_000), ValueError, "^.{,1000}$"),
    'an id in another script': (lambda r: r.similar('☃'), ValueError, "there is no what '☃'"),
    'pairs without a column': (lambda r: r.predict(pair().drop(columns='what')), ValueError, "no column 'what'"),
    'pairs that are predicted already': (lambda r: r.predict(pair().assign(prediction=1)), ValueError,
                                         "'prediction' already"),
    'pairs that are no table': (lambda r: r.predict(7), TypeError,
                                "pairs must be a DataFrame or a list of dicts, such as .*'who': …, 'what': ….*, not 7"),
    'no recommendations': (lambda r: r.recommend('p01', n=0), ValueError,
                           'n must be a whole number, at least 1, not 0'),
    'ten in words': (lambda r: r.recommend('p01', n='ten'), ValueError, "n must be a whole number.*not 'ten'"),
    'a list of what is allowed with a gap': (lambda r: r.recommend('p01', allowed=['t01', None]), ValueError,
                                             'allowed holds 1 missing ids: drop them'),
    'one id for all that is allowed': (lambda r: r.recommend('p01', allowed='t01'), TypeError,
                                       "allowed must be a collection of ids, not 't01'"),
    'a function that answers too little': (lambda r: r.recommend('p01', allowed=lambda items: [True]), ValueError,
                                         'True or False for each of the 30 rows'),
    'another way with strangers': (lambda r: r.recommend('p01', on_unknown='guess'), ValueError,
                                   "on_unknown must be .*not 'guess'"),
    'another way to measure': (lambda r: r.similar('t01', by='manhattan'), ValueError, "by must be .*not 'manhattan'"),
    'a newcomer without ratings': (lambda r: r.fold_in({}), ValueError, 'there are no ratings'),
    'a newcomer who is known': (lambda r: r.fold_in(rated(who='p01')), ValueError, "who 'p01' is known already"),
    'a newcomer with an unknown item': (lambda r: r.fold_in({'t99': 5.}), ValueError, "there is no what 't99'"),
    'a newcomer beyond the range': (lambda r: r.fold_in({'t01': 11.}), ValueError,
                                    "column 'mark' is not between 0.* and 10"),
    'a newcomer without a number': (lambda r: r.fold_in({'t01': float('nan')}), ValueError,
                                    "column 'mark' has no rating"),
    'a newcomer who rates twice': (lambda r: r.fold_in(rated(what='t01')), ValueError, 'repeat a pair'),
    'a newcomer of another type': (lambda r: r.fold_in(rated(who=7)), ValueError, 'another type'),
    'an explanation for a stranger': (lambda r: r.explain('x', 't01'), ValueError, "there is no who 'x'"),
    'an explanation by stars': (lambda r: r.explain('p01', 't01', by='stars'), ValueError,
                                "by must be 'ratings' or 'factors'"),
    'an evaluation without ratings': (lambda r: r.evaluate(pair()), ValueError, "no column 'mark'"),
    'an evaluation beyond the range': (lambda r: r.evaluate(rated(mark=50.)), ValueError,
                                       "column 'mark' is not between"),
    'a model instead of a learner': (lambda r: Recommender(r.model), TypeError, 'pass a Learner, not DotProductBias'),
}

@pytest.mark.parametrize('case', ASK)
def test_questions_are_refused(case, rec):
    ask,error,words = ASK[case]
    with pytest.raises(error, match=re.compile(words, re.S)): ask(rec)

# ---- bundles that are not what was saved: the file, damaged or exchanged ----

@pytest.fixture
def saved(rec, tmp_path): return rec.save(tmp_path/'model')

def rewrite(change): return lambda path: path.write_bytes(change(path.read_bytes()))
def write(data): return lambda path: path.write_bytes(data)
def numbers_of(path): return split(path.read_bytes())[1]

def instead(make):
    "Something else under the name of the bundle"
    def change(path):
        path.unlink()
        make(path)
    return change

def link(path):
    path.rename(path.parent/'elsewhere')
    path.symlink_to(path.parent/'elsewhere')

def cut(n): return lambda path: os.truncate(path, n if n>=0 else path.stat().st_size + n)
def first_edition(path):
    path.mkdir()
    (path/'bundle.json').write_text('{"format": "collab_course bundle"}')

def swapped(path):
    "The numbers of another model behind the header that we know"
    numbers = np.random.default_rng(0).bytes(len(numbers_of(path)))
    path.write_bytes(path.read_bytes()[:-len(numbers)] + numbers)

def no_numbers(path): os.truncate(path, path.stat().st_size - len(numbers_of(path)))

def pickled():
    "What `torch.save` writes"
    torch.save({}, file := io.BytesIO())
    return file.getvalue()

FILE = {
    'no file': (Path.unlink, 'does not exist: name a file that was saved'),
    'an empty file': (cut(0), "isn't a bundle, or only the beginning of one: copy the bundle again, or save it anew"),
    'an empty folder': (instead(Path.mkdir), 'is a folder, and a bundle is a file: name a file'),
    'a bundle of the first edition': (instead(first_edition),
                                      'is a bundle of the first edition.*train the model again'),
    'a link': (link, 'is a link, a pipe or a device: name an ordinary file'),
    'a link that leads nowhere': (instead(lambda path: path.symlink_to('nowhere')), 'is a link'),
    'a link to a device': (instead(lambda path: path.symlink_to('/dev/zero')), 'is a link'),
    'a pipe': (instead(os.mkfifo), 'is a link, a pipe or a device'),
    'a pickle': (write(pickled()), "isn't a bundle"),
    'a text': (write(b'dear diary, '*100), "isn't a bundle"),
    'weights of somebody else': (write(st_save(dict(w=np.ones(3)))),
                                 "isn't a bundle: name a file that this library has"),
    'half a header': (cut(200), "isn't a bundle, or only the beginning of one"),
    'no weights': (no_numbers, r'is truncated, 0 of [\d,]+ bytes are there'),
    'half the weights': (cut(-1000), 'is truncated'),
    'more than the weights': (rewrite(lambda data: data + b'!'), 'is longer than it was, by 1 bytes'),
    'one bit of the weights': (rewrite(lambda data: data[:-1] + bytes([data[-1] ^ 1])), 'was altered, its SHA-256'),
    'one bit of the seal': (rewrite(lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:]), 'was altered'),
    'one letter of the ids': (rewrite(lambda data: data.replace(b'p01', b'p10', 1)), 'was altered, its SHA-256'),
    'one digit of the settings': (rewrite(lambda data: data.replace(b'"n_train\\": 600', b'"n_train\\": 599', 1)),
                                  'was altered, its SHA-256'),
    'one type of the header': (rewrite(lambda data: data.replace(b'"F32"', b'"I32"', 1)), 'was altered, its SHA-256'),
    "another model's weights": (swapped, 'was altered, its SHA-256'),
}

# ---- the header, changed by somebody who can seal a file ----

def about(**changes):
    "Another word about the bundle; None: without it"
    def change(entries):
        told = {**entries['__metadata__'], **changes}
        entries['__metadata__'] = {name: word for name,word in told.items() if word is not None}
    return lambda path: forge(path, change)

def entry(name, **changes): return lambda path: forge(path, lambda entries: entries[name].update(changes))
def only(**entry): return lambda path: forge(path, lambda entries: dict(__metadata__=entries['__metadata__'], w=entry))

def as_text(change):
    "The header changed as text, in ways that a dict cannot have"
    def forged(path): forge(path, lambda entries: change(json.dumps(entries, separators=(',', ':'))).encode())
    return forged

def other_name(path):
    "The seal at its place, but called otherwise"
    def change(entries):
        told = entries['__metadata__']
        entries['__metadata__'] = {'sealed' if name=='sha256' else name: word for name,word in told.items()}
    forge(path, change)

def ten_terabytes(path):
    "A last array that is claimed to go on for ever"
    def change(entries):
        name = list(entries)[-1]
        start = entries[name]['data_offsets'][0]
        entries[name].update(shape=[10**13], dtype='U8', data_offsets=[start, start + 10**13])
    forge(path, change)

NOT_OURS = "was altered, its header isn't one that this library writes"
HEADER = {
    'a bundle of another format': (about(format='zip'), "isn't a bundle: name a file that this library has saved"),
    'a bundle without a format': (about(format=None), "isn't a bundle"),
    'nothing about itself': (lambda path: forge(path, lambda entries: entries.pop('__metadata__') and None),
                             "isn't a bundle"),
    'a bundle of tomorrow': (about(format_version='3'), "format version '3', and 2 can be read: upgrade collab_course"),
    'a bundle of yesterday': (about(format_version='1'), "format version '1'"),
    'a version that is a number': (about(format_version=2), 'format version 2'),
    'nothing about the library': (about(library=None), NOT_OURS),
    'a library that is a number': (about(library=3), NOT_OURS),
    'more about itself': (about(bytes='1'), NOT_OURS),
    'a seal of another name': (other_name, NOT_OURS),
    'no settings': (about(meta=None), NOT_OURS),
    'settings that are no text': (about(meta={}), NOT_OURS),
    'settings that are no JSON': (about(meta="{'kind': 1}"), NOT_OURS),
    'settings that are a list': (about(meta='[]'), ', meta is of type list: it must be a dict'),
    'settings with NaN': (about(meta='{"n_train": NaN}'), ", meta.* is nan, which JSON would change"),
    'settings without a bottom': (about(meta='['*100_000 + ']'*100_000), NOT_OURS),
    'a header that claims a lot': (only(dtype='F32', shape=[2**60], data_offsets=[0, 2**62]), 'is truncated'),
    'a shape below zero': (only(dtype='F32', shape=[-1, -2], data_offsets=[0, 8]), NOT_OURS),
    'a shape in words': (only(dtype='F32', shape='many', data_offsets=[0, 8]), NOT_OURS),
    'bytes outside the file': (only(dtype='F32', shape=[2], data_offsets=[2**40, 2**40 + 8]), NOT_OURS),
    'bytes of another array': (entry('mean.item', data_offsets=[0, 20]), NOT_OURS),
    'a type that there is not': (entry('mean.item', dtype='pickle'), NOT_OURS),
    'a type that is half as long': (entry('history.ratings', dtype='U8'), NOT_OURS),
    'code beside an array': (entry('mean.item', code='print(1)'), NOT_OURS),
    'an array twice': (as_text(lambda text: text[:-1] + text[text.index(',"model.user_f'):]), NOT_OURS),
    'a space more': (as_text(lambda text: text.replace('"dtype":', '"dtype": ', 1)), NOT_OURS),
    'a header that is no JSON': (as_text(lambda text: text[:-9]), "isn't a bundle"),
    'a file of ten terabytes': (ten_terabytes, r'is truncated, [\d,]+ of 10,000,000'),
    'a pickle in place of the weights': (lambda path: forge(path, numbers=pickled()), 'is truncated|is longer'),
    'weights of another size': (lambda path: forge(path, numbers=bytes(100)), 'is truncated, 100 of'),
    'no header, but a seal': (lambda path: path.write_bytes(reseal(file_of(b' '*200, bytes(8)))), "isn't a bundle"),
}

# ---- the contents, changed and saved anew ----

def tampered(change):
    "Saved again with other contents, all hashes right"
    def act(path):
        arrays,meta = bundles.load_bundle(path)
        change(arrays, meta)
        bundles.save_bundle(path, arrays, meta)
    return act

def put(name, value):
    "Another array or setting, or one changed by a function"
    def change(arrays, meta):
        where = arrays if name in arrays or isinstance(value, np.ndarray) else meta
        where[name] = value(where[name].copy()) if callable(value) else value
    return tampered(change)

def gone(name): return tampered(lambda arrays, meta: (arrays if name in arrays else meta).pop(name))
def number(at, value):
    "One number of an array changed"
    def change(array):
        array.flat[at] = value
        return array
    return change

def listed(side, values):
    "Other ids or titles, as `save` would keep them; a function changes the list"
    def change(arrays, meta):
        new = values(bundles.unpack_ids(side, arrays)) if callable(values) else values
        for name in [name for name in arrays if name.split('.')[0]==side]: del arrays[name]
        arrays.update(bundles.pack_ids(side, new) if isinstance(new, list) else {side: new})
    return tampered(change)

def reported(**report): return put('report', lambda old: old | report)
def without(array): return array[:-1]
def doubles(array): return array.astype(np.float64)

KIND = 'does not hold a Recommender'
VERSION = 'its version cannot be right'
ENTRIES = 'its entries are not those of a Recommender'
ARRAYS = 'its arrays are not those of a Recommender'
COLUMNS = 'its columns cannot be right'
DTYPES = 'its dtypes cannot be right'
N_TRAIN = 'its n_train cannot be right'
RANGE = 'its rating_range cannot be right'
Y_RANGE = r'y_range must be \[lowest, highest\] or nothing, not '
OUTSIDE = 'its history has ids outside the tables'
HALF = "hold half characters, which aren't text"

CONTENTS = {
    'a bundle of something else': (lambda path: bundles.save_bundle(path, {}, {'kind': 'soup'}), KIND),
    'another kind': (put('kind', 'soup'), KIND),
    'a kind that is a list': (put('kind', ['recommender']), KIND),
    'no kind': (gone('kind'), KIND),
    'a Recommender of tomorrow': (put('version', 5), 'it has version 5, and this library reads up to 4: update it'),
    'a Recommender of the far future': (put('version', 10**400), 'it has version 1000.*update it'),
    'a Recommender of yesterday': (put('version', 1), VERSION),
    'a version that is true': (put('version', True), VERSION),
    'a version in words': (put('version', '2'), VERSION),
    'no version': (gone('version'), VERSION),
    'an entry too few': (gone('report'), ENTRIES + r": \['report'\]"),
    'an entry more': (put('code', 'print(1)'), ENTRIES + r": \['code'\]"),
    'an entry of a long name': (put('x'*10_000, 1), ENTRIES),
    'two columns': (put('columns', ['who', 'what']), COLUMNS),
    'a column twice': (put('columns', ['who', 'who', 'mark']), COLUMNS),
    'a column that is a number': (put('columns', ['who', 2, 'mark']), COLUMNS),
    'columns that are a text': (put('columns', 'who'), COLUMNS),
    'a column called score': (put('columns', ['who', 'score', 'mark']), "a column of ids cannot be called 'score'"),
    'ratings called title': (put('columns', ['who', 'what', 'title']), "column of ratings cannot be called 'title'"),
    'ids called title beside titles': (put('columns', ['title', 'what', 'mark']), 'a column of ids is called title'),
    'one dtype': (put('dtypes', [None]), DTYPES),
    'a dtype that is not kept': (put('dtypes', ['object', None]), DTYPES),
    'a dtype that is a list': (put('dtypes', [['int8'], None]), DTYPES),
    'dtypes that are a text': (put('dtypes', 'ab'), DTYPES),
    'no training rows': (put('n_train', 0), N_TRAIN),
    'half a training row': (put('n_train', 5.5), N_TRAIN),
    'training rows that are true': (put('n_train', True), N_TRAIN),
    'more training rows than there are': (put('n_train', 601), 'it claims more training rows than it has'),
    'no rating range': (put('rating_range', None), RANGE),
    'a rating range upside down': (put('rating_range', [10., 0.]), RANGE),
    'a rating range of whole numbers': (put('rating_range', [0, 10]), RANGE),
    'a rating range beyond float32': (put('rating_range', [0., 1e39]), RANGE),
    'ratings outside the rating range': (put('rating_range', [0., 3.]),
                                         'its history has ratings outside its rating_range'),
    'a report that is a list': (put('report', []), 'its report cannot be right'),
    'a report in words': (reported(valid_rmse='good'), r"its report cannot be right, \['valid_rmse'\] must be numbers"),
    'a report of half a measure': (put('report', dict(valid_rmse=1., refit=True)), "'baseline_rmse', 'n_valid'"),
    'a report of nobody knows what': (put('report', dict(valid_rmse=1.)), "doesn't say whether it was trained twice"),
    'newcomers in words': (reported(n_added='many'), r"\['n_added'\] must be numbers"),
    'factors without end': (reported(n_factors=10**400), r"\['n_factors'\] must be numbers"),
    'a model of another kind': (put('model', 'network'), 'the arrays are not those of such a model'),
    'a model that runs': (put('model', 'pickle'), "can't serve a model of kind 'pickle'"),
    'a model that is a list': (put('model', ['dot product']), "can't serve a model of kind"),
    'a model as long as a book': (put('model', 'x'*100_000), "can't serve a model of kind 'xxx"),
    'a dot product with layers': (put('layers', ['linear']), 'a dot product has no layers'),
    'layers that are a text': (put('layers', 'linear'), "layers must be a list of names, not 'linear'"),
    'a range upside down': (put('y_range', [11.25, -2.5]), Y_RANGE + r'\[11.25, -2.5\]'),
    'an empty range': (put('y_range', [5., 5.]), Y_RANGE),
    'half a range': (put('y_range', [5.]), Y_RANGE),
    'a range of whole numbers': (put('y_range', [0, 10]), Y_RANGE),
    'a range in words': (put('y_range', 'none'), Y_RANGE),
    'a range beyond float32': (put('y_range', [0., 1e39]), Y_RANGE),
    'an id too few': (listed('users', without), OUTSIDE),
    'an id too many': (listed('users', lambda ids: [*ids, 'x']),
                       r'user_factors must have the shape \(42, None\), not \(41'),
    'an item too many': (listed('items', lambda ids: [*ids, 'x']),
                         r'item_factors must have the shape \(32, 4\), not \(31'),
    'an id twice': (listed('users', lambda ids: [*ids[:-1], ids[1]]), "column 'who' has the id 'p02' twice"),
    'an item twice': (listed('items', lambda ids: [*ids[:-1], ids[1]]), "column 'what' has the id 't02' twice"),
    'an id called #na#': (listed('users', lambda ids: [*ids[:-1], '#na#']), "'#na#' is the name of row 0"),
    'half a character as an id': (listed('users', lambda ids: [*ids[:-1], '\ud800']), 'its users ' + HALF),
    'no ids': (listed('users', []), "its users aren't ids"),
    'ids that are NaN': (listed('users', np.full(40, np.nan)), "column 'who' has the id nan twice"),
    'one id that is NaN': (listed('users', np.append(np.arange(39.), np.nan)), "its users aren't ids"),
    'ids without end': (listed('items', np.append(np.arange(29.), np.inf)), "its items aren't ids"),
    'ids that are true': (listed('users', np.ones(40, bool)), 'users is neither numbers nor text'),
    'ids in a square': (listed('users', np.ones((2, 20))), 'users is neither numbers nor text'),
    'ids of two kinds': (put('users', np.arange(40)), ARRAYS),
    'ids with gaps': (put('users.none', np.zeros(40, bool)), ARRAYS + r": \['users.none'\]"),
    'no ends of ids': (gone('users.ends'), ARRAYS + r": \['users.ends'\]"),
    'no text of ids': (gone('items.text'), ARRAYS + r": \['items.text'\]"),
    'an end too few': (put('users.ends', without), 'users is neither numbers nor text'),
    'a letter too few': (put('users.text', without), 'users is neither numbers nor text'),
    'an end beyond the text': (put('users.ends', number(0, 10**6)), 'users is neither numbers nor text'),
    'an end before the text': (put('users.ends', number(0, -1)), 'users is neither numbers nor text'),
    'ends of another type': (put('users.ends', lambda ends: ends.astype(np.int32)),
                             'users is neither numbers nor text'),
    'a letter that is none': (put('users.text', number(0, 255)), "users holds text that isn't UTF-8"),
    'a title too few': (listed('titles', without), 'it has other titles than items'),
    'half a character as a title': (listed('titles', lambda titles: [*titles[:-1], '\ud800']), 'its titles ' + HALF),
    'titles that are numbers': (listed('titles', list(range(30))), ARRAYS + r": \['titles'\]"),
    'no ends of titles': (gone('titles.ends'), ARRAYS + r": \['titles.ends'\]"),
    'no text of titles': (gone('titles.text'), ARRAYS + r": \['titles.ends'\]"),
    'gaps that are numbers': (put('titles.none', np.zeros(30)), 'titles is neither numbers nor text'),
    'a gap too few': (put('titles.none', np.zeros(29, bool)), 'titles is neither numbers nor text'),
    'a name that leads elsewhere': (put('../../etc/passwd', np.ones(1)), ARRAYS + r": \['../../etc/passwd'\]"),
    'an array of the model more': (put('model.code', np.ones(1)), r"not those of such a model: \['code'\]"),
    'a mean more': (put('mean.code', np.ones(1)), ARRAYS + r": \['mean.code'\]"),
    'an array of the model less': (gone('model.user_bias'), r"not those of such a model: \['user_bias'\]"),
    'no model': (tampered(lambda arrays, meta: [arrays.pop(name) for name in [*arrays] if name[:5]=='model']),
                 'the arrays are not those of such a model'),
    'no history': (gone('history.rows'), ARRAYS + r": \['history.rows'\]"),
    'no mean': (gone('mean.user'), ARRAYS + r": \['mean.user'\]"),
    'a row too few': (put('model.item_factors', without), r'item_factors must have the shape \(31, 4\), not \(30, 4\)'),
    'a factor too few': (put('model.user_factors', lambda table: table[:,:-1]),
                         r'item_factors must have the shape \(31, 3\)'),
    'a row for a table': (put('model.user_factors', lambda table: table[0]),
                          r'must have the shape \(41, None\), not \(4,\)'),
    'a table of a third dimension': (put('model.user_factors', lambda table: table[...,None]), r'not \(41, 4, 1\)'),
    'a bias as a column': (put('model.item_bias', lambda bias: bias[:,None]), r'item_bias must have the shape \(31,\)'),
    'weights of another precision': (put('model.item_bias', doubles), 'item_bias must hold float32, not float64'),
    'weights that are whole numbers': (put('model.user_bias', lambda bias: bias.astype(np.int32)),
                                       'float32, not int32'),
    'weights that are no numbers': (put('model.item_factors', lambda table: table*np.nan), 'item_factors holds NaN'),
    'one weight that is no number': (put('model.user_bias', number(3, np.nan)), 'user_bias holds NaN'),
    'a weight without end': (put('model.user_factors', number(0, np.inf)), 'user_factors holds NaN or infinite'),
    'a mean without end': (put('mean.user', number(0, np.inf)), 'its mean rows cannot be right'),
    'a mean that is too short': (put('mean.item', without), 'its mean rows cannot be right'),
    'a mean of another precision': (put('mean.item', doubles), 'its mean rows cannot be right'),
    'a mean that is one number': (put('mean.user', np.array(3, np.float32)), 'its mean rows cannot be right'),
    'ratings of nobody': (put('history.rows', lambda rows: rows + 1000), OUTSIDE),
    'a rating of row 0': (put('history.rows', number(0, 0)), OUTSIDE),
    'a rating of a row below 0': (put('history.rows', number(0, -1)), OUTSIDE),
    'a rating of an item that is not there': (put('history.rows', number(1, 31)), OUTSIDE),
    'rows of another type': (put('history.rows', lambda rows: rows.astype(np.int64)), 'its history cannot be right'),
    'rows of one column': (put('history.rows', lambda rows: rows[:,:1]), 'its history cannot be right'),
    'rows in a line': (put('history.rows', np.ravel), 'its history cannot be right'),
    'a rating too few': (put('history.ratings', without), 'its history has other rows than ratings'),
    'ratings of another precision': (put('history.ratings', doubles), 'its history has other rows than ratings'),
    'a rating that is no number': (put('history.ratings', number(0, np.nan)),
                                   'its history holds NaN or infinite ratings'),
}

BUNDLE = FILE | HEADER | CONTENTS

def refused(path, words):
    "Loading ends with one short sentence that names the file"
    with pytest.raises(BundleError, match='(?s)'+words) as e: Recommender.load(path)
    assert str(path) in str(e.value) and '\n' not in str(e.value) and len(str(e.value))<1000

@pytest.mark.parametrize('case', BUNDLE)
def test_a_bundle_is_refused(case, saved):
    change,words = BUNDLE[case]
    change(saved)
    refused(saved, words)

# ---- the same for a network: its layers, and the tables that feed them ----

@pytest.fixture(scope='module')
def network(rec):
    "A network that nobody trained, for the same people and things"
    draw = np.random.default_rng(0).normal
    layers = [(draw(size=(4, 5)), draw(size=4)), 'relu', (draw(size=(1, 4)), draw(size=1))]
    served = NetworkTables(draw(size=(41, 3)), draw(size=(31, 2)), layers, (0, 10))
    parts = (rec.users_vocab, rec.items_vocab, rec.history, 'mark', rec.titles, rec.rating_range)
    return Recommender.from_parts(served, *parts)

def no_width(arrays, meta):
    "A layer of no numbers between two others"
    arrays.update({'model.layers.0.weight': np.zeros((0, 5), np.float32),
                   'model.layers.0.bias': np.zeros(0, np.float32),
                   'model.layers.2.weight': np.zeros((1, 0), np.float32)})

def no_inputs(arrays, meta):
    "Rows of no numbers"
    for side in ('user', 'item'):
        arrays[f'model.{side}_rows'] = arrays[f'model.{side}_rows'][:,:0]
        arrays[f'mean.{side}'] = arrays[f'mean.{side}'][:0]
    arrays['model.layers.0.weight'] = arrays['model.layers.0.weight'][:,:0]

MODEL = 'the arrays are not those of such a model'
NETWORK = {
    'no layers': (put('layers', []), MODEL),
    'nothing about layers': (put('layers', None), 'layers must be a list of names, not None'),
    'a layer too few': (put('layers', ['linear', 'relu']), MODEL),
    'a layer that runs': (put('layers', ['linear', 'eval', 'linear']), "not 'eval'"),
    'an activation first': (put('layers', ['relu', 'linear', 'linear']), MODEL),
    'activations alone': (put('layers', ['relu']), MODEL),
    'a linear layer more': (put('layers', ['linear']*3), MODEL),
    'a list in the list': (put('layers', [['linear']]), 'layers must be a list of names'),
    'a network that claims to be a dot product': (put('model', 'dot product'), 'a dot product has no layers'),
    'tables of a dot product': (tampered(lambda arrays, meta: meta.update(model='dot product', layers=[])), MODEL),
    'an input too few': (put('model.layers.0.weight', lambda weight: weight[:,:-1]), 'does not fit 5 inputs'),
    'two outputs': (put('model.layers.2.weight', lambda weight: np.concatenate([weight, weight])),
                    'does not fit 4 inputs'),
    'a bias that is one number': (put('model.layers.2.bias', lambda bias: bias.reshape(())),
                                  'bias must have the shape'),
    'a bias too short': (put('model.layers.0.bias', without), 'does not fit 5 inputs'),
    'no bias': (gone('model.layers.2.bias'), MODEL),
    'a weight in a line': (put('model.layers.0.weight', np.ravel), r'weight must have the shape \(None, None\)'),
    'narrow rows': (put('model.user_rows', lambda rows: rows[:,:2]), 'does not fit 4 inputs'),
    'one row': (put('model.user_rows', lambda rows: rows[0]), 'user_rows must have the shape'),
    'rows too few': (put('model.item_rows', without), r'item_rows must have the shape \(31, None\), not \(30, 2\)'),
    'a layer of no numbers': (tampered(no_width), r'shapes \(0, 5\) and \(0,\) does not fit 5 inputs'),
    'rows of no numbers': (tampered(no_inputs), r'shapes \(4, 0\) and \(4,\) does not fit 0 inputs'),
    'a layer of another precision': (put('model.layers.0.weight', doubles), 'must hold float32, not float64'),
    'a layer that is no number': (put('model.layers.0.weight', number(0, np.nan)), 'layers.0.weight holds NaN'),
    'rows without end': (put('model.item_rows', number(0, np.inf)), 'item_rows holds NaN or infinite'),
    'a mean of the other side': (put('mean.user', lambda row: row[:2]), 'its mean rows cannot be right'),
    'a range upside down': (put('y_range', [10., 0.]), Y_RANGE),
}

@pytest.mark.parametrize('case', NETWORK)
def test_a_bundle_of_a_network_is_refused(case, network, tmp_path):
    change,words = NETWORK[case]
    change(path := network.save(tmp_path/'model'))
    refused(path, words)

def test_what_is_refused_is_the_change_alone(rec, network, tmp_path):
    "The same tools, without a change: a bundle is taken apart and sealed anew, and answers as before"
    for model in (rec, network):
        path = model.save(tmp_path/'model')
        before = path.read_bytes()
        tampered(lambda arrays, meta: None)(path)
        assert path.read_bytes()==before
        forge(path, lambda entries: None)
        assert path.read_bytes()==before
        pd.testing.assert_frame_equal(answers(path), model.recommend_all(3))

@pytest.mark.parametrize('case', HEADER | CONTENTS)
def test_the_program_refuses_such_a_bundle_too(case, saved, capsys):
    change,words = BUNDLE[case]
    change(saved)
    capsys.readouterr()
    assert main(['info', str(saved)])==1
    out,err = capsys.readouterr()
    assert out=='' and err.startswith('collab-course: ') and len(err.splitlines())==1 and str(saved) in err

# ---- saving that does not end well ----

def answers(path): return Recommender.load(path).recommend_all(3)

@pytest.fixture
def newer(rec):
    "The same people and things, other weights"
    settings = names(model='dot_product', n_factors=4, n_epoch=1, rating_range=(0, 10)) | {'seed': 1}
    return Recommender.fit(table(), titles='name', **settings)

@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_or_broken_disk_leaves_the_old_bundle(saved, newer, monkeypatch, code):
    before,files,data = answers(saved),sorted(os.listdir(saved.parent)),saved.read_bytes()
    def full(fd, data): raise OSError(code, os.strerror(code))
    with monkeypatch.context() as m:
        m.setattr(os, 'write', full)
        with pytest.raises(OSError, match=re.escape(os.strerror(code))+'.*the bundle that is there, if any, is whole'):
            newer.save(saved)
    assert sorted(os.listdir(saved.parent))==files and saved.read_bytes()==data
    pd.testing.assert_frame_equal(answers(saved), before)

def test_killed_while_saving(saved, newer):
    "A child that is killed at its k-th call of the file system, for every k: old or new, nothing else"
    old,seen = answers(saved),set()
    new = newer.recommend_all(3)
    for k in range(1000):
        pid = os.fork()
        if pid==0: _save_and_die(newer, saved, k)
        died = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        now = answers(saved)
        seen.add('new' if now.equals(new) else 'old' if now.equals(old) else 'mixture')
        if died==0: break
    assert seen=={'old', 'new'} and 8<k<999

def _save_and_die(rec, path, k):
    "Save, but end the process without a word at call number k"
    calls = iter(range(k))
    def counted(f):
        def call(*args, **kw):
            if next(calls, None) is None: os._exit(9)
            return f(*args, **kw)
        return call
    for name in ('open', 'write', 'fsync', 'replace', 'unlink', 'close'): setattr(os, name, counted(getattr(os, name)))
    try: rec.save(path)
    finally: os._exit(0)

def diary(path):
    path.mkdir()
    (path/'diary.txt').write_text('mine')

def bundle_of_tomorrow(path):
    bundles.save_bundle(path, {}, {})
    about(format_version='3')(path)

def link_to_a_bundle(path): path.symlink_to(bundles.save_bundle(path.parent/'other', {}, {}))

FORBIDDEN = {
    'a file': (lambda path: path.write_text('my diary'), "since it isn't a bundle"),
    'an empty file': (Path.touch, "since it isn't a bundle"),
    'weights of somebody else': (write(st_save(dict(w=np.ones(3)))), "since it isn't a bundle"),
    'half a bundle': (lambda path: cut(-1)(bundles.save_bundle(path, dict(w=np.ones(3)), {})), 'since it is truncated'),
    'a bundle of tomorrow': (bundle_of_tomorrow, "since it has format version '3'"),
    'an empty folder': (Path.mkdir, 'since it is a folder, and a bundle is a file'),
    'a folder with other things': (diary, 'since it is a folder, and a bundle is a file'),
    'a bundle of the first edition': (first_edition, 'since it is a bundle of the first edition'),
    'a link to a bundle': (link_to_a_bundle, 'since it is a link, a pipe or a device'),
    'a pipe': (os.mkfifo, 'since it is a link, a pipe or a device'),
}

def everything(folder):
    "Names below a folder, with what identifies each and what it holds"
    paths = sorted(folder.rglob('*'))
    data = [path.read_bytes() if path.is_file() else None for path in paths]
    return [(path, os.lstat(path).st_ino, os.lstat(path).st_mtime_ns, held) for path,held in zip(paths, data)]

@pytest.mark.parametrize('case', FORBIDDEN)
def test_nothing_is_saved_over_what_is_not_ours(case, rec, tmp_path):
    make,words = FORBIDDEN[case]
    make(path := tmp_path/'x')
    before = everything(tmp_path)
    with pytest.raises(BundleError, match=re.escape(f'{path} is in the way, {words}')+'.*: save under another name$'):
        rec.save(path)
    assert everything(tmp_path)==before

@pytest.mark.parametrize('ids', [pd.date_range('2020-01-01', periods=40), [(i, i) for i in range(40)]],
                         ids=['dates', 'pairs'])
def test_ids_that_a_bundle_cannot_keep(ids, tmp_path):
    "A model that `fit` has not made may have them, but not save them"
    ids = list(ids)
    df = table().assign(who=[ids[int(u[1:])-1] for u in table().who])
    dls = RatingsDataLoaders.from_df(df, 'who', 'what', 'mark', seed=0, device='cpu')
    rec = Recommender.from_model(DotProductBias(dls.n_users, dls.n_items, 1), dls)
    with pytest.raises(ValueError, match="column 'who' holds ids such as .*convert the column"): rec.save(tmp_path/'m')
    assert not (tmp_path/'m').exists()

# ---- what is typed: the file or the arguments, the exit code, the words ----

CSV = table().to_csv(index=False)

def typed(*args, file=None, name='r.csv'): return args,file,name

COMMANDS = {
    'an unknown command': (typed('train'), 2, "there is no command 'train'"),
    'no folder to save in': (typed('fit', 'r.csv'), 2, '--out'),
    'no such file': (typed('fit', 'rr.csv', '--out', 'm', file=CSV), 1,
                     "there is no file rr.csv.*did you mean 'r.csv'"),
    'an empty file': (typed('fit', 'r.csv', '--out', 'm', file=''), 1, 'r.csv is empty'),
    'a header alone': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\n'), 1,
                       'has a header line and no rows'),
    'columns of unknown names': (typed('fit', 'r.csv', '--out', 'm', file=CSV), 1,
                                 'no column has a name that is known for the user.*--user'),
    'a column that is not there': (typed('fit', 'r.csv', '--user', 'hwo', '--item', 'what', '--rating', 'mark', '--out',
                                         'm', file=CSV), 1, "no column 'hwo'.*did you mean 'who'"),
    'one column for two things': (typed('fit', 'r.csv', '--user', 'who', '--item', 'who', '--rating', 'mark', '--out',
                                        'm', file=CSV), 1, 'need a column each'),
    'latin-1': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\nJosé,x,3\n'.encode('latin-1')), 1,
                'is not utf-8: byte 0xe9 at position 20, in line 2.*--encoding'),
    'an encoding that there is not': (typed('fit', 'r.csv', '--encoding', 'utf-9', '--out', 'm', file=CSV), 1,
                                      "no encoding 'utf-9'"),
    'a line with a field too many': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\na,x,3\na,y,4,5\n'), 1,
                                     'r.csv, line 3: 4 fields where the first line has 3'),
    'a quotation mark left open': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\na,"x,3\nb,y,4\n'), 1,
                                   'quotation mark'),
    'a rating in words': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\na,x,3\nb,y,good\n'), 1,
                          "r.csv, line 3, column 'rating': 'good' isn't a number"),
    'no rating': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\na,x,3\nb,y,\n'), 1,
                  "line 3, column 'rating': there is no rating"),
    'no id': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\n,x,3\nb,y,4\n'), 1,
              "line 2, column 'user': there is no id"),
    'half a gzip file': (typed('fit', 'r.csv.gz', '--out', 'm', file=b'\x1f\x8b\x08\x00' + b'\0'*20, name='r.csv.gz'),
                         1, 'cannot be unpacked as gzip'),
    'half a Parquet file': (typed('fit', 'r.parquet', '--out', 'm', file=b'PAR1' + b'\0'*50, name='r.parquet'), 1,
                            'damaged Parquet file'),
    'a pickle': (typed('fit', 'r.pkl', '--out', 'm', file=b'\x80\x04\x95\x00', name='r.pkl'), 1, 'r.pkl is a pickle'),
    'a web page': (typed('fit', 'r.csv', '--out', 'm', file='<!DOCTYPE html><html>'), 1, 'r.csv is a web page'),
    'pairs rated twice': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\n' + 'a,x,3\nb,y,4\n'*5), 1,
                          'repeat a pair.*--duplicates'),
    'an id called #na#': (typed('fit', 'r.csv', '--out', 'm',
                                file='user,item,rating\n' + ''.join(f'#na#,x{i},{i%5}\nb,x{i},4\n' for i in range(20))),
                                1, '#na#.*row 0'),
    'a folder as the file': (typed('fit', '.', '--out', 'm'), 1, 'is a folder, not a file'),
    'half an epoch': (typed('fit', 'r.csv', '--epochs', '0.5', '--out', 'm', file=CSV), 2,
                      "'0.5' isn't a whole number"),
    'a model that is not there': (typed('recommend', 'm', '--user', '1'), 1, 'there is no file m'),
    'a folder that is no model': (typed('recommend', '.', '--user', '1'), 1,
                                  'is a folder: name the file that .collab-course fit. has written'),
    'nobody to recommend to': (typed('recommend', 'm'), 2, '--user --all'),
    'no recommendations': (typed('recommend', 'm', '--user', '1', '-n', '0'), 2,
                           "'0' isn't a whole number of at least 1"),
    'two forms at once': (typed('recommend', 'm', '--all', '--csv', '--json'), 2, 'not allowed with'),
    'data that there is not': (typed('fetch', 'ml-1t'), 2, 'invalid choice'),
}

@pytest.mark.parametrize('case', COMMANDS)
def test_a_command_is_refused(case, tmp_path, monkeypatch, capsys):
    (args,file,name),code,words = COMMANDS[case]
    monkeypatch.chdir(tmp_path)
    if file is not None: Path(name).write_bytes(file if isinstance(file, bytes) else file.encode())
    assert main(list(args))==code
    out,err = capsys.readouterr()
    assert out=='' and 'Traceback' not in err and re.search(words, err, re.S)
    assert not Path('m').exists()

def test_the_table_is_long_enough():
    assert len(FIT) + len(ASK) + len(BUNDLE) + len(NETWORK) + len(FORBIDDEN) + len(COMMANDS) >= 300
