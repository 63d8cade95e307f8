"Bundles: what is saved comes back, what is damaged or hostile is refused, and a kill at any moment leaves the old bundle or the new"
import builtins, errno, json, os, random, resource, shutil, signal, struct, sys, tempfile, threading, time, tracemalloc
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.torch_core import TensorBase
from fastcore.foundation import L
from hypothesis import given, settings, strategies as st
from safetensors.torch import load as st_load, save as st_save
from torch import nn

from collab_course import bundle as bundles
from collab_course.bundle import BundleError, bundle_info, load_bundle, save_bundle

TENSORS = dict(w=torch.arange(12.).reshape(4, 3), ids=torch.arange(5), b=torch.tensor([True, False, True]))
META = dict(vocab=dict(user=['ann', 'bo', 'cy'], item=[1, 2, 3]), y_range=[0, 5.5])

def raw(t): return t.detach().as_subclass(torch.Tensor).cpu().resolve_neg().numpy().tobytes()
def look(tensors, meta): return [(k, t.dtype, tuple(t.shape), raw(t)) for k,t in tensors.items()], repr(meta)
def listing(path): return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in Path(path).iterdir()}
def kind(path, k): return next(Path(path).glob(f'{k}-*'))

@pytest.fixture
def bundle(tmp_path): return save_bundle(tmp_path/'bundle', TENSORS, META)

def reseal(path, change):
    "The manifest after `change(manifest)`, with a seal that fits"
    file = Path(path)/'bundle.json'
    m = json.loads(file.read_text())
    del m['seal']
    change(m)
    file.write_text(json.dumps(dict(m, seal=bundles._seal(m))))

def forge(path, **contents):
    "Other contents (`weights=`, `meta=`) with hashes, names and sizes that fit"
    def change(m):
        for k,data in contents.items():
            (Path(path)/m['files'][k]['name']).unlink()
            m['files'][k] = bundles._describe(k, data)
            (Path(path)/m['files'][k]['name']).write_bytes(data)
    reseal(path, change)

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

DEVICES = [o for o in ('cpu', 'cuda', 'mps') if o=='cpu' or getattr(torch, o).is_available()]

@pytest.mark.parametrize('t', [
    torch.randn(3, 4), torch.randn(3, 4).double(), torch.arange(6, dtype=torch.int32), torch.tensor([2**63-1, -2**63]), torch.tensor([[True], [False]]),
    torch.zeros(0, 5), torch.zeros(5, 0), torch.zeros(0, dtype=torch.bool), torch.tensor(2.5), torch.tensor(True),
    torch.randn(4, 3).T, torch.randn(9)[::2], torch.randn(4, 6)[1:3, 2:5], torch.ones(1).expand(7), torch.tensor([1.+2j]).conj().imag,
    torch.tensor([float('nan'), float('inf'), -0., 1e-45]), torch.tensor([0x7fc0dead, 0x7f800001], dtype=torch.int32).view(torch.float32),
    nn.Parameter(torch.randn(3)), (torch.randn(3, requires_grad=True)*2), TensorBase(torch.randn(2, 2))], ids=lambda t: f'{tuple(t.shape)} {t.dtype}')
@pytest.mark.parametrize('device', DEVICES)
def test_any_tensor_comes_back_bit_for_bit(t, device, tmp_path):
    t = t if device=='mps' and t.dtype==torch.float64 else t.to(device)
    tensors,_ = load_bundle(save_bundle(tmp_path/'b', dict(t=t), {}))
    assert look(tensors, {}) == look(dict(t=t), {})
    assert type(tensors['t']) is torch.Tensor and tensors['t'].device.type=='cpu' and not tensors['t'].requires_grad

def test_tensors_that_share_memory_are_saved_as_two_and_names_keep_their_order(tmp_path):
    z = torch.randn(4, 4)
    tensors = dict(z=z, twin=z, part=z[1:, :2], a=z.T)
    back,_ = load_bundle(save_bundle(tmp_path/'b', tensors, {}))
    assert look(back, {}) == look(tensors, {})
    back['z'][0] = 7
    assert not (back['twin']==7).any()

def test_nothing_is_a_bundle_too(tmp_path): assert load_bundle(save_bundle(tmp_path/'b', {}, {})) == ({}, {})

def test_the_weights_are_the_file_that_safetensors_writes(bundle):
    assert kind(bundle, 'weights').read_bytes() == st_save(TENSORS)
    assert json.loads(kind(bundle, 'meta').read_text()) == META

@pytest.mark.parametrize('ids', [
    ['\ud83d', '\ude00', '\ud83d\ude00', '😀', '\ude00\ud83d'], ['x'*100_000, ''], ['a\0b', '\n\t\x7f\u2028\ufeff'], ['é', 'e\u0301', 'É'],
    [2**63, -2**63-1, 2**64, 10**300], [0.1, -0., 1e308, 5e-324, 1., 2.], [True, 1, 1.0, '1', None], ['"', '\\', '\\"', '[[[', ']}'*50]])
def test_ids_of_every_sort_come_back(ids, tmp_path):
    _,meta = load_bundle(save_bundle(tmp_path/'b', {}, dict(ids=ids, of={str(k): k for k in ids})))
    assert repr(meta['ids']) == repr(ids)
    assert repr(meta['of']) == repr({str(k): k for k in ids})

def test_a_million_ids_come_back(tmp_path):
    meta = dict(words=[f'user [{i}]' for i in range(10**6)], ints=list(range(10**5)), floats=[i/7 for i in range(10**5)])
    assert load_bundle(save_bundle(tmp_path/'b', {}, meta))[1] == meta

def test_manifest_says_what_is_inside_without_the_weights(bundle):
    file = kind(bundle, 'weights')
    file.write_bytes(bytes(len(file.read_bytes())))
    info = bundle_info(bundle)
    assert set(info) == {'format', 'format_version', 'versions', 'files', 'tensors'}
    assert info['tensors'] == dict(w=dict(dtype='float32', shape=[4, 3]), ids=dict(dtype='int64', shape=[5]), b=dict(dtype='bool', shape=[3]))
    assert info['files']['weights']['bytes'] == file.stat().st_size and set(info['versions']) == {'collab_course', 'torch', 'safetensors', 'python'}
    with pytest.raises(BundleError, match='was altered'): load_bundle(bundle)

def test_path_may_be_text_relative_deep_or_a_link_to_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert save_bundle('a/b c/ü', TENSORS, META) == Path('a/b c/ü')
    (tmp_path/'current').symlink_to('a/b c/ü')
    save_bundle(tmp_path/'current', TENSORS, {})
    assert load_bundle('a/b c/ü')[1] == {} == load_bundle('current')[1]

