"Fails in fastai 2.8.12: without weights, an epoch of a table must give each row once"
from fastai.tabular.all import TabularPandas, np, pd, range_of, test_eq

def loaders(n=1000, **kwargs):
    "Loaders of a table with `n` rows for training, each with its own number"
    df = pd.DataFrame(dict(row=np.arange(n + 10.), y=0.))
    splits = range_of(df)[:n], range_of(df)[n:]
    return TabularPandas(df, cont_names='row', y_names='y', splits=splits).dataloaders(bs=100, **kwargs)

def rows(dl):
    "Return the rows that one epoch gives, in its order"
    return [int(o) for _,conts,_ in dl for o in conts.flatten()]

def test_weights():
    "Passes today: the draw follows weights"
    wgts = np.repeat([0., 1.], [990, 10])
    epoch = rows(loaders(dl_kwargs=[dict(wgts=wgts), {}]).train)
    test_eq(len(epoch), 1000)
    test_eq(sorted(set(epoch)), range(990, 1000))

def test_no_weights():
    "Fails today: about 632 of 1,000 rows come"
    epoch = rows(loaders().train)
    test_eq(len(epoch), 1000)
    test_eq(len(set(epoch)), 1000)

if __name__=='__main__':
    test_weights()
    test_no_weights()
