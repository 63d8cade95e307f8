"""Run notebooks afresh and compare with what they have saved: `python tools/drift.py [NOTEBOOK…]`

With `--files SAVED FRESH` it compares two files.

Same code, same seed, other processor: sums are taken in another order, so the last digits differ, and training carries
the difference on. Counts don't: whole numbers must be equal. A number with decimals may differ by half a percent and
0.003, or by one step of its last printed digit where that's more. For a loss of 0.87 that's 0.007. Five epochs on
MovieLens 100k, with torch using AVX2 and using no vector instructions, on one core and on two, ended in losses that
were equal to five decimals, so other machines have room; a wrong learning rate, decay or model moves a loss by
hundredths. What is measured in seconds has its cell marked `#| timing`: there only the kinds of output are compared."""
import json, re, struct, sys
from base64 import b64decode
from html import unescape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from execute import NotebookError, arguments, directives, notebooks, run_all

REL, ABS = 0.005, 0.003
_number = re.compile(
    r'(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?(?:[eE][-+]?\d+)?(?!\w*\d|\.\d)'
    r'|(?<![\w.])[-+−]?\.\d+(?!\w*\d)')
_ignored = [(re.compile(r'\b\d+:\d\d(?::\d\d)?\b'), '⏱'), (re.compile(r'0x[0-9a-fA-F]+'), '0x'),
            (re.compile(r'(?<=[-─━=])[-─━=]{2,}'), '')]

def split_numbers(
    text,  # anything that a cell shows
):
    "`text` with its numbers taken out, and the numbers as they were written"
    for pat,to in _ignored: text = pat.sub(to, text)
    skeleton = re.sub(r'\s*#\s*', '#', _number.sub('#', text))
    return re.sub(r'\s+', ' ', skeleton).strip(), _number.findall(text)

def _decimals(s):
    "Size of one step in the last written digit of `s`; 0 for a whole number"
    m, _, e = s.lower().partition('e')
    return 10.**min(int(e or 0)-len(m.partition('.')[2]), 300) if '.' in m or e else 0

def same_number(
    a,  # a number as it was written
    b,  # another
):
    "Whole numbers equal, others within the tolerance"
    x,y = (float(o.replace(',', '').replace('−', '-')) for o in (a,b))
    step = max(_decimals(a), _decimals(b))
    return x==y or bool(step) and abs(x-y) <= max(ABS + REL*max(abs(x), abs(y)), 1.01*step)

def diff_text(
    a,  # saved
    b,  # fresh
):
    "What differs between two texts, or None"
    (sa,na),(sb,nb) = split_numbers(a),split_numbers(b)
    if sa!=sb: return f'text: {_around(sa, sb)}'
    bad = [f'{x} → {y}' for x,y in zip(na,nb) if not same_number(x, y)]
    if bad: return f"numbers: {', '.join(bad[:5])}" + (f' and {len(bad)-5} more' if len(bad)>5 else '')

def _around(a, b):
    "Both texts where they first differ"
    i = next((i for i,(x,y) in enumerate(zip(a,b)) if x!=y), min(len(a),len(b)))
    return ' → '.join(repr(o[max(0,i-20):i+40]) for o in (a,b))

def _html_text(html):
    "Return the text of `html` with cells kept apart, then names of pictures and data of figures that move"
    html = re.sub(r'<(style|script)\b.*?</\1>', '', html, flags=re.S)
    return unescape(' | '.join([re.sub(r'<[^>]*>', ' | ', html),
                                *re.findall(r'\s(?:alt|data-playing)="([^"]*)"', html)]))

def _png_size(data): return struct.unpack('>II', b64decode(data)[16:24])

def diff_image(
    a,     # saved, base64
    b,     # fresh
):
    "Pictures differ where a side does by a tenth or the amount of data by half"
    sa,sb = _png_size(a),_png_size(b)
    if any(abs(x-y) > .1*max(x,y) for x,y in zip(sa,sb)): return f'picture: {sa[0]}×{sa[1]} → {sb[0]}×{sb[1]} pixels'
    if max(len(a),len(b)) > 2*min(len(a),len(b)): return f'picture: {len(a)} → {len(b)} bytes'

def _text(o): return ''.join(o) if isinstance(o, (list,str)) else json.dumps(o, sort_keys=True)

def _kinds(o): return o.get('name') or ' '.join(sorted(o['data'])) if o['output_type']!='error' else o['ename']

def diff_output(
    a,  # saved
    b,  # fresh
):
    "Return what differs between two outputs of equal kinds, or None; the richest form of each counts"
    if 'text' in a: return diff_text(_text(a['text']), _text(b['text']))
    da,db = a.get('data', {}),b.get('data', {})
    if 'image/png' in da:
        if (d := diff_image(_text(da['image/png']), _text(db['image/png']))) or 'text/html' not in da: return d
    if 'text/html' in da: return diff_text(_html_text(_text(da['text/html'])), _html_text(_text(db['text/html'])))
    for k in ('text/markdown', 'text/latex', 'text/plain'):
        if k in da: return diff_text(_text(da[k]), _text(db[k]))

def diff_cell(
    a,  # saved
    b,  # fresh
):
    "What differs between the outputs of two cells with the same source"
    oa,ob = a.get('outputs', []),b.get('outputs', [])
    ka,kb = [[_kinds(o) for o in os] for os in (oa,ob)]
    if ka!=kb: return [f"outputs: {'; '.join(ka) or 'none'} → {'; '.join(kb) or 'none'}"]
    if 'timing' in directives(_text(a['source'])): return []
    return [d for d in map(diff_output, oa, ob) if d]

def drift(
    saved,  # a notebook as a dict
    fresh,  # the same one after another run
):
    "Pairs of cell id and difference"
    ca,cb = saved['cells'],fresh['cells']
    if [_text(c['source']) for c in ca]!=[_text(c['source']) for c in cb]:
        return [('', 'the sources differ: these are not two runs of one notebook')]
    return [(c['id'], d) for c,f in zip(ca,cb) if c['cell_type']=='code' for d in diff_cell(c, f)]

def _load(p): return json.loads(Path(p).read_text(encoding='utf-8'))

def report(
    name,   # of the notebook
    found,  # what `drift` returned
):
    "Prints the differences, saved → fresh, and returns their lines"
    lines = [f'  {name} {i}: {d}' for i,d in found]
    for line in lines: print(line, flush=True)
    return lines

def main(
    args=None,  # command line; None: of this process
):
    "Compare; 1 where something drifted or did not run"
    p = arguments('Compare saved outputs (left of the arrow) with those of a fresh run (right); nothing is saved.')
    p.add_argument('--files', nargs=2, metavar=('SAVED', 'FRESH'), help='compare two files instead of running')
    o = p.parse_args(args)
    try:
        if o.files: lines = report(Path(o.files[0]).name, drift(*map(_load, o.files)))
        else:
            each = run_all(notebooks(o.notebooks), lambda path,nb: report(path.name, drift(_load(path), nb)), o.workers)
            lines = [line for found in each for line in found]
            if lines: print('All differences again:', *lines, sep='\n')  # they stand far above, among the times
    except NotebookError as e:
        print(f'\n{e}', file=sys.stderr)
        return 1
    except KeyboardInterrupt: return 130
    n = len(lines)
    print(f"{n} difference{'s' if n!=1 else ''}; if they are meant, run `make course` and commit." if n
          else 'No drift.')
    return int(n>0)

if __name__=='__main__': sys.exit(main())
