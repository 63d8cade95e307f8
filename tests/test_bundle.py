"What is saved comes back, what is damaged or hostile is refused, a kill leaves the old bundle or the new"
import builtins, errno, json, os, pickle, random, resource, shutil, signal, subprocess, sys
import tempfile, threading, time, tracemalloc
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fastcore.foundation import L
from hypothesis import given, settings, strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save as st_save
from safetensors.torch import load_file as load_torch

from collab_course import bundle as bundles, files
from collab_course.bundle import BundleError, bundle_info, check_free, load_bundle
from collab_course.bundle import pack_ids, save_bundle, seal_at, seal_of, unpack_ids
from collab_course.ranking import History, rank_items
from collab_course.served import from_state

ARRAYS = dict(w=np.arange(12, dtype=np.float32).reshape(4, 3), ids=np.arange(5), b=np.array([True, False, True]))
META = dict(vocab=dict(user=['ann', 'bo', 'cy'], item=[1, 2, 3]), y_range=[0, 5.5])

def look(arrays, meta):
    return [(k, a.dtype.newbyteorder('='), a.shape, np.ascontiguousarray(a).tobytes())
            for k,a in arrays.items()], repr(meta)
def n_bytes(info):
    "Bytes of all arrays that `bundle_info` describes"
    return sum(np.dtype(o['dtype']).itemsize*int(np.prod(o['shape'])) for o in info['arrays'].values())
def listing(folder): return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in Path(folder).iterdir()}
def names_in(path): return sorted(os.listdir(Path(path).parent))

@pytest.fixture
def bundle(tmp_path): return save_bundle(tmp_path/'bundle', ARRAYS, META)

def split(data):
    "Header as text, and the bytes behind it"
    n = int.from_bytes(data[:8], 'little')
    return data[8:8+n],data[8+n:]

def file_of(header, numbers, size=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(',', ':')).encode()
    if not isinstance(header, bytes): text += b' '*(-len(text)%8)
    return (len(text) if size is None else size).to_bytes(8, 'little') + text + numbers

def reseal(data):
    "The same file with a seal that fits, as somebody who means harm would make it"
    header,numbers = split(data)
    head = bytearray(data[:8] + header)
    head[seal_at] = seal_of(head, [np.frombuffer(numbers, np.uint8)])
    return bytes(head) + numbers

def forge(path, change=None, numbers=None):
    "Another header (from `change(entries)`) or other numbers, with a seal that fits"
    header,old = split(path.read_bytes())
    entries = json.loads(header)
    res = change(entries) if change else None
    path.write_bytes(reseal(file_of(entries if res is None else res, old if numbers is None else numbers)))

def child(f):
    "Exit code of a forked process in which `f` runs; 99 where `f` raises"
    pid = os.fork()
    if not pid:
        code = 99
        try: code = f() or 0
        except BaseException as e: os.write(2, f'{type(e).__name__}: {e}\n'.encode('utf-8', 'replace'))
        finally: os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

# --- round trip

@pytest.mark.parametrize('a', [
    np.random.randn(3, 4), np.random.randn(3, 4).astype(np.float32), np.arange(6, dtype=np.int32),
    np.array([2**63-1, -2**63]), np.array([2**64-1], np.uint64), np.array([[True], [False]]),
    np.zeros((0, 5)), np.zeros((5, 0)), np.zeros(0, bool), np.array(2.5), np.array(True),
    np.frombuffer(b'abc', np.uint8), np.random.randn(4, 3).T, np.random.randn(9)[::2],
    np.random.randn(4, 6)[1:3, 2:5], np.broadcast_to(np.ones(1), 7), np.asfortranarray(np.random.randn(3, 4)),
    np.arange(3, dtype='>i8'), np.arange(3, dtype='>f4'),
    np.array([np.nan, np.inf, -0., 1e-45]), np.array([0x7fc0dead, 0x7f800001], np.uint32).view(np.float32)],
    ids=lambda a: f'{a.shape} {a.dtype}')
def test_any_array_comes_back_bit_for_bit(a, tmp_path):
    arrays,_ = load_bundle(save_bundle(tmp_path/'b', dict(a=a), {}))
    assert look(arrays, {}) == look(dict(a=a.astype(a.dtype.newbyteorder('='))), {})
    assert type(arrays['a']) is np.ndarray and arrays['a'].flags.writeable and arrays['a'].flags.owndata or not a.ndim

def test_arrays_that_share_memory_are_saved_as_two_and_names_keep_their_order(tmp_path):
    z = np.random.randn(4, 4)
    arrays = dict(z=z, twin=z, part=z[1:, :2], a=z.T)
    back,_ = load_bundle(save_bundle(tmp_path/'b', arrays, {}))
    assert look(back, {}) == look(arrays, {})
    back['z'][0] = 7
    assert not (back['twin']==7).any()

def test_nothing_is_a_bundle_too(tmp_path): assert load_bundle(save_bundle(tmp_path/'b', {}, {})) == ({}, {})

def test_safetensors_opens_the_file(tmp_path):
    arrays = {'😀 "name"': np.arange(5, dtype=np.uint8), **ARRAYS, 'one': np.array(2.5),
              'none': np.zeros((0, 3), np.int32)}
    path = save_bundle(tmp_path/'b', arrays, META)
    theirs,torchs = load_file(path),load_torch(path)
    assert look({k: theirs[k] for k in arrays}, {}) == look(arrays, {})
    assert all((torchs[k].numpy()==a).all() and torchs[k].shape==a.shape for k,a in arrays.items())
    with safe_open(path, 'numpy') as f: told = f.metadata()
    assert json.loads(told['meta']) == META and told['format'] == 'collab_course bundle'
    assert told['sha256'] == bundle_info(path)['sha256']

def test_the_same_is_saved_as_the_same_bytes(tmp_path):
    a,b = (save_bundle(tmp_path/n, ARRAYS, META).read_bytes() for n in 'ab')
    assert a == b == save_bundle(tmp_path/'c', *load_bundle(tmp_path/'a')).read_bytes()

@pytest.mark.parametrize('ids', [
    ['\ud83d', '\ude00', '\ud83d\ude00', '😀', '\ude00\ud83d'], ['x'*100_000, ''], ['a\0b', '\n\t\x7f\u2028\ufeff'],
    ['é', 'e\u0301', 'É'], ['a', None, '', None],
    [2**63, 2**64-1], [2**63-1, -2**63], [0.1, -0., 1e308, 5e-324, 1., 2.], ['"', '\\', '\\"', '[[[', ']}'*50], []])
def test_ids_of_every_sort_come_back(ids, tmp_path):
    arrays,_ = load_bundle(save_bundle(tmp_path/'b', pack_ids('ids', ids), {}))
    assert repr(unpack_ids('ids', arrays)) == repr(ids)

@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=())) | st.none()) | st.lists(st.integers(-2**63, 2**63-1))
       | st.lists(st.floats(allow_nan=False)))
def test_ids_are_packed_without_loss(ids): assert repr(unpack_ids('x', pack_ids('x', ids))) == repr(ids)

@pytest.mark.parametrize('ids',
                         [[1, 'a'], [True], [2**64], [-1, 2**63], [1, 1.5], [pd.Timestamp('2024')], [(1, 2)], [b'a'],
                          [1, None]])
