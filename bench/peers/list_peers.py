"Models of lists that only the comparison needs: each takes interests and gives everybody's scores"
import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import svds
from torch import nn
from torch.nn import functional as F

def most_rated(
    X: sparse.csr_matrix,  # Interests, people by items
) -> np.ndarray:           # Scores, the same shape
    "Score an item by how many people rated it"
    counts = X.getnnz(axis=0).astype(float)
    return np.tile(counts, (X.shape[0], 1))

def keep_largest(
    S: sparse.spmatrix,  # Square table of similarities
    k: int,              # How many to keep in each column
) -> sparse.csc_matrix:
    "Keep the largest entries of each column"
    S = S.tocsc(copy=True)
    for start,end in zip(S.indptr, S.indptr[1:]):
        column = S.data[start:end]
        if len(column)>k: column[np.argpartition(-column, k)[k:]] = 0
    S.eliminate_zeros()
    return S

def cosines(
    X: sparse.csr_matrix,  # A row for each thing to compare
    shrink: float,         # Added below the fraction line: fewer ratings in common, less similar
) -> sparse.csr_matrix:    # Similarities without those of a thing to itself
    "Compute shrunk cosines between rows"
    S = (X @ X.T).tocoo()
    norms = np.sqrt(S.diagonal())
    values = S.data/(norms[S.row]*norms[S.col] + shrink)
    apart = S.row!=S.col
    return sparse.csr_matrix((values[apart], (S.row[apart], S.col[apart])), shape=S.shape)

def item_knn(
    X: sparse.csr_matrix,  # Interests, people by items
    k: int = 100,          # Neighbours of each item
    shrink: float = 10,    # As for `cosines`
) -> np.ndarray:           # Scores, the same shape
    "Score an item by its similarity to what a person rated"
    S = keep_largest(cosines(X.T.tocsr(), shrink), k)
    return (X @ S).toarray()

def user_knn(
    X: sparse.csr_matrix,  # Interests, people by items
    k: int = 100,          # Neighbours of each person
    shrink: float = 10,    # As for `cosines`
) -> np.ndarray:           # Scores, the same shape
    "Score an item by what similar people rated"
    S = keep_largest(cosines(X, shrink), k)
    return (S.T @ X).toarray()

def rp3beta(
    X: sparse.csr_matrix,  # Interests, people by items
    k: int = 100,          # Items that a walk from an item may end on
    alpha: float = 1.,     # Power of each step's probability
    beta: float = 0.4,     # Power of the popularity that scores are divided by
) -> np.ndarray:           # Scores, the same shape
    "Score items by a random walk of three steps, popular ones less (Paudel et al. 2017)"
    by_person = sparse.diags(1/np.maximum(X.sum(1).A1, 1e-9)) @ X
    by_item = sparse.diags(1/np.maximum(X.sum(0).A1, 1e-9)) @ X.T
    W = by_item.power(alpha) @ by_person.power(alpha)
    W = W @ sparse.diags(np.maximum(X.getnnz(0), 1.)**-beta)
    W.setdiag(0)
    return (X @ keep_largest(W.T, k).T).toarray()

def pure_svd(
    X: sparse.csr_matrix,  # Interests, people by items
    n_factors: int = 50,   # Numbers for each person and item
) -> np.ndarray:           # Scores, the same shape
    "Score by the largest singular values; not rated counts as 0 (Cremonesi et al. 2010)"
    U,s,V = svds(X, n_factors, random_state=0)
    return (U*s) @ V

def item_regression(
    X: sparse.csr_matrix,  # Interests, people by items
    penalty: np.ndarray,   # Of each item
) -> np.ndarray:           # Scores, the same shape
    "Regress each item on all others, in closed form, by a square of people"
    weighed = X @ sparse.diags(1/penalty)
    square = (weighed @ X.T).toarray()
    square[np.diag_indices_from(square)] += 1
    XP = (weighed.T @ np.linalg.inv(square)).T
    diag = 1/penalty - weighed.multiply(XP).sum(0).A1
    return X - XP/diag

