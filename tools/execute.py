"Run notebooks top to bottom in a real kernel and save what they show: `python tools/execute.py [NOTEBOOK…]`"
import asyncio, json, os, re, sys, tempfile, time
from argparse import ArgumentParser
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

# jsonschema would build a grammar of web addresses for 1.5 s, and the form of notebooks asks for none
sys.modules.setdefault('rfc3987_syntax', None)
import nbformat, zmq
from fastcore.nbio import nb2str
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbdev.clean import clean_nb
from nbdev.config import get_config

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root))
from tasks import QUIET, cores

# Seconds that a kernel has to start, and to send what a cell showed. On a busy machine Jupyter's own 60 and 4 are too
# few: outputs would be lost. A kernel that dies is noticed at once, and a cell may take as long as it wants
PATIENCE = 3600

class NotebookError(Exception): "A notebook that did not run, or that must not be saved"

def notebooks(
    names=(),           # paths, or names inside `folder` such as `03`, `practice/03` or `library`; none: all
    folder=root/'nbs',  # where the notebooks are
):
    "Paths of the notebooks named, or of all in order, `index` last"
    hidden = lambda o: any(p[0] in '_.' for p in o.relative_to(folder).parts)
    every = sorted((o for o in Path(folder).rglob('*.ipynb') if not hidden(o)),
                   key=lambda o: (o.stem=='index', len(o.parts), o.parts))
    return [p for o in names for p in _find(str(o), every, Path(folder))] or every

def _find(name, every, folder):
    "The notebook that `name` stands for, or all of the folder inside `folder` that it names"
    if Path(name).is_file(): return [Path(name).resolve()]
    if inside := [o for o in every if o.parent!=folder and o.parent==folder/name]: return inside
    sub,_,stem = name.rpartition('/')
    if whole := [o for o in every if o.parent==folder/sub and stem in (o.name, o.stem)]: return whole
    found = [o for o in every if o.parent==folder/sub
             and stem in (o.stem.split('_')[0], o.stem.split('_', 1)[-1])]
    if len(found)!=1:
        raise NotebookError(
            f"no notebook `{name}`; there are: "
            f"{', '.join(o.relative_to(folder).with_suffix('').as_posix() for o in every)}")
    return found

def directives(
    source,  # a cell's source
):
    "The `#|` lines at the head of a cell as words: `eval false`, `timing`"
    lines = re.match(r'(?:\s*#\|[^\n]*\n?)*', source)[0].splitlines()
    words = [' '.join(l.strip()[2:].replace(':', ' ').split()) for l in lines if l.strip()]
    return [re.sub(r' true$', '', o) for o in words]

def transport(
    home,  # a kernel's own folder
):
    "How a kernel is spoken to: through sockets in `home`, or by TCP where there are none or the path is too long"
    longest = len(os.fsencode(f'{home}/kernel-ipc-5'))
    return 'ipc' if zmq.has('ipc') and os.name=='posix' and longest<=zmq.IPC_PATH_MAX_LEN else 'tcp'

def _kernel(home):
    "A kernel of this very Python, whatever kernels are registered; its files go to the folder `home`"
    # a free TCP port is chosen before the kernel takes it, and another may be faster
    km = AsyncKernelManager(connection_file=str(Path(home)/'kernel.json'), transport=transport(home))
    km._kernel_spec = KernelSpec(argv=[sys.executable, '-m', 'ipykernel_launcher', '-f', '{connection_file}',
                                       '--log-level=40'],
                                 language='python', display_name='python3')
    return km

def _kernel_env(home, threads=None):
    "Return an environment with inline figures, without IPython start-up files, progress notes and fastai's warnings"
    own = {} if threads is None or 'OMP_NUM_THREADS' in os.environ else {'OMP_NUM_THREADS': threads}
    own['OMP_WAIT_POLICY'] = os.environ.get('OMP_WAIT_POLICY', 'PASSIVE')  # waiting threads sleep
    quiet = ','.join(filter(None, [QUIET, os.environ.get('PYTHONWARNINGS')]))
    return {**{k:v for k,v in os.environ.items() if k!='MPLBACKEND'}, 'IPYTHONDIR': home, 'PYTHONWARNINGS': quiet,
            'COLLAB_COURSE_PROGRESS': str(Path(home)/'progress.jsonl'), **own}

