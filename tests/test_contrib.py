"The reports in contrib/: what they say is still so, their patches apply, and mend it"
import ast
import re
import runpy
from pathlib import Path

import fastai.tabular.core as tabular
import pytest
import torch
from torch.distributed.elastic.rendezvous import RendezvousParameters, dynamic_rendezvous
from torch.distributed.elastic.rendezvous.registry import get_rendezvous_handler

CONTRIB = Path(__file__).parent.parent/'contrib'
REPORTS = sorted(o.parent for o in CONTRIB.glob('*/mend.patch'))

def hunks(diff):
    "Give the text before and after each hunk"
    for hunk in re.split(r'^@@ .* @@.*\n', diff, flags=re.M)[1:]:
        lines = hunk.splitlines(keepends=True)
        yield ''.join(o[1:] for o in lines if o[0]!='+'), ''.join(o[1:] for o in lines if o[0]!='-')

def mended(module, report):
    "Return the source of an installed module with the patch of a report"
    source = Path(module.__file__).read_text(encoding='utf-8')
    for old,new in hunks((CONTRIB/report/'mend.patch').read_text(encoding='utf-8')):
        assert source.count(old)==1, f"{module.__file__} lacks the lines that contrib/{report}/mend.patch replaces"
        source = source.replace(old, new)
    return source

def mended_class(module, name, report):
    "Return a class of an installed module, built from the patched source"
    body = next(o for o in ast.parse(mended(module, report)).body if isinstance(o, ast.ClassDef) and o.name==name)
    space = dict(vars(module))
    exec(compile(ast.Module([body], []), module.__file__, 'exec'), space)
    return space[name]

@pytest.mark.parametrize('report', REPORTS, ids=lambda o: o.name)
def test_a_report_can_be_pasted_as_it_is(report):
    said = (report/'README.md').read_text(encoding='utf-8')
    for path in (report/'mend.patch', *report.glob('*.py')):
        text = path.read_text(encoding='utf-8').rstrip()
        assert text in said, f'{path} has changed: put it into the README.md beside it'

def test_the_index_names_each_report():
    said = (CONTRIB/'README.md').read_text(encoding='utf-8')
    assert REPORTS and all(f'({o.name}/README.md)' in said for o in REPORTS)

# ---- fastai draws rows with replacement ----

@pytest.fixture
def once(): return runpy.run_path(str(CONTRIB/'fastai_replacement/each_row_once.py'))

def test_fastai_still_draws_with_replacement(once):
    rows = once['rows'](once['loaders']().train)
    assert len(rows)==1000
    assert 550<len({*rows})<720, ('fastai gives each row once now: contrib/fastai_replacement has done its work. '
                                  'Take it away, and change what chapters 03 and 07 say of `TabWeightedDL`.')
    once['test_weights']()
    with pytest.raises(AssertionError): once['test_no_weights']()

def test_the_mend_gives_each_row_once_and_keeps_the_weights(once, monkeypatch):
    monkeypatch.setattr(tabular.TabularPandas, '_dl_type', mended_class(tabular, 'TabWeightedDL', 'fastai_replacement'))
    once['test_weights']()
    once['test_no_weights']()
    train = once['loaders']().train
    first,second = once['rows'](train),once['rows'](train)
    assert first!=second!=sorted(second) # shuffled, and anew for each epoch

# ---- torchrun gives new processes the store of dead ones ----

def ports(handler, n=2):
    "Return the ports of the stores that the workers of `n` rounds get"
    try: return [handler.next_rendezvous().bootstrap_store_info.master_port for _ in range(n)]
    finally: handler.shutdown()

@pytest.mark.skipif(not torch.__version__.startswith('2.14.'), reason='the report is about PyTorch 2.14')
def test_with_the_mend_each_round_of_torchrun_has_a_store_of_its_own(monkeypatch):
    def handler(): return get_rendezvous_handler(RendezvousParameters('c10d', 'localhost:0', 'test', 1, 1))
    first,second = ports(handler())
    assert first==second, ('torchrun gives each attempt a store of its own now: contrib/torchrun_restart has done '
                           'its work. Take it away, and change what chapter 18 says of "Connection refused".')
    cls = mended_class(dynamic_rendezvous, 'DynamicRendezvousHandler', 'torchrun_restart')
    monkeypatch.setattr(dynamic_rendezvous.DynamicRendezvousHandler, 'next_rendezvous', cls.next_rendezvous)
    first,second = ports(handler())
    assert first!=second
