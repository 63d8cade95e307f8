"What tests/test_sharding.py runs in processes of its own: `python tests/workers.py FOLDER`"
import json, os, random, re, shutil, signal, sys
from functools import partial
from itertools import count
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from collab_course import distributed
from collab_course.checkpoints import last_step, load_step, load_tables, save_step, step_folder, steps_in
from collab_course.distributed import batch_loss, fit_sharded
from collab_course.sharding import ShardBatch, ShardedTables, attempt, import_engine, process_group, rows_of
from collab_course.sharding import fresh_store

SETTINGS = dict(n_factors=5, n_epoch=4, bs=40, lr=0.3, wd=0.1, seed=7)
KILLS = 5

class Stopped(Exception): "A training that a test stops"

def stop_at(step, n_steps, *, at):
    if step==at: raise Stopped

def fit(folder, name, **changed):
    "Train with the usual settings and a checkpoint of this name"
    return fit_sharded(folder/'index', folder/name, **SETTINGS | dict(every=5) | changed)

def fit_half(folder, name):
    "Stop after the checkpoint of step 10, as if all processes had been killed"
    try: fit(folder, name, on_step=partial(stop_at, at=12))
    except Stopped: return
    raise AssertionError('the training came to its end')

def fit_means(folder, name):
    "Train on a mean of each process's part in place of the sum"
    summed = distributed.summed_loss
    def mean(predicted, *args): return summed(predicted, *args)/len(predicted)
    distributed.summed_loss = mean
    try: fit(folder, name)
    finally: distributed.summed_loss = summed

def fit_without_sums(folder, name):
    "Go on from a checkpoint, without what the optimizer remembers"
    def load_tables_only(checkpoint, state):
        return load_step(checkpoint, {name: part for name,part in state.items() if name.startswith('tables')})
    distributed.load_step = load_tables_only
    try: fit(folder, name)
    finally: distributed.load_step = load_step

def peak(name='VmHWM'):
    "Memory of this process in MB"
    return int(re.search(rf'{name}:\s+(\d+)', Path('/proc/self/status').read_text())[1])/1000

def measure_memory(folder, name):
    "Write the memory that a million rows take while a step is taken and saved"
    import_engine()
    with process_group() as (rank, world):
        Path('/proc/self/clear_refs').write_text('5') # the highest so far is forgotten
        before = peak('VmRSS')
        tables = ShardedTables(1_000_001, 1001, n_factors=50)
        tables.set_rate(0.1)
        ids = torch.arange(1000)
        batch_loss(tables, ShardBatch(ids*1000, ids, torch.full((1000,), 3.), 1), 0.1).backward()
        save_step(folder/name, 1, tables.state())
        held = tables.parts()['tables.user'].local_shards()[0].tensor
        found = dict(rows=len(held), due=len(rows_of(rank, world, 1_000_001)), growth=peak() - before, total=peak())
        (folder/f'{name}-{rank}.json').write_text(json.dumps(found))

def kill_some(step, n_steps, *, folder):
    "Kill one process in each attempt but the last: the first, the second, and again; leave a note each time"
    steps = sorted(random.Random(folder.name).sample(range(1, n_steps), KILLS))
    k = attempt()
    if k==KILLS or step!=steps[k] or dist.get_rank()!=k%2: return
    (folder/f'kill-{k}').touch()
    os.kill(os.getpid(), signal.SIGKILL)

def run(job, args, kwargs): job(*args, **kwargs)

def launch(job, *args, world=2, restarts=0, **kwargs):
    "Start processes by torchrun's own agent; they are forks of this one, which has imported all"
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch
    config = LaunchConfig(min_nodes=1, max_nodes=1, nproc_per_node=world, rdzv_backend='c10d',
                          rdzv_endpoint='localhost:0', max_restarts=restarts, run_id='test',
                          start_method='fork', monitor_interval=0.05)
    elastic_launch(config, run)(job, args, kwargs)