_style = re.compile(r'<style>(?:(?!</style>).)*progress(?:(?!</style>).)*</style>', re.S)
_bar = re.compile(r'<div>\s*<progress(?:(?!</div>).)*</div>|<progress.*?</progress>', re.S)
_shows = re.compile(r'<(?:img|svg|table|canvas|iframe|video|audio|math|object|hr)\b', re.I)
_pct = re.compile(r'^.*\d+(?:\.\d+)?%\s*[\[|].*$')  # console bars of fastprogress, fastdownload and tqdm

def _visible(html):
    "Whether anything of `html` would be seen"
    return bool(_shows.search(html) or re.sub(r'<(style|script)\b.*?</\1>|<[^>]*>|&nbsp;', '', html,
                                              flags=re.S).strip())

def _clean_stream(o):
    "What a terminal would show at the end, without progress bars"
    lines = [l.rstrip('\r').rsplit('\r', 1)[-1] for l in o.text.split('\n')]
    o.text = '\n'.join(l for l in lines if not _pct.match(l))
    return o if o.text.strip() else None

def _clean_display(o):
    "A display without styles, bars, widgets and doubled forms, or None where nothing is left"
    d, was = o.data, set(o.data)
    d.pop('application/vnd.jupyter.widget-view+json', None)
    if (html := d.get('text/html')) is not None:
        d['text/html'] = html = _bar.sub('', _style.sub('', html)) if 'progress' in html else html
        if not _visible(html): return None
        # made by FastHTML objects: a copy and a long repr of the same table
        if d.pop('text/markdown', None): d.pop('text/plain', None)
    return None if set(d) <= {'text/plain'} < was else o

def strip_outputs(
    outputs,  # a code cell's outputs
):
    "`outputs` without junk, neighbouring streams of one name joined"
    res = []
    for o in deepcopy(outputs):
        if o.output_type=='stream' and res and res[-1].output_type=='stream' and res[-1].name==o.name:
            res[-1].text += o.text
        else: res.append(o)
    keep = {'stream': _clean_stream, 'display_data': _clean_display, 'execute_result': _clean_display}
    return [o for o in (keep.get(o.output_type, lambda x: x)(o) for o in res) if o is not None]

def machine_paths(
    outputs,  # a code cell's outputs
):
    "Paths of this machine that the outputs show"
    text = json.dumps([o if 'data' not in o else {k:v for k,v in o.data.items() if not k.startswith('image/')}
                       for o in outputs])
    text = re.sub(r'(?<=;base64,)[\w+/=]+', '', text) # pictures inside HTML: long, and no paths
    own = {str(p) for p in (root, Path.home(), Path(sys.prefix), Path(tempfile.gettempdir())/'ipykernel_')} - {'/', '.'}
    found = [m for p in own
             for m in re.findall(rf'(?<![\w.~-]){re.escape(p)}(?![\w.-])[^\s"\\]*|{re.escape(p)}\d+[^\s"\\]*', text)]
    installed = [o for o in re.split(r'[\s"\\]', text) if '/site-packages/' in o]
    return sorted({*found, *installed})

def warned(
    outputs,  # a code cell's outputs
):
    "What a warning among the outputs says, in brackets"
    text = ''.join(''.join(o.text) for o in outputs if o.get('name')=='stderr')
    found = re.search(r'\w*Warning: .*', text)
    return f' (a warning does: mend or silence it: {found[0]})' if found else ''

def _failure(name, i, cell, what):
    code = [l for l in cell.source.splitlines() if l.strip() and not l.startswith('#|')]
    return NotebookError(f"{name}, cell {i+1} ({cell.get('id', '')}):\n" + '\n'.join(f'    {l}' for l in code[:4])
                         + f'\n  {what}')

def _why(e):
    if isinstance(e, CellExecutionError): return f'{e.ename}: {e.evalue}'
    if isinstance(e, DeadKernelError): return 'the kernel died (out of memory?)'