def test_saving_replaces_and_leaves_three_files(bundle):
    before = set(listing(bundle))
    save_bundle(bundle, dict(w=torch.zeros(2)), dict(n=1))
    assert look(*load_bundle(bundle)) == look(dict(w=torch.zeros(2)), dict(n=1))
    assert len(listing(bundle)) == 3 and set(listing(bundle)) & before == {'bundle.json'}
    save_bundle(bundle, dict(w=torch.zeros(2)), dict(n=2))
    assert load_bundle(bundle)[1] == dict(n=2)

def test_a_lost_bit_is_mended_by_saving_the_same_again(bundle):
    kind(bundle, 'weights').write_bytes(b'?')
    save_bundle(bundle, TENSORS, META)
    assert look(*load_bundle(bundle)) == look(TENSORS, META)

def test_files_can_be_read_by_whom_the_umask_allows(tmp_path):
    old = os.umask(0o022)
    try: save_bundle(tmp_path/'b', TENSORS, META)
    finally: os.umask(old)
    assert {p.stat().st_mode & 0o777 for p in (tmp_path/'b').iterdir()} == {0o644}

dtypes = st.sampled_from([torch.float32, torch.float64, torch.int64, torch.int32, torch.bool])
@st.composite
def tensors_(draw):
    dtype,shape = draw(dtypes),draw(st.lists(st.integers(0, 4), max_size=3))
    width = torch.tensor([], dtype=dtype).element_size()
    data = draw(st.binary(min_size=(n := int(np.prod(shape, dtype=int))*width), max_size=n))
    t = torch.tensor(list(data), dtype=torch.uint8)
    t = (t > 127) if dtype==torch.bool else t.view(dtype) if n else torch.empty(0, dtype=dtype)
    t = t.reshape(shape)
    return t.transpose(0, 1) if len(shape)>1 and draw(st.booleans()) else t

names = st.text(min_size=1, max_size=20).filter(lambda s: s!='__metadata__')
anything = st.text(st.characters(exclude_categories=()))
metas = st.dictionaries(anything, st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | anything,
                        lambda o: st.lists(o) | st.dictionaries(anything, o), max_leaves=20), max_size=4)

@pytest.fixture(scope='module')
def folder(tmp_path_factory): return tmp_path_factory.mktemp('bundles')

@settings(max_examples=150, deadline=None)
@given(tensors=st.dictionaries(names, tensors_(), max_size=4), meta=metas)
def test_whatever_is_saved_comes_back(tensors, meta, folder):
    assert look(*load_bundle(save_bundle(folder/'round trip', tensors, meta))) == look(tensors, meta)

@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_damaged_bundle_is_refused_or_unchanged(data, folder):
    path = save_bundle(folder/'damaged', TENSORS, META) if not (folder/'damaged').exists() else folder/'damaged'
    file = data.draw(st.sampled_from(sorted(path.iterdir())))
    good = file.read_bytes()
    bad = bytearray(good[:data.draw(st.just(len(good)) | st.integers(0, len(good)))])
    for i,x in data.draw(st.lists(st.tuples(st.integers(0, max(len(bad)-1, 0)), st.integers(0, 255)), max_size=3)):
        if bad: bad[i] = x
    bad += data.draw(st.binary(max_size=3))
    if data.draw(st.booleans()) and bad: del bad[data.draw(st.integers(0, len(bad)-1))]
    file.write_bytes(bad)
    try:
        for f,expected in ((load_bundle, look(TENSORS, META)), (bundle_info, None)):
            try: res = f(path)
            except BundleError as e: assert str(e)
            else: assert look(*res) == expected if expected else {k: res[k] for k in ('files', 'tensors')} == {k: json.loads(MANIFEST(good, path))[k] for k in ('files', 'tensors')}
    finally: file.write_bytes(good)

def MANIFEST(good, path): return good if good.startswith(b'{\n "format"') else (path/'bundle.json').read_bytes()

# --- what cannot be saved

deep = x = []
for _ in range(40): x.append(x := [])
loop = {}
loop['again'] = loop
@pytest.mark.parametrize('meta,message', [
    ([1], 'meta is a list: it must be a dict'), (None, 'meta is None: it must be a dict'),
    (dict(vocab=dict(user=['a', 'b', 'c', pd.Timestamp('2024')])), r"meta\['vocab'\]\['user'\]\[3\] is a Timestamp: meta takes str, int"),
    (dict(n=np.int64(3)), r"meta\['n'\] is an int64: use \.item\(\), "), (dict(n=np.float64(3)), r"meta\['n'\] is a float64: use \.item\(\)"), (dict(s=np.str_('x')), r"meta\['s'\] is a str_"),
    (dict(t=(1, 2)), r"meta\['t'\] is a tuple: use list\(…\), meta takes str, int, finite float, bool, None, list and dict"), (dict(t={1}), r"meta\['t'\] is a set: use list"), (dict(t=b'x'), r"meta\['t'\] is a bytes"),
    (dict(t=torch.ones(1)), r"meta\['t'\] is a Tensor: use \.tolist\(\)"), (dict(t=L(1)), r"meta\['t'\] is an L: use list\(…\)"), (dict(t=np.ones(2)), r"meta\['t'\] is an ndarray: use \.tolist\(\)"), (dict(t=datetime(2024, 1, 1)), r"meta\['t'\] is a datetime"),
    (dict(t=Path('x')), 'is a PosixPath'), (dict(t=pd.NA), 'is an NAType'), (dict(t=[1., float('nan')]), r"meta\['t'\]\[1\] is nan, which JSON has no word for"),
    (dict(t=float('-inf')), 'is -inf'), ({1: 2}, 'meta has the key 1, which is an int: keys must be str'), (dict(a={None: 1}), r"meta\['a'\] has the key None, which is None: keys must be str"),
    (dict(t=10**4300), 'is an int of 14,285 bits, too large: keep it as a str'), (dict(t=deep), 'lies more than 32 deep: make meta flatter'), (loop, 'lies more than 32 deep'),
    ({'k'*10**5: {1}}, r"meta\['kkkk.*…k*'\] is a set")])
def test_meta_that_json_would_change_is_refused(meta, message, tmp_path):
    with pytest.raises(BundleError, match=message) as e: save_bundle(tmp_path/'b', {}, meta)
    assert len(str(e.value)) < 3000 and not (tmp_path/'b').exists()

