"Fails in torch 2.14.1: `torchrun --nproc-per-node 2 --max-restarts 1 restart.py`"
import os
import signal
import sys
from datetime import timedelta

import torch
import torch.distributed as dist

attempt = int(os.environ['TORCHELASTIC_RESTART_COUNT'])

# what `init_process_group('gloo')` does, in two steps, to look into the store between them
store,rank,world = next(dist.rendezvous('env://'))
left = store.check(['joined'])
print(f'attempt {attempt}, rank {rank}: the store is', 'the old one' if left else 'empty', flush=True)

# a process that waits where nobody connects gives up after a minute
dist.init_process_group('gloo', store=store, rank=rank, world_size=world, timeout=timedelta(minutes=1))
total = torch.ones(1)
dist.all_reduce(total)
print(f'attempt {attempt}, rank {rank}: joined, {total.item():.0f} processes', flush=True)

if attempt==0:
    store.set('joined', 'yes')
    if rank==1: os.kill(os.getpid(), signal.SIGKILL)
dist.barrier()
dist.destroy_process_group()
if left: sys.exit('Joined by luck: the new processes could have read the addresses of the dead.')