async def _run(path, on_cell, threads):
    nb = nbformat.read(path, as_version=4)
    todo = [(i,c) for i,c in enumerate(nb.cells) if c.cell_type=='code' and c.source.strip()
            and 'eval false' not in directives(c.source)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        client = NotebookClient(nb, km=_kernel(home), timeout=None, store_widget_state=False,
                                startup_timeout=PATIENCE, iopub_timeout=PATIENCE,
                                resources=dict(metadata=dict(path=str(path.parent))))
        async with client.async_setup_kernel(env=_kernel_env(home, threads), cleanup_kc=True):
            for n,(i,cell) in enumerate(todo, 1):
                try: await client.async_execute_cell(cell, i)
                except (CellExecutionError, DeadKernelError) as e:
                    raise _failure(path.name, i, cell, _why(e)) from None
                cell.outputs = strip_outputs(cell.outputs)
                if bad := machine_paths(cell.outputs):
                    raise _failure(path.name, i, cell, f"shows a path of this machine: {', '.join(bad[:3])}"
                                   f'{warned(cell.outputs)}')
                if on_cell: on_cell(n, len(todo))
    d = json.loads(nbformat.writes(nb))
    clean_nb(d, allowed_cell_metadata_keys=get_config(root).get('allowed_cell_metadata_keys'))
    return d

def run_notebook(
    path,         # the notebook; it's only read
    on_cell=None, # called with (number of code cells done, all code cells)
):
    "The notebook at `path` as a dict after a fresh run, cleaned as `nbdev-clean` cleans it"
    return asyncio.run(_run(Path(path), on_cell, None))

def save(
    nb,    # a notebook as a dict
    path,  # where to; replaced in one step
):
    "Write the notebook in the form that `nbdev-clean` leaves alone"
    tmp = Path(path).with_name(f'.{Path(path).name}.tmp')
    try:
        tmp.write_text(nb2str(nb), encoding='utf-8', newline='\n')
        os.replace(tmp, path)
    finally:
        with suppress(FileNotFoundError): tmp.unlink()

def _show(working):
    "One line for the notebooks at work, where somebody can look"
    if sys.stdout.isatty():
        print('\r\033[K' + '   '.join(f'{k} {n}/{of}' for k,(n,of) in working.items()), end='', flush=True)

async def _run_all(paths, workers, each):
    gate,working,threads = asyncio.Semaphore(workers),{},'1' if workers>1 else None
    async def one(path):
        async with gate:
            name,t = path.name,time.perf_counter()
            def on_cell(n, of):
                working[name] = (n, of)
                _show(working)
            try: nb = await _run(path, on_cell, threads)
            except NotebookError as e: return e
            finally: working.pop(name, None)
            print(f"{chr(13)+chr(27)+'[K' if sys.stdout.isatty() else ''}{name:<32}{time.perf_counter()-t:7.1f} s",
                  flush=True)
            return each(path, nb)
    return await asyncio.gather(*map(one, paths))

def run_all(
    paths,   # notebooks
    each,    # called with (path, executed notebook) as each is done
    workers, # how many at a time; more than one: each computes on one thread, unless OMP_NUM_THREADS says otherwise
):
    "What `each` returned, in the order of `paths`; the errors of notebooks that failed are raised together at the end"
    res = asyncio.run(_run_all([Path(o) for o in paths], workers, each))
    if bad := [str(o) for o in res if isinstance(o, NotebookError)]: raise NotebookError('\n\n'.join(bad))
    return res

def arguments(
    about, # what the program does
):
    "The parser of a program that runs notebooks"
    p = ArgumentParser(description=about)
    p.add_argument('notebooks', nargs='*',
                   help='paths, or names such as 03, dot_product, practice/03 or practice (default: all in nbs/)')
    p.add_argument('--workers', type=int, default=min(4, cores()),
                   help='notebooks at a time (default: one a core, at most 4)')
    return p

def main(
    args=None, # command line; None: of this process
):
    "Execute and save; 1 where a notebook failed"
    o = arguments('Execute notebooks top to bottom in a fresh kernel each, and save their outputs.').parse_args(args)
    try: run_all(notebooks(o.notebooks), lambda path,nb: save(nb, path), o.workers)
    except NotebookError as e:
        print(f'\n{e}\nNothing was saved for a notebook that failed.', file=sys.stderr)
        return 1
    except KeyboardInterrupt: return 130

if __name__=='__main__': sys.exit(main())