@pytest.mark.parametrize('tensors,message', [
    (dict(a=[1.]), r"tensors\['a'\] is a list: it must be a tensor"), (dict(a=np.ones(2)), r"tensors\['a'\] is an ndarray"), (dict(a=None), 'is None: it must be a tensor'),
    (dict(a=torch.ones(2).half()), "has dtype 'float16': only float64, float32, int64, int32, bool are kept"), (dict(a=torch.ones(2, dtype=torch.cfloat)), "'complex64'"),
    (dict(a=torch.ones(2, dtype=torch.uint8)), "'uint8'"), (dict(a=torch.ones(2).to_sparse()), 'is sparse or has no values'), (dict(a=torch.ones(2, device='meta')), 'has no values'),
    (dict(a=torch.zeros([1]*17)), 'has 17 dimensions: reshape it to 16 or fewer'), ({1: torch.ones(1)}, r'tensors\[1\] has a name that a file cannot hold'), ({'': torch.ones(1)}, 'has a name'),
    ({'\ud800': torch.ones(1)}, 'has a name'), ({'__metadata__': torch.ones(1)}, 'has a name'), ({'x'*201: torch.ones(1)}, 'has a name'),
    ({f'{i:0200}': torch.ones(0) for i in range(9000)}, 'are 9,000, too many for one bundle')])
def test_tensors_that_would_not_come_back_are_refused(tensors, message, tmp_path):
    with pytest.raises(BundleError, match=message): save_bundle(tmp_path/'b', tensors, {})
    assert not (tmp_path/'b').exists()

ARGUMENTS = {
    'a model': (lambda p: save_bundle(p/'b', nn.Linear(2, 1), {}), r'tensors is a Linear: give model\.state_dict\(\)'),
    'a list of tensors': (lambda p: save_bundle(p/'b', [torch.ones(1)], {}), r'tensors is a list: it must be a dict of tensors by name'),
    'no tensors': (lambda p: save_bundle(p/'b', None, {}), 'tensors is None: it must be a dict'),
    'a text as tensors': (lambda p: save_bundle(p/'b', 'weights', {}), 'tensors is a str: it must be a dict'),
    'tensors and meta exchanged': (lambda p: save_bundle(p/'b', META, TENSORS), r"tensors\['vocab'\] is a dict: it must be a tensor, and all else belongs into meta"),
    'tensors first': (lambda p: save_bundle(TENSORS, p/'b', META), '(?s)path .*is no name that a folder can have: give a str or a Path'),
    'tensors as meta': (lambda p: save_bundle(p/'b', {}, TENSORS), r"meta\['w'\] is a Tensor"),
    **{f'{name} the path {path!r:.20}': (lambda p, f=f, path=path: f(path), 'path .* is no name that a folder can have') for path in ('', 'a\0b', None, 7, '\ud800', b'', '~nobody has this name/x')
       for name,f in dict(save=lambda p: save_bundle(p, {}, {}), load=load_bundle, info=bundle_info).items()}}

@pytest.mark.parametrize('case', ARGUMENTS)
def test_arguments_that_make_no_sense_are_refused(case, tmp_path, monkeypatch):
    call,message = ARGUMENTS[case]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=message): call(tmp_path)
    assert not list(tmp_path.iterdir())

def test_what_can_be_saved_can_be_loaded_at_the_limits(tmp_path):
    tensors = {f'{i:0200}': torch.tensor([i]) for i in range(5000)} | {'😀'*200: torch.zeros([1]*16)}
    meta = dict(n=2**3000-1, m=-(2**3000-1), deep=[])
    x = meta['deep']
    for _ in range(30): x.append(x := [])
    assert look(*load_bundle(save_bundle(tmp_path/'b', tensors, meta))) == look(tensors, meta)

# --- folders that are none of ours

def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path/'thesis.tex').write_text('years')
    (tmp_path/'weights-0123456789ab.safetensors').write_text('looks like ours')
    before = listing(tmp_path)
    with pytest.raises(BundleError, match="holds 'thesis.tex' and no bundle: name an empty folder or a new one"): save_bundle(tmp_path, TENSORS, META)
    assert listing(tmp_path) == before

@pytest.mark.parametrize('text,message', [('{"format": "theirs"}', 'is not ours'), ('{}', 'is not ours'), ('[]', 'is not a JSON object'), ('', 'is not the JSON'), ('{"form', 'is not the JSON')])
def test_another_programs_bundle_json_is_left_alone(text, message, tmp_path):
    (tmp_path/'bundle.json').write_text(text)
    (tmp_path/'meta-0123456789ab.json').write_text('theirs')
    before = listing(tmp_path)
    with pytest.raises(BundleError, match=message): save_bundle(tmp_path, TENSORS, META)
    assert listing(tmp_path) == before

def test_a_newer_bundle_is_not_overwritten(bundle):
    reseal(bundle, lambda m: m.update(format_version=2))
    with pytest.raises(BundleError, match='format version 2.*upgrade collab_course'): save_bundle(bundle, TENSORS, META)

@pytest.mark.parametrize('spoil', [lambda f: os.truncate(f, 30), lambda f: flip(f, 100), lambda f: f.write_text('[]'), lambda f: (f.unlink(), f.symlink_to('nowhere'))])
def test_a_damaged_manifest_in_the_way_of_a_save_is_left_alone_and_the_way_out_is_said(spoil, bundle):
    spoil(bundle/'bundle.json')
    before = os.listdir(bundle)
    with pytest.raises(BundleError, match=r'bundle\.json .*: remove the folder, or save into another one$') as e: save_bundle(bundle, TENSORS, META)
    assert 'anew' not in str(e.value) and os.listdir(bundle) == before

def test_a_link_that_leads_nowhere_is_said(tmp_path):
    (tmp_path/'current').symlink_to(tmp_path/'gone')
    with pytest.raises(BundleError, match='current is a link that leads nowhere: remove it, or save into another folder'): save_bundle(tmp_path/'current', {}, {})
    with pytest.raises(BundleError, match='current does not exist'): load_bundle(tmp_path/'current')

def test_a_first_save_that_was_cut_off_is_named_among_the_causes(bundle):
    (bundle/'bundle.json').unlink()
    with pytest.raises(BundleError, match='has no bundle.json in it .*or its first save was cut off'): load_bundle(bundle)

def test_a_readme_beside_a_bundle_survives(bundle):
    (bundle/'README.md').write_text('mine')
    (bundle/'sub').mkdir()
    save_bundle(bundle, {}, {})
    assert (bundle/'README.md').read_text() == 'mine' and len(listing_names(bundle)) == 5

def listing_names(path): return sorted(os.listdir(path))