def ease(
    X: sparse.csr_matrix,   # Interests, people by items
    penalty: float = 200.,  # On the square of each weight
) -> np.ndarray:            # Scores, the same shape
    "Score by EASE (Steck 2019)"
    return np.asarray(item_regression(X, np.full(X.shape[1], penalty)))

def edlae(
    X: sparse.csr_matrix,   # Interests, people by items
    penalty: float = 100.,  # On the square of each weight
    dropout: float = 0.3,   # Share of the ratings that training imagines away
) -> np.ndarray:            # Scores, the same shape
    "Score by a denoising EASE: items with many ratings are penalized more (Steck 2020)"
    size = np.asarray(X.multiply(X).sum(0)).ravel()
    return np.asarray(item_regression(X, penalty + size*dropout/(1 - dropout)))

def descend(
    G: np.ndarray,   # Products of candidates with each other, shape (items, k, k)
    r: np.ndarray,   # Products of candidates with the item itself, shape (items, k)
    l1: float,       # Penalty on the size of a weight
    l2: float,       # Penalty on its square
    n_sweep: int,    # How often each weight is visited
) -> np.ndarray:     # Weights of at least 0, shape (items, k)
    "Solve many elastic nets at once, one weight after the other"
    w = np.zeros_like(r)
    for i in list(range(r.shape[1]))*n_sweep:
        own = G[:,i,i]
        new = np.maximum(r[:,i] + own*w[:,i] - l1, 0)/(own + l2)
        r -= G[:,i]*(new - w[:,i])[:,None]
        w[:,i] = new
    return w

def slim(
    X: sparse.csr_matrix,  # Interests, people by items
    k: int = 100,          # Candidates for each item: those of largest cosine
    l1: float = 1.,        # As for `descend`
    l2: float = 20.,       # As for `descend`
    n_sweep: int = 8,      # As for `descend`
    block: int = 1000,     # Items at a time
) -> np.ndarray:           # Scores, the same shape
    "Score by sparse regressions on the nearest items (SLIM with selected features, Ning 2011)"
    n = X.shape[1]
    k = min(k, n - 1)
    S = keep_largest(cosines(X.T.tocsr(), 0.), k)
    G = (X.T @ X).toarray().astype(np.float32)
    near = np.zeros((n, k), dtype=int)
    weights = np.zeros((n, k))
    for j in range(n):
        found = S.indices[S.indptr[j]:S.indptr[j+1]]
        near[j,:len(found)] = found
        weights[j,:len(found)] = 1
    for start in range(0, n, block):
        c = near[start:start+block]
        there = weights[start:start+block]
        r = G[c,np.arange(start, start + len(c))[:,None]]*there
        weights[start:start+block] = descend(G[c[:,:,None],c[:,None]], r.astype(np.float32), l1, l2, n_sweep)*there
    W = sparse.csc_matrix((weights.ravel(), near.ravel(), np.arange(n + 1)*k), shape=(n, n))
    return (X @ W).toarray()

class MultVAE(nn.Module):
    "A variational autoencoder of rated items with one hidden layer (Liang et al. 2018)"
    def __init__(self,
        n_items: int,          # Items
        n_hidden: int,         # Width of the hidden layers
        n_latent: int,         # Numbers that describe a person
        dropout: float = 0.5,  # Share of the ratings that training leaves out
    ):
        super().__init__()
        self.n_latent,self.dropout = n_latent,dropout
        self.encoder = nn.Sequential(nn.Linear(n_items, n_hidden), nn.Tanh(), nn.Linear(n_hidden, 2*n_latent))
        self.decoder = nn.Sequential(nn.Linear(n_latent, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_items))

    def forward(self,
        x: torch.Tensor,  # Interests, shape (people, items)
    ) -> tuple[torch.Tensor, torch.Tensor]:  # Scores; how far each person's guess is from the prior
        "Encode, draw in training, decode"
        rated = F.dropout(F.normalize(x), self.dropout, self.training)
        mean,log_var = self.encoder(rated).chunk(2, dim=1)
        noise = torch.randn_like(mean)*(log_var/2).exp()
        z = mean + noise if self.training else mean
        kl = (log_var.exp() + mean**2 - 1 - log_var).sum(1)/2
        return self.decoder(z), kl