def test_ids_that_would_not_come_back_are_refused(ids):
    with pytest.raises(ValueError, match='users must be all whole numbers below 2\\*\\*64, all text or all floats'):
        pack_ids('users', ids)

def test_a_million_ids_come_back(tmp_path):
    ids = dict(words=[f'user [{i}]' for i in range(10**6)], ints=list(range(10**5)), floats=[i/7 for i in range(10**5)])
    arrays = {k: a for name,values in ids.items() for k,a in pack_ids(name, values).items()}
    back,_ = load_bundle(save_bundle(tmp_path/'b', arrays, {}))
    assert {name: unpack_ids(name, back) for name in ids} == ids

@pytest.mark.parametrize('value', [
    ['\ud83d', '\ude00'], 'x'*100_000, 'a\0b', '\n\t\x7f\u2028\ufeff', ['é', 'e\u0301', 'É'],
    [2**63, -2**63-1, 2**64, 10**300], [0.1, -0., 1e308, 5e-324, 1., 2.],
    [True, 1, 1.0, '1', None], ['"', '\\', '\\"', '[[[', ']}'*50], {'[{'*50: ['{'*500, '\\"['*50, [[]]]},
    {'': {}, '😀': '0'*64}])
def test_settings_of_every_sort_come_back(value, tmp_path):
    _,meta = load_bundle(save_bundle(tmp_path/'b', {}, dict(x=value)))
    assert repr(meta) == repr(dict(x=value))

def test_a_bundle_says_what_is_inside_without_reading_the_arrays(bundle):
    data = bundle.read_bytes()
    bundle.write_bytes(data[:-60] + bytes(60))
    info = bundle_info(bundle)
    assert set(info) == {'sha256', 'format', 'format_version', 'library', 'meta', 'bytes', 'arrays'}
    assert info['arrays'] == dict(w=dict(dtype='float32', shape=[4, 3]), ids=dict(dtype='int64', shape=[5]),
                                  b=dict(dtype='bool', shape=[3]))
    assert info['bytes'] == len(data) and info['meta'] == META and info['format_version'] == 2
    with pytest.raises(BundleError, match='was altered'): load_bundle(bundle)

