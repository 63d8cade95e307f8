"""Embeddings and collaborative filtering, built from one-hot vectors up: a notebook course and the library that it exports.

`from collab_course import Recommender` is the front door: `Recommender.fit(ratings)` trains on a table of ratings,
clicks or counts; `recommend`, `predict`, `similar`, `fold_in` and `explain` answer; `update` takes new ratings in; `save` and `load`
keep it in one file. In Jupyter, `Recommender.fit??` shows each argument with what it means.
`from collab_course.all import *` brings everything that people call.

What the lessons build:

- `one_hot`: 01: four ways to pick a row
- `dot_product`: 02: latent factors
- `create_params`: 05: the model from nothing but parameters
- `interpretation`: 06: biases, components, neighbours
- `fastai_collab`: 07: from fastai's learner to this library
- `embedding_nn`: 08: networks on embeddings
- `newcomers`: 09: rows for people and items without ratings
- `training`: 10: the same steps for less time
- `evaluation`: 11: how good a model is
- `lists`: 12: from the most rated to factors trained for lists
- `svdpp`: 13: SVD++ with bags, features and days
- `feedback`: 14: a list that learns from itself

What hardens the library:

- `checks`: checks that name the argument, the value and what is allowed
- `files`: files written whole, or not at all
- `forks`: what a forked child needs before it can answer
- `quiet`: fastai imported without side effects
- `movielens`: MovieLens 100k: fetched, verified, installed in one step
- `frames`: tables of other libraries as pandas
- `tables`: what can be wrong with a table of ratings, splits, planted ratings
- `extremes`: ratings that cannot be meant
- `vocab`: ids and their row numbers
- `reading`: files that others wrote
- `ranking`: the best n, with one rule for ties
- `distances`: nearest rows
- `metrics`: errors, and measures of lists
- `folding`: rows for newcomers by ridge regression
- `served`: the models that are served, in numpy
- `list_models`: what to recommend: EASE, weighted ALS, their blend
- `intervals`: how far off a prediction may be
- `bundle`: a saved model in one file
- `loaders`: loaders that slice tensors
- `loops`: what every training loop needs
- `lookups`: row numbers that are checked, tables as layers, what a lookup costs
- `steps`: what `lean_fit` and `fit_rows` do in a step
- `features`: side features as columns or bags
- `side_features`: `CollabNN` with known features next to the learned rows
- `svdpp_training`: what training an `SVDpp` needs, and rows for newcomers
- `levels`: stars as levels, with thresholds of each person
- `baselines`: means, biases, popularity, similar items
- `model_tables`: a trained model beside its vocabulary
- `factor_map`: the map of items with labels
- `scoring`: scores for a whole catalogue, folds
- `crowds`: the people of the feedback loop
- `newcomer_tables`: what is known about newcomers
- `newcomer_rows`: rows with names, rows from what is known, films to ask about
- `convert`: trained models of other kinds as served ones
- `choices`: what may be listed, for whom
- `answers`: the tables that a Recommender answers with
- `list_answers`: lists, their measures, and why an item is on one
- `fitting`: from a table to a trained model and a report
- `two_models`: a model for ratings and one for lists, from one table
- `recommender`: the class `Recommender`
- `command_line`: the program `collab-course`
- `all`: everything at once

How the course works:

- `course.progress`: notes of what was done, in one file
- `course.differences`: what came and what was expected, in words
- `course.pages`: tasks, hints and questions as pages of words
- `course.exercises`: exercises whose checks name the mistake
- `course.standing`: the map of what was done
- `course.figures`: figures that can be moved
- `course.walk`: the crosstab and the board of every chapter"""

__version__ = "0.0.1"


from typing import TYPE_CHECKING

if TYPE_CHECKING: from .recommender import Recommender

def __getattr__(
    name: str, # A name that isn't here yet
) -> 'type[Recommender]':
    "Import the front door when somebody asks for it"
    if name!='Recommender': raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from .recommender import Recommender
    return Recommender