def test_leftovers_without_a_manifest_are_swept_up(tmp_path):
    for o in ('weights-0123456789ab.safetensors', 'meta-0123456789ab.json', '.bundle-0123456789abcdef.tmp'): (tmp_path/o).write_text('half')
    save_bundle(tmp_path, TENSORS, META)
    assert len(listing_names(tmp_path)) == 3
    assert look(*load_bundle(tmp_path)) == look(TENSORS, META)

# --- what is refused when loading

def write(name, data): return lambda b: (b/name).write_bytes(data)
def on(k, f): return lambda b: f(kind(b, k))
def manifest(f): return lambda b: reseal(b, f)
def text(a, z): return lambda b: (b/'bundle.json').write_text((b/'bundle.json').read_text().replace(a, z))
def flip(file, at=-1):
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)

def replace_by(make):
    def f(file):
        file.unlink()
        make(file)
    return f

def link(file):
    file.rename(file.parent.parent/'elsewhere')
    file.symlink_to(file.parent.parent/'elsewhere')

def swapped(b):
    other = save_bundle(b.parent/'other', dict(w=torch.zeros(4, 3), ids=TENSORS['ids'], b=TENSORS['b']), META)
    kind(b, 'weights').write_bytes(kind(other, 'weights').read_bytes())

def other_manifest(b):
    other = save_bundle(b.parent/'other', dict(w=torch.zeros(4, 3)), META)
    (b/'bundle.json').write_bytes((other/'bundle.json').read_bytes())

def huge(b):
    def f(m): m['files']['weights']['bytes'] = 10**13
    reseal(b, f)

def sparse(b):
    huge(b)
    os.truncate(kind(b, 'weights'), 10**13)

def named(name):
    def f(b):
        (b.parent/'stolen').write_bytes(kind(b, 'meta').read_bytes())
        def change(m): m['files']['meta']['name'] = name if name!='absolute' else str(b.parent/'stolen')
        reseal(b, change)
    return f

def set_(*path):
    *keys,last,value = path
    def f(m):
        for k in keys: m = m[k]
        m[last] = value
    return manifest(f)

DAMAGE = {
    'empty': (lambda b: [p.unlink() for p in b.iterdir()], r'is empty: name a folder that `save_bundle` wrote'),
    'no manifest': (lambda b: (b/'bundle.json').unlink(), 'has no bundle.json in it'),
    'gone': (shutil.rmtree, 'does not exist'),
    'a file': (lambda b: (shutil.rmtree(b), b.write_text('')), 'is a file, and a bundle is a folder'),
    'manifest truncated': (lambda b: os.truncate(b/'bundle.json', 200), r'bundle\.json is not the JSON that we write .*: copy the bundle again'),
    'manifest empty': (write('bundle.json', b''), 'is not the JSON that we write'),
    'manifest is no text': (write('bundle.json', b'\x80\x04\x95'), 'is not the JSON that we write'),
    'manifest is a list': (write('bundle.json', b'[]'), 'is not a JSON object'),
    'manifest of another program': (write('bundle.json', b'{"format": "onnx"}'), "is not ours, its format is 'onnx'"),
    'manifest of gigabytes': (lambda b: os.truncate(b/'bundle.json', 2**40), 'has 1,099,511,627,776 bytes, too many for a manifest'),
    'newer version': (set_('format_version', 7), 'format version 7, and up to 1 can be read: upgrade collab_course'),
    'newer version, other keys': (manifest(lambda m: (m.update(format_version=2), m.pop('files'))), 'upgrade collab_course'),
    'version 0': (set_('format_version', 0), 'format version 0, which never was'),
    'version true': (set_('format_version', True), 'format version True, which never was'),
    'version text': (set_('format_version', '1'), "format version '1', which never was"),
    'version 1.0': (set_('format_version', 1.0), r'format version 1\.0, which never was'),
    'missing key': (manifest(lambda m: m.pop('tensors')), 'must have the keys files, format'),
    'another key': (set_('extra', 1), 'must have the keys'),
    'altered manifest': (text('float32', 'float64'), 'was altered, it does not fit its seal'),
    'files a list': (set_('files', []), r'has \[\] as files'),
    'files without meta': (manifest(lambda m: m['files'].pop('meta')), 'does not name weights and meta'),
    'files with a third': (set_('files', 'code', dict(name='x.py', bytes=1, sha256='0'*64)), 'does not name weights and meta'),
    'file a text': (set_('files', 'meta', 'meta.json'), 'does not give name, bytes and sha256 of the meta'),
    'no hash': (set_('files', 'meta', 'sha256', None), 'has no SHA-256 for the meta'),
    'hash in capitals': (set_('files', 'meta', 'sha256', 'A'*64), 'has no SHA-256 for the meta'),
    'hash with newline': (set_('files', 'meta', 'sha256', '0'*64+'\n'), 'has no SHA-256 for the meta'),
    'size negative': (set_('files', 'meta', 'bytes', -1), 'gives -1 as the size of the meta'),
    'size true': (set_('files', 'meta', 'bytes', True), 'gives True as the size of the meta'),
    'size a float': (set_('files', 'meta', 'bytes', 1e3), r'gives 1000\.0 as the size'),
    'size of ten terabytes': (huge, 'is truncated, .* bytes where bundle.json says 10,000,000,000,000'),
    'file of ten terabytes': (sparse, 'more than fit into memory|SHA-256'),
    'versions a list': (set_('versions', []), 'as versions'), 'versions of numbers': (set_('versions', 'torch', 2), 'has versions that are no text'),
    'tensors a list': (set_('tensors', []), 'as tensors'), 'tensor a list': (set_('tensors', 'w', []), "does not give dtype and shape of tensor 'w'"),
    'tensor of float16': (set_('tensors', 'w', 'dtype', 'float16'), "has dtype 'float16'"), 'dtype a list': (set_('tensors', 'w', 'dtype', []), r'has dtype \[\]'),
    'shape a number': (set_('tensors', 'w', 'shape', 12), 'impossible shape 12'), 'shape negative': (set_('tensors', 'w', 'shape', [-4, -3]), 'impossible shape'),
    'shape true': (set_('tensors', 'w', 'shape', [True, 12]), 'impossible shape'), 'shape of many': (set_('tensors', 'w', 'shape', [1]*10**5), 'impossible shape'),
    'another shape': (set_('tensors', 'w', 'shape', [3, 4]), r"\[4, 3\]} as tensor 'w' where bundle.json says"),
    'one tensor more': (set_('tensors', 'x', dict(dtype='bool', shape=[0])), "has None as tensor 'x'"),
    'one tensor less': (manifest(lambda m: m['tensors'].pop('w')), "as tensor 'w' where bundle.json says None"),
    'a parent folder': (named('../stolen'), "names '../stolen' as meta, where only meta-"), 'an absolute path': (named('absolute'), 'where only meta-'),
    'a hidden name': (named('.'), 'where only meta-'), 'a null in the name': (named('meta\0'), 'where only meta-'), 'a name that is none': (named(None), 'where only meta-'),
    'weights missing': (on('weights', Path.unlink), r'weights-\w+\.safetensors is missing, though bundle.json names it'),
    'meta missing': (on('meta', Path.unlink), r'meta-\w+\.json is missing'),
    'weights truncated': (on('weights', lambda f: os.truncate(f, 100)), 'is truncated, 100 bytes where bundle.json says'),
    'weights empty': (on('weights', lambda f: os.truncate(f, 0)), 'is truncated, 0 bytes'),
    'weights longer': (on('weights', lambda f: f.write_bytes(f.read_bytes()+b'\0')), 'is longer than it was'),
    'one bit of the weights': (on('weights', flip), r'weights-\w+\.safetensors was altered, its SHA-256 is not the one in bundle.json: copy'),
    'one bit of the header': (on('weights', lambda f: flip(f, 0)), 'was altered'), 'one bit of meta': (on('meta', flip), r'meta-\w+\.json was altered'),
    "another bundle's weights": (swapped, 'was altered'), "another bundle's manifest": (other_manifest, 'is missing'),
    'weights a link': (on('weights', link), 'is a link, a folder or a device'), 'manifest a link': (lambda b: link(b/'bundle.json'), r'bundle\.json is a link, a folder or a device'),
    'weights a folder': (on('weights', replace_by(Path.mkdir)), 'is a link, a folder or a device'), 'meta a pipe': (on('meta', replace_by(os.mkfifo)), 'is a link, a folder'),
    'manifest a pipe': (lambda b: replace_by(os.mkfifo)(b/'bundle.json'), 'is a link, a folder'), 'manifest a folder': (lambda b: replace_by(Path.mkdir)(b/'bundle.json'), 'is a link, a folder'),
    'weights a device': (on('weights', replace_by(lambda f: f.symlink_to('/dev/zero'))), 'is a link'),
    'manifest a dangling link': (lambda b: replace_by(lambda f: f.symlink_to('nowhere'))(b/'bundle.json'), 'is a link')}

