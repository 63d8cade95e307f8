"Measure systems in processes of their own, peers in `bench/peers/.venv`: `python bench/peers/run.py FOLDER [SYSTEM…]`"
import hashlib, json, os, shutil, subprocess, sys, sysconfig
from pathlib import Path
from statistics import median

here = Path(__file__).resolve().parent
root = here.parents[1]
venv = here/'.venv'
stamp = venv/'peers.stamp'
sys.path.insert(0, str(root))
from tasks import explain, last_line  # noqa: E402

PYTHON = (3, 11)  # the oldest that the pinned versions install on
TIMEOUT = 1800    # seconds for one process
# name: (script, its variant, whether it needs the environment of the peers); those of 03_peers.ipynb, then those that
# 04_accuracy.ipynb adds
COSTS = {'fastai, as it comes': ('fastai_book', 'weighted', False), 'fastai, mended': ('fastai_book', 'mended', False),
         'lenskit BiasedMF': ('lenskit_mf', '', True), 'Surprise SVD': ('surprise_svd', '', True),
         'ours, through Learner': ('ours', 'learner', False), 'ours, lean_fit': ('ours', 'lean', False),
         'ours, Recommender': ('ours', 'recommender', False)}
THEIRS = {'myFM MF': ('myfm_fm', 'mf'), 'myFM SVD++': ('myfm_fm', 'svdpp'),
          'myFM SVD++, side features': ('myfm_fm', 'svdpp-side'),
          'myFM SVD++, dates': ('myfm_fm', 'svdpp-dates'),
          'myFM SVD++, side features and dates': ('myfm_fm', 'svdpp-side-dates'),
          'cmfrec': ('cmfrec_mf', ''), 'cmfrec, implicit features': ('cmfrec_mf', 'implicit'),
          'libmf': ('libmf_mf', ''), 'implicit ALS': ('implicit_als', ''),
          'implicit BPR': ('implicit_als', 'bpr'),
          'lenskit Bias': ('lenskit_mf', 'bias'), 'lenskit ItemKNN': ('lenskit_mf', 'itemknn'),
          'lenskit ItemKNN, implicit': ('lenskit_mf', 'itemknn-implicit'),
          'lenskit popularity': ('lenskit_mf', 'popular'), 'Surprise SVD++': ('surprise_svd', 'SVDpp'),
          'Surprise KNNBaseline': ('surprise_svd', 'KNNBaseline'),
          'Surprise BaselineOnly': ('surprise_svd', 'BaselineOnly')}
OURS = {'ours, ranking': 'ranking', 'ours, neighbours': 'neighbours',
        'ours, neighbours, side features': 'neighbours-side',
        'ours, neighbours, dates': 'neighbours-dates',
        'ours, neighbours, side features and dates': 'neighbours-side-dates'}
SYSTEMS = {**COSTS, **{k: (*v, True) for k,v in THEIRS.items()}, **{k: ('ours', v, False) for k,v in OURS.items()}}
THREADS = {o: '1' for o in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'NUMEXPR_NUM_THREADS',
                            'RAYON_NUM_THREADS',
                            'LK_NUM_THREADS', 'LK_NUM_BACKEND_THREADS', 'LK_NUM_PROCS')}

class PeerError(Exception): "What went wrong and what to do, in a sentence"

def _python(env): return env/('Scripts/python.exe' if os.name=='nt' else 'bin/python')

def _key():
    "What the stamp says of an environment that is up to date"
    return hashlib.sha256(
        f"{sys.version}{sysconfig.get_path('purelib')}{(here/'requirements.txt').read_text()}".encode()).hexdigest()

def _step(cmd, what):
    r = subprocess.run([str(o) for o in cmd], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode: raise PeerError(f'{what} failed. {explain(r.stdout) or last_line(r.stdout)}')

def _borrow(env):
    "Lets `env` fall back on the packages of this Python, so that PyTorch's 5 GB are not installed again"
    lib = subprocess.run([_python(env), '-c', "import sysconfig; print(sysconfig.get_path('purelib'))"],
                         capture_output=True, text=True, check=True)
    (Path(lib.stdout.strip())/'course.pth').write_text(sysconfig.get_path('purelib') + '\n')

def environment():
    "The Python of the peers; makes their environment where there is none, or where what it should hold has changed"
    if sys.version_info[:2]<PYTHON:
        raise PeerError(
            'lenskit 2025.8.1 needs Python {}.{} or newer and this is {}.{}: `make lab PYTHON=python3.12`, then again.'
            .format(*PYTHON, *sys.version_info))
    if stamp.is_file() and stamp.read_text()==_key() and _python(venv).exists(): return _python(venv)
    shutil.rmtree(venv, ignore_errors=True)
    _step([sys.executable, '-m', 'venv', venv], 'Making bench/peers/.venv')
    _borrow(venv)
    _step([_python(venv), '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off',
           '-r', here/'requirements.txt'],
          'Installing the peers into bench/peers/.venv (two of them are compiled: a C and a C++ compiler are needed)')
    stamp.write_text(_key())
    return _python(venv)

def measure(
    system,      # one of `SYSTEMS`
    folder,      # where `ratings.csv` is: user, movie, rating, fold (1 to 5: the fold whose test row it is)
    task='fit',  # 'fit': every fold; 'serve': recommendations; others as the script has them
    *args,       # more words for the script
):
    "What the script of `system` says, as a list of dicts"
    if system not in SYSTEMS:
        raise PeerError(f"there is no system {system!r}; there are: {', '.join(map(repr, SYSTEMS))}")
    script,variant,theirs = SYSTEMS[system]
    python = environment() if theirs else sys.executable
    path = os.pathsep.join([str(here), *([] if theirs else [str(root)])])
    cmd = [str(o) for o in (python, here/f'{script}.py', folder, task, variant or '-', *args)]
    r = subprocess.run(cmd, capture_output=True, text=True, timeout=TIMEOUT,
                       env={**os.environ, **THREADS, 'PYTHONPATH': path, 'PYTHONUTF8': '1'})
    if r.returncode: raise PeerError(f'{system}, {task}: {last_line(r.stderr)}\n{r.stderr[-2000:]}')
    return [dict(system=system, **json.loads(l)) for l in r.stdout.splitlines() if l.startswith('{')]

def in_turns(
    systems,                     # some of `SYSTEMS`
    folder,                      # as for `measure`, best with one fold
    reference='ours, lean_fit',  # timed right before and right after each group of systems
    rounds=1,                    # how often each system has its turn
    every=1,                     # systems in a group
):
    "CPU seconds of each system's fit, and how many times those of a reference that ran next to it"
    def seconds(system): return median(o['fit_s'] for o in measure(system, folder))
    res,before = [],seconds(reference)
    for i,start in ((i, start) for i in range(rounds) for start in range(0, len(systems), every)):
        own = {o: seconds(o) for o in systems[start:start+every]}
        after = seconds(reference)
        near = (before + after)/2
        res += [dict(system=o, round=i, fit_s=s, reference_s=near, ratio=s/near) for o,s in own.items()]
        before = after
    return res

def main(args):
    "Every fold of the systems named (none: all of them) as JSON lines"
    try:
        for s in args[1:] or SYSTEMS:
            for o in measure(s, args[0]): print(json.dumps(o), flush=True)
    except PeerError as e: sys.exit(str(e))

if __name__=='__main__': main(sys.argv[1:])
