"How restarts end: all processes die 20 times, and in each attempt they write down whether they could join"
import os
import signal
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

N_RESTARTS = 20
LAUNCHERS = dict(c10d=dict(rdzv_backend='c10d', rdzv_endpoint='localhost:0'),
                 static=dict(rdzv_backend='static', rdzv_endpoint='localhost:29571', rdzv_configs=dict(rank=0)))

def join():
    "Return how joining the others ended"
    try:
        dist.init_process_group('gloo', timeout=timedelta(seconds=15))
        dist.all_reduce(torch.ones(1))
        return 'joined'
    except RuntimeError as e: return 'refused' if 'refused' in str(e) else 'waited in vain'

def worker(folder):
    "Join, note the outcome, and die"
    attempt,rank = os.environ['TORCHELASTIC_RESTART_COUNT'],os.environ['RANK']
    outcome = join()
    (folder/f'{attempt}-{rank}').write_text(outcome)
    if attempt==str(N_RESTARTS): return
    if outcome=='joined' and rank=='0': dist.barrier() # raises an error when the other is dead
    os.kill(os.getpid(), signal.SIGKILL)

def main(launcher):
    "Print how the restarts ended"
    config = LaunchConfig(min_nodes=1, max_nodes=1, nproc_per_node=2, run_id='outcomes', max_restarts=N_RESTARTS,
                          start_method='fork', monitor_interval=0.05, **LAUNCHERS[launcher])
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        try: elastic_launch(config, worker)(folder)
        except ChildFailedError: pass # where the last attempt couldn't join either
        restarts = [{o.read_text() for o in folder.glob(f'{i}-*')} for i in range(1, N_RESTARTS + 1)]
    print(launcher, Counter(' or '.join(sorted(o)) for o in restarts))

if __name__=='__main__': main(*sys.argv[1:] or ['c10d'])