@pytest.mark.parametrize('case', DAMAGE)
def test_damage_is_named(case, bundle):
    spoil,message = DAMAGE[case]
    spoil(bundle)
    with pytest.raises(BundleError, match=message) as e: load_bundle(bundle)
    assert len(str(e.value)) < 1000 and str(bundle) in str(e.value)

def header(text, n=8, size=None):
    data = text if isinstance(text, bytes) else json.dumps(text).encode()
    return struct.pack('<Q', len(data) if size is None else size) + data + bytes(n)

def entry(dtype='F32', shape=(2,), span=(0, 8)): return dict(dtype=dtype, shape=list(shape), data_offsets=list(span))

LIES = {
    'no header': (b'', 'has 0 bytes, too few for a header'), 'seven bytes': (b'1234567', 'has 7 bytes'),
    'huge header': (struct.pack('<Q', 2**62)+b'{}', r'claims a header of 4,611,686,018,427,387,904 bytes in a file of 10'),
    'header of all ones': (b'\xff'*8 + b'{}', 'claims a header of 18,446,744,073,709,551,615'), 'header past the end': (header({}, 0, 3), 'claims a header of 3 bytes'),
    'long header': (header(b' '*(2**22+1)), 'claims a header of 4,194,305'),
    'huge shape': (header(dict(w=entry(shape=[2**60]))), 'takes 4,611,686,018,427,387,904 bytes by its shape and 8'),
    'shape that wraps to 8 bytes': (header(dict(w=entry(shape=[2**62+2]))), 'impossible shape'), 'product that wraps': (header(dict(w=entry(shape=[2**32, 2**32, 2]))), 'impossible shape'),
    'nothing times everything': (header(dict(w=entry(shape=[0, 2**62, 4], span=[0, 0]))), 'impossible shape'),
    'shape past int64': (header(dict(w=entry(shape=[2**64]))), 'impossible shape'), 'negative shape': (header(dict(w=entry(shape=[-2]))), 'impossible shape'),
    'two negatives': (header(dict(w=entry(shape=[-1, -2]))), 'impossible shape'), 'shape of floats': (header(dict(w=entry(shape=[2.]))), r'impossible shape \[2\.0\]'),
    'shape of a text': (header(dict(w=dict(entry(), shape='2'))), 'impossible shape'), 'shape of a dict': (header(dict(w=dict(entry(), shape={}))), 'impossible shape'),
    'negative offsets': (header(dict(w=entry(span=[-8, 0]))), r'impossible offsets \[-8, 0\]'), 'backward offsets': (header(dict(w=entry(span=[8, 0]))), 'claims the bytes 8 to 0 of 8'),
    'offsets past the end': (header(dict(w=entry(span=[8, 16]))), 'claims the bytes 8 to 16 of 8'), 'one offset': (header(dict(w=entry(span=[8]))), 'impossible offsets'),
    'offsets of floats': (header(dict(w=entry(span=[0., 8.]))), 'impossible offsets'), 'offsets of bools': (header(dict(w=entry(shape=[0], span=[False, False]))), 'impossible offsets'),
    'two on the same bytes': (header(dict(a=entry(), w=entry())), 'begins at byte 0 where 8 is due'), 'half overlapping': (header(dict(a=entry(), w=entry(span=[4, 12])), 12), 'begins at byte 4 where 8 is due'),
    'a gap in front': (header(dict(w=entry(span=[8, 16])), 16), 'begins at byte 8 where 0 is due'), 'a gap behind': (header(dict(w=entry()), 16), 'has 8 bytes that belong to no tensor'),
    'wrong size': (header(dict(w=entry(shape=[3]))), 'takes 12 bytes by its shape and 8 by its offsets'), 'float16': (header(dict(w=entry('F16', [4]))), "has dtype 'F16': only"),
    'dtype in words': (header(dict(w=entry('torch.float32'))), "has dtype 'torch.float32'"), 'dtype a list': (header(dict(w=entry(['F32']))), 'has dtype'), 'dtype none': (header(dict(w=entry(None))), 'has dtype None'),
    'twice the same name': (header(b'{"w": %s, "w": %s}' % ((json.dumps(entry()).encode(),)*2)), 'the same key twice'),
    'twice the shape': (header(b'{"w": {"dtype": "F32", "shape": [2], "shape": [1], "data_offsets": [0, 8]}}'), 'the same key twice'),
    'metadata': (header({'__metadata__': {'format': 'pt'}, 'w': entry()}), "tensor '__metadata__', is not described"), 'entry a list': (header(dict(w=[])), 'is not described by'),
    'one key more': (header(dict(w=dict(entry(), code='x'))), 'is not described by'), 'a list': (header([]), 'is not a JSON object'), 'no JSON': (header(b'{"w"'), 'is not the JSON that we write'),
    'deep': (header(b'{"w":' + b'['*100_000 + b']'*100_000 + b'}'), 'brackets more than 32 deep'), 'deep and open': (header(b'{"w":'*100_000), 'brackets more than 32 deep'),
    'many digits': (header(b'{"w": {"dtype": "F32", "shape": [' + b'1'*100_000 + b'], "data_offsets": [0, 8]}}'), 'a whole number of 100,000 digits'),
    'NaN': (header(b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}'), 'NaN, which is no JSON'), 'infinity': (header(b'{"w": -Infinity}'), '-Infinity, which is no JSON'),
    'too large': (header(b'{"w": 1e400}'), 'a number too large for a float'), 'not utf-8': (header(b'{"\xff": 1}'), 'is not the JSON that we write'),
    'other tensors': (header(dict(x=entry())), "has None as tensor 'w'"), 'other shape': (header(dict(w=entry(shape=[1, 2]))), r'where bundle.json says')}

@pytest.fixture
def two(tmp_path): return save_bundle(tmp_path/'two', dict(w=torch.ones(2)), {})

@pytest.mark.parametrize('lie', LIES)
def test_a_header_that_lies_is_refused(lie, two):
    data,message = LIES[lie]
    forge(two, weights=data)
    with pytest.raises(BundleError, match=message) as e: load_bundle(two)
    assert len(str(e.value)) < 1000

def test_bools_are_zero_or_one(two):
    forge(two, weights=header(dict(w=entry('BOOL', [2], [0, 2])), 0) + b'\x01\x02')
    reseal(two, lambda m: m['tensors'].update(w=dict(dtype='bool', shape=[2])))
    with pytest.raises(BundleError, match='bools that are neither 0 nor 1'): load_bundle(two)

@pytest.mark.parametrize('meta,message', [
    (b'', 'is not the JSON'), (b'[]', 'is not a JSON object'), (b'null', 'is not a JSON object'), (b'{"a": 1, "a": 1}', 'the same key twice'), (b'{"a": [{"b": 1, "b": 2}]}', 'the same key twice'),
    (b'{"a": NaN}', 'NaN, which is no JSON'), (b'{"a": Infinity}', 'Infinity'), (b'{"a": 1e999}', 'too large'), (b'{"a": -' + b'9'*100_000 + b'}', 'of 100,001 digits'),
    (b'['*100_000 + b']'*100_000, 'brackets more than 32'), (b'{"":'*100_000 + b'1' + b'}'*100_000, 'brackets more than 32'), (b'{"a": "' + b'\\'*100_001 + b'"}', 'is not the JSON'),
    (b'{"a": "' + b'['*50, 'is not the JSON'), (b'\xef\xbb\xbf{}', 'is not the JSON'), ('{"a": 1}'.encode('utf-16'), 'is not the JSON'), (b'{"a": 01}', 'is not the JSON'), (b"{'a': 1}", 'is not the JSON'),
    (b'{"a": "\n"}', 'is not the JSON'), (b'{"a": 1} {}', 'is not the JSON')])
def test_meta_with_traps_is_refused(meta, message, bundle):
    forge(bundle, meta=meta)
    with pytest.raises(BundleError, match=message): load_bundle(bundle)

HOSTILE = {'many escapes': b'[' + b'[],'*40 + b'"' + rb'\n'*5_000_000 + b'"', 'escaped quotes': b'[' + b'[],'*40 + b'"' + rb'\"'*5_000_000 + b'"',
           'texts with brackets': b'[' + b'"[[[",'*1_600_000 + b'[' * 40, 'many lists': b'[' + b'[],'*3_300_000 + b'['*40, 'empty texts': b'[' + b'"",'*3_300_000 + b'['*40}
@pytest.mark.parametrize('case', HOSTILE)
def test_ten_megabytes_of_traps_are_refused_for_little_memory(case):
    data = b'{"a":' + HOSTILE[case]
    with pytest.raises(BundleError, match='is not the JSON'): bundles._parse(data, 'meta')
    tracemalloc.start()
    try:
        with pytest.raises(BundleError): bundles._parse(data, 'meta')
        assert tracemalloc.get_traced_memory()[1] < 5*len(data)
    finally: tracemalloc.stop()

@given(st.text('[]{}"\\a', max_size=60))
def test_brackets_are_counted_as_by_hand(s):
    depth,deepest,within,i = 0,0,False,0
    while i<len(s):
        if within and s[i]=='\\': i += 1
        elif s[i]=='"': within = not within
        elif not within and s[i]=='\\': break # no JSON from here on
        elif not within: depth += (s[i] in '[{') - (s[i] in ']}')
        deepest,i = max(deepest, depth),i+1
    try: bundles._check_depth(('['*30 + s).encode())
    except ValueError: assert deepest>2 or '\\' in s
    else: assert deepest<=2

def test_brackets_within_texts_are_no_depth(bundle):
    meta = {'[{'*50: ['{'*500, '\\"['*50, [[]]]}
    save_bundle(bundle, {}, meta)
    assert load_bundle(bundle)[1] == meta

def test_a_hostile_claim_costs_no_memory(two):
    "With little more address space than is in use, each lie is refused in the same words"
    def load_all():
        used = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used+2**26, used+2**26))
        for lie,(data,_) in LIES.items():
            if 'shape' in lie or 'header' in lie or 'offsets' in lie:
                forge(two, weights=data)
                try: load_bundle(two)
                except BundleError: continue
                return 1
        huge(two)
        os.truncate(kind(two, 'weights'), 10**13)
        try: load_bundle(two)
        except BundleError as e: return 0 if 'more than fit into memory' in str(e) else 2
        return 3
    assert child(load_all) == 0

