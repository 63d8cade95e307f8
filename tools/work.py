"""Your own copy of the notebooks in work/, so that answers never collide with `git pull`: `python tools/work.py`

A notebook that you haven't changed follows the course. One that you changed stays as it is; if the course has a newer
one, it's put beside yours as `NAME (new).ipynb`. Nothing in work/ is ever deleted. To start a notebook afresh, delete
it: the next `make lab` brings it back. What was copied is trusted, so figures live as soon as it's open. With `--here`
nothing is copied, and the notebooks of nbs/ that are as git has them are trusted."""
import hashlib, json, os, re, subprocess, sys, tempfile, time
from contextlib import suppress
from pathlib import Path

root = Path(__file__).resolve().parents[1]
AWAY = ('teaching', '_proc')  # folders of nbs/ that learners don't need
MEMORY = '.copied.json'       # what was copied, inside work/
PART = '.copying-'            # a file that is being written

# ---- what a notebook looks like in the lab ----

_hidden = re.compile(r'^#\|\s*(?:hide|hide_input|echo:\s*false)\s*$', re.M)

def only_directives(
    cell,  # of a notebook, as JSON has it
):
    "Whether a cell holds nothing but `#|` lines, which mean nothing to a kernel"
    lines = [o.strip() for o in ''.join(cell['source']).splitlines()]
    return cell['cell_type']=='code' and any(lines) and all(o.startswith('#|') for o in lines if o)

def folded(
    cell,  # of a notebook, as JSON has it
):
    "Return a cell with its code folded if the website doesn't show it either"
    if cell['cell_type']!='code' or not _hidden.search(''.join(cell['source'])): return cell
    meta = cell['metadata']
    return {**cell, 'metadata': {**meta, 'jupyter': {**meta.get('jupyter', {}), 'source_hidden': True}}}

def as_opened(
    nb,      # notebook, as JSON has it
    kernel,  # from `kernel_metadata`
):
    "Return a notebook as JupyterLab would save it: it has nothing to add when it opens it"
    cells = [folded(o) for o in nb['cells'] if not only_directives(o)]
    return {**nb, 'cells': cells, 'metadata': {**nb['metadata'], **kernel}}

def as_bytes(
    nb,  # notebook, as JSON has it
):
    "Return the bytes that Jupyter writes for a notebook"
    return (json.dumps(nb, indent=1, ensure_ascii=False, sort_keys=True, separators=(',', ': ')) + '\n').encode()

# ---- copying ----

def sha(
    data,  # bytes
):
    "Return a name for a content"
    return hashlib.sha256(data).hexdigest()

def sources(
    nbs,  # folder of the course
):
    "Return the notebooks that learners work with, by their names below `nbs`"
    found = {o.relative_to(nbs).as_posix(): o for o in sorted(nbs.rglob('*.ipynb'))}
    away = lambda name: any(o in AWAY or o.startswith('.') for o in name.split('/'))
    return {name: o for name,o in found.items() if not away(name)}

def write(
    path,  # file
    data,  # bytes
):
    "Write a file whole or not at all"
    path.parent.mkdir(parents=True, exist_ok=True)
    fd,part = tempfile.mkstemp(prefix=PART, dir=path.parent)
    try:
        with os.fdopen(fd, 'wb') as f: f.write(data)
        os.chmod(part, 0o644)  # as others are; a temporary file is only for its owner
        os.replace(part, path)
    except BaseException:
        with suppress(OSError): os.unlink(part)
        raise

def remove_parts(
    work,  # folder of the copy
    age=3600,  # seconds: younger ones may be somebody's at work
):
    "Remove what an interrupted copy left"
    for o in work.rglob(PART + '*'):
        with suppress(OSError):
            if time.time()-o.stat().st_mtime > age: o.unlink()

class Memory:
    """What was copied: `written` has every content that we ever wrote, `offered` the course's version of each notebook
    that the learner has had, `how` our way of copying."""
    def __init__(self,
        path,  # file; it need not exist
    ):
        self.path = path
        self.written,self.offered,self.how = set(),{},None
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(path.read_text(encoding='utf-8'))
            self.written,self.offered,self.how = set(said['written']),dict(said['offered']),said['how']

    def save(self):
        "Write the file if anything has changed"
        said = dict(how=self.how, offered=self.offered, written=sorted(self.written))
        data = json.dumps(said, indent=1).encode()
        if not self.path.is_file() or self.path.read_bytes()!=data: write(self.path, data)

    def is_ours(self,
        path,  # any file
    ):
        "Whether a file holds what we wrote, and nothing of the learner's"
        return path.is_file() and sha(path.read_bytes()) in self.written

def is_free(path): return not os.path.lexists(path)

def beside(
    path,    # notebook that the learner has changed
    memory,  # `Memory`
):
    "Return where the course's newer version goes"
    for i in range(1, 1000):
        res = path.with_name(f'{path.stem} (new{"" if i==1 else f" {i}"}).ipynb')
        if is_free(res) or memory.is_ours(res): return res
    raise OSError(f'there are too many copies of {path}: delete those that you do not need')

