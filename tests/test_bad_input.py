"Bad input, a table of it: what goes wrong, and the words that say so"
import errno, json, os, re, struct
from pathlib import Path

import numpy as np, pandas as pd, pytest, torch
from collab_course import bundle as bundles
from collab_course.bundle import BundleError
from collab_course.command_line import main
from collab_course.tables import planted_ratings
from collab_course.recommender import Recommender

def table():
    "Forty people and thirty things, with ids that are text and ratings from 0 to 10"
    df = planted_ratings(40, 30, 600, n_factors=2, mean=5, rating_range=(0, 10), step=0.5, seed=1).ratings
    return pd.DataFrame(dict(who=[f'p{u:02}' for u in df.user], what=[f't{i:02}' for i in df.movie], mark=df.rating, name=[f'Thing {i} ☃' for i in df.movie]))

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
    'two columns of one name': (lambda: table().set_axis(['who', 'what', 'mark', 'who'], axis=1), {}, ValueError, "2 columns are called 'who'"),
    'a person without an id': (lambda: changed('who', None), {}, ValueError, "column 'who' has no id in 1 of 600 rows"),
    'an item without an id': (lambda: changed('what', np.nan), {}, ValueError, "column 'what' has no id in 1 of 600 rows"),
    'ids of two types': (lambda: changed('who', 7), {}, ValueError, "column 'who' mixes ids of the types"),
    'ids that cannot be hashed': (lambda: columns(what=[[i] for i in table().what]), {}, ValueError, "column 'what' holds ids that cannot be hashed"),
    'ids as categories': (lambda: columns(who=table().who.astype('category')), {}, ValueError, "column 'who' is categorical"),
    'an id called #na#': (lambda: changed('who', '#na#'), {}, ValueError, "'#na#' is the name of row 0"),
    'one person only': (lambda: table()[lambda d: d.who=='p01'], {}, ValueError, "column 'who' holds one id only, 'p01'"),
    'one item only': (lambda: table()[lambda d: d.what=='t01'], {}, ValueError, "column 'what' holds one id only, 't01'"),
    'no rating': (lambda: changed('mark', np.nan), {}, ValueError, "column 'mark' has no rating in 1 of 600 rows"),
    'an infinite rating': (lambda: changed('mark', np.inf), {}, ValueError, "column 'mark' is infinite"),
    'a rating beyond float32': (lambda: changed('mark', 1e39), {}, ValueError, "column 'mark' is infinite, or too large"),
    'a rating in words': (lambda: changed('mark', 'good'), {}, ValueError, "column 'mark' is not numeric"),
    'ratings that are yes and no': (lambda: columns(mark=table().mark>5), {}, ValueError, "column 'mark' is not numeric"),
    'complex ratings': (lambda: columns(mark=table().mark+1j), {}, ValueError, "column 'mark' is not numeric"),
    'a rating outside the range given': (table, dict(rating_range=(1, 5)), ValueError, "column 'mark' is not between 1 and 5"),
    'a range the wrong way round': (table, dict(rating_range=(10, 0)), ValueError, r'rating_range must be \(lowest, highest\)'),
    'one rating, always the same': (lambda: columns(mark=7.), {}, ValueError, 'all 600 ratings are 7: there is nothing to learn from'),
    'ids where ratings should be': (lambda: columns(mark=np.arange(600)), {}, ValueError, "column 'mark', named as the rating, takes 600 whole values"),
    'a pair rated twice': (lambda: pd.concat([table(), table()[:2]]), {}, ValueError, r"2 rows repeat a pair of \['who', 'what'\]"),
    'an unknown way with pairs rated twice': (table, dict(duplicates='sum'), ValueError, "duplicates must be .*not 'sum'"),
    'two rows': (lambda: pd.DataFrame(dict(who=['a', 'b'], what=['x', 'y'], mark=[1., 2.])), {}, ValueError, 'rows'),
    'a share of 100 %': (table, dict(valid_pct=1.), ValueError, 'valid_pct'),
    'minus one factor': (table, dict(n_factors=-1), ValueError, 'n_factors must be a whole number.*not -1'),
    'half an epoch': (table, dict(n_epoch=.5), ValueError, 'n_epoch must be a whole number.*not 0.5'),
    'a batch of nothing': (table, dict(bs=0), ValueError, 'bs must be a whole number.*not 0'),
    'a learning rate of nan': (table, dict(lr=float('nan')), ValueError, 'lr must be a number.*not nan'),
    'a decay below zero': (table, dict(wd=-1.), ValueError, 'wd must be a number.*not -1'),
    'a seed in words': (table, dict(seed='lucky'), (ValueError, TypeError), "seed.*'lucky'"),
    'titles from a column that is not there': (table, dict(titles='nmae'), ValueError, "no column 'nmae'.*did you mean 'name'"),
    'titles for other items': (table, dict(titles={'x': 'X'}), ValueError, "titles has none of the ids of 'what', such as 't01'"),
    'titles that are numbers': (table, dict(titles={'t01': 7}), TypeError, 'titles must be text, not 7'),
}