def test_loading_runs_nothing_and_writes_nothing(bundle):
    "Python reports what it opens, compiles, imports and unpickles to an audit hook"
    load_bundle(bundle)
    before,events = listing(bundle),[]
    def watch():
        sys.addaudithook(lambda name, args: events.append((name, args)))
        load_bundle(bundle)
        bundle_info(bundle)
        seen = events.copy()
        wrote = [a for n,a in seen if n=='open' and a[2] & (os.O_WRONLY|os.O_RDWR|os.O_CREAT|os.O_TRUNC)]
        ran = [n for n,_ in seen if n in ('compile', 'exec', 'import', 'marshal.loads', 'ctypes.dlopen') or n.startswith(('pickle', 'subprocess', 'os.', 'shutil', 'socket'))]
        opened = [n for n,_ in seen if n=='open']
        return 0 if not wrote and set(ran) <= {'os.listdir'} and len(opened)>=4 else 1
    assert child(watch) == 0
    assert listing(bundle) == before

def test_a_pickle_is_never_opened(bundle):
    import pickle
    class Bomb:
        def __reduce__(self): return exec, ('import builtins; builtins.exploded = True',)
    data = pickle.dumps(Bomb())
    for spoil in (lambda: forge(bundle, weights=data), lambda: forge(bundle, meta=data), lambda: (bundle/'bundle.json').write_bytes(data)):
        spoil()
        with pytest.raises(BundleError): load_bundle(bundle)
    assert not hasattr(builtins, 'exploded')

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
    f = Fault(at, fault)
    monkeypatch.setattr(bundles, 'os', f)
    return f