def test_path_may_be_text_relative_deep_or_in_a_folder_behind_a_link(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert save_bundle('a/b c/ü', ARRAYS, META) == Path('a/b c/ü')
    (tmp_path/'current').symlink_to('a/b c')
    save_bundle(tmp_path/'current'/'ü', ARRAYS, {})
    assert load_bundle('a/b c/ü')[1] == {} == load_bundle('current/ü')[1]
    save_bundle('plain', {}, {})
    assert load_bundle('plain') == ({}, {})

def test_saving_replaces_and_leaves_one_file(bundle):
    for n in (1, 2):
        save_bundle(bundle, dict(w=np.zeros(2)), dict(n=n))
        assert look(*load_bundle(bundle)) == look(dict(w=np.zeros(2)), dict(n=n)) and names_in(bundle) == ['bundle']

def test_a_lost_bit_is_mended_by_saving_the_same_again(bundle):
    flip(bundle)
    save_bundle(bundle, ARRAYS, META)
    assert look(*load_bundle(bundle)) == look(ARRAYS, META)

def test_files_can_be_read_by_whom_the_umask_allows(tmp_path):
    old = os.umask(0o022)
    try: save_bundle(tmp_path/'b', ARRAYS, META)
    finally: os.umask(old)
    assert (tmp_path/'b').stat().st_mode & 0o777 == 0o644

types = st.sampled_from([*bundles.stored_types.values()])
@st.composite
def arrays_(draw):
    dtype,shape = np.dtype(draw(types)),draw(st.lists(st.integers(0, 4), max_size=3))
    n = int(np.prod(shape, dtype=int))*dtype.itemsize
    a = np.frombuffer(draw(st.binary(min_size=n, max_size=n)), np.uint8)
    a = (a>127) if dtype==bool else a.view(dtype)
    a = a.reshape(shape)
    return a.swapaxes(0, 1) if len(shape)>1 and draw(st.booleans()) else a

names = st.text(min_size=1, max_size=20).filter(lambda s: s!='__metadata__')
text = st.text()
metas = st.dictionaries(text,
                        st.recursive(st.none() | st.booleans() | st.integers()
                                     | st.floats(allow_nan=False, allow_infinity=False) | text,
                        lambda o: st.lists(o) | st.dictionaries(text, o), max_leaves=20), max_size=4)

@pytest.fixture(scope='module')
def folder(tmp_path_factory): return tmp_path_factory.mktemp('bundles')

@settings(max_examples=150, deadline=None)
@given(arrays=st.dictionaries(names, arrays_(), max_size=4), meta=metas)
def test_whatever_is_saved_comes_back(arrays, meta, folder):
    path = save_bundle(folder/'round trip', arrays, meta)
    assert look(*load_bundle(path)) == look(arrays, meta)
    assert set(load_file(path)) == set(arrays)

@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_damaged_bundle_is_refused_or_unchanged(data, folder):
    "`bundle_info` reads no arrays, so it can't verify the seal: a name may be another, the layout must be whole"
    path = save_bundle(folder/'damaged', ARRAYS, META)
    good = path.read_bytes()
    good_info = bundle_info(path)
    bad = bytearray(good[:data.draw(st.just(len(good)) | st.integers(0, len(good)))])
    for i,x in data.draw(st.lists(st.tuples(st.integers(0, max(len(bad)-1, 0)), st.integers(0, 255)), max_size=3)):
        if bad: bad[i] = x
    bad += data.draw(st.binary(max_size=3))
    if data.draw(st.booleans()) and bad: del bad[data.draw(st.integers(0, len(bad)-1))]
    path.write_bytes(bad)
    try:
        for f in (load_bundle, bundle_info):
            try: res = f(path)
            except BundleError as e: assert str(e) and str(path) in str(e)
            else: assert look(*res) == look(ARRAYS, META) if f is load_bundle else n_bytes(res) == n_bytes(good_info)
    finally: path.write_bytes(good)

@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_forged_header_is_refused_or_describes_the_file(data, folder):
    "Somebody who can seal a file may write any header"
    path = save_bundle(folder/'forged', ARRAYS, META)
    header,numbers = split(path.read_bytes())
    entries = json.loads(header)
    name,key = data.draw(st.sampled_from([*ARRAYS])),data.draw(
        st.sampled_from(['dtype', 'shape', 'data_offsets', 'extra']))
    odd = st.none() | st.booleans() | st.integers(-2**70,
                                                  2**70) | st.sampled_from(
                                                      [*bundles.stored_types]) | st.floats() | st.text()
    entries[name][key] = data.draw(odd | st.lists(odd | st.integers(0, 80), max_size=4))
    path.write_bytes(reseal(file_of(entries, numbers)))
    try: arrays,_ = load_bundle(path)
    except BundleError as e: assert len(str(e)) < 1000
    else: assert sum(a.nbytes for a in arrays.values()) == len(numbers)
    finally: path.unlink()

# --- what cannot be saved

loop = {}
loop['again'] = loop
@pytest.mark.parametrize('meta,message', [
    ([1], 'meta is of type list: it must be a dict'), (None, 'meta is of type NoneType: it must be a dict'),
    (dict(vocab=dict(user=['a', 'b', 'c', pd.Timestamp('2024')])),
     r"meta\['vocab'\] is .*, which JSON would change: keep text, whole numbers"),
    (dict(n=np.int64(3)), r"meta\['n'\] is (np.int64\()?3\)?, which"),
    (dict(t=(1, 2)),
     r"meta\['t'\] is \(1, 2\), which JSON would change: keep text, whole numbers, finite floats, bool, None, list and "
     r"dict under keys of text"),
    (dict(t={1}), r"meta\['t'\] is \{1\}"), (dict(t=b'x'), r"meta\['t'\] is b'x'"),
    (dict(t=torch.ones(1)), r"meta\['t'\] is tensor"), (dict(t=L(1)), r"meta\['t'\] is \[1\]"),
    (dict(t=np.ones(2)), r"meta\['t'\] is array"), (dict(t=datetime(2024, 1, 1)), r"meta\['t'\] is datetime"),
    (dict(t=Path('x')), r"meta\['t'\] is .*Path"), (dict(t=pd.NA), 'is <NA>'),
    (dict(t=[1., float('nan')]), r"meta\['t'\] is \[1\.0, nan\], which JSON would change"),
    (dict(t=float('-inf')), 'is -inf'), ({1: 2}, r'meta\[1\] is 2'), (dict(a={None: 1}), r"meta\['a'\] is \{None: 1\}"),
    (dict(a='\ud83d\ude00'), r"meta\['a'\]"), (loop, r"meta\['again'\] is"),
    ({'k'*10**5: {1}}, r"meta\['kkkk.*…k*'\] is")])
def test_meta_that_json_would_change_is_refused(meta, message, tmp_path):
    with pytest.raises(BundleError, match=message) as e: save_bundle(tmp_path/'b', {}, meta)
    assert len(str(e.value)) < 1000 and not (tmp_path/'b').exists()

def test_meta_that_is_deep_or_large_is_refused(tmp_path):
    deep = x = []
    for _ in range(100_000): x.append(x := [])
    with pytest.raises(BundleError, match=r"meta\['deep'\]"): save_bundle(tmp_path/'b', {}, dict(deep=deep))
    while deep: deep = deep.pop() # Python would recurse to free it
    with pytest.raises(BundleError, match=r"meta\['n'\]"): save_bundle(tmp_path/'b', {}, dict(n=10**5000))
    with pytest.raises(BundleError,
                       match='meta and the names of arrays take .* bytes, too many for a header: keep long lists as '
                             'arrays, see pack_ids'):
        save_bundle(tmp_path/'b', {}, dict(ids=list(range(10**6))))
    with pytest.raises(BundleError, match='too many for a header'):
        save_bundle(tmp_path/'b', {f'{i:0200}': np.ones(0) for i in range(20_000)}, {})
    assert not list(tmp_path.iterdir())

@pytest.mark.parametrize('arrays,message', [
    (dict(a=[1.]), r"arrays\['a'\] is of type list: it must be a numpy array"),
    (dict(a=torch.ones(2)), r"arrays\['a'\] is of type Tensor"),
    (dict(a=None), 'is of type NoneType: it must be a numpy array'),
    (dict(a=np.ones(2, np.float16)),
     "holds float16: only float64, float32, int64, int32, uint64, uint8, bool are kept"),
     (dict(a=np.ones(2, complex)), 'holds complex128'), (dict(a=np.ones(2, np.int8)), 'holds int8'),
    (dict(a=np.array(['x'])), 'holds <U1'), (dict(a=np.array([None])), 'holds object'),
    (dict(a=np.array(['2024'], 'datetime64[D]')), 'holds datetime64'),
    ({1: np.ones(1)}, r'arrays\[1\] has a name that a file cannot hold'),
    ({'': np.ones(1)}, 'has a name'), ({'\ud800': np.ones(1)}, 'has a name'),
    ({'__metadata__': np.ones(1)}, 'has a name'), ({'x'*201: np.ones(1)}, 'has a name')])
def test_arrays_that_would_not_come_back_are_refused(arrays, message, tmp_path):
    with pytest.raises(BundleError, match=message): save_bundle(tmp_path/'b', arrays, {})
    assert not (tmp_path/'b').exists()

ARGUMENTS = {
    'a model': (lambda p: save_bundle(p/'b', torch.nn.Linear(2, 1), {}),
                'arrays is of type Linear: it must be a dict of arrays by name'),
    'a list of arrays': (lambda p: save_bundle(p/'b', [np.ones(1)], {}),
                         'arrays is of type list: it must be a dict of arrays by name'),
    'no arrays': (lambda p: save_bundle(p/'b', None, {}), 'arrays is of type NoneType: it must be a dict'),
    'a text as arrays': (lambda p: save_bundle(p/'b', 'weights', {}), 'arrays is of type str: it must be a dict'),
    'arrays and meta exchanged': (lambda p: save_bundle(p/'b', META, ARRAYS), r"meta\['w'\] is"),
    'arrays in place of a part': (lambda p: save_bundle(p/'b', META, {}),
                                  r"arrays\['vocab'\] is of type dict: it must be a numpy array, and all else belongs "
                                  r"into meta"),
    'arrays first': (lambda p: save_bundle(ARRAYS, p/'b', META),
                     "(?s)path .*isn't a name that a file can have: give a str or a Path"),
    **{f'{name} the path {path!r:.20}': (lambda p, f=f, path=path: f(path), "path .* isn't a name that a file can have")
       for path in ('', 'a\0b', None, 7, '\ud800', b'', '~nobody has this name/x')
       for name,f in dict(save=lambda p: save_bundle(p, {}, {}), load=load_bundle, info=bundle_info,
                          check=check_free).items()}}

@pytest.mark.parametrize('case', ARGUMENTS)
def test_arguments_that_make_no_sense_are_refused(case, tmp_path, monkeypatch):
    call,message = ARGUMENTS[case]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=message): call(tmp_path)
    assert not list(tmp_path.iterdir())

def test_what_can_be_saved_can_be_loaded_at_the_limits(tmp_path):
    arrays = {f'{i:0200}': np.array([i]) for i in range(5000)} | {'😀'*200: np.zeros([1]*16)}
    meta = dict(n=2**3000-1, m=-(2**3000-1), deep=[])
    x = meta['deep']
    for _ in range(100): x.append(x := [])
    assert look(*load_bundle(save_bundle(tmp_path/'b', arrays, meta))) == look(arrays, meta)

# --- what is in the way