def put(
    path,  # file
    data,  # bytes
):
    "Write a file unless it's as it should be"
    if is_free(path) or path.read_bytes()!=data: write(path, data)

def refresh(
    path,     # notebook of the copy
    data,     # what the course has for it, as bytes
    offered,  # whether the learner has had this version before
    memory,   # `Memory`
):
    "Bring one notebook up to date; return what to say where the learner's own stays"
    if is_free(path) or memory.is_ours(path): return put(path, data)
    if offered: return
    new = beside(path, memory)
    put(new, data)
    return f'You have changed {path.name}, so it stays as it is. The course has a newer one: {new.name}'

def copy(
    nbs,     # folder of the course
    work,    # folder of the copy
    kernel,  # from `kernel_metadata`
):
    "Bring the whole copy up to date; return what to tell the learner"
    work.mkdir(parents=True, exist_ok=True)
    remove_parts(work)
    memory = Memory(work/MEMORY)
    saved = {name: o.read_bytes() for name,o in sources(nbs).items()}
    how = sha(json.dumps(kernel, sort_keys=True).encode() + Path(__file__).read_bytes())
    due = [name for name,data in saved.items()
           if memory.how!=how or memory.offered.get(name)!=sha(data) or is_free(work/name)]
    said,ready = [],{}
    for name in due:
        try: ready[name] = as_bytes(as_opened(json.loads(saved[name]), kernel))
        except ValueError: said.append(f"nbs/{name} isn't a notebook (a conflict of `git pull`?), so it wasn't copied")
    memory.written |= {sha(o) for o in ready.values()}
    memory.save()  # before the copies, so that a copy is known as ours even if we're stopped here
    for name,data in ready.items():
        version = sha(saved[name])
        said.append(refresh(work/name, data, memory.offered.get(name)==version, memory))
        memory.offered[name] = version
    memory.how = how
    memory.save()
    return [o for o in said if o]

# ---- what Jupyter knows ----

def kernel_metadata():
    "Return what JupyterLab writes into a notebook that runs on this Python"
    from ipykernel.ipkernel import IPythonKernel
    from jupyter_client.kernelspec import get_kernel_spec
    spec = get_kernel_spec('python3')
    return dict(kernelspec=dict(name='python3', display_name=spec.display_name, language=spec.language),
                language_info=dict(IPythonKernel.language_info))

def as_git_has_them(
    *folders,  # of the repository
):
    "Return the notebooks that are as they were committed; none without git"
    def git(*args):
        out = subprocess.run(['git', *args, '-z', '--', *folders], cwd=root, capture_output=True, check=True).stdout
        return {o for o in out.decode().split('\0') if o.endswith('.ipynb')}
    try: names = git('ls-files') - git('diff', '--name-only', '--no-renames', '--relative', 'HEAD')
    except (OSError, subprocess.CalledProcessError): return []
    return [root/o for o in sorted(names)]

def trust(
    paths,  # notebooks that we know
    home,   # Jupyter's folder for data
):
    "Sign notebooks for the JupyterLab that uses `home`, those that aren't signed yet"
    done,secret,db = (home/o for o in ('collab_course_signed.txt', 'notebook_secret', 'nbsignatures.db'))
    contents = {sha(o.read_bytes()): o for o in paths}
    signed = set()
    if done.is_file() and secret.is_file() and db.is_file():
        key,*signed = done.read_text(encoding='utf-8').split() or ['']
        signed = set(signed) if key==sha(secret.read_bytes()) else set()
    left = contents.keys()-signed
    if not left: return
    sign([contents[o] for o in left])
    write(done, '\n'.join([sha(secret.read_bytes()), *sorted(signed | left)]).encode())

def sign(
    paths,  # notebooks
):
    "Sign notebooks as the command `jupyter trust` does"
    import nbformat
    from nbformat.sign import NotebookNotary
    notary = NotebookNotary()
    try:
        for o in paths: notary.sign(nbformat.read(o, as_version=4))
    finally: notary.store.close()

def main(
    args,  # `--here` or nothing
):
    "Copy unless told otherwise, and trust what is known"
    from jupyter_core.paths import jupyter_data_dir
    known = as_git_has_them('bench', *(['nbs'] if '--here' in args else []))
    if '--here' not in args:
        work = root/'work'
        first = is_free(work)
        for o in copy(root/'nbs', work, kernel_metadata()): print(o)
        if first: print('Your own copy of the notebooks is in work/: write what you like, `git pull` leaves it alone.')
        memory = Memory(work/MEMORY)
        known += [o for o in work.rglob('*.ipynb') if memory.is_ours(o)]
    trust(known, Path(jupyter_data_dir()))

if __name__=='__main__':
    try: main(sys.argv[1:])
    except OSError as e: sys.exit(f"Can't write the copy of the notebooks: {e}")