def look_after_restart(folder):
    "Leave a name in both stores, PyTorch's own and ours, and die; then look whether the next attempt finds it"
    stores = dict(plain=next(dist.rendezvous('env://'))[0], ours=fresh_store())
    if attempt()==0:
        for store in stores.values(): store.set('address of the dead', 'here')
        os.kill(os.getpid(), signal.SIGKILL)
    found = {name: store.check(['address of the dead']) for name,store in stores.items()}
    (folder/'stores.json').write_text(json.dumps(found))

def read_damaged(folder):
    "Run torchrun's program where only the second process comes upon a page that can't be read"
    path = folder/'damaged/train/stream=7/part-00000.parquet'
    if os.environ['RANK']=='1':
        data = bytearray(path.read_bytes())
        data[4:60] = bytes(56)
        path.write_bytes(data)
    sys.exit(distributed.main([str(folder/'damaged'), f'--checkpoint={folder/"no"}']))

def save_and_die(folder, fatal):
    "In a fork: save the next step and die at an event of the file system; return how many there were"
    events = count()
    def happens(name, args=None):
        if name not in ('open', 'os.mkdir', 'os.rename', 'os.remove', 'os.rmdir', 'os.fsync'): return
        if next(events)==fatal: os.kill(os.getpid(), signal.SIGKILL)
    table,sums = torch.empty(4001, 64),torch.empty(4001)
    state = {'tables.user': table, 'sums.user': sums}
    step = load_step(folder, state) or 0
    table.fill_(step + 1)
    sums.fill_(step + 1)
    flush = os.fsync
    def fsync(fd):
        happens('os.fsync')
        flush(fd)
    os.fsync = fsync
    sys.addaudithook(happens)
    save_step(folder, step + 1, state)
    return next(events)

def in_fork(job, *args):
    "Run a job in a fork; give what it returns, None where it was killed"
    ours,theirs = os.pipe()
    pid = os.fork()
    if not pid:
        try: os.write(theirs, str(job(*args)).encode())
        finally: os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as said: text = said.read()
    os.waitpid(pid, 0)
    return int(text) if text else None

def kill_while_saving(folder, name):
    "Kill a process twenty times while it saves, at events from the first to the last; write what is left each time"
    path = folder/name
    path.mkdir()
    for _ in range(3): n_events = in_fork(save_and_die, path, -1) # three checkpoints: the last of them removes one
    seen = []
    for k in range(20):
        before = last_step(path)
        died = in_fork(save_and_die, path, k*n_events//20) is None
        values = {name: [float(o.min()), float(o.max())] for name,o in load_tables(path).items()}
        half = (step_folder(path, before + 1)).exists() and last_step(path)==before
        seen.append(dict(died=died, before=before, last=last_step(path), half=half, values=values))
    in_fork(save_and_die, path, -1)
    seen.append(dict(died=False, before=before, last=last_step(path), half=False, values={}, steps=steps_in(path)))
    (folder/f'{name}.json').write_text(json.dumps(seen))

def together(folder):
    "What two processes do one after the other, joining again for each"
    fit(folder, 'two')
    fit(folder, 'two-exact', n_factors=3)
    fit_half(folder, 'half')
    fit_means(folder, 'two-means')
    measure_memory(folder, 'memory-two')

def alone(folder):
    "What one process does, with what two have left as well"
    shutil.copytree(folder/'half', folder/'half-without')
    fit(folder, 'one')
    fit(folder, 'one-exact', n_factors=3)
    fit_means(folder, 'one-means')
    fit_without_sums(folder, 'half-without')
    fit(folder, 'half')
    measure_memory(folder, 'memory-one')

def main(folder):
    "Import once: all processes are forks of this one"
    torch.set_num_threads(1)
    import_engine()
    kill_while_saving(folder, 'saving')
    launch(together, folder)
    launch(fit, folder, 'four', world=4)
    launch(fit, folder, 'killed', every=3, on_step=partial(kill_some, folder=folder), restarts=KILLS)
    launch(look_after_restart, folder, world=1, restarts=1)
    shutil.copytree(folder/'index', folder/'damaged')
    try: launch(read_damaged, folder)
    except ChildFailedError: print('the processes ended', flush=True)
    alone(folder)

if __name__=='__main__': main(Path(sys.argv[1]))