BIG = [dict(w=torch.full((50_000,), float(i)), n=torch.tensor(i)) for i in range(2)]
def what(path):
    "Which of the two was loaded: 0, 1, or why neither"
    try: tensors,meta = load_bundle(path)
    except BundleError as e: return f'unreadable: {e}'
    return meta['i'] if tensors['n']==meta['i'] and (tensors['w']==meta['i']).all() else 'mixture'

def save(path, i): return save_bundle(path, BIG[i], dict(i=i, ids=list(range(1000))))

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
    if not first: save(tmp_path/'count', 0)
    calls,found = n_calls(tmp_path/'count', monkeypatch),[]
    for at in range(1, len(calls)+1):
        path = tmp_path/f'b{at}'
        if not first: save(path, 0)
        def run():
            bundles.os = Fault(at, dies)
            save(path, 1)
        assert child(run) == 7
        found.append(what(path))
        save(path, 0)
        assert what(path) == 0 and len(listing_names(path)) == 3
    cut = calls.index('replace', calls.index('replace', calls.index('replace')+1)+1)+1 # the third: the manifest
    none = [o for o in found if o not in (0, 1)]
    assert found[cut:] == [1]*(len(calls)-cut) and len(found) > 25
    assert not none and found[:cut] == [0]*cut if not first else len(none)==cut and all('unreadable' in o for o in none)

@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS])
def test_an_error_at_every_call_leaves_old_or_new_and_no_litter(code, tmp_path, monkeypatch):
    path = save(tmp_path/'b', 0)
    calls,found,raised = n_calls(path, monkeypatch),Counter(),0
    committed = max(i for i,o in enumerate(calls, 1) if o=='fsync')
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
        if at <= committed: assert len(listing_names(path)) == 3, calls[at-1] # after it, the sweep itself may fail
        save(path, 0)
        assert len(listing_names(path)) == 3
    assert set(found) == {0, 1} and raised > 15

def test_a_kill_at_a_random_moment_leaves_old_or_new(quick):
    path,rng,found,litter = save(quick/'b', 0),random.Random(0),Counter(),0
    hear,say = os.pipe()
    def for_ever():
        os.write(say, b'!')
        while True:
            for i in (1, 0): save(path, i)
    for _ in range(300):
        pid = os.fork()
        if not pid:
            try: for_ever()
            finally: os._exit(1)
        assert os.read(hear, 1) == b'!'
        time.sleep(rng.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        found[what(path)] += 1
        litter += len(listing_names(path))>3
    print(dict(found), f'{litter} kills left files that the next save removed')
    assert set(found) == {0, 1} and litter > 20
    os.close(hear), os.close(say)
    save(path, 0)
    assert what(path) == 0 and len(listing_names(path)) == 3

def test_readers_beside_writers_get_one_of_the_two(quick):
    "Two processes save, two read; who reads a mixture or nothing ends with another code than 0"
    path,until = save(quick/'b', 0),time.monotonic()+4
    def writer():
        while time.monotonic()<until:
            for i in (1, 0): save(path, i)
    def reader():
        seen = Counter()
        while time.monotonic()<until:
            seen[what(path)] += 1
            if bundle_info(path)['tensors']['w']['shape']!=[50_000]: return 2
        return 0 if set(seen)=={0, 1} and sum(seen.values())>50 else 1
    pids = []
    for f in (writer, writer, reader, reader):
        pid = os.fork()
        if not pid:
            code = 99
            try: code = f() or 0
            finally: os._exit(code)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(o, 0)[1]) for o in pids] == [0]*4
    assert what(path) in (0, 1) and len(listing_names(path)) == 3

def test_a_reader_follows_a_save_that_came_in_between(tmp_path, monkeypatch):
    path,real,saves = save(tmp_path/'b', 0),bundles._open,[]
    def slow(file):
        if 'weights-' in str(file) and len(saves)<5:
            saves.append(1)
            with monkeypatch.context() as m:
                m.setattr(bundles, '_open', real)
                save(path, len(saves)%2)
        return real(file)
    monkeypatch.setattr(bundles, '_open', slow)
    assert what(path) == 1 and len(saves) == 5

def test_what_is_open_stays_whole_while_it_is_replaced(tmp_path, monkeypatch):
    path,real = save(tmp_path/'b', 0),bundles._take
    def late(f, size):
        if 'weights-' in f.name:
            with monkeypatch.context() as m:
                m.setattr(bundles, '_take', real)
                save(path, 1)
        return real(f, size)
    monkeypatch.setattr(bundles, '_take', late)
    assert what(path) == 0
    monkeypatch.undo()
    assert what(path) == 1

def test_a_full_disk_is_said_and_harms_nothing(tmp_path, monkeypatch):
    path = save(tmp_path/'b', 0)
    before,left = listing(path),[10_000]
    def write(fd, data):
        n = min(len(data), left[0])
        left[0] -= n
        if not n: raise OSError(errno.ENOSPC, 'No space left on device')
        return os.write(fd, data[:n])
    f = Fault()
    f.write = write
    monkeypatch.setattr(bundles, 'os', f)
    with pytest.raises(OSError, match='No space left on device while saving the bundle .*is whole') as e: save(path, 1)
    assert e.value.errno == errno.ENOSPC and listing(path) == before

