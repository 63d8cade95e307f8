"What learners ask is answered on the pages, each by cells that run"
import json, re

import pytest

# question: where its answer is, as notebook and ids of code cells
QUESTIONS = {
    'What has one-hot encoding to do with embeddings, when it never appears in the code? Metaphor or mechanism?':
        {'01_one_hot': '85c5411f 4d8ea37b 9f06f7b9 b3327c89 43acdd7f'},
    'What does `Embedding` do that `Linear` without a bias does not? And an `Embedding` with a bias after it, against '
    '`Linear` with one?':
        {'01_one_hot': '8237681a 98524b4c f3c31e91 22014cb6', '10_training': 'cc508686'},
    'What may be fed to an embedding, what not, and why?': {'01_one_hot': '4e882ed4'},
    'Why n + 1 rows? What is `#na#`, and what has row 0 learned?': {'03_loaders': 'af0f6793 d932d46e'},
    'Why is a column with two values given a table of (3, 3)? Does that make sense? '
    'Where does the size rule come from?':
        {'03_loaders': '4f23d1bb 45add25d', '08_embedding_nn': '9cbefaa0 d21180c2 ecb637cb'},
    'Inputs of a network do not change, weights do: the rows are inputs, so how are they learned? Is there a hidden '
    'calculation in the layer?':
        {'01_one_hot': 'acf6561e cfdddeb2 79c01322 60ba7c31',
         '08_embedding_nn': '31c35fe4 ce6d361f 47dc70f7 e7e9e5ed 3aeece22'},
    'What is the input of `CollabNN`: ids, rows or whole matrices? What happens to one single example, step by step?':
        {'08_embedding_nn': '2c3421c7 6e914d27 06713445 46f54c25'},
    'Which rows change in one step? Why do rows move that were not in the batch?': {
        '10_training': '070675d7 e3010d57 1cceb500 e43de7d2'},
    'What is a latent factor, and who decided what it means? How many should there be?': {
        '02_dot_product': 'ea2a80bb 345e9647', '04_bias': '88ae91f8',
         '06_interpretation': '2e6129f6 236e5d3e 560ce08a 360a6871'},
    'Why `sigmoid_range` up to 5.5, and not 5? Could tanh do it?': {'02_dot_product': '8c09e217 e862d46a'},
    'What does a bias add that one more factor would not?': {'04_bias': '0729d2a3 1024582a'},
    'Is weight decay the same as adding the squares to the loss? Why does it help, and what is "without" in fastai?':
        {'04_bias': '801131d3 4bd7d51c a1a882a9 4b5dc4f7'},
    'Why is a tensor attribute not among the parameters?': {'05_create_params': '037a14aa e465d1c3 e994e03b'},
    'What do the axes of the PCA picture mean, and why do they flip from run to run? Why are the factors '
    'transposed or not?':
        {'06_interpretation': '140ad5be dcf15a8b 560ce08a 360a6871 04905c99 c7b20bfc'},
    'Cosine, Euclidean or dot: which neighbour is right, and why is an unknown film so near?': {
        '06_interpretation': '47d83af0 f23db76c 81a8f68b 9c7a5102'},
    'Why is the network not better than the dot product?': {
        '08_embedding_nn': 'df3bc79f 67a8310c 70fc1c50'},
    'What becomes of a new person or a new film?': {'03_loaders': '3c91983d f4535030',
                                                    '09_newcomers': '094e9e18 32cd02e1'},
    'Why do my numbers differ from the book\'s?': {'02_dot_product': 'ba3744b1', '03_loaders': '11694a2e'},
    'What does a loss of 0.82 mean in stars?': {'00_whole_game': '476acae7', '02_dot_product': 'b4b76352'},
    'How do I get the ten best films for one person?': {'07_fastai_collab': '373feb16 b1a92aa5 c6d5b086'},
    'Why does my loss not go down although nothing fails (shapes, dtypes, ids)?':
        {'02_dot_product': '49e67e32 6ef02ecc', '03_loaders': '05418835', '05_create_params': '48c58c40'},
    'How do I train on clicks, without stars?': {'12_lists': 'c9171193'},
    'How do I show a model to somebody who has no Python?': {'17_page': 'b15c2a22 f170702a'},
    'What do I do when the tables are too large for one machine?':
        {'18_many_machines': '0759b667 0baa75cd c5ef06d9 d6d7ae7b'},
}

@pytest.fixture(scope='module')
def cells(root):
    return {(o.stem, c['id']): c for o in (root/'nbs').glob('*.ipynb')
            for c in json.loads(o.read_text(encoding='utf-8'))['cells']}

def answers(question): return [(nb, i) for nb,ids in QUESTIONS[question].items() for i in ids.split()]

def test_all_questions_are_there(): assert len(QUESTIONS)==24

@pytest.mark.parametrize('question', QUESTIONS)
def test_a_question_is_answered_by_cells_that_run(question, cells):
    assert answers(question)
    for where in answers(question):
        cell = cells[where]
        source = ''.join(cell['source'])
        assert cell['cell_type']=='code' and not re.search(r'^#\|\s*eval:\s*false', source, re.M), where
        assert cell['outputs'] or re.search(r'\b(test_|expect_fail|assert)', source), where

@pytest.mark.parametrize('question', QUESTIONS)
def test_a_page_of_questions_leads_to_the_answer(question, cells):
    rows = [l for (nb,_),c in cells.items() if nb=='learning' for l in ''.join(c['source']).splitlines()
            if l.startswith('|') and question in l]
    assert len(rows)==1
    for nb in QUESTIONS[question]: assert f'({nb}.ipynb)' in rows[0], nb
