"A file is written whole or not at all, the disk has it before we say so, and errors name it"
import errno, os, signal, stat, time
from pathlib import Path

import pandas as pd
import pytest

from collab_course import files
from collab_course.command_line import write_new
from collab_course.files import flush_folder, left_aside, make_folder, sweep_aside, write_whole

class Disk:
    "The module `os`: notes each call that changes or flushes something, and may do something else in its place"
    noted = 'open write fsync link rename replace unlink mkdir close'.split()
    def __init__(self, **instead): self.instead,self.calls,self.names = instead,[],{}
    def __getattr__(self, name):
        f = getattr(os, name)
        if name not in self.noted: return f
        def call(*args, **kwargs):
            if name!='close': self.calls.append((name, self.word(args[0])))
            res = self.instead.get(name, f)(*args, **kwargs)
            if name=='open': self.names[res] = self.word(args[0])
            return res
        return call
    def word(self, o): return self.names.get(o) if isinstance(o, int) else 'aside' if '.tmp' in str(o) else Path(o).name

@pytest.fixture
def disk(monkeypatch):
    def make(**instead):
        res = Disk(**instead)
        monkeypatch.setattr(files, 'os', res)
        return res
    return make

@pytest.fixture
def folder(tmp_path):
    (tmp_path/'home').mkdir()
    return tmp_path/'home'

def names(folder): return sorted(os.listdir(folder))

# --- in which order

def test_the_disk_has_the_file_before_its_name_and_the_name_before_we_return(folder, disk):
    calls = disk().calls
    write_whole(folder/'f', [b'one', b'two'])
    assert calls==[('open', 'aside'), ('write', 'aside'), ('write', 'aside'), ('fsync', 'aside'), ('replace', 'aside'),
                   ('open', 'home'), ('fsync', 'home')]

def test_a_new_name_is_given_by_a_link_in_the_same_order(folder, disk):
    calls = disk().calls
    write_whole(folder/'f', [b'one'], replace=False)
    assert calls[2:]==[('fsync', 'aside'), ('link', 'aside'), ('unlink', 'aside'), ('open', 'home'), ('fsync', 'home')]

def test_each_folder_above_a_new_one_is_flushed(tmp_path, disk):
    calls = disk().calls
    assert make_folder(tmp_path/'a'/'b'/'c').is_dir()
    assert [o for o in calls if o[0]=='fsync']==[('fsync', o) for o in (tmp_path.name, 'a', 'b')]
    del calls[:]
    make_folder(tmp_path/'a'/'b')
    assert not calls

def test_macos_flushes_the_drive_as_well(folder, disk, monkeypatch):
    calls,asked = disk().calls,[]
    class Fcntl:
        F_FULLFSYNC = 51
        def fcntl(fd, what): asked.append((stat.S_ISDIR(os.fstat(fd).st_mode), what))
    monkeypatch.setattr(files, 'fcntl', Fcntl)
    write_whole(folder/'f', [b'one'])
    assert asked==[(False, 51), (True, 51)] and not [o for o in calls if o[0]=='fsync']

def test_a_network_disk_that_knows_no_full_flush_gets_a_plain_one(folder, disk, monkeypatch):
    calls = disk().calls
    class Fcntl:
        F_FULLFSYNC = 51
        def fcntl(fd, what): raise OSError(errno.ENOTSUP, 'not here')
    monkeypatch.setattr(files, 'fcntl', Fcntl)
    write_whole(folder/'f', [b'one'])
    assert [o for o in calls if o[0]=='fsync']==[('fsync', 'aside'), ('fsync', 'home')]

@pytest.mark.parametrize('code', [errno.EINVAL, errno.ENOTSUP])
def test_a_disk_that_cannot_flush_folders_is_no_reason_to_fail(folder, disk, code):
    def fsync(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode): raise OSError(code, os.strerror(code))
    disk(fsync=fsync)
    assert write_whole(folder/'f', [b'one']).read_bytes()==b'one'

def test_a_broken_disk_is_said(folder, disk):
    def fsync(fd): raise OSError(errno.EIO, os.strerror(errno.EIO))
    disk(fsync=fsync)
    with pytest.raises(OSError, match='Input/output error'): flush_folder(folder)

