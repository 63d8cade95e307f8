"""Embeddings and collaborative filtering, built from one-hot vectors up: a notebook course and the library that it exports

The lessons of the course build a library. `Recommender` is its front door: it trains on a table of stars, counts or
clicks, answers, takes in newcomers and new ratings, gives its reasons and keeps itself in one file.

```python
from collab_course import Recommender
rec = Recommender.fit(ratings)                   # a table with a row for each rating
rec.recommend(196)                               # the ten best items for person 196
rec.fold_in({50: 5, 181: 4})                     # the same for somebody new
Recommender.load(rec.save('model.safetensors'))  # gives the same answers
```

Where to look:

- to use it on your own table: `recommender`, and `command_line` for a terminal
- to read a table and see what is wrong with it: `reading`, `frames`, `tables`, `extremes`, `movielens`
- ids and rows, batches: `vocab`, `loaders`
- to build a model yourself: `one_hot`, `dot_product`, `create_params`, `embedding_nn`, `svdpp`, `levels`
- to train it: `training` (`lean_fit`, `good_recipe`), `steps`, `loops`; with fastai: `fastai_collab`
- side features: `features`, `side_features`
- to look inside: `interpretation` (`bias_ranking`, `factor_pca`, `nearest`), `factor_map` (`plot_factors`)
- newcomers: `newcomers` (`fold_in`, `signup_questions`, `MetadataModel`), `folding`
- lists, and interests without stars: `lists` (`rank_fit`), `list_models` (`EASE`, `WeightedALS`), `ranking` (`top_k`)
- to measure: `evaluation` (`evaluate_lists`, `paired`), `scoring` (`cross_validate`), `metrics`, `baselines`, `intervals`
- tables beyond one machine: `ratings_index` (`index_ratings`), `distributed` (`fit_sharded`), `sharding`,
  `checkpoints`, `launch`
- lists that learn from themselves: `feedback` (`feedback_loop`)
- to save: `bundle` (`save_bundle`, `load_bundle`), `files`; to show it to others: `page`, `page_data`, `page_view`
- to practise: `course.exercises` (`practice`), `course.progress` (`keep_progress`), `course.standing` (`progress`)

`from collab_course.all import *` brings what people call, and imports PyTorch. What each argument means:
`Recommender.fit??` in Jupyter; anywhere, `from fastcore.docments import DocmentText` and `DocmentText(Recommender.fit)`.

Modules:

- `collab_course.all`: The names of the library that people use, for `from collab_course.all import *`
- `collab_course.answers`: Tables that answer questions: who rated what, lists for unknown users, newcomers, reasons, errors
- `collab_course.baselines`: What averages, biases, popularity and similar items predict
- `collab_course.bundle`: Saved models: one file, no code in it, never half written, nothing believed before it is checked
- `collab_course.checkpoints`: Keep a training's state in steps, so that a killed one goes on where it was
- `collab_course.checks`: Checks that say which argument, what came and what is allowed
- `collab_course.choices`: What may be listed, for everybody and for each person
- `collab_course.command_line`: From a file of ratings to recommendations without a notebook
- `collab_course.components`: Principal components of factors, with signs that stay
- `collab_course.convert`: Whatever was trained, here or by fastai, as loaders and models of this library, and as tables to serve from
- `collab_course.course.differences`: A comparison that says in words how a wrong answer came about
- `collab_course.course.exercises`: A check that learners can trust: it knows starter code, a right answer, a wrong one and the mistake behind it
- `collab_course.course.figures`: A picture first, and a script that makes it move where scripts run
- `collab_course.course.notes`: A verdict that looks like what it means: a sign, a colour, and a table of what came and what was expected
- `collab_course.course.pages`: Tasks, hints and questions are markdown: written in the teacher's edition, read by the exercises
- `collab_course.course.progress`: One small file, only if you ask for it
- `collab_course.course.standing`: The map of the course with what you have answered, and what comes next
- `collab_course.course.walk`: What every chapter of the walk ends on: the same crosstab, filled by its model, and one table of errors
- `collab_course.create_params`: How a module finds its parameters, and the whole model built from nothing but them
- `collab_course.crowds`: People of a planted world who watch films: what they truly like, and what a platform can see of it
- `collab_course.distances`: Three ways to say how near two rows of numbers are, and the rows that are nearest
- `collab_course.distributed`: What if the tables don't fit into one machine, and when do you need none of this?
- `collab_course.dot_product`: A person is a row of numbers, a film is another, and their product is a rating
- `collab_course.embedding_nn`: Two rows side by side through two layers: why not a neural network?
- `collab_course.evaluation`: How good is it really, and how would you know?
- `collab_course.extremes`: What a column of ratings holds: stars, counts or clicks; outliers, codes for "not rated", values that merge
- `collab_course.factor_map`: A map of items with labels, static and live
- `collab_course.fastai_collab`: One line of fastai makes, trains and names the model that you built by hand
- `collab_course.features`: Side features of users and items as columns or as bags
- `collab_course.feedback`: What becomes of a list that learns from itself
- `collab_course.files`: Write files whole or not at all
- `collab_course.fitting`: From a table of ratings to a trained model and a report
- `collab_course.folding`: Rows for people who came after the training, from their ratings alone
- `collab_course.forks`: What a forked child needs before it can answer
- `collab_course.frames`: Turn polars, Arrow, records and files into pandas
- `collab_course.interpretation`: A map of films that nobody drew, and how to read it: biases, principal components and distances
- `collab_course.intervals`: How far off a prediction may be, measured on rows that were kept back
- `collab_course.launch`: Start the processes that train one model together, and end with them
- `collab_course.levels`: Stars as levels, with thresholds of each person
- `collab_course.list_answers`: What a list model answers: the best items for each person, how good lists are, and why an item is on one
- `collab_course.list_models`: What to recommend, from what people have rated, played or clicked
- `collab_course.lists`: From the most rated films to the list that the library serves, one step at a time
- `collab_course.loaders`: Loaders that slice tensors, for `Learner` and for plain loops
- `collab_course.lookups`: Row numbers that are checked, tables as layers, and what a lookup costs
- `collab_course.loops`: What every training loop needs: checks, random numbers of its own, and steps of AdamW
- `collab_course.metrics`: How far off predicted ratings are and how good lists are, from plain numbers
- `collab_course.model_tables`: What is known about each row of a trained model: its id, its training ratings, its title
- `collab_course.movielens`: MovieLens 100k: where it comes from, verified and installed in one step
- `collab_course.newcomer_rows`: Rows that have names, rows from what is known about somebody, and films to ask about
- `collab_course.newcomer_tables`: Who is new, where their rows start, and what a table says about them
- `collab_course.newcomers`: What a model says about people and films that it hasn't seen, in stars
- `collab_course.one_hot`: What is an embedding, and where did the one-hot vectors go?
- `collab_course.page`: Rate films and watch your row move: the whole model in one file, without a server
- `collab_course.page_data`: What a page must know to answer like the model: factors, titles, a map, and nothing about people
- `collab_course.page_view`: What a visitor of the page sees and touches: stars, search, the map, the bars and the list
- `collab_course.quiet`: Import fastai without its side effects on the caller
- `collab_course.ranking`: The best items for each person, exactly and quickly
- `collab_course.ratings_index`: Tables of ratings that are read once, checked part by part and dealt into streams for many processes
- `collab_course.reading`: Tables of ratings that others have written: values stay as they are, and an error names the line and the cure
- `collab_course.recommender`: From a table of ratings to recommendations that can be explained, saved and served
- `collab_course.scoring`: Scores of the whole catalogue and lists for everybody, from any model; and what a comparison must keep to
- `collab_course.served`: Trained models as plain tables that numpy can score
- `collab_course.sharding`: Tables of users and items cut by rows over processes, on TorchRec
- `collab_course.side_features`: `CollabNN` with known features of user and item beside their learned rows
- `collab_course.steps`: What `lean_fit` and `fit_rows` do in a step: schedule, gradients by hand, AdamW in one call, row-wise Adagrad
- `collab_course.svdpp`: A person is also what they rated, a film also who rated it
- `collab_course.svdpp_training`: Features, days, checks, training, and rows for newcomers
- `collab_course.tables`: What can be wrong with a table of ratings, splits that don't leak, and planted ratings
- `collab_course.training`: Which rows move, what does a step cost, where does the time go?
- `collab_course.two_models`: A rating model and a list model from one table, measured on the same rows
- `collab_course.vocab`: Ids and the row numbers that stand for them"""

__version__ = "0.2.0"


from typing import TYPE_CHECKING

if TYPE_CHECKING: from .recommender import Recommender

def __getattr__(
    name: str, # A name that isn't here yet
) -> 'type[Recommender]':
    "Import the front door when somebody asks for it"
    if name!='Recommender': raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from .recommender import Recommender
    return Recommender
