"What counts as drift between saved and fresh outputs, and what doesn't"
import base64, json, struct, subprocess, sys
from html import escape

import nbformat.v4 as v4
import pytest
from drift import diff_text, drift, split_numbers

def png(w, h, n=3000):
    "As much of a picture as the comparison looks at"
    return base64.b64encode(b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR' + struct.pack('>II', w, h) + b'x'*n).decode()

def shown(text='', source='x', **data):
    "A notebook with one code cell that shows `text` and, as one display, `data`"
    outs = [v4.new_output('stream', text=text)] if text else []
    if data: outs.append(v4.new_output('display_data', data={k.replace('_', '/'):v for k,v in data.items()}))
    cell = v4.new_code_cell(source, outputs=outs)
    cell.id = 'c1'
    return v4.new_notebook(cells=[cell])

def table(*rows):
    return '<table><tr>' + '</tr><tr>'.join(''.join(f'<td>{o}</td>' for o in r) for r in rows) + '</tr></table>'

def moving(data='[0.8731, 2]', alt='a bar at 0.87', kind='ab12', w=600, n=3000):
    "A figure that moves, as `collab_course.course.figures` writes it: one picture in two forms, data, and a script"
    pic = png(w, 400, n)
    html = (
        f'<figure data-draw="{kind}" data-playing="{escape(data)}"><img src="data:image/png;base64,{pic}" '
        f'alt="{alt}"><figcaption>bars</figcaption></figure><script>// {kind}</script>')
    return shown(text_html=html, image_png=pic, text_plain=alt)

same = {
    'equal':            (shown('loss 0.8731'), shown('loss 0.8731')),
    'last digits':      (shown('loss 0.8731'), shown('loss 0.8733')),
    'a processor':      (shown('0.871302 0.822517'), shown('0.873650 0.820011')),
    'rounded figures':  (shown('RMSE 0.87'), shown('RMSE 0.88')),
    'beyond a float':   (shown('[1e999, 3e400]'), shown('[1e999, 3e400]')),
    'rounding noise':   (shown('2.4e-07'), shown('-1.1e-06')),
    'minute times':     (shown('epoch 0 00:07'), shown('epoch 0 01:12')),
    'addresses':        (shown('<a at 0x7f12ab>'), shown('<a at 0x5521cd>')),
    'padding':          (shown('  9.998 10.2'), shown(' 10.003 10.2')),
    'sign of a zero':   (shown('[ 0.0001, 2]'), shown('[-0.0001, 2]')),
    'torch and lists':  (shown('tensor([0.1003, -1.2500])'), shown('tensor([ 0.1001, -1.2504])')),
    'timing cells':     (shown('12.1 ms', '#| timing\nx'), shown('340 ms', '#| timing\nx')),
    'timing, colon':    (shown('12.1 ms', '#| hide\n#| timing: true\nx'),
                         shown('slow: 9 s', '#| hide\n#| timing: true\nx')),
    'tables':           (shown(text_html=table(['epoch', 'loss', 'time'], [0, '0.8731', '00:04'])),
                         shown(text_html=table(['epoch', 'loss', 'time'], [0, '0.8725', '00:09']))),
    'html over plain':  (shown(text_html='<b>a</b>', text_plain='<A 1>'),
                         shown(text_html='<b>a</b>', text_plain='<A 2>')),
    'pictures':         (shown(image_png=png(600, 400)), shown(image_png=png(598, 402, 3300))),
    'moving figures':   (moving(), moving('[0.8735, 2]', 'a bar at 0.88', n=3300)),
}

@pytest.mark.parametrize('name', same)
def test_not_drift(name): assert drift(*same[name]) == []

changed = {
    'a count':          (shown('100,000 ratings of 943 people'), shown('100,000 ratings of 944 people')),
    'a big count':      (shown('100,000 rows'), shown('100,001 rows')),
    'a loss':           (shown('loss 0.8731'), shown('loss 0.9231')),
    'a smaller loss':   (shown('loss 0.8731'), shown('loss 0.8231')),
    'a bigger loss':    (shown('loss 3.10'), shown('loss 3.15')),
    'a sign':           (shown('gain 0.31'), shown('gain -0.31')),
    'a magnitude':      (shown('1.25e+06'), shown('1.25e+05')),
    'not a number':     (shown('loss 0.8731'), shown('loss nan')),
    'a missing output': (shown('a'), shown()),
    'one more output':  (shown('a'), shown('a', text_plain='b')),
    'another kind':     (shown(text_plain='a'), shown(text_html='a')),
    'another form':     (shown(text_plain='a', text_html='a'), shown(text_plain='a')),
    'a stream':         (shown('a'),
                         v4.new_notebook(
                             cells=[v4.new_code_cell('x', id='c1',
                                                     outputs=[v4.new_output('stream', name='stderr', text='a')])])),
    'text':             (shown('Star Wars (1977) 4.36'), shown('Casablanca (1942) 4.36')),
    'a checksum':       (shown('06416e597f82b7342361'), shown('06416e597f82b7342362')),
    'a version':        (shown('fastai 2.8.12'), shown('fastai 2.8.13')),
    'one more number':  (shown('[1, 2]'), shown('[1, 2, 3]')),
    'order of rows':    (shown(text_html=table(['a', 1], ['b', 2])), shown(text_html=table(['b', 2], ['a', 1]))),
    'a table cell':     (shown(text_html=table([0, '0.8731'])), shown(text_html=table([0, '0.9231']))),
    'joined cells':     (shown(text_html=table(['1', '2'])), shown(text_html=table(['12']))),
    'timing: no output':(shown('12.1 ms', '#| timing\nx'), shown('', '#| timing\nx')),
    'a small picture':  (shown(image_png=png(600, 400)), shown(image_png=png(500, 400))),
    'an empty picture': (shown(image_png=png(600, 400)), shown(image_png=png(600, 400, 300))),
    'data that move':   (moving(), moving('[0.9231, 2]')),
    'a count that moves': (moving(), moving('[0.8731, 3]')),
    'one more in data': (moving(), moving('[0.8731, 2, 4]')),
    'a title in data':  (moving('["A & B"]'), moving('["A & C"]')),
    'an alt text':      (moving(), moving(alt='a line at 0.87')),
    'a moving picture': (moving(), moving(w=500)),
    'the source':       (shown('a', 'x'), shown('a', 'y')),
}

@pytest.mark.parametrize('name', changed)
def test_drift(name): assert len(drift(*changed[name])) == 1

def test_tolerance_is_symmetric():
    for a,b in (('0.8731', '0.9231'), ('100', '101'), ('0.8731', '0.8733')):
        assert (diff_text(a, b) is None) == (diff_text(b, a) is None)

def test_split_numbers():
    assert split_numbers('fold 3: RMSE 0.91, 1,682 films, −2.5e-3, took 00:04') == ('fold#: RMSE#,#films,#, took ⏱',
        ['3', '0.91', '1,682', '−2.5e-3'])

def test_every_difference_is_reported():
    a,b = shown('1 0.5 x'),shown('2 0.9 x')
    assert drift(a, b) == [('c1', 'numbers: 1 → 2, 0.5 → 0.9')]

@pytest.mark.parametrize('fresh,code', [('loss 0.8735', 0), ('loss 0.9500', 1)])
def test_command_line(tmp_path, root, fresh, code):
    for f,t in (('a', 'loss 0.8731'), ('b', fresh)):
        (tmp_path/f'{f}.ipynb').write_text(json.dumps(shown(t)), encoding='utf-8')
    r = subprocess.run([sys.executable, root/'tools'/'drift.py', '--files', tmp_path/'a.ipynb', tmp_path/'b.ipynb'],
                       capture_output=True, text=True, encoding='utf-8')
    assert r.returncode == code, r.stderr
    assert ('a.ipynb c1: numbers: 0.8731 → 0.9500' in r.stdout) == bool(code)

def test_a_fresh_run_is_compared(tmp_path, root):
    "A saved number that the code no longer gives is found by running, and the file stays as it was"
    p = tmp_path/'n.ipynb'
    p.write_text(
        json.dumps(
            v4.new_notebook(cells=[v4.new_code_cell('print(6*7)', id='c1',
                                                    outputs=[v4.new_output('stream', text='41\n')])])),
                                                    encoding='utf-8')
    was = p.read_bytes()
    r = subprocess.run([sys.executable, root/'tools'/'drift.py', p], capture_output=True, text=True, encoding='utf-8')
    assert (r.returncode, p.read_bytes()) == (1, was)
    assert 'n.ipynb c1: numbers: 41 → 42' in r.stdout