OTHERS = {
    'a text': (lambda p: p.write_text('years'),
               r"thesis is in the way, since it isn't a bundle, or only the beginning of one: save under another name"),
    'an empty file': (lambda p: p.write_text(''), 'is in the way'),
    'a long text': (lambda p: p.write_text('years '*1000), 'is in the way'),
    'a pickle': (lambda p: p.write_bytes(pickle.dumps([1]*1000)), 'is in the way'),
    'weights of somebody else': (lambda p: p.write_bytes(st_save(ARRAYS)), "is in the way, since it isn't a bundle"),
    'weights with metadata': (lambda p: p.write_bytes(st_save(ARRAYS, metadata=dict(format='pt'))),
                              "is in the way, since it isn't a bundle"),
    'a newer bundle': (lambda p: newer(save_bundle(p, ARRAYS, META)),
                       r"is in the way, since it has format version '3', and 2 can be read: save under another name"),
    'a bundle with an altered header': (lambda p: flip(save_bundle(p, ARRAYS, META), 150), 'is in the way'),
    'half a bundle': (lambda p: os.truncate(save_bundle(p, ARRAYS, META), 300), 'is in the way'),
    'a folder': (lambda p: (p.mkdir(), (p/'diary').write_text('mine')),
                 'is in the way, since it is a folder, and a bundle is a file'),
    'a bundle of the first edition': (lambda p: (p.mkdir(), (p/'bundle.json').write_text('{}')),
                                      'is in the way, since it is a bundle of the first edition'),
    'a link to a bundle': (lambda p: (save_bundle(p.parent/'other', {}, {}), p.symlink_to(p.parent/'other')),
                           'is in the way, since it is a link'),
    'a link that leads nowhere': (lambda p: p.symlink_to(p.parent/'gone'), 'is in the way, since it is a link'),
    'a pipe': (os.mkfifo, 'is in the way, since it is a link, a pipe or a device')}

@pytest.mark.parametrize('case', OTHERS)
def test_what_is_not_a_bundle_is_left_alone_and_the_way_out_is_said(case, tmp_path):
    make,message = OTHERS[case]
    path = tmp_path/'thesis'
    make(path)
    before = os.lstat(path),path.read_bytes() if path.is_file() else os.listdir(tmp_path)
    for act in (lambda: save_bundle(path, ARRAYS, META), lambda: check_free(path)):
        with pytest.raises(BundleError, match=message) as e: act()
        assert str(path) in str(e.value) and str(e.value).endswith(': save under another name')
    assert (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns) == (before[0].st_ino, before[0].st_mtime_ns)
    assert before[1] == (path.read_bytes() if path.is_file() else os.listdir(tmp_path))

def test_a_free_name_or_a_bundle_may_be_saved_to(bundle, tmp_path):
    check_free(bundle)
    check_free(tmp_path/'new'/'deeper')
    assert names_in(bundle) == ['bundle']

def test_other_files_beside_a_bundle_survive(bundle):
    old = time.time() - 10**6
    for name in ('README.md', '.collab-mine.tmp', '.collab-0123456789abcdef.tmp.txt', 'collab-0123456789abcdef.tmp'):
        (bundle.parent/name).write_text('mine')
        os.utime(bundle.parent/name, (old, old))
    save_bundle(bundle, {}, {})
    assert len(names_in(bundle)) == 5

# --- what is refused when loading

def flip(path, at=-1):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)

def newer(path, version='3', also=()):
    def change(entries): entries['__metadata__'].update(format_version=version, **dict(also))
    forge(path, change)
    return path

def about(**changed):
    def change(entries):
        for k,v in changed.items():
            if v is None: del entries['__metadata__'][k]
            else: entries['__metadata__'][k] = v
    return lambda path: forge(path, change)

def replaced(a, z): return lambda path: path.write_bytes(path.read_bytes().replace(a, z))
def write(data): return lambda path: path.write_bytes(data)
def instead(make):
    def f(path):
        path.unlink()
        make(path)
    return f

def link(path):
    path.rename(path.parent/'elsewhere')
    path.symlink_to(path.parent/'elsewhere')

def swapped(path):
    "Numbers of another bundle of the same form"
    other = save_bundle(path.parent/'other', {**ARRAYS, 'w': np.zeros((4, 3), np.float32)}, META)
    size = len(split(path.read_bytes())[1])
    path.write_bytes(path.read_bytes()[:-size] + other.read_bytes()[-size:])

def ten_terabytes(path):
    forge(path, lambda entries: entries['b'].update(shape=[10**13], data_offsets=[88, 88 + 10**13]))
    os.truncate(path, len(path.read_bytes()) - 3 + 10**13)

DAMAGE = {
    'gone': (Path.unlink, 'bundle does not exist: name a file that was saved'),
    'empty': (write(b''), "isn't a bundle, or only the beginning of one: copy the bundle again, or save it anew"),
    'seven bytes': (write(b'1234567'), "isn't a bundle"), 'no text': (write(b'\x80\x04\x95'*100), "isn't a bundle"),
    'weights of somebody else': (write(st_save(ARRAYS)), "isn't a bundle: name a file that this library has saved"),
    'another format': (about(format='onnx'), "isn't a bundle: name a file"),
    'a format that is a list': (about(format=['collab_course bundle']), "isn't a bundle"),
    'no format': (about(format=None), "isn't a bundle"),
    'no metadata': (lambda p: forge(p, lambda e: e.pop('__metadata__') and None), "isn't a bundle"),
    'newer version': (newer, r"format version '3', and 2 can be read: upgrade collab_course"),
    'newer version, other keys': (lambda p: newer(p, also=dict(sha512='x')), 'upgrade collab_course'),
    'version 0': (about(format_version='0'), "format version '0'"),
    'version true': (about(format_version=True), 'format version True'),
    'version 2': (about(format_version=2), 'format version 2'),
    'no version': (about(format_version=None), "isn't a bundle"), 'no meta': (about(meta=None), 'was altered'),
    'meta that is a dict': (about(meta={}), 'was altered'),
    'altered header': (replaced(b'F32', b'I32'), 'was altered'),
    'an altered setting': (replaced(b'ann', b'bob'), 'was altered, its SHA-256 is another one'),
    'truncated': (lambda p: os.truncate(p, p.stat().st_size - 10), r'is truncated, 81 of 91 bytes are there: copy'),
    'half a header': (lambda p: os.truncate(p, 200), 'only the beginning of one'),
    'longer': (lambda p: p.write_bytes(p.read_bytes() + b'\0'), 'is longer than it was, by 1 bytes'),
    'one bit': (flip, 'was altered, its SHA-256 is another one: copy'),
    'one bit of the length': (lambda p: flip(p, 0), "isn't a bundle"),
    'one bit of the seal': (lambda p: flip(p, seal_at.start), 'was altered'),
    "another bundle's numbers": (swapped, 'was altered, its SHA-256'),
    'a link': (link, 'is a link, a pipe or a device: name an ordinary file'),
    'a link that leads nowhere': (instead(lambda p: p.symlink_to('nowhere')), 'is a link'),
    'a device': (instead(lambda p: p.symlink_to('/dev/zero')), 'is a link'),
    'a pipe': (instead(os.mkfifo), 'is a link, a pipe or a device'),
    'a folder': (instead(Path.mkdir), 'is a folder, and a bundle is a file'),
    'ten terabytes': (ten_terabytes, 'more than fit into memory|SHA-256')}

@pytest.mark.parametrize('case', DAMAGE)
def test_damage_is_named(case, bundle):
    spoil,message = DAMAGE[case]
    spoil(bundle)
    with pytest.raises(BundleError, match=message) as e: load_bundle(bundle)
    assert len(str(e.value)) < 1000 and str(bundle) in str(e.value) and '\n' not in str(e.value)

