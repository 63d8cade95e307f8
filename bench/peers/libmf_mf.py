"libmf's matrix factorization (stochastic gradient descent) with its defaults; it has no biases"
from importlib.metadata import version

import numpy as np
from libmf.mf import MF

from clock import arguments, asked, fit_folds

def fit(ratings, train, test, seed):
    "libmf 0.9.2 reads memory row by row here, whatever array it is given"
    model = MF(nr_threads=1, quiet=True)
    model.fit(np.ascontiguousarray(ratings.iloc[train], dtype=np.float32))
    return model

def predict(model, pairs):
    "And here column by column"
    return model.predict(np.asfortranarray(pairs, dtype=np.float32))

if __name__=='__main__':
    ratings,task,_,_ = arguments()
    fit_folds(ratings, version('libmf'), fit, **asked(task, predict, None))
