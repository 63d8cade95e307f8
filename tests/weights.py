"What the tests of models share: random rows to ask for, and weights large enough that no difference can hide near zero"
import torch

def rows(n_users, n_items, n, seed=0):
    "`n` pairs of row numbers"
    g = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(n_users, (n,), generator=g), torch.randint(n_items, (n,), generator=g)], 1)

def big(model, sd=0.5, seed=0):
    "`model` with weights far from zero"
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters(): p.copy_(sd*torch.randn(p.shape, generator=g))
    return model
