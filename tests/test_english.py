"Turns that readers stumbled over don't come back: in text cells, docstrings and messages"
import ast, json, re

import pytest

# what readers had to read twice, and what to write instead
TURNS = {
    r"(?<!there )(?<!there's )(?<!there would )(?<!there can )(?<!there may )(?<!there will )(?<!there must )"
    r"(?<!there should )(?<!there to )\b(?:is|are|was|were|be) no "
    r"(?!longer|more\b|less\b|fewer|better|worse|higher|lower|larger|smaller|need|one\b|matter)\w*":
        '"isn\'t a …", "without …" or "there is no …"',
    r'\bwhoever\b': '"anyone who …", "people who …"',
    r'\bbeside (?:it|them|those|that|these|this|each)\b': '"next to it", "with it", "too"',
    r'\bwithout a word\b|\bin silence\b': '"silently", "without an error"',
    r'\bby heart\b': '"overfit", "memorized"',
    r'\bleav(?:e|es|ing) \w+ away\b|\bleft away\b': '"omit", "leave out"',
    r'\bstrangers?\b': '"unknown person", "untrained id"',
    r'\b(?:is|are|was|were) (?:told|said)\b(?! apart)': '"the message says …", "we call …"',
    r'\bcan(?:not|\'t)? be had\b': '"there is", "you can get"',
    r'\bsuch as it (?:is|stands)\b': '"as it is", or nothing',
    r'\bof (?:its|their|our|your) own making\b': '"its own"',
    r'\bby way of\b|\botherwise than\b': '"through", "by", "except by"',
    r'\bfolded up\b': '"merged into", "turned into"',
}
SKIPPED = {'_docs', '_proc', '.ipynb_checkpoints'}  # built from the others

def better(text):
    "Turns of a text, each with the better wording"
    return {o[0]: say for turn,say in TURNS.items() for o in re.finditer(turn, text, re.I)}

def literals(code):
    "Docstrings and messages of Python code: its literals of three words or more"
    code = re.sub(r'^[%!].*$', 'pass', code, flags=re.M)  # magics
    tree = ast.parse(code)
    texts = [o.value for o in ast.walk(tree) if isinstance(o, ast.Constant) and isinstance(o.value, str)]
    return [o for o in texts if len(o.split())>2]

def texts(path):
    "Text cells, docstrings and messages of a notebook or a module"
    if path.suffix=='.py': return literals(path.read_text(encoding='utf-8'))
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    sources = [(o['cell_type'], ''.join(o['source'])) for o in cells]
    return [t for kind,s in sources for t in ([s] if kind=='markdown' else literals(s) if kind=='code' else [])]

def pages(root):
    "Notebooks, and modules that aren't made from one"
    found = [o for d in ('nbs', 'bench') for o in sorted((root/d).rglob('*.ipynb'))]
    return [o for o in found if not SKIPPED & set(o.parts)] + sorted((root/'tools').glob('*.py')) + [root/'tasks.py']

def test_no_turn_that_readers_stumbled_over(root):
    found = [f'{path.relative_to(root)}: "{turn}", better {say}: {text[:60]!r}'
             for path in pages(root) for text in texts(path) for turn,say in better(text).items()]
    assert not found, '\n'.join(found)

@pytest.mark.parametrize('text', ['an id that is no number', 'Whoever reads this', 'the row beside it', 'it is told',
                                  'A stranger rates a film', 'the weights are no figure'])
def test_a_turn_is_found(text): assert better(text)

@pytest.mark.parametrize('text', ['there is no user 5000', 'it is no longer there', 'the film that is near to it',
                                  "isn't a number", 'no row is left', 'there are no ratings', 'no better than biases',
                                  'it is no better than biases', 'text and numbers can be told apart'])
def test_plain_words_pass(text): assert not better(text)