@pytest.mark.parametrize('case', FIT)
def test_fit_refuses(case):
    make,kw,error,words = FIT[case]
    with pytest.raises(error, match='(?s)'+words): Recommender.fit(make(), **{**names(), **kw})

# ---- questions to a trained Recommender that have no answer ----

@pytest.fixture(scope='module')
def rec(): return Recommender.fit(table(), titles='name', **names(n_factors=4, n_epoch=1, rating_range=(0, 10)))

def pair(who='p01', what='t01'): return pd.DataFrame(dict(who=[who], what=[what]))
def rated(**changes): return pd.DataFrame({**dict(who=['new']*3, what=['t01', 't02', 't03'], mark=[9., 2., 5.]), **changes})

ASK = {
    'a stranger': (lambda r: r.recommend('p41'), ValueError, "there is no who 'p41'.*the nearest are 'p4"),
    'a stranger among pairs': (lambda r: r.predict(pair('P01 ')), ValueError, "there is no who 'P01 '.*nearest are 'p01'"),
    'an unknown item': (lambda r: r.predict(pair(what='t99')), ValueError, "there is no what 't99'"),
    'a number where ids are text': (lambda r: r.recommend(1), ValueError, '1 is a whole number and the ids are text'),
    'a float where ids are text': (lambda r: r.recommend(1.5), ValueError, '1.5 is float and the ids are text'),
    'true as an id': (lambda r: r.similar(True), ValueError, 'True is bool and the ids are text'),
    'bytes as an id': (lambda r: r.recommend(b'p01'), ValueError, "b'p01' is bytes and the ids are text"),
    'a date as an id': (lambda r: r.recommend(pd.Timestamp('2020-01-01')), ValueError, 'Timestamp and the ids are text'),
    'no id at all': (lambda r: r.recommend(None), ValueError, "column 'who' has no id in 1 of 1 rows"),
    'a pair without an id': (lambda r: r.predict(pair(who=None)), ValueError, "column 'who' has no id in 1 of 1 rows"),
    'a list as an id': (lambda r: r.recommend(['p01', 'p02']), (ValueError, TypeError), "'who' holds what cannot be an id"),
    'row 0 by its name': (lambda r: r.recommend('#na#'), ValueError, "there is no who '#na#'"),
    'an id as long as a book': (lambda r: r.recommend('p'*100_000), ValueError, "^.{,1000}$"),
    'an id in another script': (lambda r: r.similar('☃'), ValueError, "there is no what '☃'"),
    'pairs without a column': (lambda r: r.predict(pair().drop(columns='what')), ValueError, "no column 'what'"),
    'pairs that are predicted already': (lambda r: r.predict(pair().assign(prediction=1)), ValueError, "'prediction' already"),
    'pairs that are no table': (lambda r: r.predict(7), TypeError, 'pass a DataFrame.*not int'),
    'no recommendations': (lambda r: r.recommend('p01', n=0), ValueError, 'n must be a whole number, at least 1, not 0'),
    'ten in words': (lambda r: r.recommend('p01', n='ten'), ValueError, "n must be a whole number.*not 'ten'"),
    'a filter of unknown ids': (lambda r: r.recommend('p01', filter=['t01', 'x']), ValueError, "there is no what 'x'"),
    'a filter that is one id': (lambda r: r.recommend('p01', filter='t01'), TypeError, "filter must be a collection of ids, not 't01'"),
    'a filter that answers too little': (lambda r: r.recommend('p01', filter=lambda items: [True]), ValueError, 'True or False for each of the 30 rows'),
    'another way with strangers': (lambda r: r.recommend('p01', on_unknown='guess'), ValueError, "on_unknown must be .*not 'guess'"),
    'another way to measure': (lambda r: r.similar('t01', by='manhattan'), ValueError, "by must be .*not 'manhattan'"),
    'a newcomer without ratings': (lambda r: r.fold_in({}), ValueError, 'there are no ratings'),
    'a newcomer who is known': (lambda r: r.fold_in(rated(who='p01')), ValueError, "who 'p01' is known already"),
    'a newcomer with an unknown item': (lambda r: r.fold_in({'t99': 5.}), ValueError, "there is no what 't99'"),
    'a newcomer beyond the range': (lambda r: r.fold_in({'t01': 11.}), ValueError, "column 'mark' is not between 0.* and 10"),
    'a newcomer without a number': (lambda r: r.fold_in({'t01': float('nan')}), ValueError, "column 'mark' has no rating"),
    'a newcomer who rates twice': (lambda r: r.fold_in(rated(what='t01')), ValueError, 'repeat a pair'),
    'a newcomer of another type': (lambda r: r.fold_in(rated(who=7)), ValueError, 'another type'),
    'an explanation for a stranger': (lambda r: r.explain('x', 't01'), ValueError, "there is no who 'x'"),
    'an explanation by stars': (lambda r: r.explain('p01', 't01', by='stars'), ValueError, "by must be 'ratings' or 'factors'"),
    'an evaluation without ratings': (lambda r: r.evaluate(pair()), ValueError, "no column 'mark'"),
    'an evaluation beyond the range': (lambda r: r.evaluate(rated(mark=50.)), ValueError, "column 'mark' is not between"),
    'a model instead of a learner': (lambda r: Recommender(r.model), TypeError, 'pass a Learner, not DotProductBias'),
}