def test_a_limit_on_file_size_harms_nothing(tmp_path):
    path = save(tmp_path/'b', 0)
    before = listing(path)
    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try: save(path, 1)
        except OSError as e: return 0 if e.errno==errno.EFBIG and 'while saving the bundle' in str(e) else 2
        return 3
    assert child(limited) == 0
    assert listing(path) == before

def test_a_write_that_takes_only_a_part_is_continued(tmp_path, monkeypatch):
    f = Fault()
    f.write = lambda fd, data: os.write(fd, data[:999])
    monkeypatch.setattr(bundles, 'os', f)
    assert what(save(tmp_path/'b', 1)) == 1

def test_interrupted_by_the_keyboard_leaves_no_litter(tmp_path, monkeypatch):
    path = save(tmp_path/'b', 0)
    f = Fault()
    def interrupt(fd): raise KeyboardInterrupt
    f.fsync = interrupt
    with monkeypatch.context() as m:
        m.setattr(bundles, 'os', f)
        with pytest.raises(KeyboardInterrupt): save(path, 1)
    assert what(path) == 0 and len(listing_names(path)) == 3

def test_a_path_that_is_a_file_is_said(tmp_path):
    (tmp_path/'f').write_text('mine')
    with pytest.raises(NotADirectoryError, match='A file, not a folder, is there while saving'): save(tmp_path/'f', 0)
    with pytest.raises(NotADirectoryError): save(tmp_path/'f'/'deeper', 0)
    with pytest.raises(NotADirectoryError): load_bundle(tmp_path/'f'/'deeper')
    assert (tmp_path/'f').read_text() == 'mine'

def as_nobody(f):
    if not os.geteuid(): os.setuid(65534)
    return f()

@pytest.mark.parametrize('act', [save, load_bundle, bundle_info])
def test_no_permission_is_said(act, tmp_path):
    path = save(tmp_path/'b', 0)
    os.chmod(path, 0)
    def run():
        try: act(path, 1) if act is save else act(path)
        except PermissionError as e: return 0 if f'while {"saving" if act is save else "reading"} the bundle {path}' in str(e) else 2
        return 3
    assert child(lambda: as_nobody(run)) == 0
    os.chmod(path, 0o755)
    assert what(path) == 0

def test_a_bundle_that_may_only_be_read_is_read(tmp_path):
    path = save(tmp_path/'b', 0)
    os.chmod(path, 0o555)
    for p in path.iterdir(): os.chmod(p, 0o444)
    assert what(path) == 0
    os.chmod(path, 0o755)

def test_a_file_system_without_locks_will_do(tmp_path, monkeypatch):
    def no_locks(*_): raise OSError(errno.ENOLCK, 'No locks available')
    monkeypatch.setattr(bundles.fcntl, 'flock', no_locks)
    assert what(save(tmp_path/'a', 1)) == 1
    monkeypatch.setattr(bundles, 'fcntl', None)
    assert what(save(tmp_path/'b', 1)) == 1

def test_a_lock_that_fails_otherwise_is_no_reason_to_go_on(tmp_path, monkeypatch):
    def interrupted(*_): raise OSError(errno.EIO, 'Input/output error')
    path = save(tmp_path/'b', 0)
    monkeypatch.setattr(bundles.fcntl, 'flock', interrupted)
    with pytest.raises(OSError, match='Input/output error while saving the bundle'): save(path, 1)
    assert what(path) == 0

@pytest.mark.parametrize('how', ['no fcntl', 'no locks'])
def test_savers_without_locks_lose_nothing(how, quick, monkeypatch):
    "Three threads save into one folder, again and again, while a reader looks"
    def no_locks(*_): raise OSError(errno.ENOLCK, 'No locks available')
    if how=='no fcntl': monkeypatch.setattr(bundles, 'fcntl', None)
    else: monkeypatch.setattr(bundles.fcntl, 'flock', no_locks)
    for k in range(4):
        path,errors,seen,until = quick/f'b{k}',[],Counter(),time.monotonic()+0.4
        def saver(i):
            try:
                while time.monotonic()<until: save_bundle(path, BIG[i%2], dict(i=i%2, saver=i))
            except BaseException as e: errors.append(e)
        threads = [threading.Thread(target=saver, args=[i]) for i in range(3)]
        for o in threads: o.start()
        while any(o.is_alive() for o in threads):
            if path.exists() and (path/'bundle.json').exists(): seen[what(path)] += 1
        for o in threads: o.join()
        assert not errors and what(path) in (0, 1) and set(seen) <= {0, 1}

def test_without_locks_only_what_is_an_hour_older_than_the_manifest_is_swept_up(tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, 'fcntl', None)
    path = save(tmp_path/'b', 0)
    old,young = path/'weights-0123456789ab.safetensors',path/'.bundle-0123456789abcdef.tmp'
    for o in (old, young): o.write_text('half')
    for o in path.iterdir(): os.utime(o, (t := time.time()-3700, t)) if o!=young else None
    save(path, 1)
    assert what(path) == 1 and young.exists() and len(listing_names(path)) == 4

def test_a_failed_save_without_locks_leaves_no_half_file(tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, 'fcntl', None)
    path = save(tmp_path/'b', 0)
    f = Fault()
    def full(fd, data): raise OSError(errno.ENOSPC, 'No space left on device')
    f.write = full
    with monkeypatch.context() as m:
        m.setattr(bundles, 'os', f)
        with pytest.raises(OSError, match='No space'): save(path, 1)
    assert what(path) == 0 and len(listing_names(path)) == 3

def test_no_file_stays_open(bundle):
    opened = lambda: len(os.listdir('/proc/self/fd'))
    before = opened()
    for _ in range(3):
        load_bundle(bundle)
        save_bundle(bundle, TENSORS, META)
        for spoil in (lambda b: kind(b, 'meta').unlink(), lambda b: os.truncate(b/'bundle.json', 5)):
            shutil.rmtree(bundle.parent/'bad', ignore_errors=True)
            shutil.copytree(bundle, bundle.parent/'bad')
            spoil(bundle.parent/'bad')
            with pytest.raises(BundleError): load_bundle(bundle.parent/'bad')
    assert opened() == before

def test_a_bundle_is_the_same_wherever_it_is_read(bundle, tmp_path):
    shutil.move(bundle, tmp_path/'moved')
    assert look(*load_bundle(tmp_path/'moved')) == look(TENSORS, META)
    assert look(st_load(kind(tmp_path/'moved', 'weights').read_bytes()), 0)[0] != []