def mult_vae(
    X: sparse.csr_matrix,   # Interests, people by items
    n_hidden: int = 300,    # As for `MultVAE`
    n_latent: int = 100,    # As for `MultVAE`
    n_epoch: int = 60,      # Passes over the people
    beta: float = 0.2,      # Highest weight of the prior, reached half-way
    lr: float = 2e-3,       # Learning rate of Adam
    wd: float = 0.,         # Its decay
    bs: int = 128,          # People in a batch
    seed: int = 0,          # Of initial weights, orders and noise
) -> np.ndarray:            # Scores, the same shape
    "Train a MultVAE and score everybody"
    torch.manual_seed(seed)
    data = torch.from_numpy(X.toarray()).float()
    model = MultVAE(X.shape[1], n_hidden, n_latent)
    opt = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=wd)
    for epoch in range(n_epoch):
        anneal = beta*min(1, 2*epoch/n_epoch)
        for rows in torch.randperm(len(data)).split(bs):
            x = data[rows]
            scores,kl = model(x)
            loss = (anneal*kl - (x*scores.log_softmax(1)).sum(1)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad(): return model.eval()(data)[0].numpy()

class SoftmaxBag(nn.Module):
    "Factors and biases, and for each person the mean of a second row of each rated item"
    def __init__(self,
        shape: tuple,          # People, items
        n_factors: int,        # Numbers for each of them
        dropout: float = 0.5,  # Share of the rated items that training leaves out of the mean
    ):
        super().__init__()
        self.dropout = dropout
        self.people,self.items,self.rated = (nn.Parameter(torch.randn(n, n_factors)*0.01)
                                             for n in (shape[0], shape[1], shape[1]))
        self.bias = nn.Parameter(torch.zeros(shape[1]))

    def forward(self,
        rows: torch.Tensor,  # Positions of people
        x: torch.Tensor,     # Their interests, shape (people, items)
    ) -> torch.Tensor:       # Scores, the same shape
        "Score all items"
        rated = F.dropout(x, self.dropout, self.training)/x.sum(1, keepdim=True).clamp_min(1)
        return (self.people[rows] + rated@self.rated)@self.items.T + self.bias

def softmax_bag(
    X: sparse.csr_matrix,   # Interests, people by items
    n_factors: int = 256,   # As for `SoftmaxBag`
    n_epoch: int = 30,      # Passes over the people
    lr: float = 1e-2,       # Highest learning rate of the one-cycle schedule
    decay: float = 30.,     # Weight decay of a pass, whatever its number of steps
    bs: int = 64,           # People in a batch
    seed: int = 0,          # Of initial weights, orders and dropout
) -> np.ndarray:            # Scores, the same shape
    "Train a `SoftmaxBag` against the whole catalogue and score everybody"
    torch.manual_seed(seed)
    data = torch.from_numpy(X.toarray()).float()
    model = SoftmaxBag(X.shape, n_factors)
    steps = -(-len(data)//bs)
    opt = torch.optim.AdamW(model.parameters(), lr=lr, eps=1e-5, weight_decay=decay/steps)
    cycle = torch.optim.lr_scheduler.OneCycleLR(opt, lr, n_epoch*steps)
    for _ in range(n_epoch):
        for rows in torch.randperm(len(data)).split(bs):
            x = data[rows]
            loss = -(x*model(rows, x).log_softmax(1)).sum()/x.sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
            cycle.step()
    with torch.no_grad(): return model.eval()(torch.arange(len(data)), data).numpy()