def test_a_bundle_of_the_first_edition_is_refused_in_one_sentence_and_left_alone(root, tmp_path):
    old = root/'tests'/'golden'/'first_edition'/'bundle'
    before = listing(old)
    for f in (load_bundle, bundle_info):
        with pytest.raises(BundleError,
                           match=r"bundle is a bundle of the first edition, a folder, which this version can't read: "
                                 r"train the model again and save it, or load it with the version that saved it$"):
            f(old)
    with pytest.raises(BundleError, match='first edition.*: save under another name'): save_bundle(old, {}, {})
    assert listing(old) == before
    (tmp_path/'old').mkdir()
    (tmp_path/'old'/'bundle.json').write_text('{"format": "collab_course bundle", "format_version": 1}')
    with pytest.raises(BundleError, match='of the first edition'): load_bundle(tmp_path/'old')

def entry(dtype='F32', shape=(2,), span=(0, 8)): return dict(dtype=dtype, shape=list(shape), data_offsets=list(span))
def lie(**entries): return lambda e: {'__metadata__': e['__metadata__'], **entries}
def raw(text):
    return lambda e: (json.dumps({'__metadata__': e['__metadata__']}, separators=(',', ':'))[:-1] + ',' + text
                      + '}').encode()
ENTRY = json.dumps(entry(), separators=(',', ':'))

LIES = {
    'huge shape': (lie(w=entry(shape=[2**60])), 8), 'shape that wraps to 8 bytes': (lie(w=entry(shape=[2**62+2])), 8),
    'product that wraps': (lie(w=entry(shape=[2**32, 2**32, 2])), 8),
    'nothing times everything': (lie(w=entry(shape=[0, 2**62, 4], span=[0, 0])), 0),
    'shape past int64': (lie(w=entry(shape=[2**64])), 8), 'negative shape': (lie(w=entry(shape=[-2])), 8),
    'two negatives': (lie(w=entry(shape=[-1, -2])), 8),
    'minus nothing': (lie(a=entry(shape=[-2], span=[0, -8]), w=entry(shape=[4], span=[-8, 8])), 8),
    'shape of floats': (lie(w=entry(shape=[2.])), 8), 'shape of bools': (lie(w=entry(shape=[True, 2])), 8),
    'shape of a text': (lie(w=dict(entry(), shape='2')), 8), 'shape of a dict': (lie(w=dict(entry(), shape={})), 8),
    'shape of many': (lie(w=entry(shape=[1]*10**5 + [2])), 8), 'no shape': (lie(w=dict(entry(), shape=None)), 8),
    'negative offsets': (lie(w=entry(span=[-8, 0])), 8), 'backward offsets': (lie(w=entry(span=[8, 0])), 8),
    'offsets past the end': (lie(w=entry(span=[8, 16])), 8), 'one offset': (lie(w=entry(span=[8])), 8),
    'offsets of floats': (lie(w=entry(span=[0., 8.])), 8),
    'offsets of bools': (lie(w=entry(shape=[0], span=[False, False])), 0),
    'two on the same bytes': (lie(a=entry(), w=entry()), 8),
    'half overlapping': (lie(a=entry(), w=entry(span=[4, 12])), 12), 'a gap in front': (lie(w=entry(span=[8, 16])), 16),
    'a gap behind': (lie(w=entry()), 16), 'wrong size': (lie(w=entry(shape=[3])), 8),
    'float16': (lie(w=entry('F16', [4])), 8), 'dtype in words': (lie(w=entry('torch.float32')), 8),
    'dtype a list': (lie(w=entry(['F32'])), 8), 'dtype none': (lie(w=entry(None)), 8),
    'twice the same name': (raw(f'"w":{ENTRY},"w":{ENTRY}'), 8),
    'twice the shape': (raw('"w":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}'), 8),
    'entry a list': (lie(w=[]), 8), 'entry none': (lie(w=None), 8),
    'one key more': (lie(w=dict(entry(), code='x')), 8),
    'another order of keys': (lie(w=dict(reversed(entry().items()))), 8), 'a space more': (raw(f'"w": {ENTRY}'), 8),
    'no JSON': (raw('"w"'), 8),
    'deep': (raw('"w":' + '['*100_000 + ']'*100_000), 8), 'deep and open': (raw('"w":' + '{"w":'*100_000), 8),
    'many digits': (raw('"w":{"dtype":"F32","shape":[' + '1'*100_000 + '],"data_offsets":[0,8]}'), 8),
    'NaN': (raw('"w":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}'), 8), 'infinity': (raw('"w":-Infinity'), 8),
    'too large': (raw('"w":1e400'), 8), 'half a character': (raw(f'"\\ud800":{ENTRY}'), 0),
    'more about itself': (lambda e: e['__metadata__'].update(code='print(1)', shape=[1])
                          or {'__metadata__': e['__metadata__'], 'w': dict(entry(), x=1)}, 8)}

@pytest.fixture
def two(tmp_path): return save_bundle(tmp_path/'two', dict(w=np.ones(2, np.float32)), {})

@pytest.mark.parametrize('case', LIES)
def test_a_header_that_lies_is_refused(case, two):
    change,n = LIES[case]
    forge(two, change, bytes(n))
    with pytest.raises(BundleError,
                       match="was altered|isn't a bundle|is truncated|is longer|more than fit into memory") as e:
        load_bundle(two)
    assert len(str(e.value)) < 1000 and str(two) in str(e.value)

@pytest.mark.parametrize('data',
                         [(2**62).to_bytes(8, 'little') + b'{}', b'\xff'*8 + b'{}', (3).to_bytes(8, 'little') + b'{}',
                          (2**22+8).to_bytes(8, 'little') + b' '*(2**22+8),
                                  file_of(b'[]', b''), file_of(b'null', b''), file_of(b'{"w"', b''),
                                  file_of(b'{"\xff": 1}', b''), file_of(b'{"__metadata__":'*50_000, b'')])
def test_a_header_that_is_none_is_refused(data, two):
    two.write_bytes(data)
    for f in (load_bundle, bundle_info):
        with pytest.raises(BundleError, match="isn't a bundle"): f(two)

def test_an_honest_header_with_the_same_tools_passes(two):
    "The forger's tools make good files, too: it is the lies that are refused"
    forge(two, lie(w=entry()), np.array([3, 4], np.float32).tobytes())
    assert load_bundle(two)[0]['w'].tolist() == [3, 4]

def test_bools_are_zero_or_one(two):
    forge(two, lie(w=entry('BOOL', [2], [0, 2])), b'\x01\x02')
    with pytest.raises(BundleError, match='bools that are neither 0 nor 1'): load_bundle(two)

@pytest.mark.parametrize('meta', [
    '', '[]', 'null', '{"a": NaN}', '{"a": Infinity}', '{"a": 1e999}', '{"a": -' + '9'*100_000 + '}',
    '['*100_000 + ']'*100_000, '{"":'*100_000 + '1' + '}'*100_000,
    '{"a": "' + '\\'*100_001 + '"}', '{"a": "' + '['*50, '\ufeff{}', '{"a": 01}', "{'a': 1}", '{"a": "\n"}',
    '{"a": 1} {}'])
def test_meta_with_traps_is_refused(meta, bundle):
    about(meta=meta)(bundle)
    with pytest.raises(BundleError, match="was altered|, meta.* is .*which JSON would change|, meta is of type"):
        load_bundle(bundle)