@pytest.mark.parametrize('case', ASK)
def test_questions_are_refused(case, rec):
    ask,error,words = ASK[case]
    with pytest.raises(error, match=re.compile(words, re.S)): ask(rec)

# ---- bundles that are not what was saved ----

@pytest.fixture
def saved(rec, tmp_path): return rec.save(tmp_path/'model')

def part(folder, kind): return next(folder.glob(f'{kind}-*'))
def rewrite(file, change): file.write_bytes(change(file.read_bytes()))
def edited(folder, change):
    "A manifest that was changed and sealed anew"
    m = json.loads((folder/'bundle.json').read_text())
    m.pop('seal')
    change(m)
    (folder/'bundle.json').write_text(json.dumps(dict(m, seal=bundles._seal(m))))

def lying_header(folder):
    "Weights whose header claims 2**60 numbers, with hash and size to match"
    header = json.dumps({'model.user_factors': dict(dtype='F32', shape=[2**60], data_offsets=[0, 2**62])}).encode()
    data = struct.pack('<Q', len(header)) + header
    new = bundles._describe('weights', data)
    (folder/new['name']).write_bytes(data)
    edited(folder, lambda m: m['files'].update(weights=new))

def swapped(folder):
    "The weights of another model, under the name that the manifest knows"
    torch.manual_seed(0)
    bundles.save_bundle(folder.parent/'other', {'model.user_factors': torch.randn(5, 5)}, {})
    part(folder, 'weights').write_bytes(part(folder.parent/'other', 'weights').read_bytes())

def tampered(**changes):
    "Saved again with other contents, all hashes right"
    def change(folder):
        tensors,meta = bundles.load_bundle(folder)
        tensors.update({k: f(tensors[k]) for k,f in changes.pop('tensors', {}).items()})
        meta.update({k: f(meta[k]) for k,f in changes.items()})
        bundles.save_bundle(folder, tensors, meta)
    return change

def link(folder):
    target = part(folder, 'weights').rename(folder.parent/'elsewhere')
    (folder/bundles._file_name('weights', json.loads((folder/'bundle.json').read_text())['files']['weights']['sha256'])).symlink_to(target)