# --- what is written

@pytest.mark.parametrize('parts', [[], [b''], [b'', b'a', b'', b'b'], [bytearray(b'a'), memoryview(b'b')],
                                   (o for o in (b'a', b'b')), [b'x'*3_000_001]])
def test_any_parts_are_written_in_order(folder, disk, parts):
    parts = list(parts)
    disk(write=lambda fd, data: os.write(fd, data[:1_000_000])) # a call may take a part only
    assert write_whole(str(folder/'f'), iter(parts)).read_bytes()==b''.join(parts) and names(folder)==['f']

@pytest.mark.parametrize('replace', [True, False])
@pytest.mark.parametrize('mask,mode', [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_can_be_read_by_whom_the_umask_allows(folder, replace, mask, mode):
    old = os.umask(mask)
    try: path = write_whole(folder/'f', [b''], replace)
    finally: os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode)==mode

def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(folder):
    (folder/'theirs').write_text('theirs')
    (folder/'f').symlink_to('theirs')
    write_whole(folder/'f', [b'mine'])
    assert not (folder/'f').is_symlink() and (folder/'theirs').read_text()=='theirs'

# --- what is in the way

def put(kind, path):
    if kind=='file': path.write_text('mine')
    if kind=='folder': path.mkdir()
    if kind=='link': path.symlink_to('nowhere')

@pytest.mark.parametrize('links', [True, False], ids=['', 'a disk without links'])
@pytest.mark.parametrize('kind', ['file', 'folder', 'link'])
def test_what_has_the_name_is_left_alone_where_nothing_shall_be_replaced(folder, disk, kind, links):
    put(kind, folder/'f')
    def link(*args): raise PermissionError(errno.EPERM, 'no links here')
    disk(**({} if links else dict(link=link)))
    with pytest.raises(FileExistsError) as e: write_whole(folder/'f', [b'new'], replace=False)
    assert str(e.value)==f"[Errno 17] File exists: '{folder/'f'}'" and names(folder)==['f']
    assert os.path.islink(folder/'f')==(kind=='link') and (kind!='file' or (folder/'f').read_text()=='mine')

def test_a_disk_without_links_takes_a_new_file_too(folder, disk):
    def link(*args): raise PermissionError(errno.EPERM, 'no links here')
    disk(link=link)
    assert write_whole(folder/'f', [b'new'], replace=False).read_bytes()==b'new' and names(folder)==['f']

NOWHERE = {
    'no such folder': lambda o: (o/'no'/'f', FileNotFoundError),
    'below a file': lambda o: (write_whole(o/'file', [b''])/'f', NotADirectoryError),
    'a folder': lambda o: (make_folder(o/'f'), IsADirectoryError),
    'too long': lambda o: (o/('n'*300), OSError),
    'much too long': lambda o: (o/'/'.join(['n'*200]*30), OSError),
    'a device': lambda o: (Path('/proc/f'), OSError)}

@pytest.mark.parametrize('case', NOWHERE)
def test_an_error_names_the_file_that_was_asked_for_and_leaves_nothing(folder, case):
    path,kind = NOWHERE[case](folder)
    before = names(folder)
    with pytest.raises(kind) as e: write_whole(path, [b'new'])
    assert e.value.filename==str(path) and '.tmp' not in str(e.value) and names(folder)==before

def test_a_full_disk_leaves_the_old_file_and_nothing_else(folder, disk):
    write_whole(folder/'f', [b'old'])
    def write(fd, data):
        if len(data)<500_000: raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(fd, data[:400_000])
    disk(write=write)
    with pytest.raises(OSError, match="No space left on device: '.*/f'"): write_whole(folder/'f', [bytes(10**6)])
    assert names(folder)==['f'] and (folder/'f').read_bytes()==b'old'

@pytest.mark.parametrize('replace', [True, False])
@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_an_error_at_any_call_leaves_old_or_new(folder, monkeypatch, code, replace):
    "And nothing aside, unless it was the removal that failed"
    count = Disk()
    monkeypatch.setattr(files, 'os', count)
    write_whole(folder/'f', [b'old'], replace)
    for at in range(len(count.calls)):
        if not replace: (folder/'f').unlink(missing_ok=True)
        doing = Disk()
        def failing(name):
            def f(*args, **kwargs):
                if len(doing.calls)==at+1: raise OSError(code, os.strerror(code))
                return getattr(os, name)(*args, **kwargs)
            return f
        doing.instead = {o: failing(o) for o in doing.noted}
        monkeypatch.setattr(files, 'os', doing)
        failed = None
        try: write_whole(folder/'f', [b'new'], replace)
        except OSError as e: failed = e
        assert failed is None or (failed.errno, failed.filename)==(code, str(folder/'f'))
        there = (folder/'f').read_bytes() if (folder/'f').exists() else None
        assert there in ([b'new', b'old'] if replace else [b'new', None]), doing.calls
        assert there==b'new' or failed
        assert names(folder) in (['f'], []) , doing.calls
        monkeypatch.setattr(files, 'os', os)
        if replace: write_whole(folder/'f', [b'old'])

def time_of(f):
    "How long a call takes on this machine: the moments of the kills are parts of it"
    began = time.perf_counter()
    f()
    return time.perf_counter() - began

@pytest.mark.parametrize('replace', [True, False])
def test_a_kill_leaves_a_whole_file_or_none(folder, replace):
    one = time_of(lambda: write_whole(folder/'f', [bytes(300_000)]))
    for moment in range(30):
        pid = os.fork()
        if not pid:
            try:
                for i in range(10**6):
                    if not replace: (folder/'f').unlink(missing_ok=True)
                    write_whole(folder/'f', [str(i).encode().zfill(100_000)]*3, replace)
            finally: os._exit(1)
        time.sleep((1 + moment/4)*one)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if replace or (folder/'f').exists():
            data = (folder/'f').read_bytes()
            assert len(data)==300_000 and data[:100_000]*3==data
    old = time.time() - 4000
    for o in folder.glob('.*'): os.utime(o, (old, old))
    write_whole(folder/'f', [b'new'])
    assert names(folder)==['f']

def test_a_table_that_the_program_writes_is_whole_or_absent_after_a_kill(folder):
    "Of a part under the final name `fit` would make a model"
    df,f = pd.DataFrame(dict(user=range(5000), rating=3)),folder/'r.csv'
    one = time_of(lambda: write_new(df, f))
    whole = f.read_bytes()
    assert len(whole.splitlines())==5001
    for moment in range(25):
        f.unlink(missing_ok=True)
        pid = os.fork()
        if not pid:
            try: write_new(df, f)
            finally: os._exit(0)
        time.sleep(moment/16*one)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert not f.exists() or f.read_bytes()==whole

def test_a_table_that_does_not_fit_on_the_disk_leaves_no_file(folder, disk):
    def write(fd, data): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    disk(write=write)
    with pytest.raises(OSError, match="No space left on device: '.*r.csv'"):
        write_new(pd.DataFrame(dict(user=[1])), folder/'r.csv')
    assert names(folder)==[]

# --- what killed programs have left

def test_only_what_is_ours_and_an_hour_old_is_swept(folder):
    a,g = 'a'*16,'g'*16
    ours = [f'.collab-{a}.tmp', f'.bundle-{a}.tmp', '.u.data.ab_c1234', '.u.item.abcdefgh', '.u.user.12345678']
    others = ['u.data', 'u.data.refused', f'.collab-{g}.tmp', f'collab-{a}.tmp', f'.collab-{a}.tmp.csv',
              '.u.base.abcdefgh']
    now = time.time()
    for o in ours+others:
        (folder/o).write_text('')
        os.utime(folder/o, (now-3700, now-3700))
    young = f'.collab-{"b"*16}.tmp'
    (folder/young).write_text('')
    os.utime(folder/young, (now-3500, now-3500))
    sweep_aside(folder, now)
    assert names(folder)==sorted([*others, young])

def test_a_folder_that_cannot_be_listed_is_left_as_it_is(folder): assert sweep_aside(folder/'no', time.time()) is None

def test_every_name_aside_is_one_that_is_swept(folder, disk):
    seen = []
    disk(replace=lambda aside, path: seen.append(Path(aside).name) or os.replace(aside, path))
    write_whole(folder/'f', [b''])
    assert left_aside.fullmatch(seen[0])