@pytest.mark.parametrize('trap', ['[],', '"[[[",', r'"\"\"",', '"",'])
def test_megabytes_of_traps_are_refused_for_little_memory(trap, two):
    "The header of a file is read up to 4 MB"
    for size,most in ((bundles.max_header - 1000, 200e6), (10*bundles.max_header, 2e6)):
        two.write_bytes(file_of(b'{"a":[' + trap.encode()*(size//len(trap)), b''))
        tracemalloc.start()
        try:
            with pytest.raises(BundleError, match="isn't a bundle"): load_bundle(two)
            assert tracemalloc.get_traced_memory()[1] < most
        finally: tracemalloc.stop()

def test_a_hostile_claim_costs_no_memory(two, tmp_path):
    "With little more address space than is in use, each lie is refused in the same words"
    files = []
    for k,(change,n) in enumerate(LIES.values()):
        files.append(shutil.copy(two, tmp_path/f'lie{k}'))
        forge(files[-1], change, bytes(n))
    sparse = save_bundle(tmp_path/'sparse', ARRAYS, META)
    ten_terabytes(sparse)
    def load_all():
        used = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used+2**26, used+2**26))
        for file in files:
            try: load_bundle(file)
            except BundleError: continue
            return 1
        try: load_bundle(sparse)
        except BundleError as e: return 0 if 'more than fit into memory' in str(e) else 2
        return 3
    assert child(load_all) == 0

def test_loading_takes_the_memory_of_the_arrays_once(tmp_path):
    path = save_bundle(tmp_path/'b', dict(a=np.zeros(10**6), b=np.zeros(10**6)), {})
    load_bundle(path)
    tracemalloc.start()
    try:
        load_bundle(path)
        assert tracemalloc.get_traced_memory()[1] < 16.5e6
        tracemalloc.reset_peak()
        bundle_info(path)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally: tracemalloc.stop()

@pytest.mark.parametrize('odd', [
    {'x.ends': np.array([5, 2])}, {'x.ends': np.array([-1, 3])}, {'x.ends': np.array([1, 3])},
    {'x.ends': np.array([2, 9])}, {'x.ends': np.array([2., 3.])}, {'x.ends': np.array([[2, 3]])},
    {'x.ends': np.array(3)},
    {'x.ends': None}, {'x.text': None}, {'x.text': np.array([195, 169, 98])}, {'x.none': np.array([True])},
    {'x.none': np.array([0, 1])}, {'x': np.array([[1]]), 'x.text': None}, {'x': np.array([True]), 'x.text': None}])
def test_ids_that_somebody_forged_are_refused(odd):
    arrays = {k: a for k,a in {**pack_ids('x', ['é', 'b']), **odd}.items() if a is not None}
    with pytest.raises(ValueError, match='^x '): unpack_ids('x', arrays)

def test_loading_runs_nothing_and_writes_nothing(bundle):
    "Python reports what it opens, compiles, imports and unpickles to an audit hook"
    load_bundle(bundle)
    before,events = listing(bundle.parent),[]
    def watch():
        sys.addaudithook(lambda name, args: events.append((name, args)))
        load_bundle(bundle)
        bundle_info(bundle)
        seen = events.copy()
        wrote = [a for n,a in seen if n=='open' and a[2] & (os.O_WRONLY|os.O_RDWR|os.O_CREAT|os.O_TRUNC)]
        ran = [n for n,_ in seen if n in ('compile', 'exec', 'import', 'marshal.loads', 'ctypes.dlopen')
               or n.startswith(('pickle', 'subprocess', 'os.', 'shutil', 'socket'))]
        return 0 if not wrote and not ran and len([n for n,_ in seen if n=='open'])>=2 else 1
    assert child(watch) == 0
    assert listing(bundle.parent) == before

def test_a_pickle_is_never_opened(bundle):
    class Bomb:
        def __reduce__(self): return exec, ('import builtins; builtins.exploded = True',)
    data = pickle.dumps(Bomb())
    for spoil in (lambda: bundle.write_bytes(data), lambda: bundle.write_bytes(file_of(data, b'')),
                  lambda: forge(bundle, numbers=data)):
        spoil()
        with pytest.raises(BundleError): load_bundle(bundle)
        bundle.unlink()
        save_bundle(bundle, ARRAYS, META)
    assert not hasattr(builtins, 'exploded')

def test_saving_and_loading_need_neither_torch_nor_safetensors(root, tmp_path):
    code = (
        "import sys, numpy as np; from collab_course.bundle import *; save_bundle(sys.argv[1], dict(w=np.ones(3)), "
        "{}); load_bundle(sys.argv[1]); bundle_info(sys.argv[1])\n"
            "print(sorted({'torch', 'safetensors', 'fastai', 'pickle5'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, '-c', code, str(tmp_path/'b')], capture_output=True, text=True, check=True,
                          cwd=root).stdout == '[]\n'

# --- exchanged between two looks

@pytest.mark.parametrize('kind', ['a link', 'a pipe', 'a folder', 'another file'])
def test_a_file_exchanged_after_the_first_look_is_looked_at_again(kind, bundle, monkeypatch):
    "A reader that followed the link would load what it leads to; on a pipe it would wait for ever"
    good = bundle.with_name('good')
    save_bundle(good, ARRAYS, dict(from_='elsewhere'))
    exchange = {'a link': lambda: bundle.symlink_to(good), 'a pipe': lambda: os.mkfifo(bundle),
                'a folder': bundle.mkdir, 'another file': lambda: good.rename(bundle)}[kind]
    class Exchanging(Fault):
        def lstat(self, path):
            res = os.lstat(path)
            bundle.unlink()
            exchange()
            return res
    stand_in(monkeypatch, Exchanging())
    def late(*args): raise TimeoutError('still waiting')
    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(600)
    try:
        if kind=='another file': assert load_bundle(bundle)[1] == dict(from_='elsewhere')
        else:
            with pytest.raises((BundleError, OSError), match='Too many levels of symbolic links while reading|'
                               'is a link, a pipe or a device|is a folder|Is a directory') as e: load_bundle(bundle)
            assert not isinstance(e.value, TimeoutError)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)

# --- nobody waits for anybody

def forked(f):
    pid = os.fork()
    if pid: return pid
    code = 99
    try: code = f() or 0
    finally: os._exit(code)

def save_at_once(path, i):
    signal.alarm(600) # which kills
    save(path, i)

