import torch,time,warnings
warnings.simplefilter('ignore')
torch.set_num_threads(1)
from collab_course.movielens import load_ratings
from collab_course.loaders import RatingsDataLoaders
from collab_course.create_params import DotProductBias
from collab_course.training import lean_fit, good_recipe
r=load_ratings()
def go(bs,lr,wd,sq,n=5,seed=0):
    dls=RatingsDataLoaders.from_df(r,item_name='title',duplicates='keep',seed=seed,bs=bs)
    torch.manual_seed(seed); t=time.process_time()
    m=lean_fit(DotProductBias(dls.n_users,dls.n_items,50),dls,n,lr,wd,sqr_mom=sq); print(bs,lr,wd,sq,round(m,4),round(time.process_time()-t,2),flush=True)
go(1024,.01,.3,.8515)
go(4096,5e-3,.1,.99); go(4096,.01,.3,.85); go(4096,.02,.6,.85); go(4096,.03,.6,.85);go(4096,.03,1.,.85);go(4096,.05,.6,.85);go(4096,.02,.1,.85);go(4096,.05,.1,.99);go(4096,.03,.3,.85); go(4096,.03,.6,.99)