BUNDLE = {
    'no folder': (lambda d: d.rename(d.parent/'gone'), 'does not exist'),
    'an empty folder': (lambda d: [o.unlink() for o in d.iterdir()], 'is empty|there is no bundle.json or anything else'),
    'no manifest': (lambda d: (d/'bundle.json').unlink(), 'no bundle.json'),
    'half a manifest': (lambda d: rewrite(d/'bundle.json', lambda b: b[:len(b)//2]), 'bundle.json is not the JSON that we write'),
    'a manifest of something else': (lambda d: (d/'bundle.json').write_text('{"format": "zip"}'), "its format is 'zip'"),
    'a manifest of tomorrow': (lambda d: edited(d, lambda m: m.update(format_version=2)), 'format version 2.*upgrade'),
    'a changed manifest': (lambda d: rewrite(d/'bundle.json', lambda b: b.replace(b'"F', b'"G').replace(b'float32', b'float64', 1)), 'altered'),
    'no weights': (lambda d: part(d, 'weights').unlink(), 'is missing'),
    'half the weights': (lambda d: rewrite(part(d, 'weights'), lambda b: b[:len(b)//2]), 'is truncated'),
    'more than the weights': (lambda d: rewrite(part(d, 'weights'), lambda b: b + b'!'), 'is longer than it was'),
    'one bit of the weights': (lambda d: rewrite(part(d, 'weights'), lambda b: b[:-1] + bytes([b[-1]^1])), 'was altered'),
    'one letter of the ids': (lambda d: rewrite(part(d, 'meta'), lambda b: b.replace(b'p01', b'p10', 1)), 'was altered'),
    "another model's weights": (swapped, 'truncated|longer|altered'),
    'a header that claims a lot': (lying_header, 'impossible shape|claims (the )?bytes'),
    'a file of ten terabytes': (lambda d: edited(d, lambda m: m['files']['weights'].update(bytes=10**13)), 'is truncated'),
    'a name that leads elsewhere': (lambda d: edited(d, lambda m: m['files']['weights'].update(name='../../etc/passwd')), "names '../../etc/passwd' as weights"),
    'a link': (link, 'is a link'),
    'a pickle in place of the weights': (lambda d: torch.save({}, part(d, 'weights')), 'truncated|longer|altered'),
    'a bundle of something else': (lambda d: bundles.save_bundle(d, {}, {'kind': 'soup'}), 'does not hold a Recommender'),
    'a Recommender of tomorrow': (tampered(version=lambda v: v+1), 'version 2'),
    'an id too few': (tampered(users=lambda v: v[:-1]), 'shape'),
    'an id twice': (tampered(users=lambda v: [*v[:-1], v[1]]), 'users'),
    'weights that are no numbers': (tampered(tensors={'model.item_factors': lambda t: t*float('nan')}), 'item_factors holds NaN'),
    'weights of another precision': (tampered(tensors={'model.item_bias': lambda t: t.double()}), 'item_bias holds torch.float64'),
    'ratings of nobody': (tampered(tensors={'history.rows': lambda t: t + 1000}), 'history has ids outside the tables'),
    'a range upside down': (tampered(y_range=lambda r: r[::-1]), 'y_range'),
}

@pytest.mark.parametrize('case', BUNDLE)
def test_a_bundle_is_refused(case, saved):
    change,words = BUNDLE[case]
    change(saved)
    with pytest.raises(BundleError, match='(?s)'+words): Recommender.load(saved)

# ---- saving that does not end well ----

def answers(path): return Recommender.load(path).recommend_all(3)

@pytest.fixture
def newer(rec):
    "The same people and things, other weights"
    return Recommender.fit(table(), titles='name', **{**names(n_factors=4, n_epoch=1, rating_range=(0, 10)), 'seed': 1})

@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_or_broken_disk_leaves_the_old_bundle(saved, newer, monkeypatch, code):
    before,files = answers(saved),sorted(os.listdir(saved))
    def full(fd, data): raise OSError(code, os.strerror(code))
    with monkeypatch.context() as m:
        m.setattr(os, 'write', full)
        with pytest.raises(OSError, match=re.escape(os.strerror(code))+'.*the bundle that is there, if any, is whole'): newer.save(saved)
    assert sorted(os.listdir(saved))==files
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

FORBIDDEN = {
    'a file': (lambda p: p.write_text('my diary'), OSError, '(?i)a file.*folder'),
    'a folder with other things': (lambda p: (p.mkdir(), (p/'diary.txt').write_text('mine')), BundleError, "holds 'diary.txt' and no bundle"),
}

@pytest.mark.parametrize('case', FORBIDDEN)
def test_nothing_is_saved_over_what_is_not_ours(case, rec, tmp_path):
    make,error,words = FORBIDDEN[case]
    make(path := tmp_path/'x')
    before = path.read_text() if path.is_file() else sorted(os.listdir(path))
    with pytest.raises(error, match=words): rec.save(path)
    assert before == (path.read_text() if path.is_file() else sorted(os.listdir(path)))

@pytest.mark.parametrize('ids', [pd.date_range('2020-01-01', periods=40), [(i, i) for i in range(40)]], ids=['dates', 'pairs'])
def test_ids_that_a_bundle_cannot_keep(ids, tmp_path):
    ids = list(ids)
    df = table().assign(who=[ids[int(u[1:])-1] for u in table().who])
    rec = Recommender.fit(df, **names(n_factors=1, n_epoch=1))
    with pytest.raises(ValueError, match="column 'who' holds ids such as .*convert the column"): rec.save(tmp_path/'m')
    assert not (tmp_path/'m').exists()

# ---- what is typed: the file or the arguments, the exit code, the words ----

CSV = table().to_csv(index=False)

def typed(*args, file=None, name='r.csv'): return args,file,name

COMMANDS = {
    'no command': (typed(), 2, 'required: COMMAND'),
    'an unknown command': (typed('train'), 2, 'invalid choice'),
    'no folder to save in': (typed('fit', 'r.csv'), 2, '--out'),
    'no such file': (typed('fit', 'rr.csv', '--out', 'm', file=CSV), 1, "there is no file rr.csv.*did you mean 'r.csv'"),
    'an empty file': (typed('fit', 'r.csv', '--out', 'm', file=''), 1, 'r.csv is empty'),
    'a header alone': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\n'), 1, 'has a header line and no rows'),
    'columns of unknown names': (typed('fit', 'r.csv', '--out', 'm', file=CSV), 1, 'no column has a name that is known for the user.*--user'),
    'a column that is not there': (typed('fit', 'r.csv', '--user', 'hwo', '--item', 'what', '--rating', 'mark', '--out', 'm', file=CSV), 1, "no column 'hwo'.*did you mean 'who'"),
    'one column for two things': (typed('fit', 'r.csv', '--user', 'who', '--item', 'who', '--rating', 'mark', '--out', 'm', file=CSV), 1, 'need a column each'),
    'latin-1': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\nJosé,x,3\n'.encode('latin-1')), 1, 'is not utf-8: byte 0xe9 at position 20, in line 2.*--encoding'),
    'an encoding that there is not': (typed('fit', 'r.csv', '--encoding', 'utf-9', '--out', 'm', file=CSV), 1, "no encoding 'utf-9'"),
    'a line with a field too many': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\na,x,3\na,y,4,5\n'), 1, 'r.csv, line 3: 4 fields where the first line has 3'),
    'a quotation mark left open': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\na,"x,3\nb,y,4\n'), 1, 'quotation mark'),
    'a rating in words': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\na,x,3\nb,y,good\n'), 1, "r.csv, line 3, column 'rating': 'good' is no number"),
    'no rating': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\na,x,3\nb,y,\n'), 1, "line 3, column 'rating': there is no rating"),
    'no id': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\n,x,3\nb,y,4\n'), 1, "line 2, column 'user': there is no id"),
    'half a gzip file': (typed('fit', 'r.csv.gz', '--out', 'm', file=b'\x1f\x8b\x08\x00' + b'\0'*20, name='r.csv.gz'), 1, 'cannot be unpacked as gzip'),
    'half a Parquet file': (typed('fit', 'r.parquet', '--out', 'm', file=b'PAR1' + b'\0'*50, name='r.parquet'), 1, 'damaged Parquet file'),
    'a pickle': (typed('fit', 'r.pkl', '--out', 'm', file=b'\x80\x04\x95\x00', name='r.pkl'), 1, 'r.pkl is a pickle'),
    'a web page': (typed('fit', 'r.csv', '--out', 'm', file='<!DOCTYPE html><html>'), 1, 'r.csv is a web page'),
    'pairs rated twice': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\n' + 'a,x,3\nb,y,4\n'*5), 1, 'repeat a pair.*--duplicates'),
    'an id called #na#': (typed('fit', 'r.csv', '--out', 'm', file='user,item,rating\n' + ''.join(f'#na#,x{i},{i%5}\nb,x{i},4\n' for i in range(20))), 1, '#na#.*row 0'),
    'a folder as the file': (typed('fit', '.', '--out', 'm'), 1, 'is a folder, not a file'),
    'half an epoch': (typed('fit', 'r.csv', '--epochs', '0.5', '--out', 'm', file=CSV), 2, "'0.5' is no whole number"),
    'a model that is not there': (typed('recommend', 'm', '--user', '1'), 1, 'there is no file m'),
    'a folder that is no model': (typed('recommend', '.', '--user', '1'), 1, 'is a folder: name the file that .collab-course fit. has written'),
    'nobody to recommend to': (typed('recommend', 'm'), 2, '--user --all'),
    'no recommendations': (typed('recommend', 'm', '--user', '1', '-n', '0'), 2, "'0' is no whole number of at least 1"),
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

def test_the_table_is_long_enough(): assert len(FIT) + len(ASK) + len(BUNDLE) + len(FORBIDDEN) + len(COMMANDS) >= 60