def stopped_while_writing(path):
    "A process that saves, and stands still in the middle of the file"
    hear,say = os.pipe()
    def stands(fd, data):
        n = os.write(fd, data[:len(data)//2])
        os.write(say, b'!')
        signal.pause()
        return n
    def run():
        f = Fault()
        f.write = stands
        bundles.os = files.os = f
        save(path, 1)
    pid = forked(run)
    assert os.read(hear, 1) == b'!'
    os.close(hear)
    os.close(say)
    return pid

def test_a_stopped_saver_keeps_nobody_waiting(tmp_path):
    path = save(tmp_path/'b', 0)
    pid = stopped_while_writing(path)
    os.kill(pid, signal.SIGSTOP)
    for i in (1, 0, 1):
        assert child(lambda: save_at_once(path, i)) == 0
        assert what(path) == i
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert what(path) == 1

def test_a_child_of_a_killed_saver_keeps_nobody_waiting(tmp_path):
    "It holds the half-written file open, as a worker does that was forked in the meantime"
    path = save(tmp_path/'b', 0)
    hear,say = os.pipe()
    def run():
        f = Fault()
        def forks(fd, data):
            pid = os.fork()
            if not pid: signal.pause()
            os.write(say, pid.to_bytes(8, 'little'))
            signal.pause()
        f.write = forks
        bundles.os = files.os = f
        save(path, 1)
    saver = forked(run)
    worker = int.from_bytes(os.read(hear, 8), 'little')
    os.kill(saver, signal.SIGKILL)
    os.waitpid(saver, 0)
    assert what(path) == 0
    assert child(lambda: save_at_once(path, 1)) == 0
    assert what(path) == 1
    os.kill(worker, signal.SIGKILL)
    for o in (hear, say): os.close(o)
    age(path)
    save(path, 0)
    assert names_in(path) == ['b'] and what(path) == 0

# --- the disk

class Fault:
    "The module `os` until call number `at` of save, at which `fault(f, *args)` happens in place of the call"
    def __init__(self, at=None, fault=None): self.at,self.fault,self.calls = at,fault,[]
    def __getattr__(self, name):
        f = getattr(os, name)
        if name=='path' or not callable(f): return f
        def call(*args, **kwargs):
            self.calls.append(name)
            if len(self.calls)==self.at: return self.fault(f, *args, **kwargs)
            return f(*args, **kwargs)
        return call

def fault_at(monkeypatch, at=None, fault=None):
    return stand_in(monkeypatch, Fault(at, fault))

def stand_in(monkeypatch, f):
    for module in (bundles, files): monkeypatch.setattr(module, 'os', f)
    return f

BIG = [dict(w=np.full(50_000, float(i)), n=np.array(i)) for i in range(2)]
def what(path):
    "Which of the two was loaded: 0, 1, or why neither"
    try: arrays,meta = load_bundle(path)
    except BundleError as e: return f'unreadable: {e}'
    return meta['i'] if arrays['n']==meta['i'] and (arrays['w']==meta['i']).all() else 'mixture'

def save(path, i): return save_bundle(path, BIG[i], dict(i=i, ids=list(range(1000))))

def age(path, hours=2):
    "Make what killed saves have left look old"
    for p in Path(path).parent.glob('.collab-*.tmp'): os.utime(p, (t := time.time() - 3600*hours, t))

@pytest.fixture
def quick():
    "A folder in memory where there is one, so that the time goes into saving and not into waiting for a disk"
    with tempfile.TemporaryDirectory(dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None) as d: yield Path(d)

def n_calls(path, monkeypatch):
    with monkeypatch.context() as m:
        f = fault_at(m)
        save(path, 1)
    return f.calls

def dies(f, *args, **kwargs):
    if f is os.write: f(args[0], args[1][:len(args[1])//2])
    os._exit(7)

@pytest.mark.parametrize('first', [False, True], ids=['over a bundle', 'first save'])
def test_death_at_every_call_leaves_old_or_new(first, tmp_path, monkeypatch):
    (tmp_path/'count').mkdir()
    if not first: save(tmp_path/'count'/'b', 0)
    calls,found = n_calls(tmp_path/'count'/'b', monkeypatch),[]
    for at in range(1, len(calls)+1):
        path = tmp_path/f'{at}'/'b'
        path.parent.mkdir()
        if not first: save(path, 0)
        def run():
            bundles.os = files.os = Fault(at, dies)
            save(path, 1)
        assert child(run) == 7
        found.append(what(path))
        age(path)
        save(path, 0)
        assert what(path) == 0 and names_in(path) == ['b']
    cut = calls.index('replace')+1
    none = [o for o in found if o not in (0, 1)]
    assert calls.count('replace') == 1 and found[cut:] == [1]*(len(calls)-cut) and len(found) > 10
    assert not none and found[:cut] == [0]*cut if not first else len(none)==cut and all('does not exist' in o
        for o in none)

@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS])
def test_an_error_at_every_call_leaves_old_or_new_and_no_litter(code, tmp_path, monkeypatch):
    path = save(tmp_path/'b', 0)
    calls,found,raised = n_calls(path, monkeypatch),Counter(),0
    def fails(f, *args, **kwargs):
        if f is os.close: f(*args)
        raise OSError(code, os.strerror(code))
    for at in range(1, len(calls)+1):
        save(path, 0)
        with monkeypatch.context() as m:
            fault_at(m, at, fails)
            try: save(path, 1)
            except OSError as e:
                raised += 1
                assert e.errno==code and f'{os.strerror(code)} while saving the bundle {path}' in str(e)
        found[what(path)] += 1
        assert names_in(path) == ['b'], calls[at-1]
    assert set(found) == {0, 1} and raised > 8

def test_a_kill_at_a_random_moment_leaves_old_or_new(quick):
    path,rng,found = save(quick/'b', 0),random.Random(0),Counter()
    hear,say = os.pipe()
    began = time.monotonic()
    for i in (1, 0): save(path, i)
    two_saves = time.monotonic() - began
    def for_ever():
        os.write(say, b'!')
        while True:
            for i in (1, 0): save(path, i)
    for k in range(1000): # a machine that is busy needs more of them
        if k>=40 and set(found)=={0, 1} and len(names_in(path))>12: break
        pid = os.fork()
        if not pid:
            try: for_ever()
            finally: os._exit(1)
        assert os.read(hear, 1) == b'!'
        time.sleep(rng.uniform(0, 1.5*two_saves))
        os.kill(pid, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        found[what(path)] += 1
        assert set(found) <= {0, 1}
    litter = len(names_in(path)) - 1
    assert set(found) == {0, 1} and litter >= 12
    os.close(hear)
    os.close(say)
    save(path, 0)
    assert len(names_in(path)) == litter + 1 # too young to be swept
    age(path)
    save(path, 0)
    assert what(path) == 0 and names_in(path) == ['b']

def test_readers_beside_writers_get_one_of_the_two(quick):
    "Two processes save, two read until both have been seen; who reads a mixture or nothing ends with another code"
    path,done = save(quick/'b', 0),quick/'done'
    def writer():
        while not done.exists():
            for i in (1, 0): save(path, i)
    def reader():
        seen = Counter()
        while len(seen)<2 or sum(seen.values())<100:
            seen[what(path)] += 1
            if bundle_info(path)['arrays']['w']['shape']!=[50_000] or not {*seen}<={0, 1}: return 2
    def code_of(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    writers,readers = ([forked(f) for _ in range(2)] for f in (writer, reader))
    assert [*map(code_of, readers)]==[0, 0]
    done.touch()
    assert [*map(code_of, writers)]==[0, 0]
    done.unlink()
    assert what(path) in (0, 1) and names_in(path) == ['b']

def test_what_is_open_stays_whole_while_it_is_replaced(tmp_path, monkeypatch):
    path,real,late = save(tmp_path/'b', 0),bundles.read_array,[]
    def slow(*args):
        if not late: late.append(save(path, 1))
        return real(*args)
    monkeypatch.setattr(bundles, 'read_array', slow)
    assert what(path) == 0 and late
    assert what(path) == 1

def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path,real = save(tmp_path/'b', 0),bundles.read_array
    def slow(*args):
        os.truncate(path, 20_000)
        return real(*args)
    monkeypatch.setattr(bundles, 'read_array', slow)
    with pytest.raises(BundleError, match='became shorter while it was read'): load_bundle(path)

def test_a_full_disk_is_said_and_harms_nothing(tmp_path, monkeypatch):
    path = save(tmp_path/'b', 0)
    before,left = listing(tmp_path),[10_000]
    def write(fd, data):
        n = min(len(data), left[0])
        left[0] -= n
        if not n: raise OSError(errno.ENOSPC, 'No space left on device')
        return os.write(fd, data[:n])
    f = Fault()
    f.write = write
    stand_in(monkeypatch, f)
    with pytest.raises(OSError, match='No space left on device while saving the bundle .*is whole') as e: save(path, 1)
    assert e.value.errno == errno.ENOSPC and listing(tmp_path) == before

def test_a_limit_on_file_size_harms_nothing(tmp_path):
    path = save(tmp_path/'b', 0)
    before = listing(tmp_path)
    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try: save(path, 1)
        except OSError as e: return 0 if e.errno==errno.EFBIG and 'while saving the bundle' in str(e) else 2
        return 3
    assert child(limited) == 0
    assert listing(tmp_path) == before

def test_a_write_that_takes_only_a_part_is_continued(tmp_path, monkeypatch):
    f = Fault()
    f.write = lambda fd, data: os.write(fd, data[:999])
    stand_in(monkeypatch, f)
    assert what(save(tmp_path/'b', 1)) == 1

def test_file_and_folder_are_on_the_disk_in_the_right_order(tmp_path, monkeypatch):
    calls = n_calls(tmp_path/'b', monkeypatch)
    assert [o for o in calls if o in ('write', 'fsync', 'replace')] == ['write']*3 + ['fsync', 'replace', 'fsync']

def test_a_first_save_flushes_the_folders_above_it(tmp_path, monkeypatch):
    "Without that a save that has returned may be gone whole after a power cut"
    flushed = []
    f = Fault()
    def fsync(fd):
        flushed.append(Path(os.readlink(f'/proc/self/fd/{fd}')))
        os.fsync(fd)
    f.fsync = fsync
    stand_in(monkeypatch, f)
    save(tmp_path/'x'/'y'/'b', 1)
    assert flushed[:2] == [tmp_path, tmp_path/'x'] and flushed[-1] == tmp_path/'x'/'y' and len(flushed) == 4

def test_interrupted_by_the_keyboard_leaves_no_litter(tmp_path, monkeypatch):
    path = save(tmp_path/'b', 0)
    f = Fault()
    def interrupt(fd): raise KeyboardInterrupt
    f.fsync = interrupt
    with monkeypatch.context() as m:
        stand_in(m, f)
        with pytest.raises(KeyboardInterrupt): save(path, 1)
    assert what(path) == 0 and names_in(path) == ['b']

def test_a_path_below_a_file_is_said(tmp_path):
    (tmp_path/'f').write_text('mine')
    with pytest.raises(NotADirectoryError, match='while saving the bundle'): save(tmp_path/'f'/'deeper', 0)
    with pytest.raises(NotADirectoryError, match='while reading the bundle'): load_bundle(tmp_path/'f'/'deeper')
    assert (tmp_path/'f').read_text() == 'mine'

def as_nobody(f):
    if not os.geteuid(): os.setuid(65534)
    return f()

@pytest.mark.parametrize('act', [save, load_bundle, bundle_info])
def test_no_permission_is_said(act, tmp_path):
    path = save(tmp_path/'closed'/'b', 0)
    os.chmod(path.parent, 0)
    def run():
        try: act(path, 1) if act is save else act(path)
        except PermissionError as e:
            return 0 if f'while {"saving" if act is save else "reading"} the bundle {path}' in str(e) else 2
        return 3
    assert child(lambda: as_nobody(run)) == 0
    os.chmod(path.parent, 0o755)
    assert what(path) == 0

def test_a_bundle_that_may_only_be_read_is_read(tmp_path):
    path = save(tmp_path/'read'/'b', 0)
    os.chmod(path, 0o444)
    os.chmod(path.parent, 0o555)
    assert what(path) == 0
    os.chmod(path.parent, 0o755)

def test_savers_at_the_same_time_lose_nothing(quick):
    "Three threads save under one name, again and again, while a reader looks"
    for k in range(4):
        path,errors,seen = quick/f'{k}'/'b',[],Counter()
        def saver(i):
            try:
                for _ in range(12): save_bundle(path, BIG[i%2], dict(i=i%2, saver=i))
            except BaseException as e: errors.append(e)
        threads = [threading.Thread(target=saver, args=[i]) for i in range(3)]
        for o in threads: o.start()
        while any(o.is_alive() for o in threads):
            if path.exists(): seen[what(path)] += 1
        for o in threads: o.join()
        assert not errors and what(path) in (0, 1) and set(seen) <= {0, 1} and names_in(path) == ['b']

def test_only_what_is_an_hour_old_is_swept_up(tmp_path):
    path = save(tmp_path/'b', 0)
    old,young = (tmp_path/f'.collab-{c*16}.tmp' for c in '01')
    for o in (old, young): o.write_text('half')
    os.utime(old, (t := time.time() - 3700, t))
    os.utime(young, (t := time.time() - 3500, t))
    save(path, 1)
    assert what(path) == 1 and names_in(path) == [young.name, 'b']

def test_no_file_stays_open(bundle):
    opened = lambda: len(os.listdir('/proc/self/fd'))
    before = opened()
    for _ in range(3):
        load_bundle(bundle)
        save_bundle(bundle, ARRAYS, META)
        bad = bundle.parent/'bad'
        for spoil in (flip, lambda b: os.truncate(b, 5), lambda b: os.truncate(b, 300)):
            shutil.copy(bundle, bad)
            spoil(bad)
            with pytest.raises(BundleError): load_bundle(bad)
    assert opened() == before

def test_a_bundle_of_an_earlier_day_gives_its_list(root):
    "A golden file: a dot product trained on a planted table, who rated what, and both vocabularies"
    arrays,meta = load_bundle(root/'tests'/'golden'/'planted.bundle')
    users,items = (['#na#', *unpack_ids(name, arrays)] for name in ('users', 'items'))
    tables = {name.removeprefix('model.'): a for name,a in arrays.items() if name.startswith('model.')}
    model = from_state(tables, meta, len(users), len(items))
    history = History.from_pairs(*arrays['history.rows'].T, len(users))
    who = [users.index(meta['list']['user'])]
    _,found,scores = rank_items(model, who, 5, np.ones(len(items), bool), history.of(who))
    assert [items[i] for i in found] == meta['list']['movie']
    np.testing.assert_allclose(scores, meta['list']['score'], rtol=1e-6)

def test_a_bundle_is_the_same_wherever_it_is_read(bundle, tmp_path):
    shutil.move(bundle, tmp_path/'moved')
    assert look(*load_bundle(tmp_path/'moved')) == look(ARRAYS, META)
    (tmp_path/'moved').rename(tmp_path/'weights.safetensors')
    assert look({k: load_file(tmp_path/'weights.safetensors')[k] for k in ARRAYS}, {}) == look(ARRAYS, {})
